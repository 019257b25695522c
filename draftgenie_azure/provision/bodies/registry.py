"""Body of the container registry."""

from __future__ import annotations

from draftgenie_azure.provision.bodies.tags import tagged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config


def registry(config: Config) -> dict[str, Any]:
    """Return the container registry, without admin user.

    Container Apps pulls with a token issued for ARM, hence `azureADAuthenticationAsArmPolicy`
    (learn.microsoft.com/azure/container-apps/tutorial-code-to-cloud). The role-assignment mode is sent because its
    default is announced to change, and AcrPull has no effect in the other mode
    (learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions).
    """
    assert config.container_registry is not None
    return {
        "location": config.location("container_registry"),
        "tags": tagged(config),
        "sku": {"name": config.container_registry.sku},
        "properties": {
            "adminUserEnabled": False,
            "roleAssignmentMode": "LegacyRegistryPermissions",
            "policies": {"azureADAuthenticationAsArmPolicy": {"status": "enabled"}},
        },
    }
