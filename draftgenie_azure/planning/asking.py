"""Have Azure validate the full bodies of a run's writes before the first one is sent, and look for locks.

Rejections by a policy, or with a code whose remedy is known, stop the run; others are reported. If Azure cannot
validate, nothing is stopped.
"""

from __future__ import annotations

import dataclasses
from functools import partial

from draftgenie_azure.arm.plan import Plan, pending
from draftgenie_azure.arm.preflight import Question
from draftgenie_azure.changes import images
from draftgenie_azure.changes.decision import Decision
from draftgenie_azure.errors import ConflictError, PrerequisiteError, UnchangeableError
from draftgenie_azure.planning import locks
from draftgenie_azure.planning.making import Answers, Planned, make_plan, unsaved_records
from draftgenie_azure.provision import obstacles
from draftgenie_azure.state.document import last_outputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol

    from draftgenie_azure.arm.plan import Entry
    from draftgenie_azure.arm.preflight import Answer
    from draftgenie_azure.changes.decision import Decider
    from draftgenie_azure.errors import AzureError, DeployerError
    from draftgenie_azure.planning.locks import Lock
    from draftgenie_azure.planning.making import Steps
    from draftgenie_azure.steps import Step

    Outputs = dict[str, Any]
    Given = Callable[[Decision, Mapping[str, Outputs]], Outputs]

    class Opened(Protocol):
        """The part of the session that is needed here."""

        config: Any
        control: Any
        records: Any
        arm: Any
        logger: Any

        def warn(self, text: str) -> None:
            """Log a warning that the summary repeats."""

_BUILDS = "build_and_push_images"
_LAST = "verify_deployment"
# Found while planning, and known to fail: the run stops for them before its first write.
_STOPPING = (ConflictError, PrerequisiteError, UnchangeableError)
# Record key -> the configuration key that it comes from.
_KEYS = {
    "resource_group": "azure.resource_group", "identity": "azure.identity_name", "log_analytics": "monitoring",
    "app_insights": "monitoring", "diagnostic_setting": "monitoring", "postgresql_server": "postgresql",
    "redis_database": "redis", "container_apps_env": "container_apps",
}  # fmt: skip


def ask_first(
    steps: Sequence[Step],
    decider: Decider,
    session: Opened,
    planner: Callable[[Any], Steps],
    foreseen: Planned | None,
) -> Sequence[DeployerError]:
    """Have Azure validate what a run is about to write, and report its verdicts.

    Args:
        planner: creates the object with the steps' bodies from a session for planning.
        foreseen: a plan of this run, if there is one.

    Returns:
        The errors that must stop the run.
    """
    try:
        planned = foreseen or plan_steps(steps, decider, session, planner)
    except Exception:  # a bug: the step that meets it again records it, and earlier failures
        session.logger.debug("what would be written could not be foreseen", exc_info=True)
        return ()
    answers = planned.answers or ask(session, planned.plan)
    for text in answers.notes:
        session.warn(text)
    return [*_impossible(planned.plan, steps[1:]), *answers.errors]


def _impossible(plan: Plan, steps: Sequence[Step]) -> list[DeployerError]:
    """Return the errors of a plan that stop its run, each with the step that would fail.

    As in a run, those of steps that need a failing one are left out: a region that changes is one error, not one of
    every resource.

    Args:
        steps: those that have not run yet, each after the ones that it needs.
    """
    found: list[DeployerError] = []
    failing: set[str] = set()
    for step in steps:
        error = plan.errors.get(step.name)
        stopping = [part for part in error.parts if isinstance(part, _STOPPING)] if error is not None else []
        is_reached = failing.isdisjoint(step.needs)
        if stopping or not is_reached:
            failing.add(step.name)
        for part in stopping if is_reached else ():
            part.put_in_front(step.name)
            found.append(part)
    return found


def plan_steps(steps: Sequence[Step], decider: Decider, session: Opened, deployer: Callable[[Any], Steps]) -> Planned:
    """Predict what the rest of a run would write; the run reuses the reads.

    Images are not packed: the digests of images to build stay unknown.

    Args:
        session: the run's session.
        deployer: creates the object with the steps' bodies from a session for planning.
    """
    with session.records.mutex:
        plan, records = Plan(), unsaved_records(session.records.document)
    arm = session.arm.for_planning(plan, records)
    quiet = {"arm": arm, "records": records, "on_warning": lambda text: None}
    planning = dataclasses.replace(session, **quiet)  # type: ignore[type-var]  # a dataclass, by its protocol
    planner = deployer(planning)
    first = steps[0].name  # has just run or is up to date
    given: dict[str, Given] = {
        first: partial(_published, decider, first), _BUILDS: partial(_images, decider),
        _LAST: partial(_last_step, planning),
    }  # fmt: skip
    planned = make_plan(decider, planner, plan, records, given=given)
    session.arm.live.reuse_plan(arm.live, list(session.records.operations))
    return planned


def ask(session: Opened, plan: Plan) -> Answers:
    """Have Azure validate every body of a plan that was not validated before, and look for locks.

    Raises:
        AuthenticationError: the token is rejected.
    """
    answers, memory = Answers(), session.records.asked
    salt = str(session.records.document.get("salt", ""))
    steps = {entry.key: entry.step for entry in plan.entries}
    questions = [Question(key, resource_id, body) for key, (resource_id, body) in sorted(plan.bodies.items())]
    questions = [one for one in questions if one.can_be_asked and memory.get(one.key) != one.digest(salt)]
    validated: list[Answer] = []
    found: list[tuple[Lock, list[Entry]]] = []
    tasks: list[Callable[[], None]] = [
        lambda: validated.extend(session.arm.validate(questions, session.config.azure.location)),
        lambda: found.extend(locks.find(session, plan)),
    ]
    session.arm.concurrently(tasks)
    locks.add_refusals(found, answers)
    for answer in validated:
        if answer.error is None:
            session.records.validated(answer.question.key, answer.question.digest(salt))
        elif answer.stops:
            step = steps[answer.question.key]
            answers.refused.setdefault(step, []).append(_named(answer))
        else:
            _report(answer, answers)
    return answers


def judge(session: Opened, planned: Planned) -> list[str]:
    """Validate a plan, and mark the steps as failing that Azure would refuse.

    Returns:
        Other findings to report.
    """
    answers = planned.answers = ask(session, planned.plan)
    for step, errors in answers.refused.items():
        decision = planned.decisions[step]
        words = [text for error in errors for text in (error.message, error.hint) if text]
        planned.plan.faults.setdefault(step, []).extend(words)
        reasons = [*(error.message for error in errors), *decision.reasons]
        planned.decisions[step] = Decision("fault", reasons, decision.dependencies, decision.changes)
    return [*answers.notes, *answers.undone]


def _published(decider: Decider, step: str, decision: Decision, outputs: Mapping[str, Outputs]) -> Outputs:
    return dict(last_outputs(decider.state.state, step))


def _last_step(session: Any, decision: Decision, outputs: Mapping[str, Outputs]) -> Outputs:
    """Look only for what the last step could not do: what it would do needs a request for each app."""
    obstacles.check(session)
    return {}


def _images(decider: Decider, decision: Decision, outputs: Mapping[str, Outputs]) -> Outputs:
    """Return the images after a run: unchanged ones, and the others with unknown digests."""
    success = decider.state.last_success(_BUILDS) or {}
    known = success.get("outputs", {})
    pin = decider.state.state.get("pin") or {}
    if pin.get("pending") and not pin.get("ends"):
        return {**known, **pin["images"]}
    changed = images.changed(decider.hasher, success.get("dependencies", {}), decision.dependencies)
    if decider.forced_reasons(_BUILDS) or pin:
        changed = set(decider.hasher.built())
    host = outputs.get("create_container_registry", {}).get("login_server", "")
    unknown = {
        service: {"reference": f"{host}/{service}@{pending(_BUILDS)}", "tag": ""}
        for service in decider.hasher.built()
        if service in changed or service not in known
    }
    return {**known, **unknown}


def _named(answer: Answer) -> AzureError:
    """Return the error with the configuration key that it is about."""
    error = answer.error
    assert error is not None
    error.message = f"{_key_of(answer.question.key)}: {error.message}"
    error.args = (error.message,)
    return error


def _report(answer: Answer, answers: Answers) -> None:
    error = answer.error
    assert error is not None
    if answer.is_about_others:
        return  # an earlier step takes care of it, or the write itself fails
    if answer.said:
        answers.notes.append(f"{_key_of(answer.question.key)}: {error.message}")
    else:
        text = f"Azure could not validate the planned changes: {error.message}"
        if not any(note.startswith("Azure could not validate") for note in answers.notes):
            answers.notes.append(text)


def _key_of(record: str) -> str:
    """Return the configuration key that a record belongs to."""
    kind, _, name = record.partition("/")
    if kind in ("container_app", "storage"):
        return f"services.{name}"
    if kind == "job":
        return f"migrations ({name})"
    if kind == "role":
        return record
    return _KEYS.get(kind, "postgresql" if kind.startswith("postgresql") else kind)
