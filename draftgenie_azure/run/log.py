"""The run's own log: to a file in full, to the terminal where asked; without secrets, and never in the run's way."""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
import sys

from draftgenie_azure.errors import DeployerError
from draftgenie_azure.masking import MASK
from draftgenie_azure.printable import lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO


_BEGINNING = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
_ANOTHER = "Give --log-file another path: of a new file, or of a log of this command."


class _Handler(logging.StreamHandler["TextIO"]):
    """Writes until that fails once; a deployment goes on without its log.

    Args:
        lost: told why it failed.
    """

    def __init__(self, stream: TextIO, lost: Callable[[OSError], None]) -> None:
        super().__init__(stream)
        self._lost = lost
        self._is_lost = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        if not self._is_lost:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Called where a record could not be written; what is wrong with the record itself is told as logging does."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self._is_lost = True
        self._lost(error)


class _Formatter(logging.Formatter):
    """A record with its traceback, without secrets, and with nothing in it that a terminal or CI system obeys."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(lines(MASK.text(super().format(record))))


def open_log(path: str | None, *, verbose: bool, tell: Callable[..., None]) -> logging.Logger:
    """The run's logger; libraries' warnings go where it writes, to the terminal where all goes there.

    Args:
        path: of the file that gets everything, or None.
        verbose: everything goes to the terminal too, not warnings alone.
        tell: a reporter's `message`; told, once, where the file cannot be written any further.

    Raises:
        DeployerError: the file cannot be opened.
    """
    logger = logging.getLogger("draftgenie")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.handlers.clear()
    terminal = _Handler(sys.stderr, lambda error: None)  # there is nobody left to tell
    terminal.setLevel(logging.DEBUG if verbose else logging.WARNING)
    handlers = [terminal]
    if path:
        lost = "the log %s cannot be written: %s; going on without it"
        handlers.append(_Handler(_opened(path), lambda error: tell(lost % (path, error.strerror), level="warning")))
    for handler in handlers:
        handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(threadName)s %(message)s"))
        logger.addHandler(handler)
    _take_over_libraries(handlers if verbose else handlers[1:])
    return logger


def quiet_log() -> logging.Logger:
    """A logger for a plan, which is told to people in another way."""
    logger = logging.getLogger("draftgenie.plan")
    logger.handlers = [logging.NullHandler()]
    logger.propagate = False
    return logger


def _take_over_libraries(handlers: Sequence[logging.Handler]) -> None:
    """What libraries log would go to standard error as it is, past the mask, where no handler takes it."""
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers = [*handlers] or [logging.NullHandler()]


def _opened(path: str) -> TextIO:
    """The file to append to: a new one, an empty one, a log of this command, or what a terminal or pipe reads."""
    try:
        _check_log(path)
        # A pipe that nobody reads is an error, not something to wait for.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, flags, 0o600)
        if hasattr(os, "set_blocking") and os.name != "nt":
            os.set_blocking(descriptor, True)
    except OSError as error:
        why = "nobody reads the pipe" if error.errno == errno.ENXIO else error.strerror
        hint = "Give --log-file the path of a file in a directory that you may write to."
        raise DeployerError(f"the log {path} cannot be written: {why}", hint=hint) from error
    return os.fdopen(descriptor, "a", encoding="utf-8")


def _check_log(path: str) -> None:
    """Refuse to append to something that is not a log: a configuration, a state, a Dockerfile, a disk.

    Raises:
        OSError: it cannot be looked at.
        DeployerError: it is something else.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode) or stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise DeployerError(f"the log {path} cannot be written: it is not a file", hint=_ANOTHER)
    if not stat.S_ISREG(mode):
        return
    with open(path, "rb") as file:
        first = file.read(len("2026-01-01 00:00:00,000 "))
    if first and not _BEGINNING.fullmatch(first):
        raise DeployerError(f"{path} is not a log of this command; it was not written to", hint=_ANOTHER)
