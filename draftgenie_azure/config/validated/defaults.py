"""Defaults that depend on other keys."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from draftgenie_azure.config.keys import Key
from draftgenie_azure.config.validated import naming


def with_defaults(values: dict[str, Any], from_environment: Collection[Key] = ()) -> dict[str, Any]:
    """Fill in the defaults that depend on other keys; drop nulls, empty tags, and `x-…` keys, which only hold anchors.

    Types are not validated yet: unexpected ones are left for the models to reject.
    """
    values = {
        name: value for name, value in _without_nulls(values, (), from_environment).items() if not name.startswith("x-")
    }
    azure = values.get("azure")
    project = "draftgenie"
    if isinstance(azure, dict):
        project = str(azure.get("project_name", project))
        azure.setdefault("identity_name", f"{project}-identity")
    tags = values.get("tags")
    if isinstance(tags, dict):
        values["tags"] = {name: value for name, value in tags.items() if value != ""}
    postgresql = values.get("postgresql")
    if isinstance(postgresql, dict):
        _postgresql_defaults(postgresql, project)
    docker = values.get("docker")
    dockerfiles = docker.get("dockerfiles") if isinstance(docker, dict) else None
    services = values.get("services")
    for key, service in services.items() if isinstance(services, dict) else ():
        if isinstance(service, dict):
            _service_defaults(key, service, dockerfiles if isinstance(dockerfiles, dict) else {})
    migrations = values.get("migrations")
    seen: dict[str, int] = {}
    for migration in migrations if isinstance(migrations, list) else ():
        if isinstance(migration, dict) and isinstance(service := migration.get("service"), str):
            count = seen[service] = seen.get(service, 0) + 1
            name = re.sub("[^a-z0-9]+", "-", service.lower()).strip("-")
            migration.setdefault("name", name if count == 1 else f"{name}-{count}")
    return values


def _without_nulls(value: Any, key: Key, from_environment: Collection[Key]) -> Any:
    """Drop nulls, which count as absent, so that a later file can remove a key of an earlier one.

    A secret without a value counts as empty, as does a variable whose `${NAME}` is empty.
    """
    if isinstance(value, list):
        return [_without_nulls(item, (*key, position), from_environment) for position, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    of_variables = len(key) == 3 and key[2] in ("environment", "secrets")
    kept = {}
    for name, item in value.items():
        place = (*key, name)
        if item is not None:
            kept[name] = _without_nulls(item, place, from_environment)
        elif key == ("secrets",) or (of_variables and place in from_environment):
            kept[name] = ""
    return kept


def _postgresql_defaults(postgresql: dict[str, Any], project: str) -> None:
    postgresql.setdefault("admin_user", re.sub(r"[^a-z0-9_]", "", project.lower()) + "admin")
    if "postgres_sku" in postgresql:
        postgresql.setdefault("sku", postgresql["postgres_sku"])
    sku = postgresql.get("sku", "Standard_B1ms")
    if "tier" not in postgresql:
        postgresql["tier"] = (isinstance(sku, str) and naming.postgres_tier(sku)) or "Burstable"


def _service_defaults(key: str, service: dict[str, Any], dockerfiles: dict[str, Any]) -> None:
    image = "image" in service
    service.setdefault("name", key.replace("_", "-").lower())
    if not image and key in dockerfiles:
        service.setdefault("dockerfile", dockerfiles[key])
    service.setdefault("kind", "infrastructure" if image else "application")
    service.setdefault("ingress", "internal" if "port" in service else "none")
    external = service["ingress"] == "external"
    service.setdefault("transport", "tcp" if image and not external else "auto")
    tcp = service["transport"] == "tcp"
    if tcp and "port" in service:
        service.setdefault("exposed_port", service["port"])
    service.setdefault("allow_insecure", service["ingress"] == "internal" and not tcp)
    domains = service.get("custom_domains")
    for domain in domains if isinstance(domains, list) else ():
        if isinstance(domain, dict):
            domain.setdefault("validation", "HTTP" if str(domain.get("name", "")).count(".") == 1 else "CNAME")
    if "max_replicas" not in service:
        least = service.get("min_replicas", 1)
        usual = 1 if image else 3
        service["max_replicas"] = max(usual, least) if isinstance(least, int) and 0 <= least <= 1000 else usual
