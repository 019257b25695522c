"""Key vaults, including soft delete, purge and recovery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azure_emulator.core import endings, rules
from azure_emulator.core.defaults import filled
from azure_emulator.core.effects import EFFECTS, effect
from azure_emulator.core.errors import Refusal
from azure_emulator.core.lifecycle import Work, begin
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, delete_now, register, system_data
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.keyvault import access_policies, defaults
from azure_emulator.services.keyvault.access_policies import POLICIES

Json = dict[str, Any]
VAULT = "Microsoft.KeyVault/vaults"
_CREATE = Work("vault.ready", ("vault", "create"), "vault")
_RBAC_BY_DEFAULT_SINCE = "2026-02-01"
_SWITCH = rules.OneOf("Enabled", "Disabled")
_RULE: Json = {
    **rules.TRACKED,
    "properties!": {
        "tenantId!": rules.TEXT,
        "sku!": {"family!": rules.OneOf("A"), "name!": rules.OneOf("standard", "premium")},
        "accessPolicies": POLICIES,
        "createMode": rules.OneOf("default", "recover"),
        "enableRbacAuthorization": rules.FLAG,
        "enableSoftDelete": rules.FLAG,
        "enablePurgeProtection": rules.FLAG,
        "softDeleteRetentionInDays": rules.Whole(7, 90),
        "enabledForDeployment": rules.FLAG,
        "enabledForDiskEncryption": rules.FLAG,
        "enabledForTemplateDeployment": rules.FLAG,
        "publicNetworkAccess": rules.TEXT,
        "networkAcls": {
            "bypass": rules.OneOf("AzureServices", "None"),
            "defaultAction": rules.OneOf("Allow", "Deny"),
            "ipRules": [{"value!": rules.TEXT}],
            "virtualNetworkRules": [{"id!": rules.TEXT, "ignoreMissingVnetServiceEndpoint": rules.FLAG}],
        },
        "vaultUri": rules.TEXT,
        "provisioningState": rules.READ_ONLY,
        "hsmPoolResourceId": rules.READ_ONLY,
        "privateEndpointConnections": rules.READ_ONLY,
    },
}


class Vaults(ResourceType):
    """PUT 200, new too (43 recorded vaults of Azure/azure-cli); DELETE 200; the name is reserved until the purge."""

    type = VAULT
    body_rule = _RULE
    body_code = "BadRequest"
    name_pattern = r"(?!.*--)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]"
    name_error = (
        "VaultNameNotValid",
        "The vault name '{name}' is invalid. A vault's name must be between 3-24 "
        "alphanumeric characters. The name must begin with a letter, end with a letter "
        "or digit, and not contain consecutive hyphens.",
    )
    listed_with = ("tags", "systemData")

    def check(self, call: Call) -> None:
        super().check(call)
        sent = self.sent(call)["properties"]
        self._refuse_tenant(call, sent)
        if call.existing is None and sent.get("createMode") != "recover":
            self._refuse_taken(call)

    def _refuse_tenant(self, call: Call, sent: Json) -> None:
        if sent["tenantId"].lower() != call.world.identity.tenant_id:
            raise Refusal(400, "BadRequest", f"An invalid value was provided for 'tenantId': {sent['tenantId']}.")

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent = body["properties"]
        self._refuse_tenant(call, sent)
        if call.existing is not None:
            return self._update(call, call.existing, body, sent, whole=True)
        if sent.get("createMode") == "recover":
            return self._recover(call, body, find_deleted(call.world, call.target.name))
        self._refuse_taken(call)
        return self._create(call, body, sent)

    def _refuse_taken(self, call: Call) -> None:
        if find_deleted(call.world, call.target.name) is not None:
            raise Refusal(
                409,
                "ConflictError",
                "A vault with the same name already exists in deleted state. You need to either recover or "
                "purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 "
                "for more information on soft delete.",
            )
        if find(call.world, call.target.name) is not None:
            raise Refusal(
                409,
                "VaultAlreadyExists",
                f"The vault name '{call.target.name}' is already in use. Vault names "
                "are globally unique so it is possible that the name is already "
                "taken.",
            )

    def _create(self, call: Call, body: Json, sent: Json) -> Response:
        rbac = sent.get("enableRbacAuthorization")
        if rbac is None:
            rbac = call.request.api_version >= _RBAC_BY_DEFAULT_SINCE
        _refuse_creation(sent, rbac)
        more = defaults.VAULT_SINCE_2024 if call.request.api_version >= "2024-11-01" else {}
        properties = filled(
            {**defaults.VAULT, **more},
            {name: sent[name] for name in defaults.VAULT_TAKES if name in sent},
            enableRbacAuthorization=rbac,
            vaultUri=f"https://{call.target.name.lower()}.vault.azure.net/",
            provisioningState="RegisteringDns",
        )
        shown = {
            "id": call.target.id,
            "name": call.target.name,
            "type": VAULT,
            "location": body["location"],
            "tags": body.get("tags", {}),
            "systemData": system_data(call, digits=3),
            "properties": properties,
        }
        call.world.store.put(Resource(call.target.id, VAULT, shown, call.now))
        begin(call.world, call.request, _CREATE, call.target.id)
        # vaultUri has no trailing slash in the reply to PUT, but in GET (recorded traffic of Azure/azure-dev).
        return Response(200, {**shown, "properties": {**properties, "vaultUri": properties["vaultUri"].rstrip("/")}})

    def _recover(self, call: Call, body: Json, deleted: Json | None) -> Response:
        """Recover with properties and secrets, without role assignments; Succeeded at once (recorded)."""
        if deleted is None:
            raise Refusal(
                404, "DeletedVaultNotFound", f"No deleted vault with the name '{call.target.name}' was found."
            )
        if deleted["vault"]["id"].lower() != call.target.id.lower():
            raise Refusal(
                409,
                "VaultAlreadyExists",
                f"The deleted vault '{call.target.name}' belongs to another resource group: {deleted['vault']['id']}.",
            )
        if region(deleted["vault"]["body"]["location"]) != region(body["location"]):
            raise Refusal(
                409,
                "InvalidResourceLocation",
                f"The deleted vault '{call.target.name}' is in location '{deleted['vault']['body']['location']}'.",
            )
        vault = Resource(**deleted["vault"])
        vault.properties["provisioningState"] = "Succeeded"
        vault.body["systemData"] = system_data(call, digits=3, created=vault.body["systemData"]["createdAt"])
        call.world.store.put(vault)
        for secret in deleted["secrets"]:
            call.world.store.put(Resource(**secret))
        call.world.store.set("deleted vault", call.target.name.lower(), None)
        return Response(200, vault.body)

    def _update(self, call: Call, existing: Resource, body: Json, sent: Json, *, whole: bool) -> Response:
        current = existing.properties
        if sent.get("createMode") == "recover":
            raise Refusal(409, "VaultAlreadyExists", f"The vault '{call.target.name}' exists and is not deleted.")
        days = sent.get("softDeleteRetentionInDays")
        if days is not None and days != current["softDeleteRetentionInDays"]:
            raise Refusal(
                400,
                "BadRequest",
                'The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.',
            )
        if sent.get("enableSoftDelete") is False:
            raise Refusal(400, "BadRequest", 'The property "enableSoftDelete" cannot be set to false.')
        _refuse_disabled_purge_protection(sent)
        rbac = sent.get("enableRbacAuthorization")
        if rbac is not None and rbac != current["enableRbacAuthorization"] and call.request.principal is not None:
            self._may_switch(call)
        changed = {
            key: value
            for key, value in sent.items()
            if key not in ("createMode", "vaultUri", "provisioningState", "enableSoftDelete")
        }
        if whole:
            # A PUT replaces given properties; omitted policies are removed, others kept, including network rules
            # (github.com/hashicorp/terraform-provider-azurerm issue 27609).
            changed.setdefault("accessPolicies", [])
        existing.body["properties"] = rules.update(current, changed)
        if existing.properties["provisioningState"] == "Failed":
            existing.properties["provisioningState"] = "Succeeded"  # a write is another attempt
        if whole or "tags" in body:
            existing.body["tags"] = body.get("tags") or {}
        existing.body["systemData"] = system_data(call, digits=3, created=existing.body["systemData"]["createdAt"])
        call.world.store.put(existing)
        return Response(200, existing.body)

    def _may_switch(self, call: Call) -> None:
        assert call.request.principal is not None
        if not call.world.is_allowed(
            call.request.principal, "Microsoft.Authorization/roleAssignments/write", call.target.id
        ):
            raise Refusal(403, "InsufficientPermissions", "Caller is not allowed to change permission model.")

    def patch(self, call: Call) -> Response:
        body = self.sent(call, patch=True)
        return self._update(call, call.must_exist(), body, body.get("properties") or {}, whole=False)

    def delete(self, call: Call) -> Response:
        delete_now(call.world, call.must_exist().id)
        return Response(200)

    action_methods = {"accesspolicies": ("PUT",)}

    def actions(self) -> dict[str, Callable[[Call], Response]]:
        return {"accesspolicies": access_policies.change}

    def removed(self, world: World, resource: Resource) -> None:
        """Store what soft delete keeps. Its secrets were stored when they were removed, just before."""
        now = world.clock.now()
        kept = [
            record
            for _, record in world.store.records("removed secret")
            if record["id"].lower().startswith(resource.key)
        ]
        for record in kept:
            world.store.set("removed secret", record["id"].lower(), None)
        days = resource.properties["softDeleteRetentionInDays"]
        vault = {
            "id": resource.id,
            "type": resource.type,
            "body": resource.body,
            "created": resource.created,
            "private": resource.private,
        }
        world.store.set(
            "deleted vault",
            resource.name.lower(),
            {"vault": vault, "secrets": kept, "deleted": now, "purge": now + days * 86400},
        )


def _refuse_disabled_purge_protection(sent: Json) -> None:
    if sent.get("enablePurgeProtection") is False:
        raise Refusal(
            400,
            "BadRequest",
            'The property "enablePurgeProtection" cannot be set to false. Enabling '
            "the purge protection for a vault is an irreversible action.",
        )


def _refuse_creation(sent: Json, rbac: bool) -> None:
    if sent.get("enableSoftDelete") is False:
        raise Refusal(
            400,
            "BadRequest",
            'The property "enableSoftDelete" can be set to false only for creating '
            "new vault; soft delete can no longer be disabled.",
        )
    if not rbac and "accessPolicies" not in sent:
        raise Refusal(400, "BadRequest", "The parameter accessPolicies is not specified.")
    _refuse_disabled_purge_protection(sent)


def find(world: World, name: str) -> Resource | None:
    """Names are globally unique."""
    return next((item for item in world.store.of_type(VAULT) if item.name.lower() == name.lower()), None)


def find_deleted(world: World, name: str) -> Json | None:
    record = world.store.record("deleted vault", name.lower())
    if record is not None and record["purge"] <= world.clock.now():
        purge_now(world, name)
        return None
    return record


def purge_now(world: World, name: str) -> None:
    record = world.store.record("deleted vault", name.lower())
    if record is not None:
        vault_key = record["vault"]["id"].lower()
        world.secrets.forget(vault_key)
        for key, _ in world.store.records("deleted secret"):
            if key.startswith(vault_key + "/"):
                world.store.set("deleted secret", key, None)
        world.store.set("deleted vault", name.lower(), None)


# Deleted vaults


@effect("vault.purged")
def _purged(world: World, operation: Json) -> None:
    if not operation["error"]:
        purge_now(world, operation["resource"])


EFFECTS.update({"vault.ready": endings.settled})
register(Vaults())
