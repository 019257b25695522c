"""Long-running operations: derived from start time and clock, so killing the emulator does not stop them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from azure_emulator.core.clock import Clock, stamp
from azure_emulator.core.durations import Durations
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.status_bodies import STATUS_BODIES
from azure_emulator.core.store import Store

Json = dict[str, Any]
ARM = "https://management.azure.com"
_RUNNING, _FINISHED = "operation", "finished operation"


def signature(path: str, moment: float) -> str:
    """Polling URLs are 3.0 to 3.6 KB long and signed (recorded traffic of Azure/azure-dev)."""

    def text(length: int, salt: str) -> str:
        data = b""
        while len(data) < length:
            data += hashlib.sha512(f"{salt}{path}{len(data)}".encode()).digest()
        return base64.urlsafe_b64encode(data).decode().rstrip("=")[:length]

    ticks = int(moment * 10_000_000) + 621_355_968_000_000_000
    return f"t={ticks}&c={text(2656, 'c')}&s={text(342, 's')}&h={text(43, 'h')}"


class Operations:
    """The running and ended operations. Their effects are defined in `effects`."""

    def __init__(self, store: Store, clock: Clock, durations: Durations) -> None:
        self._store = store
        self._clock = clock
        self._durations = durations

    def add(self, operation: Json) -> None:
        self._store.set(_RUNNING, operation["id"].lower(), operation)

    def settle(self, finish: Callable[[Json], float | None]) -> None:
        """End every operation that is due, in order of time. `finish` performs its effect; a number from it is the time
        of the next attempt."""
        now = self._clock.now()
        running = [record for _, record in self._store.records(_RUNNING)]
        due = sorted((record for record in running if record["ends"] <= now), key=lambda record: record["ends"])
        for operation in due:
            self._finish(operation, finish)

    def _finish(self, operation: Json, finish: Callable[[Json], float | None]) -> None:
        # Removed from the running ones first: its effect may delete the resource, and with it all that runs on it.
        self._store.set(_RUNNING, operation["id"].lower(), None)
        again = finish(operation)
        if again is not None and again > self._clock.now():
            operation["ends"] = again
            self.add(operation)
            return
        operation["done"] = True
        operation["ended"] = operation["ends"]
        operation["status"] = "Failed" if operation["error"] else "Succeeded"
        self._store.set(_FINISHED, operation["id"].lower(), operation)

    def find(self, identifier: str) -> Json | None:
        return self._store.record(_RUNNING, identifier.lower()) or self._store.record(_FINISHED, identifier.lower())

    def running(self, resource_id: str) -> Json | None:
        wanted = resource_id.lower()
        for _, record in self._store.records(_RUNNING):
            if record["resource"].lower() == wanted:
                return record
        return None

    def forget(self, resource_id: str) -> None:
        """Drop the operations still running on a deleted resource."""
        start = resource_id.lower()
        for _, record in self._store.records(_RUNNING):
            if (record["resource"].lower() + "/").startswith(start + "/"):
                self.cancel(record)

    def cancel(self, operation: Json) -> None:
        """End an operation without effect, because its resource is deleted or being deleted."""
        operation |= {
            "done": True,
            "ended": self._clock.now(),
            "status": "Canceled",
            "error": ["OperationCanceled", "The operation was canceled: its resource was deleted."],
        }
        self._store.set(_RUNNING, operation["id"].lower(), None)
        self._store.set(_FINISHED, operation["id"].lower(), operation)

    # URLs and replies

    def address(self, operation: Json, which: str) -> str:
        path = quote(operation[which])
        extra = "azureAsyncOperation=true&" if operation["style"] == "app" and which == "status_path" else ""
        return (
            f"{ARM}{path}?api-version={operation['version']}&{extra}{signature(operation[which], operation['started'])}"
        )

    def poll(self, request: Request, identifier: str, final: Callable[[Json], Response]) -> Response:
        """Return the reply to a GET of a status or result URL; `final` returns the result."""
        operation = self.find(identifier)
        if operation is None:
            raise Refusal(404, "OperationNotFound", f"The operation '{identifier}' was not found.")
        if request.path.lower() == operation["status_path"].lower():
            return self._status(operation)
        return self._result(operation, final)

    def _status(self, operation: Json) -> Response:
        if operation["word"] == "Pending" and not operation["done"]:
            # It is queued for a quarter of its time.
            begins = operation["started"] + (operation["ends"] - operation["started"]) / 4
            waits = self._clock.now() < begins
            operation = {**operation, "status": "Pending" if waits else "InProgress"}
        body = STATUS_BODIES[operation["style"]](operation)
        headers = {}
        if operation["style"] in ("registry", "redis"):
            headers["Azure-AsyncOperation"] = self.address(operation, "status_path")
        return Response(200, body, headers)

    def _result(self, operation: Json, final: Callable[[Json], Response]) -> Response:
        if operation["done"]:
            if operation["error"]:
                code, message = operation["error"]
                raise Refusal(400 if operation["style"] != "group" else 409, code, message)
            return final(operation)
        headers = {
            "Location": self.address(operation, "result_path"),
            **self._durations.retry_after(operation["details"].get("pace", 15)),
        }
        if operation["style"] == "vault":
            created = stamp(operation["started"], digits=0).replace("T", " ")
            return Response(202, {"createdDateTime": created, "status": "NotStarted"}, headers)
        if operation["style"] == "redis":
            headers["Azure-AsyncOperation"] = headers["Location"]
            return Response(
                202, {"id": operation["result_path"], "name": operation["id"], "status": "InProgress"}, headers
            )
        return Response(202, None, headers)
