"""Resolve variables and secrets: which values an app gets in plain text, and which through the vault.

A value that contains a secret becomes a vault secret of its own (`composed`), made from a template; a value that is
just the name of a secret refers to that secret. Templates are expanded here as far as the configuration allows; the
names that remain are known only during deployment:

    postgresql.host .port .login .password     redis.host .port .password     container_apps.default_domain
    monitoring.connection_string               mongodb.connection_url         secrets.<key>
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from draftgenie_azure.config.keys import Key
from draftgenie_azure.config.placeholders import Name, Template, is_secret_name, parse
from draftgenie_azure.config.validated import naming
from draftgenie_azure.config.validated.reference_values import Names, UnknownReferenceError, names_in
from draftgenie_azure.config.validated.vault_secrets import (
    FIXED,
    OWN,
    SHARED,
    Plan,
    Report,
    Variable,
    VaultSecret,
    is_base,
    vault_name_of,
)
from draftgenie_azure.config.validated.vault_values import Values

if TYPE_CHECKING:
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.config.validated.service_sections import Migration, Service


def make_plan(config: Config, report: Report, damaged: set[Key]) -> Plan:
    """Resolve the variables and secrets of all services and migrations.

    Args:
        config: the validated sections.
        report: called with the key and message of each fault.
        damaged: keys with a fault; references to them are not reported again.
    """
    return _Planner(config, report, damaged).run()


@dataclass(frozen=True)
class _Wanted:
    """A variable as the configuration defines it.

    Attributes:
        name: name of the variable.
        text: its value.
        key: its place in the configuration.
        database: of the service or migration.
        owner: vault name of the secret made only for this variable.
        user: the service or migration that has the variable.
        like: vault name of the secret behind the service's variable of the same name.
        migrates: the service whose migration it belongs to.
    """

    name: str
    text: str
    key: Key
    database: str | None
    owner: str
    user: str
    like: str | None = None
    migrates: str | None = None

    @property
    def is_secret(self) -> bool:
        """True if it is defined under `secrets`."""
        return self.key[2] == "secrets"


class _Planner:
    def __init__(self, config: Config, report: Report, damaged: set[Key]) -> None:
        self.config = config
        self.report = report
        self.plan = Plan()
        self.names = Names(config, damaged)
        self.users: dict[str, set[str]] = {}
        self.values = Values(config, self.plan, report, damaged, self.users)
        self.made_by: dict[str, str] = {}  # vault name -> its origin, to report collisions
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
        self.values.settle()
        return self.plan

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
            elif any(name.startswith("postgresql.") for text in texts for name in names_in(text)):
                found[key] = key
        return found

    def _expand(self, text: str, database: str | None, key: Key) -> Template | None:
        """Expand a text as far as the configuration allows; report a fault and return None if that fails."""
        try:
            return parse(text).expand(lambda name: self.names.look_up(name, database))
        except UnknownReferenceError as error:
            self._unknown_at(error, key)
        except ValueError as error:
            self.report(key, str(error))
        return None

    def _unknown_at(self, error: UnknownReferenceError, key: Key) -> None:
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
            self.report((*place, "secrets", name), "the variable is under `environment` too; keep one")
        variables = []
        for name, (text, where) in _texts(service.environment, service.secrets).items():
            owner = naming.vault_name(f"{key}-{name}")
            database = self.plan.databases.get(key)
            variable = self._variable(_Wanted(name, text, (*place, where, name), database, owner, f"services.{key}"))
            if variable:
                variables.append(variable)
        return sorted(variables, key=lambda variable: variable.name)

    def _migration_variables(self, position: int, migration: Migration) -> list[Variable]:
        service = self.config.services.get(migration.service)
        database = migration.database or self.plan.databases.get(migration.service)
        texts: dict[str, tuple[str, Key]] = {}
        if service is not None:
            for name, (text, where) in _texts(service.environment, service.secrets).items():
                texts[name] = (text, ("services", migration.service, where, name))
        for name, (text, where) in _texts(migration.environment, migration.secrets).items():
            texts[name] = (text, ("migrations", position, where, name))
        user = f"migrations.{migration.name}"
        inherited = {variable.name: variable for variable in self.plan.variables.get(migration.service, ())}
        variables = []
        for name, (text, key) in texts.items():
            if key[0] == "services" and database == self.plan.databases.get(migration.service):
                if (variable := inherited.get(name)) is not None:
                    if variable.secret:
                        self.users.setdefault(variable.secret, set()).add(user)
                    variables.append(variable)
                continue
            owner = naming.vault_name(f"{migration.service}-migration-{name}")
            same = inherited.get(name)
            like = same.secret if same else None
            found = self._variable(_Wanted(name, text, key, database, owner, user, like, migration.service))
            if found:
                variables.append(found)
        return sorted(variables, key=lambda variable: variable.name)

    def _variable(self, wanted: _Wanted) -> Variable | None:
        key = wanted.key
        expanded = self._expand(wanted.text, wanted.database, key)
        if expanded is None or not all(map(is_base, expanded.names)):
            return None  # there is a fault, here or in the section that a name refers to
        if not wanted.is_secret and not any(map(is_secret_name, expanded.names)):
            return Variable(wanted.name, template=str(expanded))
        sole = expanded.sole
        if sole is not None and is_secret_name(sole):
            vault: str | None = vault_name_of(sole)
            self.values.warn_unsafe(sole, wanted.name, key)
        elif not expanded.parts and wanted.owner in self.config.raw.in_vault:
            vault = wanted.owner
            self.plan.secrets[vault] = self.values.kept(vault, key)
        else:
            vault = self._composed(wanted, expanded)
        if vault is None:
            return None
        self.users.setdefault(vault, set()).add(wanted.user)
        return Variable(wanted.name, secret=vault)

    def _composed(self, wanted: _Wanted, expanded: Template) -> str | None:
        """Return the vault name of the secret made for a variable; report a fault and return None if that fails."""
        key = wanted.key
        if not expanded.parts:
            self.values.empty(key, f"a value for {wanted.name}")
            expanded = Template((f"emulator-dummy-{wanted.name.lower()}",))
        elif key[0] == "migrations" and wanted.is_secret and not any(map(is_secret_name, expanded.names)):
            self.report(key, "write the value under `secrets` and refer to it by `{{ secrets.… }}`")
            return None
        if "container_apps.default_domain" in expanded.names:
            self.report(key, "a secret cannot contain a service's address or the default domain: secrets are stored "
                             "before the environment is made")  # fmt: skip
            return None
        if wanted.like is not None and self._is_same(wanted.like, expanded):
            return wanted.like
        vault = SHARED.get(parse(wanted.text).sole or "", wanted.owner)
        place = f"services.{wanted.migrates}, migrations" if wanted.migrates else wanted.user
        self._compose(vault, expanded, f"that of {place} {wanted.name}" if vault == wanted.owner else OWN, key)
        return vault

    def _is_same(self, vault: str, expanded: Template) -> bool:
        known = self.plan.secrets.get(vault)
        return known is not None and (known.template == str(expanded) or known.value == _literal(expanded) is not None)

    def _compose(self, vault: str, expanded: Template, what: str, key: Key) -> None:
        plain = _literal(expanded)
        if plain is not None:
            if naming.is_published(plain) and self.config.azure.cloud != "emulator":
                self.report(key, "the value is a published example, not a secret")
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
                    self.values.warn_unsafe(part.name, "a URL", key)
        self.plan.secrets[vault] = secret

    def _given(self) -> None:
        """Collect the vault names of `secrets` and of the fixed secrets, before collisions are checked."""
        for name, vault in FIXED.items():
            self.made_by[vault] = f"that of `{name}`"
        for vault in SHARED.values():
            self.made_by[vault] = OWN
        for key in self.config.secrets:
            vault = naming.vault_name(key)
            place: Key = ("secrets", key)
            if fault := naming.name_fault("vault_secret", vault):
                self.report(place, f"its name in the vault {fault}")
            elif vault in self.made_by:
                self.report(place, f"would be the vault's secret `{vault}`, which is {self.made_by[vault]}; rename one")
            else:
                self.made_by[vault] = f"that of secrets.{key}"


def _literal(template: Template) -> str | None:
    """Return the text of a template without names, or None."""
    if any(isinstance(part, Name) for part in template.parts):
        return None
    return "".join(map(str, template.parts))


def _texts(environment: dict[str, str], secrets: dict[str, str]) -> dict[str, tuple[str, str]]:
    found = {name: (text, "environment") for name, text in environment.items()}
    found.update((name, (text, "secrets")) for name, text in secrets.items())
    return found
