"""Validate networks, workload profiles, access restrictions, Dapr and scale rules.

Sources: learn.microsoft.com, `container-apps/` ip-restrictions (all rules allow, or all deny), sticky-sessions (HTTP
ingress, single revision), cors, dapr-component-resource-consistency, scale-app (auth and identity of custom rules),
workload-profiles-overview; `reliability/reliability-container-apps` (zone redundancy needs a custom virtual network).
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from draftgenie_azure.config.validated.postgresql_rules import SUBNET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from draftgenie_azure.config.keys import Key
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.config.validated.service_sections import ScaleRule, Service

    Found = Iterator[tuple[Key, str]]

CONSUMPTION = "Consumption"
IDENTITY = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/[^/]+",
    re.IGNORECASE,
)


def faults(config: Config) -> Found:
    """Yield the key and message of each fault."""
    yield from _environment(config)
    for key, service in config.services.items():
        for rest, words in _service(config, service):
            yield ("services", key, *rest), words


def auth_faults(config: Config) -> Found:
    """Yield a fault for each scale rule whose `auth` names no secret variable; called once the variables are known."""
    for key, service in config.services.items():
        secrets = {variable.name for variable in config.variables(key) if variable.secret is not None}
        for position, rule in enumerate(service.scale.rules if service.scale else ()):
            for parameter, name in rule.auth.items():
                if name not in secrets:
                    place: Key = ("services", key, "scale", "rules", position, "auth", parameter)
                    yield place, f"`{name}` is not a secret variable of the service; add it under its `secrets`"


def _environment(config: Config) -> Found:
    section = config.container_apps
    if section is None:
        return
    place = "container_apps"
    if section.subnet_id is None:
        for name in ("zone_redundant", "internal"):
            if getattr(section, name):
                yield (place, name), "needs `subnet_id`: Azure offers it only in a virtual network of your own"
    elif not SUBNET.fullmatch(section.subnet_id):
        yield (place, "subnet_id"), "must be the resource id of a subnet: /subscriptions/…/subnets/<name>"
    seen = {CONSUMPTION.lower()}
    for position, profile in enumerate(section.workload_profiles):
        where: Key = (place, "workload_profiles", position)
        if profile.name.lower() in seen:
            yield (*where, "name"), f"duplicate name `{profile.name}`"
        seen.add(profile.name.lower())
        if profile.minimum_count > profile.maximum_count:
            yield (*where, "minimum_count"), f"must not exceed maximum_count ({profile.maximum_count})"


def _service(config: Config, service: Service) -> Found:
    profiles = config.container_apps.workload_profiles if config.container_apps else []
    known = [CONSUMPTION, *(profile.name for profile in profiles)]
    if service.workload_profile is not None and service.workload_profile not in known:
        yield ("workload_profile",), f"is not one of container_apps.workload_profiles ({', '.join(known)})"
    http = service.ingress != "none" and service.transport != "tcp"
    for name in ("ip_restrictions", "cors", "session_affinity"):
        if getattr(service, name) and not (http or (name == "ip_restrictions" and service.ingress != "none")):
            yield (name,), "needs an HTTP ingress" if name != "ip_restrictions" else "needs an ingress"
    yield from _restrictions(service)
    if service.cors and service.cors.allow_credentials and "*" in service.cors.allowed_origins:
        yield ("cors", "allow_credentials"), "cannot be combined with the origin `*`: browsers refuse it"
    if service.dapr and service.dapr.app_id and len(service.dapr.app_id) > 63:
        yield ("dapr", "app_id"), "must have at most 63 characters"
    for position, rule in enumerate(service.scale.rules if service.scale else ()):
        for rest, words in _scale_rule(rule):
            yield ("scale", "rules", position, *rest), words


def _restrictions(service: Service) -> Found:
    restrictions = service.ip_restrictions or []
    names: set[str] = set()
    for position, restriction in enumerate(restrictions):
        place: Key = ("ip_restrictions", position)
        if restriction.name in names:
            yield (*place, "name"), f"duplicate name `{restriction.name}`"
        names.add(restriction.name)
        try:
            ipaddress.IPv4Network(restriction.ip_address_range)
        except ValueError:
            yield (*place, "ip_address_range"), "must be an IPv4 address or range, such as 203.0.113.0/24"
        if restriction.action != restrictions[0].action:
            yield (*place, "action"), f"all rules must have the same action; the first is {restrictions[0].action}"


def _scale_rule(rule: ScaleRule) -> Found:
    if rule.type in ("http", "tcp", "cpu", "memory") and rule.identity:
        yield ("identity",), f"is not supported for a rule of type {rule.type}"
    if rule.type in ("cpu", "memory") and rule.auth:
        yield ("auth",), f"is not supported for a rule of type {rule.type}"
    if rule.identity and rule.auth:
        yield ("identity",), "cannot be combined with `auth`: keep one"
    if rule.identity and rule.identity not in ("app", "system") and not IDENTITY.fullmatch(rule.identity):
        yield ("identity",), "must be `app` or the resource id of a user-assigned identity"
    elif rule.identity == "system":
        yield ("identity",), "the apps have no system-assigned identity; use `app`"
