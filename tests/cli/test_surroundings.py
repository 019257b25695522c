"""The command's environment: old interpreters, missing packages, unusual paths, no threads. A message, no hang."""

from __future__ import annotations

import ast
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from project import COMMAND, ROOT, STATE, Project, Result

from draftgenie_azure.constants import FAILURE

WITHOUT_THREADS = """
import _thread, runpy, sys
allowed = int(sys.argv.pop(1))
real = _thread.start_new_thread
def start(*arguments):
    global allowed
    allowed -= 1
    if allowed < 0:
        raise RuntimeError("can't start new thread")
    return real(*arguments)
_thread.start_new_thread = _thread.start_new = start
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def start(*command: str, directory: Path, **more: str) -> Result:
    """Run a program."""
    done = subprocess.run(
        command, cwd=directory, env={**os.environ, **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=False, errors="surrogateescape",
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


def in_one_line(result: Result) -> str:
    """Return the message of a failure, which is not a traceback."""
    assert result.code == FAILURE, result.text
    assert "Traceback" not in result.text
    return result.err


# --- interpreters ---


def _older() -> list[str]:
    """Interpreters of this machine that are too old."""
    homes = Path.home() / ".pyenv" / "versions"
    found = [str(path) for path in homes.glob("3.*/bin/python3") if path.parts[-3].split(".")[1] in ("8", "9", "10")]
    names = [shutil.which(name) for name in ("python3.8", "python3.9", "python3.10")]
    return found or [name for name in names if name and "shims" not in name]


@pytest.mark.skipif(not _older(), reason="no older Python is installed")
@pytest.mark.parametrize("python", _older() or [""])
def test_older_python_is_reported_in_one_line(python: str, tmp_path: Path) -> None:
    """The required version, and the current one."""
    said = in_one_line(start(python, str(COMMAND), "--version", directory=tmp_path))

    assert "needs Python 3.11 or later" in said
    assert python.rsplit("/", 1)[0] in said or "python" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("minor", [8, 9, 10])
def test_command_can_be_read_by_older_interpreters(minor: int) -> None:
    """Else they would say where they stopped understanding, and not why."""
    ast.parse(COMMAND.read_text(encoding="utf-8"), feature_version=(3, minor))


@pytest.mark.parametrize("flags", [("-I",), ("-P",), ("-s", "-E")], ids=" ".join)
def test_isolated_interpreter_finds_the_modules(flags: tuple[str, ...], project: Project) -> None:
    """They are beside the command, wherever it is started."""
    result = start(sys.executable, *flags, str(COMMAND), "--config", "config.yaml", directory=project.directory)

    assert result.code == 0, result.text


@pytest.mark.parametrize("package", ["yaml", "pydantic", "azure.identity", "requests", "filelock"])
def test_missing_requirement_is_reported_with_the_command_that_installs_it(package: str, project: Project) -> None:
    """A fresh checkout without `pip install`."""
    hidden = f"""
import runpy, sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == {package!r} or name.startswith({package + '.'!r}):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    said = in_one_line(start(sys.executable, "-c", hidden, str(COMMAND), directory=project.directory))

    assert f"provides {package}" in said
    assert f"-m pip install --require-hashes -r {ROOT / 'requirements.lock'}" in said


# --- paths ---


def make(kind: str, path: Path) -> None:
    """Create a pipe, directory, link to a device, socket or empty file."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            os.chdir(path.parent)  # the path of a socket is short
            server.bind(path.name)
    else:
        path.write_text("", encoding="utf-8")


@pytest.mark.parametrize("kind", ["pipe", "directory", "device", "socket"])
@pytest.mark.parametrize("arguments", [(), ("--dry-run",), ("--status",), ("--reset-state",)], ids=" ".join)
def test_state_that_is_not_a_file_is_named(kind: str, arguments: tuple[str, ...], project: Project) -> None:
    """A pipe is not waited for; a device is not read to its end."""
    path = project.directory / "odd.json"
    make(kind, path)
    project.change("advanced.state_file", "odd.json")

    result = project.run(*arguments)

    if kind == "device":
        assert "/dev/zero is a device, not a file" in in_one_line(result)
    elif kind == "socket":
        assert "odd.json" in in_one_line(result)
    else:
        assert f"odd.json is a {kind}, not a file" in in_one_line(result)


@pytest.mark.parametrize("target", ["config.yaml", "link.yaml", "over.yaml", "my.env"])
@pytest.mark.parametrize("arguments", [(), ("--reset-state",), ("--status",)], ids=" ".join)
def test_state_is_never_put_in_the_place_of_what_the_run_reads(
    target: str, arguments: tuple[str, ...], project: Project
) -> None:
    """A reset would rename the configuration, and write a state where it was."""
    project.overlay("over.yaml", {"advanced": {"state_file": target}})
    (project.directory / "my.env").write_text("A=b\n", encoding="utf-8")
    (project.directory / "link.yaml").symlink_to("config.yaml")
    before = sorted(path.name for path in project.directory.iterdir())
    text = (project.directory / target).read_bytes()

    result = project.run("--config", "config.yaml", "--config", "over.yaml", "--env-file", "my.env", *arguments)

    assert "advanced.state_file is" in in_one_line(result)
    assert sorted(path.name for path in project.directory.iterdir()) == before
    assert (project.directory / target).read_bytes() == text


@pytest.mark.parametrize("target", ["config.yaml", STATE, "Dockerfile", ".env", "examples"])
def test_log_is_written_to_no_other_file(target: str, deployed: Project) -> None:
    """Neither to the configuration nor to the state, a Dockerfile, or any other existing file."""
    path = deployed.directory / target
    if not path.exists():
        path.write_text("FROM scratch\n", encoding="utf-8")
    before = path.read_bytes() if path.is_file() else None

    result = deployed.run("--log-file", target, "--force-step", "create_monitoring")

    said = in_one_line(result)
    assert target in said
    assert "--log-file" in said
    assert before is None or path.read_bytes() == before


def test_log_is_appended_to_a_log(deployed: Project) -> None:
    """Of an earlier run; a new and an empty file are fine, too."""
    (deployed.directory / "run.log").touch()

    sizes = []
    for _ in range(2):
        assert deployed.run("--log-file", "run.log", "--force-step", "create_monitoring").code == 0
        sizes.append((deployed.directory / "run.log").stat().st_size)

    assert 0 < sizes[0] < sizes[1]


def test_log_into_a_pipe_that_no_one_reads_is_not_waited_for(deployed: Project) -> None:
    """It would be for ever."""
    os.mkfifo(deployed.directory / "pipe")

    said = in_one_line(deployed.run("--log-file", "pipe", "--force-step", "create_monitoring"))

    assert "the pipe has no reader" in said


def test_report_into_a_pipe_is_refused_and_not_waited_for(project: Project) -> None:
    """It would be looked into for ever."""
    os.mkfifo(project.directory / "pipe.html")

    said = in_one_line(project.run("--report", "pipe.html", "--dry-run"))

    assert "'pipe.html' cannot be written: it is not a file" in said


@pytest.mark.parametrize("kind", ["pipe", "directory", "device", "file"])
def test_dockerfile_or_emulator_directory_that_is_something_else_is_named(kind: str, project: Project) -> None:
    """`.azure-emulator` that cannot be created, and a Dockerfile that is not a file."""
    path = project.directory / ".azure-emulator"
    if kind != "file":
        path = project.directory / "examples/draftgenie/docker/Dockerfile.draft-service"
        path.unlink()
    make(kind, path)

    said = in_one_line(project.run())

    assert path.name in said


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a directory in which nobody can make a file")
@pytest.mark.parametrize("where", ["state", "log"])
def test_directory_that_cannot_be_written_is_named(where: str, project: Project) -> None:
    """For whomever: the message says what could not be made."""
    if where == "state":
        project.change("advanced.state_file", "/proc/state.json")

    said = in_one_line(project.run(*(("--log-file", "/proc/run.log") if where == "log" else ())))

    assert "/proc/" in said
    assert "cannot be" in said


@pytest.mark.slow
def test_directory_whose_name_is_not_utf_8_works(project: Project, tmp_path: Path) -> None:
    """Deployed, shown, and again: nothing to do."""
    directory = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe dir")
    shutil.copytree(project.directory, directory, ignore=shutil.ignore_patterns(os.path.basename(directory)))
    odd = Project(Path(directory))

    for arguments in ((), ("--status",), ("--output", "json"), ("--dry-run",)):
        result = start(sys.executable, str(COMMAND), *arguments, directory=odd.directory)
        assert result.code == 0, result.text
        assert "Traceback" not in result.text


# --- threads ---


@pytest.mark.slow
@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_deployment_works_with_few_threads_or_none(allowed: int, project: Project) -> None:
    """If the system refuses another one, work is done sequentially."""
    result = start(
        sys.executable, "-c", WITHOUT_THREADS, str(allowed), str(COMMAND), "--output", "json",
        directory=project.directory,
    )  # fmt: skip

    assert result.code == 0, result.text
    assert "Traceback" not in result.text
    assert project.deploy().ran() == {}
