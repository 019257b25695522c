"""Count how often this deployment created each database: one made again has nothing of what migrations did before.

A database has no tags in Azure, so the count is kept in the state, also while the database is deleted.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from draftgenie_azure.session import Session

DATABASE = "Microsoft.DBforPostgreSQL/flexibleServers/databases"
_SECTION = "databases_created"  # in the state: id in lower case -> count


def counting(session: Session, key: str, database_id: str) -> Callable[[], dict[str, Any]]:
    """Return a function that counts a creation, before it is sent; several attempts of one run count once."""
    count = _count(session, database_id) or (1 if session.records.of(key, database_id) else 0)

    def note() -> dict[str, Any]:
        _keep(session, database_id, count + 1)
        session.records.save()
        return {}

    return note


def again(session: Session, server_id: str, names: Iterable[str]) -> dict[str, int]:
    """Return the databases that were created more than once, and how often."""
    counts = {name: _count(session, f"{server_id}/databases/{name}") for name in names}
    return {name: count for name, count in counts.items() if count > 1}


def deleted(session: Session, database_id: str) -> None:
    """Record that a database existed; the caller saves."""
    _keep(session, database_id, _count(session, database_id) or 1)


def server_deleted(session: Session, server_id: str) -> None:
    """Forget the databases of a server; another server of its name has none. The caller saves."""
    with session.records.mutex:
        counts = session.records.document.get(_SECTION, {})
        for database_id in [one for one in counts if one.startswith(f"{server_id}/".lower())]:
            del counts[database_id]


def _count(session: Session, database_id: str) -> int:
    return int(session.records.document.get(_SECTION, {}).get(database_id.lower(), 0))


def _keep(session: Session, database_id: str, count: int) -> None:
    with session.records.mutex:
        session.records.document.setdefault(_SECTION, {})[database_id.lower()] = count
