"""Names the properties of others that a rejected write kept: Azure may reject their combination with ours."""

from __future__ import annotations

from draftgenie_azure.arm import diff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.arm.diff import Comparison, Path
    from draftgenie_azure.arm.resource import Resource
    from draftgenie_azure.errors import AzureError

    Body = Mapping[str, Any]

_MOST = 5  # properties that a message names
_SHORTEST = 5  # minimum length of a property's name searched for in Azure's message


def explain(error: AzureError, resource: Resource, wanted: Body, live: Body | None, found: Comparison) -> None:
    """Add to an error which properties of others the write kept.

    Args:
        wanted: the desired body.
        live: the live resource, or None.
        found: the comparison, with changes by others.
    """
    names = [] if live is None or error.transient else _names(error, resource.type, wanted, live, found)
    if not names:
        return
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    words = (
        f"Not in the configuration, and kept by the write: {', '.join(names[:_MOST])}{more}. If Azure rejects it "
        f"together with the configuration, set it back or state it there (az resource show --ids {resource.id})."
    )
    error.hint = f"{error.hint} {words}" if error.hint else words


def _names(error: AzureError, type_: str, wanted: Body, live: Body, found: Comparison) -> list[str]:
    """Return what others changed, list items they added, and other properties of theirs that the message mentions."""
    ours = diff.leaves(type_, wanted)
    items = {path[:size] for path in ours for size in _item_sizes(path)}
    changed = [change.path for change in (*found.others, *found.unmanaged)]
    theirs = [path for path in diff.leaves(type_, live) if path not in ours]
    added = [path[:size] for path in theirs for size in _item_sizes(path) if path[:size] not in items]
    text = error.message.lower().replace(" ", "")
    said = [path for path in theirs if any(len(part) >= _SHORTEST and part.lower() in text for part in path[-2:])]
    return list(dict.fromkeys(map(diff.shown_path, (*changed, *added, *said))))


def _item_sizes(path: Path) -> list[int]:
    """Return the lengths of the paths of the list items that contain a leaf."""
    return [size for size, part in enumerate(path, 1) if part.startswith("[")]
