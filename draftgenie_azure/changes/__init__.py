"""The dependencies of steps, and the decision whether they run. Modules only a run needs are imported lazily."""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.changes import images  # noqa: F401 - imported lazily below

__getattr__ = modules_of(__name__)
