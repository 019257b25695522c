"""The offers of a region, and name availability."""

from __future__ import annotations

import re
from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.versions import REGIONS, region
from azure_emulator.core.world import World
from azure_emulator.services.postgresql.offers import SKUS, capability
from azure_emulator.services.postgresql.servers import SERVER, Servers, find

Json = dict[str, Any]


# Location paths


def check_name(world: World, request: Request, segments: list[str]) -> Response:
    sent = request.json()
    name, kind = str(sent.get("name", "")), str(sent.get("type", ""))
    answer: Json = {"name": name, "type": kind, "nameAvailable": True, "message": ""}
    if not re.fullmatch(Servers.name_pattern, name):
        answer |= {"nameAvailable": False, "reason": "Invalid", "message": Servers.name_error[1].format(name=name)}
    elif find(world, name) is not None or any(
        key.endswith(f"/{name.lower()}") for key, _ in world.store.records("server plan")
    ):
        answer |= {
            "nameAvailable": False,
            "reason": "AlreadyExists",
            "message": f"Specified server name is already used: {name}.",
        }
    return Response(200, answer)


def capabilities(world: World, request: Request, segments: list[str]) -> Response:
    """Return the offers of a region."""
    if region(segments[5]) is None:
        raise Refusal(400, "InvalidLocation", f"The location '{segments[5]}' is not one of {', '.join(REGIONS)}.")
    return Response(200, {"value": [capability()]})


_CORES = 100
"""Default core quota of a subscription in a region."""


def usages(world: World, request: Request, segments: list[str]) -> Response:
    """Return the used cores of the region's quota."""
    place = region(segments[5])
    if place is None:
        raise Refusal(400, "InvalidLocation", f"The location '{segments[5]}' is not one of {', '.join(REGIONS)}.")
    cores = {name: count for _, _, offered in SKUS.values() for name, count in offered}
    servers = [item for item in world.store.of_type(SERVER) if region(item.body["location"]) == place]
    used = sum(cores.get(item.body["sku"]["name"], 0) for item in servers)
    identifier = f"{world.subscription}/providers/Microsoft.DBforPostgreSQL/locations/{place}/usages/cores"
    value = {
        "name": {"value": "cores", "localizedValue": "Total Regional vCores"},
        "limit": _CORES,
        "unit": "Count",
        "currentValue": used,
        "id": identifier,
    }
    return Response(200, {"value": [value]})


def dns_suffix(world: World, request: Request, segments: list[str]) -> Response:
    return Response(200, "private.postgres.database.azure.com")


_L = ("subscriptions", "*", "providers", "microsoft.dbforpostgresql", "locations", "*")
PATHS = [
    (
        "POST",
        (*_L, "checknameavailability"),
        check_name,
        "Microsoft.DBforPostgreSQL/locations",
        "Microsoft.DBforPostgreSQL/locations/checkNameAvailability/action",
    ),
    (
        "POST",
        ("subscriptions", "*", "providers", "microsoft.dbforpostgresql", "checknameavailability"),
        check_name,
        "Microsoft.DBforPostgreSQL/checkNameAvailability",
        "Microsoft.DBforPostgreSQL/checkNameAvailability/action",
    ),
    (
        "GET",
        (*_L, "capabilities"),
        capabilities,
        "Microsoft.DBforPostgreSQL/locations",
        "Microsoft.DBforPostgreSQL/locations/capabilities/read",
    ),
    (
        "GET",
        (*_L, "resourcetype", "flexibleservers", "usages"),
        usages,
        "Microsoft.DBforPostgreSQL/locations",
        "Microsoft.DBforPostgreSQL/locations/resourceType/usages/read",
    ),
    (
        "POST",
        ("providers", "microsoft.dbforpostgresql", "getprivatednszonesuffix"),
        dns_suffix,
        "Microsoft.DBforPostgreSQL/getPrivateDnsZoneSuffix",
        "",
    ),
]
