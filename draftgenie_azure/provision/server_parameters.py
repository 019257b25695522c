"""Server parameters of PostgreSQL: set, reset to the default, and the restart that some require.

Every server has all parameters from the start, so none is created or deleted: one removed from the configuration is
reset to its default. A static one shows `isConfigPendingRestart` until the server is restarted
(learn.microsoft.com/azure/postgresql/server-parameters/concepts-server-parameters).
"""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.client import Resource
from draftgenie_azure.arm.plan import RESTART, Entry
from draftgenie_azure.config.validated.postgresql_rules import EXTENSIONS
from draftgenie_azure.errors import DeployerError
from draftgenie_azure.nearest import nearest
from draftgenie_azure.provision.bodies import databases as bodies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.session import Session

_VERSION = ids.API_VERSIONS["Microsoft.DBforPostgreSQL/flexibleServers/configurations"]
_PREFIX = "postgresql_parameter/"
_EXTENSIONS_KEY = "postgresql_extensions"


class ServerParameters:
    """Ensures the parameters of one server, one by one, as the server requires.

    Args:
        step: the step that records them.
        server_id: id of the server, which exists except in a plan.
    """

    def __init__(self, session: Session, step: str, server_id: str) -> None:
        self._session = session
        self._arm = session.arm
        self._records = session.records
        self._step = step
        self._server_id = server_id

    def ensure(self) -> None:
        """Set configured parameters, reset removed ones, and restart if one requires it.

        Raises:
            DeployerError: the server has no such parameter, or does not accept the value.
        """
        wanted = self._wanted()
        back = self._to_put_back(wanted)
        if self._arm.created("postgresql_server"):  # which has the defaults
            for name in back:
                self._records.forget(_key(name))
            back = []
        if not wanted and not back:
            return
        waiting = [name for name, value in wanted.items() if self._set(name, value)]
        waiting += [name for name in back if self._set(name, None)]
        if waiting:
            self._restart(sorted(waiting))
        for name in back:
            self._records.forget(_key(name))

    def _wanted(self) -> dict[str, str]:
        section = self._session.config.postgresql
        assert section is not None
        wanted = {name: bodies.parameter_value(name, value) for name, value in section.parameters.items()}
        if section.extensions:
            wanted[EXTENSIONS] = bodies.extensions_value(section.extensions)
        return wanted

    def _to_put_back(self, wanted: Mapping[str, str]) -> list[str]:
        """Return the parameters that an earlier run set and that were removed from the configuration."""
        inside = f"{self._server_id}/".lower()
        names = [
            ids.last_name(record["id"])
            for key, record in list(self._records.resources.items())
            if key.startswith((_PREFIX, _EXTENSIONS_KEY)) and str(record["id"]).lower().startswith(inside)
        ]
        return sorted(name for name in names if name not in wanted)

    def _set(self, name: str, value: str | None) -> bool:
        """Ensure one parameter; None resets it to the default. Return whether it requires a restart."""
        parameter_id = f"{self._server_id}/configurations/{name}"
        live = self._arm.current(parameter_id)
        facts = (live or {}).get("properties", {})
        if live is None and self._arm.current(self._server_id) is not None and not self._is_planned():
            raise DeployerError(
                f"postgresql.parameters.{name}: the server has no such parameter{self._meant(name)}",
                hint="The server's parameters are listed in the portal, and by: az postgres flexible-server parameter "
                "list.",
            )
        if value is None:
            value = str(facts.get("defaultValue") or "")
        elif live is not None:
            _check(name, value, facts)
        body = bodies.parameter(value, default=facts.get("defaultValue"))
        (after,) = self._arm.ensure([Resource(_key(name), parameter_id, body)], step=self._step)
        if self._arm.plan is not None:
            changes = str(facts.get("value", "")).lower() != value.lower()
            return live is not None and (_waits(facts) or (changes and facts.get("isDynamicConfig") is False))
        return _waits(after["properties"])

    def _is_planned(self) -> bool:
        """Return whether the server exists only in the plan."""
        return self._arm.plan is not None and self._arm.created("postgresql_server")

    def _meant(self, name: str) -> str:
        known = [
            str(item["name"])
            for item in self._arm.listing(f"{self._server_id}/configurations", api_version=_VERSION)
        ]
        near = nearest(name, known)
        return f"; did you mean `{near}`?" if near else ""

    def _restart(self, names: list[str]) -> None:
        what = f"for {', '.join(names)}"
        if self._arm.plan is not None:
            name = f"postgresql_server/{ids.last_name(self._server_id)}"
            self._arm.plan.add(Entry(self._step, name, self._server_id, RESTART, note=what))
            return
        self._session.warn(f"the server {ids.last_name(self._server_id)} was restarted {what}")
        self._arm.restart(self._server_id)


def _key(name: str) -> str:
    return _EXTENSIONS_KEY if name == EXTENSIONS else f"{_PREFIX}{name}"


def _waits(facts: Mapping[str, Any]) -> bool:
    return facts.get("isConfigPendingRestart") is True


def _check(name: str, value: str, facts: Mapping[str, Any]) -> None:
    """Reject what Azure would refuse; its `allowedValues` are a range, or a comma-separated list."""
    if facts.get("isReadOnly") is True:
        raise DeployerError(f"postgresql.parameters.{name} cannot be set: the server's own value is {facts['value']}")
    allowed, kind = str(facts.get("allowedValues") or ""), str(facts.get("dataType") or "").lower()
    if not allowed:
        return
    if kind in ("integer", "numeric"):
        fits = _in_range(value, allowed)
    elif kind in ("boolean", "enumeration"):
        fits = value.lower() in _words(allowed)
    elif kind == "set":
        fits = not _words(value) - _words(allowed) - {""}
    else:
        return  # a regular expression of Azure's, which may not be valid in Python
    if not fits:
        words = allowed if len(allowed) <= 200 else f"{allowed[:200]}…"
        what = "Name only what" if name == EXTENSIONS else "Set it to a value that"
        key = "extensions" if name == EXTENSIONS else f"parameters.{name}"
        raise DeployerError(
            f"postgresql.{key}: the server does not accept `{value}`",
            hint=f"{what} is allowed: {words}. Then run again.",
        )


def _in_range(value: str, allowed: str) -> bool:
    low, _, high = allowed.rpartition("-")
    try:
        return float(low) <= float(value) <= float(high)
    except ValueError:
        return not low or _is_number(value)  # an unknown form of range is not checked


def _is_number(value: str) -> bool:
    return value.lstrip("-").replace(".", "", 1).isdigit()


def _words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}
