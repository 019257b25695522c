"""A file of the application changes: which steps run, and for which reasons."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from plans import APP, BUILD, plan
from project import Project

from draftgenie_azure.build_context import context
from draftgenie_azure.changes.decision import as_packed

as_root = hasattr(os, "geteuid") and os.geteuid() == 0


# ------------------------------------------------------------------------------------------------------------- files


def _edit(app: Path) -> None:
    (app / "main.py").write_text("# edited\n", encoding="utf-8")


def _edit_in_secret(app: Path) -> None:
    status = (app / "one.txt").stat()
    (app / "one.txt").write_text("uno\n", encoding="utf-8")
    os.utime(app / "one.txt", ns=(status.st_atime_ns, status.st_mtime_ns))


def _swap(app: Path) -> None:
    (app / "one.txt").rename(app / "x")
    (app / "two.txt").rename(app / "one.txt")
    (app / "x").rename(app / "two.txt")


def _touch(app: Path) -> None:
    os.utime(app / "one.txt", (1, 1))


def _executable(app: Path) -> None:
    (app / "run.sh").chmod(0o755)


def _umask(app: Path) -> None:
    for path in app.rglob("*.txt"):
        path.chmod(0o664)


def _rename(app: Path) -> None:
    (app / "one.txt").rename(app / "three.txt")


def _rename_case(app: Path) -> None:
    (app / "one.txt").rename(app / "One.txt")


def _add(app: Path) -> None:
    (app / "new.py").write_text("", encoding="utf-8")


def _delete(app: Path) -> None:
    (app / "one.txt").unlink()


def _broken_link(app: Path) -> None:
    (app / "broken").symlink_to("nowhere")


def _edit_ignored(app: Path) -> None:
    (app / "debug.log").write_text("more\n", encoding="utf-8")


def _file_to_directory(app: Path) -> None:
    (app / "one.txt").unlink()
    (app / "one.txt").mkdir()


def _file_to_directory_and_back(app: Path) -> None:
    _file_to_directory(app)
    (app / "one.txt").rmdir()
    (app / "one.txt").write_text("one\n", encoding="utf-8")


def _retarget(app: Path) -> None:
    (app / "link").unlink()
    (app / "link").symlink_to("copy.txt")


def _link_out(app: Path) -> None:
    (app / "out").symlink_to("/etc")


def _link_loop(app: Path) -> None:
    (app / "loop").symlink_to("loop")


def _empty_directory(app: Path) -> None:
    (app / "empty").mkdir()


def _crlf(app: Path) -> None:
    (app / "one.txt").write_bytes(b"one\r\n")


def _newline_name(app: Path) -> None:
    (app / "a\nb").write_text("", encoding="utf-8")


def _odd_name(app: Path) -> None:
    with open(os.fsencode(app) + b"/\xff", "wb"):
        pass


def _pipe_and_socket(app: Path) -> None:
    os.mkfifo(app / "pipe")
    here = os.open(app, os.O_RDONLY)  # a socket's path may have 107 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{here}/socket")
    os.close(here)


def _directory_mode(app: Path) -> None:
    (app / "folder").chmod(0o700)


def _moved_directory(app: Path) -> None:
    (app / "folder").rename(app / "other")


ROWS: list[tuple[Callable[[Path], None], list[str]]] = [
    # the rows of the table in which every other tool has a wrong entry
    (_edit, ["file:{}/main.py changed"]),
    (_edit_in_secret, ["file:{}/one.txt changed"]),
    (_swap, ["file:{}/one.txt changed", "file:{}/two.txt changed"]),
    (_touch, []),
    (_executable, ["mode:{}/run.sh changed"]),
    (_umask, []),
    (_rename, [f"{kind}:{{}}/{name}" for kind in ("file", "mode") for name in ("one.txt is gone", "three.txt is new")]),
    (_add, ["file:{}/new.py is new", "mode:{}/new.py is new"]),
    (_delete, ["file:{}/one.txt is gone", "mode:{}/one.txt is gone"]),
    (_broken_link, ["link:{}/broken is new"]),
    (_edit_ignored, []),
    # and the others
    (
        _rename_case,
        [f"{kind}:{{}}/{name}" for kind in ("file", "mode") for name in ("One.txt is new", "one.txt is gone")],
    ),
    (_file_to_directory, ["file:{}/one.txt is gone", "file:{}/one.txt/ is new", "mode:{}/one.txt is gone"]),
    (_file_to_directory_and_back, []),
    (_retarget, ["link:{}/link changed"]),
    (_link_out, ["link:{}/out is new"]),
    (_link_loop, ["link:{}/loop is new"]),
    (_empty_directory, ["file:{}/empty/ is new"]),
    (_crlf, ["file:{}/one.txt changed"]),
    (_newline_name, ["file:{}/a\\x0ab is new", "mode:{}/a\\x0ab is new"]),
    (_odd_name, ["file:{}/\\xff is new", "mode:{}/\\xff is new"]),
    (_pipe_and_socket, []),
    (_directory_mode, []),
    (
        _moved_directory,
        [
            f"{kind}:{{}}/{name}"
            for kind in ("file", "mode")
            for name in ("folder/inside.txt is gone", "other/inside.txt is new")
        ],
    ),
]


@pytest.mark.parametrize(("change", "reasons"), ROWS, ids=[change.__name__.strip("_") for change, _ in ROWS])
def test_changed_file_rebuilds_its_image_only_if_shipped(
    prepared: Project, change: Callable[[Path], None], reasons: list[str]
) -> None:
    """The content, the path, the executable bit and a link's text count; nothing else does."""
    change(prepared.directory / "examples/draftgenie" / APP)

    ran = plan(prepared)

    assert ran == ({BUILD: [reason.format(APP) for reason in reasons]} if reasons else {})


@pytest.mark.skipif(as_root, reason="root reads all; test_odd_files.py tries it as another user")
def test_directory_that_cannot_be_read_is_an_error_that_names_step_and_path(prepared: Project) -> None:
    """It does not count as empty."""
    folder = prepared.directory / "examples/draftgenie" / APP / "folder"
    folder.chmod(0)

    result = prepared.run("--dry-run")

    folder.chmod(0o755)
    assert result.code == 1
    assert f"build_and_push_images: draft_service: cannot read {APP}/folder" in result.err


@pytest.mark.parametrize("gone", ["docker/Dockerfile.draft-service", "../draftgenie"])
def test_declared_file_that_is_missing_is_an_error_and_never_a_skip(prepared: Project, gone: str) -> None:
    """The configuration is the one that was found valid, so it is the hash that must notice."""
    path = prepared.directory / "examples/draftgenie" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    result = prepared.run()

    assert result.code == 1
    assert "build_and_push_images" in result.err
    assert "Traceback" not in result.err


def test_directory_removed_from_a_copied_path_is_a_fault(prepared: Project) -> None:
    """The build would fail; it is neither skipped nor begun."""
    shutil.rmtree(prepared.directory / "examples/draftgenie" / APP)

    result = prepared.run("--dry-run")

    assert result.code == 1
    assert f"`{APP}` does not exist below docker.build_context" in result.err


@pytest.mark.slow
def test_two_gigabytes_without_content_are_hashed_in_constant_memory(prepared: Project) -> None:
    """A sparse file: read through, not loaded."""
    with open(prepared.directory / "examples/draftgenie" / APP / "huge.bin", "wb") as file:
        file.truncate(2 << 30)
    # Measured by a small program between: what a process was forked from counts as its memory, too.
    measure = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", measure, *prepared.command("--dry-run", "--output", "json")]
    done = subprocess.run(
        command, cwd=prepared.directory, env=prepared.env(), capture_output=True, text=True, check=True
    )
    *_, memory = done.stdout.splitlines()

    assert f"file:{APP}/huge.bin is new" in done.stdout
    assert int(memory) < 90 * 1024  # validation's library included, which a change needs


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_tree_that_changes_while_it_is_hashed_is_seen(tmp_path: Path, change: str) -> None:
    """Files hashed first are checked again at the end: half of one commit and half of another is not a tree."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . .\n", encoding="utf-8")
    tree = context.Tree(str(tmp_path))
    tree.context("Dockerfile").dependencies()

    if change == "edited":
        (tmp_path / "a").write_text("b", encoding="utf-8")
    elif change == "added":
        (tmp_path / "d").write_text("", encoding="utf-8")
    else:
        (tmp_path / "b").unlink()

    assert tree.changed() is not None


def test_tree_that_keeps_changing_is_an_error_and_not_a_skip(prepared: Project) -> None:
    """A concurrent writer: the run either finds a consistent tree, or names what changes."""
    app = prepared.directory / "examples/draftgenie" / APP
    stop = threading.Event()

    def write() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            (app / "one.txt").write_text(f"{count}", encoding="utf-8")
            (app / "two.txt").write_text(f"{count}", encoding="utf-8")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        result = prepared.run("--dry-run", "--output", "json", "--detailed-exitcode")
    finally:
        stop.set()
        writer.join()

    assert result.code in (1, 2), result.text
    assert "changes while it is" in result.text or "one.txt changed" in result.text


def test_edit_reverted_during_packing_does_not_count_as_deployed() -> None:
    """The packed files are recorded, not those hashed before."""

    decided = {"config:docker.platform": "1", "file:a": "A", "mode:a": "-", "file:b": "B"}
    packed = {"file:a": "edited", "mode:a": "-"}

    assert as_packed(decided, packed) == {"config:docker.platform": "1", "file:a": "edited", "mode:a": "-"}
    assert as_packed(decided, {}) == decided
