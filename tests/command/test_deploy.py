"""The main promise: deploy, run again and nothing happens, change one thing and exactly that happens."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from project import SHARED, Project, contents

from draftgenie_azure.steps import STEP_NAMES

CANARY = "Canary9f3aSecret"


def test_first_deployment_makes_every_resource_and_ends_with_the_urls(project: Project) -> None:
    """All 14 steps run because they never ran; the summary begins with where the application is."""
    result = project.deploy()

    assert result.ran() == {name: ["never ran"] for name in STEP_NAMES}
    summary = result.events()[-1]
    assert summary["event"] == "summary"
    assert summary["urls"]["api_gateway"].startswith("https://api-gateway.")
    state = project.state()
    assert {record["status"] for record in state["steps"].values()} == {"completed"}
    kinds = {key.split("/")[0] for key in state["resources"]}
    assert kinds == {
        "resource_group", "identity", "log_analytics", "app_insights", "container_registry", "key_vault", "role",
        "postgresql_server", "postgresql_firewall", "postgresql_database", "redis", "redis_database",
        "container_apps_env", "diagnostic_setting", "container_app", "job",
    }
    checks = state["steps"]["verify_deployment"]["outputs"]["checks"]
    assert checks["api_gateway"] == "answered"
    assert set(checks.values()) == {"answered", "ready"}


def test_second_run_skips_every_step_and_sends_nothing(deployed: Project) -> None:
    """Nothing changed: 14 steps skipped, and not one request."""
    seen = len(deployed.requests())
    before = deployed.state_file.read_bytes()

    result = deployed.deploy()

    assert result.ran() == {}
    assert [event["step"] for event in result.events() if event["event"] == "step_skip"] == list(STEP_NAMES)
    assert deployed.requests()[seen:] == []
    assert deployed.state_file.read_bytes() == before


def test_changed_server_size_runs_create_databases_alone_and_says_why(deployed: Project) -> None:
    """The size is in no output, so nothing that depends on the databases runs."""
    deployed.change("postgresql.sku", "Standard_D2ds_v5")
    seen = len(deployed.requests())

    result = deployed.deploy()

    assert result.ran() == {"create_databases": ["postgresql.sku Standard_B1ms → Standard_D2ds_v5"]}
    writes = deployed.writes(seen)
    assert [write.split("/")[-2] for write in writes] == ["flexibleServers"], writes
    assert writes[0].startswith("PATCH")
    assert deployed.deploy().ran() == {}


def test_changed_source_builds_and_deploys_that_service_alone(deployed: Project) -> None:
    """One file edited: one build, one app, and the migration of no other service."""
    source = deployed.directory / "examples/draftgenie/services/draft-service/app/main.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    seen = len(deployed.requests())

    result = deployed.deploy()

    ran = result.ran()
    assert ran["build_and_push_images"] == ["image of draft_service: services/draft-service/app/main.py changed"]
    assert ran["deploy_application_services"] == ["outputs of build_and_push_images changed"]
    writes = deployed.writes(seen)
    assert sum("scheduleRun" in write for write in writes) == 1
    assert [write for write in writes if "containerApps" in write and write.startswith("PATCH")] == [
        write for write in writes if write.endswith("/containerApps/draft-service")
    ]
    assert not [write for write in writes if "/jobs/" in write]


def test_changed_variable_touches_that_app_alone(deployed: Project) -> None:
    """A plain variable belongs to configure_environment_variables; nothing is built or stored."""
    deployed.change("services.rag_service.environment.LOG_LEVEL", "DEBUG")
    seen = len(deployed.requests())

    result = deployed.deploy()

    assert result.ran()["configure_environment_variables"] == [
        "services.rag_service.environment.LOG_LEVEL INFO → DEBUG"
    ]
    assert set(result.ran()) <= {"configure_environment_variables", "run_migrations", "verify_deployment"}
    assert [write.split("/")[-1] for write in deployed.writes(seen)] == ["rag-service"]


def test_changed_secret_makes_a_new_version_and_new_revisions_where_it_is_used(deployed: Project) -> None:
    """The apps that use the key get a new revision, and no other app is written to."""
    deployed.environment["GEMINI_API_KEY"] = CANARY
    seen = len(deployed.requests())

    result = deployed.deploy()

    assert result.ran()["store_secrets"] == ["secrets.gemini_api_key is new"]
    writes = deployed.writes(seen)
    assert [write.split("/")[-1] for write in writes if "/secrets/" in write] == ["gemini-api-key"]
    assert sorted(write.split("/")[-1] for write in writes if "/containerApps/" in write) == [
        "draft-service",
        "rag-service",
    ]


def test_going_back_and_forth_deploys_each_time(deployed: Project) -> None:
    """A, B, A are three deployments: the comparison is with what was deployed last."""
    deployed.change("services.rag_service.environment.LOG_LEVEL", "DEBUG")
    first = deployed.deploy().ran()
    deployed.change("services.rag_service.environment.LOG_LEVEL", "INFO")
    second = deployed.deploy().ran()

    assert "configure_environment_variables" in first
    assert "configure_environment_variables" in second


@pytest.mark.parametrize(
    ("key", "again"),
    [
        ("container_app/draft_service", {"deploy_application_services"}),
        ("container_app/rabbitmq", {"deploy_infrastructure_services"}),
        ("redis", {"create_databases"}),
        ("log_analytics", {"create_monitoring"}),
        ("container_apps_env", {"create_container_apps_env", "deploy_application_services"}),
        ("container_registry", {"create_container_registry", "build_and_push_images"}),
    ],
)
def test_deleted_resource_comes_back_when_something_runs(deployed: Project, key: str, again: set[str]) -> None:
    """Somebody deletes a resource: the next run that has something to do makes it again, and what hung on it."""
    lost = deployed.state()["resources"][key]["id"]
    with deployed.azure() as azure:
        azure.control("POST", "/control/delete", {"id": lost})

    result = deployed.deploy("--force-step", "verify_deployment")

    ran = result.ran()
    assert again <= set(ran), ran
    assert any(f"{key} is gone" in reason for reasons in ran.values() for reason in reasons)
    assert deployed.deploy().ran() == {}


def test_bodies_are_valid_by_the_official_types(deployed: Project) -> None:
    """Every PUT and PATCH of a deployment, held against Azure's published types."""
    validator = SHARED / "azure-types" / "validate.py"
    if not validator.exists():
        pytest.skip("the official types are not beside this checkout")
    log = deployed.directory / ".azure-emulator" / "requests.jsonl"

    command = [sys.executable, str(validator), "--known-values", "--har", str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_no_secret_is_left_anywhere_but_in_the_vault(project: Project) -> None:
    """Every given secret is a canary; they and the generated ones are in no file but the emulator's vault."""
    project.environment.update(
        {name: f"{CANARY}{name}" for name in ("GEMINI_API_KEY", "INSTANOTE_API_KEY", "JWT_SECRET", "RABBITMQ_PASSWORD")}
    )
    project.change("postgresql.admin_password", "${POSTGRES_PASSWORD}")
    project.environment["POSTGRES_PASSWORD"] = f"{CANARY}Postgres"

    with open(project.directory / "out", "w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            project.command("--log-file", "run.log", "--verbose"),
            cwd=project.directory,
            env=project.env(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
        )
        try:
            listed = process_list(process)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        assert process.returncode == 0, output.read()

    assert "azure_emulator" in listed
    assert CANARY not in listed
    vault = project.directory / ".azure-emulator" / "vault.json"
    secrets = set(_strings(json.loads(vault.read_text(encoding="utf-8"))))
    values = {value for value in secrets if CANARY in value or len(value) == 32}
    assert len(values) >= 5
    for path, content in contents(project.directory):
        if path != vault:
            assert not [value for value in values if value.encode() in content], path


def process_list(process: subprocess.Popen[str]) -> str:
    """The command lines of all processes, looked at again and again while one of them runs."""
    seen: set[bytes] = set()
    while process.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                seen.add(path.read_bytes())
        time.sleep(0.01)
    return b"\n".join(seen).decode("utf-8", "replace").replace("\0", " ")


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _strings(item)]
