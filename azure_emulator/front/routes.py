"""From host and path to the handler; everything that ARM itself checks before a service is asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, zip_longest
from typing import Any
from urllib.parse import unquote

from azure_emulator.core import effects, resource_types, rules
from azure_emulator.core.errors import (
    Refusal,
    authorization_failed,
    gateway,
    group_not_found,
    missing_registration,
    parent_not_found,
    resource_not_found,
)
from azure_emulator.core.locks import LOCK, check_locks
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.resource_types import REGISTRY, Call, ResourceId, ResourceType
from azure_emulator.core.versions import (
    ACTION_VERSIONS,
    REGIONS,
    VERSIONS,
    accepted,
    canonical_type,
    namespaces,
    region,
)
from azure_emulator.core.world import World
from azure_emulator.services import catalogue

ALWAYS_REGISTERED = {"microsoft.resources", "microsoft.authorization"}
_POLLS = {
    "operationstatuses",
    "operationresults",
    "operationsstatus",
    "azureasyncoperation",
    "asyncoperations",
    "containerappoperationstatuses",
    "containerappoperationresults",
    "managedenvironmentoperationstatuses",
    "managedenvironmentoperationresults",
    "containerappsjoboperationstatuses",
    "containerappsjoboperationresults",
}

Handler = Callable[["World", Request, list[str]], Response]


@dataclass(frozen=True)
class FixedPath:
    """A path of ARM or of a provider that is no resource: `*` stands for any segment."""

    method: str
    pattern: tuple[str, ...]
    handler: Handler
    version_of: str
    action: str


FIXED_PATHS = [FixedPath(*row) for row in catalogue.FIXED_PATHS]


def segments_of(path: str) -> list[str]:
    """The path's parts; double slashes collapse, as ARM lets them (azure-mgmt-resource and Azure CLI send them)."""
    return [unquote(part) for part in path.split("/") if part]


def handle(world: World, request: Request) -> Response:
    """Answers a request to ARM."""
    segments = segments_of(request.path)
    _check_version_is_there(request)
    if segments and segments[0].lower() == "subscriptions" and len(segments) > 1:
        _check_subscription(world, segments[1])
    if len(segments) >= 2 and segments[-2].lower() in _POLLS and request.method == "GET":
        return _poll(world, request, segments)
    for fixed in FIXED_PATHS:
        if fixed.method == request.method and _fits(fixed.pattern, segments):
            return _fixed(world, request, segments, fixed)
    lowered = [part.lower() for part in segments]
    if "providers" in lowered:
        return _resource(world, request, segments)
    raise gateway(
        404,
        "NotFound" if request.method != "GET" else "InvalidRequestUri",
        f"The requested path '{request.path}' was not found.",
    )


def _fits(pattern: tuple[str, ...], segments: list[str]) -> bool:
    return len(pattern) == len(segments) and all(
        want == "*" or want == part.lower() for want, part in zip(pattern, segments, strict=True)
    )


def _fixed(world: World, request: Request, segments: list[str], fixed: FixedPath) -> Response:
    check_version(request, fixed.version_of)
    namespace = fixed.version_of.split("/")[0]
    if fixed.action and request.principal is not None:
        scope = (
            "/" + "/".join(segments[:4])
            if len(segments) > 3 and segments[2].lower() == "resourcegroups"
            else world.subscription
        )
        if not world.is_allowed(request.principal, fixed.action, scope):
            raise authorization_failed(request.principal.object_id, fixed.action, scope)
    if fixed.pattern[2:3] == ("providers",) and fixed.pattern[3:4] != ("*",) and request.method == "POST":
        _check_registered(world, namespace)
    return fixed.handler(world, request, segments)


def _check_version_is_there(request: Request) -> None:
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


def _check_subscription(world: World, subscription: str) -> None:
    if subscription.lower() != world.identity.subscription_id:
        if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", subscription):
            raise gateway(
                400,
                "InvalidSubscriptionId",
                f"The provided subscription identifier '{subscription}' is malformed or invalid.",
            )
        raise gateway(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def _check_registered(world: World, namespace: str) -> None:
    if namespace.lower() in ALWAYS_REGISTERED:
        return
    if world.store.record("registration", namespace.lower()) is None:
        raise missing_registration(namespace)


def _poll(world: World, request: Request, segments: list[str]) -> Response:
    """Reading a status needs permission at the subscription or group (learn.microsoft.com/…/async-operations)."""
    operation = world.operations.find(segments[-1])
    if operation is not None and request.api_version != operation["version"]:
        namespace = next(
            (part for before, part in pairwise(segments) if before.lower() == "providers"),
            "Microsoft.Resources",
        )
        kind = canonical_type(f"{namespace}/locations") or "Microsoft.Resources/operationresults"
        check_version(request, kind)
    return world.operations.poll(request, segments[-1], partial(effects.final, world))


# Resources


@dataclass(frozen=True)
class _Located:
    kind: ResourceType
    target: ResourceId
    collection: bool
    rest: tuple[str, ...]


def _locate(world: World, segments: list[str]) -> _Located:
    """Finds the resource type in a path, and what is resource id and what action."""
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
    return _located(world, segments, index, kind, parts[:position], collection, tuple(parts[position:]))


def _located(
    world: World,
    segments: list[str],
    index: int,
    kind: ResourceType,
    own: list[str],
    collection: bool,
    rest: tuple[str, ...],
) -> _Located:
    scope_parts = segments[:index]
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
    return _Located(kind, target, collection, rest)


def _made_as(world: World, identifier: str) -> str:
    """A name in the spelling that the resource was made with."""
    stored = world.store.get(identifier)
    return stored.name if stored is not None else identifier.rsplit("/", 1)[1]


def canonical_scope(world: World, parts: list[str]) -> str:
    """A scope in Azure's spelling: `resourceGroups`, and group and resource as they were made."""
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


def _resource(world: World, request: Request, segments: list[str]) -> Response:
    located = _locate(world, segments)
    kind, target = located.kind, located.target
    action = located.rest[0].lower() if located.rest else ""
    check_version(request, kind.type, ACTION_VERSIONS.get((kind.type.lower(), action)))
    if located.collection and request.method != "GET":
        raise gateway(405, "HttpMethodNotSupported", f"The method {request.method} is not supported for a collection.")
    if request.method not in ("GET", "PUT", "PATCH", "DELETE", "POST"):
        raise gateway(405, "HttpMethodNotSupported", f"The HTTP method '{request.method}' is not supported.")
    _authorize(world, request, located)
    existing = None if located.collection else world.store.get(target.id)
    call = Call(world, request, target, existing, located.rest)
    _check_scope(call, kind, located.collection)
    if request.method not in ("GET", "HEAD"):
        _check_registered(world, kind.type.split("/")[0])
        _check_locks(call, kind)
    if located.collection:
        return kind.list(call, target.id.rsplit("/", 1)[0] if kind.type.count("/") > 1 else target.scope)
    if located.rest:
        return kind.act(call, action)
    return _METHODS[request.method](call, kind)


def _authorize(world: World, request: Request, located: _Located) -> None:
    principal = request.principal
    if principal is None:
        return
    verb = {"GET": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}.get(request.method, "action")
    action = f"{located.kind.type}/{verb}"
    if located.rest:
        action = f"{located.kind.type}/{located.rest[0]}/{'read' if request.method == 'GET' else 'action'}"
    scope = located.target.scope if located.kind.extension else located.target.id
    if not world.is_allowed(principal, action, scope):
        raise authorization_failed(principal.object_id, action, scope)


def _check_scope(call: Call, kind: ResourceType, collection: bool) -> None:
    """Group, parent and, for extension resources, the resource they sit on must be there."""
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
    if parent and world.store.get(parent) is None:
        parent_type = kind.type.rsplit("/", 1)[0]
        if write:
            raise parent_not_found(kind.type, parent.split("/providers/")[1])
        raise resource_not_found(parent_type, parent.rsplit("/", 1)[1], target.group)


def _scope_error(scope: str, kind: ResourceType, write: bool) -> Refusal:
    path = scope.split("/providers/")[-1].split("/")
    group = scope.split("/")[4] if len(scope.split("/")) > 4 else ""
    return resource_not_found("/".join([path[0], *path[1::2]]), path[-1], group)


def _check_locks(call: Call, kind: ResourceType) -> None:
    """Locks above stop deletes and, if ReadOnly, every write and POST; locks below stop a delete, too
    (learn.microsoft.com/azure/azure-resource-manager/management/lock-resources)."""
    if kind.type == LOCK:
        return
    check_locks(call.world.store, call.target.id, call.request.method)


def _get(call: Call, kind: ResourceType) -> Response:
    if call.existing is None and kind.stored:
        raise kind.missing_error(call)
    return kind.get(call)


def _put(call: Call, kind: ResourceType) -> Response:
    body = call.request.json()
    kind.check_name(call)
    if kind.tracked:
        rules.check_tags(body.get("tags"))
        _check_location(call, kind, body)
    return kind.put(call)


def _check_location(call: Call, kind: ResourceType, body: dict[str, Any]) -> None:
    location = body.get("location")
    if not location:
        if kind.location_needed:
            raise gateway(400, "LocationRequired", "The location property is required for this definition.")
        return
    if region(str(location)) is None:
        raise gateway(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{location}' is not available for resource type '{kind.type}'. List of "
            f"available regions for the resource type is '{','.join(REGIONS)}'.",
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


def _patch(call: Call, kind: ResourceType) -> Response:
    if kind.stored:
        call.must_exist()
    if kind.tracked:
        rules.check_tags(call.request.json().get("tags"))
    return kind.patch(call)


def _delete(call: Call, kind: ResourceType) -> Response:
    if call.existing is None and kind.stored and not kind.extension:
        return Response(204)
    return kind.delete(call)


def _post(call: Call, kind: ResourceType) -> Response:
    raise resource_types.method_not_allowed(call)


_METHODS: dict[str, Callable[[Call, ResourceType], Response]] = {
    "GET": _get,
    "PUT": _put,
    "PATCH": _patch,
    "DELETE": _delete,
    "POST": _post,
}
