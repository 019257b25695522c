"""The secrets stored in the vault, and the variables that refer to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from draftgenie_azure.config.keys import Key
from draftgenie_azure.config.placeholders import parse
from draftgenie_azure.config.validated import naming

POSTGRESQL_PASSWORD = "postgresql-admin-password"
MONITORING = "monitoring-connection-string"
REDIS_PASSWORD = "redis-password"
MONGODB_URL = "mongodb-connection-url"
FIXED = {  # name of a secret value -> name of the vault secret
    "postgresql.password": POSTGRESQL_PASSWORD,
    "monitoring.connection_string": MONITORING,
    "redis.password": REDIS_PASSWORD,
    "mongodb.connection_url": MONGODB_URL,
}
PLAIN = frozenset(
    (
        "postgresql.host",
        "postgresql.port",
        "postgresql.login",
        "redis.host",
        "redis.port",
        "container_apps.default_domain",
    )
)
OWN = "the deployment's own"
SHARED = {  # created once for all services that refer to them
    "rabbitmq.url": "rabbitmq-url", "redis.url": "redis-url",
}

Origin = Literal[
    "given", "kept", "existing", "generated", "postgresql_password", "monitoring", "redis_password", "composed"
]
Report = Callable[[Key, str], None]


@dataclass(frozen=True)
class VaultSecret:
    """A secret that the deployment keeps in the vault.

    Attributes:
        name: name in the vault.
        origin: `given` (in the configuration), `kept` (given by an earlier run but not by this one), `existing` (in the
            vault only), `generated` (once, if missing), `postgresql_password` (given or generated),
            `monitoring`, `redis_password` (both read from Azure), or `composed` (from other secrets).
        template: of a composed secret; its plain text may be secret too.
        value: of a given one, and of PostgreSQL's password if the configuration gives it; for a kept one, the dummy
            value for an emulated vault that has none.
        remedy: what to do if a kept or existing secret is missing from the vault.
        used_by: `services.<key>` and `migrations.<name>`, sorted.
    """

    name: str
    origin: Origin
    template: str | None = field(default=None, repr=False)
    value: str | None = field(default=None, repr=False)
    used_by: tuple[str, ...] = ()
    remedy: str = ""

    @property
    def parts(self) -> set[str]:
        """Return the names in the template of a composed secret."""
        return parse(self.template).names if self.template else set()


@dataclass(frozen=True)
class Variable:
    """An environment variable: `template` (text that may use names of non-secret values) or `secret`, never both.

    `secret` is the name of a vault secret.
    """

    name: str
    template: str | None = field(default=None, repr=False)
    secret: str | None = None


@dataclass
class Plan:
    """The resolved variables and secrets of all services and migrations."""

    secrets: dict[str, VaultSecret] = field(default_factory=dict)
    variables: dict[str, list[Variable]] = field(default_factory=dict)
    migration_variables: dict[str, list[Variable]] = field(default_factory=dict)
    databases: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def vault_name_of(name: str) -> str:
    """Return the vault secret for a base name: `secrets.gemini_api_key` is `gemini-api-key`.

    Raises:
        KeyError: the name is not a secret that the vault stores unchanged.
    """
    return naming.vault_name(name.removeprefix("secrets.")) if name.startswith("secrets.") else FIXED[name]


def is_base(name: str) -> bool:
    """Return whether a name is known only during deployment, so that it may remain in a template."""
    return name in FIXED or name in PLAIN or name.startswith("secrets.")
