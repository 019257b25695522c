"""Container Apps jobs and their executions."""

from __future__ import annotations

from typing import Any

import pytest
from emulator_client import AzureClient, Json

from azure_emulator.attach import Attached

JOB = "Microsoft.App/jobs/migrate"


def body(azure: AzureClient, **container: Any) -> Json:
    environment = f"{azure.group}/providers/Microsoft.App/managedEnvironments/env"
    return {
        "location": "eastus2",
        "properties": {
            "environmentId": environment,
            "workloadProfileName": "Consumption",
            "configuration": {
                "triggerType": "manual",
                "replicaTimeout": 1800,
                "replicaRetryLimit": 0,
                "manualTriggerConfig": {"parallelism": 1, "replicaCompletionCount": 1},
            },
            "template": {"containers": [{"name": "job", "image": "docker.io/acme/migrate:1", **container}]},
        },
    }


@pytest.fixture
def ready(azure: AzureClient) -> AzureClient:
    azure.make_environment()
    return azure


def test_put_answers_201_always_and_get_shows_azures_spelling(ready: AzureClient) -> None:
    first = ready.call("PUT", JOB, body(ready))
    assert (first.status_code, ready.status(first)) == (201, "Succeeded")

    again = ready.call("PUT", JOB, body(ready))

    assert again.status_code == 201
    assert ready.status(again) == "Succeeded"
    configuration = ready.get(JOB)["properties"]["configuration"]
    assert (configuration["triggerType"], configuration["secrets"]) == ("Manual", None)
    patched = ready.call("PATCH", JOB, {"properties": {"configuration": {"replicaTimeout": 60}}})
    assert (patched.status_code, "Azure-AsyncOperation" in patched.headers) == (202, False)
    assert ready.poll(patched.headers["Location"]).json()["properties"]["configuration"]["replicaTimeout"] == 60


def test_each_start_begins_one_more_execution(ready: AzureClient, emulator: Attached) -> None:
    ready.put(JOB, body(ready))
    emulator.control("POST", "/control/settings", {"scale": 1})

    names = [ready.call("POST", f"{JOB}/start").json()["name"] for _ in range(2)]

    assert len(set(names)) == 2
    running = ready.get(f"{JOB}/executions/{names[0]}")["properties"]
    assert (running["status"], "endTime" in running) == ("Running", False)
    assert ready.call("POST", f"{JOB}/executions/{names[1]}/stop").status_code == 200
    emulator.control("POST", "/control/clock", {"advance": 90})
    statuses = {item["name"]: item["properties"]["status"] for item in ready.get(f"{JOB}/executions")["value"]}
    assert statuses == {names[0]: "Succeeded", names[1]: "Stopped"}


def test_an_execution_may_be_started_with_another_template(ready: AzureClient) -> None:
    ready.put(JOB, body(ready))
    override = {
        "containers": [{"name": "job", "image": "docker.io/acme/migrate:2", "env": [{"name": "RUN", "value": "7"}]}]
    }

    name = ready.call("POST", f"{JOB}/start", override).json()["name"]

    container = ready.get(f"{JOB}/executions/{name}")["properties"]["template"]["containers"][0]
    assert container["env"] == [{"name": "RUN", "value": "7"}]


def test_a_declared_failure_ends_as_failed_with_its_log(ready: AzureClient, emulator: Attached) -> None:
    images = {"acme/migrate": {"job": {"exit_code": 3, "log": "relation exists"}}}
    emulator.control("POST", "/control/settings", {"images": images})
    ready.put(JOB, body(ready))

    name = ready.call("POST", f"{JOB}/start").json()["name"]

    assert ready.get(f"{JOB}/executions/{name}")["properties"]["status"] == "Failed"
    replica = ready.get(f"{JOB}/executions/{name}/replicas")["value"][0]["properties"]["containers"][0]
    assert "exit code 3" in replica["runningStateDetails"]
    token = ready.call("POST", f"{JOB}/getAuthtoken").json()["properties"]["token"]
    log = ready.http("GET", replica["logStreamEndpoint"], Authorization=f"Bearer {token}")
    assert "relation exists" in log.text


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"triggerType": "Schedule"}, "ContainerAppsJobInvalidTriggerConfig"),
        ({"ingress": {}}, "InvalidRequestContent"),
    ],
)
def test_a_job_that_azure_would_refuse_is_refused(ready: AzureClient, change: Json, code: str) -> None:
    """learn.microsoft.com/azure/container-apps/jobs; PyPI azure-mgmt-appcontainers."""
    sent = body(ready)
    sent["properties"]["configuration"] |= change

    assert ready.error(ready.call("PUT", JOB, sent)) == code
    probes = body(ready, probes=[{"type": "Liveness", "tcpSocket": {"port": 1}}])
    assert ready.call("PUT", JOB, probes).status_code == 400


def test_a_deleted_job_is_gone_with_its_executions(ready: AzureClient) -> None:
    ready.put(JOB, body(ready))
    ready.ok(ready.call("POST", f"{JOB}/start"))

    deletion = ready.call("DELETE", JOB)

    assert (deletion.status_code, ready.poll(deletion.headers["Location"]).status_code) == (202, 204)
    ready.put(JOB, body(ready))
    assert ready.get(f"{JOB}/executions")["value"] == []
