"""Recorded outputs that are missing or of another shape are a reason to run their step, and never a traceback."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from project import Project
from warm_command import needs_fork, warm_project

SHAPES: tuple[Any, ...] = ({}, {"x": 1}, None)
VALUES: tuple[Any, ...] = (None, 5, "", "text", ["text"], {"text": "text"}, "line\nend")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield all paths in outputs."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))


def put(project: Project, document: dict[str, Any]) -> None:
    """Have a state in the place of the deployment's."""
    project.state_file.write_text(json.dumps(document), encoding="utf-8")


def changed(document: dict[str, Any], step: str, path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The document with another value in the outputs of a step; with none there where the value is None."""
    made = copy.deepcopy(document)
    place = made["steps"][step]["outputs"]
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "path"),
    [
        ("check_prerequisites", ("tenant_id",)), ("create_resource_group", ("principal_id",)),
        ("create_monitoring", ("app_insights_id",)), ("create_container_registry", ("login_server",)),
        ("create_key_vault", ("vault_uri",)), ("create_databases", ("postgresql",)),
        ("create_databases", ("postgresql", "password_version")), ("create_databases", ("redis", "port")),
        ("store_secrets", ("secrets",)), ("create_container_apps_env", ("default_domain",)),
        ("build_and_push_images", ("draft_service",)), ("build_and_push_images", ("draft_service", "reference")),
        ("run_migrations", ("jobs",)), ("verify_deployment", ("checks",)),
    ],
)  # fmt: skip
def test_missing_or_malformed_output_is_a_reason(
    step: str, path: tuple[str, ...], deployed: Project
) -> None:
    """Shown beforehand and done by a run, after which nothing is left to do."""
    document = deployed.state()
    for value in (None, [5]):
        put(deployed, changed(document, step, path, value))
        planned = deployed.run("--output", "json", "--dry-run").events()[-1]["steps"][step]
        assert planned["verdict"] == "run"
        assert "its recorded" in " ".join(planned["reasons"])

    assert step in deployed.deploy().ran()
    assert deployed.deploy().ran() == {}
    assert deployed.state()["steps"][step]["outputs"] == document["steps"][step]["outputs"]


def test_unrecorded_secret_is_stored_again(deployed: Project) -> None:
    """Only as far as a run checks: all secret names are known only after validation."""
    document = deployed.state()
    name = sorted(document["steps"]["store_secrets"]["outputs"]["secrets"])[0]
    put(deployed, changed(document, "store_secrets", ("secrets", name), None))

    ran = deployed.deploy("--force-step", "deploy_application_services").ran()

    assert f"the secret {name} is not recorded" in ran["store_secrets"]


def test_switched_off_step_whose_outputs_are_unusable_says_so(deployed: Project) -> None:
    """No traceback, and nothing is sent with half of what is needed."""
    deployed.change("deployment.skip_build", True)
    put(deployed, changed(deployed.state(), "build_and_push_images", ("draft_service", "reference"), 5))

    result = deployed.run("--force-step", "deploy_application_services")

    assert result.code == 1
    assert "switched off by the configuration, but its recorded reference" in result.err
    assert "Traceback" not in result.err


@pytest.mark.slow
def test_provider_that_was_unregistered_is_registered_again_in_the_same_run(project: Project) -> None:
    """Nobody has to know which step does it."""
    fault = {"method": "PUT", "path": "*/managedEnvironments/*", "status": 400, "code": "BadRequest"}
    assert project.run(*project.faults(fault)).code == 1
    with project.azure() as azure:
        subscription = project.state()["target"]["subscription_id"]
        azure.send("POST", f"/subscriptions/{subscription}/providers/Microsoft.App/unregister", "2025-04-01")

    ran = project.deploy().ran()

    assert "create_container_apps_env" in ran
    assert "check_prerequisites" not in ran
    registered = [line["path"] for line in project.requests() if line["path"].endswith("/Microsoft.App/register")]
    assert len(registered) == 2


@needs_fork
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_malformed_outputs_of_any_step_give_a_message_or_a_plan(deployed: Project) -> None:
    """Status and dry run of each: a sentence or a plan, never a traceback. A sample; OUTPUTS_EVERY=1 is all of them."""
    document = deployed.state()
    cases = [(step, (), shape) for step in document["steps"] for shape in SHAPES]
    for step, record in document["steps"].items():
        cases += [(step, path, value) for path in leaves(record["outputs"]) for value in VALUES[:4]]
    with warm_project(deployed.directory) as project, project.azure():
        for step, path, value in cases[:: int(os.environ.get("OUTPUTS_EVERY", "7"))]:
            check_shape(project, document, step, path, value)


def check_shape(project: Project, document: dict[str, Any], step: str, path: Any, value: Any) -> None:
    """One output in one shape."""
    if path:
        made = changed(document, step, path, value)
    else:
        made = copy.deepcopy(document)
        made["steps"][step]["outputs"] = value
    put(project, made)
    for arguments in (("--dry-run",), ("--status", "--output", "json")):
        result = project.run(*arguments)
        assert "Traceback" not in result.text, (step, path, value)
        assert result.code == 0 or "has an unexpected value or type" in result.text, (step, path, value, result.text)
