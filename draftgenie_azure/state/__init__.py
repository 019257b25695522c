"""The state: its document, storage backends and lock. Modules that only a run needs are imported lazily."""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.state import earlier, emergency, history, lock, replacing  # noqa: F401 - imported lazily below

__getattr__ = modules_of(__name__)
