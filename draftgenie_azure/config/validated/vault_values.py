"""Determine where the value of each vault secret comes from: given, generated, kept by the vault, read from Azure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from draftgenie_azure.config.keys import GENERATED, Key
from draftgenie_azure.config.placeholders import is_secret_name
from draftgenie_azure.config.validated import naming
from draftgenie_azure.config.validated.vault_secrets import (
    FIXED,
    POSTGRESQL_PASSWORD,
    Plan,
    Report,
    VaultSecret,
    vault_name_of,
)

if TYPE_CHECKING:
    from draftgenie_azure.config.validated.schema import Config


class Values:
    """Add the base secrets, which others are composed of, to a plan.

    Args:
        config: the validated sections.
        plan: the plan to complete.
        report: called with the key and message of each fault.
        damaged: keys that already have a fault.
        users: vault name -> its users.
    """

    def __init__(
        self, config: Config, plan: Plan, report: Report, damaged: set[Key], users: dict[str, set[str]]
    ) -> None:
        self._config = config
        self._plan = plan
        self._report = report
        self._damaged = damaged
        self._users = users
        self._unsafe: set[str] = set()

    def value_of(self, key: str) -> tuple[str, bool]:
        """Return a secret's value, and whether it is generated if empty."""
        value = self._config.secrets.get(key, "")
        if isinstance(value, str):
            return value, key in GENERATED
        return "", value.generate or key in GENERATED

    def settle(self) -> None:
        """Add the parts of composed secrets, and every secret given in the configuration."""
        used: dict[str, set[str]] = {vault: set(users) for vault, users in self._users.items()}
        bases: dict[str, str] = {}
        for name, vault in FIXED.items():
            bases[vault] = name
        for key in sorted({*self._config.secrets, *GENERATED}):
            bases.setdefault(naming.vault_name(key), f"secrets.{key}")
        for vault, secret in self._plan.secrets.items():
            for name in secret.parts:
                if is_secret_name(name):
                    used.setdefault(vault_name_of(name), set()).update(self._users.get(vault, ()))
        if self._config.postgresql is not None:
            used.setdefault(POSTGRESQL_PASSWORD, set())
        for key in self._config.secrets:
            used.setdefault(naming.vault_name(key), set())
        for vault, users in used.items():
            if vault not in self._plan.secrets and vault in bases:
                base = self._base(bases[vault], vault, bool(users))
                if base is not None:
                    self._plan.secrets[vault] = base
        self._plan.secrets = {
            vault: replace(secret, used_by=tuple(sorted(used.get(vault, ()))))
            for vault, secret in sorted(self._plan.secrets.items())
        }

    def _base(self, name: str, vault: str, used: bool) -> VaultSecret | None:
        config = self._config
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
        value, made = self.value_of(key)
        if value and not naming.is_published(value):
            return VaultSecret(vault, "given", value=value)
        if not value and made:
            return VaultSecret(vault, "generated")
        if not value and vault in config.raw.in_vault:
            return self.kept(vault, ("secrets", key))
        return self._needed(("secrets", key), vault, value) if used else None

    def _needed(self, key: Key, vault: str, value: str) -> VaultSecret:
        """Return a secret that is in use and must be given."""
        if not value and vault in self._config.raw.in_vault:
            return self.kept(vault, key)
        if not value or naming.is_published(value):
            self.empty(key, "a value" if not value else "a real value in place of the published example")
            value = f"emulator-dummy-{key[-1]}"
        return VaultSecret(vault, "given", value=value)

    def kept(self, vault: str, key: Key) -> VaultSecret:
        """Return a secret that the vault has and this configuration does not give."""
        names = self._config.raw.from_environment.get(key)
        remedy = f"Export {' and '.join(names)}" if names else f"Give {'.'.join(map(str, key))} a value"
        dummy = f"emulator-dummy-{str(key[-1]).lower()}" if self._config.azure.cloud == "emulator" else None
        return VaultSecret(vault, "kept", value=dummy, remedy=f"{remedy}, then run again.")

    def empty(self, key: Key, wanted: str) -> None:
        """Report a used secret without a real value; on the emulator use a dummy value and warn."""
        if self._config.azure.cloud == "emulator":
            self._plan.notices.append(f"{'.'.join(map(str, key))} has no real value; the emulator uses a dummy")
        elif not self._damaged & {(), ("azure",), ("azure", "cloud")}:  # else perhaps meant for the emulator
            users = self._users.get(naming.vault_name(str(key[-1])), set()) if key[0] == "secrets" else set()
            names = self._config.raw.from_environment.get(key, ())
            words = f"needs {wanted}" + (f" (used by {', '.join(sorted(users))})" if users else "")
            self._report(key, words + (f"; export {' and '.join(names)}" if names else ""))

    def warn_unsafe(self, name: str, where: str, key: Key) -> None:
        """Warn about a secret that is used unencoded in a URL and has characters that need encoding."""
        if name == "postgresql.password" and self._config.postgresql:
            value = self._config.postgresql.admin_password
        elif name == "secrets.rabbitmq_password" or (where == "a URL" and name.startswith("secrets.")):
            value = self.value_of(name.removeprefix("secrets."))[0]
        else:
            return
        if not naming.is_url_safe(value) and name not in self._unsafe:
            self._unsafe.add(name)
            self._plan.notices.append(
                f"{'.'.join(map(str, key))}: {name} has characters that must be encoded in a URL; "
                f"an application that puts it into a URL must encode it (`| urlencode`)"
            )
