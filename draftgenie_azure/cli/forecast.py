"""What is left of a run, from its events alone: which steps run, what they wait for, how long it still takes."""

from __future__ import annotations

import calendar
import time

from draftgenie_azure.run.estimate import HIGH, LOW, USUAL, Spread, in_words, simulate
from draftgenie_azure.steps import STEPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.cli.events import Event

_LATE = 0.9  # share of the cases that have ended by then
_ENDED = ("step_done", "step_skip", "step_disabled", "step_failed", "step_stopped", "step_fault", "step_blocked")
_WHAT = {  # what somebody waits for, where no name of a resource is known
    "check_prerequisites": "the checks",
    "create_monitoring": "Log Analytics",
    "create_container_registry": "the registry",
    "create_key_vault": "the vault",
    "create_databases": "the databases",
    "store_secrets": "the vault",
    "create_container_apps_env": "the Container Apps environment",
    "build_and_push_images": "images",
    "deploy_infrastructure_services": "container apps",
    "deploy_application_services": "container apps",
    "configure_environment_variables": "container apps",
    "run_migrations": "migrations",
    "verify_deployment": "the services to be ready",
}
_NEEDS = {step.name: frozenset(step.needs) for step in STEPS}


class Running:
    """A step that runs.

    Attributes:
        number: its place in the order.
        began: seconds since the epoch.
        waits: what it said last that it waits for.
        operations: names of what Azure is at work on.
    """

    __slots__ = ("began", "number", "operations", "waits")

    def __init__(self, number: int, began: float) -> None:
        self.number = number
        self.began = began
        self.waits = ""
        self.operations: list[str] = []


class Forecast:
    """The steps of one run.

    Args:
        event: of the type `expected`.
    """

    def __init__(self, event: Event) -> None:
        self.began = moment(event)
        self.running: dict[str, Running] = {}
        self.skipped = self.done = 0
        self.of = len(event["steps"])
        self._width = int(event["width"])
        self._spreads: dict[str, Spread] = {}
        self._pending: dict[str, bool] = {}  # name -> whether it is sure to run
        self._fraction = 0.0
        for name, facts in event["steps"].items():
            if name in _NEEDS and facts["verdict"] in ("run", "may_run"):
                self._pending[name] = facts["verdict"] == "run"
            self._spreads[name] = Spread(facts["low"], facts["usual"], facts["high"])

    def take(self, event: Event) -> None:
        """Note what an event says about a step."""
        name, kind = event.get("step"), event["type"]
        if name is None or name not in self._spreads:
            return
        if kind == "step_run":
            self.running[name] = Running(event["number"], moment(event))
            self._pending.pop(name, None)
        elif kind == "step_waits" and name in self.running:
            self._take_wait(self.running[name], event)
        elif kind in _ENDED:
            self.running.pop(name, None)
            self._pending.pop(name, None)
            self.skipped += kind in ("step_skip", "step_disabled")
            self.done += kind == "step_done"
            if kind != "step_done" and kind not in ("step_skip", "step_disabled"):
                self._drop_dependants(name)

    def _take_wait(self, step: Running, event: Event) -> None:
        if event.get("operations"):
            step.operations = list(event["operations"])
        elif "seconds" not in event:  # else a heartbeat, whose clock is drawn here anyway
            step.waits = str(event["message"])

    def _drop_dependants(self, name: str) -> None:
        """What needs a step that failed does not run."""
        for other in [other for other in self._pending if name in _NEEDS[other]]:
            if self._pending.pop(other, None) is not None:
                self._drop_dependants(other)

    def waits_for(self, name: str) -> str:
        """What a running step waits for, for people."""
        step = self.running[name]
        return ", ".join(step.operations) or step.waits

    def usual(self, name: str) -> str:
        """How long a step usually takes, for people."""
        spread = self._spreads[name]
        return in_words(spread.low, spread.high)

    def is_late(self, name: str, now: float) -> bool:
        """Tell whether a running step takes longer than such steps usually do."""
        return self._spreads[name].share(now - self.running[name].began) >= _LATE

    def left(self, now: float, share: float = USUAL) -> tuple[float, str | None]:
        """Seconds that are left of the run, and the running step on which it depends; None where nothing is left.

        Args:
            share: of the cases in which it takes no longer; steps that may run count in the longer ones only.
        """
        seconds = {
            name: self._spreads[name].left(max(0.0, now - step.began), share) for name, step in self.running.items()
        }
        for name, is_sure in self._pending.items():
            if is_sure or share > USUAL:
                seconds[name] = self._spreads[name].at(share)
        return simulate(_NEEDS, seconds, self.running, self._width)

    def fraction(self, now: float) -> float:
        """The share of the run that is over, by time; it never shrinks, and is below 1 while anything is left."""
        passed, (left, _) = max(0.0, now - self.began), self.left(now)
        share = passed / (passed + left) if left else 1.0
        self._fraction = max(self._fraction, min(share, 0.99) if left else share)
        return self._fraction

    def in_words(self, now: float) -> str:
        """`6–11 min left, waiting for PostgreSQL`; with a word about what takes longer than usual."""
        high, name = self.left(now, HIGH)
        if not high:
            return ""
        text = f"{in_words(self.left(now, LOW)[0], high)} left"
        if name is not None:
            operations = self.running[name].operations
            what = operations[0] if operations else _WHAT.get(name, "")
            text += f", waiting for {what}" if what else ""
            text += ", longer than usual" if self.is_late(name, now) else ""
        return text


def moment(event: Event) -> float:
    """The time of an event, in seconds since the epoch."""
    whole, _, part = str(event["time"]).rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{part or 0}")
