"""How an app or a job signs in to the registry that its image comes from."""

from __future__ import annotations

from draftgenie_azure.config.validated.vault_secrets import vault_name_of
from draftgenie_azure.provision.image_reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.resource_sections import Registry
    from draftgenie_azure.config.validated.schema import Config


def private_registry(config: Config, image: str | None) -> Registry | None:
    """The entry under `registries` for the registry of an image; None for a public one and for the own one."""
    if image is None:
        return None
    reference = Reference(image)
    return next((registry for registry in config.registries if reference.is_in(registry.server)), None)


def registry_secret(config: Config, image: str | None) -> str | None:
    """The vault secret that is the password for the registry of an image."""
    registry = private_registry(config, image)
    return vault_name_of(f"secrets.{registry.secret}") if registry is not None and registry.secret else None


def sign_in(config: Config, image: str | None, *, login_server: str | None, identity_id: str) -> list[dict[str, Any]]:
    """The entries of a body's `registries`.

    Args:
        image: as the configuration names it; None for one that is built.
        login_server: the own registry's host; None without one. What is built, and an image in it, is pulled as the
            identity.
        identity_id: of the identity that the apps run as.
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
    """The resource id of an identity that is not the one the apps run as."""
    return None if identity in (None, "app") else identity
