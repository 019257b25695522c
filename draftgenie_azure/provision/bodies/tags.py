"""Tags common to all resources."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.config.validated.schema import Config


def tagged(config: Config, **more: str) -> dict[str, str]:
    """Return the configured tags and `more`."""
    return {**config.tags, **more}
