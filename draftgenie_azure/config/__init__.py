"""From `config.yaml` to a configuration. What most runs do not need is imported when first used."""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.config import env_file  # noqa: F401 - tells the type checker what is found below

__getattr__ = modules_of(__name__)
