"""A step that fails says what, why and what next; the next run begins there and repeats nothing."""

from __future__ import annotations

import re
import signal
from typing import Any

import pytest
from project import COMMAND, ROOT, Project, hold_at_server, let_time_pass, wait_for
from step_faults import REFUSED

from draftgenie_azure.steps import STEP_NAMES, step_named

# What the writes of a step have in their path.
MADE = {
    "create_monitoring": ("/workspaces/", "/components/"),
    "create_resource_group": ("/userAssignedIdentities/",),
    "create_databases": ("flexibleServers", "redisEnterprise"),
    "store_secrets": ("/secrets/",),
    "build_and_push_images": ("scheduleRun",),
    "deploy_infrastructure_services": ("containerApps/rabbitmq",),
    "run_migrations": ("/start",),
}


def made(steps: set[str]) -> list[str]:
    """Parts of paths that steps write to."""
    return [part for step in steps for part in MADE.get(step, ())]


@pytest.mark.slow
@pytest.mark.parametrize("step", REFUSED)
def test_failed_step_is_where_the_next_run_begins(project: Project, step: str) -> None:
    """Exit 1 with what, why and next; the state says failed; no earlier step sends a write again."""
    fault = {**REFUSED[step], "status": 403, "code": "RequestDisallowedByPolicy", "message": "Policy says no."}

    failed = project.run(*project.faults(fault))

    assert failed.code == 1, failed.text
    assert f"failed: {step}: " in failed.err
    assert "Policy says no." in failed.err
    assert "next: An Azure Policy forbids this." in failed.err
    assert "Traceback" not in failed.err
    steps = project.state()["steps"]
    record = steps[step]
    assert record["status"] == "failed"
    assert "RequestDisallowedByPolicy" in record["error"]

    seen = len(project.requests())

    again = project.deploy()

    ran = again.ran()
    done = {name for name, other in steps.items() if other["status"] == "completed"}
    assert set(step_named(step).needs) <= done
    assert ran[step][0].startswith("failed last time: ")
    assert set(ran) == set(STEP_NAMES) - done
    assert not [write for write in project.writes(seen) if any(mark in write for mark in made(done))]
    assert project.deploy().ran() == {}


def test_failures_inside_one_step_are_all_reported(project: Project) -> None:
    """PostgreSQL and Redis are refused, each for its own reason: both are shown with what to do, and recorded."""
    result = project.run(
        *project.faults(
            {
                "method": "PUT",
                "path": "*/flexibleServers/draftgenie-pg",
                "status": 403,
                "code": "RequestDisallowedByPolicy",
                "message": "Policy says no.",
            },
            {
                "method": "PUT",
                "path": "*/redisEnterprise/draftgenie-redis",
                "status": 400,
                "code": "InsufficientQuota",
                "message": "No room.",
            },
        )
    )

    assert result.code == 1
    assert result.err.count("failed: create_databases: ") == 2
    assert "next: An Azure Policy forbids this." in result.err
    assert "next: The subscription's quota is used up." in result.err
    error = project.state()["steps"]["create_databases"]["error"]
    assert "Policy says no." in error
    assert "No room." in error
    assert "1 failed" in result.out


def test_service_that_fails_is_reported_beside_one_that_cannot_be_looked_at(deployed: Project) -> None:
    """One service does not start, another cannot be read; both were changed, so that both are checked."""
    values = deployed.config()
    del values["services"]["draft_service"]["environment"]["QDRANT_URL"]
    values["services"]["rag_service"]["environment"]["CHANGED"] = "yes"
    deployed.write(values)
    refused = {"method": "GET", "path": "*/containerApps/rag-service/revisions/*", "status": 403, "code": "Refused"}

    result = deployed.run(*deployed.faults({**refused, "message": "Not for you."}))

    assert result.code == 1
    assert "failed: verify_deployment: draft_service: revision draft-service--" in result.err
    assert "next: Its log says why it ended. A missing variable belongs under services.draft_service." in result.err
    assert "Not for you." in result.err


# Runs the command with a mistake in one of its steps, whose message contains a secret.
MISTAKEN = f"""
import runpy, sys
sys.path.insert(0, {str(ROOT)!r})
import deployer
def mistaken(self):
    raise RuntimeError("not thought of: " + self.config.raw.get("secrets.gemini_api_key"))
deployer.DraftGenieDeployer._step_create_monitoring = mistaken
runpy.run_path({str(COMMAND)!r}, run_name="__main__")
"""


@pytest.mark.slow
def test_mistake_of_the_program_hides_nothing_and_is_recorded(project: Project) -> None:
    """Its traceback comes last, after what failed besides and the summary; the state says what happened."""
    program = project.directory / "mistaken.py"
    program.write_text(MISTAKEN, encoding="utf-8")
    project.change("secrets.gemini_api_key", "canary-of-gemini")
    refused = {**REFUSED["create_databases"], "status": 403, "code": "RequestDisallowedByPolicy", "message": "No."}

    result = project.run("--output", "plain", *project.faults(refused), program=str(program))

    assert result.code == 1
    assert result.err.index("next: An Azure Policy forbids this.") < result.err.index("Traceback (most recent")
    assert result.err.endswith("RuntimeError: not thought of: ***\n")
    assert "canary-of-gemini" not in result.text
    assert "2 failed" in result.out
    record = project.state()["steps"]["create_monitoring"]
    assert record["status"] == "failed"
    assert record["error"] == "create_monitoring: RuntimeError: not thought of: ***"
    assert project.deploy().ran()["create_monitoring"] == [f"failed last time: {record['error']}"]


def test_steps_that_were_forced_stay_so_when_one_of_them_fails(deployed: Project) -> None:
    """Also the one that the run did not come to."""
    refused = {"method": "GET", "path": "*/workspaces/*", "status": 403, "code": "Refused", "message": "No."}
    forced = ["--force-step", "create_monitoring", "--force-step", "verify_deployment"]

    failed = deployed.run(*deployed.faults(refused), *forced)

    assert failed.code == 1
    ran = deployed.deploy().ran()
    assert set(ran) == {"create_monitoring", "verify_deployment"}
    assert ran["create_monitoring"][0] == "forced"
    assert ran["verify_deployment"] == ["forced"]
    assert deployed.deploy().ran() == {}


def test_failed_build_shows_the_end_of_its_log(project: Project) -> None:
    """A Dockerfile that copies what is not there: the registry's own words reach the user."""
    dockerfile = project.directory / "examples/draftgenie/docker/Dockerfile.draft-service"
    dockerfile.write_text(dockerfile.read_text(encoding="utf-8") + "\nRUN exit 3\n", encoding="utf-8")

    result = project.run()

    assert result.code == 1
    assert "build_and_push_images: draft_service: build" in result.err
    assert "exit 3" in result.err


def test_container_that_does_not_start_is_shown_with_exit_code_and_log(deployed: Project) -> None:
    """The real services answer nothing when a variable is missing: the reason is in the container's log."""
    values = deployed.config()
    del values["services"]["draft_service"]["environment"]["QDRANT_URL"]
    deployed.write(values)

    result = deployed.run()

    assert result.code == 1
    assert "verify_deployment: draft_service: revision draft-service--" in result.err
    assert "QDRANT_URL" in result.err
    assert "exit code" in result.err.lower()


@pytest.mark.slow  # an app is given a minute to wake up and get well
def test_health_answer_that_says_degraded_fails_although_it_is_200(deployed: Project) -> None:
    """The truth is in the body."""
    health = {"/api/v1/health": {"status": 200, "body": {"status": "degraded", "dependencies": {"jwt": "down: no"}}}}
    arguments = deployed.faults(images={"api-gateway": {"health": health}})

    result = deployed.run(*arguments, "--force-step", "verify_deployment")

    assert result.code == 1
    assert "returns 200, but does not report itself healthy\n| status degraded (jwt: down: no)\n" in result.err


def test_failed_change_of_size_touches_no_password(deployed: Project) -> None:
    """Only the size is sent, and it fails in the operation, as Azure does it."""
    deployed.change("postgresql.sku", "Standard_D2ds_v5")
    seen = len(deployed.requests())
    fault = {"method": "PATCH", "path": "*/flexibleServers/*", "fail": "SkuNotAvailable"}

    result = deployed.run(*deployed.faults(fault))

    assert result.code == 1
    assert "SkuNotAvailable" in result.err
    bodies = [request.get("body") or {} for request in deployed.requests()[seen:] if request["method"] == "PATCH"]
    assert bodies
    assert not [body for body in bodies if "administratorLoginPassword" in body.get("properties", {})]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "deleted"),
    [
        ("*/vaults/draftgenie-kv", False),
        ("*/managedEnvironments/*", False),
        ("*/redisEnterprise/draftgenie-redis", True),  # a cluster that could not be made takes no change
        ("*/redisEnterprise/*/databases/*", False),
        ("*/containerApps/qdrant", False),
    ],
    ids=["vault", "environment", "redis", "redis database", "app"],
)
def test_resource_that_azure_failed_to_make_is_made_by_the_next_run(project: Project, path: str, deleted: bool) -> None:
    """The body is sent again; a failed resource that accepts no change and never had data is deleted first."""
    failed = project.run(*project.faults({"method": "PUT", "path": path, "fail": "InternalServerError"}))
    assert failed.code == 1, failed.text

    project.deploy()

    assert any(write.startswith("DELETE") for write in project.writes()) is deleted
    assert project.deploy().ran() == {}


@pytest.mark.slow
def test_failed_resource_that_takes_no_change_is_named_with_what_to_do(project: Project) -> None:
    """No operation is running: waiting is useless, and deleting it is not ours to decide."""
    project.change("redis", {"name": "draftgenie-redis", "sku": "Basic", "vm_size": "c0"})
    path = "*/providers/Microsoft.Cache/redis/draftgenie-redis"
    failed = project.run(*project.faults({"method": "PUT", "path": path, "fail": "InternalServerError"}))
    assert failed.code == 1, failed.text

    again = project.run(timeout=60)

    assert again.code == 1
    assert "create_databases: redis: its state in Azure is failed, and accepts no change of it" in again.err
    redis_id = project.state()["resources"]["redis"]["id"]
    assert f"az resource delete --ids {redis_id}" in again.err

    with project.azure() as azure:
        azure.delete(redis_id, "2024-11-01")

    project.deploy()


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        {"method": "PUT", "path": "*/secrets/postgresql-admin-password", "drop": "after"},
        {"method": "PUT", "path": "*/flexibleServers/draftgenie-pg", "drop": "after"},
        {"method": "PUT", "path": "*/secrets/rag-service-database-url", "drop": "before"},
    ],
    ids=["after the password", "after the server", "before a composed secret"],
)
def test_run_killed_between_password_server_and_secrets_recovers(project: Project, fault: dict[str, Any]) -> None:
    """Server and vault agree in the end, wherever the run was interrupted."""
    arguments = project.faults({**fault, "times": 1}, scale=0)
    marker = fault["path"].lstrip("*")
    with project.start(*arguments) as process:
        wait_for(
            lambda: any(write.startswith("PUT") and write.endswith(marker) for write in project.writes()),
            process,
            f"the run did not come to {marker}",
        )
        process.kill()

    project.deploy()

    assert project.password_agrees()
    assert project.deploy().ran() == {}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_with_130_and_the_next_run_finishes(project: Project, number: signal.Signals) -> None:
    """The state is saved, the step is interrupted, and nothing done is done again."""
    with project.start(*project.faults(scale=0.02)) as process:
        hold_at_server(project, process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)  # the server is not waited for: it is never there

    assert process.returncode == 130, err
    words = r"Interrupted\. Azure is still working on .*draftgenie-pg.*\. The next run continues from here"
    assert re.search(words, err)
    steps = project.state()["steps"]
    assert steps["create_key_vault"]["status"] == "completed"
    assert "create_databases" in steps

    let_time_pass(project)
    ran = project.deploy().ran()

    assert ran["create_databases"] == ["interrupted"]
    assert "create_key_vault" not in ran
    puts = [write for write in project.writes() if write.startswith("PUT") and write.endswith("/draftgenie-pg")]
    assert len(puts) == 1
