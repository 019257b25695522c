"""Where a state goes that cannot be saved: a file beside the run, or in another directory where that is full."""

from __future__ import annotations

import os
import tempfile

from draftgenie_azure.state.local_file import beside, write_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def places(state_file: str) -> list[str]:
    """Directories to try, the nearest first."""
    found = [os.path.dirname(state_file), os.getcwd(), os.path.expanduser("~"), tempfile.gettempdir()]
    return list(dict.fromkeys(os.path.abspath(directory) for directory in found))


def write(data: bytes, state_file: str, suffix: str, directories: Iterable[str]) -> str | None:
    """Write the state to the first directory that takes it.

    Args:
        state_file: gives the file its name.
        suffix: tells this run's file from others.

    Returns:
        the file's path, or None where no directory takes it.
    """
    for directory in directories:
        path = beside(os.path.join(directory, os.path.basename(state_file)), suffix)
        try:
            write_whole(path, data)
        except OSError:
            continue
        return path
    return None


def found(state_file: str) -> list[str]:
    """Rescue files of this state, the newest first."""
    paths = []
    for directory in places(state_file):
        start = os.path.basename(beside(state_file, "rescue-"))
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        paths += [os.path.join(directory, name) for name in names if name.startswith(start) and name.endswith(".json")]
    return sorted(paths, key=os.path.basename, reverse=True)
