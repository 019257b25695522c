"""The files of a build context that are listed, hashed and packed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from context_trees import (
    ALL,
    ROOT,
    changed_by,
    hashes,
    make,
    members,
    names,
    packed,
    posix,
    record_opened,
    sha,
)

from draftgenie_azure.build_context.context import Context, Tree

EXAMPLE = ROOT / "examples" / "draftgenie"


# What is hashed


def test_dependencies_have_the_documented_names_and_hashes(tmp_path: Path) -> None:
    """The documented dependencies, so that anyone can recompute them."""
    make(tmp_path, {"a/run.sh": "run", ".dockerignore": "b\n", "b": "ignored"})
    (tmp_path / "a/run.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("a/run.sh")
    (tmp_path / "empty").mkdir()

    assert hashes(tmp_path) == {
        "file:.dockerignore": sha("b\n"),
        "mode:.dockerignore": sha("-"),
        "file:Dockerfile": sha(ALL),
        "mode:Dockerfile": sha("-"),
        "file:a/run.sh": sha("run"),
        "mode:a/run.sh": sha("x"),
        "link:link": sha("a/run.sh"),
        "file:empty/": sha(""),
    }


def test_only_files_that_the_dockerfile_copies_are_dependencies(tmp_path: Path) -> None:
    make(tmp_path, {"a/x": "", "a/y": "", "b": "", "c.json": ""}, "FROM scratch\nCOPY a/x *.json /\n")

    assert sorted(hashes(tmp_path)) == ["file:Dockerfile", "file:a/x", "file:c.json", "mode:a/x", "mode:c.json"]


def test_only_reachable_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, {"a/x": "", "b/y": "", "c": "", ".dockerignore": "c"}, "FROM scratch\nCOPY a /\n")
    opened = record_opened(monkeypatch, tmp_path)

    hashes(tmp_path)

    assert {"a/x", "Dockerfile", ".dockerignore"} == {path for path in opened if (tmp_path / path).exists()}


def test_five_services_read_each_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, {f"src/{index}": str(index) for index in range(20)})
    for index in range(5):
        (tmp_path / f"Dockerfile.{index}").write_text(f"FROM scratch\nCOPY . /\nENV N={index}\n")
    opened = record_opened(monkeypatch, tmp_path)

    tree = Tree(str(tmp_path))
    results = [tree.context(f"Dockerfile.{index}").dependencies() for index in range(5)]

    assert all(opened.count(f"src/{index}") == 1 for index in range(20))
    assert results[0] == hashes(tmp_path, "Dockerfile.0")


def test_services_of_one_tree_may_have_ignore_files_of_their_own(tmp_path: Path) -> None:
    make(tmp_path, {"a/x": "", "b/y": "", ".dockerignore": "a", "Two": ALL, "Two.dockerignore": "b\nDockerfile"})
    tree = Tree(str(tmp_path))

    one = tree.context("Dockerfile").dependencies()
    two = tree.context("Two").dependencies()

    assert "file:b/y" in one and "file:a/x" not in one
    assert "file:a/x" in two and "file:b/y" not in two and "file:Dockerfile" not in two


def test_an_edit_changes_only_the_contexts_that_hold_the_file(tmp_path: Path) -> None:
    make(tmp_path, {"one/a": "1", "two/a": "1", "lib/a": "1"})
    for name in ("one", "two"):
        (tmp_path / f"Dockerfile.{name}").write_text(f"FROM scratch\nCOPY {name} lib /\n")

    def state() -> list[str]:
        return [json.dumps(hashes(tmp_path, f"Dockerfile.{name}")) for name in ("one", "two")]

    before = state()
    (tmp_path / "one/a").write_text("2")
    after = state()
    (tmp_path / "lib/a").write_text("2")
    last = state()

    assert (before[0] != after[0], before[1] != after[1]) == (True, False)
    assert (after[0] != last[0], after[1] != last[1]) == (True, True)


@pytest.mark.skipif(not EXAMPLE.is_dir(), reason="the stand-in application is not there")
def test_an_edit_in_one_service_of_the_example_changes_only_its_context(tmp_path: Path) -> None:
    root = tmp_path / "app"
    shutil.copytree(EXAMPLE, root, symlinks=True)
    dockerfiles = sorted(path.relative_to(root).as_posix() for path in root.glob("docker/Dockerfile.*-*"))
    if len(dockerfiles) < 5:
        pytest.skip("the stand-in application is not complete")
    files = {name: set(hashes(root, name)) for name in dockerfiles}

    for name in dockerfiles:
        service = name.partition("Dockerfile.")[2]
        own = sorted(
            file.removeprefix("file:")
            for file in files[name]
            if f"/{service}/" in file and not file.endswith("/") and file.startswith("file:")
        )
        assert own, f"{name} ships nothing of {service}"
        before = {other: hashes(root, other) for other in dockerfiles}
        with (root / own[0]).open("a") as file:
            file.write("\n# edited\n")
        after = {other: hashes(root, other) for other in dockerfiles}
        changed = {other for other in dockerfiles if before[other] != after[other]}
        assert name in changed
        assert changed == {other for other in dockerfiles if f"file:{own[0]}" in files[other]}
        if any(service.startswith(python) for python in ("draft", "rag", "evaluation")):
            assert changed == {name}  # the Python services copy nothing but their own directory


def test_edited_file_is_a_change(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / "src/a.py").write_text("three")) == ["file:src/a.py"]


def test_edit_that_keeps_size_and_modification_time_is_a_change(tree: Path) -> None:
    path = tree / "src/a.py"
    times = path.stat()

    def change() -> None:
        path.write_text("eno")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert changed_by(tree, change) == ["file:src/a.py"]
    assert path.stat().st_mtime_ns == times.st_mtime_ns


def test_two_swapped_files_are_a_change(tree: Path) -> None:
    def change() -> None:
        (tree / "src/a.py").rename(tree / "src/c")
        (tree / "src/b.py").rename(tree / "src/a.py")
        (tree / "src/c").rename(tree / "src/b.py")

    assert changed_by(tree, change) == ["file:src/a.py", "file:src/b.py"]


def test_touch_changes_nothing(tree: Path) -> None:
    assert changed_by(tree, lambda: os.utime(tree / "src/a.py", (1, 1))) == []


@posix
def test_executable_bit_is_a_change(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / "src/a.py").chmod(0o755)) == ["mode:src/a.py"]


@posix
def test_umask_changes_nothing(tree: Path) -> None:
    (tree / "src/a.py").chmod(0o644)
    assert changed_by(tree, lambda: (tree / "src/a.py").chmod(0o664)) == []
    assert changed_by(tree, lambda: (tree / "src").chmod(0o700)) == []


@posix
def test_the_executable_bit_of_a_dockerfile_that_is_not_shipped_changes_nothing(tree: Path) -> None:
    (tree / "Dockerfile").write_text("FROM scratch\nCOPY src /\n")
    assert changed_by(tree, lambda: (tree / "Dockerfile").chmod(0o755)) == []


@posix
def test_executable_bit_of_a_shipped_dockerfile_is_a_change(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / "Dockerfile").chmod(0o755)) == ["mode:Dockerfile"]
    assert members(packed(Context(str(tree), "Dockerfile"))[1])["Dockerfile"].mode == 0o755


def test_renamed_added_or_deleted_file_is_a_change(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / "src/a.py").rename(tree / "src/c.py")) == [
        "file:src/a.py", "file:src/c.py", "mode:src/a.py", "mode:src/c.py",
    ]  # fmt: skip
    assert changed_by(tree, lambda: (tree / "src/d").write_text("")) == ["file:src/d", "mode:src/d"]
    assert changed_by(tree, lambda: (tree / "src/d").unlink()) == ["file:src/d", "mode:src/d"]


def test_rename_in_letter_case_only_is_a_change(tree: Path) -> None:
    changed = changed_by(tree, lambda: (tree / "src/a.py").rename(tree / "src/A.py"))
    assert changed == ["file:src/A.py", "file:src/a.py", "mode:src/A.py", "mode:src/a.py"]


def test_file_replaced_by_a_directory_is_a_change(tree: Path) -> None:
    before = hashes(tree)
    (tree / "src/a.py").unlink()
    (tree / "src/a.py").mkdir()
    assert "file:src/a.py/" in hashes(tree) and "file:src/a.py" not in hashes(tree)
    (tree / "src/a.py/x").write_text("one")
    assert "file:src/a.py/x" in hashes(tree) and "file:src/a.py/" not in hashes(tree)
    shutil.rmtree(tree / "src/a.py")
    (tree / "src/a.py").write_text("one")
    assert hashes(tree) == before


def test_reverted_edit_restores_the_hash(tree: Path) -> None:
    before = hashes(tree)
    (tree / "src/a.py").write_text("other")
    assert hashes(tree) != before
    (tree / "src/a.py").write_text("one")
    assert hashes(tree) == before


def test_an_ignored_file_edited_changes_nothing(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / "x.log").write_text("more")) == []


def test_edited_ignore_file_is_a_change(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / ".dockerignore").write_text("*.log\n")) == ["file:.dockerignore"]
    assert "file:x.log" in changed_by(tree, lambda: (tree / ".dockerignore").write_text(""))


def test_changed_line_ends_are_a_change(tree: Path) -> None:
    (tree / "src/a.py").write_bytes(b"a\nb\n")
    assert changed_by(tree, lambda: (tree / "src/a.py").write_bytes(b"a\r\nb\r\n")) == ["file:src/a.py"]


def test_empty_directory_is_shipped(tree: Path) -> None:
    """Docker ships it, so it is a change; a file in it takes its place."""
    assert changed_by(tree, lambda: (tree / "src/new/deep").mkdir(parents=True)) == ["file:src/new/deep/"]
    assert changed_by(tree, lambda: (tree / "src/new/deep/x").write_text("")) == [
        "file:src/new/deep/", "file:src/new/deep/x", "mode:src/new/deep/x",
    ]  # fmt: skip


def test_directories_emptied_by_the_ignore_file_are_shipped(tmp_path: Path) -> None:
    make(tmp_path, {"a/x": "", "b/x": "", "c/d/x": "", ".dockerignore": "a/*\nb\nc/d\n!c/d/keep\n"})

    assert names(tmp_path) == [".dockerignore", "Dockerfile", "a", "c"]  # `b` and `c/d` are ignored themselves


def test_an_empty_directory_that_no_source_matches_is_not_shipped(tmp_path: Path) -> None:
    make(tmp_path, {"services/x/app/a": "", "services/z": ""}, "FROM scratch\nCOPY services/*/app /\n")
    (tmp_path / "services/y").mkdir()

    assert names(tmp_path) == ["services/x/app/a"]
