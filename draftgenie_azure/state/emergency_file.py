"""Emergency files for a state that cannot be saved: beside the state, or in another directory if that fails.

Only directories that no other user can write to are used, so that no other user can plant a state.
"""

from __future__ import annotations

import os
import tempfile

from draftgenie_azure.state import private_files
from draftgenie_azure.state.files import beside, write_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def places(state_file: str, *, make: bool = False) -> list[str]:
    """Return candidate directories that belong to this user alone, nearest first.

    Args:
        make: create one below the temporary directory; otherwise that is included only if it exists.
    """
    found = [os.path.dirname(os.path.abspath(state_file)), os.getcwd(), os.path.expanduser("~"), _temporary(make)]
    return list(dict.fromkeys(os.path.abspath(directory) for directory in found if directory and _is_ours(directory)))


def _temporary(make: bool) -> str:
    """Return a private directory below the shared temporary directory, or an empty string."""
    parent = tempfile.gettempdir()
    try:
        return private_files.private_directory(parent) if make else private_files.private_name(parent)
    except OSError:  # another user owns that name
        return ""


def _is_ours(directory: str) -> bool:
    try:
        return private_files.why_open(directory) is None
    except OSError:
        return False


def write(data: bytes, state_file: str, suffix: str, directories: Iterable[str]) -> str | None:
    """Write the state to the first usable directory.

    Args:
        state_file: base of the file's name.
        suffix: distinguishes this run's file.

    Returns:
        the file's path, or None if no directory is usable.
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
    """Return this user's emergency files for a state, newest first."""
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
