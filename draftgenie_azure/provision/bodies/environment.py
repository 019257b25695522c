"""Bodies of the Container Apps environment and its storages."""

from __future__ import annotations

from draftgenie_azure.provision.bodies.tags import tagged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.resource_sections import WorkloadProfile
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.config.validated.service_sections import Service


def environment(config: Config) -> dict[str, Any]:
    """A workload-profiles environment with logs by Azure Monitor.

    The log-analytics destination, which wants the workspace's key, is legacy since August 2026
    (github.com/microsoft/azure-container-apps/issues/1812).
    """
    section = config.container_apps
    assert section is not None
    profiles = [{"name": "Consumption", "workloadProfileType": "Consumption"}]
    properties: dict[str, Any] = {
        "appLogsConfiguration": {"destination": "azure-monitor"},
        "workloadProfiles": [*profiles, *map(_profile, section.workload_profiles)],
        "zoneRedundant": section.zone_redundant,
    }
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
