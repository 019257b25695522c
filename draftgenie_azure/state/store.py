"""How the state document is kept: its lock, copies of earlier ones, and a rescue file where it cannot be saved."""

from __future__ import annotations

import os
import sys
import time

from draftgenie_azure import state as state_package
from draftgenie_azure.constants import COMMAND, EARLIER_STATE_FILE, STATE_FILE
from draftgenie_azure.errors import LockLostError, StateConflictError, StateError
from draftgenie_azure.state import document as state_document
from draftgenie_azure.state import private_files
from draftgenie_azure.state.local_file import put_aside, read_file
from draftgenie_azure.state.step_records import StepRecords
from draftgenie_azure.state.target import check_target, kept_after_reset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.state.local_file import Backend, Lock
    from draftgenie_azure.state.lock import Holder

KEPT_COPIES = 10
EARLIER_NAMES = (STATE_FILE, EARLIER_STATE_FILE)
COMPANIONS = ("baseline", "history")  # documents beside the state, which move with it
_SECTIONS = ("steps", "resources", "secrets", "operations")


class StateStore(StepRecords):
    """A document in a backend.

    Args:
        backend: where its bytes and its lock are.
        state_file: the local path of the state; rescue files are called after it, and lie beside it.
        config_paths: for the commands that messages name.
        tolerant: a document that cannot be used is noted in `fault` and not raised.

    Attributes:
        state: the document; an empty one where there is none yet.
        found: whether there is one already.
        fault: why what is stored cannot be used.
        failure: why the document could not be saved, and where it is instead.
        earlier: paths of states of the earlier script, where there is none of ours.
        notices: what a person should know of what was done.
    """

    def __init__(
        self, backend: Backend, state_file: str, config_paths: Sequence[str] = (), *, tolerant: bool = False
    ) -> None:
        super().__init__()
        self._backend = backend
        self.state_file = state_file
        self._config_paths = config_paths
        self._tolerant = tolerant
        self._lock: Lock | None = None
        self._is_over = False
        self.failure: StateError | None = None
        self._rescue_suffix = f"rescue-{stamp()}-{os.getpid()}.json"
        self._stored: bytes | None = None
        self._shown: bytes | None = None
        self._is_kept = False
        self.found = False
        self.fault: StateError | None = None
        self.earlier: list[str] = []
        self.notices: list[str] = []

    @property
    def backend(self) -> Backend:
        """Where the bytes are kept, and what lies beside them."""
        return self._backend

    @property
    def where(self) -> str:
        """The place of the state, for people."""
        return self._backend.where

    # --- loading ---

    def loaded(self, data: bytes | None) -> dict[str, Any]:
        """The document in the bytes that are stored. Nothing but no state at all is taken for a first deployment.

        Raises:
            StateError: with the last good copy, and the command that puts it back.
        """
        self.found, self.fault, self.earlier, self._is_kept = False, None, [], False
        self._stored = data
        if data is None:
            self.earlier = self._earlier_files()
            return state_document.empty()
        try:
            state = state_document.parse(data, self.where)
        except state_document.EarlierStateError:
            self.earlier = [self.where]
            return state_document.empty()
        except StateError as error:
            error.hint = self._way_back()
            if not self._tolerant:
                raise
            self.fault = error
            return state_document.empty(**self._salvaged())
        self.found = True
        return state

    def _earlier_files(self) -> list[str]:
        """States of the earlier script, which looks in the working directory, under both its names."""
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
        """Path -> bytes of the earlier script's states."""
        return {path: (self._stored if path == self.where else read_file(path)) or b"" for path in self.earlier}

    def _salvaged(self) -> dict[str, Any]:
        """Lineage, salt and the highest serial of what is there and of the last good copy."""
        found = state_document.salvage(self._stored)
        copy = self._last_good_copy()
        if copy is None:
            return found
        kept = {key: copy[1][key] for key in ("lineage", "salt", "serial")}
        return kept | found | {"serial": max(kept["serial"], found.get("serial", 0))}

    def _last_good_copy(self) -> tuple[str, dict[str, Any]] | None:
        for name in self._backend.copies():
            try:
                return name, state_document.parse(self._backend.load_copy(name) or b"", name)
            except StateError:
                continue
        return None

    def _way_back(self) -> str:
        """How to go on from a state that cannot be used."""
        copy = self._last_good_copy()
        if copy is None:
            return (
                "No copy of an earlier state is kept. To put this one aside and look at everything again: "
                f"{self.command('--reset-state')}, then {self.command('--adopt')}"
            )
        name, document = copy
        return (
            f"The last good copy is {name} (serial {document['serial']}, {document.get('last_updated')}). "
            f"Put it back: {self.command('--restore-state', name)}"
        )

    def command(self, *arguments: str) -> str:
        """The command line that calls this command with the same configuration."""
        import shlex

        program = sys.argv[0] if os.path.basename(sys.argv[0]) == COMMAND else COMMAND
        words = ["python", program]
        for path in self._config_paths:
            near = os.path.relpath(path)
            words += ["--config", path if near.startswith("..") else near]
        return shlex.join([*words, *arguments])

    def check_target(self, target: Mapping[str, Any]) -> None:
        """Refuse a state that was recorded for another cloud, emulator, subscription or group.

        Args:
            target: what the configuration means, as far as it can be told.

        Raises:
            StateError: with the command that clears the state.
        """
        check_target(self.state["target"], target, self.where, lambda: self.command("--reset-state"))

    # --- lock ---

    @property
    def is_locked(self) -> bool:
        """Whether this object took the lock."""
        return self._lock is not None

    def lock_held(self) -> bool:
        """Whether the lock is surely still ours; a run that took none has none to lose."""
        return not self._is_over and (self._lock is None or self._lock.held())

    def lock(
        self, *, timeout: float = 0.0, tell: Callable[[str], None] = lambda text: None, first: bytes | None = None
    ) -> None:
        """Take the lock and load again what may have changed since.

        Args:
            timeout: seconds to wait for another run's lock.
            tell: gets a line that names whom is waited for.
            first: what to store where there is nothing and the lock needs something to hold on to.

        Raises:
            StateLockedError: another run holds it.
            StateError: it cannot be locked, or what is there now cannot be used.
        """
        waiting = state_package.lock.Waiting(timeout, tell, self._instead_of_waiting)
        if first is None:
            first = state_document.dump(self.state | {"serial": self.state["serial"] + 1})
        self._is_over, self.failure = False, None
        self._lock = self._backend.lock(state_package.lock.Holder.this_process().dump(), waiting=waiting, first=first)
        try:
            self.state = self._load_state()
        except BaseException:  # whatever it is, a Ctrl-C included: nobody would give the lock back
            self.unlock()
            raise

    def _load_state(self) -> dict[str, Any]:
        return self.loaded(self._backend.load())

    def _instead_of_waiting(self, holder: Holder) -> str:
        wait = f"Wait for it: {self.command('--lock-timeout', '10m')}"
        if self._backend.breakable:
            return f"{wait}\n        or, if that run is dead, break its lock: {self.command('--force-unlock')}"
        return f"{wait}\n        or end it: {holder.kill_command}"

    def unlock(self) -> None:
        """Let go of the lock. What is saved later, by a thread that was left behind, is refused."""
        if self._lock is not None:
            with self.mutex:
                self._is_over = True
            self._lock.release()
            self._lock = None

    def locked(self, **how: Any) -> Locked:
        """The lock for the length of a `with` block; takes what `lock` takes."""
        return Locked(self, how)

    def holder(self) -> Holder | None:
        """Who holds the lock, as far as that can be read; None where nobody does."""
        self._shown = self._backend.holder()
        return None if self._shown is None else state_package.lock.Holder.parse(self._shown)

    @property
    def is_breakable(self) -> bool:
        """Whether a live holder's lock can be broken."""
        return self._backend.breakable

    def break_lock(self) -> None:
        """Take the lock from the holder that `holder` gave, or where nobody asked, from whoever holds it.

        Raises:
            StateError: another one holds it by now, or it cannot be broken.
        """
        self._backend.break_lock(self._shown)

    # --- documents beside the state ---

    def read_companion(self, name: str) -> bytes | None:
        """A document that lies beside the state; None where there is none, or none that can be read."""
        try:
            return self._backend.read_companion(name)
        except StateError:
            return None

    def write_companion(self, name: str, data: bytes) -> None:
        """Replace a document beside the state; only whoever holds the lock does.

        Raises:
            StateError: it cannot be written.
        """
        with self.mutex:
            if self.lock_held():
                self._backend.write_companion(name, data)

    # --- saving ---

    def store(self) -> None:
        """Write the document, and where that fails, to a rescue file instead.

        From the first failure on, only the rescue file is written: it alone is whole then.

        Raises:
            StateError: with the command that puts the rescue file back.
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
            self._keep_copy()
            self._backend.save(data)
        except StateError as error:
            self._rescue(data, error)
            self.failure = self.failure or error
            raise
        self._stored = data

    def _keep_copy(self) -> None:
        """Before a run's first change: keep what it found."""
        if self._is_kept or not self.found or self._stored is None:
            return
        document = state_document.parse(self._stored, self.where)
        when = str(document.get("last_updated", "")).replace("-", "").replace(":", "")
        name = f"{document['serial']:08d}.{when if when.isalnum() else 'undated'}.json"
        self._backend.keep(name, state_document.copy_for_keeping(document), KEPT_COPIES)
        self._is_kept = True

    def _rescue(self, data: bytes, error: StateError) -> None:
        """Have the document in some file, and the error say where."""
        if not self._is_worth_rescuing():
            return
        places = state_package.emergency_file.places(self.state_file, make=True)
        path = state_package.emergency_file.write(data, self.state_file, self._rescue_suffix, places)
        if path is None:
            error.message += f"\nit could be saved nowhere else either (tried {', '.join(places)})"
            error.hint = "Make room in one of these directories, then run again: what was done is looked at again."
            return
        error.message += f"\nwhat this run did is in {path} (serial {self.state['serial']})"
        newer = self._newer_state() if isinstance(error, LockLostError | StateConflictError) else None
        if newer is not None:
            error.message += f"; the state is another run's by now, {newer}"
            error.hint = f"Run again: it goes on from the state as it is now. Keep {path} until that has succeeded."
            return
        error.hint = f"When that is fixed, put it back: {self.command('--restore-state', path)}"

    def _newer_state(self) -> str | None:
        """What is stored now, in words, where that must not be replaced by what this run has; None elsewhere."""
        try:
            state = state_document.parse(self._backend.load() or b"", self.where)
        except StateError:
            return None
        if state["lineage"] != self.state["lineage"]:
            return f"of another lineage ({state['lineage']})"
        return f"with serial {state['serial']}" if state["serial"] >= self.state["serial"] else None

    def _is_worth_rescuing(self) -> bool:
        """Whether the document says more than what is stored."""
        try:
            stored = state_document.parse(self._stored or b"", "")
        except StateError:
            stored = state_document.empty()
        return any(self.state.get(section) != stored.get(section) for section in _SECTIONS)

    def check_rescued(self) -> None:
        """Refuse to go on while a rescue file says more than the state.

        Raises:
            StateError: with the command that puts it back.
        """
        for path in state_package.emergency_file.found(self.state_file):
            try:
                document = state_document.parse(read_file(path) or b"", path)
            except StateError:
                continue
            said = f"what it did is in {path} (serial {document['serial']}"
            if not self.found and not self.earlier:
                raise StateError(
                    f"there is no state {self.where}, but an earlier run could not save one: {said}, lineage "
                    f"{document['lineage']})",
                    hint=f"Put it back: {self.command('--restore-state', path)} (or delete that file).",
                )
            if document["lineage"] == self.state["lineage"] and document["serial"] > self.state["serial"]:
                raise StateError(
                    f"an earlier run could not save the state; {said}, the state has {self.state['serial']})",
                    hint=f"Put it back: {self.command('--restore-state', path)} (or delete that file).",
                )

    # --- putting aside, back and elsewhere ---

    def put_earlier_aside(self) -> None:
        """Put the earlier script's states aside; what exists in Azure is taken over by looking at it."""
        for path in self.earlier:
            suffix = f"earlier-{stamp()}"
            if os.path.isfile(path):
                aside = put_aside(path, suffix)
            else:
                aside = self._backend.aside(suffix, self._stored or b"")
            self.notices.append(
                f"{path} is the state of the earlier script, with passwords in it; it is now {aside}, readable for its "
                "owner alone. What exists in Azure is taken over. Delete that file when nothing needs it any more."
            )
        if self.earlier:
            self.earlier = []
            self._stored = self._backend.load()

    def put_aside(self, suffix: str) -> str | None:
        """Keep a dated copy of what is stored; its place, or None where nothing is."""
        if self._stored is None:
            return None
        data = self._stored
        if self.found:
            data = state_document.copy_for_keeping(state_document.parse(data, self.where))
        return self._backend.aside(f"{suffix}-{stamp()}", data)

    def reset(self, target: Mapping[str, Any] | None = None) -> str | None:
        """Put a copy of what is there aside and begin again; lineage and salt stay.

        Args:
            target: what the configuration means; the recorded one stays where that does not contradict it.

        Returns:
            where the old state is now, or None where there was none.
        """
        aside = self.put_aside("reset" if self.fault is None else "bad")
        kept = {key: self.state[key] for key in ("lineage", "salt", "serial")}
        recorded = self.state["target"]
        self.state = state_document.empty() | kept
        self.state["target"] = recorded if target is None else kept_after_reset(recorded, target)
        self.save()
        return aside

    def read_copy(self, name: str) -> dict[str, Any]:
        """The document in a file, or in a copy of an earlier state.

        Raises:
            StateError: there is none, or it cannot be used.
        """
        try:
            foreign = private_files.why_foreign(name) if os.path.lexists(name) else None
        except OSError as error:
            raise StateError(f"{name} cannot be looked at: {error.strerror}") from error
        if foreign is not None:
            raise StateError(
                f"{name} may be somebody else's work: {foreign}",
                hint="If it is right, copy it to a directory that only you may write to, and restore that copy.",
            )
        data = read_file(name) if os.path.lexists(name) else self._backend.load_copy(name)
        if data is None:
            copies = self._backend.copies()
            known = "\n        ".join(["Copies of earlier states:", *copies]) if copies else None
            raise StateError(f"there is no {name}", hint=known)
        return state_document.parse(data, name)

    def restore(
        self, document: dict[str, Any], *, adopt: bool = False, agreed: Callable[[str], bool] = lambda question: False
    ) -> str | None:
        """Put an earlier document in the place of what is stored; needs the lock.

        Args:
            adopt: even in the place of another lineage's, or of one that is as new.
            agreed: asks a person whether a state that is as new, or newer, is to be replaced.

        Returns:
            where what was stored is now, where it could not be used; else None, it is among the copies.

        Raises:
            StateError: what is stored is managed by something else, or is newer and nobody agreed.
        """
        if self.found and self.state["lineage"] != document["lineage"] and not self._is_bare() and not adopt:
            raise StateError(
                f"the state {self.where} has another lineage ({self.state['lineage']}) than the copy "
                f"({document['lineage']}): it manages something else",
                hint="Look at both with --status. To replace it all the same, add --adopt.",
            )
        if self._is_newer_than(document) and not adopt:
            question = (
                f"the state {self.where} (serial {self.state['serial']}, {self.state.get('last_updated')}) is newer "
                f"than what would replace it (serial {document['serial']}, {document.get('last_updated')})"
            )
            if not agreed(f"{question}.\nReplace it? What was done since then is looked at again by the next run."):
                raise StateError(question, hint="To replace it all the same, add --adopt, or say yes on a terminal.")
        aside = self.put_aside("bad") if self.fault is not None or self.earlier else None
        serial = max(self.state["serial"], document["serial"])
        self.state = document | {"serial": serial}
        self.save()
        return aside

    def _is_newer_than(self, document: dict[str, Any]) -> bool:
        """Whether what is stored says something that would be lost with a document that is not newer."""
        if not self.found or self._is_bare() or self.state["serial"] < document["serial"]:
            return False
        return any(self.state.get(section) != document.get(section) for section in _SECTIONS)

    def _is_bare(self) -> bool:
        """Whether the document says nothing that could be lost."""
        return not any(self.state.get(section) for section in _SECTIONS)

    def take_from(self, source: StateStore) -> str | None:
        """Move another store's document here, with what lies beside it; both are locked.

        Returns:
            where the source's bytes are now.

        Raises:
            StateError: what is stored here is another lineage's, or newer.
        """
        if self.found and self.state["lineage"] != source.state["lineage"] and not self._is_bare():
            raise StateError(
                f"there is another state already in {self.where}: its lineage is {self.state['lineage']}, that of "
                f"{source.where} {source.state['lineage']}",
                hint="Give one of them another name (advanced.state_file, advanced.state_blob_name).",
            )
        same = self.found and self.state["lineage"] == source.state["lineage"]
        if same and self.state["serial"] > source.state["serial"]:
            raise StateError(
                f"the state in {self.where} is newer (serial {self.state['serial']}) than {source.where} "
                f"(serial {source.state['serial']})",
                hint=f"Use it as it is (AZURE_STATE_STORAGE); {source.where} is out of date.",
            )
        # The documents beside it first: wherever this is interrupted, the state says which storage holds, and the next
        # move writes them again.
        for name in COMPANIONS:
            beside = source.backend.read_companion(name)
            if beside is not None:
                self._backend.write_companion(name, beside)
        self.state = source.state
        data = state_document.dump(source.state)
        if data != self._stored:
            self._keep_copy()
            self._backend.save(data)
            self._stored = data
        aside = source.put_aside("moved")
        source._backend.delete()
        for name in COMPANIONS:
            source.backend.write_companion(name, None)
        return aside


class Locked:
    """Holds a store's lock for the length of a block; contextlib costs the no-op run a millisecond."""

    def __init__(self, store: StateStore, how: dict[str, Any]) -> None:
        self._store = store
        self._how = how

    def __enter__(self) -> None:
        self._store.lock(**self._how)

    def __exit__(self, *_: object) -> None:
        self._store.unlock()


def stamp() -> str:
    """The time as names of files have it."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
