"""What a run would do, told by the same code that does it; and what a resource would be afterwards."""

from __future__ import annotations

import copy
import hashlib
import json
import threading
from dataclasses import dataclass, field

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.merge import merged
from draftgenie_azure.arm.resource import CREATION_ID_TAG
from draftgenie_azure.digests import PENDING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from draftgenie_azure.arm.diff import Change
    from draftgenie_azure.arm.resource import Resource
    from draftgenie_azure.config.clouds import Endpoints

CREATE, CHANGE, RESEND, REPLACE, UNCHANGED = "create", "change", "resend", "replace", "unchanged"
FORGET, DELETE, BUILD, REUSE, START, RESTART = "forget", "delete", "build", "reuse", "start", "restart"
SIGNS = {
    CREATE: "+", CHANGE: "~", RESEND: "~", REPLACE: "±", UNCHANGED: "=", FORGET: ".", DELETE: "-", BUILD: "+",
    REUSE: "=", START: ">", RESTART: ">",
}
_QUIET = frozenset({UNCHANGED, REUSE})

# What a type's outputs are named after, where that follows from its name: `{name}` and the cloud's suffixes.
_KNOWN: dict[str, dict[str, str]] = {
    "Microsoft.ContainerRegistry/registries": {"loginServer": "{name}.{registry_suffix}"},
    "Microsoft.KeyVault/vaults": {"vaultUri": "https://{name}.{vault_suffix}/"},
    "Microsoft.DBforPostgreSQL/flexibleServers": {"fullyQualifiedDomainName": "{name}.{postgres_suffix}"},
    "Microsoft.Cache/redis": {"hostName": "{name}.redis.cache.windows.net"},
    "Microsoft.Cache/redisEnterprise": {"hostName": "{name}.{location}.redis.azure.net"},
}
# What only the service knows.
_PENDING: dict[str, tuple[str, ...]] = {
    "Microsoft.ManagedIdentity/userAssignedIdentities": ("principalId", "clientId"),
    "Microsoft.OperationalInsights/workspaces": ("customerId",),
    "Microsoft.Insights/components": ("ConnectionString",),
    "Microsoft.App/managedEnvironments": ("defaultDomain",),
}


@dataclass
class Entry:
    """One resource, image, secret or migration in a plan.

    Attributes:
        changes: what is written, leaf by leaf.
        kept: what others changed of what the configuration states; not written.
        seen: what others changed that it does not state; never written.
        note: more to say.
    """

    step: str
    key: str
    id: str
    action: str
    changes: list[Change] = field(default_factory=list)
    kept: list[Change] = field(default_factory=list)
    seen: list[Change] = field(default_factory=list)
    note: str = ""

    def document(self) -> dict[str, Any]:
        """The entry as JSON."""
        facts: dict[str, Any] = {"step": self.step, "key": self.key, "id": self.id, "action": self.action}
        for name in ("changes", "kept", "seen"):
            changes: list[Change] = getattr(self, name)
            if changes:
                facts[name] = [change.document() for change in changes]
        return facts | ({"note": self.note} if self.note else {})

    @property
    def is_quiet(self) -> bool:
        """Whether nothing happens to it."""
        return self.action in _QUIET


class Plan:
    """What the steps of a run would do; filled by them."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.bodies: dict[str, tuple[str, dict[str, Any]]] = {}  # key -> id and whole body of what would be written
        self.faults: dict[str, list[str]] = {}  # step -> why it would fail
        self.step = ""  # the one that tells just now
        self._replaced: dict[str, str] = {}
        self._mutex = threading.Lock()

    def add(self, entry: Entry, *, body: dict[str, Any] | None = None) -> None:
        """Note what would be done; a later step that does the same to it again adds nothing."""
        with self._mutex:
            known = next((one for one in self.entries if one.key == entry.key), None)
            if known is not None and entry.is_quiet:
                return
            if known is not None and known.is_quiet:
                self.entries.remove(known)
            if entry.key in self._replaced:
                entry.note = entry.note or self._replaced[entry.key]
            self.entries.append(entry)
            if body is not None and not entry.is_quiet:
                self.bodies[entry.key] = (entry.id, body)

    def replaces(self, key: str, why: str) -> None:
        """Note that a resource is deleted and made again."""
        with self._mutex:
            self._replaced[key] = why

    def is_replaced(self, key: str) -> bool:
        """Whether a resource is deleted and made again."""
        with self._mutex:
            return key in self._replaced

    def of(self, step: str) -> list[Entry]:
        """The entries of a step, by key."""
        return sorted((entry for entry in self.entries if entry.step == step), key=lambda entry: entry.key)

    def count(self, *actions: str) -> int:
        """How many entries have one of these actions."""
        return sum(entry.action in actions for entry in self.entries)


def plan_id(document: Mapping[str, Any]) -> str:
    """A SHA-256 over a plan as JSON."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def known_after(plan: Plan) -> str:
    """Stands for a value that only a run of the step that tells just now makes known."""
    return pending(plan.step)


def pending(step: str) -> str:
    """Stands for a value that only a run of the step makes known."""
    return f"{PENDING}{step}"


def is_pending(value: object) -> bool:
    """Whether something that only a run makes known is in a value."""
    return PENDING in (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def predicted(
    resource: Resource,
    wanted: Mapping[str, Any],
    live: Mapping[str, Any] | None,
    changes: Sequence[Change],
    step: str,
    endpoints: Endpoints,
) -> dict[str, Any]:
    """The resource as a GET would show it after the write: ids, hosts and names follow from the configuration."""
    if live is not None:
        return _over(live, merged(resource.type, wanted, live, changes))
    after = copy.deepcopy(dict(wanted)) | {"id": resource.id, "name": ids.last_name(resource.id)}
    properties = after.setdefault("properties", {})
    names = {**vars(endpoints), "name": ids.last_name(resource.id), "location": wanted.get("location", "")}
    for key, pattern in _KNOWN.get(resource.type, {}).items():
        properties[key] = pattern.format(**names)
    for key in _PENDING.get(resource.type, ()):
        properties[key] = pending(step)
    if resource.has_creation_id:
        after["tags"] = {**(after.get("tags") or {}), CREATION_ID_TAG: pending(step)}
    return after


def _over(live: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The live resource with what the body has; what only the service sets stays."""
    result = dict(live)
    for key, value in body.items():
        there = live.get(key)
        result[key] = _over(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return result
