"""Records of steps and resources in the state document; whoever has the document says how it is saved."""

from __future__ import annotations

from threading import RLock

from draftgenie_azure.digests import HASH_FORMAT
from draftgenie_azure.state.resource_records import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_SUCCESS = ("timestamp", "duration_seconds", "hash_format", "dependency_hash", "dependencies", "values", "outputs")


class StepRecords:
    """What is known of each step and resource. May be used from the threads of one run.

    Attributes:
        state: the document.
        mutex: held while the document is changed or saved.
    """

    def __init__(self) -> None:
        self.mutex = RLock()
        self.state: dict[str, Any] = {}

    def save(self) -> None:
        """Write the document to where it lives."""
        raise NotImplementedError

    # --- steps ---

    def record(self, step_name: str) -> dict[str, Any]:
        """What is known of a step; empty where it never ran."""
        found: dict[str, Any] = self.state["steps"].get(step_name, {})
        return found

    def last_success(self, step_name: str) -> dict[str, Any] | None:
        """The record of the last time that a step completed, whatever happened since; None where it never did."""
        record = self.record(step_name)
        if record.get("status") == "completed":
            return record
        last: dict[str, Any] | None = record.get("last_completed")
        return last

    def is_step_completed(self, step_name: str) -> bool:
        """Whether the step's last run succeeded."""
        return bool(self.record(step_name).get("status") == "completed")

    def get_step_hash(self, step_name: str) -> str | None:
        """The dependency hash of the step's last successful run."""
        success = self.last_success(step_name)
        return None if success is None else success.get("dependency_hash")

    def mark_step_running(self, step_name: str, metadata: Mapping[str, Any]) -> None:
        """Record that a step begins, and save."""
        self._set(step_name, {"status": "running", "started_at": now(), "metadata": dict(metadata)})

    def mark_step_completed(
        self,
        step_name: str,
        hash: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        dependencies: Mapping[str, str] | None = None,
        outputs: Mapping[str, Any] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a success, and save; the step is forced no longer.

        Args:
            hash: over the dependencies.
            metadata: why it ran.
            dependencies: name -> SHA-256.
            outputs: what later steps read; never a secret.
            values: plain values behind dependencies on the configuration, by key; never a secret.
        """
        with self.mutex:
            self.state["steps"][step_name] = {
                "status": "completed",
                "timestamp": now(),
                "started_at": self.record(step_name).get("started_at", now()),
                "duration_seconds": (metadata or {}).get("seconds", 0.0),
                "hash_format": HASH_FORMAT,
                "dependency_hash": hash,
                "dependencies": dict(dependencies or {}),
                "values": dict(values or {}),
                "outputs": dict(outputs or {}),
                "metadata": {key: value for key, value in (metadata or {}).items() if key != "seconds"},
            }
            self.state["forced"] = [name for name in self.state.get("forced", ()) if name != step_name]
            self.save()

    def mark_step_failed(self, step_name: str, error: str) -> None:
        """Record a failure, and save; the last success is kept beside it."""
        old = self.record(step_name)
        metadata = old.get("metadata", {}) if old.get("status") == "running" else {}
        self._set(step_name, {"status": "failed", "timestamp": now(), "error": error, "metadata": metadata})

    def _set(self, step_name: str, record: dict[str, Any]) -> None:
        with self.mutex:
            success = self.last_success(step_name)
            if success is not None:
                record["last_completed"] = {key: success[key] for key in _SUCCESS if key in success}
            self.state["steps"][step_name] = record
            self.save()

    # --- resources ---

    def store_resource(self, type: str, data: Mapping[str, Any]) -> None:
        """Record a resource under its key, e.g. `container_app/api_gateway`, and save."""
        with self.mutex:
            self.state["resources"][type] = dict(data)
            self.save()

    def get_resource(self, type: str) -> dict[str, Any] | None:
        """The record of a resource, or None."""
        found: dict[str, Any] | None = self.state["resources"].get(type)
        return found
