"""The life cycle of a type's writes: one row per kind of work for start, reply and end.

`A` and `L` name the headers as azure documents do: `Azure-AsyncOperation` with the status's address, `Location` with
the result's. `L=resource` is a Location that is the resource itself, `L=status` one that repeats the status's address.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from azure_emulator.core.messages import Request, Response
from azure_emulator.core.operations import ARM
from azure_emulator.core.world import World

Json = dict[str, Any]


def in_location(namespace: str, kind: str) -> str:
    """The pattern of a status or result URL that a provider serves in a region."""
    return f"{{subscription}}/providers/{namespace}/locations/{{place}}/{kind}/{{id}}"


@dataclass(frozen=True)
class Work:
    """One row: `effect` is what happens at the end (the name is kept on disk), `takes` its row in `durations`,
    `style` the shape of its status, `final` what its result's address answers at the end, `word` its state until
    then, `pace` the Retry-After, `name` the pattern of its id."""

    effect: str
    takes: tuple[str, str]
    style: str
    answers: int = 202
    sends: str = ""
    pace: float | None = None
    status: str = ""
    result: str = ""
    final: str = ""
    word: str = "InProgress"
    name: str = "{uuid}"
    version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def begin(
    world: World,
    request: Request,
    work: Work,
    resource_id: str,
    *,
    place: str = "",
    seconds: float | None = None,
    error: tuple[str, str] | None = None,
    **details: Any,
) -> Json:
    """Start the work on a resource. `place` is the region in its URLs; with `error` it ends as Failed;
    `details` is what its effect needs to know."""
    now, made = world.clock.now(), uuid.uuid4()
    identifier = work.name.format(uuid=made, hex=made.hex)
    known = {"subscription": world.subscription, "resource": resource_id, "place": place, "id": identifier}
    if request.fail_operation is not None:
        error = (request.fail_operation, f"The operation failed: {request.fail_operation} (declared fault).")
    if work.pace is not None:
        details["pace"] = work.pace
    operation = {
        "id": identifier,
        "kind": work.effect,
        "resource": resource_id,
        "started": now,
        "ends": now + (world.seconds(*work.takes) if seconds is None else seconds),
        "style": work.style,
        "status_path": work.status.format(**known),
        "result_path": work.result.format(**known),
        "version": work.version or request.api_version,
        "final": work.final,
        "word": work.word,
        "status": work.word,
        "error": list(error) if error else None,
        "done": False,
        "ended": None,
        "details": details,
    }
    world.operations.add(operation)
    return operation


def answer(world: World, request: Request, work: Work, operation: Json, body: Any = None) -> Response:
    """Return the reply to a write once its work has started."""
    headers = dict(work.headers)
    sends = work.sends.split()
    if "A" in sends:
        headers["Azure-AsyncOperation"] = world.operations.address(operation, "status_path")
    if "L" in sends:
        headers["Location"] = world.operations.address(operation, "result_path")
    elif "L=status" in sends:
        headers["Location"] = world.operations.address(operation, "status_path")
    elif "L=resource" in sends:
        headers["Location"] = f"{ARM}{operation['resource']}?api-version={request.api_version}"
    if work.pace is not None:
        headers.update(world.durations.retry_after(work.pace))
    return Response(work.answers, body, headers)
