"""The Container Apps environment, its log destination, and the file shares that services mount."""

from __future__ import annotations

from draftgenie_azure.arm.client import Resource, creation_id
from draftgenie_azure.digests import slow_digest
from draftgenie_azure.provision import addresses
from draftgenie_azure.provision.bodies import environment as bodies
from draftgenie_azure.provision.bodies.monitoring import diagnostic_setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.config.validated.service_sections import Service
    from draftgenie_azure.session import Session

    Outputs = dict[str, Any]

STEP = "create_container_apps_env"


def create(session: Session, inputs: Mapping[str, Outputs]) -> Outputs:
    """Ensure the environment, then its diagnostic setting and its storages."""
    if session.config.container_apps is None:
        return {}
    environment_id = addresses.environment(session)
    body = bodies.environment(session.config)
    resource = Resource("container_apps_env", environment_id, body, has_creation_id=True)
    (live,) = session.arm.ensure([resource], step=STEP)
    if inputs["create_monitoring"]:
        setting_id = f"{environment_id}/providers/Microsoft.Insights/diagnosticSettings/draftgenie-logs"
        setting = diagnostic_setting(addresses.workspace(session))
        session.arm.ensure([Resource("diagnostic_setting", setting_id, setting)], step=STEP)
    for key, service in session.config.services.items():
        if service.volume is not None and service.volume.type == "azure_file":
            session.arm.ensure([_storage(session, environment_id, key, service)], step=STEP)
    return {
        "id": environment_id,
        "default_domain": live["properties"]["defaultDomain"],
        "incarnation": creation_id(live),
    }


def _storage(session: Session, environment_id: str, key: str, service: Service) -> Resource:
    assert service.volume is not None
    return Resource(
        f"storage/{key}",
        f"{environment_id}/storages/{service.name}",
        bodies.storage(service),
        secret_digest=slow_digest(service.volume.account_key or "", session.records.salt),
    )
