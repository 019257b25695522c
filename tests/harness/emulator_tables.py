"""The tables of docs/emulator.md, read out of the emulator: what it serves, in which versions, how long it takes."""

from __future__ import annotations

from pathlib import Path

from azure_emulator.core.durations import SECONDS
from azure_emulator.core.left_out import FREE, TO_REGISTER
from azure_emulator.core.locating import REGISTRY
from azure_emulator.core.resource_types import ResourceType
from azure_emulator.core.versions import ACTION_VERSIONS, VERSIONS
from azure_emulator.front.routes import FIXED_PATHS
from azure_emulator.services.app.unserved import UNSERVED

EMULATOR = Path(__file__).resolve().parents[2] / "docs/emulator.md"


def _spelt(kind: ResourceType) -> str:
    return {name.lower(): name for name in VERSIONS}[kind.type.lower()]


def _actions(kind: ResourceType) -> str:
    return ", ".join(f"{'/'.join(kind.methods(name))} `{name}`" for name in sorted(kind.actions()))


def operations() -> str:
    """One row for each type: its methods, and what hangs below it."""
    rows = ["| type | methods | actions and lists |", "|---|---|---|"]
    for kind in sorted(REGISTRY.values(), key=_spelt):
        lists = "" if kind.methods("") == ("GET",) and not kind.stored else ", list"
        rows.append(f"| `{_spelt(kind)}` | {', '.join(kind.methods(''))}{lists} | {_actions(kind)} |")
    return "\n".join(rows)


def paths() -> str:
    """Requests other than to single resources."""
    rows = ["| method | path |", "|---|---|"]
    for fixed in sorted(FIXED_PATHS, key=lambda item: (item.pattern, item.method)):
        rows.append(f"| {fixed.method} | `/{'/'.join(fixed.pattern)}` |")
    return "\n".join(rows)


def versions() -> str:
    """The API versions that a type, or one of its actions, is asked in."""
    rows = ["| type or action | API versions |", "|---|---|"]
    entries = dict(VERSIONS)
    spelt = {name.lower(): name for name in VERSIONS}
    entries |= {f"{spelt[kind]} · {action}": found for (kind, action), found in ACTION_VERSIONS.items()}
    for name, found in sorted(entries.items()):
        rows.append(f"| `{name}` | {', '.join(sorted(set(found), reverse=True))} |")
    return "\n".join(rows)


def durations() -> str:
    """Seconds that work takes at scale 1."""
    rows = ["| work | seconds at scale 1 |", "|---|---|"]
    for (what, kind), seconds in sorted(SECONDS.items()):
        rows.append(f"| {what}: {kind} | {seconds:g} |")
    return "\n".join(rows)


def left_out() -> str:
    """Providers, and parts of Microsoft.App, that are not served."""
    rows = ["| what | what it is for, or why it is left out |", "|---|---|"]
    rows += [f"| `{name}` | {why} |" for name, why in sorted({**FREE, **TO_REGISTER}.items())]
    rows += [f"| `Microsoft.App/{name}` | {why} |" for name, why in sorted(UNSERVED.items())]
    return "\n".join(rows)


TABLES = {
    "operations": operations,
    "paths": paths,
    "versions": versions,
    "durations": durations,
    "left out": left_out,
}
