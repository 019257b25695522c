"""The file `lock`: the address of the emulator that runs in a directory, held with a kernel lock while it does."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import IO, Any

# A byte far behind the content is locked: Windows would not let others read a locked range.
_OFFSET = 1 << 30

ALREADY_RUNS = 3
"""The exit code of an emulator that finds another one in its directory."""


class Taken(Exception):
    """Another emulator runs in this directory."""


class LockFile:
    """Held from `take` to the end of the process."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "lock"
        self._file: IO[str] | None = None

    def take(self) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+", encoding="utf-8")
        try:
            _lock(file)
        except OSError as error:
            file.close()
            raise Taken(str(self.path)) from error
        self._file = file

    def announce(self, address: str, started_at: str) -> None:
        assert self._file is not None
        content = {"pid": os.getpid(), "proxy": address, "control": address, "started_at": started_at}
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(content))
        self._file.flush()

    def release(self) -> None:
        """Empties the file: its content counts only while the lock is held."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            self._file.close()
            self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> None:
        file.seek(_OFFSET)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _OFFSET)


def read_lock(directory: Path) -> dict[str, Any] | None:
    """What the lock file says, or None if it says nothing (yet)."""
    try:
        content = json.loads((directory / "lock").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and "control" in content else None
