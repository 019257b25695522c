"""The command `docker` as it is called: with a stand-in that records calls, and exits as configured."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stand_in_docker import DIGEST, StandIn, install

from draftgenie_azure.errors import BuildError, StopRequested
from draftgenie_azure.provision.bodies.builds import ImageBuild
from draftgenie_azure.provision.docker_command import DockerCommand
from draftgenie_azure.run.control import RunControl

SERVER = "acr.azurecr.io"
IMAGE = f"{SERVER}/api:0123"
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The stand-in, first on PATH, with a temporary directory whose files are counted."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return install(tmp_path / "bin")


@pytest.fixture
def left_behind(docker: StandIn, tmp_path: Path) -> Iterator[None]:
    """Nothing is left in the temporary directory afterwards."""
    yield
    assert list((tmp_path / "temporary").iterdir()) == []


class Told:
    """The output of a build, and the control that stops it."""

    def __init__(self) -> None:
        self.control = RunControl()
        self.lines: list[tuple[str, str]] = []
        self.first = threading.Event()

    def __call__(self, key: str, line: str) -> None:
        self.lines.append((key, line))
        self.first.set()

    def command(self, **environment: str) -> DockerCommand:
        return DockerCommand(self.control, self, environment)


def build(command: DockerCommand, **changes: Any) -> str:
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the test
    archive.write(b"packed")
    archive.seek(0)
    wanted: dict[str, Any] = {
        "image": IMAGE, "dockerfile": "docker/Dockerfile", "platform": "linux/amd64", "timeout": 60, "target": None,
        "arguments": {}, "secret": [], "fresh": False,
    }  # fmt: skip
    with archive:
        return command.build("api", archive, ImageBuild(**{**wanted, **changes}))


# --- what is missing ---


def test_complete_docker_has_no_problems(docker: StandIn) -> None:
    assert list(Told().command().problems()) == []


def test_missing_docker_is_reported(docker: StandIn, tmp_path: Path) -> None:
    problems = list(Told().command(PATH=str(tmp_path)).problems())

    assert len(problems) == 1
    assert "there is no docker command on PATH" in problems[0]
    assert "docker.builder to acr" in problems[0]


def test_docker_that_cannot_be_executed(docker: StandIn, tmp_path: Path) -> None:
    (tmp_path / "bin" / "docker").write_bytes(b"\x7fELF no program")

    assert len(list(Told().command().problems())) == 2


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (
            {"version": {"code": 1, "err": "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."}},
            ["the Docker daemon does not respond (Cannot connect to the Docker daemon at unix:///", "start Docker"],
        ),
        (
            {"buildx": {"code": 1, "err": "docker: 'buildx' is not a docker command."}},
            ["docker has no buildx (docker: 'buildx' is not a docker command.)", "install the plugin docker-buildx"],
        ),
        ({"version": {"code": 1}}, ["the Docker daemon does not respond (exit code 1)"]),
    ],
)
def test_what_is_missing_is_reported_with_what_to_do(docker: StandIn, plan: dict[str, Any], words: list[str]) -> None:
    docker.plan(**plan)

    (problem,) = Told().command().problems()

    for word in words:
        assert word in problem


def test_hanging_daemon_is_reported(docker: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("draftgenie_azure.provision.docker_command.ANSWER_TIMEOUT", 1.0)
    docker.plan(version={"hang": True})

    (problem,) = Told().command().problems()

    assert "no reply within 1 s" in problem


# --- the sign-in ---


@pytest.mark.usefixtures("left_behind")
def test_password_comes_on_standard_input_and_stays_in_a_directory_for_this_run(
    docker: StandIn, tmp_path: Path
) -> None:
    home = tmp_path / "home" / ".docker"
    home.mkdir(parents=True)
    (home / "config.json").write_text(
        json.dumps({"credsStore": "desktop", "auths": {SERVER: {}, "ghcr.io": {"auth": "eA=="}}, "currentContext": "c"})
    )
    before = (home / "config.json").read_bytes()
    with Told().command().signed_in(SERVER, NOBODY, "refresh token") as command:
        build(command)

    (login,), (built,) = docker.called("login"), docker.called("build")
    assert login["arguments"] == ["login", SERVER, "--username", NOBODY, "--password-stdin"]
    assert login["stdin"] == "refresh token"
    assert "refresh token" not in json.dumps([call["environment"] for call in docker.calls])
    assert (login["directory_mode"], login["config_mode"]) == (0o700, 0o600)
    assert login["environment"]["DOCKER_CONFIG"] == built["environment"]["DOCKER_CONFIG"] != str(home)
    assert not os.path.exists(login["environment"]["DOCKER_CONFIG"])
    assert (home / "config.json").read_bytes() == before
    config = login["config"]
    assert config["credHelpers"][SERVER] == "", "else the token went into the user's key chain"
    assert config["auths"] == {"ghcr.io": {"auth": "eA=="}}, "base images are pulled as the user may"
    assert (config["credsStore"], config["currentContext"]) == ("desktop", "c")
    assert config["cliPluginsExtraDirs"] == [str(home / "cli-plugins")]
    assert login["environment"]["BUILDX_CONFIG"] == str(home / "buildx")


@pytest.mark.usefixtures("left_behind")
@pytest.mark.parametrize("text", ["", "no json", "[]", '{"auths": 1, "credHelpers": [], "cliPluginsExtraDirs": {}}'])
def test_unreadable_docker_configuration_counts_as_none(docker: StandIn, tmp_path: Path, text: str) -> None:
    (tmp_path / "home" / ".docker").mkdir(parents=True)
    (tmp_path / "home" / ".docker" / "config.json").write_text(text)

    with Told().command().signed_in(SERVER, NOBODY, "p"):
        pass

    assert docker.called("login")[0]["config"]["credHelpers"] == {SERVER: ""}


@pytest.mark.usefixtures("left_behind")
def test_refused_sign_in_is_reported(docker: StandIn) -> None:
    docker.plan(login={"code": 1, "err": "Error response from daemon: unauthorized"})

    with (
        pytest.raises(BuildError, match=r"cannot sign in to acr\.azurecr\.io: Error .*: unauthorized"),
        Told().command().signed_in(SERVER, NOBODY, "p"),
    ):
        pytest.fail("it was not signed in")


# --- the build ---


@pytest.mark.usefixtures("left_behind")
def test_context_goes_in_and_the_digest_comes_out(docker: StandIn) -> None:
    told = Told()
    docker.plan(build={"out": "#1 [internal] load build definition", "err": "#2 DONE"})

    digest = build(told.command(), target="prod")

    assert digest == DIGEST
    (call,) = docker.called("build")
    assert call["stdin"] == hashlib.sha256(b"packed").hexdigest()
    arguments = call["arguments"]
    assert arguments[:2] == ["buildx", "build"]
    assert arguments[-1] == "-"
    for option, value in {
        "--platform": "linux/amd64", "--tag": IMAGE, "--file": "docker/Dockerfile", "--target": "prod"
    }.items():  # fmt: skip
        assert arguments[arguments.index(option) + 1] == value
    assert {"--push", "--provenance=false"} <= set(arguments)
    assert not {"--no-cache", "--pull"} & set(arguments)
    assert ("api", "#1 [internal] load build definition") in told.lines
    assert ("api", "#2 DONE") in told.lines


def test_forced_build_takes_nothing_from_a_cache_and_the_newest_base_image(docker: StandIn) -> None:
    build(Told().command(), fresh=True)

    assert {"--no-cache", "--pull"} <= set(docker.called("build")[0]["arguments"])


def test_secret_build_argument_is_not_on_the_command_line(docker: StandIn) -> None:
    build(Told().command(), arguments={"PLAIN": "a b", "TOKEN": "hunter2"}, secret=["TOKEN"])

    (call,) = docker.called("build")
    given = [call["arguments"][index + 1] for index, word in enumerate(call["arguments"]) if word == "--build-arg"]
    assert given == ["PLAIN=a b", "TOKEN"]
    assert "hunter2" not in json.dumps(call["arguments"])
    assert call["environment"]["TOKEN"] == "hunter2"


@pytest.mark.usefixtures("left_behind")
def test_failed_build_shows_the_end_of_its_output(docker: StandIn) -> None:
    docker.plan(build={"code": 17, "out": "\n".join(f"line {number}" for number in range(100))})

    with pytest.raises(BuildError, match="api: docker buildx build failed with exit code 17") as failure:
        build(Told().command())

    assert "line 99" in failure.value.details
    assert "line 50" not in failure.value.details
    assert "line 99" not in failure.value.message  # which the state keeps


def test_output_that_is_not_text_is_not_a_failure(docker: StandIn) -> None:
    docker.plan(build={"out": "\udcff\x1b[31m"})

    assert build(Told().command()) == DIGEST


@pytest.mark.parametrize("digest", ["", None, 5, "latest"])
def test_invalid_digest_is_an_error(docker: StandIn, digest: Any) -> None:
    docker.plan(build={"digest": digest})

    with pytest.raises(BuildError, match="did not report the digest") as failure:
        build(Told().command())

    assert "docker-buildx" in str(failure.value.hint)


@pytest.mark.usefixtures("left_behind")
def test_interrupt_ends_the_build_and_removes_the_sign_in(docker: StandIn) -> None:
    docker.plan(build={"hang": True, "out": "#1 begun"})
    told = Told()
    threading.Thread(target=lambda: (told.first.wait(60), told.control.request_stop()), daemon=True).start()

    with pytest.raises(StopRequested), told.command().signed_in(SERVER, NOBODY, "p") as command:
        build(command)

    with pytest.raises(ProcessLookupError):
        os.kill(docker.called("build")[0]["pid"], 0)


def test_build_that_takes_too_long_is_ended(docker: StandIn) -> None:
    docker.plan(build={"hang": True})

    with pytest.raises(BuildError, match="not done after 1 s") as failure:
        build(Told().command(), timeout=1)

    assert "docker.build_timeout" in str(failure.value.hint)
