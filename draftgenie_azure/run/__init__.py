"""How a run goes: what runs side by side, how it stops, its log; imported when first used.

A run in which nothing changed needs none of it.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from draftgenie_azure.run import control, log, schedule  # noqa: F401 - tells the type checker what is found below


def __getattr__(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from error
