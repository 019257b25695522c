"""Other people's clients, unchanged but for proxy and CA file: Azure CLI, Azure's own SDKs at their defaults, curl."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.storage.blob import BlobClient
from emulator_client import BUILDS, SECRETS_OFFICER, AzureClient, Json, archive
from programs import program

from azure_emulator.attach import Attached

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
SAFE = ("PATH", "HOME", "LANG", "SYSTEMROOT", "TEMP", "TMP", "USERPROFILE")


def variables(attached: Attached) -> dict[str, str]:
    """Return the variables of `--env`, without any of the developer's own Azure."""
    return {
        **{name: os.environ[name] for name in SAFE if name in os.environ},
        "HTTPS_PROXY": attached.proxy_url,
        "REQUESTS_CA_BUNDLE": str(attached.ca_file),
        "AZURE_TENANT_ID": attached.tenant_id,
        "AZURE_CLIENT_ID": attached.client_id,
        "AZURE_CLIENT_SECRET": attached.client_secret,
        "AZURE_SUBSCRIPTION_ID": attached.subscription_id,
    }


@pytest.fixture
def environment(emulator: Attached, monkeypatch: pytest.MonkeyPatch) -> Attached:
    """This process with those variables set."""
    for name in list(os.environ):
        if name.upper().startswith(("AZURE_", "HTTP", "NO_PROXY", "ALL_PROXY")) or name == "no_proxy":
            monkeypatch.delenv(name)
    for name, value in variables(emulator).items():
        monkeypatch.setenv(name, value)
    return emulator


@pytest.fixture
def vault(azure: AzureClient) -> str:
    """The address of a vault that the login may write to."""
    made = azure.make_vault()
    azure.assign(made["id"], SECRETS_OFFICER, azure.attached.object_id)
    return str(made["properties"]["vaultUri"])


# Azure's SDKs at their defaults


def test_a_context_is_uploaded_by_the_storage_sdk(azure: AzureClient, environment: Attached) -> None:
    registry = azure.make_registry()["id"]
    address: Json = azure.call("POST", f"{registry}/listBuildSourceUploadUrl", version=BUILDS).json()
    context = archive({"Dockerfile": "FROM python:3.11-slim\nEXPOSE 8000\nCMD python main.py\n"})

    with BlobClient.from_blob_url(address["uploadUrl"]) as client:
        client.upload_blob(context, overwrite=True)
        with pytest.raises(HttpResponseError) as unreadable:
            client.download_blob()
    with BlobClient.from_blob_url(address["uploadUrl"], max_single_put_size=100, max_block_size=128) as client:
        client.upload_blob(context, overwrite=True)

    assert unreadable.value.status_code == 403
    request = {
        "type": "DockerBuildRequest",
        "sourceLocation": address["relativePath"],
        "dockerFilePath": "Dockerfile",
        "imageNames": ["a:1"],
        "platform": {"os": "Linux"},
    }
    run = azure.ok(azure.call("POST", f"{registry}/scheduleRun", request, version=BUILDS)).json()
    assert azure.get(run["id"], BUILDS)["properties"]["status"] == "Succeeded"


def test_secrets_are_set_read_listed_and_deleted_by_the_vault_sdk(vault: str, environment: Attached) -> None:
    with DefaultAzureCredential() as credential, SecretClient(vault, credential) as client:
        first = client.set_secret("one", "1", content_type="text/plain", tags={"a": "b"})
        second = client.set_secret("one", "2")

        assert client.get_secret("one").value == "2"
        assert client.get_secret("one", first.properties.version).value == "1"
        assert first.properties.version != second.properties.version
        assert [item.name for item in client.list_properties_of_secrets()] == ["one"]
        assert len(list(client.list_properties_of_secret_versions("one"))) == 2
        with pytest.raises(ResourceNotFoundError):
            client.get_secret("two")

        deleted = client.begin_delete_secret("one").result()
        assert (deleted.name, client.get_deleted_secret("one").name) == ("one", "one")
        assert [item.name for item in client.list_deleted_secrets()] == ["one"]
        with pytest.raises(ResourceExistsError):
            client.set_secret("one", "3")
        client.begin_recover_deleted_secret("one").result()
        assert client.get_secret("one").value == "2"
        client.begin_delete_secret("one").wait()
        client.purge_deleted_secret("one")
        assert client.set_secret("one", "3").value == "3"


@pytest.mark.parametrize("version", ["7.0", "7.3", "7.4", None])
def test_what_is_said_of_a_secret_is_changed_without_a_new_version(
    vault: str, environment: Attached, version: str | None
) -> None:
    """As Terraform's azurerm and the Azure CLI change tags, type and times; older clients send older versions."""
    pinned = {} if version is None else {"api_version": version}
    with DefaultAzureCredential() as credential, SecretClient(vault, credential, **pinned) as client:
        first = client.set_secret("one", "1", content_type="text/plain", tags={"a": "b"})

        changed = client.update_secret_properties("one", tags={"c": "d"})
        typed = client.update_secret_properties("one", first.properties.version, content_type="application/json")

        assert changed.version == typed.version == first.properties.version
        assert (typed.tags, typed.content_type) == ({"c": "d"}, "application/json")
        assert len(list(client.list_properties_of_secret_versions("one"))) == 1
        read = client.get_secret("one")
        assert (read.value, read.properties.tags, read.properties.enabled) == ("1", {"c": "d"}, True)
        client.update_secret_properties("one", enabled=False)
        with pytest.raises(HttpResponseError):
            client.get_secret("one")
        with pytest.raises(ResourceNotFoundError):
            client.update_secret_properties("two", tags={})


def test_groups_are_listed_by_the_management_sdk(azure: AzureClient, environment: Attached) -> None:
    with (
        DefaultAzureCredential() as credential,
        ResourceManagementClient(credential, environment.subscription_id) as client,
    ):
        assert [group.name for group in client.resource_groups.list()] == ["rg"]


# curl


@pytest.mark.program("curl")
def test_curl_reads_a_group_through_the_proxy(azure: AzureClient, emulator: Attached) -> None:
    url = f"https://management.azure.com{azure.group}?api-version=2025-04-01"
    token = azure.token("https://management.azure.com")
    command = ["curl", "--silent", "--show-error", "--proxy", emulator.proxy_url, "--cacert", str(emulator.ca_file)]

    answer = subprocess.run(
        [*command, "--header", f"Authorization: Bearer {token}", url], capture_output=True, text=True, timeout=60
    )
    elsewhere = subprocess.run([*command, "https://example.com/"], capture_output=True, text=True, timeout=60)

    assert json.loads(answer.stdout)["name"] == "rg", answer.stderr
    assert elsewhere.returncode != 0
    assert "403" in elsewhere.stderr


# The variables that a client needs


@pytest.fixture
def printed(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Return the output of `python -m azure_emulator --env FORM` while it runs."""
    running: list[subprocess.Popen[str]] = []

    def start(form: str) -> str:
        command = [
            sys.executable,
            "-m",
            "azure_emulator",
            "--directory",
            str(tmp_path / "e m'u"),
            "--env",
            form,
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        return "".join(process.stdout.readline() for _ in range(6))

    yield start
    for process in running:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.program("bash")
def test_the_variables_for_bash_can_be_sourced(printed: Callable[[str], str], tmp_path: Path) -> None:
    script = tmp_path / "variables.sh"
    script.write_text(printed("bash"))
    command = f'source \'{script}\'; printf \'%s\\n\' "$HTTPS_PROXY" "$REQUESTS_CA_BUNDLE" "$AZURE_CLIENT_SECRET"'

    proxy, bundle, secret = subprocess.run(
        ["bash", "-eu", "-c", command], capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()

    assert proxy.startswith("http://127.0.0.1:")
    assert "BEGIN CERTIFICATE" in Path(bundle).read_text()
    assert len(secret) > 20


def test_the_variables_for_powershell_and_env_files_are_quoted(printed: Callable[[str], str]) -> None:
    powershell = printed("powershell").splitlines()

    assert all(line.startswith("$env:") and line.endswith("'") for line in powershell)
    assert any("e m''u" in line for line in powershell)


def test_an_env_file_has_a_name_and_a_value_in_each_line(printed: Callable[[str], str]) -> None:
    values = dict(line.split("=", 1) for line in printed("dotenv").splitlines())

    assert set(values) == set(variables_named())
    assert values["REQUESTS_CA_BUNDLE"].strip('"').endswith("e m'u/ca.pem")


def variables_named() -> list[str]:
    names = ["TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "SUBSCRIPTION_ID"]
    return ["HTTPS_PROXY", "REQUESTS_CA_BUNDLE", *(f"AZURE_{name}" for name in names)]


# Azure CLI


@pytest.fixture
def az(azure: AzureClient, tmp_path: Path) -> Callable[..., Any]:
    """Azure CLI, logged in as a service principal."""
    environment = {
        **{name: value for name, value in variables(azure.attached).items() if not name.startswith("AZURE_")},
        "AZURE_CONFIG_DIR": str(tmp_path / "az"),
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
    }

    def run(*words: str) -> Any:
        done = subprocess.run([program("az"), *words], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"az {' '.join(words)}: {done.stderr[-1500:]}"
        try:
            return json.loads(done.stdout) if done.stdout.strip() else None
        except ValueError:
            return done.stdout

    attached = azure.attached
    password = f"--password={attached.client_secret}"  # in one word: one secret of many begins with a hyphen
    run("login", "--service-principal", "--username", attached.client_id, password, "--tenant", attached.tenant_id)
    return run


@pytest.mark.program("az")
def test_azure_cli_reads_groups_resources_and_roles(azure: AzureClient, az: Callable[..., Any]) -> None:
    identity = azure.make_identity()
    azure.assign(azure.group, READER, identity["properties"]["principalId"])

    assert az("group", "show", "-n", "rg")["location"] == "eastus2"
    assert [item["name"] for item in az("group", "list")] == ["rg"]
    assert [item["name"] for item in az("resource", "list", "-g", "rg")] == ["app-id"]
    assert az("resource", "show", "--ids", identity["id"])["properties"]["principalId"]
    assert az("identity", "show", "-g", "rg", "-n", "app-id")["clientId"] == identity["properties"]["clientId"]
    roles = az("role", "assignment", "list", "-g", "rg")
    assert [(item["roleDefinitionName"], item["principalName"]) for item in roles] == [
        ("Reader", identity["properties"]["clientId"])
    ]
    address = f"{azure.group}?api-version=2025-04-01"
    assert az("rest", "--method", "get", "--url", address)["name"] == "rg"


@pytest.mark.slow
@pytest.mark.program("az")
def test_azure_cli_reads_apps_and_their_logs(azure: AzureClient, az: Callable[..., Any]) -> None:
    environment = azure.make_environment()
    container = {"name": "app", "image": "qdrant/qdrant:v1", "resources": {"cpu": 0.5, "memory": "1Gi"}}
    properties = {
        "environmentId": environment["id"],
        "configuration": {"ingress": {"external": True, "targetPort": 6333}},
        "template": {"containers": [container], "scale": {"minReplicas": 1}},
    }
    azure.put("Microsoft.App/containerApps/app", {"location": "eastus2", "properties": properties})

    assert az("containerapp", "show", "-g", "rg", "-n", "app")["properties"]["runningStatus"] == "Running"
    assert [item["name"] for item in az("containerapp", "list", "-g", "rg")] == ["app"]
    assert "6333" in str(az("containerapp", "logs", "show", "-g", "rg", "-n", "app", "--format", "text"))
    assert len(az("containerapp", "revision", "list", "-g", "rg", "-n", "app")) == 1
    assert az("containerapp", "env", "show", "-g", "rg", "-n", "env")["properties"]["staticIp"]


@pytest.mark.slow
@pytest.mark.program("az")
def test_azure_cli_reads_secrets_and_registries(azure: AzureClient, vault: str, az: Callable[..., Any]) -> None:
    azure.make_registry()
    azure.ok(azure.call("PUT", "Microsoft.KeyVault/vaults/vault-1/secrets/one", {"properties": {"value": "1"}}))

    assert [item["name"] for item in az("keyvault", "secret", "list", "--vault-name", "vault-1")] == ["one"]
    assert az("keyvault", "secret", "show", "--vault-name", "vault-1", "-n", "one")["value"] == "1"
    assert az("acr", "show", "-n", "registry1")["loginServer"] == "registry1.azurecr.io"
    assert az("acr", "task", "list", "-r", "registry1") == []
    assert az("acr", "login", "-n", "registry1", "--expose-token")["accessToken"]


@pytest.mark.program("az")
def test_azure_cli_reads_databases_and_caches(azure: AzureClient, az: Callable[..., Any]) -> None:
    server = {
        "location": "eastus2",
        "sku": {"name": "Standard_B1ms", "tier": "Burstable"},
        "properties": {
            "version": "16",
            "administratorLogin": "dg",
            "administratorLoginPassword": "Aa1!aaaa-password",
            "storage": {"storageSizeGB": 32},
        },
    }
    azure.put("Microsoft.DBforPostgreSQL/flexibleServers/server-1", server)
    sku = {"name": "Basic", "family": "C", "capacity": 0}
    azure.put("Microsoft.Cache/redis/cache-1", {"location": "eastus2", "properties": {"sku": sku}})

    assert az("postgres", "flexible-server", "show", "-g", "rg", "-n", "server-1")["state"] == "Ready"
    assert az("redis", "show", "-g", "rg", "-n", "cache-1")["provisioningState"] == "Succeeded"
