"""Find management locks that forbid what a run would write, before its first write.

One request lists the locks on the resource group and inside it. Locks above the group are not seen: they are found by
the first write that they forbid. Source: learn.microsoft.com/azure/azure-resource-manager/management/lock-resources.
"""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.plan import BUILD, CHANGE, CREATE, DELETE, REPLACE, RESEND, RESTART, START
from draftgenie_azure.errors import AzureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from draftgenie_azure.arm.plan import Entry, Plan
    from draftgenie_azure.planning.making import Answers

_VERSION = ids.API_VERSIONS["Microsoft.Authorization/locks"]
_LOCKS = "/providers/Microsoft.Authorization/locks"
_WRITES = frozenset({CREATE, CHANGE, RESEND, REPLACE, START, RESTART, BUILD})
_DELETES = frozenset({DELETE, REPLACE})
# Deletions that stop no run: what cannot be deleted is reported and stays.
_HOUSEKEEPING = ("job/", "managed_certificate/")
_MOST_NAMES = 5


class Lock:
    """A management lock, and the planned actions that it forbids.

    Args:
        body: the lock as Azure returns it.
    """

    def __init__(self, body: dict[str, Any]) -> None:
        self.id = str(body["id"])
        scope = self.id[: self.id.lower().index(_LOCKS.lower())]
        self._scope = f"{scope.lower()}/"
        level = str((body.get("properties") or {}).get("level"))
        self._is_read_only = level == "ReadOnly"
        self.name = f"the lock {ids.last_name(self.id)} ({level}) on {ids.last_name(scope)}"

    def forbids(self, entry: Entry, resource_id: str) -> bool:
        """Return whether the lock forbids a planned action on a resource."""
        target = f"{resource_id.lower()}/"
        inherited = target.startswith(self._scope)
        if entry.action in _DELETES and (inherited or self._scope.startswith(target)):
            return True
        return self._is_read_only and inherited and entry.action in _WRITES

    def error(self, keys: Iterable[str]) -> AzureError:
        """Return the refusal of the actions on the resources of these keys."""
        return AzureError(
            f"{self.name} forbids the planned changes of {_shown(keys)}",
            code="ScopeLocked",
            hint=f"Remove it (az lock delete --ids {self.id}), or leave these resources as they are.",
        )

    def note(self, keys: Iterable[str]) -> str:
        """Return the message about what cannot be deleted, and stops nothing."""
        return f"{self.name} forbids the deletion of {_shown(keys)}, which stays in Azure"


def find(session: Any, plan: Plan) -> list[tuple[Lock, list[Entry]]]:
    """Return the locks that forbid planned actions, each with these; none if locks cannot be listed."""
    acting = [
        (entry, where)
        for entry in plan.entries
        if entry.action in _WRITES | _DELETES and (where := _place(session, entry)).startswith("/")
    ]
    if not acting or any(entry.action == CREATE and where == session.scope.group for entry, where in acting):
        return []
    found = [
        (lock, [entry for entry, where in acting if lock.forbids(entry, where)]) for lock in _listed(session)
    ]
    return [(lock, entries) for lock, entries in found if entries]


def add_refusals(found: Iterable[tuple[Lock, list[Entry]]], answers: Answers) -> None:
    """Add an error for each lock at the first step that it forbids, and messages about undone housekeeping."""
    for lock, entries in found:
        undone = [entry for entry in entries if entry.action == DELETE and entry.key.startswith(_HOUSEKEEPING)]
        refused = [entry for entry in entries if entry not in undone]
        if refused:
            answers.refused.setdefault(refused[0].step, []).append(lock.error(entry.key for entry in refused))
        elif undone:
            answers.undone.append(lock.note(entry.key for entry in undone))


def _place(session: Any, entry: Entry) -> str:
    """Return the id of the resource that an action is sent to; not a path if it is sent elsewhere."""
    config = session.config
    if entry.action != BUILD or config.container_registry is None or config.docker.builder != "acr":
        return entry.id
    return str(session.scope.resource("Microsoft.ContainerRegistry/registries", config.container_registry.name))


def _listed(session: Any) -> list[Lock]:
    try:
        listing = list(session.arm.listing(f"{session.scope.group}{_LOCKS}", api_version=_VERSION))
    except AzureError as error:
        session.logger.info("the locks of the resource group could not be listed: %s", error.message)
        return []
    return [Lock(body) for body in listing]


def _shown(keys: Iterable[str]) -> str:
    names = sorted(set(keys))
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
