"""Views of a command's events: readable lines, or one JSON object per line."""

from __future__ import annotations

import json
import os
import sys

from draftgenie_azure import cli, printable
from draftgenie_azure.masking import MASK
from draftgenie_azure.printable import duration
from draftgenie_azure.steps import STEP_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from draftgenie_azure.cli.events import Event

_IN_ASCII = str.maketrans({"→": "->", "…": "...", "–": "-", "±": "+/-"})
_WIDTH = max(map(len, STEP_NAMES))
MOST_FAILURES = 10  # shown whole
_ONLY_FIRST = "Further failures, one line each (--output json has each of them whole):"
_COLOURS = {
    "run": "36", "waits": "36", "done": "32", "failed": "31", "skip": "2", "may run": "33", "disabled": "2",
    "stopped": "33",
}  # fmt: skip


def print_text(stream: Any, text: str, *, end: str = "\n") -> OSError | None:
    """Print a text; a deployment continues if the reader is gone (a closed terminal, `| head`).

    Returns:
        The error if the text is lost, as on a full disk; None if only the reader is gone.
    """
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(_encodable(text, encoding) + end)
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return None if isinstance(error, BrokenPipeError) else error
    return None


def _encodable(text: str, encoding: str) -> str:
    """Return a text in characters that a stream can write: our own signs in ASCII, others as escapes."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_IN_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text


def _safe(text: str) -> list[str]:
    return printable.lines(MASK.text(text))


def ask(question: str) -> None:
    """Print a question, to be answered on the same line."""
    sys.stderr.write("\n".join(_safe(question)) + " [y/N] ")
    sys.stderr.flush()


class Lines:
    """Readable lines: progress on standard error, results on standard output.

    Events may contain external text (names, Azure's messages, container output): control characters are escaped, and
    each line of a text after the first has a margin.

    Args:
        color: use colours.

    Attributes:
        lost: the error if a result could not be written.
    """

    def __init__(self, *, color: bool = False) -> None:
        self._color = color
        self.lost: OSError | None = None
        self._faults: list[Event] = []
        self._failures = 0

    def show(self, event: Event) -> None:
        """Show one event."""
        kind = str(event["type"])
        if kind.startswith("step_"):
            stream = sys.stdout if event.get("planned") else sys.stderr
            self._print(stream, self._step(event, kind.removeprefix("step_").replace("_", " ")))
        elif kind == "message":
            level = event["level"]
            self._print(sys.stderr, behind("" if level == "info" else f"{level}: ", event["message"]))
        elif kind == "target":
            self._print(sys.stderr, behind("target: ", event["message"]))
        elif kind == "log":
            line = printable.lines(f"{event['source']} {event['line']}")[0]
            self._print(sys.stdout, [printable.with_margin(line)])
        elif kind == "fault":
            self._faults.append(event)
        elif kind == "error":
            self._print(sys.stderr, self._error(event))
        elif kind == "end" and event.get("lines"):
            self._print(sys.stdout, [shown for line in event["lines"] for shown in behind("", line)])

    def _step(self, event: Event, what: str) -> list[str]:
        number = f"{event['number']:2}/{event['of']}"
        return behind(f"{number} {event['step']:{_WIDTH}} {self._painted(what, 8)} ", event["message"])

    def _error(self, event: Event) -> list[str]:
        message = str(event["message"])
        self._failures += 1
        if self._failures > MOST_FAILURES:
            only = [_ONLY_FIRST] if self._failures == MOST_FAILURES + 1 else []
            return only + self._headline(message.split("\n", 1)[0])
        faults, self._faults = [fault for fault in self._faults if place_and_text(fault) != message], []
        # A configuration error's message repeats the faults, which are shown separately below it.
        shown = self._headline(message.split("\n", 1)[0] if faults else message)
        for fault in faults:
            shown += self._fault(fault)
        if event.get("details"):
            shown += self._details(event)
        for word, text in (
            ("next", event.get("hint")), ("id", ids_of(event)), ("log", event.get("log")), ("help", event.get("help")),
        ):  # fmt: skip
            if text:
                shown += behind(f"  {word}: ".ljust(8), text)
        return shown

    def _headline(self, message: str) -> list[str]:
        return behind(f"{self._painted('failed', 0)}: ", message)

    def _fault(self, fault: Event) -> list[str]:
        return behind("  ", place_and_text(fault))

    def _details(self, event: Event) -> list[str]:
        """Return the output of a container, build or job."""
        return [printable.with_margin(line) for line in printable.lines(event["details"])]

    def _print(self, stream: Any, lines: Sequence[str]) -> None:
        if self._color and sys.stderr.isatty() and not stream.isatty():  # coloured for the terminal, not for a file
            lines = [cli.columns.unpainted(line) for line in lines]
        failure = print_text(stream, "\n".join(lines))
        if stream is sys.stdout:
            self.lost = self.lost or failure

    def _painted(self, what: str, width: int) -> str:
        padded = what.ljust(width)
        return f"\x1b[{_COLOURS[what]}m{padded}\x1b[0m" if self._color and what in _COLOURS else padded


def show_lost(why: OSError) -> None:
    """Report a failure that no event can report any more: the result is lost."""
    Lines().show(
        {
            "type": "error",
            "message": f"the result could not be written: {why.strerror}",
            "hint": "Free space where standard output goes, or send it elsewhere; then run again.",
            "help": "docs/troubleshooting.md#other-failures",
        }
    )


def place_and_text(event: Event) -> str:
    """Format a fault: file and line, key, message."""
    place = f"{event['file']}:{event['line']}" if event.get("line") is not None else event.get("file")
    if not place:
        return str(event["message"] if not event.get("key") else f"argument {event['key']}: {event['message']}")
    return ": ".join(str(part) for part in (place, event.get("key"), event["message"]) if part)


def ids_of(event: Event) -> str:
    """The ids by which Azure's support and activity log find a request that failed."""
    ids = (("request", event.get("request_id")), ("correlation", event.get("correlation_id")))
    return ", ".join(f"{word} {value}" for word, value in ids if value)


def behind(prefix: str, text: str) -> list[str]:
    """Return the lines of a text, the first one with a prefix."""
    first, *rest = printable.lines(text)
    return [prefix + first, *rest]


class JsonLines:
    """One JSON object per line on standard output."""

    lost: OSError | None = None

    def show(self, event: Event) -> None:
        """Show one event."""
        self.lost = print_text(sys.stdout, printable.json_line(json.dumps(event, sort_keys=True))) or self.lost


def under_way(state: Mapping[str, Any], step: str | None = None) -> list[str]:
    """Return the recorded operations in Azure, of one step or all: resources, builds, executions of jobs."""
    # Copies: abandoned threads of an interrupted run may still write.
    owners = {record["id"]: record["step"] for record in list(state["resources"].values())}
    found = []
    for operation in sorted(state["operations"]):
        resource_id, _, build = operation.partition("#build/")
        resource_id, _, execution = resource_id.partition("/executions/")
        owner = "build_and_push_images" if build else owners.get(resource_id)
        name = f"build of {build.split(':')[0]}" if build else resource_id.rsplit("/", 1)[-1]
        if step in (None, owner):
            found.append(f"{name} (execution {execution})" if execution else name)
    return found


def still_running(seconds: float, usual: float | None, names: Sequence[str]) -> str:
    """Format a step's running time, its usual duration, and its operations in Azure."""
    text = duration(seconds) + (f" of usually {duration(usual)}" if usual else "")
    return f"{text}: {printable.listed(names)}" if names else text
