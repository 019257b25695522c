"""Migrations as manually triggered Container Apps jobs: each content runs once.

A job is named after its content, so its executions show what has run. Before one starts, other jobs of the same
migration and database are deleted, so that going back to an earlier content runs it again.
"""

from __future__ import annotations

import time

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.client import Resource
from draftgenie_azure.arm.plan import DELETE, START, Entry, is_pending, known_after
from draftgenie_azure.arm.replies import member
from draftgenie_azure.digests import PENDING, content_hash
from draftgenie_azure.errors import AzureError, MigrationError
from draftgenie_azure.provision import apps
from draftgenie_azure.provision.bodies.apps import migration_job
from draftgenie_azure.provision.container_logs import command, job_log
from draftgenie_azure.run.control import pace
from draftgenie_azure.run.poll import poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from draftgenie_azure.arm.plan import Plan
    from draftgenie_azure.arm.replies import Reply
    from draftgenie_azure.config.validated.service_sections import Migration
    from draftgenie_azure.session import Session

    Outputs = dict[str, Any]

STEP = "run_migrations"
MIGRATION_TAG = "draftgenie-migration"
EXECUTIONS = "/executions/"
LOOK = 3.0  # seconds within which an execution appears whose start got no reply
SHOWN_WITHIN = 5 * 60.0  # seconds within which one appears whose start was accepted
UNSEEN = 60.0  # seconds for which an execution may not be listed yet
SLACK = 15 * 60.0  # seconds in addition to a job's own timeout, to be scheduled and pull the image
_VERSION = ids.API_VERSIONS["Microsoft.App/jobs"]
_GOING = frozenset({"running", "processing", "unknown", ""})


def job_name(migration: str, content: str) -> str:
    """Return `<migration>-<8 digits of its content>`, within the 32 characters of a job's name; unknown if that is."""
    digits = content if PENDING in content else content[:8]
    return f"{migration[:23].rstrip('-')}-{digits}"


def run_all(session: Session, inputs: Mapping[str, Outputs], *, force: bool) -> Outputs:
    """Run each migration whose content has not run yet; all of them if forced."""
    if session.records.document.get("pin"):
        # The schema is at least as new as these images: an earlier migration would run on it again.
        session.logger.info("images are pinned by a rollback: no migration runs")
        known = {*session.records.resources, *session.records.document.get("migrated", {})}
        for migration in session.config.migrations:
            session.records.still_wanted(f"job/{migration.name}", STEP)
            if f"job/{migration.name}" not in known:
                words = "is new, and does not run before the rollback ends (--rollback off)"
                session.warn(f"the migration {migration.name} {words}")
        return {"jobs": session.records.document["pin"].get("jobs", [])}
    runner = Migrations(session)
    jobs = [_job(session, inputs, migration) for migration in session.config.migrations]
    return {"jobs": [runner.run(job, session.scope.group, force=force) for job in jobs]}


def _job(session: Session, inputs: Mapping[str, Outputs], migration: Migration) -> Resource:
    """Return the job of a migration, named after its content."""
    service = session.config.services[migration.service]
    image = apps.image(session, inputs, migration.service, service)
    server = inputs["create_databases"].get("postgresql") or {}
    database = session.config.migration_database(migration)
    again = (server.get("created_again") or {}).get(database)  # a database that was deleted and created again is empty
    content = content_hash(
        image, *migration.command, migration.working_directory or "", str(server.get("incarnation")),
        *([str(again)] if again else []),
    )  # fmt: skip
    body = migration_job(
        session.config,
        migration,
        apps.setting(session, inputs),
        image=image,
        variables=session.config.migration_variables(migration),
        tags={MIGRATION_TAG: f"{migration.name}.{database or ''}"},
    )
    job_id = session.scope.resource("Microsoft.App/jobs", job_name(migration.name, content))
    return Resource(
        f"job/{migration.name}",
        job_id,
        body,
        roles=apps.roles(session),
        replace_on_change="environmentId",
        bulk=True,  # all jobs are listed anyway, to find those of earlier contents
    )


class Migrations:
    """Runs migrations, each at most once per content."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._arm = session.arm
        self._records = session.records
        self._control = session.control
        self._transport = session.transport
        self._logger = session.logger

    def run(self, job: Resource, group: str, *, force: bool) -> str:
        """Ensure that a migration has run; return the name of its job.

        Args:
            job: the desired job.
            group: id of the resource group.
            force: run it even if it has run. An interrupted run's execution is resumed nevertheless: its outcome is
                unknown, and it may belong to this very force.

        Raises:
            MigrationError: it failed; the end of its log is in the details.
            AzureError: Azure refused, or its outcome is unknown.
        """
        if self._arm.plan is not None:
            return self._announce(job, group, self._arm.plan, force=force)
        self._delete_others(job, group)
        self._arm.ensure([job], step=STEP)
        if self._arm.created(job.key):
            self._forget_executions(job.id)
        name = ids.last_name(job.id)
        listed = self._executions(job)
        execution = self._begun(job, listed)
        if execution is None:
            if not force and self._succeeded(job, listed):
                self._logger.info("%s: this content has run already", job.key)
                return name
            execution = self._start(job, [_name(item) for item in listed])
        self._await(job, execution)
        return name

    def _announce(self, job: Resource, group: str, plan: Plan, *, force: bool) -> str:
        """Add to the plan whether the migration would start; unknown while its image is to be built."""
        name = ids.last_name(job.id)
        if is_pending(job.id) or is_pending(job.body["properties"]["template"]):
            plan.add(Entry(STEP, job.key, job.id.split(PENDING, 1)[0], START, note="unless this content has run"))
            return known_after(plan)
        for other_id in self._others(job, group):
            plan.add(Entry(STEP, f"{job.key}@{ids.last_name(other_id)}", other_id, DELETE))
        self._records.replaced(job.key, job.id)
        self._arm.ensure([job], step=STEP)
        listed = [] if self._arm.created(job.key) else self._executions(job)
        if self._begun(job, listed) is not None or force or not self._succeeded(job, listed):
            plan.add(Entry(STEP, f"{job.key}/start", job.id, START))
        return name

    # --- jobs ---

    def _delete_others(self, job: Resource, group: str) -> None:
        """Delete the jobs of earlier contents of this migration; one that cannot be deleted is kept."""
        for other_id in self._others(job, group):
            self._logger.info("%s: deleting the job of an earlier content, %s", job.key, ids.last_name(other_id))
            self._delete(other_id)
        earlier = self._records.resources.get(job.key)
        if earlier is not None and str(earlier["id"]).lower() != job.id.lower():
            self._forget_executions(earlier["id"])
        self._records.replaced(job.key, job.id)

    def _others(self, job: Resource, group: str) -> list[str]:
        """Return ids of the jobs of this migration and database with another content."""
        wanted = job.body["tags"][MIGRATION_TAG]
        found = []
        for other in self._arm.live.listed(f"{group}/providers/Microsoft.App/jobs", api_version=_VERSION):
            other_id = member(other, "id", of="list of jobs")
            tagged = (other.get("tags") or {}).get(MIGRATION_TAG) == wanted
            if tagged and ids.last_name(other_id).lower() != ids.last_name(job.id).lower():
                found.append(other_id)
        return found

    def _delete(self, job_id: str) -> None:
        """Delete a job; as this is housekeeping, a lock or a missing right only causes a warning."""
        try:
            self._arm.delete(job_id, api_version=_VERSION)
        except AzureError as error:
            if error.transient:
                raise
            self._session.warn(f"the job {ids.last_name(job_id)} of an earlier content is kept: {error.message}")

    def _forget_executions(self, job_id: str) -> None:
        """Forget the executions of a deleted job, which are deleted with it."""
        for operation in self._recorded(job_id):
            self._records.operation_ended(operation)

    # --- executions ---

    def _recorded(self, job_id: str) -> list[str]:
        """Return recorded operations that are executions of a job; a copy, since other threads change theirs."""
        return [one for one in list(self._records.operations) if one.startswith(job_id + EXECUTIONS)]

    def _executions(self, job: Resource) -> list[dict[str, Any]]:
        return list(self._arm.listing(f"{job.id}/executions", api_version=_VERSION))

    def _begun(self, job: Resource, listed: Sequence[dict[str, Any]]) -> str | None:
        """Return an execution of an interrupted run whose outcome is unknown; it may have ended meanwhile."""
        for operation in self._recorded(job.id):
            return str(self._records.operations[operation]["url"])
        before = self._records.resources[job.key].get("starting")
        for item in listed:
            if _status(item).lower() in _GOING or (before is not None and _name(item) not in before):
                return _name(item)
        return None

    def _succeeded(self, job: Resource, listed: Sequence[dict[str, Any]]) -> bool:
        """Return whether this content has run, by records or listing; Azure keeps only recent executions."""
        if self._records.resources[job.key].get("succeeded"):
            return True
        # Its job was deleted with the application, but the database was kept (`--destroy` without --include-data).
        if self._records.document.get("migrated", {}).get(job.key) == ids.last_name(job.id):
            return True
        return any(_status(item).lower() == "succeeded" for item in listed)

    def _start(self, job: Resource, before: list[str]) -> str:
        """Start the job; return the execution's name.

        A start has no idempotency key, so without a reply the executions are searched first. One is listed at once
        (recorded traffic of Azure/azure-cli); if none appears, none was started.
        """
        self._records.document.get("migrated", {}).pop(job.key, None)
        self._records.note(job.key, starting=before)
        began, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            try:
                reply = self._arm.act(f"{job.id}/start", api_version=_VERSION, repeatable=False)
            except AzureError as error:
                if not error.transient:
                    raise
                self._logger.info("%s; looking for its execution", error.message)
                pause = max(LOOK, self._transport.pause(attempt, error.retry_after))
                in_vain = time.monotonic() - began + pause > self._transport.budget
                found = self._begun_since(job, before, LOOK if in_vain else pause)
                if found is not None:
                    return found
                if in_vain:
                    raise
            else:
                return self._accepted(job, before, reply)

    def _accepted(self, job: Resource, before: list[str], reply: Reply) -> str:
        """Return the execution of an accepted start. Whatever the reply lacks, the start is not repeated.

        The reply is 200 with the name, or 202 with `Location` (learn.microsoft.com, REST reference, jobs/start).

        Raises:
            AzureError: no execution appears.
        """
        if isinstance(reply.body, dict) and reply.body.get("name"):
            return _name(reply.body)
        location = reply.headers.get("Location")
        if location:
            self._records.operation_started(job.id, "location", location)
            self._arm.wait(job.id)
        found = self._begun_since(job, before, SHOWN_WITHIN)
        if found is None:
            raise AzureError(
                f"{job.key}: Azure accepted the start of {ids.last_name(job.id)}, but shows no execution of it",
                hint="Check the job's execution history in the portal. The next run resumes what is listed there by "
                "then; if nothing is, it starts the job again.",
            )
        return found

    def _begun_since(self, job: Resource, before: Sequence[str], seconds: float) -> str | None:
        """Return a new execution, searched for during a given time."""

        def look() -> str | None:
            return next((_name(item) for item in self._executions(job) if _name(item) not in before), None)

        return poll(look, control=self._control, limit=seconds, pause=lambda began: max(0.5, pace(began)))

    def _await(self, job: Resource, execution: str) -> None:
        """Wait for an execution, and record its outcome.

        Its name is recorded first, so that the next run resumes the wait if this one is interrupted.

        Raises:
            MigrationError: it failed; the end of its log is in the details.
            AzureError: it disappeared, or does not end.
        """
        operation = f"{job.id}{EXECUTIONS}{execution}"
        if operation not in self._records.operations:
            self._records.operation_started(operation, "execution", execution)
        status = self._end(job, execution)
        succeeded = (status or "").lower() == "succeeded"
        self._records.note(job.key, starting=None, **({"succeeded": execution} if succeeded else {}))
        self._records.operation_ended(operation)
        if status is None:
            raise AzureError(
                f"{job.key}: the execution {execution} no longer exists; its outcome is unknown",
                hint="Check the database. The next run starts the migration again.",
            )
        if not succeeded:
            containers = job.body["properties"].get("template", {}).get("containers", [])
            named = [word for one in containers[:1] for word in ("--container", one["name"])]
            look = command(job.id, "job", "--execution", execution, *named)
            ends, log = job_log(self._session, job.id, execution)
            raise MigrationError(
                f"{job.key}: the migration ended as {status} ({execution}): {'; '.join(ends)}\nits log: {look}",
                hint="Fix what its log names (command, image or database), then run again; or start it again with "
                "--force-step run_migrations.",
                details=log,
            )

    def _end(self, job: Resource, execution: str) -> str | None:
        """Return the final status of an execution; None if it does not exist.

        Raises:
            AzureError: it runs longer than its job allows.
        """
        seen = time.monotonic()
        limit = float(job.body["properties"]["configuration"]["replicaTimeout"]) + SLACK

        def look() -> str | None:
            """Return a final status; empty if the execution no longer exists."""
            nonlocal seen
            live = self._arm.read(f"{job.id}{EXECUTIONS}{execution}", api_version=_VERSION)
            if live is None:
                return "" if time.monotonic() - seen > UNSEEN else None
            seen = time.monotonic()
            return _status(live) if _status(live).lower() not in _GOING else None

        status = poll(look, control=self._control, limit=limit)
        if status is None:
            raise AzureError(
                f"{job.key}: the execution {execution} has not ended after {limit / 60:.0f} minutes",
                hint="Run again: the wait is resumed. To give it up, stop it in the portal: job "
                f"{ids.last_name(job.id)}, execution history.",
            )
        return status or None


def _name(execution: dict[str, Any]) -> str:
    return member(execution, "name", of="execution of a job")


def _status(execution: dict[str, Any]) -> str:
    """Return the status of an execution; '' if there is none yet."""
    return str((execution.get("properties") or {}).get("status") or "")
