"""The run: concurrent, robust against faults, and never repeating what must happen once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import missing
from project import Project, hold_at_server, let_time_pass, wait_for

from draftgenie_azure.steps import STEP_NAMES

NO_SECRET = {
    "method": "PUT",
    "path": "*/containerApps/draft-service",
    "status": 400,
    "code": "InvalidParameterValueInContainerTemplate",
    "message": "Field 'configuration.secrets' is invalid: Unable to get value using Managed identity x for secret y",
}


def test_failures_of_steps_that_do_not_need_each_other_are_all_reported(project: Project) -> None:
    """Two steps fail; what needs neither is finished and kept; both messages are shown."""
    no = {"status": 403, "code": "RequestDisallowedByPolicy", "message": "Policy says no."}
    faults = [
        {"method": "PUT", "path": "*/workspaces/*", **no},
        {"method": "PUT", "path": "*/flexibleServers/draftgenie-pg", **no},
    ]

    result = project.run(*project.faults(*faults))

    assert result.code == 1
    assert "failed: create_monitoring: " in result.err
    assert "failed: create_databases: " in result.err
    done = {name for name, record in project.state()["steps"].items() if record["status"] == "completed"}
    assert {"create_key_vault", "build_and_push_images"} <= done
    assert "2 failed" in result.out


@pytest.mark.slow
def test_one_at_a_time_runs_the_steps_in_the_order_of_the_table(project: Project) -> None:
    """--parallelism 1."""
    events = project.deploy("--parallelism", "1").events()

    assert [event["step"] for event in events if event["event"] == "step_run"] == list(STEP_NAMES)


@pytest.mark.parametrize("word", ["0", "x", "-1", "101"])
def test_parallelism_that_makes_no_sense_is_refused(project: Project, word: str) -> None:
    """A number from 1 to 100."""
    result = project.run(f"--parallelism={word}")

    assert result.code == 1
    assert "expected an integer from 1 to 100" in result.err


def test_role_that_is_not_effective_yet_is_waited_for_where_it_is_young(project: Project) -> None:
    """The identity's role was given a moment ago: the refusal passes."""
    project.deploy(*project.faults({**NO_SECRET, "times": 2}))

    tries = [write for write in project.writes() if "/containerApps/draft-service" in write]
    assert len(tries) == 3


@pytest.mark.slow
def test_waiting_for_someone_else_is_reported_once_with_step_and_resource(project: Project) -> None:
    """Whoever looks on knows why nothing happens."""
    busy = {"method": "PUT", "path": "*/flexibleServers/draftgenie-pg", "status": 409, "code": "ServerBusy"}

    result = project.run(*project.faults({**busy, "times": 2, "retry_after": 1}, {**NO_SECRET, "times": 2}))

    assert result.code == 0, result.text
    told = [" ".join(line.split()) for line in result.err.splitlines() if " waits " in line]
    assert told == [
        "6/14 create_databases waits draftgenie-pg: another operation is in progress (ServerBusy); waiting for it",
        "11/14 deploy_application_services waits draft-service: a new role is not effective yet; "
        "that takes up to 10 minutes",
    ]


@pytest.mark.slow  # nothing is reported for half a minute
@pytest.mark.timeout(300)
def test_long_wait_is_reported_with_what_azure_is_at_work_on(project: Project) -> None:
    """From half a minute on; other steps may wait as well."""
    result = project.run(*project.faults(scale=0.12), timeout=200)

    assert result.code == 0, result.text
    told = [" ".join(line.split()) for line in result.err.splitlines() if " waits " in line]
    wanted = re.compile(r"6/14 create_databases waits \d+ s of usually [0-9a-z ]+: .*draftgenie-redis.*")
    assert any(wanted.fullmatch(line) for line in told), told


def test_role_that_is_old_is_not_an_excuse(deployed: Project) -> None:
    """An hour after it was given, the same refusal is an error, with what to look at.

    A young role is waited for for ten minutes, which is longer than a run may take here.
    """
    store_an_hour_ago(deployed)
    source = deployed.directory / "examples/draftgenie/services/draft-service/app/main.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")

    result = deployed.run(*deployed.faults({**NO_SECRET, "method": "PATCH", "times": 9}))

    assert result.code == 1
    assert "Managed identity" in result.err


def store_an_hour_ago(project: Project) -> None:
    """Make every role assignment again, an hour in the past."""
    version = "2022-04-01"
    roles = [record["id"] for key, record in project.state()["resources"].items() if key.startswith("role/")]
    bodies = {}
    with project.azure() as azure:
        for role in roles:
            live = azure.send("GET", role, version).json()["properties"]
            names = ("roleDefinitionId", "principalId", "principalType")
            bodies[role] = {"properties": {name: live[name] for name in names}}
            azure.send("DELETE", role, version)
        azure.control("POST", "/control/clock", {"set": time.time() - 3600})
        for role, body in bodies.items():
            azure.send("PUT", role, version, body)
        azure.control("POST", "/control/clock", {"set": time.time()})


def test_lost_reply_to_the_start_of_a_migration_starts_no_second_one(project: Project) -> None:
    """The job's executions are looked up first."""
    project.deploy(*project.faults({"method": "POST", "path": "*/start", "drop": "after"}))

    assert len(project.executions()) == 1


@pytest.mark.slow
def test_start_of_a_migration_that_never_arrived_is_sent_again(project: Project) -> None:
    """No execution shows up: it was not begun."""
    project.deploy(*project.faults({"method": "POST", "path": "*/start", "drop": "before"}))

    assert len(project.executions()) == 1


@pytest.mark.slow
def test_lost_reply_to_a_write_is_looked_into_and_not_sent_again(project: Project) -> None:
    """The live resource decides: the server was created, so no second PUT follows."""
    project.deploy(*project.faults({"method": "PUT", "path": "*/redisEnterprise/draftgenie-redis", "drop": "after"}))

    writes = [write for write in project.writes() if write.endswith("/redisEnterprise/draftgenie-redis")]
    assert len(writes) == 1


@pytest.mark.slow
def test_throttling_is_waited_out_as_long_as_azure_says(project: Project) -> None:
    """429 with Retry-After: 2."""
    fault = {"method": "PUT", "path": "*/workspaces/*", "status": 429, "code": "TooManyRequests", "retry_after": 2}
    project.deploy(*project.faults(fault))

    times = [
        datetime.fromisoformat(request["time"][:26])
        for request in project.requests()
        if request["method"] == "PUT" and "/workspaces/" in request["path"]
    ]
    assert len(times) == 2
    assert (times[1] - times[0]).total_seconds() >= 2


@pytest.mark.slow
def test_operation_that_a_killed_run_abandoned_is_resumed(project: Project) -> None:
    """The state holds its address; the next run waits for it and sends no second write."""
    with project.start(*project.faults(scale=0.02)) as process:
        hold_at_server(project, process)
        wait_for(
            lambda: any("flexibleServers" in name for name in operations(project)),
            process,
            "the run recorded no operation on the server",
        )
        process.kill()
    left = operations(project)

    let_time_pass(project)
    project.deploy()

    (server,) = [name for name in left if "flexibleServers" in name]
    polled = [request for request in project.requests() if "operation" in request["path"].lower()]
    assert polled
    assert len([write for write in project.writes() if write.lower() == f"put {server}".lower()]) == 1
    assert operations(project) == {}


def operations(project: Project) -> dict[str, Any]:
    """The operations that the state remembers."""
    found: dict[str, Any] = project.state()["operations"]
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hundred_services_deploy_within_azures_limits(project: Project) -> None:
    """Writes stay under 200 at once and 10 a second; a second run sends nothing."""
    values = project.config()
    for number in range(193):
        values["services"][f"extra_{number}"] = {
            "image": "ghcr.io/example/echo:1",
            "transport": "auto",
            "port": 8080,
            "environment": {"NUMBER": number},
        }
    (project.directory / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")

    result = project.run("--output", "json", timeout=500)

    assert result.code == 0, result.text[-2000:]
    writes = [
        request
        for request in project.requests()
        if request["method"] in ("PUT", "PATCH", "POST") and request["host"] == "management.azure.com"
    ]
    # A subscription and the tenant have limits of their own (validateResources is about no subscription).
    for of_subscription in (True, False):
        times = sorted(
            datetime.fromisoformat(request["time"][:26]).timestamp()
            for request in writes
            if request["path"].startswith("/subscriptions/") is of_subscription
        )
        for first in range(len(times)):
            for size in (220, 300, 400):
                if first + size < len(times):
                    assert times[first + size] - times[first] >= (size - 205) / 10 - 1
    assert project.run("--output", "json").ran() == {}


@pytest.mark.slow
def test_deployment_goes_on_when_no_one_reads_its_output(project: Project) -> None:
    """`| head -1` takes one line and goes."""
    with project.start() as process:
        assert process.stdout is not None and process.stderr is not None
        process.stderr.readline()
        process.stderr.close()
        process.stdout.close()

        assert process.wait(timeout=60) == 0
    assert project.deploy().ran() == {}


@contextmanager
def started(
    project: Project, command: list[str], streams: int, *, start_new_session: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """Some command in the project's directory; what is left of it at the end of the block is killed."""
    with subprocess.Popen(
        command,
        cwd=project.directory,
        env=project.env(),
        stdin=streams,
        stdout=streams,
        stderr=streams,
        start_new_session=start_new_session,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no terminals to close here")
def test_closed_terminal_interrupts_and_the_next_run_finishes(project: Project) -> None:
    """SIGHUP, and no terminal to write to: the state is saved nevertheless."""
    master, slave = os.openpty()
    command = [sys.executable, "-c", SESSION, *project.command("--auto-approve", *project.faults(scale=0.02))]
    with started(project, command, slave, start_new_session=True) as process:
        os.close(slave)
        hold_at_server(project, process)

        os.close(master)

        assert process.wait(timeout=60) == 130
    let_time_pass(project)
    ran = project.deploy().ran()
    assert "create_key_vault" not in ran
    assert ran["create_databases"] == ["interrupted"]


def can_be_process_1() -> bool:
    """Return whether this machine allows a separate process 1, as in a container."""
    return subprocess.run(["unshare", "--fork", "--pid", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.program("unshare")
def test_process_1_of_a_container_stops_when_it_is_told_to(project: Project) -> None:
    """The kernel ignores signals to process 1 that it does not ask for."""
    if not can_be_process_1():
        missing("making a process 1 of its own needs the right to it")
    arguments = project.command(*project.faults(scale=0.02))
    with started(project, ["unshare", "--fork", "--pid", "--kill-child", *arguments], subprocess.DEVNULL) as outer:
        hold_at_server(project, outer)
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text(encoding="ascii").split()

        os.kill(int(children[0]), signal.SIGTERM)

        assert outer.wait(timeout=60) == 130
    let_time_pass(project)
    assert project.deploy().ran()["create_databases"] == ["interrupted"]


# Makes standard input the terminal of this session, as a login does, and becomes the command.
SESSION = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


@pytest.mark.slow
def test_cloud_that_cannot_be_reached_is_reported_with_what_to_look_at(project: Project) -> None:
    """No such host: exit 1 and a hint, within the budget; the state says nothing was done."""
    project.change(
        "azure.cloud",
        {
            "name": "nowhere",
            "resource_manager": "https://management.nowhere.invalid",
            "authority": "https://login.nowhere.invalid",
            "vault_suffix": "vault.nowhere.invalid",
            "registry_suffix": "cr.nowhere.invalid",
            "storage_suffix": "core.nowhere.invalid",
            "postgres_suffix": "postgres.nowhere.invalid",
        },
    )
    project.change("advanced.operation_timeout", 2)
    for key in ("gemini_api_key", "instanote_api_key"):
        project.change(f"secrets.{key}", f"given-{key}")
    project.environment.update(
        {"AZURE_TENANT_ID": "00000000-0000-0000-0000-000000000001", "AZURE_CLIENT_ID": "x", "AZURE_CLIENT_SECRET": "y"}
    )

    result = project.run()

    assert result.code == 1
    assert "failed: no token for Azure: " in result.err
    assert "login.nowhere.invalid: its name cannot be resolved" in result.err
    assert "next: Check the network, VPN and DNS settings" in result.err
    assert "Traceback" not in result.err
