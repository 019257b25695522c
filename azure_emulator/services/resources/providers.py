"""Resource providers and their registration."""

from __future__ import annotations

from typing import Any

from azure_emulator.core.errors import gateway
from azure_emulator.core.left_out import FREE, TO_REGISTER, left_out
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.versions import REGIONS, VERSIONS, namespaces
from azure_emulator.core.world import World

Json = dict[str, Any]


# Resource providers


def _is_free(namespace: str) -> bool:
    return namespace in ("Microsoft.Resources", "Microsoft.Authorization", *FREE)


def _registration(world: World, namespace: str) -> str:
    if _is_free(namespace):
        return "Registered"
    record = world.store.record("registration", namespace.lower())
    if record is None:
        return "NotRegistered"
    done = record["at"] + world.seconds("provider", "register") <= world.clock.now()
    return "Registered" if done else "Registering"


def _provider(world: World, name: str) -> Json:
    namespace = left_out(name) or next((item for item in namespaces() if item.lower() == name.lower()), None)
    if namespace is None:
        raise gateway(404, "InvalidResourceNamespace", f"The resource namespace '{name}' is invalid.")
    types = [
        {
            "resourceType": kind.partition("/")[2],
            "locations": list(locations),
            "apiVersions": sorted(versions, reverse=True),
            "defaultApiVersion": max(versions),
            "capabilities": "SupportsTags, SupportsLocation",
        }
        for kind, known in VERSIONS.items()
        if kind.split("/")[0] == namespace
        for versions in [world.served(kind, "versions") or known]
        for locations in [world.served(kind, "locations") or REGIONS.values()]
        if world.served(kind, "versions") != ()
    ]
    return {
        "id": f"{world.subscription}/providers/{namespace}",
        "namespace": namespace,
        "authorizations": [
            {
                "applicationId": world.derived_uuid("provider", namespace, "application"),
                "roleDefinitionId": world.derived_uuid("provider", namespace, "role"),
            }
        ],
        "resourceTypes": types,
        "registrationState": _registration(world, namespace),
        "registrationPolicy": "RegistrationFree" if _is_free(namespace) else "RegistrationRequired",
    }


def list_providers(world: World, request: Request, segments: list[str]) -> Response:
    return Response(200, {"value": [_provider(world, name) for name in (*namespaces(), *FREE, *TO_REGISTER)]})


def get_provider(world: World, request: Request, segments: list[str]) -> Response:
    return Response(200, _provider(world, segments[3]))


def register_provider(world: World, request: Request, segments: list[str]) -> Response:
    """Return 200 at once with the provider; the state follows, and creation need not wait for it."""
    _provider(world, segments[3])
    key = segments[3].lower()
    if world.store.record("registration", key) is None:
        world.store.set("registration", key, {"at": world.clock.now()})
        return Response(200, {**_provider(world, segments[3]), "registrationState": "Registering"})
    return Response(200, _provider(world, segments[3]))


def unregister_provider(world: World, request: Request, segments: list[str]) -> Response:
    answer = _provider(world, segments[3])
    if any(item.type.lower().startswith(segments[3].lower() + "/") for item in world.store.all()):
        raise gateway(409, "ConflictingProviderUsage", f"The provider '{segments[3]}' is in use.")
    world.store.set("registration", segments[3].lower(), None)
    return Response(200, {**answer, "registrationState": "Unregistering"})
