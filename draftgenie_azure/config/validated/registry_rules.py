"""Validate the section `registries`: how apps sign in to external private registries.

Source: learn.microsoft.com/azure/container-apps/containers, container registries: a managed identity works only with
Azure Container Registry.
"""

from __future__ import annotations

from collections.abc import Iterator

from draftgenie_azure.config.keys import Key
from draftgenie_azure.config.validated.azure_rules import IDENTITY
from draftgenie_azure.config.validated.found import Found, did_you_mean
from draftgenie_azure.config.validated.resource_sections import Registry
from draftgenie_azure.config.validated.schema import Config


def faults(config: Config) -> Found:
    """Yield the key and message of each fault."""
    seen: set[str] = set()
    for position, registry in enumerate(config.registries):
        place: Key = ("registries", position)
        server = registry.server.lower()
        if server in seen:
            yield (*place, "server"), f"duplicate registry `{registry.server}`"
        seen.add(server)
        for name, words in _registry(config, registry):
            yield ((*place, name) if name else place), words


def _registry(config: Config, registry: Registry) -> Iterator[tuple[str, str]]:
    server, suffix = registry.server.lower(), f".{config.endpoints.registry_suffix}"
    own = config.container_registry
    if own is not None and server == f"{own.name.lower()}{suffix}":
        yield "server", "is the deployment's own registry: its images need no entry"
        return
    has_credentials = registry.username is not None or registry.secret is not None
    if registry.identity is not None and has_credentials:
        yield "identity", "cannot be combined with `username` and `secret`: keep one"
    elif registry.identity is not None:
        yield from _identity(registry.identity, server, suffix)
    elif not has_credentials:
        yield "", "needs `identity`, or `username` and `secret`"
    else:
        yield from _credentials(config, registry)


def _identity(identity: str, server: str, suffix: str) -> Iterator[tuple[str, str]]:
    if not server.endswith(suffix):
        yield "identity", f"signs in only to Azure's registries (…{suffix}); give `username` and `secret`"
    elif identity != "app" and not IDENTITY.fullmatch(identity):
        yield "identity", "must be `app` or the resource id of a user-assigned identity"


def _credentials(config: Config, registry: Registry) -> Iterator[tuple[str, str]]:
    if registry.username is None:
        yield "username", "is required with `secret`"
    if registry.secret is None:
        yield "secret", "is required with `username`: a key under `secrets`"
    elif registry.secret not in config.secrets:
        near = did_you_mean(registry.secret, list(config.secrets))
        yield "secret", f"there is no secret `{registry.secret}` under `secrets`{near}"
    elif config.raw.get("key_vault") is None:
        yield "secret", "needs the section `key_vault`, which is missing"
