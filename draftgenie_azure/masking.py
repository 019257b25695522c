"""Keeps secrets out of the log and of tracebacks, whoever writes there."""

from __future__ import annotations

import logging
import sys
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Any

SHORTEST = 6  # shorter values would blot out ordinary words


class Masking(logging.Filter):
    """Replaces the given values by `***` in every message.

    Args:
        values: secrets; what is no text or too short is left out.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        super().__init__()
        self._values = sorted(
            {value for value in values if isinstance(value, str) and len(value) >= SHORTEST and "{{" not in value},
            key=len,
            reverse=True,
        )

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask a record; always lets it through."""
        message = record.getMessage()
        masked = self.masked(message)
        if masked != message:
            record.msg, record.args = masked, None
        return True

    def masked(self, text: str) -> str:
        """A text without the values."""
        for value in self._values:
            text = text.replace(value, "***")
        return text

    def hook(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """For `sys.excepthook`: the traceback of a fault of the program, without the values."""
        sys.stderr.write(self.masked("".join(traceback.format_exception(kind, error, trace))))
