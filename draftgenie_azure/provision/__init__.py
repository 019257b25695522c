"""What each step does, one module a subject; imported when first used, since these modules bring the Azure SDK."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from draftgenie_azure.provision import (  # noqa: F401 - tells the type checker what `__getattr__` finds
        access,
        apps,
        databases,
        environment,
        foundation,
        images,
        key_vault,
        migrations,
        monitoring,
        prerequisites,
        registry,
        secrets,
        survey,
        vault,
        verify,
    )


def __getattr__(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from error
