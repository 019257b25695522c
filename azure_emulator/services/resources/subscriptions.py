"""Subscriptions, tenants and locations."""

from __future__ import annotations

from typing import Any

from azure_emulator.core.messages import Request, Response
from azure_emulator.core.versions import REGIONS
from azure_emulator.core.world import World

Json = dict[str, Any]


# Subscriptions


def _subscription(world: World) -> Json:
    return {
        "id": world.subscription,
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "tags": {},
        "subscriptionId": world.identity.subscription_id,
        "tenantId": world.identity.tenant_id,
        "displayName": "Emulator",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def list_subscriptions(world: World, request: Request, segments: list[str]) -> Response:
    return Response(200, {"value": [_subscription(world)], "count": {"type": "Total", "value": 1}})


def get_subscription(world: World, request: Request, segments: list[str]) -> Response:
    return Response(200, _subscription(world))


def list_tenants(world: World, request: Request, segments: list[str]) -> Response:
    tenant = world.identity.tenant_id
    return Response(
        200,
        {
            "value": [
                {
                    "id": f"/tenants/{tenant}",
                    "tenantId": tenant,
                    "countryCode": "US",
                    "displayName": "Emulator",
                    "domains": ["emulator.onmicrosoft.com"],
                    "tenantCategory": "Home",
                    "defaultDomain": "emulator.onmicrosoft.com",
                    "tenantType": "AAD",
                    "tenantBrandingLogoUrl": "https://aadcdn.msauthimages.net/emulator/bannerlogo",
                }
            ]
        },
    )


# Each with its neighbour in the table: actual region pairs are irrelevant here.
_NAMES = list(REGIONS)
PAIRS = {name: _NAMES[index ^ 1] if index ^ 1 < len(_NAMES) else _NAMES[0] for index, name in enumerate(_NAMES)}


def list_locations(world: World, request: Request, segments: list[str]) -> Response:
    value = [
        {
            "id": f"{world.subscription}/locations/{name}",
            "name": name,
            "type": "Region",
            "displayName": display,
            "regionalDisplayName": display,
            "metadata": {
                "regionType": "Physical",
                "regionCategory": "Recommended",
                "geography": display,
                "geographyGroup": display.split(" ")[-1],
                "longitude": "0.0",
                "latitude": "0.0",
                "physicalLocation": display,
                "pairedRegion": [{"name": PAIRS[name], "id": f"{world.subscription}/locations/{PAIRS[name]}"}],
            },
            "availabilityZoneMappings": [
                {"logicalZone": str(number), "physicalZone": f"{name}-az{number}"} for number in (1, 2, 3)
            ],
        }
        for name, display in REGIONS.items()
    ]
    return Response(200, {"value": value})
