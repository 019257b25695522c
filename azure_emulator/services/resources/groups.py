"""Subscriptions, tenants, providers, resource groups and the listings of resources."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from azure_emulator.core import resource_types, rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal, gateway, group_not_found
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.operations import ARM, effect
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import REGIONS, VERSIONS, namespaces, region

if TYPE_CHECKING:
    from azure_emulator.core.world import World

Json = dict[str, Any]
GROUP = "Microsoft.Resources/resourceGroups"
_RULE: Json = {
    **rules.ENVELOPE,
    "location!": rules.Text(),
    "tags": rules.TAGS,
    "managedBy": rules.Text(),
    "properties": {"provisioningState": rules.READ_ONLY},
}


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


# Each with its neighbour in the table: which regions are pairs matters to nobody here.
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


# Resource providers


def _registration(world: World, namespace: str) -> str:
    if namespace.lower() in ("microsoft.resources", "microsoft.authorization"):
        return "Registered"
    record = world.store.record("registration", namespace.lower())
    if record is None:
        return "NotRegistered"
    done = record["at"] + world.seconds("provider", "register") <= world.clock.now()
    return "Registered" if done else "Registering"


def _provider(world: World, name: str) -> Json:
    namespace = next((item for item in namespaces() if item.lower() == name.lower()), None)
    if namespace is None:
        raise gateway(404, "InvalidResourceNamespace", f"The resource namespace '{name}' is invalid.")
    types = [
        {
            "resourceType": kind.partition("/")[2],
            "locations": list(REGIONS.values()),
            "apiVersions": sorted(versions, reverse=True),
            "defaultApiVersion": max(versions),
            "capabilities": "SupportsTags, SupportsLocation",
        }
        for kind, versions in VERSIONS.items()
        if kind.split("/")[0] == namespace
    ]
    return {
        "id": f"{world.subscription}/providers/{namespace}",
        "namespace": namespace,
        "authorizations": [
            {
                "applicationId": world.derived_uuid("provider", namespace, "application"),
                "roleDefinitionId": world.derived_uuid("provider", namespace, "role"),
            }
        ],
        "resourceTypes": types,
        "registrationState": _registration(world, namespace),
        "registrationPolicy": "RegistrationRequired",
    }


def list_providers(world: World, request: Request, segments: list[str]) -> Response:
    return Response(200, {"value": [_provider(world, name) for name in namespaces()]})


def get_provider(world: World, request: Request, segments: list[str]) -> Response:
    return Response(200, _provider(world, segments[3]))


def register_provider(world: World, request: Request, segments: list[str]) -> Response:
    """200 at once with the provider; the state follows, and creating need not wait for it."""
    _provider(world, segments[3])
    key = segments[3].lower()
    if world.store.record("registration", key) is None:
        world.store.set("registration", key, {"at": world.clock.now()})
        return Response(200, {**_provider(world, segments[3]), "registrationState": "Registering"})
    return Response(200, _provider(world, segments[3]))


def unregister_provider(world: World, request: Request, segments: list[str]) -> Response:
    answer = _provider(world, segments[3])
    if any(item.type.lower().startswith(segments[3].lower() + "/") for item in world.store.all()):
        raise gateway(409, "ConflictingProviderUsage", f"The provider '{segments[3]}' is in use.")
    world.store.set("registration", segments[3].lower(), None)
    return Response(200, {**answer, "registrationState": "Unregistering"})


# Resource groups


def _group(world: World, name: str) -> Resource:
    group = world.store.get(f"{world.subscription}/resourceGroups/{name}")
    if group is None:
        raise group_not_found(name)
    return group


def head_group(world: World, request: Request, segments: list[str]) -> Response:
    found = world.store.get(f"{world.subscription}/resourceGroups/{segments[3]}")
    return Response(404 if found is None else 204)


def get_group(world: World, request: Request, segments: list[str]) -> Response:
    return Response(200, _group(world, segments[3]).body)


def list_groups(world: World, request: Request, segments: list[str]) -> Response:
    groups = world.store.of_type(GROUP)
    clauses = _clauses(request.query.get("$filter", ""))
    if set(clauses) - {"tagname", "tagvalue"}:
        raise _bad_filter(request.query["$filter"])
    groups = [
        item for item in groups if _may_read(world, request, item) and (not clauses or _has_tag(item.body, clauses))
    ]
    return _paged(world, request, [item.body for item in groups])


def put_group(world: World, request: Request, segments: list[str]) -> Response:
    name = segments[3]
    if not re.fullmatch(r"[\w.()-]{1,90}", name) or name.endswith("."):
        raise gateway(
            400,
            "InvalidResourceGroup",
            f"The provided resource group name '{name}' has these invalid characters or is too long. The name "
            "can only be a letter, digit, '-', '.', '(', ')' or '_'.",
        )
    identifier = f"{world.subscription}/resourceGroups/{name}"
    existing = world.store.get(identifier)
    sent = request.json()
    rules.check_tags(sent.get("tags"))
    if not sent.get("location"):
        raise gateway(400, "LocationRequired", "The location property is required for this definition.")
    body = rules.clean(sent, _RULE, new=existing is None)
    if region(body["location"]) is None:
        raise gateway(
            400,
            "LocationNotAvailableForResourceGroup",
            f"The provided location '{body['location']}' is not available for resource group. List of "
            f"available regions is '{','.join(REGIONS)}'.",
        )
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
    _lock_check(world, existing.id, "PUT")
    existing.body.pop("tags", None)
    existing.body = {**existing.body, **({"tags": body["tags"]} if "tags" in body else {})}
    world.store.put(existing)
    return Response(200, existing.body)


def patch_group(world: World, request: Request, segments: list[str]) -> Response:
    group = _group(world, segments[3])
    _refuse_deleting(group)
    _lock_check(world, group.id, "PATCH")
    body = rules.clean(request.json(), _RULE, new=False, patch=True)
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


def _lock_check(world: World, resource_id: str, method: str) -> None:
    from azure_emulator.front.routes import check_locks

    check_locks(world, resource_id, method)


def delete_group(world: World, request: Request, segments: list[str]) -> Response:
    """202 and Location; at its end that answers 200 without a body (273 recorded deletions of Azure/azure-dev)."""
    group = _group(world, segments[3])
    _lock_check(world, group.id, "DELETE")
    running = world.operations.running(group.id)
    if running is None:
        environments = world.store.of_type("Microsoft.App/managedEnvironments", group.id)
        kind = "delete with environment" if environments else "delete"
        group.properties["provisioningState"] = "Deleting"
        world.store.put(group)
        running = world.operations.start(
            "group.delete",
            group.id,
            seconds=world.seconds("group", kind),
            request=request,
            style="group",
            result_path=f"{world.subscription}/operationresults/{{id}}",
            final="empty",
            name=uuid.uuid4().hex,
        )
    return Response(202, None, world.operations.headers(running, result=True, pace=15))


@effect("group.delete")
def _group_deleted(world: World, operation: Json) -> None:
    if operation["error"]:
        group = world.store.get(operation["resource"])
        if group is not None:
            group.properties["provisioningState"] = "Succeeded"
            world.store.put(group)
        return
    resource_types.delete_now(world, operation["resource"])


# Listings


def _clauses(text: str) -> dict[str, str]:
    """`a eq 'x' and b eq 'y'` as a mapping; other forms are refused."""
    result: dict[str, str] = {}
    if not text.strip():
        return result
    for clause in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE):
        match = re.fullmatch(r"(\w+)\s+eq\s+'((?:[^']|'')*)'", clause.strip(), flags=re.IGNORECASE)
        if match is None:
            raise _bad_filter(text)
        result[match[1].lower()] = match[2].replace("''", "'")
    return result


def _bad_filter(text: str) -> Refusal:
    return gateway(400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")


def _has_tag(body: Json, clauses: dict[str, str]) -> bool:
    tags = body.get("tags") or {}
    for name, value in tags.items():
        if name.lower() == clauses.get("tagname", "").lower():
            return "tagvalue" not in clauses or value == clauses["tagvalue"]
    return False


def _row(world: World, resource: Resource, by_tag: bool, expand: set[str]) -> Json:
    """A resource as listings show it. With a filter on a tag the same resource comes in another shape (391 of 391
    recorded apps of Azure/azure-dev): kind and managedBy empty, no systemData."""
    kind = resource_types.REGISTRY[resource.type.lower()]
    shown = kind.shown(world, resource)
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
    from azure_emulator.front.routes import tracked

    scope = world.subscription
    if len(segments) > 3:
        scope = _group(world, segments[3]).id
    clauses = _clauses(request.query.get("$filter", ""))
    unknown = set(clauses) - {"resourcetype", "name", "resourcegroup", "location", "tagname", "tagvalue"}
    if unknown:
        raise _bad_filter(request.query["$filter"])
    expand = {part.strip().lower() for part in request.query.get("$expand", "").split(",")}
    rows = []
    for resource in tracked(world, scope):
        if _fits(resource, clauses) and _may_read(world, request, resource):
            rows.append(_row(world, resource, "tagname" in clauses, expand))
    return _paged(world, request, rows)


def _may_read(world: World, request: Request, resource: Resource) -> bool:
    """A listing shows what its caller may read."""
    who = request.principal
    return who is None or world.is_allowed(who, f"{resource.type}/read", resource.id)


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
    return "tagname" not in clauses or _has_tag(resource.body, clauses)


def _paged(world: World, request: Request, rows: list[Json]) -> Response:
    top = request.query.get("$top")
    token = request.query.get("$skiptoken", "") or "0"
    if not re.fullmatch(r"\d{1,9}", token):
        raise gateway(400, "InvalidSkipToken", f"The provided skip token '{token}' is invalid.")
    if top is not None and not re.fullmatch(r"\d{1,9}", top):
        raise gateway(400, "InvalidTopInQueryString", f"Invalid $top '{top}' specified in the query string.")
    start, size = int(token), int(top) if top else 1000
    page = rows[start : start + size]
    body: Json = {"value": page}
    # $top is how many the caller wants in all; without it ARM pages by itself.
    if top is None and start + size < len(rows):
        query = "&".join(f"{key}={value}" for key, value in request.query.items() if key != "$skiptoken")
        body["nextLink"] = f"{ARM}{request.path}?{query}&%24skiptoken={start + size}"
    return Response(200, body)


S, RG = ("subscriptions", "*"), ("subscriptions", "*", "resourcegroups", "*")
PATHS = [
    ("GET", ("subscriptions",), list_subscriptions, "Microsoft.Resources/subscriptions", ""),
    ("GET", S, get_subscription, "Microsoft.Resources/subscriptions", "Microsoft.Resources/subscriptions/read"),
    ("GET", (*S, "locations"), list_locations, "Microsoft.Resources/subscriptions", ""),
    ("GET", ("tenants",), list_tenants, "Microsoft.Resources/tenants", ""),
    ("GET", (*S, "providers"), list_providers, "Microsoft.Resources/providers", ""),
    ("GET", (*S, "providers", "*"), get_provider, "Microsoft.Resources/providers", ""),
    (
        "POST",
        (*S, "providers", "*", "register"),
        register_provider,
        "Microsoft.Resources/providers",
        "Microsoft.Resources/register/action",
    ),
    (
        "POST",
        (*S, "providers", "*", "unregister"),
        unregister_provider,
        "Microsoft.Resources/providers",
        "Microsoft.Resources/unregister/action",
    ),
    ("GET", (*S, "resourcegroups"), list_groups, GROUP, ""),
    ("HEAD", RG, head_group, GROUP, "Microsoft.Resources/subscriptions/resourceGroups/read"),
    ("GET", RG, get_group, GROUP, "Microsoft.Resources/subscriptions/resourceGroups/read"),
    ("PUT", RG, put_group, GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write"),
    ("PATCH", RG, patch_group, GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write"),
    ("DELETE", RG, delete_group, GROUP, "Microsoft.Resources/subscriptions/resourceGroups/delete"),
    ("GET", (*S, "resources"), list_resources, "Microsoft.Resources/resources", ""),
    ("GET", (*RG, "resources"), list_resources, "Microsoft.Resources/resources", ""),
]
