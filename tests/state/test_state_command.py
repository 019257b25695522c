"""State at the front door: locks that people meet, bad states and the way back, rescue, moving, and the blob."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from azurite import Azurite
from project import COMMAND, STATE, Project, wait_for, wait_for_end, wait_for_server

from draftgenie_azure.arm.ids import API_VERSIONS
from draftgenie_azure.state.blob import backend as blob_backend
from draftgenie_azure.steps import STEP_NAMES

HISTORY = ".azure-deployment-history"
EARLIER = {"version": "1.0", "completed_steps": ["create_postgresql"], "steps": {}, "resources": {},
           "created_resources": {"postgresql": {"admin_password": "EarlierPassw0rd"}}}


@contextmanager
def _slow(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A run that is in the middle of making the server."""
    with project.start(*project.faults(scale=0.02), *arguments) as process:
        wait_for_server(project, process)
        yield process


def _follow(project: Project, text: str) -> Any:
    """Run the command line that a message names."""
    match = re.search(r"python (\S*deploy-azure_v1\.py.*?)(?: \(or delete that file\)\.)?$", text, re.MULTILINE)
    assert match is not None, text
    return project.run(*shlex.split(match.group(1))[1:])


# --- local locks ---


def test_second_run_is_refused_at_once_with_the_holder_and_the_way_out(project: Project) -> None:
    """Who, where, which process, since when, by which command; --status and --dry-run need no lock."""
    with _slow(project) as process:
        began = time.monotonic()
        refused = project.run()

        assert time.monotonic() - began < 10  # the other run takes far longer
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


def test_run_that_waits_finds_everything_done(project: Project) -> None:
    """It decides again under the lock: no step runs twice."""
    with project.start(*project.faults(scale=0.005)) as process:
        wait_for(project.writes, process, "the run did not begin")

        waited = project.run("--lock-timeout", "2m", "--output", "json")

        process.communicate(timeout=60)
    assert process.returncode == 0
    assert waited.code == 0
    messages = [event["message"] for event in waited.events() if event["event"] == "message"]
    assert [text for text in messages if "waiting up to 2 min 0 s for the lock" in text and str(process.pid) in text]
    assert waited.ran() == {}
    starts = [write for write in project.writes() if write.endswith("/start")]
    assert starts
    assert len(starts) == len(set(starts))


def test_stopped_while_waiting_for_a_lock_is_130(project: Project) -> None:
    """tofu's TestUnlockWithCancelledContext, the other way round: the waiting ends, the other's lock stays."""
    with _slow(project), project.start("--lock-timeout", "5m") as waiting:
        assert waiting.stderr is not None
        assert any("waiting up to" in line for line in waiting.stderr)

        waiting.send_signal(signal.SIGINT)

        waiting.communicate(timeout=10)
        assert waiting.returncode == 130
        assert project.run().code == 1


@pytest.mark.parametrize("text", ["soon", "10x", "-1", "", "1.5"])
def test_bad_lock_timeout_is_bad_usage(project: Project, text: str) -> None:
    """Exit 1, with what is allowed."""
    result = project.run(f"--lock-timeout={text}")

    assert result.code == 1
    assert "30, 90s, 10m or 1h" in result.err


def test_unlocking_what_is_not_locked_is_no_failure(project: Project) -> None:
    """Nothing to do."""
    result = project.run("--force-unlock")

    assert result.code == 0
    assert "No run holds the lock" in result.out


# --- copies and the way back ---


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
        (b'{"version": "1.0", "lineage": "x", "serial": "1", "salt": "00"}', "serial is not what it should be"),
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
    restored = _follow(deployed, refused.err)
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

    assert _follow(deployed, refused.err).code == 0

    taken = deployed.run("--dry-run")  # by the group that is left behind
    assert taken.code == 1
    assert "postgresql.server_name: the name draftgenie-pg is not free" in taken.out
    assert re.search("create_key_vault +blocked +check_prerequisites would fail", taken.out)
    assert "Resources: none." in taken.out
    assert "Traceback" not in taken.text
    for key in ("container_registry.name", "key_vault.name", "postgresql.server_name"):
        deployed.change(key, "another" + key[:3])
    assert deployed.run("--dry-run").code == 0
    assert "subscription_id" in deployed.state()["target"]
    assert "resource_group" not in deployed.state()["target"]


def test_restoring_another_lineage_over_a_state_in_use_is_refused(deployed: Project, tmp_path: Path) -> None:
    """A copy of some other deployment; what is there stays."""
    other = deployed.state() | {"lineage": "f" * 32}
    copy = deployed.directory / "other.json"
    copy.write_text(json.dumps(other))
    before = deployed.state_file.read_bytes()

    result = deployed.run("--restore-state", "other.json")

    assert result.code == 1
    assert "has another lineage" in result.err
    assert deployed.state_file.read_bytes() == before


def test_restoring_what_is_not_there_lists_what_is(deployed: Project) -> None:
    """The copies that can be restored, by name."""
    deployed.deploy("--force-step", "create_monitoring")

    result = deployed.run("--restore-state", "nothing.json")

    assert result.code == 1
    assert "there is no nothing.json" in result.err
    assert HISTORY in result.err


def test_dry_run_wins_over_everything_that_writes_state(deployed: Project) -> None:
    """They only say what they would do."""
    deployed.deploy("--force-step", "create_monitoring")
    copy = str(next((deployed.directory / HISTORY).iterdir()))
    wait_for_end(deployed)  # the emulator's own files hold still, too
    before = {path: path.read_bytes() for path in deployed.directory.rglob("*") if path.is_file()}

    for arguments in (["--restore-state", copy], ["--reset-state"], ["--force-unlock"]):
        assert deployed.run("--dry-run", *arguments).code == 0

    assert {path: path.read_bytes() for path in deployed.directory.rglob("*") if path.is_file()} == before


# --- rescue ---


def _tmpfs(project: Project, size: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A run whose state is on a file system of that size, which is copied to `kept/` at its end."""
    (project.directory / "small").mkdir(exist_ok=True)
    script = (
        f"mount -t tmpfs -o size={size} tmpfs small && "
        "if [ -d kept ]; then cp -a kept/. small/; fi; "
        f"{shlex.join(project.command(*arguments))}; code=$?; rm -rf kept; cp -a small kept; exit $code"
    )
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    if os.geteuid() == 0:
        command = ["unshare", "--mount", "sh", "-c", script]
    return subprocess.run(
        command, cwd=project.directory, env=project.env(), capture_output=True, text=True, timeout=100, check=False
    )


def _can_mount(directory: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    mount = "mount -t tmpfs -o size=64k tmpfs ."
    command = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--mount", "sh", "-c", mount]
    return subprocess.run(command, cwd=directory, capture_output=True, check=False).returncode == 0


def test_full_disk_loses_no_step(project: Project) -> None:
    """A real file system of 64 KB: the run stops, the state is in another directory, and comes back by the command."""
    if not _can_mount(project.directory):
        assert not os.environ.get("CI"), "no small file system can be mounted here"
        pytest.skip("no small file system can be mounted here")
    project.change("advanced.state_file", "small/state.json")

    failed = _tmpfs(project, "64k", "--parallelism", "1")

    assert failed.returncode == 1, failed.stderr
    assert "Traceback" not in failed.stderr
    assert "No space left on device" in failed.stderr
    (rescued,) = project.directory.glob(".azure-deployment-state.state.json.rescue-*")
    steps = json.loads(rescued.read_text())["steps"]
    done = [name for name, record in steps.items() if record["status"] == "completed"]
    assert done
    stored = json.loads((project.directory / "kept" / "state.json").read_text())  # the last one that had room
    assert stored["serial"] < json.loads(rescued.read_text())["serial"]
    refused = _tmpfs(project, "4m")
    assert refused.returncode == 1
    assert f"what it did is in {rescued}" in refused.stderr
    restored = _tmpfs(project, "4m", "--restore-state", rescued.name)
    assert restored.returncode == 0, restored.stderr

    again = _tmpfs(project, "4m", "--output", "json")

    assert again.returncode == 0, again.stderr
    ran = [json.loads(line) for line in again.stdout.splitlines()]
    assert not {event["step"] for event in ran if event["event"] == "step_run"} & set(done)


def test_state_that_somebody_changed_in_mid_run_is_not_overwritten(project: Project) -> None:
    """The run stops, its own state goes to the rescue file, and putting that back loses neither."""
    with _slow(project, "--parallelism", "1") as process:
        wait_for(
            lambda: any("flexibleServers" in operation for operation in project.state()["operations"]),
            process,
            "the run did not record the operation",
        )
        stranger = json.dumps(project.state() | {"stranger": True}).encode()
        (project.directory / "stranger").write_bytes(stranger)
        os.replace(project.directory / "stranger", project.state_file)

        _, err = process.communicate(timeout=60)

    assert process.returncode == 1, err
    assert "was changed by somebody else" in err
    assert project.state_file.read_bytes() == stranger
    restored = _follow(project, err)
    assert restored.code == 0, restored.text
    done = {name for name, record in project.state()["steps"].items() if record["status"] == "completed"}
    assert done
    assert not done & set(project.deploy().ran())


# --- the earlier script's states ---


@pytest.mark.parametrize("name", [STATE, ".azure-deployment-state.json"])
@pytest.mark.parametrize("form", ["forerunner", "v1"])
def test_state_of_the_earlier_script_is_put_aside_and_what_exists_taken_over(
    project: Project, name: str, form: str
) -> None:
    """Recognised under both names, announced, never overwritten, readable for its owner alone."""
    words = EARLIER if form == "v1" else {key: EARLIER[key] for key in ("completed_steps", "created_resources")}
    content = json.dumps(words).encode()
    (project.directory / name).write_bytes(content)
    assert "the state of the earlier script" in project.run("--status").err
    assert "the state of the earlier script" in project.run("--dry-run").err
    assert (project.directory / name).read_bytes() == content

    result = project.run()

    assert result.code == 0, result.text
    assert "is the state of the earlier script, with passwords in it" in result.err
    (aside,) = project.directory.glob("*.earlier-*")
    assert aside.read_bytes() == content
    assert aside.stat().st_mode & 0o777 == 0o600
    assert "EarlierPassw0rd" not in project.state_file.read_text() + result.text
    assert "earlier script" not in project.run("--status").text


# --- adoption ---


def test_state_reset_and_the_next_run_adopts_what_is_there(deployed: Project) -> None:
    """No migration, no build, no new secret version, no new password; then nothing to do."""
    _check_adoption(deployed, ["--reset-state"], [])


def test_state_lost_and_the_next_run_with_adopt_takes_everything_over(deployed: Project) -> None:
    """Refused without --adopt, since the group is another lineage's."""
    deployed.state_file.unlink()
    refused = deployed.run()
    assert refused.code == 1
    assert "--adopt" in refused.err

    _check_adoption(deployed, None, ["--adopt"])


def test_doors_that_somebody_else_left_open_are_closed_by_adopt_alone(deployed: Project) -> None:
    """The vault's access policies, the registry's admin user, a firewall rule for the whole world."""
    resources = deployed.state()["resources"]
    vault, registry = resources["key_vault"], resources["container_registry"]
    rules = f"{resources['postgresql_server']['id']}/firewallRules"
    version = API_VERSIONS["Microsoft.DBforPostgreSQL/flexibleServers/firewallRules"]
    with deployed.azure() as azure:
        policies = {"enableRbacAuthorization": False, "accessPolicies": []}
        azure.send("PATCH", vault["id"], vault["api_version"], {"properties": policies})
        azure.send("PATCH", registry["id"], registry["api_version"], {"properties": {"adminUserEnabled": True}})
        world = {"startIpAddress": "0.0.0.0", "endIpAddress": "255.255.255.255"}
        azure.send("PUT", f"{rules}/everybody", version, {"properties": world})
        state = deployed.state()
        for key in ("key_vault", "container_registry", "postgresql_server"):
            state["resources"][key]["created"] = False
        deployed.state_file.write_text(json.dumps(state))
        steps = ("create_key_vault", "create_container_registry", "create_databases")
        forced = [word for step in steps for word in ("--force-step", step)]

        left = deployed.run(*forced)

        assert left.code == 0, left.text
        assert left.out.count("(--adopt closes it)") == 3
        live = azure.send("GET", vault["id"], vault["api_version"]).json()
        assert live["properties"]["enableRbacAuthorization"] is False

        closed = deployed.run("--adopt", *forced)

        assert closed.code == 0, closed.text
        assert "--adopt closes it" not in closed.out
        live = azure.send("GET", vault["id"], vault["api_version"]).json()
        assert live["properties"]["enableRbacAuthorization"] is True
        live = azure.send("GET", registry["id"], registry["api_version"]).json()
        assert live["properties"]["adminUserEnabled"] is False
        names = [item["name"] for item in azure.send("GET", rules, version).json()["value"]]
        assert names == ["allow-azure"]


def _check_adoption(project: Project, first: list[str] | None, arguments: list[str]) -> None:
    vault = json.loads((project.directory / ".azure-emulator" / "vault.json").read_text())
    if first is not None:
        assert project.run(*first).code == 0
    seen = len(project.requests())

    ran = project.deploy(*arguments).ran()

    assert set(ran) == set(STEP_NAMES)
    writes = project.writes(seen)
    allowed = ("/resourcegroups/draftgenie-rg", "/secrets/", "/flexibleServers/draftgenie-pg",
               "/vaults/draftgenie-kv/providers/Microsoft.Authorization/")
    assert [write for write in writes if not any(part.lower() in write.lower() for part in allowed)] == []
    group = [write for write in writes if write.lower().endswith("/resourcegroups/draftgenie-rg")]
    assert len(group) == (1 if arguments else 0)
    assert not [write for write in writes if "/jobs/" in write or "scheduleRun" in write]
    assert json.loads((project.directory / ".azure-emulator" / "vault.json").read_text()) == vault
    assert project.deploy().ran() == {}


# --- blob ---


@pytest.fixture
def in_blob(project: Project, azurite: Azurite, request: pytest.FixtureRequest) -> Project:
    """A project whose state is in a container of its own."""
    project.change("advanced.state_blob_container", f"command-{os.getpid()}-{abs(hash(request.node.name)) % 10**8}")
    project.environment["AZURE_STORAGE_CONNECTION_STRING"] = azurite.connection_string
    project.environment["AZURE_STATE_STORAGE"] = "blob"
    return project


def _blobs(project: Project, azurite: Azurite) -> dict[str, tuple[bytes, str]]:
    """Everything in the project's container: content and ETag."""
    with BlobServiceClient.from_connection_string(
        azurite.connection_string, api_version=blob_backend.API_VERSION
    ) as service:
        container = service.get_container_client(project.config()["advanced"]["state_blob_container"])
        if not container.exists():
            return {}
        found = {}
        for item in container.list_blobs():
            stream = container.get_blob_client(item.name).download_blob()
            found[item.name] = (stream.readall(), stream.properties.etag)
        return found


def test_deployment_with_its_state_in_a_blob(in_blob: Project, azurite: Azurite) -> None:
    """Container made, state there and nowhere else, second run without a write, dry run without a trace."""
    assert in_blob.run("--status").out == "Nothing is deployed yet.\n"
    assert in_blob.run("--dry-run").code == 0
    assert _blobs(in_blob, azurite) == {}

    in_blob.deploy()

    assert not in_blob.state_file.exists()
    before = _blobs(in_blob, azurite)
    state = json.loads(before["azure-deployment-state.json"][0])
    assert {record["status"] for record in state["steps"].values()} == {"completed"}
    assert in_blob.deploy().ran() == {}
    assert in_blob.run("--dry-run", "--force-all").code == 0
    assert in_blob.run("--status").code == 0
    assert _blobs(in_blob, azurite) == before
    in_blob.deploy("--force-step", "create_monitoring")
    assert [name for name in _blobs(in_blob, azurite) if ".history/" in name]
    refused = in_blob.run("--restore-state", "nothing")
    copy = re.search(r"azure-deployment-state\.json\.history/\S+", refused.err)
    assert copy is not None
    assert "is newer than" in in_blob.run("--restore-state", copy.group()).err
    assert in_blob.run("--restore-state", copy.group(), "--adopt").code == 0
    assert in_blob.deploy().ran() == {}


def test_older_name_of_blob_storage_is_understood(in_blob: Project, azurite: Azurite) -> None:
    """AZURE_STATE_STORAGE=azure."""
    in_blob.environment["AZURE_STATE_STORAGE"] = "azure"

    assert in_blob.run("--reset-state").code == 0

    assert "azure-deployment-state.json" in _blobs(in_blob, azurite)


def test_broken_blob_lock_stops_the_run_and_loses_nothing(in_blob: Project, azurite: Azurite) -> None:
    """Somebody breaks a live run's lock: it stops, its state goes to a rescue file, the command puts that back."""
    with _slow(in_blob) as process:
        refused = in_blob.run()
        assert refused.code == 1
        assert f"process {process.pid}" in refused.err
        assert "break its lock: python" in refused.err
        unasked = in_blob.run("--force-unlock")
        assert unasked.code == 1
        assert f"(process {process.pid}, since" in unasked.err
        assert process.poll() is None

        broken = in_blob.run("--force-unlock", "--auto-approve")
        seen = len(in_blob.requests())
        broken_at = time.monotonic()

        assert broken.code == 0
        assert str(process.pid) in broken.out
        _, err = process.communicate(timeout=90)
    assert time.monotonic() - broken_at < 40
    assert process.returncode == 1, err
    assert "the lock on the state" in err
    # A write that was on its way when the lock went may have been sent; no step began after that.
    assert len([write for write in in_blob.writes(seen) if "PUT" in write]) <= 1
    restored = _follow(in_blob, err)
    assert restored.code == 0, restored.text
    state = json.loads(_blobs(in_blob, azurite)["azure-deployment-state.json"][0])
    done = {name for name, record in state["steps"].items() if record["status"] == "completed"}
    assert done
    assert not done & set(in_blob.deploy().ran())


def _beside(project: Project) -> dict[str, bytes]:
    """The documents beside the state file."""
    paths = {name: project.directory / f"{STATE}.{name}" for name in ("baseline", "history")}
    return {name: path.read_bytes() for name, path in paths.items() if path.exists()}


def test_state_moves_to_the_blob_and_back(deployed: Project, azurite: Azurite) -> None:
    """Lineage and serial stay; what was there before is put aside; nothing runs because of it."""
    deployed.change("advanced.state_blob_container", f"move-{os.getpid()}")
    deployed.environment["AZURE_STORAGE_CONNECTION_STRING"] = azurite.connection_string
    before, companions = deployed.state(), _beside(deployed)
    assert set(companions) == {"baseline", "history"}

    moved = deployed.run("--move-state", "blob")

    assert moved.code == 0, moved.text
    assert _beside(deployed) == {}
    blobs = _blobs(deployed, azurite)
    assert {name: blobs[f"azure-deployment-state.json.{name}"][0] for name in companions} == companions
    assert "advanced.state_storage: blob" in moved.out
    assert not deployed.state_file.exists()
    assert json.loads(_blobs(deployed, azurite)["azure-deployment-state.json"][0]) == before
    assert "already" in deployed.run("--move-state", "blob").out
    deployed.environment["AZURE_STATE_STORAGE"] = "blob"
    assert deployed.deploy().ran() == {}
    deployed.deploy("--force-step", "create_monitoring")
    later = json.loads(_blobs(deployed, azurite)["azure-deployment-state.json"][0])
    assert deployed.run("--move-state", "local").code == 0
    assert deployed.state() == later
    assert "azure-deployment-state.json" not in _blobs(deployed, azurite)
    deployed.environment["AZURE_STATE_STORAGE"] = "local"
    assert deployed.deploy().ran() == {}


def test_move_refuses_another_lineage_and_a_newer_state(deployed: Project, azurite: Azurite) -> None:
    """What is at the other end stays byte for byte, and so does what was to be moved."""
    deployed.change("advanced.state_blob_container", f"refuse-{os.getpid()}")
    deployed.environment["AZURE_STORAGE_CONNECTION_STRING"] = azurite.connection_string
    here = deployed.state_file.read_bytes()
    state = json.loads(here)
    for change, words in (({"lineage": "f" * 32}, "another state already"), ({"serial": 10**6}, "is newer")):
        there = json.dumps(state | change).encode()
        with BlobServiceClient.from_connection_string(
            azurite.connection_string, api_version=blob_backend.API_VERSION
        ) as service:
            container = service.get_container_client(f"refuse-{os.getpid()}")
            if not container.exists():
                container.create_container()
            container.upload_blob("azure-deployment-state.json", there, overwrite=True)

        result = deployed.run("--move-state", "blob")

        assert result.code == 1
        assert words in result.err
        assert _blobs(deployed, azurite)["azure-deployment-state.json"][0] == there
        assert deployed.state_file.read_bytes() == here


def test_command_from_elsewhere_names_a_command_that_works_there(deployed: Project, tmp_path_factory: Any) -> None:
    """The configuration is given with its path, quoted as a shell wants it."""
    deployed.deploy("--force-step", "create_monitoring")
    deployed.state_file.write_bytes(b"")
    elsewhere = tmp_path_factory.mktemp("else where")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=elsewhere, env=deployed.env(), capture_output=True, text=True, check=False
        )

    refused = run(str(COMMAND), "--config", str(deployed.directory / "config.yaml"))
    match = re.search(r"Put it back: (.*)$", refused.stderr, re.MULTILINE)
    assert match is not None, refused.stderr

    assert run(*shlex.split(match.group(1))[1:]).returncode == 0
    assert deployed.deploy().ran() == {}


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 1), ("no\n", 1)])
def test_force_unlock_asks_on_a_terminal(in_blob: Project, answer: str, code: int) -> None:
    """It says whose lock it is; only a yes breaks it."""
    import pty

    assert in_blob.run("--reset-state").code == 0
    hold = [sys.executable, "-c", HOLD, str(COMMAND.parent), in_blob.config()["advanced"]["state_blob_container"]]
    outer, inner = pty.openpty()
    with subprocess.Popen(hold, env=in_blob.env(), stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "locked\n"
            os.write(outer, answer.encode())

            asking = subprocess.run(
                in_blob.command("--force-unlock"), cwd=in_blob.directory, env=in_blob.env(), stdin=inner,
                capture_output=True, text=True, timeout=100, check=False,
            )
        finally:
            holder.kill()
            os.close(outer)
            os.close(inner)

    assert asking.returncode == code
    assert f"(process {holder.pid}, since" in asking.stderr
    assert "Break its lock?" in asking.stderr


HOLD = (
    "import importlib, sys, time; sys.path.insert(0, sys.argv[1])\n"
    "values = {'advanced': {'state_blob_container': sys.argv[2]}}\n"
    "state = importlib.import_module('deploy-azure_v1').StateManager(values)\n"
    "state.lock(); print('locked', flush=True); time.sleep(600)"
)
