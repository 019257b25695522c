"""The values of the configuration as read: overlays and `${}` applied, before defaults and coercion."""

from __future__ import annotations

import os

from draftgenie_azure.config import sources
from draftgenie_azure.config.keys import Key, is_secret_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any


class RawConfig:
    """The values of the files, overlays and `${}` applied, before defaults and coercion.

    Attributes:
        values: the root mapping.
        paths: the files, absolute, in the given order; `-` is standard input.
        directory: absolute directory of the first file, or the working directory if that is standard input or a
            pipe. State, build context and relative paths are resolved against it.
        variables: each `${NAME}` that was looked up -> its value, or None if it was not set.
        in_vault: names of the vault's secrets recorded in the state; empty until the state is read.
        env_file: the file of further variables, absolute, or None.
        report: absolute path of this run's report, or None.
        from_environment: path of each value that contained a `${NAME}` -> the names; such a value is never shown.
        warnings: messages for the user that are not faults.
    """

    __slots__ = (
        "_places", "directory", "env_file", "from_environment", "in_vault", "paths", "report", "values", "variables",
        "warnings",
    )  # fmt: skip

    def __init__(self, paths: Sequence[str]) -> None:
        self.values: dict[str, Any] = {}
        self.paths = [path if path == sources.STDIN else os.path.abspath(path) for path in paths]
        self.directory = os.getcwd() if sources.is_stream(paths[0]) else os.path.dirname(self.paths[0])
        self.env_file: str | None = None
        self.report: str | None = None
        self.in_vault: frozenset[str] = frozenset()
        self.variables: dict[str, str | None] = {}
        self.from_environment: dict[Key, tuple[str, ...]] = {}
        self.warnings: list[str] = []
        self._places: dict[Key, tuple[str, int]] = {(): (paths[0], 1)}

    def get(self, dotted_key: str) -> Any:
        """Return the value at `section.key`, or None. Keys may contain dots themselves (`tags.a.b`)."""
        return _walk(self.values, dotted_key.split("."))

    def at(self, key: Key) -> Any:
        """Return the value at a path of keys and list positions, or None."""
        value: Any = self.values
        for part in key:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def file(self, path: str) -> str:
        """Resolve a path of the configuration to an absolute one; `~` is the home directory."""
        return os.path.normpath(os.path.join(self.directory, os.path.expanduser(path)))

    def place(self, key: Key) -> tuple[str, int]:
        """Return the file, as it was named, and the line of a key or of its nearest existing parent."""
        while key not in self._places:
            key = key[:-1]
        return self._places[key]

    def not_given(self) -> Iterator[Key]:
        """Yield the keys of secrets without a value, which the vault may have."""
        for key, value in _vault_values(self.values):
            taken_out = value is None and key[0] != "secrets" and key not in self.from_environment
            if value in ("", None) and not taken_out:
                yield key

    def hides(self, key: Key) -> bool:
        """Return whether the value at the key, or one below it, must not be shown."""
        count = len(key)
        return is_secret_key(".".join(map(str, key))) or any(
            place[:count] == key or key[: len(place)] == place for place in self.from_environment
        )


def _walk(value: Any, parts: list[str]) -> Any:
    if not parts:
        return value
    if not isinstance(value, dict):
        return None
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        if name in value and (found := _walk(value[name], parts[count:])) is not None:
            return found
    return None


def _vault_values(values: Mapping[str, Any]) -> Iterator[tuple[Key, Any]]:
    """Yield the key and value of everything that is stored in the vault."""
    secrets = values.get("secrets")
    for name, value in secrets.items() if isinstance(secrets, dict) else ():
        yield ("secrets", name), value
    for section in ("services", "migrations"):
        owners = values.get(section)
        pairs = owners.items() if isinstance(owners, dict) else enumerate(owners if isinstance(owners, list) else ())
        for owner, described in pairs:
            variables = described.get("secrets") if isinstance(described, dict) else None
            for name, value in variables.items() if isinstance(variables, dict) else ():
                yield (section, owner, "secrets", name), value
    for section, name in (("postgresql", "admin_password"), ("mongodb", "connection_url")):
        described = values.get(section)
        if isinstance(described, dict) and name in described:
            yield (section, name), described[name]
