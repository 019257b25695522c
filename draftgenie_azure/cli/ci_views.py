"""Views for the logs of GitHub Actions and Azure Pipelines: issues with file and line, groups, outputs.

No secret is registered with the CI system (`::add-mask::`, `task.setsecret`): that would print it, for anything else
that reads the output. Printed text is masked already.

Sources: docs.github.com, "Workflow commands for GitHub Actions"; learn.microsoft.com, "Logging commands".
"""

from __future__ import annotations

import json
import os
import sys

from draftgenie_azure import printable
from draftgenie_azure.cli.step_summary import StepSummary
from draftgenie_azure.cli.views import MOST_FAILURES, Lines, behind, place_and_text, print_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from draftgenie_azure.cli.events import Event

MOST_ISSUES = 10  # per kind that GitHub shows for one step; further ones are plain lines
OUTPUTS = ("result", "exit_code", "urls", "images", "plan_id")  # of the last event, for later jobs


class _CiLines(Lines):
    """The common base of both systems' views."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self._environ = environ
        self._summary = StepSummary()
        self._issues = {"error": 0, "warning": 0}

    def show(self, event: Event) -> None:
        """Show one event."""
        self._summary.take(event)
        if event["type"] == "message" and event["level"] == "warning":
            self._print(sys.stderr, self._issue("warning", event["message"]))
            return
        super().show(event)
        if event["type"] == "error" and event.get("details") and self._failures <= MOST_FAILURES:
            self._print_group("What it printed", printable.lines(event["details"]))
        if event["type"] == "end":
            self._finish(event)

    def _headline(self, message: str) -> list[str]:
        first, *rest = printable.lines(message)
        return [*self._issue("error", first), *rest]

    def _fault(self, fault: Event) -> list[str]:
        return self._issue("error", place_and_text(fault), file=fault.get("file"), line=fault.get("line"))

    def _details(self, event: Event) -> list[str]:
        return []  # shown in a separate group

    def _issue(self, level: str, text: str, *, file: str | None = None, line: int | None = None) -> list[str]:
        """Return an issue for the system, up to its limit, else a plain line."""
        self._issues[level] += 1
        if self._issues[level] > MOST_ISSUES:
            return behind(f"{level}: ", text)
        first, *rest = printable.lines(text)
        place = {} if file is None else {"file": printable.escaped(file), "line": str(line or 1)}
        return [self._issue_command(level, first, place), *rest]

    def _issue_command(self, level: str, text: str, place: Mapping[str, str]) -> str:
        raise NotImplementedError

    def _print_group(self, title: str, lines: Sequence[str]) -> None:
        raise NotImplementedError

    def _finish(self, event: Event) -> None:
        raise NotImplementedError


class GitHub(_CiLines):
    """The log of a step of GitHub Actions."""

    def _issue_command(self, level: str, text: str, place: Mapping[str, str]) -> str:
        properties = ",".join(f"{name}={_github_property(value)}" for name, value in place.items())
        return f"::{level}{' ' if properties else ''}{properties}::{_github_data(text)}"

    def _print(self, stream: Any, lines: Sequence[str]) -> None:
        first, rest = [line for line in lines if line.startswith("::")], lines
        if any(line.startswith(printable.MARGIN) for line in lines):
            rest = printable.without_commands([line for line in lines if line not in first])
            rest = [*first, *rest]
        super()._print(stream, rest)

    def _print_group(self, title: str, lines: Sequence[str]) -> None:
        shown = printable.without_commands([printable.with_margin(line) for line in lines])
        print_text(sys.stderr, "\n".join([f"::group::{title}", *shown, "::endgroup::"]))

    def _finish(self, event: Event) -> None:
        _append(self._environ.get("GITHUB_STEP_SUMMARY"), self._summary.markdown())
        values = [_github_output(name, event[name]) for name in OUTPUTS if event.get(name) is not None]
        _append(self._environ.get("GITHUB_OUTPUT"), "".join(values))


class AzurePipelines(_CiLines):
    """The log of a task of Azure Pipelines."""

    def _issue_command(self, level: str, text: str, place: Mapping[str, str]) -> str:
        names = {"file": "sourcepath", "line": "linenumber"}
        properties = {"type": level, **{names[name]: value for name, value in place.items()}}
        return _azure_command("task.logissue", properties, text)

    def _print_group(self, title: str, lines: Sequence[str]) -> None:
        shown = [printable.with_margin(line) for line in lines]
        print_text(sys.stderr, "\n".join([f"##[group]{title}", *shown, "##[endgroup]"]))

    def _finish(self, event: Event) -> None:
        directory = self._environ.get("AGENT_TEMPDIRECTORY")
        if directory:
            path = os.path.join(directory, f"draftgenie-{event['run']}.md")
            if _append(path, self._summary.markdown()):
                print_text(sys.stderr, _azure_command("task.uploadsummary", {}, path))
        for name in OUTPUTS:
            if event.get(name) is not None:
                properties = {"variable": f"draftgenie_{name}", "isOutput": "true"}
                print_text(sys.stderr, _azure_command("task.setvariable", properties, _text(event[name])))


def _append(path: str | None, text: str) -> bool:
    """Append to a file of the system; a full disk of the runner does not fail the deployment."""
    if not path or not text:
        return False
    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        print_text(sys.stderr, f"warning: {printable.escaped(path)} cannot be written: {error.strerror}")
        return False
    return True


def _text(value: object) -> str:
    """Return a value on one line, without CI commands."""
    if isinstance(value, str):
        return printable.escaped(value)
    return printable.json_line(json.dumps(value, sort_keys=True))


def _github_output(name: str, value: object) -> str:
    end = f"end-{os.urandom(16).hex()}"
    return f"{name}<<{end}\n{_text(value)}\n{end}\n"


def _github_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_data(text).replace(":", "%3A").replace(",", "%2C")


def _azure_command(name: str, properties: Mapping[str, str], text: str) -> str:
    written = "".join(f"{key}={_azure_property(value)};" for key, value in properties.items())
    return f"##vso[{name}{' ' if written else ''}{written}]{_azure_data(text)}"


def _azure_data(text: str) -> str:
    return text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def _azure_property(text: str) -> str:
    return _azure_data(text).replace(";", "%3B").replace("]", "%5D")
