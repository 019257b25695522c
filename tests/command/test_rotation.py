"""`--rotate-secret`: a new value for a generated secret, safe wherever it is interrupted."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from project import Project, wait_for

PASSWORD = "postgresql-admin-password"


def _vault(project: Project) -> dict[str, Any]:
    (vault,) = json.loads((project.directory / ".azure-emulator/vault.json").read_text(encoding="utf-8")).values()
    return dict(vault)


def _template(project: Project, service: str) -> str:
    """The revision that serves a service."""
    app = project.state()["resources"][f"container_app/{service}"]["id"]
    with project.azure() as azure:
        return str(azure.send("GET", app, "2026-01-01").json()["properties"]["latestRevisionName"])


@pytest.mark.parametrize("name", ["jwt_secret", "secrets.rabbitmq_password", "jwt-secret"])
def test_generated_secret_gets_a_new_value_and_its_services_new_revisions(deployed: Project, name: str) -> None:
    """Only the services that use it; the next run does nothing."""
    vault_name = name.removeprefix("secrets.").replace("_", "-")
    before = deployed.secret(vault_name)
    gateway, qdrant = _template(deployed, "api_gateway"), _template(deployed, "qdrant")

    result = deployed.run("--rotate-secret", name)

    assert result.code == 0, result.text
    assert deployed.secret(vault_name) != before
    if vault_name == "jwt-secret":
        assert _template(deployed, "api_gateway") != gateway
    assert _template(deployed, "qdrant") == qdrant
    assert before not in result.text
    assert deployed.secret(vault_name) not in result.text
    assert "0 ran" in deployed.run().text


def test_rotated_broker_password_is_in_every_url_that_contains_it(deployed: Project) -> None:
    """Composed secrets follow."""
    assert deployed.run("--rotate-secret", "rabbitmq_password").code == 0

    assert f":{deployed.secret('rabbitmq-password')}@" in deployed.secret("rabbitmq-url")


@pytest.mark.slow
def test_rotated_server_password_is_that_of_server_vault_and_urls(deployed: Project) -> None:
    """And the second name is used up."""
    before = deployed.secret(PASSWORD)

    result = deployed.run("--rotate-secret", "postgresql.admin_password")

    assert result.code == 0, result.text
    assert deployed.secret(PASSWORD) != before
    assert deployed.password_agrees()
    assert f"{PASSWORD}-next" not in deployed.state()["secrets"]
    assert deployed.state()["rotating"] == {}
    assert deployed.run("--rotate-secret", "postgresql.admin_password").code == 0
    assert deployed.password_agrees()


def test_dry_run_says_what_restarts_and_what_breaks(deployed: Project) -> None:
    """And writes nothing."""
    before = len(deployed.requests())
    state = deployed.state()

    result = deployed.run("--rotate-secret", "postgresql.admin_password", "--dry-run")

    assert result.code == 0, result.text
    for word in ("rag_service", "draft-service-database-url", "new ones fail"):
        assert word in result.out
    assert deployed.writes(before) == []
    assert deployed.state() == state


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("jwt_secrt", "did you mean jwt-secret"), ("gemini_api_key", "not generated"),
        ("rabbitmq-url", "follows when what it contains gets a new value: rabbitmq-password"),
    ],
)  # fmt: skip
def test_secret_that_cannot_be_rotated_is_refused(deployed: Project, name: str, words: str) -> None:
    """Unknown, given, or composed."""
    before = len(deployed.requests())

    result = deployed.run("--rotate-secret", name)

    assert result.code == 1
    assert words in result.text
    assert deployed.writes(before) == []


def test_rotation_that_is_refused_before_it_begins_is_not_made_up_for_by_the_next_run(deployed: Project) -> None:
    """A fault introduced by another change: the rotation is refused."""
    dockerfile = deployed.directory / "examples/draftgenie/docker/Dockerfile.draft-service"
    dockerfile.write_text("FROM scratch\nCOPY gone.py /\n", encoding="utf-8")
    before = deployed.state()

    result = deployed.run("--rotate-secret", "jwt_secret")

    assert result.code == 1
    assert "gone.py" in result.text
    assert deployed.state() == before


def test_nothing_deployed_is_nothing_to_rotate(project: Project) -> None:
    """It says so."""
    result = project.run("--rotate-secret", "jwt_secret")

    assert result.code == 1
    assert "nothing is deployed" in result.text


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(1, 14))
def test_rotation_killed_at_any_write_is_finished_by_the_next_run(deployed: Project, number: int) -> None:
    """Server, vault and URLs agree again, without a second request."""
    before = len(deployed.requests())
    old = deployed.secret(PASSWORD)
    with deployed.start("--rotate-secret", "postgresql.admin_password") as process:
        wait_for(
            lambda: len(deployed.writes(before)) >= number or process.poll() is not None or None,
            process,
            "fewer writes",
        )
        process.send_signal(signal.SIGKILL)
        process.wait()

    result = deployed.run()

    assert result.code == 0, result.text
    assert deployed.password_agrees()
    assert deployed.state()["rotating"] == {}
    assert deployed.secret(PASSWORD) != old


@pytest.mark.slow
def test_rotation_that_was_cut_ends_where_the_configuration_gives_the_password(deployed: Project) -> None:
    """Whatever the server has by then: it gets the given one, and so does everything that contains it."""
    given = deployed.secret(PASSWORD)  # the vault has it already, the server has not
    record = deployed.state()["resources"]["postgresql_server"]
    with deployed.azure() as azure:
        body = {"properties": {"administratorLoginPassword": "Staged-by-the-rotation-1"}}
        azure.send("PATCH", record["id"], record["api_version"], body)
    document = deployed.state() | {"rotating": {PASSWORD: "requested"}}
    deployed.state_file.write_text(json.dumps(document), encoding="utf-8")
    deployed.change("postgresql.admin_password", given)

    deployed.deploy()

    assert deployed.secret(PASSWORD) == given
    assert deployed.password_agrees()
    assert deployed.state()["rotating"] == {}
    assert "0 ran" in deployed.run("--refresh").text


@pytest.mark.slow
@pytest.mark.parametrize("value", ["abcdefghijklmnopqrstuvwxyz012345", None])
def test_rotation_that_was_cut_ends_where_the_secret_is_given_or_gone(project: Project, value: str | None) -> None:
    """A later run that generates it again does not make up for it."""
    generated = {"generate": True}
    project.change("secrets.extra", generated)
    project.deploy()
    document = project.state() | {"rotating": {"extra": "requested"}}
    project.state_file.write_text(json.dumps(document), encoding="utf-8")
    project.change("secrets.extra", value)

    project.deploy()

    assert project.state()["rotating"] == {}
    assert "(--rotate-secret)" not in project.run("--status").out
    if value is not None:
        assert project.secret("extra") == value
