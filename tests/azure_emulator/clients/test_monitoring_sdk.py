"""azure-mgmt-loganalytics, azure-mgmt-applicationinsights and azure-mgmt-monitor at their defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.applicationinsights import ApplicationInsightsManagementClient
from azure.mgmt.applicationinsights.v2020_02_02.models import ApplicationInsightsComponent, TagsResource
from azure.mgmt.loganalytics import LogAnalyticsManagementClient
from emulator_client import AzureClient


@pytest.fixture
def analytics(subscription: str, credential: DefaultAzureCredential) -> Iterator[LogAnalyticsManagementClient]:
    with LogAnalyticsManagementClient(credential, subscription) as found:
        yield found


@pytest.fixture
def insights(subscription: str, credential: DefaultAzureCredential) -> Iterator[Any]:
    with ApplicationInsightsManagementClient(credential, subscription) as found:
        yield found


def test_a_workspace_is_made_read_changed_listed_and_deleted(analytics: LogAnalyticsManagementClient) -> None:
    body = {"location": "eastus2", "properties": {"workspaceCapping": {"dailyQuotaGb": 1.5}}}

    made = analytics.workspaces.begin_create_or_update("rg", "logs", body).result()
    changed = analytics.workspaces.update(
        "rg", "logs", {"tags": {"a": "b"}, "properties": {"workspaceCapping": {"dailyQuotaGb": 2}}}
    )

    assert (made.properties.workspace_capping.daily_quota_gb, made.properties.provisioning_state) == (1.5, "Succeeded")
    assert changed.properties.workspace_capping.daily_quota_gb == 2
    assert analytics.workspaces.get("rg", "logs").tags == {"a": "b"}
    assert [item.name for item in analytics.workspaces.list_by_resource_group("rg")] == ["logs"]
    assert [item.name for item in analytics.workspaces.list()] == ["logs"]
    keys = analytics.shared_keys.get_shared_keys("rg", "logs")
    assert keys.primary_shared_key != keys.secondary_shared_key
    assert list(analytics.usages.list("rg", "logs")) is not None
    analytics.workspaces.begin_delete("rg", "logs").result()
    with pytest.raises(ResourceNotFoundError):
        analytics.workspaces.get("rg", "logs")
    assert [item.name for item in analytics.deleted_workspaces.list()] == ["logs"]
    assert [item.name for item in analytics.deleted_workspaces.list_by_resource_group("rg")] == ["logs"]


@pytest.mark.parametrize("quota", [0.01, -5])
def test_a_daily_cap_that_azure_does_not_have_is_refused(azure: AzureClient, quota: float) -> None:
    """learn.microsoft.com/azure/azure-monitor/logs/daily-cap: none (-1), or at least 0.023 GB."""
    body = {"location": "eastus2", "properties": {"workspaceCapping": {"dailyQuotaGb": quota}}}

    answer = azure.call("PUT", "Microsoft.OperationalInsights/workspaces/logs", body)

    assert (answer.status_code, azure.error(answer)) == (400, "InvalidParameter")


@pytest.mark.parametrize("version", ["2020-08-01", "2021-12-01-preview", "2022-10-01", "2026-03-01"])
def test_a_workspace_is_made_by_every_version_with_its_name_in_the_body(azure: AzureClient, version: str) -> None:
    """github.com/hashicorp/terraform-provider-azurerm sends `name`, and 2020-08-01 and 2022-10-01."""
    body = {"location": "eastus2", "name": "logs", "properties": {"sku": {"name": "PerGB2018"}}}

    azure.ok(azure.call("PUT", "Microsoft.OperationalInsights/workspaces/logs", body, version))

    assert azure.get("Microsoft.OperationalInsights/workspaces/logs", version)["name"] == "logs"


def test_a_component_is_made_read_changed_listed_and_deleted(insights: Any, azure: AzureClient) -> None:
    workspace = azure.make_workspace()["id"]
    body = ApplicationInsightsComponent(
        location="eastus2",
        kind="web",
        application_type="web",
        workspace_resource_id=workspace,
        sampling_percentage=50,
    )

    made = insights.components.create_or_update("rg", "insights", body)
    changed = insights.components.update_tags("rg", "insights", TagsResource(tags={"a": "b"}))

    assert (made.application_type, made.sampling_percentage) == ("web", 50)
    assert "IngestionEndpoint=https://eastus2-" in made.connection_string
    assert changed.tags == {"a": "b"}
    assert [item.name for item in insights.components.list_by_resource_group("rg")] == ["insights"]
    assert [item.name for item in insights.components.list()] == ["insights"]
    body.sampling_percentage = 25
    assert insights.components.create_or_update("rg", "insights", body).sampling_percentage == 25
    insights.components.delete("rg", "insights")
    with pytest.raises(ResourceNotFoundError):
        insights.components.get("rg", "insights")


def test_a_components_billing_features_are_read_and_changed(insights: Any, azure: AzureClient) -> None:
    workspace = azure.make_workspace()["id"]
    body = ApplicationInsightsComponent(
        location="eastus2", kind="web", application_type="web", workspace_resource_id=workspace
    )
    insights.components.create_or_update("rg", "insights", body)

    features = insights.component_current_billing_features.get("rg", "insights")
    assert (features.data_volume_cap.cap, features.current_billing_features) == (100.0, ["Basic"])
    features.data_volume_cap.cap = 5
    changed = insights.component_current_billing_features.update("rg", "insights", features)

    assert changed.data_volume_cap.cap == 5
    assert insights.component_current_billing_features.get("rg", "insights").data_volume_cap.cap == 5


@pytest.mark.parametrize("percentage", [-1, 101])
def test_a_sampling_that_is_not_a_percentage_is_refused(insights: Any, azure: AzureClient, percentage: float) -> None:
    workspace = azure.make_workspace()["id"]
    body = ApplicationInsightsComponent(
        location="eastus2",
        kind="web",
        application_type="web",
        workspace_resource_id=workspace,
        sampling_percentage=percentage,
    )

    with pytest.raises(HttpResponseError) as refused:
        insights.components.create_or_update("rg", "insights", body)

    assert refused.value.status_code == 400
