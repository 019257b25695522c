"""The command as people install it: from the checkout, into an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from project import ROOT


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_version_of_the_package_is_that_of_the_command() -> None:
    """One number, also where packaging tools read it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = _run(sys.executable, ROOT / "deploy-azure_v1.py", "--version", cwd=ROOT)

    assert version.split()[-1] == project["version"]


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
