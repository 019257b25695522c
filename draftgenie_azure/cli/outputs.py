"""Which view a command's events go to."""

from __future__ import annotations

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


def open_reporter(output: str, environ: Mapping[str, str], *, color: bool = False) -> Reporter:
    """A reporter for `--output`: JSON, or lines for people in the way of the CI system that the command runs on."""
    view: View
    if output == "json":
        view = JsonLines()
    elif environ.get("GITHUB_ACTIONS") == "true":
        view = cli.ci_views.GitHub(environ)
    elif environ.get("TF_BUILD") == "True":
        view = cli.ci_views.AzurePipelines(environ)
    else:
        view = Lines(color=color)
    reporter = Reporter([view])
    reporter.order(STEP_NAMES)
    return reporter


def is_coloured(no_color: bool, environ: Mapping[str, str]) -> bool:
    """Whether lines for people are painted: on a terminal, unless somebody asked for none."""
    return not no_color and not environ.get("NO_COLOR") and sys.stderr.isatty()


def wanted_output(arguments: Sequence[str]) -> str:
    """What a command line that cannot be parsed asks for, as far as it can be told: `json` or `plain`."""
    wants_json = "--output=json" in arguments or ("--output", "json") in pairwise(arguments)
    return "json" if wants_json else "plain"
