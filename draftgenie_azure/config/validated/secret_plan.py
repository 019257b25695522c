"""What becomes of variables and secrets: which value goes to an app in clear, and which by way of the vault.

A value in which a secret stands becomes a secret of its own in the vault (`composed`), made from a template; one that
is nothing but a secret's name refers to that secret. Templates are expanded here as far as the configuration goes; what
is left in them are the names that only the deployment knows:

    postgresql.host .port .login .password     redis.host .port .password     container_apps.default_domain
    monitoring.connection_string               mongodb.connection_url         secrets.<key>
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from draftgenie_azure.config.placeholders import Name, Template, is_secret_name, parse
from draftgenie_azure.config.validated import naming
from draftgenie_azure.nearest import nearest

if TYPE_CHECKING:
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.config.validated.service_sections import Migration, Service

GENERATED = ("jwt_secret", "rabbitmq_password")  # made when empty, without being asked to
POSTGRESQL_PASSWORD = "postgresql-admin-password"
MONITORING = "monitoring-connection-string"
REDIS_PASSWORD = "redis-password"
MONGODB_URL = "mongodb-connection-url"
_FIXED = {
    "postgresql.password": POSTGRESQL_PASSWORD,
    "monitoring.connection_string": MONITORING,
    "redis.password": REDIS_PASSWORD,
    "mongodb.connection_url": MONGODB_URL,
}
_PLAIN = frozenset(
    (
        "postgresql.host",
        "postgresql.port",
        "postgresql.login",
        "redis.host",
        "redis.port",
        "container_apps.default_domain",
    )
)
_OWN = "the deployment's own"
_SHARED = {"rabbitmq.url": "rabbitmq-url", "redis.url": "redis-url"}

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
    return naming.vault_name(name.removeprefix("secrets.")) if name.startswith("secrets.") else _FIXED[name]


def _is_base(name: str) -> bool:
    """Whether a name is one that only the deployment knows, so that it may stay in a template."""
    return name in _FIXED or name in _PLAIN or name.startswith("secrets.")


def make_plan(config: Config, report: Report, damaged: set[Key]) -> Plan:
    """Work it out.

    Args:
        config: the validated sections.
        report: takes the key and the words of each fault.
        damaged: keys that had a fault of their own; what refers to them is not complained of again.
    """
    return _Planner(config, report, damaged).run()


class _UnknownError(Exception):
    """A name that cannot be resolved.

    Args:
        words: of the fault.
        cause: what all faults of this kind come down to, so that one is told of many; None for one of its own.
    """

    def __init__(self, words: str, *, cause: str | None = None) -> None:
        super().__init__(words)
        self.cause = cause


class _Planner:
    def __init__(self, config: Config, report: Report, damaged: set[Key]) -> None:
        self.config = config
        self.report = report
        self.damaged = damaged
        self.plan = Plan()
        self.users: dict[str, set[str]] = {}
        self.made_by: dict[str, str] = {}  # vault name -> what it is, to tell collisions
        self.unsafe: set[str] = set()
        self.unknown = 0
        self.causes: dict[str, list[tuple[Key, str]]] = {}

    def run(self) -> Plan:
        config = self.config
        self.plan.databases = self._databases()
        self._given()
        for key, service in config.services.items():
            self.plan.variables[key] = self._service_variables(key, service)
        for position, migration in enumerate(config.migrations):
            self.plan.migration_variables[migration.name] = self._migration_variables(position, migration)
        self._report_causes()
        self._settle()
        return self.plan

    # ------------------------------------------------------------------------------------------------------- names

    def _databases(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if self.config.postgresql is None:
            return found
        for key, service in self.config.services.items():
            texts = [*service.environment.values(), *service.secrets.values()]
            for migration in self.config.migrations:
                if migration.service == key and migration.database is None:
                    texts += [*migration.environment.values(), *migration.secrets.values()]
            if service.database:
                found[key] = service.database
            elif any(name.startswith("postgresql.") for text in texts for name in _names(text)):
                found[key] = key
        return found

    def known_names(self) -> list[str]:
        config = self.config
        known = [f"networking.{name}" for name in _NETWORKING]
        if config.postgresql:
            known += [f"postgresql.{name}" for name in _POSTGRESQL]
        if config.redis:
            known += [f"redis.{name}" for name in ("host", "port", "password", "url")]
        if config.mongodb:
            known.append("mongodb.connection_url")
        if config.monitoring:
            known.append("monitoring.connection_string")
        if config.container_apps:
            known.append("container_apps.default_domain")
        if "rabbitmq" in config.services:
            known += [f"rabbitmq.{name}" for name in ("host", "port", "user", "password", "url")]
        known += [f"services.{key}.{name}" for key in config.services for name in ("host", "port", "url")]
        known += [f"secrets.{key}" for key in sorted({*config.secrets, *GENERATED})]
        return known

    def look_up(self, name: str, database: str | None) -> Template | None:
        """What a name stands for; None for one that only the deployment knows.

        Raises:
            _UnknownError: with the words of the fault.
        """
        section, _, rest = name.partition(".")
        config = self.config
        if section == "networking" and rest in _NETWORKING:
            return Template((_NETWORKING[rest](config),))
        if section == "postgresql" and config.postgresql and rest in _POSTGRESQL:
            return self._postgresql(rest, database)
        if section == "redis" and config.redis:
            if rest == "url":
                return parse("rediss://:{{ redis.password | urlencode }}@{{ redis.host }}:{{ redis.port }}")
            if rest in ("host", "port", "password"):
                return None
        if section == "rabbitmq" and "rabbitmq" in config.services and (found := self._rabbitmq(rest)) is not None:
            return found
        if section == "services" and (found := self._service(rest)) is not None:
            return found
        if name == "mongodb.connection_url" and config.mongodb:
            return None
        if name == "monitoring.connection_string" and config.monitoring:
            return None
        if name == "container_apps.default_domain" and config.container_apps:
            return None
        if section == "secrets" and (rest in config.secrets or rest in GENERATED):
            return None
        if self._is_damaged(name):
            return None
        raise _UnknownError(self._unknown(name), cause=self._missing(name))

    def _postgresql(self, rest: str, database: str | None) -> Template | None:
        if rest in ("host", "port", "login", "password"):
            return None
        if database is None:
            raise _UnknownError(f"`{{{{ postgresql.{rest} }}}}` has no meaning here: set `database`")
        if rest == "database":
            return Template((database,))
        scheme, query = ("postgresql", "sslmode=require") if rest == "url" else ("postgresql+asyncpg", "ssl=require")
        return parse(
            f"{scheme}://{{{{ postgresql.login }}}}:{{{{ postgresql.password | urlencode }}}}"
            f"@{{{{ postgresql.host }}}}:{{{{ postgresql.port }}}}/{database}?{query}"
        )

    def _rabbitmq(self, rest: str) -> Template | None:
        service = self.config.services["rabbitmq"]
        own = {**service.environment, **service.secrets}
        host = Template((service.name,))
        port = Template((str(service.exposed_port or service.port or 5672),))
        if rest == "host":
            return host
        if rest == "port":
            return port
        user = own.get("RABBITMQ_DEFAULT_USER", "guest")
        if rest == "user":
            if "RABBITMQ_DEFAULT_USER" in service.secrets or _names(user):
                raise _UnknownError(
                    "services.rabbitmq: RABBITMQ_DEFAULT_USER must be plain text to be referred to",
                    cause="rabbitmq user",
                )
            return parse(user)
        source = _sole(own.get("RABBITMQ_DEFAULT_PASS", "{{ rabbitmq.password }}"))
        if source == "rabbitmq.password":
            source = "secrets.rabbitmq_password"
        if source is None or not source.startswith("secrets."):
            raise _UnknownError(
                "services.rabbitmq: RABBITMQ_DEFAULT_PASS must be `{{ secrets.… }}` and nothing else to be referred to",
                cause="rabbitmq password",
            )
        password = Template((Name(source),))
        if rest == "password":
            return password
        if rest == "url":
            # Without a path: every client takes that for the virtual host `/`, but not all take a lone slash so.
            encoded = Template((Name("u", True), ":", Name("p", True))).expand({"u": parse(user), "p": password}.get)
            return Template(("amqp://", *encoded.parts, "@", *host.parts, ":", *port.parts))
        return None

    def _service(self, rest: str) -> Template | None:
        key, _, what = rest.rpartition(".")
        service = self.config.services.get(key)
        if service is None or what not in ("host", "port", "url"):
            return None
        if service.ingress == "none":
            if any(place[:2] == ("services", key) for place in self.damaged):
                return Template((Name(f"services.{rest}"),))  # for want of a port that has a fault, perhaps
            raise _UnknownError(f"the service `{key}` has no ingress, so nothing can reach it")
        if service.transport == "tcp":
            port = str(service.exposed_port or service.port)
            host, address = service.name, f"http://{service.name}:{port}"
        else:
            inside = "" if service.ingress == "external" else ".internal"
            host = f"{service.name}{inside}.{{{{ container_apps.default_domain }}}}"
            plain = service.allow_insecure and service.ingress == "internal"
            port, address = ("80", f"http://{host}") if plain else ("443", f"https://{host}")
        return parse({"host": host, "port": port, "url": address}[what])

    def _is_damaged(self, name: str) -> bool:
        """Whether a name means something that is in the file but had to be left out for a fault of its own."""
        section, _, rest = name.partition(".")
        raw, config = self.config.raw, self.config
        if section in _SECTIONS:
            return getattr(config, section) is None and (raw.get(section) is not None or (section,) in self.damaged)
        key = rest.rpartition(".")[0] if section == "services" else rest
        section, key = ("services", "rabbitmq") if section == "rabbitmq" else (section, key)
        if section not in ("services", "secrets") or key in getattr(config, section):
            return False
        if (section,) in self.damaged:
            return True
        there = raw.get(section)
        return there.get(key) is not None if isinstance(there, dict) else there is not None

    def _missing(self, name: str) -> str | None:
        """The section that a name needs and that is not there."""
        section = name.partition(".")[0]
        if section in (*_SECTIONS, "secrets"):
            return section if self.config.raw.get(section) is None else None
        return section if section == "rabbitmq" and "rabbitmq" not in self.config.services else None

    def _unknown(self, name: str) -> str:
        section, _, rest = name.partition(".")
        if section in _SECTIONS and self.config.raw.get(section) is None:
            return f"`{{{{ {name} }}}}` needs the section `{section}`, which is not there"
        if section == "rabbitmq" and "rabbitmq" not in self.config.services:
            return f"`{{{{ {name} }}}}` needs a service `rabbitmq`, which is not there"
        self.unknown += 1
        if self.unknown > 50 or len(name) > 200:
            return f"`{{{{ {name[:100]} }}}}` is an unknown reference"
        known = self.known_names()
        same = [name.partition(".")[2] for name in known if name.startswith(f"{section}.")]
        found = nearest(rest, same)
        near = f"{section}.{found}" if found else nearest(name, known) if not same else None
        hint = f"; did you mean `{{{{ {near} }}}}`?" if near else ""
        if section == "secrets":
            hint = hint or f"; add `{rest}` under secrets"
        return f"`{{{{ {name} }}}}` is an unknown reference{hint}"

    # --------------------------------------------------------------------------------------------------- variables

    def _expand(self, text: str, database: str | None, key: Key) -> Template | None:
        """A text with everything put in that the configuration knows; None, and a fault, where that cannot be."""
        try:
            return parse(text).expand(lambda name: self.look_up(name, database))
        except _UnknownError as error:
            self._unknown_at(error, key)
        except ValueError as error:
            self.report(key, str(error))
        return None

    def _unknown_at(self, error: _UnknownError, key: Key) -> None:
        if error.cause is None:
            self.report(key, str(error))
        else:
            self.causes.setdefault(error.cause, []).append((key, str(error)))

    def _report_causes(self) -> None:
        for found in self.causes.values():
            key, words = found[0]
            others = len({place for place, _ in found}) - 1
            self.report(key, f"{words} (and so for {others} more)" if others else words)

    def _service_variables(self, key: str, service: Service) -> list[Variable]:
        place: Key = ("services", key)
        for name in sorted(service.environment.keys() & service.secrets.keys()):
            self.report((*place, "secrets", name), "the variable stands under `environment` too; keep one")
        variables = []
        for name, (text, where) in _texts(service.environment, service.secrets).items():
            owner = naming.vault_name(f"{key}-{name}")
            variable = self._variable(name, text, where, (*place, where, name), self.plan.databases.get(key), owner,
                                      f"services.{key}")  # fmt: skip
            if variable:
                variables.append(variable)
        return sorted(variables, key=lambda variable: variable.name)

    def _migration_variables(self, position: int, migration: Migration) -> list[Variable]:
        service = self.config.services.get(migration.service)
        database = migration.database or self.plan.databases.get(migration.service)
        texts: dict[str, tuple[str, str, Key]] = {}
        if service is not None:
            for name, (text, where) in _texts(service.environment, service.secrets).items():
                texts[name] = (text, where, ("services", migration.service, where, name))
        for name, (text, where) in _texts(migration.environment, migration.secrets).items():
            texts[name] = (text, where, ("migrations", position, where, name))
        user = f"migrations.{migration.name}"
        inherited = {variable.name: variable for variable in self.plan.variables.get(migration.service, ())}
        variables = []
        for name, (text, where, key) in texts.items():
            if key[0] == "services" and database == self.plan.databases.get(migration.service):
                if (variable := inherited.get(name)) is not None:
                    if variable.secret:
                        self.users.setdefault(variable.secret, set()).add(user)
                    variables.append(variable)
                continue
            owner = naming.vault_name(f"{migration.service}-migration-{name}")
            same = inherited.get(name)
            found = self._variable(
                name,
                text,
                where,
                key,
                database,
                owner,
                user,
                like=same.secret if same else None,
                migrates=migration.service,
            )
            if found:
                variables.append(found)
        return sorted(variables, key=lambda variable: variable.name)

    def _variable(
        self,
        name: str,
        text: str,
        where: str,
        key: Key,
        database: str | None,
        owner: str,
        user: str,
        like: str | None = None,
        migrates: str | None = None,
    ) -> Variable | None:
        expanded = self._expand(text, database, key)
        if expanded is None or not all(map(_is_base, expanded.names)):
            return None  # there is a fault, here or in the section that a name means
        secret = where == "secrets" or any(map(is_secret_name, expanded.names))
        if not secret:
            return Variable(name, template=str(expanded))
        sole = expanded.sole
        if sole is not None and is_secret_name(sole):
            vault = vault_name_of(sole)
            self._warn_unsafe(sole, name, key)
        elif not expanded.parts and owner in self.config.raw.in_vault:
            vault = owner
            self.plan.secrets[vault] = self._kept(vault, key)
        else:
            if not expanded.parts:
                self._empty(key, f"a value for {name}")
                expanded = Template((f"emulator-dummy-{name.lower()}",))
            elif key[0] == "migrations" and where == "secrets" and not any(map(is_secret_name, expanded.names)):
                self.report(key, "write the value under `secrets` and refer to it by `{{ secrets.… }}`")
                return None
            if "container_apps.default_domain" in expanded.names:
                self.report(key, "a secret cannot hold a service's address or the default domain: secrets are stored "
                                 "before the environment is made")  # fmt: skip
                return None
            vault = _SHARED.get(parse(text).sole or "", owner)
            if like is not None and self._is_same(like, expanded):
                vault = like
            else:
                place = f"services.{migrates}, migrations" if migrates else user
                self._compose(vault, expanded, f"that of {place} {name}" if vault == owner else _OWN, key)
        self.users.setdefault(vault, set()).add(user)
        return Variable(name, secret=vault)

    def _is_same(self, vault: str, expanded: Template) -> bool:
        known = self.plan.secrets.get(vault)
        return known is not None and (known.template == str(expanded) or known.value == _literal(expanded) is not None)

    def _compose(self, vault: str, expanded: Template, what: str, key: Key) -> None:
        plain = _literal(expanded)
        if plain is not None:
            if naming.is_published(plain) and self.config.azure.cloud != "emulator":
                self.report(key, "the value is a published stand-in, no secret")
            secret = VaultSecret(vault, "given", value=plain)
        else:
            secret = VaultSecret(vault, "composed", template=str(expanded))
        known = self.plan.secrets.get(vault, secret)
        if self.made_by.setdefault(vault, what) != what or known != secret:
            self.report(key, f"would be the vault's secret `{vault}`, which is {self.made_by[vault]}; rename one")
            return
        if fault := naming.name_fault("vault_secret", vault):
            self.report(key, f"its name in the vault {fault}")
            return
        if "://" in "".join(part for part in expanded.parts if isinstance(part, str)):
            for part in expanded.parts:
                if isinstance(part, Name) and is_secret_name(part.name) and not part.urlencode:
                    self._warn_unsafe(part.name, "a URL", key)
        self.plan.secrets[vault] = secret

    # ----------------------------------------------------------------------------------------------------- secrets

    def _given(self) -> None:
        """The vault names of what stands under `secrets`, and of the fixed ones, before anything can collide."""
        for name, vault in _FIXED.items():
            self.made_by[vault] = f"that of `{name}`"
        for vault in _SHARED.values():
            self.made_by[vault] = _OWN
        for key in self.config.secrets:
            vault = naming.vault_name(key)
            place: Key = ("secrets", key)
            if fault := naming.name_fault("vault_secret", vault):
                self.report(place, f"its name in the vault {fault}")
            elif vault in self.made_by:
                self.report(place, f"would be the vault's secret `{vault}`, which is {self.made_by[vault]}; rename one")
            else:
                self.made_by[vault] = f"that of secrets.{key}"

    def _value_of(self, key: str) -> tuple[str, bool]:
        """A secret's value, and whether it is made when empty."""
        value = self.config.secrets.get(key, "")
        if isinstance(value, str):
            return value, key in GENERATED
        return "", value.generate or key in GENERATED

    def _settle(self) -> None:
        """Add what the composed ones are made of, and everything that is given."""
        used: dict[str, set[str]] = {vault: set(users) for vault, users in self.users.items()}
        bases: dict[str, str] = {}
        for name, vault in _FIXED.items():
            bases[vault] = name
        for key in sorted({*self.config.secrets, *GENERATED}):
            bases.setdefault(naming.vault_name(key), f"secrets.{key}")
        for vault, secret in self.plan.secrets.items():
            for name in secret.parts:
                if is_secret_name(name):
                    used.setdefault(vault_name_of(name), set()).update(self.users.get(vault, ()))
        if self.config.postgresql is not None:
            used.setdefault(POSTGRESQL_PASSWORD, set())
        for key in self.config.secrets:
            used.setdefault(naming.vault_name(key), set())
        for vault, users in used.items():
            if vault not in self.plan.secrets and vault in bases:
                base = self._base(bases[vault], vault, bool(users))
                if base is not None:
                    self.plan.secrets[vault] = base
        self.plan.secrets = {
            vault: replace(secret, used_by=tuple(sorted(used.get(vault, ()))))
            for vault, secret in sorted(self.plan.secrets.items())
        }

    def _base(self, name: str, vault: str, used: bool) -> VaultSecret | None:
        config = self.config
        if name == "postgresql.password":
            value = config.postgresql.admin_password if config.postgresql else ""
            return VaultSecret(vault, "postgresql_password", value=value or None)
        if name == "monitoring.connection_string":
            return VaultSecret(vault, "monitoring")
        if name == "redis.password":
            return VaultSecret(vault, "redis_password")
        if name == "mongodb.connection_url":
            return self._needed(
                ("mongodb", "connection_url"), vault, config.mongodb.connection_url if config.mongodb else ""
            )
        key = name.removeprefix("secrets.")
        given = config.secrets.get(key)
        if given is not None and not isinstance(given, str) and given.existing:
            vault_of = config.key_vault.name if config.key_vault else "<vault>"
            remedy = f"Put it there: az keyvault secret set --vault-name {vault_of} --name {vault} --file <file>"
            return VaultSecret(vault, "existing", remedy=f"{remedy}. Then run again.")
        value, made = self._value_of(key)
        if value and not naming.is_published(value):
            return VaultSecret(vault, "given", value=value)
        if not value and made:
            return VaultSecret(vault, "generated")
        if not value and vault in config.raw.in_vault:
            return self._kept(vault, ("secrets", key))
        return self._needed(("secrets", key), vault, value) if used else None

    def _needed(self, key: Key, vault: str, value: str) -> VaultSecret:
        """A secret that something uses and that must be given."""
        if not value and vault in self.config.raw.in_vault:
            return self._kept(vault, key)
        if not value or naming.is_published(value):
            self._empty(key, "a value" if not value else "a real value in place of the published stand-in")
            value = f"emulator-dummy-{key[-1]}"
        return VaultSecret(vault, "given", value=value)

    def _kept(self, vault: str, key: Key) -> VaultSecret:
        """A secret that this configuration does not give and the vault has."""
        names = self.config.raw.from_environment.get(key)
        remedy = f"Export {' and '.join(names)}" if names else f"Give {'.'.join(map(str, key))} a value"
        dummy = f"emulator-dummy-{str(key[-1]).lower()}" if self.config.azure.cloud == "emulator" else None
        return VaultSecret(vault, "kept", value=dummy, remedy=f"{remedy}, then run again.")

    def _empty(self, key: Key, wanted: str) -> None:
        """A secret that is used has no real value: a fault, but on the emulator, where a dummy will do."""
        if self.config.azure.cloud == "emulator":
            self.plan.notices.append(f"{'.'.join(map(str, key))} has no real value; on the emulator a dummy stands in")
        elif not self.damaged & {(), ("azure",), ("azure", "cloud")}:  # else it might be meant to be the emulator
            users = self.users.get(naming.vault_name(str(key[-1])), set()) if key[0] == "secrets" else set()
            names = self.config.raw.from_environment.get(key, ())
            words = f"needs {wanted}" + (f" (used by {', '.join(sorted(users))})" if users else "")
            self.report(key, words + (f"; export {' and '.join(names)}" if names else ""))

    def _warn_unsafe(self, name: str, where: str, key: Key) -> None:
        if name == "postgresql.password" and self.config.postgresql:
            value = self.config.postgresql.admin_password
        elif name == "secrets.rabbitmq_password" or (where == "a URL" and name.startswith("secrets.")):
            value = self._value_of(name.removeprefix("secrets."))[0]
        else:
            return
        if not naming.is_url_safe(value) and name not in self.unsafe:
            self.unsafe.add(name)
            self.plan.notices.append(
                f"{'.'.join(map(str, key))}: {name} has characters that a URL cannot hold as they are; "
                f"an application that puts it into a URL must encode it (`| urlencode`)"
            )


def _names(text: str) -> set[str]:
    try:
        return parse(text).names
    except ValueError:
        return set()


def _sole(text: str) -> str | None:
    try:
        return parse(text).sole
    except ValueError:
        return None


def _literal(template: Template) -> str | None:
    """The text of a template without names."""
    if any(isinstance(part, Name) for part in template.parts):
        return None
    return "".join(map(str, template.parts))


def _texts(environment: dict[str, str], secrets: dict[str, str]) -> dict[str, tuple[str, str]]:
    found = {name: (text, "environment") for name, text in environment.items()}
    found.update((name, (text, "secrets")) for name, text in secrets.items())
    return found


def _origins(config: Config) -> Iterable[str]:
    return [origin.strip() for origin in config.networking.cors_origin.split(",") if origin.strip()]


_SECTIONS = ("postgresql", "redis", "mongodb", "monitoring", "container_apps")
_POSTGRESQL = ("host", "port", "login", "password", "database", "url", "asyncpg_url")
_NETWORKING: dict[str, Callable[[Config], str]] = {
    "cors_origin": lambda config: config.networking.cors_origin,
    "cors_origins_json": lambda config: json.dumps(list(_origins(config)), separators=(",", ":")),
    "swagger_enabled": lambda config: str(config.networking.swagger_enabled).lower(),
    "swagger_path": lambda config: config.networking.swagger_path,
}
