"""Read live resources: many of a type by one listing, and none that are known not to exist."""

from __future__ import annotations

import threading
import time

from draftgenie_azure.arm import hosts, ids
from draftgenie_azure.errors import NOT_AZURE, AzureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from draftgenie_azure.arm.replies import Reply
    from draftgenie_azure.arm.transport import Transport

    Body = dict[str, Any]
    _Address = tuple[str, tuple[tuple[str, str], ...]]  # path and parameters
    _Asked = tuple[float, Reply | AzureError]  # time and result

# Types whose listing returns full bodies (recorded for most of them; typed as such in the management libraries).
_LISTED = frozenset(
    {
        "Microsoft.App/containerApps",
        "Microsoft.App/jobs",
        "Microsoft.App/managedEnvironments",
        "Microsoft.App/managedEnvironments/storages",
        "Microsoft.Cache/redis",
        "Microsoft.Cache/redisEnterprise",
        "Microsoft.ContainerRegistry/registries",
        "Microsoft.DBforPostgreSQL/flexibleServers",
        "Microsoft.DBforPostgreSQL/flexibleServers/databases",
        "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules",
        "Microsoft.Insights/components",
        "Microsoft.KeyVault/vaults",
        "Microsoft.KeyVault/vaults/secrets",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "Microsoft.OperationalInsights/workspaces",
    }
)
# Types that are created with their parent, and so exist in a new one.
_WITH_THE_PARENT = frozenset({"Microsoft.DBforPostgreSQL/flexibleServers/configurations"})


_NEVER = float("-inf")
_UNSEEN: tuple[float, Body | None] = (_NEVER, None)
_RECENT = 20.0  # seconds for which reads of a plan are reused by the following run
_SEEN_FOR = 60.0  # seconds for which a read is valid; later, others may have changed the resource


class LiveResources:
    """A cache of recently read resources, updated by our own writes, not by those of others.

    Args:
        transport: sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._mutex = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._collections: dict[str, tuple[float, dict[str, Body]]] = {}  # time of the request, bodies by id
        self._seen: dict[str, tuple[float, Body | None]] = {}  # time of the request, and the resource
        self._noted: dict[str, tuple[float, Body | None]] = {}  # time and result of our own writes
        self._written: dict[str, float] = {}  # time of the last write, which invalidates earlier reads
        self._made: set[str] = set()
        self._recovered: set[str] = set()
        self._asked: dict[_Address, _Asked] | None = None  # for a plan: every request
        self._reusable: dict[_Address, _Asked] = {}  # requests of the preceding plan, each reused once

    def read(self, resource_id: str, *, api_version: str | None = None) -> Body | None:
        """Return the live resource, or None if it does not exist.

        Raises:
            AzureError: any status but 200 and 404.
        """
        version = api_version or ids.api_version(resource_id)
        asked = time.monotonic()
        reply = self._get(resource_id, **{"api-version": version})
        body = None if reply.status == 404 else dict(reply.body)
        with self._mutex:
            self._seen[resource_id.lower()] = (asked, body)
        return body

    def listing(self, path: str, *, api_version: str, **params: str) -> Iterator[Body]:
        """Yield every item of a collection, page by page; nothing if the collection does not exist."""
        reply = self._get(path, **{"api-version": api_version, **params})
        while reply.status != 404:
            items = reply.body.get("value", [])
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise AzureError(f"GET {path}: this is not a list of objects", hint=NOT_AZURE)
            yield from items
            following = reply.body.get("nextLink")
            if not following:
                return
            if not hosts.is_arm(str(following), self._transport.endpoints):
                raise AzureError(f"GET {path}: its next page is on another host; no token was sent", hint=NOT_AZURE)
            reply = self._get(following)

    def _get(self, path: str, **params: str) -> Reply:
        """Return the reply to a request; a recent reply of the preceding plan is reused once."""
        address = (path.lower(), tuple(sorted(params.items())))
        with self._mutex:
            asked, answer = self._reusable.pop(address, (_NEVER, None))
        if answer is None or asked < time.monotonic() - _RECENT:
            asked = time.monotonic()
            tries = None if self._asked is None else 1  # transient errors are left to the step
            try:
                answer = self._transport.arm(
                    "GET", path, params=params or None, accept=(404,), expects_object=True, tries=tries
                )
            except AzureError as error:
                if self._asked is None or error.transient:
                    raise
                answer = error
        if self._asked is not None:
            with self._mutex:
                self._asked[address] = (asked, answer)
        if isinstance(answer, AzureError):
            raise answer
        return answer

    def current(self, resource_id: str, *, bulk: bool = False) -> Body | None:
        """Return the live resource as this run saw or wrote it; read, or listed with `bulk`, if not seen recently.

        A listing of one resource has no more information than a GET, and is longer.
        """
        key = resource_id.lower()
        lately = time.monotonic() - _SEEN_FOR
        with self._mutex:
            if key in self._noted:
                return self._noted[key][1]
            with_parent = ids.resource_type(resource_id) in _WITH_THE_PARENT
            if not with_parent and self._is_in_new(key):
                return None  # a resource created by this run contains only what this run put there
            for known in (key, _group_of(key)):
                asked, body = self._seen.get(known, _UNSEEN)
                if asked >= lately and (known == key or body is None):
                    return body  # a missing group contains nothing
        return self.fresh(resource_id, lately, alone=not bulk)

    def seen(self, resource_id: str) -> Body | None:
        """Return a resource as this run last saw or wrote it, however long ago; None if it has not."""
        key = resource_id.lower()
        with self._mutex:
            return (self._noted.get(key) or self._seen.get(key) or _UNSEEN)[1]

    def is_in_new(self, resource_id: str) -> bool:
        """Return whether a resource's parent was created by this run, or would be by its plan."""
        with self._mutex:
            return self._is_in_new(resource_id.lower())

    def _is_in_new(self, key: str) -> bool:
        if any(key.startswith(f"{kept}/") for kept in self._recovered):
            return False
        return any(key.startswith(f"{made}/") for made in self._made)

    def recovered(self, resource_id: str) -> None:
        """Note that a resource was recovered with its content, although this run created its group."""
        self.forget(resource_id)
        with self._mutex:
            self._recovered.add(resource_id.lower())

    def since(self, resource_id: str, moment: float, *, alone: bool = False) -> Body | None:
        """Return the live resource as read after a monotonic time; see `fresh`."""
        key = resource_id.lower()
        with self._mutex:
            for known in (self._noted, self._seen):
                found, body = known.get(key, _UNSEEN)
                if found >= moment:
                    return body
        return self.fresh(resource_id, moment, alone=alone)

    def fresh(self, resource_id: str, since: float, *, alone: bool = False) -> Body | None:
        """Return the live resource from a listing requested after a monotonic time, shared by all waiters.

        Args:
            alone: there is no other waiter: without such a listing, read only the resource.
        """
        key = resource_id.lower()
        collection = resource_id.rsplit("/", 1)[0]
        with self._mutex:
            since = max(since, self._written.get(key, _NEVER))
            asked, found = self._collections.get(collection.lower(), (_NEVER, {}))
        if asked >= since:
            return found.get(key)
        if alone or ids.resource_type(resource_id) not in _LISTED:
            return self.read(resource_id)
        return self._listed(collection, ids.api_version(resource_id), since).get(key)

    def listed(self, path: str, *, api_version: str) -> list[Body]:
        """Return the items of a collection, listed now if not listed recently."""
        return list(self._listed(path, api_version, time.monotonic() - _SEEN_FOR).values())

    def _listed(self, collection: str, api_version: str, since: float) -> dict[str, Body]:
        with self._mutex:
            turn = self._turns.setdefault(collection.lower(), threading.Lock())
        with turn:
            asked, found = self._collections.get(collection.lower(), (_NEVER, {}))
            if asked < since:
                asked = time.monotonic()
                bodies = list(self.listing(collection, api_version=api_version))
                found = {str(body.get("id", "")).lower(): body for body in bodies}
                with self._mutex:
                    self._collections[collection.lower()] = (asked, found)
            return found

    def know(self, other: LiveResources) -> None:
        """Start with what another instance has read, and keep the requests from here on."""
        with other._mutex, self._mutex:
            self._asked = {}
            self._seen |= other._seen
            self._collections |= other._collections

    def reuse_plan(self, plan: LiveResources, changing: Iterable[str]) -> None:
        """Reuse the requests made for a plan.

        Args:
            plan: source of the requests.
            changing: ids of resources with running operations, which are read again.
        """
        with plan._mutex, self._mutex:
            self._reusable |= plan._asked or {}
        for resource_id in changing:
            self.acted(resource_id)

    def acted(self, path: str) -> None:
        """Forget a plan's reads of a resource, its parents and its children after an action on it."""
        lowered = path.lower()
        with self._mutex:
            self._reusable = {
                address: asked
                for address, asked in self._reusable.items()
                if not lowered.startswith(address[0]) and not address[0].startswith(lowered)
            }

    def note_absent(self, resource_id: str) -> None:
        """Note that a resource does not exist, according to another reply."""
        with self._mutex:
            self._seen[resource_id.lower()] = (time.monotonic(), None)

    def forget(self, resource_id: str) -> None:
        """Read a resource again on next use."""
        with self._mutex:
            self._noted.pop(resource_id.lower(), None)
        self.written(resource_id)

    def written(self, resource_id: str) -> None:
        """Forget reads of a resource made before it was written."""
        self.acted(resource_id)
        with self._mutex:
            self._seen.pop(resource_id.lower(), None)
            self._written[resource_id.lower()] = time.monotonic()

    def note(self, resource_id: str, body: Body | None, *, made: bool = False) -> None:
        """Store the current state of a resource; None if it was deleted."""
        key = resource_id.lower()
        now = time.monotonic()
        with self._mutex:
            self._noted[key] = (now, body)
            if made:
                self._made.add(key)
            if body is None:
                self._made = {one for one in self._made if one != key and not one.startswith(f"{key}/")}
                below = [one for known in (self._noted, self._seen) for one in known if one.startswith(f"{key}/")]
                self._noted |= dict.fromkeys(below, (now, None))


def _group_of(key: str) -> str:
    """Return the id of the resource group that contains an id."""
    return "/".join(key.split("/")[:5])
