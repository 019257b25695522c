"""The pack and its tag, for any tree; what a run without changes reads."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from context_trees import (
    ALL,
    ROOT,
    hashes,
    make,
    members,
    packed,
    posix,
    sha,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from draftgenie_azure.build_context import listing
from draftgenie_azure.build_context.context import Context
from draftgenie_azure.build_context.hashing import content_tag
from draftgenie_azure.build_context.packing import pack
from draftgenie_azure.errors import BuildError

# The pack


def test_pack_has_normal_modes_and_no_times_or_owners(tmp_path: Path) -> None:
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


@pytest.mark.program("tar")
def test_other_tools_read_the_pack(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
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
def test_two_gigabytes_are_packed_in_constant_memory(tmp_path: Path) -> None:
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
    """Without entries below a file or link, and without non-empty directories."""
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
        "import argparse, json, hashlib, sys, threading; before = set(sys.modules)\n"
        "import draftgenie_azure.build_context.context\n"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('draftgenie_azure')))"
    )

    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    assert child.stdout.split() == ["__future__"]
