"""Secrets of a vault: by ARM, and shared functions for the data plane."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World

Json = dict[str, Any]
SECRET = "Microsoft.KeyVault/vaults/secrets"
_MOST_BYTES, _MOST_TAGS = 25 * 1024, 15
_SECRET_RULE: Json = {
    **rules.ENVELOPE,
    "location": rules.READ_ONLY,
    "tags": rules.Map(rules.Text(most=512)),
    "properties!": {
        "value": rules.TEXT,
        "contentType": rules.TEXT,
        "attributes": {
            "enabled": rules.FLAG,
            "nbf": rules.WHOLE,
            "exp": rules.WHOLE,
            "created": rules.READ_ONLY,
            "updated": rules.READ_ONLY,
        },
        "secretUri": rules.READ_ONLY,
        "secretUriWithVersion": rules.READ_ONLY,
    },
}


@dataclass
class Wanted:
    """The values in a write of a secret; None for absent ones."""

    value: str | None
    content_type: str | None
    attributes: Json | None
    tags: Json | None

    def over(self, existing: Resource) -> Wanted:
        """Merge a PATCH: absent values are kept."""
        return Wanted(
            self.value,
            self.content_type if self.content_type is not None else existing.properties.get("contentType"),
            {**existing.private["attributes"], **(self.attributes or {})},
            self.tags if self.tags is not None else existing.body.get("tags"),
        )


class Secrets(ResourceType):
    """PUT 201, then 200. The same value and attributes make no new version
    (github.com/Azure/azure-resource-manager-schemas issue 1494); the value is never returned; no DELETE."""

    type = SECRET
    body_rule = _SECRET_RULE
    body_code = "BadRequest"
    tracked = False
    name_pattern = r"[0-9A-Za-z-]{1,127}"
    name_error = ("BadRequest", "The secret name '{name}' is invalid: letters, digits and hyphens only.")

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        if "value" not in body["properties"]:
            raise Refusal(400, "BadRequest", "The property 'properties.value' is required.")
        secret = _write(call, body)
        return Response(200 if call.existing else 201, secret.body)

    def patch(self, call: Call) -> Response:
        call.must_exist()
        body = self.sent(call, patch=True)
        return Response(200, _write(call, body, patch=True).body)

    def removed(self, world: World, resource: Resource) -> None:
        world.store.set(
            "removed secret",
            resource.key,
            {
                "id": resource.id,
                "type": resource.type,
                "body": resource.body,
                "created": resource.created,
                "private": resource.private,
            },
        )


def _write(call: Call, body: Json, *, patch: bool = False) -> Resource:
    vault = call.world.store.get(call.target.parent)
    assert vault is not None
    sent = body.get("properties") or {}
    wanted = Wanted(sent.get("value"), sent.get("contentType"), sent.get("attributes"), body.get("tags"))
    if patch:
        wanted = wanted.over(call.must_exist())
    return keep(call.world, vault, call.target.name, wanted)


HELD = "deleted secret"
"""The kind of the records of deleted secrets."""


def key_of(vault: Resource, name: str) -> str:
    return f"{vault.key}/secrets/{name.lower()}"


def held(world: World, vault: Resource, name: str) -> Json | None:
    """Return the record of a deleted secret that reserves this name."""
    record = world.store.record(HELD, key_of(vault, name))
    if record is not None and record["purge"] <= world.clock.now():
        world.store.set(HELD, key_of(vault, name), None)
        world.secrets.forget(vault.key, name.lower())
        return None
    return record


def keep(world: World, vault: Resource, name: str, wanted: Wanted, *, always: bool = False) -> Resource:
    """Store a secret; a new version unless value and attributes equal the current ones (`always`: as the data
    plane does)."""
    if wanted.value is not None and len(wanted.value.encode()) > _MOST_BYTES:
        raise Refusal(400, "BadParameter", "The secret value exceeds the maximum size of 25k.")
    check_tags(wanted.tags)
    if held(world, vault, name) is not None:
        raise Refusal(
            409,
            "Conflict",
            f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this "
            "state, the secret can only be recovered or purged.",
        )
    identifier = f"{vault.id}/secrets/{name}"
    existing = world.store.get(identifier)
    private = _versions(world, vault, name, wanted, existing, always=always)
    uri = f"{vault.properties['vaultUri']}secrets/{name}"
    said = {
        **private["versions"][-1],
        "attributes": private["attributes"],
        "tags": wanted.tags or {},
        "contentType": wanted.content_type,
        "updated": int(world.clock.now()),
    }
    private["versions"] = [*private["versions"][:-1], said]
    shown: Json = {
        "id": identifier,
        "name": name,
        "type": SECRET,
        "location": vault.body["location"],
        "tags": {},
        "properties": {"attributes": {}, "secretUri": uri, "secretUriWithVersion": f"{uri}/{private['version']}"},
    }
    created = existing.created if existing else world.clock.now()
    secret = Resource(identifier, SECRET, shown, created, private)
    _show(secret, said)
    return world.store.put(secret)


def check_tags(tags: Json | None) -> None:
    if len(tags or {}) > _MOST_TAGS:
        raise Refusal(400, "BadParameter", f"A secret may have at most {_MOST_TAGS} tags.")


def said_of(secret: Resource, version: str) -> Json:
    """Return what is said of one version: attributes, tags, contentType and times. A store of an earlier release has
    it of the current version alone."""
    entry = next(item for item in secret.private["versions"] if item["version"] == version)
    current = {
        "attributes": secret.private["attributes"],
        "tags": secret.body["tags"],
        "contentType": secret.properties.get("contentType"),
        "updated": entry["created"],
    }
    return {**current, **entry}


def change(world: World, secret: Resource, version: str, wanted: Wanted) -> Resource:
    """Update what is said of a version, without a new one: the data plane's PATCH (rest/api/keyvault, update-secret).
    What the request leaves out is kept."""
    check_tags(wanted.tags)
    said = said_of(secret, version)
    said["attributes"] = {**said["attributes"], **(wanted.attributes or {})}
    sent = {"tags": wanted.tags, "contentType": wanted.content_type}
    said |= {key: value for key, value in sent.items() if value is not None}
    said["updated"] = int(world.clock.now())
    secret.private["versions"] = [
        said if item["version"] == version else item for item in secret.private["versions"]
    ]
    if version == secret.private["version"]:
        _show(secret, said)
    return world.store.put(secret)


def _show(secret: Resource, said: Json) -> None:
    """Show what is said of the current version, which is what ARM shows of a secret."""
    secret.private["attributes"] = said["attributes"]
    secret.properties["attributes"] = {
        **said["attributes"],
        "created": said["created"],
        "updated": said["updated"],
    }
    if said["contentType"] is not None:
        secret.properties["contentType"] = said["contentType"]
    secret.body["tags"] = said["tags"]


def _versions(
    world: World, vault: Resource, name: str, wanted: Wanted, existing: Resource | None, *, always: bool
) -> Json:
    """Return the secret's new versions. Values are stored only in vault.json; the store has a salted digest."""
    current = existing.private if existing else {}
    attributes = {"enabled": True, **(wanted.attributes or {})}
    digest = current.get("digest")
    if wanted.value is not None:
        salted = f"{vault.key}{name.lower()}{world.identity.client_secret}{wanted.value}"
        digest = hashlib.sha256(salted.encode()).hexdigest()
    if current and not always and digest == current["digest"] and attributes == current["attributes"]:
        return dict(current)
    version, created = uuid.uuid4().hex, int(world.clock.now())
    value = wanted.value
    if value is None:
        value = world.secrets.value(vault.key, name.lower(), current["version"])
    world.secrets.keep(vault.key, name.lower(), version, value or "")
    before = [said_of(existing, item["version"]) for item in current["versions"]] if existing else []
    versions = [*before, {"version": version, "created": created}]
    return {"digest": digest, "version": version, "attributes": attributes, "created": created, "versions": versions}


register(Secrets())
