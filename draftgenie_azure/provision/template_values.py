"""Values of `{{ }}` names known only during deployment, except secrets.

`vault_secrets` has already expanded everything else: the rest are hosts, ports, the login and the default domain.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def plain_values(databases: Mapping[str, Any], default_domain: str | None = None) -> dict[str, str]:
    """Return name -> value.

    Args:
        databases: outputs of `create_databases`.
        default_domain: default domain of the environment; without it, names that need it are omitted.
    """
    values = {}
    for product in ("postgresql", "redis"):
        for key, value in (databases.get(product) or {}).items():
            if key in ("host", "port", "login"):
                values[f"{product}.{key}"] = str(value)
    if default_domain is not None:
        values["container_apps.default_domain"] = default_domain
    return values
