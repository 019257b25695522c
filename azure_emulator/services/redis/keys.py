"""The two keys of a cache or database: derived, never stored, and regenerated individually."""

from __future__ import annotations

from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World

Json = dict[str, Any]
_KINDS = ("primary", "secondary")


def keys_of(world: World, service: str, resource: Resource) -> Json:
    renewed = resource.private.get("renewed", {})

    def key(kind: str) -> str:
        times = [str(renewed[kind])] if kind in renewed else []
        return world.derived_key(service, resource.key, str(resource.created), kind, *times)

    return {f"{kind}Key": key(kind) for kind in _KINDS}


def renew(resource: Resource, wanted: Any) -> None:
    kind = str(wanted).lower()
    if kind not in _KINDS:
        raise Refusal(
            400, "InvalidRequestBody", f"The keyType is Primary or Secondary, not '{wanted}'.", target="keyType"
        )
    renewed = resource.private.setdefault("renewed", {})
    renewed[kind] = renewed.get(kind, 0) + 1
