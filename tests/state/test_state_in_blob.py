"""The state in a blob, through the command."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from azurite import Azurite
from project import COMMAND, STATE, Project
from state_runs import follow, slow_run

from draftgenie_azure.state.blob import backend as blob_backend

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
    """Container created, state only there, second run without a write, dry run without a trace."""
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


@pytest.mark.slow
def test_broken_blob_lock_stops_the_run_and_loses_nothing(in_blob: Project, azurite: Azurite) -> None:
    """Somebody breaks a live run's lock: it stops, its state goes to an emergency file, the command puts that back."""
    with slow_run(in_blob) as process:
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

        assert broken.code == 0
        assert str(process.pid) in broken.out
        _, err = process.communicate(timeout=90)  # although the server is not there yet: the renewal is refused
    assert process.returncode == 1, err
    assert "the lock on the state" in err
    # A write that was on its way when the lock went may have been sent; no step began after that.
    assert len([write for write in in_blob.writes(seen) if "PUT" in write]) <= 1
    restored = follow(in_blob, err)
    assert restored.code == 0, restored.text
    state = json.loads(_blobs(in_blob, azurite)["azure-deployment-state.json"][0])
    done = {name for name, record in state["steps"].items() if record["status"] == "completed"}
    assert done
    assert not done & set(in_blob.deploy().ran())


def _beside(project: Project) -> dict[str, bytes]:
    """The documents beside the state file."""
    paths = {name: project.directory / f"{STATE}.{name}" for name in ("baseline", "history")}
    return {name: path.read_bytes() for name, path in paths.items() if path.exists()}


@pytest.mark.slow
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
    """Both the destination and the source are unchanged."""
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
    match = re.search(r"Restore it: (.*)$", refused.stderr, re.MULTILINE)
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
