"""The command as people install it: from the checkout, into an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from project import ROOT

SCRIPT_RUNNERS = {"uv": "uv run deploy-azure_v1.py", "pipx": "pipx run ./deploy-azure_v1.py"}


def _run(*command: str | Path, cwd: Path, **more: str | Path) -> str:
    env = {**os.environ, **{name: str(value) for name, value in more.items()}}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_version_of_the_package_is_that_of_the_command() -> None:
    """One number, also where packaging tools read it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = _run(sys.executable, ROOT / "deploy-azure_v1.py", "--version", cwd=ROOT)

    assert version.split()[-1] == project["version"]


def test_every_way_to_run_it_is_documented() -> None:
    """Those that the tests below take."""
    page = (ROOT / "docs/command.md").read_text(encoding="utf-8")

    ways = re.findall(r"^\| `([^`]+)` \|", page.split("## Ways to run it")[1].split("## ")[0], re.MULTILINE)

    assert ways == ["python deploy-azure_v1.py", *SCRIPT_RUNNERS.values(), "pipx install ."]


def test_metadata_is_what_an_index_needs() -> None:
    """Name, licence, description, oldest Python and the pinned requirements."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["license"] == "MIT"
    assert all((ROOT / name).is_file() for name in [project["readme"], *project["license-files"]])
    assert {"name", "description", "version", "requires-python", "scripts"} <= set(project)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("runner", SCRIPT_RUNNERS)
def test_script_installs_what_it_needs(tmp_path: Path, runner: str) -> None:
    """From its header, into an environment of its own: a dry run, which needs all of it, succeeds."""
    program, *words = SCRIPT_RUNNERS[runner].split()
    command = [Path(sys.executable).parent / program, *words[:-1], ROOT / "deploy-azure_v1.py"]
    _run("cp", "-r", ROOT / "config.yaml", ROOT / "examples", tmp_path, cwd=tmp_path)

    printed = _run(*command, "--dry-run", cwd=tmp_path, PIPX_HOME=tmp_path / "pipx", PIPX_DEFAULT_PYTHON=sys.executable)

    assert "Dry run: 14 to run" in printed


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_command_that_pipx_installed_is_on_the_path(tmp_path: Path) -> None:
    """`pipx install .`, then the command by its name."""
    homes = {"PIPX_HOME": tmp_path / "pipx", "PIPX_BIN_DIR": tmp_path / "bin", "PIPX_DEFAULT_PYTHON": sys.executable}
    _run("git", "clone", "--quiet", ROOT, tmp_path / "source", cwd=tmp_path)

    _run(Path(sys.executable).parent / "pipx", "install", ".", cwd=tmp_path / "source", **homes)

    installed = _run(tmp_path / "bin/draftgenie-deploy", "--version", cwd=tmp_path)
    assert installed == _run(sys.executable, ROOT / "deploy-azure_v1.py", "--version", cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_installed_command_deploys_from_any_directory(tmp_path: Path) -> None:
    """As `pipx install .` does it: wheel and dependencies into a new environment, then a deployment elsewhere."""
    environment, project = tmp_path / "environment", tmp_path / "project"
    source = tmp_path / "source"
    _run("git", "clone", "--quiet", ROOT, source, cwd=tmp_path)
    _run(sys.executable, "-m", "venv", environment, cwd=tmp_path)
    _run(environment / "bin/pip", "install", "--quiet", source, cwd=tmp_path)
    project.mkdir()
    _run("cp", "-r", ROOT / "config.yaml", ROOT / "examples", project, cwd=tmp_path)

    first = _run(environment / "bin/draftgenie-deploy", "--config", "config.yaml", cwd=project)
    second = _run(environment / "bin/draftgenie-deploy", "--config", "config.yaml", cwd=project)

    assert "14 ran" in first
    assert "0 ran" in second
