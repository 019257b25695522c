"""What each step does, one module a subject; imported when first used, since these modules bring the Azure SDK."""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.provision import (  # noqa: F401 - tells the type checker what `__getattr__` finds
        access,
        addresses,
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

__getattr__ = modules_of(__name__)
