"""Questions on a terminal. Elsewhere the answer is no, unless `--auto-approve` was given."""

from __future__ import annotations

import sys

from draftgenie_azure.cli import views
from draftgenie_azure.errors import DeployerError


def confirm(question: str, *, auto_approve: bool) -> None:
    """Ask for a yes.

    Raises:
        DeployerError: the answer was no, or there is no terminal to ask on.
    """
    if auto_approve:
        return
    if not sys.stdin.isatty():
        raise DeployerError(f"{question} No.", hint="Without a terminal to ask on, only --auto-approve says yes.")
    views.ask(question)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise DeployerError("Nothing was changed: the answer was no.")
