"""What the names in `{{ }}` that only a deployment knows stand for, secrets apart.

`vault_secrets` has expanded everything else already: what is left are hosts, ports, the login and the default domain.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def plain_values(databases: Mapping[str, Any], default_domain: str | None = None) -> dict[str, str]:
    """Name -> value.

    Args:
        databases: outputs of `create_databases`.
        default_domain: of the environment; without it, what needs it is left out.
    """
    values = {}
    for product in ("postgresql", "redis"):
        for key, value in (databases.get(product) or {}).items():
            if key in ("host", "port", "login"):
                values[f"{product}.{key}"] = str(value)
    if default_domain is not None:
        values["container_apps.default_domain"] = default_domain
    return values
