"""The Container Apps environment, its log destination, and the file shares that services mount."""

from __future__ import annotations

from draftgenie_azure.arm.client import Resource, creation_id
from draftgenie_azure.digests import slow_digest
from draftgenie_azure.errors import DeployerError
from draftgenie_azure.provision import addresses
from draftgenie_azure.provision.bodies import environment as bodies
from draftgenie_azure.provision.bodies.monitoring import diagnostic_setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.config.validated.service_sections import Service
    from draftgenie_azure.session import Session

    Outputs = dict[str, Any]

STEP = "create_container_apps_env"


def create(session: Session, inputs: Mapping[str, Outputs]) -> Outputs:
    """Ensure the environment, then its diagnostic setting and its storages."""
    if session.config.container_apps is None:
        return {}
    environment_id = addresses.environment(session)
    has_profiles = _has_profiles(session.arm.current(environment_id))
    if not has_profiles:
        _check_consumption_only(session.config)
    body = bodies.environment(session.config, has_profiles=has_profiles)
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
        **({} if has_profiles else {"consumption_only": True}),
    }


def _has_profiles(live: Mapping[str, Any] | None) -> bool:
    """Return whether the environment has workload profiles, or will have if this deployment creates it."""
    return live is None or bool((live.get("properties") or {}).get("workloadProfiles"))


def _check_consumption_only(config: Config) -> None:
    """Refuse what an environment without workload profiles cannot have; all else works in it.

    Raises:
        DeployerError: names what does not fit, and the ways out.
    """
    section = config.container_apps
    assert section is not None
    cpu, memory = bodies.CONSUMPTION_LIMIT
    large = [
        f"services.{key}: {service.cpu} vCPU, {service.memory} (at most {cpu:g}, {memory:g}Gi)"
        for key, service in config.services.items()
        if float(service.cpu) > cpu or float(service.memory.removesuffix("Gi")) > memory
    ]
    profiles = [f"container_apps.workload_profiles: {one.name}" for one in section.workload_profiles]
    if not large and not profiles:
        return
    raise DeployerError(
        f"the environment {section.environment_name} was made without workload profiles, and Azure cannot add them: "
        + "; ".join([*profiles, *large]),
        hint="Take that out of the configuration; or set container_apps.environment_name to a new name: another "
        "environment is made beside it, its apps are deleted and made again there with new addresses, and --prune "
        "deletes the old one if this deployment made it.",
    )


def _storage(session: Session, environment_id: str, key: str, service: Service) -> Resource:
    assert service.volume is not None
    return Resource(
        f"storage/{key}",
        f"{environment_id}/storages/{service.name}",
        bodies.storage(service),
        secret_digest=slow_digest(service.volume.account_key or "", session.records.salt),
    )
