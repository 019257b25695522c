"""Check that files are this user's own: no other user can have created or can replace them."""

from __future__ import annotations

import os
import stat
import sys

from draftgenie_azure.errors import StateError

if sys.platform != "win32":
    import grp
    import pwd

_KINDS = (
    (stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"), (stat.S_ISLNK, "a symbolic link"),
)  # fmt: skip


def kind_of(mode: int) -> str | None:
    """Return the kind of a file that is not regular; None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    return next((words for test, words in _KINDS if test(mode)), "not a file")


def open_regular(path: str, *, follow: bool = True) -> int:
    """Open a regular file for reading and return the descriptor. Pipes and devices are neither waited for nor read.

    Raises:
        FileNotFoundError: the path does not exist.
        OSError: it cannot be opened.
        StateError: it is not a regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    kind = kind_of(os.stat(path).st_mode) if os.name == "nt" else None  # on Windows, directories cannot be opened
    descriptor = -1 if kind else os.open(path, flags)
    if descriptor >= 0:
        kind = kind_of(os.fstat(descriptor).st_mode)
    if kind is not None:
        if descriptor >= 0:
            os.close(descriptor)
        raise StateError(f"{path} is {kind}, not a file", hint="Give the path of a file, or an unused one.")
    return descriptor


def why_foreign(path: str) -> str | None:
    """Return why a file may be another user's; None if it is certainly this user's own.

    Raises:
        OSError: it cannot be inspected.
    """
    if os.name == "nt":  # directories of a profile are private to the user
        return None
    found = os.lstat(path)
    kind = kind_of(found.st_mode)
    if kind is not None:
        return f"it is {kind}"
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    if _others_write(found):
        return "others may write to it"
    return why_open(os.path.dirname(os.path.abspath(path)))


def why_open(directory: str) -> str | None:
    """Return why others may write to a directory; None if only this user and root may.

    Raises:
        OSError: it cannot be inspected.
    """
    if os.name == "nt":
        return None
    found = os.stat(directory)
    if found.st_uid not in (os.geteuid(), 0):
        return f"its directory {directory} belongs to another user"
    return f"others may write to its directory {directory}" if _others_write(found) else None


def _others_write(found: os.stat_result) -> bool:
    """Return whether other users may write; a group with only this user does not count."""
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and not _is_own_group(found.st_gid)


def _is_own_group(group_id: int) -> bool:
    if group_id == 0 and os.geteuid() == 0:
        return True
    try:
        own, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(group_id)
    except KeyError:
        return False
    if group_id != own.pw_gid or not set(group.gr_mem) <= {own.pw_name}:
        return False
    return all(user.pw_uid == own.pw_uid for user in pwd.getpwall() if user.pw_gid == group_id)


def private_directory(parent: str) -> str:
    """Return the path of a private directory below a shared one, creating it if missing.

    Raises:
        OSError: another user owns it, or it cannot be created.
    """
    path = private_name(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not is_private_directory(path):
            raise
    return path


def private_name(parent: str) -> str:
    """Return the path of that directory, which may be missing or another user's."""
    return os.path.join(parent, f"draftgenie-{os.geteuid() if hasattr(os, 'geteuid') else 'state'}")


def is_private_directory(path: str) -> bool:
    """Return whether a path is a directory, not a link, that only this user may enter."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    return os.name == "nt" or (found.st_uid == os.geteuid() and not found.st_mode & 0o077)
