"""A migration runs once per request, whatever is lost, interrupted or missing."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from project import Project, wait_for
from scripted_azure import GROUP, MISSING, Answer, Request, ScriptedAzure, scripted_azure

from draftgenie_azure.arm.client import Resource
from draftgenie_azure.cli.views import under_way
from draftgenie_azure.errors import AzureError, DeployerError
from draftgenie_azure.provision import migrations
from draftgenie_azure.provision.migrations import Migrations

FORCED = ("--force-step", "run_migrations")
START = {"method": "POST", "path": "*/start"}
JOB = f"{GROUP}/providers/Microsoft.App/jobs/people-1a2b3c4d"
WANTED = Resource(
    "job/people",
    JOB,
    {"location": "eastus2", "tags": {migrations.MIGRATION_TAG: "people"},
     "properties": {"configuration": {"replicaTimeout": 1}}},
)  # fmt: skip


def starts(project: Project) -> list[datetime]:
    """Return the times of the requests to start a job."""
    times = [request["time"] for request in project.requests() if request["path"].endswith("/start")]
    return [datetime.fromisoformat(time[:26]) for time in times]


def interrupt_while_it_runs(project: Project, *arguments: str) -> str:
    """Run the command until a migration is under way, and press Ctrl-C; what it said."""
    with project.start(*arguments, *FORCED) as process:
        wait_for(lambda: "/executions/" in str(project.state()["operations"]), process, "no execution was recorded")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    return err


# --- an interrupted run ---


@pytest.mark.slow
def test_interrupted_migration_is_awaited_by_the_next_run_and_not_started_again(deployed: Project) -> None:
    """Also where it was forced, and had ended meanwhile: only the next force starts another one."""
    said = interrupt_while_it_runs(deployed, *deployed.faults(scale=0.1))
    _, running = deployed.executions()
    words = under_way(deployed.state(), "run_migrations")
    assert words == [f"{deployed.state()['resources']['job/speaker-service']['name']} (execution {running})"]
    assert f"still working on {words[0]}" in said

    assert list(deployed.deploy().ran()) == ["run_migrations"]

    assert len(deployed.executions()) == 2
    assert deployed.state()["operations"] == {}
    assert deployed.deploy().ran() == {}
    deployed.deploy(*FORCED)
    assert len(deployed.executions()) == 3


def test_migration_that_failed_after_the_interrupt_fails_the_next_run(deployed: Project) -> None:
    """Its outcome counts, and once reported, the next run tries again."""
    fails = {"speaker-service": {"job": {"exit_code": 1, "log": "no such column"}}}
    interrupt_while_it_runs(deployed, *deployed.faults(scale=0.1, images=fails))

    failed = deployed.run(*deployed.faults(images=fails))

    assert failed.code == 1
    assert "the migration ended as Failed" in failed.err
    assert "no such column" in failed.err
    assert len(deployed.executions()) == 2
    deployed.deploy()
    assert len(deployed.executions()) == 3


def test_migration_started_by_a_killed_run_is_not_started_again(deployed: Project) -> None:
    """Executions before the start are recorded, so that a new one is recognised as started by it."""
    held_up = {"method": "GET", "path": "*/executions", "skip": 1, "times": 99, "status": 503, "retry_after": 5}
    with deployed.start(*deployed.faults({**START, "drop": "after"}, held_up), *FORCED) as process:
        before = len(starts(deployed))
        wait_for(lambda: len(starts(deployed)) > before, process, "the migration was not started")
        process.kill()
    assert len(deployed.executions()) == 2

    deployed.deploy()

    assert len(deployed.executions()) == 2


# --- a start that is not answered ---


@pytest.mark.slow
def test_start_that_azure_is_too_busy_for_is_sent_again_when_it_says(project: Project) -> None:
    """It is retried within the budget, respecting `Retry-After`."""
    project.deploy(*project.faults({**START, "status": 503, "times": 3, "retry_after": 4}))

    times = starts(project)
    assert len(times) == 4
    assert all((later - earlier).total_seconds() >= 4 for earlier, later in pairwise(times))
    assert len(project.executions()) == 1


@pytest.mark.slow
def test_start_that_azure_is_too_busy_for_ends_with_the_budget_and_its_own_words(deployed: Project) -> None:
    """The last real error is shown."""
    deployed.change("advanced.operation_timeout", 6)
    fault = {**START, "status": 503, "times": 99, "code": "ServiceUnavailable", "message": "Overloaded."}

    failed = deployed.run(*deployed.faults(fault), *FORCED)

    assert failed.code == 1
    assert "failed: run_migrations: " in failed.err
    assert "503 ServiceUnavailable: Overloaded." in failed.err
    assert len(starts(deployed)) > 1


# --- an Azure that answers oddly ---


class Job:
    """A script for one job, which is there already.

    Attributes:
        start: what a start is answered.
        lag: seconds until an execution is listed.
        execution: what a look at an execution is answered.
        begun: when each start came.
    """

    def __init__(
        self, start: Answer, *, lag: float = 0.0, execution: Answer | None = None, other: Answer = MISSING
    ) -> None:
        self.start = start
        self.lag = lag
        self.execution = execution or Answer(body={"name": "e1", "properties": {"status": "Succeeded"}})
        self.other = other
        self.begun: list[float] = []

    def __call__(self, request: Request) -> Answer:
        if request.path.endswith("/start"):
            self.begun.append(request.at)
            return self.start
        if request.path.endswith("/executions"):
            seen = [number for number, at in enumerate(self.begun, 1) if request.at - at > self.lag]
            return Answer(body={"value": [{"name": f"e{n}", "properties": {"status": "Running"}} for n in seen]})
        if "/executions/" in request.path:
            return self.execution
        if request.path == JOB:
            return Answer(body={**WANTED.body, "id": JOB})
        return self.other if request.path.startswith("/operations/") else Answer(body={"value": []})


@contextmanager
def azure_with(directory: Path, job: Job) -> Iterator[ScriptedAzure]:
    """An Azure that has the job, which the state knows."""
    with scripted_azure(directory, job) as azure:
        azure.records.resources[WANTED.key] = {"id": JOB, "name": "people-1a2b3c4d", "step": migrations.STEP}
        yield azure


def migrate(azure: ScriptedAzure, *, force: bool = False) -> str:
    """Have the migration run."""
    return Migrations(azure.session).run(WANTED, GROUP, force=force)


@pytest.mark.parametrize(
    "answer",
    [Answer(202), Answer(body="<html>welcome</html>"), Answer(body={}), Answer(body=[]), Answer(body={"name": None})],
    ids=["empty", "page", "no name", "list", "null"],
)
def test_start_that_was_accepted_is_never_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    """Its execution is looked for, for longer than after a lost reply."""
    monkeypatch.setattr(migrations, "LOOK", 0.5)
    job = Job(answer, lag=1.5)

    with azure_with(tmp_path, job) as azure:
        migrate(azure)

        assert len(job.begun) == 1
        assert azure.records.resources[WANTED.key]["succeeded"] == "e1"


def test_start_that_continues_as_an_operation_is_followed(tmp_path: Path) -> None:
    """202 with `Location`: once that has ended, the execution is there."""
    job = Job(Answer(202), other=Answer(body={"name": "e1"}))
    with azure_with(tmp_path, job) as azure:
        job.start.headers["Location"] = f"{azure.url}/operations/1"

        migrate(azure)

        assert [request.path for request in azure.requests].count("/operations/1") == 1
        assert len(job.begun) == 1
        assert azure.records.operations == {}


def test_start_that_was_accepted_and_shows_nothing_fails_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After minutes; sending it again might run the migration twice."""
    monkeypatch.setattr(migrations, "SHOWN_WITHIN", 2.0)
    job = Job(Answer(202), lag=999)
    with azure_with(tmp_path, job) as azure, pytest.raises(AzureError, match="shows no execution") as failure:
        migrate(azure)

    assert len(job.begun) == 1
    assert "execution history" in str(failure.value.hint)


def test_execution_that_is_not_visible_yet_is_waited_for(tmp_path: Path) -> None:
    """Its name is known before it can be read."""
    job = Job(Answer(body={"name": "e1"}), execution=MISSING)

    def later(request: Request) -> Answer:
        if "/executions/" in request.path and time.monotonic() - job.begun[0] > 1:
            job.execution = Answer(body={"name": "e1", "properties": {"status": "Succeeded"}})
        return job(request)

    with scripted_azure(tmp_path, later) as azure:
        azure.records.resources[WANTED.key] = {"id": JOB, "name": "people-1a2b3c4d", "step": migrations.STEP}
        migrate(azure)

        assert azure.records.resources[WANTED.key]["succeeded"] == "e1"


def test_execution_that_is_gone_is_an_error_and_not_waited_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows how it ended; the next run starts another one."""
    monkeypatch.setattr(migrations, "UNSEEN", 1.0)
    job = Job(Answer(body={"name": "e1"}), lag=999, execution=MISSING)
    with azure_with(tmp_path, job) as azure:
        with pytest.raises(AzureError, match="the execution e1 no longer exists") as failure:
            migrate(azure)
        assert "Check the database" in str(failure.value.hint)

        job.execution = Answer(body={"name": "e1", "properties": {"status": "Succeeded"}})
        migrate(azure)

        assert len(job.begun) == 2


def test_execution_that_does_not_end_is_given_up_and_resumed_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job's own time-out and some time for its image; what goes on in Azure stays recorded."""
    monkeypatch.setattr(migrations, "SLACK", 1.0)
    job = Job(Answer(body={"name": "e1"}), execution=Answer(body={"name": "e1", "properties": None}))
    with azure_with(tmp_path, job) as azure:
        with pytest.raises(AzureError, match="has not ended after 0 minutes") as failure:
            migrate(azure)
        assert "Run again: the wait is resumed." in str(failure.value.hint)

        job.execution = Answer(body={"name": "e1", "properties": {"status": "Succeeded"}})
        migrate(azure, force=True)

        assert len(job.begun) == 1
        assert azure.records.operations == {}


def test_execution_of_a_job_that_was_deleted_is_forgotten(tmp_path: Path) -> None:
    """It went with its job; the job is made again, and the migration runs there."""
    job = Job(Answer(body={"name": "e1"}))
    made: list[str] = []

    def deleted(request: Request) -> Answer:
        if request.path == JOB and request.method == "PUT":
            made.append(request.path)
        return MISSING if request.path == JOB and not made else job(request)

    with scripted_azure(tmp_path, deleted) as azure:
        azure.records.operation_started(f"{JOB}/executions/e0", "execution", "e0")

        migrate(azure)

        assert azure.records.resources[WANTED.key]["succeeded"] == "e1"
        assert azure.records.operations == {}


def test_execution_of_an_earlier_content_is_forgotten_with_its_job(tmp_path: Path) -> None:
    """Nobody waits for it any longer, and no interrupted run says that Azure is at work on it."""
    job = Job(Answer(body={"name": "e1"}))
    earlier = JOB.replace("1a2b3c4d", "00000000")

    def script(request: Request) -> Answer:
        if request.path.endswith("/jobs"):
            return Answer(body={"value": [{**WANTED.body, "id": earlier.replace("Microsoft.App", "microsoft.app")}]})
        return Answer(204) if request.method == "DELETE" else job(request)

    with scripted_azure(tmp_path, script) as azure:
        azure.records.resources[WANTED.key] = {"id": earlier, "name": "people-00000000", "step": migrations.STEP}
        azure.records.operation_started(f"{earlier}/executions/e0", "execution", "e0")

        migrate(azure)

        assert azure.sent("DELETE")
        assert azure.records.resources[WANTED.key]["succeeded"] == "e1"
        assert azure.records.operations == {}


@pytest.mark.parametrize("body", ["<html>welcome</html>", {}, {"properties": None}, {"properties": {"token": 1}}])
def test_failed_migration_is_reported_although_its_log_cannot_be_read(tmp_path: Path, body: Any) -> None:
    """The failure matters more than the log."""
    job = Job(Answer(body={"name": "e1"}), execution=Answer(body={"name": "e1", "properties": {"status": "Failed"}}))
    containers = [{"name": "migration", "logStreamEndpoint": "https://eastus2.azurecontainerapps.dev/log"}]

    def script(request: Request) -> Answer:
        if request.path.endswith("/getAuthtoken"):
            return Answer(body=body)
        if request.path.endswith("/replicas"):
            return Answer(body={"value": [{"properties": {"containers": containers}}]})
        return job(request)

    with scripted_azure(tmp_path, script) as azure, pytest.raises(DeployerError) as failure:
        azure.session.secrets_unknown = ""  # there is no vault here to read them from
        migrate(azure)

    assert "ended as Failed (e1): migration: unknown\nits log: az containerapp job logs show " in failure.value.message
    assert "(its log could not be read: " in failure.value.details


@pytest.mark.parametrize(
    "body", ["<html>welcome</html>", {"value": [{"properties": {"containers": None}}]}, {"value": [{}]}]
)
def test_failed_migration_is_reported_although_its_replicas_cannot_be_listed(tmp_path: Path, body: Any) -> None:
    """Neither are they there for ever."""
    job = Job(Answer(body={"name": "e1"}), execution=Answer(body={"name": "e1", "properties": {"status": "Failed"}}))

    def script(request: Request) -> Answer:
        return Answer(body=body) if request.path.endswith("/replicas") else job(request)

    with scripted_azure(tmp_path, script, budget=0.5) as azure, pytest.raises(DeployerError) as failure:
        migrate(azure)

    assert "the migration ended as Failed (e1): " in failure.value.message
    assert "replica" in failure.value.message
