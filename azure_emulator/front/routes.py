"""Route host and path to a handler, after the checks of ARM itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from urllib.parse import unquote

from azure_emulator.core import effects, rules
from azure_emulator.core.errors import (
    authorization_failed,
    gateway,
)
from azure_emulator.core.gate import (
    check_location,
    check_registered,
    check_scope,
    check_subscription,
    check_version,
    check_version_is_there,
)
from azure_emulator.core.judging import judged
from azure_emulator.core.left_out import check_left_out
from azure_emulator.core.locating import Located, locate
from azure_emulator.core.locks import LOCK, check_locks
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.resource_types import Call, ResourceType
from azure_emulator.core.versioned import at_version
from azure_emulator.core.versions import (
    ACTION_VERSIONS,
    canonical_type,
)
from azure_emulator.core.world import World
from azure_emulator.services import catalogue

_POLLS = {
    "operationstatuses",
    "operationresults",
    "operationsstatus",
    "azureasyncoperation",
    "asyncoperations",
    "managedcertificateoperationstatuses",
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
    """A path of ARM or a provider that is not a resource; `*` matches any segment."""

    method: str
    pattern: tuple[str, ...]
    handler: Handler
    version_of: str
    action: str


FIXED_PATHS = [FixedPath(*row) for row in catalogue.FIXED_PATHS]


def segments_of(path: str) -> list[str]:
    """Split the path; double slashes collapse, as in ARM (azure-mgmt-resource and Azure CLI send them)."""
    return [unquote(part) for part in path.split("/") if part]


def handle(world: World, request: Request) -> Response:
    """Handle a request to ARM."""
    segments = segments_of(request.path)
    check_version_is_there(request)
    if segments and segments[0].lower() == "subscriptions" and len(segments) > 1:
        check_subscription(world, segments[1])
    if len(segments) >= 2 and segments[-2].lower() in _POLLS and request.method == "GET":
        return _poll(world, request, segments)
    for fixed in FIXED_PATHS:
        if fixed.method == request.method and _fits(fixed.pattern, segments):
            return _fixed(world, request, segments, fixed)
    _refuse_other_method(request, segments)
    if "providers" in [part.lower() for part in segments]:
        return _resource(world, request, segments)
    raise gateway(
        404,
        "NotFound" if request.method != "GET" else "InvalidRequestUri",
        f"The requested path '{request.path}' was not found.",
    )


def _refuse_other_method(request: Request, segments: list[str]) -> None:
    """Refuse other methods of a fixed path, which is not a resource."""
    allowed = [fixed.method for fixed in FIXED_PATHS if _fits(fixed.pattern, segments)]
    if allowed:
        raise gateway(
            405,
            "HttpMethodNotSupported",
            f"The HTTP method '{request.method}' is not supported at '{request.path}'.",
            headers={"Allow": ", ".join(allowed)},
        )


def _fits(pattern: tuple[str, ...], segments: list[str]) -> bool:
    return len(pattern) == len(segments) and all(
        want == "*" or want == part.lower() for want, part in zip(pattern, segments, strict=True)
    )


def _fixed(world: World, request: Request, segments: list[str], fixed: FixedPath) -> Response:
    check_version(request, fixed.version_of, world.served(fixed.version_of, "versions"))
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
        check_registered(world, namespace)
    return fixed.handler(world, request, segments)


def _poll(world: World, request: Request, segments: list[str]) -> Response:
    """Require permission to read a status at the subscription or group (learn.microsoft.com/…/async-operations)."""
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


def _resource(world: World, request: Request, segments: list[str]) -> Response:
    check_left_out(world, request, segments)
    located = locate(world, segments)
    kind, target = located.kind, located.target
    action = located.rest[0].lower() if located.rest else ""
    versions = ACTION_VERSIONS.get((kind.type.lower(), action)) or world.served(kind.type, "versions")
    check_version(request, kind.type, versions)
    _check_method(request, located)
    _authorize(world, request, located)
    existing = None if located.collection else world.store.get(target.id)
    call = Call(world, request, target, existing, located.rest)
    check_scope(call, kind, located.collection)
    if request.method not in ("GET", "HEAD"):
        check_registered(world, kind.type.split("/")[0])
        _check_locks(call, kind)
    if located.rest:
        response = kind.act(call, action)
    elif located.collection:
        response = kind.list(call, target.id.rsplit("/", 1)[0] if kind.type.count("/") > 1 else target.scope)
    else:
        response = _METHODS[request.method](call, kind)
    response.body = at_version(response.body, kind.versioned, request.api_version)
    return response


def _check_method(request: Request, located: Located) -> None:
    """Refuse a method that a type, its list or its action lacks, before any other check."""
    kind, action = located.kind, located.rest[0].lower() if located.rest else ""
    if action and action not in kind.actions():
        return  # which returns the error itself
    allowed = ("GET",) if located.collection else kind.methods(action)
    if request.method not in allowed:
        raise gateway(
            405,
            "HttpMethodNotSupported",
            f"The HTTP method '{request.method}' is not supported at '{'/'.join([kind.type, *located.rest])}'.",
            headers={"Allow": ", ".join(allowed)},
        )


def _authorize(world: World, request: Request, located: Located) -> None:
    principal = request.principal
    if principal is None or (located.collection and located.kind.tracked and not located.target.group):
        return  # a listing of the subscription shows what its caller may read
    verb = {"GET": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}.get(request.method, "action")
    action = f"{located.kind.type}/{verb}"
    if located.rest:
        action = f"{located.kind.type}/{located.rest[0]}/{'read' if request.method == 'GET' else 'action'}"
    scope = located.target.scope if located.kind.extension else located.target.id
    if not world.is_allowed(principal, action, scope):
        raise authorization_failed(principal.object_id, action, scope)


def _check_locks(call: Call, kind: ResourceType) -> None:
    """Check locks: those above prevent deletes and, if ReadOnly, any write and POST; those below prevent a delete too
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
        check_location(call, kind, body)
    _judge(call, kind)
    return kind.put(call)


def _judge(call: Call, kind: ResourceType) -> None:
    judged(call.world, call.request, call.target.id, kind.type, call.existing.body if call.existing else None)


def _patch(call: Call, kind: ResourceType) -> Response:
    if kind.stored:
        call.must_exist()
    if kind.tracked:
        rules.check_tags(call.request.json().get("tags"))
    _judge(call, kind)
    return kind.patch(call)


def _delete(call: Call, kind: ResourceType) -> Response:
    if call.existing is None and kind.stored and not kind.extension:
        return Response(204)
    return kind.delete(call)


_METHODS: dict[str, Callable[[Call, ResourceType], Response]] = {
    "GET": _get,
    "PUT": _put,
    "PATCH": _patch,
    "DELETE": _delete,
}
