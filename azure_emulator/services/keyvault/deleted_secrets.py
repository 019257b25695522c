"""Deleted secrets in a vault's data plane. Their names are reserved until recovered or purged
(learn.microsoft.com/azure/key-vault/general/soft-delete-overview)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.keyvault.vault_secrets import HELD, held, key_of

Json = dict[str, Any]
Shown = Callable[[Resource, Resource], Json]


def delete(world: World, vault: Resource, name: str, shown: Shown) -> Response:
    secret = world.store.get(f"{vault.id}/secrets/{name}")
    if secret is None:
        raise Refusal(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
    now = world.clock.now()
    kept = {"id": secret.id, "type": secret.type, "body": secret.body, "created": secret.created}
    ends = now + vault.properties["softDeleteRetentionInDays"] * 86400
    record = {"secret": {**kept, "private": secret.private}, "deleted": now, "purge": ends}
    world.store.drop(secret.id)
    world.store.set(HELD, key_of(vault, name), record)
    return Response(200, _bundle(vault, record, shown))


def read(world: World, vault: Resource, name: str, shown: Shown) -> Response:
    return Response(200, _bundle(vault, _held(world, vault, name), shown))


def listed(world: World, vault: Resource, shown: Shown) -> list[Json]:
    prefix = key_of(vault, "")
    names = [key.removeprefix(prefix) for key, _ in world.store.records(HELD) if key.startswith(prefix)]
    found = [record for record in (held(world, vault, name) for name in sorted(names)) if record is not None]
    return [_bundle(vault, record, shown) for record in found]


def purge(world: World, vault: Resource, name: str) -> Response:
    _held(world, vault, name)
    if vault.properties.get("enablePurgeProtection"):
        raise Refusal(403, "Forbidden", "Operation purge is not allowed because purge protection is enabled.")
    world.store.set(HELD, key_of(vault, name), None)
    world.secrets.forget(vault.key, name.lower())
    return Response(204)


def recover(world: World, vault: Resource, name: str, shown: Shown) -> Response:
    record = _held(world, vault, name)
    secret = world.store.put(Resource(**record["secret"]))
    world.store.set(HELD, key_of(vault, name), None)
    return Response(200, shown(vault, secret))


def _held(world: World, vault: Resource, name: str) -> Json:
    record = held(world, vault, name)
    if record is None:
        raise Refusal(404, "SecretNotFound", f"Deleted Secret not found: {name}")
    return record


def _bundle(vault: Resource, record: Json, shown: Shown) -> Json:
    uri = vault.properties["vaultUri"]
    secret = Resource(**record["secret"])
    return {
        "recoveryId": f"{uri}deletedsecrets/{secret.name}",
        "deletedDate": int(record["deleted"]),
        "scheduledPurgeDate": int(record["purge"]),
        **shown(vault, secret),
    }
