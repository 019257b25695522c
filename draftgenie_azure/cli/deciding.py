"""Decide what a command would run, before Azure is queried."""

from __future__ import annotations

from draftgenie_azure import cli, planning, run
from draftgenie_azure.changes.decision import Decider, validity_digest, values_digest
from draftgenie_azure.cli.signals import Interrupts
from draftgenie_azure.config import raw as configuration
from draftgenie_azure.errors import AuthenticationError
from draftgenie_azure.state.target import offline_target
from draftgenie_azure.steps import STEPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from typing import Protocol

    from draftgenie_azure.changes.decision import Decision
    from draftgenie_azure.cli.events import Reporter
    from draftgenie_azure.config.raw import RawConfig
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.planning.making import Planned
    from draftgenie_azure.run.control import RunControl
    from draftgenie_azure.state.store import StateStore

    class Planner(Protocol):
        """The part of a planning deployer that is used here."""

        config: Config
        reporter: Reporter
        warnings: list[str]

        @property
        def state(self) -> StateStore:
            """The loaded state."""

        def make_plan(self, control: RunControl, *, refresh: bool) -> Planned:
            """Return what a run would do."""


def decide(
    args: argparse.Namespace, raw: RawConfig, state: StateStore
) -> tuple[Decider, Config | None, dict[str, Decision]]:
    """Decide by the records; the configuration is validated unless already found valid unchanged.

    Raises:
        ConfigError: the configuration is invalid.
        StateError: the state belongs to another target.
    """
    decider = new_decider(args, raw, state)
    config: Config | None = None
    is_known = validity_digest(raw, decider.secrets_digest) == state.state.get("validated")
    if not is_known and values_digest(raw) != state.state.get("validated_values"):
        config = configuration.validate(raw)
    state.check_target(offline_target(raw))
    plan = decider.plan()
    if not is_known and config is None and any(decision.runs for decision in plan.values()):
        config = configuration.validate(raw)
    return decider, config, plan


def new_decider(args: argparse.Namespace, raw: RawConfig, state: StateStore) -> Decider:
    """Return the decider for the current state."""
    decider = Decider(STEPS, raw, state, force_steps=args.force_step, force_all=args.force_all, log_file=args.log_file)
    if args.adopt:
        decider.take_over_unrestricted()
    return decider


def plan(deployer: Planner, args: argparse.Namespace, decisions: Mapping[str, Decision]) -> Planned:
    """Return the plan of a run; without a sign-in, from the recorded state only.

    Raises:
        DeployerError: the run would be refused before its first step.
    """
    config, state, reporter = deployer.config, deployer.state, deployer.reporter
    control = Interrupts.control = run.control.RunControl(args.parallelism or config.deployment.parallelism)
    try:
        planned = deployer.make_plan(control, refresh=bool(args.refresh))
    except AuthenticationError as error:
        cli.target.report(reporter, state.state["target"], offline_target(config.raw), state.where)
        reporter.message(f"Azure was not asked: {error.message}", level="note")
        return planning.making.from_records(decisions)
    planned.extras = {} if args.special is None else {args.special.kind: args.special.facts}
    for text in deployer.warnings:
        reporter.message(text, level="warning")
    return planned
