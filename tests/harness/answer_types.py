"""Check replies of ARM against Azure's official types: names and JSON types, including computed properties.

Every 2xx reply to GET, PUT and PATCH in the emulator's tests passes through here (`AzureClient.call`). null is
Azure's notation for absent values, and matches every type.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TYPES = Path(__file__).parents[3] / "shared" / "azure-types"
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


@functools.cache
def _documents() -> dict[str, tuple[str, Any]]:
    """The version and document of each type, by the type in small letters."""
    found = {}
    for file in sorted(TYPES.glob("*@*.json")):
        document = json.loads(file.read_text(encoding="utf-8"))
        found[document["resourceType"].lower()] = (document["apiVersion"], document)
    return found


def problems(body: Any, version: str) -> list[str]:
    """Return what in a reply does not match its type. In other versions, further properties are allowed."""
    if not isinstance(body, dict):
        return []
    rows = body["value"] if isinstance(body.get("value"), list) and "type" not in body else [body]
    return [problem for row in rows for problem in _of_resource(row, version)]


def _of_resource(body: Any, version: str) -> list[str]:
    known = _documents().get(str(body.get("type", "")).lower()) if isinstance(body, dict) else None
    if known is None or "id" not in body:
        return []
    described, document = known
    beside = BESIDE.get(document["resourceType"], frozenset()) if version == described else None
    walk = _misfits(body, document["body"], document.get("$defs", {}), "")
    return [
        f"{document['resourceType']}: {path}: {text}"
        for path, text in walk
        if text != _UNKNOWN or (beside is not None and not _is_below(path, beside))
    ]


def action_problems(resource_type: str, action: str, body: Any) -> list[str]:
    """Return what in the reply to a POST does not match its type."""
    document = _documents()[resource_type.lower()][1]
    outputs = {item["name"].lower(): item["output"] for item in document.get("functions") or []}
    walk = _misfits(body, outputs[action.lower()], document.get("$defs", {}), "")
    beside = BESIDE.get(document["resourceType"], frozenset())
    return [f"{action}: {path}: {text}" for path, text in walk if text != _UNKNOWN or not _is_below(path, beside)]


def documents() -> dict[str, Any]:
    """The documents by resource type, as it is spelt."""
    return {document["resourceType"]: document for _, document in _documents().values()}


_UNKNOWN = "unknown"


def _is_below(path: str, places: frozenset[str]) -> bool:
    return any(path == place or path.startswith((f"{place}.", f"{place}[]")) for place in places)


def _misfits(value: Any, schema: Any, definitions: Any, path: str) -> Iterator[tuple[str, str]]:
    schema = _resolved(schema, definitions)
    if value is None:
        return
    wanted = _JSON_TYPES.get(str(schema.get("type")))
    if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
        yield path, f"{value!r} is no {schema['type']}"
    elif schema.get("enum") and str(value).lower() not in {str(word).lower() for word in schema["enum"]}:
        yield path, f"{value!r} is none of {schema['enum']}"
    elif isinstance(value, list):
        for item in value:
            yield from _misfits(item, schema.get("items", {}), definitions, f"{path}[]")
    elif isinstance(value, dict):
        yield from _members(value, schema, definitions, path)


def _members(value: Mapping[str, Any], schema: Any, definitions: Any, path: str) -> Iterator[tuple[str, str]]:
    properties = dict(schema.get("properties", {}))
    for name, variant in schema.get("variants", {}).items():
        if value.get(schema.get("discriminator")) == name:
            properties |= _resolved(variant, definitions).get("properties", {})
    free = schema.get("additionalProperties")
    for name, item in value.items():
        at = f"{path}.{name}" if path else name
        if name in properties:
            yield from _misfits(item, properties[name], definitions, at)
        elif free is not None:
            yield from _misfits(item, free, definitions, f"{path}.*")
        elif properties and name != schema.get("discriminator"):
            yield at, _UNKNOWN


def _resolved(schema: Any, definitions: Any) -> Any:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    return schema


_PREVIEWS = {
    "properties.configuration.targetLabel",
    "properties.configuration.revisionTransitionThreshold",
    "properties.configuration.ingress.targetPortHttpScheme",
    "properties.configuration.runtime.dotnet",
    "properties.template.containers[].imageType",
    "properties.template.initContainers[].imageType",
    "properties.patchingMode",
    "properties.patchingConfiguration",
}
"""Of preview and newer versions (PyPI azure-mgmt-appcontainers 5.1.0, recorded traffic of Azure/azure-cli)."""

BESIDE: dict[str, frozenset[str]] = {
    "Microsoft.App/containerApps": frozenset(
        {*_PREVIEWS, "properties.delegatedIdentities", "properties.deploymentErrors"}
    ),
    "Microsoft.App/jobs": frozenset(
        {
            "extendedLocation",
            "properties.configuration.dapr",
            "properties.template.containers[].imageType",
            "properties.template.initContainers[].imageType",
            "properties.runningState",
            "properties.runningStatus",
        }
    ),
    "Microsoft.App/managedEnvironments": frozenset(
        {
            "properties.appLogsConfiguration.logAnalyticsConfiguration.dynamicJsonColumns",
            "properties.workloadProfiles[].enableFips",
            "properties.openTelemetryConfiguration",
            "properties.appInsightsConfiguration",
            "properties.privateLinkDefaultDomain",
        }
    ),
    # `location` is sent, and taken
    "Microsoft.App/managedEnvironments/storages": frozenset(
        {"location", "properties.deploymentErrors", "properties.provisioningState"}
    ),
    "Microsoft.Cache/redisEnterprise/databases": frozenset({"properties.keySpaceNotification"}),
    "Microsoft.Insights/components": frozenset({"properties.Ver", "properties.Retention"}),
    "Microsoft.Insights/diagnosticSettings": frozenset({"identity", "location", "tags", "kind"}),
}
"""What bodies and answers have although the type at that version does not: recorded traffic of Azure/azure-cli and
Azure/azure-cli-extensions has it."""
