"""What a run tells: lines for people, or one JSON event per line. Decides nothing."""

from __future__ import annotations

import json
import os
import sys
from itertools import pairwise

from draftgenie_azure import printable
from draftgenie_azure.masking import MASK
from draftgenie_azure.printable import duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Any

    from draftgenie_azure.errors import DeployerError

SHOWN_REASONS = 3
_COLOURS = {
    "run": "36", "waits": "36", "done": "32", "failed": "31", "skip": "2", "may run": "33", "disabled": "2",
    "stopped": "33",
}  # fmt: skip


def shortened(reasons: Sequence[str]) -> str:
    """The first few reasons, and how many more there are."""
    shown = ", ".join(reasons[:SHOWN_REASONS])
    more = len(reasons) - SHOWN_REASONS
    return f"{shown} and {more} more" if more > 0 else shown


def _print(stream: Any, text: str) -> None:
    """One text, whole; a deployment goes on when nobody listens any longer (a closed terminal, `| head`)."""
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def wanted_output(arguments: Sequence[str]) -> str:
    """What a command line that cannot be parsed asks for, as far as it can be told: `json` or `plain`."""
    wants_json = "--output=json" in arguments or ("--output", "json") in pairwise(arguments)
    return "json" if wants_json else "plain"


def ask(question: str) -> None:
    """Print a question, to be answered on the same line."""
    sys.stderr.write("\n".join(_safe(question)) + " [y/N] ")
    sys.stderr.flush()


def show_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """For `sys.excepthook`: the traceback of a fault of the program, without secrets."""
    import traceback

    _print(sys.stderr, "\n".join(_safe("".join(traceback.format_exception(kind, error, trace)).rstrip())))


class PlainReporter:
    """Lines for people, progress on standard error, results on standard output.

    Whatever it is told may hold text of other people (names, Azure's messages, what containers printed): secrets are
    hidden, control characters shown escaped, and each line after the first of a text has a margin.
    """

    def __init__(self, *, total: int, width: int, color: bool, on_github: bool = False) -> None:
        self._total = total
        self._width = width
        self._color = color
        self._on_github = on_github
        self._number: dict[str, int] = {}

    def order(self, names: Sequence[str]) -> None:
        """Tell the order of the steps, from which their numbers follow."""
        self._number = {name: number for number, name in enumerate(names, 1)}

    def step(self, name: str, what: str, text: str, **facts: Any) -> None:
        """Something happened to a step: `run`, `waits`, `done`, `skip`, `failed`, `disabled`, `may run`, `stopped`."""
        self._print(sys.stderr, self._line(name, what, text))

    def planned(self, name: str, what: str, reasons: list[str], changes: list[str]) -> None:
        """What would happen to a step: a result, on standard output."""
        self._print(sys.stdout, self._line(name, what, shortened(reasons)))

    def _line(self, name: str, what: str, text: str) -> list[str]:
        number = f"{self._number.get(name, 0):2}/{self._total}"
        return _behind(f"{number} {name:{self._width}} {self._painted(what, 8)} ", text)

    def message(self, text: str, *, level: str = "info") -> None:
        """Something to know, on standard error."""
        self._print(sys.stderr, _behind("" if level == "info" else f"{level}: ", text))

    def log_line(self, source: str, line: str) -> None:
        """A line of a container's log: a result, on standard output."""
        self._print(sys.stdout, [printable.with_margin(f"{source} {_safe(line)[0]}")])

    def error(self, error: DeployerError, *, log: str | None) -> None:
        """What failed, why, what to do next, and where the log is."""
        shown = _behind(f"{self._painted('failed', 0)}: ", error.summary)
        for text in error.lines:
            shown += _behind("  ", text)
        if error.details:
            shown += [printable.with_margin(line) for line in _safe(error.details)]
        if error.hint:
            shown += _behind("  next: ", error.hint)
        if log:
            shown += _behind("  log:  ", log)
        self._print(sys.stderr, shown)

    def result(self, lines: Sequence[str], document: dict[str, Any]) -> None:
        """A result, on standard output."""
        self._print(sys.stdout, [shown for line in lines for shown in _behind("", line)])

    def _print(self, stream: Any, lines: Sequence[str]) -> None:
        if self._on_github and any(line.startswith(printable.MARGIN) for line in lines):
            lines = printable.without_commands(lines)
        _print(stream, "\n".join(lines))

    def _painted(self, what: str, width: int) -> str:
        padded = what.ljust(width)
        return f"\x1b[{_COLOURS[what]}m{padded}\x1b[0m" if self._color and what in _COLOURS else padded


def _safe(text: str) -> list[str]:
    return printable.lines(MASK.text(text))


def _behind(prefix: str, text: str) -> list[str]:
    """The lines of a text, the first of them behind words of ours."""
    first, *rest = _safe(text)
    return [prefix + first, *rest]


class JsonReporter:
    """One JSON object per line on standard output, each with `event`."""

    def order(self, names: Sequence[str]) -> None:
        """Nothing to do: events carry names."""

    def step(self, name: str, what: str, text: str, **facts: Any) -> None:
        """An event of a step, with its reasons and seconds in full."""
        self._write({"event": f"step_{what.replace(' ', '_')}", "step": name, "message": text, **facts})

    def planned(self, name: str, what: str, reasons: list[str], changes: list[str]) -> None:
        """An event as of a step that does it, with all reasons, and all dependencies that changed."""
        self.step(name, what, shortened(reasons), reasons=reasons, changes=changes)

    def message(self, text: str, *, level: str = "info") -> None:
        """An event of kind `message`."""
        self._write({"event": "message", "level": level, "message": text})

    def log_line(self, source: str, line: str) -> None:
        """An event of kind `log`."""
        self._write({"event": "log", "source": source, "line": line})

    def error(self, error: DeployerError, *, log: str | None) -> None:
        """An event of kind `error`, after one of kind `fault` for each fault of usage or configuration."""
        for fault in getattr(error, "faults", ()):
            self._write(
                {
                    "event": "fault",
                    "file": fault.file or None,
                    "line": fault.line,
                    "key": fault.key or None,
                    "message": fault.message,
                }
            )
        document = {"event": "error", "message": error.message, "hint": error.hint, "log": log}
        self._write(document | ({"details": error.details} if error.details else {}))

    def result(self, lines: Sequence[str], document: dict[str, Any]) -> None:
        """The result as one object."""
        self._write(document)

    @staticmethod
    def _write(document: dict[str, Any]) -> None:
        _print(sys.stdout, printable.json_line(json.dumps(MASK.document(document), sort_keys=True)))


Reporter = PlainReporter | JsonReporter


def summary(
    state: Mapping[str, Any],
    steps: Sequence[str],
    ran: Mapping[str, tuple[list[str], float]],
    seconds: float,
    *,
    asked: bool,
    warnings: Sequence[str] = (),
) -> tuple[list[str], dict[str, Any]]:
    """What every run ends with: urls first, then what ran and why, what failed, and what to do next.

    Args:
        state: the state document.
        steps: names of all steps, in order.
        ran: step -> reasons and seconds.
        seconds: of the whole run.
        asked: whether Azure was asked anything.

    Returns:
        Lines for people, and the same as a document.
    """
    records: dict[str, Any] = state["steps"]
    resources = dict(state["resources"])  # a copy: threads that an interrupted run has given up may still write
    services = _outputs(records.get("deploy_application_services", {}))
    found = {key: service.get("url") for key, service in services.items() if isinstance(service, dict)}
    urls = {key: url for key, url in found.items() if str(url).startswith("https")}
    failed = [name for name in steps if records.get(name, {}).get("status") == "failed"]
    stopped = [name for name in steps if records.get(name, {}).get("status") == "running"]
    opened = {key: record["left_open"] for key, record in resources.items() if record.get("left_open")}
    warnings = [*warnings, *(f"{key}: {text}" for key, text in sorted(opened.items()))]
    orphans = sorted(key for key, record in resources.items() if record.get("orphaned"))
    skipped = sum(name not in ran and records.get(name, {}).get("status") == "completed" for name in steps)
    lines = [f"Deployment summary ({duration(seconds)}): {len(ran)} ran, {skipped} skipped, {len(failed)} failed"]
    lines += [f"  {key:20} {url}" for key, url in urls.items()]
    lines += [f"  ran     {name} ({duration(took)}): {shortened(reasons)}" for name, (reasons, took) in ran.items()]
    lines += [f"  failed  {name}" for name in failed] + [f"  stopped {name}" for name in stopped]
    if state.get("pin"):
        lines.append(f"  pinned  to the images of run {state['pin'].get('run')}; --rollback off ends it")
    lines += [f"  left in Azure, no longer configured: {key}" for key in orphans]
    lines += [f"  warning {text}" for text in warnings]
    if not asked:
        lines.append("  Everything is up to date by what is recorded. Azure was not asked; --force-step asks.")
    elif failed or stopped:
        lines.append("  Run the same command again: it goes on where this run ended.")
    document = {
        "event": "summary",
        "urls": urls,
        "ran": {name: {"reasons": reasons, "seconds": took} for name, (reasons, took) in ran.items()},
        "skipped": skipped,
        "failed": failed,
        "interrupted": stopped,
        "orphaned": orphans,
        "warnings": list(warnings),
        "asked_azure": asked,
        "seconds": round(seconds, 3),
    }
    return lines, document


def under_way(state: Mapping[str, Any], step: str | None = None) -> list[str]:
    """What Azure is at work on by the state, of one step or of all: resources, builds, executions of jobs."""
    # Copies: threads that an interrupted run has given up may still write.
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
    """How long a step has been running, how long it takes as a rule, and what Azure is at work on."""
    text = duration(seconds) + (f" of usually {duration(usual)}" if usual else "")
    return f"{text}: {', '.join(names)}" if names else text


def _outputs(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a step published when it last completed."""
    outputs: dict[str, Any] = record.get("outputs") or (record.get("last_completed") or {}).get("outputs") or {}
    return outputs
