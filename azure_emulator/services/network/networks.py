"""Virtual networks and their subnets, as far as an environment or a server needs them."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from azure_emulator.core import endings, rules
from azure_emulator.core.effects import EFFECTS
from azure_emulator.core.errors import Refusal
from azure_emulator.core.lifecycle import Work, in_location
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.network.addresses import check_subnet, prefixes_of, ranges

Json = dict[str, Any]
NETWORK = "Microsoft.Network/virtualNetworks"
SUBNET = f"{NETWORK}/subnets"
_CREATE = Work(
    "network.ready",
    ("network", "write"),
    "group",
    answers=201,
    sends="A",
    pace=3,
    status=in_location("Microsoft.Network", "operationStatuses"),
)
_CHANGE = replace(_CREATE, answers=200)
_DELETE = replace(
    _CREATE,
    effect="network.deleted",
    takes=("network", "delete"),
    answers=202,
    sends="A L",
    pace=10,
    result=in_location("Microsoft.Network", "operationResults"),
    final="empty",
)
_EMPTY: list[Any] = [rules.Nothing()]
"""Unsupported parts: clients send empty lists of them."""
_SUBNET_PROPERTIES: Json = {
    "addressPrefix": rules.TEXT,
    "addressPrefixes": rules.TEXTS,
    "delegations": [
        {
            "name": rules.TEXT,
            "id": rules.READ_ONLY,
            "type": rules.TEXT,
            "etag": rules.READ_ONLY,
            "properties": {
                "serviceName": rules.TEXT,
                "actions": rules.READ_ONLY,
                "provisioningState": rules.READ_ONLY,
            },
        }
    ],
    "networkSecurityGroup": rules.OBJECT,
    "routeTable": rules.OBJECT,
    "natGateway": rules.OBJECT,
    "serviceEndpoints": [
        {
            "service": rules.TEXT,
            "locations": rules.TEXTS,
            "networkIdentifier": rules.OBJECT,
            "provisioningState": rules.READ_ONLY,
        }
    ],
    "serviceEndpointPolicies": _EMPTY,
    "privateEndpointNetworkPolicies": rules.TEXT,
    "privateLinkServiceNetworkPolicies": rules.TEXT,
    "defaultOutboundAccess": rules.FLAG,
    "sharingScope": rules.TEXT,
    **rules.read_only(
        "ipConfigurationProfiles",
        "provisioningState",
        "purpose",
        "ipConfigurations",
        "privateEndpoints",
        "resourceNavigationLinks",
        "serviceAssociationLinks",
    ),
}
_SUBNET_RULE: Json = {**rules.ENVELOPE, "etag": rules.READ_ONLY, "properties": _SUBNET_PROPERTIES}
_RULE: Json = {
    **rules.TRACKED,
    "etag": rules.READ_ONLY,
    "properties!": {
        "addressSpace": {"addressPrefixes": rules.TEXTS},
        "subnets": [{**_SUBNET_RULE, "name": rules.TEXT}],
        "dhcpOptions": {"dnsServers": rules.TEXTS},
        "enableDdosProtection": rules.FLAG,
        "enableVmProtection": rules.FLAG,
        "encryption": rules.OBJECT,
        "flowTimeoutInMinutes": rules.Whole(4, 30),
        "privateEndpointVNetPolicies": rules.TEXT,
        "virtualNetworkPeerings": _EMPTY,
        **rules.read_only("provisioningState", "resourceGuid", "defaultPublicNatGateway", "flowLogs"),
    },
}
_SUBNET_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?"


class Networks(ResourceType):
    """PUT 201 with Azure-AsyncOperation, 200 on an existing one; subnets in its body are subnets like any other."""

    type = NETWORK
    body_rule = _RULE
    name_pattern = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?"
    listed_with = ("tags",)

    def check(self, call: Call) -> None:
        super().check(call)
        sent = call.request.json()["properties"]
        ranges((sent.get("addressSpace") or {}).get("addressPrefixes") or [], call.target.id)

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent = dict(body["properties"])
        listed = sent.pop("subnets", None)
        prefixes = (sent.get("addressSpace") or {}).get("addressPrefixes")
        if not prefixes:
            raise Refusal(400, "InvalidRequestFormat", "A virtual network needs an address space.", details=[])
        space = ranges(prefixes, call.target.id)
        made = {} if call.existing is None else call.existing.properties
        properties = {
            "resourceGuid": made.get("resourceGuid", str(uuid.uuid4())),
            "enableDdosProtection": False,
            **sent,
            "provisioningState": "Updating",
        }
        shown = {
            "name": call.target.name,
            "id": call.target.id,
            "etag": f'W/"{uuid.uuid4()}"',
            "type": NETWORK,
            "location": region(body["location"]),
            **({"tags": body["tags"]} if "tags" in body else {}),
            "properties": properties,
        }
        created = call.existing.created if call.existing else call.now
        resource = call.world.store.put(Resource(call.target.id, NETWORK, shown, created))
        if listed is not None:
            self._take(call, resource, listed)
        else:
            self._check_space(call.world, resource, space)
        work = _CHANGE if call.existing else _CREATE
        return call.accept(work, resource.id, self.shown(call.world, resource))

    def _check_space(self, world: World, network: Resource, space: list[Any]) -> None:
        for subnet in world.store.of_type(SUBNET, network.id):
            check_subnet(subnet.name, ranges(prefixes_of(subnet.properties), subnet.id), space, {}, network.name)

    def _take(self, call: Call, network: Resource, listed: list[Json]) -> None:
        """Replace the network's subnets by those of the body; removing one in use is refused."""
        if not all(item.get("name") for item in listed):
            raise Refusal(400, "InvalidRequestFormat", "Each subnet needs a name.", details=[])
        wanted = {item["name"].lower() for item in listed}
        for subnet in call.world.store.of_type(SUBNET, network.id):
            if subnet.name.lower() not in wanted:
                refuse_used(call.world, subnet)
                call.world.store.drop(subnet.id)
        for item in listed:
            keep_subnet(call, network, item["name"], item.get("properties") or {})

    def patch(self, call: Call) -> Response:
        """Tags alone (PyPI azure-mgmt-network)."""
        existing = call.must_exist()
        body = rules.clean(call.request.json(), {"tags": rules.TAGS}, patch=True)
        existing.body["tags"] = body.get("tags") or {}
        call.world.store.put(existing)
        return Response(200, self.shown(call.world, existing))

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        for subnet in call.world.store.of_type(SUBNET, existing.id):
            refuse_used(call.world, subnet)
        existing.properties["provisioningState"] = "Deleting"
        call.world.store.put(existing)
        return call.accept(_DELETE, existing.id)

    def shown(self, world: World, resource: Resource) -> Json:
        subnets = [shown_subnet(world, item) for item in world.store.of_type(SUBNET, resource.id)]
        properties = {**resource.properties, "subnets": subnets, "virtualNetworkPeerings": []}
        return {**resource.body, "properties": properties}


class Subnets(ResourceType):
    """PUT 201, 200 on an existing one; DELETE 202; one in use is not deleted."""

    type = SUBNET
    body_rule = _SUBNET_RULE
    tracked = False
    name_pattern = _SUBNET_NAME

    def _network(self, call: Call) -> Resource:
        network = call.world.store.get(call.target.parent)
        assert network is not None
        return network

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        network = self._network(call)
        subnet = keep_subnet(call, network, call.target.name, body.get("properties") or {})
        work = _CHANGE if call.existing else _CREATE
        return call.accept(work, subnet.id, shown_subnet(call.world, subnet), place=str(network.body["location"]))

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        refuse_used(call.world, existing)
        return call.accept(_DELETE, existing.id, place=str(self._network(call).body["location"]))

    def shown(self, world: World, resource: Resource) -> Json:
        return shown_subnet(world, resource)


def keep_subnet(call: Call, network: Resource, name: str, sent: Json) -> Resource:
    identifier = f"{network.id}/subnets/{name}"
    prefixes = prefixes_of(sent)
    if not prefixes:
        raise Refusal(400, "InvalidRequestFormat", f"The subnet '{name}' needs an address prefix.", details=[])
    space = ranges(network.properties["addressSpace"]["addressPrefixes"], network.id)
    others = {
        item.name: ranges(prefixes_of(item.properties), item.id)
        for item in call.world.store.of_type(SUBNET, network.id)
        if item.key != identifier.lower()
    }
    check_subnet(name, ranges(prefixes, identifier), space, others, network.name)
    properties = {
        "privateEndpointNetworkPolicies": "Disabled",
        "privateLinkServiceNetworkPolicies": "Enabled",
        **sent,
        "delegations": [_delegation(identifier, item) for item in sent.get("delegations") or []],
        "provisioningState": "Succeeded",
    }
    shown = {
        "name": name,
        "id": identifier,
        "etag": f'W/"{uuid.uuid4()}"',
        "type": SUBNET,
        "properties": properties,
    }
    existing = call.world.store.get(identifier)
    created = existing.created if existing else call.now
    return call.world.store.put(Resource(identifier, SUBNET, shown, created))


def _delegation(subnet_id: str, item: Json) -> Json:
    service = (item.get("properties") or {}).get("serviceName", "")
    name = item.get("name") or service.replace("/", ".")
    return {
        "name": name,
        "id": f"{subnet_id}/delegations/{name}",
        "type": f"{SUBNET}/delegations",
        "properties": {
            "provisioningState": "Succeeded",
            "serviceName": service,
            "actions": ["Microsoft.Network/virtualNetworks/subnets/join/action"],
        },
    }


def users_of(world: World, subnet: Resource) -> list[str]:
    """Return the resources in a subnet."""
    found = []
    for item in world.store.all():
        properties = item.body.get("properties") or {}
        places = [
            (properties.get("network") or {}).get("delegatedSubnetResourceId"),
            (properties.get("vnetConfiguration") or {}).get("infrastructureSubnetId"),
            properties.get("subnetId"),
        ]
        if subnet.key in [str(place).lower() for place in places if place]:
            found.append(item.id)
    return found


def refuse_used(world: World, subnet: Resource) -> None:
    used = users_of(world, subnet)
    if used:
        raise Refusal(
            400,
            "InUseSubnetCannotBeDeleted",
            f"Subnet {subnet.name} is in use by {used[0]} and cannot be deleted. In order to delete the subnet, delete "
            "all the resources within the subnet. See aka.ms/deletesubnet.",
            details=[],
        )


def shown_subnet(world: World, subnet: Resource) -> Json:
    used = [
        {"id": f"{subnet.id}/serviceAssociationLinks/{number}", "properties": {"link": identifier}}
        for number, identifier in enumerate(users_of(world, subnet))
    ]
    more = {"serviceAssociationLinks": used} if used else {}
    return {**subnet.body, "properties": {**subnet.properties, **more}}


def delegated_to(subnet: Resource, service: str) -> bool:
    return any(
        item["properties"]["serviceName"].lower() == service.lower() for item in subnet.properties["delegations"]
    )


EFFECTS.update({"network.ready": endings.settled, "network.deleted": endings.removed})
register(Networks(), Subnets())
