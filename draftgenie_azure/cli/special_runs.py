"""A deployment that does more than the configuration says: it deploys earlier images, ends that, or changes a secret.

What it does besides is put into a copy of the state first, so that the plan that is shown is that of the whole run. It
is put into the state itself only under the run's lock, and saved with what else the run goes by.
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
    """What a deployment does besides.

    Attributes:
        kind: its name in the plan's document: `rollback` or `rotation`.
        facts: the same as JSON.
        lines: the same for people.
        steps: steps that must run.
        question: asked before it begins; None where nobody is asked.
        needs_terminal: whether, without a terminal to ask on, the answer is no.
        arm: puts it into a state document.
        serial: of the state that it was made from.
        again: makes it once more, from another state.
        asked: whether somebody said yes to it.
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
        """Whether somebody is to say yes, or whether nobody can and that is a no."""
        return self.question is not None and not auto_approve and (self.needs_terminal or sys.stdin.isatty())

    def tell(self, reporter: Reporter) -> None:
        """Tell what it does besides."""
        for line in self.lines:
            reporter.message(line)

    def ask(self, planned: Planned, reporter: Reporter) -> None:
        """Ask, with the plan of the whole run above the question.

        Raises:
            DeployerError: the answer was no, or there is no terminal to ask on.
            KeyboardInterrupt: Ctrl-C instead of an answer.
        """
        assert self.question is not None
        plan_view.tell(planned, reporter)
        confirm(self.question, auto_approve=False)
        self.asked = True

    def begin(self, state: StateStore) -> None:
        """Put it into the state, whose lock is held; nothing is saved here.

        Raises:
            DeployerError: the yes was to the plan of another state; or another run, which changed the state since,
                left it in a way that refuses this.
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
    """A new value for a secret."""

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
    """The images of an earlier run.

    Args:
        since: from when on, as the state writes it.
        jobs: of the migrations that ran last: while the images are pinned, none runs.
    """

    def arm(document: Document) -> None:
        document["pin"] = {
            "run": plan.run, "since": since, "images": plan.images, "jobs": list(jobs), "pending": True,
        }  # fmt: skip

    facts = {"run": plan.run, "images": plan.images, "changes": plan.changes, "migrations": plan.migrations}
    question = f"Go back to the images of run {plan.run}?"
    return SpecialRun("rollback", facts, plan.lines(), (), arm, state.state["serial"], question)


def of_end(state: StateStore) -> SpecialRun:
    """The images of the source again. No step is forced: a forced build builds what the registry has."""
    run = state.state["pin"]["run"]

    def arm(document: Document) -> None:
        document["pin"] = document["pin"] | {"ends": True}

    lines = [f"The rollback to run {run} ends: images are those of the source again."]
    return SpecialRun("rollback", {"run": run, "ends": True}, lines, (), arm, state.state["serial"])
