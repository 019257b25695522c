"""The Log Analytics workspace and Application Insights."""

from __future__ import annotations

from draftgenie_azure.arm.client import Resource
from draftgenie_azure.provision import addresses
from draftgenie_azure.provision.bodies import monitoring as bodies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.session import Session

    Outputs = dict[str, Any]

STEP = "create_monitoring"


def create(session: Session) -> Outputs:
    """Ensure the workspace, then Application Insights on it."""
    monitoring = session.config.monitoring
    if monitoring is None:
        return {}
    workspace_id, insights_id = addresses.workspace(session), addresses.app_insights(session)
    workspace = Resource("log_analytics", workspace_id, bodies.workspace(session.config))
    insights = Resource("app_insights", insights_id, bodies.app_insights(session.config, workspace_id))
    (live,) = session.arm.ensure([workspace], step=STEP)
    session.arm.ensure([insights], step=STEP)
    return {
        "workspace_id": workspace_id,
        "customer_id": live["properties"]["customerId"],
        "app_insights_id": insights_id,
    }
