"""Checks of an app's ingress, traffic and scale."""

from __future__ import annotations

from typing import Any

from azure_emulator.core.resource_types import Call
from azure_emulator.core.store import Resource
from azure_emulator.services.app import bodies
from azure_emulator.services.app.environments import APP

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
    traffic = ingress.get("traffic") or []
    if traffic and sum(item.get("weight", 0) for item in traffic) != 100:
        raise bodies.refuse("ContainerAppInvalidTrafficWeight", "The traffic weights must add up to 100.")
    for item in traffic:
        if bool(item.get("latestRevision")) == bool(item.get("revisionName")):
            raise bodies.refuse(
                "ContainerAppInvalidTraffic", "Exactly one of latestRevision and revisionName is needed."
            )
    if len(ingress.get("additionalPortMappings") or []) > 5:
        raise bodies.refuse("ContainerAppTooManyPorts", "At most five additional ports are allowed.")


def _refuse_taken_port(call: Call, ingress: Json, environment: Resource) -> None:
    """The exposed ports of external TCP apps are the environment's own; internal ones may repeat."""
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


def check_scale(scale: Json, ingress: Json | None) -> None:
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
        if rule.get("tcp") and (ingress or {}).get("transport") != "Tcp":
            raise bodies.refuse("ContainerAppInvalidScaleRule", "A tcp scale rule needs ingress with transport 'tcp'.")
