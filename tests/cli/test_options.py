"""Options beyond the shipped configuration: every one reaches Azure in a body that the official types accept."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from plain_project import PLAIN, live
from project import SHARED, Project


def bodies(project: Project, part: str, method: str = "PUT") -> list[dict[str, Any]]:
    """Bodies of the requests to paths that contain a text."""
    return [
        request["body"]
        for request in project.requests()
        if request["method"] == method and part.lower() in request["path"].lower() and request.get("body")
    ]


def assert_valid(project: Project) -> None:
    """Hold the bodies against the official types, where those are at hand."""
    validator = SHARED / "azure-types" / "validate.py"
    if validator.exists():
        log = project.directory / ".azure-emulator" / "requests.jsonl"
        command = [sys.executable, str(validator), "--known-values", "--har", str(log)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_every_option_of_a_service_reaches_its_app(project: Project) -> None:
    """Volumes, scale rules, commands, further ports, build arguments, a public image with HTTP."""
    values = project.config()
    values["key_vault"]["purge_protection"] = True
    values["postgresql"] |= {"extensions": ["uuid-ossp", "pgcrypto"], "databases": ["reports"], "storage_size": 64}
    values["mongodb"] = {"connection_url": "mongodb://user:Mongo5ecret@mongo.example.com/db"}
    values["secrets"]["session_key"] = {"generate": True}
    gateway = values["services"]["api_gateway"]
    gateway["build_args"] = {"FLAVOUR": "plain", "NPM_TOKEN": {"value": "Npm5ecretToken", "secret": True}}
    gateway["scale"] = {
        "http_concurrent_requests": 40,
        "rules": [{"name": "load", "type": "cpu", "metadata": {"type": "Utilization", "value": 70}}],
    }
    gateway["secrets"]["MONGODB_URL"] = "{{ mongodb.connection_url }}"
    gateway["secrets"]["SESSION_KEY"] = "{{ secrets.session_key }}"
    gateway["secrets"]["APPLICATIONINSIGHTS_CONNECTION_STRING"] = "{{ monitoring.connection_string }}"
    gateway["secrets"]["REDIS_URL"] = "{{ redis.url }}"
    values["services"]["rabbitmq"]["scale"] = {"tcp_concurrent_connections": 100}
    values["services"]["qdrant"] |= {
        "additional_ports": [6334],
        "command": ["./entrypoint.sh"],
        "args": "--snapshot none",
        "volume": {
            "type": "azure_file",
            "mount_path": "/qdrant/storage",
            "account_name": "draftgeniefiles",
            "account_key": "Sh4redKeyOfTheStorageAccount==",
            "share_name": "qdrant",
        },
    }
    project.write(values)

    project.deploy()

    assert_valid(project)
    app = bodies(project, "/containerApps/api-gateway")[0]["properties"]
    rules = app["template"]["scale"]["rules"]
    assert [rule["name"] for rule in rules] == ["http", "load"]
    assert {secret["name"] for secret in app["configuration"]["secrets"]} >= {
        "mongodb-connection-url", "session-key", "monitoring-connection-string", "redis-url",
    }
    qdrant = bodies(project, "/containerApps/qdrant")[0]["properties"]
    assert qdrant["template"]["volumes"] == [{"name": "data", "storageType": "AzureFile", "storageName": "qdrant"}]
    assert qdrant["configuration"]["ingress"]["additionalPortMappings"] == [
        {"external": False, "targetPort": 6334, "exposedPort": 6334}
    ]
    assert bodies(project, "/configurations/azure.extensions")[0]["properties"]["value"] == "pgcrypto,uuid-ossp"
    (build,) = [body for body in bodies(project, "/scheduleRun", "POST") if "api-gateway" in body["imageNames"][0]]
    assert [(argument["name"], argument["isSecret"]) for argument in build["arguments"]] == [
        ("FLAVOUR", False), ("NPM_TOKEN", True),
    ]
    documents = [path for path in project.directory.rglob("*.json*") if path.name != "vault.json"]
    everything = "".join(path.read_text("utf-8") for path in documents)
    for secret in ("Npm5ecretToken", "Sh4redKey", "Mongo5ecret"):
        assert secret not in everything
    assert project.deploy().ran() == {}


@pytest.mark.slow
def test_changed_key_of_a_file_share_is_sent_although_azure_never_shows_it(project: Project) -> None:
    """Write-only values are compared by a digest in the state."""
    volume = {
        "type": "azure_file", "mount_path": "/data", "account_name": "draftgeniefiles", "share_name": "data",
        "account_key": "${SHARE_KEY}",
    }
    project.change("services.qdrant.volume", volume)
    project.environment["SHARE_KEY"] = "FirstKeyOfTheAccount=="
    project.deploy()
    project.environment["SHARE_KEY"] = "SecondKeyOfTheAccount=="
    seen = len(project.requests())

    ran = project.deploy().ran()

    assert ran["create_container_apps_env"] == ["services.qdrant.volume.account_key changed"]
    assert [write.split("/")[-2] for write in project.writes(seen)] == ["storages"]


@pytest.mark.slow
def test_older_redis_is_made_with_a_warning_of_its_retirement(project: Project) -> None:
    """Basic, Standard and Premium are the product that ends in 2028."""
    project.change("redis", {"name": "draftgenie-cache", "sku": "Basic", "vm_size": "c0"})
    project.change("services.api_gateway.secrets.REDIS_URL", "{{ redis.url }}")

    result = project.deploy()

    assert_valid(project)
    assert "retired on 2028-09-30" in " ".join(result.events()[-1]["warnings"])
    assert project.state()["steps"]["create_databases"]["outputs"]["redis"]["port"] == 6380
    assert project.deploy().ran() == {}


def test_without_redis_section_none_is_made_and_nothing_waits_for_it(project: Project) -> None:
    """An absent section makes nothing."""
    project.change("redis", None)

    project.deploy()

    assert "redis" not in project.state()["resources"]
    assert not [write for write in project.writes() if "Microsoft.Cache/" in write and "register" not in write]


@pytest.mark.slow
def test_service_scaled_to_zero_is_shown_as_unproved_or_woken(project: Project) -> None:
    """An internal one cannot be asked from outside; an external one is woken."""
    project.change("services.rag_service.min_replicas", 0)
    project.change("services.api_gateway.min_replicas", 0)

    project.deploy()

    checks = project.state()["steps"]["verify_deployment"]["outputs"]["checks"]
    assert checks["rag_service"] == "unproved"
    assert checks["api_gateway"] == "answered"


def test_removed_ingress_and_variable_are_removed_from_the_app(deployed: Project) -> None:
    """Properties removed from the configuration are removed in Azure too."""
    values = deployed.config()
    del values["services"]["draft_service"]["environment"]["LOG_FORMAT"]
    deployed.write(values)
    seen = len(deployed.requests())

    deployed.deploy()

    (write,) = deployed.writes(seen)
    assert write.endswith("/containerApps/draft-service")
    app = deployed.state()["resources"]["container_app/draft_service"]
    with deployed.azure() as azure:
        live = azure.send("GET", app["id"], app["api_version"]).json()
    names = [entry["name"] for entry in live["properties"]["template"]["containers"][0]["env"]]
    assert "LOG_FORMAT" not in names
    assert "LOG_LEVEL" in names


def test_removed_service_is_named_as_abandoned(deployed: Project) -> None:
    """Nothing is deleted unasked."""
    values = deployed.config()
    del values["services"]["evaluation_service"]
    del values["docker"]["dockerfiles"]["evaluation_service"]
    del values["services"]["api_gateway"]["environment"]["EVALUATION_SERVICE_URL"]
    deployed.write(values)

    result = deployed.deploy()

    assert "container_app/evaluation_service" in result.events()[-1]["orphaned"]
    assert not [write for write in deployed.writes() if write.startswith("DELETE")]


def test_deleted_vault_is_recovered_with_its_secrets(deployed: Project) -> None:
    """A vault in the bin holds its name; ours comes back, and its secrets are the same versions."""
    before = deployed.state()["steps"]["store_secrets"]["outputs"]
    vault = deployed.state()["resources"]["key_vault"]["id"]
    with deployed.azure() as azure:
        azure.delete(vault, "2026-02-01")

    result = deployed.deploy("--force-step", "verify_deployment")

    assert "key_vault is gone" in result.ran()["create_key_vault"]
    assert any("is recovered" in warning for warning in result.events()[-1]["warnings"])
    assert deployed.state()["steps"]["store_secrets"]["outputs"] == before
    assert deployed.deploy().ran() == {}


def test_deleted_server_comes_back_with_the_password_that_the_vault_holds(deployed: Project) -> None:
    """Apps keep their secrets; the new server is made with them, and its tables are made again."""
    before = deployed.state()["secrets"]
    server = deployed.state()["resources"]["postgresql_server"]["id"]
    with deployed.azure() as azure:
        azure.delete(server, "2025-08-01")
    seen = len(deployed.requests())

    ran = deployed.deploy("--force-step", "verify_deployment").ran()

    assert "postgresql_server is gone" in ran["create_databases"]
    assert deployed.state()["secrets"] == before
    assert deployed.password_agrees()
    assert sum(write.endswith("/start") for write in deployed.writes(seen)) == 1


def test_new_password_reaches_server_urls_and_apps(deployed: Project) -> None:
    """A given password takes the place of the made one: vault, server and composed URLs change together."""
    deployed.change("postgresql.admin_password", "${POSTGRES_PASSWORD}")
    deployed.environment["POSTGRES_PASSWORD"] = "Given9Password9ForTheServer"
    seen = len(deployed.requests())

    ran = deployed.deploy().ran()

    assert ran["create_databases"] == ["postgresql.admin_password changed"]
    assert deployed.secret("postgresql-admin-password") == "Given9Password9ForTheServer"
    assert deployed.password_agrees()
    apps = {write.split("/")[-1] for write in deployed.writes(seen) if "/containerApps/" in write}
    assert apps == {"draft-service", "rag-service", "speaker-service", "evaluation-service"}


def test_taken_name_is_reported_before_anything_is_made(deployed: Project) -> None:
    """The registry's name belongs to the first deployment: the second one stops at once."""
    overlay = deployed.overlay(
        "other.yaml",
        {
            "azure": {"resource_group": "other-rg"},
            "key_vault": {"name": "other-kv"},
            "postgresql": {"server_name": "other-pg"},
            "redis": {"name": "other-redis"},
            "advanced": {"state_file": "other.json"},
        },
    )
    seen = len(deployed.requests())

    result = deployed.run("--config", "config.yaml", "--config", overlay)

    assert result.code == 1
    assert "container_registry.name: the name draftgenieacr is not available" in result.err
    assert deployed.writes(seen) == []


def test_app_of_a_renamed_environment_is_deleted_and_made_again(deployed: Project) -> None:
    """An app cannot change its environment; the old one is abandoned and named."""
    deployed.change("container_apps.environment_name", "draftgenie-env2")

    result = deployed.deploy("--force-step", "create_container_apps_env")

    assert "container_apps_env@draftgenie-env" in result.events()[-1]["orphaned"]
    deletes = [write.split("/")[-1] for write in deployed.writes() if write.startswith("DELETE")]
    assert sorted(deletes) == [
        "api-gateway", "draft-service", "evaluation-service", "qdrant", "rabbitmq", "rag-service", "speaker-service",
        *[name for name in deletes if name.startswith("speaker-service-")],
    ]
    assert deployed.deploy().ran() == {}


@pytest.mark.slow
def test_vault_with_access_policies_is_left_so_and_says_at_once_what_it_takes(deployed: Project) -> None:
    """A vault that was there before keeps its policies; no role on waiting for it. --adopt has it go by roles."""
    vault = deployed.state()["resources"]["key_vault"]["id"]
    group = deployed.state()["resources"]["resource_group"]["id"]
    with deployed.azure() as azure:
        azure.send("PATCH", vault, "2026-02-01", {"properties": {"enableRbacAuthorization": False}})
        azure.send("PATCH", group, "2025-04-01", {"tags": {}})
    deployed.state_file.unlink()

    refused = deployed.run()

    assert refused.code == 1
    assert f"the vault {vault.rsplit('/', 1)[1]} uses access policies" in refused.err
    assert "Run the same command with --adopt" in refused.err
    assert "create_key_vault" in refused.err
    with deployed.azure() as azure:
        assert azure.send("GET", vault, "2026-02-01").json()["properties"]["enableRbacAuthorization"] is False

    deployed.deploy("--adopt")

    with deployed.azure() as azure:
        assert azure.send("GET", vault, "2026-02-01").json()["properties"]["enableRbacAuthorization"] is True


@pytest.mark.slow
def test_role_that_someone_gave_under_another_name_is_accepted(deployed: Project) -> None:
    """Azure refuses the same assignment twice, without saying where the first one is."""
    role = deployed.state()["resources"]["role/pull-images"]["id"]
    version = "2022-04-01"
    with deployed.azure() as azure:
        live = azure.send("GET", role, version).json()["properties"]
        azure.send("DELETE", role, version)
        other = role.rsplit("/", 1)[0] + "/11111111-2222-4333-8444-555555555555"
        names = ("roleDefinitionId", "principalId", "principalType")
        azure.send("PUT", other, version, {"properties": {name: live[name] for name in names}})

    ran = deployed.deploy("--force-step", "create_container_registry").ran()

    assert ran == {"create_container_registry": ["forced", "role/pull-images is gone"]}
    assert deployed.deploy("--force-step", "create_monitoring").ran() == {"create_monitoring": ["forced"]}

    with deployed.azure() as azure:
        azure.send("DELETE", other, version)
    ran = deployed.deploy("--force-step", "create_monitoring").ran()

    assert ran == {"create_container_registry": ["role/pull-images is gone"], "create_monitoring": ["forced"]}
    with deployed.azure() as azure:
        assert azure.send("GET", role, version).json()["properties"]["principalId"] == live["principalId"]
    assert deployed.state()["resources"]["role/pull-images"]["created"] is True


@pytest.mark.slow
def test_health_path_is_taken_out_and_put_back(project: Project) -> None:
    """A probe by HTTP becomes one by TCP, and back."""
    project.write(PLAIN)
    for path, kind in (("/health", "httpGet"), (None, "tcpSocket"), ("/other", "httpGet")):
        values = project.config()
        values["services"]["web"] |= {"health_path": path}
        project.write(values)

        project.deploy()

        (container,) = live(project, "container_app/web")["template"]["containers"]
        assert [set(probe) & {"httpGet", "tcpSocket"} for probe in container["probes"]] == [{kind}] * 3
        assert project.run("--dry-run", "--refresh", "--detailed-exitcode").code == 0


@pytest.mark.slow
def test_workspace_that_comes_back_gets_what_the_configuration_says(project: Project) -> None:
    """Azure keeps a deleted one for 14 days, and brings it back with its settings; what changed since is sent, too."""
    project.write(PLAIN)
    project.deploy()
    record = project.state()["resources"]["log_analytics"]
    with project.azure() as azure:
        azure.delete(record["id"], record["api_version"])
    project.change("monitoring.retention_days", 60)

    result = project.deploy()

    assert live(project, "log_analytics", record["api_version"])["retentionInDays"] == 60
    (written,) = [event["written"] for event in result.events() if event.get("written")]
    assert written == ["log_analytics"]
    assert project.run("--dry-run", "--refresh", "--detailed-exitcode").code == 0
