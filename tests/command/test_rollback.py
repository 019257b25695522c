"""`--rollback RUN`: the images of an earlier run, by digest, through the normal steps."""

from __future__ import annotations

import json
import os

import pytest
from azurite import Azurite
from by_hand import delete_image
from project import Project, wait_for


def _image(project: Project, service: str = "rag_service") -> str:
    """The image that the app of a service has in Azure."""
    app = project.state()["resources"][f"container_app/{service}"]["id"]
    with project.azure() as azure:
        properties = azure.send("GET", app, "2026-01-01").json()["properties"]
    return str(properties["template"]["containers"][0]["image"])


def _edit(project: Project, text: str) -> None:
    """Change the source of one service."""
    (path,) = list((project.directory / "examples/draftgenie").glob("**/rag*/**/main.py"))[:1]
    path.write_text(path.read_text(encoding="utf-8") + f"\n# {text}\n", encoding="utf-8")


@pytest.fixture
def changed(deployed: Project) -> Project:
    """Deployed twice, the second time with another source of one service."""
    _edit(deployed, "changed")
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


@pytest.mark.slow
def test_change_of_the_source_ends_a_rollback(changed: Project) -> None:
    """And says so."""
    assert changed.run("--rollback", "1", "--auto-approve").code == 0
    old = _image(changed)
    _edit(changed, "again")

    result = changed.run()

    assert result.code == 0, result.text
    assert _image(changed) != old
    assert "no longer pinned" in result.text
    assert "pin" not in changed.state()


@pytest.mark.parametrize("target", ["1", "off"])
def test_rollback_without_the_step_that_brings_images_is_refused(deployed: Project, target: str) -> None:
    """Nothing is pinned, and no pin is ended."""
    before = deployed.state()
    name = deployed.overlay("skip.yaml", {"deployment": {"skip_build": True}})

    result = deployed.run("--config", "config.yaml", "--config", name, "--rollback", target, "--auto-approve")

    assert result.code == 1
    assert "deployment.skip_build switches it off" in result.text
    assert deployed.state() == before


@pytest.mark.slow
def test_upgrade_of_the_command_does_not_end_a_rollback(changed: Project) -> None:
    """Its own files are not part of the source: neither they nor a run of every step end the rollback."""
    assert changed.run("--rollback", "1", "--auto-approve").code == 0
    old = _image(changed)
    document = changed.state()
    record = document["steps"]["build_and_push_images"]
    (tool, *_) = [name for name in record["dependencies"] if name.startswith("tool:")]
    record["dependencies"][tool] = record["dependency_hash"] = "0" * 64
    changed.state_file.write_text(json.dumps(document), encoding="utf-8")

    upgraded = changed.deploy()
    every = changed.run("--force-all")

    assert "build_and_push_images" in upgraded.ran()
    assert every.code == 0, every.text
    assert _image(changed) == old
    assert changed.state()["pin"]["run"] == 1
    named = changed.run("--force-step", "build_and_push_images")
    assert named.code == 0, named.text
    assert "no longer pinned" in named.text


def test_dry_run_shows_the_images_and_writes_nothing(changed: Project) -> None:
    """Return the services whose image changes."""
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_migration_of_a_killed_run_refuses_the_rollback_as_well(deployed: Project) -> None:
    """The history has the migrations of a run at its end; the state knows what ran before."""
    (path,) = list((deployed.directory / "examples/draftgenie").glob("**/speaker*/**/package.json"))[:1]
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    before = deployed.state()["steps"]["run_migrations"]["outputs"]
    fault = {"method": "GET", "path": "*/revisions*", "status": 503, "code": "ServiceUnavailable"}
    with deployed.start(*deployed.faults(fault)) as process:
        wait_for(
            lambda: deployed.state()["steps"]["run_migrations"].get("outputs", before) != before,
            process,
            "the migration did not run",
        )
        process.kill()
        process.wait()

    result = deployed.run("--rollback", "1", "--auto-approve")

    assert result.code == 1
    assert "--accept-newer-schema" in result.text
    assert "pin" not in deployed.state()


@pytest.mark.slow
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


@pytest.mark.slow
def test_rollback_reaches_each_earlier_run(changed: Project) -> None:
    """Back by one, back by two, and forward again: a rollback is a run that can be gone back from as well."""
    _edit(changed, "third")
    changed.deploy()
    runs = changed.run("--history", "--output", "json").events()[0]["runs"]
    images = [run["services"]["rag_service"]["image"] for run in runs]
    assert len(set(images)) == 3

    for run in (2, 1, 3):
        result = changed.run("--rollback", str(run), "--auto-approve")

        assert result.code == 0, result.text
        assert _image(changed) == images[run - 1]
    back = changed.run("--rollback", "4", "--auto-approve")  # the first rollback, to run 2

    assert back.code == 0, back.text
    assert _image(changed) == images[1]
    assert changed.state()["pin"]["run"] == 4


@pytest.mark.slow
def test_image_that_was_deleted_from_the_registry_refuses_the_rollback(changed: Project) -> None:
    """Whoever cleaned up the registry; the run before it is not touched either."""
    runs = changed.run("--history", "--output", "json").events()[0]["runs"]
    delete_image(changed, runs[0]["services"]["rag_service"]["image"])
    before, new = len(changed.requests()), _image(changed)

    dry = changed.run("--rollback", "1", "--dry-run")
    result = changed.run("--rollback", "1", "--auto-approve")

    assert (dry.code, result.code) == (1, 1)
    for text in (dry.text, result.text):
        assert "no longer in the registry: rag_service" in text
        assert "Check out the source of that time" in text
    assert changed.writes(before) == []
    assert _image(changed) == new
    assert "pin" not in changed.state()


@pytest.mark.slow
def test_rollback_of_a_state_that_moved_to_a_blob_in_between(changed: Project, azurite: Azurite) -> None:
    """The history moves with the state, and back."""
    old = changed.run("--history", "--output", "json").events()[0]["runs"][0]["services"]["rag_service"]["image"]
    changed.change("advanced.state_blob_container", f"rollback-{os.getpid()}")
    changed.environment["AZURE_STORAGE_CONNECTION_STRING"] = azurite.connection_string
    assert changed.run("--move-state", "blob").code == 0
    changed.environment["AZURE_STATE_STORAGE"] = "blob"

    result = changed.run("--rollback", "1", "--auto-approve")

    assert result.code == 0, result.text
    assert not list(changed.directory.glob(".azure-deployment-state*.history"))
    assert changed.run("--move-state", "local").code == 0
    changed.environment["AZURE_STATE_STORAGE"] = "local"
    assert _image(changed) == old
    runs = changed.run("--history", "--output", "json").events()[0]["runs"]
    assert [(run["run"], run["kind"]) for run in runs] == [(1, "deploy"), (2, "deploy"), (3, "rollback")]
    assert "0 ran" in changed.run().text
    assert changed.run("--rollback", "off").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("how", ["reset", "restored"])
def test_history_outlives_what_is_done_to_the_state(changed: Project, how: str) -> None:
    """A state that was cleared, or put back from a copy, can still be gone back from."""
    runs = changed.run("--history", "--output", "json").events()[0]["runs"]
    if how == "reset":
        assert changed.run("--reset-state").code == 0
    else:
        (copy,) = list((changed.directory / ".azure-deployment-history").glob("*.json"))[:1]
        assert changed.run("--restore-state", str(copy), "--adopt").code == 0

    result = changed.run("--rollback", "1", "--auto-approve")
    if how == "restored":  # the copy is of before the second run: its images are those of run 1
        assert "deployed already" in result.text
        assert changed.run().code == 0
        result = changed.run("--rollback", "1", "--auto-approve")

    assert result.code == 0, result.text
    assert _image(changed) == runs[0]["services"]["rag_service"]["image"]


@pytest.mark.slow
def test_rollback_without_the_registry_says_that_the_images_are_gone(changed: Project) -> None:
    """Somebody deleted it; its address answers nothing then."""
    record = changed.state()["resources"]["container_registry"]
    with changed.azure() as azure:
        azure.delete(record["id"], record["api_version"])
    before = len(changed.requests())

    result = changed.run("--rollback", "1", "--auto-approve")

    assert result.code == 1
    assert "the registry draftgenieacr does not exist, and the images of run 1 with it" in result.text
    assert changed.writes(before) == []


@pytest.mark.slow
def test_migration_that_is_added_under_a_rollback_is_said_to_wait(changed: Project) -> None:
    """It runs once the rollback ends."""
    assert changed.run("--rollback", "1", "--auto-approve").code == 0
    changed.change("migrations", [*changed.config()["migrations"], {"service": "draft_service", "command": "true"}])

    for arguments in (("--dry-run",), ()):
        result = changed.run(*arguments)
        assert result.code == 0
        assert "the migration draft-service is new, and does not run before the rollback ends" in result.text

    assert "job/draft-service" not in changed.state()["resources"]
    assert changed.run("--rollback", "off").code == 0
    assert changed.state()["resources"]["job/draft-service"]["succeeded"]
