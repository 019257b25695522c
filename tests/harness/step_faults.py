"""For each step a request whose refusal makes it fail."""

from __future__ import annotations

from typing import Any

# Step -> a request that it alone makes, refused once. A 403 is never retried. Of a first
# deployment `configure_environment_variables` asks nothing: what the two steps before it wrote is known.
REFUSED: dict[str, dict[str, Any]] = {
    "check_prerequisites": {"method": "GET", "path": "*/providers/Microsoft.ManagedIdentity"},
    "create_resource_group": {"method": "PUT", "path": "*/userAssignedIdentities/*"},
    "create_monitoring": {"method": "PUT", "path": "*/components/*"},
    "create_container_registry": {"method": "PUT", "path": "*/registries/draftgenieacr"},
    "create_key_vault": {"method": "PUT", "path": "*/vaults/draftgenie-kv"},
    "create_databases": {"method": "PUT", "path": "*/flexibleServers/draftgenie-pg"},
    "store_secrets": {"method": "PUT", "path": "*/secrets/rabbitmq-url"},
    "create_container_apps_env": {"method": "PUT", "path": "*/managedEnvironments/*"},
    "build_and_push_images": {"method": "POST", "path": "*/scheduleRun"},
    "deploy_infrastructure_services": {"method": "PUT", "path": "*/containerApps/qdrant"},
    "deploy_application_services": {"method": "PUT", "path": "*/containerApps/draft-service"},
    "run_migrations": {"method": "POST", "path": "*/start"},
    "verify_deployment": {"method": "GET", "path": "*/replicas"},
}
