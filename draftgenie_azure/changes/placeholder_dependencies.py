"""Map the `{{ names }}` in a value to configuration keys, as far as they are not outputs of steps.

A value with `{{ services.qdrant.url }}` depends on that service's name, port and ingress. Works on values as read, so
that a run without changes needs no validation; `vault_secrets` performs the actual substitution.
"""

from __future__ import annotations

from draftgenie_azure.config import placeholders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Names whose value depends on the key `database` of the service or migration.
DATABASE_NAMES = frozenset({"postgresql.database", "postgresql.url", "postgresql.asyncpg_url"})
_ADDRESS = ("name", "image", "port", "exposed_port", "ingress", "transport", "allow_insecure")
_BROKER = (
    "services.rabbitmq.environment.RABBITMQ_DEFAULT_USER",
    "services.rabbitmq.environment.RABBITMQ_DEFAULT_PASS",
    "services.rabbitmq.secrets.RABBITMQ_DEFAULT_PASS",
)


def names(value: Any) -> set[str]:
    """Return the names used in a value; none in a malformed one, which validation rejects."""
    try:
        return placeholders.names(str(value))
    except ValueError:
        return set()


def keys(name: str) -> tuple[str, ...]:
    """Return the configuration keys that determine a name's value; none if a step publishes it."""
    section, _, rest = name.partition(".")
    if section == "networking":
        return ("networking.cors_origin" if rest == "cors_origins_json" else name,)
    if section == "services":
        service = rest.rpartition(".")[0]
        return tuple(f"services.{service}.{key}" for key in _ADDRESS)
    if section == "rabbitmq":
        return (*(f"services.rabbitmq.{key}" for key in _ADDRESS), *_BROKER)
    return (name,) if name == "mongodb.connection_url" else ()
