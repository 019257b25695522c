"""The results of the earlier script: its configuration, its state, and its resources in Azure."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from project import ROOT, Azure, Project

CONFIGURATIONS = sorted((ROOT / "tests/data/earlier").glob("config.*.yaml"))
STATES = [".azure-deployment-state.json", ".azure-deployment-state-v1.json"]
LOGIN = "draftgenieadmin1a2b3c"
CANARY = "Canary"  # in every secret of that state
PG = "2025-08-01"
APPS = "2026-01-01"
SERVICES = {
    "api-gateway": 3000, "speaker-service": 3001, "draft-service": 3002, "rag-service": 3003,
    "evaluation-service": 3004, "rabbitmq": 5672, "qdrant": 6333,
}  # fmt: skip
CREATED: dict[str, dict[str, str]] = {
    "log_analytics": {"name": "draftgenie-logs", "id": "00000000-0000-0000-0000-000000000000"},
    "app_insights": {"name": "draftgenie-insights", "key": "Canary0"},
    "container_registry": {
        "name": "acrdraftgenie", "login_server": "acrdraftgenie.azurecr.io", "username": "acrdraftgenie",
        "password": "Canary1",
    },
    "key_vault": {"name": "kv-draftgenie"},
    "postgresql": {
        "server_name": "draftgenie-db", "database_name": "draftgenie", "admin_user": LOGIN,
        "admin_password": "Canary2Postgres", "connection_string": f"postgresql://{LOGIN}:Canary2Postgres@x/draftgenie",
        "host": "draftgenie-db.postgres.database.azure.com", "port": "5432",
    },
    "redis": {"name": "draftgenie-redis", "host": "x", "port": "6380", "primary_key": "Canary3"},
    "container_apps_env": {"name": "draftgenie-env", "default_domain": "x"},
}  # fmt: skip


def project_of(directory: Path, configuration: Path) -> Project:
    """A checkout of the application with the earlier script's configuration as it is, to be run on the emulator."""
    shutil.copytree(ROOT / "examples/draftgenie", directory, dirs_exist_ok=True)
    text = configuration.read_text(encoding="utf-8")
    (directory / "config.yaml").write_text(text.replace("azure:\n", "azure:\n  cloud: emulator\n", 1), encoding="utf-8")
    return Project(directory)


def leave_state(project: Project, name: str = STATES[0]) -> None:
    """Write the state that the earlier script would have written."""
    steps = ["create_log_analytics", "create_postgresql", "create_redis"]
    document: dict[str, Any] = {"completed_steps": steps, "created_resources": CREATED}
    if name.endswith("v1.json"):
        document |= {"version": "1.0", "steps": {}, "resources": {}}
    (project.directory / name).write_text(json.dumps(document), encoding="utf-8")


def state(project: Project) -> dict[str, Any]:
    """The state, which these configurations keep under the earlier script's own name."""
    document: dict[str, Any] = json.loads((project.directory / STATES[0]).read_text(encoding="utf-8"))
    return document


def deploy(project: Project, *, has_profiles: bool = True) -> None:
    """Have everything in Azure that the earlier script makes, as it makes it.

    Args:
        has_profiles: False for the Container Apps environment of an earlier Azure CLI, without workload profiles.
    """
    with project.azure() as azure:
        _deploy(azure, has_profiles=has_profiles)


def _deploy(azure: Azure, *, has_profiles: bool) -> None:
    subscription = azure.send("GET", "/subscriptions", "2022-12-01").json()["value"][0]
    base, tenant = subscription["id"], subscription["tenantId"]
    for name in ("KeyVault", "ContainerRegistry", "DBforPostgreSQL", "Cache", "App", "OperationalInsights", "Insights"):
        azure.send("POST", f"{base}/providers/Microsoft.{name}/register", "2022-09-01")
    group = f"{base}/resourceGroups/draftgenie-rg"
    azure.send("PUT", group, "2025-04-01", {"location": "eastus"})

    def put(path: str, version: str, properties: dict[str, Any], **more: Any) -> str:
        azure.send("PUT", f"{group}/providers/Microsoft.{path}", version, {"properties": properties, **more})
        return f"{group}/providers/Microsoft.{path}"

    here = {"location": "eastus"}
    logs = put("OperationalInsights/workspaces/draftgenie-logs", "2026-03-01", {}, **here)
    insights = {"Application_Type": "web", "WorkspaceResourceId": logs}
    put("Insights/components/draftgenie-insights", "2020-02-02", insights, kind="web", **here)
    put("ContainerRegistry/registries/acrdraftgenie", "2025-11-01", {"adminUserEnabled": True}, sku={"name": "Basic"},
        **here)  # fmt: skip
    sku = {"family": "A", "name": "standard"}
    policies = {"tenantId": tenant, "sku": sku, "accessPolicies": [], "enableRbacAuthorization": False}
    vault = put("KeyVault/vaults/kv-draftgenie", "2026-02-01", policies, **here)
    for name in ("GEMINI-API-KEY", "JWT-SECRET", "RABBITMQ-PASSWORD", "POSTGRES-PASSWORD", "DATABASE-URL", "REDIS-URL"):
        azure.send("PUT", f"{vault}/secrets/{name}", "2026-02-01", {"properties": {"value": f"Canary-{name}/+="}})
    server = {
        "administratorLogin": LOGIN, "administratorLoginPassword": "Canary2Postgres", "version": "16",
        "storage": {"storageSizeGB": 32},
    }  # fmt: skip
    pg = "DBforPostgreSQL/flexibleServers/draftgenie-db"
    put(pg, PG, server, sku={"name": "Standard_B1ms", "tier": "Burstable"}, **here)
    put(f"{pg}/databases/draftgenie", PG, {})
    put(f"{pg}/firewallRules/AllowAll", PG, {"startIpAddress": "0.0.0.0", "endIpAddress": "255.255.255.255"})
    redis = {"sku": {"name": "Basic", "family": "C", "capacity": 0}}
    put("Cache/redis/draftgenie-redis", "2024-11-01", redis, **here)
    profiles = {"workloadProfiles": [{"name": "Consumption", "workloadProfileType": "Consumption"}]}
    environment = put("App/managedEnvironments/draftgenie-env", APPS, profiles if has_profiles else {}, **here)
    for name, port in SERVICES.items():
        ingress = {"external": name == "api-gateway", "targetPort": port}
        containers = [{"name": name, "image": "nginx:1", "resources": {"cpu": 0.5, "memory": "1Gi"}}]
        app = {
            "environmentId": environment, "configuration": {"ingress": ingress}, "template": {"containers": containers},
        }  # fmt: skip
        put(f"App/containerApps/{name}", APPS, app, **here)
