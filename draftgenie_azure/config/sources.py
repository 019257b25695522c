"""Read the bytes of a configuration or environment file: from a file, a pipe (`<(…)`) or standard input (`-`)."""

from __future__ import annotations

import os
import re
import select
import stat

from draftgenie_azure.errors import ConfigError, Fault

STDIN = "-"
SIZE_LIMIT = 1_000_000
WRITER_LIMIT = 5_000  # milliseconds to wait until a named pipe is opened for writing
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]+)")


def is_stream(path: str) -> bool:
    """Return whether a path is standard input or a pipe, whose directory is unrelated to the configuration."""
    if path == STDIN or _descriptor(path) is not None:
        return True
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def fault(path: str, message: str, line: int | None = None) -> ConfigError:
    """Return an error with one fault in a file."""
    return ConfigError([Fault(message, file=path, line=line)])


def read_source(path: str) -> bytes:
    """Read all of a file, pipe or standard input, once.

    Raises:
        ConfigError: it is unreadable, a directory, a device, too large, or a pipe without a writer.
    """
    descriptor = _open(path)
    try:
        status = os.fstat(descriptor)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            raise fault(path, "is a directory, not a file")
        if kind not in (stat.S_IFREG, stat.S_IFIFO) and not (path == STDIN and kind in (stat.S_IFCHR, stat.S_IFSOCK)):
            raise fault(path, "is a device, not a file")
        if kind == stat.S_IFREG and status.st_size > SIZE_LIMIT:
            raise too_large(path)
        if kind == stat.S_IFIFO and _descriptor(path) is None:
            _await_writer(path, descriptor)
        return _read_all(path, descriptor)
    except OSError as error:
        raise fault(path, f"cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def too_large(path: str) -> ConfigError:
    """Return the error for a file over the size limit."""
    return fault(path, f"is larger than {SIZE_LIMIT:,} bytes; this is not a configuration file")


def decode(path: str, data: bytes) -> str:
    """Decode a text file.

    Raises:
        ConfigError: it is too large, is not UTF-8, or contains a NUL byte.
    """
    if len(data) > SIZE_LIMIT:
        raise too_large(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise fault(path, "is not UTF-8 text", data.count(b"\n", 0, error.start) + 1) from None
    if "\0" in text:
        raise fault(path, "contains a NUL byte: not a text file", text.count("\n", 0, text.index("\0")) + 1)
    return text


def _descriptor(path: str) -> int | None:
    """Return the open file descriptor that a path such as `/dev/fd/3` names, or None."""
    if path in (STDIN, "/dev/stdin"):
        return 0
    match = _DESCRIPTOR.fullmatch(path)
    return int(match[1]) if match else None


def _open(path: str) -> int:
    try:
        number = _descriptor(path)
        if number is not None:
            return os.dup(number)  # reopened by name, an empty pipe is indistinguishable from one without a writer
        # Non-blocking: opening a named pipe without a writer would wait forever.
        return os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise fault(path, "no such file") from None
    except (OSError, ValueError) as error:
        if path == STDIN:
            raise fault(path, "standard input is closed") from None
        if isinstance(error, OSError) and os.path.isdir(path):
            raise fault(path, "is a directory, not a file") from None
        raise fault(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _await_writer(path: str, descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(WRITER_LIMIT):
        raise fault(path, "is a pipe without a writer")
    os.set_blocking(descriptor, True)


def _read_all(path: str, descriptor: int) -> bytes:
    blocks = []
    left = SIZE_LIMIT + 1
    while left > 0 and (block := os.read(descriptor, min(left, 65536))):
        blocks.append(block)
        left -= len(block)
    if left <= 0:
        raise too_large(path)
    return b"".join(blocks)
