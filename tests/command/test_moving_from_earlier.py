"""Moving from the earlier script with its configurations as they are, its state, and its resources as it makes them."""

from __future__ import annotations

import io
from pathlib import Path

import earlier_script
import pytest
import yaml
from project import ROOT, Project

from draftgenie_azure.config.draftgenie import MIGRATIONS, VARIABLES


@pytest.fixture(params=earlier_script.CONFIGURATIONS, ids=lambda path: path.name)
def moving(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """The earlier script's configuration, with nothing deployed by either."""
    return earlier_script.project_of(tmp_path, request.param)


@pytest.fixture
def left(tmp_path: Path) -> Project:
    """Create what the earlier script leaves."""
    project = earlier_script.project_of(tmp_path, earlier_script.CONFIGURATIONS[0])
    earlier_script.leave_state(project)
    earlier_script.deploy(project)
    return project


def with_variables(project: Project) -> list[str]:
    """The arguments that add the text which a dry run shows as missing."""
    shown = project.run("--dry-run").out
    (project.directory / "variables.yaml").write_text(shown, encoding="utf-8")
    return ["--config", "config.yaml", "--config", "variables.yaml"]


def test_variables_that_the_earlier_configuration_lacks_are_a_fault_with_the_text_to_add(moving: Project) -> None:
    """With and without its state; standard output has the text alone, as a file to be given as a later one."""
    result = moving.run("--dry-run")

    assert result.code == 1
    for key in ("api_gateway", "speaker_service", "draft_service", "rag_service", "evaluation_service", "rabbitmq"):
        assert f"services.{key}: this service would get no variable" in result.err
    assert "> variables.yaml" in result.err
    text = yaml.safe_load(result.out)
    assert text["services"]["evaluation_service"]["secrets"]["POSTGRES_PASSWORD"] == "{{ postgresql.password }}"
    assert text["secrets"] == {"instanote_api_key": "${INSTANOTE_API_KEY}"}
    assert moving.run(*with_variables(moving), "--dry-run").code == 0
    assert moving.run().code == 1
    assert not (moving.directory / ".azure-emulator").exists()


def test_text_to_add_equals_the_shipped_configuration() -> None:
    """One place for people, one for the command."""

    shipped = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))

    for key, service in shipped["services"].items():
        wanted = {name: service[name] for name in ("environment", "secrets") if service.get(name)}
        assert VARIABLES.get(key, {}) == wanted
    assert shipped["migrations"] == MIGRATIONS


def test_text_to_add_refers_only_to_what_the_configuration_has(moving: Project) -> None:
    """A removed service is in no service's variables."""
    values = moving.config()
    del values["services"]["evaluation_service"], values["services"]["qdrant"]
    values["services"]["rag_service"]["environment"] = {"OWN": "1"}
    moving.write(values)

    shown = moving.run("--dry-run").out

    text = yaml.safe_load(io.StringIO(shown))
    assert set(text["services"]) == {"api_gateway", "speaker_service", "draft_service", "rabbitmq"}
    assert "EVALUATION_SERVICE_URL" not in text["services"]["api_gateway"]["environment"]
    assert "qdrant" not in shown
    assert moving.run(*with_variables(moving), "--dry-run").code == 0


def test_dry_run_shows_what_is_in_azure_and_what_is_restricted_by_which_flag(left: Project) -> None:
    """Found by listing; no password of the earlier state is shown, and nothing is written."""
    before = len(left.requests())

    result = left.run("--dry-run")

    assert result.code == 1
    for words in (
        "found in Azure, in the resource group draftgenie-rg",
        "workspace draftgenie-logs: taken over", "Application Insights draftgenie-insights: taken over",
        "registry acrdraftgenie: taken over", "admin user is on: --adopt turns it off",
        "vault kv-draftgenie: taken over", "uses access policies: --adopt switches it to roles",
        "PostgreSQL server draftgenie-db: taken over", f"its login remains {earlier_script.LOGIN}",
        "AllowAll admits every address: --adopt deletes it", "database draftgenie is used by no service and is kept",
        "Redis draftgenie-redis: taken over", "environment draftgenie-env: taken over",
        "container app rag-service: taken over",
    ):  # fmt: skip
        assert words in result.err, words
    assert earlier_script.CANARY not in result.text
    assert left.writes(before) == []
    assert not (left.directory / ".azure-deployment-state-v1.json").exists()


def test_resource_that_the_configuration_does_not_have_is_named(left: Project) -> None:
    """A service that was renamed; and one that was not there yet."""
    left.change("services.rag_service.name", "rag")

    result = left.run("--dry-run")

    assert "container app rag: missing, would be created" in result.err
    assert "Microsoft.App/containerApps rag-service: not in the configuration, unchanged" in result.err.replace(
        "containerapps", "containerApps"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", earlier_script.STATES)
def test_everything_of_the_earlier_script_is_taken_over(left: Project, name: str) -> None:
    """Nothing is made twice, no data is lost, and a second run does nothing."""
    for other in earlier_script.STATES:
        (left.directory / other).unlink(missing_ok=True)
    earlier_script.leave_state(left, name)
    left.change("advanced.state_file", ".azure-deployment-state-v1.json")
    arguments = with_variables(left)

    result = left.run(*arguments, "--adopt")

    assert result.code == 0, result.text
    resources = left.state()["resources"]
    taken = ("log_analytics", "container_registry", "key_vault", "postgresql_server", "redis", "container_apps_env")
    assert {key: resources[key]["created"] for key in taken} == dict.fromkeys(taken, False)
    assert not any(record["created"] for key, record in resources.items() if key.startswith("container_app/"))
    server = resources["postgresql_server"]["id"]
    with left.azure() as azure:
        live = azure.send("GET", server, "2025-08-01").json()["properties"]
        databases = {one["name"] for one in azure.send("GET", f"{server}/databases", "2025-08-01").json()["value"]}
        vault = azure.send("GET", resources["key_vault"]["id"], "2026-02-01").json()["properties"]
        registry = azure.send("GET", resources["container_registry"]["id"], "2025-11-01").json()["properties"]
    assert live["administratorLogin"] == earlier_script.LOGIN
    assert databases > {"draftgenie", "rag_service"}
    assert vault["enableRbacAuthorization"] is True
    assert registry["adminUserEnabled"] is False
    assert earlier_script.CANARY not in left.state_file.read_text(encoding="utf-8") + result.text
    again = left.run(*arguments)
    assert "0 ran" in again.text, again.text
    before = len(left.requests())
    destroyed = left.run(*arguments, "--destroy", "--include-data", "--auto-approve")
    assert destroyed.code == 1
    assert "api-gateway uses identity, and this deployment did not create it" in destroyed.text
    assert left.writes(before) == []


@pytest.mark.slow
def test_environment_without_workload_profiles_is_taken_over(tmp_path: Path) -> None:
    """Azure cannot add them, and the apps need none; a refresh finds nothing to do, and a change is made."""
    project = earlier_script.project_of(tmp_path, earlier_script.CONFIGURATIONS[0])
    earlier_script.leave_state(project)
    earlier_script.deploy(project, has_profiles=False)
    arguments = with_variables(project)

    result = project.run(*arguments, "--adopt")

    assert result.code == 0, result.text
    assert "0 ran" in project.run(*arguments).text
    refreshed = project.run(*arguments, "--dry-run", "--refresh", "--detailed-exitcode")
    assert refreshed.code == 0, refreshed.text
    resources = earlier_script.state(project)["resources"]
    with project.azure() as azure:
        for key in ("container_app/rag_service", "job/speaker-service"):
            live = azure.send("GET", resources[key]["id"], "2026-01-01").json()["properties"]
            assert live["workloadProfileName"] is None
    project.change("services.rag_service.min_replicas", 1)
    assert project.run(*arguments).code == 0


def test_what_an_environment_without_workload_profiles_cannot_have_is_a_fault_of_the_plan(tmp_path: Path) -> None:
    """With the ways out; nothing is written."""
    project = earlier_script.project_of(tmp_path, earlier_script.CONFIGURATIONS[0])
    earlier_script.leave_state(project)
    earlier_script.deploy(project, has_profiles=False)
    arguments = with_variables(project)
    project.change("services.rag_service.cpu", 4)
    project.change("services.rag_service.memory", "8Gi")
    project.change("container_apps.workload_profiles", [{"name": "large", "type": "D4"}])
    before = len(project.requests())

    result = project.run(*arguments, "--dry-run")

    assert result.code == 1
    words = " ".join(result.out.split())
    assert "without workload profiles, and Azure cannot add them" in words
    assert "container_apps.workload_profiles: large; services.rag_service: 4" in words
    assert "set container_apps.environment_name to a new name" in words
    assert project.writes(before) == []
