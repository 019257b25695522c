"""Map host names to services, and identify the client."""

from __future__ import annotations

import re

from azure_emulator.core.errors import Refusal
from azure_emulator.core.gate import check_length
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.world import World
from azure_emulator.front import routes
from azure_emulator.services.app import ingress, streams
from azure_emulator.services.keyvault import data_plane as keyvault_data
from azure_emulator.services.login import graph, tokens
from azure_emulator.services.registry import build_storage, building
from azure_emulator.services.registry import data_plane as registry_data

ARM = "management.azure.com"
LOGINS = ("login.microsoftonline.com", "login.windows.net")


def is_arm(host: str) -> bool:
    return host == ARM


def is_served(world: World, host: str) -> bool:
    """Return whether a name exists: Azure's fixed ones, and those of created vaults, registries and environments.

    Any other name would not resolve in Azure either.
    """
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host):
        return False
    if host in (ARM, graph.HOST) or host in LOGINS:
        return True
    if host.endswith(".vault.azure.net"):
        return keyvault_data.vault_of(world, host) is not None
    if host.endswith(".azurecr.io"):
        return registry_data.registry_of(world, host) is not None
    if host.endswith(".blob.core.windows.net"):
        return build_storage.is_build_storage(host)
    if host.endswith(".azurecontainerapps.dev"):
        return streams.is_stream_host(host)
    if host.endswith(".azurecontainerapps.io"):
        return ingress.environment_of(world, host) is not None
    return ingress.app_of_domain(world, host) is not None


def authenticate(world: World, request: Request) -> None:
    """Set the request's principal. ARM and streams require a token for ARM; other hosts check themselves."""
    if is_arm(request.host):
        request.principal = tokens.arm_principal(world, request)


def handle(world: World, request: Request) -> Response:
    host = request.host
    if host == ARM:
        return routes.handle(world, request)
    if host in LOGINS:
        return tokens.handle(world, request)
    if host == graph.HOST:
        return graph.handle(world, request)
    if host.endswith(".vault.azure.net"):
        return keyvault_data.handle(world, request)
    if host.endswith(".azurecr.io"):
        return registry_data.handle(world, request)
    if host.endswith(".blob.core.windows.net"):
        return build_storage.handle_blob(world, request)
    if host.endswith(".azurecontainerapps.dev"):
        return streams.handle(world, request)
    return ingress.handle(world, request)


def prepare(world: World, request: Request) -> None:
    """Do slow, read-only work before the request is handled under the lock."""
    if is_arm(request.host):
        check_length(request)
    match = re.match(r"(?i)(/subscriptions/.+/registries/[^/]+)/(schedulerun$|taskruns/)", request.path)
    if match is None or not is_arm(request.host) or request.method not in ("POST", "PUT"):
        return
    with world.lock:
        registry = world.store.get(match[1])
    try:
        sent = request.json()
    except Refusal:
        return  # reported when it is handled
    inner: object = sent
    if "taskruns" in match[2].lower():
        properties = sent.get("properties")
        inner = properties.get("runRequest") if isinstance(properties, dict) else None
    if registry is not None and isinstance(inner, dict):
        building.prepare(world, registry, inner)


def refused(request: Request, refusal: Refusal) -> Response:
    """Return an error as the service sends it; ARM's own are marked by a header."""
    headers = dict(refusal.headers)
    if is_arm(request.host) and refusal.gateway:
        headers["x-ms-failure-cause"] = "gateway"
    return Response(refusal.status, None if request.method == "HEAD" else refusal.body(), headers)


def written_vault(request: Request) -> str | None:
    """Return the id of the vault that a request writes through ARM; such writes are mutually exclusive
    (github.com/Azure/bicep issue 3113)."""
    if not is_arm(request.host) or request.method not in ("PUT", "PATCH", "DELETE"):
        return None
    match = re.match(
        r"(/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.keyvault/vaults/[^/]+)"
        r"(/secrets/[^/]+)?$",
        request.path.lower(),
    )
    return match[1] if match else None
