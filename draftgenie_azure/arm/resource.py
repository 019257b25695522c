"""The desired state of a resource."""

from __future__ import annotations

from dataclasses import dataclass

from draftgenie_azure.arm import ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.arm.diff import Change

    Body = dict[str, Any]

CREATION_ID_TAG = "incarnation"
_SERVICE_IDS = {  # type -> property
    "Microsoft.ManagedIdentity/userAssignedIdentities": "principalId",
    "Microsoft.OperationalInsights/workspaces": "customerId",  # kept by a workspace that comes back
    "Microsoft.Insights/components": "AppId",
}


@dataclass(frozen=True)
class Beside:
    """Additions of a write to its changes.

    Attributes:
        body: part of a body.
        stays: True if it is permanent; otherwise a later step sets it, and a plan shows that step.
    """

    body: Body
    stays: bool = False


@dataclass(frozen=True)
class Resource:
    """The desired state of a resource.

    Attributes:
        key: its key in the state, e.g. `container_app/api_gateway`.
        id: its resource id.
        body: the full desired body.
        at_creation: returns additions to `body` for the creating PUT, which may need a request.
        beside: returns additions that a write of given changes needs, from the live resource.
        has_creation_id: True if it has the tag that distinguishes a resource from a later one of the same name.
        create_only: True if its existence suffices (role assignments).
        roles: role assignments that the body requires; waited for while they are new.
        tolerate_expiry: True if an expired operation is judged by a later step.
        ready_property: name of a second state that must be `Running`, besides provisioningState.
        replace_on_change: name of a property that cannot change: with another value the resource is deleted and
            recreated.
        recreate_if_failed: a property and its value that mark a failed creation which accepts no change: if started by
            this lineage, the resource is deleted and recreated; it never contained data.
        secret_digest: digest of write-only values in `body`, kept in the state; a change of it is a difference
        bulk: True if there are many of its type, so that they are read by one listing.
    """

    key: str
    id: str
    body: Body
    at_creation: Callable[[], Body] | None = None
    beside: Callable[[Body, Sequence[Change]], Beside] | None = None
    has_creation_id: bool = False
    create_only: bool = False
    roles: tuple[str, ...] = ()
    tolerate_expiry: bool = False
    ready_property: str | None = None
    replace_on_change: str | None = None
    recreate_if_failed: tuple[str, str] | None = None
    secret_digest: str | None = None
    bulk: bool = False

    @property
    def api_version(self) -> str:
        """The pinned API version of its type."""
        return ids.api_version(self.id)

    @property
    def type(self) -> str:
        """Its type, such as `Microsoft.App/containerApps`."""
        return ids.resource_type(self.id)


def created_at(live: Mapping[str, Any] | None) -> str | None:
    """Return the creation time to the second, if known; Azure writes it with and without a zone."""
    moment = str(((live or {}).get("systemData") or {}).get("createdAt") or "")
    return moment[:19] or None


def service_id(resource_type: str, live: Mapping[str, Any] | None) -> str | None:
    """Return the id that Azure gave a resource at its creation, if its type has one."""
    name = _SERVICE_IDS.get(resource_type)
    value = ((live or {}).get("properties") or {}).get(name) if name else None
    return None if value is None else str(value)


def creation_id(live: Mapping[str, Any] | None) -> str | None:
    """Return the random id of the write that created the resource; None without the tag."""
    value = ((live or {}).get("tags") or {}).get(CREATION_ID_TAG)
    return None if value is None else str(value)
