"""Records of resources, secrets and operations that survive an interruption; a view of the state document."""

from __future__ import annotations

import time
from itertools import chain, count
from threading import Lock, RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


ORPHANED = {"orphaned": True}


def now() -> str:
    """Return the current time in the format of the state document: UTC, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class ResourceRecords:
    """Records existing resources and running operations, and saves before anything relies on them.

    Args:
        document: the state document, or an empty dict; its sections are changed in place.
        save: writes the document to its storage.
        mutex: lock held while the document is changed or saved, shared with other writers.
    """

    def __init__(self, document: dict[str, Any], save: Callable[[], None], mutex: Any = None) -> None:
        self.document = document
        self._save = save
        self._mutex = mutex if mutex is not None else RLock()
        self._ensured: dict[str, set[str]] = {}
        self._writing = Lock()
        self._requested = 0  # number of save requests
        self._covered = 0  # the last request that is covered by a save

    def save(self) -> None:
        """Write the document to its storage; concurrent requests are combined into one write.

        Must not be called while holding the mutex, which would prevent combining.
        """
        with self._mutex:
            self._requested += 1
            mine = self._requested
        with self._writing:
            if self._covered >= mine:
                return
            with self._mutex:
                latest = self._requested
                self._save()
            self._covered = latest

    @property
    def mutex(self) -> Any:
        """The lock to hold while changing the document, which another thread may be writing."""
        return self._mutex

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Resources by key, e.g. `container_app/api_gateway`."""
        return self._section("resources")

    @property
    def secrets(self) -> dict[str, dict[str, Any]]:
        """Vault secrets by name: digest, version, whether generated. Never a value."""
        return self._section("secrets")

    @property
    def rotating(self) -> dict[str, str]:
        """Vault secrets with a pending `--rotate-secret`."""
        return self._section("rotating")

    @property
    def asked(self) -> dict[str, str]:
        """Key of a resource -> digest of the body that Azure last accepted in validation."""
        return self._section("asked")

    @property
    def operations(self) -> dict[str, dict[str, Any]]:
        """Accepted operations that were still running when last polled, by resource id."""
        return self._section("operations")

    @property
    def salt(self) -> str:
        """The state's random salt, in hex."""
        return str(self.document["salt"])

    def _section(self, name: str) -> dict[str, Any]:
        with self._mutex:
            section: dict[str, Any] = self.document.setdefault(name, {})
        return section

    def keep(self, name: str, value: Any) -> None:
        """Record an additional fact about the deployment; the next save writes it.

        Args:
            value: a JSON value; None removes the fact.
        """
        with self._mutex:
            if value is None:
                self.document.pop(name, None)
            else:
                self.document[name] = value

    # --- resources ---

    def begin_step(self, step: str) -> None:
        """Start tracking what a step ensures."""
        self._ensured[step] = set()

    def end_step(self, step: str) -> None:
        """Mark as orphaned what the step recorded earlier but did not ensure this time."""
        with self._mutex:
            for key, record in self.resources.items():
                if record.get("step") == step and key not in self._ensured[step] and not record.get("orphaned"):
                    record |= ORPHANED | {"orphaned_at": now()}

    def replaced(self, key: str, resource_id: str) -> None:
        """Forget the record of another resource under this key, which has been deleted."""
        with self._mutex:
            record = self.resources.get(key)
            if record is not None and str(record["id"]).lower() != resource_id.lower():
                del self.resources[key]

    def forget(self, key: str) -> None:
        """Forget a resource and the operations on it; written by the next save."""
        with self._mutex:
            record = self.resources.pop(key, None)
            if record is not None:
                self._forget_operations(str(record["id"]))

    def _forget_operations(self, resource_id: str) -> None:
        """Forget the operations on a resource, its children (`/`) and its tasks (`#`, such as builds of a registry)."""
        for operation in list(self.operations):
            if operation == resource_id or operation.startswith((f"{resource_id}/", f"{resource_id}#")):
                del self.operations[operation]

    def of(self, key: str, resource_id: str) -> dict[str, Any]:
        """Return the record of a resource; empty if none is its own.

        A name that returns to the configuration finds the record that it left as an orphan. What is recorded of another
        resource under the key says nothing: taken for this one, what was sent there would count as removed by others.
        """
        with self._mutex:
            record = self.resources.get(key)
            if record is None or str(record["id"]).lower() != resource_id.lower():
                record = self.resources.get(self._left_as(key, resource_id) or "")
            return record or {}

    def _left_as(self, key: str, resource_id: str) -> str | None:
        """Return the key under which a resource of this key was kept as an orphan when another one took its place."""
        for other, record in self.resources.items():
            is_it = other.startswith(f"{key}@") and str(record["id"]).lower() == resource_id.lower()
            if is_it and not record.get("purging"):
                return other
        return None

    def creating(self, key: str, resource_id: str, api_version: str, step: str) -> None:
        """Record, before the first write, that this lineage creates the resource."""
        with self._mutex:
            self._keep_replaced(key, resource_id)
            self.resources[key] = self._record(resource_id, api_version, step) | {"created": True}
        self.save()

    def ensured(self, key: str, resource_id: str, api_version: str, step: str, sent: str) -> None:
        """Record that the resource is as desired; `sent` are digests of the desired body's leaves."""
        with self._mutex:
            self._ensured.setdefault(step, set()).add(key)
            self._keep_replaced(key, resource_id)
            record = self.resources.setdefault(key, self._record(resource_id, api_version, step) | {"created": False})
            for mark in ("orphaned", "orphaned_at", "failed", "body"):
                record.pop(mark, None)
            # Several steps may touch an app; see `belongs`.
            record |= self._record(resource_id, api_version, record["step"]) | {"sent": sent}

    def purging(self, key: str, record: dict[str, Any], region: str, deleted_at: str) -> None:
        """Record a deleted vault that is to be purged; the next save writes it.

        Args:
            record: what was known of the vault.
        """
        with self._mutex:
            self.resources[key] = record | ORPHANED | {"purging": region, "deleted_at": deleted_at}

    def belongs(self, key: str, step: str) -> None:
        """Have a resource belong to a step, which is the one to find out that it is no longer wanted."""
        self.add_facts(key, step=step)

    def still_wanted(self, key: str, step: str) -> None:
        """Note that a step wants a resource as it is, without having looked at it."""
        with self._mutex:
            self._ensured.setdefault(step, set()).add(key)

    def add_facts(self, key: str, **facts: Any) -> None:
        """Add facts to a resource's record; the next save writes them."""
        with self._mutex:
            self.resources[key] |= facts

    def note(self, key: str, **facts: Any) -> None:
        """Add facts to a resource's record, and save."""
        self.add_facts(key, **facts)
        self.save()

    def _record(self, resource_id: str, api_version: str, step: str) -> dict[str, Any]:
        name = resource_id.rsplit("/", 1)[-1]
        return {"id": resource_id, "name": name, "api_version": api_version, "step": step}

    def set_aside(self, key: str, resource_id: str) -> None:
        """Have a key stand for a resource, before anything is noted of it.

        The record of another resource under the key (renamed in the configuration) is kept as an orphan.
        """
        with self._mutex:
            self._keep_replaced(key, resource_id)

    def _keep_replaced(self, key: str, resource_id: str) -> None:
        left = self._left_as(key, resource_id)
        record = self.resources.get(key)
        if record is not None and str(record["id"]).lower() == resource_id.lower():
            return
        returned = self.resources.pop(left) if left is not None else None
        if record is not None:
            self.resources[self._place_of(key, record)] = record | ORPHANED | {"orphaned_at": now()}
            del self.resources[key]
        if returned is not None:
            self.resources[key] = returned

    def _place_of(self, key: str, record: dict[str, Any]) -> str:
        """Return a free key for an orphan: resources of several types may have had its name under this key."""
        place = f"{key}@{record['name']}"
        numbered = (f"{place}@{number}" for number in count(2))
        return next(one for one in chain([place], numbered) if one not in self.resources)

    def deleted(self, key: str, *, purging: str | None = None) -> None:
        """Remove the record of a deleted resource, and save.

        Args:
            purging: region of a deleted vault that has yet to be purged; its record is kept until then.
        """
        with self._mutex:
            record = self.resources.pop(key, {})
            if record:
                self._forget_operations(str(record["id"]))
            if purging is not None:
                self.resources[key] = record | ORPHANED | {"purging": purging, "deleted_at": now()}
        self.save()

    def validated(self, key: str, digest: str) -> None:
        """Record that Azure accepts a resource's body; the next save writes it."""
        with self._mutex:
            self.asked[key] = digest

    # --- secrets ---

    def secret_stored(self, name: str, record: dict[str, Any]) -> None:
        """Record the vault secret stored under a name, and save."""
        with self._mutex:
            self.secrets[name] = record
        self.save()

    def secret_removed(self, name: str) -> None:
        """Forget the vault secret of a name; written by the next save."""
        with self._mutex:
            self.secrets.pop(name, None)

    def rotated(self, name: str) -> None:
        """Record that a secret has its new value, and save."""
        with self._mutex:
            was_requested = self.rotating.pop(name, None) is not None
        if was_requested:
            self.save()

    # --- operations ---

    def operation_started(self, resource_id: str, kind: str, url: str) -> None:
        """Record the polling URL of an operation, before waiting for it."""
        with self._mutex:
            self.operations[resource_id] = {"kind": kind, "url": url, "started_at": now()}
        self.save()

    def operation_ended(self, resource_id: str, *, saves: bool = True) -> None:
        """Forget an operation's URL, which is signed and no longer needed.

        Args:
            saves: False if the caller saves right afterwards.
        """
        with self._mutex:
            had_begun = self.operations.pop(resource_id, None) is not None
        if had_begun and saves:
            self.save()
