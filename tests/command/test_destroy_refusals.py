"""Conditions that prevent `--destroy` and `--prune`, such as content of others: nothing is deleted then."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from by_hand import APPS, PG, resource
from project import Azure, Project

from draftgenie_azure.provision.teardown_checks import comes_with

LOCKS = "2020-05-01"
GROUPS = "2025-04-01"
ROLES = "2022-04-01"
VAULTS = "2026-02-01"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
THEIR_REGISTRY = {"location": "eastus2", "sku": {"name": "Basic"}, "tags": {"incarnation": "x"}}
ALL = ("--destroy", "--include-data", "--auto-approve")


def refused(project: Project, *arguments: str) -> str:
    """Run a teardown that must be refused before anything is deleted; what it said."""
    before = len(project.requests())
    result = project.run(*(arguments or ALL))
    assert result.code == 1, result.text
    assert project.writes(before) == []
    return result.text


def put(azure: Azure, path: str, version: str, body: Any) -> None:
    """Write a resource as another user, and wait for it."""
    azure.send("PUT", path, version, body)


def lock(project: Project, scope: str) -> str:
    """Lock a scope against deletion; the lock's id."""
    lock_id = f"{scope}/providers/Microsoft.Authorization/locks/keep"
    with project.azure() as azure:
        put(azure, lock_id, LOCKS, {"properties": {"level": "CanNotDelete"}})
    return lock_id


@pytest.mark.parametrize("level", ["subscription", "child of a deleted resource", "role"])
def test_lock_at_any_level_forbids_the_whole(deployed: Project, level: str) -> None:
    """Above what is to go, on it, or inside it."""
    server = resource(deployed, "postgresql_server")
    scope = {
        "subscription": server.split("/resourceGroups/")[0],
        "child of a deleted resource": f"{server}/databases/rag_service",
        "role": resource(deployed, "role/pull-images"),
    }[level]
    lock_id = lock(deployed, scope)

    assert f"az lock delete --ids {lock_id}" in refused(deployed)


def test_lock_on_what_stays_forbids_nothing(deployed: Project) -> None:
    """Redis stays anyway."""
    lock(deployed, resource(deployed, "redis"))

    result = deployed.run("--destroy", "--auto-approve")

    assert result.code == 0, result.text
    assert "redis" in deployed.state()["resources"]


def test_principal_who_may_not_delete_roles_is_reported(deployed: Project) -> None:
    """A Contributor: everything else could be deleted, and the roles would stay behind."""
    group = resource(deployed, "resource_group")
    subscription = group.split("/resourceGroups/")[0]
    assignments = f"{subscription}/providers/Microsoft.Authorization/roleAssignments"
    with deployed.azure() as azure:
        me = azure.control("GET", "/control/info")["object_id"]
        mine = azure.send("GET", f"{assignments}?api-version={ROLES}&$filter=assignedTo('{me}')", ROLES).json()["value"]
        definition = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}"
        body = {"roleDefinitionId": definition, "principalId": me, "principalType": "ServicePrincipal"}
        put(azure, f"{assignments}/{uuid.uuid4()}", ROLES, {"properties": body})
        for one in sorted(mine, key=lambda one: len(one["id"]), reverse=True):  # the one that allows it last
            azure.send("DELETE", one["id"], ROLES)

    text = refused(deployed)

    assert "may not: Microsoft.Authorization/roleAssignments/delete" in text


def test_group_that_another_state_manages_is_not_torn_down(deployed: Project) -> None:
    """A colleague took it over with --adopt; this state's records say nothing about it any more."""
    group = resource(deployed, "resource_group")
    with deployed.azure() as azure:
        tags = azure.send("GET", group, GROUPS).json()["tags"] | {"draftgenie-lineage": "f" * 32}
        azure.send("PATCH", group, GROUPS, {"tags": tags})
    deployed.change("services.extra", {"image": "nginx:1.27", "port": 8080})

    assert "managed by another state" in refused(deployed)
    assert "managed by another state" in refused(deployed, "--destroy", "--auto-approve", "--adopt")


@pytest.mark.slow
def test_database_of_someone_else_on_our_server_forbids_its_deletion(deployed: Project) -> None:
    """It would go with the server. Without --include-data the server stays, and nothing is forbidden."""
    server = resource(deployed, "postgresql_server")
    with deployed.azure() as azure:
        put(azure, f"{server}/databases/theirs", PG, {"properties": {}})

    text = refused(deployed)

    assert "postgresql_server contains the database theirs" in text
    assert f"az resource delete --ids {server}/databases/theirs" in text
    assert "--forget postgresql_server" in text
    assert deployed.run("--destroy", "--auto-approve").code == 0


@pytest.mark.slow
def test_sign_in_and_task_of_someone_else_forbid_the_deletion_of_what_has_them(deployed: Project) -> None:
    """A federated credential of the identity, and a task of the registry."""
    identity, registry = resource(deployed, "identity"), resource(deployed, "container_registry")
    issuer = "https://token.actions.githubusercontent.com"
    with deployed.azure() as azure:
        facts = {"issuer": issuer, "subject": "repo:their/app", "audiences": ["api://AzureADTokenExchange"]}
        put(azure, f"{identity}/federatedIdentityCredentials/theirs", "2024-11-30", {"properties": facts})
        step = {"type": "EncodedTask", "encodedTaskContent": "dmVyc2lvbjogdjEuMS4wCg=="}
        properties = {"platform": {"os": "Linux"}, "step": step}
        put(azure, f"{registry}/tasks/nightly", "2019-04-01", {"location": "eastus2", "properties": properties})

    text = refused(deployed)

    assert "identity contains the federated credential theirs" in text
    assert "container_registry contains the task nightly" in text


def without_evaluation_service(project: Project) -> None:
    """Take one service out of the configuration; its images stay in the registry."""
    values = project.config()
    del values["services"]["evaluation_service"], values["docker"]["dockerfiles"]["evaluation_service"]
    values["services"]["api_gateway"]["environment"].pop("EVALUATION_SERVICE_URL")
    project.write(values)
    project.deploy()


@pytest.mark.slow
def test_images_that_no_run_pushed_forbid_the_deletion_of_the_registry(deployed: Project) -> None:
    """Nothing brings them back."""
    without_evaluation_service(deployed)
    for path in deployed.directory.glob(".azure-deployment-state*.history"):
        path.unlink()

    text = refused(deployed)

    assert "images that this deployment did not push (evaluation-service)" in text
    assert "az acr repository delete" in text


@pytest.mark.slow
def test_images_of_a_service_that_left_the_configuration_are_ours(deployed: Project) -> None:
    """The history knows which were pushed."""
    without_evaluation_service(deployed)

    result = deployed.run(*ALL)

    assert result.code == 0, result.text
    assert deployed.state()["resources"] == {}


def test_secret_of_someone_else_is_named_and_forbids_a_purge(deployed: Project) -> None:
    """A deleted vault can be recovered with it, a purged one cannot."""
    vault = resource(deployed, "key_vault")
    with deployed.azure() as azure:
        put(azure, f"{vault}/secrets/theirs", VAULTS, {"properties": {"value": "x"}})

    dry = deployed.run(*ALL, "--dry-run")
    text = refused(deployed, *ALL, "--purge")

    assert "secrets that this deployment did not put there (theirs)" in dry.text
    assert "a purge is final" in text
    assert deployed.run(*ALL).code == 0


@pytest.mark.slow
def test_content_that_may_not_be_listed_is_named(deployed: Project) -> None:
    """Whether others put something there is not known: a purge is final, and so is the end of a registry."""
    words = {"method": "GET", "status": 403, "code": "AuthorizationFailed", "times": 99}
    faults = deployed.faults({"path": "*/draftgenie-kv/secrets", **words}, {"path": "*/_catalog", **words})

    text = deployed.run(*faults, *ALL, "--purge", "--dry-run").text

    assert "note: the secrets in key_vault could not be listed: GET" in text
    assert "note: the images in container_registry could not be listed: GET" in text


@pytest.mark.slow
def test_second_name_of_a_rotated_password_is_ours(deployed: Project) -> None:
    """It is disabled and stays in the vault, since a deleted name would be refused at the next rotation."""
    assert deployed.run("--rotate-secret", "postgresql.admin_password").code == 0

    result = deployed.run(*ALL, "--purge")

    assert result.code == 0, result.text
    assert "did not put there" not in result.text
    assert deployed.state()["resources"] == {}


def test_app_that_runs_as_our_identity_elsewhere_forbids_its_deletion(deployed: Project) -> None:
    """It could no longer sign in to anything."""
    group, identity = resource(deployed, "resource_group"), resource(deployed, "identity")
    elsewhere = f"{group.rsplit('/', 1)[0]}/theirs"
    app = f"{elsewhere}/providers/Microsoft.App/"
    containers = [{"name": "main", "image": "nginx:1", "resources": {"cpu": 0.25, "memory": "0.5Gi"}}]
    with deployed.azure() as azure:
        put(azure, elsewhere, GROUPS, {"location": "eastus2"})
        put(azure, f"{app}managedEnvironments/theirs", APPS, {"location": "eastus2", "properties": {}})
        body = {
            "location": "eastus2",
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}},
            "properties": {
                "environmentId": f"{app}managedEnvironments/theirs", "template": {"containers": containers},
            },
        }  # fmt: skip
        put(azure, f"{app}containerApps/theirs", APPS, body)

    assert "containerapps/theirs uses identity" in refused(deployed).lower()


def test_resource_that_someone_made_again_under_our_name_stays(deployed: Project) -> None:
    """Its creation id is another one. What was ours in it is gone, and the group stays with it."""
    registry = resource(deployed, "container_registry")
    with deployed.azure() as azure:
        azure.delete(registry, "2025-11-01")
        put(azure, registry, "2025-11-01", THEIR_REGISTRY)
    before = len(deployed.requests())

    result = deployed.run(*ALL)

    assert result.code == 0, result.text
    kept = next(line for line in result.text.splitlines() if line.strip().startswith("keep   container_registry"))
    assert kept.endswith(": the resource of this name was created by others")
    assert not any("draftgenieacr" in write for write in deployed.writes(before))
    with deployed.azure() as azure:
        assert azure.exists(registry, "2025-11-01")
        assert azure.exists(resource(deployed, "resource_group"), GROUPS)


@pytest.mark.slow
def test_resource_that_someone_made_again_is_not_ours_after_a_deployment_either(deployed: Project) -> None:
    """The deployment takes it over; taken over is not created."""
    registry = resource(deployed, "container_registry")
    with deployed.azure() as azure:
        azure.delete(registry, "2025-11-01")
        put(azure, registry, "2025-11-01", THEIR_REGISTRY)
    deployed.deploy("--force-step", "create_container_registry")

    result = deployed.run(*ALL)

    assert result.code == 0, result.text
    with deployed.azure() as azure:
        assert azure.exists(registry, "2025-11-01")


@pytest.mark.slow
def test_group_that_someone_made_again_stays_with_what_is_in_it(deployed: Project) -> None:
    """Group, identity, workspace and component of our names, without our tags: the ids that Azure gave them differ."""
    records = deployed.state()["resources"]
    theirs: dict[str, dict[str, Any]] = {
        "resource_group": {},
        "identity": {},
        "log_analytics": {"properties": {"sku": {"name": "PerGB2018"}}},
        "app_insights": {"kind": "web", "properties": {"Application_Type": "web"}},
    }
    theirs["app_insights"]["properties"]["WorkspaceResourceId"] = records["log_analytics"]["id"]
    with deployed.azure() as azure:
        workspace = records["log_analytics"]  # for good: else it comes back, with its id
        azure.delete(f"{workspace['id']}?api-version={workspace['api_version']}&force=true", "")
        azure.delete(records["resource_group"]["id"], GROUPS)
        for key, body in theirs.items():
            put(azure, records[key]["id"], records[key]["api_version"], {"location": "eastus2", **body})

    assert deployed.run(*ALL, "--purge").code == 0

    with deployed.azure() as azure:
        assert all(azure.exists(records[key]["id"], records[key]["api_version"]) for key in theirs)


def test_recorded_resource_of_another_group_stays(deployed: Project) -> None:
    """A state is not trusted as an address."""
    group = resource(deployed, "resource_group")
    elsewhere = f"{group.rsplit('/', 1)[0]}/theirs"
    theirs = f"{elsewhere}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/theirs"
    with deployed.azure() as azure:
        put(azure, elsewhere, GROUPS, {"location": "eastus2"})
        put(azure, theirs, "2024-11-30", {"location": "eastus2"})
    document = deployed.state()
    document["resources"]["identity"] |= {"id": theirs, "name": "theirs"}
    deployed.state_file.write_text(json.dumps(document), encoding="utf-8")

    result = deployed.run("--destroy", "--auto-approve")

    assert result.code == 0, result.text
    assert "outside the resource group" in result.text
    with deployed.azure() as azure:
        assert azure.exists(theirs, "2024-11-30")


@pytest.mark.parametrize(("component", "goes"), [("draftgenie-insights", True), ("theirs", False)])
def test_rule_that_azure_adds_for_application_insights_does_not_keep_the_group(component: str, goes: bool) -> None:
    """It is deleted with the group; one for another's component is not."""
    rule = f"/x/providers/microsoft.alertsmanagement/smartDetectorAlertRules/Failure Anomalies - {component}"
    item = {"id": rule, "type": "microsoft.alertsmanagement/smartDetectorAlertRules"}

    assert comes_with(item, ["draftgenie-insights"]) is goes


@pytest.mark.slow
def test_group_that_is_gone_takes_its_records_along(deployed: Project) -> None:
    """Nothing is refused for want of rights on what is not there."""
    with deployed.azure() as azure:
        azure.delete(resource(deployed, "resource_group"), GROUPS)

    result = deployed.run(*ALL)

    assert result.code == 0, result.text
    assert deployed.state()["resources"] == {}


@pytest.mark.slow
def test_deleted_vault_of_someone_else_under_our_name_is_not_purged(deployed: Project) -> None:
    """Ours was purged by hand, and another group took the name and deleted its vault."""
    record = deployed.state()["resources"]["key_vault"]
    group = resource(deployed, "resource_group")
    theirs = record["id"].replace("/draftgenie-rg/", "/theirs/")
    assert deployed.run(*ALL, "--purge").code == 0
    with deployed.azure() as azure:
        put(azure, f"{group.rsplit('/', 1)[0]}/theirs", GROUPS, {"location": "eastus2"})
        sku = {"family": "A", "name": "standard"}
        tenant = azure.control("GET", "/control/info")["tenant_id"]
        put(azure, theirs, VAULTS, {"location": "eastus2", "properties": {"tenantId": tenant, "sku": sku}})
        azure.delete(theirs, VAULTS)
    document = deployed.state()
    left = {"orphaned": True, "purging": "eastus2", "deleted_at": "2026-11-01T00:00:00Z"}
    document["resources"]["key_vault"] = record | left
    deployed.state_file.write_text(json.dumps(document), encoding="utf-8")
    before = len(deployed.requests())

    result = deployed.run(*ALL, "--purge")

    assert result.code == 0, result.text
    assert not any(write.endswith("/purge") for write in deployed.writes(before))
    assert deployed.state()["resources"] == {}


@pytest.mark.slow
def test_vault_with_purge_protection_is_deleted_and_recovered_by_the_next_deployment(project: Project) -> None:
    """Without --purge nothing forbids it, and its name is not lost."""
    project.change("key_vault.purge_protection", True)
    project.deploy()
    password = project.secret("postgresql-admin-password")

    result = project.run(*ALL)

    assert result.code == 0, result.text
    assert project.state()["resources"] == {}
    again = project.run()
    assert again.code == 0, again.text
    assert "is recovered, with the secrets in it" in again.text
    assert project.secret("postgresql-admin-password") == password
    assert project.password_agrees()


@pytest.mark.slow
def test_prune_before_apps_have_moved_says_to_deploy_first(deployed: Project) -> None:
    """The environment has another name, and the run was stopped before the apps are in the new one: they are ours."""
    deployed.change("container_apps.environment_name", "other-env")
    stays = {"method": "DELETE", "path": "*/containerApps/*", "status": 403, "code": "AuthorizationFailed", "times": 99}
    force = ("--force-step", "create_container_apps_env")
    assert deployed.run(*deployed.faults(stays), *force).code == 1
    before = len(deployed.requests())

    result = deployed.run("--prune", "--auto-approve")

    assert result.code == 1
    words = "container_app/rag_service, which is configured, still belongs to container_apps_env@draftgenie-env"
    assert f"{words}: deploy first" in result.text
    assert "az resource delete" not in result.text
    assert deployed.writes(before) == []
    assert deployed.run().code == 0
    assert deployed.run("--prune", "--auto-approve").code == 0
    assert "container_apps_env@draftgenie-env" not in deployed.state()["resources"]
