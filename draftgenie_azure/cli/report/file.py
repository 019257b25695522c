"""Write the report of a run at its end."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from draftgenie_azure import printable
from draftgenie_azure.cli.report.facts import Facts
from draftgenie_azure.cli.report.markdown import markdown
from draftgenie_azure.cli.report.page import page
from draftgenie_azure.cli.views import print_text
from draftgenie_azure.constants import REPORT_MARK

if TYPE_CHECKING:
    from draftgenie_azure.cli.events import Event


class ReportFile:
    """A view that shows nothing until the last event, and then writes a file.

    Args:
        path: its suffix selects the format.
    """

    lost: OSError | None = None

    def __init__(self, path: str) -> None:
        self._path = path
        self._facts = Facts()

    def show(self, event: Event) -> None:
        """Add one event; write the file after the last one."""
        self._facts.take(event)
        if event["type"] == "end":
            self._write(text_of(self._facts, self._path.rsplit(".", 1)[-1].lower()))

    def _write(self, text: str) -> None:
        """Write the file; a failure does not fail the deployment."""
        try:
            with open(self._path, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError as error:
            place = printable.escaped(self._path)
            print_text(sys.stderr, f"warning: the report {place} cannot be written: {error.strerror}")


def text_of(facts: Facts, kind: str) -> str:
    """Return the report as `html`, `md` or `json`."""
    if kind == "html":
        return page(facts)
    if kind == "md":
        return f"<!-- {REPORT_MARK} -->\n{markdown(facts)}"
    return printable.json_line(json.dumps({"generator": REPORT_MARK, **facts.document()}, indent=2)) + "\n"
