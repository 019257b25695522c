"""Questions on a real terminal: yes, no and Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import earlier_script
import pytest
from azurite import Azurite
from project import COMMAND, ROOT, Project

YES, NO, CTRL_C = (b"y\n", 0), (b"n\n", 1), (b"\x03", 130)


def _answer(
    project: Project, arguments: list[str], answer: bytes, meanwhile: Callable[[], object] = lambda: None
) -> tuple[int, str]:
    """Run the command on a terminal of its own and answer its question; exit code and what was shown.

    Args:
        meanwhile: done while the question is open.
    """
    return _answer_to(project.command(*arguments), project.directory, project.env(), answer, meanwhile)


def _answer_to(
    command: list[str], directory: Path, environment: dict[str, str], answer: bytes,
    meanwhile: Callable[[], object] = lambda: None,
) -> tuple[int, str]:  # fmt: skip
    terminal, child = pty.openpty()
    with subprocess.Popen(
        command, cwd=directory, env=environment | {"TERM": "xterm"},
        stdin=child, stdout=child, stderr=child, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C is a signal
    ) as process:  # fmt: skip
        os.close(child)
        shown, answered, deadline = b"", False, time.monotonic() + 60
        # An emulator that goes on may hold the terminal open: the command's own end counts.
        while process.poll() is None and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    shown += os.read(terminal, 65536)
                except OSError:  # the command has just ended
                    break
            if not answered and b"[y/N] " in shown:
                meanwhile()
                os.write(terminal, answer)
                answered = True
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        while select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
    os.close(terminal)
    assert answered, shown.decode(errors="replace")
    return process.returncode, shown.decode(errors="replace")


ANOTHER_THREAD_GETS_IT = """
import signal, threading
from draftgenie_azure.cli import questions
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
try:
    questions.answered_yes("Go on?")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_interrupt_that_does_not_break_the_read_is_seen_all_the_same(tmp_path: Path) -> None:
    """As one that comes just before the read begins: nothing wakes it."""
    command = [sys.executable, "-c", ANOTHER_THREAD_GETS_IT]

    code, shown = _answer_to(command, tmp_path, {"PYTHONPATH": str(ROOT)}, b"\x03")

    assert code == 0, shown
    assert shown.rstrip().endswith("interrupted")


@pytest.mark.parametrize(("answer", "code", "gone"), [(b"y\n", 0, True), (b"n\n", 1, False), (b"\x03", 130, False)])
def test_destroy_asks_and_does_what_is_answered(deployed: Project, answer: bytes, code: int, gone: bool) -> None:
    """The plan is shown above the question."""
    ended, shown = _answer(deployed, ["--destroy"], answer)

    assert ended == code, shown
    assert shown.index("delete container_app/api_gateway") < shown.index("[y/N]")
    assert ("container_app/api_gateway" not in deployed.state()["resources"]) == gone


@pytest.mark.slow
@pytest.mark.parametrize("answer", [b"\n", b"\x04", b"\xff\xfe\n", b"yes, go\n"], ids=["no", "end", "odd", "words"])
def test_anything_but_yes_is_no(deployed: Project, answer: bytes) -> None:
    """An empty line, the end of the input, another encoding, other words."""
    deployed.environment["PYTHONIOENCODING"] = "utf-8:strict"
    before = len(deployed.requests())

    ended, shown = _answer(deployed, ["--destroy"], answer)

    assert ended == 1, shown
    assert "the answer was no" in shown
    assert "Traceback" not in shown
    assert deployed.writes(before) == []


@pytest.mark.slow
def test_plan_that_grew_while_the_question_was_open_is_not_carried_out(deployed: Project) -> None:
    """The yes was to another plan."""
    record = {"created": True, "step": "deploy_infrastructure_services", "api_version": "2026-01-01"}

    def grow() -> None:
        document = deployed.state()
        app = document["resources"]["container_app/qdrant"]["id"]
        document["resources"]["container_app/late"] = record | {"id": f"{app}-late", "name": "qdrant-late"}
        document["serial"] += 1
        deployed.state_file.write_text(json.dumps(document), encoding="utf-8")

    before = len(deployed.requests())

    ended, shown = _answer(deployed, ["--destroy"], b"y\n", grow)

    assert ended == 1, shown
    assert "container_app/late came to it" in shown
    assert deployed.writes(before) == []


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code"), [YES, NO, CTRL_C])
def test_prune_asks(deployed: Project, answer: bytes, code: int) -> None:
    """The orphan is named above the question."""
    deployed.change("services.extra", {"image": "nginx:1.27", "port": 8080})
    deployed.deploy()
    app = deployed.state()["resources"]["container_app/extra"]
    deployed.change("services.extra", None)
    deployed.deploy()
    before = len(deployed.requests())

    ended, shown = _answer(deployed, ["--prune"], answer)

    assert ended == code, shown
    assert shown.index("delete container_app/extra") < shown.index("[y/N]")
    assert deployed.writes(before) == ([f"DELETE {app['id']}"] if code == 0 else [])
    assert ("container_app/extra" in deployed.state()["resources"]) == (code != 0)


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code"), [YES, NO, CTRL_C])
def test_rollback_asks(deployed: Project, answer: bytes, code: int) -> None:
    """The images are shown above the question, and what else the run would change."""
    (path,) = list((deployed.directory / "examples/draftgenie").glob("**/rag*/**/main.py"))[:1]
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    deployed.deploy()
    deployed.change("services.draft_service.environment.OTHER", "value")
    before, state = len(deployed.requests()), deployed.state_file.read_bytes()

    ended, shown = _answer(deployed, ["--rollback", "1"], answer)

    assert ended == code, shown
    assert shown.index("~ rag_service") < shown.index("[y/N]")
    assert shown.index("OTHER") < shown.index("[y/N]")
    assert ("pin" in deployed.state()) == (code == 0)
    if code:
        assert deployed.writes(before) == []
        assert deployed.state_file.read_bytes() == state


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code"), [YES, NO, CTRL_C])
def test_rotation_asks(deployed: Project, answer: bytes, code: int) -> None:
    """The effects are shown above the question; without a terminal the command proceeds."""
    deployed.change("services.draft_service.environment.OTHER", "value")
    before, state = deployed.secret("jwt-secret"), deployed.state_file.read_bytes()

    ended, shown = _answer(deployed, ["--rotate-secret", "jwt_secret"], answer)

    assert ended == code, shown
    assert shown.index("must sign in again") < shown.index("[y/N]")
    assert shown.index("OTHER") < shown.index("[y/N]")
    assert (deployed.secret("jwt-secret") != before) == (code == 0)
    if code:
        assert deployed.state_file.read_bytes() == state


@pytest.mark.slow
def test_rotation_of_a_state_that_changed_while_the_question_was_open_is_refused(deployed: Project) -> None:
    """The yes was to the plan of another state; nothing is left armed."""
    before = len(deployed.requests())

    def change() -> None:
        document = deployed.state()
        document["serial"] += 1
        deployed.state_file.write_text(json.dumps(document), encoding="utf-8")

    ended, shown = _answer(deployed, ["--rotate-secret", "jwt_secret"], b"y\n", change)

    assert ended == 1, shown
    assert "another run changed the state since the plan was shown" in shown
    assert deployed.writes(before) == []
    assert not deployed.state().get("rotating")


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code"), [YES, NO, CTRL_C])
def test_restore_asks_before_it_replaces_a_newer_state(deployed: Project, answer: bytes, code: int) -> None:
    """The newer state's content would be lost."""
    copy = deployed.directory / "copy.json"
    copy.write_bytes(deployed.state_file.read_bytes())
    copy.chmod(0o600)
    deployed.deploy("--force-step", "create_monitoring")
    newer = deployed.state_file.read_bytes()

    ended, shown = _answer(deployed, ["--restore-state", "copy.json"], answer)

    assert ended == code, shown
    assert "is newer" in shown
    assert (deployed.state_file.read_bytes() == newer) == (code != 0)


@contextmanager
def _holding(project: Project) -> Iterator[None]:
    """Another run that holds the lock on the state."""
    program = (
        "import importlib, sys, time; sys.path.insert(0, sys.argv[1])\n"
        "values = {'advanced': {'state_blob_container': sys.argv[2]}}\n"
        "importlib.import_module('deploy-azure_v1').StateManager(values).lock()\n"
        "print('locked', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(COMMAND.parent), project.config()["advanced"]["state_blob_container"]]
    with subprocess.Popen(command, env=project.env(), stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "locked\n"
            yield
        finally:
            holder.kill()


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code"), [YES, NO, CTRL_C])
def test_unlock_asks(project: Project, azurite: Azurite, answer: bytes, code: int) -> None:
    """The lock's holder is shown above the question."""
    project.change("advanced.state_blob_container", f"questions-{os.getpid()}-{code}")
    project.environment["AZURE_STORAGE_CONNECTION_STRING"] = azurite.connection_string
    project.environment["AZURE_STATE_STORAGE"] = "blob"
    assert project.run("--reset-state").code == 0
    with _holding(project):
        ended, shown = _answer(project, ["--force-unlock"], answer)

        assert ended == code, shown
        assert "is locked by" in shown
        assert ("No run holds the lock" in project.run("--force-unlock").text) == (code == 0)


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code"), [YES, NO, CTRL_C])
def test_first_take_over_asks(tmp_path: Path, answer: bytes, code: int) -> None:
    """The findings are shown above the question; yes means --adopt, and anything else changes nothing."""
    project = earlier_script.project_of(tmp_path, earlier_script.CONFIGURATIONS[0])
    earlier_script.leave_state(project)
    earlier_script.deploy(project)
    (tmp_path / "variables.yaml").write_text(project.run("--dry-run").out, encoding="utf-8")
    before = len(project.requests())

    ended, shown = _answer(project, ["--config", "config.yaml", "--config", "variables.yaml"], answer)

    assert ended == code, shown
    assert shown.index("--adopt switches it to roles") < shown.index("Adopt its resources") < shown.index("[y/N]")
    if code:
        assert project.writes(before) == []
        assert "lineage" not in earlier_script.state(project)
    else:
        assert earlier_script.state(project)["resources"]["key_vault"].get("left_open") is None
