"""Migrations as manually triggered Container Apps jobs: each content runs once.

A job is named after its content, so what has run is told by its executions. Before one starts, other jobs of the same
migration and database are deleted: going back to an earlier content runs it again.
"""

from __future__ import annotations

import time

from draftgenie_azure import ids
from draftgenie_azure.control import pace
from draftgenie_azure.errors import AzureError, DeployerError
from draftgenie_azure.journal import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from typing import Any

    from draftgenie_azure.arm import Arm, Resource
    from draftgenie_azure.control import RunControl
    from draftgenie_azure.journal import Journal
    from draftgenie_azure.wire import Wire

STEP = "run_migrations"
START_TRIES, LOOKS = 3, 3
MIGRATION_TAG = "draftgenie-migration"
_VERSION = ids.API_VERSIONS["Microsoft.App/jobs"]
_GOING = frozenset({"running", "processing", "unknown", ""})


def job_name(migration: str, content: str) -> str:
    """`<migration>-<8 digits of its content>`, within the 32 characters of a job's name."""
    return f"{migration[:23].rstrip('-')}-{content[:8]}"


class Migrations:
    """Runs migrations, each at most once per content."""

    def __init__(
        self, arm: Arm, journal: Journal, control: RunControl, wire: Wire, logger: logging.Logger
    ) -> None:
        self._arm = arm
        self._journal = journal
        self._control = control
        self._wire = wire
        self._logger = logger

    def run(self, job: Resource, group: str, *, force: bool) -> str:
        """Have a migration run; the name of its job.

        Raises:
            DeployerError: it failed; the end of its log is in the message.
        """
        self._delete_others(job, group)
        self._arm.ensure([job], step=STEP)
        name = ids.last_name(job.id)
        record = self._journal.resources[job.key]
        execution = self._going(job)
        if execution is None:
            if not force and self._succeeded(job, record):
                self._logger.info("%s: this content has run already", job.key)
                return name
            execution = self._start(job)
        self._await(job, execution)
        self._journal.note(job.key, succeeded=execution)
        return name

    def _delete_others(self, job: Resource, group: str) -> None:
        """Delete the jobs that earlier contents of this migration left."""
        wanted = job.body["tags"][MIGRATION_TAG]
        for other in self._arm.listing(f"{group}/providers/Microsoft.App/jobs", api_version=_VERSION):
            tagged = (other.get("tags") or {}).get(MIGRATION_TAG) == wanted
            if tagged and str(other["name"]).lower() != ids.last_name(job.id).lower():
                self._logger.info("%s: deleting the job of an earlier content, %s", job.key, other["name"])
                self._arm.delete(str(other["id"]), api_version=_VERSION)
        self._journal.replaced(job.key, job.id)

    def _executions(self, job: Resource) -> list[dict[str, Any]]:
        return list(self._arm.listing(f"{job.id}/executions", api_version=_VERSION))

    def _going(self, job: Resource) -> str | None:
        """An execution that is under way, begun by a run that was cut off."""
        for execution in self._executions(job):
            if str(execution["properties"].get("status", "")).lower() in _GOING:
                return str(execution["name"])
        return None

    def _succeeded(self, job: Resource, record: dict[str, Any]) -> bool:
        """Whether this content has run: recorded, or listed; Azure keeps only recent executions."""
        if record.get("succeeded"):
            return True
        return any(str(item["properties"].get("status", "")).lower() == "succeeded" for item in self._executions(job))

    def _start(self, job: Resource) -> str:
        """Start the job; the execution's name.

        A start has no key that would tell it from a second one, so after a lost reply the executions are looked up
        first. One is listed at once (recorded traffic of Azure/azure-cli); where none shows up, none was begun.
        """
        before = {str(item["name"]) for item in self._executions(job)}
        self._journal.note(job.key, started_at=now())
        for attempt in range(START_TRIES):
            try:
                reply = self._arm.act(f"{job.id}/start", api_version=_VERSION, repeatable=False)
            except AzureError as error:
                if not error.passing or attempt == START_TRIES - 1:
                    raise
                self._logger.info("%s; looking for what it began", error.message)
            else:
                if isinstance(reply.body, dict) and reply.body.get("name"):
                    return str(reply.body["name"])
            found = self._begun_since(job, before)
            if found is not None:
                return found
        raise AzureError(f"{job.key}: the job was started, but shows no execution", hint="Run again in a minute.")

    def _begun_since(self, job: Resource, before: set[str]) -> str | None:
        """An execution that was not there before, looked for during a few seconds."""
        for _ in range(LOOKS):
            for item in self._executions(job):
                if str(item["name"]) not in before:
                    return str(item["name"])
            self._control.wait(1.0)
        return None

    def _await(self, job: Resource, execution: str) -> None:
        began = time.monotonic()
        while True:
            live = self._arm.read(f"{job.id}/executions/{execution}", api_version=_VERSION)
            status = "" if live is None else str(live["properties"].get("status", ""))
            if status.lower() not in _GOING:
                break
            self._control.wait(pace(began))
        if status.lower() != "succeeded":
            from draftgenie_azure.logs import job_log

            log = job_log(self._arm, self._wire, job.id, execution)
            raise DeployerError(
                f"{job.key}: the migration ended as {status} ({execution}).\n{log}",
                hint="Mend it, then run again; or start it once more with --force-step run_migrations.",
            )
