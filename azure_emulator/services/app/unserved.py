"""The unsupported parts of Microsoft.App, with reasons. They return 404."""

from __future__ import annotations

UNSERVED: dict[str, str] = {
    "connectedEnvironments": "environments on Kubernetes clusters with Azure Arc: there is no cluster",
    "sessionPools": "pools of sandboxes: nothing is run here",
    "sandboxGroups": "sandboxes: nothing is run here",
    "builders": "builds from source; images are built by the registry",
    "logicApps": "workflows of Logic Apps",
    "containerApps/sourcecontrols": "a workflow in a repository on GitHub, which nobody reaches from here",
    "containerApps/functions": "apps of the kind functionapp: nothing is run here",
    "containerApps/privateEndpointConnections": "private endpoints are not served",
    "containerApps/privateLinkResources": "private endpoints are not served",
    "containerApps/labelHistory": "of preview versions alone",
    "containerApps/resiliencyPolicies": "of preview versions alone",
    "containerApps/detectors": "diagnoses of a running service",
    "containerApps/detectorProperties": "diagnoses of a running service",
    "jobs/detectors": "diagnoses of a running service",
    "jobs/detectorProperties": "diagnoses of a running service",
    "managedEnvironments/detectors": "diagnoses of a running service",
    "managedEnvironments/detectorProperties": "diagnoses of a running service",
    "managedEnvironments/privateEndpointConnections": "private endpoints are not served",
    "managedEnvironments/privateLinkResources": "private endpoints are not served",
    "managedEnvironments/httpRouteConfigs": "routes of a whole environment: no traffic passes through it here",
    "managedEnvironments/maintenanceConfigurations": "nothing is maintained here",
    "managedEnvironments/javaComponents": "managed Java components: nothing is run here",
    "managedEnvironments/dotNetComponents": "managed .NET components: nothing is run here",
    "managedEnvironments/checkMigrationEligibility": "migration from the older kind of environment",
}
"""Paths below the provider's name."""

DIFFERENCES = (
    "A custom domain answers with a certificate of the emulator's own; its DNS records are declared.",
    "Rules for IP addresses, CORS, sticky sessions and client certificates are checked and kept, not applied.",
    "Jobs with a schedule or an event start by hand alone.",
    "Certificates from Key Vault are refused: the emulated vaults hold secrets.",
)
"""Known differences from Azure, apart from the fact that no container runs."""
