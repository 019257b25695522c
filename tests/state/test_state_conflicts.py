"""The state file is replaced by somebody who does not know the lock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from draftgenie_azure.errors import StateConflictError
from draftgenie_azure.state.local_file import LocalBackend


@pytest.mark.parametrize("flush", [1, 2], ids=["while the new file is flushed", "while the directory is flushed"])
def test_file_that_someone_replaces_during_a_save_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush: int
) -> None:
    """Flushing takes long, so it is then that somebody comes: this save is refused, or the next one."""
    path, theirs, flush_it, count = tmp_path / "state.json", tmp_path / "theirs", os.fsync, 0
    backend = LocalBackend(str(path))
    backend.load()
    backend.save(b"one")

    def fsync(descriptor: int) -> None:
        nonlocal count
        count += 1
        flush_it(descriptor)
        if count == flush:
            theirs.write_bytes(b"theirs")
            theirs.replace(path)

    monkeypatch.setattr(os, "fsync", fsync)

    with pytest.raises(StateConflictError):
        for data in (b"two", b"three"):
            backend.save(data)

    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_file_that_someone_replaces_at_once_is_not_overwritten_by_the_next_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their file is not taken for the one that was saved."""
    path, theirs, replace = tmp_path / "state.json", tmp_path / "theirs", os.replace
    backend = LocalBackend(str(path))
    backend.load()

    def replace_twice(source: str, target: str) -> None:
        replace(source, target)
        theirs.write_bytes(b"two")
        replace(theirs, path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", replace_twice)
        backend.save(b"one")

    with pytest.raises(StateConflictError):
        backend.save(b"three")
    assert path.read_bytes() == b"two"
