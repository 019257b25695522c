"""Private DNS zones and their links to networks; nothing resolves their names."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from azure_emulator.core import endings, rules
from azure_emulator.core.effects import EFFECTS, FINALS
from azure_emulator.core.errors import Refusal
from azure_emulator.core.lifecycle import Work
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, page, register
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.network.dns_records import ZONE, first_soa, record_sets
from azure_emulator.services.network.networks import NETWORK

Json = dict[str, Any]
LINK = f"{ZONE}/virtualNetworkLinks"
_OPERATIONS = "{subscription}/providers/Microsoft.Network/locations/global"
_WRITE = Work(
    "private dns.ready",
    ("private dns", "write"),
    "group",
    sends="A L",
    pace=30,
    status=f"{_OPERATIONS}/operationStatuses/{{id}}",
    result=f"{_OPERATIONS}/operationResults/{{id}}",
    final="private dns",
)
_DELETE = replace(_WRITE, effect="private dns.deleted", final="empty")
_GLOBAL: Json = {**rules.TRACKED, "location!": rules.OneOf("global"), "etag": rules.TEXT}
_ZONE_RULE: Json = {
    **_GLOBAL,
    "properties": rules.read_only(
        "internalId",
        "maxNumberOfRecordSets",
        "maxNumberOfVirtualNetworkLinks",
        "maxNumberOfVirtualNetworkLinksWithRegistration",
        "numberOfRecordSets",
        "numberOfVirtualNetworkLinks",
        "numberOfVirtualNetworkLinksWithRegistration",
        "provisioningState",
    ),
}
_LINK_RULE: Json = {
    **_GLOBAL,
    "properties!": {
        "registrationEnabled": rules.FLAG,
        "resolutionPolicy": rules.OneOf("Default", "NxDomainRedirect"),
        "virtualNetwork": {"id!": rules.TEXT},
        **rules.read_only("provisioningState", "virtualNetworkLinkState"),
    },
}


class _Global(ResourceType):
    """Without a region: `location` is `global`. 202 with both headers, the resource at the end."""

    anywhere = True

    def _write(self, call: Call, body: Json, properties: Json) -> Response:
        shown = {
            "id": call.target.id,
            "name": call.target.name,
            "type": self.type,
            "etag": str(uuid.uuid4()),
            "location": "global",
            "tags": body.get("tags", {}),
            "properties": {**properties, "provisioningState": "Creating"},
        }
        created = call.existing.created if call.existing else call.now
        call.world.store.put(Resource(call.target.id, self.type, shown, created))
        return call.accept(_WRITE, call.target.id, {}, place="global")

    def patch(self, call: Call) -> Response:
        existing = call.must_exist()
        body = self.sent(call, patch=True)
        if "tags" in body:
            existing.body["tags"] = body["tags"] or {}
        existing.body["properties"] = rules.update(existing.properties, body.get("properties") or {})
        call.world.store.put(existing)
        return call.accept(_WRITE, existing.id, {}, place="global")


class Zones(_Global):
    type = ZONE
    body_rule = _ZONE_RULE
    name_pattern = r"(?=.{1,253}$)[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?(\.[a-zA-Z0-9_-]{1,63})+"
    name_error = ("BadRequest", "The domain name '{name}' is invalid: two labels or more.")
    listed_with = ("tags",)

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        answer = self._write(call, body, {"maxNumberOfRecordSets": 25000, "maxNumberOfVirtualNetworkLinks": 1000})
        if call.existing is None:
            call.world.store.put(first_soa(call.target.id, call.now))
        return answer

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        if call.world.store.of_type(LINK, existing.id):
            raise Refusal(
                409,
                "CannotDeleteResource",
                f"Can not delete resource before nested resources are deleted: '{existing.name}' has links.",
            )
        return call.accept(_DELETE, existing.id, place="global")

    def shown(self, world: World, resource: Resource) -> Json:
        links = world.store.of_type(LINK, resource.id)
        registering = [item for item in links if item.properties["registrationEnabled"]]
        counts = {
            "numberOfRecordSets": len(record_sets(world, resource)),
            "numberOfVirtualNetworkLinks": len(links),
            "numberOfVirtualNetworkLinksWithRegistration": len(registering),
            "maxNumberOfVirtualNetworkLinksWithRegistration": 100,
        }
        return {**resource.body, "properties": {**resource.properties, **counts}}


    action_methods = {"all": ("GET",)}

    def actions(self) -> dict[str, Callable[[Call], Response]]:
        return {"all": self._all}

    def _all(self, call: Call) -> Response:
        return page(call.request, record_sets(call.world, call.must_exist()), lambda item: item.body)


class Links(_Global):
    type = LINK
    body_rule = _LINK_RULE
    name_pattern = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?"

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent = {"registrationEnabled": False, **body["properties"]}
        wanted = (sent.get("virtualNetwork") or {}).get("id", "")
        network = call.world.store.get(wanted) if wanted else None
        if network is None or network.type != NETWORK:
            raise Refusal(400, "BadRequest", f"The virtual network '{wanted}' does not exist.")
        others = call.world.store.of_type(LINK, call.target.parent)
        if any(
            item.properties["virtualNetwork"]["id"].lower() == network.key and item.key != call.target.id.lower()
            for item in others
        ):
            raise Refusal(409, "Conflict", f"The virtual network '{network.name}' is linked to the zone already.")
        return self._write(call, body, {**sent, "virtualNetworkLinkState": "Completed"})

    def delete(self, call: Call) -> Response:
        return call.accept(_DELETE, call.must_exist().id, place="global")


EFFECTS.update({"private dns.ready": endings.settled, "private dns.deleted": endings.removed})
FINALS["private dns"] = endings.shows(200)
register(Zones(), Links())
