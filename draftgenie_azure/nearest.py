"""The suggestion in "did you mean …?"."""

from __future__ import annotations

from difflib import get_close_matches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 200  # a longer name is not a typing error, and slow to compare


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name most similar to `name`, or None."""
    found = get_close_matches(name, list(known), 1, cutoff) if len(name) <= LONGEST else []
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return `; did you mean x?`, or an empty string."""
    found = nearest(name, known, cutoff=cutoff)
    return f"; did you mean {found}?" if found else ""
