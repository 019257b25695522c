"""What is listed, hashed and packed of a build context."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draftgenie_azure.build_context import listing
from draftgenie_azure.build_context.context import Context, Tree
from draftgenie_azure.build_context.hashing import content_tag
from draftgenie_azure.build_context.names import escape
from draftgenie_azure.build_context.packing import PackResult, pack
from draftgenie_azure.errors import BuildError

ROOT = Path(__file__).resolve().parents[2]
ALL = "FROM scratch\nCOPY . /\n"
EXAMPLE = ROOT / "examples" / "draftgenie"
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


# What is hashed


def test_names_and_hashes(tmp_path: Path) -> None:
    """The dependencies are those that the design promises, so that anyone can recompute them."""
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


def test_only_what_the_dockerfile_reaches(tmp_path: Path) -> None:
    make(tmp_path, {"a/x": "", "a/y": "", "b": "", "c.json": ""}, "FROM scratch\nCOPY a/x *.json /\n")

    assert sorted(hashes(tmp_path)) == ["file:Dockerfile", "file:a/x", "file:c.json", "mode:a/x", "mode:c.json"]


def test_only_reachable_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, {"a/x": "", "b/y": "", "c": "", ".dockerignore": "c"}, "FROM scratch\nCOPY a /\n")
    opened = record_opened(monkeypatch, tmp_path)

    hashes(tmp_path)

    assert {"a/x", "Dockerfile", ".dockerignore"} == {path for path in opened if (tmp_path / path).exists()}


def record_opened(monkeypatch: pytest.MonkeyPatch, root: Path) -> list[str]:
    opened: list[str] = []
    really = os.open

    def spy(path: str, *arguments: int) -> int:
        opened.append(os.path.relpath(path, root))
        return really(path, *arguments)

    monkeypatch.setattr(os, "open", spy)
    return opened


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


# Changes: what sets off a run, and what does not


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make(tmp_path, {"src/a.py": "one", "src/b.py": "two", ".dockerignore": "*.log", "x.log": "log"})


def changed_by(tree: Path, change: Callable[[], object]) -> list[str]:
    before, tar = hashes(tree), packed(Context(str(tree), "Dockerfile"))[0].sha256
    change()
    after = hashes(tree)
    result = difference(before, after)
    assert (packed(Context(str(tree), "Dockerfile"))[0].sha256 != tar) is bool(result)  # hash and pack agree
    return result


def test_a_file_edited(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / "src/a.py").write_text("three")) == ["file:src/a.py"]


def test_same_size_and_modification_time_kept(tree: Path) -> None:
    path = tree / "src/a.py"
    times = path.stat()

    def change() -> None:
        path.write_text("eno")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert changed_by(tree, change) == ["file:src/a.py"]
    assert path.stat().st_mtime_ns == times.st_mtime_ns


def test_two_files_of_the_same_size_swapped(tree: Path) -> None:
    def change() -> None:
        (tree / "src/a.py").rename(tree / "src/c")
        (tree / "src/b.py").rename(tree / "src/a.py")
        (tree / "src/c").rename(tree / "src/b.py")

    assert changed_by(tree, change) == ["file:src/a.py", "file:src/b.py"]


def test_touch_changes_nothing(tree: Path) -> None:
    assert changed_by(tree, lambda: os.utime(tree / "src/a.py", (1, 1))) == []


@posix
def test_executable_bit(tree: Path) -> None:
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
def test_the_executable_bit_of_a_dockerfile_that_is_shipped(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / "Dockerfile").chmod(0o755)) == ["mode:Dockerfile"]
    assert members(packed(Context(str(tree), "Dockerfile"))[1])["Dockerfile"].mode == 0o755


def test_a_file_renamed_added_deleted(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / "src/a.py").rename(tree / "src/c.py")) == [
        "file:src/a.py", "file:src/c.py", "mode:src/a.py", "mode:src/c.py",
    ]  # fmt: skip
    assert changed_by(tree, lambda: (tree / "src/d").write_text("")) == ["file:src/d", "mode:src/d"]
    assert changed_by(tree, lambda: (tree / "src/d").unlink()) == ["file:src/d", "mode:src/d"]


def test_case_only_rename(tree: Path) -> None:
    changed = changed_by(tree, lambda: (tree / "src/a.py").rename(tree / "src/A.py"))
    assert changed == ["file:src/A.py", "file:src/a.py", "mode:src/A.py", "mode:src/a.py"]


def test_a_file_replaced_by_a_directory_and_back(tree: Path) -> None:
    before = hashes(tree)
    (tree / "src/a.py").unlink()
    (tree / "src/a.py").mkdir()
    assert "file:src/a.py/" in hashes(tree) and "file:src/a.py" not in hashes(tree)
    (tree / "src/a.py/x").write_text("one")
    assert "file:src/a.py/x" in hashes(tree) and "file:src/a.py/" not in hashes(tree)
    shutil.rmtree(tree / "src/a.py")
    (tree / "src/a.py").write_text("one")
    assert hashes(tree) == before


def test_a_to_b_to_a(tree: Path) -> None:
    before = hashes(tree)
    (tree / "src/a.py").write_text("other")
    assert hashes(tree) != before
    (tree / "src/a.py").write_text("one")
    assert hashes(tree) == before


def test_an_ignored_file_edited_changes_nothing(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / "x.log").write_text("more")) == []


def test_the_ignore_file_edited(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / ".dockerignore").write_text("*.log\n")) == ["file:.dockerignore"]
    assert "file:x.log" in changed_by(tree, lambda: (tree / ".dockerignore").write_text(""))


def test_line_ends_count(tree: Path) -> None:
    (tree / "src/a.py").write_bytes(b"a\nb\n")
    assert changed_by(tree, lambda: (tree / "src/a.py").write_bytes(b"a\r\nb\r\n")) == ["file:src/a.py"]


def test_empty_directory(tree: Path) -> None:
    """Docker ships it, so it is a change; a file in it takes its place."""
    assert changed_by(tree, lambda: (tree / "src/new/deep").mkdir(parents=True)) == ["file:src/new/deep/"]
    assert changed_by(tree, lambda: (tree / "src/new/deep/x").write_text("")) == [
        "file:src/new/deep/", "file:src/new/deep/x", "mode:src/new/deep/x",
    ]  # fmt: skip


def test_directories_that_are_empty_once_the_ignore_file_is_applied(tmp_path: Path) -> None:
    make(tmp_path, {"a/x": "", "b/x": "", "c/d/x": "", ".dockerignore": "a/*\nb\nc/d\n!c/d/keep\n"})

    assert names(tmp_path) == [".dockerignore", "Dockerfile", "a", "c"]  # `b` and `c/d` are ignored themselves


def test_an_empty_directory_that_no_source_matches_is_not_shipped(tmp_path: Path) -> None:
    make(tmp_path, {"services/x/app/a": "", "services/z": ""}, "FROM scratch\nCOPY services/*/app /\n")
    (tmp_path / "services/y").mkdir()

    assert names(tmp_path) == ["services/x/app/a"]


# Links


@posix
def test_a_broken_link_is_shipped(tree: Path) -> None:
    assert changed_by(tree, lambda: (tree / "src/l").symlink_to("nowhere")) == ["link:src/l"]


@posix
def test_a_link_turned_to_the_same_content_elsewhere(tree: Path) -> None:
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
def test_loops_are_harmless(tree: Path) -> None:
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


def test_no_dockerfile(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="there is no Dockerfile docker/Dockerfile in") as caught:
        hashes(tmp_path, "docker/Dockerfile")

    assert caught.value.hint is not None and "build_context" in caught.value.hint


def test_no_root(tmp_path: Path) -> None:
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
def test_another_size_shows_although_the_time_is_kept(tree: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
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


@pytest.mark.parametrize("text", ["two", "longer than it was", ""])
def test_a_file_that_changes_while_it_is_hashed_is_read_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = tree / "src/a.py"

    def change(turn: int) -> None:
        path.write_text(text)
        os.utime(path, ns=(0, turn))

    meddle(monkeypatch, path, 2, change)

    assert hashes(tree)["file:src/a.py"] == sha(text)


def test_a_file_that_never_holds_still_is_an_error(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tree / "src/a.py"
    meddle(monkeypatch, path, 1000, lambda turn: os.utime(path, ns=(0, turn)))

    with pytest.raises(BuildError, match=r"src/a\.py: it changes while it is read"):
        hashes(tree)


@pytest.mark.parametrize("text", ["two", "longer than it was", ""])
def test_a_file_that_changes_while_it_is_packed_is_an_error(
    tree: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = tree / "src/a.py"

    def change(turn: int) -> None:
        path.write_text(text)
        os.utime(path, ns=(0, turn))

    meddle(monkeypatch, path, 1, change)

    with pytest.raises(BuildError, match=r"src/a\.py: it changed while it was packed"):
        packed(Context(str(tree), "Dockerfile"))


def test_what_changed_between_hash_and_pack_shows(tree: Path) -> None:
    context = Context(str(tree), "Dockerfile")
    before = context.dependencies()
    (tree / "src/a.py").write_text("other")
    (tree / "src/new").write_text("")

    assert difference(before, packed(context)[0].dependencies) == ["file:src/a.py", "file:src/new", "mode:src/new"]


# Names


@posix
def test_names_that_are_not_utf_8_or_hold_newlines(tmp_path: Path) -> None:
    make(tmp_path, {"é": "1", "日本": "2", "a\nb": "3", "back\\slash": "4", "a=b": "5", "tab\t": "6"})
    with open(os.fsencode(tmp_path) + b"/caf\xe9", "wb") as file:
        file.write(b"7")

    found = hashes(tmp_path)

    assert json.loads(json.dumps(found, ensure_ascii=False).encode()) == found
    assert not any("\n" in name for name in found)
    contents = {name: value for name, value in found.items() if name.startswith("file:") and "Docker" not in name}
    assert contents == {
        "file:é": sha("1"),
        "file:日本": sha("2"),
        "file:a\\x0ab": sha("3"),
        "file:back\\\\slash": sha("4"),
        "file:a=b": sha("5"),
        "file:tab\\x09": sha("6"),
        "file:caf\\xe9": sha("7"),
    }


@posix
def test_such_names_in_the_pack(tmp_path: Path) -> None:
    long = "/".join(["d" * 60] * 4) + "/" + "f" * 120
    make(tmp_path, {"é": "1", "a\nb": "3", long: "8"})
    with open(os.fsencode(tmp_path) + b"/caf\xe9", "wb") as file:
        file.write(b"7")
    (tmp_path / "link").symlink_to("t" * 150)

    result, data = packed(Context(str(tmp_path), "Dockerfile"))

    assert set(members(data)) == {"Dockerfile", "é", "a\nb", "caf\udce9", "link", long}
    assert content(data, "caf\udce9") == b"7"
    assert content(data, long) == b"8"
    assert members(data)["link"].linkname == "t" * 150
    assert result.dependencies == hashes(tmp_path)


@posix
def test_entries_and_members_are_sorted_by_their_bytes(tmp_path: Path) -> None:
    make(tmp_path, {"a/b": "", "a-b": "", "B": "", "😀": "", os.fsdecode(b"\xff"): ""})

    found = names(tmp_path)

    assert found == ["B", "Dockerfile", "a-b", "a/b", "😀", "\udcff"]
    assert list(members(packed(Context(str(tmp_path), "Dockerfile"))[1])) == found


@given(st.text(), st.text())
def test_escaping_is_one_line_and_reversible(one: str, two: str) -> None:
    assert "\n" not in escape(one)
    escape(one).encode()
    assert (escape(one) == escape(two)) is (one == two)


def test_escaped_names_do_not_meet() -> None:
    tricky = ["\udce9", "\\xe9", "\xe9", "\\\\xe9", "\n", "\\x0a", "\\n", "\ud800", "\\ud800"]
    assert len({escape(name) for name in tricky}) == len(tricky)


# Ignore file and Dockerfile


def test_an_ignored_dockerfile_and_ignore_file_belong_to_hash_and_pack(tmp_path: Path) -> None:
    make(tmp_path, {"a": "1", ".dockerignore": "Dockerfile\n.dockerignore\n"})

    result, data = packed(Context(str(tmp_path), "Dockerfile"))

    assert names(tmp_path) == ["a"]
    assert sorted(hashes(tmp_path)) == ["file:.dockerignore", "file:Dockerfile", "file:a", "mode:a"]
    assert set(members(data)) == {".dockerignore", "Dockerfile", "a"}
    assert result.dependencies == hashes(tmp_path)


def test_the_dockerfiles_own_ignore_file_comes_first(tmp_path: Path) -> None:
    make(tmp_path, {"a": "", "b": "", ".dockerignore": "a", "Dockerfile.dockerignore": "b"})

    assert names(tmp_path) == [".dockerignore", "Dockerfile", "Dockerfile.dockerignore", "a"]


def test_an_empty_ignore_file_of_its_own_hides_that_of_the_root(tmp_path: Path) -> None:
    make(tmp_path, {"a": "", ".dockerignore": "a", "Dockerfile.dockerignore": ""})

    assert "a" in names(tmp_path)


def test_a_malformed_ignore_file_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, {".dockerignore": "["})

    with pytest.raises(BuildError, match="malformed"):
        hashes(tmp_path)


def test_a_dockerfile_below_the_root(tmp_path: Path) -> None:
    make(tmp_path, {"docker/Dockerfile.api": "FROM scratch\nCOPY a /\n", "a": ""})
    context = Context(str(tmp_path), "docker/Dockerfile.api")

    assert context.dockerfile_in_pack == "docker/Dockerfile.api"
    assert set(members(packed(context)[1])) == {"docker/Dockerfile.api", "a"}


def test_a_dockerfile_outside_of_the_root_is_packed_under_another_name(tmp_path: Path) -> None:
    make(tmp_path, {"app/a": "", "app/b": "", "Dockerfile.dockerignore": "b"})
    context = Context(str(tmp_path / "app"), "../Dockerfile")

    result, data = packed(context)

    name = context.dockerfile_in_pack
    assert name == ".dockerfile-" + sha(ALL)[:16]
    assert content(data, name).decode() == ALL
    assert content(data, name + ".dockerignore") == b"b"
    assert set(members(data)) == {name, name + ".dockerignore", "a"}
    assert context.dependencies() == result.dependencies
    assert sorted(result.dependencies) == ["file:../Dockerfile", "file:../Dockerfile.dockerignore", "file:a", "mode:a"]


@posix
def test_a_dockerfile_that_is_a_link_is_read_through_it(tmp_path: Path) -> None:
    make(tmp_path, {"real": ALL, "a": ""})
    (tmp_path / "Dockerfile").unlink()
    (tmp_path / "Dockerfile").symlink_to("real")
    (tmp_path / ".dockerignore").symlink_to("a")
    context = Context(str(tmp_path), "Dockerfile")

    result, data = packed(context)

    assert content(data, context.dockerfile_in_pack).decode() == ALL
    assert members(data)["Dockerfile"].issym()
    assert members(data)[".dockerignore"].isreg()
    assert result.dependencies == hashes(tmp_path)
    assert {"file:Dockerfile", "link:Dockerfile", "file:.dockerignore", "link:.dockerignore"} <= set(
        result.dependencies
    )


def test_target_and_stages(tmp_path: Path) -> None:
    make(tmp_path, {"a": "", "b": ""}, "FROM scratch AS one\nCOPY a /\nFROM scratch\nCOPY b /\n")

    assert names(tmp_path) == ["b"]
    assert names(tmp_path, target="one") == ["a"]
    assert names(tmp_path, every_stage=True) == ["a", "b"]


# What is never shipped


def test_what_is_ours_and_version_control_stay_out(tmp_path: Path) -> None:
    ours = [
        ".git/config", ".hg/x", ".svn/x", ".bzr/x", ".venv/bin/python", "sub/.git", "sub/.venv/x",
        ".azure-deployment-state-v1.json", ".azure-deployment-state.json", ".azure-deployment-state-v1.json.bak",
        ".azure-deployment-history/1.json", ".azure-emulator/vault.json", "azure-deployment-v1.log",
        "azure-deployment.log", "azure-deployment-summary.md", "scripts/.azure-deployment-state.json",
    ]  # fmt: skip
    make(tmp_path, dict.fromkeys(ours, "secret") | {"scripts/a": "", ".gitignore": "", "git/x": ""})

    assert names(tmp_path) == [".gitignore", "Dockerfile", "git/x", "scripts/a", "sub"]
    assert b"secret" not in gzip.decompress(packed(Context(str(tmp_path), "Dockerfile"))[1])


def test_excluded_files(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    make(tmp_path, {"config.yaml": "", "a/config.yaml": "", "a/state.json": "", "logs/x": "", "b/config.yaml": ""})
    exclude = [str(tmp_path / name) for name in ("config.yaml", "a/../a/state.json", "logs", "none")]

    assert names(tmp_path, exclude=exclude) == ["Dockerfile", "a/config.yaml", "b/config.yaml"]
    assert sorted(packed(Context(str(tmp_path), "Dockerfile", exclude=exclude))[0].dependencies) == sorted(
        Context(str(tmp_path), "Dockerfile", exclude=exclude).dependencies()
    )


@posix
def test_excluded_files_are_recognised_through_links(tmp_path: Path) -> None:
    make(tmp_path / "real", {"config.yaml": "", "a": ""})
    (tmp_path / "link").symlink_to("real")

    through = Context(str(tmp_path / "link"), "Dockerfile", exclude=[str(tmp_path / "real/config.yaml")])
    direct = Context(str(tmp_path / "real"), "Dockerfile", exclude=[str(tmp_path / "link/config.yaml")])

    assert [entry.path for entry in through.files()] == ["Dockerfile", "a"]
    assert [entry.path for entry in direct.files()] == ["Dockerfile", "a"]


# The pack


def test_the_pack_is_normalised(tmp_path: Path) -> None:
    make(tmp_path, {"run": "x", "b": "y", "B": "z"})
    (tmp_path / "run").chmod(0o750)
    (tmp_path / "b").chmod(0o600)
    (tmp_path / "empty").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("b")

    result, data = packed(Context(str(tmp_path), "Dockerfile"))
    found = members(data)

    assert list(found) == ["B", "Dockerfile", "b", "empty", "link", "run"]
    assert {name: member.mode for name, member in found.items()} == {
        "B": 0o644, "Dockerfile": 0o644, "b": 0o644, "empty": 0o755, "link": 0o777, "run": 0o755,
    }  # fmt: skip
    for member in found.values():
        assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
    assert found["empty"].isdir() and found["link"].issym() and found["link"].linkname == "b"
    assert data[:10] == b"\x1f\x8b\x08" + bytes(6) + b"\xff"  # neither a time nor a system
    assert result.sha256 == sha(gzip.decompress(data))
    assert result.size == len(data)


def test_the_pack_to_a_path_is_the_same(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("out") / "context.tar.gz"

    result = pack(Context(str(tree), "Dockerfile"), target)

    other, data = packed(Context(str(tree), "Dockerfile"))
    assert target.read_bytes() == data
    assert (result.sha256, result.size, result.dependencies) == (other.sha256, other.size, other.dependencies)


def test_other_tools_read_the_pack(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    if shutil.which("tar") is None:
        pytest.skip("there is no tar")
    make(tmp_path, {"a/é": "1", "b": "x" * 70_000, "/".join(["d" * 90] * 3): "deep"})
    out = tmp_path_factory.mktemp("out")
    pack(Context(str(tmp_path), "Dockerfile"), out / "context.tar.gz")

    subprocess.run(["tar", "xzf", "context.tar.gz"], cwd=out, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})

    (out / "context.tar.gz").unlink()
    assert hashes(out) == hashes(tmp_path)


def test_packing_twice_from_elsewhere_gives_the_same_bytes(
    tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other") / "deep" / "copy"
    shutil.copytree(tree, other)
    os.utime(other / "src/a.py", (1, 1))

    assert packed(Context(str(other), "Dockerfile"))[1] == packed(Context(str(tree), "Dockerfile"))[1]


def test_many_files_are_hashed_by_two_threads_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, {f"{index}": str(index) for index in range(60)})
    expected = hashes(tmp_path)
    monkeypatch.setattr(listing, "_MANY", 10)
    before = threading.active_count()

    assert hashes(tmp_path) == expected
    assert threading.active_count() == before

    context = Context(str(tmp_path), "Dockerfile")
    context.files()
    (tmp_path / "33").unlink()
    with pytest.raises(BuildError, match="cannot read 33"):
        context.dependencies()


@pytest.mark.slow
@pytest.mark.timeout(900)
@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="ru_maxrss counts otherwise")
def test_two_gigabytes_in_constant_memory(tmp_path: Path) -> None:
    make(tmp_path, {})
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2 << 30)
    code = (
        "import os, resource, sys\n"
        "from draftgenie_azure.build_context.context import Context\n"
        "from draftgenie_azure.build_context.packing import pack\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "context = Context(sys.argv[1], 'Dockerfile')\n"
        "hashed = context.dependencies()\n"
        "assert pack(context, os.devnull).dependencies == hashed\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )

    child = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=ROOT, check=True
    )

    assert int(child.stdout) < 8 * 1024, "kilobytes more than before"


# Tags


def tag(**changes: object) -> str:
    arguments: dict[str, object] = {
        "context_sha256": "c", "dockerfile": "Dockerfile", "target": None, "platform": "linux/amd64",
        "build_arguments": {"A": "1", "B": "2"},
    } | changes  # fmt: skip
    return content_tag(**arguments)  # type: ignore[arg-type]


def test_the_tag_names_all_that_an_image_is_built_from() -> None:
    others = [
        tag(),
        tag(context_sha256="d"),
        tag(dockerfile="docker/Dockerfile"),
        tag(target="x"),
        tag(target=""),
        tag(platform="linux/arm64"),
        tag(build_arguments={"A": "1"}),
        tag(build_arguments={"A": "2", "B": "1"}),
        tag(build_arguments={"A": "1", "B2": ""}),
    ]

    assert len(set(others)) == len(others)
    assert tag(build_arguments={"B": "2", "A": "1"}) == tag()
    assert len(tag()) == 32 and set(tag()) <= set("0123456789abcdef")


# Any tree

NAME = st.text(st.sampled_from("abé. \\\n*["), min_size=1, max_size=4).filter(lambda name: name.strip(".") != "")
LEAF = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=5), st.booleans()),
    st.tuples(st.just("link"), st.sampled_from(["a", "..", "/etc", "nowhere"]), st.just(False)),
    st.tuples(st.just("directory"), st.just(b""), st.just(False)),
)
TREES = st.dictionaries(st.lists(NAME, min_size=1, max_size=3).map(tuple), LEAF, max_size=6)
Shape = dict[tuple[str, ...], tuple[str, object, bool]]


def normal(shape: Shape) -> Shape:
    """Without what lies below a file or link, and without directories that are not empty."""
    leaves = {path for path, leaf in shape.items() if leaf[0] != "directory"}
    kept = {path: leaf for path, leaf in shape.items() if not any(path[:end] in leaves for end in range(1, len(path)))}
    return {
        path: leaf
        for path, leaf in kept.items()
        if leaf[0] != "directory" or not any(other[: len(path)] == path and other != path for other in kept)
    }


def build(root: Path, shape: Shape) -> Path:
    root.mkdir()
    (root / "Dockerfile").write_text(ALL)
    for parts, (kind, value, executable) in shape.items():
        path = root.joinpath("t", *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "file":
            assert isinstance(value, bytes)
            path.write_bytes(value)
            path.chmod(0o755 if executable else 0o644)
        elif kind == "link":
            path.symlink_to(str(value))
        else:
            path.mkdir(exist_ok=True)
    return root


@posix
@settings(max_examples=60, deadline=None)
@given(TREES, TREES)
def test_equal_trees_and_only_they_have_equal_hashes_and_packs(
    tmp_path_factory: pytest.TempPathFactory, one: Shape, two: Shape
) -> None:
    base = tmp_path_factory.mktemp("trees")
    first = build(base / "one", normal(one))
    copy = base / "elsewhere"
    shutil.copytree(first, copy, symlinks=True)
    second = build(base / "two", normal(two))

    results = [packed(Context(str(root), "Dockerfile")) for root in (first, copy, second)]

    assert results[0][1] == results[1][1]
    for root, (result, _) in zip((first, copy, second), results, strict=True):
        assert result.dependencies == hashes(root)
    same = normal(one) == normal(two)
    assert (hashes(first) == hashes(second)) is same
    assert (results[0][0].sha256 == results[2][0].sha256) is same


@posix
@settings(max_examples=60, deadline=None)
@given(TREES, st.data())
def test_any_one_change_gives_another_hash_and_another_pack(
    tmp_path_factory: pytest.TempPathFactory, shape: Shape, data: st.DataObject
) -> None:
    root = build(tmp_path_factory.mktemp("trees") / "root", normal(shape))
    paths = sorted(path for path in root.rglob("*") if path.name != "Dockerfile" and not path.is_dir()) or [
        root / "new"
    ]
    path = data.draw(st.sampled_from(paths))
    before, tar = hashes(root), packed(Context(str(root), "Dockerfile"))[0].sha256

    if path.is_symlink():
        target = os.readlink(path)
        path.unlink()
        path.symlink_to(target + "x")
    elif not path.exists() or data.draw(st.booleans()):
        path.write_bytes((path.read_bytes() if path.exists() else b"") + b"x")
    else:
        path.chmod(path.stat().st_mode ^ stat.S_IXUSR)

    assert hashes(root) != before
    assert packed(Context(str(root), "Dockerfile"))[0].sha256 != tar


# The no-op run


def test_importing_costs_nothing_that_a_run_without_changes_would_feel() -> None:
    code = (
        "import argparse, json, hashlib, sys; before = set(sys.modules)\n"
        "import draftgenie_azure.build_context.context\n"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('draftgenie_azure')))"
    )

    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    assert child.stdout.split() == ["__future__"]
