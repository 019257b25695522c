"""The type of a rule's findings: the key and message of each fault."""

from __future__ import annotations

from collections.abc import Iterator

from draftgenie_azure.config.keys import Key
from draftgenie_azure.nearest import nearest

Found = Iterator[tuple[Key, str]]


def did_you_mean(name: str, known: list[str]) -> str:
    """Return a hint at the nearest known name, or an empty string."""
    near = nearest(name, known)
    return f"; did you mean `{near}`?" if near else ""
