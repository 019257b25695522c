"""A server in a network: its subnet and its private DNS zone (learn.microsoft.com/azure/postgresql/network,
private access)."""

from __future__ import annotations

from typing import Any

from azure_emulator.core.world import World
from azure_emulator.services.network.dns_records import ZONE
from azure_emulator.services.network.networks import SUBNET, delegated_to
from azure_emulator.services.postgresql.checks import Problem, invalid

Json = dict[str, Any]
_DELEGATION = "Microsoft.DBforPostgreSQL/flexibleServers"
_ZONES = (".postgres.database.azure.com", ".private.postgres.database.azure.com")


def check_network(world: World, network: Json) -> Problem | None:
    """Require an existing delegated subnet, and a zone with PostgreSQL's suffix."""
    subnet_id, zone_id = network.get("delegatedSubnetResourceId"), network.get("privateDnsZoneArmResourceId")
    if not subnet_id:
        return invalid("privateDnsZoneArmResourceId") if zone_id else None
    subnet = world.store.get(subnet_id)
    if subnet is None or subnet.type != SUBNET:
        return invalid(f"delegatedSubnetResourceId: {subnet_id}")
    if not delegated_to(subnet, _DELEGATION):
        # learn.microsoft.com/azure/postgresql/network/concepts-networking-private; the actual message is not known.
        return invalid(f"delegatedSubnetResourceId: {subnet_id}")
    zone = world.store.get(zone_id) if zone_id else None
    if zone is None or zone.type != ZONE or not zone.name.lower().endswith(_ZONES):
        return invalid(f"privateDnsZoneArmResourceId: {zone_id}")
    return None
