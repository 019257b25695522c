"""What one part of a resource names in another part: what others' parts name stays, or Azure refuses the whole."""

from __future__ import annotations

from draftgenie_azure.arm.diff import ADD, REMOVE, Change
from draftgenie_azure.arm.merge import merged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.arm.diff import Path

    Body = Mapping[str, Any]

# Lists whose items are named elsewhere in the body, and the properties that name them (Microsoft.App).
_NAMED: dict[Path, frozenset[str]] = {
    ("properties", "configuration", "secrets"): frozenset({"secretRef", "passwordSecretRef"}),
    ("properties", "template", "volumes"): frozenset({"volumeName"}),
}
_NOTE = "no longer stated, and kept: what others set uses it"


def kept(type_: str, wanted: Body, live: Body, changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Part the changes of a write: those that go on, and what is told instead of items that are taken out.

    An item that is no longer wanted stays as long as something that others set uses it.
    """
    gone = [change for change in changes if change.kind == REMOVE and _item(change.path)]
    if not gone:
        return list(changes), []
    after = merged(type_, wanted, live, changes)
    used = {(top, str(value)) for top, names in _NAMED.items() for value in _values(after, names)}
    stay = {item for change in gone if (item := _item(change.path)) in used}
    told = [Change((*top, f"[{name}]"), ADD, new=name, note=_NOTE) for top, name in sorted(stay)]
    return [change for change in changes if change.kind != REMOVE or _item(change.path) not in stay], told


def _item(path: Path) -> tuple[Path, str] | None:
    """The list and the name of the item that a change is of or in."""
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
