"""What a run would do: made by the steps themselves, and shown to people; imported when first used.

A dry run in which nothing changed needs none of it.
"""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.planning import (  # noqa: F401 - tells the type checker what is found below
        asking,
        making,
        surroundings,
        view,
    )

__getattr__ = modules_of(__name__)
