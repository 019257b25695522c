"""What a step depends on, and whether it runs. What only a run needs is imported when first used."""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.changes import images  # noqa: F401 - what is found below

__getattr__ = modules_of(__name__)
