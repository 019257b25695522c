"""Fixtures of the tests in this folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from plans import APP
from project import Project, new_project, wait_for_end


@pytest.fixture(scope="session")
def _prepared_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment whose draft service ships one of everything that a file system has."""
    project = new_project(tmp_path_factory.mktemp("prepared"))
    app = project.directory / "examples/draftgenie" / APP
    (app / "one.txt").write_text("one\n", encoding="utf-8")
    (app / "two.txt").write_text("two\n", encoding="utf-8")
    (app / "copy.txt").write_text("one\n", encoding="utf-8")
    (app / "run.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (app / "debug.log").write_text("left out by .dockerignore\n", encoding="utf-8")
    (app / "link").symlink_to("one.txt")
    (app / "folder").mkdir()
    (app / "folder/inside.txt").write_text("inside\n", encoding="utf-8")
    project.deploy()
    wait_for_end(project)
    return project.directory


@pytest.fixture
def prepared(_prepared_once: Path, tmp_path: Path) -> Project:
    """A project in which that is deployed."""
    shutil.copytree(_prepared_once, tmp_path, dirs_exist_ok=True, symlinks=True)
    return Project(tmp_path)
