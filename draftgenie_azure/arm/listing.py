"""Reads live resources: many of a type by one listing, and none where it is known that there is nothing."""

from __future__ import annotations

import threading
import time

from draftgenie_azure.arm import hosts, ids
from draftgenie_azure.errors import NOT_AZURE, AzureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from draftgenie_azure.arm.transport import Reply, Transport

    Body = dict[str, Any]

# Types whose listing gives whole bodies (recorded for most of them; typed as such in the management libraries).
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
# What comes with its parent, so that a new one has it, too.
_WITH_THE_PARENT = frozenset({"Microsoft.DBforPostgreSQL/flexibleServers/configurations"})


class LiveResources:
    """What exists, as far as this run has seen it; a write of ours is noted, those of others are not.

    Args:
        transport: where requests go.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._mutex = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._collections: dict[str, tuple[float, dict[str, Body]]] = {}  # when it was asked for, bodies by id
        self._noted: dict[str, Body | None] = {}
        self._made: set[str] = set()

    def read(self, resource_id: str, *, api_version: str | None = None) -> Body | None:
        """The live resource, or None where there is none.

        Raises:
            AzureError: anything but 200 and 404.
        """
        version = api_version or ids.api_version(resource_id)
        reply = self._get(resource_id, **{"api-version": version})
        return None if reply.status == 404 else dict(reply.body)

    def listing(self, path: str, *, api_version: str, **params: str) -> Iterator[Body]:
        """Every item of a collection, page by page; nothing where the collection itself is missing."""
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
                raise AzureError(f"GET {path}: its next page is elsewhere, where our token does not go", hint=NOT_AZURE)
            reply = self._get(following)

    def _get(self, path: str, **params: str) -> Reply:
        return self._transport.arm("GET", path, params=params or None, accept=(404,), expects_object=True)

    def current(self, resource_id: str, *, bulk: bool = False) -> Body | None:
        """The live resource as this run saw or wrote it; read, or with `bulk` listed, where it has not been seen.

        A listing of one resource says no more than a GET, and is longer.
        """
        key = resource_id.lower()
        with self._mutex:
            if key in self._noted:
                return self._noted[key]
            with_parent = ids.resource_type(resource_id) in _WITH_THE_PARENT
            if not with_parent and any(key.startswith(f"{made}/") for made in self._made):
                return None  # what this run has made has nothing in it that this run did not put there
            bulk = bulk or key.rsplit("/", 1)[0] in self._collections
        if not bulk or ids.resource_type(resource_id) not in _LISTED:
            body = self.read(resource_id)
            with self._mutex:
                return self._noted.setdefault(key, body)
        return self._listed(resource_id, 0.0).get(key)

    def fresh(self, resource_id: str, since: float) -> Body | None:
        """The live resource as of a listing that was asked for after a monotonic time: one for all who wait."""
        return self._listed(resource_id, since).get(resource_id.lower())

    def _listed(self, resource_id: str, since: float) -> dict[str, Body]:
        collection = resource_id.rsplit("/", 1)[0]
        with self._mutex:
            turn = self._turns.setdefault(collection.lower(), threading.Lock())
        with turn:
            asked, found = self._collections.get(collection.lower(), (-1.0, {}))
            if asked < since or asked < 0:
                asked = time.monotonic()
                version = ids.api_version(resource_id)
                bodies = list(self.listing(collection, api_version=version))
                found = {str(body.get("id", "")).lower(): body for body in bodies}
                with self._mutex:
                    self._collections[collection.lower()] = (asked, found)
            with self._mutex:
                return dict(found)

    def forget(self, resource_id: str) -> None:
        """Read a resource again when it is next asked for."""
        with self._mutex:
            self._noted.pop(resource_id.lower(), None)
            self._collections.pop(resource_id.lower().rsplit("/", 1)[0], None)

    def note(self, resource_id: str, body: Body | None, *, made: bool = False) -> None:
        """Keep what a resource is now; None where it is gone."""
        key = resource_id.lower()
        with self._mutex:
            self._noted[key] = body
            if made:
                self._made.add(key)
            if body is None:
                self._made = {one for one in self._made if one != key and not one.startswith(f"{key}/")}
                below = [one for one in self._noted if one.startswith(f"{key}/")]
                self._noted |= dict.fromkeys(below)
