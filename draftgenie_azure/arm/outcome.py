"""Wait for the outcome of a write, and read the resource afterwards."""

from __future__ import annotations

import time

from draftgenie_azure.arm.operations import BAD_ENDS, at_rest, pause_after, state_of
from draftgenie_azure.errors import AzureError
from draftgenie_azure.run.poll import poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.arm.listing import LiveResources
    from draftgenie_azure.arm.operations import Operations
    from draftgenie_azure.arm.replies import Reply
    from draftgenie_azure.arm.resource import Resource
    from draftgenie_azure.arm.shared_wait import SharedWait
    from draftgenie_azure.run.control import RunControl
    from draftgenie_azure.state.resource_records import ResourceRecords

    Body = dict[str, Any]

SHOWN_WITHIN = 100.0  # seconds within which an accepted resource must become visible
# Types whose reply to a PUT equals a GET. An app's is an echo with nulls, a vault's lacks a
# slash, a diagnostic setting's lacks the categories that were not requested (recorded traffic).
_WHOLE_ANSWERS = frozenset(
    {
        "Microsoft.App/managedEnvironments/storages",
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.ContainerRegistry/registries",
        "Microsoft.Insights/components",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "Microsoft.Resources/resourceGroups",
    }
)


class Outcomes:
    """Follows writes to their end; shared by the threads of a run."""

    def __init__(
        self, live: LiveResources, operations: Operations, records: ResourceRecords, control: RunControl
    ) -> None:
        self._live = live
        self._operations = operations
        self._records = records
        self._control = control

    def of(self, resource: Resource, reply: Reply, answered: float, shared: SharedWait) -> Body:
        """Return the resource once its write has ended.

        Args:
            reply: the reply to the write.
            answered: monotonic time of the reply, or of the end of its operation.
            shared: the other resources of the type being waited for.

        Raises:
            OperationFailedError: it failed.
        """
        running = resource.id in self._records.operations
        if reply.status == 202:
            if running:
                self._operations.wait(resource.id, reply)
                answered = time.monotonic()
            with shared.waiting():
                return self.read_back(resource, shared, judge=True, since=answered)
        body = reply.body if isinstance(reply.body, dict) else {}
        if not running and resource.type in _WHOLE_ANSWERS and body.get("id") and at_rest(body):
            return body
        if running:
            self._control.wait(answered + (reply.retry_after or 0.0) - time.monotonic())
        with shared.waiting():
            live = self.read_back(resource, shared, judge=False, since=answered)
        if running and state_of(live) in BAD_ENDS:
            self._operations.wait(resource.id)  # raises the reason
        # The caller records the resource, and saves then.
        self._records.operation_ended(resource.id, saves=state_of(live) in BAD_ENDS)
        self._raise_if_failed(resource, live)
        return live

    def read_back(
        self, resource: Resource, shared: SharedWait, *, judge: bool, since: float | None = None
    ) -> Body:
        """Read the resource after a write until it exists and is idle; with `judge`, it must not have failed.

        `since` is the time of the reply to the write; a listing requested later includes it.

        PostgreSQL may answer 404 for a while although the operation has succeeded
        (github.com/Azure/azure-rest-api-specs/issues/19546).
        """
        asked = since if since is not None else time.monotonic()

        def look() -> Body | None:
            nonlocal asked
            live = self.at_rest(resource, self._seen_since(resource, asked, shared), shared)
            asked = time.monotonic()
            return live

        live = poll(
            look,
            control=self._control,
            limit=SHOWN_WITHIN,
            pause=lambda began: min(15.0, max(0.5, time.monotonic() - began)),
        )
        if live is None:
            raise AzureError(
                f"{resource.key}: Azure accepted it, but does not show it", hint="Run again in a few minutes."
            )
        if judge:
            self._raise_if_failed(resource, live)
        return live

    def _seen_since(self, resource: Resource, since: float, shared: SharedWait) -> Body | None:
        if not resource.bulk:
            return self._live.read(resource.id)
        return self._live.fresh(resource.id, since, alone=shared.is_small)

    def at_rest(self, resource: Resource, live: Body | None, shared: SharedWait) -> Body | None:
        """Return the resource once no operation is running; None if it does not exist, or no longer.

        Raises:
            AzureError: it exceeds the maximum wait.
        """
        if live is None or at_rest(live, resource.ready_property):
            return live
        asked = time.monotonic()

        def look() -> tuple[Body | None] | None:
            nonlocal live, asked
            live = self._seen_since(resource, asked, shared)
            asked = time.monotonic()
            return (live,) if live is None or at_rest(live, resource.ready_property) else None

        limit = self._operations.longest_wait(resource.id)
        first = pause_after(asked, None)
        if poll(look, control=self._control, limit=limit, after=first) is None:
            raise AzureError(f"{resource.key}: it is still {state_of(live or {})}", hint="Run again later.")
        return live

    def _raise_if_failed(self, resource: Resource, live: Body) -> None:
        if state_of(live) not in BAD_ENDS:
            return
        reason = live.get("properties", {}).get("deploymentErrors") or ""
        if resource.tolerate_expiry and "Operation expired" in str(reason):
            return
        raise failed(resource, live, f" ({reason})" if reason else "")


def failed(resource: Resource, live: Body | None, more: str) -> AzureError:
    """Return the error for a resource in a failed state."""
    return AzureError(
        f"{resource.key}: its state in Azure is {state_of(live or {})}{more}",
        hint=f"az monitor activity-log list --resource-id {resource.id} may say why. The next run sends it again. "
        f"If it stays so: az resource delete --ids {resource.id}, which also deletes its content; then run again.",
    )
