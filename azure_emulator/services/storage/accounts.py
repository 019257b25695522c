"""Storage accounts and their keys. Their data is not served: use Azurite."""

from __future__ import annotations

import re
from typing import Any

from azure_emulator.core import endings, rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.defaults import filled
from azure_emulator.core.effects import EFFECTS, FINALS
from azure_emulator.core.errors import Refusal
from azure_emulator.core.lifecycle import Work, in_location
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.resource_types import Call, ResourceType, delete_now, register
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.managedidentity.identities import assigned
from azure_emulator.services.storage import defaults

Json = dict[str, Any]
ACCOUNT = "Microsoft.Storage/storageAccounts"
_CREATE = Work(
    "storage.ready",
    ("storage", "create"),
    "group",
    sends="L",
    pace=17,
    result=in_location("Microsoft.Storage", "asyncoperations"),
    final="storage",
)
_SWITCH = rules.OneOf("Enabled", "Disabled")
_SKUS = (
    "Standard_LRS",
    "Standard_GRS",
    "Standard_RAGRS",
    "Standard_ZRS",
    "Standard_GZRS",
    "Standard_RAGZRS",
    "Premium_LRS",
    "Premium_ZRS",
    "PremiumV2_LRS",
    "PremiumV2_ZRS",
    "StandardV2_LRS",
    "StandardV2_GRS",
    "StandardV2_ZRS",
    "StandardV2_GZRS",
)
_IP_RULES: list[Json] = [{"value!": rules.TEXT, "action": rules.TEXT}]
_RULE: Json = {
    **rules.TRACKED,
    "sku!": {"name!": rules.OneOf(*_SKUS), "tier": rules.READ_ONLY},
    "kind!": rules.OneOf("Storage", "StorageV2", "BlobStorage", "FileStorage", "BlockBlobStorage"),
    "identity": rules.IDENTITY,
    "extendedLocation": rules.OBJECT,
    "zones": rules.TEXTS,
    "placement": rules.OBJECT,
    "properties": {
        "accessTier": rules.OneOf("Hot", "Cool", "Cold", "Premium", "Smart"),
        "allowBlobPublicAccess": rules.FLAG,
        "allowCrossTenantReplication": rules.FLAG,
        "allowSharedKeyAccess": rules.FLAG,
        "allowedCopyScope": rules.OneOf("All", "PrivateLink", "AAD"),
        "defaultToOAuthAuthentication": rules.FLAG,
        "dnsEndpointType": rules.OneOf("Standard", "AzureDnsZone"),
        "dualStackEndpointPreference": rules.OBJECT,
        "encryption": rules.OBJECT,
        "enableExtendedGroups": rules.FLAG,
        "immutableStorageWithVersioning": rules.OBJECT,
        "isHnsEnabled": rules.FLAG,
        "isLocalUserEnabled": rules.FLAG,
        "isNfsV3Enabled": rules.FLAG,
        "isSftpEnabled": rules.FLAG,
        "keyPolicy": {"keyExpirationPeriodInDays!": rules.WHOLE},
        "largeFileSharesState": _SWITCH,
        "minimumTlsVersion": rules.OneOf("TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3"),
        "networkAcls": {
            "bypass": rules.TEXT,
            "defaultAction": rules.OneOf("Allow", "Deny"),
            "ipRules": _IP_RULES,
            "virtualNetworkRules": [{"id!": rules.TEXT, "action": rules.TEXT, "state": rules.READ_ONLY}],
            "resourceAccessRules": [{"resourceId": rules.TEXT, "tenantId": rules.TEXT}],
            "ipv6Rules": _IP_RULES,
        },
        "publicNetworkAccess": rules.OneOf("Enabled", "Disabled", "SecuredByPerimeter"),
        "routingPreference": rules.OBJECT,
        "sasPolicy": rules.OBJECT,
        "supportsHttpsTrafficOnly": rules.FLAG,
        "azureFilesIdentityBasedAuthentication": rules.OBJECT,
        "customDomain": rules.OBJECT,
        "allowSharedKeyAccessForServices": rules.OBJECT,
        "dataCollaborationPolicyProperties": rules.OBJECT,
        "geoPriorityReplicationStatus": rules.OBJECT,
        **rules.read_only(
            "accountMigrationInProgress",
            "blobRestoreStatus",
            "failoverInProgress",
            "geoReplicationStats",
            "isSkuConversionBlocked",
            "lastGeoFailoverTime",
            "storageAccountSkuConversionStatus",
            "provisioningState",
            "creationTime",
            "keyCreationTime",
            "primaryEndpoints",
            "primaryLocation",
            "secondaryLocation",
            "secondaryEndpoints",
            "statusOfPrimary",
            "statusOfSecondary",
            "privateEndpointConnections",
        ),
    },
}


class Accounts(ResourceType):
    """PUT 202 with Location for a new one, 200 on an existing one; PATCH 200; DELETE 200 (azure-mgmt-storage)."""

    type = ACCOUNT
    body_rule = _RULE
    name_pattern = r"[a-z0-9]{3,24}"
    name_error = (
        "AccountNameInvalid",
        "{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
        "length and use numbers and lower-case letters only.",
    )
    listed_with = ("sku", "kind", "tags")

    def check(self, call: Call) -> None:
        super().check(call)
        if call.existing is None:
            _refuse_taken(call.world, call.target.name)

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        if call.existing is not None:
            return self._change(call, call.existing, body)
        _refuse_taken(call.world, call.target.name)
        sent, now = body.get("properties", {}), stamp(call.now)
        key = {"keyType": "Account", "enabled": True, "lastEnabledTime": now}
        encrypted = {name: dict(key) for name in defaults.ENCRYPTED}
        own = {
            "keyCreationTime": {"key1": now, "key2": now},
            "encryption": {"services": encrypted, "keySource": "Microsoft.Storage"},
            **({} if body["kind"] == "FileStorage" else {"accessTier": "Hot"}),
        }
        properties = filled(
            {**defaults.ACCOUNT, **own},
            sent,
            provisioningState="Creating",
            creationTime=now,
            primaryEndpoints=_endpoints(call.target.name),
            primaryLocation=region(body["location"]),
            statusOfPrimary="available",
        )
        shown = {
            "sku": _sku(body["sku"]["name"]),
            "kind": body["kind"],
            "id": call.target.id,
            "name": call.target.name,
            "type": ACCOUNT,
            "location": region(body["location"]),
            "tags": body.get("tags", {}),
            "properties": properties,
            **({"identity": assigned(call.world, body["identity"], call.target.id)} if body.get("identity") else {}),
        }
        call.world.store.put(Resource(call.target.id, ACCOUNT, shown, call.now))
        return call.accept(_CREATE, call.target.id, place=str(region(body["location"])))

    def _change(self, call: Call, existing: Resource, body: Json) -> Response:
        if body.get("kind", existing.body["kind"]) != existing.body["kind"] and body["kind"] != "StorageV2":
            raise Refusal(400, "AccountPropertyCannotBeUpdated", "The kind of an account cannot be changed so.")
        existing.body["properties"] = rules.update(existing.properties, body.get("properties") or {})
        if body.get("sku"):
            existing.body["sku"] = _sku(body["sku"]["name"])
        if body.get("kind"):
            existing.body["kind"] = body["kind"]
        if "tags" in body:
            existing.body["tags"] = body["tags"] or {}
        if body.get("identity"):
            existing.body["identity"] = assigned(call.world, body["identity"], existing.key)
        call.world.store.put(existing)
        return Response(200, existing.body)

    def patch(self, call: Call) -> Response:
        return self._change(call, call.must_exist(), self.sent(call, patch=True))

    def delete(self, call: Call) -> Response:
        delete_now(call.world, call.must_exist().id)
        return Response(200)

    def actions(self) -> dict[str, Any]:
        return {"listkeys": self._list_keys, "regeneratekey": self._regenerate}

    def _list_keys(self, call: Call) -> Response:
        account = call.must_exist()
        return Response(
            200,
            {
                "keys": [
                    {
                        "keyName": name,
                        "value": account_key(call.world, account, name),
                        "permissions": "FULL",
                        "creationTime": account.properties["keyCreationTime"][name],
                    }
                    for name in KEYS
                ]
            },
        )

    def _regenerate(self, call: Call) -> Response:
        account, name = call.must_exist(), str(call.request.json().get("keyName"))
        if name not in KEYS:
            raise Refusal(400, "InvalidValuesForRequestParameters", f"The keyName is one of {', '.join(KEYS)}.")
        renewed = account.private.setdefault("renewed", {})
        renewed[name] = renewed.get(name, 0) + 1
        account.properties["keyCreationTime"][name] = stamp(call.now)
        call.world.store.put(account)
        return self._list_keys(call)


KEYS = ("key1", "key2")


def account_key(world: World, account: Resource, name: str) -> str:
    """Return a key, derived and never stored; 64 bytes as in Azure."""
    times = str(account.private.get("renewed", {}).get(name, 0))
    made = (account.key, str(account.created), name, times)
    return world.derived_text(64, "storage", *made)


def _sku(name: str) -> Json:
    return {"name": name, "tier": "Premium" if name.startswith("Premium") else "Standard"}


def _endpoints(name: str) -> Json:
    services = ("dfs", "web", "blob", "queue", "table", "file")
    return {service: f"https://{name}.{service}.core.windows.net/" for service in services}


def find(world: World, name: str) -> Resource | None:
    return next((item for item in world.store.of_type(ACCOUNT) if item.name == name), None)


def _refuse_taken(world: World, name: str) -> None:
    """Names are globally unique (github.com/Azure/terraform-provider-azapi, guide of preflight validation)."""
    if find(world, name) is not None:
        raise Refusal(
            409, "StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.", target=name
        )


def check_name(world: World, request: Request, segments: list[str]) -> Response:
    name = str(request.json().get("name", ""))
    if not re.fullmatch(Accounts.name_pattern, name):
        message = Accounts.name_error[1].format(name=name)
        return Response(200, {"nameAvailable": False, "reason": "AccountNameInvalid", "message": message})
    if find(world, name) is not None:
        message = f"The storage account named {name} is already taken."
        return Response(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": message})
    return Response(200, {"nameAvailable": True})


def usages(world: World, request: Request, segments: list[str]) -> Response:
    place = region(segments[5])
    used = [item for item in world.store.of_type(ACCOUNT) if region(item.body["location"]) == place]
    name = {"value": "StorageAccounts", "localizedValue": "Storage Accounts"}
    return Response(200, {"value": [{"unit": "Count", "currentValue": len(used), "limit": 250, "name": name}]})


EFFECTS.update({"storage.ready": endings.settled})
FINALS["storage"] = endings.shows(200)
register(Accounts())

_P = ("subscriptions", "*", "providers", "microsoft.storage")
PATHS = [
    (
        "POST",
        (*_P, "checknameavailability"),
        check_name,
        "Microsoft.Storage/checkNameAvailability",
        "Microsoft.Storage/checknameavailability/read",
    ),
    (
        "GET",
        (*_P, "locations", "*", "usages"),
        usages,
        "Microsoft.Storage/locations",
        "Microsoft.Storage/locations/usages/read",
    ),
]
