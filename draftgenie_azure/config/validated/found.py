"""What a rule yields: the key that is wrong, and the words for it."""

from __future__ import annotations

from collections.abc import Iterator

from draftgenie_azure.nearest import nearest

Key = tuple["str | int", ...]
Found = Iterator[tuple[Key, str]]


def did_you_mean(name: str, known: list[str]) -> str:
    """The hint at the known name that is nearest, or nothing."""
    near = nearest(name, known)
    return f"; did you mean `{near}`?" if near else ""
