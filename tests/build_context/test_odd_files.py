"""Links, devices, what cannot be read, and what changes while it is read."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from context_trees import (
    ROOT,
    changed_by,
    difference,
    hashes,
    make,
    names,
    packed,
    posix,
    record_opened,
    sha,
)

from draftgenie_azure.build_context.context import Context
from draftgenie_azure.errors import BuildError

# Links


@posix
def test_a_broken_link_is_shipped(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / "src/l").symlink_to("nowhere")) == ["link:src/l"]


@posix
def test_link_changed_to_the_same_content_elsewhere_is_a_change(tree: Path) -> None:
    (tree / "src/same.py").write_text("one")
    (tree / "src/l").symlink_to("a.py")

    def change() -> None:
        (tree / "src/l").unlink()
        (tree / "src/l").symlink_to("same.py")

    assert changed_by(tree, change) == ["link:src/l"]


@posix
def test_a_link_out_of_the_tree_is_not_followed(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret").write_text("secret")
    (tree / "src/out").symlink_to(outside)
    (tree / "src/up").symlink_to("../../..")

    found = hashes(tree)

    assert found["link:src/out"] == sha(str(outside))
    assert not any("secret" in name for name in found)
    assert changed_by(tree, lambda: (outside / "secret").write_text("other")) == []


@posix
def test_link_loops_are_shipped_as_links(tree: Path) -> None:
    (tree / "src/here").symlink_to(".")
    (tree / "src/self").symlink_to("self")
    (tree / "src/above").symlink_to("..")

    assert {"link:src/here", "link:src/self", "link:src/above"} <= set(hashes(tree))
    packed(Context(str(tree), "Dockerfile"))


@posix
@pytest.mark.parametrize("source", ["current/x", "current", "cur*", "current/d/y"])
def test_a_source_that_goes_through_a_link_takes_in_all(tmp_path: Path, source: str) -> None:
    """BuildKit follows such a link within the context."""
    make(tmp_path, {"v1/x": "1", "v1/d/y": "2", "other": "3"}, f"FROM scratch\nCOPY {source} /\n")
    (tmp_path / "current").symlink_to("v1")

    context = Context(str(tmp_path), "Dockerfile")

    assert [entry.path for entry in context.files()] == ["Dockerfile", "current", "other", "v1/d/y", "v1/x"]
    assert "link" in context.reach.why


@posix
def test_a_link_in_a_copied_directory_takes_in_nothing_else(tmp_path: Path) -> None:
    make(tmp_path, {"src/x": "1", "other": "3"}, "FROM scratch\nCOPY src /\n")
    (tmp_path / "src/l").symlink_to("../other")

    assert names(tmp_path) == ["src/l", "src/x"]


@posix
def test_the_root_itself_may_be_a_link(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("elsewhere") / "root"
    link.symlink_to(tree)

    assert hashes(link) == hashes(tree)


# What is neither file, link nor directory


@posix
def test_named_pipes_sockets_and_devices_are_skipped_and_never_opened(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hashes(tree)
    os.mkfifo(tree / "src/pipe")
    monkeypatch.chdir(tree)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("src/socket")
        opened = record_opened(monkeypatch, tree)

        assert hashes(tree) == before
        packed(Context(str(tree), "Dockerfile"))

    assert not {"src/pipe", "src/socket"} & set(opened)


@posix
@pytest.mark.timeout(10)
def test_a_file_that_becomes_a_pipe_after_it_was_listed_is_an_error(tree: Path) -> None:
    context = Context(str(tree), "Dockerfile")
    context.files()
    (tree / "src/a.py").unlink()
    os.mkfifo(tree / "src/a.py")

    with pytest.raises(BuildError, match=r"src/a\.py: it is not a regular file"):
        context.dependencies()


@posix
def test_a_file_that_becomes_a_link_after_it_was_listed_is_an_error(tree: Path) -> None:
    context = Context(str(tree), "Dockerfile")
    context.files()
    (tree / "src/a.py").unlink()
    (tree / "src/a.py").symlink_to("/etc/passwd")

    with pytest.raises(BuildError, match=r"src/a\.py"):
        context.dependencies()


# What cannot be read


def test_a_file_that_vanishes_is_an_error_that_names_it(tree: Path) -> None:
    context = Context(str(tree), "Dockerfile")
    context.files()
    (tree / "src/a.py").unlink()

    with pytest.raises(BuildError, match=r"cannot read src/a\.py: No such file"):
        context.dependencies()


@posix
@pytest.mark.parametrize("path", ["src/a.py", "src"])
def test_what_may_not_be_read_is_an_error_that_names_it(tree: Path, path: str) -> None:
    """In a child without rights, where the tests run as root."""
    above = {parent: parent.stat().st_mode for parent in tree.parents if os.getuid() == 0}
    code = (
        "import os, sys\n"
        "from draftgenie_azure.build_context.context import Context\n"
        "from draftgenie_azure.errors import BuildError\n"
        "if os.getuid() == 0:\n    os.setgid(65534), os.setuid(65534)\n"
        "try:\n    Context(sys.argv[1], 'Dockerfile').dependencies()\n"
        "except BuildError as error:\n    print(error.message)\n"
    )
    tree.chmod(0o755)
    (tree / path).chmod(0)
    try:
        for parent, mode in above.items():
            parent.chmod(mode | 0o011)
        child = subprocess.run(
            [sys.executable, "-c", code, str(tree)], capture_output=True, text=True, cwd=ROOT, check=False
        )
    finally:
        (tree / path).chmod(0o755)
        for parent, mode in above.items():
            parent.chmod(mode)

    assert child.stdout == f"cannot read {path}: Permission denied\n", child.stderr


def test_an_ignored_directory_is_not_even_listed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tree, {".dockerignore": "node_modules\n!keep", "node_modules/a/b": "", "keep/x": ""})
    listed: list[str] = []
    really = os.scandir

    def spy(path: str) -> object:
        listed.append(os.path.relpath(path, tree))
        return really(path)

    monkeypatch.setattr(os, "scandir", spy)

    hashes(tree)

    assert sorted(listed) == [".", "keep", "src"]


def test_an_io_error_is_an_error_that_names_the_file(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, size: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    context = Context(str(tree), "Dockerfile")
    context.files()
    monkeypatch.setattr(os, "read", fail)

    with pytest.raises(BuildError, match=r"cannot read .*: Input/output error"):
        context.dependencies()


def test_missing_dockerfile_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="there is no Dockerfile docker/Dockerfile in") as caught:
        hashes(tmp_path, "docker/Dockerfile")

    assert caught.value.hint is not None and "build_context" in caught.value.hint


def test_missing_build_context_is_an_error(tmp_path: Path) -> None:
    make(tmp_path / "other", {})

    with pytest.raises(BuildError, match="cannot read"):
        Context(str(tmp_path / "none"), str(tmp_path / "other/Dockerfile")).dependencies()


# Changing while it is read


def meddle(monkeypatch: pytest.MonkeyPatch, path: Path, times: int, change: Callable[[int], object]) -> None:
    """Change a file right after each of the first `times` reads of it."""
    really, opened, count = os.read, os.open, [0]
    descriptors: set[int] = set()

    def spy_open(name: str, *arguments: int) -> int:
        descriptor = opened(name, *arguments)
        (descriptors.add if os.fspath(name) == str(path) else descriptors.discard)(descriptor)
        return descriptor

    def spy_read(descriptor: int, size: int) -> bytes:
        block = really(descriptor, size)
        if descriptor in descriptors and count[0] < times:
            count[0] += 1
            change(count[0])
        return block

    monkeypatch.setattr(os, "open", spy_open)
    monkeypatch.setattr(os, "read", spy_read)


@pytest.mark.parametrize("size", [0, 100_000, 300_000])
def test_changed_size_is_detected_if_the_time_is_kept(tree: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    path = tree / "src/a.py"

    def write(count: int) -> None:
        with path.open("r+b" if path.exists() else "wb") as file:
            file.truncate(count)
        os.utime(path, ns=(1, 1))

    def change(turn: int) -> None:
        write(size)

    write(0)
    write(200_000)
    meddle(monkeypatch, path, 1, change)
    assert hashes(tree)["file:src/a.py"] == sha(bytes(size))

    write(200_000)
    context = Context(str(tree), "Dockerfile")
    meddle(monkeypatch, path, 1, change)
    with pytest.raises(BuildError, match=r"src/a\.py: it changed while it was packed"):
        packed(context)


def rewrite_while_read(monkeypatch: pytest.MonkeyPatch, path: Path, times: int, text: str) -> None:
    """Write another text to a file each time that it is read, up to `times`."""

    def change(turn: int) -> None:
        path.write_text(text)
        os.utime(path, ns=(0, turn))

    meddle(monkeypatch, path, times, change)


@pytest.mark.parametrize("text", ["two", "longer than it was", ""])
def test_a_file_that_changes_while_it_is_hashed_is_read_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    rewrite_while_read(monkeypatch, tree / "src/a.py", 2, text)

    assert hashes(tree)["file:src/a.py"] == sha(text)


def test_a_file_that_keeps_changing_is_an_error(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tree / "src/a.py"
    meddle(monkeypatch, path, 1000, lambda turn: os.utime(path, ns=(0, turn)))

    with pytest.raises(BuildError, match=r"src/a\.py: it changes while it is read"):
        hashes(tree)


@pytest.mark.parametrize("text", ["two", "longer than it was", ""])
def test_a_file_that_changes_while_it_is_packed_is_an_error(
    tree: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    rewrite_while_read(monkeypatch, tree / "src/a.py", 1, text)

    with pytest.raises(BuildError, match=r"src/a\.py: it changed while it was packed"):
        packed(Context(str(tree), "Dockerfile"))


def test_change_between_hash_and_pack_is_detected(tree: Path) -> None:
    context = Context(str(tree), "Dockerfile")
    before = context.dependencies()
    (tree / "src/a.py").write_text("other")
    (tree / "src/new").write_text("")

    assert difference(before, packed(context)[0].dependencies) == ["file:src/a.py", "file:src/new", "mode:src/new"]
