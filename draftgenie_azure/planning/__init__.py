"""What a run would do: made by the steps themselves, and shown to people; imported when first used.

A dry run in which nothing changed needs none of it.
"""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.planning import making, surroundings, view  # noqa: F401 - tells the type checker what is found below

__getattr__ = modules_of(__name__)
