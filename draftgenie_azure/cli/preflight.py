"""Checks and notices before a run or its plan queries Azure."""

from __future__ import annotations

from draftgenie_azure import changes, cli
from draftgenie_azure import state as state_package
from draftgenie_azure.errors import ConfigError, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from draftgenie_azure.changes.decision import Decider, Decision
    from draftgenie_azure.cli.events import Reporter
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.planning.making import Planned
    from draftgenie_azure.state.store import StateStore


def check(
    args: argparse.Namespace,
    decider: Decider,
    plan: Mapping[str, Decision],
    state: StateStore,
    reporter: Reporter,
) -> None:
    """Check for faults that would otherwise appear only after minutes, and warn about files in images.

    After a deployment by the earlier script, also report what is taken over, differs and is missing.

    Raises:
        ConfigError: lists every fault.
    """
    if state.earlier or (not state.found and state_package.earlier.is_configuration(decider.raw)):
        cli.take_over.check(args, decider.raw, state, reporter)
    faults = decider.switched_off_too_early()
    if plan["build_and_push_images"].runs:
        faults += changes.images.faults(decider.hasher)
        for text in () if faults else changes.images.notices(decider.hasher):
            reporter.message(text, level="note")
    if faults:
        raise ConfigError(faults)


def report_notices(config: Config, reporter: Reporter) -> None:
    """Report warnings about the configuration, and keys without effect."""
    ignored = [f"without effect in the configuration: {', '.join(config.ignored_keys)}"] if config.ignored_keys else []
    for text in (*config.notices, *ignored):
        reporter.message(text, level="note")


def check_expected(expected: str | None, found: Planned) -> None:
    """Refuse to run anything but the reviewed plan.

    Raises:
        RefusedError: the plan is another one.
    """
    if expected and not (found.asked and found.id == expected):
        raise RefusedError(
            f"the plan differs from the reviewed one: {found.id} instead of {expected}",
            hint="Review it again with --dry-run; something changed in between.",
        )
