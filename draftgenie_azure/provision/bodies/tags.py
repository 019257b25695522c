"""Tags that every resource has."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.config.validated.schema import Config


def tagged(config: Config, **more: str) -> dict[str, str]:
    """The configured tags and `more`."""
    return {**config.tags, **more}
