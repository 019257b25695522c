"""A state that cannot be saved, that the earlier script left, or that another deployment marks."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from programs import missing
from project import STATE, Project, let_time_pass, wait_for
from state_runs import follow, slow_run

from draftgenie_azure.arm.ids import API_VERSIONS
from draftgenie_azure.steps import STEP_NAMES

EARLIER = {"version": "1.0", "completed_steps": ["create_postgresql"], "steps": {}, "resources": {},
           "created_resources": {"postgresql": {"admin_password": "EarlierPassw0rd"}}}


# --- emergency files ---


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
    mount = "mount -t tmpfs -o size=64k tmpfs ."
    command = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--mount", "sh", "-c", mount]
    return subprocess.run(command, cwd=directory, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.program("unshare")
def test_full_disk_loses_no_step(project: Project) -> None:
    """A real file system of 64 KB: the run stops, the state is in another directory, and comes back by the command."""
    if not _can_mount(project.directory):
        missing("no small file system can be mounted here")
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


@pytest.mark.slow
def test_state_that_someone_changed_in_mid_run_is_not_overwritten(project: Project) -> None:
    """The run stops, its own state goes to the emergency state file, and putting that back loses neither."""
    with slow_run(project, "--parallelism", "1") as process:
        wait_for(
            lambda: any("flexibleServers" in operation for operation in project.state()["operations"]),
            process,
            "the run did not record the operation",
        )
        stranger = json.dumps(project.state() | {"stranger": True}).encode()
        (project.directory / "stranger").write_bytes(stranger)
        os.replace(project.directory / "stranger", project.state_file)

        let_time_pass(project)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 1, err
    assert "was changed by another run" in err
    assert project.state_file.read_bytes() == stranger
    restored = follow(project, err)
    assert restored.code == 0, restored.text
    done = {name for name, record in project.state()["steps"].items() if record["status"] == "completed"}
    assert done
    assert not done & set(project.deploy().ran())


# --- the earlier script's states ---


@pytest.mark.slow
@pytest.mark.parametrize("name", [STATE, ".azure-deployment-state.json"])
@pytest.mark.parametrize("form", ["forerunner", "v1"])
def test_state_of_the_earlier_script_is_put_aside_and_what_exists_taken_over(
    project: Project, name: str, form: str
) -> None:
    """Recognised under both names, announced, never overwritten, readable only by its owner."""
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


def test_state_reset_and_the_next_run_adopts_existing_resources(deployed: Project) -> None:
    """No migration, no build, no new secret version, no new password; then nothing to do."""
    _check_adoption(deployed, ["--reset-state"], [])


def test_state_lost_and_the_next_run_with_adopt_takes_everything_over(deployed: Project) -> None:
    """Refused without --adopt, since the group is another lineage's."""
    deployed.state_file.unlink()
    refused = deployed.run()
    assert refused.code == 1
    assert "--adopt" in refused.err

    _check_adoption(deployed, None, ["--adopt"])


def test_unrestricted_access_of_others_resources_is_restricted_only_by_adopt(deployed: Project) -> None:
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
        assert left.out.count("(--adopt ") == 3
        live = azure.send("GET", vault["id"], vault["api_version"]).json()
        assert live["properties"]["enableRbacAuthorization"] is False

        closed = deployed.run("--adopt", *forced)

        assert closed.code == 0, closed.text
        assert "(--adopt " not in closed.out
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
