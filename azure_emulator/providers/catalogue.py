"""Every provider's types and fixed paths, gathered."""

from __future__ import annotations

from . import (
    app_apps,
    app_environments,
    app_jobs,
    authorization,
    builds,
    containerregistry,
    groups,
    insights,
    keyvault,
    keyvault_secrets,
    managedidentity,
    operationalinsights,
    postgresql,
    postgresql_children,
    redis,
    redisenterprise,
)

MODULES = (
    app_apps,
    app_environments,
    app_jobs,
    authorization,
    builds,
    containerregistry,
    groups,
    insights,
    keyvault,
    keyvault_secrets,
    managedidentity,
    operationalinsights,
    postgresql,
    postgresql_children,
    redis,
    redisenterprise,
)

FIXED_PATHS = [row for module in MODULES for row in getattr(module, "PATHS", [])]
