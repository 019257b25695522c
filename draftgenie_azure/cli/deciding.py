"""Decide what a command would run, before Azure is queried."""

from __future__ import annotations

from draftgenie_azure.changes.decision import Decider, validity_digest, values_digest
from draftgenie_azure.config import raw as configuration
from draftgenie_azure.state.target import offline_target
from draftgenie_azure.steps import STEPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from draftgenie_azure.changes.decision import Decision
    from draftgenie_azure.config.raw import RawConfig
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.state.store import StateStore


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
