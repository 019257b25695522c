"""The target of a run: named before anything else happens, and asked about where this state has not seen it yet."""

from __future__ import annotations

import sys

from draftgenie_azure import planning
from draftgenie_azure.cli.questions import confirm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.cli.events import Reporter
    from draftgenie_azure.planning.making import Planned
    from draftgenie_azure.session import Session
    from draftgenie_azure.state.store import StateStore

NAME = "subscription_name"  # in the state's target: for people, never compared


def tell(reporter: Reporter, before: Mapping[str, Any], target: Mapping[str, Any], where: str) -> None:
    """Name the target, once a command.

    Args:
        before: the state's target, which knows what the configuration leaves open.
        target: what is known of it now.
        where: the place of the state.
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
    """Whether a deployment is to be asked about: the first one of this state, where somebody is there to answer."""
    return not before and not auto_approve and sys.stdin.isatty()


def tell_live(reporter: Reporter, state: StateStore, session: Session) -> None:
    """Name the target as it was found after the sign-in."""
    tell(reporter, state.state["target"], recorded(session), state.where)


def recorded(session: Session) -> dict[str, Any]:
    """What the state remembers of the target."""
    return session.target | {NAME: str(session.subscription.get("displayName") or "")}


def ask(reporter: Reporter, planned: Planned, target: Mapping[str, Any], *, takes_over: bool) -> None:
    """Ask, with the plan above the question.

    Args:
        takes_over: whether the earlier script deployed there, and the plan restricts access as --adopt does.

    Raises:
        DeployerError: the answer was no.
        KeyboardInterrupt: Ctrl-C instead of an answer.
    """
    for name, decision in planned.decisions.items():
        reporter.planned(name, decision.verdict, decision.reasons, decision.changes)
    for line in planning.view.lines(planned):
        reporter.message(line)
    place = f"resource group {target.get('resource_group')} of {target.get('cloud')}"
    first = "This state has deployed nothing yet."
    if takes_over:
        first = "The earlier script deployed there. Take over what it made, and restrict access as --adopt does."
    confirm(f"{first} Deploy to the {place}?", auto_approve=False)
