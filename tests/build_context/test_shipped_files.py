"""Names, ignore files, and what is never shipped."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from context_trees import (
    ALL,
    content,
    hashes,
    make,
    members,
    names,
    packed,
    posix,
    sha,
)
from hypothesis import given
from hypothesis import strategies as st

from draftgenie_azure.build_context.context import Context
from draftgenie_azure.build_context.names import escape
from draftgenie_azure.errors import BuildError

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
def test_unusual_names_are_packed_unchanged(tmp_path: Path) -> None:
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


def test_escaped_names_are_unique() -> None:
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


def test_a_dockerfile_below_the_root_is_found(tmp_path: Path) -> None:
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


def test_files_depend_on_target_and_stages(tmp_path: Path) -> None:
    make(tmp_path, {"a": "", "b": ""}, "FROM scratch AS one\nCOPY a /\nFROM scratch\nCOPY b /\n")

    assert names(tmp_path) == ["b"]
    assert names(tmp_path, target="one") == ["a"]
    assert names(tmp_path, every_stage=True) == ["a", "b"]


# What is never shipped


def test_own_files_and_version_control_are_not_shipped(tmp_path: Path) -> None:
    ours = [
        ".git/config", ".hg/x", ".svn/x", ".bzr/x", ".venv/bin/python", "sub/.git", "sub/.venv/x",
        ".azure-deployment-state-v1.json", ".azure-deployment-state.json", ".azure-deployment-state-v1.json.bak",
        ".azure-deployment-history/1.json", ".azure-emulator/vault.json", "azure-deployment-v1.log",
        "azure-deployment.log", "azure-deployment-summary.md", "scripts/.azure-deployment-state.json",
    ]  # fmt: skip
    make(tmp_path, dict.fromkeys(ours, "secret") | {"scripts/a": "", ".gitignore": "", "git/x": ""})

    assert names(tmp_path) == [".gitignore", "Dockerfile", "git/x", "scripts/a", "sub"]
    assert b"secret" not in gzip.decompress(packed(Context(str(tmp_path), "Dockerfile"))[1])


def test_excluded_files_are_not_shipped(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
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
