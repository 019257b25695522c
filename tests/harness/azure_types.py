"""The official property types, where they lie beside the checkout: paths with their flags, by resource type."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from project import SHARED

TYPES = SHARED / "azure-types"
needs_types = pytest.mark.skipif(not TYPES.is_dir(), reason="the official types are not beside this checkout")


@dataclass(frozen=True)
class Property:
    """One property of a type.

    Attributes:
        path: dotted; `[]` for an item of a list, `*` for a key of a map.
        kind: its JSON type; None where anything goes.
        items: JSON type of a list's items.
        schema: what else is said of it.
    """

    path: str
    kind: str | None
    items: str | None
    read_only: bool
    write_only: bool
    schema: Any


@functools.cache
def types() -> dict[str, dict[str, Any]]:
    """The documents by resource type."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(TYPES.glob("*@*.json"))]
    return {document["resourceType"]: document for document in found}


@functools.cache
def properties(resource_type: str) -> tuple[Property, ...]:
    """Every property of a type; what is below a read-only one is not listed."""
    document = types()[resource_type]
    return tuple(_walk(document, document["body"], "", ()))


def _walk(document: dict[str, Any], schema: dict[str, Any], path: str, seen: tuple[str, ...]) -> Iterator[Property]:
    flags = schema
    while "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        if seen.count(name) > 1:
            return
        seen = (*seen, name)
        schema = document["$defs"][name]
    items = schema.get("items") or {}
    if path:
        read_only = bool(flags.get("readOnly"))
        kind = schema.get("type")
        yield Property(path, kind, _kind(document, items), read_only, bool(flags.get("writeOnly")), schema)
        if read_only:
            return
    for name, below in schema.get("properties", {}).items():
        yield from _walk(document, below, f"{path}.{name}" if path else name, seen)
    for variant in (schema.get("variants") or {}).values():
        yield from _walk(document, variant, path, seen)
    if "additionalProperties" in schema:
        yield from _walk(document, schema["additionalProperties"], f"{path}.*", seen)
    if items:
        yield from _walk(document, items, f"{path}[]", seen)


def _kind(document: dict[str, Any], schema: dict[str, Any]) -> str | None:
    while "$ref" in schema:
        schema = document["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    kind: str | None = schema.get("type") or ("object" if "properties" in schema else None)
    return kind
