"""Declared policies, quotas and offers: they hold at PUT, at PATCH and where Azure is only asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from emulator_client import AzureClient, Json

from azure_emulator import __main__ as command
from azure_emulator.attach import Attached, EmulatorError
from azure_emulator.core.policies import BadPolicy, holds, parse

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
VALIDATE = "/providers/Microsoft.Resources/validateResources"
NEEDS_OWNER = {
    "name": "require-owner",
    "display_name": "Every resource has an owner",
    "type": IDENTITY,
    "effect": "deny",
    "rule": {"field": "tags['owner']", "exists": False},
}


def declare(emulator: Attached, *policies: Json) -> None:
    emulator.control("POST", "/control/settings", {"policies": list(policies)})


def ask(azure: AzureClient, kind: str, name: str, version: str, body: Json, **more: Any) -> Any:
    """Return the result of validateResources for one PUT."""
    namespace, _, rest = kind.partition("/")
    sent = {
        "provider": namespace,
        "type": rest,
        "scope": azure.group,
        "location": body.get("location", "eastus2"),
        "performPreflightWithoutRbacWriteCheck": True,
        "resources": [{"name": name, "type": kind, "apiVersion": version, **body}],
        **more,
    }
    return azure.call("POST", VALIDATE, sent, "2020-10-01")


def inner(answer: Any) -> Json:
    """The innermost error of an answer of validateResources."""
    error: Json = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "ResourceValidationFailed")
    while error.get("details"):
        error = error["details"][0]
    return error


def test_a_policy_that_denies_refuses_put_patch_and_preflight(azure: AzureClient, emulator: Attached) -> None:
    """learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-policy-requestdisallowedbypolicy."""
    declare(emulator, NEEDS_OWNER)
    good, bad = {"location": "eastus2", "tags": {"owner": "a"}}, {"location": "eastus2", "tags": {"team": "a"}}

    refused = azure.call("PUT", f"{IDENTITY}/app-id", bad)
    assert (refused.status_code, azure.error(refused)) == (403, "RequestDisallowedByPolicy")
    error = refused.json()["error"]
    assert error["target"] == "app-id" and "Every resource has an owner" in error["message"]
    [info] = error["additionalInfo"]
    assert (info["type"], info["info"]["policyDefinitionName"]) == ("PolicyViolation", "require-owner")
    assert info["info"]["policyDefinitionEffect"] == "deny"

    azure.ok(azure.call("PUT", f"{IDENTITY}/app-id", good))
    assert azure.call("PATCH", f"{IDENTITY}/app-id", bad).status_code == 403
    assert azure.call("PATCH", f"{IDENTITY}/app-id", good).status_code == 200
    asked = inner(ask(azure, IDENTITY, "other", "2024-11-30", bad))
    assert (asked["code"], asked["additionalInfo"][0]["info"]["policyDefinitionName"]) == (
        "RequestDisallowedByPolicy",
        "require-owner",
    )
    assert ask(azure, IDENTITY, "other", "2024-11-30", good).status_code == 200
    assert azure.call("GET", f"{IDENTITY}/other").status_code == 404


@pytest.mark.parametrize("odd", [{"type": "Microsoft.App/jobs"}, {"location": "northeurope"}])
def test_resources_of_one_question_have_one_type_and_location(azure: AzureClient, odd: Json) -> None:
    """resourceValidator.json of github.com/Azure/azure-rest-api-specs; several of one kind are answered together."""
    one = {"name": "one", "type": IDENTITY, "apiVersion": "2024-11-30", "location": "eastus2"}

    good = ask(azure, IDENTITY, "", "", {}, resources=[one, {**one, "name": "two", "location": "East US 2"}])
    bad = ask(azure, IDENTITY, "", "", {}, resources=[one, {**one, "name": "two", **odd}])

    ids = good.json()["properties"]["validatedResources"]
    assert [found.rsplit("/", 1)[1] for found in ids] == ["one", "two"]
    assert (bad.status_code, azure.error(bad)) == (400, "InvalidRequestContent")


def test_a_policy_that_modifies_adds_what_was_not_sent(azure: AzureClient, emulator: Attached) -> None:
    operations = [
        {"operation": "addOrReplace", "field": "tags['cost']", "value": "42"},
        {"operation": "add", "field": "tags.owner", "value": "nobody"},
        {"operation": "remove", "field": "tags['secret']"},
    ]
    declare(emulator, {"effect": "modify", "type": "Microsoft.ManagedIdentity/*", "operations": operations})

    made = azure.put(f"{IDENTITY}/app-id", {"location": "eastus2", "tags": {"owner": "a", "secret": "x", "cost": "1"}})
    changed = azure.call("PATCH", f"{IDENTITY}/app-id", {"tags": {"a": "b"}}).json()

    assert made["tags"] == {"owner": "a", "cost": "42"}
    assert changed["tags"] == {"a": "b", "cost": "42", "owner": "nobody"}


def test_a_quota_is_full_at_its_limit_and_an_offer_is_closed(azure: AzureClient, emulator: Attached) -> None:
    declare(
        emulator,
        {
            "effect": "refuse",
            "type": IDENTITY,
            "most": 1,
            "status": 400,
            "code": "MaxNumberReached",
            "message": "No more than one.",
        },
        {
            "effect": "refuse",
            "type": "Microsoft.KeyVault/vaults",
            "rule": {"field": "location", "in": ["westus2"]},
            "status": 400,
            "code": "LocationIsOfferRestricted",
        },
    )
    body = {"location": "eastus2"}

    azure.ok(azure.call("PUT", f"{IDENTITY}/one-id", body))
    azure.ok(azure.call("PUT", f"{IDENTITY}/one-id", body))  # an existing one does not count again
    refused = azure.call("PUT", f"{IDENTITY}/two-id", body)
    assert (refused.status_code, azure.error(refused)) == (400, "MaxNumberReached")
    assert inner(ask(azure, IDENTITY, "two-id", "2024-11-30", body))["code"] == "MaxNumberReached"
    vault = azure.vault_body()
    closed = azure.call("PUT", "Microsoft.KeyVault/vaults/vault-1", {**vault, "location": "westus2"})
    assert azure.error(closed) == "LocationIsOfferRestricted"
    azure.ok(azure.call("PUT", "Microsoft.KeyVault/vaults/vault-1", vault))


def test_a_group_is_judged_as_well(azure: AzureClient, emulator: Attached) -> None:
    declare(emulator, {"effect": "deny", "rule": {"field": "location", "notIn": ["eastus2"]}})

    answer = azure.call("PUT", f"{azure.subscription}/resourceGroups/other", {"location": "westus2"})

    assert (answer.status_code, azure.error(answer)) == (403, "RequestDisallowedByPolicy")


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"effect": "audit"}, "effect 'audit' is none of deny, modify, refuse"),
        ({"effect": "deny", "code": "X"}, "code does not go with the effect deny"),
        ({"effect": "refuse"}, "effect refuse needs a code"),
        ({"effect": "modify"}, "effect modify needs operations"),
        ({"effect": "deny", "rule": {"field": "tags"}}, "a condition is"),
        ({"effect": "deny", "rule": {"field": "tags", "resembles": 1}}, "a condition is"),
        ({"effect": "deny", "rule": {"allOf": [{"not": {"exists": True}}]}}, "a condition is"),
        ({"effect": "deny", "colour": "red"}, "unknown key 'colour'"),
        ({"effect": "deny", "type": 1}, "type has the wrong type"),
        ({"effect": "refuse", "code": "X", "status": 200}, "status 200 is no error status"),
        ("deny", "a mapping is expected"),
    ],
)
def test_a_declaration_that_means_nothing_is_refused(emulator: Attached, policy: Any, words: str) -> None:
    with pytest.raises(BadPolicy, match=words):
        parse(policy)
    with pytest.raises(EmulatorError, match="policy 1"):
        declare(emulator, policy)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, True),
        ({"field": "type", "equals": "microsoft.app/containerapps"}, True),
        ({"field": "tags['a b']", "equals": "X"}, True),
        ({"field": "Microsoft.App/containerApps/configuration.ingress.external", "equals": "true"}, True),
        ({"field": "properties.configuration.ingress.external", "notEquals": True}, False),
        ({"field": "properties.items[*].size", "less": 10}, True),
        ({"field": "properties.items[*].size", "greaterOrEquals": 5}, False),
        ({"field": "name", "like": "app-*"}, True),
        ({"field": "name", "notLike": "app-*"}, False),
        ({"field": "sku.name", "exists": "false"}, True),
        ({"field": "tags", "containsKey": "A B"}, True),
        ({"allOf": [{"field": "name", "contains": "1"}, {"not": {"field": "kind", "exists": True}}]}, True),
        ({"anyOf": [{"field": "kind", "in": ["a"]}, {"field": "location", "notIn": ["eastus2"]}]}, False),
    ],
)
def test_conditions_read_fields_as_azure_policy_does(rule: Json, expected: bool) -> None:
    resource = {
        "name": "app-1",
        "type": "Microsoft.App/containerApps",
        "location": "eastus2",
        "tags": {"a b": "x"},
        "properties": {"configuration": {"ingress": {"external": True}}, "items": [{"size": 1}, {"size": 9}]},
    }

    assert holds(rule, resource) is expected


def test_policies_are_declared_in_a_file_beside_faults(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("faults: [{path: '*', status: 500}]\npolicies: [{effect: deny, type: 'Microsoft.App/*'}]\n")
    options = command._parser().parse_args(["--faults", str(file)])
    world = command._world(tmp_path, options)

    assert len(world.faults.faults) == 1
    assert world.policies.declared == [{"effect": "deny", "type": "Microsoft.App/*"}]
    world.store.close()


# Azure is asked before it is written to


REGISTRY = "Microsoft.ContainerRegistry/registries"
SERVER = "Microsoft.DBforPostgreSQL/flexibleServers"
CLUSTER, VAULT = "Microsoft.Cache/redisEnterprise", "Microsoft.KeyVault/vaults"
PARAMETER = f"{SERVER}/configurations"
APP, ENVIRONMENT = "Microsoft.App/containerApps", "Microsoft.App/managedEnvironments"
LOGS_NOWHERE = {"appLogsConfiguration": {"destination": "log-analytics"}}
BASIC: Json = {"sku": {"name": "Basic"}}


@pytest.mark.parametrize(
    ("kind", "version", "body", "code"),
    [
        (REGISTRY, "2025-11-01", {**BASIC, "properties": {"zoneRedundancy": "Enabled"}}, "FeatureNotSupportedBySku"),
        (REGISTRY, "2025-11-01", {"properties": {}}, "InvalidRequestContent"),
        (REGISTRY, "2025-11-01", {**BASIC, "colour": 1}, "InvalidRequestContent"),
        (REGISTRY, "2001-01-01", BASIC, "NoRegisteredProviderFound"),
        (REGISTRY, "2025-11-01", {**BASIC, "location": "moon"}, "LocationNotAvailableForResourceType"),
        (SERVER, "2025-08-01", {"sku": {"name": "Standard_B1ms", "tier": "GeneralPurpose"}}, "InvalidParameterValue"),
        (CLUSTER, "2025-07-01", {"sku": {"name": "Balanced_B0"}, "properties": {}}, "InvalidRequestBody"),
        (PARAMETER, "2025-08-01", {"properties": {"value": "many"}}, "InvalidParameterValue"),
        (APP, "2026-01-01", {"properties": {"environmentId": "/e", "colour": 1}}, "InvalidRequestContent"),
        (ENVIRONMENT, "2026-01-01", {"properties": LOGS_NOWHERE}, "InvalidRequestParameterWithDetails"),
        (VAULT, "2026-02-01", {"properties": {"sku": {"family": "A", "name": "standard"}}}, "BadRequest"),
    ],
)
def test_preflight_refuses_what_the_service_refuses_of_a_body(
    azure: AzureClient, kind: str, version: str, body: Json, code: str
) -> None:
    """github.com/Azure/terraform-provider-azapi, guide of preflight validation."""
    name = {REGISTRY: "registry1", PARAMETER: "server-1/max_connections"}.get(kind, "name-1")

    assert inner(ask(azure, kind, name, version, body))["code"] == code
    if "/" not in name:
        assert azure.call("GET", f"{kind}/{name}").status_code in (400, 404)


def test_preflight_names_what_it_validated_and_makes_nothing(azure: AzureClient) -> None:
    body = {"sku": {"name": "Basic"}, "properties": {}}

    answer = ask(azure, REGISTRY, "registry1", "2025-11-01", body)

    assert answer.json() == {"properties": {"validatedResources": [f"{azure.group}/providers/{REGISTRY}/registry1"]}}
    assert azure.call("GET", f"{REGISTRY}/registry1").status_code == 404


def test_preflight_looks_for_nothing_that_a_body_refers_to(azure: AzureClient) -> None:
    """Groups and parents are not needed, and an expression represents an unknown value."""
    secret = {"properties": {"value": "x"}}
    database = {"properties": {"charset": "UTF8"}}
    component = {
        "kind": "web",
        "properties": {"Application_Type": "web", "WorkspaceResourceId": "[concat('/x', '/y')]"},
    }
    nowhere = f"{azure.subscription}/resourceGroups/nowhere"

    assert ask(azure, "Microsoft.KeyVault/vaults/secrets", "none/a", "2026-02-01", secret).status_code == 200
    assert ask(azure, f"{SERVER}/databases", "none/a", "2025-08-01", database).status_code == 200
    component_answer = ask(azure, "Microsoft.Insights/components", "insights", "2020-02-02", component, scope=nowhere)
    assert component_answer.status_code == 200, component_answer.text()
    typed = {**component, "properties": {**component["properties"], "Application_Type": "[length('foo')]", "x": 1}}
    assert (
        inner(ask(azure, "Microsoft.Insights/components", "i", "2020-02-02", typed))["code"] == "InvalidRequestContent"
    )


def test_preflight_knows_names_that_are_taken(azure: AzureClient) -> None:
    azure.ok(azure.call("PUT", f"{azure.subscription}/resourceGroups/other", {"location": "eastus2"}))
    azure.make_registry()
    body = {"sku": {"name": "Basic"}, "properties": {}}
    elsewhere = f"{azure.subscription}/resourceGroups/other"

    assert inner(ask(azure, REGISTRY, "registry1", "2025-11-01", body, scope=elsewhere))["code"] == "AlreadyInUse"
    assert ask(azure, REGISTRY, "registry1", "2025-11-01", body).status_code == 200


def test_preflight_needs_the_right_to_read_and_no_more_if_requested(azure: AzureClient, emulator: Attached) -> None:
    body = {"sku": {"name": "Basic"}, "properties": {}}
    reader = emulator.control("POST", "/control/principals", {"roles": ["acdd72a7-3385-48ef-bd42-f606fba81ae7"]})
    nobody = emulator.control("POST", "/control/principals", {"roles": []})
    may_read = AzureClient(emulator, reader["client_id"], reader["client_secret"])
    may_nothing = AzureClient(emulator, nobody["client_id"], nobody["client_secret"])

    assert ask(may_read, REGISTRY, "registry1", "2025-11-01", body).status_code == 200
    strict = ask(may_read, REGISTRY, "registry1", "2025-11-01", body, performPreflightWithoutRbacWriteCheck=False)
    assert (strict.status_code, may_read.error(strict)) == (403, "AuthorizationFailed")
    assert ask(may_nothing, REGISTRY, "registry1", "2025-11-01", body).status_code == 403


def test_the_log_shows_no_secret_that_was_asked_about(azure: AzureClient, emulator: Attached) -> None:
    body = {"properties": {"value": "canary-of-a-secret"}}

    ask(azure, "Microsoft.KeyVault/vaults/secrets", "vault-1/one", "2026-02-01", body)

    log = (emulator.ca_file.parent / "requests.jsonl").read_text(encoding="utf-8")
    assert "validateResources" in log
    assert "canary-of-a-secret" not in log


# Tags apart from their resource


def test_tags_at_a_scope_are_replaced_merged_and_deleted(azure: AzureClient) -> None:
    identity = azure.make_identity()["id"]
    tags = f"{identity}/providers/Microsoft.Resources/tags/default"

    def change(method: str, operation: str | None, sent: Json) -> Json:
        body: Json = {"properties": {"tags": sent}, **({"operation": operation} if operation else {})}
        azure.ok(azure.call(method, tags, body))
        shown = azure.get(identity, "2024-11-30")["tags"]
        assert azure.get(tags)["properties"]["tags"] == shown
        return dict(shown)

    assert change("PUT", None, {"a": "1", "b": "2"}) == {"a": "1", "b": "2"}
    assert change("PATCH", "Merge", {"B": "3", "c": "4"}) == {"a": "1", "b": "3", "c": "4"}
    assert change("PATCH", "Delete", {"a": "1", "c": "other"}) == {"b": "3", "c": "4"}
    assert change("PATCH", "Replace", {"d": "5"}) == {"d": "5"}
    azure.ok(azure.call("DELETE", tags))
    assert azure.get(identity, "2024-11-30")["tags"] == {}


def test_groups_and_the_subscription_have_tags_at_their_scope(azure: AzureClient) -> None:
    for scope in (azure.group, azure.subscription):
        path = f"{scope}/providers/Microsoft.Resources/tags/default"
        azure.ok(azure.call("PUT", path, {"properties": {"tags": {"a": "b"}}}))
        assert azure.get(path)["properties"]["tags"] == {"a": "b"}
    assert azure.get(azure.group)["tags"] == {"a": "b"}


def test_tags_of_nothing_or_of_what_has_none_are_refused(azure: AzureClient) -> None:
    body = {"properties": {"tags": {"a": "b"}}}
    absent = f"{azure.group}/providers/{IDENTITY}/none/providers/Microsoft.Resources/tags/default"
    azure.ok(
        azure.call(
            "PUT", f"{azure.group}/providers/Microsoft.Authorization/locks/l", {"properties": {"level": "CanNotDelete"}}
        )
    )
    lock = f"{azure.group}/providers/Microsoft.Authorization/locks/l/providers/Microsoft.Resources/tags/default"

    assert azure.call("PUT", absent, body).status_code == 404
    assert azure.call("PUT", lock, body).status_code == 400
