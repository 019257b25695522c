"""Signals: whenever one arrives, the exit code shows the run's outcome, and nothing is left half done."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import COMMAND, ROOT, Project, hold_at_server, let_time_pass, wait_for, wait_for_server

from draftgenie_azure.cli.signals import SAME_REQUEST

# Runs the command, and sends it a signal when it comes to import its second module.
EARLY = f"""
import os, runpy, sys
class Early:
    def find_spec(self, name, path=None, target=None):
        if name == "deployer":
            os.kill(os.getpid(), int(number))
number = sys.argv.pop(1)
sys.path.insert(0, {str(ROOT)!r})
sys.meta_path.insert(0, Early())
runpy.run_path({str(COMMAND)!r}, run_name="__main__")
"""

# Something that does not stop, although it is asked to.
DEAF = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from draftgenie_azure.cli.signals import Interrupts
class Deaf:
    def request_stop(self):
        print("asked to stop", flush=True)
Interrupts.install()
Interrupts.control = Deaf()
print("begun", flush=True)
while True:
    time.sleep(1)
"""


def send_together(process: subprocess.Popen[str], *numbers: signal.Signals) -> None:
    """Have several signals arrive at the same moment."""
    for number in (signal.SIGSTOP, *numbers, signal.SIGCONT):
        process.send_signal(number)


@pytest.mark.slow
def test_signal_that_comes_twice_at_once_is_one_request(project: Project) -> None:
    """`timeout` signals the command and then its whole group; a terminal and a CI runner may both signal it."""
    with project.start(*project.faults(scale=0.02)) as process:
        hold_at_server(project, process)

        send_together(process, signal.SIGTERM, signal.SIGINT)

        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted. Azure is still working on " in err
    assert "Deployment summary" in out


def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    """Whoever is in a hurry presses twice, and need not wait for what does not stop."""
    program = tmp_path / "deaf.py"
    program.write_text(DEAF, encoding="utf-8")
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "asked to stop\n"
        time.sleep(SAME_REQUEST * 1.5)

        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=60) == 130


@pytest.mark.slow
def test_second_signal_to_a_run_ends_with_130_too(project: Project) -> None:
    """During the orderly stop or after it."""
    with project.start(*project.faults(scale=0.02)) as process:
        hold_at_server(project, process)

        process.send_signal(signal.SIGTERM)
        time.sleep(SAME_REQUEST * 1.5)
        process.send_signal(signal.SIGINT)

        process.communicate(timeout=60)
    assert process.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_during_the_first_imports_is_130_without_a_word(project: Project, number: signal.Signals) -> None:
    """Nothing is begun yet."""
    program = project.directory / "early.py"
    program.write_text(EARLY, encoding="utf-8")

    result = project.run(str(int(number)), program=str(program))

    assert result.code == 130
    assert result.text == ""


@pytest.mark.parametrize("arguments", [[], ["--force-step", "create_monitoring"]], ids=["nothing to do", "a step ran"])
def test_signals_after_the_summary_change_nothing(deployed: Project, arguments: list[str]) -> None:
    """Success is reported as success, up to the end of the process."""
    with deployed.start(*arguments) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Deployment summary")
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            time.sleep(0.001)

    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.program("sh")
@pytest.mark.parametrize(
    ("ignored", "number", "code"),
    [("HUP", signal.SIGHUP, 0), ("INT", signal.SIGINT, 130)],
    ids=["nohup", "in the background of a script"],
)
def test_hang_up_that_nohup_ignores_stays_ignored(
    project: Project, ignored: str, number: signal.Signals, code: int
) -> None:
    """Ctrl-C is ignored by chance, for what a shell has in its background, so it is heeded all the same."""
    shell = ["sh", "-c", f"trap '' {ignored}; exec \"$@\"", "sh"]
    with subprocess.Popen(
        [*shell, *project.command(*project.faults(scale=0.02))],
        cwd=project.directory, env=project.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        hold_at_server(project, process)

        process.send_signal(number)

        if code == 0:
            let_time_pass(project)
        _, err = process.communicate(timeout=100)
    assert process.returncode == code, err


@pytest.mark.slow
def test_failure_before_an_interrupt_is_reported_with_what_to_do(project: Project) -> None:
    """Else it would take another run to see the advice."""
    no = {"status": 403, "code": "RequestDisallowedByPolicy", "message": "Policy says no."}
    with project.start(*project.faults({"method": "PUT", "path": "*/workspaces/*", **no}, scale=0.05)) as process:
        wait_for_server(project, process)
        wait_for(
            lambda: project.state()["steps"].get("create_monitoring", {}).get("status") == "failed",
            process,
            "the step did not fail",
        )

        process.send_signal(signal.SIGINT)

        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.count("failed: create_monitoring: ") == 1
    assert err.index("next: An Azure Policy forbids this.") < err.index("Interrupted. ")


def test_steps_that_were_forced_stay_so_when_one_of_them_is_interrupted(deployed: Project) -> None:
    """Also the one that the run did not come to."""
    forced = ["--force-step", "create_monitoring", "--force-step", "verify_deployment"]
    hangs = {"method": "GET", "path": "*/workspaces/*", "status": 503, "code": "Busy", "times": 99, "retry_after": 1}
    with deployed.start(*deployed.faults(hangs), *forced) as process:
        wait_for(
            lambda: deployed.state()["steps"]["create_monitoring"]["status"] == "running",
            process,
            "the step did not begin",
        )

        process.send_signal(signal.SIGINT)

        process.communicate(timeout=60)
    assert process.returncode == 130
    plan = deployed.run("--dry-run", "--output", "json").events()[-1]["steps"]
    assert plan["verify_deployment"] == {"verdict": "run", "reasons": ["forced"]}
    ran = deployed.deploy().ran()
    assert ran == {"create_monitoring": ["forced", "interrupted"], "verify_deployment": ["forced"]}
    assert deployed.deploy().ran() == {}
