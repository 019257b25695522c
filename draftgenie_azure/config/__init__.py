"""Read and validate `config.yaml`. Modules that most runs do not need are imported on first use."""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.config import env_file  # noqa: F401 - for the type checker; imported lazily below

__getattr__ = modules_of(__name__)
