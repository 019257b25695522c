"""What Azure refuses, and what is not served here, is refused: never taken and then not done."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from emulator_client import AzureClient, Json, server_body

APP, JOB = "Microsoft.App/containerApps/app", "Microsoft.App/jobs/job"
SERVER = "Microsoft.DBforPostgreSQL/flexibleServers/pg-1"
IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"


# PostgreSQL: copies of a server


@pytest.mark.parametrize("mode", ["PointInTimeRestore", "GeoRestore", "Replica", "ReviveDropped", "Update"])
def test_a_copy_of_a_server_is_refused_instead_of_an_empty_server(azure: AzureClient, mode: str) -> None:
    body = server_body(createMode=mode, sourceServerResourceId=f"{azure.group}/providers/{SERVER}-source")

    operation = azure.operation(azure.ok(azure.call("PUT", SERVER, body)))

    assert (operation["status"], operation["error"]["code"]) == ("Failed", "InvalidParameterValue")
    assert azure.call("GET", SERVER).status_code == 404


@pytest.mark.parametrize(
    "change",
    [{"replicationRole": "AsyncReplica"}, {"replica": {"promoteMode": "Standalone", "promoteOption": "Forced"}}],
)
def test_a_server_becomes_no_replica(azure: AzureClient, change: Json) -> None:
    azure.put(SERVER, server_body())

    operation = azure.operation(azure.ok(azure.call("PATCH", SERVER, {"properties": change})))

    assert (operation["status"], operation["error"]["code"]) == ("Failed", "InvalidParameterValue")
    shown = azure.get(SERVER)["properties"]
    assert (shown["replicationRole"], shown["state"]) == ("Primary", "Ready")
    azure.put(SERVER, server_body(createMode="Default", replicationRole="Primary", replica={"role": "Primary"}))


# Jobs: the schedule

CONTAINER = {"name": "main", "image": "mcr.microsoft.com/main:1", "resources": {"cpu": 0.5, "memory": "1Gi"}}


def job_body(azure: AzureClient, expression: Any) -> Json:
    schedule = {"cronExpression": expression, "parallelism": 1, "replicaCompletionCount": 1}
    configuration = {"triggerType": "Schedule", "replicaTimeout": 60, "scheduleTriggerConfig": schedule}
    environment = f"{azure.group}/providers/Microsoft.App/managedEnvironments/env"
    properties = {"environmentId": environment, "configuration": configuration, "template": {"containers": [CONTAINER]}}
    return {"location": "eastus2", "properties": properties}


def test_a_schedule_is_a_cron_expression_of_five_fields(azure: AzureClient) -> None:
    azure.make_environment()
    good = [
        "* * * * *", "*/5 * * * *", "20 0,1,2 * * *", "20 0-2 * * *", "0 9 1-15/2 JAN-MAR mon-fri", "5,35 * 29 2 1",
        "0 0 * * 7",
    ]  # fmt: skip
    bad = [
        "", "bad", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *",
        "* * * FOO *", "* * * * 8", "*/0 * * * *", "5-1 * * * *", "1- * * * *", ",1 * * * *", "1,,2 * * * *",
        "+1 * * * *", "@daily", "-1 * * * *",
    ]  # fmt: skip

    answers = {text: azure.call("PUT", JOB, job_body(azure, text)) for text in [*bad, *good]}

    assert [text for text in good if answers[text].status_code != 201] == []
    assert [text for text in bad if answers[text].status_code != 400] == []
    assert {azure.error(answers[text]) for text in bad} == {"InvalidCronExpression"}
    changed = {"properties": {"configuration": {"scheduleTriggerConfig": {"cronExpression": "bad"}}}}
    assert azure.error(azure.call("PATCH", JOB, changed)) == "InvalidCronExpression"


# Apps and jobs: what runs before their containers


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "main"}, "InvalidParameterValueInContainerTemplate"),
        ({"image": "UPPER CASE"}, "InvalidParameterValueInContainerTemplate"),
        ({"env": [{"name": "A", "secretRef": "none"}]}, "ContainerAppSecretRefNotFound"),
        ({"volumeMounts": [{"volumeName": "none", "mountPath": "/x"}]}, "InvalidParameterValueInContainerTemplate"),
    ],
)
def test_an_init_container_is_checked_as_any_other(azure: AzureClient, change: Json, code: str) -> None:
    azure.make_environment()
    first = {**CONTAINER, "name": "before"}
    environment = f"{azure.group}/providers/Microsoft.App/managedEnvironments/env"

    def body(*before: Json) -> Json:
        template = {"containers": [CONTAINER], "initContainers": list(before)}
        return {"location": "eastus2", "properties": {"environmentId": environment, "template": template}}

    azure.put(APP, body(first))

    refused = azure.call("PUT", APP, body({**first, **change}))

    assert (refused.status_code, azure.error(refused)) == (400, code)


# The registry: manifests


@pytest.mark.parametrize(
    ("manifest", "media"),
    [
        ({}, IMAGE), ({"schemaVersion": 1}, IMAGE), ({"schemaVersion": 2}, IMAGE), ({"schemaVersion": 2}, INDEX),
        ({"schemaVersion": 2, "config": {}, "layers": []}, IMAGE),
        ({"schemaVersion": 2, "config": "x", "layers": []}, IMAGE),
        ({"schemaVersion": 2, "config": {"digest": "x"}, "layers": 5}, IMAGE),
        ({"schemaVersion": 2, "manifests": ["x"]}, INDEX), ({"schemaVersion": 2, "manifests": {"a": "b"}}, INDEX),
        ({"schemaVersion": 2, "config": {"digest": "x"}, "layers": ["x"]}, IMAGE),
        ({"schemaVersion": 2, "mediaType": INDEX, "config": {"digest": "x"}, "layers": []}, IMAGE),
        ([], IMAGE), ("x", IMAGE),
        ({"schemaVersion": 2, "config": {"digest": 5}, "layers": []}, IMAGE),
        ({"schemaVersion": 2, "manifests": [], "subject": "x"}, INDEX),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_not_kept_as_one(azure: AzureClient, manifest: Any, media: str) -> None:
    status, code, tags = _push(azure, json.dumps(manifest).encode(), media)

    assert (status, code, tags) == (400, "MANIFEST_INVALID", 404)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}", '{"schemaVersion": 2}'.encode("utf-16"), b"[" * 100_000])
def test_bytes_that_are_no_json_are_no_manifest(azure: AzureClient, content: bytes) -> None:
    assert _push(azure, content, IMAGE) == (400, "MANIFEST_INVALID", 404)


def test_an_empty_index_is_a_manifest(azure: AzureClient) -> None:
    assert _push(azure, json.dumps({"schemaVersion": 2, "manifests": []}).encode(), INDEX) == (201, "", 200)


def _push(azure: AzureClient, content: bytes, media: str) -> tuple[int, str, int]:
    """Status and code of the push of a manifest, and the status of its repository's tags then."""
    azure.make_registry()
    base = "https://registry1.azurecr.io"
    registry = "Microsoft.ContainerRegistry/registries/registry1"
    azure.ok(azure.call("PATCH", registry, {"properties": {"adminUserEnabled": True}}))
    found = azure.ok(azure.call("POST", f"{registry}/listCredentials")).json()
    basic = base64.b64encode(f"{found['username']}:{found['passwords'][0]['value']}".encode()).decode()
    signed = {"Authorization": f"Basic {basic}"}
    reference = f"sha256:{hashlib.sha256(content).hexdigest()}"
    answer = azure.http("PUT", f"{base}/v2/app/manifests/{reference}", content, Content_Type=media, **signed)
    code = answer.json()["errors"][0]["code"] if answer.status >= 400 else ""
    return answer.status, code, azure.http("GET", f"{base}/v2/app/tags/list", **signed).status
