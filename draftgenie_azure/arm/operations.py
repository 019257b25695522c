"""Send writes and wait for the operations they start; polling URLs are recorded first."""

from __future__ import annotations

import datetime
import math
import time

from draftgenie_azure.arm import hosts, ids
from draftgenie_azure.arm.refusals import error_parts, refusal
from draftgenie_azure.errors import AzureError, OperationFailedError
from draftgenie_azure.run.control import pace
from draftgenie_azure.run.poll import poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from draftgenie_azure.arm.listing import LiveResources
    from draftgenie_azure.arm.replies import Reply
    from draftgenie_azure.arm.transport import Transport
    from draftgenie_azure.run.control import RunControl
    from draftgenie_azure.state.resource_records import ResourceRecords

ROLE_IS_YOUNG = 30 * 60  # seconds for which a new role may not be effective yet
ROLE_WAIT = 600.0  # seconds; the maximum that Azure documents (learn.microsoft.com, RBAC troubleshooting)

# Final states of an operation. Any other, even an unknown one, means that it is still running; only environments
# can end as UpgradeFailed (azure-mgmt-appcontainers).
GOOD_ENDS = frozenset({"succeeded", "ready", "running", "stopped", "disabled", "inaccessible"})
BAD_ENDS = frozenset({"failed", "canceled", "upgradefailed"})

# Longest waits in seconds: three times the longest measured or expected for the type.
_LONGEST_WAIT = {
    "Microsoft.Resources/resourceGroups": 95 * 60,  # while being deleted
    "Microsoft.DBforPostgreSQL/flexibleServers": 36 * 60,
    "Microsoft.Cache/redisEnterprise": 90 * 60,
    "Microsoft.Cache/redisEnterprise/databases": 30 * 60,
    "Microsoft.Cache/redis": 105 * 60,
    "Microsoft.App/managedEnvironments": 60 * 60,
    "Microsoft.App/containerApps": 45 * 60,
}
_USUAL_WAIT = 15 * 60
_STILL_SHOWN = 120.0  # seconds after a deletion for which Azure may show a resource as it was before


class Operations:
    """Operations in Azure started by this run or an earlier one."""

    def __init__(
        self,
        transport: Transport,
        live: LiveResources,
        records: ResourceRecords,
        control: RunControl,
    ) -> None:
        self._transport = transport
        self._live = live
        self._records = records
        self._control = control
        self._logger = transport.logger

    # --- sending ---

    def send(
        self,
        resource_id: str,
        body: dict[str, Any],
        *,
        method: str = "PUT",
        roles: Sequence[str] = (),
        repeatable: bool = True,
    ) -> Reply:
        """PUT or PATCH a body and record the operation it starts; see `wait`.

        Args:
            roles: role assignments that it requires; waited for while they are new.
            repeatable: False if the caller reads the resource before sending again.

        Raises:
            AzureError: the body was refused.
        """
        version = ids.api_version(resource_id)
        began = time.monotonic()

        def attempt() -> Reply | None:
            """Return the reply; None if a role is not effective yet."""
            self._control.check()
            try:
                return self._transport.arm(
                    method, resource_id, params={"api-version": version}, json_body=body,
                    conflict_timeout=self.longest_wait(resource_id), tries=None if repeatable else 1,
                )  # fmt: skip
            except AzureError as error:
                if not self.role_may_come(error, roles, began):
                    raise
                self._report_role(resource_id, error)
                return None

        self._live.written(resource_id)  # whatever its outcome
        reply = poll(attempt, control=self._control, limit=math.inf, pause=role_pace)
        assert reply is not None  # a refusal is raised eventually
        self._record(resource_id, reply)
        return reply

    def _record(self, resource_id: str, reply: Reply) -> None:
        """Record the operation that a write started, by its polling URL."""
        started = _started(reply)
        if started is not None and (started[0] == "status" or reply.status == 202):
            self._records.operation_started(resource_id, *started)

    def power(self, resource_id: str, word: str) -> None:
        """Start or restart a resource, and wait until it runs."""
        version = ids.api_version(resource_id)
        self._control.check()
        reply = self._transport.arm("POST", f"{resource_id}/{word}", params={"api-version": version})
        started = _started(reply)
        if started is not None:
            self._await(resource_id, *started, reply)
        self._live.forget(resource_id)

    def delete(self, resource_id: str, *, api_version: str | None = None, **query: str) -> None:
        """Delete a resource and wait until it is gone; do nothing if it does not exist.

        Args:
            query: further parameters of the request.

        Raises:
            AzureError: Azure refused, or the resource still exists after the maximum wait.
        """
        version = api_version or ids.api_version(resource_id)
        params = {"api-version": version, **query}
        reply = self._transport.arm("DELETE", resource_id, params=params, accept=(404,), conflict_timeout=1200.0)
        started, refused = _started(reply), None
        if reply.status == 202 and started is not None:
            self._records.operation_started(resource_id, *started)
            refused = self._await(resource_id, *started, reply)
            self._records.operation_ended(resource_id)
        if reply.status == 202:
            self._await_gone(resource_id, version, refused)
        self._live.note(resource_id, None)

    def _await_gone(self, resource_id: str, version: str, refused: Reply | None) -> None:
        """Wait until a resource is gone, even if its polling URL is missing or unreadable.

        Args:
            refused: an error at the polling URL: the deletion has failed, or the URL has expired.
        """
        began, state = time.monotonic(), ""

        def look() -> bool | None:
            nonlocal state
            live = self._live.read(resource_id, api_version=version)
            state = state_of(live) if live is not None else ""
            has_ended = refused is not None or state in GOOD_ENDS | BAD_ENDS
            gave_up = has_ended and time.monotonic() - began >= _STILL_SHOWN
            return True if live is None else False if gave_up else None

        if not poll(look, control=self._control, limit=self.longest_wait(resource_id)):
            code, why = error_parts(refused.body) if refused is not None else ("", "")
            what = f"{ids.last_name(resource_id)}: deleted, but still exists{f' ({state})' if state else ''}"
            raise AzureError(
                ": ".join(filter(None, (what, code, why))),
                code=code,
                hint="Run again later. If it stays so, delete it in the portal, which shows Azure's reason.",
            )

    # --- waiting ---

    def wait(self, resource_id: str, reply: Reply | None = None) -> None:
        """Wait for the recorded operation on a resource, if there is one.

        Args:
            reply: the reply that started it, with the time of the first poll.

        Raises:
            OperationFailedError: it failed.
            AzureError: it exceeded the maximum wait, or could not be polled.
        """
        operation = self._records.operations.get(resource_id)
        if operation is None:
            return
        self._await(resource_id, operation["kind"], operation["url"], reply)
        self._records.operation_ended(resource_id)

    def resume(self, resource_id: str) -> None:
        """Wait for an operation of an earlier run; its outcome is read from the resource.

        Raises:
            AzureError: it could not be polled; it stays recorded.
        """
        operation = self._records.operations.get(resource_id)
        if operation is None:
            return
        self._logger.info("resuming an operation that an earlier run started on %s", ids.last_name(resource_id))
        try:
            self._await(resource_id, operation["kind"], operation["url"], None)
        except OperationFailedError as error:
            self._logger.info("that operation failed: %s", error.message)
        self._live.forget(resource_id)
        self._records.operation_ended(resource_id)

    def _await(self, resource_id: str, kind: str, url: str, reply: Reply | None) -> Reply | None:
        """Poll until an operation ends; return an error of the polling URL, whose meaning depends on the resource.

        Raises:
            OperationFailedError: it failed or was canceled, and is no longer recorded.
            AzureError: it did not end in time, or could not be polled; it stays recorded.
        """
        if not hosts.is_arm(url, self._transport.endpoints):
            return None  # no token is sent to an unknown host; the resource's own state is polled instead
        answer: Reply | None = None

        def look() -> bool | None:
            nonlocal answer
            answer = self._transport.arm("GET", url, accept=(400, 403, 404, 410))
            if answer.status >= 400:
                self._unreadable(resource_id, answer)
                return True
            return self._ended(resource_id, kind, answer) or None

        limit = self.longest_wait(resource_id)
        first = min((reply.retry_after if reply is not None else None) or 0.0, limit)
        try:
            done = poll(
                look, control=self._control, limit=limit, pause=lambda began: pause_after(began, answer), after=first
            )
        finally:
            self._live.written(resource_id)  # reads made while it was running are outdated
        if done is None:
            raise AzureError(
                f"{ids.last_name(resource_id)}: still not done after {limit / 60:.0f} minutes",
                hint="Run again later: the wait is resumed.",
            )
        return answer if answer is not None and answer.status == 400 else None

    def _ended(self, resource_id: str, kind: str, answer: Reply) -> bool:
        if kind == "location":
            return answer.status != 202
        body = answer.body if isinstance(answer.body, dict) else {}
        status = str(body.get("status", "")).lower()
        if status in BAD_ENDS:
            code, message = error_parts(body)
            self._records.operation_ended(resource_id)
            raise OperationFailedError(
                f"{ids.last_name(resource_id)}: the operation ended as {status}: "
                f"{code + ': ' if code else ''}{message}".rstrip(": "),
                code=code,
                request_id=answer.headers.get("x-ms-request-id"),
                correlation_id=answer.headers.get("x-ms-correlation-request-id"),
            )
        return status == "succeeded"

    def _unreadable(self, resource_id: str, answer: Reply) -> None:
        """Handle an expired or unreadable polling URL: the resource's own state is used instead."""
        if answer.status == 403:
            raise refusal(answer, f"status of {ids.last_name(resource_id)}")
        self._logger.info("the operation's URL has expired; reading %s itself", ids.last_name(resource_id))

    @staticmethod
    def longest_wait(resource_id: str) -> float:
        """Return the maximum seconds to wait for a resource."""
        return float(_LONGEST_WAIT.get(ids.resource_type(resource_id), _USUAL_WAIT))

    # --- roles ---

    def role_may_come(self, error: AzureError, roles: Sequence[str], began: float) -> bool:
        """Return whether a refusal may be due to a role that is not effective yet.

        An older assignment does not count.
        """
        text = error.message.lower()
        of_role = "managed identity" in text or "unauthorized" in text or error.code == "AuthorizationFailed"
        about_role = error.code == "PrincipalNotFound" or (bool(roles) and of_role)
        return about_role and time.monotonic() - began < ROLE_WAIT and (not roles or self.any_young(roles))

    def any_young(self, roles: Sequence[str]) -> bool:
        """Return whether any of these role assignments was created within the last 30 minutes."""
        for role in roles:
            live = self._live.read(role)
            created = (live or {}).get("properties", {}).get("createdOn")
            if created and self._transport.now() - _moment(str(created), self._transport.now()) < ROLE_IS_YOUNG:
                return True
        return False

    def wait_for_role(self, resource_id: str, error: AzureError, began: float) -> None:
        """Wait briefly for a role to take effect, and report it."""
        self._report_role(resource_id, error)
        self._control.wait(role_pace(began))

    def _report_role(self, resource_id: str, error: AzureError) -> None:
        self._logger.info("waiting for a new role to take effect: %s", error.message)
        name = ids.last_name(resource_id)
        self._control.report(f"{name}: a new role is not effective yet; that takes up to 10 minutes")


def _started(reply: Reply) -> tuple[str, str] | None:
    """Return kind and polling URL of the operation that a reply started, or None."""
    if status := reply.headers.get("Azure-AsyncOperation"):
        return "status", status
    location = reply.headers.get("Location")
    return ("location", location) if location else None


def role_pace(began: float) -> float:
    """Return the seconds to the next try while waiting for a role."""
    return min(20.0, max(0.5, (time.monotonic() - began) / 2))


def pause_after(began: float, answer: Reply | None) -> float:
    """Return the seconds to the next poll: as the service asks, else our own pace."""
    return (answer.retry_after if answer is not None else None) or pace(began)


def state_of(live: dict[str, Any]) -> str:
    """Return the resource's state in lower case: `provisioningState`, or `state` for PostgreSQL; '' if it has none."""
    properties = live.get("properties") or {}
    return str(properties.get("provisioningState") or properties.get("state") or "").lower()


def at_rest(live: dict[str, Any], ready_property: str | None = None) -> bool:
    """Return whether no operation is running: no state at all means done (azure-resource-manager-rpc)."""
    state = state_of(live)
    if state in BAD_ENDS:
        return True
    if state and state not in GOOD_ENDS:
        return False
    second = (live.get("properties") or {}).get(ready_property) if ready_property else None
    return second is None or str(second).lower() in ("running", "disabled")


def _moment(created: str, otherwise: float) -> float:
    """Return the Unix time of an ISO time, which may have seven fractional digits and no zone.

    `otherwise` is returned for an unreadable one: it counts as new, so that we wait too long rather than too short.
    """
    text = created.rstrip("Z").split("+")[0].split(".")[0]
    try:
        return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()
    except ValueError:
        return otherwise
