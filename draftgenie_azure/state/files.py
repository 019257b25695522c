"""The files of a state: named, read, and replaced so that a kill at any point leaves the old or the new bytes."""

from __future__ import annotations

import os

from draftgenie_azure.constants import STATE_PREFIX
from draftgenie_azure.errors import StateError
from draftgenie_azure.state.private_files import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def beside(path: str, suffix: str) -> str:
    """Return a path beside the state that no build context ships and git ignores, whatever the state's name."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f"{name if name.startswith(STATE_PREFIX) else f'{STATE_PREFIX}.{name}'}.{suffix}")


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


def write_whole(path: str, data: bytes, *, check: Callable[[], None] = lambda: None) -> os.stat_result:
    """Replace a file atomically: write a temporary file beside it, sync, rename, sync the directory.

    A kill at any point leaves the old or the new bytes. Mode 0600: the state names every resource and contains digests
    of secrets, so only its owner may read it.

    Args:
        check: called when only the rename is left; if it raises, the old file is unchanged.

    Returns:
        The status of the new file.

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
            written = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        check()
        os.replace(temporary, path)
        renamed = os.stat(path)
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    flush_directory(os.path.dirname(path))
    return renamed if os.path.samestat(renamed, written) else written  # somebody may have replaced it at once


def make_directory(path: str) -> None:
    """Create a directory, and sync its parent: a lost directory entry would lose its files."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    flush_directory(os.path.dirname(path))


def flush_directory(path: str) -> None:
    """Sync a directory, so that a rename in it is durable; not available on Windows."""
    if os.name != "nt":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def put_aside(path: str, suffix: str) -> str:
    """Rename a file to a new name beside it, without overwriting any, and make it readable only by its owner.

    Raises:
        StateError: it cannot be renamed.
    """
    aside = free_path(path, suffix)
    try:
        os.chmod(path, 0o600)
        os.rename(path, aside)
        flush_directory(os.path.dirname(os.path.abspath(path)))
    except OSError as error:
        raise StateError(f"{path} cannot be renamed to {aside}: {error.strerror}") from error
    return aside


def free_path(path: str, suffix: str) -> str:
    """Return an unused name beside a path."""
    free, count = beside(path, suffix), 0
    while os.path.lexists(free):
        count += 1
        free = beside(path, f"{suffix}-{count}")
    return free
