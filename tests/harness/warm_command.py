"""The command in a process that has imported everything: each run is a fork of it, so that hundreds are affordable.

A run begins as a fresh process would, but for the modules that are there already: half a second of processor less.
"""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from project import COMMAND, ROOT, Project, Result

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system makes no copies of a process")


class WarmCommand:
    """A process that runs the command on request."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def run(self, project: Project, *arguments: str) -> Result:
        """Run the command in a project's directory."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {"arguments": arguments, "directory": str(project.directory), "environment": project.env()}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Result(answer["code"], answer["out"], answer["err"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=30)


class WarmProject(Project):
    """A project whose command is warm."""

    warm: WarmCommand

    def run(self, *arguments: str, timeout: float = 100, program: str = str(COMMAND)) -> Result:
        """Run the command in the directory."""
        assert program == str(COMMAND), timeout
        return self.warm.run(self, *arguments)


@contextmanager
def warm_project(directory: Path) -> Iterator[WarmProject]:
    """A project of a directory, as long as the block lasts."""
    project = WarmProject(directory)
    project.warm = WarmCommand()
    try:
        yield project
    finally:
        project.warm.close()


def _import_all() -> Any:
    """The command's module, with all that any run imports."""
    import importlib.util
    import pkgutil

    sys.path.insert(0, str(ROOT))
    import azure.identity  # noqa: F401

    import draftgenie_azure

    for found in pkgutil.walk_packages(draftgenie_azure.__path__, "draftgenie_azure."):
        importlib.import_module(found.name)
    specification = importlib.util.spec_from_file_location("deploy_azure_v1", COMMAND)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _serve() -> None:
    sys.dont_write_bytecode = True
    sys.argv[0] = str(COMMAND)
    module = _import_all()
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                _run(module, request, out.fileno(), err.fileno())
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode("utf-8", "replace"))
        print(json.dumps({"code": code, "out": texts[0], "err": texts[1]}), flush=True)


def _run(module: Any, request: dict[str, Any], out: int, err: int) -> None:
    """One run, in the fork; does not return."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, target in enumerate((nothing, out, err)):
        os.dup2(target, number)
    # One that takes a minute waits for something that never comes: it ends, and says where each thread was.
    faulthandler.dump_traceback_later(60, exit=True)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    code = 1
    try:
        code = module.main(request["arguments"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
