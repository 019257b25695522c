"""Where a state goes that cannot be saved: a file beside the run, or in another directory where that is full.

Only directories count that nobody else may write to, so that no other user of the machine can offer a state.
"""

from __future__ import annotations

import os
import tempfile

from draftgenie_azure.state import private_files
from draftgenie_azure.state.local_file import beside, write_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def places(state_file: str, *, make: bool = False) -> list[str]:
    """Directories of this user alone, the nearest first.

    Args:
        make: have one of its own below the directory for temporary files; else it counts only where it is there.
    """
    found = [os.path.dirname(os.path.abspath(state_file)), os.getcwd(), os.path.expanduser("~"), _temporary(make)]
    return list(dict.fromkeys(os.path.abspath(directory) for directory in found if directory and _is_ours(directory)))


def _temporary(make: bool) -> str:
    """A directory below the one for temporary files, to which everybody may write; empty where there is none."""
    parent = tempfile.gettempdir()
    try:
        return private_files.private_directory(parent) if make else private_files.private_name(parent)
    except OSError:  # somebody else has that name
        return ""


def _is_ours(directory: str) -> bool:
    try:
        return private_files.why_open(directory) is None
    except OSError:
        return False


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
    """Emergency files of this state that this user wrote, the newest first."""
    paths = []
    start = os.path.basename(beside(state_file, "rescue-"))
    for directory in places(state_file):
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        paths += [os.path.join(directory, name) for name in names if name.startswith(start) and name.endswith(".json")]
    return sorted(filter(_is_own, paths), key=os.path.basename, reverse=True)


def _is_own(path: str) -> bool:
    try:
        return private_files.why_foreign(path) is None
    except OSError:
        return False
