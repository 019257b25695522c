"""The command line: flags, events and their views.

The modules below are imported lazily: a run without changes needs none of them.
"""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.cli import (  # noqa: F401 - for the type checker; found by `__getattr__`
        ci_views,
        columns,
        completion,
        crash,
        deciding,
        ending,
        help_page,
        life,
        live,
        mistakes,
        plan_view,
        preflight,
        process,
        progress,
        questions,
        report,
        state_commands,
        status,
        take_over,
        target,
        terminal,
        views,
    )

__getattr__ = modules_of(__name__)
