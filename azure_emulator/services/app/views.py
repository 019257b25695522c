"""Representations of an app: the echo of a PUT, and GET."""

from __future__ import annotations

import json
from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.resource_types import Call
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.app import bodies, defaults, revisions

Json = dict[str, Any]


def echo(call: Call, shown: Json) -> Json:
    """Return the reply to PUT: the request, including read-only properties, with nulls for absent values."""
    shown = json.loads(json.dumps(shown))
    sent = call.request.json()
    template, ingress = shown["properties"]["template"], shown["properties"]["configuration"]["ingress"]
    if ingress is not None:
        configuration = (sent.get("properties") or {}).get("configuration") or {}
        ingress["fqdn"] = (configuration.get("ingress") or {}).get("fqdn")
    for container in template["containers"]:
        if container.get("resources"):
            container["resources"] = bodies.sized(container["resources"])
    if template["scale"] is not None:
        template["scale"] = {**defaults.SCALE_NULLS, **template["scale"]}
    shown["properties"]["delegatedIdentities"] = []
    return at_version(shown, call.request.api_version, label=None, image_type="CloudBuild")


_PREVIEW_SINCE = "2024-02-02"
_LABELS_SINCE = "2024-10-02"


def check_version(call: Call, body: Json) -> None:
    if call.request.api_version.endswith("-preview"):
        return
    configuration = (body.get("properties") or {}).get("configuration") or {}
    for name, place in (
        ("targetLabel", configuration),
        ("revisionTransitionThreshold", configuration),
        ("targetPortHttpScheme", configuration.get("ingress") or {}),
    ):
        if place.get(name) is not None:
            raise Refusal(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: "
                f"'Could not find member '{name}' on object.'.",
                target=name,
            )


def at_version(body: Json, version: str, label: str | None = "", image_type: str = "ContainerImage") -> Json:
    """Preview versions show more of an app than stable ones (recorded traffic of Azure/azure-cli-extensions): also an
    `imageType`, which is CloudBuild in the reply to PUT (7 of 8) and ContainerImage in GET."""
    if not version.endswith("-preview"):
        return body
    shown: Json = json.loads(json.dumps(body))
    properties = shown["properties"]
    if properties["configuration"]["ingress"] is not None:
        properties["configuration"]["ingress"].setdefault("targetPortHttpScheme", None)
    if version < _PREVIEW_SINCE:
        return shown
    properties["patchingMode"] = "Automatic"
    if version >= _LABELS_SINCE:
        properties["configuration"].setdefault("targetLabel", label)
        properties["configuration"].setdefault("revisionTransitionThreshold", None)
    for container in properties["template"]["containers"]:
        container["imageType"] = image_type
    return shown


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def shown_app(world: World, resource: Resource) -> Json:
    """Return the body of GET, with fqdn, traffic, sizes, revision names and streams, which are null after PUT."""
    body: Json = bodies.without_zone(json.loads(json.dumps(resource.body)))
    properties = body["properties"]
    state = properties["provisioningState"]
    environment = world.store.get(properties["environmentId"])
    domain = environment.properties["defaultDomain"] if environment else "gone"
    configuration = properties["configuration"]
    if configuration["ingress"] is not None:
        ingress = configuration["ingress"]
        _fill_ingress(ingress, bodies.fqdn(resource.name, domain, ingress["external"]))
    for entry in configuration["registries"] or []:
        entry.update({key: entry.get(key, "") for key in ("username", "passwordSecretRef", "identity")})
    template = bodies.with_resources(properties["template"])
    template["scale"] = {**defaults.SCALE, **without_nulls(template["scale"] or {})}
    template["scale"]["rules"] = template["scale"]["rules"] or None
    template["revisionSuffix"] = template["revisionSuffix"] or ""
    properties["template"] = template
    latest, ready = revisions.latest_names(world, resource)
    stopped = resource.private.get("stopped")
    status = "Stopped" if stopped else "Running" if state in ("Succeeded", "Failed") else "Progressing"
    place = region(resource.body["location"])
    group = resource.id.split("/")[4]
    extra: Json = {
        "runningStatus": status,
        "latestRevisionName": latest,
        "latestReadyRevisionName": ready,
        "latestRevisionFqdn": bodies.fqdn(latest, domain, configuration["ingress"]["external"])
        if latest and configuration["ingress"]
        else "",
        "eventStreamEndpoint": f"https://{place}.azurecontainerapps.dev{world.subscription}/resourceGroups/{group}/"
        f"containerApps/{resource.name}/eventstream",
        "delegatedIdentities": [],
    }
    body["properties"] = {**properties, **extra}
    return body


def _fill_ingress(ingress: Json, fqdn: str) -> None:
    ingress["fqdn"] = fqdn
    if ingress["exposedPort"] is None:
        ingress["exposedPort"] = ingress["targetPort"] if ingress["transport"] == "Tcp" else 0
    if ingress["traffic"] is None:
        ingress["traffic"] = [{"weight": 100, "latestRevision": True}]
