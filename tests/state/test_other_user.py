"""Files planted by another user are not used, and this user's files are not accessible to others."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from other_user import as_nobody, needs_root, shared_directory
from project import STATE, Project

from draftgenie_azure.constants import HISTORY_DIRECTORY as HISTORY
from draftgenie_azure.errors import StateError
from draftgenie_azure.run import log
from draftgenie_azure.state import emergency_file, private_files
from draftgenie_azure.state.files import write_whole
from draftgenie_azure.state.local_file import LocalBackend

RESCUE = f"{STATE}.rescue-20990101T000000Z-1.json"


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory for temporary files of this test and of the runs that it starts."""
    with shared_directory() as directory:
        monkeypatch.setenv("TMPDIR", str(directory))
        monkeypatch.setattr("tempfile.tempdir", None)
        yield directory


def hostile(document: dict[str, Any]) -> bytes:
    """The state of the same deployment, much newer and with nothing in it."""
    return json.dumps({**document, "serial": 10**6, "steps": {}, "resources": {}}).encode()


@needs_root
def test_emergency_file_of_another_user_is_not_taken(deployed: Project, shared: Path) -> None:
    """Neither directly in the directory for temporary files, nor in one that looks like ours, nor behind a link."""
    content = hostile(deployed.state())
    private = Path(private_files.private_name(str(shared)))

    def plant() -> None:
        (shared / RESCUE).write_bytes(content)
        private.mkdir(0o700)
        (private / RESCUE).write_bytes(content)
        private.chmod(0o755)

    as_nobody(plant)
    result = deployed.run("--output", "json", "--force-step", "check_prerequisites")
    named = deployed.run("--restore-state", str(shared / RESCUE))

    assert result.code == 0, result.text
    assert set(result.ran()) == {"check_prerequisites"}
    assert RESCUE not in result.text
    assert named.code == 1
    assert "belongs to another user" in named.err
    assert "Traceback" not in named.err
    assert deployed.state()["serial"] < 10**6


@needs_root
def test_directory_of_another_user_gets_no_emergency_file(shared: Path, tmp_path: Path) -> None:
    """One of the right name created by another user, or a link to one of ours."""
    place = private_files.private_name(str(shared))

    def plant() -> None:
        os.symlink(tmp_path, place)

    as_nobody(plant)

    assert place not in emergency_file.places(str(tmp_path / STATE), make=True)
    assert str(shared) not in emergency_file.places(str(shared / STATE), make=True)


def test_emergency_file_in_the_temporary_directory_is_in_one_of_this_user(shared: Path, tmp_path: Path) -> None:
    """It is found again there."""
    (place,) = [place for place in emergency_file.places(str(tmp_path / STATE), make=True) if str(shared) in place]

    path = emergency_file.write(b"{}", str(tmp_path / STATE), "rescue-1-1.json", [place])

    assert path is not None
    assert stat.S_IMODE(os.stat(place).st_mode) == 0o700
    assert emergency_file.found(str(tmp_path / STATE)) == [path]


@needs_root
def test_copies_of_another_user_are_ignored(shared: Path) -> None:
    """If the history directory, or one of its files, was created by another user."""
    content = b"{}"
    name = f"{STATE}.99999999.json"

    def plant() -> None:
        (shared / HISTORY).mkdir(0o777)
        (shared / HISTORY / name).write_bytes(content)

    as_nobody(plant)
    backend = LocalBackend(str(shared / STATE))

    assert backend.copies() == []
    (shared / HISTORY / name).unlink()
    (shared / HISTORY).rmdir()
    backend.keep("00000001.json", content, 10)
    as_root = shared / HISTORY / f"{STATE}.00000001.json"
    os.chown(as_root, 65534, 65534)
    assert backend.copies() == []


@needs_root
@pytest.mark.parametrize("suffix", ["lock", "lock.json", "lock.json.PID.tmp", "PID.tmp", "lock.tmp"])
def test_links_beside_the_state_are_not_followed(suffix: str, shared: Path, tmp_path: Path) -> None:
    """A file that a link of another user points to is not written, whatever the link's name."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")

    def plant() -> None:
        os.symlink(precious, shared / f"{STATE}.{suffix.replace('PID', str(os.getppid()))}")

    as_nobody(plant)
    backend = LocalBackend(str(shared / STATE))
    try:
        from draftgenie_azure.state.lock import Waiting

        lock = backend.lock(b"{}", waiting=Waiting(), first=bytes)
        backend.load()
        backend.save(b"state")
        lock.release()
    except StateError as error:
        assert "locked" in error.message or "saved" in error.message

    assert precious.read_bytes() == b"precious"


@needs_root
def test_file_of_another_user_is_not_written_into(shared: Path) -> None:
    """An existing temporary file is another user's, who could change the state later."""
    path = shared / STATE

    def plant() -> None:
        (shared / f"{STATE}.{os.getppid()}.tmp").write_bytes(b"")

    as_nobody(plant)
    write_whole(str(path), b"state")

    assert path.stat().st_uid == os.geteuid()
    assert path.read_bytes() == b"state"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@needs_root
def test_log_of_another_user_is_not_written_into(shared: Path) -> None:
    """The other user could read what the run writes there."""
    path = shared / f"{STATE}.log"
    as_nobody(lambda: path.write_bytes(b""))

    with pytest.raises(PermissionError):  # by the kernel, where it protects such files, else by the command
        log._emptied(str(path))

    assert path.read_bytes() == b""
    assert path.stat().st_uid != os.geteuid()


@needs_root
def test_state_and_what_lies_beside_it_are_read_by_no_one_else(deployed: Project) -> None:
    """Even if everyone may enter the directory."""
    deployed.deploy("--force-step", "check_prerequisites")
    files = [path for path in deployed.directory.rglob(".azure-deployment-*") if path.is_file()]

    assert files
    for path in files:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_directory_that_a_group_of_others_may_write_to_does_not_count(tmp_path: Path) -> None:
    """Nor a world-writable one; one of only this user and root is allowed."""
    place = tmp_path / "place"
    place.mkdir(0o700)
    (place / "file").write_bytes(b"")
    assert private_files.why_foreign(str(place / "file")) is None

    place.chmod(0o777)
    assert "others may write to its directory" in str(private_files.why_foreign(str(place / "file")))
    place.chmod(0o755)
    (place / "file").chmod(0o666)
    assert "others may write to it" in str(private_files.why_foreign(str(place / "file")))
    (place / "link").symlink_to(place / "file")
    assert "a symbolic link" in str(private_files.why_foreign(str(place / "link")))
