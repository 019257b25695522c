"""The key vault itself; for its contents see `vault` and `secrets`."""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.client import Resource, creation_id
from draftgenie_azure.errors import UNREGISTERED_CODES, AzureError
from draftgenie_azure.provision import access, addresses
from draftgenie_azure.provision.bodies import vault as bodies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.session import Session

    Outputs = dict[str, Any]

STEP = "create_key_vault"


def create(session: Session, inputs: Mapping[str, Outputs]) -> Outputs:
    """Ensure the vault and the identity's role to read secrets; a deleted vault of ours is recovered."""
    if session.config.key_vault is None:
        return {}
    tenant_id = inputs["check_prerequisites"]["tenant_id"]
    vault_id, address = addresses.vault(session)
    _recover(session, vault_id, tenant_id)
    body = bodies.vault(session.config, tenant_id)
    left_open = access.keep_unrestricted(session, "key_vault", vault_id, body, "enableRbacAuthorization", False)
    if left_open and not session.records.secrets:
        raise AzureError(
            f"the vault {ids.last_name(vault_id)} uses access policies, and this deployment did not create it: neither "
            "this run nor the apps could read a secret by their roles",
            hint="Run the same command with --adopt: the vault then uses roles, and its readers need one.",
        )
    (live,) = session.arm.ensure([Resource("key_vault", vault_id, body, has_creation_id=True)], step=STEP)
    protects = session.config.key_vault.purge_protection
    if session.records.resources["key_vault"].get("protected") and not protects:
        session.warn(f"the vault {ids.last_name(vault_id)} keeps its purge protection: Azure cannot turn it off again")
    session.records.note("key_vault", left_open=left_open, protected=protects)
    # The reply to a PUT lacks the slash that a GET has (recorded traffic of Azure/azure-dev).
    vault_uri = live["properties"]["vaultUri"].rstrip("/") + "/"
    if vault_uri.lower() != address:
        raise AzureError(
            f"the vault {session.config.key_vault.name} is at {vault_uri}, not at {address}",
            hint="Correct azure.cloud: its vault_suffix is that of another cloud.",
        )
    principal_id = inputs["create_resource_group"]["principal_id"]
    role = access.assign_role(session, STEP, "role/read-secrets", vault_id, "Key Vault Secrets User", principal_id)
    return {
        "id": vault_id,
        "vault_uri": vault_uri,
        "incarnation": creation_id(live),
        "read_role": role,
    }


def _recover(session: Session, vault_id: str, tenant_id: str) -> None:
    """Recover a soft-deleted vault of ours.

    Raises:
        AzureError: the name belongs to a deleted vault of another group.
    """
    if session.arm.current(vault_id) is not None:
        return
    deleted = _deleted_vault(session)
    if deleted is None:
        return
    name, owner = ids.last_name(vault_id), str(deleted["properties"]["vaultId"])
    if owner.lower() != vault_id.lower():
        raise AzureError(
            f"the name {name} is held by a deleted vault of another group: {owner}",
            code="VaultAlreadyExists",
            hint=f"Purge it (az keyvault purge --name {name}), or choose another key_vault.name.",
        )
    if session.arm.plan is not None:
        session.arm.plan.replaces("key_vault", "the deleted vault is recovered, with the secrets in it")
        return
    session.warn(f"the deleted vault {name} is recovered, with the secrets in it")
    session.records.creating("key_vault", vault_id, ids.api_version(vault_id), STEP)
    session.arm.send(vault_id, bodies.recovered_vault(session.config, tenant_id))
    session.arm.wait(vault_id)
    session.arm.live.recovered(vault_id)


def _deleted_vault(session: Session) -> dict[str, Any] | None:
    """Return the soft-deleted vault with the configured name, if it may be read."""
    try:
        return session.arm.current(addresses.deleted_vault(session))
    except AzureError as error:
        if session.arm.plan is not None and error.code in UNREGISTERED_CODES:
            return None  # the run registers the provider first, then checks
        if error.status != 403:
            raise
        session.logger.info("deleted vaults may not be read; continuing without")
        return None
