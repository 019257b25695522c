"""The README's tables, made from the code: `python tests/harness/readme.py` writes them, a test compares them."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def steps() -> str:
    """What each step does and needs."""
    from deployer import STEP_NAMES, STEPS

    rows = ["| # | step | what it does | needs |", "|---|---|---|---|"]
    for number, step in enumerate(STEPS, 1):
        needs = ", ".join(str(STEP_NAMES.index(need) + 1) for need in step.needs) or "–"
        rows.append(f"| {number} | `{step.name}` | {step.title} | {needs} |")
    return "\n".join(rows)


def flags() -> str:
    """What each flag does."""
    command = importlib.import_module("deploy-azure_v1")
    rows = ["| flag | effect |", "|---|---|"]
    for action in command.build_parser()._actions:
        name = action.option_strings[-1]
        if action.choices:
            name += " " + "\\|".join(action.choices)
        elif action.metavar:
            name += f" {action.metavar}"
        text = "print the version" if name == "--version" else action.help
        rows.append(f"| `{name}` | {text} |")
    return "\n".join(rows)


def config() -> str:
    """The keys of each section."""
    from draftgenie_azure.config.validated.schema import Config

    rows = ["| section | keys |", "|---|---|"]
    for name, field in Config.model_fields.items():
        rows.append(f"| `{name}` | {_keys(name, field)} |")
    return "\n".join(rows)


def _keys(name: str, field: object) -> str:
    from draftgenie_azure.config.validated import schema

    model = {
        "services": schema.Service,
        "migrations": schema.Migration,
        "locations": None,
        "secrets": None,
        "tags": None,
    }.get(name, getattr(schema, "".join(part.capitalize() for part in name.split("_")), None))
    if name == "locations":
        return "`default`, " + ", ".join(f"`{kind}`" for kind in schema.LOCATION_KINDS)
    if name == "secrets":
        return "any name: a value, or `{generate: true}`"
    if name == "tags":
        return "any name: a value; put on every resource"
    assert model is not None, name
    keys = ", ".join(f"`{key}`" for key in model.model_fields)
    return {"services": f"per service: {keys}", "migrations": f"a list, each: {keys}"}.get(name, keys)


def filled(text: str) -> str:
    """The README with its tables made anew."""
    for name, make in (("steps", steps), ("flags", flags), ("config", config)):
        begin, end = f"<!-- table: {name} -->", f"<!-- end: {name} -->"
        if end not in text:
            text = text.replace(begin, f"{begin}\n{end}")
        pattern = re.escape(begin) + ".*?" + re.escape(end)
        table = f"{begin}\n{make()}\n{end}"
        text = re.sub(pattern, lambda _, table=table: table, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(filled(readme.read_text(encoding="utf-8")), encoding="utf-8")
