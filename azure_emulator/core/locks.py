"""Management locks, and the writes that they prevent."""

from __future__ import annotations

from azure_emulator.core.errors import scope_locked
from azure_emulator.core.store import Store

LOCK = "Microsoft.Authorization/locks"


def check_locks(store: Store, resource_id: str, method: str) -> None:
    found = []
    target = resource_id.lower() + "/"
    for lock in store.of_type(LOCK):
        scope = lock.id.rsplit("/providers/", 1)[0]
        above = target.startswith(scope.lower() + "/")
        below = (scope.lower() + "/").startswith(target)
        read_only = lock.properties["level"] == "ReadOnly"
        if (method == "DELETE" and (above or below)) or (read_only and above):
            found.append(scope)
    if found:
        raise scope_locked(resource_id, found, "delete" if method == "DELETE" else "write")
