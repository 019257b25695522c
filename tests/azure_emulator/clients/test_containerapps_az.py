"""Azure CLI makes, changes and deletes everything of Container Apps, at its defaults."""

from __future__ import annotations

from pathlib import Path

import pytest
from azure_cli import AzureCli
from emulator_client import AzureClient

pytestmark = [pytest.mark.program("az"), pytest.mark.slow, pytest.mark.timeout(900)]
G = ("-g", "rg")
APP = """
properties:
  configuration:
    ingress: {external: true, targetPort: 6333, transport: auto}
  template:
    containers:
    - {name: app, image: qdrant/qdrant:v1, resources: {cpu: 0.5, memory: 1Gi}}
    scale: {minReplicas: 1, maxReplicas: 2}
"""
JOB = """
properties:
  configuration:
    triggerType: Manual
    replicaTimeout: 300
    replicaRetryLimit: 1
    manualTriggerConfig: {parallelism: 1, replicaCompletionCount: 1}
  template:
    containers:
    - {name: job, image: "busybox:1", resources: {cpu: 0.25, memory: 0.5Gi}}
"""
DAPR = "componentType: state.redis\nversion: v1\nmetadata:\n- {name: a, value: b}\n"


@pytest.fixture
def az(azure: AzureClient, tmp_path: Path) -> AzureCli:
    return AzureCli(azure.attached, tmp_path)


@pytest.fixture
def app(az: AzureCli) -> AzureCli:
    """With an environment `env` and an app `one` in it."""
    az("containerapp", "env", "create", *G, "-n", "env", "--location", "eastus2", "--logs-destination", "none")
    ingress = ("--ingress", "external", "--target-port", "6333", "--min-replicas", "1")
    image = ("--image", "qdrant/qdrant:v1")
    settings = ("--secrets", "a=b", "--env-vars", "X=secretref:a")
    made = az("containerapp", "create", *G, "-n", "one", "--environment", "env", *image, *ingress, *settings)
    assert made["properties"]["workloadProfileName"] == "Consumption"
    return az


def test_environments_with_profiles_storages_and_components(az: AzureCli, tmp_path: Path) -> None:
    env = ("-n", "env")
    made = az("containerapp", "env", "create", *G, *env, "--location", "eastus2")  # with a workspace of its own
    assert made["properties"]["provisioningState"] == "Succeeded"
    assert made["properties"]["appLogsConfiguration"]["destination"] == "log-analytics"
    assert az("containerapp", "env", "update", *G, *env, "--tags", "a=1")["tags"] == {"a": "1"}
    profile = (
        "--workload-profile-name",
        "big",
        "--workload-profile-type",
        "D4",
        "--min-nodes",
        "1",
        "--max-nodes",
        "2",
    )
    az("containerapp", "env", "workload-profile", "add", *G, *env, *profile)
    listed = az("containerapp", "env", "workload-profile", "list", *G, *env)
    assert [item["name"] for item in listed] == ["Consumption", "big"]
    az("containerapp", "env", "workload-profile", "delete", *G, *env, "--workload-profile-name", "big")
    supported = az("containerapp", "env", "workload-profile", "list-supported", "-l", "eastus2")
    assert "E16" in {item["name"] for item in supported}
    assert az("containerapp", "list-usages", "-l", "eastus2")["value"][0]["currentValue"] == 1

    share = ("--azure-file-account-name", "acc", "--azure-file-account-key", "key", "--azure-file-share-name", "share")
    az(
        "containerapp",
        "env",
        "storage",
        "set",
        *G,
        *env,
        "--storage-name",
        "data",
        *share,
        "--access-mode",
        "ReadWrite",
    )
    assert [item["name"] for item in az("containerapp", "env", "storage", "list", *G, *env)] == ["data"]
    (tmp_path / "dapr.yaml").write_text(DAPR)
    component = ("--dapr-component-name", "state", "--yaml", str(tmp_path / "dapr.yaml"))
    az("containerapp", "env", "dapr-component", "set", *G, *env, *component)
    assert len(az("containerapp", "env", "dapr-component", "list", *G, *env)) == 1
    az("containerapp", "env", "delete", *G, *env, "--yes")
    assert az("containerapp", "env", "list", *G) == []


def test_an_app_is_changed_in_every_respect(app: AzureCli) -> None:
    one = (*G, "-n", "one")
    changed = app("containerapp", "update", *one, "--set-env-vars", "B=2", "--cpu", "1", "--memory", "2Gi")
    assert changed["properties"]["template"]["containers"][0]["resources"]["cpu"] == 1.0
    app("containerapp", "ingress", "update", *one, "--target-port", "6333", "--allow-insecure")
    app("containerapp", "ingress", "cors", "enable", *one, "--allowed-origins", "https://a.example.com")
    rule = ("--rule-name", "r", "--ip-address", "10.0.0.0/8", "--action", "Allow")
    app("containerapp", "ingress", "access-restriction", "set", *one, *rule)
    app("containerapp", "ingress", "sticky-sessions", "set", *one, "--affinity", "sticky")
    ingress = app("containerapp", "ingress", "show", *one)
    assert (ingress["allowInsecure"], ingress["stickySessions"]) == (True, {"affinity": "sticky"})
    assert ingress["ipSecurityRestrictions"][0]["name"] == "r"
    assert ingress["corsPolicy"]["allowedOrigins"] == ["https://a.example.com"]

    app("containerapp", "secret", "set", *one, "--secrets", "c=d")
    secrets = app("containerapp", "secret", "list", *one, "--show-values")
    assert {item["name"]: item["value"] for item in secrets} == {"a": "b", "c": "d"}
    app("containerapp", "secret", "remove", *one, "--secret-names", "c")
    app("containerapp", "registry", "set", *one, "--server", "ghcr.io", "--username", "u", "--password", "p")
    assert [item["server"] for item in app("containerapp", "registry", "list", *one)] == ["ghcr.io"]
    app("containerapp", "registry", "remove", *one, "--server", "ghcr.io")
    app("containerapp", "identity", "assign", *one, "--system-assigned")
    assert app("containerapp", "identity", "show", *one)["principalId"]
    app("containerapp", "dapr", "enable", *one, "--dapr-app-id", "one", "--dapr-app-port", "6333")
    app(
        "containerapp", "auth", "update", *one, "--enabled", "true", "--unauthenticated-client-action", "AllowAnonymous"
    )
    assert app("containerapp", "auth", "show", *one)["platform"]["enabled"] is True


def test_revisions_are_split_restarted_and_read(app: AzureCli, tmp_path: Path) -> None:
    one = (*G, "-n", "one")
    app("containerapp", "revision", "set-mode", *one, "--mode", "multiple")
    app("containerapp", "revision", "copy", *one, "--revision-suffix", "second")
    assert len(app("containerapp", "revision", "list", *one)) == 2
    label = ("--label", "green", "--revision", "one--second", "--yes")
    app("containerapp", "revision", "label", "add", *one, *label)
    app("containerapp", "ingress", "traffic", "set", *one, "--revision-weight", "latest=60", "one--second=40")
    for word in ("restart", "deactivate", "activate"):
        app("containerapp", "revision", word, *one, "--revision", "one--second")
    assert len(app("containerapp", "replica", "list", *one)) == 1
    assert "6333" in str(app("containerapp", "logs", "show", *one, "--format", "text"))
    app("containerapp", "logs", "show", *one, "--type", "system")
    (tmp_path / "app.yaml").write_text(APP)
    app("containerapp", "create", *G, "-n", "two", "--environment", "env", "--yaml", str(tmp_path / "app.yaml"))
    again = app("containerapp", "update", *G, "-n", "two", "--yaml", str(tmp_path / "app.yaml"))
    assert (
        again["properties"]["latestRevisionName"]
        == app("containerapp", "show", *G, "-n", "two")["properties"]["latestRevisionName"]
    )
    app("containerapp", "delete", *G, "-n", "two", "--yes")
    assert [item["name"] for item in app("containerapp", "list", *G)] == ["one"]


def test_jobs_are_made_started_changed_and_deleted(app: AzureCli, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    app("containerapp", "job", "create", *G, "-n", "job1", "--environment", "env", "--yaml", str(tmp_path / "job.yaml"))
    times = ("--trigger-type", "Schedule", "--cron-expression", "*/5 * * * *", "--replica-timeout", "300")
    image = ("--image", "busybox:1", "--replica-retry-limit", "0")
    app("containerapp", "job", "create", *G, "-n", "job2", "--environment", "env", *image, *times)
    started = app("containerapp", "job", "start", *G, "-n", "job1")
    executions = app("containerapp", "job", "execution", "list", *G, "-n", "job1")
    assert [item["name"] for item in executions] == [started["name"]]
    app("containerapp", "job", "update", *G, "-n", "job1", "--cpu", "0.5", "--memory", "1Gi")
    app("containerapp", "job", "secret", "set", *G, "-n", "job1", "--secrets", "k=v")
    app("containerapp", "job", "delete", *G, "-n", "job2", "--yes")
    assert [item["name"] for item in app("containerapp", "job", "list", *G)] == ["job1"]
