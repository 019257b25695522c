"""The storage backend for a local file."""

from __future__ import annotations

import os

from draftgenie_azure import state as state_package
from draftgenie_azure.constants import HISTORY_DIRECTORY
from draftgenie_azure.errors import StateConflictError, StateError
from draftgenie_azure.state.files import beside, flush_directory, free_path, make_directory, read_file, write_whole
from draftgenie_azure.state.private_files import open_regular, why_foreign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from draftgenie_azure.state.backend import Lock
    from draftgenie_azure.state.lock import Waiting


class LocalBackend:
    """A file that is replaced atomically, with a kernel lock beside it.

    Args:
        path: the file; a symbolic link is resolved, so that its target is replaced and not the link.
    """

    breakable = False

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self._seen: bytes | None = None
        self._stamp: tuple[int, ...] | None = None

    @property
    def where(self) -> str:
        """The file's path."""
        return self.path

    def load(self) -> bytes | None:
        """Return the file's bytes, or None if it does not exist.

        Raises:
            StateError: the file cannot be read.
        """
        try:
            with open(open_regular(self.path), "rb", buffering=0) as file:
                self._stamp = _stamp(os.fstat(file.fileno()))
                self._seen = file.readall()
        except FileNotFoundError:
            self._seen = self._stamp = None
        except OSError as error:
            raise StateError(
                f"the state {self.path} cannot be read: {error.strerror}", hint="Fix it, then run again."
            ) from error
        return self._seen

    def save(self, data: bytes) -> None:
        """Replace the file.

        Raises:
            StateConflictError: it is not the version last loaded or saved.
            StateError: it cannot be written; the old file is unchanged.
        """
        try:
            self._stamp = _stamp(write_whole(self.path, data, check=self._check_unchanged))
        except OSError as error:
            raise StateError(
                f"the state {self.path} cannot be saved: {error.strerror}",
                hint="Free disk space or make the directory writable, then run again.",
            ) from error
        self._seen = data

    def _check_unchanged(self) -> None:
        """Detect changes by a user or another tool; other runs are excluded by the lock."""
        seen = self._seen
        try:
            unchanged = _stamp(os.stat(self.path)) == self._stamp or self.load() == seen
        except FileNotFoundError:
            unchanged = seen is None
        if not unchanged:
            self._seen = seen
            raise StateConflictError(f"the state {self.path} was changed by another run in the meantime")

    def delete(self) -> None:
        """Delete the file."""
        try:
            os.unlink(self.path)
            flush_directory(os.path.dirname(self.path))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StateError(f"the state {self.path} cannot be deleted: {error.strerror}") from error
        self._seen = self._stamp = None

    def aside(self, suffix: str, data: bytes) -> str:
        """Write a file beside the state; return its path."""
        path = free_path(self.path, suffix)
        try:
            write_whole(path, data)
        except OSError as error:
            raise StateError(
                f"{path} cannot be written: {error.strerror}", hint="Free disk space or make the directory writable."
            ) from error
        return path

    # --- earlier states ---

    @property
    def _history(self) -> str:
        return os.path.join(os.path.dirname(self.path), HISTORY_DIRECTORY)

    def keep(self, name: str, data: bytes, count: int) -> None:
        """Store a copy in `.azure-deployment-history/`."""
        directory = self._history
        try:
            make_directory(directory)
            write_whole(os.path.join(directory, f"{os.path.basename(self.path)}.{name}"), data)
            for old in self._copies()[count:]:
                os.unlink(os.path.join(directory, old))
        except OSError as error:
            raise StateError(
                f"no copy of the state {self.path} can be kept in {directory}: {error.strerror}",
                hint="Free disk space or make the directory writable, then run again.",
            ) from error

    def copies(self) -> list[str]:
        """Return their paths, latest first."""
        return [os.path.join(self._history, name) for name in self._copies()]

    def _copies(self) -> list[str]:
        prefix = f"{os.path.basename(self.path)}."
        try:
            names = [name for name in os.listdir(self._history) if name.startswith(prefix) and name.endswith(".json")]
            # Files that another user may have put there are not our copies.
            own = [name for name in names if why_foreign(os.path.join(self._history, name)) is None]
            return sorted(own, reverse=True)
        except OSError:
            return []

    def load_copy(self, name: str) -> bytes | None:
        """Return the bytes of any file, or None."""
        return read_file(name)

    # --- documents beside the state ---

    def read_companion(self, name: str) -> bytes | None:
        """Return the bytes of `<state file>.<name>`, or None if it does not exist."""
        return read_file(beside(self.path, name))

    def write_companion(self, name: str, data: bytes | None) -> None:
        """Replace `<state file>.<name>`; None deletes it.

        Raises:
            StateError: it cannot be written; the old one is unchanged.
        """
        path = beside(self.path, name)
        try:
            if data is not None:
                write_whole(path, data)
            elif os.path.lexists(path):
                os.unlink(path)
                flush_directory(os.path.dirname(path))
        except OSError as error:
            raise StateError(
                f"{path} cannot be written: {error.strerror}", hint="Free disk space or make the directory writable."
            ) from error

    # --- lock ---

    def lock(self, holder: bytes, *, waiting: Waiting, first: Callable[[], bytes]) -> Lock:
        """Acquire a kernel lock, which ends with its holder's process."""
        lock = state_package.lock.LocalLock(beside(self.path, "lock"), holder, where=self.path)
        lock.acquire(waiting)
        self._sweep()
        return lock

    def _sweep(self) -> None:
        """Delete the temporary files of killed runs; only the lock's holder writes any."""
        copy = os.path.join(self._history, os.path.basename(self.path))
        for start in (beside(self.path, ""), beside(beside(self.path, "lock"), "json."), beside(copy, "")):
            directory, prefix = os.path.split(start)
            try:
                names = os.listdir(directory)
            except FileNotFoundError:
                continue
            for name in names:
                if name.startswith(prefix) and name.endswith(".tmp"):
                    os.unlink(os.path.join(directory, name))

    def holder(self) -> bytes | None:
        """Return the description that the holder wrote beside the lock."""
        return state_package.lock.LocalLock(beside(self.path, "lock"), b"", where=self.path).holder()

    def break_lock(self, shown: bytes | None = None) -> None:
        """Refuse: a live process's kernel lock cannot be broken.

        Raises:
            StateError: always, with the process to stop.
        """
        holder = self.holder()
        if holder is None:
            return
        found = state_package.lock.Holder.parse(holder)
        raise StateError(
            f"the state {self.path} is locked by {found}; it is alive, and its lock on a file cannot be broken",
            hint=f"Stop it to release the lock: {found.kill_command}",
        )


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def check_is_own(path: str, others: Sequence[str | None]) -> None:
    """Refuse a path of a state at which something of the user's is, which a reset would put aside.

    Args:
        others: files that are read: the configuration's, and that of the environment.

    Raises:
        StateError: it is one of them.
    """
    real = os.path.realpath(path)
    for other in others:
        if other and os.path.realpath(other) == real:
            hint = "Give advanced.state_file a path where nothing else is."
            raise StateError(f"advanced.state_file is {other}, which this run reads as something else", hint=hint)


