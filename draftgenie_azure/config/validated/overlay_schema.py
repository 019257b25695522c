"""The JSON Schema of a later configuration file, such as `prod.yaml`: every key is optional, and null removes one.

It is in `docs/overlay.schema.json`, which is written together with the documents' tables.
"""

from __future__ import annotations

import json
from typing import Any

from draftgenie_azure.config.validated.json_schema import json_schema

OVERLAY_SCHEMA_FILE = "docs/overlay.schema.json"
_TEXT = ("title", "description", "deprecated")  # shown by an editor for a key


def overlay_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of a file that overrides an earlier one key by key.

    A list replaces the earlier one as a whole, so the required keys of its items stay required.
    """
    schema = json_schema()
    schema["title"] = "DraftGenie deployment, a file that overrides another"
    definitions = schema["$defs"]
    merged: set[str] = set()
    _relax(schema, definitions, merged)
    for name in sorted(merged & _in_lists(schema, definitions)):
        raise ValueError(f"{name} is used both as a section and as an item of a list")
    return schema


def _relax(node: dict[str, Any], definitions: dict[str, Any], merged: set[str]) -> None:
    """Make every key of a mapping and of nested mappings optional; lists are unchanged."""
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[1]
        if name not in merged:
            merged.add(name)
            _relax(definitions[name], definitions, merged)
        return
    for option in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        _relax(option, definitions, merged)
    node.pop("required", None)
    for values in (node.get("properties", {}), node.get("patternProperties", {})):
        for key, value in values.items():
            _relax(value, definitions, merged)
            values[key] = _or_null(value)
    if isinstance(values := node.get("additionalProperties"), dict):
        _relax(values, definitions, merged)
        node["additionalProperties"] = _or_null(values)


def _or_null(node: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that also allows null; title and description stay at the key."""
    options = node.get("anyOf", ())
    if any(option.get("type") == "null" for option in options):
        return node
    shown = {name: node.pop(name) for name in _TEXT if name in node}
    return {**shown, "anyOf": [node, {"type": "null"}]}


def _in_lists(node: Any, definitions: dict[str, Any]) -> set[str]:
    """Return the names of the definitions used for list items, directly or nested."""
    if isinstance(node, list):
        return {name for item in node for name in _in_lists(item, definitions)}
    if not isinstance(node, dict):
        return set()
    found = {name for value in node.values() for name in _in_lists(value, definitions)}
    items = node.get("items")
    return found | (_referenced(items, definitions) if isinstance(items, dict) else set())


def _referenced(node: Any, definitions: dict[str, Any]) -> set[str]:
    if isinstance(node, list):
        return {name for item in node for name in _referenced(item, definitions)}
    if not isinstance(node, dict):
        return set()
    found = {name for value in node.values() for name in _referenced(value, definitions)}
    if "$ref" in node:
        name = str(node["$ref"]).rsplit("/", 1)[1]
        found |= {name} | _referenced(definitions[name], definitions)
    return found


def overlay_schema_text() -> str:
    """Return the schema as the text of the file."""
    return json.dumps(overlay_schema(), indent=2, ensure_ascii=False) + "\n"
