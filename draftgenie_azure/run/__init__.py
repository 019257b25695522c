"""The execution of a run: concurrency, stopping, logging; imported lazily.

A run without changes needs none of it.
"""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.run import control, estimate, log, schedule  # noqa: F401 - for the type checker; lazy

__getattr__ = modules_of(__name__)
