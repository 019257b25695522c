"""The state: its document, where it lives, who may write it. What only a run needs is imported when first used."""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.state import earlier, history, lock, replacing, rescue  # noqa: F401 - what is found below

__getattr__ = modules_of(__name__)
