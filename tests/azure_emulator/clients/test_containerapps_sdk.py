"""azure-mgmt-appcontainers at its newest default version: every type is made, read, changed, listed and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.mgmt.appcontainers import ContainerAppsAPIClient
from certificate_files import HOST, certificate_body

from azure_emulator.attach import Attached

RG, ENV = "rg", "env"
CONTAINER: dict[str, Any] = {"name": "app", "image": "qdrant/qdrant:v1", "resources": {"cpu": 0.5, "memory": "1Gi"}}


@pytest.fixture
def apps(credential: DefaultAzureCredential, subscription: str) -> Iterator[ContainerAppsAPIClient]:
    with ContainerAppsAPIClient(credential, subscription, polling_interval=0) as client:
        yield client


@pytest.fixture
def managed(apps: ContainerAppsAPIClient) -> str:
    profiles = [{"name": "Consumption", "workloadProfileType": "Consumption"}]
    body = {"location": "eastus2", "properties": {"workloadProfiles": profiles}}
    made = apps.managed_environments.begin_create_or_update(RG, ENV, body).result()
    assert made.provisioning_state if hasattr(made, "provisioning_state") else made.properties.provisioning_state
    return str(made.id)


def app_body(managed: str, **template: Any) -> dict[str, Any]:
    return {
        "location": "eastus2",
        "properties": {
            "environmentId": managed,
            "configuration": {"ingress": {"external": True, "targetPort": 6333}},
            "template": {"containers": [CONTAINER], "scale": {"minReplicas": 1}, **template},
        },
    }


def test_environments_and_what_is_in_them(apps: ContainerAppsAPIClient, managed: str) -> None:
    apps.managed_environments.begin_update(RG, ENV, {"tags": {"a": "1"}}).result()
    assert apps.managed_environments.get(RG, ENV).tags == {"a": "1"}
    assert [item.name for item in apps.managed_environments.list_by_resource_group(RG)] == [ENV]
    assert [item.name for item in apps.managed_environments.list_by_subscription()] == [ENV]
    states = list(apps.managed_environments.list_workload_profile_states(RG, ENV))
    assert [item.name for item in states] == ["Consumption"]
    assert apps.managed_environments.get_auth_token(RG, ENV).properties.token
    assert next(iter(apps.usages.list("eastus2"))).current_value == 1
    assert list(apps.managed_environment_usages.list(RG, ENV))
    assert list(apps.available_workload_profiles.get("eastus2"))

    file = {"accountName": "acc", "accountKey": "key", "shareName": "share", "accessMode": "ReadWrite"}
    apps.managed_environments_storages.create_or_update(RG, ENV, "data", {"properties": {"azureFile": file}})
    assert apps.managed_environments_storages.get(RG, ENV, "data").properties.azure_file.account_key is None
    apps.managed_environments_storages.delete(RG, ENV, "data")

    component = {
        "properties": {"componentType": "state.redis", "version": "v1", "secrets": [{"name": "k", "value": "v"}]}
    }
    apps.dapr_components.create_or_update(RG, ENV, "state", component)
    assert [item.name for item in apps.dapr_components.list(RG, ENV)] == ["state"]
    assert apps.dapr_components.list_secrets(RG, ENV, "state").value[0].value == "v"
    apps.dapr_components.delete(RG, ENV, "state")


def test_certificates_of_both_kinds(apps: ContainerAppsAPIClient, managed: str, emulator: Attached) -> None:
    made = apps.certificates.create_or_update(RG, ENV, "mine", certificate_body())
    assert (made.properties.subject_name, made.properties.valid) == (HOST, True)
    assert apps.certificates.update(RG, ENV, "mine", {"tags": {"a": "1"}}).tags == {"a": "1"}
    assert [item.name for item in apps.certificates.list(RG, ENV)] == ["mine"]
    asked = {"name": "mine", "type": "Microsoft.App/managedEnvironments/certificates"}
    assert apps.namespaces.check_name_availability(RG, ENV, asked).name_available is False

    shown = apps.container_apps.begin_create_or_update(RG, "app", app_body(managed)).result()
    proof = shown.properties.custom_domain_verification_id
    domain = apps.managed_environments.get(RG, ENV).properties.default_domain
    records = {f"asuid.{HOST}": {"TXT": [proof]}, HOST: {"CNAME": [f"app.{domain}"]}}
    emulator.control("POST", "/control/settings", {"dns": records})
    ingress = {"customDomains": [{"name": HOST, "bindingType": "SniEnabled", "certificateId": made.id}]}
    apps.container_apps.begin_update(RG, "app", {"properties": {"configuration": {"ingress": ingress}}}).result()
    analysis = apps.container_apps.list_custom_host_name_analysis(RG, "app", custom_hostname=HOST)
    assert analysis.custom_domain_verification_test == "Passed"
    with pytest.raises(HttpResponseError):
        apps.certificates.delete(RG, ENV, "mine")
    body = {"location": "eastus2", "properties": {"subjectName": HOST, "domainControlValidation": "CNAME"}}
    managed = apps.managed_certificates.begin_create_or_update(RG, ENV, "auto", body).result()
    assert managed.properties.provisioning_state == "Succeeded"
    apps.managed_certificates.delete(RG, ENV, "auto")


def test_apps_their_revisions_and_replicas(apps: ContainerAppsAPIClient, managed: str) -> None:
    made = apps.container_apps.begin_create_or_update(RG, "app", app_body(managed)).result()
    assert made.properties.latest_ready_revision_name == made.properties.latest_revision_name
    patch = {"properties": {"template": {"scale": {"maxReplicas": 3}}}}
    changed = apps.container_apps.begin_update(RG, "app", patch).result()
    assert (changed.properties.template.scale.min_replicas, changed.properties.template.scale.max_replicas) == (1, 3)
    revisions = list(apps.container_apps_revisions.list_revisions(RG, "app"))
    assert len(revisions) == 2
    name = revisions[-1].name
    apps.container_apps_revisions.restart_revision(RG, "app", name)
    replicas = apps.container_apps_revision_replicas.list_replicas(RG, "app", name).value
    assert replicas[0].properties.containers[0].name == "app"
    assert apps.container_apps_revision_replicas.get_replica(RG, "app", name, replicas[0].name).name == replicas[0].name
    assert apps.container_apps.list_secrets(RG, "app").value == []
    assert apps.container_apps.get_auth_token(RG, "app").properties.token
    apps.container_apps.begin_stop(RG, "app").result()
    assert apps.container_apps.get(RG, "app").properties.running_status == "Stopped"
    apps.container_apps.begin_start(RG, "app").result()
    settings = {"properties": {"platform": {"enabled": True}}}
    apps.container_apps_auth_configs.create_or_update(RG, "app", "current", settings)
    assert len(list(apps.container_apps_auth_configs.list_by_container_app(RG, "app"))) == 1
    apps.container_apps_auth_configs.delete(RG, "app", "current")
    assert [item.name for item in apps.container_apps.list_by_subscription()] == ["app"]
    apps.container_apps.begin_delete(RG, "app").result()
    assert list(apps.container_apps.list_by_resource_group(RG)) == []


def test_jobs_and_their_executions(apps: ContainerAppsAPIClient, managed: str) -> None:
    body = {
        "location": "eastus2",
        "properties": {
            "environmentId": managed,
            "configuration": {
                "triggerType": "Manual",
                "replicaTimeout": 60,
                "manualTriggerConfig": {"parallelism": 1, "replicaCompletionCount": 1},
            },
            "template": {"containers": [{**CONTAINER, "name": "job"}]},
        },
    }
    apps.jobs.begin_create_or_update(RG, "job", body).result()
    apps.jobs.begin_update(RG, "job", {"properties": {"configuration": {"replicaTimeout": 90}}}).result()
    assert apps.jobs.get(RG, "job").properties.configuration.replica_timeout == 90
    started = apps.jobs.begin_start(RG, "job").result()
    execution = apps.job_execution(RG, "job", started.name)
    assert execution.properties.status == "Succeeded"
    assert [item.name for item in apps.jobs_executions.list(RG, "job")] == [started.name]
    assert apps.jobs.list_secrets(RG, "job").value == []
    apps.jobs.begin_suspend(RG, "job").result()
    assert apps.jobs.get(RG, "job").properties.running_state == "Suspended"
    apps.jobs.begin_resume(RG, "job").result()
    assert [item.name for item in apps.jobs.list_by_subscription()] == ["job"]
    apps.jobs.begin_delete(RG, "job").result()
    assert list(apps.jobs.list_by_resource_group(RG)) == []


@pytest.mark.parametrize("group", ["container_apps_source_controls", "container_apps_session_pools"])
def test_what_is_not_served_is_not_there(apps: ContainerAppsAPIClient, managed: str, group: str) -> None:
    operations = getattr(apps, group)
    with pytest.raises(HttpResponseError) as refused:
        if group == "container_apps_session_pools":
            operations.get(RG, "pool")
        else:
            list(operations.list_by_container_app(RG, "app"))
    assert refused.value.status_code == 404
