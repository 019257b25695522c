"""What a run must remember if it is cut off: resources, secrets, operations; a view of the state document."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def now() -> str:
    """The time as the state document writes it: UTC, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Journal:
    """Records what exists and what is under way, and saves before anything relies on it.

    Args:
        document: the state document, or an empty dict; its sections are changed in place.
        save: writes the document to where it lives.
    """

    def __init__(self, document: dict[str, Any], save: Callable[[], None]) -> None:
        self.document = document
        self.save = save
        self._ensured: set[str] = set()

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Resources by key, e.g. `container_app/api_gateway`."""
        return self._section("resources")

    @property
    def secrets(self) -> dict[str, dict[str, Any]]:
        """Vault secrets by name: digest, version, whether generated. Never a value."""
        return self._section("secrets")

    @property
    def operations(self) -> dict[str, dict[str, Any]]:
        """Operations that Azure accepted and that had not ended when last seen, by resource id."""
        return self._section("operations")

    @property
    def salt(self) -> str:
        """The state's random salt, in hex."""
        return str(self.document["salt"])

    def _section(self, name: str) -> dict[str, Any]:
        section: dict[str, Any] = self.document.setdefault(name, {})
        return section

    # --- resources ---

    def begin_step(self) -> None:
        """Forget what earlier steps ensured."""
        self._ensured.clear()

    def end_step(self, step: str) -> None:
        """Mark as orphaned what the step recorded before and no longer wants."""
        for key, record in self.resources.items():
            if record.get("step") == step and key not in self._ensured:
                record["orphaned"] = True

    def orphans(self) -> list[str]:
        """Keys of recorded resources that the configuration no longer wants."""
        return sorted(key for key, record in self.resources.items() if record.get("orphaned"))

    def creating(self, key: str, resource_id: str, api_version: str, step: str) -> None:
        """Record, before the first write, that this lineage makes the resource."""
        self._keep_replaced(key, resource_id)
        self.resources[key] = self._record(resource_id, api_version, step) | {"created": True}
        self.save()

    def ensured(self, key: str, resource_id: str, api_version: str, step: str, body_hash: str) -> None:
        """Record that the resource is as wanted."""
        self._ensured.add(key)
        self._keep_replaced(key, resource_id)
        record = self.resources.setdefault(key, self._record(resource_id, api_version, step) | {"created": False})
        record.pop("orphaned", None)
        # Several steps may touch an app; it belongs to the one that made it.
        record |= self._record(resource_id, api_version, record["step"]) | {"body": body_hash}

    def note(self, key: str, **facts: Any) -> None:
        """Keep further facts with a resource's record, and save."""
        self.resources[key] |= facts
        self.save()

    def _record(self, resource_id: str, api_version: str, step: str) -> dict[str, Any]:
        name = resource_id.rsplit("/", 1)[-1]
        return {"id": resource_id, "name": name, "api_version": api_version, "step": step}

    def _keep_replaced(self, key: str, resource_id: str) -> None:
        """A record under this key of another resource (renamed in the configuration) stays, as an orphan."""
        record = self.resources.get(key)
        if record is not None and str(record["id"]).lower() != resource_id.lower():
            old = self.resources.pop(key)
            self.resources[f"{key}@{old['name']}"] = old | {"orphaned": True}

    # --- operations ---

    def operation_started(self, resource_id: str, kind: str, url: str) -> None:
        """Record where the end of an operation can be asked for, before waiting for it."""
        self.operations[resource_id] = {"kind": kind, "url": url, "started_at": now()}
        self.save()

    def operation_ended(self, resource_id: str) -> None:
        """Forget an operation's address, which is signed and of no more use."""
        if self.operations.pop(resource_id, None) is not None:
            self.save()
