"""A server's operations: one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call

if TYPE_CHECKING:
    pass

Json = dict[str, Any]


# Operations


def accept(
    call: Call,
    operation_name: str,
    kind: str,
    work: str,
    *,
    pace: float,
    error: tuple[str, str] | None,
    location: str,
    server: str,
    **details: Any,
) -> Response:
    world = call.world
    operation = world.operations.start(
        kind,
        server,
        seconds=world.seconds("postgresql", work),
        request=call.request,
        style="postgresql",
        final="empty",
        error=error,
        pace=pace,
        status_path=call.poll_path("azureAsyncOperation", location),
        result_path=call.poll_path("operationResults", location),
        **details,
    )
    headers = world.operations.headers(operation, status=True, result=True, pace=pace)
    return Response(202, {"operation": operation_name, "startTime": stamp(call.now, digits=3)}, headers)


def refuse_busy(call: Call, server_id: str) -> None:
    """One operation per server at a time (github.com/Azure/bicep-registry-modules issue 4451)."""
    if call.world.operations.running(server_id) is not None:
        raise Refusal(
            409,
            "ServerBusy",
            f"Server '{server_id.rsplit('/', 1)[1]}' is busy with another operation. Please try again later.",
        )
