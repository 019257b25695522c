"""Workload profiles and usage of Container Apps in a region and in an environment."""

from __future__ import annotations

from typing import Any

from azure_emulator.core.errors import Refusal, gateway
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.resource_types import Call
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.app.types import APP, ENVIRONMENT

Json = dict[str, Any]

PER_REGION, PER_SUBSCRIPTION, CORES = 15, 20, 100
"""Default limits (learn.microsoft.com/azure/container-apps/quotas)."""

_SIZES = {"D": ("GeneralPurpose", 4), "E": ("MemoryOptimized", 8)}
TYPES: dict[str, Json] = {
    "Consumption": {"category": "Consumption", "cores": 4, "memoryGiB": 8, "displayName": "Consumption"},
    **{
        f"{letter}{cores}": {
            "category": category,
            "cores": cores,
            "memoryGiB": cores * ratio,
            "displayName": f"Dedicated-{letter}{cores}",
        }
        for letter, (category, ratio) in _SIZES.items()
        for cores in (4, 8, 16, 32)
    },
    "Consumption-GPU-NC8as-T4": {
        "category": "GPU-T4",
        "cores": 8,
        "memoryGiB": 56,
        "gpus": 1,
        "displayName": "Consumption-GPU-NC8as-T4",
    },
    "Consumption-GPU-NC24-A100": {
        "category": "GPU-A100",
        "cores": 24,
        "memoryGiB": 220,
        "gpus": 1,
        "displayName": "Consumption-GPU-NC24-A100",
    },
}
"""Types of workload profiles (learn.microsoft.com/azure/container-apps/workload-profiles-overview)."""


def check_quota(world: World, place: str) -> None:
    """github.com/microsoft/azure-container-apps issues 429, 1226 and 1648."""
    environments = world.store.of_type(ENVIRONMENT)
    here = [item for item in environments if region(str(item.body["location"])) == place]
    subscription = world.identity.subscription_id
    if len(here) >= PER_REGION:
        raise Refusal(
            400,
            "MaxNumberOfRegionalEnvironmentsInSubExceeded",
            f"The subscription '{subscription}' cannot have more than {PER_REGION} environments in {place}.",
        )
    if len(environments) >= PER_SUBSCRIPTION:
        raise Refusal(
            400,
            "MaxNumberOfGlobalEnvironmentsInSubExceeded",
            f"The subscription '{subscription}' cannot have more than {PER_SUBSCRIPTION} environments.",
        )


def _usage(name: str, text: str, current: float, limit: float) -> Json:
    return {
        "unit": "Count",
        "currentValue": current,
        "limit": limit,
        "name": {"value": name, "localizedValue": text},
    }


def _cores(world: World, environment: Resource) -> float:
    """Return the current usage of an environment."""
    total = 0.0
    for app in world.store.of_type(APP):
        if str(app.properties["environmentId"]).lower() != environment.key:
            continue
        template = app.private["template"]
        each = sum(float((item.get("resources") or {}).get("cpu", 0.5)) for item in template.get("containers") or [])
        total += each * max((template.get("scale") or {}).get("minReplicas") or 0, 1)
    return total


def of_environment(call: Call) -> Response:
    used = _cores(call.world, call.must_exist())
    return Response(
        200,
        {"value": [_usage("ManagedEnvironmentConsumptionCores", "Managed Environment Consumption Cores", used, CORES)]},
    )


def _place(segments: list[str]) -> str:
    place = region(segments[5])
    if place is None:
        raise gateway(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{segments[5]}' is not available for resource type '{ENVIRONMENT}'.",
        )
    return place


def of_region(world: World, request: Request, segments: list[str]) -> Response:
    place = _place(segments)
    count = len([item for item in world.store.of_type(ENVIRONMENT) if region(str(item.body["location"])) == place])
    return Response(200, {"value": [_usage("ManagedEnvironmentCount", "Managed Environment Count", count, PER_REGION)]})


def profile_types(world: World, request: Request, segments: list[str]) -> Response:
    place = _place(segments)
    base = f"{world.subscription}/providers/Microsoft.App/locations/{place}"
    kind = "availableManagedEnvironmentsWorkloadProfileTypes"
    return Response(
        200,
        {
            "value": [
                {
                    "id": f"{base}/{kind}/{name}",
                    "name": name,
                    "type": f"Microsoft.App/locations/{kind}",
                    "location": place,
                    "properties": {"applicability": "LocationDefault", **details},
                }
                for name, details in TYPES.items()
            ]
        },
    )


def billing_meters(world: World, request: Request, segments: list[str]) -> Response:
    place = _place(segments)
    base = f"{world.subscription}/providers/Microsoft.App/locations/{place}/billingMeters"
    return Response(
        200,
        {
            "value": [
                {
                    "id": f"{base}/{name}",
                    "name": name,
                    "type": "Microsoft.App/locations/billingMeters",
                    "location": place,
                    "properties": {"category": details["category"], "meterType": "Fixed", "displayName": name},
                }
                for name, details in TYPES.items()
            ]
        },
    )


_LOCATION = ("subscriptions", "*", "providers", "microsoft.app", "locations", "*")
_VERSIONS = "Microsoft.App/locations"
PATHS = [
    ("GET", (*_LOCATION, "usages"), of_region, _VERSIONS, "Microsoft.App/locations/usages/read"),
    (
        "GET",
        (*_LOCATION, "availablemanagedenvironmentsworkloadprofiletypes"),
        profile_types,
        _VERSIONS,
        "Microsoft.App/locations/availableManagedEnvironmentsWorkloadProfileTypes/read",
    ),
    ("GET", (*_LOCATION, "billingmeters"), billing_meters, _VERSIONS, "Microsoft.App/locations/billingmeters/read"),
]
