"""State in memory: the third backend, which passes the same contract as the two real ones."""

from __future__ import annotations

import threading

from draftgenie_azure.errors import LockLostError, StateConflictError
from draftgenie_azure.state.lock import Waiting


class Memory:
    """A place that several backends look into, as several processes look at one file."""

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.version = 0
        self.blobs: dict[str, bytes] = {}
        self.owner: MemoryLock | None = None
        self.says = b""
        self.mutex = threading.RLock()


class MemoryLock:
    """A lock that can be broken."""

    def __init__(self, place: Memory) -> None:
        self._place = place

    def held(self) -> bool:
        return self._place.owner is self

    def release(self) -> None:
        with self._place.mutex:
            if self.held():
                self._place.owner = None


class MemoryBackend:
    """One process's view of a place in memory."""

    breakable = True

    def __init__(self, place: Memory) -> None:
        self._place = place
        self._version = 0
        self._lock: MemoryLock | None = None

    @property
    def where(self) -> str:
        return "memory"

    def load(self) -> bytes | None:
        with self._place.mutex:
            self._version = self._place.version
            return self._place.data

    def save(self, data: bytes) -> None:
        with self._place.mutex:
            self._check()
            self._place.data = data
            self._place.version += 1
            self._version = self._place.version

    def delete(self) -> None:
        with self._place.mutex:
            self._check()
            self._place.data = None
            self._place.version += 1
            self._version = self._place.version

    def _check(self) -> None:
        if self._lock is not None and not self._lock.held():
            raise LockLostError("the lock on the state memory is lost: another run may have taken it")
        if self._version != self._place.version:
            raise StateConflictError("the state memory was changed by another run in the meantime")

    def aside(self, suffix: str, data: bytes) -> str:
        with self._place.mutex:
            name, count = suffix, 0
            while name in self._place.blobs:
                count += 1
                name = f"{suffix}-{count}"
            self._place.blobs[name] = data
            return name

    def keep(self, name: str, data: bytes, count: int) -> None:
        self._place.blobs[f"history/{name}"] = data
        for old in self.copies()[count:]:
            del self._place.blobs[old]

    def copies(self) -> list[str]:
        return sorted((name for name in self._place.blobs if name.startswith("history/")), reverse=True)

    def load_copy(self, name: str) -> bytes | None:
        return self._place.blobs.get(name)

    def read_companion(self, name: str) -> bytes | None:
        return self._place.blobs.get(f"companion/{name}")

    def write_companion(self, name: str, data: bytes | None) -> None:
        if data is None:
            self._place.blobs.pop(f"companion/{name}", None)
        else:
            self._place.blobs[f"companion/{name}"] = data

    def lock(self, holder: bytes, *, waiting: Waiting, first: bytes) -> MemoryLock:
        lock = MemoryLock(self._place)
        while True:
            with self._place.mutex:
                if self._place.owner is None:
                    self._place.owner, self._place.says = lock, holder
                    self._lock = lock
                    return lock
            waiting.pause(self.where, self._place.says, 0.01)

    def holder(self) -> bytes | None:
        return None if self._place.owner is None else self._place.says

    def break_lock(self, shown: bytes | None = None) -> None:
        self._place.owner = None
