"""The state document: loaded, locked and saved, with copies of earlier ones; its records of steps and resources."""

from __future__ import annotations

import os
import shlex
import sys
import time
from contextlib import contextmanager
from threading import RLock

from draftgenie_azure import state as state_package
from draftgenie_azure.constants import COMMAND, EARLIER_STATE_FILE, STATE_FILE
from draftgenie_azure.digests import HASH_FORMAT
from draftgenie_azure.errors import LockLostError, StateError
from draftgenie_azure.state import document as state_document
from draftgenie_azure.state.files import put_aside, read_file
from draftgenie_azure.state.resource_records import now
from draftgenie_azure.state.target import check_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.state.backend import Backend, Lock
    from draftgenie_azure.state.lock import Holder

KEPT_COPIES = 10
EARLIER_NAMES = (STATE_FILE, EARLIER_STATE_FILE)
_SUCCESS = ("timestamp", "duration_seconds", "hash_format", "dependency_hash", "dependencies", "values", "outputs")


class StateStore:
    """The state document in a backend, with its records of steps and resources.

    Safe for use by the threads of one run.

    Args:
        backend: storage of its bytes and its lock.
        state_file: the local path of the state; emergency state files are named after it and stored beside it.
        config_paths: for the commands that messages name.
        tolerant: record an unusable document in `fault` instead of raising.

    Attributes:
        backend: the storage of the state and its companion documents.
        state: the document; empty if there is none yet.
        stored: its bytes as stored, or None.
        mutex: held while the document is changed or saved.
        found: True if a document exists.
        fault: why the stored document is unusable, or None.
        failure: why the document could not be saved, and where it is instead.
        earlier: paths of states of the earlier script, if there is none of ours.
        notices: messages for the user about what was done.
    """

    def __init__(
        self, backend: Backend, state_file: str, config_paths: Sequence[str] = (), *, tolerant: bool = False
    ) -> None:
        self.mutex = RLock()
        self.state: dict[str, Any] = {}
        self.backend = backend
        self.state_file = state_file
        self._config_paths = config_paths
        self._tolerant = tolerant
        self._lock: Lock | None = None
        self._is_over = False
        self.failure: StateError | None = None
        self.emergency_suffix = f"rescue-{stamp()}-{os.getpid()}.json"
        self.stored: bytes | None = None
        self._shown: bytes | None = None
        self._is_kept = False
        self.found = False
        self.fault: StateError | None = None
        self.earlier: list[str] = []
        self.notices: list[str] = []

    @property
    def where(self) -> str:
        """The location of the state, for messages."""
        return self.backend.where

    # --- loading ---

    def loaded(self, data: bytes | None) -> dict[str, Any]:
        """Parse the stored bytes. Only the absence of a state is treated as a first deployment.

        Raises:
            StateError: with the last good copy, and the command that restores it.
        """
        self.found, self.fault, self.earlier, self._is_kept = False, None, [], False
        self.stored = data
        if data is None:
            self.earlier = self._earlier_files()
            return state_document.empty()
        try:
            state = state_document.parse(data, self.where)
        except state_document.EarlierStateError:
            self.earlier = [self.where]
            return state_document.empty()
        except StateError as error:
            error.hint = self._recovery_hint()
            if not self._tolerant:
                raise
            self.fault = error
            return state_document.empty(**self._salvaged())
        self.found = True
        return state

    def _earlier_files(self) -> list[str]:
        """Return states of the earlier script, which uses two names in the working directory."""
        directories = dict.fromkeys((os.path.dirname(self.state_file), os.getcwd()))
        found = []
        for path in (os.path.join(directory, name) for directory in directories for name in EARLIER_NAMES):
            try:
                state_document.parse(read_file(path) or b"", path)
            except state_document.EarlierStateError:
                found.append(path)
            except StateError:
                continue
        return found

    def earlier_documents(self) -> dict[str, bytes]:
        """Return path -> bytes of the earlier script's states."""
        return {path: (self.stored if path == self.where else read_file(path)) or b"" for path in self.earlier}

    def _salvaged(self) -> dict[str, Any]:
        """Return lineage, salt and the highest serial of the stored document and the last good copy."""
        found = state_document.salvage(self.stored)
        copy = self._last_good_copy()
        if copy is None:
            return found
        kept = {key: copy[1][key] for key in ("lineage", "salt", "serial")}
        return kept | found | {"serial": max(kept["serial"], found.get("serial", 0))}

    def _last_good_copy(self) -> tuple[str, dict[str, Any]] | None:
        for name in self.backend.copies():
            try:
                return name, state_document.parse(self.backend.load_copy(name) or b"", name)
            except StateError:
                continue
        return None

    def _recovery_hint(self) -> str:
        """Return the hint for recovering from an unusable state."""
        copy = self._last_good_copy()
        if copy is None:
            return (
                "No copy of an earlier state is kept. To set this one aside and check everything again: "
                f"{self.command('--reset-state')}, then {self.command('--adopt')}"
            )
        name, document = copy
        return (
            f"The last good copy is {name} (serial {document['serial']}, {document.get('last_updated')}). "
            f"Restore it: {self.command('--restore-state', name)}"
        )

    def command(self, *arguments: str) -> str:
        """Return the command line for this command with the same configuration."""
        program = sys.argv[0] if os.path.basename(sys.argv[0]) == COMMAND else COMMAND
        words = ["python", program]
        for path in self._config_paths:
            near = os.path.relpath(path)
            words += ["--config", path if near.startswith("..") else near]
        return shlex.join([*words, *arguments])

    def check_target(self, target: Mapping[str, Any]) -> None:
        """Reject a state that was recorded for another cloud, emulator, subscription or resource group.

        Args:
            target: the configured deployment target, as far as it is known.

        Raises:
            StateError: with the command that clears the state.
        """
        check_target(self.state["target"], target, self.where, lambda: self.command("--reset-state"))

    # --- lock ---

    @property
    def is_locked(self) -> bool:
        """True if this object holds the lock."""
        return self._lock is not None

    def lock_held(self) -> bool:
        """Return whether the lock is certainly still held; True for a run that took none."""
        return not self._is_over and (self._lock is None or self._lock.held())

    def lock(
        self,
        *,
        timeout: float = 0.0,
        report: Callable[[str], None] = lambda text: None,
        first: Callable[[], bytes] | None = None,
    ) -> None:
        """Acquire the lock and reload the document, which may have changed since.

        Args:
            timeout: seconds to wait for another run's lock.
            report: called with a line that names the holder.
            first: returns what is stored if there is no state yet and the lock needs an object.

        Raises:
            StateLockedError: another run holds it.
            StateError: it cannot be locked, or the stored state is unusable.
        """
        waiting = state_package.lock.Waiting(timeout, report, self._instead_of_waiting)
        self._is_over, self.failure = False, None
        holder = state_package.lock.Holder.this_process().dump()
        self._lock = self.backend.lock(holder, waiting=waiting, first=first or self._first)
        try:
            self.state = self._load_state()
        except BaseException:  # including Ctrl-C: otherwise the lock would never be released
            self.unlock()
            raise

    def _first(self) -> bytes:
        return state_document.dump(self.state | {"serial": self.state["serial"] + 1})

    def _load_state(self) -> dict[str, Any]:
        return self.loaded(self.backend.load())

    def _instead_of_waiting(self, holder: Holder) -> str:
        wait = f"Wait for it: {self.command('--lock-timeout', '10m')}"
        if self.backend.breakable:
            return f"{wait}\n        or, if that run is dead, break its lock: {self.command('--force-unlock')}"
        return f"{wait}\n        or end it: {holder.kill_command}"

    def unlock(self) -> None:
        """Release the lock. Later saves, by an abandoned thread, are refused."""
        if self._lock is not None:
            with self.mutex:
                self._is_over = True
            self._lock.release()
            self._lock = None

    @contextmanager
    def locked(self, **how: Any) -> Iterator[None]:
        """Context that holds the lock; the arguments are those of `lock`."""
        self.lock(**how)
        try:
            yield
        finally:
            self.unlock()

    def holder(self) -> Holder | None:
        """Return the lock's holder, as far as it can be read; None if the lock is free."""
        self._shown = self.backend.holder()
        return None if self._shown is None else state_package.lock.Holder.parse(self._shown)

    @property
    def is_breakable(self) -> bool:
        """True if a live holder's lock can be broken."""
        return self.backend.breakable

    def break_lock(self) -> None:
        """Break the lock of the holder last returned by `holder`, or of any holder if it was not called.

        Raises:
            StateError: another run holds it by now, or it cannot be broken.
        """
        self.backend.break_lock(self._shown)

    # --- documents beside the state ---

    def read_companion(self, name: str) -> bytes | None:
        """Return a document stored beside the state; None if it is missing or unreadable."""
        try:
            return self.backend.read_companion(name)
        except StateError:
            return None

    def write_companion(self, name: str, data: bytes) -> None:
        """Replace a document beside the state; only for the lock's holder.

        Raises:
            StateError: it cannot be written.
        """
        with self.mutex:
            if self.lock_held():
                self.backend.write_companion(name, data)

    # --- saving ---

    def save(self) -> None:
        """Write the document with the next serial; implemented by the subclass that chooses the backend."""
        raise NotImplementedError

    def store(self) -> None:
        """Write the document, or an emergency state file if that fails.

        After the first failure only the emergency state file is written, as only it is complete then.

        Raises:
            StateError: with the command that restores the emergency state file.
        """
        if self._is_over:
            raise LockLostError("the run is over; nothing more is saved")
        if self.earlier:
            self.put_earlier_aside()
        data = state_document.dump(self.state)
        try:
            if self.failure is not None:
                raise StateError(f"the state {self.where} could not be saved before")
            if not self.lock_held():
                raise LockLostError(f"the lock on the state {self.where} is lost: another run may have taken it")
            self.keep_copy()
            self.backend.save(data)
        except StateError as error:
            state_package.emergency.save_emergency_file(self, data, error)
            self.failure = self.failure or error
            raise
        self.stored = data

    def keep_copy(self) -> None:
        """Keep a copy of the stored state before a run's first change."""
        if self._is_kept or not self.found or self.stored is None:
            return
        document = state_document.parse(self.stored, self.where)
        when = str(document.get("last_updated", "")).replace("-", "").replace(":", "")
        name = f"{document['serial']:08d}.{when if when.isalnum() else 'undated'}.json"
        self.backend.keep(name, state_document.copy_for_keeping(document), KEPT_COPIES)
        self._is_kept = True

    # --- putting aside ---

    def put_earlier_aside(self) -> None:
        """Rename the earlier script's states; their resources are adopted from what exists in Azure."""
        for path in self.earlier:
            suffix = f"earlier-{stamp()}"
            aside = put_aside(path, suffix) if os.path.isfile(path) else self.backend.aside(suffix, self.stored or b"")
            self.notices.append(
                f"{path} is the state of the earlier script, with passwords in it; it is now {aside}, readable only by "
                "its owner. What exists in Azure is adopted. Delete that file when it is no longer needed."
            )
        if self.earlier:
            self.earlier = []
            self.stored = self.backend.load()

    def put_aside(self, suffix: str) -> str | None:
        """Keep a dated copy of the stored state; return its location, or None if there is none."""
        if self.stored is None:
            return None
        data = self.stored
        if self.found:
            data = state_document.copy_for_keeping(state_document.parse(data, self.where))
        return self.backend.aside(f"{suffix}-{stamp()}", data)

    def reset(self, target: Mapping[str, Any] | None = None) -> str | None:
        """Replace the state by an empty document, keeping a copy; lineage and salt are preserved.

        Args:
            target: the configured deployment target; the recorded one is kept as far as it agrees.

        Returns:
            The location of the old state's copy, or None if there was none.
        """
        return state_package.replacing.reset(self, target)

    # --- records of steps ---

    def record(self, step_name: str) -> dict[str, Any]:
        """Return the record of a step; empty if it never ran."""
        found: dict[str, Any] = self.state["steps"].get(step_name, {})
        return found

    def last_success(self, step_name: str) -> dict[str, Any] | None:
        """Return the record of a step's last completed run, whatever happened since; None if it never completed."""
        return state_document.last_success(self.state, step_name)

    def is_step_completed(self, step_name: str) -> bool:
        """Return whether the step's last run succeeded."""
        return bool(self.record(step_name).get("status") == "completed")

    def get_step_hash(self, step_name: str) -> str | None:
        """Return the dependency hash of the step's last successful run."""
        success = self.last_success(step_name)
        return None if success is None else success.get("dependency_hash")

    def mark_step_running(self, step_name: str, metadata: Mapping[str, Any]) -> None:
        """Record that a step is running, and save."""
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
        """Record a success, and save; the step is no longer forced.

        Args:
            hash: hash over the dependencies.
            metadata: why it ran.
            dependencies: name -> SHA-256.
            outputs: outputs for later steps; never a secret.
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

    # --- records of resources ---

    def store_resource(self, type: str, data: Mapping[str, Any]) -> None:
        """Record a resource under its key, e.g. `container_app/api_gateway`, and save."""
        with self.mutex:
            self.state["resources"][type] = dict(data)
            self.save()

    def get_resource(self, type: str) -> dict[str, Any] | None:
        """Return the record of a resource, or None."""
        found: dict[str, Any] | None = self.state["resources"].get(type)
        return found


def stamp() -> str:
    """Return the current time in the format of file names."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
