"""Confirmation on a terminal. Without one the answer is no, unless `--auto-approve` is given or a yes is harmless."""

from __future__ import annotations

import os
import select
import signal
import sys

from draftgenie_azure.cli import views
from draftgenie_azure.errors import RefusedError

_LOOK = 0.2  # seconds between looks for a signal


def answered_yes(question: str) -> bool:
    """Ask on a terminal; without one the answer is no.

    Raises:
        KeyboardInterrupt: Ctrl-C, or another signal that ends a run; during a run they only request a stop, and
            reading a line would continue.
    """
    if not sys.stdin.isatty():
        return False
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = [(number, signal.signal(number, signal.default_int_handler)) for number in numbers]
    try:
        views.ask(question)
        # Bytes: input in another encoding is neither a yes nor a failure.
        return _line().strip().lower() in (b"y", b"yes")
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _line() -> bytes:
    """Return the next line typed.

    A signal that arrives just before a read begins does not interrupt it: the handler would run after the answer. So
    the read begins when there is a line.
    """
    if os.name == "posix":  # elsewhere `select` takes only sockets
        while not select.select([sys.stdin], [], [], _LOOK)[0]:
            pass
    return sys.stdin.buffer.readline()


def confirm(question: str, *, auto_approve: bool) -> None:
    """Ask for confirmation.

    Raises:
        RefusedError: the answer was no, or there is no terminal to ask on.
        KeyboardInterrupt: Ctrl-C instead of an answer.
    """
    if auto_approve:
        return
    if not sys.stdin.isatty():
        raise RefusedError(
            f"{question} No: there is no terminal to ask on.",
            hint="--auto-approve says yes in place of a terminal. Look at the plan first, with --dry-run.",
        )
    if not answered_yes(question):
        raise RefusedError("Nothing was changed: the answer was no.", hint="Run again, and answer yes.")
