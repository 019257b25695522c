"""Hashes of what a build context ships: of files that hold still, of the dependencies on them, and of the whole."""

from __future__ import annotations

import hashlib
import os
import stat

from draftgenie_azure.build_context.names import as_bytes, escape
from draftgenie_azure.errors import BuildError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from draftgenie_azure.build_context.listing import Entry

BLOCK = 65536  # larger buffers are mapped and unmapped for each file, which costs more than it saves
_ATTEMPTS = 5
_EXECUTABLE = hashlib.sha256(b"x").hexdigest()
_PLAIN = hashlib.sha256(b"-").hexdigest()
_NOTHING = hashlib.sha256(b"").hexdigest()
_OPEN = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # what became a pipe since it was listed must not make us wait
)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


def is_executable(mode: int) -> bool:
    """Tell whether its owner may execute a file; on Windows every file is so, as Docker ships it."""
    return os.name == "nt" or bool(mode & stat.S_IXUSR)


def stamp_of(status: os.stat_result) -> int:
    """What is another number after a change. Windows' ctime is the time of birth; elsewhere nobody can set it back."""
    return status.st_mtime_ns if os.name == "nt" else status.st_ctime_ns


def stamp(absolute: str) -> int | None:
    """The stamp of what lies there, or None where nothing does."""
    try:
        return stamp_of(os.stat(absolute, follow_symlinks=False))
    except OSError:
        return None


def unreadable(name: str, error: OSError) -> BuildError:
    """The error for something that cannot be read."""
    return BuildError(f"cannot read {escape(name)}: {error.strerror or error}")


def note_file(result: dict[str, str], path: str, digest: str, executable: bool) -> None:
    """Write down the dependencies on a file: its content and its executable bit."""
    name = escape(path)
    result["file:" + name] = digest
    result["mode:" + name] = _EXECUTABLE if executable else _PLAIN


def note_other(result: dict[str, str], entry: Entry) -> None:
    """Write down the dependency on a link or an empty directory."""
    if entry.kind == "link":
        result["link:" + escape(entry.path)] = hashlib.sha256(as_bytes(entry.target)).hexdigest()
    else:
        result["file:" + escape(entry.path) + "/"] = _NOTHING


def open_file(absolute: str, name: str, *, follow: bool = False) -> tuple[int, os.stat_result]:
    """Open a regular file without waiting, and without following a link that took its place."""
    try:
        descriptor = os.open(absolute, _OPEN if follow else _OPEN | _NOFOLLOW)
    except OSError as error:
        raise unreadable(name, error) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise BuildError(f"cannot read {escape(name)}: it is not a regular file")
    return descriptor, status


def hash_file(
    absolute: str, name: str, *, follow: bool = False, keep: list[bytes] | None = None
) -> tuple[str, os.stat_result]:
    """SHA-256 and status of a file that holds still while it is read.

    Args:
        name: for messages.
        follow: whether a link is followed.
        keep: filled with the content.
    """
    for _ in range(_ATTEMPTS):
        descriptor, before = open_file(absolute, name, follow=follow)
        try:
            size = before.st_size
            block = os.read(descriptor, BLOCK)
            digest = hashlib.sha256(block)
            if keep is not None:
                keep[:] = [block]
            count = len(block)
            while block and count < size:  # the size spares every small file a last, empty read
                block = os.read(descriptor, BLOCK)
                digest.update(block)
                count += len(block)
                if keep is not None:
                    keep.append(block)
            after = os.fstat(descriptor)
        except OSError as error:
            raise unreadable(name, error) from error
        finally:
            os.close(descriptor)
        if after.st_mtime_ns == before.st_mtime_ns and after.st_size == size == count:
            return digest.hexdigest(), before
    raise BuildError(
        f"cannot read {escape(name)}: it changes while it is read",
        hint="Wait until whatever writes it is done, or put it into .dockerignore.",
    )


def content_tag(
    context_sha256: str,
    dockerfile: str,
    target: str | None,
    platform: str,
    build_arguments: Mapping[str, str],
) -> str:
    """The tag of an image, which is the same exactly if what it is built from is.

    Args:
        context_sha256: `PackResult.sha256`.
        dockerfile: the Dockerfile's path in the pack.
        target: the wanted stage, or None.
        platform: such as `linux/amd64`.
        build_arguments: names and values; for secret ones the caller gives their hash as value.

    Returns:
        32 characters, lower-case hex.
    """
    parts = [context_sha256, dockerfile, "" if target is None else "=" + target, platform]
    for name in sorted(build_arguments):
        parts += [name, build_arguments[name]]
    # Each part with its length, so that no two lists of parts read the same.
    data = b"".join(b"%d:%s" % (len(part), part) for part in map(as_bytes, parts))
    return hashlib.sha256(data).hexdigest()[:32]
