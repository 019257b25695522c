"""Access to the control address, and the environment of the emulator's process."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from azure_emulator.attach import Attached, EmulatorError, attach
from azure_emulator.core.store import Store

PATHS = ["info", "clock", "faults", "settings", "reset", "requests", "delete", "principals", "password", "hold"]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attached]:
    attached = attach(tmp_path_factory.mktemp("azure") / ".azure-emulator")
    assert attached is not None
    with attached:
        yield attached


def _directory(emulator: Attached) -> Path:
    return emulator.ca_file.parent


def _secret(emulator: Attached) -> str:
    return (_directory(emulator) / "control.secret").read_text()


def _status(emulator: Attached, method: str, path: str, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection(urlsplit(emulator.control_url).netloc, timeout=10)
    try:
        connection.request(method, f"/control/{path}", b"" if method == "GET" else b"{}", headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", PATHS)
def test_no_control_path_answers_without_the_secret(emulator: Attached, path: str, method: str) -> None:
    for sent in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {_secret(emulator)}"}):
        assert _status(emulator, method, path, sent) == 401


@pytest.mark.parametrize("path", PATHS)
def test_a_request_that_a_web_page_could_send_is_refused_although_it_knows_the_secret(
    emulator: Attached, path: str
) -> None:
    known = {"Authorization": f"Bearer {_secret(emulator)}"}
    for sent in ({"Origin": "null"}, {"Origin": emulator.control_url}, {"Host": "evil.example"}, {"Host": "127.0.0.1"}):
        assert _status(emulator, "POST", path, {**known, **sent}) == 403


def test_the_secret_opens_it_under_both_names_of_this_machine(emulator: Attached) -> None:
    port = urlsplit(emulator.control_url).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        headers = {"Authorization": f"Bearer {_secret(emulator)}", "Host": host}
        assert _status(emulator, "GET", "info", headers) == 200


def test_only_its_owner_can_read_the_secret(emulator: Attached) -> None:
    assert (_directory(emulator) / "control.secret").stat().st_mode & 0o777 == 0o600
    assert _directory(emulator).stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")
def test_another_user_of_the_machine_reaches_neither_secret_nor_control(tmp_path: Path) -> None:
    directory = tmp_path / ".azure-emulator"
    attached = attach(directory)
    assert attached is not None
    code = (
        "import http.client, os, pathlib, sys\n"
        "connection = http.client.HTTPConnection(sys.argv[2], timeout=10)\n"
        "connection.connect()\n"
        "os.setgroups([]), os.setgid(65534), os.setuid(65534)\n"
        "for name in ('control.secret', 'vault.json', 'emulator.json', 'requests.jsonl'):\n"
        "    try:\n"
        "        pathlib.Path(sys.argv[1], name).read_text()\n"
        "        print('read', name)\n"
        "    except OSError:\n"
        "        pass\n"
        "connection.request('POST', '/control/principals', b'{}')\n"
        "print(connection.getresponse().status)\n"
    )
    tmp_path.chmod(0o755)
    with attached:
        result = subprocess.run(
            [sys.executable, "-I", "-c", code, str(directory), urlsplit(attached.control_url).netloc],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert result.stdout.split() == ["401"], result.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_that_someone_else_owns_is_not_trusted(tmp_path: Path) -> None:
    directory = tmp_path / ".azure-emulator"
    directory.mkdir()
    os.chown(directory, 65534, 65534)
    with pytest.raises(EmulatorError, match="belongs to another user"):
        attach(directory)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has other rights")
def test_a_directory_that_others_may_write_to_is_not_trusted(tmp_path: Path) -> None:
    directory = tmp_path / ".azure-emulator"
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.raises(EmulatorError, match="chmod go-w"):
        attach(directory)
    assert list(directory.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows a process's environment")
def test_the_process_gets_of_the_environment_what_python_needs_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_ADMIN_PASSWORD", "canary-1")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "canary-2")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary-3")
    attached = attach(tmp_path / ".azure-emulator")
    assert attached is not None
    with attached:
        given = Path(f"/proc/{attached.process_id}/environ").read_bytes()
    assert b"canary" not in given
    assert b"PATH=" in given


def test_the_secret_ends_with_the_process(tmp_path: Path) -> None:
    directory = tmp_path / ".azure-emulator"
    alone = subprocess.Popen(
        [sys.executable, "-m", "azure_emulator", "--directory", str(directory)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert alone.stdout is not None
    shown = [alone.stdout.readline()]
    while not shown[-1].startswith("export AZURE_SUBSCRIPTION_ID"):
        shown.append(alone.stdout.readline())
    secret = (directory / "control.secret").read_text()
    assert secret
    assert secret not in "".join(shown)
    alone.terminate()
    alone.communicate(timeout=30)
    assert not (directory / "control.secret").exists()


def test_a_second_emulator_in_a_directory_says_where_the_first_one_is(emulator: Attached) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "azure_emulator", "--directory", str(_directory(emulator))],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 3
    assert emulator.control_url in result.stderr
    assert emulator.control("GET", "/control/info")["pid"] == emulator.process_id


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {"advance": "x"}), ("clock", {"set": "nan"}), ("clock", {"advance": 1e30}), ("clock", {"set": -1e12}),
        ("clock", {"advance": None}), ("clock", {"set": "inf"}), ("settings", {"scale": -1, "tasks_allowed": False}),
        ("settings", {"scale": "nan"}), ("settings", {"scale": 7, "images": []}),
        ("settings", {"scale": 7, "nothing": 1}), ("settings", {"scale": 7, "tasks_allowed": "no"}),
        ("settings", {"scale": 7, "policies": [{"effect": "none"}]}), ("settings", {"scale": 7, "offers": {"x": 1}}),
        ("settings", {"scale": 7, "faults": [{"nothing": 1}]}), ("settings", {"images": {"a": {"port": 1}}, "dns": []}),
        ("settings", {"faults": [{"path": "*", "status": 500}], "scale": "x"}), ("faults", {"faults": 5}),
        ("principals", {"client_id": "half", "roles": 5}), ("principals", {"client_id": "half", "roles": [{}]}),
    ],
)  # fmt: skip
def test_what_is_bad_changes_nothing_at_all(emulator: Attached, path: str, body: dict[str, object]) -> None:
    def state() -> object:
        shown = emulator.control("POST", "/control/settings", {})
        faults = emulator.control("GET", "/control/faults")
        return shown, faults, emulator.control("GET", "/control/clock")["offset"]

    before = state()

    with pytest.raises(EmulatorError):
        emulator.control("POST", f"/control/{path}", body)

    assert state() == before
    store = Store(_directory(emulator) / "store", read_only=True)
    assert store.record("principal", "half") is None
