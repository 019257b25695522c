"""Checks of an app's ingress, traffic and scale."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from azure_emulator.core.resource_types import Call
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.app import bodies, runtime
from azure_emulator.services.app.types import APP

Json = dict[str, Any]


def check_ingress(call: Call, ingress: Json | None, environment: Resource) -> None:
    """learn.microsoft.com/azure/container-apps/ingress-overview."""
    if not ingress:
        return
    tcp = ingress.get("transport") == "Tcp"
    exposed = ingress.get("exposedPort") or 0
    if not tcp and exposed:
        raise bodies.refuse(
            "ContainerAppInvalidIngressExposedPort", "exposedPort is only for ingress with transport 'tcp'."
        )
    if tcp:
        if not ingress.get("targetPort"):
            raise bodies.refuse("ContainerAppTcpRequiresTargetPort", "targetPort is required with transport 'tcp'.")
        if (exposed or ingress["targetPort"]) in (80, 443):
            raise bodies.refuse("ContainerAppInvalidIngressExposedPort", "exposedPort cannot be 80 or 443.")
        if ingress.get("external") and not environment.properties["vnetConfiguration"]:
            raise bodies.refuse(
                "ContainerAppTcpRequiresVnet",
                "Applications with external TCP ingress can only be deployed to "
                "Container App Environments that have a custom VNET. Set "
                "ingress traffic to 'Limited to Container Apps Environment' "
                "if you want to deploy to a Container Apps Environment "
                "without a custom VNET.",
            )
        _refuse_taken_port(call, ingress, environment)
        if ingress.get("allowInsecure"):
            raise bodies.refuse("ContainerAppInvalidAllowInsecure", "allowInsecure is not for transport 'tcp'.")
    if len(ingress.get("additionalPortMappings") or []) > 5:
        raise bodies.refuse("ContainerAppTooManyPorts", "At most five additional ports are allowed.")

    _check_restrictions(ingress.get("ipSecurityRestrictions") or [])


def _check_restrictions(restrictions: list[Json]) -> None:
    """Require that all rules allow or all deny (learn.microsoft.com/azure/container-apps/ip-restrictions)."""
    if len({item["action"] for item in restrictions}) > 1:
        raise bodies.refuse(
            "ContainerAppInvalidIpSecurityRestrictions", "All IP security restrictions must have the same action."
        )
    names = [item["name"] for item in restrictions]
    if len(names) != len(set(names)):
        raise bodies.refuse("ContainerAppInvalidIpSecurityRestrictions", "Names of IP restrictions must be unique.")
    for item in restrictions:
        try:
            ip_network(item["ipAddressRange"], strict=False)
        except ValueError as error:
            raise bodies.refuse("ContainerAppInvalidIpSecurityRestrictions", str(error)) from error


def check_traffic(configuration: Json) -> None:
    """learn.microsoft.com/azure/container-apps/traffic-splitting and …/sticky-sessions."""
    ingress = configuration.get("ingress") or {}
    mode = configuration.get("activeRevisionsMode", "Single")
    traffic = ingress.get("traffic") or []
    if traffic and sum(item.get("weight", 0) for item in traffic) != 100:
        raise bodies.refuse("ContainerAppInvalidTrafficWeight", "The traffic weights must add up to 100.")
    for item in traffic:
        if bool(item.get("latestRevision")) == bool(item.get("revisionName")):
            raise bodies.refuse(
                "ContainerAppInvalidTraffic", "Exactly one of latestRevision and revisionName is needed."
            )
    labels = [item["label"] for item in traffic if item.get("label")]
    if len(labels) != len(set(labels)):
        raise bodies.refuse("ContainerAppInvalidTraffic", "A label can be given to one revision only.")
    sticky = (ingress.get("stickySessions") or {}).get("affinity") == "sticky"
    if sticky and (mode != "Single" or ingress.get("transport") == "Tcp"):
        raise bodies.refuse(
            "ContainerAppInvalidStickySessions",
            "Session affinity is for HTTP ingress in single revision mode only.",
        )


def check_pulls(world: World, body: Json, template: Json) -> None:
    """Refuse an image of a private registry without credentials at once, in the registry's words
    (Azure/container-apps-deploy-action issues 50 and 85); what an identity may not pull fails later."""
    for item in [*(template.get("initContainers") or []), *(template.get("containers") or [])]:
        problem = runtime.anonymous_problem(world, body, item["image"])
        if problem is not None:
            raise bodies.bad_field(
                f"template.containers.{item['name']}.image", f'Invalid value: "{item["image"]}": {problem}'
            )


def _refuse_taken_port(call: Call, ingress: Json, environment: Resource) -> None:
    """Require unique exposed ports of external TCP apps per environment; internal ones may repeat."""
    if not ingress.get("external"):
        return
    port = ingress.get("exposedPort") or ingress["targetPort"]
    for other in call.world.store.of_type(APP):
        theirs = other.properties["configuration"]["ingress"] or {}
        if (
            other.key != call.target.id.lower()
            and str(other.properties["environmentId"]).lower() == environment.key
            and theirs.get("external")
            and theirs.get("transport") == "Tcp"
            and (theirs.get("exposedPort") or theirs.get("targetPort")) == port
        ):
            raise bodies.refuse(
                "ContainerAppInvalidIngressExposedPort", f"exposedPort {port} is in use by the app '{other.name}'."
            )


def check_scale(scale: Json, ingress: Json | None, secrets: set[str]) -> None:
    least, most = scale.get("minReplicas", 0), scale.get("maxReplicas", 10)
    if least > most:
        raise bodies.refuse("ContainerAppInvalidScaleSpec", f"minReplicas {least} is more than maxReplicas {most}.")
    kinds = ("http", "tcp", "custom", "azureQueue")
    for rule in scale.get("rules") or []:
        if len([kind for kind in kinds if rule.get(kind)]) != 1:
            raise bodies.refuse(
                "ContainerAppInvalidScaleRule",
                f"The scale rule '{rule['name']}' needs exactly one of {', '.join(kinds)}.",
            )
        inner = next(rule[kind] for kind in kinds if rule.get(kind))
        for auth in inner.get("auth") or []:
            if auth.get("secretRef") and auth["secretRef"] not in secrets:
                raise bodies.refuse(
                    "ContainerAppSecretRefNotFound",
                    f"SecretRef '{auth['secretRef']}' defined for scale rule '{rule['name']}' not found.",
                )
        if rule.get("tcp") and (ingress or {}).get("transport") != "Tcp":
            raise bodies.refuse("ContainerAppInvalidScaleRule", "A tcp scale rule needs ingress with transport 'tcp'.")
