"""The client side: start the emulator of a directory or join a running one, and detach from it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict, Unpack
from urllib.parse import urlsplit

from azure_emulator.lockfile import ALREADY_RUNS, check_owner, read_lock, read_secret

_PATIENCE = 60.0
_NEEDED = {
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TEMP", "TMP"),
    *("PYTHONHOME", "PYTHONUSERBASE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
}
"""The variables that Python needs to start. The emulator's process gets no others: it outlives its starter, whose
environment may contain secrets."""
_PACKAGES = Path(__file__).resolve().parents[1]


class EmulatorError(Exception):
    """The emulator could not be started or joined."""


class Attached:
    """A running emulator, held by one open connection until `close`, or until this process ends in any way."""

    def __init__(self, info: Mapping[str, Any], secret: str, connection: socket.socket) -> None:
        self._secret = secret
        self.proxy_url: str = info["proxy"]
        self.control_url: str = info["control"]
        self.ca_file = Path(info["ca_file"])
        self.emulator_id: str = info["emulator_id"]
        self.tenant_id: str = info["tenant_id"]
        self.subscription_id: str = info["subscription_id"]
        self.client_id: str = info["client_id"]
        self.client_secret: str = info["client_secret"]
        self.object_id: str = info["object_id"]
        self.process_id: int = info["pid"]
        self.read_only: bool = info["read_only"]
        self._connection: socket.socket | None = connection
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def control(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Send one request to the control address, such as `control("POST", "/control/clock", {"advance": 60})`."""
        return _request(self.control_url, self._secret, method, path, body)

    def __enter__(self) -> Attached:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_identity(directory: Path) -> dict[str, str] | None:
    """The public part of an emulator's identity, without starting it: id, tenant_id, subscription_id."""
    try:
        content = _identity(Path(directory))
    except FileNotFoundError:
        return None
    return {key: content[key] for key in ("id", "tenant_id", "subscription_id")}


def _identity(directory: Path) -> dict[str, str]:
    content: dict[str, str] = json.loads((directory / "emulator.json").read_text(encoding="utf-8"))
    return content


class Settings(TypedDict, total=False):
    """Settings of an emulator on attaching; absent ones have their defaults."""

    scale: float
    faults: Sequence[Mapping[str, object]]
    images: Mapping[str, Mapping[str, object]]
    policies: Sequence[Mapping[str, object]]
    dns: Mapping[str, Mapping[str, Sequence[str]]]


def attach(
    directory: Path,
    *,
    start: bool = True,
    read_only: bool = False,
    or_empty: bool = False,
    **given: Unpack[Settings],
) -> Attached | None:
    """Join the emulator of a directory, starting it if none runs.

    `start=False`: None if none runs. `read_only`: where none runs, one is started that writes no file; where the
    directory does not exist yet, None, or with `or_empty` an empty one whose temporary directory ends with it.
    """
    directory = Path(directory).absolute()
    dns = given.get("dns")
    settings: dict[str, object] = {
        "scale": given.get("scale", 0.0),
        "faults": [dict(fault) for fault in given.get("faults", ())],
        "images": {key: dict(value) for key, value in given.get("images", {}).items()},
        "policies": [dict(policy) for policy in given.get("policies", ())],
        **({"dns": {name: dict(records) for name, records in dns.items()}} if dns else {}),
    }
    joined = _join(directory)
    if joined is None and not start:
        return None
    if joined is None and read_only:
        if read_identity(directory) is not None:
            joined = _start_for_us(directory, "--read-only")
        elif or_empty:
            joined = _start_for_us(directory, "--temporary")
        else:
            return None
    if joined is None:
        joined = _start(directory)
    try:
        joined.control("POST", "/control/settings", settings)
    except EmulatorError:
        joined.close()
        raise
    return joined


def _request(url: str, secret: str, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        content = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {secret}", **({"Content-Type": "application/json"} if content else {})}
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read() or b"{}")
    except OSError as error:
        raise EmulatorError(f"the emulator at {url} does not respond: {error}") from error
    finally:
        connection.close()
    if response.status >= 400:
        raise EmulatorError(str(answer.get("error", {}).get("message", response.reason)))
    return answer


def _join(directory: Path) -> Attached | None:
    content, secret = read_lock(directory), read_secret(directory)
    if content is None or secret is None:
        return None
    problem = check_owner(directory)
    if problem is not None:
        raise EmulatorError(problem)
    return _hold(content["control"], secret, directory)


def _hold(url: str, secret: str, directory: Path) -> Attached | None:
    """Hold the emulator at an address; None if it is not, or no longer, there."""
    parts = urlsplit(url)
    try:
        connection = socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=5)
    except OSError:
        return None
    try:
        wish = f"GET /control/hold HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {secret}\r\n\r\n"
        connection.sendall(wish.encode())
        answer = b""
        while not answer.endswith(b"}"):
            piece = connection.recv(4096)
            if not piece:
                connection.close()
                return None
            answer += piece
        held = json.loads(answer.split(b"\r\n\r\n", 1)[1])
        identity = _identity(directory)
        if held.get("emulator_id") != identity["id"]:
            connection.close()
            return None
        connection.settimeout(None)
        # The secret comes from the file, which only its owner can read; the port is open to every local user.
        info = _request(url, secret, "GET", "/control/info")
        return Attached({**info, "client_secret": identity["client_secret"]}, secret, connection)
    except (OSError, ValueError, EmulatorError):
        connection.close()
        return None


def _command(directory: Path, *more: str) -> tuple[list[str], dict[str, str]]:
    environment = {name: value for name, value in os.environ.items() if name.upper() in _NEEDED}
    inherited = os.environ.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([str(_PACKAGES), *([inherited] if inherited else [])])
    return [
        sys.executable,
        "-m",
        "azure_emulator",
        "--directory",
        str(directory),
        "--attached",
        *more,
    ], environment


def _spawn(directory: Path, output: Any, errors: Any, *more: str) -> subprocess.Popen[bytes]:
    """Start it in a separate session, so that Ctrl-C in the terminal does not reach it."""
    command, environment = _command(directory, *more)
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    return subprocess.Popen(
        command,
        env=environment,
        cwd=directory if directory.is_dir() else None,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,
        creationflags=flags,
    )


def _start(directory: Path) -> Attached:
    """Start an emulator and join it; if another process was faster, join that one."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    problem = check_owner(directory)
    if problem is not None:
        raise EmulatorError(problem)
    end = time.monotonic() + _PATIENCE
    child: subprocess.Popen[bytes] | None = None
    while time.monotonic() < end:
        joined = _join(directory)
        if joined is not None:
            joined._process = child
            return joined
        if child is None or child.poll() is not None:
            if child is not None and child.returncode != ALREADY_RUNS:
                raise EmulatorError(f"the emulator did not start: {_last_line(directory / 'emulator.log')}")
            if child is not None:
                time.sleep(0.1)  # another process was faster, or an emulator is just ending
            with (directory / "emulator.log").open("ab") as log:
                child = _spawn(directory, log, log)
        time.sleep(0.01)
    raise EmulatorError(f"the emulator did not start within {_PATIENCE:.0f} s; see {directory / 'emulator.log'}")


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else f"see {log}"


def _start_for_us(directory: Path, how: str) -> Attached:
    """Starts one that nobody else can find."""
    child = _spawn(directory, subprocess.PIPE, subprocess.PIPE, how)
    assert child.stdout is not None and child.stderr is not None
    line = child.stdout.readline()
    if not line:
        said = child.stderr.read().decode("utf-8", "replace").strip().splitlines()
        raise EmulatorError(f"the emulator for {directory} did not start: {said[-1] if said else 'it said nothing'}")
    announced = json.loads(line)
    joined = _hold(announced["control"], announced["secret"], Path(announced["directory"]))
    if joined is None:
        raise EmulatorError(f"the emulator for {directory} ended at once")
    joined._process = child
    child.stdout.close()
    child.stderr.close()
    return joined
