"""Checks of ARM itself before a service is involved: version, subscription, registration, scope and location."""

from __future__ import annotations

import re
from typing import Any

from azure_emulator.core.errors import (
    Refusal,
    gateway,
    group_not_found,
    missing_registration,
    parent_not_found,
    resource_not_found,
)
from azure_emulator.core.left_out import FREE
from azure_emulator.core.messages import Request
from azure_emulator.core.resource_types import REGISTRY, Call, ResourceType
from azure_emulator.core.versions import REGIONS, VERSIONS, accepted, region
from azure_emulator.core.world import World

ALWAYS_REGISTERED = {"microsoft.resources", "microsoft.authorization", *(name.lower() for name in FREE)}


_LARGEST_BODY = 4 * 1024 * 1024


def check_length(request: Request) -> None:
    """Refuse a body that is larger than ARM takes (github.com/Azure/Azure-Landing-Zones issue 2644)."""
    if len(request.body) > _LARGEST_BODY:
        message = "The request content size exceeds the maximum size of 4 MB."
        raise gateway(413, "RequestContentTooLarge", message)


def check_version_is_there(request: Request) -> None:
    if not request.api_version:
        raise gateway(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(-[a-z]+)?", request.api_version):
        raise gateway(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{request.api_version}' is invalid. The supported versions are "
            f"'{','.join(sorted(VERSIONS['Microsoft.Resources/resources'], reverse=True))}'.",
        )


def check_version(request: Request, type_name: str, allowed: tuple[str, ...] | None = None) -> None:
    versions = allowed if allowed is not None else accepted(type_name)
    if request.api_version in versions:
        return
    supported = ", ".join(sorted(versions, reverse=True))
    namespace, _, kind = type_name.partition("/")
    if namespace == "Microsoft.Resources":
        raise gateway(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{request.api_version}' is invalid. The supported versions are '{supported}'.",
        )
    raise gateway(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '' and API version '{request.api_version}' for "
        f"type '{kind}'. The supported api-versions are '{supported}'. The supported locations are "
        f"'{', '.join(REGIONS)}'.",
    )


def check_subscription(world: World, subscription: str) -> None:
    if subscription.lower() != world.identity.subscription_id:
        if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", subscription):
            raise gateway(
                400,
                "InvalidSubscriptionId",
                f"The provided subscription identifier '{subscription}' is malformed or invalid.",
            )
        raise gateway(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def check_registered(world: World, namespace: str) -> None:
    if namespace.lower() in ALWAYS_REGISTERED:
        return
    if world.store.record("registration", namespace.lower()) is None:
        raise missing_registration(namespace)


def check_scope(call: Call, kind: ResourceType, collection: bool) -> None:
    """Require that group, parent and, for extension resources, the extended resource exist."""
    world, target, write = call.world, call.target, call.request.method in ("PUT", "PATCH")
    if target.group:
        group = world.store.get(f"{world.subscription}/resourceGroups/{target.group}")
        if group is None:
            raise group_not_found(target.group)
        if write and group.properties.get("provisioningState") == "Deleting":
            raise gateway(
                409,
                "ResourceGroupBeingDeleted",
                f"The resource group '{group.name}' is in deprovisioning state and cannot perform this operation.",
            )
    if kind.extension:
        if "/providers/" in target.scope.lower() and world.store.get(target.scope) is None:
            raise _scope_error(target.scope, kind, write)
        return
    parent = target.id.rsplit("/", 1)[0] if collection and kind.type.count("/") > 1 else target.parent
    parent_type = kind.type.rsplit("/", 1)[0]
    while parent and _is_always_there(parent_type):
        parent, parent_type = parent.rsplit("/", 2)[0], parent_type.rsplit("/", 1)[0]
    if parent and world.store.get(parent) is None:
        if write:
            raise parent_not_found(kind.type, parent.split("/providers/")[1])
        raise resource_not_found(parent_type, parent.rsplit("/", 1)[1], target.group)


def _is_always_there(type_name: str) -> bool:
    """Return whether a child exists with its parent (the `default` file service of an account)."""
    known = REGISTRY.get(type_name.lower())
    return known is not None and not known.stored and type_name.count("/") > 1


def _scope_error(scope: str, kind: ResourceType, write: bool) -> Refusal:
    path = scope.split("/providers/")[-1].split("/")
    group = scope.split("/")[4] if len(scope.split("/")) > 4 else ""
    return resource_not_found("/".join([path[0], *path[1::2]]), path[-1], group)


def check_location(call: Call, kind: ResourceType, body: dict[str, Any]) -> None:
    location = body.get("location")
    if not location:
        if kind.location_needed:
            raise gateway(400, "LocationRequired", "The location property is required for this definition.")
        return
    if kind.anywhere and str(location).lower() == "global":
        return
    offered = call.world.served(kind.type, "locations")
    known = list(REGIONS) if offered is None else [name for place in offered if (name := region(place))]
    if region(str(location)) not in known:
        raise gateway(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{location}' is not available for resource type '{kind.type}'. List of "
            f"available regions for the resource type is '{','.join(known)}'.",
        )
    if call.existing is None:
        return
    current = str(call.existing.body.get("location", ""))
    if region(current) != region(str(location)):
        raise gateway(
            409,
            "InvalidResourceLocation",
            f"The resource '{call.target.name}' already exists in location '{region(current)}' in resource "
            f"group '{call.target.group}'. A resource with the same name cannot be created in location "
            f"'{location}'. Please select a new resource name.",
        )
