"""Select the view for a command's events."""

from __future__ import annotations

import os
import sys
from itertools import pairwise

from draftgenie_azure import cli
from draftgenie_azure.cli.events import Reporter
from draftgenie_azure.cli.views import JsonLines, Lines
from draftgenie_azure.steps import STEP_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from draftgenie_azure.cli.events import View


def open_reporter(
    output: str, environ: Mapping[str, str], *, color: bool = False, report: str | None = None
) -> Reporter:
    """Return the reporter for `--output`: JSON, or lines in the format of the current CI system or terminal."""
    view: View
    if output == "json":
        view = JsonLines()
    elif environ.get("GITHUB_ACTIONS") == "true":
        view = cli.ci_views.GitHub(environ)
    elif environ.get("TF_BUILD") == "True":
        view = cli.ci_views.AzurePipelines(environ)
    elif output == "auto" and _is_for_a_person(environ):
        view = cli.terminal.Terminal(color=color)
    else:
        view = Lines(color=color)
    reporter = Reporter([view] if report is None else [view, cli.report.ReportFile(report)])
    reporter.order(STEP_NAMES)
    reporter.is_reported = report is not None
    return reporter


def is_coloured(no_color: bool, environ: Mapping[str, str]) -> bool:
    """Return whether lines are coloured: on a terminal that supports it, or if FORCE_COLOR is set.

    Sources: no-color.org, force-color.org.
    """
    if no_color or environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or (sys.stderr.isatty() and not _is_dumb(environ))


def _is_for_a_person(environ: Mapping[str, str]) -> bool:
    """Return whether standard error is a terminal on which lines can be redrawn."""
    return sys.stderr.isatty() and not _is_dumb(environ) and not environ.get("CI")


def _is_dumb(environ: Mapping[str, str]) -> bool:
    """Return whether the terminal is unknown, or supports no control sequences; Windows sets no TERM."""
    return environ.get("TERM", "dumb" if os.name == "posix" else "any") in ("dumb", "")


def wanted_output(arguments: Sequence[str]) -> str:
    """Return the output format that an unparsable command line requests: `json` or `plain`."""
    wants_json = "--output=json" in arguments or ("--output", "json") in pairwise(arguments)
    return "json" if wants_json else "plain"
