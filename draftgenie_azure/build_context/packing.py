"""Pack a build context as tar.gz in constant memory, with equal bytes for equal content."""

from __future__ import annotations

import hashlib
import os
import struct
import tarfile
import zlib

from draftgenie_azure.build_context.hashing import BLOCK, is_executable, note_file, note_other, open_file, unreadable
from draftgenie_azure.build_context.names import as_bytes, escape
from draftgenie_azure.digests import sha256
from draftgenie_azure.errors import BuildError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from draftgenie_azure.build_context.context import Context

    class Writer(Protocol):
        """The destination of an archive: anything with a `write` for bytes."""

        def write(self, data: bytes, /) -> object:
            """Write the bytes."""


# Deflate; no flags, time or compression hint, unknown operating system (RFC 1952).
_GZIP_HEADER = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))


class PackResult:
    """The result of packing a context.

    Attributes:
        sha256: hash of the tar before compression, in lower-case hex, and so independent of the zlib version.
        size: bytes written, compressed.
        dependencies: like `Context.dependencies()`, but of the bytes that were packed.
        sizes: sizes of the files, by path.
    """

    __slots__ = ("dependencies", "sha256", "size", "sizes")

    def __init__(self, sha256: str, size: int, dependencies: dict[str, str], sizes: dict[str, int]) -> None:
        self.sha256 = sha256
        self.size = size
        self.dependencies = dependencies
        self.sizes = sizes


def pack(context: Context, destination: str | os.PathLike[str] | Writer) -> PackResult:
    """Write a context as tar.gz.

    Everything is listed and read again, so that the result can be compared with what was hashed before.

    Args:
        context: the context to pack.
        destination: a path, or an object with `write`.

    Returns:
        Hash, size, and the dependencies of the bytes that were packed.

    Raises:
        BuildError: something cannot be read, or changed while it was packed.
    """
    if isinstance(destination, (str, os.PathLike)):
        with open(destination, "wb") as file:
            return pack(context, file)
    return _pack(context.unread(), destination)

class _Archive:
    """A tar.gz written as a stream; members have no time, owner or user names."""

    def __init__(self, destination: Writer) -> None:
        self._destination = destination
        self._compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._hash = hashlib.sha256()
        self._checksum = 0
        self._length = 0
        self.size = 0
        self.sizes: dict[str, int] = {}
        self._out(_GZIP_HEADER)  # zlib's own would name the operating system

    def header(self, path: str, kind: str, *, size: int = 0, mode: int = 0o644, target: str = "") -> None:
        member = tarfile.TarInfo(path)
        member.size = size
        if kind == "file":
            self.sizes[path] = size
        member.mode = mode
        member.linkname = target
        member.type = {"file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "directory": tarfile.DIRTYPE}[kind]
        # PAX format, for names that are long, not ASCII, or not UTF-8.
        self.write(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self._checksum = zlib.crc32(data, self._checksum)
        self._length += len(data)
        self._out(self._compressor.compress(data))

    def pad(self, size: int) -> None:
        self.write(bytes(-size % 512))

    def close(self) -> str:
        self.write(bytes(1024))
        self._out(self._compressor.flush())
        self._out(struct.pack("<II", self._checksum, self._length & 0xFFFFFFFF))
        return self._hash.hexdigest()

    def _out(self, data: bytes) -> None:
        if data:
            self._destination.write(data)
            self.size += len(data)


def _pack(context: Context, destination: Writer) -> PackResult:
    archive = _Archive(destination)
    dependencies: dict[str, str] = {}
    extras = {in_pack: data for _, in_pack, data in context.extras()}
    entries = {entry.path: entry for entry in context.files()}
    for path in sorted({*extras, *entries}, key=as_bytes):
        entry = entries.get(path)
        if entry is not None and entry.kind != "file":
            note_other(dependencies, entry)
        data = extras.get(path)
        if data is not None:  # a Dockerfile or ignore file that is a link is packed as a file
            executable = entry is not None and entry.kind == "file" and entry.executable
            archive.header(path, "file", size=len(data), mode=0o755 if executable else 0o644)
            archive.write(data)
            archive.pad(len(data))
            if entry is not None and entry.kind == "file":
                note_file(dependencies, path, sha256(data), executable)
        elif entry is not None and entry.kind == "file":
            note_file(dependencies, path, *_pack_file(archive, context.tree.absolute(path), path))
        elif entry is not None and entry.kind == "link":
            archive.header(path, "link", mode=0o777, target=entry.target)
        else:
            archive.header(path, "directory", mode=0o755)
    for name, _, data in context.extras():
        dependencies.setdefault("file:" + escape(name), sha256(data))
    digest = archive.close()
    return PackResult(digest, archive.size, dependencies, archive.sizes)


def _pack_file(archive: _Archive, absolute: str, name: str) -> tuple[str, bool]:
    """Pack and hash a file; one that changes meanwhile is an error."""
    descriptor, before = open_file(absolute, name)
    digest = hashlib.sha256()
    count = 0
    try:
        executable = is_executable(before.st_mode)
        archive.header(name, "file", size=before.st_size, mode=0o755 if executable else 0o644)
        while count < before.st_size:
            block = os.read(descriptor, BLOCK)
            if not block:
                break
            digest.update(block)
            archive.write(block)
            count += len(block)
        after = os.fstat(descriptor)
    except OSError as error:
        raise unreadable(name, error) from error
    finally:
        os.close(descriptor)
    if count != before.st_size or after.st_size != count or after.st_mtime_ns != before.st_mtime_ns:
        raise BuildError(
            f"cannot pack {escape(name)}: it changed while it was packed",
            hint="Wait until it is no longer being written, then run again.",
        )
    archive.pad(count)
    return digest.hexdigest(), executable
