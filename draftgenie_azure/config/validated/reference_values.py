"""Resolve `{{ name }}` references as far as the configuration allows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from draftgenie_azure.config.keys import GENERATED, Key
from draftgenie_azure.config.placeholders import Name, Template, parse
from draftgenie_azure.nearest import nearest

if TYPE_CHECKING:
    from draftgenie_azure.config.validated.schema import Config


class UnknownReferenceError(Exception):
    """A name that cannot be resolved.

    Args:
        words: the message.
        cause: the common cause of several such faults, reported once; None if there is none.
    """

    def __init__(self, words: str, *, cause: str | None = None) -> None:
        super().__init__(words)
        self.cause = cause


class Names:
    """Resolve names to templates.

    Args:
        config: the validated sections.
        damaged: keys with a fault; references to them are not reported again.
    """

    def __init__(self, config: Config, damaged: set[Key]) -> None:
        self._config = config
        self._damaged = damaged
        self._count = 0  # number of unknown names; computing suggestions is slow

    def known(self) -> list[str]:
        """Return the names that this configuration defines."""
        config = self._config
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
        """Return the value of a name, or None if it is known only during deployment.

        Raises:
            UnknownReferenceError: the name is unknown, or cannot be used here.
        """
        section, _, rest = name.partition(".")
        config = self._config
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
        raise UnknownReferenceError(self._unknown(name), cause=self._missing(name))

    def _postgresql(self, rest: str, database: str | None) -> Template | None:
        if rest in ("host", "port", "login", "password"):
            return None
        if database is None:
            raise UnknownReferenceError(f"`{{{{ postgresql.{rest} }}}}` has no meaning here: set `database`")
        if rest == "database":
            return Template((database,))
        scheme, query = ("postgresql", "sslmode=require") if rest == "url" else ("postgresql+asyncpg", "ssl=require")
        return parse(
            f"{scheme}://{{{{ postgresql.login }}}}:{{{{ postgresql.password | urlencode }}}}"
            f"@{{{{ postgresql.host }}}}:{{{{ postgresql.port }}}}/{database}?{query}"
        )

    def _rabbitmq(self, rest: str) -> Template | None:
        service = self._config.services["rabbitmq"]
        own = {**service.environment, **service.secrets}
        host = Template((service.name,))
        port = Template((str(service.exposed_port or service.port or 5672),))
        if rest == "host":
            return host
        if rest == "port":
            return port
        user = own.get("RABBITMQ_DEFAULT_USER", "guest")
        if rest == "user":
            if "RABBITMQ_DEFAULT_USER" in service.secrets or names_in(user):
                raise UnknownReferenceError(
                    "services.rabbitmq: RABBITMQ_DEFAULT_USER must be plain text to be referred to",
                    cause="rabbitmq user",
                )
            return parse(user)
        source = sole_name(own.get("RABBITMQ_DEFAULT_PASS", "{{ rabbitmq.password }}"))
        if source == "rabbitmq.password":
            source = "secrets.rabbitmq_password"
        if source is None or not source.startswith("secrets."):
            raise UnknownReferenceError(
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
        service = self._config.services.get(key)
        if service is None or what not in ("host", "port", "url"):
            return None
        if service.ingress == "none":
            if any(place[:2] == ("services", key) for place in self._damaged):
                return Template((Name(f"services.{rest}"),))  # perhaps because its port has a fault
            raise UnknownReferenceError(f"the service `{key}` has no ingress, so nothing can reach it")
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
        """Return whether a name refers to something that was left out because of its own fault."""
        section, _, rest = name.partition(".")
        raw, config = self._config.raw, self._config
        if section in _SECTIONS:
            return getattr(config, section) is None and (raw.get(section) is not None or (section,) in self._damaged)
        key = rest.rpartition(".")[0] if section == "services" else rest
        section, key = ("services", "rabbitmq") if section == "rabbitmq" else (section, key)
        if section not in ("services", "secrets") or key in getattr(config, section):
            return False
        if (section,) in self._damaged:
            return True
        there = raw.get(section)
        return there.get(key) is not None if isinstance(there, dict) else there is not None

    def _missing(self, name: str) -> str | None:
        """Return the missing section that a name needs, or None."""
        section = name.partition(".")[0]
        if section in (*_SECTIONS, "secrets"):
            return section if self._config.raw.get(section) is None else None
        service = self._missing_service(name)
        return None if service is None or self._near_service(service) else f"services.{service}"

    def _missing_service(self, name: str) -> str | None:
        """The service that a name refers to and that is not configured."""
        section, _, rest = name.partition(".")
        key = {"rabbitmq": "rabbitmq", "services": rest.rpartition(".")[0]}.get(section, "")
        return key if key and key not in self._config.services else None

    def _near_service(self, key: str) -> str | None:
        return nearest(key, list(self._config.services))

    def _unknown(self, name: str) -> str:
        section, _, rest = name.partition(".")
        if section in _SECTIONS and self._config.raw.get(section) is None:
            return f"`{{{{ {name} }}}}` needs the section `{section}`, which is missing"
        self._count += 1
        if self._count > 50 or len(name) > 200:
            return f"`{{{{ {name[:100]} }}}}` is an unknown reference"
        service = self._missing_service(name)
        if service is not None and not self._near_service(service):
            return f"`{{{{ {name} }}}}` needs a service `{service}`, which is missing"
        known = self.known()
        same = [name.partition(".")[2] for name in known if name.startswith(f"{section}.")]
        found = nearest(rest, same)
        near = f"{section}.{found}" if found else nearest(name, known) if not same else None
        hint = f"; did you mean `{{{{ {near} }}}}`?" if near else ""
        if section == "secrets":
            hint = hint or f"; add `{rest}` under secrets"
        return f"`{{{{ {name} }}}}` is an unknown reference{hint}"


def names_in(text: str) -> set[str]:
    """Return the names used in a text; none if it cannot be parsed."""
    try:
        return parse(text).names
    except ValueError:
        return set()


def references(text: str) -> list[str]:
    """Return the placeholders of a text that name one of our sections; other programs use braces too."""
    sections = {*_SECTIONS, "networking", "rabbitmq", "services", "secrets"}
    names = sorted(names_in(text)) if "{{" in text else []
    return [f"{{{{ {name} }}}}" for name in names if name.partition(".")[0] in sections]


def sole_name(text: str) -> str | None:
    """Return the name if a text is exactly one placeholder, else None."""
    try:
        return parse(text).sole
    except ValueError:
        return None


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
