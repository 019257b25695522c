"""Optional parts of an app's body, present only if configured."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from draftgenie_azure.config.validated.service_sections import Cors, IpRestriction, ScaleRule, Service
    from draftgenie_azure.config.validated.vault_secrets import Variable


def ingress(service: Service) -> dict[str, Any]:
    """Return access rules, CORS and session affinity; without a key nothing is sent, and Azure's value is kept."""
    parts: dict[str, Any] = {}
    if service.ip_restrictions is not None:
        parts["ipSecurityRestrictions"] = [_restriction(restriction) for restriction in service.ip_restrictions]
    if service.cors is not None:
        parts["corsPolicy"] = _cors(service.cors)
    if service.session_affinity is not None:
        parts["stickySessions"] = {"affinity": "sticky" if service.session_affinity else "none"}
    return parts


def dapr(service: Service) -> dict[str, Any]:
    """Return the settings of the Dapr sidecar."""
    assert service.dapr is not None
    section = service.dapr
    return _given(
        enabled=section.enabled,
        appId=section.app_id or service.name,
        appPort=section.app_port or service.port,
        appProtocol=section.app_protocol,
        enableApiLogging=section.enable_api_logging,
        httpMaxRequestSize=section.http_max_request_size,
        httpReadBufferSize=section.http_read_buffer_size,
        logLevel=section.log_level,
    )


def scale_rules(service: Service, variables: Sequence[Variable], identity_id: str) -> list[dict[str, Any]]:
    """Return the scale rules of a service.

    Args:
        variables: the service's environment; rules sign in with its secrets.
        identity_id: id of the apps' identity.
    """
    scale = service.scale
    if scale is None:
        return []
    rules: list[dict[str, Any]] = []
    if scale.http_concurrent_requests:
        rules.append(
            {"name": "http", "http": {"metadata": {"concurrentRequests": str(scale.http_concurrent_requests)}}}
        )
    if scale.tcp_concurrent_connections:
        rules.append(
            {"name": "tcp", "tcp": {"metadata": {"concurrentConnections": str(scale.tcp_concurrent_connections)}}}
        )
    secrets = {variable.name: variable.secret for variable in variables}
    return [*rules, *(_scale_rule(rule, secrets, identity_id) for rule in scale.rules)]


def _scale_rule(rule: ScaleRule, secrets: dict[str, str | None], identity_id: str) -> dict[str, Any]:
    described: dict[str, Any] = {"metadata": {key: str(value) for key, value in rule.metadata.items()}}
    if rule.auth:
        described["auth"] = [
            {"secretRef": secrets[name], "triggerParameter": parameter} for parameter, name in sorted(rule.auth.items())
        ]
    if rule.identity:
        described["identity"] = identity_id if rule.identity == "app" else rule.identity
    if rule.type in ("http", "tcp"):
        return {"name": rule.name, rule.type: described}
    return {"name": rule.name, "custom": {"type": rule.type, **described}}


def _restriction(restriction: IpRestriction) -> dict[str, Any]:
    address = restriction.ip_address_range
    return _given(
        name=restriction.name,
        description=restriction.description,
        ipAddressRange=address if "/" in address else f"{address}/32",
        action=restriction.action,
    )


def _cors(cors: Cors) -> dict[str, Any]:
    return _given(
        allowedOrigins=cors.allowed_origins,
        allowedMethods=cors.allowed_methods,
        allowedHeaders=cors.allowed_headers,
        exposeHeaders=cors.expose_headers,
        maxAge=cors.max_age,
        allowCredentials=cors.allow_credentials,
    )


def _given(**parts: Any) -> dict[str, Any]:
    return {name: value for name, value in parts.items() if value is not None}
