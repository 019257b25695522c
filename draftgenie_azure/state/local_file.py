"""Where the bytes of the state live, and its lock. A backend knows bytes and locks; `StateManager` the document."""

from __future__ import annotations

import os

from draftgenie_azure import state as state_package
from draftgenie_azure.errors import StateConflictError, StateError
from draftgenie_azure.state.private_files import open_regular, why_foreign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from draftgenie_azure.state.lock import Waiting

    class Lock(Protocol):
        """A lock that was taken."""

        def held(self) -> bool:
            """Tell whether it is surely still ours. False is final."""

        def release(self) -> None:
            """Let go of it; may be called twice."""

    class Backend(Protocol):
        """What `StateManager` asks of a place for state. Everything raises StateError where the place fails.

        Attributes:
            breakable: whether the lock of a live holder can be taken from it.
        """

        breakable: bool

        @property
        def where(self) -> str:
            """The place, for people."""

        def load(self) -> bytes | None:
            """The bytes, or None where no state was ever saved."""

        def save(self, data: bytes) -> None:
            """Replace the bytes, all or nothing. StateConflictError where they are not those last seen here."""

        def delete(self) -> None:
            """Remove the state; the lock may be gone with it."""

        def aside(self, suffix: str, data: bytes) -> str:
            """Write bytes to a new place beside, named by the suffix; that place, for people."""

        def keep(self, name: str, data: bytes, count: int) -> None:
            """Keep a copy under a name; of all copies, the last `count` by name stay."""

        def copies(self) -> list[str]:
            """Names of the copies, for `--restore-state`, the last one first."""

        def load_copy(self, name: str) -> bytes | None:
            """The bytes of a copy, or None where there is none."""

        def read_companion(self, name: str) -> bytes | None:
            """A document that lies beside the state (`history`, `baseline`), or None where there is none."""

        def write_companion(self, name: str, data: bytes | None) -> None:
            """Replace such a document, all or nothing, or remove it; only the holder of the lock does."""

        def lock(self, holder: bytes, *, waiting: Waiting, first: bytes) -> Lock:
            """Take the lock. StateLockedError where another one holds it.

            `first` is stored where there is no state yet and the place needs some to hold a lock on.
            """

        def holder(self) -> bytes | None:
            """What the present holder of the lock said of itself, perhaps nothing; None where nobody holds it."""

        def break_lock(self, shown: bytes | None = None) -> None:
            """Take the lock from the holder that said `shown` of itself. StateError where another one holds it by now.

            None: from whoever holds it.
            """


HISTORY = ".azure-deployment-history"
_PREFIX = ".azure-deployment-state"


def beside(path: str, suffix: str) -> str:
    """A path beside the state: a name that no build context ships and git ignores, whatever the state is called."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f"{name if name.startswith(_PREFIX) else f'{_PREFIX}.{name}'}.{suffix}")


def write_whole(path: str, data: bytes) -> None:
    """Replace a file: temporary file beside it, flush, rename, flush of the directory.

    A kill at any point leaves the old or the new bytes. Mode 0600: the state names every resource and digests secrets,
    nobody else has to read it.

    Raises:
        OSError: the old file is as it was.
    """
    temporary = beside(path, f"{os.getpid()}.tmp")
    try:
        if os.path.lexists(temporary):  # of a killed process with the same number, or put there by somebody else
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
    """Have a directory, and its name on disk: what lies in it is gone with the name."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    _flush_directory(os.path.dirname(path))


def _flush_directory(path: str) -> None:
    """Have the rename itself on disk; Windows has no such thing."""
    if os.name != "nt":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class LocalBackend:
    """A file that is replaced whole, with a kernel lock beside it.

    Args:
        path: the file; a symbolic link is followed, so that its target is replaced and not the link.
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
        """The file's bytes, or None where there is no file.

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
            StateConflictError: it is not what was last loaded or saved.
            StateError: it cannot be written; the old file is as it was.
        """
        try:
            self._check_unchanged()
            write_whole(self.path, data)
            self._stamp = _stamp(os.stat(self.path))
        except OSError as error:
            raise StateError(
                f"the state {self.path} cannot be saved: {error.strerror}",
                hint="Make room, or the directory writable, then run again.",
            ) from error
        self._seen = data

    def _check_unchanged(self) -> None:
        """The lock keeps other runs out; this keeps what a person or another tool put there."""
        seen = self._seen
        try:
            unchanged = _stamp(os.stat(self.path)) == self._stamp or self.load() == seen
        except FileNotFoundError:
            unchanged = seen is None
        if not unchanged:
            self._seen = seen
            raise StateConflictError(f"the state {self.path} was changed by another run in the meantime")

    def delete(self) -> None:
        """Remove the file."""
        try:
            os.unlink(self.path)
            _flush_directory(os.path.dirname(self.path))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StateError(f"the state {self.path} cannot be deleted: {error.strerror}") from error
        self._seen = self._stamp = None

    def aside(self, suffix: str, data: bytes) -> str:
        """Write a file beside the state; its path."""
        path = _free(self.path, suffix)
        try:
            write_whole(path, data)
        except OSError as error:
            raise StateError(
                f"{path} cannot be written: {error.strerror}", hint="Make room, or the directory writable."
            ) from error
        return path

    # --- earlier states ---

    def keep(self, name: str, data: bytes, count: int) -> None:
        """Keep a copy in `.azure-deployment-history/`."""
        directory = os.path.join(os.path.dirname(self.path), HISTORY)
        try:
            _make_directory(directory)
            write_whole(os.path.join(directory, f"{os.path.basename(self.path)}.{name}"), data)
            for old in self._copies()[count:]:
                os.unlink(os.path.join(directory, old))
        except OSError as error:
            raise StateError(
                f"no copy of the state {self.path} can be kept in {directory}: {error.strerror}",
                hint="Make room, or the directory writable, then run again.",
            ) from error

    def copies(self) -> list[str]:
        """Their paths, the last one first."""
        return [os.path.join(os.path.dirname(self.path), HISTORY, name) for name in self._copies()]

    def _copies(self) -> list[str]:
        prefix = f"{os.path.basename(self.path)}."
        directory = os.path.join(os.path.dirname(self.path), HISTORY)
        try:
            names = [name for name in os.listdir(directory) if name.startswith(prefix) and name.endswith(".json")]
            # What another user may have put there is no copy of ours.
            return sorted((name for name in names if why_foreign(os.path.join(directory, name)) is None), reverse=True)
        except OSError:
            return []

    def load_copy(self, name: str) -> bytes | None:
        """The bytes of any file."""
        return read_file(name)

    # --- documents beside the state ---

    def read_companion(self, name: str) -> bytes | None:
        """The bytes of `<state file>.<name>`, or None where there is no such file."""
        return read_file(beside(self.path, name))

    def write_companion(self, name: str, data: bytes | None) -> None:
        """Replace `<state file>.<name>`; None removes it.

        Raises:
            StateError: it cannot be written; the old one is as it was.
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
                f"{path} cannot be written: {error.strerror}", hint="Make room, or the directory writable."
            ) from error

    # --- lock ---

    def lock(self, holder: bytes, *, waiting: Waiting, first: bytes) -> Lock:
        """A kernel lock: it is gone the moment its holder is."""
        lock = state_package.lock.LocalLock(beside(self.path, "lock"), holder, where=self.path)
        lock.acquire(waiting)
        self._sweep()
        return lock

    def _sweep(self) -> None:
        """Delete the temporary files of killed runs: nobody but the holder of the lock writes any."""
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
        """What the holder wrote beside the lock."""
        return state_package.lock.LocalLock(beside(self.path, "lock"), b"", where=self.path).holder()

    def break_lock(self, shown: bytes | None = None) -> None:
        """A live process's kernel lock cannot be taken from it.

        Raises:
            StateError: with the process to end.
        """
        holder = self.holder()
        if holder is None:
            return
        found = state_package.lock.Holder.parse(holder)
        raise StateError(
            f"the state {self.path} is locked by {found}; it is alive, and its lock on a file cannot be broken",
            hint=f"End it, and its lock is gone: {found.kill_command}",
        )


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def read_file(path: str) -> bytes | None:
    """A file's bytes, or None where there is no such file.

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


def put_aside(path: str, suffix: str) -> str:
    """Rename a file to a name beside it, never over another one, readable for its owner alone.

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
    """A name beside a path that nothing has yet."""
    free, count = beside(path, suffix), 0
    while os.path.lexists(free):
        count += 1
        free = beside(path, f"{suffix}-{count}")
    return free
