"""What a Dockerfile ships: listing, hashing and packing of a build context, in one place so that they agree.

The context is what the Dockerfile's `COPY`, `ADD` and bind mounts can reach (`dockerfile.py`) of what the ignore file
leaves (`dockerignore.py`), always with the Dockerfile and the ignore file themselves. Links are shipped as links and
never followed; named pipes, sockets and devices are not shipped and never opened.

Names in hashes are paths with three things escaped, so that every name is one line of valid UTF-8 and no two files
share one: a backslash is `\\\\`, and a control character or a byte that is not UTF-8 is `\\x` and two hexadecimal
digits.
An empty directory is `file:<path>/`, with the hash of nothing.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import time

from draftgenie_azure.build_context import dockerfile as dockerfiles
from draftgenie_azure.build_context.dockerignore import Matcher, read_ignore_file
from draftgenie_azure.errors import BuildError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Protocol

    class Writer(Protocol):
        """Where a pack goes: anything with a `write` for bytes."""

        def write(self, data: bytes, /) -> object:
            """Take the bytes."""


NEVER = frozenset(
    {
        *(".git", ".hg", ".svn", ".bzr", ".venv"),  # as the Azure CLI does
        *(".azure-deployment-history", ".azure-emulator", "azure-deployment.log", "azure-deployment-summary.md"),
    }
)
NEVER_BEGINNING = (".azure-deployment-state", "azure-deployment-v1.log")

_BLOCK = 65536  # larger buffers are mapped and unmapped for each file, which costs more than it saves
_ATTEMPTS = 5
_RACY = 100_000_000  # nanoseconds; the clocks of file systems go in steps
_MANY = 1000  # files from which a second thread pays
_EXECUTABLE = hashlib.sha256(b"x").hexdigest()
_PLAIN = hashlib.sha256(b"-").hexdigest()
_NOTHING = hashlib.sha256(b"").hexdigest()
_OPEN = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # what became a pipe since it was listed must not make us wait
)
# Names of files are bytes, taken for UTF-8 whatever the locale says, so that every machine hashes and packs the same.
_UTF_8 = sys.getfilesystemencoding() == "utf-8"
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


class PackResult:
    """What was packed.

    Attributes:
        sha256: of the tar before compression, in lower-case hex, so that it does not depend on the zlib at hand.
        size: bytes written, compressed.
        dependencies: as `Context.dependencies()`, but of the bytes that went into the pack.
    """

    __slots__ = ("dependencies", "sha256", "size")

    def __init__(self, sha256: str, size: int, dependencies: dict[str, str]) -> None:
        self.sha256 = sha256
        self.size = size
        self.dependencies = dependencies


class Tree:
    """A folder that build contexts are taken from, listed and hashed once however many contexts share it.

    It remembers what it saw: make one for each run, or ask `is_current` before. Not for several threads at once.

    Args:
        root: the folder.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self._prefix = os.path.join(self.root, "")
        self._listings: dict[str, list[tuple[str, str]]] = {}
        self._kept: dict[tuple[str, ...], dict[str, list[tuple[str, str, bool]]]] = {}
        self._matchers: dict[tuple[str, ...], tuple[Matcher, dict[str, tuple[bool, ...]]]] = {}
        self._files: dict[str, tuple[str, bool]] = {}
        self._targets: dict[str, str] = {}
        self._texts: dict[str, bytes | None] = {}
        self._stamps: dict[str, int | None] = {}
        self._settled = 0  # so many of them were looked at once more
        self._contexts: dict[tuple[object, ...], Context] = {}
        self._began = time.time_ns()

    def is_current(self) -> bool:
        """Whether what it remembers is surely what is there.

        As git does, what changed shortly before it was seen is not trusted: a second change may have the same stamp.
        """
        newest = max((stamp for stamp in self._stamps.values() if stamp is not None), default=0)
        self._settled = 0
        return newest < self._began - _RACY and self.changed() is None

    def changed(self) -> str | None:
        """The first thing, by its name on this machine, that changed while others were listed or hashed here.

        Each file is seen at a moment of its own. Only if none of them moved since are they what was there at once: a
        `git checkout` in the middle of hashing would else show half of one commit and half of another.
        """
        if self._settled < len(self._stamps):
            for absolute, stamp in self._stamps.items():
                if _stamp(absolute) != stamp:
                    return absolute
            self._settled = len(self._stamps)
        return None

    def context(
        self, dockerfile: str, *, target: str | None = None, exclude: Sequence[str] = (), every_stage: bool = False
    ) -> Context:
        """A `Context` of this tree; the arguments are those of `Context`."""
        key = (dockerfile, target, tuple(exclude), every_stage)
        if key not in self._contexts:
            self._contexts[key] = Context(
                self.root, dockerfile, target=target, exclude=exclude, every_stage=every_stage, tree=self
            )
        return self._contexts[key]

    def absolute(self, path: str) -> str:
        """Where `path`, relative to the root and with slashes, is on this machine."""
        if _UTF_8:
            return self._prefix + path  # os.path.join costs half a millisecond for 700 files
        return self._prefix + os.fsdecode(path.encode("utf-8", "surrogateescape"))

    def listing(self, directory: str) -> list[tuple[str, str]]:
        """Path and kind of what a directory holds and Docker can ship.

        Args:
            directory: relative to the root, with slashes; empty for the root itself.

        Raises:
            BuildError: it cannot be read.
        """
        found = self._listings.get(directory)
        if found is None:
            found = []
            above = directory + "/" if directory else ""
            absolute = self.absolute(directory) if directory else self.root
            self._stamps[absolute] = _stamp(absolute)
            try:
                with os.scandir(absolute) as entries:
                    for entry in entries:
                        name = entry.name if _UTF_8 else _as_utf_8(entry.name)
                        if name in NEVER or name.startswith(NEVER_BEGINNING):
                            continue
                        if entry.is_symlink():
                            found.append((above + name, "link"))
                        elif entry.is_file(follow_symlinks=False):
                            found.append((above + name, "file"))
                        elif entry.is_dir(follow_symlinks=False):
                            found.append((above + name, "directory"))
            except OSError as error:
                raise _unreadable(directory or self.root, error) from error
            self._listings[directory] = found
        return found

    def kept(self, directory: str, lines: tuple[str, ...]) -> list[tuple[str, str, bool]]:
        """Path, kind and "ignored" of what an ignore file leaves in a directory.

        An ignored directory is in it, marked, if something below it may be kept.

        Args:
            directory: relative to the root, with slashes; empty for the root itself. Those above it come first.
            lines: the ignore file's patterns.
        """
        cache = self._kept.setdefault(lines, {})
        found = cache.get(directory)
        if found is None:
            matcher, states = self._matcher(lines)
            state = matcher.top
            if directory:
                state = states[directory] = matcher.below(directory, states[os.path.dirname(directory)])
            found = []
            for path, kind in self.listing(directory):
                if not matcher.ignored_in(path, state):
                    found.append((path, kind, False))
                elif kind == "directory" and not matcher.can_skip_directory(path):
                    found.append((path, kind, True))
            cache[directory] = found
        return found

    def _matcher(self, lines: tuple[str, ...]) -> tuple[Matcher, dict[str, tuple[bool, ...]]]:
        """The matcher of an ignore file's patterns, and its state in the directories that were listed."""
        if lines not in self._matchers:
            matcher = Matcher(lines)
            self._matchers[lines] = matcher, {"": matcher.top}
        return self._matchers[lines]

    def digests(self, paths: Iterable[str]) -> dict[str, tuple[str, bool]]:
        """SHA-256 and executable bit of files; each is read once, whoever asks.

        Args:
            paths: relative to the root, with slashes.

        Raises:
            BuildError: a file cannot be read, or does not stop changing.
        """
        missing = [path for path in paths if path not in self._files]
        if len(missing) < _MANY:
            for path in missing:
                self._hash(path)
        else:
            self._hash_in_two_threads(missing)
        return self._files

    def _hash(self, path: str) -> None:
        absolute = self.absolute(path)
        digest, status = _hash_file(absolute, path)
        self._files[path] = digest, _is_executable(status.st_mode)
        self._stamps[absolute] = _stamp_of(status)

    def _hash_in_two_threads(self, paths: list[str]) -> None:
        import threading

        failures: list[BuildError] = []

        def work(part: list[str]) -> None:
            try:
                for path in part:
                    if failures:
                        return
                    self._hash(path)
            except BuildError as error:
                failures.append(error)

        helper = threading.Thread(target=work, args=(paths[1::2],), daemon=True)
        helper.start()
        work(paths[::2])
        helper.join()
        if failures:
            raise failures[0]

    def target(self, path: str) -> str:
        """The text of a link."""
        text = self._targets.get(path)
        if text is None:
            try:
                text = os.readlink(self.absolute(path))
                text = text if _UTF_8 else _as_utf_8(text)
            except OSError as error:
                raise _unreadable(path, error) from error
            self._targets[path] = text
        return text

    def text(self, absolute: str, name: str) -> bytes | None:
        """The bytes of a Dockerfile or ignore file, through links; None where there is none."""
        if absolute not in self._texts:
            parts: list[bytes] = []
            try:
                _, status = _hash_file(absolute, name, follow=True, keep=parts)
            except BuildError as error:
                if not isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
                    raise
                self._texts[absolute] = self._stamps[absolute] = None
            else:
                self._texts[absolute] = b"".join(parts)
                if not os.path.islink(absolute):
                    self._stamps[absolute] = _stamp_of(status)
        return self._texts[absolute]


class Context:
    """What one Dockerfile ships.

    Nothing is read before it is asked for, and each thing once; `pack` alone reads all anew.

    Args:
        root: the folder that the Dockerfile's paths count from.
        dockerfile: absolute, or relative to `root`; it may lie outside of it.
        target: the stage that is wanted; the last by default.
        exclude: absolute paths that are not shipped: the deployment's own files.
        every_stage: see `dockerfile.reachable`.
        tree: shared with other contexts of the same root; `Tree.context` passes it.
    """

    def __init__(
        self,
        root: str,
        dockerfile: str,
        *,
        target: str | None = None,
        exclude: Sequence[str] = (),
        every_stage: bool = False,
        tree: Tree | None = None,
    ) -> None:
        self.tree = tree or Tree(root)
        self.root = self.tree.root
        self.dockerfile = os.path.abspath(os.path.join(self.root, dockerfile))
        self.target = target
        self.every_stage = every_stage
        self.exclude = tuple(exclude)
        self._reach: dockerfiles.Reach | None = None
        self._listed: list[Entry] | None = None
        self._ignore: tuple[str, tuple[str, ...]] | None = None
        self._dependencies: dict[str, str] | None = None

    @property
    def dockerfile_in_pack(self) -> str:
        """The Dockerfile's path in the pack: where it lies, or a name of its own if that is not below the root.

        Raises:
            BuildError: it is to be packed under another name and cannot be read.
        """
        inside = _relative(self.dockerfile, self.root)
        if self._lies_inside(inside):
            return inside
        return ".dockerfile-" + hashlib.sha256(self._dockerfile_bytes()).hexdigest()[:16]

    @property
    def reach(self) -> dockerfiles.Reach:
        """What the Dockerfile reaches; `everything` also where a source goes through a link.

        Raises:
            BuildError: the Dockerfile cannot be read.
        """
        if self._reach is None:
            text = self._dockerfile_bytes().decode("utf-8", "surrogateescape")
            self._reach = dockerfiles.reachable(text, target=self.target, every_stage=self.every_stage)
        return self._reach

    def files(self) -> list[Entry]:
        """All that is shipped, sorted bytewise by path; the Dockerfile and ignore file only if they are shipped, too.

        Returns:
            Entries, with the executable bit read.

        Raises:
            BuildError: something cannot be read.
        """
        entries = self._entries()
        for entry in entries:
            if entry.kind == "file":
                try:
                    entry.executable = _is_executable(os.lstat(self.tree.absolute(entry.path)).st_mode)
                except OSError as error:
                    raise _unreadable(entry.path, error) from error
        return entries

    def dependencies(self) -> dict[str, str]:
        """What the image depends on: `file:`, `mode:` and `link:` names with SHA-256 in lower-case hex.

        Raises:
            BuildError: a file cannot be read, or does not stop changing.
        """
        if self._dependencies is not None:
            return dict(self._dependencies)
        entries = self._entries()
        digests = self.tree.digests(entry.path for entry in entries if entry.kind == "file")
        result: dict[str, str] = {}
        for entry in entries:
            if entry.kind == "file":
                digest, entry.executable = digests[entry.path]
                _note_file(result, entry.path, digest, entry.executable)
            else:
                _note_other(result, entry)
        for path, _, data in self._extras():
            result.setdefault("file:" + escape(path), hashlib.sha256(data).hexdigest())
        self._dependencies = result
        return dict(result)

    def pack(self, destination: str | os.PathLike[str] | Writer) -> PackResult:
        """Write the context as tar.gz, in constant memory and the same for the same content.

        All is listed and read anew, so that the result can be compared with what was hashed before.

        Args:
            destination: a path, or an object with `write`.

        Returns:
            Hash, size, and the dependencies of the very bytes that were packed.

        Raises:
            BuildError: something cannot be read, or changed while it was packed.
        """
        if isinstance(destination, (str, os.PathLike)):
            with open(destination, "wb") as file:
                return self.pack(file)
        fresh = Context(
            self.root, self.dockerfile, target=self.target, exclude=self.exclude, every_stage=self.every_stage
        )
        return _pack(fresh, destination)

    def _lies_inside(self, inside: str) -> bool:
        """Whether a file is at this place of the tree itself: below the root, and not by way of a link."""
        if inside.startswith("../") or os.path.isabs(inside):
            return False
        path = self.root
        for part in inside.split("/"):
            path = os.path.join(path, part)
            if os.path.islink(path):
                return False
        return True

    def _dockerfile_bytes(self) -> bytes:
        name = _relative(self.dockerfile, self.root)
        data = self.tree.text(self.dockerfile, name)
        if data is None:
            raise BuildError(
                f"there is no Dockerfile {name} in {self.root}",
                hint="Look at `dockerfile` of the service, and at `docker.build_context`.",
            )
        return data

    def _ignore_file(self) -> tuple[str, tuple[str, ...]]:
        """The ignore file's absolute path, empty where there is none, and its patterns."""
        if self._ignore is None:
            self._ignore = ("", ())
            for path in (self.dockerfile + ".dockerignore", os.path.join(self.root, ".dockerignore")):
                data = self.tree.text(path, _relative(path, self.root))
                if data is not None:
                    self._ignore = (path, tuple(read_ignore_file(data)))
                    break
        return self._ignore

    def _extras(self) -> list[tuple[str, str, bytes]]:
        """Dockerfile and ignore file: name for the hash, path in the pack, content."""
        in_pack = self.dockerfile_in_pack
        extras = [(_relative(self.dockerfile, self.root), in_pack, self._dockerfile_bytes())]
        path, _ = self._ignore_file()
        if path:
            inside = _relative(path, self.root)
            if path != os.path.join(self.root, ".dockerignore") and not self._lies_inside(inside):
                extras.append((inside, in_pack + ".dockerignore", self.tree.text(path, inside) or b""))
            else:
                extras.append((inside, inside, self.tree.text(path, inside) or b""))
        return extras

    def _entries(self) -> list[Entry]:
        if self._listed is None:
            reach = self.reach
            found: list[Entry] = []
            if not self._walk(found, reach, self._ignore_file()[1]):
                # A source goes through a link. BuildKit follows it within the context; we take all instead.
                self._reach = dockerfiles.Reach(None, why="a source goes through a symbolic link")
                found = []
                self._walk(found, self._reach, self._ignore_file()[1])
            found.sort(key=lambda entry: _bytes(entry.path))
            self._listed = found
        return self._listed

    def _walk(self, found: list[Entry], reach: dockerfiles.Reach, lines: tuple[str, ...]) -> bool:
        """Collect what is shipped; False where a source goes through a link."""
        excluded = _places(self.exclude, self.root)
        directories = [""]
        bare = []  # directories that are shipped for themselves: neither ignored nor reached only in parts
        while directories:
            for path, kind, ignored in self.tree.kept(directories.pop(), lines):
                if path in excluded:
                    continue
                if kind == "directory":
                    if reach.enters(path):
                        directories.append(path)
                        if not ignored and reach.covers(path):
                            bare.append(path)
                elif kind == "link" and reach.passes(path):
                    return False
                elif reach.covers(path):
                    found.append(Entry(path, kind, target=self.tree.target(path) if kind == "link" else ""))
        occupied: set[str] = set()
        for entry in found:
            _occupy(entry.path, occupied)
        for path in reversed(bare):  # a directory was found before those below it
            if path not in occupied:
                found.append(Entry(path, "directory"))
                _occupy(path, occupied)
        return True


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
    data = b"".join(b"%d:%s" % (len(part), part) for part in map(_bytes, parts))
    return hashlib.sha256(data).hexdigest()[:32]


def escape(path: str) -> str:
    """A path as it stands in names of dependencies; the module's docstring tells how it is written.

    Args:
        path: UTF-8, other bytes escaped as Python does.

    Returns:
        One line that can be encoded as UTF-8; another one for every other path.
    """
    if "\\" not in path and path.isprintable():
        return path
    parts = []
    for character in path:
        code = ord(character)
        if character == "\\":
            parts.append("\\\\")
        elif code < 0x20 or code == 0x7F:
            parts.append(f"\\x{code:02x}")
        elif 0xDC80 <= code <= 0xDCFF:
            parts.append(f"\\x{code - 0xDC00:02x}")
        elif 0xD800 <= code <= 0xDFFF:  # Windows lets half a pair stand in a name
            parts.append(f"\\u{code:04x}")
        else:
            parts.append(character)
    return "".join(parts)


def _as_utf_8(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return os.fsencode(text) if _UTF_8 else text.encode("utf-8", "surrogateescape")


def _relative(absolute: str, root: str) -> str:
    try:
        return os.path.relpath(absolute, root).replace(os.sep, "/")
    except ValueError:  # Windows: on another drive
        return "../" + os.path.basename(absolute)


def _places(paths: Iterable[str], root: str) -> set[str]:
    """Where absolute paths are in the tree, as they are given and with the links above them resolved."""
    found = set()
    for path in paths:
        absolute = os.path.abspath(path)
        real = os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))
        found |= {_relative(absolute, root), _relative(real, os.path.realpath(root))}
    return found


def _occupy(path: str, occupied: set[str]) -> None:
    end = path.rfind("/")
    while end != -1:
        path = path[:end]
        if path in occupied:
            return
        occupied.add(path)
        end = path.rfind("/")


def _is_executable(mode: int) -> bool:
    return os.name == "nt" or bool(mode & stat.S_IXUSR)


def _stamp_of(status: os.stat_result) -> int:
    """What is another number after a change. Windows' ctime is the time of birth; elsewhere nobody can set it back."""
    return status.st_mtime_ns if os.name == "nt" else status.st_ctime_ns


def _stamp(absolute: str) -> int | None:
    try:
        return _stamp_of(os.stat(absolute, follow_symlinks=False))
    except OSError:
        return None


def _unreadable(name: str, error: OSError) -> BuildError:
    return BuildError(f"cannot read {escape(name)}: {error.strerror or error}")


def _note_file(result: dict[str, str], path: str, digest: str, executable: bool) -> None:
    name = escape(path)
    result["file:" + name] = digest
    result["mode:" + name] = _EXECUTABLE if executable else _PLAIN


def _note_other(result: dict[str, str], entry: Entry) -> None:
    if entry.kind == "link":
        result["link:" + escape(entry.path)] = hashlib.sha256(_bytes(entry.target)).hexdigest()
    else:
        result["file:" + escape(entry.path) + "/"] = _NOTHING


def _open(absolute: str, name: str, *, follow: bool = False) -> tuple[int, os.stat_result]:
    """Open a regular file without waiting, and without following a link that took its place."""
    try:
        descriptor = os.open(absolute, _OPEN if follow else _OPEN | _NOFOLLOW)
    except OSError as error:
        raise _unreadable(name, error) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise BuildError(f"cannot read {escape(name)}: it is not a regular file")
    return descriptor, status


def _hash_file(
    absolute: str, name: str, *, follow: bool = False, keep: list[bytes] | None = None
) -> tuple[str, os.stat_result]:
    """SHA-256 and status of a file that holds still while it is read.

    Args:
        name: for messages.
        follow: whether a link is followed.
        keep: filled with the content.
    """
    for _ in range(_ATTEMPTS):
        descriptor, before = _open(absolute, name, follow=follow)
        try:
            size = before.st_size
            block = os.read(descriptor, _BLOCK)
            digest = hashlib.sha256(block)
            if keep is not None:
                keep[:] = [block]
            count = len(block)
            while block and count < size:  # the size spares every small file a last, empty read
                block = os.read(descriptor, _BLOCK)
                digest.update(block)
                count += len(block)
                if keep is not None:
                    keep.append(block)
            after = os.fstat(descriptor)
        except OSError as error:
            raise _unreadable(name, error) from error
        finally:
            os.close(descriptor)
        if after.st_mtime_ns == before.st_mtime_ns and after.st_size == size == count:
            return digest.hexdigest(), before
    raise BuildError(
        f"cannot read {escape(name)}: it changes while it is read",
        hint="Wait until whatever writes it is done, or put it into .dockerignore.",
    )


class _Archive:
    """A tar.gz that is written piece by piece: no list of members is kept, and time, owner and names are left out."""

    def __init__(self, destination: Writer) -> None:
        import zlib

        self._destination = destination
        self._compressor = zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: with a gzip header, its time 0
        self._hash = hashlib.sha256()
        self.size = 0

    def header(self, path: str, kind: str, *, size: int = 0, mode: int = 0o644, target: str = "") -> None:
        import tarfile

        member = tarfile.TarInfo(path)
        member.size = size
        member.mode = mode
        member.linkname = target
        member.type = {"file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "directory": tarfile.DIRTYPE}[kind]
        # PAX, for names that are long, not ASCII, or not even UTF-8.
        self.write(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self._out(self._compressor.compress(data))

    def pad(self, size: int) -> None:
        self.write(bytes(-size % 512))

    def close(self) -> str:
        self.write(bytes(1024))
        self._out(self._compressor.flush())
        return self._hash.hexdigest()

    def _out(self, data: bytes) -> None:
        if data:
            self._destination.write(data)
            self.size += len(data)


def _pack(context: Context, destination: Writer) -> PackResult:
    archive = _Archive(destination)
    dependencies: dict[str, str] = {}
    extras = {in_pack: data for _, in_pack, data in context._extras()}
    entries = {entry.path: entry for entry in context.files()}
    for path in sorted({*extras, *entries}, key=_bytes):
        entry = entries.get(path)
        if entry is not None and entry.kind != "file":
            _note_other(dependencies, entry)
        data = extras.get(path)
        if data is not None:  # a Dockerfile or ignore file that is a link is packed as a file
            executable = entry is not None and entry.kind == "file" and entry.executable
            archive.header(path, "file", size=len(data), mode=0o755 if executable else 0o644)
            archive.write(data)
            archive.pad(len(data))
            if entry is not None and entry.kind == "file":
                _note_file(dependencies, path, hashlib.sha256(data).hexdigest(), executable)
        elif entry is not None and entry.kind == "file":
            _note_file(dependencies, path, *_pack_file(archive, context.tree.absolute(path), path))
        elif entry is not None and entry.kind == "link":
            archive.header(path, "link", mode=0o777, target=entry.target)
        else:
            archive.header(path, "directory", mode=0o755)
    for name, _, data in context._extras():
        dependencies.setdefault("file:" + escape(name), hashlib.sha256(data).hexdigest())
    digest = archive.close()
    return PackResult(digest, archive.size, dependencies)


def _pack_file(archive: _Archive, absolute: str, name: str) -> tuple[str, bool]:
    """Pack a file; what was packed is hashed, and a file that does not hold still is an error."""
    descriptor, before = _open(absolute, name)
    digest = hashlib.sha256()
    count = 0
    try:
        executable = _is_executable(before.st_mode)
        archive.header(name, "file", size=before.st_size, mode=0o755 if executable else 0o644)
        while count < before.st_size:
            block = os.read(descriptor, _BLOCK)
            if not block:
                break
            digest.update(block)
            archive.write(block)
            count += len(block)
        after = os.fstat(descriptor)
    except OSError as error:
        raise _unreadable(name, error) from error
    finally:
        os.close(descriptor)
    if count != before.st_size or after.st_size != count or after.st_mtime_ns != before.st_mtime_ns:
        raise BuildError(
            f"cannot pack {escape(name)}: it changed while it was packed",
            hint="Wait until whatever writes it is done, and run again.",
        )
    archive.pad(count)
    return digest.hexdigest(), executable
