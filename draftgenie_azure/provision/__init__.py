"""The work of each step, one module per subject; imported lazily, since these modules import the Azure SDK."""

from __future__ import annotations

from draftgenie_azure.lazy import modules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.provision import (  # noqa: F401 - for the type checker; found by `__getattr__`
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
