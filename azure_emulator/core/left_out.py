"""Unsupported providers: they can be registered, but none of their resources created."""

from __future__ import annotations

from azure_emulator.core.errors import gateway, missing_registration
from azure_emulator.core.messages import Request
from azure_emulator.core.world import World

FREE: dict[str, str] = {
    "Microsoft.Advisor": "recommendations",
    "Microsoft.Billing": "accounts and invoices",
    "Microsoft.Consumption": "usage and budgets",
    "Microsoft.CostManagement": "costs",
    "Microsoft.Features": "previews that a subscription asks for",
    "Microsoft.MarketplaceOrdering": "terms of the marketplace",
    "Microsoft.Portal": "dashboards of the portal",
    "Microsoft.ResourceGraph": "queries over resources",
    "Microsoft.ResourceHealth": "health of running services",
    "Microsoft.Support": "support tickets",
}
"""Providers that need no registration
(learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types)."""
TO_REGISTER: dict[str, str] = {
    "Microsoft.AlertsManagement": "alerts: nothing runs that could raise one",
    "Microsoft.ApiCenter": "catalogues of APIs",
    "Microsoft.ApiManagement": "gateways of APIs",
    "Microsoft.AppConfiguration": "configuration stores",
    "Microsoft.Automation": "runbooks",
    "Microsoft.Batch": "batch pools",
    "Microsoft.Cdn": "content delivery and Front Door",
    "Microsoft.CognitiveServices": "AI services and Azure OpenAI",
    "Microsoft.Communication": "mail and messages",
    "Microsoft.Compute": "virtual machines",
    "Microsoft.ContainerInstance": "container groups",
    "Microsoft.ContainerService": "Kubernetes clusters",
    "Microsoft.Dashboard": "managed Grafana",
    "Microsoft.DataFactory": "data factories",
    "Microsoft.Databricks": "Databricks workspaces",
    "Microsoft.DBforMySQL": "MySQL servers",
    "Microsoft.Devices": "IoT hubs",
    "Microsoft.DocumentDB": "Cosmos DB",
    "Microsoft.EventGrid": "topics and subscriptions of events",
    "Microsoft.EventHub": "event hubs",
    "Microsoft.GuestConfiguration": "configuration of machines",
    "Microsoft.HDInsight": "Hadoop clusters",
    "Microsoft.HealthcareApis": "health data services",
    "Microsoft.Logic": "workflows of Logic Apps",
    "Microsoft.MachineLearningServices": "machine learning workspaces",
    "Microsoft.Maintenance": "maintenance windows",
    "Microsoft.ManagedServices": "delegated subscriptions",
    "Microsoft.Management": "management groups",
    "Microsoft.Maps": "maps",
    "Microsoft.Monitor": "Prometheus workspaces",
    "Microsoft.NotificationHubs": "notification hubs",
    "Microsoft.OperationsManagement": "solutions of Log Analytics",
    "Microsoft.PolicyInsights": "compliance with policies",
    "Microsoft.RecoveryServices": "backups",
    "Microsoft.Relay": "relays",
    "Microsoft.Search": "AI Search",
    "Microsoft.Security": "Defender for Cloud",
    "Microsoft.SecurityInsights": "Sentinel",
    "Microsoft.ServiceBus": "queues and topics",
    "Microsoft.ServiceFabric": "Service Fabric clusters",
    "Microsoft.ServiceLinker": "connections between services",
    "Microsoft.SignalRService": "SignalR and Web PubSub",
    "Microsoft.Sql": "SQL databases",
    "Microsoft.StreamAnalytics": "stream jobs",
    "Microsoft.Web": "App Service and Functions",
}
"""Purpose of each; none is needed by the deployed applications."""
_BY_LOWER_CASE = {name.lower(): name for name in (*FREE, *TO_REGISTER)}


def left_out(namespace: str) -> str | None:
    """Return the namespace in Azure's spelling if it is one of these."""
    return _BY_LOWER_CASE.get(namespace.lower())


def check_left_out(world: World, request: Request, segments: list[str]) -> None:
    """Refuse a request to such a provider: a write first for missing registration, as Azure does (recorded
    traffic of Azure/azure-cli: Microsoft.Relay, Microsoft.ApiCenter)."""
    lowered = [part.lower() for part in segments]
    place = len(lowered) - lowered[::-1].index("providers")
    namespace = left_out(segments[place]) if place < len(segments) else None
    if namespace is None:
        return
    registered = namespace in FREE or world.store.record("registration", namespace.lower()) is not None
    if request.method not in ("GET", "HEAD") and not registered:
        raise missing_registration(namespace)
    wanted = segments[place + 1] if place + 1 < len(segments) else ""
    raise gateway(
        404,
        "InvalidResourceType",
        f"The resource type '{wanted}' could not be found in the namespace '{namespace}' for api version "
        f"'{request.api_version}'. The supported api-versions are ''.",
    )
