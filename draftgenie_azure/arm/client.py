"""The client for Azure Resource Manager: ensure, read, list, act, delete, wait. Every step goes through it.

Each part has its own module: reading (`listing`), waiting (`operations`), one resource (`ensure`), what a run
would do (`plan`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

from draftgenie_azure.arm import preflight
from draftgenie_azure.arm.ensure import Ensurer, Writing
from draftgenie_azure.arm.listing import LiveResources
from draftgenie_azure.arm.operations import Operations
from draftgenie_azure.arm.resource import Resource, created_at, creation_id
from draftgenie_azure.arm.shared_wait import SharedWait
from draftgenie_azure.errors import DeployerError
from draftgenie_azure.run.schedule import run_concurrently
from draftgenie_azure.state.baseline import Baselines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from draftgenie_azure.arm.plan import Plan
    from draftgenie_azure.arm.preflight import Answer, Question
    from draftgenie_azure.arm.replies import Reply
    from draftgenie_azure.arm.transport import Transport
    from draftgenie_azure.run.control import RunControl
    from draftgenie_azure.state.resource_records import ResourceRecords

__all__ = ["MANY", "ArmClient", "Resource", "created_at", "creation_id"]


MANY = 3  # number of resources of a type from which one listing replaces single reads


class ArmClient:
    """Manages resources of one subscription through a `Transport`, recording them in `ResourceRecords`.

    Args:
        baselines: what Azure returned after our last writes.
        plan: collects planned changes; a client with a plan writes nothing.
        repair: revert changes made by others.
    """

    def __init__(
        self,
        transport: Transport,
        records: ResourceRecords,
        control: RunControl,
        *,
        baselines: Baselines | None = None,
        plan: Plan | None = None,
        repair: bool = False,
    ) -> None:
        self._transport = transport
        self._control = control
        self.plan = plan
        self.repairs = repair
        self.live = LiveResources(transport)
        self.baselines = baselines or Baselines()
        self._operations = Operations(transport, self.live, records, control)
        writing = Writing(self.baselines, plan, repair)
        self.ensurer = Ensurer(transport, self.live, self._operations, records, control, writing)

    def for_planning(self, plan: Plan, records: ResourceRecords) -> ArmClient:
        """Return a client that only adds to `plan` what this one would do; it shares the reads so far."""
        client = ArmClient(
            self._transport, records, self._control, baselines=self.baselines, plan=plan, repair=self.repairs
        )
        client.live.know(self.live)
        return client

    # --- reading ---

    def read(self, resource_id: str, *, api_version: str | None = None) -> dict[str, Any] | None:
        """Return the live resource, or None if it does not exist.

        Raises:
            AzureError: any status but 200 and 404.
        """
        return self.live.read(resource_id, api_version=api_version)

    def current(self, resource_id: str) -> dict[str, Any] | None:
        """Return the live resource as this run last saw or wrote it; read if it has not."""
        return self.live.current(resource_id)

    def listing(self, path: str, *, api_version: str, **params: str) -> Iterator[dict[str, Any]]:
        """Yield every item of a collection, page by page; nothing if the collection does not exist."""
        return self.live.listing(path, api_version=api_version, **params)

    def validate(self, questions: Sequence[Question], location: str) -> list[Answer]:
        """Have Azure validate bodies, concurrently and in batches; nothing is created.

        Args:
            location: location for bodies without one.

        Raises:
            AuthenticationError: the token is rejected.
        """
        found: list[Answer] = []
        alone: list[Question] = []
        groups = preflight.together(questions, location)
        for group, answers in zip(groups, self._asked(groups, location), strict=True):
            found += answers
            alone += [] if answers else group
        for answers in self._asked([[question] for question in alone], location):
            found += answers
        return found

    def concurrently(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Run reads that do not depend on each other."""
        run_concurrently(tasks, width=self._control.parallelism)

    def _asked(self, groups: Sequence[Sequence[Question]], location: str) -> list[list[Answer]]:
        tasks = [partial(preflight.ask, self._transport, group, location) for group in groups]
        return run_concurrently(tasks, width=self._control.parallelism)

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
        """POST an action. Pass `repeatable=False` if each request starts something."""
        self.live.acted(path.rsplit("/", 1)[0])
        return self._transport.arm(
            "POST",
            path,
            params={"api-version": api_version},
            json_body=body,
            repeatable=repeatable,
            headers=headers,
        )

    def start(self, resource_id: str) -> None:
        """Start a stopped resource, and wait until it runs.

        Raises:
            AzureError: Azure refused, or it does not start.
        """
        self._must_write()
        self._operations.power(resource_id, "start")

    def restart(self, resource_id: str) -> None:
        """Restart a resource, and wait until it runs again.

        Raises:
            AzureError: Azure refused, or it does not start again.
        """
        self._must_write()
        self._operations.power(resource_id, "restart")

    def delete(self, resource_id: str, *, api_version: str | None = None, **query: str) -> None:
        """Delete a resource and wait until it is gone; do nothing if it does not exist.

        Args:
            query: further parameters of the request.

        Raises:
            AzureError: Azure refused, or the resource still exists after the maximum wait.
        """
        self._must_write()
        self._operations.delete(resource_id, api_version=api_version, **query)

    def send(self, resource_id: str, body: dict[str, Any], *, method: str = "PUT") -> Reply:
        """PUT or PATCH a body and record the operation it starts; see `wait`.

        Raises:
            AzureError: the body was refused.
        """
        self._must_write()
        return self._operations.send(resource_id, body, method=method)

    def _must_write(self) -> None:
        if self.plan is not None:
            raise DeployerError("a dry run was about to write; this is a bug in this command")

    # --- ensuring ---

    def ensure(
        self, resources: Sequence[Resource], *, step: str, one_by_one: bool = False
    ) -> list[dict[str, Any]]:
        """Ensure a group of independent resources concurrently, within the run's parallelism.

        Args:
            resources: the desired resources; none depends on another one of the group.
            step: the step that records them.
            one_by_one: their parent allows one operation at a time: each write ends before the next, and the first
                failure ends the series. They are read together afterwards.

        Returns:
            The live resources, read after the writes, in the same order; in a plan, as predicted.

        Raises:
            AzureError: a write was refused, or its operation failed; the others of the group were completed.
            DeploymentError: several failed.
        """
        many = {name for name, count in Counter(one.type for one in resources).items() if count >= MANY}
        wanted = [replace(one, bulk=True) if one.type in many else one for one in resources]
        shared = SharedWait()
        if one_by_one and self.plan is None:
            return self._one_by_one(wanted, step, shared)
        return self._concurrently([partial(self.ensurer.ensure, one, step, shared) for one in wanted])

    def _one_by_one(self, wanted: Sequence[Resource], step: str, shared: SharedWait) -> list[dict[str, Any]]:
        ended: list[Callable[[], dict[str, Any]]] = []
        failure: DeployerError | None = None
        for one in wanted:
            try:
                ended.append(self.ensurer.end(one, step, shared))
            except DeployerError as error:
                failure = error
                break
        found = self._concurrently(ended)
        if failure is not None:
            raise failure
        return found

    def _concurrently(self, tasks: Sequence[Callable[[], dict[str, Any]]]) -> list[dict[str, Any]]:
        def within_width(task: Callable[[], dict[str, Any]]) -> dict[str, Any]:
            with self._control.slot():
                return task()

        return run_concurrently([partial(within_width, task) for task in tasks], width=self._control.parallelism)

    def created(self, key: str) -> bool:
        """Return whether this run created the resource."""
        return key in self.ensurer.created

    @property
    def written(self) -> dict[str, list[str]]:
        """Step -> keys of the resources that were written."""
        return self.ensurer.written

    # --- waiting ---

    def wait(self, resource_id: str) -> None:
        """Wait for the recorded operation on a resource, if there is one.

        Raises:
            OperationFailedError: it failed.
            AzureError: it exceeded the maximum wait, or could not be polled.
        """
        self._operations.wait(resource_id)

    def resume(self, resource_id: str) -> None:
        """Wait for an operation of an earlier run; its outcome is read from the resource.

        Raises:
            AzureError: it could not be polled; it stays recorded.
        """
        if self.plan is None:
            self._operations.resume(resource_id)

    def any_young(self, roles: Sequence[str]) -> bool:
        """Return whether any of these role assignments was created within the last 30 minutes."""
        return self._operations.any_young(roles)
