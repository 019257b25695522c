"""The address of a directory's emulator, and the secret of its control address, for its clients.

`lock` has the address, `control.secret` the secret (0600), both only while the emulator runs. The lock itself, which
the kernel takes from a dead holder, is on `emulator.lock`: on Windows nobody else could read a file that is locked.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from azure_emulator.core.private_files import write_private

ALREADY_RUNS = 3
"""The exit code of an emulator that finds another one in its directory."""

LOCK, SECRET, HELD = "lock", "control.secret", "emulator.lock"


def announce(directory: Path, address: str, secret: str, started_at: str) -> None:
    """Write the address; the secret first, so that a client that finds the address finds it too."""
    write_private(directory / SECRET, secret)
    content = {"pid": os.getpid(), "proxy": address, "control": address, "started_at": started_at}
    write_private(directory / LOCK, json.dumps(content))


def withdraw(directory: Path) -> None:
    """Remove secret and address; `lock` remains as an empty file. From then on nothing changes in the directory."""
    (directory / SECRET).unlink(missing_ok=True)
    write_private(directory / LOCK, "")


def read_lock(directory: Path) -> dict[str, Any] | None:
    """Return the content of the lock file, or None if it has none (yet)."""
    try:
        content = json.loads((directory / LOCK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and "control" in content else None


def read_secret(directory: Path) -> str | None:
    try:
        return (directory / SECRET).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def check_owner(directory: Path) -> str | None:
    """Return why a directory is not trusted (owned or writable by others), or None."""
    if not hasattr(os, "geteuid"):
        return None  # Windows: permissions of the user's profile apply
    status = directory.stat()
    if status.st_uid != os.geteuid():
        return f"{directory} belongs to another user; use a directory of your own"
    if status.st_mode & 0o022:
        return f"other users may write to {directory}; take the right away with: chmod go-w {directory}"
    return None
