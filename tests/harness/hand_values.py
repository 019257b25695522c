"""Values that a person could set by hand: for each writable leaf of the official types, several that may be valid.

Whether one is, Azure (the emulator) decides: a leaf counts only if it was taken and is shown afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from azure_types import types

Address = tuple[str | int, ...]
Grounds = tuple[tuple[Address, Any], ...]
Schema = dict[str, Any]
_MARK = "by-hand"
# Texts of many kinds; the first that is taken is used.
_TEXTS = (
    _MARK, "byhand", "198.51.100.7", "198.51.100.0/24", "https://by-hand.example.org", "by-hand.example.org", "PT2H",
    "/by-hand", "3", "1.0Gi", "*/5 * * * *", "00:30", "2035-01-01T00:00:00Z", "11111111-2222-3333-4444-555555555555",
    "Enabled", "Disabled", "enabled", "disabled", "All", "None", "notify-keyspace-events", "allkeys-lru",
)
# Where only some texts make sense, by the property's name.
_BY_NAME: dict[str, tuple[Any, ...]] = {
    "image": ("nginx:1.27", "busybox:1.36"),
    "secretRef": ("token",),
    "resources.memory": ("2Gi", "1Gi"),
    "identity.type": ("SystemAssigned,UserAssigned", "SystemAssigned"),
}
# What an item of a list has to have, by the list's name; what else is required is made up.
_ITEMS: dict[str, dict[str, Any]] = {
    "containers": {"name": _MARK, "image": "nginx", "resources": {"cpu": 0.5, "memory": "1Gi"}},
    "initContainers": {"name": _MARK, "image": "busybox"},
    "env": {"name": "BY_HAND", "value": "1"},
    "secrets": {"name": _MARK, "value": "1"},
    "volumes": {"name": _MARK, "storageType": "EmptyDir"},
    "volumeMounts": {"volumeName": _MARK, "mountPath": "/by-hand"},
    "rules": {"name": _MARK, "custom": {"type": "cpu", "metadata": {"type": "Utilization", "value": "50"}}},
    "ipSecurityRestrictions": {"name": _MARK, "ipAddressRange": "198.51.100.0/24", "action": "Allow"},
    "additionalPortMappings": {"external": False, "targetPort": 9090, "exposedPort": 9090},
    "workloadProfiles": {"name": _MARK, "workloadProfileType": "D4", "minimumCount": 0, "maximumCount": 1},
    "httpHeaders": {"name": "X-By-Hand", "value": "1"},
    "ipRules": {"value": "198.51.100.7"},
    "accessPolicies": {
        "tenantId": "11111111-2222-3333-4444-555555555555", "objectId": "11111111-2222-3333-4444-666666666666",
        "permissions": {"secrets": ["get"]},
    },
}
# Parts of an item's natural key: another one is another item.
KEYS = (
    "name", "category", "server", "volumeName", "type", "targetPort", "triggerParameter", "revisionName", "value",
    "mountPath", "tenantId", "objectId", "id",
)
_NUMBERS = (2, 3, 8, 15, 30, 45, 60, 90, 120, 150, 300, 600, 3000, 8080, 16, 64, 128, 1, 0)


@dataclass(frozen=True, eq=False)
class Leaf:
    """One leaf that may be set.

    Attributes:
        address: where it is in the live body: keys, and places in lists.
        values: what may be valid there, likeliest first.
        grounds: what is missing on the way, outermost first, and what each has to have at least.
    """

    address: Address
    values: tuple[Any, ...]
    grounds: tuple[tuple[Address, Any], ...] = ()

    def __str__(self) -> str:
        return ".".join(map(str, self.address))


def leaves(resource_type: str, live: dict[str, Any]) -> list[Leaf]:
    """Every writable leaf of a type, as it would be set in a live resource."""
    document = types()[resource_type]
    found = list(_Walk(document).object(document["body"], live, ()))
    return [leaf for leaf in found if leaf.address[0] not in ("location", "name", "kind", "id", "type")]


def with_value(live: dict[str, Any], leaf: Leaf, value: Any) -> dict[str, Any]:
    """The live body with the leaf set."""
    body = copy.deepcopy(live)
    for address, least in leaf.grounds:
        if get(body, address) is None:
            put(body, address, copy.deepcopy(least))
    put(body, leaf.address, value)
    return body


def get(body: Any, address: Address) -> Any:
    """Return the value at a path, or None."""
    for part in address:
        if isinstance(part, int):
            body = body[part] if isinstance(body, list) and part < len(body) else None
        else:
            body = body.get(part) if isinstance(body, dict) else None
    return body


def put(body: Any, address: Address, value: Any) -> None:
    """Set the value at an address; objects and lists on the way are made."""
    *above, last = address
    for part, after in zip(above, address[1:], strict=True):
        inner = body[part] if isinstance(part, int) and part < len(body) else None
        inner = body.get(part) if isinstance(body, dict) else inner
        if inner is None:
            inner = [] if isinstance(after, int) else {}
            _set(body, part, inner)
        body = inner
    _set(body, last, value)


def _set(body: Any, part: str | int, value: Any) -> None:
    if isinstance(part, int) and part == len(body):
        body.append(value)
    else:
        body[part] = value


class _Walk:
    def __init__(self, document: dict[str, Any]) -> None:
        self._named = document.get("$defs", {})

    def _resolved(self, schema: Schema) -> dict[str, Any]:
        while "$ref" in schema:
            flags = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**self._named[schema["$ref"].rsplit("/", 1)[-1]], **flags}
        return schema

    def object(
        self, schema: Schema, live: Any, address: Address, grounds: Grounds = ()
    ) -> Iterator[Leaf]:
        """The leaves below an object."""
        schema = self._resolved(schema)
        for name, inner in schema.get("properties", {}).items():
            if inner.get("readOnly") or inner.get("writeOnly") or inner.get("inUrl") or len(address) > 12:
                continue
            yield from self._any(inner, (live or {}).get(name), (*address, name), grounds)
        if "additionalProperties" in schema:
            values = self._values(self._resolved(schema["additionalProperties"]), None)
            yield from (Leaf((*address, key), values, grounds) for key in (live or {}) if isinstance(live[key], str))
            yield Leaf((*address, _MARK), values, grounds)

    def _any(
        self, schema: Schema, live: Any, address: Address, grounds: Grounds = ()
    ) -> Iterator[Leaf]:
        schema = self._resolved(schema)
        if schema.get("readOnly") or schema.get("writeOnly"):
            return
        if schema.get("type") == "array":
            yield from self._list(schema, live, address, grounds)
        elif schema.get("type") == "object" or "properties" in schema:
            if live is None:
                grounds = (*grounds, (address, self.least(schema)))
            yield from self.object(schema, live, address, grounds)
        else:
            yield Leaf(address, self._named_values(schema, live, address), grounds)

    def _list(
        self, schema: Schema, live: Any, address: Address, grounds: Grounds = ()
    ) -> Iterator[Leaf]:
        items = self._resolved(schema.get("items") or {})
        if items.get("type") != "object":
            one = self._values(items, None)
            more = tuple([*(live or []), value] for value in one if value not in (live or []))
            yield Leaf(address, more, grounds)
            return
        end = len(live or [])
        if live:
            for number in range(end):
                yield from self.object(items, live[number], (*address, number), grounds)
        below = (*address, end)
        if items.get("properties"):
            least = _ITEMS.get(str(address[-1])) or self.least(items)
            yield from self.object(items, least, below, (*grounds, (below, least)))

    def least(self, schema: Schema) -> Any:
        """An object with what is required, and with a name of its own."""
        schema = self._resolved(schema)
        if schema.get("type") != "object" and "properties" not in schema:
            return [] if schema.get("type") == "array" else self._values(schema, None)[0]
        needed = [*schema.get("required", ()), *(name for name in ("name",) if name in schema.get("properties", {}))]
        return {name: self.least(schema["properties"][name]) for name in needed}

    def _named_values(self, schema: Schema, live: Any, address: Address) -> tuple[Any, ...]:
        names = (str(address[-1]), ".".join(map(str, address[-2:])))
        known = next((_BY_NAME[name] for name in names if name in _BY_NAME), None)
        if known is None:
            return self._values(schema, live)
        return tuple(value for value in known if not _same(value, live))

    def _values(self, schema: Schema, live: Any) -> tuple[Any, ...]:
        words = schema.get("enum") or schema.get("knownValues") or ()
        found: tuple[Any, ...]
        if words:
            found = tuple(words)
        elif schema.get("type") == "boolean":
            found = (True, False)
        elif schema.get("type") in ("integer", "number"):
            bounds = [schema[key] for key in ("minimum", "maximum") if key in schema]
            near = [live + 1, live - 1, live * 2] if isinstance(live, int | float) else []
            found = (*near, *_NUMBERS, *bounds)
        elif schema.get("type") == "string":
            found = _TEXTS
        else:
            found = (_MARK, {_MARK: "1"})
        return tuple(value for value in found if not _same(value, live))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return type(one) is type(other) and bool(one == other)
