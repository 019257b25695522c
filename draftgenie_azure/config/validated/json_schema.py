"""The JSON Schema of a configuration file, for editors.

`python -m draftgenie_azure.config.validated.json_schema` writes it beside the command.
"""

from __future__ import annotations

import json
import os
from typing import Any

from draftgenie_azure.config.validated.descriptions import describe
from draftgenie_azure.config.validated.schema import Config

SCHEMA_FILE = "config.schema.json"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a configuration file."""
    schema = Config.model_json_schema(mode="validation")
    for section, node in (("Config", schema), *schema["$defs"].items()):
        describe(section, node.get("properties", {}))
    _allow_variables(schema)
    schema["title"] = "DraftGenie deployment"
    schema["patternProperties"] = {"^x-": {}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _allow_variables(node: Any, *, inside: str = "") -> None:
    """Allow `${NAME}` and null (absent) for every value. Names of variables are never checked."""
    if isinstance(node, list):
        for item in node:
            _allow_variables(item)
        return
    if not isinstance(node, dict):
        return
    for name, item in list(node.items()):
        if name in ("properties", "$defs"):
            for value in item.values():
                _allow_variables(value)
        elif name not in ("propertyNames", "default", "enum", "const", "required"):
            _allow_variables(item)
    if node.get("default", "") is None:
        del node["default"]
    for ours, theirs in (("ge", "minimum"), ("le", "maximum"), ("gt", "exclusiveMinimum")):
        if ours in node:  # pydantic keeps a bound under its own name if a validator precedes it
            node[theirs] = node.pop(ours)
    node.pop("allow_inf_nan", None)
    if node.get("type") in ("integer", "number", "boolean") or (
        node.get("type") == "string" and node.keys() & {"enum", "const", "pattern"}
    ):
        rule = {
            name: node.pop(name) for name in list(node) if name not in ("default", "title", "description", "deprecated")
        }
        node["anyOf"] = [rule, {"type": "string", "pattern": r"\$\{"}]
    elif node.get("type") == "string":
        node["type"] = ["string", "number"]


def main() -> None:
    """Write the schema next to the command."""
    path = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..", SCHEMA_FILE))
    with open(path, "w", encoding="utf-8") as file:
        file.write(schema_text())


def schema_text() -> str:
    """Return the schema as the text of the file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
