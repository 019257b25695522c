"""Address ranges of networks and subnets."""

from __future__ import annotations

import ipaddress
from typing import Any

from azure_emulator.core.errors import Refusal

Json = dict[str, Any]
Range = ipaddress.IPv4Network | ipaddress.IPv6Network


def ranges(prefixes: list[str], resource_id: str) -> list[Range]:
    """Parse prefixes as ranges. Raises the refusal of an invalid one (github.com/Azure/aztfpreflight)."""
    return [_range(prefix, resource_id) for prefix in prefixes]


def _range(prefix: str, resource_id: str) -> Range:
    try:
        return ipaddress.ip_network(prefix)
    except ValueError as error:
        raise Refusal(
            400,
            "InvalidAddressPrefixFormat",
            f"Address prefix {prefix} of resource {resource_id} is not formatted correctly. It should follow CIDR "
            "notation, for example 10.0.0.0/24.",
            details=[],
        ) from error


def prefixes_of(properties: Json) -> list[str]:
    """Return a subnet's prefixes, given as one or as a list."""
    one = properties.get("addressPrefix")
    return [one] if one else list(properties.get("addressPrefixes") or [])


def _within(inner: Range, outer: Range) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    return (
        isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)
    )


def check_subnet(name: str, own: list[Range], space: list[Range], others: dict[str, list[Range]], network: str) -> None:
    """Require that a subnet is inside the network and does not overlap others."""
    for item in own:
        if not any(_within(item, outer) for outer in space):
            raise Refusal(
                400,
                "NetcfgInvalidSubnet",
                f"Subnet '{name}' is not valid because its IP address range is outside the IP address range of virtual "
                f"network '{network}'.",
                details=[],
            )
        for other, held in others.items():
            if any(item.version == there.version and item.overlaps(there) for there in held):
                raise Refusal(
                    400,
                    "NetcfgSubnetRangesOverlap",
                    f"Subnet '{name}' is not valid because its IP address range overlaps with that of an existing "
                    f"subnet in virtual network '{network}': '{other}'.",
                    details=[],
                )
