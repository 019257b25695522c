"""List and hash the directory that build contexts are taken from, once.

Links are never followed; named pipes, sockets and devices are not listed and never opened.
"""

from __future__ import annotations

import os
import threading
import time

from draftgenie_azure.build_context.dockerignore import Matcher
from draftgenie_azure.build_context.hashing import hash_file, is_executable, stamp, stamp_of, unreadable
from draftgenie_azure.build_context.names import UTF_8, as_utf_8
from draftgenie_azure.constants import EMULATOR_DIRECTORY, HISTORY_DIRECTORY, STATE_PREFIX
from draftgenie_azure.errors import BuildError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NEVER = frozenset(
    {HISTORY_DIRECTORY, EMULATOR_DIRECTORY, "azure-deployment.log", "azure-deployment-summary.md"}
)
# Not shipped unless an exception in the ignore file names it (`!.git/**`), as the Azure CLI does.
UNLESS_NAMED = (".git", ".hg", ".svn", ".bzr", ".venv")
NEVER_BEGINNING = (STATE_PREFIX, "azure-deployment-v1.log")

_RACY = 100_000_000  # nanoseconds; file system timestamps are coarse
_MANY = 1000  # number of files from which a second thread pays off


def unnamed(lines: Iterable[str]) -> frozenset[str]:
    """Return those of `UNLESS_NAMED` that no exception in an ignore file names."""
    named = {part for line in lines if line.startswith("!") for part in line[1:].split("/")}
    return frozenset(UNLESS_NAMED) - named


class Listing:
    """A directory listed and hashed once, however many build contexts share it.

    Results are cached: create one per run, or check `is_current` first. Not thread-safe.

    Args:
        root: the directory.
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
        self._settled = 0  # number of them that were checked again
        self._began = time.time_ns()

    def is_current(self) -> bool:
        """Return whether the cached results are certain to be current.

        As in git, a change shortly before it was read is not trusted: a second one may have the same stamp.
        """
        newest = max((stamp for stamp in self._stamps.values() if stamp is not None), default=0)
        self._settled = 0
        return newest < self._began - _RACY and self.changed() is None

    def changed(self) -> str | None:
        """Return the first path that changed while others were listed or hashed, or None.

        Each file is read at a different moment. Only if none changed since do they form one snapshot: a
        `git checkout` during hashing would otherwise yield half of one commit and half of another.
        """
        if self._settled < len(self._stamps):
            for absolute, seen in self._stamps.items():
                if stamp(absolute) != seen:
                    return absolute
            self._settled = len(self._stamps)
        return None

    def absolute(self, path: str) -> str:
        """Return the local absolute path of `path`, which is relative to the root with slashes."""
        if UTF_8:
            return self._prefix + path  # os.path.join costs half a millisecond for 700 files
        return self._prefix + os.fsdecode(path.encode("utf-8", "surrogateescape"))

    def listing(self, directory: str) -> list[tuple[str, str]]:
        """Return path and kind of the entries of a directory that Docker can ship.

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
            self._stamps[absolute] = stamp(absolute)
            try:
                with os.scandir(absolute) as entries:
                    for entry in entries:
                        name = entry.name if UTF_8 else as_utf_8(entry.name)
                        if name in NEVER or name.startswith(NEVER_BEGINNING):
                            continue
                        if entry.is_symlink():
                            found.append((above + name, "link"))
                        elif entry.is_file(follow_symlinks=False):
                            found.append((above + name, "file"))
                        elif entry.is_dir(follow_symlinks=False):
                            found.append((above + name, "directory"))
            except OSError as error:
                raise unreadable(directory or self.root, error) from error
            self._listings[directory] = found
        return found

    def kept(self, directory: str, lines: tuple[str, ...]) -> list[tuple[str, str, bool]]:
        """Return path, kind and "ignored" of the entries of a directory that an ignore file leaves.

        An ignored directory is included, marked as ignored, if something below it may be kept.

        Args:
            directory: relative to the root, with slashes; empty for the root itself. Parents must be listed first.
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
            left_out = unnamed(lines)
            for path, kind in self.listing(directory):
                if path.rpartition("/")[2] in left_out:
                    continue
                if not matcher.ignored_in(path, state):
                    found.append((path, kind, False))
                elif kind == "directory" and not matcher.can_skip_directory(path):
                    found.append((path, kind, True))
            cache[directory] = found
        return found

    def _matcher(self, lines: tuple[str, ...]) -> tuple[Matcher, dict[str, tuple[bool, ...]]]:
        """Return the matcher of an ignore file's patterns, and its state per listed directory."""
        if lines not in self._matchers:
            # A directory that only exceptions name is otherwise ignored, so the exceptions decide what of it ships.
            matcher = Matcher([*(f"**/{name}" for name in UNLESS_NAMED if name not in unnamed(lines)), *lines])
            self._matchers[lines] = matcher, {"": matcher.top}
        return self._matchers[lines]

    def digests(self, paths: Iterable[str]) -> dict[str, tuple[str, bool]]:
        """Return SHA-256 and executable bit of files by path; each file is read once.

        Args:
            paths: relative to the root, with slashes.

        Raises:
            BuildError: a file cannot be read, or keeps changing.
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
        digest, status = hash_file(absolute, path)
        self._files[path] = digest, is_executable(status.st_mode)
        self._stamps[absolute] = stamp_of(status)

    def _hash_in_two_threads(self, paths: list[str]) -> None:
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
        try:
            helper.start()
        except RuntimeError:  # the system refuses another thread
            work(paths[1::2])
        work(paths[::2])
        if helper.ident is not None:
            helper.join()
        if failures:
            raise failures[0]

    def target(self, path: str) -> str:
        """Return the target of a link."""
        text = self._targets.get(path)
        if text is None:
            try:
                text = os.readlink(self.absolute(path))
                text = text if UTF_8 else as_utf_8(text)
            except OSError as error:
                raise unreadable(path, error) from error
            self._targets[path] = text
        return text

    def text(self, absolute: str, name: str) -> bytes | None:
        """Return the bytes of a Dockerfile or ignore file, following links; None if it does not exist."""
        if absolute not in self._texts:
            parts: list[bytes] = []
            try:
                _, status = hash_file(absolute, name, follow=True, keep=parts)
            except BuildError as error:
                if not isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
                    raise
                self._texts[absolute] = self._stamps[absolute] = None
            else:
                self._texts[absolute] = b"".join(parts)
                if not os.path.islink(absolute):
                    self._stamps[absolute] = stamp_of(status)
        return self._texts[absolute]
