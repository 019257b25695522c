"""The lock on a state file, and the description of its holder. Imported only when a lock is taken or found."""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
import time
from datetime import UTC, datetime

from filelock import FileLock, Timeout

from draftgenie_azure.errors import StateError, StateLockedError
from draftgenie_azure.masking import MASK
from draftgenie_azure.printable import duration
from draftgenie_azure.state.files import read_file, write_whole
from draftgenie_azure.state.resource_records import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NO_LOCKS = "the file system may not support locks, as some network file systems do not"


def awake_clock() -> float:
    """Return seconds of a monotonic clock that includes the time the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)  # time.monotonic() stops while a Mac sleeps
    return time.monotonic()


class Holder:
    """The holder of a lock, as far as its description can be read."""

    def __init__(self, who: str, host: str, process_id: int, command: str, started: str) -> None:
        self.who = who
        self.host = host
        self.process_id = process_id
        self.command = command
        self.started = started

    @classmethod
    def this_process(cls) -> Holder:
        """Return the holder for the current process."""
        who = next((os.environ[name] for name in ("LOGNAME", "USER", "USERNAME") if os.environ.get(name)), "")
        command = MASK.text(shlex.join([os.path.basename(sys.executable) or "python", *sys.argv]))
        return cls(who or f"user {os.getuid() if hasattr(os, 'getuid') else '?'}", socket.gethostname(), os.getpid(),
                   command, now())

    def dump(self) -> bytes:
        """Serialise as readable JSON."""
        words = {"who": self.who, "host": self.host, "process_id": self.process_id, "command": self.command,
                 "started": self.started}
        return json.dumps(words, indent=2).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Holder:
        """Parse what is readable; breaking a lock needs none of it."""
        try:
            words = json.loads(data)
        except (ValueError, RecursionError):
            words = {}
        if not isinstance(words, dict):
            words = {}
        process_id = words.get("process_id")
        who, host, command, started = (_line(words.get(key)) for key in ("who", "host", "command", "started"))
        return cls(who, host, process_id if type(process_id) is int else 0, command, started)

    @property
    def age(self) -> str:
        """The time since it acquired the lock, in words; empty if unknown."""
        try:
            began = datetime.strptime(self.started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return ""
        seconds = max(0.0, time.time() - began)
        return duration(seconds) if seconds < 3600 else f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"

    @property
    def kill_command(self) -> str:
        """The command that stops the process."""
        there = "" if self.host == socket.gethostname() or not self.host else f"   (on {self.host})"
        command = f"taskkill /PID {self.process_id}" if os.name == "nt" else f"kill {self.process_id}"
        return f"{command}{there}" if self.process_id else "the process is unknown; `lsof` on the lock file shows it"

    def __str__(self) -> str:
        if not (self.who or self.host or self.process_id):
            return "an unidentified run"
        age = f", since {self.age}" if self.age else ""
        process = f"process {self.process_id}" if self.process_id else "unknown process"
        return f"{self.who or 'someone'} on {self.host or 'an unknown host'} ({process}{age}): {self.command}"


def _line(value: object) -> str:
    """Return a value as text on one line."""
    return " ".join(value.split())[:300] if isinstance(value, str) else ""


class Waiting:
    """The policy for waiting for another run's lock.

    Args:
        timeout: seconds; 0 fails at once.
        report: called with a line naming the holder, when waiting begins and when the holder changes.
        hint: returns what else can be done, for the error; a function of the holder.
    """

    def __init__(
        self,
        timeout: float = 0.0,
        report: Callable[[str], None] = lambda text: None,
        hint: Callable[[Holder], str | None] = lambda holder: None,
    ) -> None:
        self.timeout = timeout
        self._report = report
        self._hint = hint
        self._began = awake_clock()
        self._reported: str | None = None

    def pause(self, where: str, holder: bytes | None, seconds: float) -> None:
        """Wait briefly for the holder.

        Raises:
            StateLockedError: the time is up.
        """
        left = self._began + self.timeout - awake_clock()
        found = Holder.parse(holder or b"")
        if left <= 0:
            raise StateLockedError(f"the state {where} is locked by {found}", hint=self._hint(found))
        holder_shown = f"{found.who}@{found.host}/{found.process_id}"
        if holder_shown != self._reported:
            self._reported = holder_shown
            self._report(f"waiting up to {duration(self.timeout)} for the lock on the state, held by {found}")
        time.sleep(max(0.01, min(seconds, left)))


class LocalLock:
    """A kernel lock on a file beside the state, and another file that describes its holder.

    Two files, since Windows forbids reading a locked one. The second is valid only while the first is locked.

    Args:
        path: path of the lock file.
        holder: description of this process.
        where: location of the state, for messages.
    """

    POLL = 0.1

    def __init__(self, path: str, holder: bytes, *, where: str) -> None:
        self._path = path
        self._says = f"{path}.json"
        self._holder = holder
        self._where = where
        # Not a plain lock file, which a dead holder would leave in place.
        self._lock = FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False, preserve_lock_file=True)
        self._file: tuple[int, int] | None = None

    def acquire(self, waiting: Waiting) -> None:
        """Acquire the lock.

        Raises:
            StateLockedError: another process holds it, and the time to wait is up.
            StateError: the file system does not support locks, or the directory cannot be written.
        """
        while not self._try():
            waiting.pause(self._where, read_file(self._says), self.POLL)
        try:
            status = os.stat(self._path)
            self._file = (status.st_dev, status.st_ino)
            write_whole(self._says, self._holder)
        except OSError as error:
            self._lock.release()
            raise self._unusable(error) from error

    def _try(self) -> bool:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            self._check_directory()
            return False
        except OSError as error:
            raise self._unusable(error) from error
        return True

    def _check_directory(self) -> None:
        """Check that the lock file can be created; the library reports a failure like a held lock.

        Raises:
            StateError: it cannot be created.
        """
        if os.path.lexists(self._path):
            return
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> StateError:
        return StateError(
            f"the state {self._where} cannot be locked: {error.strerror or error} ({NO_LOCKS})",
            hint="Make the directory writable, set advanced.state_file to a local disk, or keep the state in a blob "
            "(--move-state blob).",
        )

    def held(self) -> bool:
        """Return whether the lock file is still the locked one: deleting it would let a second run in."""
        if self._file is None or not self._lock.is_locked:
            return False
        try:
            status = os.stat(self._path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._file

    def release(self) -> None:
        """Release the lock; the kernel also does so when the process ends in any way."""
        self._file = None
        self._lock.release(force=True)

    def holder(self) -> bytes | None:
        """Return the current holder's description; None if the lock is free."""
        if not os.path.exists(self._path):
            return None
        if self._try():
            self._lock.release(force=True)
            return None
        return read_file(self._says) or b""
