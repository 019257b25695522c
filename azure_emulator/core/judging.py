"""Apply the policies to a write: modify its body, or refuse it."""

from __future__ import annotations

import json
from typing import Any

from azure_emulator.core.messages import Request
from azure_emulator.core.policies import Write
from azure_emulator.core.rules import merge
from azure_emulator.core.world import World

Json = dict[str, Any]


def judged(world: World, request: Request, resource_id: str, type_name: str, existing: Json | None) -> Json:
    """Apply the policies to the body of a PUT or PATCH, and replace it in the request."""
    body = request.json()
    if not world.policies.declared:
        return body
    write = _write(world, request, resource_id, type_name, existing, body)
    changed = world.policies.modified(write)
    if changed != body:
        request.body = json.dumps(changed).encode()
        write = _write(world, request, resource_id, type_name, existing, changed)
    refusal = world.policies.refusal(write, world.subscription)
    if refusal is not None:
        raise refusal
    return changed


def _write(
    world: World, request: Request, resource_id: str, type_name: str, existing: Json | None, body: Json
) -> Write:
    whole = body
    if request.method == "PATCH" and existing is not None:
        whole = {**merge(existing, body), "tags": body.get("tags", existing.get("tags"))}  # tags are replaced
    resource = {**whole, "id": resource_id, "type": type_name, "name": resource_id.rsplit("/", 1)[1]}
    return Write(resource, body, len(world.store.of_type(type_name)), existing is None)
