"""A rollback or a rotation beside a change of the configuration: the plan has both, and the run does just that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from project import Project, Result

SERVICE = "container_app/draft_service"


def _edit(project: Project) -> None:
    """Change the source of one service, and deploy it."""
    (path,) = list((project.directory / "examples/draftgenie").glob("**/rag*/**/main.py"))[:1]
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    project.deploy()


def _plan(result: Result) -> dict[str, Any]:
    """The plan event of a dry run."""
    assert result.code == 0, result.text
    return next(event for event in result.events() if event["event"] == "plan")


def _announced(plan: dict[str, Any]) -> set[str]:
    return {change["key"] for change in plan["plan"]["changes"]}


def _levels(project: Project) -> list[str | None]:
    """The value of LOG_LEVEL that the app in Azure has."""
    with project.azure() as azure:
        app = azure.send("GET", project.state()["resources"][SERVICE]["id"], "2026-01-01").json()
    return [one.get("value") for one in app["properties"]["template"]["containers"][0]["env"] if one["name"] == "LEVEL"]


@pytest.mark.slow
def test_rollback_announces_what_else_the_configuration_changes(deployed: Project) -> None:
    """The variable and the image; the run does both and nothing else, and then there is nothing to do."""
    _edit(deployed)
    deployed.change("services.draft_service.environment.LEVEL", "other")
    before, state = len(deployed.requests()), deployed.state()

    plan = _plan(deployed.run("--rollback", "1", "--dry-run", "--output", "json"))

    assert _announced(plan) == {SERVICE, "container_app/rag_service"}
    assert list(plan["rollback"]["changes"]) == ["rag_service"]
    assert plan["steps"]["build_and_push_images"]["reasons"] == ["the rollback to run 1 begins"]
    assert deployed.writes(before) == []
    assert deployed.state() == state
    text = deployed.run("--rollback", "1", "--dry-run").out
    assert "LEVEL" in text
    assert "~ rag_service" in text

    refused = deployed.run("--rollback", "1", "--auto-approve", "--expect-plan", "0" * 64)
    assert refused.code == 1
    assert deployed.writes(before) == []
    assert deployed.state() == state

    before = len(deployed.requests())
    result = deployed.run("--rollback", "1", "--auto-approve", "--expect-plan", plan["plan_id"])

    assert result.code == 0, result.text
    assert _levels(deployed) == ["other"]
    written = {write.rsplit("/", 1)[-1] for write in deployed.writes(before)}
    assert written == {"draft-service", "rag-service"}
    assert not any(record.get("orphaned") for record in deployed.state()["resources"].values())
    after = _plan(deployed.run("--dry-run", "--refresh", "--output", "json"))
    assert _announced(after) == set()
    assert {step["verdict"] for step in after["steps"].values()} == {"skip"}


@pytest.mark.slow
def test_end_of_a_rollback_announces_what_else_the_configuration_changes(deployed: Project) -> None:
    """As its beginning does."""
    _edit(deployed)
    assert deployed.run("--rollback", "1", "--auto-approve").code == 0
    deployed.change("services.draft_service.environment.LEVEL", "other")
    state = deployed.state()

    plan = _plan(deployed.run("--rollback", "off", "--dry-run", "--output", "json"))

    assert _announced(plan) == {SERVICE, "container_app/rag_service"}
    assert deployed.state() == state
    before = len(deployed.requests())
    assert deployed.run("--rollback", "off", "--expect-plan", plan["plan_id"]).code == 0
    assert {write.rsplit("/", 1)[-1] for write in deployed.writes(before)} == {"draft-service", "rag-service"}
    assert "pin" not in deployed.state()
    assert _announced(_plan(deployed.run("--dry-run", "--refresh", "--output", "json"))) == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jwt-secret", "postgresql-admin-password", "rabbitmq-password"])
def test_rotation_announces_what_else_the_configuration_changes(deployed: Project, name: str) -> None:
    """The secret, all that contains it, each service that restarts, and the variable; no more than that is written."""
    deployed.change("services.draft_service.environment.LEVEL", "other")
    before, state, old = len(deployed.requests()), deployed.state(), deployed.secret(name)

    plan = _plan(deployed.run("--rotate-secret", name, "--dry-run", "--output", "json"))

    announced = _announced(plan)
    assert {SERVICE, f"secret/{name}"} <= announced
    assert plan["rotation"]["secret"] == name
    assert {f"secret/{one}" for one in plan["rotation"]["composed"]} <= announced
    assert {f"container_app/{one}" for one in plan["rotation"]["services"]} <= announced
    assert deployed.writes(before) == []
    assert deployed.state() == state

    before = len(deployed.requests())
    result = deployed.run("--rotate-secret", name, "--expect-plan", plan["plan_id"])

    assert result.code == 0, result.text
    assert _levels(deployed) == ["other"]
    assert deployed.secret(name) != old
    names = {key.rsplit("/", 1)[-1].replace("_", "-") for key in announced - {"postgresql_server/password"}}
    server = {deployed.state()["resources"]["postgresql_server"]["name"]}
    written = {write.rsplit("/", 1)[-1] for write in deployed.writes(before)}
    assert written - server == names
    assert (written >= server) == ("postgresql_server/password" in announced)
    assert _announced(_plan(deployed.run("--dry-run", "--refresh", "--output", "json"))) == set()


@pytest.mark.slow
def test_switched_off_build_says_what_is_unfinished(deployed: Project) -> None:
    """A rollback or its end that was interrupted before deploying images is reported, also in a dry run."""
    pin = {"run": 1, "since": "2026-01-01T00:00:00Z", "images": {}, "jobs": [], "pending": True}
    skip = deployed.overlay("skip.yaml", {"deployment": {"skip_build": True}})
    document = deployed.state()
    for words, facts in (("begins", {}), ("ends", {"pending": False, "ends": True})):
        deployed.state_file.write_text(json.dumps(document | {"pin": pin | facts}), encoding="utf-8")

        for arguments in ((), ("--dry-run",)):
            result = deployed.run("--config", "config.yaml", "--config", skip, *arguments)

            assert result.code == 1
            assert f"the rollback to run 1 {words}: set it to false" in result.text


@pytest.mark.parametrize(("status", "words"), [("running", "was interrupted"), ("failed", "the build failed")])
def test_build_that_never_completed_is_not_called_one_that_never_began(
    deployed: Project, status: str, words: str
) -> None:
    """Switched off after an interrupted or failed first build."""
    document = deployed.state()
    document["steps"]["build_and_push_images"] = {"status": status}
    deployed.state_file.write_text(json.dumps(document), encoding="utf-8")
    skip = deployed.overlay("skip.yaml", {"deployment": {"skip_build": True}})

    result = deployed.run("--config", "config.yaml", "--config", skip)

    assert result.code == 1
    assert words in result.text
    assert "set it to false until a run has completed build_and_push_images" in result.text


def test_status_tells_what_an_interrupted_run_left_to_do(deployed: Project) -> None:
    """A secret that is to get a new value, and a rollback that has not deployed its images yet."""
    pin = {"run": 1, "since": "2026-01-02T03:04:05Z", "images": {}, "jobs": [], "pending": True}
    document = deployed.state() | {"rotating": {"jwt-secret": "requested"}, "pin": pin}
    deployed.state_file.write_text(json.dumps(document), encoding="utf-8")

    text, events = deployed.run("--status").out, deployed.run("--status", "--output", "json").events()

    assert "run 1 since 2026-01-02T03:04:05Z; they are not deployed yet: the next run continues" in text
    assert "Secrets that the next run gives a new value (--rotate-secret):\n  jwt-secret" in text
    assert events[-1]["rotating"] == ["jwt-secret"]
