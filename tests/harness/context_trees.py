"""Directory trees as build contexts: made, hashed, packed and compared."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from draftgenie_azure.build_context.context import Context
from draftgenie_azure.build_context.packing import PackResult, pack

ROOT = Path(__file__).resolve().parents[2]
ALL = "FROM scratch\nCOPY . /\n"
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has none of these")


def sha(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def make(root: Path, content: Mapping[str, str | bytes], dockerfile: str = ALL) -> Path:
    """A tree with these files, and a Dockerfile."""
    for name, data in {"Dockerfile": dockerfile, **content}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return root


def hashes(root: Path, dockerfile: str = "Dockerfile") -> dict[str, str]:
    return Context(str(root), dockerfile).dependencies()


def names(root: Path, **options: object) -> list[str]:
    return [entry.path for entry in Context(str(root), "Dockerfile", **options).files()]  # type: ignore[arg-type]


def packed(context: Context) -> tuple[PackResult, bytes]:
    out = io.BytesIO()
    return pack(context, out), out.getvalue()


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        return {member.name: member for member in archive}


def content(data: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        file = archive.extractfile(name)
        assert file is not None
        return file.read()


def difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def record_opened(monkeypatch: pytest.MonkeyPatch, root: Path) -> list[str]:
    opened: list[str] = []
    really = os.open

    def spy(path: str, *arguments: int) -> int:
        opened.append(os.path.relpath(path, root))
        return really(path, *arguments)

    monkeypatch.setattr(os, "open", spy)
    return opened


def changed_by(tree: Path, change: Callable[[], object]) -> list[str]:
    before, tar = hashes(tree), packed(Context(str(tree), "Dockerfile"))[0].sha256
    change()
    after = hashes(tree)
    result = difference(before, after)
    assert (packed(Context(str(tree), "Dockerfile"))[0].sha256 != tar) is bool(result)  # hash and pack agree
    return result
