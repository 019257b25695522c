"""The tables of what bodies hold, against Azure's official types where these lie beside the checkout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from emulator_client import AzureClient

from azure_emulator.core import rules
from azure_emulator.core.resource_types import REGISTRY
from azure_emulator.services import catalogue

TYPES = Path(__file__).parents[3] / "shared" / "azure-types"
FILES = sorted(TYPES.glob("*@*.json"))
pytestmark = pytest.mark.skipif(not FILES, reason="Azure's official types are not beside this checkout")

assert catalogue.MODULES

BESIDE: dict[str, set[str]] = {
    "Microsoft.App/containerApps": {
        # of preview and newer versions (PyPI azure-mgmt-appcontainers 5.1.0, recorded traffic)
        "properties.configuration.targetLabel",
        "properties.configuration.revisionTransitionThreshold",
        "properties.configuration.ingress.targetPortHttpScheme",
        "properties.configuration.runtime.dotnet",
        "properties.template.containers[].imageType",
        "properties.template.initContainers[].imageType",
        "properties.delegatedIdentities",
        "properties.deploymentErrors",
        "properties.patchingMode",
        "properties.patchingConfiguration",
    },
    "Microsoft.App/jobs": {
        "extendedLocation",
        "properties.configuration.dapr",
        "properties.template.containers[].imageType",
        "properties.template.initContainers[].imageType",
        "properties.runningState",
        "properties.runningStatus",
    },
    "Microsoft.App/managedEnvironments": {
        "properties.appLogsConfiguration.logAnalyticsConfiguration.dynamicJsonColumns",
        "properties.workloadProfiles[].enableFips",
        "properties.openTelemetryConfiguration",
        "properties.appInsightsConfiguration",
        "properties.privateLinkDefaultDomain",
    },
    "Microsoft.App/managedEnvironments/storages": {
        "location",  # recorded traffic of Azure/azure-cli
        "properties.deploymentErrors",
        "properties.provisioningState",
    },
}
"""Properties that a table knows and the type at that version does not, each with a source."""
BESIDE |= {
    # recorded traffic of Azure/azure-cli
    "Microsoft.Cache/redisEnterprise/databases": {"properties.keySpaceNotification"},
    "Microsoft.Insights/components": {"properties.Ver"},
    "Microsoft.Insights/diagnosticSettings": {"identity", "location", "tags", "kind"},
}
PARTLY = {
    "Microsoft.ContainerRegistry/registries",
    "Microsoft.ContainerRegistry/registries/tasks",
    "Microsoft.KeyVault/vaults",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Storage/storageAccounts/fileServices/shares",
}
"""Types of which a part is served; what their tables leave out is refused, and they know words of newer versions."""


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = {**defs[schema["$ref"].rsplit("/", 1)[1]], **{k: v for k, v in schema.items() if k == "readOnly"}}
    return schema


def _official(
    schema: Mapping[str, Any], defs: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each property's path and schema; what is below a read-only one is left out."""
    schema = _resolved(schema, defs)
    if "items" in schema and isinstance(schema["items"], dict):
        yield from _official(schema["items"], defs, f"{path}[]")
    for name, inner in schema.get("properties", {}).items():
        at = f"{path}.{name}" if path else name
        inner = _resolved(inner, defs)
        yield at, inner
        if not inner.get("readOnly"):
            yield from _official(inner, defs, at)


def _ours(rule: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(rule, list):
        yield from _ours(rule[0], f"{path}[]")
    if isinstance(rule, Mapping):
        for name, inner in rule.items():
            at = f"{path}.{name.rstrip('!')}" if path else name.rstrip("!")
            yield at, inner
            yield from _ours(inner, at)


def _pairs() -> list[Any]:
    found = []
    for file in FILES:
        kind = REGISTRY.get(json.loads(file.read_text())["resourceType"].lower())
        if kind is not None and kind.body_rule is not None and kind.type not in PARTLY:
            found.append(pytest.param(file, kind.type, kind.body_rule, id=file.stem))
    return found


def _is_open(path: str, table: Mapping[str, Any]) -> bool:
    """Below a place where anything is taken."""
    parts = path.split(".")
    return any(
        isinstance(table.get(".".join(parts[:count])), (rules.Anything, rules.Map, rules.ReadOnly))
        for count in range(1, len(parts))
    )


@pytest.mark.parametrize(("file", "kind", "rule"), _pairs())
def test_a_table_has_every_property_of_the_official_type_and_no_other(file: Path, kind: str, rule: Any) -> None:
    document = json.loads(file.read_text())
    official, table = dict(_official(document["body"], document.get("$defs", {}))), dict(_ours(rule))

    missing = {path for path in official if path not in table and not _is_open(path, table)}
    unknown = {path for path in table if path not in official} - BESIDE.get(kind, set()) - {"systemData"}
    unknown -= {
        path for path in unknown if any(path.startswith((f"{item}.", f"{item}[]")) for item in BESIDE.get(kind, set()))
    }
    assert (missing, unknown) == (set(), set())


@pytest.mark.parametrize(("file", "kind", "rule"), _pairs())
def test_a_table_agrees_about_what_only_the_service_sets_and_about_words(file: Path, kind: str, rule: Any) -> None:
    document = json.loads(file.read_text())
    official, table = dict(_official(document["body"], document.get("$defs", {}))), dict(_ours(rule))

    for path, schema in official.items():
        own = table.get(path)
        if own is None:
            continue
        if schema.get("readOnly"):
            assert isinstance(own, rules.ReadOnly), path
        elif isinstance(own, rules.ReadOnly):
            assert path in ("name",) or path.rsplit(".", 1)[-1] in ("kedaConfiguration", "daprConfiguration"), path
        words = schema.get("knownValues") or schema.get("enum")
        if words and isinstance(own, rules.OneOf):
            assert {word.lower() for word in words} <= set(own.words), path
        expected = {"boolean": rules.Flag, "integer": rules.Whole, "number": rules.Number}.get(str(schema.get("type")))
        if expected is not None and not isinstance(own, (rules.Anything, rules.ReadOnly)):
            assert isinstance(own, expected), path


ENVIRONMENT, APP, JOB = (
    "Microsoft.App/managedEnvironments/env",
    "Microsoft.App/containerApps/app",
    "Microsoft.App/jobs/job",
)
ANSWERED: dict[str, set[str]] = {
    "Microsoft.App/containerApps": {"properties.configuration.dapr", "properties.template.scale.rules"},
    "Microsoft.App/jobs": set(),
    "Microsoft.App/managedEnvironments": set(),
    "Microsoft.App/managedEnvironments/storages": set(),
}
"""Paths that are null where nothing was sent (recorded traffic of Azure/azure-dev and Azure/azure-cli)."""


def _answered(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _answered(item, f"{path}[]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            at = f"{path}.{name}" if path else name
            yield at, inner
            yield from _answered(inner, at)


def _whole(
    schema: Mapping[str, Any], defs: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """As `_official`, with what the service sets."""
    schema = _resolved(schema, defs)
    yield path, schema
    if isinstance(schema.get("items"), dict):
        yield from _whole(schema["items"], defs, f"{path}[]")
    for name, inner in schema.get("properties", {}).items():
        yield from _whole(inner, defs, f"{path}.{name}" if path else name)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _whole(schema["additionalProperties"], defs, f"{path}.*")


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


@pytest.mark.parametrize("path", [ENVIRONMENT, f"{ENVIRONMENT}/storages/data", APP, JOB])
def test_what_is_answered_fits_the_official_type(azure: AzureClient, path: str) -> None:
    """Names and JSON types of all that GET shows, computed properties included; null is how Azure writes nothing."""
    environment = azure.make_environment()
    container = {"name": "c", "image": "qdrant/qdrant:v1", "resources": {"cpu": 0.5, "memory": "1Gi"}}
    file = {"accountName": "acc", "accountKey": "k", "shareName": "share", "accessMode": "ReadOnly"}
    azure.ok(azure.call("PUT", f"{ENVIRONMENT}/storages/data", {"properties": {"azureFile": file}}))
    ingress = {"external": True, "targetPort": 6333}
    app = {
        "environmentId": environment["id"],
        "configuration": {"ingress": ingress, "secrets": [{"name": "a", "value": "b"}]},
        "template": {"containers": [container], "scale": {"minReplicas": 1}},
    }
    azure.put(APP, {"location": "eastus2", "tags": {"a": "1"}, "properties": app})
    trigger = {"triggerType": "Manual", "replicaTimeout": 60, "manualTriggerConfig": {"parallelism": 1}}
    job = {"environmentId": environment["id"], "configuration": trigger, "template": {"containers": [container]}}
    azure.put(JOB, {"location": "eastus2", "properties": job})
    kind = "/".join(path.split("/")[:2] + path.split("/")[3:4])
    file_of = next(item for item in FILES if item.stem.startswith(kind.replace("/", ".") + "@"))
    document = json.loads(file_of.read_text())
    official = dict(_whole(document["body"], document.get("$defs", {})))
    known = BESIDE.get(kind, set()) | ANSWERED[kind]

    wrong = []
    for at, value in _answered(azure.get(path)):
        free = at.rsplit(".", 1)[0] + ".*"
        schema = official.get(at) or official.get(free)
        if schema is None:
            if not any(at == item or at.startswith((f"{item}.", f"{item}[]")) for item in known):
                wrong.append(f"{at}: unknown")
        elif value is not None:
            wanted = _JSON_TYPES.get(str(schema.get("type")))
            if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
                wrong.append(f"{at}: {value!r} is no {schema['type']}")
    assert wrong == []
