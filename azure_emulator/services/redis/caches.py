"""Azure Cache for Redis, the older product."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from azure_emulator.core import endings, rules
from azure_emulator.core.defaults import filled
from azure_emulator.core.effects import EFFECTS, effect
from azure_emulator.core.errors import Refusal
from azure_emulator.core.lifecycle import Work, in_location
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.resource_types import Call, ResourceType, display_location, register
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.managedidentity.identities import assigned
from azure_emulator.services.redis import defaults
from azure_emulator.services.redis.keys import keys_of, renew

Json = dict[str, Any]
REDIS = "Microsoft.Cache/redis"
_SHOWN_TYPE = "Microsoft.Cache/Redis"
# Both headers have the status URL (recorded traffic of Azure/azure-cli).
_CREATE = Work(
    "redis.ready",
    ("redis", "create"),
    "redis",
    answers=201,
    sends="A L=status",
    pace=30,
    status=in_location("Microsoft.Cache", "asyncOperations"),
)
_CHANGE = replace(_CREATE, takes=("redis", "update"), answers=200)
_PATCH = replace(_CHANGE, answers=202)
_DELETE = Work(
    "redis.deleted",
    ("redis", "delete"),
    "redis",
    sends="L",
    pace=30,
    result=in_location("Microsoft.Cache", "operationresults"),
    final="redis",
)
_FLUSH = replace(_PATCH, effect="redis.unchanged")
_REBOOT: Json = {
    "rebootType!": rules.OneOf("PrimaryNode", "SecondaryNode", "AllNodes"),
    "shardId": rules.Whole(0),
    "ports": [rules.Whole(1, 65535)],
}
_SWITCH = rules.OneOf("Enabled", "Disabled")
_RULE: Json = {
    **rules.TRACKED,
    "zones": rules.TEXTS,
    "identity": rules.IDENTITY,
    "properties!": {
        "sku": {
            "name!": rules.OneOf("Basic", "Standard", "Premium"),
            "family!": rules.OneOf("C", "P"),
            "capacity!": rules.Whole(0, 6),
        },
        "enableNonSslPort": rules.FLAG,
        "minimumTlsVersion": rules.OneOf("1.0", "1.1", "1.2"),
        "publicNetworkAccess": _SWITCH,
        "redisConfiguration": rules.OBJECT,
        "redisVersion": rules.TEXT,
        "tenantSettings": rules.Map(rules.TEXT),
        "shardCount": rules.WHOLE,
        "replicasPerMaster": rules.WHOLE,
        "replicasPerPrimary": rules.WHOLE,
        "subnetId": rules.TEXT,
        "staticIP": rules.TEXT,
        "updateChannel": rules.OneOf("Stable", "Preview"),
        "disableAccessKeyAuthentication": rules.FLAG,
        "zonalAllocationPolicy": rules.TEXT,
        **rules.read_only(
            "provisioningState",
            "hostName",
            "port",
            "sslPort",
            "accessKeys",
            "linkedServers",
            "instances",
            "privateEndpointConnections",
        ),
    },
}


class Caches(ResourceType):
    """201 with both headers; PATCH 200, or 202 for what takes time; DELETE 202 with Location, whose polls are 202 with
    `{status: InProgress}` (recorded traffic of Azure/azure-cli)."""

    type = REDIS
    body_rule = _RULE
    name_pattern = r"(?=.{1,63}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
    name_error = ("InvalidRequestBody", "The cache name '{name}' is invalid.")
    listed_with = ("tags",)

    def check(self, call: Call) -> None:
        super().check(call)
        sku = self.sent(call)["properties"].get("sku")
        if sku is not None:
            _check_sku(sku)

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent = body["properties"]
        if "sku" not in sent:
            raise Refusal(
                400, "InvalidRequestBody", "The property 'properties.sku' is required.", target="properties.sku"
            )
        _check_sku(sent["sku"])
        if call.existing is not None:
            self._refuse_running(call, call.existing)
            return self._change(call, call.existing, body, 200)
        if any(item.name.lower() == call.target.name.lower() for item in call.world.store.of_type(REDIS)):
            raise Refusal(409, "NameNotAvailable", f"The name '{call.target.name}' is already being used.")
        identifier = call.target.id.replace("/Microsoft.Cache/redis/", f"/{_SHOWN_TYPE}/")
        properties = filled(
            {**defaults.CACHE, "hostName": f"{call.target.name.lower()}.redis.cache.windows.net"},
            sent,
            redisConfiguration=filled(defaults.CACHE_CONFIGURATION, sent.get("redisConfiguration")),
        )
        shown = {
            "id": identifier,
            "location": display_location(body["location"]),
            "name": call.target.name,
            "type": _SHOWN_TYPE,
            "tags": body.get("tags", {}),
            "properties": properties,
            **({"identity": assigned(call.world, body["identity"])} if body.get("identity") else {}),
        }
        resource = call.world.store.put(Resource(identifier, REDIS, shown, call.now))
        answer = {**shown, "properties": {**properties, "accessKeys": _keys(call.world, resource)}}
        return call.accept(_CREATE, resource.id, answer, place=shown["location"])

    def _refuse_running(self, call: Call, existing: Resource) -> None:
        if existing.properties["provisioningState"] != "Succeeded":
            raise Refusal(
                409,
                "Conflict",
                f"The resource '{existing.id}' is busy processing a previous update request or "
                "is undergoing system maintenance. As such, it is currently unable to accept "
                "the update request. Please try again later.",
            )

    def _change(self, call: Call, existing: Resource, body: Json, status: int) -> Response:
        sent = body.get("properties") or {}
        sku = sent.get("sku")
        if sku is not None:
            _check_sku(sku)
            if ("Basic", "Standard", "Premium").index(sku["name"]) < ("Basic", "Standard", "Premium").index(
                existing.properties["sku"]["name"]
            ):
                raise Refusal(
                    400, "BadRequest", "Scaling down to a lower tier is not supported.", target="properties.sku"
                )
        resized = sku is not None and sku != existing.properties["sku"]
        identity = assigned(call.world, body["identity"]) if body.get("identity") else None
        slow = resized or (identity is not None and identity != existing.body.get("identity"))
        existing.body["properties"] = rules.update(existing.properties, sent)
        if "tags" in body:
            existing.body["tags"] = body["tags"] or {}
        if slow:
            if identity is not None:
                existing.body["identity"] = identity
            existing.properties["provisioningState"] = "Scaling" if resized else "UpdatingManagedIdentity"
            call.world.store.put(existing)
            work = _PATCH if status == 202 else _CHANGE
            return call.accept(work, existing.id, existing.body, place=existing.body["location"])
        call.world.store.put(existing)
        return Response(200, existing.body)

    def patch(self, call: Call) -> Response:
        existing = call.must_exist()
        self._refuse_running(call, existing)
        return self._change(call, existing, self.sent(call, patch=True), 202)

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        existing.properties["provisioningState"] = "Deleting"
        call.world.store.put(existing)
        return call.accept(_DELETE, existing.id, place=existing.body["location"])

    def actions(self) -> dict[str, Any]:
        return {
            "listkeys": self._list_keys,
            "regeneratekey": self._regenerate,
            "flush": self._flush,
            "forcereboot": self._reboot,
        }

    def _flush(self, call: Call) -> Response:
        existing = call.must_exist()
        self._refuse_running(call, existing)
        return call.accept(_FLUSH, existing.id, place=existing.body["location"])

    def _reboot(self, call: Call) -> Response:
        existing = call.must_exist()
        self._refuse_running(call, existing)
        rules.clean(call.request.json(), _REBOOT)
        return Response(200, {"message": f"Reboot of '{existing.name}' has begun."})

    def _list_keys(self, call: Call) -> Response:
        existing = call.must_exist()
        if existing.properties["disableAccessKeyAuthentication"]:
            raise Refusal(400, "BadRequest", "Access key authentication is disabled for this cache.")
        return Response(200, _keys(call.world, existing))

    def _regenerate(self, call: Call) -> Response:
        existing = call.must_exist()
        renew(existing, call.request.json().get("keyType"))
        call.world.store.put(existing)
        return self._list_keys(call)


def _check_sku(sku: Json) -> None:
    if (sku["name"] == "Premium") != (sku["family"] == "P"):
        raise Refusal(
            400,
            "InvalidRequestBody",
            f"The sku family '{sku['family']}' does not fit the sku '{sku['name']}'.",
            target="properties.sku.family",
        )


def _keys(world: World, resource: Resource) -> Json:
    return keys_of(world, "redis", resource)


@effect("redis.ready")
def _ready(world: World, operation: Json) -> None:
    found = world.store.get(operation["resource"])
    if found is not None:
        found.properties["provisioningState"] = "Failed" if operation["error"] else "Succeeded"
        found.properties["instances"] = [{"sslPort": 15000, "isMaster": True, "isPrimary": True}]
        world.store.put(found)


def check_name(world: World, request: Request, segments: list[str]) -> Response:
    """200 without a body if the name is free (learn.microsoft.com/rest/api/redis/redis/check-name-availability)."""
    name = str(request.json().get("name", ""))
    if any(item.name.lower() == name.lower() for item in world.store.of_type(REDIS)):
        raise Refusal(409, "NameNotAvailable", f"The name '{name}' is already being used.")
    return Response(200)


EFFECTS.update({"redis.unchanged": endings.unchanged, "redis.deleted": endings.removed})
register(Caches())

PATHS = [
    (
        "POST",
        ("subscriptions", "*", "providers", "microsoft.cache", "checknameavailability"),
        check_name,
        "Microsoft.Cache/checkNameAvailability",
        "Microsoft.Cache/checknameavailability/action",
    ),
]
