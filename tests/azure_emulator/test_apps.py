"""Container Apps: environments, apps, revisions, ingress."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.rest import HttpResponse
from emulator_client import ACR_PULL, SECRETS_USER, AzureClient, Json, environment_body

from azure_emulator.attach import Attached

ENVIRONMENT = "Microsoft.App/managedEnvironments/env"
APP = "Microsoft.App/containerApps/api"
MAIN = 'import os\n\nSECRET = os.environ["JWT_SECRET"]\nROUTES = {"/health": 1, "/api/items": 2}\n'
FILES = {"Dockerfile": "FROM python:3.11\nCOPY app/ /app/\nEXPOSE 8080\nCMD python main.py\n", "app/main.py": MAIN}


class Stage:
    """All that an app needs, and its body."""

    def __init__(self, azure: AzureClient) -> None:
        self.azure = azure
        self.environment = azure.make_environment()
        self.identity = azure.make_identity()
        self.registry = azure.make_registry()
        self.vault = azure.make_vault()
        secret = {"properties": {"value": "top secret"}}
        azure.ok(azure.call("PUT", f"{self.vault['id']}/secrets/jwt", secret))
        self.principal = str(self.identity["properties"]["principalId"])
        self.pull = azure.ok(azure.assign(self.registry["id"], ACR_PULL, self.principal)).json()["id"]
        self.read = azure.ok(azure.assign(self.vault["id"], SECRETS_USER, self.principal)).json()["id"]
        run = azure.build(self.registry["id"], FILES)
        image = run["properties"]["outputImages"][0]
        self.image = f"{image['registry']}/{image['repository']}@{image['digest']}"

    def body(self, **template: Any) -> Json:
        identity = self.identity["id"]
        url = "https://vault-1.vault.azure.net/secrets/jwt"
        return {
            "location": "eastus2",
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}},
            "properties": {
                "environmentId": self.environment["id"],
                "workloadProfileName": "Consumption",
                "configuration": {
                    "ingress": {"external": True, "targetPort": 8080, "transport": "auto"},
                    "registries": [{"server": "registry1.azurecr.io", "identity": identity}],
                    "secrets": [{"name": "jwt", "keyVaultUrl": url, "identity": identity}],
                },
                "template": {
                    "containers": [
                        {
                            "name": "app",
                            "image": self.image,
                            "resources": {"cpu": 0.5, "memory": "1Gi"},
                            "env": [{"name": "JWT_SECRET", "secretRef": "jwt"}],
                            "probes": [{"type": "Readiness", "httpGet": {"path": "/health", "port": 8080}}],
                        }
                    ],
                    "scale": {"minReplicas": 1, "maxReplicas": 2},
                    **template,
                },
            },
        }

    def deploy(self, body: Json | None = None) -> HttpResponse:
        return self.azure.call("PUT", APP, body or self.body())

    def revision(self) -> Json:
        properties = self.azure.get(APP)["properties"]
        shown: Json = self.azure.get(f"{APP}/revisions/{properties['latestRevisionName']}")["properties"]
        return shown

    def replica(self) -> Json:
        name = self.azure.get(APP)["properties"]["latestRevisionName"]
        replica: Json = self.azure.get(f"{APP}/revisions/{name}/replicas")["value"][0]["properties"]
        return replica


@pytest.fixture
def stage(azure: AzureClient) -> Stage:
    return Stage(azure)


# Environments


def test_an_environment_goes_through_its_states_and_refuses_apps_meanwhile(
    azure: AzureClient, emulator: Attached
) -> None:
    """Azure/azure-dev error_suggestions.yaml; PyPI azure-mgmt-appcontainers."""
    emulator.control("POST", "/control/settings", {"scale": 1})
    created = azure.call("PUT", ENVIRONMENT, environment_body())
    assert (created.status_code, created.json()["properties"]["provisioningState"]) == (201, "Waiting")
    assert created.json()["properties"]["defaultDomain"].endswith(".eastus2.azurecontainerapps.io")
    emulator.control("POST", "/control/clock", {"advance": 100})
    assert azure.get(ENVIRONMENT)["properties"]["provisioningState"] == "InfrastructureSetupInProgress"

    container = {"name": "app", "image": "nginx"}
    body = {"environmentId": created.json()["id"], "template": {"containers": [container]}}
    early = azure.call("PUT", APP, {"location": "eastus2", "properties": body})

    assert azure.error(early) == "ManagedEnvironmentNotReadyForAppCreation"
    emulator.control("POST", "/control/clock", {"advance": 60})
    assert azure.get(ENVIRONMENT)["properties"]["provisioningState"] == "Succeeded"


def test_an_environment_answers_200_where_nothing_changes(azure: AzureClient) -> None:
    azure.make_environment()

    same = azure.call("PUT", ENVIRONMENT, environment_body())
    changed = azure.call("PUT", ENVIRONMENT, {**environment_body(), "tags": {"a": "b"}})
    assert azure.status(changed) == "Succeeded"
    patched = azure.call("PATCH", ENVIRONMENT, {"tags": {"a": "c"}})

    assert (same.status_code, "Azure-AsyncOperation" in same.headers) == (200, False)
    assert (changed.status_code, changed.json()["properties"]["provisioningState"]) == (201, "Updating")
    assert (patched.status_code, patched.text()) == (202, "")
    assert azure.poll(patched.headers["Location"]).json()["tags"] == {"a": "c"}


def test_the_shared_key_of_the_logs_is_needed_and_never_comes_back(azure: AzureClient) -> None:
    """github.com/microsoft/azure-container-apps issue 66."""
    analytics = {"customerId": "c", "sharedKey": "very-secret-key"}
    body = environment_body()
    body["properties"]["appLogsConfiguration"] = {"destination": "log-analytics"}
    assert azure.call("PUT", ENVIRONMENT, body).status_code == 400
    body["properties"]["appLogsConfiguration"]["logAnalyticsConfiguration"] = analytics

    shown = azure.put(ENVIRONMENT, body)

    assert shown["properties"]["appLogsConfiguration"]["logAnalyticsConfiguration"]["sharedKey"] is None


def test_an_environment_with_apps_is_not_deleted(azure: AzureClient, stage: Stage) -> None:
    """github.com/microsoft/azure-container-apps issue 1012."""
    azure.ok(stage.deploy())

    refused = azure.call("DELETE", ENVIRONMENT)

    assert azure.error(refused) == "ManagedEnvironmentHasContainerApps"
    assert "still contains 1 ContainerApps" in refused.json()["error"]["message"]
    gone = azure.call("DELETE", APP)
    assert (gone.status_code, azure.poll(gone.headers["Location"]).status_code) == (202, 204)
    deletion = azure.call("DELETE", ENVIRONMENT)
    assert azure.poll(deletion.headers["Location"]).status_code == 204


def test_a_storage_keeps_its_key_to_itself(azure: AzureClient) -> None:
    """Recorded traffic of Azure/azure-cli-extensions."""
    environment = azure.make_environment()
    path = f"{environment['id']}/storages/data"
    file = {"accountName": "a", "accountKey": "key", "shareName": "s", "accessMode": "ReadWrite"}

    created = azure.call("PUT", path, {"properties": {"azureFile": file}})

    assert created.status_code == 200
    assert "accountKey" not in created.json()["properties"]["azureFile"]
    assert azure.call("DELETE", path).status_code == 200
    assert azure.error(azure.call("GET", path)) == "ManagedEnvironmentStorageNotFound"


# Apps: what PUT and GET say


def test_put_echoes_the_request_and_get_fills_it_in(azure: AzureClient, stage: Stage) -> None:
    created, again = stage.deploy(), None
    assert created.status_code == 201
    assert "Location" not in created.headers
    echo = created.json()["properties"]
    assert echo["provisioningState"] == "InProgress"
    assert "latestRevisionName" not in echo
    assert echo["configuration"]["ingress"]["fqdn"] is None
    assert azure.status(created) == "Succeeded"

    shown = azure.get(APP)

    assert shown["id"].endswith("/Microsoft.App/containerapps/api")
    assert (shown["location"], shown["type"]) == ("East US 2", "Microsoft.App/containerApps")
    properties = shown["properties"]
    assert properties["latestReadyRevisionName"] == properties["latestRevisionName"]
    ingress = properties["configuration"]["ingress"]
    assert ingress["fqdn"] == f"api.{stage.environment['properties']['defaultDomain']}"
    assert (ingress["transport"], ingress["exposedPort"]) == ("Auto", 0)
    assert ingress["traffic"] == [{"weight": 100, "latestRevision": True}]
    assert properties["template"]["scale"]["cooldownPeriod"] == 300
    assert properties["template"]["containers"][0]["resources"]["ephemeralStorage"] == "2Gi"
    assert properties["workloadProfileName"] == "Consumption"
    assert next(iter(shown["identity"]["userAssignedIdentities"].values()))["principalId"] == stage.principal
    again = stage.deploy()
    assert again.status_code == 201
    azure.status(again)
    assert azure.get(APP)["properties"]["latestRevisionName"] == properties["latestRevisionName"]


def test_a_patch_of_the_whole_get_changes_nothing_and_one_of_the_image_makes_a_revision(
    azure: AzureClient, stage: Stage
) -> None:
    azure.status(stage.deploy())
    shown = azure.get(APP)

    same = azure.call("PATCH", APP, shown)
    assert (same.status_code, same.text(), azure.status(same)) == (202, "", "Succeeded")
    unchanged = azure.get(APP)["properties"]["latestRevisionName"]
    template = {"containers": [{**shown["properties"]["template"]["containers"][0], "image": "nginx:latest"}]}
    changed = azure.call("PATCH", APP, {"properties": {"template": template}})
    assert azure.status(changed) == "Succeeded"

    assert unchanged == shown["properties"]["latestRevisionName"]
    assert azure.get(APP)["properties"]["latestRevisionName"] == "api--0000001"
    assert azure.poll(changed.headers["Location"]).json()["name"] == "api"


def test_a_second_change_during_the_first_is_refused(azure: AzureClient, stage: Stage, emulator: Attached) -> None:
    """github.com/microsoft/azure-container-apps issue 1731."""
    azure.status(stage.deploy())
    emulator.control("POST", "/control/settings", {"scale": 1})
    azure.ok(stage.deploy(stage.body(scale={"minReplicas": 1, "maxReplicas": 5})))

    second = stage.deploy()

    assert (second.status_code, azure.error(second)) == (409, "ContainerAppOperationInProgress")


def set_at(body: Json, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    target: Any = body["properties"]
    for part in parents:
        target = target[int(part)] if part.isdigit() else target[part]
    target[int(last) if last.isdigit() else last] = value


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("environmentId", "/subscriptions/none", "InvalidEnvironmentId"),
        ("workloadProfileName", "D4", "WorkloadProfileNotFound"),
        ("configuration.secrets.0.keyVaultUrl", "http://x", "ContainerAppSecretKeyVaultUrlInvalid"),
        ("configuration.secrets.0.name", "other", "ContainerAppSecretRefNotFound"),
        ("configuration.secrets.0", {"name": "jwt"}, "ContainerAppSecretInvalid"),
        ("configuration.secrets.0.identity", "/subscriptions/x/id", "ContainerAppIdentityNotAssigned"),
        ("configuration.ingress.exposedPort", 5672, "ContainerAppInvalidIngressExposedPort"),
        ("configuration.ingress", {"transport": "tcp", "targetPort": 443}, "ContainerAppInvalidIngressExposedPort"),
        (
            "configuration.ingress",
            {"transport": "tcp", "targetPort": 1, "external": True},
            "ContainerAppTcpRequiresVnet",
        ),
        ("configuration.nonsense", 1, "InvalidRequestContent"),
        ("template.containers.0.resources.memory", "2Gi", "ContainerAppInvalidResourceTotal"),
        ("template.containers.0.image", "Not An Image", "InvalidParameterValueInContainerTemplate"),
        ("template.containers.0.probes.0.periodSeconds", 500, "InvalidRequestContent"),
        ("template.containers.0.env", [{"name": "A", "secretRef": "x"}], "ContainerAppSecretRefNotFound"),
        ("template.scale.minReplicas", 3, "ContainerAppInvalidScaleSpec"),
        ("template.revisionSuffix", "Bad_Suffix", "InvalidParameterValueInContainerTemplate"),
        (
            "template.volumes",
            [{"name": "v", "storageType": "AzureFile", "storageName": "x"}],
            "InvalidParameterValueInContainerTemplate",
        ),
    ],
)
def test_a_body_that_azure_would_refuse_is_refused(
    azure: AzureClient, stage: Stage, path: str, value: Any, code: str
) -> None:
    """learn.microsoft.com/azure/container-apps: containers, ingress-overview, manage-secrets, health-probes;
    Azure/azure-dev error_suggestions.yaml."""
    body = copy.deepcopy(stage.body())
    set_at(body, path, value)

    answer = stage.deploy(body)

    assert (answer.status_code, azure.error(answer)) == (400, code)
    assert azure.call("GET", APP).status_code == 404


@pytest.mark.parametrize("name", ["A", "1api", "api-", "a--b", "a" * 33])
def test_names_follow_the_rule(azure: AzureClient, stage: Stage, name: str) -> None:
    """PyPI azure-cli containerapp; learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules."""
    answer = azure.call("PUT", f"Microsoft.App/containerApps/{name}", stage.body())

    assert azure.error(answer) == "ContainerAppInvalidName"


def test_a_reference_is_resolved_with_the_identitys_role_while_put_is_answered(
    azure: AzureClient, stage: Stage
) -> None:
    """github.com/microsoft/azure-container-apps issues 1159, 722 and 930."""
    azure.ok(azure.call("DELETE", stage.read))

    answer = stage.deploy()

    assert (answer.status_code, azure.error(answer)) == (400, "InvalidParameterValueInContainerTemplate")
    assert "Unable to get value using Managed identity" in answer.json()["error"]["message"]


def test_a_used_suffix_cannot_come_again(azure: AzureClient, stage: Stage) -> None:
    """learn.microsoft.com/azure/container-apps/revisions; terraform-provider-azurerm, containerapps."""
    for suffix in ("one", "two"):
        assert azure.status(stage.deploy(stage.body(revisionSuffix=suffix))) == "Succeeded"

    assert azure.get(APP)["properties"]["latestRevisionName"] == "api--two"
    assert stage.deploy(stage.body(revisionSuffix="one")).status_code == 400
    assert [item["name"] for item in azure.get(f"{APP}/revisions")["value"]] == ["api--one", "api--two"]


def test_what_the_single_mode_replaced_stays_inactive_in_another_mode(azure: AzureClient, stage: Stage) -> None:
    """learn.microsoft.com/azure/container-apps/application-lifecycle-management: it is deactivated."""
    for suffix in ("one", "two"):
        azure.status(stage.deploy(stage.body(revisionSuffix=suffix)))
    body = stage.body(revisionSuffix="three")
    body["properties"]["configuration"]["activeRevisionsMode"] = "Multiple"
    azure.status(stage.deploy(body))

    found = {item["name"]: item["properties"]["active"] for item in azure.get(f"{APP}/revisions")["value"]}

    assert found == {"api--one": False, "api--two": True, "api--three": True}


@pytest.mark.parametrize(
    ("mode", "kept"), [("Single", ["four", "five", "six"]), ("Multiple", ["one", "four", "five", "six"])]
)
def test_the_oldest_inactive_revisions_are_purged(azure: AzureClient, stage: Stage, mode: str, kept: list[str]) -> None:
    """learn.microsoft.com/azure/container-apps/revisions: maxInactiveRevisions; what has a share of traffic stays."""
    body = stage.body()
    body["properties"]["configuration"] |= {"maxInactiveRevisions": 2, "activeRevisionsMode": mode}
    template = body["properties"]["template"]
    for number, suffix in enumerate(["one", "two", "three", "four", "five", "six"]):
        template["revisionSuffix"] = suffix
        azure.status(stage.deploy(body))
        if number == 0:
            share = {"revisionName": "api--one", "weight": 0}, {"latestRevision": True, "weight": 100}
            body["properties"]["configuration"]["ingress"]["traffic"] = list(share) if mode == "Multiple" else None
        elif mode == "Multiple" and suffix != "six":
            azure.ok(azure.call("POST", f"{APP}/revisions/api--{suffix}/deactivate"))

    found = [item["name"] for item in azure.get(f"{APP}/revisions")["value"]]

    assert found == [f"api--{suffix}" for suffix in kept]
    template["revisionSuffix"] = "two"
    assert stage.deploy(body).status_code == 400  # used, though gone


# Revisions and what they do


def test_a_good_revision_runs_and_its_address_answers_what_the_app_answers(azure: AzureClient, stage: Stage) -> None:
    azure.status(stage.deploy())
    url = f"https://api.{stage.environment['properties']['defaultDomain']}"

    revision = stage.revision()
    assert (revision["runningState"], revision["healthState"], revision["provisioningState"]) == (
        "Running", "Healthy", "Provisioned",
    )  # fmt: skip
    container = stage.replica()["containers"][0]
    assert (container["ready"], container["restartCount"], container["runningState"]) == (True, 0, "Running")
    assert azure.http("GET", f"{url}/health").json() == {"status": "ok", "service": "api"}
    assert azure.http("GET", f"{url}/nothing").status == 404


Breakage = Callable[[Json], None]


def no_variable(body: Json) -> None:
    body["properties"]["template"]["containers"][0]["env"] = []


def wrong_port(body: Json) -> None:
    body["properties"]["configuration"]["ingress"]["targetPort"] = 9000


def wrong_probe(body: Json) -> None:
    body["properties"]["template"]["containers"][0]["probes"][0]["httpGet"]["path"] = "/healthz"


def no_image(body: Json) -> None:
    body["properties"]["template"]["containers"][0]["image"] = "registry1.azurecr.io/app:gone"


@pytest.mark.parametrize(
    ("breakage", "running", "details"),
    [
        (no_variable, "Failed", "1/1 Container crashing: app"),
        (wrong_port, "ActivationFailed", "The TargetPort 9000 does not match the listening port 8080."),
        (wrong_probe, "Failed", "statuscode: 404"),
        (no_image, "Activating", "MANIFEST_UNKNOWN"),
    ],
)
def test_a_first_revision_that_never_gets_ready_expires_and_says_why(
    azure: AzureClient, stage: Stage, breakage: Breakage, running: str, details: str
) -> None:
    """terraform-provider-azurerm issues 22432 and 23289."""
    body = stage.body()
    breakage(body)

    status = azure.operation(stage.deploy(body))

    assert (status["status"], status["error"]["code"]) == ("Failed", "ContainerAppOperationError")
    assert "Operation expired" in status["error"]["message"]
    shown = azure.get(APP)["properties"]
    assert (shown["provisioningState"], shown["deploymentErrors"]) == ("Failed", "Operation expired")
    assert shown["latestReadyRevisionName"] is None
    revision = stage.revision()
    assert revision["runningState"] == running
    assert details in revision["runningStateDetails"]
    ingress = azure.http("GET", f"https://api.{stage.environment['properties']['defaultDomain']}/health")
    assert (ingress.status, ingress.text) == (504, "stream timeout")


def test_path_of_a_probe_may_have_a_query(azure: AzureClient, stage: Stage) -> None:
    """It belongs to the address, not to what the container serves."""
    body = stage.body()
    body["properties"]["template"]["containers"][0]["probes"][0]["httpGet"]["path"] += "?full=true"

    assert azure.status(stage.deploy(body)) == "Succeeded"


def test_an_update_that_crashes_succeeds_while_the_old_revision_serves(azure: AzureClient, stage: Stage) -> None:
    azure.status(stage.deploy())
    body = stage.body()
    no_variable(body)

    assert azure.status(stage.deploy(body)) == "Succeeded"

    shown = azure.get(APP)["properties"]
    first = azure.get(f"{APP}/revisions")["value"][0]["name"]
    assert (shown["latestReadyRevisionName"], shown["latestRevisionName"]) == (first, "api--0000001")
    assert azure.http("GET", f"https://api.{stage.environment['properties']['defaultDomain']}/health").status == 200


def test_the_same_body_again_waits_for_the_revision_that_never_got_ready(azure: AzureClient, stage: Stage) -> None:
    azure.ok(azure.call("DELETE", stage.pull))
    assert azure.status(stage.deploy()) == "Failed"
    assert azure.status(stage.deploy()) == "Failed"

    azure.ok(azure.assign(stage.registry["id"], ACR_PULL, stage.principal))

    assert azure.status(stage.deploy()) == "Succeeded"
    assert len(azure.get(f"{APP}/revisions")["value"]) == 1
    assert "deploymentErrors" not in azure.get(APP)["properties"]


def test_a_crashed_container_leaves_exit_code_log_and_event(
    azure: AzureClient, stage: Stage, emulator: Attached
) -> None:
    body = stage.body()
    no_variable(body)
    azure.operation(stage.deploy(body))

    container = stage.replica()["containers"][0]
    restarts = container["restartCount"]
    assert "exit code 1" in container["runningStateDetails"]
    token = azure.call("POST", f"{APP}/getAuthtoken").json()["properties"]["token"]
    log = azure.http("GET", f"{container['logStreamEndpoint']}?tailLines=50", Authorization=f"Bearer {token}")
    assert "KeyError: 'JWT_SECRET'" in log.text
    lines = azure.http("GET", f"{container['logStreamEndpoint']}?output=json", Authorization=f"Bearer {token}").text
    assert json.loads(lines.splitlines()[0])["Log"].startswith("Traceback")
    assert azure.http("GET", container["logStreamEndpoint"]).status == 401
    events = azure.get(APP)["properties"]["eventStreamEndpoint"]
    assert "exit code '1'" in azure.http("GET", events, Authorization=f"Bearer {token}").text
    emulator.control("POST", "/control/clock", {"advance": 300})
    assert stage.replica()["containers"][0]["restartCount"] > restarts


def test_without_acr_pull_the_image_is_not_pulled_until_the_role_is_there(
    azure: AzureClient, stage: Stage, emulator: Attached
) -> None:
    """learn.microsoft.com/azure/container-apps/managed-identity-image-pull."""
    azure.ok(azure.call("DELETE", stage.pull))
    emulator.control("POST", "/control/settings", {"scale": 1})
    emulator.control("POST", "/control/clock", {"advance": 300})
    created = stage.deploy()
    emulator.control("POST", "/control/clock", {"advance": 120})
    assert azure.operation(created)["status"] == "InProgress"
    assert "UNAUTHORIZED" in stage.revision()["runningStateDetails"]

    azure.ok(azure.assign(stage.registry["id"], ACR_PULL, stage.principal))
    emulator.control("POST", "/control/clock", {"advance": 120})

    assert azure.operation(created)["status"] == "Succeeded"


def test_replicas_rest_at_zero_until_a_request_comes(azure: AzureClient, stage: Stage) -> None:
    azure.status(stage.deploy(stage.body(scale={"minReplicas": 0, "maxReplicas": 2})))
    assert stage.revision()["runningState"] == "ScaledToZero"
    assert stage.revision()["replicas"] == 0

    assert azure.http("GET", f"https://api.{stage.environment['properties']['defaultDomain']}/health").status == 200

    assert stage.revision()["runningState"] == "Running"


def test_readiness_comes_later_than_success(azure: AzureClient, stage: Stage, emulator: Attached) -> None:
    azure.status(stage.deploy())
    first = azure.get(APP)["properties"]["latestReadyRevisionName"]
    emulator.control("POST", "/control/settings", {"scale": 1})
    created = stage.deploy(stage.body(scale={"minReplicas": 1, "maxReplicas": 3}))
    emulator.control("POST", "/control/clock", {"advance": 15})

    assert azure.operation(created)["status"] == "Succeeded"
    assert azure.get(APP)["properties"]["latestReadyRevisionName"] == first
    assert stage.revision()["runningState"] == "Activating"
    emulator.control("POST", "/control/clock", {"advance": 30})
    assert azure.get(APP)["properties"]["latestReadyRevisionName"] == "api--0000001"


def test_tcp_apps_are_internal_and_public_images_listen_where_they_do(azure: AzureClient, stage: Stage) -> None:
    container = {"name": "rabbitmq", "image": "rabbitmq:3.13-management-alpine"}
    ingress = {"external": False, "transport": "tcp", "targetPort": 5672, "exposedPort": 5672}
    body = {
        "location": "eastus2",
        "properties": {
            "environmentId": stage.environment["id"],
            "configuration": {"ingress": ingress},
            "template": {"containers": [container], "scale": {"minReplicas": 1, "maxReplicas": 1}},
        },
    }

    assert azure.status(stage.deploy(body)) == "Succeeded"

    assert stage.revision()["runningState"] == "RunningAtMaxScale"
    fqdn = azure.get(APP)["properties"]["configuration"]["ingress"]["fqdn"]
    assert fqdn == f"api.internal.{stage.environment['properties']['defaultDomain']}"
    assert azure.http("GET", f"https://{fqdn}/").status == 404


@pytest.mark.parametrize(
    ("declared", "body"),
    [({"status": 503, "body": {"status": "down"}}, {"status": "down"}), (503, {"status": "failing"})],
)
def test_behaviour_of_images_may_be_declared(
    azure: AzureClient, stage: Stage, emulator: Attached, declared: Any, body: Json
) -> None:
    emulator.control("POST", "/control/settings", {"images": {"app": {"health": {"/health": declared}}}})
    sent = stage.body()
    del sent["properties"]["template"]["containers"][0]["probes"]
    azure.status(stage.deploy(sent))

    answer = azure.http("GET", f"https://api.{stage.environment['properties']['defaultDomain']}/health")

    assert (answer.status, answer.json().items() >= body.items()) == (503, True)


def test_secrets_by_value_are_listed_and_hidden_elsewhere(azure: AzureClient, stage: Stage) -> None:
    body = stage.body()
    body["properties"]["configuration"]["secrets"] = [{"name": "jwt", "value": "by-value-secret"}]
    azure.status(stage.deploy(body))

    shown = azure.get(APP)

    assert shown["properties"]["configuration"]["secrets"] == [{"name": "jwt"}]
    assert azure.call("POST", f"{APP}/listSecrets").json() == {"value": [{"name": "jwt", "value": "by-value-secret"}]}


def test_a_restart_of_a_revision_answers_with_a_string(azure: AzureClient, stage: Stage) -> None:
    azure.status(stage.deploy())
    name = azure.get(APP)["properties"]["latestRevisionName"]

    assert azure.call("POST", f"{APP}/revisions/{name}/restart").json() == "Restart succeeded"
