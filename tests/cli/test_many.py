"""Much of the same: hundreds of services do not hide what else there is to see."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from project import Project

from draftgenie_azure.arm.diff import Change
from draftgenie_azure.arm.plan import CHANGE, CREATE, UNCHANGED, Entry, Plan
from draftgenie_azure.cli import summary
from draftgenie_azure.cli.events import Reporter
from draftgenie_azure.cli.views import MOST_FAILURES, Lines
from draftgenie_azure.errors import AzureError, DeploymentError, VerificationError
from draftgenie_azure.planning import view
from draftgenie_azure.run.log import open_log

STEP = "configure_environment_variables"
MANY = 200


def shown(*entries: Entry) -> list[str]:
    """The lines of a plan."""
    plan = Plan()
    for entry in entries:
        plan.add(entry)
    planned: Any = SimpleNamespace(decisions={STEP: None}, plan=plan, unknown=(), asked=True)
    return view.lines(planned)


def app(number: int, value: str, **facts: Any) -> Entry:
    """A variable of a service."""
    path = ("template", "containers", f"[app-{number}]", "env", "[LOG]", "value")
    change = Change(path, CHANGE, "info", value)
    return Entry(STEP, f"container_app/app_{number}", f"/apps/app-{number}", CHANGE, [change], **facts)


def test_equal_changes_of_many_services_are_one_with_all_names() -> None:
    """Whoever differs has its own lines, in its place."""
    lines = shown(*(app(number, "debug") for number in range(MANY)), app(900, "trace"))

    assert lines[0] == f"  ~ container_app: change {MANY}"
    assert lines[1].startswith("      ~ template.containers[*].env[LOG].value: ")
    names = [line for line in lines if line.startswith("      app_") or line.startswith("          ")]
    assert sorted(" ".join(names).replace(",", "").split()) == sorted(f"app_{number}" for number in range(MANY))
    assert "  ~ container_app/app_900: change" in lines
    assert lines[-1] == f"Resources: {MANY + 1} to change."
    assert len(lines) < 40
    assert all(len(line) <= 80 for line in lines)


def test_few_equal_changes_are_shown_each() -> None:
    lines = shown(*(app(number, "debug") for number in range(20)))

    names = sorted(f"app_{number}" for number in range(20))
    assert [line for line in lines if line.startswith("  ~")] == [f"  ~ container_app/{name}: change" for name in names]


def test_unchanged_resources_are_not_shown_however_many() -> None:
    entries = [Entry(STEP, f"container_app/app_{number}", f"/apps/{number}", UNCHANGED) for number in range(MANY)]

    assert shown(*entries) == [f"Resources: {MANY} unchanged."]


def test_kinds_and_notes_that_differ_are_not_put_together() -> None:
    apps = [Entry(STEP, f"container_app/a{n}", f"/a/{n}", CREATE) for n in range(30)]
    noted = [Entry(STEP, f"container_app/b{n}", f"/b/{n}", CREATE, note="again") for n in range(30)]
    jobs = [Entry(STEP, f"job/a{n}", f"/j/{n}", CREATE) for n in range(30)]

    heads = [line for line in shown(*apps, *noted, *jobs) if line.startswith("  +")]

    assert heads == ["  + container_app: create 30", "  + container_app: create 30 (again)", "  + job: create 30"]


def test_many_failures_are_whole_at_first_and_then_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter([Lines()])
    for number in range(MANY):
        message = f"verify_deployment: app_{number}: is Failed\ncontainer app: Terminated"
        reporter.error(VerificationError(message, hint="Fix it.", details="its output"), log="x.log")

    lines = capsys.readouterr().err.splitlines()

    assert [line for line in lines if line.startswith("failed: ")] == [
        f"failed: verify_deployment: app_{number}: is Failed" for number in range(MANY)
    ]
    assert lines.count("| its output") == lines.count("  next: Fix it.") == MOST_FAILURES
    assert sum(line.startswith("Further failures") for line in lines) == 1


def test_equal_refusals_are_one_with_the_names_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    """The names alone, without the words that all of the messages have."""
    errors = [
        AzureError(f"services.a{n}: app/a{n}: Azure would refuse it: 400 No: never", code="No", status=400)
        for n in range(4)
    ]
    Reporter([Lines()]).error(DeploymentError(errors), log=None)

    first, others, *_ = capsys.readouterr().err.splitlines()

    assert first == "failed: services.a0: app/a0: Azure would refuse it: 400 No: never"
    assert others == "| also, for the same reason: services.a1: app/a1, services.a2: app/a2, services.a3: app/a3"


def test_summary_shows_the_first_of_each_kind_and_counts_the_others() -> None:
    record = {"id": "/x", "name": "x", "orphaned": True}
    state = {"steps": {}, "target": {}, "resources": {f"container_app/app_{number}": record for number in range(MANY)}}
    notes = [f"note {number}" for number in range(30)]

    lines = summary.Summary(state, {}, 1.0, asked=False, skipped=14, notes=notes).lines()

    assert sum(line.startswith("  left in Azure") for line in lines) == 11
    assert "  left in Azure, no longer configured: 190 more (--status names them)" in lines
    assert "  note    20 more (the log has them)" in lines


def test_summary_of_a_refused_run_says_that_it_failed_and_nothing_of_an_earlier_one() -> None:
    """The step that failed the run before was not reached by this one."""
    state = {"steps": {"create_databases": {"status": "failed"}}, "target": {}, "resources": {}}

    refused = summary.Summary(state, {}, 1.0, asked=True, skipped=1, code=1)
    failed = summary.Summary(state, {}, 1.0, asked=True, skipped=1, begun={"create_databases"}, code=1)

    assert refused.lines() == ["Deployment summary (1.0 s): the run failed; 0 ran, 1 skipped, 0 failed, 13 not reached"]
    assert refused.document()["failed"] == []
    assert failed.lines()[:2] == [
        "Deployment summary (1.0 s): 0 ran, 1 skipped, 1 failed, 12 not reached", "  failed  create_databases",
    ]  # fmt: skip


def test_warning_is_an_event_for_every_view() -> None:
    """Not a line of the log among the lines of the run; with --verbose it is not shown twice."""
    reported: list[tuple[str, str]] = []
    logger = open_log(None, verbose=False, report=lambda text, *, level="info": reported.append((level, text)))

    logger.warning("%s: it is deleted and created again", "redis")
    logger.info("nothing to see")

    assert reported == [("warning", "redis: it is deleted and created again")]
    logger.handlers.clear()
    logging.getLogger().handlers.clear()
    logging.captureWarnings(False)


@pytest.mark.slow
def test_plan_of_two_hundred_services_fits_on_two_screens(project: Project) -> None:
    """The whole command, on an emulator that has nothing yet."""
    extra = {"image": "ghcr.io/example/echo:1", "transport": "auto", "port": 8080}
    for number in range(MANY):
        project.change(f"services.extra_{number}", extra)

    plan = project.run("--dry-run", "--output", "plain")

    assert plan.code == 0, plan.text
    lines = plan.out.splitlines()
    assert len(lines) < 100
    assert any(line.startswith("  + container_app: create ") for line in lines)
    assert "  + provider/Microsoft.App: register" in lines
