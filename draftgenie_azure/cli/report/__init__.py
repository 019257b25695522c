"""The file that `--report` writes about a run: a view over its events, as a page, as Markdown or as JSON."""

from __future__ import annotations

from draftgenie_azure.cli.report.file import ReportFile

__all__ = ["ReportFile"]
