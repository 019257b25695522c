"""The effects of operations at their end, and the replies of their result URLs, registered by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azure_emulator.core.clock import stamp
from azure_emulator.core.messages import Response
from azure_emulator.core.world import World

Json = dict[str, Any]
Effect = Callable[[World, Json], "float | None"]
"""The effect of an operation that is due. If it returns a number, it is retried at that time."""

EFFECTS: dict[str, Effect] = {}
FINALS: dict[str, Callable[[World, Json], Response]] = {}


def effect(name: str) -> Callable[[Effect], Effect]:
    """Register the effect of operations of this name; the store keeps the name."""

    def register(function: Effect) -> Effect:
        EFFECTS[name] = function
        return function

    return register


def finish(world: World, operation: Json) -> float | None:
    return EFFECTS[operation["kind"]](world, operation)


def final(world: World, operation: Json) -> Response:
    return FINALS[operation["final"]](world, operation)


def _final_empty(world: World, operation: Json) -> Response:
    return Response(200)


def _final_none(world: World, operation: Json) -> Response:
    return Response(204)


def _final_vault(world: World, operation: Json) -> Response:
    def text(moment: float) -> str:
        return stamp(moment, digits=0).replace("T", " ")

    return Response(
        200,
        {
            "createdDateTime": text(operation["started"]),
            "lastActionDateTime": text(operation["ended"]),
            "status": "Succeeded",
        },
    )


def _final_redis(world: World, operation: Json) -> Response:
    return Response(200, {"id": operation["result_path"], "name": operation["id"], "status": "Succeeded"})


FINALS.update({"empty": _final_empty, "none": _final_none, "vault": _final_vault, "redis": _final_redis})
