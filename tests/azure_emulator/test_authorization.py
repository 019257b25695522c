"""Roles, their assignments, and principals who lack them."""

from __future__ import annotations

import uuid

import pytest
from azure.core.rest import HttpRequest
from emulator_client import ACR_PULL, AzureClient, Json

from azure_emulator.attach import Attached

CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


def other(emulator: Attached, *roles: str) -> AzureClient:
    """Another login, with roles on the subscription."""
    made = emulator.control("POST", "/control/principals", {"roles": list(roles)})
    return AzureClient(emulator, made["client_id"], made["client_secret"])


def assignment_body(azure: AzureClient, role: str, principal: str, **more: str) -> Json:
    definition = f"{azure.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    return {"properties": {"roleDefinitionId": definition, "principalId": principal, **more}}


def path_of(azure: AzureClient, name: object) -> str:
    return f"{azure.group}/providers/Microsoft.Authorization/roleAssignments/{name}"


def test_the_same_assignment_again_is_harmless_and_under_another_name_exists(azure: AzureClient) -> None:
    """learn.microsoft.com/azure/role-based-access-control/troubleshooting; recorded traffic of Azure/azure-cli."""
    principal, name = str(uuid.uuid4()), uuid.uuid4()
    body = assignment_body(azure, ACR_PULL, principal, principalType="ServicePrincipal")

    first, again = azure.call("PUT", path_of(azure, name), body), azure.call("PUT", path_of(azure, name), body)
    twin = azure.call("PUT", path_of(azure, uuid.uuid4()), body)
    changed = azure.call(
        "PUT", path_of(azure, name), assignment_body(azure, ACR_PULL, str(uuid.uuid4()), principalType="User")
    )

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["properties"]["createdBy"] is None
    assert azure.get(path_of(azure, name))["properties"]["createdBy"] == azure.attached.object_id
    assert (twin.status_code, azure.error(twin)) == (409, "RoleAssignmentExists")
    assert (changed.status_code, azure.error(changed)) == (400, "RoleAssignmentUpdateNotPermitted")
    deleted = azure.call("DELETE", path_of(azure, name))
    assert (deleted.status_code, deleted.json()["name"]) == (200, str(name))
    assert azure.call("DELETE", path_of(azure, name)).status_code == 204


def test_a_young_identity_is_not_found_without_principal_type(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/role-based-access-control/role-assignments-rest; Azure/AgentBaker issue 8251."""
    emulator.control("POST", "/control/settings", {"scale": 1})
    principal = azure.make_identity()["properties"]["principalId"]
    name = uuid.uuid4()

    early = azure.call("PUT", path_of(azure, name), assignment_body(azure, READER, principal))
    emulator.control("POST", "/control/clock", {"advance": 30})
    late = azure.call("PUT", path_of(azure, name), assignment_body(azure, READER, principal))

    assert (early.status_code, azure.error(early)) == (400, "PrincipalNotFound")
    assert late.json()["properties"]["principalType"] == "ServicePrincipal"


@pytest.mark.parametrize(
    ("name", "role", "code"),
    [
        ("no-guid", READER, "InvalidRoleAssignmentId"),
        ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002", "RoleDefinitionDoesNotExist"),
    ],
)
def test_assignments_need_a_guid_and_a_role_that_exists(azure: AzureClient, name: str, role: str, code: str) -> None:
    """learn.microsoft.com/azure/role-based-access-control/role-assignments-rest."""
    body = assignment_body(azure, role, str(uuid.uuid4()), principalType="User")

    assert azure.error(azure.call("PUT", path_of(azure, name), body)) == code


def test_a_role_works_only_after_it_has_spread(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/role-based-access-control/troubleshooting."""
    made = emulator.control("POST", "/control/principals", {})
    client = AzureClient(emulator, made["client_id"], made["client_secret"])
    emulator.control("POST", "/control/settings", {"scale": 1})
    azure.ok(azure.assign(azure.group, READER, made["object_id"]))

    early = client.call("GET", azure.group)
    emulator.control("POST", "/control/clock", {"advance": 100})
    late = client.call("GET", azure.group)

    assert (early.status_code, client.error(early)) == (403, "AuthorizationFailed")
    assert late.status_code == 200


def test_a_contributor_may_write_but_not_assign_roles(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/role-based-access-control/built-in-roles; recorded traffic of Azure/azure-dev."""
    client = other(emulator, CONTRIBUTOR)

    assert client.make_identity()["name"] == "app-id"
    refused = client.assign(azure.group, READER, str(uuid.uuid4()))

    assert (refused.status_code, client.error(refused)) == (403, "AuthorizationFailed")
    permissions = client.get(f"{azure.group}/providers/Microsoft.Authorization/permissions")["value"]
    assert permissions[0]["actions"] == ["*"]
    assert "Microsoft.Authorization/*/Write" in permissions[0]["notActions"]


def test_a_stranger_sees_nothing(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/role-based-access-control/troubleshooting."""
    azure.make_identity()
    client = other(emulator)

    assert client.get(f"{azure.subscription}/resources")["value"] == []
    assert (
        client.error(client.call("GET", "Microsoft.ManagedIdentity/userAssignedIdentities/app-id"))
        == "AuthorizationFailed"
    )


def test_assignments_are_listed_by_principal_with_those_above(azure: AzureClient) -> None:
    principal = str(uuid.uuid4())
    azure.ok(azure.assign(azure.group, READER, principal))
    base = "providers/Microsoft.Authorization/roleAssignments?$filter="

    mine = azure.get(f"{azure.group}/{base}assignedTo('{azure.attached.object_id}')")["value"]
    theirs = azure.get(f"{azure.subscription}/{base}principalId eq '{principal}'")["value"]
    above = azure.get(f"{azure.subscription}/{base}atScope()")["value"]

    assert [item["properties"]["scope"] for item in mine] == [azure.subscription]
    role = azure.get(mine[0]["properties"]["roleDefinitionId"])
    assert role["properties"]["roleName"] == "Owner"
    assert [item["properties"]["scope"] for item in theirs] == [azure.group]
    assert len(above) == 1


def test_deleting_an_identity_leaves_its_assignments_and_deleting_a_scope_takes_them(azure: AzureClient) -> None:
    identity, registry = azure.make_identity(), azure.make_registry()
    azure.ok(azure.assign(azure.group, READER, identity["properties"]["principalId"]))
    azure.ok(azure.assign(registry["id"], ACR_PULL, identity["properties"]["principalId"]))

    assert azure.call("DELETE", identity["id"]).status_code == 200
    assert azure.call("DELETE", registry["id"]).status_code == 200

    listed = azure.get(f"{azure.subscription}/providers/Microsoft.Authorization/roleAssignments")["value"]
    assert {item["properties"]["scope"] for item in listed} == {azure.subscription, azure.group}


def test_login_distinguishes_a_wrong_secret_from_an_unknown_application(azure: AzureClient) -> None:
    """learn.microsoft.com/entra/identity-platform/reference-error-codes."""
    url = f"https://login.microsoftonline.com/{azure.attached.tenant_id}/oauth2/v2.0/token"
    form = "grant_type=client_credentials&scope=https://management.azure.com/.default&client_secret=x&client_id="

    wrong = azure.http("POST", url, (form + azure.attached.client_id).encode())
    unknown = azure.http("POST", url, (form + str(uuid.uuid4())).encode())

    assert wrong.status == 401
    assert wrong.json()["error_codes"] == [7000215]
    assert unknown.json()["error"] == "unauthorized_client"


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("Storage Blob Data Contributor", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
        ("Key Vault Reader", "21090545-7ca7-4776-b22c-e363652d74d2"),
        ("Managed Identity Operator", "f1a07417-d97a-45cb-824c-7a7467783830"),
        ("Private DNS Zone Contributor", "b12aa53e-6015-4669-85d0-8515ebb3ae7f"),
        ("Container Apps Contributor", "358470bc-b998-42bd-ab17-a7e34c199c0f"),
    ],
)
def test_role_that_templates_give_is_found_by_name_and_given(azure: AzureClient, name: str, identifier: str) -> None:
    """As Terraform's `role_definition_name` and the Azure CLI's `--role` do."""
    path = f"{azure.group}/providers/Microsoft.Authorization/roleDefinitions"
    query = {"api-version": "2022-04-01", "$filter": f"roleName eq '{name}'"}

    answer = azure.arm.send_request(HttpRequest("GET", "{endpoint}" + path, params=query))

    (found,) = azure.ok(answer).json()["value"]

    assert found["name"] == identifier
    principal = azure.make_identity()["properties"]["principalId"]
    assert azure.assign(azure.group, identifier, principal).status_code == 201
