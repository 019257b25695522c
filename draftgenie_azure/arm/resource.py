"""A resource as it is wanted."""

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


@dataclass(frozen=True)
class Beside:
    """What a write carries besides its changes.

    Attributes:
        body: part of a body.
        stays: whether that is how the run leaves it; else a later step sets it, and a plan tells of that step.
    """

    body: Body
    stays: bool = False


@dataclass(frozen=True)
class Resource:
    """A resource as it is wanted.

    Attributes:
        key: the state's name for it, e.g. `container_app/api_gateway`.
        id: its resource id.
        body: the whole desired body.
        at_creation: makes what only the PUT that creates it has, besides `body`: what may have to be read first.
        beside: makes what a write of these changes must carry besides them, from the live resource.
        has_creation_id: whether it carries the tag that tells a resource from a later one of the same name.
        create_only: True for what is right if it exists (role assignments).
        roles: role assignments without which the body is refused; waited for while they are young.
        tolerate_expiry: True where an operation that ends as expired is somebody else's to judge.
        ready_property: name of a second state that must be `Running`, besides provisioningState.
        replace_on_change: name of a property that cannot change: with another value the resource is deleted and made
            again.
        recreate_if_failed: a property and its value where Azure failed to make the resource and takes no change of
            it: what this lineage began so is deleted and made again; nothing was ever in it.
        secret_digest: of what is write-only in `body`; a change of it is a difference. Kept in the state.
        bulk: whether many of its type are wanted, so that one listing tells of all.
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
    """When the resource was created, to the second, as far as it says so; Azure writes it with and without a zone."""
    moment = str(((live or {}).get("systemData") or {}).get("createdAt") or "")
    return moment[:19] or None


def creation_id(live: Mapping[str, Any] | None) -> str | None:
    """The random id of the write that created the resource; None where there is no tag."""
    value = ((live or {}).get("tags") or {}).get(CREATION_ID_TAG)
    return None if value is None else str(value)
