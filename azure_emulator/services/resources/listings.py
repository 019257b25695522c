"""Listings of resources and groups: filters, rows and pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from azure_emulator.core import resource_types
from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal, gateway
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.operations import ARM
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.resources.groups import GROUP, find_group

Json = dict[str, Any]


# Listings


def filter_clauses(text: str) -> dict[str, str]:
    """Parse `a eq 'x' and b eq 'y'` to a mapping; other forms are refused."""
    result: dict[str, str] = {}
    if not text.strip():
        return result
    for clause in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE):
        match = re.fullmatch(r"(\w+)\s+eq\s+'((?:[^']|'')*)'", clause.strip(), flags=re.IGNORECASE)
        if match is None:
            raise bad_filter(text)
        result[match[1].lower()] = match[2].replace("''", "'")
    return result


def bad_filter(text: str) -> Refusal:
    return gateway(400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")


def has_tag(body: Json, clauses: dict[str, str]) -> bool:
    tags = body.get("tags") or {}
    for name, value in tags.items():
        if name.lower() == clauses.get("tagname", "").lower():
            return "tagvalue" not in clauses or value == clauses["tagvalue"]
    return False


def _row(world: World, resource: Resource, by_tag: bool, expand: set[str]) -> Json:
    """Return a resource as shown in listings. With a filter on a tag it has another shape (391 of 391
    recorded apps of Azure/azure-dev): kind and managedBy empty, no systemData."""
    kind = resource_types.REGISTRY[resource.type.lower()]
    shown = kind.listed(world, resource)
    row: Json = {"id": resource.id, "name": resource.name, "type": resource.type}
    if by_tag:
        row |= {"kind": shown.get("kind", ""), "managedBy": ""}
    location = str(shown.get("location", ""))
    row["location"] = region(location) or location
    for key in ("sku", "kind", "identity"):
        if key in kind.listed_with and shown.get(key) is not None:
            row[key] = shown[key]
    if "tags" in shown or "tags" in kind.listed_with:
        row["tags"] = shown.get("tags") or {}
    if "systemData" in kind.listed_with and not by_tag and shown.get("systemData"):
        row["systemData"] = shown["systemData"]
    if "createdtime" in expand:
        row["createdTime"] = stamp(resource.created)
    if "changedtime" in expand:
        row["changedTime"] = stamp(resource.private.get("changed", resource.created))
    if "provisioningstate" in expand:
        row["provisioningState"] = (shown.get("properties") or {}).get("provisioningState", "Succeeded")
    return row


def list_resources(world: World, request: Request, segments: list[str]) -> Response:
    scope = world.subscription
    if len(segments) > 3:
        scope = find_group(world, segments[3]).id
    clauses = filter_clauses(request.query.get("$filter", ""))
    unknown = set(clauses) - {"resourcetype", "name", "resourcegroup", "location", "tagname", "tagvalue"}
    if unknown:
        raise bad_filter(request.query["$filter"])
    expand = {part.strip().lower() for part in request.query.get("$expand", "").split(",")}
    found = [resource for resource in resource_types.tracked(world, scope) if _fits(resource, clauses)]
    found = readable(world, request, found, scope)
    return paged(request, found, lambda resource: _row(world, resource, "tagname" in clauses, expand))


def readable(world: World, request: Request, found: list[Resource], scope: str) -> list[Resource]:
    """Filter what the caller may read; checked once per type if a role at the scope grants everything."""
    who = request.principal
    if who is None:
        return found
    whole = {kind: world.is_allowed(who, f"{kind}/read", scope) for kind in {resource.type for resource in found}}
    return [item for item in found if whole[item.type] or world.is_allowed(who, f"{item.type}/read", item.id)]


def _fits(resource: Resource, clauses: dict[str, str]) -> bool:
    checks = {
        "resourcetype": resource.type,
        "name": resource.name,
        "resourcegroup": resource.id.split("/")[4],
        "location": region(str(resource.body.get("location", ""))) or "",
    }
    for field, wanted in clauses.items():
        if field in checks and checks[field].lower() != wanted.replace(" ", "").lower():
            return False
    return "tagname" not in clauses or has_tag(resource.body, clauses)


def paged(request: Request, found: list[Resource], shown: Callable[[Resource], Json]) -> Response:
    """Return a page; only its entries are rendered, to keep long lists fast."""
    top = request.query.get("$top")
    token = request.query.get("$skiptoken", "") or "0"
    if not re.fullmatch(r"\d{1,9}", token):
        raise gateway(400, "InvalidSkipToken", f"The provided skip token '{token}' is invalid.")
    if top is not None and not re.fullmatch(r"\d{1,9}", top):
        raise gateway(400, "InvalidTopInQueryString", f"Invalid $top '{top}' specified in the query string.")
    start, size = int(token), int(top) if top else 1000
    body: Json = {"value": [shown(resource) for resource in found[start : start + size]]}
    # $top is the total that the caller wants; without it ARM pages automatically.
    if top is None and start + size < len(found):
        query = "&".join(f"{key}={value}" for key, value in request.query.items() if key != "$skiptoken")
        body["nextLink"] = f"{ARM}{request.path}?{query}&%24skiptoken={start + size}"
    return Response(200, body)


def list_groups(world: World, request: Request, segments: list[str]) -> Response:
    groups = world.store.of_type(GROUP)
    clauses = filter_clauses(request.query.get("$filter", ""))
    if set(clauses) - {"tagname", "tagvalue"}:
        raise bad_filter(request.query["$filter"])
    groups = [item for item in groups if not clauses or has_tag(item.body, clauses)]
    return paged(request, readable(world, request, groups, world.subscription), lambda item: item.body)
