"""The traceback of a fault of the program."""

from __future__ import annotations

import sys
import traceback

from draftgenie_azure import printable
from draftgenie_azure.cli.views import print_text
from draftgenie_azure.masking import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback without secrets; for `sys.excepthook`."""
    text = "".join(traceback.format_exception(kind, error, trace)).rstrip()
    print_text(sys.stderr, "\n".join(printable.lines(MASK.text(text))))
