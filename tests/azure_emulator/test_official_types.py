"""The tables of what bodies hold, against Azure's official types where these lie beside the checkout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from answer_types import BESIDE, TYPES

from azure_emulator.core import rules
from azure_emulator.core.resource_types import REGISTRY
from azure_emulator.services import catalogue

FILES = sorted(TYPES.glob("*@*.json"))
pytestmark = pytest.mark.skipif(not FILES, reason="Azure's official types are not beside this checkout")

assert catalogue.MODULES

PARTLY = {
    "Microsoft.ContainerRegistry/registries",
    "Microsoft.ContainerRegistry/registries/tasks",
    "Microsoft.KeyVault/vaults",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Storage/storageAccounts/fileServices/shares",
}
"""Types of which a part is served; what their tables leave out is refused, and they know words of newer versions."""


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = {**defs[schema["$ref"].rsplit("/", 1)[1]], **{k: v for k, v in schema.items() if k == "readOnly"}}
    return schema


def _official(
    schema: Mapping[str, Any], defs: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each property's path and schema; what is below a read-only one is left out."""
    schema = _resolved(schema, defs)
    if "items" in schema and isinstance(schema["items"], dict):
        yield from _official(schema["items"], defs, f"{path}[]")
    for name, inner in schema.get("properties", {}).items():
        at = f"{path}.{name}" if path else name
        inner = _resolved(inner, defs)
        yield at, inner
        if not inner.get("readOnly"):
            yield from _official(inner, defs, at)


def _ours(rule: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(rule, list):
        yield from _ours(rule[0], f"{path}[]")
    if isinstance(rule, Mapping):
        for name, inner in rule.items():
            at = f"{path}.{name.rstrip('!')}" if path else name.rstrip("!")
            yield at, inner
            yield from _ours(inner, at)


def _pairs() -> list[Any]:
    found = []
    for file in FILES:
        kind = REGISTRY.get(json.loads(file.read_text())["resourceType"].lower())
        if kind is not None and kind.body_rule is not None and kind.type not in PARTLY:
            found.append(pytest.param(file, kind.type, kind.body_rule, id=file.stem))
    return found


def _is_open(path: str, table: Mapping[str, Any]) -> bool:
    """Below a place where anything is taken."""
    parts = path.split(".")
    return any(
        isinstance(table.get(".".join(parts[:count])), (rules.Anything, rules.Map, rules.ReadOnly))
        for count in range(1, len(parts))
    )


@pytest.mark.parametrize(("file", "kind", "rule"), _pairs())
def test_a_table_has_every_property_of_the_official_type_and_no_other(file: Path, kind: str, rule: Any) -> None:
    document = json.loads(file.read_text())
    official, table = dict(_official(document["body"], document.get("$defs", {}))), dict(_ours(rule))

    missing = {path for path in official if path not in table and not _is_open(path, table)}
    beside = BESIDE.get(kind, frozenset())
    unknown = {path for path in table if path not in official} - beside - {"systemData"}
    unknown -= {path for path in unknown if any(path.startswith((f"{item}.", f"{item}[]")) for item in beside)}
    assert (missing, unknown) == (set(), set())


@pytest.mark.parametrize(("file", "kind", "rule"), _pairs())
def test_a_table_agrees_about_what_only_the_service_sets_and_about_words(file: Path, kind: str, rule: Any) -> None:
    document = json.loads(file.read_text())
    official, table = dict(_official(document["body"], document.get("$defs", {}))), dict(_ours(rule))

    for path, schema in official.items():
        own = table.get(path)
        if own is None:
            continue
        if schema.get("readOnly"):
            assert isinstance(own, rules.ReadOnly), path
        elif isinstance(own, rules.ReadOnly):
            assert path in ("name",) or path.rsplit(".", 1)[-1] in ("kedaConfiguration", "daprConfiguration"), path
        words = schema.get("knownValues") or schema.get("enum")
        if words and isinstance(own, rules.OneOf):
            assert {word.lower() for word in words} <= set(own.words), path
        expected = {"boolean": rules.Flag, "integer": rules.Whole, "number": rules.Number}.get(str(schema.get("type")))
        if expected is not None and not isinstance(own, (rules.Anything, rules.ReadOnly)):
            assert isinstance(own, expected), path
