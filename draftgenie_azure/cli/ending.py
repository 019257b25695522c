"""The end of a run: its summary, history entry and exit code."""

from __future__ import annotations

import os
import sys
import time

from draftgenie_azure import cli, run
from draftgenie_azure import state as state_package
from draftgenie_azure.cli.arguments import kind_of_run
from draftgenie_azure.cli.outputs import open_reporter, wanted_output
from draftgenie_azure.cli.signals import Interrupts
from draftgenie_azure.cli.summary import Summary
from draftgenie_azure.constants import FAILURE, SUCCESS
from draftgenie_azure.errors import DeployerError, StateError, StopRequested

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    import logging
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from draftgenie_azure.changes.decision import Decision
    from draftgenie_azure.cli.arguments import TextAsked
    from draftgenie_azure.cli.events import Reporter
    from draftgenie_azure.cli.progress import Progress
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.run.control import RunControl
    from draftgenie_azure.state.store import StateStore

    class Deployer(Protocol):
        """The part of the deployer that is used here."""

        config: Config
        logger: logging.Logger
        reporter: Reporter
        progress: Progress
        ran: dict[str, tuple[list[str], float]]
        warnings: list[str]

        @property
        def state(self) -> StateStore:
            """The loaded state, whose lock is held."""

        def deploy(self, control: RunControl | None = None) -> bool:
            """Run the steps that must run."""


def nothing_to_do(
    plan: Mapping[str, Decision], state: StateStore, reporter: Reporter, began: float, *, asked: bool
) -> int:
    """Report a run without changes.

    Args:
        asked: True if Azure was queried, and had nothing to change either.
    """
    Interrupts.decide(SUCCESS)
    cli.target.report(reporter, state.state["target"], {}, state.where)
    for name, decision in plan.items():
        reporter.step(name, decision.verdict, decision.reasons[0], reasons=decision.reasons)
    _report_runs(state, reporter)
    summary = Summary(state.state, {}, time.monotonic() - began, asked=asked, skipped=reporter.count("skipped"))
    reporter.result(summary.lines(), summary.document())
    return SUCCESS


def carry_out(deployer: Deployer, plan: Mapping[str, Decision], args: argparse.Namespace, began: float) -> int:
    """Run the steps, and always report the summary and record the history.

    Returns:
        The exit code.
    """
    state, reporter, config = deployer.state, deployer.reporter, deployer.config
    Interrupts.control = control = run.control.RunControl(args.parallelism or config.deployment.parallelism)
    code = FAILURE  # for a bug, which is raised after the summary
    record = state_package.history.RunRecord(state, **kind_of_run(args))
    scale = config.azure.emulator.scale if config.is_emulator else 1.0
    try:
        deployer.progress.expected(plan, record.past, width=control.parallelism, scale=scale)
        deployer.deploy(control)
        code = SUCCESS
    except DeployerError as error:
        deployer.logger.debug("the run failed", exc_info=True)
        code = failed(error, reporter)
    except StopRequested:
        code = cli.process.interrupted(reporter, cli.views.under_way(state.state))
    finally:
        Interrupts.decide(code)
        seconds = time.monotonic() - began
        record.end(code, deployer.ran, seconds, report=reporter.message)
        _report_runs(state, reporter)
        summary = Summary(
            state.state, deployer.ran, seconds, asked=True, skipped=reporter.count("skipped", "disabled"),
            begun=deployer.progress.begun, code=code, warnings=deployer.warnings, notes=reporter.notes,
        )
        reporter.result(summary.lines(), summary.document())
    return code


def bad_usage(error: DeployerError, argv: Sequence[str]) -> int:
    """Report a command line that cannot be used, in the output format that it requests."""
    reporter = open_reporter(wanted_output(argv), os.environ)
    reporter.error(error, log=None)
    reporter.end(FAILURE)
    return FAILURE


def show_text(asked: TextAsked, argv: Sequence[str]) -> int:
    """Print a requested text unchanged; with JSON output, as the last event."""
    if wanted_output(argv) == "json":
        reporter = open_reporter("json", {})
        reporter.result(asked.text.split("\n"), {"event": asked.what})
        reporter.end(SUCCESS)
        lost = reporter.lost
    else:
        lost = cli.views.print_text(sys.stdout, asked.text)
    if lost is None:
        return SUCCESS
    cli.views.show_lost(lost)
    return FAILURE


def _report_runs(state: StateStore, reporter: Reporter) -> None:
    """Add the earlier runs to the report, if one is written; a failure to read them is only a warning."""
    if reporter.is_reported:
        try:
            reporter.runs(state_package.history.History(state.backend).entries())
        except StateError as error:
            reporter.message(f"the report is without the earlier runs: {error.message}", level="warning")


def failed(error: DeployerError, reporter: Reporter) -> int:
    """Report an error, with the path of the log."""
    reporter.error(error, log=run.log.place())
    return FAILURE
