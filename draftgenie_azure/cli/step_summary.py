"""A page of Markdown about a run, for the summaries of CI systems: result, addresses, steps, and their graph."""

from __future__ import annotations

import re

from draftgenie_azure import printable
from draftgenie_azure.cli.events import shortened
from draftgenie_azure.steps import STEPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.cli.events import Event

LONGEST = 1_000_000  # bytes; GitHub drops a summary of over 1 MiB
MOST_ROWS = 500
LONGEST_CELL = 400
_SIGNS = {"done": "✅", "failed": "❌", "skip": "⏭️", "disabled": "⏸️", "stopped": "🛑", "run": "⏳", "may run": "❔"}
_COLOURS = {"done": "#2da44e", "failed": "#cf222e", "skip": "#8c959f", "stopped": "#bf8700"}


class StepSummary:
    """Builds a Markdown page from events."""

    def __init__(self) -> None:
        self._steps: dict[str, tuple[str, Event]] = {}
        self._failures: list[Event] = []
        self._warnings: list[str] = []
        self._target = ""
        self._end: Event = {}

    def take(self, event: Event) -> None:
        """Add an event."""
        kind = str(event["type"])
        if kind.startswith("step_") and kind != "step_waits":
            self._steps[str(event["step"])] = (kind.removeprefix("step_").replace("_", " "), event)
        elif kind == "target":
            self._target = str(event["message"])
        elif kind == "error":
            self._failures.append(event)
        elif kind == "message" and event["level"] == "warning":
            self._warnings.append(str(event["message"]))
        elif kind == "end":
            self._end = event

    def markdown(self) -> str:
        """Return the page; empty if there is only the result of a state command."""
        if not self._steps and not self._failures:
            return ""
        blocks = [f"## DraftGenie: {self._end.get('result', 'unknown')}", *self._sections()]
        blocks += [table(("service", "address"), [(key, url) for key, url in self._end.get("urls", {}).items()])]
        blocks += [table(("step", "", "seconds", "why"), [self._row(name) for name in self._steps]), self._graph()]
        text = ""
        for block in filter(None, blocks):
            if len(text.encode()) + len(block.encode()) > LONGEST:
                return f"{text}\n(The rest is left out: it is too long for a summary.)\n"
            text += f"{block}\n\n"
        return text

    def _sections(self) -> list[str]:
        failures = [f"> **failed** {cell(event['message'])}" for event in self._failures[:MOST_ROWS]]
        hints = [f"> next: {cell(event['hint'])}" for event in self._failures[:MOST_ROWS] if event.get("hint")]
        target = [f"Target: {cell(self._target)}"] if self._target else []
        return target + failures + hints + [f"> **warning** {cell(text)}" for text in self._warnings[:MOST_ROWS]]

    def _row(self, name: str) -> tuple[str, str, str, str]:
        what, event = self._steps[name]
        why = shortened(event.get("reasons") or [str(event["message"])])
        return name, f"{_SIGNS.get(what, '')} {what}", str(event.get("seconds", "")), why

    def _graph(self) -> str:
        """Return the graph of the reported steps and their needs."""
        known = [step for step in STEPS if step.name in self._steps]
        lines = ["```mermaid", "flowchart LR"]
        for step in known:
            lines.append(f"  {step.name}")
            lines += [f"  {need} --> {step.name}" for need in direct_needs(step.needs) if need in self._steps]
            colour = _COLOURS.get(self._steps[step.name][0])
            lines += [f"  style {step.name} stroke:{colour},stroke-width:3px"] if colour else []
        return "\n".join([*lines, "```"]) if known else ""


def direct_needs(needs: tuple[str, ...]) -> list[str]:
    """Return the needs that are not implied by another need, whose arrows would be redundant."""
    by_name = {step.name: step for step in STEPS}
    return [need for need in needs if not any(need in by_name[other].needs for other in needs if other != need)]


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(map(cell, row))} |" for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        lines.append(f"| and {len(rows) - MOST_ROWS} more |{' |' * (len(head) - 1)}")
    return "\n".join(lines)


def cell(text: object) -> str:
    """Escape text for Markdown and HTML, on one line."""
    shown = printable.escaped(" ".join(str(text).splitlines()))
    if len(shown) > LONGEST_CELL:
        shown = f"{shown[:LONGEST_CELL]}..."
    for character in "\\`*_[]~#!":
        shown = shown.replace(character, f"\\{character}")
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;")
    # GitHub looks for names and numbers in what is shown, where escapes are gone; a comment parts them.
    return re.sub(r"((?<!\w)@(?=\w)|(?<=\\)#(?=\d))", r"\1<!-- -->", shown)
