"""Checks of build contexts before anything is written, and files that are never shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from project import Project

SMALL: dict[str, Any] = {
    "azure": {"cloud": "emulator", "resource_group": "demo-rg", "location": "eastus2"},
    "container_registry": {"name": "demoacr"},
    "container_apps": {"environment_name": "demo-env"},
    "services": {"web": {"dockerfile": "Dockerfile", "port": 80}, "job": {"dockerfile": "Dockerfile"}},
}


@pytest.fixture
def small(tmp_path: Path) -> Project:
    """A project whose configuration is in the folder that the images are built from."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /app\n")
    (tmp_path / "main.py").write_text("print()\n")
    project = Project(tmp_path)
    project.write(SMALL)
    return project


def shipped(project: Project) -> set[str]:
    """Return the recorded inputs of the images."""
    lines = project.state()["steps"]["build_and_push_images"]["dependencies"]
    return {name.removeprefix("file:") for name in lines if name.startswith("file:")}


def overlay(project: Project, name: str, text: str) -> str:
    (project.directory / name).write_text(text)
    return name


@pytest.mark.slow
def test_files_of_two_deployments_are_in_the_images_of_neither(small: Project) -> None:
    """Neither state, overlay, log nor environment file; so they do not rebuild each other for ever."""
    prod = overlay(small, "prod.yaml", "advanced: {state_file: prod-state.json}\nazure: {resource_group: prod-rg}\n")
    extra = overlay(small, "extra.yaml", "services: {web: {cpu: 0.25, memory: 0.5Gi}}\n")
    variables = overlay(small, "prod.variables", "A=1\n")
    small.deploy("--log-file", "dev.log")
    names = "container_registry:\n  name: prodacr\ncontainer_apps: {environment_name: prod-env}\n"
    rename = overlay(small, "names.yaml", names)
    all_of_prod = ["--config", "config.yaml", *(w for name in (prod, rename, extra) for w in ("--config", name))]
    small.deploy(*all_of_prod, "--env-file", variables, "--log-file", "prod.log")

    assert shipped(small) == {"Dockerfile", "main.py", variables}, "the rest is known by its content"
    small.deploy()

    for _ in range(2):
        assert small.deploy(*all_of_prod).ran() == {}
        assert small.deploy().ran() == {}
    assert shipped(small) == {"Dockerfile", "main.py"}


@pytest.mark.slow
def test_logs_of_the_last_runs_are_in_no_image(small: Project) -> None:
    """Kept beside each state without being asked for; neither of two deployments ships one."""
    prod = overlay(
        small, "prod.yaml",
        "advanced: {state_file: prod-state.json}\nazure: {resource_group: prod-rg}\n"
        "container_registry: {name: prodacr}\ncontainer_apps: {environment_name: prod-env}\n",
    )  # fmt: skip
    both = ("--config", "config.yaml", "--config", prod)
    small.deploy()
    small.deploy(*both)

    logs = {path.name for path in small.directory.glob("*.log")} | {".azure-deployment-state-v1.json.log"}
    assert all((small.directory / name).stat().st_mode & 0o777 == 0o600 for name in logs)
    assert "prod-state.json.log" in logs
    assert small.deploy(*both).ran() == {}
    assert small.deploy().ran() == {}
    assert shipped(small) == {"Dockerfile", "main.py"}


def test_application_files_that_resemble_ours_are_shipped(small: Project) -> None:
    overlay(small, "compose.yaml", "services:\n  web:\n    image: x\n    environment: {A: b}\n")
    overlay(small, "values.yaml", "postgresql:\n  enabled: true\nredis:\n  enabled: false\n")
    overlay(small, "state.json", '{"steps": [], "version": 1}')
    overlay(small, "app.log", "2026-01-01 10:00:00,000 INFO root hello\n")

    small.deploy()

    assert {"compose.yaml", "values.yaml", "state.json", "app.log"} <= shipped(small)


@pytest.mark.parametrize("flags", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_a_copy_of_a_missing_file_is_a_fault_before_anything_is_written(small: Project, flags: list[str]) -> None:
    (small.directory / "Dockerfile").write_text("FROM scratch\nCOPY main.py /\nCOPY gone.py /\n")

    result = small.run(*flags)

    assert result.code == 1
    assert "Dockerfile:3: services.web: `gone.py` does not exist below docker.build_context" in result.err
    assert "1 fault" in result.err, "once, although two services are built from it"
    assert small.writes() == []


@pytest.mark.parametrize("name", [".git", "config.yaml", ".azure-deployment-state-v1.json"])
def test_a_copy_of_what_is_never_shipped_is_a_fault(small: Project, name: str) -> None:
    (small.directory / ".git").mkdir()
    (small.directory / ".git" / "HEAD").write_text("x")
    (small.directory / ".azure-deployment-state-v1.json.bak").write_text("x")
    (small.directory / "Dockerfile").write_text(f"FROM scratch\nCOPY main.py {name} /\n")

    result = small.run("--dry-run")

    assert result.code == 1
    assert f"Dockerfile:2: services.web: `{name}` " in result.err


def test_an_exception_of_the_ignore_file_ships_the_history(small: Project) -> None:
    (small.directory / ".git").mkdir()
    (small.directory / ".git" / "HEAD").write_text("x")
    (small.directory / "Dockerfile").write_text("FROM scratch\nCOPY .git /g\n")
    (small.directory / ".dockerignore").write_text("!.git/**\n")

    small.deploy()

    assert ".git/HEAD" in shipped(small)


@pytest.mark.parametrize("flags", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_unwanted_files_of_an_image_are_reported_with_the_line(small: Project, flags: list[str]) -> None:
    (small.directory / ".env").write_text("KEY=canary-0123\n")
    (small.directory / "node_modules" / "x").mkdir(parents=True)
    for count in range(3):
        (small.directory / "node_modules" / "x" / f"{count}.js").write_text("x")

    result = small.run(*flags)

    assert result.code == 0, result.text
    assert "the images of job, web would ship `.env`" in result.err or "of web, job would ship `.env`" in result.err
    assert "add `.env` to .dockerignore" in result.err
    assert "3 files such as `node_modules/x/" in result.err
    assert "add `**/node_modules` to .dockerignore" in result.err
    assert "canary-0123" not in result.text


def test_a_dockerfile_that_leads_out_of_the_tree_is_a_fault(
    small: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "Dockerfile"
    outside.write_text("FROM scratch\nCOPY main.py /\n")
    (small.directory / "Dockerfile").unlink()
    (small.directory / "Dockerfile").symlink_to(outside)

    result = small.run("--dry-run")

    assert result.code == 1
    assert "is a symbolic link that leads out of" in result.err


@pytest.mark.parametrize("key", ["skip_build", "skip_migrations"])
def test_a_step_that_never_ran_cannot_be_disabled(small: Project, key: str) -> None:
    small.change("migrations", [{"service": "web", "command": "migrate"}])
    small.change("deployment", {key: True})

    result = small.run()

    assert result.code == 1
    assert f"deployment.{key}: " in result.err
    assert "set it to false for the first run" in result.err
    assert small.writes() == []


def test_a_step_without_work_may_be_disabled(small: Project) -> None:
    values = small.config()
    values["services"] = {"web": {"image": "nginx", "port": 8080}}
    values["deployment"] = {"skip_build": True, "skip_migrations": True}
    small.write(values)

    small.deploy()

    assert small.deploy().ran() == {}
