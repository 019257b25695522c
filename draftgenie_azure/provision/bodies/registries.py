"""Registry credentials of an app or a job."""

from __future__ import annotations

from draftgenie_azure.config.validated.vault_secrets import vault_name_of
from draftgenie_azure.provision.image_reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.resource_sections import Registry
    from draftgenie_azure.config.validated.schema import Config


def private_registry(config: Config, image: str | None) -> Registry | None:
    """Return the entry under `registries` for an image's registry; None for a public one or the deployment's own."""
    if image is None:
        return None
    reference = Reference(image)
    return next((registry for registry in config.registries if reference.is_in(registry.server)), None)


def registry_secret(config: Config, image: str | None) -> str | None:
    """Return the vault secret with the password for an image's registry, or None."""
    registry = private_registry(config, image)
    return vault_name_of(f"secrets.{registry.secret}") if registry is not None and registry.secret else None


def sign_in(config: Config, image: str | None, *, login_server: str | None, identity_id: str) -> list[dict[str, Any]]:
    """Return the entries of a body's `registries`.

    Args:
        image: the configured image; None for one that is built.
        login_server: the deployment's own registry; None without one. Built images, and others in it, are pulled by the
            identity.
        identity_id: id of the apps' identity.
    """
    registry = private_registry(config, image)
    if registry is not None and registry.identity is not None:
        return [{"server": registry.server, "identity": other_identity(registry.identity) or identity_id}]
    if registry is not None:
        secret = registry_secret(config, image)
        return [{"server": registry.server, "username": registry.username, "passwordSecretRef": secret}]
    if login_server is None or (image is not None and not Reference(image).is_in(login_server)):
        return []
    return [{"server": login_server, "identity": identity_id}]


def other_identity(identity: str | None) -> str | None:
    """Return the resource id of an identity other than the apps' own, or None."""
    return None if identity in (None, "app") else identity
