"""Properties that only some API versions show."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

PREVIEW = "preview"
"""Only in preview versions."""

Table = Mapping[str, str]
"""By the property's path: the first version that shows it, or PREVIEW."""


def at_version(body: Any, table: Table, version: str) -> Any:
    """Return a resource, or a list of them, as shown by a version; the stored one is unchanged."""
    hidden = [path.split(".") for path, since in table.items() if not _shows(since, version)]
    if not hidden or not isinstance(body, dict):
        return body
    shown = copy.deepcopy(body)
    for row in shown["value"] if isinstance(shown.get("value"), list) else [shown]:
        for path in hidden:
            _take_out(row, path)
    return shown


def _shows(since: str, version: str) -> bool:
    return version.endswith("-preview") if since == PREVIEW else version >= since


def _take_out(row: Any, path: list[str]) -> None:
    for name in path[:-1]:
        row = row.get(name) if isinstance(row, dict) else None
    if isinstance(row, dict):
        row.pop(path[-1], None)
