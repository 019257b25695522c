"""Plans: produced by the steps themselves and displayed to the user; imported lazily.

A dry run without changes needs none of it.
"""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.planning import (  # noqa: F401 - for the type checker; imported below
        asking,
        making,
        surroundings,
        view,
    )

__getattr__ = modules_of(__name__)
