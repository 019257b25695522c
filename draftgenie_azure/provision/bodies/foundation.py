"""Bodies of the group, its identity, roles and monitoring."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config

# The resource group's tag that says which state document it belongs to.
LINEAGE_TAG = "draftgenie-lineage"


def tagged(config: Config, **more: str) -> dict[str, str]:
    """The configured tags and `more`."""
    return {**config.tags, **more}


def resource_group(config: Config, lineage: str) -> dict[str, Any]:
    """The group, marked with the lineage of the state that looks after it."""
    return {"location": config.location("resource_group"), "tags": tagged(config, **{LINEAGE_TAG: lineage})}


def identity(config: Config) -> dict[str, Any]:
    """The user-assigned identity that every app runs as.

    User-assigned, since a system-assigned one does not exist yet when the first image is pulled and the first secret
    resolved (learn.microsoft.com/azure/container-apps/manage-secrets).
    """
    return {"location": config.location("identity"), "tags": tagged(config)}


def role_assignment(role_definition_id: str, principal_id: str, principal_type: str) -> dict[str, Any]:
    """A role for a principal.

    `principalType` spares ARM the look into a directory that may not know a fresh identity yet
    (learn.microsoft.com/azure/role-based-access-control/role-assignments-rest).
    """
    return {
        "properties": {
            "roleDefinitionId": role_definition_id,
            "principalId": principal_id,
            "principalType": principal_type,
        }
    }


def workspace(config: Config) -> dict[str, Any]:
    """The Log Analytics workspace."""
    assert config.monitoring is not None
    return {
        "location": config.location("log_analytics"),
        "tags": tagged(config),
        "properties": {"sku": {"name": "PerGB2018"}, "retentionInDays": config.monitoring.retention_days},
    }


def app_insights(config: Config, workspace_id: str) -> dict[str, Any]:
    """Application Insights on the workspace; the classic kind, without one, is retired."""
    return {
        "location": config.location("app_insights"),
        "tags": tagged(config),
        "kind": "web",
        "properties": {"Application_Type": "web", "WorkspaceResourceId": workspace_id},
    }


def diagnostic_setting(workspace_id: str) -> dict[str, Any]:
    """Sends an environment's console and system logs to the workspace; no key travels."""
    return {
        "properties": {
            "workspaceId": workspace_id,
            "logs": [
                {"category": "ContainerAppConsoleLogs", "enabled": True},
                {"category": "ContainerAppSystemLogs", "enabled": True},
            ],
        }
    }
