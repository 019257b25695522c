"""The secrets that the vault keeps, and the variables that refer to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from draftgenie_azure.config.placeholders import parse
from draftgenie_azure.config.validated import naming

GENERATED = ("jwt_secret", "rabbitmq_password")  # made when empty, without being asked to
POSTGRESQL_PASSWORD = "postgresql-admin-password"
MONITORING = "monitoring-connection-string"
REDIS_PASSWORD = "redis-password"
MONGODB_URL = "mongodb-connection-url"
FIXED = {  # name of a value that is a secret -> name of the vault's secret
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
SHARED = {  # made once for all services that refer to them
    "rabbitmq.url": "rabbitmq-url", "redis.url": "redis-url",
}

Origin = Literal[
    "given", "kept", "existing", "generated", "postgresql_password", "monitoring", "redis_password", "composed"
]
Key = tuple["str | int", ...]
Report = Callable[[Key, str], None]


@dataclass(frozen=True)
class VaultSecret:
    """A secret that the deployment keeps in the vault.

    Attributes:
        name: its name there.
        origin: `given` (in the configuration), `kept` (given by an earlier run, and not by this one), `existing` (in
            the vault alone), `generated` (made once if it is missing), `postgresql_password` (given or generated),
            `monitoring`, `redis_password` (both read from Azure), or `composed` (made from others).
        template: of a composed one; it may hold plain text that is secret, too.
        value: of a given one, and of PostgreSQL's password where the configuration gives it; of a kept one what the
            emulator's vault gets where it has none.
        remedy: what to do where a kept or existing one is missing in the vault.
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
        """The names in the template of a composed one."""
        return parse(self.template).names if self.template else set()


@dataclass(frozen=True)
class Variable:
    """An environment variable: `template` (text in which names that are no secrets may stand) or `secret`, never both.

    `secret` is the name of a vault secret.
    """

    name: str
    template: str | None = field(default=None, repr=False)
    secret: str | None = None


@dataclass
class Plan:
    """Everything that follows from the variables of all services and migrations."""

    secrets: dict[str, VaultSecret] = field(default_factory=dict)
    variables: dict[str, list[Variable]] = field(default_factory=dict)
    migration_variables: dict[str, list[Variable]] = field(default_factory=dict)
    databases: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def vault_name_of(name: str) -> str:
    """The vault secret that a base name stands for: `secrets.gemini_api_key` is `gemini-api-key`.

    Raises:
        KeyError: the name is not a secret that the vault holds as it is.
    """
    return naming.vault_name(name.removeprefix("secrets.")) if name.startswith("secrets.") else FIXED[name]


def is_base(name: str) -> bool:
    """Whether a name is one that only the deployment knows, so that it may stay in a template."""
    return name in FIXED or name in PLAIN or name.startswith("secrets.")
