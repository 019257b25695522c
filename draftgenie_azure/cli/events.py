"""The stream of events of a command; readable lines, JSON and CI output are views of it.

Each event is an object of JSON with `version`, `type`, `time` and `run`; docs/events.schema.json is their schema. The
last one has the type `end`, with the result. `event` is the same as the type, except in the last event, where it is the
kind of the result (`summary`, `plan`, `status`).
"""

from __future__ import annotations

import json
import os
import time
from threading import RLock

from draftgenie_azure import printable
from draftgenie_azure.masking import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Protocol

    from draftgenie_azure.errors import DeployerError

    Event = dict[str, Any]

    class View(Protocol):
        """Shows events, ignoring unknown types. `lost` is the error if a result could not be written."""

        lost: OSError | None

        def show(self, event: Event) -> None:
            """Show one event."""


VERSION = 1
RESULTS = {0: "succeeded", 1: "failed", 2: "changes_pending", 130: "interrupted"}  # by exit code
_OF_RUN = ("run", "kind", "of", "result", "started_at", "seconds", "who", "host", "ci", "migrations", "deleted")
_COUNTED = {"step_done": "ran", "step_failed": "failed", "step_skip": "skipped", "step_disabled": "disabled",
            "step_stopped": "stopped"}  # fmt: skip


class Reporter:
    """Creates events, masked, and passes them to the views.

    Args:
        views: the views that show them.

    Attributes:
        is_reported: True if one of the views writes a report, which includes the earlier runs.
        notes: the messages of the level `note` so far, each once; the last event and the summary repeat them.
    """

    def __init__(self, views: Sequence[View]) -> None:
        self._views = views
        self.run = os.urandom(8).hex()
        self._began = time.monotonic()
        self._number: dict[str, int] = {}
        self._counts: dict[str, set[str]] = {}  # steps; one that a plan named before counts once
        self._result: Event = {}
        self._named = False
        self.is_reported = False
        self.notes: list[str] = []
        self._lock = RLock()

    def order(self, names: Sequence[str]) -> None:
        """Set the order of the steps, which gives their numbers."""
        self._number = {name: number for number, name in enumerate(names, 1)}

    def step(self, name: str, what: str, text: str, **facts: Any) -> None:
        """Report the progress of a step: `run`, `waits`, `done`, `skip`, `failed`, `disabled`, `may run`, `stopped`."""
        place = {"number": self._number.get(name, 0), "of": len(self._number)}
        kind = f"step_{what.replace(' ', '_')}"
        counted = what.replace(" ", "_") if facts.get("planned") else _COUNTED.get(kind)
        if counted is not None:
            self._counts.setdefault(counted, set()).add(name)
        self._emit(kind, step=name, message=text, **place, **facts)

    def failed(self, name: str, text: str) -> None:
        """Report that a step failed, with the first part of the reason; the end of the run shows all of it."""
        first = text.splitlines()[0].removeprefix(f"{name}: ")
        self.step(name, "failed", f"{first[:LONGEST_REASON]}…" if len(first) > LONGEST_REASON else first, error=text)

    def planned(self, name: str, what: str, reasons: Sequence[str], changes: Sequence[str] = ()) -> None:
        """Report the planned outcome of a step, as an event of that step."""
        facts = {"reasons": list(reasons), "changes": list(changes)}
        self.step(name, what, shortened(reasons), planned=True, **facts)

    def count(self, *what: str) -> int:
        """Return how many steps ended in one of these ways: `ran`, `skipped`, `disabled`, `failed`, `stopped`."""
        return sum(len(self._counts.get(one, ())) for one in what)

    def expected(self, steps: Mapping[str, Mapping[str, Any]], width: int) -> None:
        """Report what a run will do, and the usual duration of each step."""
        self._emit("expected", steps=steps, width=width)

    def message(self, text: str, *, level: str = "info") -> None:
        """Report a message."""
        if level == "note" and text not in self.notes:
            self.notes.append(text)
        self._emit("message", level=level, message=text)

    def target(self, text: str, **facts: Any) -> None:
        """Report the target of the command, once."""
        if not self._named:
            self._named = True
            self._emit("target", message=text, **facts)

    def runs(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Add the last runs of this state, latest last; only reports show them."""
        if self.is_reported:
            shown = [{key: entry[key] for key in _OF_RUN if key in entry} for entry in entries[-SHOWN_RUNS:]]
            steps = [[name for name, step in entry.get("steps", {}).items() if step.get("verdict") == "ran"]
                     for entry in entries[-SHOWN_RUNS:]]  # fmt: skip
            self._emit("runs", runs=[{**run, "ran": ran} for run, ran in zip(shown, steps, strict=True)])

    def log_line(self, source: str, line: str) -> None:
        """Report a line of a container's log, which is a result."""
        self._emit("log", source=source, line=line)

    def error(self, error: DeployerError, *, log: str | None) -> None:
        """Report each failure raised together: what failed, why, what to do next, and the log's path.

        Each fault of usage or configuration is reported before it.
        """
        with self._lock:
            for part, others in _alike(error.parts):
                self._error(part, log, others)

    def _error(self, error: DeployerError, log: str | None, others: Sequence[str]) -> None:
        for fault in getattr(error, "faults", ()):
            place = {"file": fault.file or None, "line": fault.line, "key": fault.key or None}
            self._emit("fault", **place, message=fault.message)
        names = ("code", "request_id", "correlation_id", "details")
        facts = {name: value for name in names if (value := getattr(error, name, None))}
        facts["help"] = f"docs/troubleshooting.md#{error.paragraph}"
        also = f"\nalso, for the same reason: {printable.listed(others)}" if others else ""
        self._emit("error", message=error.message + also, hint=error.hint or error.usual_hint, log=log, **facts)

    def result(self, lines: Sequence[str], document: Mapping[str, Any]) -> None:
        """Set the command's result, as lines and as a document; shown at the end."""
        self._result = {**document, "lines": list(lines)}

    def end(self, code: int) -> None:
        """Report the end of the command, the last event."""
        facts: Event = {"event": "end", "lines": [], "seconds": round(time.monotonic() - self._began, 3)}
        facts |= self._result
        if self.notes:
            facts["notes"] = self.notes
        counts = {what: len(names) for what, names in sorted(self._counts.items())}
        self._emit("end", **facts | {"result": RESULTS.get(code, "failed"), "exit_code": code, "counts": counts})

    @property
    def lost(self) -> OSError | None:
        """The error if a result could not be written, else None."""
        return next((view.lost for view in self._views if view.lost is not None), None)

    def _emit(self, kind: str, **facts: Any) -> None:
        with self._lock:  # keeps times in the order of the events
            event = {"event": kind, **facts, "version": VERSION, "type": kind, "time": _now(), "run": self.run}
            event = MASK.document(event)
            for view in self._views:
                view.show(event)


def replay(lines: Iterable[str], views: Sequence[View]) -> None:
    """Show recorded events, as written by `--output json`."""
    for line in lines:
        event = json.loads(line)
        for view in views:
            view.show(event)


def _alike(errors: Sequence[DeployerError]) -> list[tuple[DeployerError, list[str]]]:
    """Return the failures; of three or more with the same code, the first one with the names of the others."""
    groups: dict[object, list[DeployerError]] = {}
    for error in errors:
        code = getattr(error, "code", "")
        groups.setdefault((type(error), code) if code else id(error), []).append(error)
    found: list[tuple[DeployerError, list[str]]] = []
    for group in groups.values():
        if len(group) < SHOWN_REASONS:
            found += [(error, []) for error in group]
        else:
            found.append((group[0], _names(group)[1:]))
    return found


def _names(errors: Sequence[DeployerError]) -> list[str]:
    """Return the subject of each error: its message up to Azure's status, without their common ending."""
    heads = [error.message.split(f": {getattr(error, 'status', None)} ")[0].split(": ") for error in errors]
    while all(len(head) > 1 for head in heads) and len({head[-1] for head in heads}) == 1:
        heads = [head[:-1] for head in heads]
    return [": ".join(head) for head in heads]


def shortened(reasons: Sequence[str]) -> str:
    """Return the first few reasons, and the number of further ones."""
    shown = ", ".join(map(_brief, reasons[:SHOWN_REASONS]))
    more = len(reasons) - SHOWN_REASONS
    return f"{shown} and {more} more" if more > 0 else shown


def _brief(reason: str) -> str:
    """Return the beginning of a reason, which may contain the whole message of an earlier failure."""
    first = reason.split("\n", 1)[0]
    return reason if len(reason) <= _WHOLE and first == reason else f"{first[:_WHOLE].rstrip()}…"


SHOWN_REASONS = 3
LONGEST_REASON = 80  # characters of why a step failed, in the line about it
SHOWN_RUNS = 20
_WHOLE = 160  # characters of a reason that are shown


def _now() -> str:
    moment = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(moment))}.{int(moment % 1 * 1000):03d}Z"
