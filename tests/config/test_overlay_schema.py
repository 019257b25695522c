"""The JSON Schema for later configuration files: what the command takes as an overlay, an editor takes as well."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from project import ROOT

from draftgenie_azure.config.validated.overlay_schema import OVERLAY_SCHEMA_FILE, overlay_schema_text

SCHEMA = json.loads((ROOT / OVERLAY_SCHEMA_FILE).read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def test_schema_in_the_documents_is_current() -> None:
    text = (ROOT / OVERLAY_SCHEMA_FILE).read_text(encoding="utf-8")

    assert text == overlay_schema_text(), "run: python tests/harness/document_tables.py"


def test_schema_is_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "overlay",
    [
        {},
        {"azure": {"resource_group": "prod-rg"}},
        {"services": {"api_gateway": {"min_replicas": 2}, "qdrant": None}},
        {"services": {"api_gateway": {"volume": {"share_name": "data"}, "cors": {"max_age": 5}}}},
        {"services": {"api_gateway": {"build_args": {"FLAVOUR": {"secret": True}, "OLD": None}, "environment": None}}},
        {"postgresql": {"sku": None, "storage_size": "${SIZE}"}, "redis": None},
        {"migrations": [{"service": "api_gateway", "command": "migrate"}]},
        {"secrets": {"jwt_secret": {"existing": True}, "old": None}, "tags": {"team": "a"}, "x-anchors": {"a": 1}},
        {"azure": {"cloud": {"resource_manager": "https://arm.example"}}},
    ],
    ids=str,
)
def test_overlay_needs_only_the_keys_that_it_changes(overlay: dict[str, Any]) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(overlay)] == []


@pytest.mark.parametrize(
    "overlay",
    [
        {"azure": {"resource_grup": "prod-rg"}},
        {"servces": {}},
        {"services": {"api_gateway": {"min_replicas": -1}}},
        {"services": {"api_gateway": {"scale": {"rules": [{"type": "cpu"}]}}}},
        {"migrations": [{"service": "api_gateway"}]},
        {"redis": {"sku": "Tiny"}},
    ],
    ids=str,
)
def test_fault_of_an_overlay_is_found_by_the_schema(overlay: dict[str, Any]) -> None:
    """Unknown keys, values out of bounds, and items of a list, which replaces the earlier one as a whole."""
    assert not VALIDATOR.is_valid(overlay)


def test_keys_and_their_descriptions_are_those_of_the_configuration() -> None:
    base = json.loads((ROOT / "config.schema.json").read_text(encoding="utf-8"))
    service, of_overlay = (schema["$defs"]["Service"]["properties"] for schema in (base, SCHEMA))

    assert set(SCHEMA["properties"]) == set(base["properties"])
    assert {key: node.get("description") for key, node in of_overlay.items()} == {
        key: node.get("description") for key, node in service.items()
    }


def test_every_key_is_described() -> None:
    """By its own words, or by those of the section that it holds."""
    base = json.loads((ROOT / "config.schema.json").read_text(encoding="utf-8"))
    keys = {(name, key): node for name, one in base["$defs"].items() for key, node in one.get("properties", {}).items()}

    assert [place for place, node in keys.items() if not node.get("description")] == []
