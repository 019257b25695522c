"""How a run goes: what runs side by side, how it stops, its log; imported when first used.

A run in which nothing changed needs none of it.
"""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.run import control, estimate, log, schedule  # noqa: F401 - tells the type checker what is found below

__getattr__ = modules_of(__name__)
