"""Store all other secrets of the application in the vault."""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.plan import known_after
from draftgenie_azure.config.validated.vault_secrets import POSTGRESQL_PASSWORD
from draftgenie_azure.errors import AzureError, DeployerError
from draftgenie_azure.provision import addresses
from draftgenie_azure.provision.template_values import plain_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.config.validated.vault_secrets import VaultSecret
    from draftgenie_azure.provision.vault import Vault
    from draftgenie_azure.session import Session

    Outputs = dict[str, Any]

STEP = "store_secrets"


def store(session: Session, inputs: Mapping[str, Outputs], vault: Vault | None) -> Outputs:
    """Store given, generated and composed secrets, one write at a time: a vault refuses concurrent writes."""
    if vault is None:
        return {}
    published = inputs["create_databases"]
    versions: dict[str, str] = {}
    if "postgresql" in published:
        versions[POSTGRESQL_PASSWORD] = published["postgresql"]["password_version"]
    plain = plain_values(published)
    wanted = session.config.vault_secrets()
    # Composed ones come last: they contain the others.
    for name in sorted(wanted, key=lambda name: (wanted[name].origin == "composed", name)):
        secret = wanted[name]
        if secret.origin == "postgresql_password":
            continue
        if secret.origin == "generated":
            versions[name] = vault.ensure_generated(name)
        elif secret.origin in ("kept", "existing"):
            versions[name] = vault.ensure_existing(secret)
        elif secret.origin == "composed":
            versions[name] = vault.ensure_composed(name, secret.template or "", plain, versions)
        else:
            value = _value(session, secret)
            versions[name] = vault.ensure_given(name, value, keep_foreign=secret.origin == "given")
    _drop_requests(session, wanted)
    vault.ensure_reader()
    return {
        "secrets": {
            name: {"uri": f"{vault.uri}secrets/{name}", "version": version}
            for name, version in sorted(versions.items())
        }
    }


def _drop_requests(session: Session, wanted: Mapping[str, VaultSecret]) -> None:
    """Forget interrupted rotations of secrets that the configuration gives by now, or no longer has."""
    generated = {name for name, secret in wanted.items() if secret.origin in ("generated", "postgresql_password")}
    for name in sorted(set(session.records.rotating) - generated):
        session.records.rotated(name)


def _value(session: Session, secret: VaultSecret) -> str:
    """Return the value of a secret given in the configuration or read from Azure."""
    if secret.origin == "monitoring":
        live = session.arm.current(addresses.app_insights(session))
        if live is None:
            raise AzureError(
                "Application Insights no longer exists", hint="Run again with --force-step create_monitoring."
            )
        return str(live["properties"]["ConnectionString"])
    if secret.origin == "redis_password":
        keys_of = addresses.redis_keys(session)
        if session.arm.plan is not None and (session.arm.created("redis") or session.arm.created("redis_database")):
            return known_after(session.arm.plan)
        return str(session.arm.act(f"{keys_of}/listKeys", api_version=ids.api_version(keys_of)).body["primaryKey"])
    if secret.value is None:
        hint = f"Give it one under secrets ({secret.origin})."
        raise DeployerError(f"the secret {secret.name} has no value", hint=hint)
    return secret.value
