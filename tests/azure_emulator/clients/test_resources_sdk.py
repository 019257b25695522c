"""azure-mgmt-resource, -resource-locks, -msi and -authorization at their defaults."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.msi.v2024_11_30.models import FederatedIdentityCredential, Identity, IdentityUpdate
from azure.mgmt.resource.locks import ManagementLockClient
from azure.mgmt.resource.locks.models import ManagementLockObject
from azure.mgmt.resource.resources import ResourceManagementClient
from emulator_client import ACR_PULL, AzureClient

WORKSPACE = "Microsoft.OperationalInsights/workspaces"


@pytest.fixture
def resources(subscription: str, credential: DefaultAzureCredential) -> Iterator[ResourceManagementClient]:
    with ResourceManagementClient(credential, subscription) as found:
        yield found


@pytest.fixture
def identities(subscription: str, credential: DefaultAzureCredential) -> Iterator[Any]:
    with ManagedServiceIdentityClient(credential, subscription) as found:
        yield found


@pytest.fixture
def authorization(subscription: str, credential: DefaultAzureCredential) -> Iterator[Any]:
    with AuthorizationManagementClient(credential, subscription) as found:
        yield found


@pytest.fixture
def locks(subscription: str, credential: DefaultAzureCredential) -> Iterator[ManagementLockClient]:
    with ManagementLockClient(credential, subscription) as found:
        yield found


def test_a_group_is_made_changed_listed_and_deleted(resources: ResourceManagementClient) -> None:
    made = resources.resource_groups.create_or_update("other", {"location": "eastus2", "tags": {"a": "b"}})
    changed = resources.resource_groups.update("other", {"tags": {"c": "d"}})

    assert (made.properties.provisioning_state, changed.tags) == ("Succeeded", {"c": "d"})
    assert resources.resource_groups.check_existence("other") is True
    assert {item.name for item in resources.resource_groups.list()} == {"rg", "other"}
    assert [item.name for item in resources.resource_groups.list(filter="tagName eq 'c' and tagValue eq 'd'")] == [
        "other"
    ]
    resources.resource_groups.begin_delete("other").result()
    assert resources.resource_groups.check_existence("other") is False


def test_resources_are_handled_by_id_and_listed(resources: ResourceManagementClient, azure: AzureClient) -> None:
    """Not of an identity: the answer to its PUT has a Location without a version, which this client then polls."""
    path, version = f"{azure.group}/providers/{WORKSPACE}/logs", "2025-07-01"

    resources.resources.begin_create_or_update_by_id(path, {"location": "eastus2"}, api_version=version).result()
    resources.resources.begin_update_by_id(path, {"tags": {"a": "b"}}, api_version=version).result()

    assert resources.resources.get_by_id(path, api_version=version).tags == {"a": "b"}
    listed = list(resources.resources.list_by_resource_group("rg", expand="createdTime,changedTime,provisioningState"))
    assert [(item.name, item.provisioning_state) for item in listed] == [("logs", "Succeeded")]
    assert [item.name for item in resources.resources.list(filter=f"resourceType eq '{WORKSPACE}'")] == ["logs"]
    resources.resources.begin_delete_by_id(path, api_version=version).result()
    assert list(resources.resources.list()) == []


def test_tags_and_providers(resources: ResourceManagementClient, azure: AzureClient) -> None:
    scope = azure.group.lstrip("/")
    resources.tags.begin_create_or_update_at_scope(scope, {"properties": {"tags": {"a": "b"}}}).result()
    patch = {"operation": "Merge", "properties": {"tags": {"c": "d"}}}

    merged = resources.tags.begin_update_at_scope(scope, patch).result()

    assert merged.properties.tags == {"a": "b", "c": "d"}
    assert resources.tags.get_at_scope(scope).properties.tags == {"a": "b", "c": "d"}
    resources.tags.begin_delete_at_scope(scope).result()
    assert resources.tags.get_at_scope(scope).properties.tags in ({}, None)
    provider = resources.providers.get("Microsoft.App")
    assert provider.registration_state == "Registered"
    assert "Microsoft.KeyVault" in {item.namespace for item in resources.providers.list()}


def test_identities_and_their_federated_credentials(identities: Any) -> None:
    made = identities.user_assigned_identities.create_or_update("rg", "app-id", Identity(location="eastus2"))
    identities.user_assigned_identities.update("rg", "app-id", IdentityUpdate(tags={"a": "b"}))
    federated = FederatedIdentityCredential(
        issuer="https://token.actions.githubusercontent.com",
        subject="repo:org/app:ref:refs/heads/main",
        audiences=["api://AzureADTokenExchange"],
    )

    kept = identities.federated_identity_credentials.create_or_update("rg", "app-id", "github", federated)

    assert identities.user_assigned_identities.get("rg", "app-id").tags == {"a": "b"}
    assert [item.name for item in identities.user_assigned_identities.list_by_subscription()] == ["app-id"]
    assert [item.name for item in identities.user_assigned_identities.list_by_resource_group("rg")] == ["app-id"]
    assert kept.subject == "repo:org/app:ref:refs/heads/main"
    assert [item.name for item in identities.federated_identity_credentials.list("rg", "app-id")] == ["github"]
    with pytest.raises(HttpResponseError):  # one issuer and subject name one credential
        identities.federated_identity_credentials.create_or_update("rg", "app-id", "again", federated)
    identities.federated_identity_credentials.delete("rg", "app-id", "github")
    assert list(identities.federated_identity_credentials.list("rg", "app-id")) == []
    identities.user_assigned_identities.delete("rg", "app-id")
    with pytest.raises(ResourceNotFoundError):
        identities.user_assigned_identities.get("rg", "app-id")
    assert uuid.UUID(made.principal_id)


def test_roles_are_assigned_listed_and_taken_away(authorization: Any, azure: AzureClient) -> None:
    who = azure.make_identity()["properties"]["principalId"]
    definition = next(iter(authorization.role_definitions.list(azure.group, filter="roleName eq 'AcrPull'")))
    body = RoleAssignmentCreateParameters(
        role_definition_id=definition.id, principal_id=who, principal_type="ServicePrincipal"
    )

    made = authorization.role_assignments.create(azure.group, str(uuid.uuid4()), body)

    assert (definition.name, made.principal_id) == (ACR_PULL, who)
    found = list(authorization.role_assignments.list_for_resource_group("rg", filter=f"principalId eq '{who}'"))
    assert [item.id for item in found] == [made.id]
    assert authorization.role_assignments.get_by_id(made.id).role_definition_id == definition.id
    assert len(list(authorization.role_assignments.list_for_subscription(filter=f"assignedTo('{who}')"))) in (0, 1)
    authorization.role_assignments.delete_by_id(made.id)
    with pytest.raises(HttpResponseError):
        authorization.role_assignments.get_by_id(made.id)


def test_what_the_caller_may_do_is_listed(authorization: Any, azure: AzureClient) -> None:
    azure.make_identity()

    group = list(authorization.permissions.list_for_resource_group("rg"))
    resource = list(
        authorization.permissions.list_for_resource(
            "rg", "Microsoft.ManagedIdentity", "", "userAssignedIdentities", "app-id"
        )
    )

    assert ["*"] in [list(item.actions) for item in group]
    assert ["*"] in [list(item.actions) for item in resource]


def test_locks_are_put_listed_and_taken_away(locks: ManagementLockClient, azure: AzureClient) -> None:
    body = ManagementLockObject(level="CanNotDelete", notes="keep")

    made = locks.management_locks.create_or_update_at_resource_group_level("rg", "keep", body)

    assert (made.level, made.notes) == ("CanNotDelete", "keep")
    assert [item.name for item in locks.management_locks.list_at_resource_group_level("rg")] == ["keep"]
    assert [item.name for item in locks.management_locks.list_at_subscription_level()] == ["keep"]
    assert azure.call("DELETE", azure.group).status_code == 409
    locks.management_locks.delete_at_resource_group_level("rg", "keep")
    assert list(locks.management_locks.list_at_resource_group_level("rg")) == []
