"""Resources, operations and other records, in memory and, per write, in a SQLite file that survives a kill."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from azure_emulator.core.private_files import write_private

Json = dict[str, Any]


@dataclass
class Resource:
    """One stored resource: `body` is shown by GET, `private` is internal to the service."""

    id: str
    type: str
    body: Json
    created: float
    private: Json = field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.id.lower()

    @property
    def name(self) -> str:
        return self.id.rsplit("/", 1)[1]

    @property
    def properties(self) -> Json:
        value: Json = self.body.setdefault("properties", {})
        return value


class Store:
    """All records of one emulator.

    Changes are gathered by `put`, `drop` and `set` and written by `commit`, one transaction for each HTTP request, so
    that a kill leaves either all or nothing of a request. SQLite in WAL mode without fsync is enough for that: what
    the process has written, the kernel keeps.
    """

    def __init__(self, path: Path | None, read_only: bool = False) -> None:
        self._resources: dict[str, Resource] = {}
        self._by_type: dict[str, dict[str, Resource]] = {}
        self._records: dict[str, dict[str, Json]] = {}
        self._changes: list[tuple[str, str, str | None]] = []
        self._database: sqlite3.Connection | None = None
        if path is None:
            return
        if read_only:
            self._load_copy(path)
            return
        path.touch(mode=0o600)
        path.chmod(0o600)
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, value TEXT, "
            "PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )
        self._load(self._database)

    def _load(self, database: sqlite3.Connection) -> None:
        for kind, key, value in database.execute("SELECT kind, key, value FROM records"):
            record = json.loads(value)
            if kind == "resource":
                self._keep(Resource(**record))
            else:
                self._records.setdefault(kind, {})[key] = record

    def _load_copy(self, path: Path) -> None:
        """Read without creating files: even a reader of a WAL database may write files beside it."""
        if not path.exists():
            return
        with tempfile.TemporaryDirectory() as folder:
            for suffix in ("", "-wal"):
                original = path.with_name(path.name + suffix)
                if original.exists():
                    shutil.copyfile(original, Path(folder) / original.name)
            database = sqlite3.connect(Path(folder) / path.name)
            self._load(database)
            database.close()

    def _keep(self, resource: Resource) -> None:
        self._resources[resource.key] = resource
        self._by_type.setdefault(resource.type.lower(), {})[resource.key] = resource

    # Resources

    def get(self, resource_id: str) -> Resource | None:
        return self._resources.get(resource_id.lower().rstrip("/"))

    def put(self, resource: Resource) -> Resource:
        self._keep(resource)
        value = {
            "id": resource.id,
            "type": resource.type,
            "body": resource.body,
            "created": resource.created,
            "private": resource.private,
        }
        self._changes.append(("resource", resource.key, json.dumps(value)))
        return resource

    def drop(self, resource_id: str) -> None:
        found = self._resources.pop(resource_id.lower(), None)
        if found is not None:
            del self._by_type[found.type.lower()][found.key]
            self._changes.append(("resource", found.key, None))

    def below(self, scope: str) -> list[Resource]:
        """Return everything below a scope, including children and extension resources, except the scope itself."""
        start = scope.lower().rstrip("/") + "/"
        return [resource for key, resource in self._resources.items() if key.startswith(start)]

    def of_type(self, type_name: str, scope: str = "") -> list[Resource]:
        start = scope.lower()
        if start and not start.endswith("/"):
            start += "/"
        return [resource for key, resource in self._by_type.get(type_name.lower(), {}).items() if key.startswith(start)]

    def all(self) -> Iterator[Resource]:
        return iter(list(self._resources.values()))

    # Other records: operations, deleted vaults, counters

    def record(self, kind: str, key: str) -> Json | None:
        return self._records.get(kind, {}).get(key)

    def records(self, kind: str) -> list[tuple[str, Json]]:
        return list(self._records.get(kind, {}).items())

    def set(self, kind: str, key: str, value: Json | None) -> None:
        if value is None:
            self._records.get(kind, {}).pop(key, None)
        else:
            self._records.setdefault(kind, {})[key] = value
        self._changes.append((kind, key, None if value is None else json.dumps(value)))

    def commit(self) -> None:
        changes, self._changes = self._changes, []
        if self._database is None or not changes:
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for kind, key, value in changes:
                if value is None:
                    self._database.execute("DELETE FROM records WHERE kind = ? AND key = ?", (kind, key))
                else:
                    self._database.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (kind, key, value))
            self._database.execute("COMMIT")
        except sqlite3.Error:  # such as a full disk; some of these end the transaction, others leave it open
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def rollback(self, *resources: str) -> None:
        """Undo the changes of a refused request: reload those records and the named resources from the file."""
        changes, self._changes = self._changes, []
        if self._database is None:
            return
        for kind, key in {(kind, key) for kind, key, _ in changes} | {("resource", item.lower()) for item in resources}:
            found = self._database.execute("SELECT value FROM records WHERE kind = ? AND key = ?", (kind, key))
            row = found.fetchone()
            if kind == "resource":
                self._lose(key)
                if row is not None:
                    self._keep(Resource(**json.loads(row[0])))
            elif row is None:
                self._records.get(kind, {}).pop(key, None)
            else:
                self._records.setdefault(kind, {})[key] = json.loads(row[0])

    def reload(self) -> None:
        """Reload everything from the file."""
        self._changes = []
        if self._database is not None:
            self._clear()
            self._load(self._database)

    def differences(self) -> list[str]:
        """Return the differences between memory and disk, for tests, which expect none."""
        assert self._database is not None
        stored = {
            (kind, key): json.loads(value) for kind, key, value in self._database.execute("SELECT * FROM records")
        }
        held: dict[tuple[str, str], Any] = {
            ("resource", key): json.loads(json.dumps(asdict(item))) for key, item in self._resources.items()
        }
        for kind, records in self._records.items():
            held |= {(kind, key): json.loads(json.dumps(value)) for key, value in records.items()}
        return sorted(str(key) for key in held.keys() | stored.keys() if held.get(key) != stored.get(key))

    def _lose(self, key: str) -> None:
        found = self._resources.pop(key, None)
        if found is not None:
            del self._by_type[found.type.lower()][key]

    def _clear(self) -> None:
        self._resources.clear()
        self._by_type.clear()
        self._records.clear()

    def reset(self) -> None:
        self._clear()
        self._changes.clear()
        if self._database is not None:
            self._database.execute("DELETE FROM records")

    def close(self) -> None:
        if self._database is not None:
            self._database.close()


class SecretFile:
    """The values of vault secrets: {vault key: {secret: {version: value}}}, in one file of mode 0600."""

    def __init__(self, path: Path | None, read_only: bool = False) -> None:
        self._path = None if read_only else path
        self._forgotten = False
        self._values: dict[str, dict[str, dict[str, str]]] = {}
        if path is not None and path.exists():
            self._values = json.loads(path.read_text(encoding="utf-8"))

    def value(self, vault: str, secret: str, version: str) -> str | None:
        return self._values.get(vault, {}).get(secret, {}).get(version)

    def keep(self, vault: str, secret: str, version: str, value: str) -> None:
        self._values.setdefault(vault, {}).setdefault(secret, {})[version] = value
        self._write()

    def forget(self, vault: str, secret: str | None = None) -> None:
        """Return all values of a vault, or those of one secret."""
        place, key = (self._values, vault) if secret is None else (self._values.get(vault, {}), secret)
        if place.pop(key, None) is not None:
            self._forgotten = True

    def flush(self) -> None:
        """Values are stored before their records, and deleted after them: a kill in between leaves one too many."""
        if self._forgotten:
            self._write()
            self._forgotten = False

    def reset(self) -> None:
        self._values.clear()
        self._write()

    def _write(self) -> None:
        if self._path is not None:
            write_private(self._path, json.dumps(self._values, indent=1, sort_keys=True))
