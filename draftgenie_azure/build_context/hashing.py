"""Hash the contents of a build context: stable files, the dependencies on them, and the whole."""

from __future__ import annotations

import hashlib
import os
import stat

from draftgenie_azure.build_context.names import as_bytes, escape
from draftgenie_azure.digests import sha256
from draftgenie_azure.errors import BuildError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


BLOCK = 65536  # larger buffers are mapped and unmapped per file, which costs more than it saves
_ATTEMPTS = 5
_EXECUTABLE = sha256(b"x")
_PLAIN = sha256(b"-")
_NOTHING = sha256(b"")
_OPEN = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a file that became a pipe since it was listed must not block
)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


class Entry:
    """One thing that is shipped.

    Attributes:
        path: relative to the context, with slashes.
        kind: `file`, `link`, or `directory` for one that is empty.
        executable: whether its owner may execute it; always so on Windows, as Docker ships it.
        target: the text of a link, else empty.
    """

    __slots__ = ("executable", "kind", "path", "target")

    def __init__(self, path: str, kind: str, *, executable: bool = False, target: str = "") -> None:
        self.path = path
        self.kind = kind
        self.executable = executable
        self.target = target

    def __repr__(self) -> str:
        return f"Entry({self.path!r}, {self.kind!r}, executable={self.executable}, target={self.target!r})"


def is_executable(mode: int) -> bool:
    """Return whether the owner may execute a file; always true on Windows, as Docker ships it."""
    return os.name == "nt" or bool(mode & stat.S_IXUSR)


def stamp_of(status: os.stat_result) -> int:
    """Return a number that changes with the file. ctime cannot be set back, but is the creation time on Windows."""
    return status.st_mtime_ns if os.name == "nt" else status.st_ctime_ns


def stamp(absolute: str) -> int | None:
    """Return the stamp of a path, or None if it does not exist."""
    try:
        return stamp_of(os.stat(absolute, follow_symlinks=False))
    except OSError:
        return None


def unreadable(name: str, error: OSError) -> BuildError:
    """Return the error for an unreadable path."""
    return BuildError(f"cannot read {escape(name)}: {error.strerror or error}")


def note_file(result: dict[str, str], path: str, digest: str, executable: bool) -> None:
    """Record the dependencies on a file: its content and its executable bit."""
    name = escape(path)
    result["file:" + name] = digest
    result["mode:" + name] = _EXECUTABLE if executable else _PLAIN


def note_other(result: dict[str, str], entry: Entry) -> None:
    """Record the dependency on a link or an empty directory."""
    if entry.kind == "link":
        result["link:" + escape(entry.path)] = sha256(as_bytes(entry.target))
    else:
        result["file:" + escape(entry.path) + "/"] = _NOTHING


def open_file(absolute: str, name: str, *, follow: bool = False) -> tuple[int, os.stat_result]:
    """Open a regular file without blocking, and without following a link that replaced it."""
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
    """Return SHA-256 and status of a file that does not change while it is read.

    Args:
        name: for messages.
        follow: follow a link.
        keep: list that receives the content.
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
            while block and count < size:  # knowing the size saves a final empty read per small file
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
        hint="Wait until it is no longer being written, or add it to .dockerignore.",
    )


def content_tag(
    context_sha256: str,
    dockerfile: str,
    target: str | None,
    platform: str,
    build_arguments: Mapping[str, str],
) -> str:
    """Return the tag of an image, which is equal exactly if all inputs of the build are.

    Args:
        context_sha256: `PackResult.sha256`.
        dockerfile: the Dockerfile's path in the archive.
        target: the target stage, or None.
        platform: such as `linux/amd64`.
        build_arguments: names and values; for secret ones the caller passes a hash as the value.

    Returns:
        32 characters, lower-case hex.
    """
    parts = [context_sha256, dockerfile, "" if target is None else "=" + target, platform]
    for name in sorted(build_arguments):
        parts += [name, build_arguments[name]]
    # Each part is prefixed with its length, so that different lists never encode equally.
    data = b"".join(b"%d:%s" % (len(part), part) for part in map(as_bytes, parts))
    return sha256(data)[:32]
