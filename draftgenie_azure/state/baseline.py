"""Salted digests of each resource's properties as Azure returned them after our last write, stored beside the state.

They show who changed a property that differs. They are optional: if lost, differences are shown without an author.
"""

from __future__ import annotations

import json
from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "baseline"


class Baselines:
    """Digests by resource record; read on first use, written by `save`.

    Args:
        read: returns the stored bytes, or None.
        write: replaces them.
    """

    def __init__(
        self, read: Callable[[], bytes | None] = lambda: None, write: Callable[[bytes], None] = lambda data: None
    ) -> None:
        self._read = read
        self._write = write
        self._mutex = Lock()
        self._entries: dict[str, dict[str, str]] | None = None
        self._stored: bytes | None = None

    def get(self, key: str, resource_id: str, sent: str) -> str | None:
        """Return the digests of a resource; None if they belong to another one, or to an older body."""
        with self._mutex:
            entry = self._loaded().get(key, {})
        of_it = entry.get("id") == resource_id.lower() and entry.get("sent") == sent
        return entry.get("leaves") if of_it else None

    def put(self, key: str, resource_id: str, sent: str, leaves: str) -> None:
        """Store the digests of what Azure returned."""
        with self._mutex:
            self._loaded()[key] = {"id": resource_id.lower(), "sent": sent, "leaves": leaves}

    def drop(self, key: str) -> None:
        """Forget a resource."""
        with self._mutex:
            self._loaded().pop(key, None)

    def save(self) -> None:
        """Write the digests if they changed since they were read."""
        with self._mutex:
            if self._entries is None:
                return
            data = json.dumps(self._entries, sort_keys=True, separators=(",", ":")).encode()
            if data != self._stored:
                self._write(data)
                self._stored = data

    def _loaded(self) -> dict[str, dict[str, str]]:
        if self._entries is None:
            self._stored = self._read()
            self._entries = _parsed(self._stored)
        return self._entries


def _parsed(data: bytes | None) -> dict[str, dict[str, str]]:
    """Return the entries; none if the bytes are not ours."""
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        key: entry
        for key, entry in found.items()
        if isinstance(entry, dict) and all(isinstance(value, str) for value in entry.values())
    }
