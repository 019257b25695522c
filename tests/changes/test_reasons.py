"""Reasons are about services, images and values; what is secret or came from the environment is never in one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from project import Project

from draftgenie_azure.changes.dependencies import is_plain
from draftgenie_azure.changes.reasons import Comparison
from draftgenie_azure.digests import NULL

BUILD = "build_and_push_images"
Lines = dict[str, str]


def reasons(project: Project) -> dict[str, list[str]]:
    """The steps that would run, and why."""
    steps = project.run("--dry-run", "--output", "json").events()[-1]["steps"]
    return {name: step["reasons"] for name, step in steps.items() if step["verdict"] == "run"}


# ------------------------------------------------------------------------------------------------ through the command


def test_changed_value_is_shown_with_old_and_new(deployed: Project) -> None:
    """With its key, once for each step that depends on it."""
    deployed.change("services.api_gateway.max_replicas", 3)
    deployed.change("services.api_gateway.min_replicas", 2)

    why = reasons(deployed)

    assert why == {
        "deploy_application_services": [
            "services.api_gateway.max_replicas 1 → 3",
            "services.api_gateway.min_replicas 1 → 2",
        ],
        "configure_environment_variables": ["outputs of deploy_application_services changed"],
        "run_migrations": ["outputs of configure_environment_variables changed"],
        "verify_deployment": [
            "services.api_gateway.min_replicas 1 → 2",
            "outputs of configure_environment_variables changed",
            "outputs of deploy_application_services changed",
        ],
    }
    assert deployed.deploy().ran() == why


def test_missing_value_is_shown_as_unset(deployed: Project) -> None:
    """Absent and null are the same."""
    deployed.change("services.api_gateway.startup_seconds", 90)
    deployed.change("services.draft_service.health_path", None)

    assert reasons(deployed)["deploy_application_services"] == [
        "services.api_gateway.startup_seconds unset → 90",
        "services.draft_service.health_path /health → unset",
    ]


def test_new_or_removed_service_is_one_reason(deployed: Project) -> None:
    """Not one line for each of its keys."""
    values = deployed.config()
    values["services"]["web_front"] = {"image": "docker.io/library/nginx:1.27", "kind": "application", "port": 8080}
    del values["services"]["qdrant"]
    for service in values["services"].values():
        for name, value in list((service.get("environment") or {}).items()):
            if "qdrant" in str(value):
                del service["environment"][name]
    deployed.write(values)

    why = reasons(deployed)

    assert why["deploy_application_services"] == ["service web_front is new"]
    assert why["deploy_infrastructure_services"] == ["service qdrant is gone"]
    assert {"service qdrant is gone", "service web_front is new"} <= set(why["configure_environment_variables"])


def test_changed_files_are_counted_by_image(deployed: Project) -> None:
    """A file of two images is a reason for both; a single file is named."""
    services = deployed.directory / "examples/draftgenie/services"
    for name in ("one.py", "two.py", "three.py"):
        (services / "rag-service/app" / name).write_text("", encoding="utf-8")
    (services / "draft-service/app/main.py").unlink()

    assert reasons(deployed)[BUILD] == [
        "image of draft_service: services/draft-service/app/main.py is gone",
        "image of rag_service: 3 files changed",
    ]


@pytest.mark.slow
def test_value_from_the_environment_and_secret_are_never_recorded_and_never_shown(project: Project) -> None:
    """Neither the first nor the second value."""
    project.change("services.rag_service.environment.LOG_LEVEL", "${LEVEL}")
    project.change("services.rag_service.environment.API_TOKEN", "canary-in-the-open-1")
    project.change("monitoring.log_workspace", "draftgenie-logs-${STAGE}")
    project.environment |= {"LEVEL": "canary-level-1", "STAGE": "canary1", "GEMINI_API_KEY": "canary-of-gemini-1"}
    project.deploy()
    project.change("services.rag_service.environment.API_TOKEN", "canary-in-the-open-2")
    project.environment |= {"LEVEL": "canary-level-2", "STAGE": "canary2", "GEMINI_API_KEY": "canary-of-gemini-2"}

    why = reasons(project)

    records = {name: record.get("values") for name, record in project.state()["steps"].items()}
    assert "canary" not in json.dumps(records)
    assert "canary" not in json.dumps(why)
    assert "services.rag_service.environment.LOG_LEVEL changed" in why["configure_environment_variables"]
    assert "services.rag_service.environment.API_TOKEN changed" in why["configure_environment_variables"]
    assert "monitoring.log_workspace changed" in why["create_monitoring"]
    assert why["store_secrets"] == ["outputs of create_monitoring changed", "secrets.gemini_api_key changed"]


# ------------------------------------------------------------------------------------------------------ in themselves


def compared(before: Lines, after: Lines, **values: Any) -> Comparison:
    """A comparison of lines, with the values of both sides."""
    return Comparison((before, values.get("old", {})), (after, values.get("new", {})))


@pytest.mark.parametrize(
    ("name", "before", "after", "reason"),
    [
        ("config:tags.team", "1", "2", "tags.team changed"),
        ("config:tags.team", NULL, "2", "tags.team is new"),
        ("config:tags.team", "1", None, "tags.team is gone"),
        ("secret:secrets.key", "1", "2", "secrets.key changed"),
        ("output:create_databases", "1", "2", "outputs of create_databases changed"),
        ("output:create_databases", "1", None, "outputs of create_databases are gone"),
        ("tool:draftgenie_azure/provision/apps.py", "1", "2", "provision/apps.py of this command changed"),
        ("file:a/b.py", "1", "2", "build context: 1 files changed"),
    ],
)
def test_every_kind_of_dependency_has_a_reason(name: str, before: str, after: str | None, reason: str) -> None:
    """Without values where there are none."""
    assert compared({name: before}, {name: after} if after else {}).reasons() == [reason]


@pytest.mark.parametrize("value", ["x" * 81, "two\nlines", "\x1b[31m"])
def test_value_that_is_long_or_not_printable_is_not_shown(value: str) -> None:
    """The key says enough."""
    lines = {"config:tags.team": "1"}, {"config:tags.team": "2"}

    assert compared(*lines, old={"tags.team": "a"}, new={"tags.team": value}).reasons() == ["tags.team changed"]


@pytest.mark.parametrize(
    ("key", "value", "plain"),
    [
        ("services.a.min_replicas", 1, True),
        ("services.a.environment.LOG_LEVEL", "DEBUG", True),
        ("services.a.environment.DB_PASSWORD", "x", False),
        ("services.a.environment.BROKER", "amqp://me:pw@host", False),
        ("services.a.command", ["serve", "--requirepass", "x"], False),
        ("services.a.secrets.KEY", "x", False),
        ("key_vault.name", "kv", True),
        ("tags.team", "x", False),  # a part of it is from the environment
        ("tags", {"team": "x"}, False),
    ],
)
def test_value_that_may_contain_a_secret_is_not_recorded(key: str, value: object, plain: bool) -> None:
    """Even if it was not declared as one."""
    assert is_plain(key, value, {"tags.team"}) is plain


def test_unset_key_declared_by_another_version_has_its_own_reason() -> None:
    declared = ({"config:a": NULL}, {"a": None})

    assert Comparison(({}, {}), declared).reasons() == ["a (unset) counts for this step"]
    assert Comparison(declared, ({}, {})).reasons() == ["a (unset) no longer counts for this step"]


def test_value_spelled_unset_differs_from_a_missing_one() -> None:
    before = ({"config:a": "1" * 64}, {"a": "unset"})

    assert Comparison(before, ({"config:a": NULL}, {})).reasons() == ['a "unset" → unset']
