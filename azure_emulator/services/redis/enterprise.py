"""Azure Managed Redis: clusters and their database."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from azure_emulator.core import endings, rules
from azure_emulator.core.defaults import filled
from azure_emulator.core.effects import EFFECTS, effect
from azure_emulator.core.errors import Refusal
from azure_emulator.core.lifecycle import Work, in_location
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, delete_now, display_location, register
from azure_emulator.core.store import Resource
from azure_emulator.core.versioned import PREVIEW
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.redis import defaults
from azure_emulator.services.redis.keys import keys_of, renew

Json = dict[str, Any]
CLUSTER = "Microsoft.Cache/redisEnterprise"
DATABASE = f"{CLUSTER}/databases"
SKUS = (
    [f"Balanced_B{size}" for size in (0, 1, 3, 5, 10, 20, 50, 100, 150, 250, 350, 500, 700, 1000)]
    + [f"MemoryOptimized_M{size}" for size in (10, 20, 50, 100, 150, 250, 350, 500, 700, 1000, 1500, 2000)]
    + [f"ComputeOptimized_X{size}" for size in (3, 5, 10, 20, 50, 100, 150, 250, 350, 500, 700)]
    + [f"FlashOptimized_A{size}" for size in (250, 500, 700, 1000, 1500, 2000, 4500)]
)
_SWITCH = rules.OneOf("Enabled", "Disabled")
_PUBLIC_ACCESS_SINCE = "2025-07-01"
_RULE: Json = {
    **rules.TRACKED,
    "kind": rules.READ_ONLY,
    "sku!": {"name!": rules.TEXT, "capacity": rules.WHOLE},
    "zones": rules.TEXTS,
    "identity": rules.IDENTITY,
    "properties": {
        "minimumTlsVersion": rules.OneOf("1.0", "1.1", "1.2"),
        "highAvailability": _SWITCH,
        "publicNetworkAccess": _SWITCH,
        "encryption": rules.OBJECT,
        **rules.read_only(
            "hostName",
            "provisioningState",
            "resourceState",
            "redundancyMode",
            "redisVersion",
            "privateEndpointConnections",
        ),
    },
}
_DATABASE_RULE: Json = {
    **rules.ENVELOPE,
    "properties": {
        "clientProtocol": rules.OneOf("Encrypted", "Plaintext"),
        "port": rules.Whole(1, 65535),
        "clusteringPolicy": rules.OneOf("OSSCluster", "EnterpriseCluster", "NoCluster"),
        "evictionPolicy": rules.OneOf(
            "AllKeysLFU",
            "AllKeysLRU",
            "AllKeysRandom",
            "VolatileLRU",
            "VolatileLFU",
            "VolatileTTL",
            "VolatileRandom",
            "NoEviction",
        ),
        "accessKeysAuthentication": _SWITCH,
        "modules": [{"name!": rules.TEXT, "args": rules.TEXT, "version": rules.READ_ONLY}],
        "persistence": rules.OBJECT,
        "geoReplication": rules.OBJECT,
        "deferUpgrade": rules.OneOf("Deferred", "NotDeferred"),
        **rules.read_only("provisioningState", "resourceState", "redisVersion", "keySpaceNotification"),
    },
}


# Both headers, though the specification names none; a PUT's Location is the resource itself (recorded).
_CREATE = Work(
    "managed redis.ready",
    ("managed redis", "create"),
    "managed redis",
    answers=201,
    sends="A L=resource",
    pace=30,
    status=in_location("Microsoft.Cache", "operationsStatus"),
    result="{resource}/operationresults/{id}",
    final="none",
)
_CHANGE = replace(_CREATE, takes=("managed redis", "update"), answers=200)
_PATCH = replace(_CHANGE, answers=202, sends="A L")
_DELETE = replace(_PATCH, effect="managed redis.deleted", takes=("managed redis", "delete"))
_DATABASE_CREATE = replace(_CREATE, takes=("managed redis", "database"), word="Pending")
_DATABASE_CHANGE = replace(_DATABASE_CREATE, answers=200)
_DATABASE_PATCH = replace(_DATABASE_CHANGE, answers=202, sends="A L")
_DATABASE_DELETE = replace(_DATABASE_PATCH, effect="managed redis.deleted", takes=("managed redis", "database delete"))


_FLUSH = replace(_DATABASE_PATCH, effect="managed redis.unchanged", final="empty", word="InProgress")


def _refuse_running(call: Call, resource_id: str) -> None:
    if call.world.operations.running(resource_id) is not None:
        raise Refusal(409, "Conflict", f"Another operation is in progress on '{resource_id.rsplit('/', 1)[1]}'.")


class Clusters(ResourceType):
    """201 with both headers; two state fields; deletion 202 with the full body (recorded traffic of
    Azure/azure-cli)."""

    type = CLUSTER
    body_rule = _RULE
    name_pattern = r"(?=.{1,60}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
    name_error = ("InvalidRequestBody", "The cluster name '{name}' is invalid.")
    listed_with = ("sku", "kind", "tags")

    def check(self, call: Call) -> None:
        super().check(call)
        body = self.sent(call)
        self._check(call, body, body.get("properties", {}))

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent = body.get("properties", {})
        self._check(call, body, sent)
        if call.existing is not None:
            _refuse_running(call, call.existing.id)
            return self._change(call, call.existing, body, 200)
        if any(item.name.lower() == call.target.name.lower() for item in call.world.store.of_type(CLUSTER)):
            raise Refusal(409, "NameNotAvailable", f"The name '{call.target.name}' is already in use.")
        place = region(body["location"]) or ""
        host = f"{call.target.name.lower()}.{place}.redis.azure.net"
        properties = filled({**defaults.CLUSTER, "hostName": host}, sent)
        properties["redundancyMode"] = "LR" if properties["highAvailability"] == "Enabled" else "None"
        shown = {
            "location": display_location(body["location"]),
            "name": call.target.name,
            "id": call.target.id,
            "type": CLUSTER,
            "kind": "v2",
            "tags": body.get("tags", {}),
            "sku": {"name": body["sku"]["name"]},
            "properties": properties,
            "identity": body.get("identity", {"type": "None"}),
        }
        call.world.store.put(Resource(call.target.id, CLUSTER, shown, call.now))
        return call.accept(_CREATE, call.target.id, shown, place=display_location(place))

    def _check(self, call: Call, body: Json, sent: Json) -> None:
        name = body["sku"]["name"]
        if name.startswith(("Enterprise_", "EnterpriseFlash_")):
            raise Refusal(
                400,
                "BadRequest",
                "Creation of new Azure Cache for Redis Enterprise resources is no longer "
                "supported. Please create Azure Managed Redis instead.",
            )
        if name not in SKUS:
            raise Refusal(
                400, "InvalidRequestBody", f"The sku '{name}' is not one of {', '.join(SKUS)}.", target="sku.name"
            )
        if "capacity" in body["sku"]:
            raise Refusal(
                400,
                "InvalidRequestBody",
                f"The property 'sku.capacity' must not be given for the sku '{name}'.",
                target="sku.capacity",
            )
        if call.request.api_version >= _PUBLIC_ACCESS_SINCE and "publicNetworkAccess" not in sent:
            raise Refusal(
                400,
                "InvalidRequestBody",
                "The property 'properties.publicNetworkAccess' is required.",
                target="properties.publicNetworkAccess",
            )

    def _change(self, call: Call, existing: Resource, body: Json, status: int) -> Response:
        sent = body.get("properties") or {}
        high = sent.get("highAvailability")
        if high is not None and high != existing.properties["highAvailability"]:
            raise Refusal(
                400,
                "BadRequest",
                "The property 'highAvailability' cannot be changed after creation.",
                target="properties.highAvailability",
            )
        if existing.properties["resourceState"] != "Running":
            raise Refusal(409, "Conflict", f"The cluster is in state '{existing.properties['resourceState']}'.")
        existing.body["properties"] = rules.update(existing.properties, sent)
        if body.get("sku"):
            existing.body["sku"] = {"name": body["sku"]["name"]}
        if "tags" in body:
            existing.body["tags"] = body["tags"] or {}
        existing.properties["provisioningState"] = existing.properties["resourceState"] = "Updating"
        call.world.store.put(existing)
        work = _CHANGE if status == 200 else _PATCH
        return call.accept(work, existing.id, existing.body, place=display_location(existing.body["location"]))

    def patch(self, call: Call) -> Response:
        existing = call.must_exist()
        _refuse_running(call, existing.id)
        body = self.sent(call, patch=True)
        if body.get("sku") and body["sku"].get("name") not in SKUS:
            raise Refusal(
                400, "InvalidRequestBody", f"The sku '{body['sku'].get('name')}' is not known.", target="sku.name"
            )
        return self._change(call, existing, body, 202)

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        return _delete(call, existing, _DELETE, existing.body["location"])

    def actions(self) -> dict[str, Any]:
        return {"listskusforscaling": lambda call: Response(200, {"skus": [{"name": name} for name in SKUS]})}


def _delete(call: Call, existing: Resource, work: Work, location: str) -> Response:
    existing.properties["provisioningState"] = existing.properties["resourceState"] = "Deleting"
    call.world.store.put(existing)
    running = call.world.operations.running(existing.id)
    if running is not None:
        call.world.operations.cancel(running)
    return call.accept(work, existing.id, existing.body, place=display_location(location))


_MOST_WITHOUT_CLUSTER = 20
"""The number in the name of the largest size of up to 25 GB (24 GB), in every family."""


def _check_policy(cluster: Resource, sent: Json) -> None:
    size = int(re.sub(r"\D", "", cluster.body["sku"]["name"].rpartition("_")[2]))
    if sent.get("clusteringPolicy") == "NoCluster" and size > _MOST_WITHOUT_CLUSTER:
        raise Refusal(
            400,
            "BadRequest",
            f"The clustering policy 'NoCluster' is for up to 25 GB, not for the sku '{cluster.body['sku']['name']}'.",
            target="properties.clusteringPolicy",
        )


class Databases(ResourceType):
    """One per cluster, named `default`. Since 2025-07-01 access keys are off unless enabled
    (github.com/hashicorp/terraform issue 37842)."""

    type = DATABASE
    body_rule = _DATABASE_RULE
    versioned = {"properties.keySpaceNotification": PREVIEW}
    tracked = False
    name_pattern = r"(?i:default)"
    name_error = ("InvalidRequestBody", "The database must be named 'default', not '{name}'.")

    def _cluster(self, call: Call) -> Resource:
        cluster = call.world.store.get(call.target.parent)
        assert cluster is not None
        return cluster

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent, cluster = body.get("properties", {}), self._cluster(call)
        _check_policy(cluster, sent)
        if cluster.properties["resourceState"] != "Running":
            raise Refusal(
                409,
                "Conflict",
                f"The cluster '{cluster.name}' is in state '{cluster.properties['resourceState']}', not 'Running'.",
            )
        if call.existing is not None:
            _refuse_running(call, call.existing.id)
            return self._change(call, call.existing, sent, 200)
        keys = "Disabled" if call.request.api_version >= _PUBLIC_ACCESS_SINCE else "Enabled"
        properties = filled({**defaults.DATABASE, "accessKeysAuthentication": keys}, sent)
        shown = {"name": "default", "id": call.target.id, "type": DATABASE, "properties": properties}
        for module in properties.get("modules") or []:
            module.setdefault("args", "")
            module["version"] = "2.6.0"
        call.world.store.put(Resource(call.target.id, DATABASE, shown, call.now))
        return call.accept(_DATABASE_CREATE, call.target.id, shown, place=display_location(cluster.body["location"]))

    def _change(self, call: Call, existing: Resource, sent: Json, status: int) -> Response:
        current = existing.properties
        if (
            "clusteringPolicy" in sent
            and sent["clusteringPolicy"] != current["clusteringPolicy"]
            and current["clusteringPolicy"] != "NoCluster"
        ):
            raise Refusal(
                400,
                "BadRequest",
                "The property 'clusteringPolicy' cannot be changed.",
                target="properties.clusteringPolicy",
            )
        for name in ("port", "modules"):
            if name in sent and sent[name] != current.get(name, [] if name == "modules" else None):
                raise Refusal(
                    400, "BadRequest", f"The property '{name}' cannot be changed.", target=f"properties.{name}"
                )
        existing.body["properties"] = rules.update(current, sent)
        existing.properties["provisioningState"] = existing.properties["resourceState"] = "Updating"
        call.world.store.put(existing)
        work = _DATABASE_CHANGE if status == 200 else _DATABASE_PATCH
        place = display_location(self._cluster(call).body["location"])
        return call.accept(work, existing.id, existing.body, place=place)

    def patch(self, call: Call) -> Response:
        existing = call.must_exist()
        _refuse_running(call, existing.id)
        body = self.sent(call, patch=True)
        return self._change(call, existing, body.get("properties") or {}, 202)

    def delete(self, call: Call) -> Response:
        return _delete(call, call.must_exist(), _DATABASE_DELETE, self._cluster(call).body["location"])

    def actions(self) -> dict[str, Any]:
        return {"listkeys": self._keys, "regeneratekey": self._regenerate, "flush": self._flush}

    def _keys(self, call: Call) -> Response:
        existing = call.must_exist()
        if existing.properties["accessKeysAuthentication"] != "Enabled":
            raise Refusal(400, "BadRequest", "Access keys authentication is disabled for this database.")
        return Response(200, keys_of(call.world, "managed redis", existing))

    def _regenerate(self, call: Call) -> Response:
        existing = call.must_exist()
        _refuse_running(call, existing.id)
        renew(existing, call.request.json().get("keyType"))
        call.world.store.put(existing)
        return self._keys(call)

    def _flush(self, call: Call) -> Response:
        existing = call.must_exist()
        _refuse_running(call, existing.id)
        return call.accept(_FLUSH, existing.id, place=display_location(self._cluster(call).body["location"]))


@effect("managed redis.ready")
def _ready(world: World, operation: Json) -> None:
    found = world.store.get(operation["resource"])
    if found is not None:
        failed = operation["error"] is not None
        creating = found.properties["provisioningState"] == "Creating"
        found.properties["provisioningState"] = "Failed" if failed else "Succeeded"
        found.properties["resourceState"] = ("CreateFailed" if creating else "UpdateFailed") if failed else "Running"
        world.store.put(found)


@effect("managed redis.deleted")
def _deleted(world: World, operation: Json) -> None:
    found = world.store.get(operation["resource"])
    if found is not None and operation["error"]:
        found.properties["provisioningState"], found.properties["resourceState"] = "Failed", "DeleteFailed"
        world.store.put(found)
    elif found is not None:
        delete_now(world, found.id)


EFFECTS.update({"managed redis.unchanged": endings.unchanged})
register(Clusters(), Databases())
