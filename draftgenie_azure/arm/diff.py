"""Compares a desired body with a live resource, knowing what Azure spells differently without meaning it."""

from __future__ import annotations

import hashlib
import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

# Values that Azure gives back in another case ("auto" as "Auto", "eastus2" as "East US 2").
_CASELESS_VALUES = frozenset(
    {
        "activeRevisionsMode",
        "destination",
        "family",
        "id",
        "identity",
        "location",
        "mode",
        "principalType",
        "scheme",
        "server",
        "status",
        "tier",
        "transport",
        "triggerType",
        "type",
        "workloadProfileName",
    }
)
# Lists whose order means nothing: items are found by these properties.
_KEYED_LISTS = {"env": "name", "secrets": "name", "logs": "category", "registries": "server", "probes": "type"}


def differences(wanted: Any, live: Any, *, ignore: Collection[str] = (), path: str = "") -> list[str]:
    """Where `live` is not what is wanted: dotted paths. What is not mentioned in `wanted` is not compared.

    Args:
        ignore: dotted paths that Azure never gives back.
    """
    if path in ignore:
        return []
    if isinstance(wanted, dict):
        return _in_mapping(wanted, live, ignore, path)
    if isinstance(wanted, list):
        return _in_list(wanted, live, ignore, path)
    return [] if _same(wanted, live, path.rsplit(".", 1)[-1].split("[", 1)[0]) else [path or "value"]


def fingerprint(body: Any, *, ignore: Collection[str] = ()) -> str:
    """A SHA-256 over a body without what is write-only, so that no secret reaches the state."""
    return hashlib.sha256(json.dumps(_without(body, ignore, ""), sort_keys=True).encode()).hexdigest()


def _in_mapping(wanted: dict[str, Any], live: Any, ignore: Collection[str], path: str) -> list[str]:
    if not isinstance(live, dict):
        return [] if not wanted and live is None else [path]
    # Keys that are resource ids come back in another case.
    found = {key.lower(): value for key, value in live.items()}
    result = []
    for key, value in wanted.items():
        below = f"{path}.{key}" if path else key
        result += differences(value, found.get(key.lower()), ignore=ignore, path=below)
    return result


def _in_list(wanted: list[Any], live: Any, ignore: Collection[str], path: str) -> list[str]:
    there = live if isinstance(live, list) else []
    key = _KEYED_LISTS.get(path.rsplit(".", 1)[-1])
    if key is not None and all(isinstance(item, dict) and key in item for item in [*wanted, *there]):
        return _in_keyed_list(wanted, there, key, ignore, path)
    if len(wanted) != len(there):
        return [path]
    result = []
    for index, (one, other) in enumerate(zip(wanted, there, strict=True)):
        result += differences(one, other, ignore=ignore, path=f"{path}[{index}]")
    return result


def _in_keyed_list(
    wanted: list[Any], live: list[Any], key: str, ignore: Collection[str], path: str
) -> list[str]:
    ours = {str(item[key]).lower() if key != "name" else item[key]: item for item in wanted}
    theirs = {str(item[key]).lower() if key != "name" else item[key]: item for item in live}
    result = []
    for name, item in ours.items():
        below = f"{path}[{name}]"
        result += differences(item, theirs[name], ignore=ignore, path=below) if name in theirs else [below]
    if path.endswith(".logs"):  # a diagnostic setting lists every category, those not asked for as disabled
        return result
    return result + [f"{path}[{name}]" for name in theirs if name not in ours]


def _same(wanted: Any, live: Any, key: str) -> bool:
    if isinstance(wanted, bool) or isinstance(live, bool):
        return wanted is live
    if isinstance(wanted, int | float) and isinstance(live, int | float):
        return float(wanted) == float(live)
    if isinstance(wanted, str) and isinstance(live, str):
        if key == "location":
            return wanted.replace(" ", "").lower() == live.replace(" ", "").lower()
        if key in _CASELESS_VALUES or wanted.startswith("/subscriptions/"):
            return wanted.lower() == live.lower()
    return bool(wanted == live)


def _without(value: Any, ignore: Collection[str], path: str) -> Any:
    if isinstance(value, dict):
        kept = {}
        for key, item in value.items():
            below = f"{path}.{key}" if path else key
            if below not in ignore:
                kept[key] = _without(item, ignore, below)
        return kept
    if isinstance(value, list):
        return [_without(item, ignore, f"{path}[{index}]") for index, item in enumerate(value)]
    return value
