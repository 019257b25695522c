"""Common parts of apps and jobs: rules of their bodies, secret and identity references, defaults."""

from __future__ import annotations

import re
from typing import Any

from azure_emulator.core.errors import Refusal, gateway
from azure_emulator.core.resource_types import Call
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.app import defaults
from azure_emulator.services.app.types import ENVIRONMENT, STORAGE
from azure_emulator.services.keyvault import data_plane as keyvault_data
from azure_emulator.services.keyvault import vaults
from azure_emulator.services.managedidentity.identities import find as find_identity

Json = dict[str, Any]


def refuse(code: str, message: str) -> Refusal:
    """Return an error of Container Apps, with code and message only (recorded traffic of Azure/azure-cli)."""
    return Refusal(400, code, message)


def bad_field(field: str, details: str) -> Refusal:
    return refuse(
        "InvalidParameterValueInContainerTemplate",
        f"The following field(s) are either invalid or missing. Field '{field}' is invalid with details: '{details}';.",
    )


def environment_of(call: Call, properties: Json) -> Any:
    """Require that the environment exists, is ready, and is in the same region."""
    identifier = properties.get("environmentId") or properties.get("managedEnvironmentId")
    if not identifier:
        raise refuse("ContainerAppInvalidEnvironmentId", "Container App must have a valid environmentId.")
    environment = call.world.store.get(identifier)
    if environment is None or environment.type != ENVIRONMENT:
        raise refuse("InvalidEnvironmentId", f"The environment '{identifier}' does not exist.")
    state = environment.properties["provisioningState"]
    if state in ("Waiting", "InitializationInProgress", "InfrastructureSetupInProgress"):
        raise refuse(
            "ManagedEnvironmentNotReadyForAppCreation",
            f"The environment '{environment.name}' is not ready for app creation: it is in state '{state}'.",
        )
    if state not in ("Succeeded", "Updating"):
        raise refuse(
            "ManagedEnvironmentNotProvisioned",
            f"The environment '{environment.name}' is in state '{state}', not 'Succeeded'.",
        )
    location = call.request.json().get("location") or (call.existing.body["location"] if call.existing else "")
    if region(str(location)) != region(environment.body["location"]):
        raise refuse(
            "LocationMismatch",
            f"The location '{location}' differs from the environment's location '{environment.body['location']}'.",
        )
    return environment


def check_workload_profile(environment: Any, name: str | None) -> str | None:
    """Return the profile in the environment's spelling (2,246 recorded apps); default: consumption (9 of 9); null
    in an environment without profiles."""
    profiles = environment.properties["workloadProfiles"]
    if profiles is None:
        if name:
            raise refuse(
                "EnvironmentNotEnabledForWorkloadProfiles",
                f"The environment '{environment.name}' has no workload profiles.",
            )
        return None
    if name:
        fitting = [item["name"] for item in profiles if item["name"].lower() == name.lower()]
    else:
        fitting = [item["name"] for item in profiles if item["workloadProfileType"] == "Consumption"]
    if not fitting:
        raise refuse(
            "WorkloadProfileNotFound",
            f"The workload profile '{name or 'Consumption'}' is not in the environment '{environment.name}'.",
        )
    found: str = fitting[0]
    return found


def check_secrets(call: Call, body: Json, secrets: list[Json]) -> None:
    """Resolve references during the PUT (github.com/microsoft/azure-container-apps issue 1159)."""
    names = [item["name"] for item in secrets]
    if len(names) != len(set(names)):
        raise refuse("ContainerAppSecretNameDuplicate", "Secret names must be unique.")
    for item in secrets:
        if "keyVaultUrl" not in item:
            if not item.get("value"):
                raise refuse(
                    "ContainerAppSecretInvalid",
                    f"Invalid Request: Container app secret(s) with name(s) '{item['name']}' "
                    "are invalid: value or keyVaultUrl and identity should be "
                    "provided.",
                )
            continue
        _resolve(call.world, body, item)


def _resolve(world: World, body: Json, item: Json) -> None:
    match = re.fullmatch(
        r"https://([A-Za-z0-9-]+)\.vault\.azure\.net/secrets/([0-9A-Za-z-]+)(?:/([0-9a-f]+))?/?", item["keyVaultUrl"]
    )
    if match is None:
        raise refuse(
            "ContainerAppSecretKeyVaultUrlInvalid",
            f"The Key Vault url '{item['keyVaultUrl']}' of secret '{item['name']}' is invalid.",
        )
    identity_id = item.get("identity")
    if not identity_id:
        raise refuse("ContainerAppSecretInvalid", f"The secret '{item['name']}' has a keyVaultUrl and no identity.")
    check_identity(body, identity_id, f"secret '{item['name']}'")
    identity = find_identity(world, identity_id)
    vault = vaults.find(world, match[1])
    secret = world.store.get(f"{vault.id}/secrets/{match[2]}") if vault is not None else None
    readable = (
        identity is not None
        and vault is not None
        and secret is not None
        and vault.properties.get("publicNetworkAccess", "Enabled").lower() != "disabled"
        and (vault.properties.get("networkAcls") or {}).get("defaultAction", "Allow") == "Allow"
        and keyvault_data.may_get(world, identity.properties["principalId"], vault, match[2])
    )
    value = None
    if readable:
        assert vault is not None and secret is not None
        value = world.secrets.value(vault.key, match[2].lower(), match[3] or secret.private["version"])
    if not value:
        raise bad_field(
            "configuration.secrets",
            f'Invalid value: "{item["name"]}": Unable to get value using Managed identity {identity_id} for '
            f"secret {item['name']}. Error: unable to fetch secret '{match[2]}' using Managed identity "
            f"'{identity_id}'",
        )


def check_identity(body: Json, identity_id: str, what: str) -> None:
    """Require that a used identity is assigned to the app."""
    if identity_id.lower() == "system":
        if "SystemAssigned" in (body.get("identity") or {}).get("type", ""):
            return
    else:
        own = {key.lower() for key in (body.get("identity") or {}).get("userAssignedIdentities") or {}}
        if identity_id.lower() in own:
            return
    raise refuse(
        "ContainerAppIdentityNotAssigned", f"The identity '{identity_id}' used by {what} is not assigned to the app."
    )


def check_identities(call: Call, body: Json) -> None:
    for identity_id in (body.get("identity") or {}).get("userAssignedIdentities") or {}:
        identity = find_identity(call.world, identity_id)
        if identity is not None:
            _may_assign(call, identity.id)
        else:
            raise refuse(
                "FailedIdentityOperation",
                f"Identity operation for resource '{call.target.id}' failed with error "
                "'Failed to perform resource identity operation. Status: "
                "'BadRequest'. Response: the resource "
                f"'{identity_id}' was not found.'.",
            )


_ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"


def _may_assign(call: Call, identity_id: str) -> None:
    """Require permission on the identity that is assigned to an app."""
    who = call.request.principal
    if who is not None and not call.world.is_allowed(who, _ASSIGN, identity_id):
        raise gateway(
            403,
            "LinkedAuthorizationFailed",
            f"The client '{who.object_id}' with object id '{who.object_id}' has permission to perform action "
            f"'{call.target.type}/write' on scope '{call.target.id}'; however, it does not have permission to perform "
            f"action(s) '{_ASSIGN}' on the linked scope(s) '{identity_id}' (respectively) or the linked scope(s) are "
            "invalid.",
        )


def check_registries(call: Call, body: Json, registries: list[Json], secret_names: set[str]) -> None:
    for item in registries:
        if item.get("identity"):
            check_identity(body, item["identity"], f"registry '{item['server']}'")
        elif item.get("passwordSecretRef") and item["passwordSecretRef"] not in secret_names:
            raise refuse(
                "ContainerAppRegistriesPasswordSecretRefNotFound",
                f"PasswordSecretRef '{item['passwordSecretRef']}' defined for registry server '{item['server']}' "
                "not found.",
            )


def check_template(call: Call, template: Json, secret_names: set[str], environment: Any, *, probes: bool) -> None:
    containers = template.get("containers") or []
    if not containers:
        raise bad_field("template.containers", "At least one container is required")
    first = template.get("initContainers") or []
    names = [item.get("name") for item in [*first, *containers]]
    if len(names) != len(set(names)):
        raise bad_field("template.containers", "Container names must be unique")
    for item in first:
        _check_container(f"template.initContainers.{item.get('name')}", item, template, secret_names)
    cpu, memory = 0.0, 0.0
    consumption = environment.properties["workloadProfiles"] is None
    for item in containers:
        where = f"template.containers.{item['name']}"
        size = item.get("resources") or {}
        cpu += float(size.get("cpu", 0.5))
        memory += float(str(size.get("memory", "1Gi")).removesuffix("Gi"))
        _check_container(where, item, template, secret_names)
        _check_probes(where, item.get("probes") or [], probes)
    _check_size(cpu, memory, 2.0 if consumption else 4.0)
    for volume in template.get("volumes") or []:
        kind = volume.get("storageType", "EmptyDir")
        if kind in ("AzureFile", "NfsAzureFile"):
            storage = call.world.store.get(f"{environment.id}/storages/{volume.get('storageName')}")
            if storage is None or storage.type != STORAGE:
                raise bad_field(
                    "template.volumes",
                    f"The storage '{volume.get('storageName')}' of volume '{volume['name']}' is not in the environment",
                )


def _check_container(where: str, container: Json, template: Json, secret_names: set[str]) -> None:
    _check_image(where, container["image"])
    for variable in container.get("env") or []:
        if variable.get("secretRef") and variable["secretRef"] not in secret_names:
            raise refuse(
                "ContainerAppSecretRefNotFound",
                f"SecretRef '{variable['secretRef']}' defined for container '{container.get('name')}' not found.",
            )
    _check_mounts(where, container, template.get("volumes") or [])


def _check_image(where: str, image: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-zA-Z0-9._:-]*(/[a-z0-9._-]+)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?", image):
        raise bad_field(f"{where}.image", f'Invalid value: "{image}": could not parse reference')


def _check_probes(where: str, probes: list[Json], allowed: bool) -> None:
    kinds = [probe.get("type") for probe in probes]
    if probes and not allowed:
        raise bad_field(f"{where}.probes", "Probes are not allowed here")
    if len(kinds) != len(set(kinds)):
        raise bad_field(f"{where}.probes", "Only one probe of each type is allowed")
    for probe in probes:
        if ("httpGet" in probe) == ("tcpSocket" in probe):
            raise bad_field(f"{where}.probes", "Exactly one of httpGet and tcpSocket is needed")
        if probe.get("type") in ("Liveness", "Startup") and probe.get("successThreshold", 1) != 1:
            raise bad_field(f"{where}.probes", "successThreshold must be 1 for liveness and startup probes")


def _check_mounts(where: str, container: Json, volumes: list[Json]) -> None:
    known = {volume["name"] for volume in volumes}
    for mount in container.get("volumeMounts") or []:
        if mount["volumeName"] not in known:
            raise bad_field(f"{where}.volumeMounts", f"The volume '{mount['volumeName']}' is not defined")


def _check_size(cpu: float, memory: float, most: float) -> None:
    """0.25 to 2 (4 with workload profiles) in steps of 0.25, memory twice as much
    (learn.microsoft.com/azure/container-apps/containers)."""
    steps = cpu * 4
    if cpu <= 0 or cpu > most or abs(steps - round(steps)) > 1e-9 or abs(memory - 2 * cpu) > 1e-9:
        allowed = ", ".join(f"[cpu: {step / 4:g}, memory: {step / 2:.1f}Gi]" for step in range(1, int(most * 4) + 1))
        raise refuse(
            "ContainerAppInvalidResourceTotal",
            f"The total requested CPU and memory resources for this application (CPU: {cpu:g}, memory: {memory:g}) "
            f"is invalid. Total CPU and memory for all containers defined in a Container App must add up to one "
            f"of the following CPU - Memory combinations: {allowed}",
        )


_EPHEMERAL = ((0.25, "1Gi"), (0.5, "2Gi"), (1.0, "4Gi"))


def with_resources(template: Json) -> Json:
    """Return containers as GET shows them: sizes filled in, ephemeral storage by cpu."""
    containers = []
    for item in template.get("containers") or []:
        containers.append({**item, "resources": sized(item.get("resources") or {})})
    return {**template, "containers": containers}


def sized(resources: Json) -> Json:
    size: Json = {**defaults.SIZE, **resources}
    size["ephemeralStorage"] = next((text for most, text in _EPHEMERAL if size["cpu"] <= most), "8Gi")
    return size


def given(secrets: list[Json] | None) -> list[Json]:
    """Return secrets as sent, without the empty strings that clients send for absent values (recorded)."""
    return [
        {key: value for key, value in item.items() if value != "" or key not in ("keyVaultUrl", "identity")}
        for item in secrets or []
    ]


def shown_secrets(secrets: list[Json]) -> list[Json] | None:
    """Return names and references; null, not [], if there are none."""
    shown: list[Json] = [
        {key: item[key] for key in ("name", "keyVaultUrl", "identity") if key in item} for item in secrets
    ]
    return shown or None


def secret_values(world: World, resource_key: str, secrets: list[Json]) -> Json:
    """Return the reply of listSecrets. Values given directly are kept in memory only."""
    kept = world.app_secrets.get(resource_key, {})
    value = []
    for item in secrets:
        entry: Json = {key: item[key] for key in ("name", "keyVaultUrl", "identity") if key in item}
        if "keyVaultUrl" not in item:
            entry["value"] = kept.get(item["name"], "***")
        value.append(entry)
    return {"value": value}


UNCHANGED = "".join(["*"] * 3)
"""Marks a secret sent by name only, which keeps its value. Compared by identity."""


def keep_values(world: World, resource_key: str, secrets: list[Json]) -> list[Json]:
    """Return the list without values, which are stored separately."""
    kept = world.app_secrets.setdefault(resource_key, {})
    for item in secrets:
        if item.get("value") and item["value"] is not UNCHANGED:
            kept[item["name"]] = item["value"]
    return [{key: value for key, value in item.items() if key != "value"} for item in secrets]


def without_zone(body: Json) -> Json:
    """No Z in GET, one in the reply to PUT (552 recorded apps of Azure/azure-dev)."""
    times = {name: body["systemData"][name].rstrip("Z") for name in ("createdAt", "lastModifiedAt")}
    return {**body, "systemData": {**body["systemData"], **times}}


def fqdn(name: str, domain: str, external: bool) -> str:
    return f"{name}.{domain}" if external else f"{name}.internal.{domain}"
