"""Azure is asked before it is written to: what it would refuse stops a run that has made nothing yet."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import APPS, by_hand, resource
from hand_sweep import EVERY_TYPE
from project import Project

ASKED = "/providers/microsoft.resources/validateresources"
LABEL = {
    "name": "require-cost-centre",
    "display_name": "Every app has a cost centre",
    "type": "Microsoft.App/containerApps",
    "effect": "deny",
    "rule": {"field": "tags['cost']", "exists": False},
}


def declared(project: Project, *policies: dict[str, Any], **more: Any) -> list[str]:
    """Arguments that have the emulator's Azure hold policies."""
    return project.faults(policies=list(policies), **more)


def questions(project: Project, since: int = 0) -> list[list[dict[str, Any]]]:
    """The resources that Azure was asked about, question by question."""
    found = [one for one in project.requests()[since:] if one["path"].lower() == ASKED]
    assert all(one["api_version"] == "2020-10-01" for one in found)
    return [one["body"]["resources"] for one in found]


def asked(project: Project, since: int = 0) -> list[dict[str, Any]]:
    """The resources that Azure was asked about."""
    return [resource for question in questions(project, since) for resource in question]


def names(resources: list[dict[str, Any]]) -> list[str]:
    return sorted(one["name"] for one in resources)


def registered(write: str) -> bool:
    """Return whether a write is the registration of a provider, before which nothing can be validated."""
    return write.endswith("/register") or "checkNameAvailability" in write


def test_policy_stops_a_first_deployment_before_its_first_resource(project: Project) -> None:
    """With Azure's code and words, what to do, and the key of the configuration."""
    failed = project.run(*declared(project, LABEL))

    assert "): the run failed; 1 ran, 0 skipped, 0 failed, 13 not reached\n" in failed.out
    assert failed.code == 1
    assert "services.rag_service: container_app/rag_service" in failed.err
    assert "Azure would refuse it: 400" in failed.err
    assert "RequestDisallowedByPolicy" in failed.err and "Every app has a cost centre" in failed.err
    assert "An Azure Policy forbids this." in failed.err
    assert "require-cost-centre" in failed.err
    assert [write for write in project.writes() if not registered(write)] == []
    assert {record["status"] for record in project.state()["steps"].values()} == {"completed"}

    project.change("tags", {"cost": "42"})
    assert project.run(*declared(project, LABEL)).code == 0


def test_policy_stops_a_change_before_its_first_write(deployed: Project) -> None:
    """Unchanged bodies are not validated; nor are those already accepted but not written yet."""
    deployed.change("services.rag_service.max_replicas", 7)
    deployed.change("postgresql.backup_retention_days", 9)
    arguments = declared(deployed, LABEL)
    since = len(deployed.requests())

    failed = deployed.run(*arguments)

    assert failed.code == 1, failed.text
    assert names(asked(deployed, since)) == ["draftgenie-pg", "rag-service"]
    assert deployed.writes(since) == []
    seen = len(deployed.requests())
    assert deployed.run(*arguments).code == 1
    assert names(asked(deployed, seen)) == ["rag-service"]
    assert deployed.writes(since) == []


def test_dry_run_asks_as_well(deployed: Project) -> None:
    """A rejection is a fault of the plan; nothing is recorded."""
    deployed.change("services.rag_service.max_replicas", 7)
    before = deployed.state_file.read_bytes()

    failed = deployed.run("--dry-run", *declared(deployed, LABEL))

    assert failed.code == 1, failed.text
    assert "1 would fail" in failed.out and "RequestDisallowedByPolicy" in failed.out
    assert deployed.state_file.read_bytes() == before
    assert deployed.run("--dry-run", *declared(deployed)).code == 0


def test_bodies_of_one_type_are_one_question(deployed: Project) -> None:
    """All are listed; several that are refused together are then validated individually."""
    keys = ("rag_service", "draft_service", "speaker_service")
    for key in keys:
        deployed.change(f"services.{key}.max_replicas", 7)
    bad = {**LABEL, "rule": {"field": "name", "equals": "rag-service"}}
    since = len(deployed.requests())

    failed = deployed.run(*declared(deployed, bad))

    assert failed.code == 1, failed.text
    assert "services.rag_service: container_app/rag_service: Azure would refuse it" in failed.err
    assert "services.draft_service" not in failed.err
    together, *alone = questions(deployed, since)
    assert names(together) == ["draft-service", "rag-service", "speaker-service"]
    assert sorted(one["name"] for (one,) in alone) == names(together)
    assert deployed.writes(since) == []

    seen = len(deployed.requests())
    assert deployed.run(*declared(deployed, bad)).code == 1
    assert names(asked(deployed, seen)) == ["rag-service"]


def test_run_without_changes_asks_nothing(deployed: Project) -> None:
    """Nor does one that has nothing to write."""
    since = len(deployed.requests())

    assert deployed.run(*declared(deployed, LABEL)).code == 0
    assert deployed.run("--force-step", "verify_deployment", *declared(deployed, LABEL)).code == 0

    assert asked(deployed, since) == []


def test_each_body_is_asked_about_once_and_none_has_a_secret(project: Project) -> None:
    """The password of the database and the values of secrets are not part of a question."""
    project.environment["GEMINI_API_KEY"] = "gemini-value-that-nobody-may-see"
    first = project.deploy()

    assert "validated before writing" not in first.text and "would refuse" not in first.text
    found = asked(project)

    ids = [(one["type"], one["name"]) for one in found]
    assert len(set(ids)) == len(ids)
    assert {"Microsoft.App/containerApps", "Microsoft.DBforPostgreSQL/flexibleServers"} <= {one[0] for one in ids}
    assert not any("vaults/secrets" in kind for kind, _ in ids)
    log = (project.directory / ".azure-emulator/requests.jsonl").read_text(encoding="utf-8")
    assert "nobody-may-see" not in log
    assert project.secret("postgresql-admin-password") not in log


def test_others_properties_are_part_of_the_question(deployed: Project) -> None:
    """A tag set by others satisfies the policy: the resulting resource is validated."""

    app = resource(deployed, "container_app/rag_service")
    with deployed.azure() as azure:
        by_hand(azure, app, APPS, {"tags": {"cost": "1"}})
    deployed.change("services.rag_service.max_replicas", 7)

    done = deployed.run(*declared(deployed, LABEL))

    assert done.code == 0, done.text


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404, "code": "NotFound"},
        {"status": 405, "code": "MethodNotAllowed"},
        {"status": 403, "code": "AuthorizationFailed"},
        {"status": 400, "code": "NoRegisteredProviderFound"},
        {"status": 501, "code": "NotImplemented"},
    ],
    ids=lambda fault: str(fault["status"]),
)
def test_cloud_that_cannot_be_asked_stops_nothing(deployed: Project, fault: dict[str, Any]) -> None:
    """It is reported once, and the run continues."""
    deployed.change("services.rag_service.max_replicas", 7)
    deployed.change("services.draft_service.max_replicas", 7)

    done = deployed.run(*deployed.faults({"method": "POST", "path": "*/validateResources", "times": 9, **fault}))

    assert done.code == 0, done.text
    assert sum(line.startswith("warning: Azure could not validate") for line in done.err.splitlines()) <= 1


def test_refusal_that_is_unknown_is_reported_and_stops_nothing(deployed: Project) -> None:
    """Azure decides on the write when it is sent."""
    deployed.change("services.rag_service.max_replicas", 7)
    refused = {"name": "odd", "type": "Microsoft.App/containerApps", "effect": "refuse", "status": 400,
               "code": "SomethingNew", "message": "Nobody has seen this.", "rule": {"field": "name", "exists": True}}
    since = len(deployed.requests())

    failed = deployed.run(*declared(deployed, refused))

    assert failed.code == 1
    assert "Azure would refuse it: 400 SomethingNew" in failed.err
    assert any("containerApps" in write for write in deployed.writes(since))


def test_changed_source_is_asked_about_before_its_image_is_built(deployed: Project) -> None:
    """Although its digest is not known yet."""
    (deployed.directory / "examples/draftgenie/services/rag-service/app/new.py").write_text("x = 1\n", encoding="utf-8")
    since = len(deployed.requests())

    failed = deployed.run(*declared(deployed, LABEL))

    assert failed.code == 1, failed.text
    assert names(asked(deployed, since)) == ["rag-service"]
    assert deployed.writes(since) == []


def test_read_rights_are_enough_to_ask_in_a_dry_run(deployed: Project) -> None:
    """The question says that it wants no judgement of rights."""
    deployed.change("services.rag_service.max_replicas", 7)
    since = len(deployed.requests())

    with deployed.azure():
        assert deployed.run("--dry-run", *declared(deployed)).code == 0

    (one,) = [request for request in deployed.requests()[since:] if request["path"].lower() == ASKED]
    assert one["body"]["performPreflightWithoutRbacWriteCheck"] is True


@pytest.mark.slow
def test_job_whose_name_is_not_known_yet_is_not_asked_about(project: Project) -> None:
    """The image is public, but the database is new: what Azure would refuse is a placeholder."""
    project.write(EVERY_TYPE)

    planned, done = project.run("--dry-run"), project.run()

    assert (planned.code, done.code) == (0, 0), done.text
    assert "would refuse" not in planned.text + done.text
    assert "job/worker" in planned.text
