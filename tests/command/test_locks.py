"""Management locks that forbid what a run would write: a fault of its plan; the run stops before its first write."""

from __future__ import annotations

import pytest
from by_hand import resource
from project import Project, Result

LOCKS = "2020-05-01"
PATH = "/providers/microsoft.authorization/locks"


def lock(project: Project, scope: str, level: str) -> None:
    """Put a lock on a recorded resource."""
    with project.azure() as azure:
        body = {"properties": {"level": level}}
        azure.send("PUT", f"{resource(project, scope)}/providers/Microsoft.Authorization/locks/keep", LOCKS, body)


def words(result: Result) -> str:
    """What a run printed, without its line ends."""
    return " ".join(result.text.split())


def lock_requests(project: Project, since: int) -> int:
    """Return how often locks were listed."""
    return sum(one["path"].lower().endswith(PATH) for one in project.requests()[since:])


def change(project: Project) -> None:
    """Change a variable of one app, and a setting of the server."""
    project.change("services.api_gateway.environment.MORE", "1")
    project.change("postgresql.backup_retention_days", 14)


@pytest.mark.parametrize("scope", ["resource_group", "postgresql_server", "container_app/api_gateway"])
def test_read_only_lock_is_a_fault_of_the_plan_and_stops_the_run_before_its_first_write(
    deployed: Project, scope: str
) -> None:
    """The message names the lock, what it forbids, and how to remove it; nothing was written."""
    lock(deployed, scope, "ReadOnly")
    change(deployed)
    since = len(deployed.requests())

    plan = deployed.run("--dry-run")
    result = deployed.run()

    for shown in (plan, result):
        assert "the lock keep (ReadOnly) on" in words(shown), shown.text
        assert "forbids the planned changes of" in words(shown)
        assert "az lock delete --ids" in words(shown)
    assert result.code == 1
    assert deployed.writes(since) == []
    assert lock_requests(deployed, since) == 2


def test_run_goes_on_where_the_lock_was_removed(deployed: Project) -> None:
    """What was refused is not recorded as done."""
    lock(deployed, "resource_group", "ReadOnly")
    change(deployed)
    assert deployed.run().code == 1
    with deployed.azure() as azure:
        where = f"{resource(deployed, 'resource_group')}/providers/Microsoft.Authorization/locks/keep"
        azure.send("DELETE", where, LOCKS)

    result = deployed.deploy()

    assert {"create_databases", "configure_environment_variables"} <= result.ran().keys()


@pytest.mark.parametrize(
    ("scope", "level"),
    [("container_registry", "ReadOnly"), ("container_app/qdrant", "ReadOnly"), ("resource_group", "CanNotDelete")],
)
def test_lock_that_forbids_nothing_that_is_planned_is_not_mentioned(deployed: Project, scope: str, level: str) -> None:
    """A resource that is not written, and a lock against deletions where nothing is deleted."""
    lock(deployed, scope, level)
    change(deployed)

    plan = deployed.run("--dry-run")
    result = deployed.run()

    assert result.code == 0, result.text
    assert "the lock" not in plan.text + result.text


def test_lock_against_deletions_is_a_fault_where_an_app_is_deleted_and_created_again(deployed: Project) -> None:
    """It moves to another environment; none of the apps is deleted."""
    lock(deployed, "container_app/qdrant", "CanNotDelete")
    deployed.change("container_apps.environment_name", "another-env")
    forced = ("--force-step", "create_container_apps_env")
    since = len(deployed.requests())

    plan = deployed.run("--dry-run", *forced)
    result = deployed.run(*forced)

    for shown in (plan, result):
        assert "the lock keep (CanNotDelete) on qdrant forbids the planned changes of container_app/qdrant" in words(
            shown
        ), shown.text
    assert result.code == 1
    assert deployed.writes(since) == []


def test_housekeeping_that_a_lock_forbids_is_named_by_the_plan_and_stops_nothing(deployed: Project) -> None:
    """The job of the earlier content stays; the run says so once, with Azure's own words."""
    lock(deployed, "resource_group", "CanNotDelete")
    deployed.change("migrations", [{**deployed.config()["migrations"][0], "command": ["true"]}])

    plan = deployed.run("--dry-run")
    result = deployed.run()

    assert "forbids the deletion of job/speaker-service@" in words(plan)
    assert result.code == 0, result.text
    assert "forbids the deletion" not in words(result)
    assert "of an earlier content is kept" in words(result)


def test_locks_that_may_not_be_listed_stop_nothing(deployed: Project) -> None:
    """Azure's own refusal is then the first to say so."""
    change(deployed)
    fault = {"method": "GET", "path": "*/locks", "status": 403, "code": "AuthorizationFailed", "times": 9}

    result = deployed.run(*deployed.faults(fault))

    assert result.code == 0, result.text


def test_locks_are_asked_for_only_where_something_would_be_written(deployed: Project) -> None:
    """Neither by a run without changes, nor by a look at everything that finds nothing."""
    since = len(deployed.requests())

    deployed.run("--dry-run", "--refresh")
    deployed.deploy("--refresh")
    deployed.deploy("--force-step", "verify_deployment")

    assert lock_requests(deployed, since) == 0
