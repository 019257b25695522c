"""Make a plan by running the steps against a client for Azure that writes nothing.

The same code decides what is planned and what is done; outputs are predicted as far as they follow from the
configuration and from what exists.
"""

from __future__ import annotations

import copy

from draftgenie_azure.arm.diff import BY_OTHERS
from draftgenie_azure.arm.plan import FORGET, Entry, Plan, is_pending, plan_id
from draftgenie_azure.changes.decision import Decision
from draftgenie_azure.errors import DeployerError
from draftgenie_azure.state.document import last_outputs
from draftgenie_azure.state.resource_records import ResourceRecords

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Protocol

    from draftgenie_azure.arm.diff import Change
    from draftgenie_azure.changes.decision import Decider
    from draftgenie_azure.errors import AzureError
    from draftgenie_azure.steps import Step

    Outputs = dict[str, Any]

    class Steps(Protocol):
        """The object that has the steps' bodies, connected for reading."""

        outputs: dict[str, Outputs]

        def step_body(self, name: str) -> Callable[[], Outputs]:
            """Return the body of a step, without the decision whether it runs."""


_QUIET = ("skip", "disabled")
_LINEAGE = "tags.draftgenie-lineage"


class Answers:
    """Azure's verdicts on a plan.

    Attributes:
        refused: step -> reasons it would fail.
        notes: other findings to report.
        undone: housekeeping that Azure would refuse; the run reports it when it does.
    """

    def __init__(self) -> None:
        self.refused: dict[str, list[AzureError]] = {}
        self.notes: list[str] = []
        self.undone: list[str] = []

    @property
    def errors(self) -> list[AzureError]:
        """All refusals."""
        return [error for errors in self.refused.values() for error in errors]


class Planned:
    """A plan, with the decision on each step.

    Attributes:
        plan: the planned actions, per resource.
        decisions: step -> decision; `fault` if the step would fail.
        looked: step -> findings about its resources, if they are the only reason to run it.
        unknown: undeclared resources in the group; None if not listed.
        asked: True if Azure was queried.
        answers: Azure's verdicts on the planned writes, if validated.
        extras: what the run does that the configuration does not say, by its kind: a rollback, a rotation.
    """

    def __init__(self, plan: Plan, decisions: Mapping[str, Decision], *, asked: bool) -> None:
        self.plan = plan
        self.decisions = dict(decisions)
        self.looked: dict[str, list[str]] = {}
        self.unknown: list[str] | None = None
        self.asked = asked
        self.answers: Answers | None = None
        self.extras: dict[str, Any] = {}

    def add_differences(self, step: Step, decision: Decision) -> bool:
        """Run a step if reading its resources shows that it would write; return whether it does."""
        reasons = _differences(self.plan.of(step.name))
        if reasons:
            self.looked[step.name] = reasons
            self.decisions[step.name] = Decision("run", reasons, decision.dependencies)
        return bool(reasons)

    def add_error(self, step: Step, decision: Decision, error: DeployerError) -> None:
        """Mark a step as failing, by the error of its planning."""
        self.plan.errors[step.name] = error
        self.plan.faults[step.name] = [text for one in error.parts for text in (one.message, one.hint) if text]
        reasons = [error.message, *decision.reasons]
        self.decisions[step.name] = Decision("fault", reasons, decision.dependencies, decision.changes)

    @property
    def pending(self) -> bool:
        """True if something would run."""
        return any(decision.verdict in ("run", "fault") for decision in self.decisions.values())

    @property
    def drifted(self) -> bool:
        """True if others changed something."""
        return any(entry.kept or entry.seen or _by_others(entry) for entry in self.plan.entries) or bool(self.unknown)

    def kept(self) -> Iterator[str]:
        """Yield changes by others to resources of steps that do not run, which are reported nowhere else."""
        for entry in self.plan.entries:
            if self.decisions[entry.step].verdict in _QUIET:
                yield from (f"{entry.key}, changed by others and kept: {change}" for change in entry.kept)
                yield from (f"{entry.key}, changed by others: {change}" for change in entry.seen)

    @property
    def id(self) -> str:
        """The plan's id: a digest of the decisions and planned writes."""
        changes = [_without_lineage(document) for document in self._changes()]
        return plan_id({"steps": self._steps(), "changes": changes, **self.extras})

    def document(self) -> dict[str, Any]:
        """Return the plan as a JSON document."""
        drift = [
            {"key": entry.key, "id": entry.id, **change.document()}
            for entry in self.plan.entries
            for change in [*_by_others(entry), *entry.kept, *entry.seen]
        ]
        return {
            "steps": self._steps(),
            "plan": {
                "id": self.id,
                "changes": self._changes(),
                "drift": drift,
                "faults": self.plan.faults,
                "asked_azure": self.asked,
                **({} if self.unknown is None else {"unknown": self.unknown}),
            },
        }

    def _steps(self) -> dict[str, Any]:
        return {name: {"verdict": one.verdict, "reasons": one.reasons} for name, one in self.decisions.items()}

    def _changes(self) -> list[dict[str, Any]]:
        found = [entry for name in self.decisions for entry in self.plan.of(name)]
        documents = [entry.document() for entry in found if not entry.is_quiet]
        for document in documents:
            document.pop("kept", None)
            document.pop("seen", None)
        return documents


def _without_lineage(document: dict[str, Any]) -> dict[str, Any]:
    """Return an entry without the lineage that a group is to get, which is random until the first run saves it."""
    changes = [
        {name: value for name, value in change.items() if change["path"] != _LINEAGE or name != "new"}
        for change in document.get("changes", ())
    ]
    return {**document, "changes": changes} if changes else document


def _by_others(entry: Entry) -> list[Change]:
    return [change for change in entry.changes if BY_OTHERS in change.note]


def make_plan(
    decider: Decider,
    deployer: Steps,
    plan: Plan,
    records: ResourceRecords,
    *,
    refresh: bool = False,
    given: Mapping[str, Callable[[Decision, Mapping[str, Outputs]], Outputs]] | None = None,
) -> Planned:
    """Decide each step, and let those that run add what they would do.

    Args:
        refresh: have every step read its resources; a step that would write is a step that runs.
        deployer: connected for reading; its outputs are filled in.
        plan: the plan to fill.
        records: of a copy of the state.
        given: step -> function that returns its predicted outputs in place of the step.
    """
    planned = Planned(plan, {}, asked=True)
    decisions, outputs = planned.decisions, deployer.outputs
    for step in decider.steps:
        decision = decisions[step.name] = _adjusted(step, decider.decide(step, outputs), decisions, outputs)
        outputs[step.name] = dict(last_outputs(decider.state.state, step.name))
        looks = refresh and decision.verdict == "skip"
        if (decision.verdict in _QUIET and not looks) or _lacks_inputs(step, decision, outputs):
            continue
        try:
            if given is not None and step.name in given:
                outputs[step.name] = given[step.name](decision, outputs)
                continue
            predicted = add_planned(step, deployer, plan, records)
        except DeployerError as error:
            planned.add_error(step, decision, error)
            continue
        if looks and not planned.add_differences(step, decision):
            continue
        outputs[step.name] = predicted
    return planned


def new_plan() -> Plan:
    """Return an empty plan for the steps to fill."""
    return Plan()


def from_records(decisions: Mapping[str, Decision]) -> Planned:
    """Return the plan if Azure cannot be queried: the steps and their reasons."""
    return Planned(Plan(), decisions, asked=False)


def add_planned(step: Step, deployer: Steps, plan: Plan, records: ResourceRecords) -> Outputs:
    """Let one step add what it would do; return its predicted outputs."""
    plan.step = step.name
    orphans = {key for key, record in records.resources.items() if record.get("orphaned")}
    records.begin_step(step.name)
    outputs = deployer.step_body(step.name)()
    records.end_step(step.name)
    for key, record in sorted(records.resources.items()):
        if record.get("orphaned") and key not in orphans:
            plan.add(Entry(step.name, key, record["id"], FORGET, note="no longer configured; it stays in Azure"))
    return outputs


def _adjusted(
    step: Step, decision: Decision, decisions: Mapping[str, Decision], outputs: Mapping[str, Outputs]
) -> Decision:
    """Adjust a decision for outputs known only during a run, and for steps that would fail."""
    failed = [need for need in step.needs if decisions[need].verdict in ("fault", "blocked")]
    if failed and decision.verdict not in _QUIET:
        reasons = [f"{failed[0]} would fail", *decision.reasons]
        return Decision("blocked", reasons, decision.dependencies, decision.changes)
    unknown = [need for need in step.needs if is_pending(outputs.get(need, {}))]
    if decision.runs and set(decision.reasons) <= {f"outputs of {need} changed" for need in unknown}:
        return Decision("may run", [f"known after {', '.join(unknown)}"], decision.dependencies)
    return decision


def _lacks_inputs(step: Step, decision: Decision, outputs: Mapping[str, Outputs]) -> bool:
    """Return whether a step cannot be planned: one it needs would fail and never published outputs."""
    return decision.verdict == "blocked" and not all(outputs.get(need) for need in step.needs)


def _differences(entries: Sequence[Entry]) -> list[str]:
    """Return the reasons for a step to run that come from reading its resources."""
    reasons: list[str] = []
    for entry in entries:
        if not entry.is_quiet:
            words = [f"{entry.key}: {change.where} differs" for change in entry.changes]
            reasons += words or [f"{entry.key}: {entry.action}"]
    return reasons


def unsaved_records(document: Mapping[str, Any]) -> ResourceRecords:
    """Return records of a copy of the state, which are never saved."""
    return ResourceRecords(copy.deepcopy(dict(document)), lambda: None)
