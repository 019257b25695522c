"""The base of all resource types: find, show, list, create and delete."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from azure_emulator.core import rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal, gateway, resource_not_found
from azure_emulator.core.lifecycle import Work, answer, begin
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.operations import ARM
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import REGIONS, region
from azure_emulator.core.world import World

Json = dict[str, Any]


@dataclass(frozen=True)
class ResourceId:
    """A parsed resource id. `scope` is what comes before the last `/providers/`, `parent` the id one level up."""

    id: str
    subscription: str
    group: str
    scope: str
    type: str
    name: str

    @property
    def parent(self) -> str:
        """The id of the resource that this one is a child of, or "" for a top-level resource."""
        head = self.id.rsplit("/", 2)[0]
        return head if self.type.count("/") > 1 else ""


@dataclass
class Call:
    """One request to one resource type: `existing` is the stored resource, `rest` the path after its id."""

    world: World
    request: Request
    target: ResourceId
    existing: Resource | None
    rest: tuple[str, ...] = ()

    def must_exist(self) -> Resource:
        if self.existing is None:
            raise resource_not_found(self.target.type, self.target.name, self.target.group)
        return self.existing

    @property
    def now(self) -> float:
        return self.world.clock.now()

    @property
    def place(self) -> str:
        """The short name of the region that the resource is, or is to be, in."""
        body = self.existing.body if self.existing else self.request.json()
        return region(str(body.get("location", ""))) or ""

    def accept(self, work: Work, resource_id: str, body: Any = None, *, place: str = "", **how: Any) -> Response:
        """Start the work on a resource and reply as its row says; `how`: see `lifecycle.begin`."""
        operation = begin(self.world, self.request, work, resource_id, place=place or self.place, **how)
        return answer(self.world, self.request, work, operation, body)

    def accepted(self, work: Work, operation: Json, body: Any = None) -> Response:
        """Repeat the reply for work that is already running."""
        return answer(self.world, self.request, work, operation, body)


def system_data(call: Call, zone: str = "Z", created: str | None = None, digits: int = 7) -> Json:
    who = call.request.principal.client_id if call.request.principal else ""
    now = stamp(call.now, zone=zone, digits=digits)
    return {
        "createdBy": who,
        "createdByType": "Application",
        "createdAt": created or now,
        "lastModifiedBy": who,
        "lastModifiedByType": "Application",
        "lastModifiedAt": now,
    }


def display_location(location: str) -> str:
    return REGIONS.get(region(location) or "", location)


class ResourceType:
    """A type that ARM routes to. Subclasses implement methods; missing ones return 405."""

    type: str
    tracked = True
    """Has location and tags, and appears in listings of resources."""
    extension = False
    """Extends any scope (role assignments, locks, diagnostic settings)."""
    name_pattern = r".+"
    name_error = ("InvalidResourceName", "The resource name '{name}' is invalid.")
    listed_with: tuple[str, ...] = ()
    """Further keys shown in listings of resources: sku, kind, identity, systemData, …"""
    location_needed = True
    anywhere = False
    """Without a region: its location is `global`."""
    stored = True
    """False for what is computed: its `get` is called even if the store has no such resource."""
    body_rule: Json | None = None
    """The rules of a PUT's body: used by `validateResources`, and compared with Azure's official type by a
    test."""
    body_code = "InvalidRequestContent"
    versioned: Mapping[str, str] = {}
    """Property path -> versions that show it; see `core.versioned`."""
    action_methods: Mapping[str, tuple[str, ...]] = {}
    """The methods of actions that allow more than POST."""

    def put(self, call: Call) -> Response:
        raise method_not_allowed(call)

    def patch(self, call: Call) -> Response:
        raise method_not_allowed(call)

    def delete(self, call: Call) -> Response:
        raise method_not_allowed(call)

    def get(self, call: Call) -> Response:
        return Response(200, self.shown(call.world, call.must_exist()))

    def check(self, call: Call) -> None:
        """Validate a PUT by its body and name alone, without its references: the part used by
        `validateResources`."""
        if self.body_rule is not None:
            self.sent(call)

    def sent(self, call: Call, *, patch: bool = False) -> Json:
        """Return the request's body in canonical form. Raises a Refusal that names the property."""
        return rules.clean(call.request.json(), self.body_rule, patch=patch, code=self.body_code)

    def list(self, call: Call, scope: str) -> Response:
        """Return the full bodies that the caller may read, page by page."""
        found = call.world.store.of_type(self.type, scope)
        who = call.request.principal
        if who is not None and self.tracked and not call.world.is_allowed(who, f"{self.type}/read", scope):
            found = [item for item in found if call.world.is_allowed(who, f"{self.type}/read", item.id)]
        return page(call.request, found, lambda item: self.shown(call.world, item))

    def methods(self, action: str) -> tuple[str, ...]:
        """Return the methods allowed for the resource or an action."""
        if action:
            return self.action_methods.get(action, ("POST",))
        own = {"PUT": "put", "PATCH": "patch", "DELETE": "delete"}
        served = [name for name, handler in own.items() if getattr(type(self), handler) is not _UNSERVED[handler]]
        return ("GET", *served)

    def act(self, call: Call, action: str) -> Response:
        """Handle a POST (or GET) below the resource; `call.rest` has the path."""
        handler = self.actions().get(action)
        if handler is None:
            raise gateway(
                404,
                "InvalidResourceType" if call.request.method == "GET" else "NotFound",
                f"The resource type or action '{'/'.join(call.rest)}' could not be found in the namespace "
                f"'{self.type.split('/')[0]}' for api version '{call.request.api_version}'.",
            )
        return handler(call)

    def actions(self) -> dict[str, Callable[[Call], Response]]:
        return {}

    def shown(self, world: World, resource: Resource) -> Json:
        """Return the reply to GET."""
        return resource.body

    def listed(self, world: World, resource: Resource) -> Json:
        """Return the body of which listings show a part."""
        return self.shown(world, resource)

    def removed(self, world: World, resource: Resource) -> None:
        """Called when the resource is deleted, also with its group; keeps what Azure keeps."""

    def check_name(self, call: Call) -> None:
        if not re.fullmatch(self.name_pattern, call.target.name):
            code, message = self.name_error
            raise Refusal(400, code, message.format(name=call.target.name))

    def missing_error(self, call: Call) -> Refusal:
        return resource_not_found(self.type, call.target.name, call.target.group)


_UNSERVED = {name: getattr(ResourceType, name) for name in ("put", "patch", "delete")}
_PAGE = 100
"""Entries per page of a type's listing. Azure's page sizes are not all known; clients follow nextLink."""


def page(request: Request, found: list[Resource], shown: Callable[[Resource], Json]) -> Response:
    """Return a page of a listing, by $top and $skiptoken; only its entries are rendered, to keep long lists fast."""
    token, top = request.query.get("$skiptoken", "") or "0", request.query.get("$top", "")
    if not re.fullmatch(r"\d{1,9}", token):
        raise gateway(400, "InvalidSkipToken", f"The provided skip token '{token}' is invalid.")
    if top and not re.fullmatch(r"[1-9]\d{0,8}", top):
        raise gateway(400, "InvalidTopInQueryString", f"Invalid $top '{top}' specified in the query string.")
    start, size = int(token), int(top) if top else _PAGE
    body: Json = {"value": [shown(item) for item in found[start : start + size]]}
    if start + size < len(found):
        kept = {key: value for key, value in request.query.items() if key != "$skiptoken"}
        body["nextLink"] = f"{ARM}{quote(request.path)}?{urlencode({**kept, '$skiptoken': start + size})}"
    return Response(200, body)


def method_not_allowed(call: Call) -> Refusal:
    return gateway(
        405,
        "HttpMethodNotSupported",
        f"The HTTP method '{call.request.method}' is not supported at scope '{call.target.type}'.",
    )


REGISTRY: dict[str, ResourceType] = {}
"""All resource types by lower-case name; filled by `register`."""


def register(*types: ResourceType) -> None:
    for item in types:
        REGISTRY[item.type.lower()] = item


def delete_now(world: World, resource_id: str) -> None:
    """Remove a resource with its children; each type keeps what Azure keeps (deleted vaults, workspaces)."""
    below = sorted(world.store.below(resource_id), key=lambda item: -len(item.id))
    found = world.store.get(resource_id)
    for resource in [*below, *([found] if found is not None else [])]:
        kind = REGISTRY.get(resource.type.lower())
        if kind is not None:
            kind.removed(world, resource)
        world.store.drop(resource.id)
    world.operations.forget(resource_id)


def tracked(world: World, scope: str) -> list[Resource]:
    """Return the top-level resources below a scope, as shown in listings."""
    found = []
    for resource in world.store.below(scope):
        kind = REGISTRY.get(resource.type.lower())
        if kind is not None and kind.tracked and resource.type.count("/") == 1:
            found.append(resource)
    return found
