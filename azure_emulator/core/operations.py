"""Long-running operations: they run by their start and the clock, so a kill of the emulator does not stop them."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response

if TYPE_CHECKING:
    from azure_emulator.core.world import World

Json = dict[str, Any]
Effect = Callable[["World", Json], "float | None"]
"""What an operation does when its time has come. A number: not yet, look again at that time."""

_RUNNING, _FINISHED = "operation", "finished operation"

EFFECTS: dict[str, Effect] = {}
FINALS: dict[str, Callable[[World, Json], Response]] = {}

ARM = "https://management.azure.com"


def effect(name: str) -> Callable[[Effect], Effect]:
    """Registers what an operation of this name does at its end; the name is what the store keeps."""

    def register(function: Effect) -> Effect:
        EFFECTS[name] = function
        return function

    return register


def signature(path: str, moment: float) -> str:
    """Poll addresses are 3.0 to 3.6 KB long and signed (recorded traffic of Azure/azure-dev)."""

    def text(length: int, salt: str) -> str:
        data = b""
        while len(data) < length:
            data += hashlib.sha512(f"{salt}{path}{len(data)}".encode()).digest()
        return base64.urlsafe_b64encode(data).decode().rstrip("=")[:length]

    ticks = int(moment * 10_000_000) + 621_355_968_000_000_000
    return f"t={ticks}&c={text(2656, 'c')}&s={text(342, 's')}&h={text(43, 'h')}"


class Operations:
    """Starts, settles and reports operations."""

    def __init__(self, world: World) -> None:
        self._world = world

    def start(
        self,
        kind: str,
        resource_id: str,
        *,
        seconds: float,
        request: Request,
        style: str,
        status_path: str = "",
        result_path: str = "",
        version: str = "",
        final: str = "",
        word: str = "InProgress",
        error: tuple[str, str] | None = None,
        name: str | None = None,
        **details: Any,
    ) -> Json:
        """Begins an operation. `kind` names its effect, `style` the shape of its status, `final` what its Location
        answers at the end. `{id}` in a path stands for the operation's id. `error`: it ends as Failed with this."""
        now = self._world.clock.now()
        identifier = name or str(uuid.uuid4())
        if request.fail_operation is not None:
            error = (request.fail_operation, f"The operation failed: {request.fail_operation} (declared fault).")
        operation = {
            "id": identifier,
            "kind": kind,
            "resource": resource_id,
            "started": now,
            "ends": now + seconds,
            "style": style,
            "status_path": status_path.replace("{id}", identifier),
            "result_path": result_path.replace("{id}", identifier),
            "version": version or request.api_version,
            "final": final,
            "word": word,
            "status": word,
            "error": list(error) if error else None,
            "done": False,
            "ended": None,
            "details": details,
        }
        self._world.store.set(_RUNNING, identifier.lower(), operation)
        return operation

    def settle(self) -> None:
        """Ends, in order of time, every operation whose time has come."""
        now = self._world.clock.now()
        running = [record for _, record in self._world.store.records(_RUNNING)]
        due = sorted((record for record in running if record["ends"] <= now), key=lambda record: record["ends"])
        for operation in due:
            self._finish(operation)

    def _finish(self, operation: Json) -> None:
        # Out of the running ones first: its effect may delete the resource, and with it all that runs on it.
        self._world.store.set(_RUNNING, operation["id"].lower(), None)
        again = EFFECTS[operation["kind"]](self._world, operation)
        if again is not None and again > self._world.clock.now():
            operation["ends"] = again
            self._world.store.set(_RUNNING, operation["id"].lower(), operation)
            return
        operation["done"] = True
        operation["ended"] = operation["ends"]
        operation["status"] = "Failed" if operation["error"] else "Succeeded"
        self._world.store.set(_FINISHED, operation["id"].lower(), operation)

    def find(self, identifier: str) -> Json | None:
        store = self._world.store
        return store.record(_RUNNING, identifier.lower()) or store.record(_FINISHED, identifier.lower())

    def running(self, resource_id: str) -> Json | None:
        wanted = resource_id.lower()
        for _, record in self._world.store.records(_RUNNING):
            if record["resource"].lower() == wanted:
                return record
        return None

    def forget(self, resource_id: str) -> None:
        """Drops the operations still running on a resource that is gone."""
        start = resource_id.lower()
        for _, record in self._world.store.records(_RUNNING):
            if (record["resource"].lower() + "/").startswith(start + "/"):
                self.cancel(record)

    def cancel(self, operation: Json) -> None:
        """It ends without effect, because its resource is gone or going."""
        operation |= {
            "done": True,
            "ended": self._world.clock.now(),
            "status": "Canceled",
            "error": ["OperationCanceled", "The operation was canceled: its resource was deleted."],
        }
        self._world.store.set(_RUNNING, operation["id"].lower(), None)
        self._world.store.set(_FINISHED, operation["id"].lower(), operation)

    # Addresses and answers

    def address(self, operation: Json, which: str) -> str:
        path = quote(operation[which])
        extra = "azureAsyncOperation=true&" if operation["style"] == "app" and which == "status_path" else ""
        return (
            f"{ARM}{path}?api-version={operation['version']}&{extra}{signature(operation[which], operation['started'])}"
        )

    def headers(
        self, operation: Json, *, status: bool = False, result: bool = False, pace: float | None = None
    ) -> dict[str, str]:
        headers: dict[str, str] = {}
        if status:
            headers["Azure-AsyncOperation"] = self.address(operation, "status_path")
        if result:
            headers["Location"] = self.address(operation, "result_path")
        if pace is not None:
            headers.update(self._world.retry_after(pace))
        return headers

    def poll(self, request: Request, identifier: str) -> Response:
        """Answers a GET of a status or result address."""
        operation = self.find(identifier)
        if operation is None:
            raise Refusal(404, "OperationNotFound", f"The operation '{identifier}' was not found.")
        if request.path.lower() == operation["status_path"].lower():
            return self._status(operation)
        return self._result(request, operation)

    def _status(self, operation: Json) -> Response:
        if operation["word"] == "Pending" and not operation["done"]:
            # A quarter of its time it waits its turn.
            begins = operation["started"] + (operation["ends"] - operation["started"]) / 4
            waits = self._world.clock.now() < begins
            operation = {**operation, "status": "Pending" if waits else "InProgress"}
        body = _STATUS_BODIES[operation["style"]](operation)
        headers = {}
        if operation["style"] in ("registry", "redis"):
            headers["Azure-AsyncOperation"] = self.address(operation, "status_path")
        return Response(200, body, headers)

    def _result(self, request: Request, operation: Json) -> Response:
        if operation["done"]:
            if operation["error"]:
                code, message = operation["error"]
                raise Refusal(400 if operation["style"] != "group" else 409, code, message)
            return FINALS[operation["final"]](self._world, operation)
        headers = self.headers(operation, result=True, pace=operation["details"].get("pace", 15))
        if operation["style"] == "vault":
            created = stamp(operation["started"], digits=0).replace("T", " ")
            return Response(202, {"createdDateTime": created, "status": "NotStarted"}, headers)
        if operation["style"] == "redis":
            headers["Azure-AsyncOperation"] = headers["Location"]
            return Response(
                202, {"id": operation["result_path"], "name": operation["id"], "status": "InProgress"}, headers
            )
        return Response(202, None, headers)


def _with_error(operation: Json, body: Json) -> Json:
    if operation["done"] and operation["error"]:
        body["error"] = {"code": operation["error"][0], "message": operation["error"][1]}
    return body


def _status_app(operation: Json) -> Json:
    """No endTime even at the end, startTime without Z."""
    return _with_error(
        operation,
        {
            "id": operation["status_path"],
            "name": operation["id"],
            "status": operation["status"],
            "startTime": stamp(operation["started"], zone=""),
        },
    )


def _status_postgresql(operation: Json) -> Json:
    return _with_error(
        operation,
        {"name": operation["id"], "status": operation["status"], "startTime": stamp(operation["started"], digits=3)},
    )


def _status_registry(operation: Json) -> Json:
    return _with_error(operation, {"status": operation["status"]})


def _status_workspace(operation: Json) -> Json:
    body = {
        "id": operation["status_path"],
        "name": operation["id"],
        "status": operation["status"],
        "startTime": stamp(operation["started"]),
    }
    if operation["done"]:
        body |= {"endTime": stamp(operation["ended"]), "properties": {}}
    return _with_error(operation, body)


def _status_managed_redis(operation: Json) -> Json:
    """endTime already while InProgress, and the year 1 while Pending."""
    end = stamp(operation["ended"] if operation["done"] else operation["started"], zone="+00:00")
    if operation["status"] == "Pending":
        end = "0001-01-01T00:00:00+00:00"
    return _with_error(
        operation,
        {
            "id": operation["status_path"],
            "name": operation["id"],
            "status": operation["status"],
            "startTime": stamp(operation["started"], zone="+00:00"),
            "endTime": end,
        },
    )


def _status_redis(operation: Json) -> Json:
    body: Json = {
        "id": operation["status_path"],
        "name": operation["id"],
        "status": operation["status"],
        "startTime": None,
        "endTime": None,
        "percentComplete": None,
        "properties": None,
        "error": None,
    }
    return _with_error(operation, body)


_STATUS_BODIES: dict[str, Callable[[Json], Json]] = {
    "app": _status_app,
    "postgresql": _status_postgresql,
    "registry": _status_registry,
    "workspace": _status_workspace,
    "managed redis": _status_managed_redis,
    "redis": _status_redis,
    "group": _status_registry,
    "vault": _status_registry,
}


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
