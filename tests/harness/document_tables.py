"""The tables of the documents, made from the code: `python tests/harness/document_tables.py` writes them.

It writes `docs/overlay.schema.json` as well.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import emulator_tables  # noqa: E402 - the repository's folder first
from emulator_tables import EMULATOR  # noqa: E402

COMMAND = ROOT / "docs/command.md"
CONFIGURATION = ROOT / "docs/configuration.md"


def steps() -> str:
    """Return the table of steps and their needs."""
    from draftgenie_azure.steps import STEP_NAMES, STEPS

    rows = ["| # | step | what it does | needs |", "|---|---|---|---|"]
    for number, step in enumerate(STEPS, 1):
        needs = ", ".join(str(STEP_NAMES.index(need) + 1) for need in step.needs) or "–"
        rows.append(f"| {number} | `{step.name}` | {step.title} | {needs} |")
    return "\n".join(rows)


def flags() -> str:
    """Return the table of flags."""
    command = importlib.import_module("deploy-azure_v1")
    rows = ["| flag | effect |", "|---|---|"]
    for action in command.build_parser(command.__doc__)._actions:
        name = action.option_strings[-1]
        if action.choices:
            name += " " + "\\|".join(action.choices)
        elif action.metavar:
            name += f" {action.metavar}"
        rows.append(f"| `{name}` | {action.help} |")
    return "\n".join(rows)


class Reference:
    """The reference of all keys, from the JSON Schema of the configuration."""

    def __init__(self) -> None:
        from draftgenie_azure.config.validated.json_schema import schema_text

        self._schema = json.loads(schema_text())

    def text(self) -> str:
        """One table for each section, then one for each kind of entry."""
        parts = []
        for name, node in self._schema["properties"].items():
            target = self._section(node)
            parts.append(f"## `{name}`\n\n{self._described(target, node)}".rstrip())
            rows = list(self._rows(target)) if "properties" in target else [self._names(name, target)]
            parts.append("| key | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows))
        return "\n\n".join(parts)

    def _names(self, section: str, target: dict[str, Any]) -> str:
        """The row of a section whose keys are names."""
        names = target.get("propertyNames", {}).get("enum")
        text = ", ".join(f"`{name}`" for name in names) if names else "any name"
        value = target.get("additionalProperties", {})
        return self._row(text if names else section + ".<name>", value if isinstance(value, dict) else {})

    def _described(self, target: dict[str, Any], node: dict[str, Any]) -> str:
        return str(node.get("description") or target.get("description") or "")

    def _section(self, node: dict[str, Any]) -> dict[str, Any]:
        """The section behind references, unions with null, and mappings or lists of sections."""
        if "$ref" in node:
            return self._section(self._schema["$defs"][node["$ref"].rsplit("/", 1)[1]])
        for option in node.get("anyOf", ()):
            if option.get("type") != "null":
                return self._section(option)
        for inner in (node.get("additionalProperties"), *node.get("patternProperties", {}).values(), node.get("items")):
            if isinstance(inner, dict) and (found := self._section(inner)).get("properties"):
                return found
        return node

    def _rows(self, target: dict[str, Any], prefix: str = "") -> Iterator[str]:
        required = target.get("required", [])
        for key, node in target["properties"].items():
            inner = self._section(node)
            if inner.get("properties") and not prefix.count("."):
                yield self._row(prefix + key, node, "section", description=self._described(inner, node))
                yield from self._rows(inner, f"{prefix}{key}.")
            else:
                yield self._row(prefix + key, node, required=key in required)

    def _row(
        self, key: str, node: dict[str, Any], kind: str = "", *, required: bool = False, description: str | None = None
    ) -> str:
        default = json.dumps(node["default"], ensure_ascii=False) if "default" in node else ""
        default = "required" if required else default
        default = f"`{default}`" if default not in ("", "required", "null", '""', "{}", "[]") else default
        text = description if description is not None else node.get("description", "")
        text = text.replace("<", "&lt;")  # no tag of HTML
        cells = (f"`{key}`", kind or self._kind(node), "" if default == "null" else default, text)
        return "| " + " | ".join(_cell(cell) for cell in cells) + " |"

    def _kind(self, node: dict[str, Any]) -> str:
        """The type in words, with its limits."""
        if "$ref" in node:
            return self._kind(self._schema["$defs"][node["$ref"].rsplit("/", 1)[1]])
        options = [option for option in node.get("anyOf", ()) if not _is_variable(option)]
        if options:
            return " or ".join(dict.fromkeys(self._kind(option) for option in options if option.get("type") != "null"))
        if "enum" in node or "const" in node:
            values = node.get("enum", [node.get("const")])
            return ", ".join(f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in values)
        kinds = node.get("type", "string or mapping")
        words = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
        if words == "array":
            return f"list of {self._kind(node.get('items', {}))}"
        return words + _limits(node)


def _is_variable(option: dict[str, Any]) -> bool:
    """Return whether this is the alternative that allows `${NAME}` for a value of any type."""
    return option.get("type") == "string" and option.get("pattern") == "\\$\\{"


def _limits(node: dict[str, Any]) -> str:
    low = node.get("minimum", node.get("exclusiveMinimum"))
    high = node.get("maximum", node.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f", at least {low}"
    return f", at most {high}" if high is not None else ""


def _cell(text: str) -> str:
    return " ".join(str(text).replace("|", "\\|").split())


TABLES = {"steps": steps, "flags": flags, "configuration": lambda: Reference().text(), **emulator_tables.TABLES}


def filled(text: str) -> str:
    """A document with its tables made again."""
    for name, make in TABLES.items():
        begin, end = f"<!-- table: {name} -->", f"<!-- end: {name} -->"
        if begin in text:
            pattern = re.escape(begin) + ".*?" + re.escape(end)
            table = f"{begin}\n{make()}\n{end}"
            text = re.sub(pattern, lambda _, table=table: table, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    for document in (COMMAND, CONFIGURATION, EMULATOR):
        document.write_text(filled(document.read_text(encoding="utf-8")), encoding="utf-8")
    from draftgenie_azure.config.validated import overlay_schema

    (ROOT / overlay_schema.OVERLAY_SCHEMA_FILE).write_text(overlay_schema.overlay_schema_text(), encoding="utf-8")
