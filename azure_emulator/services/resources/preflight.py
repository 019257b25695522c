"""`validateResources`: validates full PUT bodies before anything is written.

Sources: the preflight package of github.com/hashicorp/terraform-provider-azurerm, the guide of
github.com/Azure/terraform-provider-azapi, github.com/Azure/aztfpreflight. Nothing is created, no other resource is
checked, and the right to read suffices if the caller says so. A type's own checks of a body apply
here too, as do policies and declared refusals.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.errors import Refusal, authorization_failed, gateway
from azure_emulator.core.gate import check_location, check_registered, check_version
from azure_emulator.core.judging import judged
from azure_emulator.core.left_out import left_out
from azure_emulator.core.locating import locate
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.resource_types import REGISTRY, Call, ResourceType
from azure_emulator.core.versions import namespaces
from azure_emulator.core.world import World
from azure_emulator.services.resources import groups

Json = dict[str, Any]
_READ = "Microsoft.Resources/subscriptions/resourceGroups/read"
_EXPRESSION = re.compile(r"\[(?!\[).*\]\Z", re.DOTALL)
_OF_ARM = {"name", "type", "apiVersion", "dependsOn", "scope"}


def validate(world: World, request: Request, segments: list[str]) -> Response:
    sent = request.json()
    resources = sent.get("resources")
    if not isinstance(resources, list) or not resources or not isinstance(sent.get("provider"), str):
        raise gateway(400, "InvalidRequestContent", "The properties 'provider' and 'resources' are required.")
    asked = [_Asked(world, request, sent, item) for item in resources]
    for item in asked:
        item.belongs(str(sent.get("type", "")), sent.get("location"))
    for item in asked:
        item.authorize(lenient=sent.get("performPreflightWithoutRbacWriteCheck") is True)
    problems = [found for item in asked if (found := item.problem()) is not None]
    if problems:
        correlation = request.headers.get("x-ms-correlation-request-id", str(uuid.uuid4()))
        raise gateway(
            400,
            "ResourceValidationFailed",
            f"Resource validation failed, correlation id: '{correlation}', see details for more information.",
            details=problems,
        )
    return Response(200, {"properties": {"validatedResources": [item.id for item in asked]}})


class _Asked:
    """One resource to validate."""

    def __init__(self, world: World, request: Request, sent: Json, resource: Any) -> None:
        if not isinstance(resource, dict) or not isinstance(resource.get("name"), str):
            raise gateway(400, "InvalidRequestContent", "Each resource has at least a name.")
        self.world, self.request = world, request
        wanted = str(resource.get("type") or sent.get("type", ""))
        namespace = str(sent["provider"])
        self.type = wanted if wanted.lower().startswith(namespace.lower() + "/") else f"{namespace}/{wanted}"
        self.version = str(resource.get("apiVersion") or sent.get("apiVersion", ""))
        self.body = {key: value for key, value in resource.items() if key not in _OF_ARM}
        known = REGISTRY.get(self.type.lower())
        if sent.get("location") and "location" not in self.body and (known is None or known.tracked):
            self.body["location"] = sent["location"]
        self.scope = str(sent.get("scope", "")).rstrip("/")
        self.id = self._identifier(resource["name"])

    def _identifier(self, name: str) -> str:
        namespace, *types = self.type.split("/")
        if self.type.lower() == groups.GROUP.lower():
            return f"{self.world.subscription}/resourceGroups/{name}"
        parts = [f"{kind}/{own}" for kind, own in zip(types, name.split("/"), strict=False)]
        return f"{self.scope}/providers/{namespace}/{'/'.join(parts)}"

    def belongs(self, kind: str, location: Any) -> None:
        """All resources of a request have one namespace, type and location (`resourceValidator.json`)."""
        of_type = self.type.split("/", 1)[1].lower() == kind.lower()
        if not of_type or _place(self.body.get("location") or location) != _place(location):
            raise gateway(
                400,
                "InvalidRequestContent",
                f"The resource '{self.id.rsplit('/', 1)[1]}' has another type or location than the request.",
            )

    def authorize(self, *, lenient: bool) -> None:
        who = self.request.principal
        if who is None:
            return
        scope = self.scope or self.world.subscription
        action = _READ if lenient else f"{self.type}/write"
        if not self.world.is_allowed(who, action, scope):
            raise authorization_failed(who.object_id, action, scope)

    def problem(self) -> Json | None:
        """Return the error details for this resource, or None."""
        try:
            self._check()
        except Refusal as refusal:
            return _detail(refusal, self.id.rsplit("/", 1)[1])
        return None

    def _check(self) -> None:
        known = {name.lower() for name in namespaces()}
        namespace = self.type.split("/")[0]
        if left_out(namespace) is not None:
            check_registered(self.world, namespace)
        elif namespace.lower() not in known:
            raise gateway(404, "InvalidResourceNamespace", f"The resource namespace '{self.type}' is invalid.")
        call = self._call()
        if call is None:
            self._judge(self.type, None)
            return  # types without this check are skipped
        kind = REGISTRY[call.target.type.lower()]
        check_version(call.request, kind.type, self.world.served(kind.type, "versions"))
        check_registered(self.world, kind.type.split("/")[0])
        kind.check_name(call)
        if kind.tracked:
            rules.check_tags(self.body.get("tags"))
            check_location(call, kind, self.body)
        self._judge(kind.type, call)
        _check_body(kind, call, self.body)

    def _judge(self, type_name: str, call: Call | None) -> None:
        existing = call.existing.body if call is not None and call.existing is not None else None
        request = call.request if call is not None else self._put()
        self.body = judged(self.world, request, self.id, type_name, existing)

    def _put(self) -> Request:
        content = json.dumps(self.body).encode()
        query = {"api-version": self.version}
        return Request("PUT", self.request.host, self.id, query, {}, content, self.request.principal)

    def _call(self) -> Call | None:
        """Return the equivalent PUT, or None if the type is not supported."""
        if self.type.lower() not in REGISTRY:
            return None
        located = locate(self.world, [part for part in self.id.split("/") if part])
        return Call(self.world, self._put(), located.target, self.world.store.get(located.target.id))


def _place(location: Any) -> str:
    return str(location or "").replace(" ", "").lower()


def _check_body(kind: ResourceType, call: Call, body: Json) -> None:
    """Validate only known values if the body contains an expression (`[length('foo')]`: not known yet)."""
    if not _has_expression(body):
        kind.check(call)
    elif kind.body_rule is not None:
        rules.clean(_known(body), kind.body_rule, partial=True, code=kind.body_code)


def _is_expression(value: Any) -> bool:
    return isinstance(value, str) and _EXPRESSION.match(value) is not None


def _has_expression(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_expression(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_expression(item) for item in value)
    return _is_expression(value)


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items() if not _is_expression(item)}
    if isinstance(value, list):
        return [_known(item) for item in value if not _is_expression(item)]
    return value


def _detail(refusal: Refusal, name: str) -> Json:
    error: Json = {"code": refusal.code, "target": refusal.target or name, "message": refusal.message}
    if refusal.additional_info is not None:
        error["additionalInfo"] = refusal.additional_info
    if refusal.gateway:
        return error
    return {
        "code": "PreflightValidationCheckFailed",
        "message": "Preflight validation failed. Please refer to the details for the specific errors.",
        "details": [error],
    }
