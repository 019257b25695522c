"""Azure CLI at its defaults, beside Container Apps: each type is made, read, changed and deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from azure_cli import AzureCli
from emulator_client import ACR_PULL, AzureClient

pytestmark = [pytest.mark.program("az"), pytest.mark.slow, pytest.mark.timeout(600)]
PLACE = ("-g", "rg", "-n")


@pytest.fixture
def az(azure: AzureClient, tmp_path: Path) -> AzureCli:
    for name in ("Network", "Storage"):
        azure.arm.providers.register(f"Microsoft.{name}")
    return AzureCli(azure.attached, tmp_path)


def _gone(az: AzureCli, *words: str) -> bool:
    return az.run(*words).returncode != 0


def test_groups_tags_locks_and_identities(az: AzureCli) -> None:
    az("group", "create", "-n", "other", "-l", "eastus2", "--tags", "a=b")
    az("group", "update", "-n", "other", "--set", "tags.c=d")
    assert az("group", "show", "-n", "other")["tags"] == {"a": "b", "c": "d"}
    az("lock", "create", "-n", "keep", "--lock-type", "CanNotDelete", "-g", "other")
    assert _gone(az, "group", "delete", "-n", "other", "--yes")
    az("lock", "delete", "-n", "keep", "-g", "other")
    az("group", "delete", "-n", "other", "--yes")
    assert az("group", "exists", "-n", "other") is False

    made = az("identity", "create", *PLACE, "app-id")
    az("tag", "update", "--resource-id", made["id"], "--operation", "merge", "--tags", "x=y")
    assert az("identity", "show", *PLACE, "app-id")["tags"] == {"x": "y"}
    az("identity", "delete", *PLACE, "app-id")
    assert _gone(az, "identity", "show", *PLACE, "app-id")


def test_a_role_goes_to_whom_it_is_given(az: AzureCli, azure: AzureClient) -> None:
    az("identity", "create", *PLACE, "other-id")
    identity = az("identity", "create", *PLACE, "app-id")

    create, what = ("role", "assignment", "create"), ("--role", ACR_PULL, "--scope", azure.group)

    given = az(*create, "--assignee", identity["clientId"], *what)

    assert given["principalId"] == identity["principalId"]
    unknown = "11111111-2222-4333-8444-555555555555"
    assert _gone(az, *create, "--assignee", unknown, *what)
    az("role", "assignment", "delete", "--ids", given["id"])
    assert az("role", "assignment", "list", "-g", "rg") == []


def test_workspaces_and_vaults(az: AzureCli) -> None:
    workspace = ("monitor", "log-analytics", "workspace")
    az(*workspace, "create", *PLACE, "logs", "--quota", "1.5")
    az(*workspace, "update", *PLACE, "logs", "--tags", "a=b")
    assert az(*workspace, "show", *PLACE, "logs")["workspaceCapping"]["dailyQuotaGb"] == 1.5
    assert az(*workspace, "get-shared-keys", *PLACE, "logs")["primarySharedKey"]
    az(*workspace, "delete", *PLACE, "logs", "--yes")

    az("keyvault", "create", *PLACE, "vault-1", "-l", "eastus2")
    az("keyvault", "update", *PLACE, "vault-1", "--enabled-for-deployment", "true")
    assert az("keyvault", "show", "-n", "vault-1")["properties"]["enabledForDeployment"] is True
    az("keyvault", "delete", "-n", "vault-1")
    assert [item["name"] for item in az("keyvault", "list-deleted")] == ["vault-1"]
    az("keyvault", "recover", "-n", "vault-1")
    az("keyvault", "delete", "-n", "vault-1")
    az("keyvault", "purge", "-n", "vault-1")
    assert az("keyvault", "list-deleted") == []


def test_registries_and_builds(az: AzureCli, tmp_path: Path) -> None:
    az("acr", "create", *PLACE, "registry1", "--sku", "Basic")
    az("acr", "update", "-n", "registry1", "--admin-enabled", "true")
    assert az("acr", "credential", "show", "-n", "registry1")["username"] == "registry1"
    assert az("acr", "check-name", "-n", "registry1")["nameAvailable"] is False
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM python:3.11-slim\nCOPY . .\nCMD python main.py\n")
    (context / "main.py").write_text("print(1)\n")

    az("acr", "build", "-r", "registry1", "-t", "app:1", str(context))
    assert az("acr", "repository", "list", "-n", "registry1") == ["app"]
    assert az("acr", "repository", "show-tags", "-n", "registry1", "--repository", "app") == ["1"]
    (context / "Dockerfile").write_text("FROM python:3.11-slim\nRUN --mount=type=cache,target=/x true\n")
    refused = az.run("acr", "build", "-r", "registry1", "-t", "app:2", str(context))
    assert "requires BuildKit" in refused.stdout + refused.stderr
    assert refused.returncode != 0
    az("acr", "repository", "delete", "-n", "registry1", "--repository", "app", "--yes")
    az("acr", "delete", "-n", "registry1", "--yes")
    assert _gone(az, "acr", "show", "-n", "registry1")


def test_postgresql_servers(az: AzureCli) -> None:
    server = ("postgres", "flexible-server")
    login = ("--admin-user", "dg", "--admin-password", "Abcd1234!x")
    size = ("--sku-name", "Standard_B1ms", "--tier", "Burstable")
    az(*server, "create", *PLACE, "server-1", "-l", "eastus2", *login, *size, "--public-access", "None", "--yes")
    az(*server, "update", *PLACE, "server-1", "--tags", "a=b")
    assert az(*server, "show", *PLACE, "server-1")["tags"] == {"a": "b"}
    parameter = ("-g", "rg", "-s", "server-1", "-n", "max_connections")
    az(*server, "parameter", "set", *parameter, "--value", "60", "--source", "user-override")
    assert az(*server, "parameter", "show", *parameter)["isConfigPendingRestart"] is True
    az(*server, "restart", *PLACE, "server-1")
    az(*server, "stop", *PLACE, "server-1")
    az(*server, "start", *PLACE, "server-1")
    az(*server, "delete", *PLACE, "server-1", "--yes")
    assert _gone(az, *server, "show", *PLACE, "server-1")


def test_caches_storage_and_networks(az: AzureCli) -> None:
    az("redis", "create", *PLACE, "cache-1", "-l", "eastus2", "--sku", "Basic", "--vm-size", "c0")
    first = az("redis", "list-keys", *PLACE, "cache-1")
    second = az("redis", "regenerate-keys", *PLACE, "cache-1", "--key-type", "Primary")
    assert second["primaryKey"] != first["primaryKey"]
    az("redis", "delete", *PLACE, "cache-1", "--yes")

    az("storage", "account", "create", *PLACE, "account1", "-l", "eastus2", "--sku", "Standard_LRS")
    key: list[Any] = az("storage", "account", "keys", "list", "-g", "rg", "-n", "account1")
    assert [item["keyName"] for item in key] == ["key1", "key2"]
    share = ("storage", "share-rm")
    az(*share, "create", "-g", "rg", "--storage-account", "account1", "-n", "data", "--quota", "5")
    assert [item["name"] for item in az(*share, "list", "-g", "rg", "--storage-account", "account1")] == ["data"]
    az("storage", "account", "delete", *PLACE, "account1", "--yes")

    az("network", "vnet", "create", *PLACE, "net", "-l", "eastus2", "--address-prefixes", "10.0.0.0/16")
    subnet = ("network", "vnet", "subnet")
    az(*subnet, "create", "-g", "rg", "--vnet-name", "net", "-n", "apps", "--address-prefixes", "10.0.0.0/23")
    assert az(*subnet, "show", "-g", "rg", "--vnet-name", "net", "-n", "apps")["addressPrefix"] == "10.0.0.0/23"
    az("network", "private-dns", "zone", "create", *PLACE, "a.private.test")
    az("network", "private-dns", "zone", "delete", *PLACE, "a.private.test", "--yes")
    az(*subnet, "delete", "-g", "rg", "--vnet-name", "net", "-n", "apps")
    az("network", "vnet", "delete", *PLACE, "net")
    assert az("network", "vnet", "list", "-g", "rg") == []
