"""References between parts of one resource: an item that others' parts refer to is kept, or Azure rejects the body."""

from __future__ import annotations

from draftgenie_azure.arm.diff import ADD, REMOVE, Change
from draftgenie_azure.arm.merge import merged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.arm.diff import Path

    Body = Mapping[str, Any]

# Lists whose items are referred to elsewhere in the body, and the properties that refer to them (Microsoft.App).
_NAMED: dict[Path, frozenset[str]] = {
    ("properties", "configuration", "secrets"): frozenset({"secretRef", "passwordSecretRef"}),
    ("properties", "template", "volumes"): frozenset({"volumeName"}),
}
_NOTE = "no longer stated, and kept: what others set uses it"


def kept(type_: str, wanted: Body, live: Body, changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Return the changes to write, and what to report instead of removals that are left out.

    An item that is no longer configured is kept while something that others set refers to it.
    """
    gone = [change for change in changes if change.kind == REMOVE and _item(change.path)]
    if not gone:
        return list(changes), []
    after = merged(type_, wanted, live, changes)
    used = {(top, str(value)) for top, names in _NAMED.items() for value in _values(after, names)}
    stay = {item for change in gone if (item := _item(change.path)) in used}
    reported = [Change((*top, f"[{name}]"), ADD, new=name, note=_NOTE) for top, name in sorted(stay)]
    return [change for change in changes if change.kind != REMOVE or _item(change.path) not in stay], reported


def _item(path: Path) -> tuple[Path, str] | None:
    """Return the list and the name of the item that a change belongs to."""
    top = next((top for top in _NAMED if path[: len(top)] == top and len(path) > len(top)), None)
    return (top, path[len(top)][1:-1]) if top is not None else None


def _values(body: Any, names: frozenset[str]) -> Iterator[Any]:
    if isinstance(body, dict):
        for key, value in body.items():
            if key in names:
                yield value
            yield from _values(value, names)
    elif isinstance(body, list):
        for item in body:
            yield from _values(item, names)
