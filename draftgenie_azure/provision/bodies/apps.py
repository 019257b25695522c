"""Bodies of container apps and of migration jobs."""

from __future__ import annotations

from draftgenie_azure.config.placeholders import render
from draftgenie_azure.constants import SECRETS_VERSION
from draftgenie_azure.provision.bodies import features, registries
from draftgenie_azure.provision.bodies.tags import tagged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.config.validated.service_sections import Migration, Service
    from draftgenie_azure.config.validated.vault_secrets import Variable


class Setting:
    """Settings shared by all apps and jobs of one deployment.

    Args:
        environment_id: id of the managed environment.
        identity_id: id of the user-assigned identity.
        login_server: the registry's host; None without a registry.
        vault_uri: the vault's URL with a trailing slash; None without a vault.
        values: values of placeholders.
        has_profiles: whether the environment has workload profiles.
    """

    __slots__ = ("environment_id", "has_profiles", "identity_id", "login_server", "values", "vault_uri")

    def __init__(
        self,
        *,
        environment_id: str,
        identity_id: str,
        login_server: str | None,
        vault_uri: str | None,
        values: Mapping[str, str],
        has_profiles: bool = True,
    ) -> None:
        self.values = values
        self.environment_id = environment_id
        self.identity_id = identity_id
        self.login_server = login_server
        self.vault_uri = vault_uri
        self.has_profiles = has_profiles

    def profile(self, service: Service) -> dict[str, str]:
        """The workload profile that a service runs on; an environment without any takes no name."""
        return {"workloadProfileName": service.workload_profile or "Consumption"} if self.has_profiles else {}


def container_app(
    config: Config,
    service: Service,
    setting: Setting,
    *,
    image: str,
    variables: Sequence[Variable],
    secrets_version: str | None,
) -> dict[str, Any]:
    """Return the full app body; the three steps that write apps send the same one.

    Args:
        image: reference by digest, or a public image's name.
        variables: the service's environment, sorted by name; each a text or a vault secret's name.
        secrets_version: a hash over the versions of the secrets used; None without secrets.
    """
    container = _app_container(service, image, variables, setting.values, secrets_version)
    return {
        "location": config.location("container_apps"),
        "tags": tagged(config),
        "identity": _identities(config, service, setting),
        "properties": {
            "environmentId": setting.environment_id,
            **setting.profile(service),
            "configuration": _app_configuration(config, service, setting, variables),
            "template": _template(service, container, features.scale_rules(service, variables, setting.identity_id)),
        },
    }


def _template(service: Service, container: dict[str, Any], rules: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the template, whose changes create a revision."""
    template: dict[str, Any] = {
        "containers": [container],
        "scale": {"minReplicas": service.min_replicas, "maxReplicas": service.max_replicas, "rules": rules},
    }
    if service.volume is not None:
        template["volumes"] = [_volume(service)]
    if service.termination_seconds is not None:
        template["terminationGracePeriodSeconds"] = service.termination_seconds
    return template


def _app_configuration(
    config: Config, service: Service, setting: Setting, variables: Sequence[Variable]
) -> dict[str, Any]:
    """Return the configuration shared by all revisions."""
    configuration: dict[str, Any] = {
        "registries": _registries(config, service, setting),
        "secrets": _secret_references(config, service, variables, setting),
    }
    if service.revision_mode is not None:
        configuration["activeRevisionsMode"] = service.revision_mode
    if service.ingress != "none":
        configuration["ingress"] = {**_ingress(service), **features.ingress(service)}
    if service.dapr is not None:
        configuration["dapr"] = features.dapr(service)
    return configuration


def migration_job(
    config: Config,
    migration: Migration,
    setting: Setting,
    *,
    image: str,
    variables: Sequence[Variable],
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """Return a manually triggered job that runs the migration once, without retries."""
    service = config.services[migration.service]
    container: dict[str, Any] = {
        "name": "migration",
        "image": image,
        "command": _in_directory(migration),
        "resources": {"cpu": service.cpu, "memory": service.memory},
        "env": _environment(variables, setting.values, None),
    }
    return {
        "location": config.location("container_apps"),
        "tags": tagged(config, **tags),
        "identity": _identities(config, service, setting),
        "properties": {
            "environmentId": setting.environment_id,
            **setting.profile(service),
            "configuration": {
                "triggerType": "Manual",
                "replicaTimeout": migration.timeout_seconds,
                "replicaRetryLimit": 0,
                "manualTriggerConfig": {"parallelism": 1, "replicaCompletionCount": 1},
                "registries": _registries(config, service, setting),
                "secrets": _secret_references(config, service, variables, setting),
            },
            "template": {"containers": [container]},
        },
    }


def _app_container(
    service: Service,
    image: str,
    variables: Sequence[Variable],
    values: Mapping[str, str],
    secrets_version: str | None,
) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": service.name,
        "image": image,
        "resources": {"cpu": service.cpu, "memory": service.memory},
        "env": _environment(variables, values, secrets_version),
        "probes": _probes(service),
    }
    if service.command:
        container["command"] = list(service.command)
    if service.args:
        container["args"] = list(service.args)
    if service.volume is not None:
        container["volumeMounts"] = [{"volumeName": "data", "mountPath": service.volume.mount_path}]
    return container


def _environment(
    variables: Sequence[Variable], values: Mapping[str, str], secrets_version: str | None
) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for variable in variables:
        if variable.secret is not None:
            entries.append({"name": variable.name, "secretRef": variable.secret})
        else:
            entries.append({"name": variable.name, "value": render(variable.template or "", values)})
    if secrets_version is not None:
        entries.append({"name": SECRETS_VERSION, "value": secrets_version})
    return entries


def secret_names(config: Config, service: Service, variables: Sequence[Variable]) -> list[str]:
    """Return the vault secrets that an app or job uses: those of its variables, and its registry's password."""
    names = {variable.secret for variable in variables} | {registries.registry_secret(config, service.image)}
    return sorted(name for name in names if name is not None)


def _registries(config: Config, service: Service, setting: Setting) -> list[dict[str, Any]]:
    return registries.sign_in(
        config, service.image, login_server=setting.login_server, identity_id=setting.identity_id
    )


def _identities(config: Config, service: Service, setting: Setting) -> dict[str, Any]:
    """Return the apps' identity, and others that scale rules and registries sign in with."""
    registry = registries.private_registry(config, service.image)
    named = [rule.identity for rule in service.scale.rules] if service.scale else []
    others = [registries.other_identity(name) for name in (*named, registry.identity if registry else None)]
    ids = dict.fromkeys([setting.identity_id, *(name for name in others if name is not None)])
    return {"type": "UserAssigned", "userAssignedIdentities": {name: {} for name in ids}}


def _secret_references(
    config: Config, service: Service, variables: Sequence[Variable], setting: Setting
) -> list[dict[str, Any]]:
    names = secret_names(config, service, variables)
    return [
        {"name": name, "keyVaultUrl": f"{setting.vault_uri}secrets/{name}", "identity": setting.identity_id}
        for name in names
    ]


def _ingress(service: Service) -> dict[str, Any]:
    ingress: dict[str, Any] = {
        "external": service.ingress == "external",
        "targetPort": service.port,
        "transport": service.transport,
    }
    if service.transport == "tcp":
        ingress["exposedPort"] = service.exposed_port
    else:
        ingress["allowInsecure"] = service.allow_insecure
    if service.additional_ports:
        ingress["additionalPortMappings"] = [
            {"external": False, "targetPort": port, "exposedPort": port} for port in service.additional_ports
        ]
    return ingress


def _probes(service: Service) -> list[dict[str, Any]]:
    """Return a startup probe that allows `startup_seconds`, and readiness and liveness probes."""
    if service.port is None:
        return []
    if service.health_path and service.transport != "tcp":
        check: dict[str, Any] = {"httpGet": {"path": service.health_path, "port": service.port, "scheme": "HTTP"}}
    else:
        check = {"tcpSocket": {"port": service.port}}
    # failureThreshold is 10 at most, so the period carries the budget (azure-mgmt-appcontainers, ContainerAppProbe).
    period = min(240, max(1, -(-service.startup_seconds // 10)))
    return [
        {"type": "Startup", **check, "periodSeconds": period, "failureThreshold": 10, "timeoutSeconds": 5},
        {"type": "Readiness", **check, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 5},
        {"type": "Liveness", **check, "periodSeconds": 30, "failureThreshold": 3, "timeoutSeconds": 5},
    ]


def _volume(service: Service) -> dict[str, Any]:
    assert service.volume is not None
    if service.volume.type == "azure_file":
        return {"name": "data", "storageType": "AzureFile", "storageName": service.name}
    return {"name": "data", "storageType": "EmptyDir"}


def _in_directory(migration: Migration) -> list[str]:
    """Return the command, run in its directory: a job has no working directory setting."""
    if not migration.working_directory:
        return list(migration.command)
    return ["/bin/sh", "-c", 'cd "$0" && exec "$@"', migration.working_directory, *migration.command]
