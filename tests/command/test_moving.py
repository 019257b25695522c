"""Moving from the earlier script: resources are taken over, differences reported before anything is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from project import Project

CREATED: dict[str, Any] = {
    "log_analytics": {"name": "draftgenie-logs", "id": "0"},
    "container_registry": {"name": "draftgenieacr", "login_server": "x", "username": "x", "password": "Canary1Acr"},
    "key_vault": {"name": "draftgenie-kv"},
    "postgresql": {
        "server_name": "draftgenie-pg", "database_name": "draftgenie", "admin_user": "draftgenieadmin1a2b3c",
        "admin_password": "Canary2Postgres", "host": "x", "port": "5432",
    },
    "container_apps_env": {"name": "draftgenie-env", "default_domain": "x"},
}  # fmt: skip
NAMES = [".azure-deployment-state.json", ".azure-deployment-state-v1.json"]


def _earlier(project: Project, name: str = NAMES[0], **changes: Any) -> None:
    document = {"completed_steps": ["create_postgresql"], "created_resources": CREATED | changes}
    (project.directory / name).write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_dry_run_shows_what_is_taken_over_and_what_stays(project: Project, name: str) -> None:
    """Names alone: no password of that state is shown."""
    _earlier(project, name)

    result = project.run("--dry-run")

    assert result.code == 0, result.text
    for words in (
        "taken over: the vault draftgenie-kv", "taken over: the PostgreSQL server draftgenie-pg",
        "stays: the server's login draftgenieadmin1a2b3c", "stays, unused: the database draftgenie", "--adopt",
    ):  # fmt: skip
        assert words in result.text
    assert "Canary" not in result.text


@pytest.mark.parametrize("kind", ["postgresql", "key_vault", "container_registry"])
def test_another_name_for_a_resource_with_data_is_a_fault_before_the_first_write(
    project: Project, kind: str
) -> None:
    """It would be a second one beside it; the fault has the line and the name to set."""
    field = "server_name" if kind == "postgresql" else "name"
    _earlier(project, **{kind: CREATED[kind] | {field: "another"}})

    for arguments in (["--dry-run"], []):
        result = project.run(*arguments)

        assert result.code == 1
        assert f": {kind}.{field}: another" in result.text.replace("set ", ": ")
        assert "config.yaml:" in result.text
    assert project.writes() == []
    assert not project.state_file.exists()


def test_service_without_any_variable_is_a_fault_where_the_earlier_script_deployed(project: Project) -> None:
    """That script set them in code."""
    _earlier(project)
    values = project.config()
    for section in ("environment", "secrets"):
        values["services"]["rag_service"].pop(section, None)
    project.write(values)

    result = project.run("--dry-run")

    assert result.code == 1
    assert "services.rag_service: this service would get no variable" in result.text


def _as_the_earlier_script_made_it(project: Project) -> None:
    """Group, vault with access policies, registry with admin user, a server with a login of its own, open to all."""
    with project.azure() as azure:
        subscriptions = azure.send("GET", "/subscriptions", "2022-12-01").json()["value"]
        subscription = subscriptions[0]["id"]
        tenant = subscriptions[0]["tenantId"]
        for namespace in ("KeyVault", "ContainerRegistry", "DBforPostgreSQL"):
            azure.send("POST", f"{subscription}/providers/Microsoft.{namespace}/register", "2022-09-01")
        group = f"{subscription}/resourceGroups/draftgenie-rg"
        azure.send("PUT", group, "2025-04-01", {"location": "eastus2"})
        vault = {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}
        vault["enableRbacAuthorization"] = False  # what az created by default then
        registry = {"location": "eastus2", "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": True}}
        server = {
            "administratorLogin": "draftgenieadmin1a2b3c", "administratorLoginPassword": "Canary2Postgres",
            "version": "16", "storage": {"storageSizeGB": 32},
        }  # fmt: skip
        provider = f"{group}/providers/Microsoft."
        pg = f"{provider}DBforPostgreSQL/flexibleServers/draftgenie-pg"
        world = {"startIpAddress": "0.0.0.0", "endIpAddress": "255.255.255.255"}
        for path, version, body in (
            (f"{provider}KeyVault/vaults/draftgenie-kv", "2026-02-01", {"location": "eastus2", "properties": vault}),
            (f"{provider}ContainerRegistry/registries/draftgenieacr", "2025-11-01", registry),
            (pg, "2025-08-01", {"location": "eastus2", "sku": {"name": "Standard_B1ms", "tier": "Burstable"},
                                "properties": server}),
            (f"{pg}/databases/draftgenie", "2025-08-01", {"properties": {}}),
            (f"{pg}/firewallRules/AllowAll", "2025-08-01", {"properties": world}),
        ):  # fmt: skip
            azure.send("PUT", path, version, body)


def test_resources_of_the_earlier_script_are_taken_over_in_one_run(project: Project) -> None:
    """The vault stops the run at once, with the flag that goes on; then nothing is made twice and no data is lost."""
    _as_the_earlier_script_made_it(project)
    _earlier(project)

    stopped = project.run()
    taken = project.run("--adopt")

    assert stopped.code == 1
    assert "uses access policies" in stopped.text
    assert "--adopt" in stopped.text
    assert taken.code == 0, taken.text
    server = project.state()["resources"]["postgresql_server"]
    assert server["created"] is False
    with project.azure() as azure:
        live = azure.send("GET", server["id"], "2025-08-01").json()["properties"]
        databases = azure.send("GET", f"{server['id']}/databases", "2025-08-01").json()["value"]
        rules = azure.send("GET", f"{server['id']}/firewallRules", "2025-08-01").json()["value"]
        vault = azure.send("GET", project.state()["resources"]["key_vault"]["id"], "2026-02-01").json()
    assert live["administratorLogin"] == "draftgenieadmin1a2b3c"
    assert {"draftgenie", "rag_service"} <= {one["name"] for one in databases}
    assert [one["name"] for one in rules] == ["allow-azure"]
    assert vault["properties"]["enableRbacAuthorization"] is True
    assert "Canary" not in project.state_file.read_text(encoding="utf-8") + stopped.text + taken.text
    assert "0 ran" in project.run().text
