"""The one door to Azure Resource Manager: ensure, read, act, delete, wait.

`ensure` reads what exists, compares it with what is wanted and writes only where they differ. It adopts what a cut-off
run left half made and waits for a resource that is still changing instead of colliding with it.
"""

from __future__ import annotations

import datetime
import time
import uuid
from dataclasses import dataclass
from functools import partial

from draftgenie_azure.arm import hosts, ids
from draftgenie_azure.arm.diff import differences, fingerprint
from draftgenie_azure.arm.transport import Spent, error_parts, is_busy, refusal
from draftgenie_azure.errors import NOT_AZURE, AzureError, OperationFailedError
from draftgenie_azure.run.control import pace
from draftgenie_azure.run.schedule import side_by_side

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Sequence
    from typing import Any

    from draftgenie_azure.arm.transport import Reply, Wire
    from draftgenie_azure.run.control import RunControl
    from draftgenie_azure.state.resource_records import ResourceRecords

INCARNATION_TAG = "incarnation"
ROLE_IS_YOUNG = 30 * 60  # seconds in which a new role may not be effective yet

# The end of an operation. Everything else, unknown words included, means that it is still going; environments alone
# can end as UpgradeFailed (azure-mgmt-appcontainers).
GOOD_ENDS = frozenset({"succeeded", "ready", "running", "stopped", "disabled", "inaccessible"})
BAD_ENDS = frozenset({"failed", "canceled", "upgradefailed"})

# Longest waits in seconds: three times the longest that was measured or is to be expected of the type.
_LONGEST_WAIT = {
    "Microsoft.Resources/resourceGroups": 95 * 60,  # one that is being deleted
    "Microsoft.DBforPostgreSQL/flexibleServers": 36 * 60,
    "Microsoft.Cache/redisEnterprise": 90 * 60,
    "Microsoft.Cache/redisEnterprise/databases": 30 * 60,
    "Microsoft.Cache/redis": 105 * 60,
    "Microsoft.App/managedEnvironments": 60 * 60,
    "Microsoft.App/containerApps": 45 * 60,
}
_USUAL_WAIT = 15 * 60
_LOOKS_AT_FAILED = 3  # a failed resource is at rest: one that still says it is busy then will not get ready


@dataclass(frozen=True)
class Resource:
    """A resource as it is wanted.

    Attributes:
        key: the state's name for it, e.g. `container_app/api_gateway`.
        id: its resource id.
        body: the whole desired body, for the PUT that creates it.
        changes: the body of a PATCH where the type wants that for changes; None where a PUT of `body` changes it.
        write_only: dotted paths of the body that Azure never gives back; not compared.
        incarnation: whether it carries the tag that tells a resource from a later one of the same name.
        can_change: False for what is right if it exists (role assignments).
        roles: role assignments without which the body is refused; waited for while they are young.
        expiry_fails: False where an operation that ends as expired is somebody else's to judge.
        settled: name of a second state that must be `Running`, besides provisioningState.
        home: name of a property that cannot change: with another value the resource is deleted and made again.
        stillborn: a property and its value where Azure failed to make the resource and takes no change of it: what this
            lineage began so is deleted and made again; nothing was ever in it.
        secret_digest: of what is write-only; a change of it is a difference. Kept in the state.
    """

    key: str
    id: str
    body: dict[str, Any]
    changes: dict[str, Any] | None = None
    write_only: tuple[str, ...] = ()
    incarnation: bool = False
    can_change: bool = True
    roles: tuple[str, ...] = ()
    expiry_fails: bool = True
    settled: str | None = None
    home: str | None = None
    stillborn: tuple[str, str] | None = None
    secret_digest: str | None = None

    @property
    def api_version(self) -> str:
        """The pinned API version of its type."""
        return ids.api_version(self.id)


class Arm:
    """Resources of one subscription, through one `Wire`, remembered in one `ResourceRecords`."""

    def __init__(self, wire: Wire, journal: ResourceRecords, control: RunControl, logger: logging.Logger) -> None:
        self._wire = wire
        self._journal = journal
        self._control = control
        self._logger = logger
        self._created: set[str] = set()
        self.written: dict[str, list[str]] = {}  # step -> keys of the resources that were not as wanted

    # --- reading ---

    def read(self, resource_id: str, *, api_version: str | None = None) -> dict[str, Any] | None:
        """The live resource, or None where there is none.

        Raises:
            AzureError: anything but 200 and 404.
        """
        version = api_version or ids.api_version(resource_id)
        reply = self._get(resource_id, **{"api-version": version})
        return None if reply.status == 404 else dict(reply.body)

    def listing(self, path: str, *, api_version: str, **params: str) -> Iterator[dict[str, Any]]:
        """Every item of a collection, page by page; nothing where the collection itself is missing."""
        reply = self._get(path, **{"api-version": api_version, **params})
        while reply.status != 404:
            items = reply.body.get("value", [])
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise AzureError(f"GET {path}: this is no list of objects", hint=NOT_AZURE)
            yield from items
            following = reply.body.get("nextLink")
            if not following:
                return
            if not hosts.is_arm(str(following), self._wire.endpoints):
                raise AzureError(f"GET {path}: its next page is elsewhere, where our token does not go", hint=NOT_AZURE)
            reply = self._get(following)

    def _get(self, path: str, **params: str) -> Reply:
        return self._wire.arm("GET", path, params=params or None, accept=(404,), expects_object=True)

    # --- acting ---

    def act(
        self,
        path: str,
        *,
        api_version: str,
        body: Any = None,
        repeatable: bool = True,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """POST an action. `repeatable=False` for what begins something each time it is sent."""
        return self._wire.arm(
            "POST",
            path,
            params={"api-version": api_version},
            json_body=body,
            repeatable=repeatable,
            headers=headers,
        )

    def delete(self, resource_id: str, *, api_version: str | None = None) -> None:
        """Delete a resource and wait until it is gone; nothing to do where it is not there.

        Raises:
            AzureError: Azure refused, or the resource is still there after the longest plausible time.
        """
        version = api_version or ids.api_version(resource_id)
        reply = self._wire.arm("DELETE", resource_id, params={"api-version": version}, accept=(404,), patience=1200.0)
        url = reply.headers.get("Azure-AsyncOperation") or reply.headers.get("Location")
        if reply.status == 202 and url:
            kind = "status" if reply.headers.get("Azure-AsyncOperation") else "location"
            self._journal.operation_started(resource_id, kind, url)
            self._await_operation(resource_id, kind, url, reply)
            self._journal.operation_ended(resource_id)
        if reply.status == 202:
            self._await_gone(resource_id, version)

    def _await_gone(self, resource_id: str, version: str) -> None:
        """An address that could not be read, or none at all, says nothing: the resource itself does."""
        began = time.monotonic()
        while self.read(resource_id, api_version=version) is not None:
            if time.monotonic() - began > self._longest_wait(resource_id):
                raise AzureError(f"{ids.last_name(resource_id)}: deleted, but still there", hint="Run again later.")
            self._control.wait(pace(began))

    # --- ensuring ---

    def ensure(self, resources: Sequence[Resource], *, step: str) -> list[dict[str, Any]]:
        """Bring a group of resources that may go side by side to what is wanted, within the run's width.

        Args:
            resources: what is wanted; none of them needs another one of the group.
            step: the step that records them.

        Returns:
            The live resources, read after the writes, in the same order.

        Raises:
            AzureError: a write was refused, or its operation failed; the others of the group were finished.
            DeploymentError: so it went with several.
        """
        tasks = [partial(self._ensure, resource, step) for resource in resources]
        return side_by_side(tasks, width=self._control.parallelism)

    def _ensure(self, resource: Resource, step: str) -> dict[str, Any]:
        with self._control.slot():
            live, sent = self._begin(resource, step)
            return self._finish(resource, step, live, sent)

    def created(self, key: str) -> bool:
        """Whether it was this run's own write that made the resource."""
        return key in self._created

    def differences(self, resource: Resource, live: dict[str, Any] | None) -> list[str]:
        """What a write would change: dotted paths; `['is missing']` where there is no live resource."""
        if live is None:
            return ["is missing"]
        if not resource.can_change:
            return []
        wanted = resource.changes if resource.changes is not None else resource.body
        found = differences(wanted, live, ignore=resource.write_only)
        if not found and resource.changes is None:
            # A property that is no longer wanted is absent from the body: only the last body sent tells.
            last = self._journal.resources.get(resource.key, {}).get("body")
            if last is not None and last != fingerprint(wanted, ignore=resource.write_only):
                found = ["differs from what was sent last"]
        if not found and resource.secret_digest is not None:
            known = self._journal.resources.get(resource.key, {}).get("secret_digest")
            found = [] if known == resource.secret_digest else ["its secret changed"]
        return found

    def _begin(self, resource: Resource, step: str) -> tuple[dict[str, Any] | None, bool]:
        """Read, compare and send what differs; the live resource where nothing was sent, and whether it was.

        A write that may or may not have been taken is not sent again blindly: what exists decides.
        """
        self.take_up(resource.id)
        spent, attempt = Spent(), 0
        while True:
            live = self._current(resource)
            found = self.differences(resource, live)
            failed = live is not None and state_of(live) in BAD_ENDS
            if live is not None and not found and not failed:
                return live, False
            if live is None:
                self._journal.creating(resource.key, resource.id, resource.api_version, step)
            self._logger.info("%s: %s", resource.key, "failed before" if failed and not found else ", ".join(found))
            began = time.monotonic()
            try:
                self._write(resource, live)
            except AzureError as error:
                if error.code == "RoleAssignmentExists":
                    return self._same_role(resource, error), False
                attempt += 1
                pause = self._wire.pause(attempt, error.retry_after)
                if failed and is_busy(error) and attempt == _LOOKS_AT_FAILED:
                    raise self._failed(resource, live, f", and takes no change of it ({error.message})") from error
                lost = spent.more(error, time.monotonic() - began + pause)
                if not error.passing or lost > self._patience(error, resource.id):
                    raise
                self._logger.info("%s; looking again in %.1f s", error.message, pause)
                self._wire.tell_wait(resource.id, error, attempt, pause)
                self._control.wait(pause)
                continue
            if live is None:
                self._created.add(resource.key)
            self.written.setdefault(step, []).append(resource.key)
            return None, True

    def _current(self, resource: Resource) -> dict[str, Any] | None:
        """The live resource, at rest; None where there is none, or was none that can stay."""
        live = self._settled(resource, self.read(resource.id))
        return self._born(resource, self._at_home(resource, live))

    def _same_role(self, resource: Resource, error: AzureError) -> dict[str, Any]:
        """The same assignment under another name, which somebody else gave; Azure's refusal does not say where it is.

        Raises:
            AzureError: the refusal, where no such assignment is to be seen.
        """
        wanted = resource.body["properties"]
        collection = resource.id.rsplit("/", 1)[0]
        mine = f"principalId eq '{wanted['principalId']}'"
        for live in self.listing(collection, api_version=resource.api_version, **{"$filter": mine}):
            if not differences(wanted["roleDefinitionId"], live["properties"]["roleDefinitionId"]):
                self._logger.info("%s is there already, as %s", resource.key, live["name"])
                return live
        raise error

    def _at_home(self, resource: Resource, live: dict[str, Any] | None) -> dict[str, Any] | None:
        """The live resource, unless it is elsewhere and cannot move: then it is deleted."""
        if live is None or resource.home is None:
            return live
        there, wanted = live["properties"].get(resource.home), resource.body["properties"][resource.home]
        if not there or str(there).lower() == str(wanted).lower():
            return live
        self._logger.warning(
            "%s moves to another %s: it is deleted and made again", resource.key, resource.home.removesuffix("Id")
        )
        self.delete(resource.id)
        return None

    def _born(self, resource: Resource, live: dict[str, Any] | None) -> dict[str, Any] | None:
        """The live resource, unless Azure failed to make it and it cannot be mended: then it is deleted."""
        if live is None or resource.stillborn is None or state_of(live) not in BAD_ENDS:
            return live
        name, value = resource.stillborn
        ours = self._journal.resources.get(resource.key, {}).get("created")
        if not ours or live["properties"].get(name) != value:
            return live
        self._logger.warning("%s: Azure failed to make it; it is deleted and made again", resource.key)
        self.delete(resource.id)
        return None

    def _patience(self, error: AzureError, resource_id: str) -> float:
        """Seconds to go on: as long as another operation may take, else what one request is given."""
        return self._longest_wait(resource_id) if is_busy(error) else self._wire.budget

    def _finish(self, resource: Resource, step: str, live: dict[str, Any] | None, sent: bool) -> dict[str, Any]:
        if sent:
            expired = self._await_with_roles(resource, step)
            live = self._read_back(resource, judge=not expired)
        assert live is not None
        wanted = resource.changes if resource.changes is not None else resource.body
        print_ = fingerprint(wanted, ignore=resource.write_only)
        self._journal.ensured(resource.key, resource.id, resource.api_version, step, print_)
        if resource.secret_digest is not None:
            self._journal.resources[resource.key]["secret_digest"] = resource.secret_digest
        if sent:
            self._journal.save()
        return live

    def _write(self, resource: Resource, live: dict[str, Any] | None) -> None:
        """Send the PUT or PATCH and record where its end can be asked for."""
        patch = live is not None and resource.changes is not None
        body = dict(resource.changes if patch and resource.changes is not None else resource.body)
        if "tags" in body or resource.incarnation:
            # PUT and PATCH replace the tags whole: what others added stays.
            body["tags"] = {**((live or {}).get("tags") or {}), **body.get("tags", {})}
        if resource.incarnation and live is None:
            body["tags"][INCARNATION_TAG] = uuid.uuid4().hex
        method = "PATCH" if patch else "PUT"
        self.send(resource.id, body, method=method, roles=resource.roles, repeatable=False)

    def send(
        self,
        resource_id: str,
        body: dict[str, Any],
        *,
        method: str = "PUT",
        roles: Sequence[str] = (),
        repeatable: bool = True,
    ) -> Reply:
        """PUT or PATCH a body and record the operation it starts; `wait` waits for it.

        Args:
            roles: assignments without which it is refused; waited for while they are young.
            repeatable: False where the caller looks before it sends again.

        Raises:
            AzureError: the body was refused.
        """
        version = ids.api_version(resource_id)
        began = time.monotonic()
        while True:
            self._control.check()
            try:
                reply = self._wire.arm(
                    method,
                    resource_id,
                    params={"api-version": version},
                    json_body=body,
                    patience=self._longest_wait(resource_id),
                    tries=None if repeatable else 1,
                )
                break
            except AzureError as error:
                if not self._role_may_come(error, roles, began):
                    raise
                self._wait_for_role(resource_id, error, began)
        status, location = reply.headers.get("Azure-AsyncOperation"), reply.headers.get("Location")
        if status:
            self._journal.operation_started(resource_id, "status", status)
        elif location and reply.status == 202:
            self._journal.operation_started(resource_id, "location", location)
        return reply

    def wait(self, resource_id: str) -> None:
        """Wait for the recorded operation on a resource, if there is one.

        Raises:
            OperationFailedError: it failed.
            AzureError: it took longer than is plausible, or its end could not be asked for.
        """
        operation = self._journal.operations.get(resource_id)
        if operation is None:
            return
        self._await_operation(resource_id, operation["kind"], operation["url"], None)
        self._journal.operation_ended(resource_id)

    def _await_with_roles(self, resource: Resource, step: str) -> bool:
        """Wait; where the operation failed for want of a role that is young, send the body once more.

        Returns:
            Whether the operation expired and that is somebody else's to judge.
        """
        began = time.monotonic()
        while True:
            try:
                self.wait(resource.id)
                return False
            except OperationFailedError as error:
                if not resource.expiry_fails and "Operation expired" in error.message:
                    self._logger.warning("%s: its operation expired; the last step tells why", resource.key)
                    return True
                if not self._role_may_come(error, resource.roles, began):
                    raise
                self._wait_for_role(resource.id, error, began)
            self._begin(resource, step)

    def take_up(self, resource_id: str) -> None:
        """Wait for an operation that an earlier run left behind; whether it failed shows in the resource.

        Raises:
            AzureError: its end could not be asked for; it stays recorded.
        """
        operation = self._journal.operations.get(resource_id)
        if operation is None:
            return
        self._logger.info("taking up an operation that an earlier run began on %s", ids.last_name(resource_id))
        try:
            self._await_operation(resource_id, operation["kind"], operation["url"], None)
        except OperationFailedError as error:
            self._logger.info("that operation ended badly: %s", error.message)
        self._journal.operation_ended(resource_id)

    def _await_operation(self, resource_id: str, kind: str, url: str, reply: Reply | None) -> None:
        """Poll until an operation ends.

        Raises:
            OperationFailedError: it ended as failed or canceled, and is recorded no longer.
            AzureError: it did not end in time, or could not be asked for; it stays recorded.
        """
        if not hosts.is_arm(url, self._wire.endpoints):
            return  # the token goes wherever this address points; the resource's own state is asked instead
        deadline = time.monotonic() + self._longest_wait(resource_id)
        began = time.monotonic()
        pause = (reply.retry_after if reply is not None else None) or 0.0
        while True:
            self._control.wait(pause)
            answer = self._wire.arm("GET", url, accept=(400, 403, 404, 410))
            if answer.status >= 400:
                self._operation_unreadable(resource_id, answer)
                return
            if self._ended(resource_id, kind, answer):
                return
            if time.monotonic() > deadline:
                minutes = self._longest_wait(resource_id) / 60
                raise AzureError(
                    f"{ids.last_name(resource_id)}: still not done after {minutes:.0f} minutes",
                    hint="Run again later: the wait is taken up where it was left.",
                )
            pause = min(self._pause(began, answer), max(0.0, deadline - time.monotonic()) + 0.1)

    def _ended(self, resource_id: str, kind: str, answer: Reply) -> bool:
        if kind == "location":
            return answer.status != 202
        body = answer.body if isinstance(answer.body, dict) else {}
        status = str(body.get("status", "")).lower()
        if status in BAD_ENDS:
            code, message = error_parts(body)
            self._journal.operation_ended(resource_id)
            raise OperationFailedError(
                f"{ids.last_name(resource_id)}: the operation ended as {status}: "
                f"{code + ': ' if code else ''}{message}".rstrip(": "),
                code=code,
                request_id=answer.headers.get("x-ms-request-id"),
            )
        return status == "succeeded"

    def _operation_unreadable(self, resource_id: str, answer: Reply) -> None:
        """The address has expired, or is not to be read: the resource's own state has to tell."""
        if answer.status == 403:
            raise refusal(answer, f"status of {ids.last_name(resource_id)}")
        self._logger.info("the operation's address is gone; asking %s itself", ids.last_name(resource_id))

    def _read_back(self, resource: Resource, *, judge: bool) -> dict[str, Any]:
        """GET after a write, until the resource is there and at rest; `judge`: it must not have failed.

        PostgreSQL may answer 404 for a while although the operation has succeeded
        (github.com/Azure/azure-rest-api-specs/issues/19546).
        """
        for attempt in range(12):
            live = self._settled(resource, self.read(resource.id))
            if live is not None:
                if judge:
                    self._raise_if_failed(resource, live)
                return live
            self._control.wait(min(15.0, 0.5 * 2**attempt))
        raise AzureError(f"{resource.key}: Azure took it, but does not show it", hint="Run again in a few minutes.")

    def _raise_if_failed(self, resource: Resource, live: dict[str, Any]) -> None:
        if state_of(live) not in BAD_ENDS:
            return
        reason = live.get("properties", {}).get("deploymentErrors") or ""
        if not resource.expiry_fails and "Operation expired" in str(reason):
            return
        raise self._failed(resource, live, f" ({reason})" if reason else "")

    @staticmethod
    def _failed(resource: Resource, live: dict[str, Any] | None, more: str) -> AzureError:
        return AzureError(
            f"{resource.key}: Azure says that it is {state_of(live or {})}{more}",
            hint="Its activity log in the portal may tell why. The next run sends it again. If it stays so: "
            f"az resource delete --ids {resource.id}, which deletes what is in it, too; then run again.",
        )

    def _settled(self, resource: Resource, live: dict[str, Any] | None) -> dict[str, Any] | None:
        """Wait until a resource that is still changing has come to rest."""
        began = time.monotonic()
        deadline = began + self._longest_wait(resource.id)
        while live is not None and not at_rest(live, resource.settled):
            if time.monotonic() > deadline:
                raise AzureError(f"{resource.key}: it is still {state_of(live)}", hint="Run again later.")
            self._control.wait(self._pause(began, None))
            live = self.read(resource.id)
        return live

    # --- roles ---

    def _role_may_come(self, error: AzureError, roles: Sequence[str], began: float) -> bool:
        """Whether a refusal may be a role that is not effective yet.

        Azure says up to 10 minutes (learn.microsoft.com, RBAC troubleshooting); an older assignment is no excuse.
        """
        text = error.message.lower()
        of_role = "managed identity" in text or "unauthorized" in text or error.code == "AuthorizationFailed"
        about_role = error.code == "PrincipalNotFound" or (bool(roles) and of_role)
        return about_role and time.monotonic() - began < 600 and (not roles or self.any_young(roles))

    def any_young(self, roles: Sequence[str]) -> bool:
        """Whether any of these role assignments was made within the last 30 minutes."""
        for role in roles:
            live = self.read(role)
            created = (live or {}).get("properties", {}).get("createdOn")
            if created and self._wire.now() - _moment(str(created), self._wire.now()) < ROLE_IS_YOUNG:
                return True
        return False

    def _wait_for_role(self, resource_id: str, error: AzureError, began: float) -> None:
        self._logger.info("waiting for a new role to take effect: %s", error.message)
        name = ids.last_name(resource_id)
        self._control.tell(f"{name}: a new role is not effective yet; that takes up to 10 minutes")
        self._control.wait(min(20.0, max(0.5, (time.monotonic() - began) / 2)))

    # --- pace ---

    @staticmethod
    def _pause(began: float, answer: Reply | None) -> float:
        """Seconds to the next poll: what the service asks for, else our own pace."""
        return (answer.retry_after if answer is not None else None) or pace(began)

    @staticmethod
    def _longest_wait(resource_id: str) -> float:
        return float(_LONGEST_WAIT.get(ids.resource_type(resource_id), _USUAL_WAIT))


def state_of(live: dict[str, Any]) -> str:
    """The resource's state in lower case: `provisioningState`, or `state` for PostgreSQL; '' where it has none."""
    properties = live.get("properties") or {}
    return str(properties.get("provisioningState") or properties.get("state") or "").lower()


def at_rest(live: dict[str, Any], settled: str | None = None) -> bool:
    """Whether nothing is under way: no state at all means done (azure-resource-manager-rpc)."""
    state = state_of(live)
    if state in BAD_ENDS:
        return True
    if state and state not in GOOD_ENDS:
        return False
    second = (live.get("properties") or {}).get(settled) if settled else None
    return second is None or str(second).lower() in ("running", "disabled")


def incarnation(live: dict[str, Any]) -> str | None:
    """The random id of the write that created the resource; None where there is no tag."""
    value = (live.get("tags") or {}).get(INCARNATION_TAG)
    return None if value is None else str(value)


def _moment(created: str, otherwise: float) -> float:
    """The Unix time of an ISO time, fractions of seven digits and a missing zone included.

    An unreadable one is `otherwise`: taken for young, so that we wait a little too long rather than too short.
    """
    text = created.rstrip("Z").split("+")[0].split(".")[0]
    try:
        return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()
    except ValueError:
        return otherwise
