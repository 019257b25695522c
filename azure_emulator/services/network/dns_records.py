"""The record sets of a private DNS zone. A zone is created with its SOA, which is deleted only with the zone.

Source of the SOA's values: the record that github.com/hashicorp/terraform-provider-azurerm reads with each zone, whose
defaults are the service's (`private_dns_zone_resource.go`).
"""

from __future__ import annotations

import uuid
from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World

Json = dict[str, Any]
ZONE = "Microsoft.Network/privateDnsZones"
# The key of each type's records, and what one of them holds; of CNAME and SOA there is one.
_RECORDS: dict[str, tuple[str, Any]] = {
    "A": ("aRecords", [{"ipv4Address": rules.TEXT}]),
    "AAAA": ("aaaaRecords", [{"ipv6Address": rules.TEXT}]),
    "CNAME": ("cnameRecord", {"cname": rules.TEXT}),
    "MX": ("mxRecords", [{"preference": rules.WHOLE, "exchange": rules.TEXT}]),
    "PTR": ("ptrRecords", [{"ptrdname": rules.TEXT}]),
    "SOA": (
        "soaRecord",
        {
            "host": rules.TEXT,
            "email": rules.TEXT,
            "serialNumber": rules.WHOLE,
            **dict.fromkeys(("refreshTime", "retryTime", "expireTime", "minimumTtl"), rules.WHOLE),
        },
    ),
    "SRV": (
        "srvRecords",
        [{**dict.fromkeys(("priority", "weight", "port"), rules.WHOLE), "target": rules.TEXT}],
    ),
    "TXT": ("txtRecords", [{"value": rules.TEXTS}]),
}
_SOA: Json = {
    "email": "azureprivatedns-host.microsoft.com",
    "expireTime": 2419200,
    "host": "azureprivatedns.net",
    "minimumTtl": 10,
    "refreshTime": 3600,
    "retryTime": 300,
    "serialNumber": 1,
}


class Records(ResourceType):
    """The record sets of one type. All answers are whole and at once, 201 where the set is new."""

    tracked = False
    location_needed = False
    name_pattern = r"(?=.{1,253}$)(?:@|\*|(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)"
    name_error = ("BadRequest", "The relative record set name '{name}' is invalid.")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.key, rule = _RECORDS[kind]
        self.type = f"{ZONE}/{kind}"
        self.body_rule = {
            **rules.ENVELOPE,
            "etag": rules.TEXT,
            "properties": {
                "ttl": rules.WHOLE,
                "metadata": rules.TAGS,
                self.key: rule,
                **rules.read_only("fqdn", "isAutoRegistered"),
            },
        }

    def put(self, call: Call) -> Response:
        if self.kind == "SOA" and call.target.name != "@":
            raise Refusal(400, "BadRequest", "The record set of type 'SOA' is named '@'.")
        sent = self.sent(call).get("properties") or {}
        if self.kind == "SOA" and call.existing is not None:  # what the service mints stays
            sent = {**sent, self.key: {**call.existing.properties[self.key], **(sent.get(self.key) or {})}}
        return Response(200 if call.existing else 201, self._write(call, {"ttl": 3600, **sent}).body)

    def patch(self, call: Call) -> Response:
        sent = self.sent(call, patch=True).get("properties") or {}
        return Response(200, self._write(call, rules.update(call.must_exist().properties, sent)).body)

    def delete(self, call: Call) -> Response:
        if self.kind == "SOA":
            raise Refusal(400, "BadRequest", "The record set of type 'SOA' cannot be deleted: it goes with its zone.")
        if call.existing is None:
            return Response(204)
        call.world.store.drop(call.existing.id)
        return Response(200)

    def _write(self, call: Call, properties: Json) -> Resource:
        created = call.existing.created if call.existing else call.now
        resource = record(call.target.id, self.kind, properties, created)
        call.world.store.put(resource)
        return resource


def record(resource_id: str, kind: str, properties: Json, created: float) -> Resource:
    """A record set as it is stored and shown."""
    zone, _, name = resource_id.split("/")[-3:]
    fqdn = f"{zone}." if name == "@" else f"{name}.{zone}."
    body = {
        "id": resource_id,
        "name": name,
        "type": f"{ZONE}/{kind}",
        "etag": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{resource_id}{properties}")),
        "properties": {**properties, "fqdn": fqdn, "isAutoRegistered": False},
    }
    return Resource(resource_id, f"{ZONE}/{kind}", body, created)


def first_soa(zone_id: str, created: float) -> Resource:
    """The SOA that a zone is created with."""
    return record(f"{zone_id}/SOA/@", "SOA", {"ttl": 3600, "soaRecord": dict(_SOA)}, created)


def record_sets(world: World, zone: Resource) -> list[Resource]:
    """Those of a zone, of every type."""
    return [item for kind in _RECORDS for item in world.store.of_type(f"{ZONE}/{kind}", zone.id)]


register(*(Records(kind) for kind in _RECORDS))
