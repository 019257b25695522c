"""Everything a handler needs: identity, clock, store, operations, roles, faults and settings, in one object."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import secrets
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, RLock
from typing import Any

from azure_emulator.core.clock import Clock, stamp
from azure_emulator.core.durations import Durations
from azure_emulator.core.faults import Faults
from azure_emulator.core.messages import Principal
from azure_emulator.core.operations import Operations
from azure_emulator.core.policies import Policies
from azure_emulator.core.private_files import write_private
from azure_emulator.core.requestlog import RequestLog
from azure_emulator.core.roles import ASSIGNMENT, OWNER, Roles
from azure_emulator.core.store import Resource, SecretFile, Store

Json = dict[str, Any]


def _new_id() -> str:
    return str(uuid.uuid4())


_IMAGE_KEYS: dict[str, type | tuple[type, ...]] = {
    "port": int,
    "requires": list,
    "exit_code": int,
    "log": (str, list),
    "health": dict,
    "ready_after": (int, float),
    "job": dict,
    "pull_error": str,
}


def _checked_images(declared: Any) -> dict[str, Json]:
    """Parse declared behaviour by pattern of the repository's name. Raises ValueError with the reason."""
    if not isinstance(declared, Mapping):
        raise ValueError("images: a mapping of patterns is expected")
    for pattern, behaviour in declared.items():
        if not isinstance(behaviour, Mapping):
            raise ValueError(f"images: {pattern}: a mapping is expected")
        for key, value in behaviour.items():
            if key not in _IMAGE_KEYS:
                raise ValueError(f"images: {pattern}: unknown key {key!r}; known are {', '.join(_IMAGE_KEYS)}")
            if not isinstance(value, _IMAGE_KEYS[key]) or isinstance(value, bool):
                raise ValueError(f"images: {pattern}: {key} has the wrong type ({value!r})")
    return {str(pattern): dict(behaviour) for pattern, behaviour in declared.items()}


def _checked_dns(declared: Any) -> dict[str, dict[str, list[str]]]:
    """Parse DNS records by name and type. Raises ValueError with the reason."""
    if not isinstance(declared, Mapping):
        raise ValueError("dns: a mapping of names is expected")
    for name, kinds in declared.items():
        if not isinstance(kinds, Mapping) or not all(isinstance(values, list) for values in kinds.values()):
            raise ValueError(f"dns: {name}: lists of values by type of record are expected, such as TXT: [...]")
    return {
        str(name).lower().rstrip("."): {
            str(kind).upper(): [str(item) for item in values] for kind, values in kinds.items()
        }
        for name, kinds in declared.items()
    }


def _checked_offers(declared: Any) -> dict[str, dict[str, list[str]]]:
    """Parse versions and locations by type. Raises ValueError with the reason."""
    if not isinstance(declared, Mapping):
        raise ValueError("offers: a mapping of types is expected")
    for name, lists in declared.items():
        if not isinstance(lists, Mapping) or not set(lists) <= {"versions", "locations"}:
            raise ValueError(f"offers: {name}: versions and locations are expected")
        if not all(isinstance(values, list) for values in lists.values()):
            raise ValueError(f"offers: {name}: lists are expected")
    return {
        str(name).lower(): {key: [str(item) for item in values] for key, values in lists.items()}
        for name, lists in declared.items()
    }


def checked_scale(declared: Any) -> float:
    """Parse a scale of durations. Raises ValueError with the reason."""
    scale = float(declared)
    if not (math.isfinite(scale) and scale >= 0):
        raise ValueError(f"scale: {declared} is no number from 0 upwards")
    return scale


def _checked_flag(declared: Any) -> bool:
    if not isinstance(declared, bool):
        raise ValueError(f"tasks_allowed: true or false is expected, not {declared!r}")
    return declared


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "scale": checked_scale,
    "images": _checked_images,
    "dns": _checked_dns,
    "tasks_allowed": _checked_flag,
    "offers": _checked_offers,
}


@dataclass(frozen=True)
class Identity:
    """The identity of this emulated Azure; created once and stored in `emulator.json`."""

    id: str
    tenant_id: str
    subscription_id: str
    client_id: str
    object_id: str
    client_secret: str

    @classmethod
    def load(cls, directory: Path, read_only: bool) -> Identity:
        path = directory / "emulator.json"
        if path.exists():
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        identity = cls(
            id=_new_id(),
            tenant_id=_new_id(),
            subscription_id=_new_id(),
            client_id=_new_id(),
            object_id=_new_id(),
            client_secret=secrets.token_urlsafe(30),
        )
        if not read_only:
            write_private(path, json.dumps(identity.__dict__, indent=2))
        return identity


class World:
    """One Azure: a tenant, a subscription and all that is in them.

    `lock` is held while a request is handled, so handlers never run concurrently.
    """

    def __init__(self, directory: Path, *, read_only: bool = False, scale: float = 0.0) -> None:
        self.directory = directory
        self.read_only = read_only
        self.lock = RLock()
        self.durations = Durations(scale)
        self.images: dict[str, Json] = {}
        self.dns: dict[str, dict[str, list[str]]] = {}
        """Declared DNS records: {name: {type: [values]}}; no others are resolved."""
        self.tasks_allowed = True
        self.identity = Identity.load(directory, read_only)
        self.store = Store(directory / "store", read_only)
        self.secrets = SecretFile(directory / "vault.json", read_only)
        self.faults = Faults(directory / "faults.json", read_only)
        self.policies = Policies()
        self.offers: dict[str, dict[str, list[str]]] = {}
        self.log = RequestLog(None if read_only else directory / "requests.jsonl")
        self.clock = Clock(self._kept_offset())
        self.operations = Operations(self.store, self.clock, self.durations)
        self.roles = Roles(self.store, self.clock)
        self.uploads: dict[str, dict[str, bytes]] = {}
        """Blocks of blobs that are being uploaded, by blob path; lost when the emulator ends, as Azure discards
        uncommitted blocks."""
        self.prepared: dict[str, Any] = {}
        """Data prepared for a request before the lock is taken."""
        self.app_secrets: dict[str, dict[str, str]] = {}
        """Secrets given to apps by value, in memory only: on disk, secrets are stored only in vault.json."""
        self._busy: set[str] = set()
        self._busy_lock = Lock()
        self._prepare()

    def _prepare(self) -> None:
        """Create a new subscription: the first principal owns it, and nothing is registered."""
        if self.store.record("meta", "made") is None:
            self.store.set("meta", "made", {"at": self.clock.now()})
            self.assign_role(self.identity.object_id, OWNER, self.subscription)
            self.store.commit()

    @property
    def subscription(self) -> str:
        return f"/subscriptions/{self.identity.subscription_id}"

    def commit(self) -> None:
        """Write a request's changes to disk, atomically."""
        self.store.commit()
        self.secrets.flush()

    def reload(self) -> None:
        """Back to what is on disk, after a fault that may have left half of a change."""
        self.store.reload()
        self.clock.offset = self._kept_offset()

    # Time

    def _kept_offset(self) -> float:
        return float((self.store.record("meta", "clock") or {}).get("offset", 0.0))

    @property
    def scale(self) -> float:
        return self.durations.scale

    def seconds(self, what: str, kind: str) -> float:
        """Return the duration of some work here: Azure's typical duration times the scale."""
        return self.durations.seconds(what, kind)

    # Principals and roles

    def principals(self) -> dict[str, Json]:
        """Logins by client id: {secret, object_id}."""
        first = self.identity
        known: dict[str, Json] = {first.client_id: {"secret": first.client_secret, "object_id": first.object_id}}
        known.update(self.store.records("principal"))
        return known

    def assign_role(self, object_id: str, role: str, scope: str) -> Resource:
        """Add an assignment made outside ARM, by the subscription's administrator; effective at once."""
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}{object_id}{role}"))
        properties = {
            "roleDefinitionId": f"{self.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
            "principalId": object_id,
            "principalType": "ServicePrincipal",
            "scope": scope,
            "condition": None,
            "conditionVersion": None,
            "createdOn": stamp(self.clock.now()),
            "updatedOn": stamp(self.clock.now()),
            "createdBy": self.identity.object_id,
            "updatedBy": self.identity.object_id,
            "delegatedManagedIdentityResourceId": None,
            "description": None,
        }
        body: Json = {
            "properties": properties,
            "id": f"{scope}/providers/{ASSIGNMENT}/{name}",
            "type": ASSIGNMENT,
            "name": name,
        }
        return self.store.put(Resource(body["id"], ASSIGNMENT, body, self.clock.now(), {"effective": 0.0}))

    def is_allowed(self, principal: Principal, action: str, scope: str, *, data: bool = False) -> bool:
        return self.roles.allowed(principal.object_id, action, scope, data=data)

    # Values generated by the service: reproducible without being stored

    def derived(self, *parts: str) -> bytes:
        return hmac.new(self.identity.client_secret.encode(), "\0".join(parts).encode(), hashlib.sha256).digest()

    def derived_key(self, *parts: str) -> str:
        return base64.b64encode(self.derived(*parts)).decode()

    def derived_text(self, size: int, *parts: str) -> str:
        """Return the given number of bytes as Base64."""
        blocks = (self.derived(*parts, str(number)) for number in range(-(-size // 32)))
        return base64.b64encode(b"".join(blocks)[:size]).decode()

    def derived_uuid(self, *parts: str) -> str:
        return str(uuid.UUID(bytes=self.derived(*parts)[:16], version=4))

    def derived_word(self, length: int, *parts: str) -> str:
        alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
        return "".join(alphabet[byte % 36] for byte in self.derived(*parts)[:length])

    # Mutually exclusive writes

    def begin_exclusive(self, name: str) -> bool:
        """False if a write to the same thing is still being handled."""
        with self._busy_lock:
            if name in self._busy:
                return False
            self._busy.add(name)
            return True

    def end_exclusive(self, name: str) -> None:
        with self._busy_lock:
            self._busy.discard(name)

    # Settings

    def served(self, type_name: str, what: str) -> tuple[str, ...] | None:
        """Return the `versions` or `locations` to which a type was restricted, if any."""
        declared = self.offers.get(type_name.lower(), {}).get(what)
        return None if declared is None else tuple(declared)

    def adjust(self, settings: Mapping[str, Any]) -> None:
        """Apply settings from the control address or an attaching client: all of them or, if one is bad, none."""
        wanted = {key: check(settings[key]) for key, check in _CHECKS.items() if settings.get(key) is not None}
        if settings.get("policies") is not None:
            self.policies.declare(settings["policies"])
        self.durations.scale = wanted.get("scale", self.durations.scale)
        self.images = wanted.get("images", self.images)
        self.dns = wanted.get("dns", self.dns)
        self.tasks_allowed = wanted.get("tasks_allowed", self.tasks_allowed)
        self.offers = wanted.get("offers", self.offers)

    def reset(self) -> None:
        """Reset to an empty subscription with the same identity."""
        self.store.reset()
        self.secrets.reset()
        self.faults.forget()
        self.policies.declare([])
        self.dns.clear()
        self.offers.clear()
        self.uploads.clear()
        self.app_secrets.clear()
        shutil.rmtree(self.directory / "blobs", ignore_errors=True)
        self.clock.offset = 0.0
        self._prepare()

    def keep_clock(self) -> None:
        self.store.set("meta", "clock", {"offset": self.clock.offset})

    def vanish(self, resource_id: str) -> bool:
        """Remove a resource and its children at once, without trace, for tests."""
        found = self.store.get(resource_id)
        for resource in self.store.below(resource_id):
            self.store.drop(resource.id)
            self.secrets.forget(resource.key)
        if found is not None:
            self.store.drop(found.id)
            self.secrets.forget(found.key)
            self.operations.forget(found.id)
        return found is not None
