"""Identities that were deleted and created again: a resource keeps the ids of the earlier one until it is written.

The name of such an identity is the same, but its principal is another one, and what it is assigned to does not follow
by itself (github.com/Azure/aad-pod-identity issue 725).
"""

from __future__ import annotations

from draftgenie_azure.arm.diff import CHANGE, UNKNOWN, Change
from draftgenie_azure.arm.plan import is_pending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    Body = Mapping[str, Any]
    Seen = Callable[[str], Body | None]  # returns a resource that was read before, without a request

CREATED_AGAIN = "the identity was created again"


def outdated(wanted: Body, live: Body, seen: Seen) -> list[Change]:
    """Return a change for each desired identity of which a live resource has the ids of an earlier one.

    Args:
        seen: returns an identity as this run knows it.
    """
    ours = {name.lower() for name in _identities(wanted)}
    return [
        _change(name, str(facts["principalId"]), current)
        for name, facts, current in _known(live, seen)
        if name.lower() in ours and facts["principalId"] != current
    ]


def assigned_again(body: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Return a resource with the current ids of its identities, as Azure shows it after a write."""
    new = {name: {**facts, "principalId": current} for name, facts, current in _known(body, seen)}
    if not new:
        return body
    return {**body, "identity": {**body["identity"], "userAssignedIdentities": {**_identities(body), **new}}}


def _known(body: Body, seen: Seen) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield id and facts of each identity of a live resource, and the current principal."""
    for name, facts in _identities(body).items():
        current = ((seen(name) or {}).get("properties") or {}).get("principalId")
        if current and isinstance(facts, dict) and facts.get("principalId"):
            yield name, facts, str(current)


def _identities(body: Body) -> dict[str, Any]:
    return dict((body.get("identity") or {}).get("userAssignedIdentities") or {})


def _change(name: str, old: str, new: str) -> Change:
    kind = UNKNOWN if is_pending(new) else CHANGE
    return Change(("identity", "userAssignedIdentities", name.lower()), kind, old, new, CREATED_AGAIN)
