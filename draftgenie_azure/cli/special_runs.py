"""Deployments with an additional effect: a rollback, its end, or the rotation of a secret.

The effect is applied to a copy of the state first, so that the plan covers the whole run. It
is applied to the state itself only under the run's lock, and saved with the run's other inputs.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from draftgenie_azure.cli import plan_view
from draftgenie_azure.cli.questions import confirm
from draftgenie_azure.errors import DeployerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.cli.events import Reporter
    from draftgenie_azure.planning.making import Planned
    from draftgenie_azure.provision.rollback import Rollback
    from draftgenie_azure.provision.rotation import Rotation
    from draftgenie_azure.state.store import StateStore

    Document = dict[str, Any]


@dataclass
class SpecialRun:
    """The additional effect of a deployment.

    Attributes:
        kind: its name in the plan's document: `rollback` or `rotation`.
        facts: the effect as a JSON document.
        lines: the effect as lines of text.
        steps: steps that must run.
        question: asked before it begins, or None.
        needs_terminal: True if the answer is no without a terminal.
        arm: applies it to a state document.
        serial: serial of the state that it is based on.
        again: recreates it from another state.
        asked: True once it was confirmed.
    """

    kind: str
    facts: Mapping[str, Any]
    lines: Sequence[str]
    steps: tuple[str, ...]
    arm: Callable[[Document], None]
    serial: int
    question: str | None = None
    needs_terminal: bool = True
    again: Callable[[StateStore], SpecialRun] | None = None
    asked: bool = field(default=False, init=False)

    def asks(self, *, auto_approve: bool) -> bool:
        """Return whether confirmation is required, including the case that it is impossible."""
        return self.question is not None and not auto_approve and (self.needs_terminal or sys.stdin.isatty())

    def report(self, reporter: Reporter) -> None:
        """Report the effect."""
        for line in self.lines:
            reporter.message(line)

    def ask(self, planned: Planned, reporter: Reporter) -> None:
        """Ask, with the plan of the whole run above the question.

        Raises:
            DeployerError: the answer was no, or there is no terminal.
            KeyboardInterrupt: Ctrl-C instead of an answer.
        """
        assert self.question is not None
        plan_view.report(planned, reporter)
        confirm(self.question, auto_approve=False)
        self.asked = True

    def begin(self, state: StateStore) -> None:
        """Apply it to the state, whose lock is held, without saving.

        Raises:
            DeployerError: the confirmed plan was of another state; or another run changed the state since then,
                so that this is refused.
        """
        special = self
        if state.state["serial"] != self.serial:
            if self.asked:
                raise DeployerError(
                    "nothing was changed: another run changed the state since the plan was shown",
                    hint="Run again, and look at the new plan.",
                )
            special = self.again(state) if self.again is not None else self
        special.arm(state.state)


def of_rotation(plan: Rotation, state: StateStore) -> SpecialRun:
    """Return the rotation of a secret."""

    def arm(document: Document) -> None:
        document.setdefault("rotating", {})[plan.name] = "requested"

    facts = {
        "secret": plan.name, "composed": list(plan.also), "services": list(plan.services), "effect": plan.effect,
    }  # fmt: skip
    question = f"Give {plan.name} a new value?"
    return SpecialRun(
        "rotation", facts, plan.lines(), plan.steps, arm, state.state["serial"], question, needs_terminal=False
    )


def of_rollback(plan: Rollback, state: StateStore, since: str, jobs: Sequence[str]) -> SpecialRun:
    """Return the rollback to the images of an earlier run.

    Args:
        since: start time, in the format of the state.
        jobs: jobs of the last migrations; none runs while the images are pinned.
    """

    def arm(document: Document) -> None:
        document["pin"] = {
            "run": plan.run, "since": since, "images": plan.images, "jobs": list(jobs), "pending": True,
        }  # fmt: skip

    facts = {"run": plan.run, "images": plan.images, "changes": plan.changes, "migrations": plan.migrations}
    question = f"Go back to the images of run {plan.run}?"
    return SpecialRun("rollback", facts, plan.lines(), (), arm, state.state["serial"], question)


def of_end(state: StateStore) -> SpecialRun:
    """Return the end of a rollback. No step is forced, as a forced build would rebuild existing images."""
    run = state.state["pin"]["run"]

    def arm(document: Document) -> None:
        document["pin"] = document["pin"] | {"ends": True}

    lines = [f"The rollback to run {run} ends: images are those of the source again."]
    return SpecialRun("rollback", {"run": run, "ends": True}, lines, (), arm, state.state["serial"])
