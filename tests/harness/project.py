"""A project directory, the command as people run it, and the emulator's own log of requests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / "deploy-azure_v1.py"
STATE = ".azure-deployment-state-v1.json"
SHARED = ROOT.parent / "shared"
HOUR = 3600.0
WRITES = ("PUT", "PATCH", "POST", "DELETE")
# POSTs that change nothing: they ask for keys, names, addresses or tokens.
ASKING = (
    "/listkeys", "/checknameavailability", "/token", "/exchange", "/getauthtoken", "/listlogsasurl",
    "/listcustomhostnameanalysis", "/validateresources",
)  # fmt: skip


@dataclass
class Result:
    """One run of the command."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it printed."""
        return self.out + self.err

    def events(self) -> list[dict[str, Any]]:
        """The JSON events of a run with --output json."""
        return [json.loads(line) for line in self.out.splitlines()]

    def ran(self) -> dict[str, list[str]]:
        """Of a run with --output json: the steps that ran, with their reasons."""
        return {event["step"]: event["reasons"] for event in self.events() if event["event"] == "step_run"}


class Azure:
    """Azure Resource Manager of a project's emulator, and the emulator's control."""

    def __init__(self, client: Any, emulator: Any) -> None:
        self._client = client
        self.control = emulator.control

    def ask(self, method: str, path: str, version: str, body: Any = None) -> Any:
        """Send a request to Azure Resource Manager; return the reply of any status."""
        from azure.core.rest import HttpRequest

        params = {} if "api-version=" in path else {"api-version": version}
        return self._client.send_request(HttpRequest(method, path, params=params, json=body))

    def send(self, method: str, path: str, version: str, body: Any = None) -> Any:
        """Send a request to Azure Resource Manager; the answer, which must be good."""
        answer = self.ask(method, path, version, body)
        assert answer.status_code < 300, answer.text()
        return answer

    def exists(self, resource_id: str, version: str) -> bool:
        """Return whether a resource exists."""
        from azure.core.rest import HttpRequest

        answer = self._client.send_request(HttpRequest("GET", resource_id, params={"api-version": version}))
        assert answer.status_code in (200, 404), answer.text()
        return bool(answer.status_code == 200)

    def delete(self, resource_id: str, version: str) -> None:
        """Delete a resource, and wait until it is gone."""
        answer = self.send("DELETE", resource_id, version)
        while answer.status_code == 202 and answer.headers.get("Location"):
            answer = self.send("GET", answer.headers["Location"], version)


@dataclass
class Project:
    """A directory with a configuration, an application and, once deployed, an emulator and a state."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def state_file(self) -> Path:
        """The path of the state."""
        return self.directory / STATE

    def state(self) -> dict[str, Any]:
        """The state document."""
        document: dict[str, Any] = json.loads(self.state_file.read_text(encoding="utf-8"))
        return document

    def config(self) -> dict[str, Any]:
        """The configuration's values, to be changed and written back."""
        values: dict[str, Any] = yaml.safe_load((self.directory / "config.yaml").read_text(encoding="utf-8"))
        return values

    def write(self, values: dict[str, Any]) -> None:
        """Write the configuration."""
        (self.directory / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")

    def change(self, key: str, value: Any) -> None:
        """Set one dotted key of the configuration; None takes it out."""
        values = self.config()
        section = values
        *above, last = key.split(".")
        for name in above:
            section = section.setdefault(name, {})
        if value is None:
            section.pop(last)
        else:
            section[last] = value
        self.write(values)

    def overlay(self, name: str, values: dict[str, Any]) -> str:
        """Write a further file that overrides the configuration; its name."""
        (self.directory / name).write_text(yaml.safe_dump(values), encoding="utf-8")
        return name

    def faults(self, *faults: dict[str, Any], **emulator: Any) -> list[str]:
        """Arguments that have the emulator misbehave."""
        name = self.overlay("faults.yaml", {"azure": {"emulator": {"faults": list(faults), **emulator}}})
        return ["--config", "config.yaml", "--config", name]

    def command(self, *arguments: str, program: str = str(COMMAND)) -> list[str]:
        """The command line of a run."""
        return [sys.executable, program, *arguments]

    def env(self) -> dict[str, str]:
        """The environment of a run: nothing of ours that belongs to Azure."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AZURE_", "ARM_"))}
        return {**kept, **self.environment}

    def run(self, *arguments: str, timeout: float = 100, program: str = str(COMMAND)) -> Result:
        """Run the command, or another program, in the directory."""
        done = subprocess.run(
            self.command(*arguments, program=program),
            cwd=self.directory,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def start(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start the command without waiting for it; what is left of it at the end of the block is killed."""
        with subprocess.Popen(
            self.command(*arguments),
            cwd=self.directory,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def deploy(self, *arguments: str) -> Result:
        """Run the command, which must succeed, and give its JSON events."""
        result = self.run("--output", "json", *arguments)
        assert result.code == 0, result.text
        return result

    # --- what is in the emulator ---

    @contextmanager
    def azure(self) -> Iterator[Azure]:
        """The emulator as another user would use it: by the SDK, with the emulator's own sign-in."""
        from azure.identity import ClientSecretCredential
        from azure.mgmt.resource.resources import ResourceManagementClient

        from azure_emulator.attach import attach

        with attach(self.directory / ".azure-emulator") as emulator:
            ca_file = str(emulator.ca_file)
            reach = {"proxies": {"https": emulator.proxy_url}, "connection_verify": ca_file, "use_env_settings": False}
            credential = ClientSecretCredential(
                emulator.tenant_id, emulator.client_id, emulator.client_secret, **reach
            )
            with ResourceManagementClient(credential, emulator.subscription_id, **reach) as client:
                yield Azure(client, emulator)
            credential.close()

    def executions(self) -> list[str]:
        """Names of all executions of the migration's job."""
        job = self.state()["resources"]["job/speaker-service"]["id"]
        with self.azure() as azure:
            return [item["name"] for item in azure.send("GET", f"{job}/executions", "2026-01-01").json()["value"]]

    def secret(self, name: str) -> str:
        """The value of a secret of the (one) vault, in the version that the state knows."""
        document = json.loads((self.directory / ".azure-emulator" / "vault.json").read_text(encoding="utf-8"))
        (vault,) = document.values()
        value: str = vault[name][self.state()["secrets"][name]["version"]]
        return value

    def password_agrees(self) -> bool:
        """Return whether the PostgreSQL server's password is the one in the vault and in every URL."""
        from azure_emulator.attach import attach

        server = self.state()["resources"]["postgresql_server"]["id"]
        password = self.secret("postgresql-admin-password")
        with attach(self.directory / ".azure-emulator") as azure:
            answer = azure.control("POST", "/control/password", {"id": server, "password": password})
        urls = [self.secret(f"{name}-service-database-url") for name in ("draft", "rag", "speaker")]
        return bool(answer["matches"]) and all(f":{password}@" in url for url in urls)

    # --- what the emulator saw ---

    def requests(self) -> list[dict[str, Any]]:
        """Every request that the emulator answered, in order."""
        return [json.loads(line) for line in self.log_lines()]

    def log_lines(self, position: int = 0) -> list[bytes]:
        """The whole lines of the emulator's log from a position on; it may be writing another one right now."""
        log = self.directory / ".azure-emulator" / "requests.jsonl"
        if not log.exists():
            return []
        with log.open("rb") as file:
            file.seek(position)
            text = file.read()
        return text[: text.rfind(b"\n") + 1].splitlines(keepends=True)

    def writes(self, since: int = 0) -> list[str]:
        """Method and path of the requests that change something, from the request with that number on."""
        return [
            f"{request['method']} {request['path']}"
            for request in self.requests()[since:]
            if request["method"] in WRITES and not request["path"].lower().endswith(ASKING)
        ]


def wait_for(condition: Callable[[], object], process: subprocess.Popen[Any], what: str) -> None:
    """Wait until `condition` gives something true; `what` is said when the process ends without, or takes a minute."""
    deadline = time.monotonic() + 60
    while True:
        ended = process.poll() is not None  # before the look: what it did last is seen, too
        if condition():
            return
        assert time.monotonic() < deadline and not ended, what
        time.sleep(0.01)


def wait_for_server(project: Project, process: subprocess.Popen[Any]) -> None:
    """Wait until a run is in the middle of making the PostgreSQL server."""
    wait_for(
        lambda: any(write.startswith("PUT") and "/flexibleServers/" in write for write in project.writes()),
        process,
        "the run did not come to the server",
    )


def hold_at_server(project: Project, process: subprocess.Popen[Any]) -> None:
    """Wait until a run is in the middle of making the PostgreSQL server, and keep it there until `let_time_pass`."""
    wait_for_server(project, process)
    hold_time(project)


def hold_time(project: Project) -> None:
    """Have nothing end that Azure is working on now, until `let_time_pass`."""
    _move_clock(project, -HOUR)


def let_time_pass(project: Project) -> None:
    """Have all that Azure was working on end."""
    _move_clock(project, 1.5 * HOUR)


def _move_clock(project: Project, seconds: float) -> None:
    """Move the emulator's clock, by which operations end; declared durations and faults are over, too."""
    from azure_emulator.attach import attach

    with attach(project.directory / ".azure-emulator") as azure:
        azure.control("POST", "/control/clock", {"advance": seconds})


def wait_for_end(project: Project) -> None:
    """Wait until the project's emulator has noticed that no client is left, and ended."""
    from azure_emulator.lockfile import read_lock

    deadline = time.monotonic() + 60
    while read_lock(project.directory / ".azure-emulator") is not None:
        assert time.monotonic() < deadline, "the emulator did not end"
        time.sleep(0.05)


def contents(directory: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a directory; not one that goes while it is looked for, as those of an emulator that ends."""
    for path in sorted(directory.rglob("*")):
        with suppress(FileNotFoundError):
            if path.is_file():
                yield path, path.read_bytes()


def new_project(directory: Path) -> Project:
    """The shipped configuration and application, copied."""
    shutil.copy(ROOT / "config.yaml", directory / "config.yaml")
    shutil.copytree(ROOT / "examples", directory / "examples")
    return Project(directory)
