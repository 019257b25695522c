"""`--rollback RUN`: the images of an earlier run, by digest, through the normal steps."""

from __future__ import annotations

import pytest
from project import Project


def _image(project: Project, service: str = "rag_service") -> str:
    """The image that the app of a service has in Azure."""
    app = project.state()["resources"][f"container_app/{service}"]["id"]
    with project.azure() as azure:
        properties = azure.send("GET", app, "2026-01-01").json()["properties"]
    return str(properties["template"]["containers"][0]["image"])


@pytest.fixture
def changed(deployed: Project) -> Project:
    """Deployed twice, the second time with another source of one service."""
    (path,) = list((deployed.directory / "examples/draftgenie").glob("**/rag*/**/main.py"))[:1]
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    deployed.deploy()
    return deployed


def test_rollback_deploys_the_images_of_an_earlier_run_and_stays_until_it_is_ended(changed: Project) -> None:
    """No migration runs; every summary names the pin; `off` brings the source's images back, without a build."""
    new, executions = _image(changed), changed.executions()

    back = changed.run("--rollback", "1", "--auto-approve")

    old = _image(changed)
    assert back.code == 0, back.text
    assert old != new
    assert "pinned  to the images of run 1" in back.text
    again = changed.run()
    assert "0 ran" in again.text
    assert "pinned" in again.text
    assert "run 1" in changed.run("--status").text
    before = len(changed.requests())
    off = changed.run("--rollback", "off")
    assert off.code == 0, off.text
    assert _image(changed) == new
    assert not any("scheduleRun" in write for write in changed.writes(before))
    assert changed.executions() == executions
    (history,) = changed.run("--history", "--output", "json").events()
    assert [(run["kind"], run.get("of")) for run in history["runs"]] == [
        ("deploy", None), ("deploy", None), ("rollback", 1), ("deploy", None)
    ]


def test_change_of_the_source_ends_a_rollback(changed: Project) -> None:
    """And says so."""
    assert changed.run("--rollback", "1", "--auto-approve").code == 0
    old = _image(changed)
    (path,) = list((changed.directory / "examples/draftgenie").glob("**/rag*/**/main.py"))[:1]
    path.write_text(path.read_text(encoding="utf-8") + "\n# again\n", encoding="utf-8")

    result = changed.run()

    assert result.code == 0, result.text
    assert _image(changed) != old
    assert "no longer pinned" in result.text
    assert "pin" not in changed.state()


def test_dry_run_shows_the_images_and_writes_nothing(changed: Project) -> None:
    """Which service gets another image."""
    before = len(changed.requests())

    result = changed.run("--rollback", "1", "--dry-run")

    assert result.code == 0, result.text
    assert "~ rag_service" in result.out
    assert "api_gateway: unchanged" in result.out
    assert changed.writes(before) == []
    assert "pin" not in changed.state()


def test_image_that_is_gone_from_the_registry_refuses_the_rollback_before_any_write(changed: Project) -> None:
    """Every digest is looked up first."""
    (history,) = changed.run("--history", "--output", "json").events()
    digest = history["runs"][0]["services"]["rag_service"]["image"].split("@")[1]
    fault = {"method": "HEAD", "path": f"*{digest}", "status": 404, "code": "MANIFEST_UNKNOWN"}
    before = len(changed.requests())

    result = changed.run(*changed.faults(fault), "--rollback", "1", "--auto-approve")

    assert result.code == 1
    assert "no longer in the registry: rag_service" in result.text
    assert changed.writes(before) == []


def test_migration_since_refuses_the_rollback_unless_the_newer_schema_is_accepted(deployed: Project) -> None:
    """The migration's job is another one once its service has another image."""
    (path,) = list((deployed.directory / "examples/draftgenie").glob("**/speaker*/**/package.json"))[:1]
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    deployed.deploy()
    executions = deployed.executions()

    refused = deployed.run("--rollback", "1", "--auto-approve")
    accepted = deployed.run("--rollback", "1", "--auto-approve", "--accept-newer-schema")

    assert refused.code == 1
    assert "--accept-newer-schema" in refused.text
    assert accepted.code == 0, accepted.text
    assert deployed.executions() == executions


def test_rollback_asks_and_an_unknown_run_is_named(changed: Project) -> None:
    """Without a terminal only --auto-approve says yes."""
    before = len(changed.requests())

    asked = changed.run("--rollback", "1")
    unknown = changed.run("--rollback", "9", "--auto-approve")
    same = changed.run("--rollback", "2", "--auto-approve")

    assert (asked.code, unknown.code, same.code) == (1, 1, 1)
    assert "--auto-approve" in asked.text
    assert "1 to 2" in unknown.text
    assert "deployed already" in same.text
    assert changed.writes(before) == []
