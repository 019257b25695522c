"""The plan of a run, filled by the same code that performs it, and predictions of resources after a write."""

from __future__ import annotations

import copy
import json
import threading
from dataclasses import dataclass, field

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.merge import merged
from draftgenie_azure.arm.resource import CREATION_ID_TAG
from draftgenie_azure.digests import PENDING, sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from draftgenie_azure.arm.diff import Change
    from draftgenie_azure.arm.resource import Resource
    from draftgenie_azure.config.clouds import Endpoints
    from draftgenie_azure.errors import DeployerError

CREATE, CHANGE, RESEND, REPLACE, UNCHANGED = "create", "change", "resend", "replace", "unchanged"
FORGET, DELETE, BUILD, REUSE, START, RESTART = "forget", "delete", "build", "reuse", "start", "restart"
DEACTIVATE, REGISTER = "deactivate", "register"
SIGNS = {
    CREATE: "+", CHANGE: "~", RESEND: "~", REPLACE: "±", UNCHANGED: "=", FORGET: ".", DELETE: "-", BUILD: "+",
    REUSE: "=", START: ">", RESTART: ">", DEACTIVATE: "~",
    REGISTER: "+",
}
_QUIET = frozenset({UNCHANGED, REUSE})

# Outputs that follow from a resource's name: `{name}` and the cloud's suffixes.
_KNOWN: dict[str, dict[str, str]] = {
    "Microsoft.ContainerRegistry/registries": {"loginServer": "{name}.{registry_suffix}"},
    "Microsoft.KeyVault/vaults": {"vaultUri": "https://{name}.{vault_suffix}/"},
    "Microsoft.DBforPostgreSQL/flexibleServers": {"fullyQualifiedDomainName": "{name}.{postgres_suffix}"},
    "Microsoft.Cache/redis": {"hostName": "{name}.redis.cache.windows.net"},
    "Microsoft.Cache/redisEnterprise": {"hostName": "{name}.{location}.redis.azure.net"},
}
# Outputs that only the service knows.
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
        changes: changes to write, leaf by leaf.
        kept: changes by others to configured properties; not written.
        seen: changes by others to unconfigured properties; never written.
        note: further text.
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
        """Return the entry as a JSON document."""
        facts: dict[str, Any] = {"step": self.step, "key": self.key, "id": self.id, "action": self.action}
        for name in ("changes", "kept", "seen"):
            changes: list[Change] = getattr(self, name)
            if changes:
                facts[name] = [change.document() for change in changes]
        return facts | ({"note": self.note} if self.note else {})

    @property
    def is_quiet(self) -> bool:
        """True if nothing is done."""
        return self.action in _QUIET


class Plan:
    """The planned actions of a run, added by its steps."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.bodies: dict[str, tuple[str, dict[str, Any]]] = {}  # key -> id and full body to write
        self.faults: dict[str, list[str]] = {}  # step -> reasons it would fail
        self.errors: dict[str, DeployerError] = {}  # step -> the error of its planning
        self.step = ""  # the step that is currently planning
        self._replaced: dict[str, str] = {}
        self._mutex = threading.Lock()

    def add(self, entry: Entry, *, body: dict[str, Any] | None = None) -> None:
        """Add an entry; a later step that repeats an action adds nothing."""
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
        """Note that a resource is deleted and created again."""
        with self._mutex:
            self._replaced[key] = why

    def is_replaced(self, key: str) -> bool:
        """Return whether a resource is deleted and created again."""
        with self._mutex:
            return key in self._replaced

    def of(self, step: str) -> list[Entry]:
        """Return the entries of a step, by key."""
        return sorted((entry for entry in self.entries if entry.step == step), key=lambda entry: entry.key)

    def count(self, *actions: str) -> int:
        """Return how many entries have one of these actions."""
        return sum(entry.action in actions for entry in self.entries)


def plan_id(document: Mapping[str, Any]) -> str:
    """Return a SHA-256 over a plan as JSON."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return sha256(text.encode("utf-8", "surrogateescape"))


def known_after(plan: Plan) -> str:
    """Return a placeholder for a value known only after the current step has run."""
    return pending(plan.step)


def pending(step: str) -> str:
    """Return a placeholder for a value known only after a step has run."""
    return f"{PENDING}{step}"


def is_pending(value: object) -> bool:
    """Return whether a value contains such a placeholder."""
    return PENDING in (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def predicted(
    resource: Resource,
    wanted: Mapping[str, Any],
    live: Mapping[str, Any] | None,
    changes: Sequence[Change],
    step: str,
    endpoints: Endpoints,
) -> dict[str, Any]:
    """Return the resource as a GET would show it after the write: ids and hosts follow from the configuration."""
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
    """Return the live resource overlaid with the body; values set only by the service are kept."""
    result = dict(live)
    for key, value in body.items():
        there = live.get(key)
        result[key] = _over(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return result
