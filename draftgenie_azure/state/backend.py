"""The interface of state storage: a backend handles bytes and locks, `StateManager` handles the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from draftgenie_azure.state.lock import Waiting


class Lock(Protocol):
    """An acquired lock."""

    def held(self) -> bool:
        """Return whether it is certainly still held. False is final."""

    def release(self) -> None:
        """Release it; may be called twice."""


class Backend(Protocol):
    """The interface of state storage. All methods raise StateError if the storage fails.

    Attributes:
        breakable: whether the lock of a live holder can be broken.
    """

    breakable: bool

    @property
    def where(self) -> str:
        """The location, for messages."""

    def load(self) -> bytes | None:
        """Return the bytes, or None if no state was ever saved."""

    def save(self, data: bytes) -> None:
        """Replace the bytes atomically. Raises StateConflictError if they changed since last loaded or saved."""

    def delete(self) -> None:
        """Delete the state, and possibly its lock."""

    def aside(self, suffix: str, data: bytes) -> str:
        """Write bytes beside the state under a new name with the suffix; return the location for messages."""

    def keep(self, name: str, data: bytes, count: int) -> None:
        """Store a copy under a name; keep only the last `count` copies by name."""

    def copies(self) -> list[str]:
        """Return the names of the copies, for `--restore-state`, latest first."""

    def load_copy(self, name: str) -> bytes | None:
        """Return the bytes of a copy, or None."""

    def read_companion(self, name: str) -> bytes | None:
        """Return a document stored beside the state (`history`, `baseline`), or None."""

    def write_companion(self, name: str, data: bytes | None) -> None:
        """Replace such a document atomically, or delete it; only for the lock's holder."""

    def lock(self, holder: bytes, *, waiting: Waiting, first: Callable[[], bytes]) -> Lock:
        """Acquire the lock. Raises StateLockedError if another run holds it.

        What `first` returns is stored if there is no state yet and the storage needs an object to lock.
        """

    def holder(self) -> bytes | None:
        """Return the current holder's description, possibly empty; None if the lock is free."""

    def break_lock(self, shown: bytes | None = None) -> None:
        """Break the lock of the holder described by `shown`. Raises StateError if another one holds it by now.

        None breaks it regardless of its holder.
        """
