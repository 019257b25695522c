"""Fields of a resource as Azure Policy names them: `location`, `tags['env']`, `tags.env`, `identity.type`, and aliases
such as `Microsoft.App/containerApps/configuration.ingress.external` or `…/networkRules[*].value`."""

from __future__ import annotations

import copy
import re
from typing import Any

Json = dict[str, Any]
MISSING = object()
"""The value of a missing field."""

_TOP = ("name", "type", "kind", "location", "id", "tags", "sku", "identity", "zones", "plan", "managedBy", "properties")


def field_value(resource: Json, name: str) -> list[Any]:
    """Yield the values of a field: one, or with `[*]` one per item."""
    values: list[Any] = [resource]
    for part in _path(name):
        values = [inner for value in values for inner in _step(value, part)]
    return values


def _step(value: Any, part: str) -> list[Any]:
    if part == "[*]":
        return list(value) if isinstance(value, list) else []
    if not isinstance(value, dict):
        return [MISSING]
    found = next((key for key in value if key.lower() == part.lower()), None)
    return [MISSING if found is None else value[found]]


def _path(name: str) -> list[str]:
    """Return the path into the body."""
    tag = re.fullmatch(r"(?i)tags(?:\['([^']+)'\]|\[([^\]']+)\]|\.(.+))", name)
    if tag is not None:
        return ["tags", tag[1] or tag[2] or tag[3]]
    if name.lower() == "fullname":
        return ["name"]
    alias = re.fullmatch(r"[\w.]+\.[\w.]+/(?:[\w]+/)*(.+)", name)
    parts = [piece for piece in re.split(r"\.|(\[\*\])", alias[1] if alias else name) if piece]
    if parts[0].lower() not in {item.lower() for item in _TOP}:
        parts.insert(0, "properties")
    return parts


def change(body: Json, resource: Json, operation: Json) -> None:
    """Apply an operation of a modify effect to the body sent, and to the resulting resource."""
    word, path = str(operation["operation"]).lower(), _path(operation["field"])
    there = any(value is not MISSING for value in field_value(resource, operation["field"]))
    if word == "add" and there:
        return
    for target in (body, resource):
        if word == "remove":
            _remove(target, path)
        else:
            _set(target, path, operation["value"], resource)


def _key(value: Json, part: str) -> str:
    return next((key for key in value if key.lower() == part.lower()), part)


def _set(target: Json, path: list[str], value: Any, resource: Json) -> None:
    """Return the tags, which are replaced as a whole; a body without tags keeps the resource's."""
    for part in path[:-1]:
        key = _key(target, part)
        if not isinstance(target.get(key), dict):
            found = field_value(resource, part)[0] if part.lower() == "tags" else {}
            target[key] = copy.deepcopy(found) if isinstance(found, dict) else {}
        target = target[key]
    target[_key(target, path[-1])] = value


def _remove(target: Json, path: list[str]) -> None:
    for part in path[:-1]:
        inner = target.get(_key(target, part))
        if not isinstance(inner, dict):
            return
        target = inner
    target.pop(_key(target, path[-1]), None)
