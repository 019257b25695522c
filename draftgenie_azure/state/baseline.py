"""What Azure answered after our last write of each resource, as salted digests of its leaves, beside the state.

It says whose a difference is. Nothing hangs on it: where it is lost, nobody is named.
"""

from __future__ import annotations

import json
from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "baseline"


class Baselines:
    """Digests by resource record; read when first asked for, written by `save`.

    Args:
        read: the stored bytes; None where there are none.
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
        """The digests of a resource; None where they are of another one, or of another body than was sent last."""
        with self._mutex:
            entry = self._loaded().get(key, {})
        of_it = entry.get("id") == resource_id.lower() and entry.get("sent") == sent
        return entry.get("leaves") if of_it else None

    def put(self, key: str, resource_id: str, sent: str, leaves: str) -> None:
        """Keep the digests of what Azure answered."""
        with self._mutex:
            self._loaded()[key] = {"id": resource_id.lower(), "sent": sent, "leaves": leaves}

    def drop(self, key: str) -> None:
        """Forget a resource."""
        with self._mutex:
            self._loaded().pop(key, None)

    def save(self) -> None:
        """Write what changed since it was read."""
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
    """The entries; none where the bytes are not ours."""
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        key: entry
        for key, entry in found.items()
        if isinstance(entry, dict) and all(isinstance(value, str) for value in entry.values())
    }
