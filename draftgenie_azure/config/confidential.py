"""Register the secrets of a configuration with the mask, and exempt values that only share a secret's name."""

from __future__ import annotations

from draftgenie_azure.config.keys import is_secret_key
from draftgenie_azure.config.placeholders import escape, parse
from draftgenie_azure.masking import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_NAMING = (
    "azure.resource_group", "azure.project_name", "azure.location", "azure.identity_name", "locations.",
    "container_registry.name", "key_vault.name", "monitoring.log_workspace", "monitoring.app_insights",
    "postgresql.server_name", "postgresql.admin_user", "postgresql.databases.", "redis.name",
    "container_apps.environment_name",
)  # fmt: skip
# Free-form places that may hold a token: what a variable supplies here is masked.
_FREE = (".args.", ".build_args.", ".command", ".environment.", ".metadata.")
_SECTIONS_WITH_FREE = ("services.", "migrations.")
_LONG = 8  # characters; a shorter value there is taken for a level, a number or a name
_SECTIONS_OF_NAMES = ("services", "secrets")


def register_secrets(values: Mapping[str, Any], variables: Mapping[str, str | None]) -> None:
    """Register the secrets of a configuration, and the variables that they came from, with the mask."""
    names: list[str] = []
    given: list[str] = []
    free: list[str] = []
    for key, value in _leaves("", values):
        if is_secret_key(key):
            given.append(value)
        elif key.startswith(_SECTIONS_WITH_FREE) and any(part in key for part in _FREE):
            free.append(value)
        elif key.startswith(_NAMING) or (key.startswith("services.") and key.endswith(".name")):
            names.append(value)
    for section in _SECTIONS_OF_NAMES:
        entries = values.get(section)
        names += map(str, entries) if isinstance(entries, dict) else []
    MASK.allow(names)
    for secret in given:
        if (text := _literal(secret)) is None:
            MASK.add_parts(secret)
        else:
            MASK.add(text)
    for value in filter(None, variables.values()):
        MASK.add_parts(value)
        escaped = escape(value)  # as stored where placeholders are parsed
        texts = (*given, *free) if len(value) >= _LONG else given
        if any(value in text or escaped in text for text in texts):
            MASK.add(value)


def _literal(text: str) -> str | None:
    """Return the literal value of a text without placeholders, or None for a template, which is not itself a secret."""
    try:
        template = parse(text)
    except ValueError:
        return text
    return None if template.names else "".join(map(str, template.parts))


def _leaves(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield each text and number of a configuration with its dotted key."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(f"{key}.{name}" if key else str(name), below)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _leaves(f"{key}.{index}", below)
    elif isinstance(value, str):
        yield key, value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield key, str(value)
