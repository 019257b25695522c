"""The run's log: in full to a file, optionally to the terminal; without secrets, and never failing the run."""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
import sys

from draftgenie_azure.constants import VERSION
from draftgenie_azure.errors import DeployerError
from draftgenie_azure.masking import MASK
from draftgenie_azure.printable import lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO


_BEGINNING = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
_NAME = "draftgenie"
_FORMAT = "%(asctime)s %(levelname)s %(threadName)s %(message)s"
_LOST = "the log %s cannot be written: %s; continuing without it"
_ANOTHER = "Give --log-file another path: of a new file, or of a log of this command."


class _Handler(logging.StreamHandler["TextIO"]):
    """A handler that stops after its first failure; a deployment continues without its log.

    Args:
        lost: called with the error.
        path: of the file that the stream writes to.
    """

    def __init__(self, stream: TextIO, lost: Callable[[OSError], None], path: str | None = None) -> None:
        super().__init__(stream)
        self.path = path
        self._lost = lost
        self.is_lost = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        if not self.is_lost:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Handle a failed write; errors in the record itself are reported as logging does."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self.is_lost = True
        self._lost(error)


class _Warnings(logging.Handler):
    """Passes warnings to the reporter: every view shows them, as the messages of a run."""

    def __init__(self, report: Callable[..., None]) -> None:
        super().__init__(logging.WARNING)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        """Report a warning."""
        self._report(record.getMessage(), level="warning")


class _Formatter(logging.Formatter):
    """Formats a record with its traceback, without secrets or sequences that a terminal or CI system interprets."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(lines(MASK.text(super().format(record))))


def open_log(path: str | None, *, verbose: bool, report: Callable[..., None]) -> logging.Logger:
    """Return the run's logger; warnings of libraries go to its file, and to the terminal if verbose.

    Args:
        path: path of the file for all records, or None.
        verbose: log to the terminal too.
        report: a reporter's `message`, for warnings; also called once if the file becomes unwritable.

    Raises:
        DeployerError: the file cannot be opened.
    """
    logger = logging.getLogger(_NAME)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.handlers.clear()
    handlers = []
    if verbose:
        terminal = _Handler(sys.stderr, lambda error: None)  # nowhere left to report it
        terminal.addFilter(lambda record: record.name != _NAME or record.levelno < logging.WARNING)
        handlers.append(terminal)
    if path:
        handlers.append(_file_handler(_opened(path), path, report))
    for handler in handlers:
        handler.setFormatter(_Formatter(_FORMAT))
        logger.addHandler(handler)
    logger.addHandler(_Warnings(report))
    _take_over_libraries(handlers)
    return logger


def keep_last(logger: logging.Logger, path: str, report: Callable[..., None]) -> None:
    """Keep the log of this run in a file in place of the last run's, unless it is written to a file already.

    Nobody asked for it: a run goes on without where it cannot be written, and says so.
    """
    if place() is not None:
        return
    try:
        _check_log(path)
        descriptor = _emptied(path)
    except OSError as error:
        report(_LOST % (path, error.strerror), level="warning")
        return
    except DeployerError as error:
        report(error.message, level="warning")
        return
    handler = _file_handler(os.fdopen(descriptor, "w", encoding="utf-8"), path, report)
    handler.setFormatter(_Formatter(_FORMAT))
    logger.addHandler(handler)
    logging.getLogger().addHandler(handler)
    logger.debug("draftgenie deployer %s, Python %s, %s", VERSION, sys.version.split()[0], sys.platform)


def _emptied(path: str) -> int:
    """Open this user's own file to write to it from its beginning; no one else may read it.

    Raises:
        OSError: it cannot be written, or belongs to another user, who could read what is written to it.
    """
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        if hasattr(os, "fchmod"):
            if os.fstat(descriptor).st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, "it belongs to another user")
            os.fchmod(descriptor, 0o600)
        os.ftruncate(descriptor, 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def place() -> str | None:
    """The file to which this run logs."""
    handlers = logging.getLogger(_NAME).handlers
    return next((one.path for one in handlers if isinstance(one, _Handler) and one.path and not one.is_lost), None)


def _file_handler(stream: TextIO, path: str, report: Callable[..., None]) -> _Handler:
    return _Handler(stream, lambda error: report(_LOST % (path, error.strerror), level="warning"), path)


def quiet_log() -> logging.Logger:
    """Return a logger for a plan, which is shown to the user otherwise."""
    logger = logging.getLogger("draftgenie.plan")
    logger.handlers = [logging.NullHandler()]
    logger.propagate = False
    return logger


def _take_over_libraries(handlers: Sequence[logging.Handler]) -> None:
    """Add handlers for library loggers, whose records would otherwise reach standard error unmasked."""
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers = [*handlers] or [logging.NullHandler()]


def _opened(path: str) -> TextIO:
    """Open the log to append to: a new or empty file, a log of this command, a terminal or a pipe."""
    try:
        _check_log(path)
        # A pipe without a reader is an error, not something to wait for.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, flags, 0o600)
        if hasattr(os, "set_blocking") and os.name != "nt":
            os.set_blocking(descriptor, True)
    except OSError as error:
        why = "the pipe has no reader" if error.errno == errno.ENXIO else error.strerror
        hint = "Give --log-file the path of a file in a directory that you may write to."
        raise DeployerError(f"the log {path} cannot be written: {why}", hint=hint) from error
    return os.fdopen(descriptor, "a", encoding="utf-8")


def _check_log(path: str) -> None:
    """Refuse to append to a file that is not a log: a configuration, a state, a Dockerfile, a disk.

    Raises:
        OSError: it cannot be inspected.
        DeployerError: it is not a log.
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
        raise DeployerError(f"{path} is not a log of this command; it was left unchanged", hint=_ANOTHER)
