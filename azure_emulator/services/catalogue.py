"""Every provider's types and fixed paths, gathered."""

from __future__ import annotations

from azure_emulator.services.app import apps, environments, jobs
from azure_emulator.services.authorization import authorization
from azure_emulator.services.insights import insights
from azure_emulator.services.keyvault import vault_secrets, vaults
from azure_emulator.services.managedidentity import identities
from azure_emulator.services.operationalinsights import workspaces
from azure_emulator.services.postgresql import children, servers
from azure_emulator.services.redis import caches, enterprise
from azure_emulator.services.registry import builds, registries
from azure_emulator.services.resources import groups

MODULES = (
    apps,
    environments,
    jobs,
    authorization,
    builds,
    registries,
    groups,
    insights,
    vaults,
    vault_secrets,
    identities,
    workspaces,
    servers,
    children,
    caches,
    enterprise,
)

FIXED_PATHS = [row for module in MODULES for row in getattr(module, "PATHS", [])]
