"""Registries, builds in them, and their own address."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from emulator_client import BUILDS, AzureClient, Json, archive

from azure_emulator.attach import Attached

DOCKERFILE = "FROM python:3.11-slim\nWORKDIR /app\nCOPY app/ /app/\nEXPOSE 8080\nCMD python main.py\n"
FILES = {"Dockerfile": DOCKERFILE, "app/main.py": "print(1)\n"}
UPLOAD = "listBuildSourceUploadUrl"


@pytest.fixture
def registry(azure: AzureClient) -> str:
    return str(azure.make_registry()["id"])


def test_put_answers_201_on_an_existing_registry_too(azure: AzureClient, registry: str) -> None:
    again = azure.call("PUT", registry, {"location": "eastus2", "sku": {"name": "Basic"}, "properties": {}})

    assert (again.status_code, again.json()["properties"]["provisioningState"]) == (201, "Updating")
    assert azure.operation(again) == {"status": "Succeeded"}
    shown = azure.get(registry)
    assert shown["properties"]["roleAssignmentMode"] == "LegacyRegistryPermissions"
    assert shown["sku"] == {"name": "Basic", "tier": "Basic"}
    assert azure.call("PATCH", registry, {"tags": {"a": "b"}}).status_code == 200
    assert azure.call("PATCH", registry, {"identity": {"type": "SystemAssigned"}}).status_code == 201


def test_names_are_taken_in_the_whole_world(azure: AzureClient, registry: str) -> None:
    """The code is that of a transcript in github.com/MicrosoftDocs/azure-dev-docs issue 1303."""
    azure.ok(azure.call("PUT", f"{azure.subscription}/resourceGroups/other", {"location": "eastus2"}))
    path = registry.replace("/resourceGroups/rg/", "/resourceGroups/other/")
    check = f"{azure.subscription}/providers/Microsoft.ContainerRegistry/checkNameAvailability"
    kind = "Microsoft.ContainerRegistry/registries"

    answer = azure.call("PUT", path, {"location": "eastus2", "sku": {"name": "Basic"}})
    taken = azure.call("POST", check, {"name": "registry1", "type": kind}, "2025-11-01").json()
    free = azure.call("POST", check, {"name": "registry2", "type": kind}, "2025-11-01").json()

    assert (answer.status_code, azure.error(answer)) == (409, "AlreadyInUse")
    assert answer.json()["status"] == "Failed"
    assert (taken["nameAvailable"], taken["reason"]) == (False, "AlreadyExists")
    assert free == {"availableLoginServerName": "registry2.azurecr.io", "nameAvailable": True}


@pytest.mark.parametrize(
    "properties",
    [{"zoneRedundancy": "Enabled"}, {"publicNetworkAccess": "Disabled"}, {"unknown": 1}],
)
def test_a_basic_registry_refuses_what_only_premium_has_and_what_is_unknown(
    azure: AzureClient, properties: Json
) -> None:
    """learn.microsoft.com/azure/container-registry/container-registry-skus."""
    body = {"location": "eastus2", "sku": {"name": "Basic"}, "properties": properties}

    assert azure.call("PUT", "Microsoft.ContainerRegistry/registries/registry1", body).status_code == 400


def test_admin_credentials_need_the_admin_user(azure: AzureClient, registry: str) -> None:
    """Recorded traffic of Azure/azure-cli."""
    assert azure.call("POST", f"{registry}/listCredentials").status_code == 400
    azure.ok(azure.call("PATCH", registry, {"properties": {"adminUserEnabled": True}}))

    credentials = azure.call("POST", f"{registry}/listCredentials").json()

    assert credentials["username"] == "registry1"
    assert len({item["value"] for item in credentials["passwords"]}) == 2


def test_a_build_pushes_an_image_whose_digest_depends_on_its_content_alone(azure: AzureClient, registry: str) -> None:
    first, again = azure.build(registry, FILES), azure.build(registry, FILES)
    other = azure.build(registry, {**FILES, "app/main.py": "print(2)\n"})

    runs = [run["properties"] for run in (first, again, other)]
    assert [run["runId"] for run in runs] == ["ch1", "ch2", "ch3"]
    assert [run["status"] for run in runs] == ["Succeeded"] * 3
    digests = [run["outputImages"][0]["digest"] for run in runs]
    assert digests[0] == digests[1] != digests[2]
    assert runs[0]["outputImages"][0] | {"digest": ""} == {
        "registry": "registry1.azurecr.io",
        "repository": "app",
        "tag": "1",
        "digest": "",
    }


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"Other": "FROM x\n"}, "unable to prepare context"),
        ({"Dockerfile": DOCKERFILE}, "COPY failed: file not found in build context"),
        ({**FILES, ".dockerignore": "app\n"}, "COPY failed: file not found in build context"),
        ({"Dockerfile": "FROM x\nRUN exit 3\n"}, "returned a non-zero code: 3"),
        ({"Dockerfile": "FROM x\nCOPY *.lock /\n"}, "no source files were specified"),
    ],
)
def test_a_build_fails_as_docker_would_and_says_so_in_its_log(
    azure: AzureClient, registry: str, files: dict[str, str], text: str
) -> None:
    """docs.docker.com/build; PyPI azure-cli, acr module, reads the log's metadata."""
    run = azure.build(registry, files)

    assert run["properties"]["status"] == "Failed"
    link = azure.call("POST", f"{run['id']}/listLogSasUrl", version=BUILDS).json()["logLink"]
    log = azure.http("GET", link)
    assert text in log.text
    assert log.headers["x-ms-meta-complete"] == "failed"


def test_exceptions_of_an_ignore_file_stay_in_the_context(azure: AzureClient, registry: str) -> None:
    run = azure.build(registry, {**FILES, ".dockerignore": "**\n!Dockerfile\n!app/**\n"})

    assert run["properties"]["status"] == "Succeeded"


def test_one_correlation_id_overwrites_its_own_upload_all_day(azure: AzureClient, registry: str) -> None:
    def path(correlation: str) -> str:
        answer = azure.call("POST", f"{registry}/{UPLOAD}", version=BUILDS, x_ms_correlation_request_id=correlation)
        return str(answer.json()["relativePath"])

    assert path("one") == path("one") != path("two")


def test_an_upload_address_neither_reads_nor_outlives_its_hour_nor_takes_another_blob(
    azure: AzureClient, registry: str, emulator: Attached
) -> None:
    """Recorded traffic of Azure/azure-dev: sp=cw and an hour in the address."""
    url = azure.call("POST", f"{registry}/{UPLOAD}", version=BUILDS).json()["uploadUrl"]

    assert azure.http("GET", url).status == 403
    assert azure.http("PUT", url.replace(".tar.gz", ".zip"), b"x", x_ms_blob_type="BlockBlob").status == 403
    emulator.control("POST", "/control/clock", {"advance": 3700})
    assert azure.http("PUT", url, b"x", x_ms_blob_type="BlockBlob").status == 403


def test_an_upload_may_come_in_blocks(azure: AzureClient, registry: str) -> None:
    address = azure.call("POST", f"{registry}/{UPLOAD}", version=BUILDS).json()
    content, url = archive(FILES), address["uploadUrl"]
    for number, piece in (("MQ==", content[:100]), ("Mg==", content[100:])):
        assert azure.http("PUT", f"{url}&{urlencode({'comp': 'block', 'blockid': number})}", piece).status == 201
    blocks = b"<BlockList><Latest>MQ==</Latest><Latest>Mg==</Latest></BlockList>"
    assert azure.http("PUT", f"{url}&comp=blocklist", blocks).status == 201

    request = {
        "type": "DockerBuildRequest",
        "sourceLocation": address["relativePath"],
        "dockerFilePath": "Dockerfile",
        "imageNames": ["app:1"],
        "platform": {"os": "Linux"},
    }
    run = azure.ok(azure.call("POST", f"{registry}/scheduleRun", request, BUILDS)).json()

    assert azure.get(run["id"], BUILDS)["properties"]["status"] == "Succeeded"


def test_a_run_goes_through_its_states_and_its_log_appears_when_it_begins(
    azure: AzureClient, registry: str, emulator: Attached
) -> None:
    """Recorded traffic of Azure/azure-dev; PyPI azure-cli, acr module."""
    emulator.control("POST", "/control/settings", {"scale": 1})
    run = azure.build(registry, FILES)
    link = azure.call("POST", f"{run['id']}/listLogSasUrl", version=BUILDS).json()["logLink"]

    assert run["properties"]["status"] == "Queued"
    early = azure.http("HEAD", link)
    assert (early.status, early.headers["x-ms-error-code"]) == (404, "BlobNotFound")
    emulator.control("POST", "/control/clock", {"advance": 20})
    assert azure.get(run["id"], BUILDS)["properties"]["status"] == "Running"
    part = azure.http("GET", link, x_ms_range="bytes=0-9")
    assert (part.status, len(part.text)) == (206, 10)
    assert azure.call("POST", f"{run['id']}/cancel", version=BUILDS).status_code == 200
    assert azure.get(run["id"], BUILDS)["properties"]["status"] == "Canceled"


def test_tasks_may_be_closed_to_a_subscription(azure: AzureClient, registry: str, emulator: Attached) -> None:
    """learn.microsoft.com/azure/container-registry/container-registry-tasks-overview;
    Azure-Samples/azure-search-openai-demo issue 2220."""
    emulator.control("POST", "/control/settings", {"tasks_allowed": False})
    request = {"type": "DockerBuildRequest", "dockerFilePath": "Dockerfile", "platform": {"os": "Linux"}}

    answer = azure.call("POST", f"{registry}/scheduleRun", request, BUILDS)

    assert (answer.status_code, azure.error(answer)) == (400, "TasksOperationsNotAllowed")
    assert answer.json()["error"]["target"] == "request"


def test_a_tag_is_found_by_manifest_with_a_token_of_the_registry(azure: AzureClient, registry: str) -> None:
    """OCI distribution specification; PyPI azure-cli, acr/_docker_utils.py."""
    digest = azure.build(registry, FILES)["properties"]["outputImages"][0]["digest"]
    base = "https://registry1.azurecr.io"
    closed = azure.http("HEAD", f"{base}/v2/app/manifests/1")
    assert (
        closed.status,
        'realm="https://registry1.azurecr.io/oauth2/token"' in closed.headers["WWW-Authenticate"],
    ) == (401, True)
    form = {
        "grant_type": "access_token",
        "service": "registry1.azurecr.io",
        "access_token": azure.token("https://management.azure.com"),
    }
    refresh = azure.http("POST", f"{base}/oauth2/exchange", urlencode(form).encode()).json()["refresh_token"]

    def access(scope: str) -> str:
        form = {
            "grant_type": "refresh_token",
            "service": "registry1.azurecr.io",
            "scope": scope,
            "refresh_token": refresh,
        }
        answer = azure.http("POST", f"{base}/oauth2/token", urlencode(form).encode()).json()
        return f"Bearer {answer['access_token']}"

    pull = access("repository:app:pull")
    found = azure.http("HEAD", f"{base}/v2/app/manifests/1", Authorization=pull)
    missing = azure.http("GET", f"{base}/v2/app/manifests/2", Authorization=pull)
    tags = azure.http("GET", f"{base}/acr/v1/app/_tags/1", Authorization=access("repository:app:metadata_read"))

    assert (found.status, found.headers["Docker-Content-Digest"]) == (200, digest)
    assert (missing.status, missing.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")
    assert tags.json()["tag"]["digest"] == digest
    assert azure.http("GET", f"{base}/acr/v1/app/_tags/1", Authorization=pull).status == 401


def test_a_named_run_runs_once_for_one_tag(azure: AzureClient, registry: str) -> None:
    azure.build(registry, FILES)
    request = {
        "type": "DockerBuildRequest",
        "sourceLocation": "none",
        "dockerFilePath": "Dockerfile",
        "platform": {"os": "Linux"},
        "arguments": [{"name": "A", "value": "hidden", "isSecret": True}],
    }
    path, body = f"{registry}/taskRuns/build-1", {"properties": {"runRequest": request, "forceUpdateTag": "a"}}

    first, again = azure.call("PUT", path, body, BUILDS), azure.call("PUT", path, body, BUILDS)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["properties"]["runResult"]["name"] == again.json()["properties"]["runResult"]["name"] == "ch2"
    assert "hidden" not in again.text()


@pytest.mark.parametrize("properties", [True, [], "x", {"runRequest": []}, {"runRequest": {"sourceLocation": {}}}])
def test_a_named_run_of_another_shape_is_refused(azure: AzureClient, registry: str, properties: object) -> None:
    answer = azure.call("PUT", f"{registry}/taskRuns/odd", {"properties": properties}, BUILDS)

    assert answer.status_code == 400, answer.text()
