"""Bodies of the Log Analytics workspace, Application Insights and diagnostic settings."""

from __future__ import annotations

from draftgenie_azure.provision.bodies.tags import tagged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config


def workspace(config: Config) -> dict[str, Any]:
    """Return the Log Analytics workspace."""
    assert config.monitoring is not None
    properties: dict[str, Any] = {
        "sku": {"name": "PerGB2018"},
        "retentionInDays": config.monitoring.retention_days,
    }
    if config.monitoring.daily_cap_gb is not None:
        properties["workspaceCapping"] = {"dailyQuotaGb": config.monitoring.daily_cap_gb}
    return {"location": config.location("log_analytics"), "tags": tagged(config), "properties": properties}


def app_insights(config: Config, workspace_id: str) -> dict[str, Any]:
    """Return Application Insights on the workspace; the classic kind without one is retired."""
    properties: dict[str, Any] = {"Application_Type": "web", "WorkspaceResourceId": workspace_id}
    if config.monitoring is not None and config.monitoring.sampling_percentage is not None:
        properties["SamplingPercentage"] = config.monitoring.sampling_percentage
    return {
        "location": config.location("app_insights"),
        "tags": tagged(config),
        "kind": "web",
        "properties": properties,
    }


def diagnostic_setting(workspace_id: str) -> dict[str, Any]:
    """Return the setting that sends an environment's console and system logs to the workspace, without a key."""
    return {
        "properties": {
            "workspaceId": workspace_id,
            "logs": [
                {"category": "ContainerAppConsoleLogs", "enabled": True},
                {"category": "ContainerAppSystemLogs", "enabled": True},
            ],
        }
    }
