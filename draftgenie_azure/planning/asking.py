"""Azure is asked first: the whole bodies of what a run would write, before it writes the first of them.

What is refused by a policy, or with a code whose remedy is known, stops the run; what else Azure says is told. Where it
cannot be asked, nothing is stopped.
"""

from __future__ import annotations

import dataclasses
from functools import partial

from draftgenie_azure.arm.plan import Plan, pending
from draftgenie_azure.arm.preflight import Question
from draftgenie_azure.changes import images
from draftgenie_azure.changes.decision import Decision
from draftgenie_azure.planning.making import Planned, make_plan, memory_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol

    from draftgenie_azure.arm.preflight import Answer
    from draftgenie_azure.changes.decision import Decider
    from draftgenie_azure.errors import AzureError
    from draftgenie_azure.planning.making import Steps
    from draftgenie_azure.steps import Step

    Outputs = dict[str, Any]
    Given = Callable[[Decision, Mapping[str, Outputs]], Outputs]

    class Opened(Protocol):
        """The way to Azure, as far as it is needed here."""

        config: Any
        control: Any
        records: Any
        arm: Any
        logger: Any

        def warn(self, text: str) -> None:
            """Log a warning that the summary repeats."""

_BUILDS = "build_and_push_images"
_WRITES_NOTHING = "verify_deployment"
# Record -> the key of the configuration that it is made from.
_KEYS = {
    "resource_group": "azure.resource_group", "identity": "azure.identity_name", "log_analytics": "monitoring",
    "app_insights": "monitoring", "diagnostic_setting": "monitoring", "postgresql_server": "postgresql",
    "redis_database": "redis", "container_apps_env": "container_apps",
}  # fmt: skip


class Answers:
    """What Azure said of a plan.

    Attributes:
        refused: step -> why it would fail.
        told: what else is worth saying.
    """

    def __init__(self) -> None:
        self.refused: dict[str, list[AzureError]] = {}
        self.told: list[str] = []

    @property
    def errors(self) -> list[AzureError]:
        """Every refusal."""
        return [error for errors in self.refused.values() for error in errors]


def ask_first(
    steps: Sequence[Step],
    decider: Decider,
    session: Opened,
    planner: Callable[[Any], Steps],
    foreseen: Planned | None,
) -> Sequence[AzureError]:
    """Ask Azure about what a run is about to write, and tell what it says.

    Args:
        planner: makes whoever has the steps' bodies, of a session for planning.
        foreseen: a plan of this run, where one was made.

    Returns:
        What is worth stopping for.
    """
    try:
        planned = foreseen or foresee(steps, decider, session, planner)
    except Exception:  # the program is at fault: the step that meets it again records it, and what failed before
        session.logger.debug("what would be written could not be foreseen", exc_info=True)
        return ()
    answers = planned.answers or ask(session, planned.plan)
    for text in answers.told:
        session.warn(text)
    return answers.errors


def foresee(steps: Sequence[Step], decider: Decider, session: Opened, deployer: Callable[[Any], Steps]) -> Planned:
    """What the rest of a run would write, by what exists now; what is read for it is not read again by the run.

    Images are not packed for it: of what is built, the digest is not known.

    Args:
        session: of the run.
        deployer: makes whoever has the steps' bodies, of a session for planning.
    """
    with session.records.mutex:
        plan, records = Plan(), memory_of(session.records.document)
    arm = session.arm.for_planning(plan, records)
    quiet = {"arm": arm, "records": records, "on_warning": lambda text: None}
    planner = deployer(dataclasses.replace(session, **quiet))  # type: ignore[type-var]  # a dataclass, by its protocol
    first = steps[0].name  # has just run, or is up to date
    given: dict[str, Given] = {
        first: partial(_published, decider, first), _BUILDS: partial(_images, decider), _WRITES_NOTHING: _nothing,
    }  # fmt: skip
    planned = make_plan(steps, decider, planner, plan, records, given=given)
    session.arm.live.foresee(arm.live, list(session.records.operations))
    return planned


def ask(session: Opened, plan: Plan) -> Answers:
    """Ask Azure about every body of a plan; about none that was asked about before.

    Raises:
        AuthenticationError: the token is not accepted.
    """
    answers, memory = Answers(), session.records.asked
    salt = str(session.records.document.get("salt", ""))
    steps = {entry.key: entry.step for entry in plan.entries}
    questions = [Question(key, resource_id, body) for key, (resource_id, body) in sorted(plan.bodies.items())]
    questions = [one for one in questions if one.can_be_asked and memory.get(one.key) != one.digest(salt)]
    for answer in session.arm.would_take(questions, session.config.azure.location):
        if answer.error is None:
            session.records.would_be_taken(answer.question.key, answer.question.digest(salt))
        elif answer.stops:
            step = steps[answer.question.key]
            answers.refused.setdefault(step, []).append(_named(answer))
        else:
            _tell(answer, answers)
    return answers


def judge(session: Opened, planned: Planned) -> list[str]:
    """Ask about a plan, and have the steps fail in it that Azure would refuse.

    Returns:
        What else is worth saying.
    """
    answers = planned.answers = ask(session, planned.plan)
    for step, errors in answers.refused.items():
        decision = planned.decisions[step]
        words = [text for error in errors for text in (error.message, error.hint) if text]
        planned.plan.faults.setdefault(step, []).extend(words)
        reasons = [*(error.message for error in errors), *decision.reasons]
        planned.decisions[step] = Decision("fault", reasons, decision.dependencies, decision.changes)
    return answers.told


def _published(decider: Decider, step: str, decision: Decision, outputs: Mapping[str, Outputs]) -> Outputs:
    return dict((decider.state.last_success(step) or {}).get("outputs", {}))


def _nothing(decision: Decision, outputs: Mapping[str, Outputs]) -> Outputs:
    return {}


def _images(decider: Decider, decision: Decision, outputs: Mapping[str, Outputs]) -> Outputs:
    """The images after a run: those whose content is as it was, and digests that nobody knows yet of the others."""
    success = decider.state.last_success(_BUILDS) or {}
    known = success.get("outputs", {})
    changed = images.changed(decider.hasher, success.get("dependencies", {}), decision.dependencies)
    if decider.forced_reasons(_BUILDS):
        changed = set(decider.hasher.built())
    host = outputs.get("create_container_registry", {}).get("login_server", "")
    unknown = {
        service: {"reference": f"{host}/{service}@{pending(_BUILDS)}", "tag": ""}
        for service in decider.hasher.built()
        if service in changed or service not in known
    }
    return {**known, **unknown}


def _named(answer: Answer) -> AzureError:
    """The refusal, with the key of the configuration that it is about."""
    error = answer.error
    assert error is not None
    error.message = f"{_key_of(answer.question.key)}: {error.message}"
    error.args = (error.message,)
    return error


def _tell(answer: Answer, answers: Answers) -> None:
    error = answer.error
    assert error is not None
    if answer.is_about_others:
        return  # an earlier step sees to it, or the write itself tells
    if answer.said:
        answers.told.append(f"{_key_of(answer.question.key)}: {error.message}")
    else:
        text = f"Azure could not be asked beforehand whether it takes what would be written: {error.message}"
        if not any(told.startswith("Azure could not be asked") for told in answers.told):
            answers.told.append(text)


def _key_of(record: str) -> str:
    """The key of the configuration that a record belongs to."""
    kind, _, name = record.partition("/")
    if kind in ("container_app", "storage"):
        return f"services.{name}"
    if kind == "job":
        return f"migrations ({name})"
    if kind == "role":
        return record
    return _KEYS.get(kind, "postgresql" if kind.startswith("postgresql") else kind)
