"""The content of a report, gathered from a run's events: steps with times, changes, critical path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from draftgenie_azure.cli.forecast import moment
from draftgenie_azure.steps import STEPS

if TYPE_CHECKING:
    from draftgenie_azure.cli.events import Event

_NEEDS = {step.name: step.needs for step in STEPS}
_OF_ERROR = ("message", "hint", "code", "request_id")
_PORTALS = {
    "AzureCloud": "https://portal.azure.com",
    "AzureUSGovernment": "https://portal.azure.us",
    "AzureChinaCloud": "https://portal.azure.cn",
}


class Facts:
    """The facts of a run so far.

    Attributes:
        end: the last event.
        steps: name -> its outcome; `began` and `ended` are seconds since the first event.
        errors, messages: events of these types.
        runs: of the history, the last one first.
    """

    def __init__(self) -> None:
        self.end: Event = {}
        self.steps: dict[str, dict[str, Any]] = {}
        self.errors: list[Event] = []
        self.messages: list[Event] = []
        self.runs: list[dict[str, Any]] = []
        self._first: float | None = None

    def take(self, event: Event) -> None:
        """Add an event."""
        kind, now = str(event["type"]), moment(event)
        self._first = now if self._first is None else self._first
        if kind == "error":
            self.errors.append(event)
        elif kind == "message" and event["level"] in ("note", "warning"):
            self.messages.append(event)
        elif kind == "runs":
            self.runs = list(reversed(event["runs"]))
        elif kind == "end":
            self.end = event
        elif kind.startswith("step_") and event["step"] in _NEEDS:
            self._take_step(kind.removeprefix("step_").replace("_", " "), event, now - self._first)

    def _take_step(self, what: str, event: Event, now: float) -> None:
        new = {"step": event["step"], "number": event["number"], "reasons": [], "changes": [], "written": []}
        step = self.steps.setdefault(event["step"], new)
        if what == "waits":
            return
        step["what"] = what
        for name in ("reasons", "changes", "written"):
            step[name] = event.get(name) or step[name]
        if what == "run":
            step["began"] = now
        elif "began" in step:
            step["ended"] = now

    def timed(self) -> list[dict[str, Any]]:
        """Return the steps that ran, in order of their start."""
        ran = [step for step in self.steps.values() if "began" in step and "ended" in step]
        return sorted(ran, key=lambda step: (step["began"], step["number"]))

    def critical_path(self) -> list[str]:
        """Return the critical path: from the last step back through the needs that ended last."""
        ran = {step["step"]: step for step in self.timed()}
        path: list[str] = []
        name = max(ran, key=lambda key: ran[key]["ended"], default=None)
        while name is not None:
            path.append(name)
            name = max((need for need in _NEEDS[name] if need in ran), key=lambda key: ran[key]["ended"], default=None)
        return path[::-1]

    def waited(self, name: str) -> tuple[str | None, float]:
        """Return the need that a step waited for last, and how long it then waited for a free slot."""
        ran = {step["step"]: step for step in self.timed()}
        needs = [need for need in _NEEDS[name] if need in ran]
        if not needs:
            return None, 0.0
        last = max(needs, key=lambda need: ran[need]["ended"])
        return last, max(0.0, ran[name]["began"] - ran[last]["ended"])

    def services(self) -> list[dict[str, str]]:
        """Return URL, image and portal link of each service."""
        urls, images = self.end.get("urls") or {}, self.end.get("images") or {}
        links = self.links()
        names = sorted({*urls, *images, *(key.split("/", 1)[1] for key in links if key.startswith("container_app/"))})
        return [
            {"service": name, "url": str(urls.get(name) or ""), "image": str(images.get(name) or ""),
             "portal": links.get(f"container_app/{name}", "")}
            for name in names
        ]  # fmt: skip

    def links(self) -> dict[str, str]:
        """Return resource -> its page in the portal, for clouds that have one."""
        if self.end.get("event") != "summary":
            return {}
        portal = _PORTALS.get(str((self.end.get("target") or {}).get("cloud")))
        resources = self.end.get("resources") or {}
        return {key: f"{portal}/#@/resource{text}" for key, text in resources.items()} if portal else {}

    def plan(self) -> list[str]:
        """Return the lines of the plan, if the command made one."""
        return list(self.end["lines"]) if self.end.get("event") == "plan" else []

    def document(self) -> dict[str, Any]:
        """Return all facts as a document."""
        path = self.critical_path()
        steps = []
        for step in sorted(self.steps.values(), key=lambda step: int(step["number"])):
            waited_for, slot = self.waited(step["step"]) if "ended" in step else (None, 0.0)
            facts = {"on_critical_path": step["step"] in path, "waited_for": waited_for, "waited_for_place": slot}
            steps.append({**step, **facts, "why": _why(step)})
        return {
            "result": self.end.get("result"),
            "time": self.end.get("time"),
            "run": self.end.get("run"),
            "seconds": self.end.get("seconds"),
            "exit_code": self.end.get("exit_code"),
            "plan_id": self.end.get("plan_id"),
            "plan": self.plan(),
            "critical_path": path,
            "steps": steps,
            "services": self.services(),
            "resources": self.links(),
            "errors": [{key: event.get(key) for key in _OF_ERROR} for event in self.errors],
            "history": self.runs,
            "messages": [{"level": event["level"], "message": event["message"]} for event in self.messages],
        }


def kind_of(run: dict[str, Any]) -> str:
    """The kind of an earlier run: `deploy`, `rollback to run 3`."""
    return f"{run['kind']} to run {run['of']}" if run.get("of") else str(run["kind"])


def by_whom(run: dict[str, Any]) -> str:
    """The user and host of an earlier run."""
    return "@".join(str(run[key]) for key in ("who", "host") if run.get(key))


def _why(step: dict[str, Any]) -> list[str]:
    """Return the reasons of a step, and the changes not named by a reason."""
    said = "\n".join(step["reasons"])
    return [*step["reasons"], *(one for one in step["changes"] if one.split(":", 1)[-1].split(" ")[0] not in said)]
