"""The target of a run: shown before anything else, and confirmed on the first deployment of a state."""

from __future__ import annotations

import sys

from draftgenie_azure import cli
from draftgenie_azure.cli.questions import confirm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.cli.events import Reporter
    from draftgenie_azure.planning.making import Planned
    from draftgenie_azure.session import Session
    from draftgenie_azure.state.store import StateStore

NAME = "subscription_name"  # key in the state's target, for display, never compared


def report(reporter: Reporter, before: Mapping[str, Any], target: Mapping[str, Any], where: str) -> None:
    """Report the target, once per command.

    Args:
        before: the recorded target, with values that the configuration leaves open.
        target: the current target, as far as known.
        where: location of the state.
    """
    known = {**before, **{name: value for name, value in target.items() if value}}
    number, name = known.get("subscription_id"), known.get(NAME)
    if number != before.get("subscription_id") and NAME not in target:
        name = None
    shown = f"{name} ({number})" if name and number else number or "that of the sign-in"
    reporter.target(
        f"{known.get('cloud')}, subscription {shown}, resource group {known.get('resource_group')}, state {where}",
        cloud=known.get("cloud"), subscription_id=number, subscription=name,
        resource_group=known.get("resource_group"), state=where,
    )  # fmt: skip


def needs_yes(before: Mapping[str, Any], *, auto_approve: bool) -> bool:
    """Return whether to ask before deploying: on a state's first deployment, with a terminal."""
    return not before and not auto_approve and sys.stdin.isatty()


def report_live(reporter: Reporter, state: StateStore, session: Session) -> None:
    """Report the target as found after the sign-in."""
    report(reporter, state.state["target"], recorded(session), state.where)


def recorded(session: Session) -> dict[str, Any]:
    """Return the target as recorded in the state."""
    return session.target | {NAME: str(session.subscription.get("displayName") or "")}


def ask_first(reporter: Reporter, planned: Planned, target: Mapping[str, Any], *, takes_over: bool) -> None:
    """Ask before the first deployment, with the plan above the question.

    Args:
        takes_over: True if the earlier script deployed there, and the plan restricts access as --adopt does.

    Raises:
        DeployerError: the answer was no.
        KeyboardInterrupt: Ctrl-C instead of an answer.
    """
    cli.plan_view.report(planned, reporter)
    place = f"resource group {target.get('resource_group')} of {target.get('cloud')}"
    first = "This state has deployed nothing yet."
    if takes_over:
        first = "The earlier script deployed there. Adopt its resources, and restrict access as --adopt does."
    confirm(f"{first} Deploy to the {place}?", auto_approve=False)
