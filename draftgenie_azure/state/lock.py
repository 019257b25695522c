"""Who holds the lock on the state, and the lock on a file. Imported only where a run takes or meets one."""

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
from draftgenie_azure.printable import duration
from draftgenie_azure.state.local_file import read_file, write_whole
from draftgenie_azure.state.resource_records import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NO_LOCKS = "the file system there may not offer locks, as some network file systems do not"


def awake_clock() -> float:
    """Seconds that also pass while the machine sleeps, whatever is done to the clock on the wall."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)  # time.monotonic() stands still while a Mac sleeps
    return time.monotonic()


class Holder:
    """Who holds a lock: what it said of itself, as far as that can be read."""

    def __init__(self, who: str, host: str, process_id: int, command: str, started: str) -> None:
        self.who = who
        self.host = host
        self.process_id = process_id
        self.command = command
        self.started = started

    @classmethod
    def this_process(cls) -> Holder:
        """The process that asks."""
        who = next((os.environ[name] for name in ("LOGNAME", "USER", "USERNAME") if os.environ.get(name)), "")
        command = shlex.join([os.path.basename(sys.executable) or "python", *sys.argv])
        return cls(who or f"user {os.getuid() if hasattr(os, 'getuid') else '?'}", socket.gethostname(), os.getpid(),
                   command, now())

    def dump(self) -> bytes:
        """As JSON, for people too."""
        words = {"who": self.who, "host": self.host, "process_id": self.process_id, "command": self.command,
                 "started": self.started}
        return json.dumps(words, indent=2).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Holder:
        """Whatever can be read; breaking a lock needs none of it."""
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
        """For how long it has held the lock, or an empty text."""
        try:
            began = datetime.strptime(self.started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return ""
        seconds = max(0.0, time.time() - began)
        return duration(seconds) if seconds < 3600 else f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"

    @property
    def kill_command(self) -> str:
        """The command that ends the process."""
        there = "" if self.host == socket.gethostname() or not self.host else f"   (on {self.host})"
        command = f"taskkill /PID {self.process_id}" if os.name == "nt" else f"kill {self.process_id}"
        return f"{command}{there}" if self.process_id else "the process is not known; `lsof` on the lock file tells"

    def __str__(self) -> str:
        if not (self.who or self.host or self.process_id):
            return "an unidentified run"
        age = f", since {self.age}" if self.age else ""
        process = f"process {self.process_id}" if self.process_id else "a process not named"
        return f"{self.who or 'someone'} on {self.host or 'a host not named'} ({process}{age}): {self.command}"


def _line(value: object) -> str:
    """A text on one line, whatever was found."""
    return " ".join(value.split())[:300] if isinstance(value, str) else ""


class Waiting:
    """How long to wait for another run's lock, and whom to tell.

    Args:
        timeout: seconds; 0 refuses at once.
        tell: gets one line that names the holder, when the waiting begins and when the holder changes.
        hint: what else can be done, for the refusal; a function of the holder.
    """

    def __init__(
        self,
        timeout: float = 0.0,
        tell: Callable[[str], None] = lambda text: None,
        hint: Callable[[Holder], str | None] = lambda holder: None,
    ) -> None:
        self.timeout = timeout
        self._tell = tell
        self._hint = hint
        self._began = awake_clock()
        self._told: str | None = None

    def pause(self, where: str, holder: bytes | None, seconds: float) -> None:
        """Wait a little for the holder.

        Raises:
            StateLockedError: the time is up.
        """
        left = self._began + self.timeout - awake_clock()
        found = Holder.parse(holder or b"")
        if left <= 0:
            raise StateLockedError(f"the state {where} is locked by {found}", hint=self._hint(found))
        told = f"{found.who}@{found.host}/{found.process_id}"
        if told != self._told:
            self._told = told
            self._tell(f"waiting up to {duration(self.timeout)} for the lock on the state, held by {found}")
        time.sleep(max(0.01, min(seconds, left)))


class LocalLock:
    """A kernel lock on a file beside the state, and a file beside that which says who holds it.

    Two files, since Windows lets nobody read a locked one. What the second says counts only while the first is locked.

    Args:
        path: of the lock file.
        holder: what to say of oneself.
        where: the state, for messages.
    """

    POLL = 0.1

    def __init__(self, path: str, holder: bytes, *, where: str) -> None:
        self._path = path
        self._says = f"{path}.json"
        self._holder = holder
        self._where = where
        # Not a lock that is only a file: nothing would take it away from a dead holder.
        self._lock = FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False, preserve_lock_file=True)
        self._file: tuple[int, int] | None = None

    def acquire(self, waiting: Waiting) -> None:
        """Take the lock.

        Raises:
            StateLockedError: another process holds it, and the time to wait is up.
            StateError: the file system offers no locks, or the directory cannot be written.
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
        """A lock file that cannot be made is not one that somebody holds, although the library says the same of both.

        Raises:
            StateError: it cannot be made.
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
        """Tell whether the lock file is still the one that is locked: who deletes it lets a second run in."""
        if self._file is None or not self._lock.is_locked:
            return False
        try:
            status = os.stat(self._path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._file

    def release(self) -> None:
        """Let go; the kernel does it too when the process ends, in whatever way."""
        self._file = None
        self._lock.release(force=True)

    def holder(self) -> bytes | None:
        """What the present holder said of itself; None where nobody holds the lock."""
        if not os.path.exists(self._path):
            return None
        if self._try():
            self._lock.release(force=True)
            return None
        return read_file(self._says) or b""
