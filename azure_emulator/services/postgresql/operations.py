"""A server's operations: one at a time, all 202 with both headers and the name of the operation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal
from azure_emulator.core.lifecycle import Work, in_location
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region

_NAMESPACE = "Microsoft.DBforPostgreSQL"


@dataclass(frozen=True)
class ServerWork(Work):
    """Start an operation, given the service's name for it."""

    operation: str = ""


CREATE = ServerWork(
    "postgresql.created",
    ("postgresql", "create"),
    "postgresql",
    sends="A L",
    pace=60,
    status=in_location(_NAMESPACE, "azureAsyncOperation"),
    result=in_location(_NAMESPACE, "operationResults"),
    final="empty",
    operation="UpsertServerManagementOperationV2",
)
CHANGE = replace(CREATE, effect="postgresql.changed", takes=("postgresql", "update"))
DELETE = replace(
    CREATE,
    effect="postgresql.dropped",
    takes=("postgresql", "delete"),
    pace=15,
    operation="DropServerManagementOperation",
)
POWER = {
    word: replace(
        CREATE,
        effect="postgresql.power",
        takes=("postgresql", word.lower()),
        operation=f"{word}ServerManagementOperation",
    )
    for word in ("Restart", "Start", "Stop")
}


def child(kind: str, operation: str, pace: float) -> ServerWork:
    """Return the work on a server's child; `*` in the operation's name is replaced by the verb."""
    takes = ("postgresql", kind)
    return replace(CREATE, effect="postgresql.child", takes=takes, pace=pace, operation=operation)


def accept(
    call: Call, work: ServerWork, server_id: str, *, location: str, error: tuple[str, str] | None = None, **details: Any
) -> Response:
    body = {"operation": work.operation, "startTime": stamp(call.now, digits=3)}
    return call.accept(work, server_id, body, place=region(location) or location, error=error, **details)


def refuse_busy(call: Call, server_id: str) -> None:
    """Allow one operation per server at a time (github.com/Azure/bicep-registry-modules issue 4451)."""
    if call.world.operations.running(server_id) is not None:
        raise Refusal(
            409,
            "ServerBusy",
            f"Server '{server_id.rsplit('/', 1)[1]}' is busy with another operation. Please try again later.",
        )


def refuse_stopped(server: Resource) -> None:
    """Refuse changes and parameter reads on a stopped server
    (github.com/turbot/steampipe-plugin-azure issue 1015)."""
    if server.properties["state"] == "Stopped":
        raise Refusal(
            400,
            "ServerStoppedError",
            f"The operation could not be completed because the server '{server.name}' is stopped. Please start the "
            "server and try again.",
        )
