"""Parse a path into resource type and resource id."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from azure_emulator.core.errors import gateway
from azure_emulator.core.resource_types import REGISTRY, ResourceId, ResourceType
from azure_emulator.core.versions import namespaces
from azure_emulator.core.world import World


@dataclass(frozen=True)
class Located:
    kind: ResourceType
    target: ResourceId
    collection: bool
    rest: tuple[str, ...]


def locate(world: World, segments: list[str]) -> Located:
    """Find the resource type in a path, and split it into resource id and action."""
    lowered = [part.lower() for part in segments]
    index = len(lowered) - 1 - lowered[::-1].index("providers")
    if index + 1 >= len(segments):
        raise gateway(404, "InvalidResourceNamespace", "The resource namespace '' is invalid.")
    namespace, parts = segments[index + 1], segments[index + 2 :]
    if namespace.lower() not in {name.lower() for name in namespaces()}:
        raise gateway(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
    known, position, collection = namespace, 0, False
    while position < len(parts) and f"{known}/{parts[position]}".lower() in REGISTRY:
        known += f"/{parts[position]}"
        collection = position + 1 == len(parts)
        position += 1 if collection else 2
    kind = REGISTRY.get(known.lower())
    if kind is None:
        wanted = parts[0] if parts else ""
        raise gateway(
            404,
            "InvalidResourceType",
            f"The resource type '{wanted}' could not be found in the namespace '{namespace}' for api version "
            "''. The supported api-versions are ''.",
        )
    return _located(world, kind, segments[:index], parts[:position], collection, tuple(parts[position:]))


def _located(
    world: World, kind: ResourceType, scope_parts: list[str], own: list[str], collection: bool, rest: tuple[str, ...]
) -> Located:
    group = scope_parts[3] if len(scope_parts) > 3 and scope_parts[2].lower() == "resourcegroups" else ""
    scope = canonical_scope(world, scope_parts)
    namespace, *types = kind.type.split("/")
    identifier = f"{scope}/providers/{namespace}"
    for type_name, name in zip_longest(types, own[1::2]):
        identifier += f"/{type_name}"
        if name is not None:
            identifier += f"/{_made_as(world, f'{identifier}/{name}')}"
    name = "" if collection else identifier.rsplit("/", 1)[1]
    target = ResourceId(identifier, world.identity.subscription_id, group, scope, kind.type, name)
    return Located(kind, target, collection, rest)


def _made_as(world: World, identifier: str) -> str:
    """Return a name in the spelling that the resource was created with."""
    stored = world.store.get(identifier)
    return stored.name if stored is not None else identifier.rsplit("/", 1)[1]


def canonical_scope(world: World, parts: list[str]) -> str:
    """Return a scope in Azure's spelling: `resourceGroups`, and group and resource as created."""
    scope = "/" + "/".join(parts)
    stored = world.store.get(scope)
    if stored is not None:
        return stored.id
    fixed = list(parts)
    if len(fixed) > 2 and fixed[2].lower() == "resourcegroups":
        fixed[2] = "resourceGroups"
        group = world.store.get("/" + "/".join(fixed[:4]))
        if group is not None and len(fixed) > 3:
            fixed[3] = group.name
    if fixed:
        fixed[0] = fixed[0].lower()
    return "/" + "/".join(fixed) if fixed else ""
