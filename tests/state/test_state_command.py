"""The state through the command: held locks, bad states and recovery, emergency files, moving, and the blob."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path

import pytest
from project import STATE, Project, Result, hold_at_server, let_time_pass, wait_for_end
from state_runs import follow, slow_run

from draftgenie_azure.steps import STEP_NAMES

HISTORY = ".azure-deployment-history"


# --- local locks ---


@pytest.mark.slow
def test_second_run_is_refused_at_once_with_the_holder_and_the_way_out(project: Project) -> None:
    """The message names user, host, process, time and command; --status and --dry-run need no lock."""
    with slow_run(project) as process:
        refused = project.run()

        assert process.poll() is None  # it was not waited for
        assert refused.code == 1
        assert f"on {socket.gethostname()} (process {process.pid}, since " in refused.err
        assert "deploy-azure_v1.py --config config.yaml" in refused.err
        assert f"end it: kill {process.pid}" in refused.err
        assert "--lock-timeout 10m" in refused.err
        assert "Traceback" not in refused.err
        assert project.run("--status").code == 0
        assert project.run("--dry-run").code == 0
        for arguments in (["--reset-state"], ["--restore-state", STATE], ["--force-unlock", "--auto-approve"]):
            result = project.run(*arguments)
            assert result.code == 1, result.text
            assert f"process {process.pid}" in result.err
    assert project.deploy().code == 0  # the lock went with its holder


@pytest.mark.slow
def test_run_that_waited_finds_everything_up_to_date(project: Project) -> None:
    """It decides again under the lock: no step runs twice."""
    with project.start(*project.faults(scale=0.02)) as process:
        hold_at_server(project, process)
        with project.start("--lock-timeout", "2m", "--output", "json") as waiting:
            assert waiting.stdout is not None
            told = []
            for line in waiting.stdout:
                told.append(line)
                if "waiting up to 2 min 0 s for the lock" in line:
                    assert str(process.pid) in line
                    let_time_pass(project)
        process.communicate(timeout=60)
    waited = Result(waiting.returncode, "".join(told), "")
    assert process.returncode == 0
    assert waited.code == 0
    messages = [event["message"] for event in waited.events() if event["event"] == "message"]
    assert [text for text in messages if "waiting up to 2 min 0 s for the lock" in text]
    assert waited.ran() == {}
    starts = [write for write in project.writes() if write.endswith("/start")]
    assert starts
    assert len(starts) == len(set(starts))


@pytest.mark.slow
def test_stopped_while_waiting_for_a_lock_is_130(project: Project) -> None:
    """tofu's TestUnlockWithCancelledContext, the other way round: the waiting ends, the other's lock stays."""
    with slow_run(project), project.start("--lock-timeout", "5m") as waiting:
        assert waiting.stderr is not None
        assert any("waiting up to" in line for line in waiting.stderr)

        waiting.send_signal(signal.SIGINT)

        waiting.communicate(timeout=60)
        assert waiting.returncode == 130
        assert project.run().code == 1


@pytest.mark.parametrize("text", ["soon", "10x", "-1", "", "1.5"])
def test_bad_lock_timeout_is_bad_usage(project: Project, text: str) -> None:
    """Exit 1, with what is allowed."""
    result = project.run(f"--lock-timeout={text}")

    assert result.code == 1
    assert "30, 90s, 10m or 1h" in result.err


def test_unlocking_an_unlocked_state_succeeds(project: Project) -> None:
    """Nothing to do."""
    result = project.run("--force-unlock")

    assert result.code == 0
    assert "No run holds the lock" in result.out


# --- copies and recovery ---


@pytest.mark.slow
def test_each_run_that_changes_the_state_keeps_the_one_it_found(deployed: Project) -> None:
    """Ten of them, by serial; a run that only skips keeps none."""
    history = deployed.directory / HISTORY
    before = deployed.state()
    assert deployed.deploy().ran() == {}
    assert not history.exists()
    serials = []
    for _ in range(12):
        serials.append(deployed.state()["serial"])
        deployed.deploy("--force-step", "create_monitoring")

    kept = sorted(history.iterdir())

    assert [json.loads(path.read_text())["serial"] for path in kept] == serials[-10:]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in kept)
    assert all(re.fullmatch(rf"{re.escape(STATE)}\.\d{{8}}\.\d{{8}}T\d{{6}}Z\.json", path.name) for path in kept)
    assert json.loads(kept[0].read_text())["lineage"] == before["lineage"]
    assert not list(deployed.directory.glob("*.tmp"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b'{"version": "1.0", "lineage":', "is not valid JSON"),
        (b"\x00\xff\xfe rubbish", "is not valid JSON"),
        (b"[1, 2]", "is not a state of this command"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"version": "9.9", "lineage": "x"}', "has version '9.9'"),
        (b'{"version": "1.0", "lineage": "x", "serial": "1", "salt": "00"}', "serial has an unexpected value or type"),
    ],
    ids=["empty", "torn", "rubbish", "foreign", "deep", "newer", "wrong inside"],
)
def test_bad_state_names_the_last_good_copy_and_the_command_that_restores_it(
    deployed: Project, content: bytes, words: str
) -> None:
    """Followed word by word, the next run has nothing to do that the copy had done."""
    deployed.deploy("--force-step", "create_monitoring")
    good = json.loads(sorted((deployed.directory / HISTORY).iterdir())[-1].read_text())
    deployed.state_file.write_bytes(content)

    refused = deployed.run()

    assert refused.code == 1
    assert words in refused.err
    assert f"(serial {good['serial']}, {good['last_updated']})" in refused.err
    restored = follow(deployed, refused.err)
    assert restored.code == 0, restored.text
    (aside,) = deployed.directory.glob("*.bad-*")
    assert aside.read_bytes() == content
    assert deployed.state()["serial"] > good["serial"]
    assert deployed.deploy().ran() == {}


def test_reset_of_a_bad_state_goes_on_with_the_lineage_of_the_last_copy(deployed: Project) -> None:
    """Else the group would be another state's."""
    before = deployed.state()
    deployed.deploy("--force-step", "create_monitoring")
    deployed.state_file.write_bytes(b"{")

    assert deployed.run("--reset-state").code == 0

    after = deployed.state()
    assert (after["lineage"], after["salt"]) == (before["lineage"], before["salt"])
    assert after["serial"] > before["serial"]
    assert set(deployed.deploy().ran()) == set(STEP_NAMES)


def test_reset_after_a_change_of_group_clears_the_way(deployed: Project) -> None:
    """The message says --reset-state, so that must help: what the configuration contradicts goes."""
    deployed.change("azure.resource_group", "another-rg")
    refused = deployed.run("--dry-run")
    assert refused.code == 1

    assert follow(deployed, refused.err).code == 0

    taken = deployed.run("--dry-run")  # because of the abandoned group
    assert taken.code == 1
    assert "postgresql.server_name: the name draftgenie-pg is not available" in taken.out
    assert re.search("create_key_vault +blocked +check_prerequisites would fail", taken.out)
    assert "Resources: none." in taken.out
    assert "Traceback" not in taken.text
    for key in ("container_registry.name", "key_vault.name", "postgresql.server_name"):
        deployed.change(key, "another" + key[:3])
    assert deployed.run("--dry-run").code == 0
    assert "subscription_id" in deployed.state()["target"]
    assert "resource_group" not in deployed.state()["target"]


def test_restoring_another_lineage_over_a_state_in_use_is_refused(deployed: Project, tmp_path: Path) -> None:
    """A copy of another deployment; the stored state is kept."""
    other = deployed.state() | {"lineage": "f" * 32}
    copy = deployed.directory / "other.json"
    copy.write_text(json.dumps(other))
    before = deployed.state_file.read_bytes()

    result = deployed.run("--restore-state", "other.json")

    assert result.code == 1
    assert "has another lineage" in result.err
    assert deployed.state_file.read_bytes() == before


def test_restoring_a_missing_copy_lists_the_existing_ones(deployed: Project) -> None:
    """The copies that can be restored, by name."""
    deployed.deploy("--force-step", "create_monitoring")

    result = deployed.run("--restore-state", "nothing.json")

    assert result.code == 1
    assert "there is no nothing.json" in result.err
    assert HISTORY in result.err


def test_dry_run_overrides_everything_that_writes_state(deployed: Project) -> None:
    """They only say what they would do."""
    deployed.deploy("--force-step", "create_monitoring")
    copy = str(next((deployed.directory / HISTORY).iterdir()))
    wait_for_end(deployed)  # the emulator's own files hold still, too
    before = {path: path.read_bytes() for path in deployed.directory.rglob("*") if path.is_file()}

    for arguments in (["--restore-state", copy], ["--reset-state"], ["--force-unlock"]):
        assert deployed.run("--dry-run", *arguments).code == 0

    assert {path: path.read_bytes() for path in deployed.directory.rglob("*") if path.is_file()} == before
