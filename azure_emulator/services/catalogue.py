"""The types and fixed paths of all providers."""

from __future__ import annotations

from azure_emulator.services.app import (
    apps,
    auth_configs,
    certificates,
    dapr_components,
    environments,
    jobs,
    profiles,
    storages,
)
from azure_emulator.services.authorization import assignments, definitions, locks
from azure_emulator.services.insights import components, diagnostic_settings
from azure_emulator.services.keyvault import deleted_vaults, vault_secrets, vaults
from azure_emulator.services.managedidentity import federated, identities
from azure_emulator.services.network import dns_records, networks, private_dns
from azure_emulator.services.operationalinsights import workspaces
from azure_emulator.services.postgresql import administrators, capabilities, children, configurations, servers
from azure_emulator.services.redis import caches, enterprise
from azure_emulator.services.redis import children as redis_children
from azure_emulator.services.registry import builds, registries, replications, tasks
from azure_emulator.services.resources import paths, tags
from azure_emulator.services.storage import accounts, services

MODULES = (
    apps,
    environments,
    storages,
    certificates,
    dapr_components,
    auth_configs,
    profiles,
    jobs,
    assignments,
    definitions,
    locks,
    components,
    diagnostic_settings,
    deleted_vaults,
    vaults,
    vault_secrets,
    identities,
    federated,
    workspaces,
    networks,
    private_dns,
    dns_records,
    accounts,
    services,
    servers,
    children,
    administrators,
    configurations,
    capabilities,
    caches,
    enterprise,
    redis_children,
    registries,
    builds,
    replications,
    tasks,
    paths,
    tags,
)

FIXED_PATHS = [row for module in MODULES for row in getattr(module, "PATHS", [])]
