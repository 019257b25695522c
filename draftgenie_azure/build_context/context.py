"""The build context of a Dockerfile: listed and hashed.

A context is what the Dockerfile's `COPY`, `ADD` and bind mounts can reach (`dockerfile.py`) minus what the ignore file
excludes (`dockerignore.py`), always with the Dockerfile and the ignore file themselves. Links are shipped as links and
never followed; named pipes, sockets and devices are neither shipped nor opened. An empty directory is
`file:<path>/` with the hash of the empty string.
"""

from __future__ import annotations

import os

from draftgenie_azure.build_context import dockerfile as dockerfiles
from draftgenie_azure.build_context.dockerignore import read_ignore_file
from draftgenie_azure.build_context.hashing import Entry, is_executable, note_file, note_other, unreadable
from draftgenie_azure.build_context.listing import Listing
from draftgenie_azure.build_context.names import as_bytes, escape, leads_out, places, relative
from draftgenie_azure.digests import sha256
from draftgenie_azure.errors import BuildError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Context:
    """The build context of one Dockerfile.

    Everything is read lazily and once; `unread` returns a fresh context.

    Args:
        root: the directory that the Dockerfile's paths are relative to.
        dockerfile: absolute, or relative to `root`; it may be outside of it.
        target: the target stage; the last by default.
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
        tree: Listing | None = None,
    ) -> None:
        self.tree = tree or Listing(root)
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
        """The Dockerfile's path in the archive: its own, or a generated name if it is not below the root.

        Raises:
            BuildError: it must be packed under another name and cannot be read.
        """
        inside = relative(self.dockerfile, self.root)
        if self._is_inside_tree(inside):
            return inside
        return ".dockerfile-" + sha256(self._dockerfile_bytes())[:16]

    @property
    def dockerfile_text(self) -> str:
        """Return the Dockerfile's text.

        Raises:
            BuildError: it cannot be read.
        """
        return self._dockerfile_bytes().decode("utf-8", "surrogateescape")

    @property
    def reach(self) -> dockerfiles.Reach:
        """Return what the Dockerfile reaches; `everything` also if a source goes through a link.

        Raises:
            BuildError: the Dockerfile cannot be read.
        """
        if self._reach is None:
            self._reach = dockerfiles.reachable(
                self.dockerfile_text, target=self.target, every_stage=self.every_stage
            )
        return self._reach

    def files(self) -> list[Entry]:
        """Return all entries shipped, sorted bytewise by path; the Dockerfile and ignore file only if also copied.

        Returns:
            Entries, with the executable bit read.

        Raises:
            BuildError: something cannot be read.
        """
        entries = self._entries()
        for entry in entries:
            if entry.kind == "file":
                try:
                    entry.executable = is_executable(os.lstat(self.tree.absolute(entry.path)).st_mode)
                except OSError as error:
                    raise unreadable(entry.path, error) from error
        return entries

    def dependencies(self) -> dict[str, str]:
        """Return the image's dependencies: `file:`, `mode:` and `link:` names with SHA-256 in lower-case hex.

        Raises:
            BuildError: a file cannot be read, or keeps changing.
        """
        if self._dependencies is not None:
            return dict(self._dependencies)
        entries = self._entries()
        digests = self.tree.digests(entry.path for entry in entries if entry.kind == "file")
        result: dict[str, str] = {}
        for entry in entries:
            if entry.kind == "file":
                digest, entry.executable = digests[entry.path]
                note_file(result, entry.path, digest, entry.executable)
            else:
                note_other(result, entry)
        for path, _, data in self.extras():
            result.setdefault("file:" + escape(path), sha256(data))
        self._dependencies = result
        return dict(result)

    def unread(self) -> Context:
        """Return the same context with nothing read yet."""
        return Context(
            self.root, self.dockerfile, target=self.target, exclude=self.exclude, every_stage=self.every_stage
        )

    @property
    def ignore_file(self) -> str:
        """The ignore file, relative to the root; the default one if there is none."""
        path, _ = self._ignore_file()
        return relative(path, self.root) if path else ".dockerignore"

    @property
    def ignore_lines(self) -> tuple[str, ...]:
        """Return the patterns of the ignore file."""
        return self._ignore_file()[1]

    def _is_inside_tree(self, inside: str) -> bool:
        """Return whether a file is inside the tree itself: below the root, and not through a link."""
        if inside.startswith("../") or os.path.isabs(inside):
            return False
        path = self.root
        for part in inside.split("/"):
            path = os.path.join(path, part)
            if os.path.islink(path):
                return False
        return True

    def _dockerfile_bytes(self) -> bytes:
        name = relative(self.dockerfile, self.root)
        self._refuse_way_out(self.dockerfile, name)
        data = self.tree.text(self.dockerfile, name)
        if data is None:
            raise BuildError(
                f"there is no Dockerfile {name} in {self.root}",
                hint="Check `dockerfile` of the service and `docker.build_context`.",
            )
        return data

    def _refuse_way_out(self, path: str, name: str) -> None:
        """Reject a path inside the tree that leads to a file outside, which would be uploaded."""
        if not name.startswith("../") and leads_out(path, self.root):
            raise BuildError(
                f"{escape(name)} is a symbolic link that leads out of {self.root}",
                hint="Put the file itself there: only what is in the build context is uploaded.",
            )

    def _ignore_file(self) -> tuple[str, tuple[str, ...]]:
        """Return the ignore file's absolute path (empty if there is none) and its patterns."""
        if self._ignore is None:
            self._ignore = ("", ())
            for path in (self.dockerfile + ".dockerignore", os.path.join(self.root, ".dockerignore")):
                self._refuse_way_out(path, relative(path, self.root))
                data = self.tree.text(path, relative(path, self.root))
                if data is not None:
                    self._ignore = (path, tuple(read_ignore_file(data)))
                    break
        return self._ignore

    def extras(self) -> list[tuple[str, str, bytes]]:
        """Return Dockerfile and ignore file as (name for the hash, path in the archive, content)."""
        in_pack = self.dockerfile_in_pack
        extras = [(relative(self.dockerfile, self.root), in_pack, self._dockerfile_bytes())]
        path, _ = self._ignore_file()
        if path:
            inside = relative(path, self.root)
            if path != os.path.join(self.root, ".dockerignore") and not self._is_inside_tree(inside):
                extras.append((inside, in_pack + ".dockerignore", self.tree.text(path, inside) or b""))
            else:
                extras.append((inside, inside, self.tree.text(path, inside) or b""))
        return extras

    def _entries(self) -> list[Entry]:
        if self._listed is None:
            reach = self.reach
            found: list[Entry] = []
            if not self._walk(found, reach, self._ignore_file()[1]):
                # A source goes through a link. BuildKit follows it within the context; we ship everything instead.
                self._reach = dockerfiles.Reach(None, why="a source goes through a symbolic link")
                found = []
                self._walk(found, self._reach, self._ignore_file()[1])
            found.sort(key=lambda entry: as_bytes(entry.path))
            self._listed = found
        return self._listed

    def _walk(self, found: list[Entry], reach: dockerfiles.Reach, lines: tuple[str, ...]) -> bool:
        """Collect what is shipped; return False if a source goes through a link."""
        excluded = places(self.exclude, self.root)
        directories = [""]
        bare = []  # directories shipped as such: neither ignored nor reached only in part
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
        for path in reversed(bare):  # parents were found before their children
            if path not in occupied:
                found.append(Entry(path, "directory"))
                _occupy(path, occupied)
        return True


class Tree(Listing):
    """A directory and the build contexts taken from it."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._contexts: dict[tuple[object, ...], Context] = {}

    def context(
        self, dockerfile: str, *, target: str | None = None, exclude: Sequence[str] = (), every_stage: bool = False
    ) -> Context:
        """Return a `Context` of this tree; the arguments are those of `Context`."""
        key = (dockerfile, target, tuple(exclude), every_stage)
        if key not in self._contexts:
            self._contexts[key] = Context(
                self.root, dockerfile, target=target, exclude=exclude, every_stage=every_stage, tree=self
            )
        return self._contexts[key]


def _occupy(path: str, occupied: set[str]) -> None:
    end = path.rfind("/")
    while end != -1:
        path = path[:end]
        if path in occupied:
            return
        occupied.add(path)
        end = path.rfind("/")
