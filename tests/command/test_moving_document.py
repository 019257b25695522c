"""The commands of docs/moving.md, taken from the document and run in order against what the earlier script makes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import earlier_script
import pytest
from project import COMMAND, ROOT, Project

DOCUMENT = ROOT / "docs/moving.md"
# Takes the place of az and of PostgreSQL's programs, which would need a server: it notes how it was called.
STAND_IN = """#!{python}
import json, os, sys
call = {{"argv": [os.path.basename(sys.argv[0]), *sys.argv[1:]], "password": os.environ.get("PGPASSWORD")}}
with open({log!r}, "a", encoding="utf-8") as log:
    log.write(json.dumps(call) + "\\n")
if sys.argv[0].endswith("az"):
    print("value-of-" + sys.argv[sys.argv.index("--query") + 1] if "--query" in sys.argv else "")
elif sys.argv[0].endswith("pg_dump"):
    print("-- data")
else:
    sys.exit(sys.stdin.read() != "-- data\\n")
"""


def commands() -> list[str]:
    """The shell commands of the document, block by block."""
    return re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A directory of stand-ins, and the log of their calls."""
    directory = tmp_path_factory.mktemp("bin")
    log = directory / "log"
    for name in ("az", "pg_dump", "psql"):
        program = directory / name
        program.write_text(STAND_IN.format(python=sys.executable, log=str(log)), encoding="utf-8")
        program.chmod(0o755)
    python = directory / "python"  # no link: an environment is known by where its program is
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    return directory, log


@pytest.mark.slow
def test_document_can_be_followed(tmp_path: Path, programs: tuple[Path, Path]) -> None:
    """From the earlier script's configuration, state and resources to a deployment that has nothing more to do."""
    project = earlier_script.project_of(tmp_path, earlier_script.CONFIGURATIONS[0])
    earlier_script.leave_state(project)
    earlier_script.deploy(project)
    directory, log = programs
    blocks = commands()
    assert len(blocks) == 7

    # One shell for all: variables of one block are used in a later one. The first command ends as failed, as it says.
    once_more = "python deploy-azure_v1.py --config config.yaml --config variables.yaml"
    script = "set -e\n" + "\n".join([f"{{ {blocks[0].strip()}; }} || true", *blocks[1:], once_more])
    script = script.replace("deploy-azure_v1.py", str(COMMAND))
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False,
        env=project.env() | {"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(tmp_path.glob("*.earlier-*"))
    assert "0 ran" in done.stdout.rsplit("Deployment summary", 1)[1]
    copied = _copies(log)
    databases = set(earlier_script.state(project)["steps"]["create_databases"]["outputs"]["postgresql"]["databases"])
    assert {database for database, _ in copied} == databases - {"draftgenie"}
    assert ("rag_service", "dfns") in copied
    _look_at_calls(project, log)


def _calls(log: Path) -> list[tuple[list[str], str]]:
    """Program and arguments of each call, and the password that it was given."""
    calls = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [(call["argv"], call["password"]) for call in calls]


def _copies(log: Path) -> set[tuple[str, str]]:
    """Database and table of each copy; both ends of a pipe are noted in any order."""
    dumps = [arguments for arguments, _ in _calls(log) if arguments[0] == "pg_dump"]
    loads = [arguments for arguments, _ in _calls(log) if arguments[0] == "psql"]
    return {(load[-1], dump[dump.index("--table") + 1]) for dump, load in zip(dumps, loads, strict=True)}


def _look_at_calls(project: Project, log: Path) -> None:
    """Every program was given the existing server, with the password from the vault."""
    outputs = earlier_script.state(project)["steps"]["create_databases"]["outputs"]["postgresql"]
    for arguments, password in _calls(log):
        if arguments[0] == "az":
            continue
        assert arguments[arguments.index("--host") + 1] == outputs["host"]
        assert arguments[arguments.index("--username") + 1] == outputs["login"]
        assert password == "value-of-value"
        if arguments[0] == "pg_dump":
            assert arguments[-1] == "draftgenie"
