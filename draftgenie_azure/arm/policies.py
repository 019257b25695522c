"""Describe the policies that refuse a request, which Azure sends as JSON, inside the message or beside it."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_IDENTIFIERS = re.compile(r"\s*Policy identifiers: '?\[.*$", re.DOTALL)
_ASSIGNMENT = re.compile(r'"policyAssignment":\s*\{[^{}]*?"name":\s*"([^"]+)"')


def named(message: str, body: Any) -> str:
    """Return the message of a refusal with the names of the policies instead of their JSON."""
    found = list(dict.fromkeys(_policies(body))) or list(dict.fromkeys(_ASSIGNMENT.findall(message)))
    return f"{_IDENTIFIERS.sub('', message)} (policy {', '.join(found)})" if found else message


def _policies(error: Any) -> Iterator[str]:
    """Return the names of the refusing policies that an error contains."""
    if isinstance(error, dict):
        info = error.get("info")
        if isinstance(info, dict):
            shown = info.get("policyAssignmentDisplayName") or info.get("policyDefinitionDisplayName")
            name = info.get("policyAssignmentName") or info.get("policyDefinitionName")
            if shown or name:
                yield " ".join(str(part) for part in (shown, f"({name})" if name and shown else name) if part)
        for item in error.values():
            yield from _policies(item)
    elif isinstance(error, list):
        for item in error:
            yield from _policies(item)
