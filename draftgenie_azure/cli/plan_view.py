"""The result of a dry run: the decision on each step, the planned actions, and the exit code."""

from __future__ import annotations

from draftgenie_azure import planning
from draftgenie_azure.constants import CHANGES_PENDING, FAILURE, SUCCESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.changes.decision import Decision
    from draftgenie_azure.cli.events import Reporter
    from draftgenie_azure.planning.making import Planned

_VERDICTS = ("run", "may run", "skip", "fault", "blocked")


def show_plan(
    args: argparse.Namespace, decisions: Mapping[str, Decision], reporter: Reporter, planned: Planned | None
) -> int:
    """Report a plan.

    Args:
        planned: the plan of the steps; None if there is none.

    Returns:
        The exit code.
    """
    _report_steps(decisions, reporter)
    counts = {verdict: sum(d.verdict == verdict for d in decisions.values()) for verdict in _VERDICTS}
    document: dict[str, Any] = {
        "event": "plan",
        "steps": {name: {"verdict": d.verdict, "reasons": d.reasons} for name, d in decisions.items()},
        "plan": {"changes": [], "drift": [], "faults": {}, "asked_azure": False},
    }
    lines: list[str] = []
    if args.special is not None:
        lines += args.special.lines
        document[args.special.kind] = args.special.facts
    if planned is None:
        lines.append("Azure was not queried: nothing changed according to the state. --refresh queries it.")
    else:
        document |= planned.document()
        lines += planning.view.lines(planned)
        if planned.asked:
            document["plan_id"] = planned.id
            lines.append(f"Plan {planned.id}")
    reporter.result([*lines, f"{_sentence(counts)} Nothing was written."], document)
    if counts["fault"]:
        return FAILURE
    drifted = planned is not None and bool(args.refresh) and planned.drifted
    return CHANGES_PENDING if args.detailed_exitcode and (counts["run"] or drifted) else SUCCESS


def report(planned: Planned, reporter: Reporter) -> None:
    """Report a plan before it is carried out, above the question."""
    _report_steps(planned.decisions, reporter)
    for line in planning.view.lines(planned):
        reporter.message(line)


def _report_steps(decisions: Mapping[str, Decision], reporter: Reporter) -> None:
    for name, decision in decisions.items():
        reporter.planned(name, decision.verdict, decision.reasons, decision.changes)


def _sentence(counts: Mapping[str, int]) -> str:
    faults = f", {counts['fault']} would fail" if counts["fault"] else ""
    return f"Dry run: {counts['run']} to run, {counts['may run']} may run, {counts['skip']} up to date{faults}."
