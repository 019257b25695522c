"""Requests as clients send them: versions of Go's SDK, methods that a type does not have, pages, Docker's push."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from emulator_client import ACR_PULL, AzureClient, Json

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"


# Resource Manager


@pytest.mark.parametrize("version", ["2016-09-01", "2019-05-01", "2022-09-01", "2025-04-01"])
def test_providers_are_read_and_registered_in_the_versions_of_every_client(bare: AzureClient, version: str) -> None:
    """Every Go client sends 2019-05-01."""
    path = f"{bare.subscription}/providers/Microsoft.App"

    bare.ok(bare.call("POST", f"{path}/register", version=version))

    assert bare.get(path, version)["registrationState"] == "Registered"


@pytest.mark.parametrize("version", ["2023-07-01", "2024-11-01", "2025-04-01"])
def test_a_group_is_made_in_the_versions_of_every_client(bare: AzureClient, version: str) -> None:
    bare.ok(bare.call("PUT", bare.group, {"location": "eastus2", "name": "rg"}, version))

    assert bare.get(bare.group, version)["name"] == "rg"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "Microsoft.KeyVault/vaults/vault-1/secrets/one"),
        ("PATCH", "Microsoft.Authorization/locks/keep"),
        ("PUT", "Microsoft.Authorization/permissions/x"),
        ("POST", f"{IDENTITY}/app-id"),
        ("PUT", IDENTITY),
        ("GET", "Microsoft.Cache/redis/cache-1/listKeys"),
        ("DELETE", "Microsoft.ContainerRegistry/registries/registry1/scheduleRun"),
    ],
)
def test_a_method_that_is_not_there_is_refused_before_anything_else(azure: AzureClient, method: str, path: str) -> None:
    """Before the lock that would stop it, and before the resource that is missing."""
    lock = f"{azure.group}/providers/Microsoft.Authorization/locks/all"
    azure.ok(azure.call("PUT", lock, {"properties": {"level": "ReadOnly"}}))
    version = "2025-03-01-preview" if path.endswith("scheduleRun") else ""

    answer = azure.call(method, path, {} if method in ("PUT", "PATCH") else None, version)

    assert (answer.status_code, azure.error(answer)) == (405, "HttpMethodNotSupported")
    assert method not in answer.headers["Allow"]


def test_a_long_list_comes_in_pages_of_whole_bodies(azure: AzureClient) -> None:
    names = {f"identity-{number:03}" for number in range(103)}
    for name in names:
        azure.ok(azure.call("PUT", f"{IDENTITY}/{name}", {"location": "eastus2"}))
    pages: list[list[Json]] = []
    answer = azure.get(IDENTITY)
    while True:
        pages.append(answer["value"])
        if "nextLink" not in answer:
            break
        answer = azure.ok(azure.poll(answer["nextLink"])).json()

    assert [len(page) for page in pages] == [100, 3]
    assert {item["name"] for page in pages for item in page} == names
    assert all(item["properties"]["principalId"] for page in pages for item in page)
    assert len(azure.ok(azure.call("GET", f"{IDENTITY}?$top=2")).json()["value"]) == 2


# A registry's own address


LAYER = b"a layer"
CONFIG = json.dumps({"architecture": "amd64", "os": "linux", "config": {"ExposedPorts": {"8080/tcp": {}}}}).encode()


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Docker:
    """Pushes as Docker's client does: it asks for a token with user and password, then sends blobs and manifest."""

    def __init__(self, azure: AzureClient, user: str, password: str) -> None:
        self.azure, self.server = azure, "https://registry1.azurecr.io"
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        query = "service=registry1.azurecr.io&scope=repository:app:pull,push"
        answer = azure.http("GET", f"{self.server}/oauth2/token?{query}", Authorization=f"Basic {basic}")
        self.status = answer.status
        self.token = answer.json().get("access_token", "") if answer.status == 200 else ""

    def send(self, method: str, path: str, data: bytes | None = None, **headers: str) -> Any:
        url = path if path.startswith("https:") else f"{self.server}{path}"
        return self.azure.http(method, url, data, Authorization=f"Bearer {self.token}", **headers)

    def push(self, tag: str) -> int:
        """The status of the first request that is refused, or of the last."""
        for content in (CONFIG, LAYER):
            begun = self.send("POST", "/v2/app/blobs/uploads/", b"")
            if begun.status != 202:
                return int(begun.status)
            place = begun.headers["Location"]
            self.send("PATCH", place, content, Content_Type="application/octet-stream")
            ended = self.send("PUT", f"{place}&digest={_digest(content)}", b"")
            assert ended.status == 201
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "c", "size": len(CONFIG), "digest": _digest(CONFIG)},
            "layers": [{"mediaType": "l", "size": len(LAYER), "digest": _digest(LAYER)}],
        }
        kind = str(manifest["mediaType"])
        return int(
            self.send("PUT", f"/v2/app/manifests/{tag}", json.dumps(manifest).encode(), Content_Type=kind).status
        )


@pytest.fixture
def registry(azure: AzureClient) -> str:
    registry = str(azure.make_registry()["id"])
    azure.ok(azure.call("PATCH", registry, {"properties": {"adminUserEnabled": True}}))
    return registry


def test_the_challenge_names_the_scope(azure: AzureClient, registry: str) -> None:
    """Recorded by github.com/Azure/azure-sdk-for-js; `/v2/` alone names none."""
    for path, scope in (
        ("/v2/", ""),
        ("/v2/_catalog", "registry:catalog:*"),
        ("/v2/app/manifests/1", "repository:app:pull"),
        ("/acr/v1/app/_tags", "repository:app:metadata_read"),
    ):
        answer = azure.http("GET", f"https://registry1.azurecr.io{path}")
        challenge = answer.headers["WWW-Authenticate"]
        assert answer.status == 401
        assert challenge.startswith('Bearer realm="https://registry1.azurecr.io/oauth2/token",service=')
        assert (f'scope="{scope}"' in challenge) if scope else ("scope" not in challenge)


def test_an_image_is_pushed_by_the_admin_user_and_by_a_service_principal(azure: AzureClient, registry: str) -> None:
    admin = azure.call("POST", f"{registry}/listCredentials").json()

    assert Docker(azure, admin["username"], admin["passwords"][1]["value"]).push("1") == 201
    assert Docker(azure, azure.attached.client_id, azure.attached.client_secret).push("2") == 201
    assert Docker(azure, admin["username"], "wrong").status == 401
    reader = Docker(azure, azure.attached.client_id, azure.attached.client_secret)
    assert json.loads(reader.send("GET", "/v2/app/tags/list").text)["tags"] == ["1", "2"]
    assert reader.send("GET", f"/v2/app/blobs/{_digest(LAYER)}").text.encode() == LAYER


def test_who_may_pull_alone_does_not_push(azure: AzureClient, registry: str) -> None:
    made = azure.attached.control("POST", "/control/principals", {"roles": [{"role": ACR_PULL, "scope": registry}]})

    assert Docker(azure, made["client_id"], made["client_secret"]).push("1") == 401


def test_what_a_build_made_can_be_pulled_and_checked(azure: AzureClient, registry: str) -> None:
    azure.build(registry, {"Dockerfile": "FROM python:3.11-slim\nEXPOSE 8000\nCMD python main.py\n"})
    docker = Docker(azure, azure.attached.client_id, azure.attached.client_secret)

    answer = docker.send("GET", "/v2/app/manifests/1")

    assert _digest(answer.text.encode()) == answer.headers["Docker-Content-Digest"]
    manifest = json.loads(answer.text)
    config = docker.send("GET", f"/v2/app/blobs/{manifest['config']['digest']}").text
    assert _digest(config.encode()) == manifest["config"]["digest"]
    assert json.loads(config)["config"]["ExposedPorts"] == {"8000/tcp": {}}
