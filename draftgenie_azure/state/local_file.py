"""The storage backend for a local file. A backend handles bytes and locks; `StateManager` handles the document."""

from __future__ import annotations

import os

from draftgenie_azure import state as state_package
from draftgenie_azure.errors import StateConflictError, StateError
from draftgenie_azure.state.private_files import open_regular, why_foreign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from draftgenie_azure.state.lock import Waiting

    class Lock(Protocol):
        """An acquired lock."""

        def held(self) -> bool:
            """Return whether it is certainly still held. False is final."""

        def release(self) -> None:
            """Release it; may be called twice."""

    class Backend(Protocol):
        """The interface of state storage. All methods raise StateError if the storage fails.

        Attributes:
            breakable: whether the lock of a live holder can be broken.
        """

        breakable: bool

        @property
        def where(self) -> str:
            """The location, for messages."""

        def load(self) -> bytes | None:
            """Return the bytes, or None if no state was ever saved."""

        def save(self, data: bytes) -> None:
            """Replace the bytes atomically. Raises StateConflictError if they changed since last loaded or saved."""

        def delete(self) -> None:
            """Delete the state, and possibly its lock."""

        def aside(self, suffix: str, data: bytes) -> str:
            """Write bytes beside the state under a new name with the suffix; return the location for messages."""

        def keep(self, name: str, data: bytes, count: int) -> None:
            """Store a copy under a name; keep only the last `count` copies by name."""

        def copies(self) -> list[str]:
            """Return the names of the copies, for `--restore-state`, latest first."""

        def load_copy(self, name: str) -> bytes | None:
            """Return the bytes of a copy, or None."""

        def read_companion(self, name: str) -> bytes | None:
            """Return a document stored beside the state (`history`, `baseline`), or None."""

        def write_companion(self, name: str, data: bytes | None) -> None:
            """Replace such a document atomically, or delete it; only for the lock's holder."""

        def lock(self, holder: bytes, *, waiting: Waiting, first: bytes) -> Lock:
            """Acquire the lock. Raises StateLockedError if another run holds it.

            `first` is stored if there is no state yet and the storage needs an object to lock.
            """

        def holder(self) -> bytes | None:
            """Return the current holder's description, possibly empty; None if the lock is free."""

        def break_lock(self, shown: bytes | None = None) -> None:
            """Break the lock of the holder described by `shown`. Raises StateError if another one holds it by now.

            None breaks it regardless of its holder.
            """


HISTORY = ".azure-deployment-history"
_PREFIX = ".azure-deployment-state"


def beside(path: str, suffix: str) -> str:
    """Return a path beside the state that no build context ships and git ignores, whatever the state's name."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f"{name if name.startswith(_PREFIX) else f'{_PREFIX}.{name}'}.{suffix}")


def write_whole(path: str, data: bytes) -> None:
    """Replace a file atomically: write a temporary file beside it, sync, rename, sync the directory.

    A kill at any point leaves the old or the new bytes. Mode 0600: the state names every resource and contains digests
    of secrets, so only its owner may read it.

    Raises:
        OSError: the old file is unchanged.
    """
    temporary = beside(path, f"{os.getpid()}.tmp")
    try:
        if os.path.lexists(temporary):  # from a killed process with the same id, or from another user
            os.unlink(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise
    _flush_directory(os.path.dirname(path))


def _make_directory(path: str) -> None:
    """Create a directory, and sync its parent: a lost directory entry would lose its files."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    _flush_directory(os.path.dirname(path))


def _flush_directory(path: str) -> None:
    """Sync a directory, so that a rename in it is durable; not available on Windows."""
    if os.name != "nt":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
            self._check_unchanged()
            write_whole(self.path, data)
            self._stamp = _stamp(os.stat(self.path))
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
            _flush_directory(os.path.dirname(self.path))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StateError(f"the state {self.path} cannot be deleted: {error.strerror}") from error
        self._seen = self._stamp = None

    def aside(self, suffix: str, data: bytes) -> str:
        """Write a file beside the state; return its path."""
        path = _free(self.path, suffix)
        try:
            write_whole(path, data)
        except OSError as error:
            raise StateError(
                f"{path} cannot be written: {error.strerror}", hint="Free disk space or make the directory writable."
            ) from error
        return path

    # --- earlier states ---

    def keep(self, name: str, data: bytes, count: int) -> None:
        """Store a copy in `.azure-deployment-history/`."""
        directory = os.path.join(os.path.dirname(self.path), HISTORY)
        try:
            _make_directory(directory)
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
        return [os.path.join(os.path.dirname(self.path), HISTORY, name) for name in self._copies()]

    def _copies(self) -> list[str]:
        prefix = f"{os.path.basename(self.path)}."
        directory = os.path.join(os.path.dirname(self.path), HISTORY)
        try:
            names = [name for name in os.listdir(directory) if name.startswith(prefix) and name.endswith(".json")]
            # Files that another user may have put there are not our copies.
            return sorted((name for name in names if why_foreign(os.path.join(directory, name)) is None), reverse=True)
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
                _flush_directory(os.path.dirname(path))
        except OSError as error:
            raise StateError(
                f"{path} cannot be written: {error.strerror}", hint="Free disk space or make the directory writable."
            ) from error

    # --- lock ---

    def lock(self, holder: bytes, *, waiting: Waiting, first: bytes) -> Lock:
        """Acquire a kernel lock, which ends with its holder's process."""
        lock = state_package.lock.LocalLock(beside(self.path, "lock"), holder, where=self.path)
        lock.acquire(waiting)
        self._sweep()
        return lock

    def _sweep(self) -> None:
        """Delete the temporary files of killed runs; only the lock's holder writes any."""
        copy = os.path.join(os.path.dirname(self.path), HISTORY, os.path.basename(self.path))
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


def read_file(path: str) -> bytes | None:
    """Return a file's bytes, or None if it does not exist.

    Raises:
        StateError: it cannot be read.
    """
    try:
        with open(open_regular(path), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from error


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


def put_aside(path: str, suffix: str) -> str:
    """Rename a file to a new name beside it, without overwriting any, and make it readable only by its owner.

    Raises:
        StateError: it cannot be renamed.
    """
    aside = _free(path, suffix)
    try:
        os.chmod(path, 0o600)
        os.rename(path, aside)
        _flush_directory(os.path.dirname(os.path.abspath(path)))
    except OSError as error:
        raise StateError(f"{path} cannot be renamed to {aside}: {error.strerror}") from error
    return aside


def _free(path: str, suffix: str) -> str:
    """Return an unused name beside a path."""
    free, count = beside(path, suffix), 0
    while os.path.lexists(free):
        count += 1
        free = beside(path, f"{suffix}-{count}")
    return free
