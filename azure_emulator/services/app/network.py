"""Checks of an environment's subnet (learn.microsoft.com/azure/container-apps/networking)."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.world import World
from azure_emulator.services.network.addresses import prefixes_of
from azure_emulator.services.network.networks import SUBNET

Json = dict[str, Any]
_DELEGATION = "microsoft.app/environments"
_SMALLEST = {True: 27, False: 23}
"""The longest allowed prefix, with workload profiles and without."""


def check_network(world: World, sent: Json) -> None:
    """Refuse a subnet that is missing, too small, or not correctly delegated."""
    subnet_id = (sent.get("vnetConfiguration") or {}).get("infrastructureSubnetId")
    if not subnet_id:
        return
    subnet = world.store.get(subnet_id)
    if subnet is None or subnet.type != SUBNET:
        # github.com/Azure/bicep issue 10922
        raise _invalid("The subnet and its addressPrefix could not be found.")
    profiles = bool(sent.get("workloadProfiles"))
    length = min(ip_network(prefix, strict=False).prefixlen for prefix in prefixes_of(subnet.properties))
    if length > _SMALLEST[profiles]:
        raise _invalid(f"The subnet '{subnet.id}' must be at least /{_SMALLEST[profiles]}.")
    services = {
        str((item.get("properties") or {}).get("serviceName", "")).lower()
        for item in subnet.properties.get("delegations") or []
    }
    if profiles != (_DELEGATION in services) or (services and not profiles):
        # github.com/adamdost-0/linux-update-cds issue 17
        needed = "must be delegated to Microsoft.App/environments" if profiles else "must not be delegated"
        raise Refusal(400, "ManagedEnvironmentSubnetDelegationError", f"The subnet {needed}.")


def _invalid(why: str) -> Refusal:
    return Refusal(
        400, "ManagedEnvironmentInvalidNetworkConfiguration", f"The environment network configuration is invalid: {why}"
    )
