"""Application Insights components, and diagnostic settings of an environment."""

from __future__ import annotations

import uuid
from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.defaults import filled
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, delete_now, register
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.insights import billing, defaults
from azure_emulator.services.operationalinsights.workspaces import WORKSPACE

Json = dict[str, Any]
_SWITCH = rules.OneOf("Enabled", "Disabled")
_RULE: Json = {
    **rules.TRACKED,
    "kind!": rules.TEXT,
    "etag": rules.TEXT,
    "properties!": {
        "Application_Type!": rules.OneOf("web", "other", "ios", "java", "phone", "store"),
        "Flow_Type": rules.TEXT,
        "Request_Source": rules.TEXT,
        "WorkspaceResourceId": rules.TEXT,
        "RetentionInDays": rules.WHOLE,
        "SamplingPercentage": rules.NUMBER,
        "DisableIpMasking": rules.FLAG,
        "DisableLocalAuth": rules.FLAG,
        "ImmediatePurgeDataOn30Days": rules.FLAG,
        "ForceCustomerStorageForProfiler": rules.FLAG,
        "HockeyAppId": rules.TEXT,
        "IngestionMode": rules.OneOf(
            "ApplicationInsights", "ApplicationInsightsWithDiagnosticSettings", "LogAnalytics"
        ),
        "publicNetworkAccessForIngestion": _SWITCH,
        "publicNetworkAccessForQuery": _SWITCH,
        **rules.read_only(
            "ApplicationId",
            "AppId",
            "InstrumentationKey",
            "ConnectionString",
            "Name",
            "CreationDate",
            "TenantId",
            "provisioningState",
            "Ver",
            "LaMigrationDate",
            "HockeyAppToken",
            "PrivateLinkScopedResources",
        ),
    },
}


class Components(ResourceType):
    """PUT 200 also when new; id and type with `microsoft.insights` (28 recorded components of Azure/azure-cli)."""

    type = "Microsoft.Insights/components"
    body_rule = _RULE
    name_pattern = r"[^%&\\?/]{0,259}[^%&\\?/ .]"
    listed_with = ("kind", "tags")

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent = body["properties"]
        _check_sampling(sent)
        workspace = sent.get("WorkspaceResourceId")
        if workspace is None and call.request.api_version.endswith("-preview"):
            # Versions before the retirement create a workspace (recorded traffic of
            # Azure/azure-cli-extensions of 2025).
            return self._store(call, body, sent)
        if workspace is None:
            # Classic (workspace-less) resources are retired since 2024-02-29
            # (learn.microsoft.com/azure/azure-monitor/app/convert-classic-resource).
            raise Refusal(
                400,
                "BadRequest",
                "WorkspaceResourceId is required: classic Application Insights resources can no longer be created.",
            )
        found = call.world.store.get(workspace)
        if found is None or found.type != WORKSPACE:
            raise Refusal(400, "BadRequest", f"Workspace '{workspace}' not found.")
        return self._store(call, body, sent)

    def _store(self, call: Call, body: Json, sent: Json) -> Response:
        if call.existing is not None:
            kept = call.existing.properties
            sent = {**{key: kept[key] for key in ("AppId", "CreationDate")}, **sent}
        name, identifier = call.target.name, call.target.id.replace("/Microsoft.Insights/", "/microsoft.insights/")
        own = {
            "ApplicationId": name,
            "AppId": str(uuid.uuid4()),
            "Name": name,
            "CreationDate": stamp(call.now, zone="+00:00"),
            "TenantId": call.world.identity.subscription_id,
        }
        properties = filled({**defaults.COMPONENT, **own}, sent)
        if "WorkspaceResourceId" not in sent:
            managed = f"ai_{name.lower()}_{properties['AppId']}_managed"
            properties["WorkspaceResourceId"] = (
                f"{call.world.subscription}/resourceGroups/{managed}/providers/{WORKSPACE}/managed-{name}-ws"
            )
            properties["IngestionMode"] = "LogAnalytics"
        if call.existing is not None and call.request.api_version.endswith("-preview"):
            properties["LaMigrationDate"] = stamp(call.now, zone="+00:00")
        if call.request.api_version.endswith("-preview"):
            properties["Retention"] = f"P{properties['RetentionInDays']}D"
        shown = {
            "kind": body["kind"],
            "etag": f'"{uuid.uuid4()}"',
            "id": identifier,
            "name": name,
            "type": "microsoft.insights/components",
            "location": body["location"],
            "tags": body.get("tags", {}),
            "properties": properties,
        }
        created = call.existing.created if call.existing else call.now
        resource = call.world.store.put(Resource(identifier, self.type, shown, created))
        return Response(200, self.shown(call.world, resource))

    def patch(self, call: Call) -> Response:
        existing = call.must_exist()
        body = call.request.json()
        unknown = set(body) - {"tags"}
        if unknown:
            raise Refusal(400, "BadRequest", f"Only tags can be patched, not {', '.join(sorted(unknown))}.")
        existing.body["tags"] = body.get("tags") or {}
        call.world.store.put(existing)
        return Response(200, self.shown(call.world, existing))

    def delete(self, call: Call) -> Response:
        delete_now(call.world, call.must_exist().id)
        return Response(200)

    action_methods = {"currentbillingfeatures": ("GET", "PUT")}

    def actions(self) -> dict[str, Any]:
        return {"currentbillingfeatures": billing.features}

    def shown(self, world: World, resource: Resource) -> Json:
        """Return the instrumentation key, derived from the AppId and never stored."""
        place, app = region(resource.body["location"]) or "", resource.properties["AppId"]
        key = world.derived_uuid("instrumentation", app)
        connection = (
            f"InstrumentationKey={key};IngestionEndpoint=https://{place}-0.in.applicationinsights.azure.com/;"
            f"LiveEndpoint=https://{place}.livediagnostics.monitor.azure.com/;ApplicationId={app}"
        )
        properties = {**resource.properties, "InstrumentationKey": key, "ConnectionString": connection}
        return {**resource.body, "properties": properties}


def _check_sampling(sent: Json) -> None:
    """learn.microsoft.com/azure/azure-monitor/app/sampling: ingestion sampling is a percentage."""
    percentage = sent.get("SamplingPercentage")
    if percentage is not None and not 0 < percentage <= 100:
        raise Refusal(400, "BadRequest", f"SamplingPercentage is above 0 and at most 100, not {percentage}.")


register(Components())
