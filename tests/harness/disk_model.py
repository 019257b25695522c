"""A disk that forgets what was not flushed: records the file-system calls of a piece of code, and says what is left.

A file's bytes are sure once the file was flushed; a name in a directory is sure once the directory was. Until then a
power loss may leave the earlier or the later of each, independently of each other, or an empty file.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

Tree = dict[str, bytes]


@dataclass
class _Versions:
    """Durable content and later changes: a file's bytes, or a directory's entries."""

    sure: Any
    now: Any


@dataclass
class Disk:
    """Everything below one directory.

    Attributes:
        root: the directory.
        moments: what may be left after a power loss, after each call that changes something.
    """

    root: str
    moments: list[list[Tree]] = field(default_factory=list)
    _nodes: dict[int, _Versions] = field(default_factory=dict)
    _open: dict[int, int] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._top = self._load(Path(self.root))

    def _load(self, path: Path) -> int:
        number = next(self._numbers)
        if path.is_dir():
            names = {child.name: self._load(child) for child in path.iterdir()}
            self._nodes[number] = _Versions(dict(names), names)
        else:
            content = path.read_bytes()
            self._nodes[number] = _Versions(content, content)
        return number

    def _names(self, path: str) -> tuple[dict[str, int], str]:
        """Return the current entries of a path's directory, and the last part of the path."""
        number = self._top
        parts = os.path.relpath(os.path.abspath(path), self.root).split(os.sep)
        for part in parts[:-1]:
            number = self._nodes[number].now[part]
        return self._nodes[number].now, parts[-1]

    def opened(self, path: str, flags: int, descriptor: int) -> None:
        """A file or directory was opened."""
        if os.path.abspath(path) == self.root:
            self._open[descriptor] = self._top
            return
        names, name = self._names(path)
        if name not in names:
            names[name] = next(self._numbers)
            self._nodes[names[name]] = _Versions(b"", b"")
        elif flags & os.O_TRUNC:
            self._nodes[names[name]].now = b""
        self._open[descriptor] = names[name]

    def written(self, descriptor: int, data: bytes) -> None:
        """Bytes were appended."""
        if descriptor in self._open:
            self._nodes[self._open[descriptor]].now += data

    def flushed(self, descriptor: int) -> None:
        """Make the open file durable."""
        node = self._nodes[self._open[descriptor]]
        node.sure = dict(node.now) if isinstance(node.now, dict) else node.now

    def renamed(self, old: str, new: str) -> None:
        """A name was moved."""
        names, name = self._names(old)
        number = names.pop(name)
        names, name = self._names(new)
        names[name] = number

    def removed(self, path: str) -> None:
        """A name was removed."""
        names, name = self._names(path)
        del names[name]

    def made(self, path: str) -> None:
        """A directory was made."""
        names, name = self._names(path)
        names[name] = next(self._numbers)
        self._nodes[names[name]] = _Versions({}, {})

    def note(self) -> None:
        """Remember what may be left if the power goes now."""
        doubtful = [number for number, node in self._nodes.items() if node.sure != node.now]
        choices = [dict(zip(doubtful, kept, strict=True)) for kept in itertools.product((0, 1), repeat=len(doubtful))]
        self.moments.append([self._tree(self._top, "", kept) for kept in choices])

    def _tree(self, number: int, path: str, kept: dict[int, int]) -> Tree:
        node = self._nodes[number]
        content = node.now if kept.get(number) else node.sure
        if isinstance(content, bytes):
            return {path: content}
        found: Tree = {}
        for name, child in content.items():
            found |= self._tree(child, f"{path}/{name}".lstrip("/"), kept)
        return found


def recorded(directory: Path, monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> Disk:
    """Do something to the files below a directory; what a power loss would leave, after each call."""
    disk = Disk(str(directory))
    real = {name: getattr(os, name) for name in ("open", "write", "fsync", "replace", "rename", "unlink", "mkdir")}

    def is_below(path: Any) -> bool:
        return isinstance(path, str) and os.path.abspath(path).startswith(str(directory))

    def open_(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        descriptor: int = real["open"](path, flags, *rest, **more)
        if is_below(path):
            disk.opened(path, flags, descriptor)
            disk.note()
        return descriptor

    def write(descriptor: int, data: Any) -> int:
        count: int = real["write"](descriptor, data)
        disk.written(descriptor, bytes(data)[:count])
        disk.note()
        return count

    def fsync(descriptor: int) -> None:
        real["fsync"](descriptor)
        disk.flushed(descriptor)
        disk.note()

    def on_names(name: str, record: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any, **more: Any) -> None:
            real[name](*arguments, **more)
            if is_below(arguments[0]):
                record(*[argument for argument in arguments if isinstance(argument, str)])
                disk.note()

        return call

    disk.note()
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", open_)
        patched.setattr(os, "write", write)
        patched.setattr(os, "fsync", fsync)
        for name, record in (("replace", disk.renamed), ("rename", disk.renamed), ("unlink", disk.removed),
                             ("mkdir", disk.made)):  # fmt: skip
            patched.setattr(os, name, on_names(name, record))
        action()
    return disk
