"""Images through the command: the builder, the output, and the effects of an interrupt."""

from __future__ import annotations

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from project import Project, contents, wait_for
from stand_in_docker import DIGEST, StandIn, install

DOCKERFILE = "examples/draftgenie/docker/Dockerfile.draft-service"
MOUNT = "RUN --mount=type=cache,target=/root/.cache true"


def edit(project: Project, *lines: str) -> int:
    """Append lines to the Dockerfile of draft-service; the number of the first."""
    path = project.directory / DOCKERFILE
    text = path.read_text(encoding="utf-8").rstrip("\n")
    path.write_text("\n".join([text, *lines, ""]), encoding="utf-8")
    return text.count("\n") + 2


def runs(project: Project, since: int = 0) -> list[dict[str, Any]]:
    """The bodies of builds that were asked for."""
    return [
        request["body"] for request in project.requests()[since:] if request["path"].lower().endswith("/schedulerun")
    ]


# --- BuildKit ---


@pytest.mark.slow
def test_dockerfile_that_needs_buildkit_is_built_by_a_task_and_the_others_are_not(project: Project) -> None:
    number = edit(project, MOUNT)

    deployed = project.deploy()

    tasks = [body for body in runs(project) if body["type"] == "EncodedTaskRunRequest"]
    assert len(tasks) == 1
    assert "DOCKER_BUILDKIT=1" in base64.b64decode(tasks[0]["encodedTaskContent"]).decode()
    assert {body["type"] for body in runs(project)} == {"EncodedTaskRunRequest", "DockerBuildRequest"}
    told = [line for line in deployed.text.splitlines() if "built with BuildKit" in line]
    assert len(told) == 1
    assert f"Dockerfile.draft-service line {number} has RUN --mount" in told[0]
    assert "docker.builder: docker" in told[0], "the way back, since Azure does not document it"


@pytest.mark.slow
def test_buildkit_can_be_forced_on(project: Project) -> None:
    project.change("docker.buildkit", True)

    project.deploy()

    assert {body["type"] for body in runs(project)} == {"EncodedTaskRunRequest"}


@pytest.mark.slow
def test_buildkit_can_be_forced_off_and_the_registry_says_what_it_lacks(project: Project) -> None:
    project.change("docker.buildkit", False)
    edit(project, MOUNT)

    failed = project.run()

    assert failed.code == 1
    assert {body["type"] for body in runs(project)} == {"DockerBuildRequest"}
    assert "as docker.buildkit is false, although" in failed.text
    assert "requires BuildKit" in failed.err


@pytest.mark.slow
@pytest.mark.parametrize("buildkit", [False, True])
def test_secret_build_argument_is_nowhere_in_clear(project: Project, buildkit: bool) -> None:
    project.change("docker.buildkit", buildkit)
    project.change("services.draft_service.build_args", {"INDEX": {"value": "hunter2 'quoted'", "secret": True}})
    edit(project, "ARG INDEX")

    deployed = project.deploy("--verbose", "--log-file", "run.log")

    written = b"".join(
        content
        for path, content in contents(project.directory)
        if path.name not in ("config.yaml", "vault.json")
    )
    assert b"hunter2" not in written
    assert "hunter2" not in deployed.text


# --- docker on this machine ---


@pytest.fixture
def docker(project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A stand-in for docker first on PATH, and a project that builds with it."""
    directory = tmp_path_factory.mktemp("bin")
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    project.change("docker.builder", "docker")
    return install(directory)


def test_docker_builds_and_pushes_what_the_apps_then_run(project: Project, docker: StandIn) -> None:
    project.run()  # the stand-in does not push to the registry: the apps' images are refused

    builds, logins = docker.called("build"), docker.called("login")
    assert len(builds) == len(logins) == 5
    outputs = project.state()["steps"]["build_and_push_images"]["outputs"]
    assert {image["reference"].partition("@")[2] for image in outputs.values()} == {DIGEST}
    assert runs(project) == []
    assert not any(call["stdin"] in json.dumps(call["arguments"]) for call in logins)
    assert not any(Path(call["environment"]["DOCKER_CONFIG"]).exists() for call in logins)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"version": {"code": 1, "err": "Cannot connect to the Docker daemon"}}, "the Docker daemon does not respond"),
        ({"buildx": {"code": 1, "err": "docker: 'buildx' is not a docker command."}}, "docker has no buildx"),
    ],
)
def test_docker_that_cannot_build_is_reported_before_anything_is_made(
    project: Project, docker: StandIn, plan: dict[str, Any], words: str
) -> None:
    docker.plan(**plan)

    failed = project.run()

    assert failed.code == 1
    assert words in failed.err
    assert not [write for write in project.writes() if write.startswith("PUT")]


@pytest.mark.slow
@pytest.mark.program("buildah")
def test_images_are_built_and_pushed_to_the_registry_for_real(project: Project, docker: StandIn) -> None:
    docker.build_for_real()
    folder = project.directory / "examples/draftgenie"
    for dockerfile in (folder / "docker").glob("Dockerfile.*"):
        service = dockerfile.suffix[1:]
        dockerfile.write_text(f"FROM scratch\nLABEL service={service}\nCOPY package.json /app/\n", encoding="utf-8")

    told = project.run("--verbose")

    steps = project.state()["steps"]
    assert steps["build_and_push_images"]["status"] == "completed", told.text
    assert len({image["reference"] for image in steps["build_and_push_images"]["outputs"].values()}) == 5
    assert steps["deploy_application_services"]["status"] == "completed", "the registry has what the apps pull"
    project.change("docker.buildkit", True)
    again = project.run("--output", "json")
    assert "build_and_push_images" in again.ran()
    assert len(docker.called("build")) == 5, "what is in the registry is not built again"


# --- interrupts ---


def test_interrupted_build_is_cancelled(deployed: Project) -> None:
    edit(deployed, "# edited")
    seen = len(deployed.requests())

    with deployed.start(*deployed.faults(scale=1)) as process:
        wait_for(lambda: runs(deployed, seen), process, "a build")
        wait_for(lambda: "#build/" in deployed.state_file.read_text(encoding="utf-8"), process, "its record")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 130
    cancelled = [write for write in deployed.writes(seen) if write.lower().endswith("/cancel")]
    assert len(cancelled) == 1
    assert not [key for key in deployed.state()["operations"] if "#build/" in key]

    deployed.deploy()

    assert len(runs(deployed, seen)) == 2, "what was cancelled is built again"


@pytest.mark.slow
def test_killed_build_is_resumed_by_its_run(deployed: Project) -> None:
    edit(deployed, "# edited")
    seen = len(deployed.requests())

    with deployed.start(*deployed.faults(scale=0.2)) as process:
        wait_for(lambda: runs(deployed, seen), process, "a build")
        wait_for(lambda: "#build/" in deployed.state_file.read_text(encoding="utf-8"), process, "its record")
        process.kill()
        process.communicate(timeout=60)

    deployed.deploy()

    assert len(runs(deployed, seen)) == 1
    assert not [write for write in deployed.writes(seen) if write.lower().endswith("/cancel")]


@pytest.mark.slow
def test_build_shows_its_steps_while_it_runs(deployed: Project) -> None:
    edit(deployed, "# edited")

    told = deployed.deploy(*deployed.faults(scale=0.1))

    assert "draft_service: Step 1/" in told.text


# --- large contexts ---


@pytest.mark.slow
def test_large_context_is_named_with_its_largest_paths_and_the_lines_that_leave_them_out(deployed: Project) -> None:
    with (deployed.directory / "examples/draftgenie/services/draft-service/app/dump.sql").open("wb") as file:
        file.truncate(230_000_000)

    told = deployed.deploy()

    assert "its build context has 230 MB" in told.text
    assert "    /services/draft-service/app/dump.sql" in told.text
    advice = told.text.partition("These lines in .dockerignore")[2].partition("event")[0]
    assert "main.py" not in advice and "Dockerfile" not in advice, "small files are no reason to exclude anything"


def test_interrupted_docker_build_leaves_neither_process_nor_sign_in(project: Project, docker: StandIn) -> None:
    docker.plan(build={"hang": True, "out": "#1 begun"})

    with project.start() as process:
        wait_for(lambda: docker.called("build"), process, "a build")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 130
    for call in docker.called("build"):
        assert not Path(call["environment"]["DOCKER_CONFIG"]).exists()
        with pytest.raises(ProcessLookupError):
            os.kill(call["pid"], 0)
