"""Bodies of the Container Apps environment and its storages."""

from __future__ import annotations

from draftgenie_azure.provision.bodies.tags import tagged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.resource_sections import WorkloadProfile
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.config.validated.service_sections import Service

CONSUMPTION_LIMIT = (2.0, 4.0)  # vCPU and Gi of an app without workload profiles (learn.microsoft.com, containers)


def environment(config: Config, *, has_profiles: bool = True) -> dict[str, Any]:
    """Return a workload-profiles environment with logs by Azure Monitor.

    Args:
        has_profiles: False for one that exists without workload profiles: Azure cannot add them.
    """
    section = config.container_apps
    assert section is not None
    properties: dict[str, Any] = {
        # The other destination, log-analytics, wants the workspace's key, and is legacy since August 2026
        # (github.com/microsoft/azure-container-apps/issues/1812).
        "appLogsConfiguration": {"destination": "azure-monitor"},
        "zoneRedundant": section.zone_redundant,
    }
    if has_profiles:
        profiles = [{"name": "Consumption", "workloadProfileType": "Consumption"}]
        properties["workloadProfiles"] = [*profiles, *map(_profile, section.workload_profiles)]
    if section.subnet_id is not None:
        properties["vnetConfiguration"] = {"infrastructureSubnetId": section.subnet_id}
        if section.internal is not None:
            properties["vnetConfiguration"]["internal"] = section.internal
    return {
        "location": config.location("container_apps"),
        "tags": tagged(config),
        "properties": properties,
    }


def _profile(profile: WorkloadProfile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "workloadProfileType": profile.type,
        "minimumCount": profile.minimum_count,
        "maximumCount": profile.maximum_count,
    }


def storage(service: Service) -> dict[str, Any]:
    """Return a file share as storage of the environment; the key in the body is never returned by Azure."""
    volume = service.volume
    assert volume is not None
    return {
        "properties": {
            "azureFile": {
                "accountName": volume.account_name,
                "accountKey": volume.account_key,
                "shareName": volume.share_name,
                "accessMode": "ReadWrite",
            }
        }
    }
