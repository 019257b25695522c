"""Many resources and long writes: listings come in pages, reads do not wait, the request log has an end."""

from __future__ import annotations

import json
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from azure.core.rest import HttpRequest
from emulator_client import BUILDS, AzureClient, Json, archive

from azure_emulator.core.messages import Principal, Request
from azure_emulator.core.requestlog import RequestLog
from azure_emulator.core.world import World
from azure_emulator.front import server
from azure_emulator.services.registry import building
from azure_emulator.services.registry.dockerfile import Context


def app_body(environment: str) -> Json:
    container = {"name": "app", "image": "qdrant/qdrant:v1", "resources": {"cpu": 0.25, "memory": "0.5Gi"}}
    return {
        "location": "eastus2",
        "properties": {
            "environmentId": environment,
            "configuration": {"ingress": {"external": True, "targetPort": 6333}},
            "template": {"containers": [container], "scale": {"minReplicas": 1}},
        },
    }


def pages(azure: AzureClient, path: str, version: str = "") -> list[list[Json]]:
    answer = azure.ok(azure.call("GET", path, version=version)).json()
    found = [answer["value"]]
    while answer.get("nextLink"):
        answer = azure.ok(azure.arm.send_request(HttpRequest("GET", answer["nextLink"]))).json()
        found.append(answer["value"])
    return found


def make_apps(azure: AzureClient, count: int) -> set[str]:
    environment = azure.make_environment()["id"]
    names = {f"app-{number}" for number in range(count)}
    for name in sorted(names):
        azure.ok(azure.call("PUT", f"Microsoft.App/containerApps/{name}", app_body(environment)))
    return names


def test_apps_are_listed_page_by_page_each_once(azure: AzureClient) -> None:
    names = make_apps(azure, 120)

    found = pages(azure, "Microsoft.App/containerApps")

    assert [len(page) for page in found] == [100, 20]
    assert {item["name"] for page in found for item in page} == names
    assert all(item["properties"]["latestRevisionName"] for page in found for item in page)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_thousand_apps_are_listed_and_one_of_them_is_read_meanwhile(azure: AzureClient) -> None:
    names = make_apps(azure, 2000)
    other = AzureClient(azure.attached)

    with ThreadPoolExecutor(1) as pool:
        listed = pool.submit(pages, other, "Microsoft.App/containerApps")
        reads = [azure.get("Microsoft.App/containerApps/app-7")["name"] for _ in range(20)]
        found = listed.result(300)

    assert set(reads) == {"app-7"}
    assert [len(page) for page in found] == [100] * 20
    assert {item["name"] for page in found for item in page} == names
    resources = pages(azure, f"{azure.group}/resources", "2025-04-01")
    assert [len(page) for page in resources] == [1000, 1000, 1]


def _arm(world: World, method: str, path: str, body: Any = None, version: str = "2025-11-01") -> server.Response:
    """A request as the owner of the subscription, in this process."""
    request = Request(method, "management.azure.com", path, {"api-version": version}, {}, json.dumps(body).encode())
    request.principal = Principal(world.identity.object_id, world.identity.client_id)
    return server._handled(world, request)


def test_a_read_is_answered_while_a_build_context_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    group = f"{world.subscription}/resourceGroups/rg"
    registry = f"{group}/providers/Microsoft.ContainerRegistry/registries/registry1"
    _arm(world, "POST", f"{world.subscription}/providers/Microsoft.ContainerRegistry/register", {}, "2025-04-01")
    _arm(world, "PUT", group, {"location": "eastus2"}, "2025-04-01")
    assert _arm(world, "PUT", registry, {"location": "eastus2", "sku": {"name": "Basic"}}).status == 201
    place = _arm(world, "POST", f"{registry}/listBuildSourceUploadUrl", {}, BUILDS).body
    address = urllib.parse.urlsplit(place["uploadUrl"])
    query = {key.lower(): value for key, value in urllib.parse.parse_qsl(address.query)}
    content = archive({"Dockerfile": "FROM scratch\n"})
    upload = Request("PUT", str(address.hostname), address.path, query, {"x-ms-blob-type": "BlockBlob"}, content)
    assert server._handled(world, upload).status == 201
    unpacking, go_on = threading.Event(), threading.Event()
    read = Context.read

    def slow(data: bytes) -> Context:
        unpacking.set()
        assert go_on.wait(60)
        return read(data)

    monkeypatch.setattr(building.Context, "read", slow)
    run = {
        "type": "DockerBuildRequest",
        "sourceLocation": place["relativePath"],
        "dockerFilePath": "Dockerfile",
        "imageNames": ["app:1"],
        "platform": {"os": "Linux", "architecture": "amd64"},
    }
    with ThreadPoolExecutor(1) as pool:
        scheduled = pool.submit(_arm, world, "POST", f"{registry}/scheduleRun", run, BUILDS)
        assert unpacking.wait(60)
        assert _arm(world, "GET", registry).status == 200
        assert not scheduled.done()
        go_on.set()
        assert scheduled.result(60).status == 200


def test_the_request_log_is_at_most_two_files_of_a_size(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log = RequestLog(path, largest=10_000)

    for number in range(500):
        log.write(Request("GET", "management.azure.com", f"/{number}", {}, {}), 200, 0.0)

    assert sorted(item.name for item in tmp_path.iterdir()) == ["requests.1.jsonl", "requests.jsonl"]
    assert all(item.stat().st_size <= 10_000 for item in tmp_path.iterdir())
    last = [json.loads(line)["path"] for line in path.read_text().splitlines()]
    before = [json.loads(line)["path"] for line in (tmp_path / "requests.1.jsonl").read_text().splitlines()]
    assert [*before, *last] == [f"/{number}" for number in range(500 - len(last) - len(before), 500)]
    assert path.stat().st_mode & 0o777 == 0o600
