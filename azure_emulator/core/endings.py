"""Common effects of operations, for a type's `EFFECTS` and `FINALS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import REGISTRY, delete_now
from azure_emulator.core.versioned import at_version
from azure_emulator.core.world import World

Json = dict[str, Any]


def settled(world: World, operation: Json) -> None:
    """Mark the resource as succeeded or failed."""
    found = world.store.get(operation["resource"])
    if found is not None:
        found.properties["provisioningState"] = "Failed" if operation["error"] else "Succeeded"
        world.store.put(found)


def removed(world: World, operation: Json) -> None:
    """Remove the resource with its children."""
    if not operation["error"]:
        delete_now(world, operation["resource"])


def unchanged(world: World, operation: Json) -> None:
    """Do nothing visible."""


def shows(absent: int) -> Callable[[World, Json], Response]:
    """Return the reply of the result URL: the resource as GET shows it, or `absent` once it is deleted."""

    def final(world: World, operation: Json) -> Response:
        found = world.store.get(operation["resource"])
        if found is None:
            return Response(absent)
        kind = REGISTRY[found.type.lower()]
        return Response(200, at_version(kind.shown(world, found), kind.versioned, operation["version"]))

    return final
