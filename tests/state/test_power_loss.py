"""A power loss at any point of a save leaves either the old or the new state, complete."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from disk_model import Tree, recorded

from draftgenie_azure.constants import HISTORY_DIRECTORY as HISTORY
from draftgenie_azure.state.files import put_aside, write_whole
from draftgenie_azure.state.local_file import LocalBackend

STATE = ".azure-deployment-state-v1.json"
OLD, NEW, NEWEST = b'{"serial": 1}\n' * 40, b'{"serial": 2}\n' * 50, b'{"serial": 3}\n' * 60
COPY = f"{HISTORY}/{STATE}.00000001.json"


def backend_in(directory: Path, content: bytes | None = OLD) -> LocalBackend:
    """Return a backend that has loaded the stored state."""
    if content is not None:
        (directory / STATE).write_bytes(content)
    backend = LocalBackend(str(directory / STATE))
    backend.load()
    return backend


def ends(moments: list[list[Tree]], name: str) -> set[bytes | None]:
    """Return the possible contents of a file after a power loss at any point."""
    return {tree.get(name) for trees in moments for tree in trees}


@pytest.mark.parametrize("before", [OLD, None], ids=["over another", "the first"])
def test_save_leaves_the_old_or_the_new_state(
    before: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every call, whichever of the calls that were not flushed reached the disk."""
    backend = backend_in(tmp_path, before)

    disk = recorded(tmp_path, monkeypatch, lambda: backend.save(NEW))

    assert ends(disk.moments, STATE) == {before, NEW}
    assert {tree.get(STATE) for tree in disk.moments[-1]} == {NEW}, "what save() promised is sure when it returns"


def test_copy_of_the_old_state_is_durable_before_the_new_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a history directory that was made for it: its own name is flushed, too."""
    backend = backend_in(tmp_path)

    def keep_and_save() -> None:
        backend.keep("00000001.json", OLD, 10)
        backend.save(NEW)

    disk = recorded(tmp_path, monkeypatch, keep_and_save)

    trees = [tree for trees in disk.moments for tree in trees]
    assert {tree.get(STATE) for tree in trees} == {OLD, NEW}
    assert {tree.get(COPY) for tree in trees if tree.get(STATE) == NEW} == {OLD}


def test_old_copies_are_deleted_after_the_new_one_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is at least one copy at every moment."""
    backend = backend_in(tmp_path)
    backend.keep("00000001.json", OLD, 1)

    disk = recorded(tmp_path, monkeypatch, lambda: backend.keep("00000002.json", NEW, 1))

    for tree in (tree for trees in disk.moments for tree in trees):
        assert tree.get(COPY) == OLD or tree.get(COPY.replace("01.json", "02.json")) == NEW


def test_state_that_is_put_aside_or_moved_is_in_one_of_both_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy is whole before the original goes; a renamed file is there under one of its names."""
    backend = backend_in(tmp_path)

    def move() -> None:
        backend.aside("moved", OLD)
        backend.delete()

    disk = recorded(tmp_path, monkeypatch, move)
    for tree in (tree for trees in disk.moments for tree in trees):
        assert OLD in (tree.get(STATE), tree.get(f"{STATE}.moved"))

    (tmp_path / STATE).write_bytes(NEW)
    disk = recorded(tmp_path, monkeypatch, lambda: put_aside(str(tmp_path / STATE), "earlier"))
    for tree in (tree for trees in disk.moments for tree in trees):
        assert NEW in (tree.get(STATE), tree.get(f"{STATE}.earlier"))


def test_documents_beside_the_state_are_replaced_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as durable as the state."""
    backend = backend_in(tmp_path)
    backend.write_companion("history", OLD)

    disk = recorded(tmp_path, monkeypatch, lambda: backend.write_companion("history", NEW))

    assert ends(disk.moments, f"{STATE}.history") == {OLD, NEW}


def test_disk_model_detects_a_missing_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, none of the tests above would say anything."""

    def careless() -> None:
        descriptor = os.open(str(tmp_path / "new"), os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, NEW)
        os.close(descriptor)
        os.replace(str(tmp_path / "new"), str(tmp_path / STATE))

    (tmp_path / STATE).write_bytes(OLD)
    disk = recorded(tmp_path, monkeypatch, careless)
    assert b"" in ends(disk.moments, STATE)

    disk = recorded(tmp_path, monkeypatch, lambda: write_whole(str(tmp_path / STATE), NEWEST))
    assert b"" not in ends(disk.moments, STATE)
