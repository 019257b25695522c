"""The remainder of a run, from its events alone: running steps, what they wait for, the time left."""

from __future__ import annotations

import calendar
import time

from draftgenie_azure.run.estimate import HIGH, LOW, USUAL, Spread, in_words, simulate
from draftgenie_azure.steps import STEPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.cli.events import Event

_LATE = 0.9  # quantile after which a step counts as late
_ENDED = ("step_done", "step_skip", "step_disabled", "step_failed", "step_stopped", "step_fault", "step_blocked")
_WHAT = {  # what a step waits for, if no resource name is known
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
    """A running step.

    Attributes:
        number: its place in the order.
        began: seconds since the epoch.
        waits: what it last reported to wait for.
        operations: names of its operations in Azure.
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
        self._pending: dict[str, bool] = {}  # name -> whether it is certain to run
        self._fraction = 0.0
        for name, facts in event["steps"].items():
            if name in _NEEDS and facts["verdict"] in ("run", "may_run"):
                self._pending[name] = facts["verdict"] == "run"
            self._spreads[name] = Spread(facts["low"], facts["usual"], facts["high"])

    def take(self, event: Event) -> None:
        """Update the steps from an event."""
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
        elif "seconds" not in event:  # otherwise a heartbeat, whose time is shown here anyway
            step.waits = str(event["message"])

    def _drop_dependants(self, name: str) -> None:
        """Remove the dependants of a failed step, which do not run."""
        for other in [other for other in self._pending if name in _NEEDS[other]]:
            if self._pending.pop(other, None) is not None:
                self._drop_dependants(other)

    def waits_for(self, name: str) -> str:
        """Return what a running step waits for, for display."""
        step = self.running[name]
        return ", ".join(step.operations) or step.waits

    def usual(self, name: str) -> str:
        """Return the usual duration of a step, for display."""
        spread = self._spreads[name]
        return in_words(spread.low, spread.high)

    def is_late(self, name: str, now: float) -> bool:
        """Return whether a running step takes longer than usual."""
        return self._spreads[name].share(now - self.running[name].began) >= _LATE

    def left(self, now: float, share: float = USUAL) -> tuple[float, str | None]:
        """Return the seconds left of the run, and the running step on the critical path, or None.

        Args:
            share: quantile of the estimate; steps that may run count only in higher ones.
        """
        seconds = {
            name: self._spreads[name].left(max(0.0, now - step.began), share) for name, step in self.running.items()
        }
        for name, is_sure in self._pending.items():
            if is_sure or share > USUAL:
                seconds[name] = self._spreads[name].at(share)
        return simulate(_NEEDS, seconds, self.running, self._width)

    def fraction(self, now: float) -> float:
        """Return the elapsed fraction of the run; it never decreases, and is below 1 until the end."""
        passed, (left, _) = max(0.0, now - self.began), self.left(now)
        share = passed / (passed + left) if left else 1.0
        self._fraction = max(self._fraction, min(share, 0.99) if left else share)
        return self._fraction

    def in_words(self, now: float) -> str:
        """`6–11 min left, waiting for PostgreSQL`; with a note on what takes longer than usual."""
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
    """Return the time of an event, in seconds since the epoch."""
    whole, _, part = str(event["time"]).rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{part or 0}")
