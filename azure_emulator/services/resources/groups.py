"""Subscriptions, tenants, providers, resource groups and the listings of resources."""

from __future__ import annotations

import re
from typing import Any

from azure_emulator.core import resource_types, rules
from azure_emulator.core.effects import effect
from azure_emulator.core.errors import gateway, group_not_found
from azure_emulator.core.judging import judged
from azure_emulator.core.lifecycle import Work, answer, begin
from azure_emulator.core.locks import check_locks
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import REGIONS, region
from azure_emulator.core.world import World

Json = dict[str, Any]
GROUP = "Microsoft.Resources/resourceGroups"
_DELETE = Work(
    "group.delete",
    ("group", "delete"),
    "group",
    sends="L",
    pace=15,
    result="{subscription}/operationresults/{id}",
    final="empty",
    name="{hex}",
)
_RULE: Json = {
    **rules.ENVELOPE,
    "location!": rules.TEXT,
    "tags": rules.TAGS,
    "managedBy": rules.TEXT,
    "properties": {"provisioningState": rules.READ_ONLY},
}


# Resource groups


def find_group(world: World, name: str) -> Resource:
    group = world.store.get(f"{world.subscription}/resourceGroups/{name}")
    if group is None:
        raise group_not_found(name)
    return group


def head_group(world: World, request: Request, segments: list[str]) -> Response:
    found = world.store.get(f"{world.subscription}/resourceGroups/{segments[3]}")
    return Response(404 if found is None else 204)


def get_group(world: World, request: Request, segments: list[str]) -> Response:
    return Response(200, find_group(world, segments[3]).body)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[\w.()-]{1,90}", name) or name.endswith("."):
        raise gateway(
            400,
            "InvalidResourceGroup",
            f"The provided resource group name '{name}' has these invalid characters or is too long. The name "
            "can only be a letter, digit, '-', '.', '(', ')' or '_'.",
        )


def _check_location(location: str) -> None:
    if region(location) is None:
        raise gateway(
            400,
            "LocationNotAvailableForResourceGroup",
            f"The provided location '{location}' is not available for resource group. List of "
            f"available regions is '{','.join(REGIONS)}'.",
        )


def put_group(world: World, request: Request, segments: list[str]) -> Response:
    name = segments[3]
    _check_name(name)
    identifier = f"{world.subscription}/resourceGroups/{name}"
    existing = world.store.get(identifier)
    sent = request.json()
    rules.check_tags(sent.get("tags"))
    sent = judged(world, request, identifier, GROUP, existing.body if existing else None)
    if not sent.get("location"):
        raise gateway(400, "LocationRequired", "The location property is required for this definition.")
    body = rules.clean(sent, _RULE)
    _check_location(body["location"])
    if existing is None:
        body = {
            "id": identifier,
            "name": name,
            "type": GROUP,
            "location": body["location"],
            **({"tags": body["tags"]} if "tags" in body else {}),
            "properties": {"provisioningState": "Succeeded"},
        }
        world.store.put(Resource(identifier, GROUP, body, world.clock.now()))
        return Response(201, body)
    _refuse_other_location(existing, body["location"])
    _refuse_deleting(existing)
    check_locks(world.store, existing.id, "PUT")
    existing.body.pop("tags", None)
    existing.body = {**existing.body, **({"tags": body["tags"]} if "tags" in body else {})}
    world.store.put(existing)
    return Response(200, existing.body)


def patch_group(world: World, request: Request, segments: list[str]) -> Response:
    group = find_group(world, segments[3])
    _refuse_deleting(group)
    check_locks(world.store, group.id, "PATCH")
    body = rules.clean(judged(world, request, group.id, GROUP, group.body), _RULE, patch=True)
    rules.check_tags(body.get("tags"))
    if "tags" in body:
        group.body["tags"] = body["tags"] or {}
    world.store.put(group)
    return Response(200, group.body)


def _refuse_other_location(group: Resource, location: str) -> None:
    current = str(group.body["location"])
    if region(current) != region(location):
        raise gateway(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{location}'. The Resource group already exists in location '{current}'.",
        )


def _refuse_deleting(group: Resource) -> None:
    if group.properties["provisioningState"] == "Deleting":
        raise gateway(
            409,
            "ResourceGroupBeingDeleted",
            f"The resource group '{group.name}' is in deprovisioning state and cannot perform this operation.",
        )


def delete_group(world: World, request: Request, segments: list[str]) -> Response:
    """202 and Location, which finally returns 200 without a body (273 recorded deletions of Azure/azure-dev)."""
    group = find_group(world, segments[3])
    check_locks(world.store, group.id, "DELETE")
    running = world.operations.running(group.id)
    if running is None:
        environments = world.store.of_type("Microsoft.App/managedEnvironments", group.id)
        kind = "delete with environment" if environments else "delete"
        group.properties["provisioningState"] = "Deleting"
        world.store.put(group)
        running = begin(world, request, _DELETE, group.id, seconds=world.seconds("group", kind))
    return answer(world, request, _DELETE, running)


@effect("group.delete")
def _group_deleted(world: World, operation: Json) -> None:
    if operation["error"]:
        group = world.store.get(operation["resource"])
        if group is not None:
            group.properties["provisioningState"] = "Succeeded"
            world.store.put(group)
        return
    resource_types.delete_now(world, operation["resource"])
