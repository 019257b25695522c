"""Application Insights components, and diagnostic settings of an environment."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from azure_emulator.core import rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, delete_now, register
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.services.operationalinsights.workspaces import WORKSPACE

if TYPE_CHECKING:
    from azure_emulator.core.world import World

Json = dict[str, Any]
_SWITCH = rules.OneOf("Enabled", "Disabled")
_RULE: Json = {
    **rules.TRACKED,
    "kind!": rules.Text(),
    "etag": rules.Text(),
    "properties!": {
        "Application_Type!": rules.OneOf("web", "other", "ios", "java", "phone", "store"),
        "Flow_Type": rules.Text(),
        "Request_Source": rules.Text(),
        "WorkspaceResourceId": rules.Text(),
        "RetentionInDays": rules.Whole(),
        "SamplingPercentage": rules.Number(),
        "DisableIpMasking": rules.Flag(),
        "DisableLocalAuth": rules.Flag(),
        "ImmediatePurgeDataOn30Days": rules.Flag(),
        "ForceCustomerStorageForProfiler": rules.Flag(),
        "HockeyAppId": rules.Text(),
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
    name_pattern = r"[^%&\\?/]{0,259}[^%&\\?/ .]"
    listed_with = ("kind", "tags")

    def put(self, call: Call) -> Response:
        body = rules.clean(call.request.json(), _RULE, new=call.existing is None)
        sent = body["properties"]
        workspace = sent.get("WorkspaceResourceId")
        if workspace is None and call.request.api_version.endswith("-preview"):
            # Versions from before the retirement make a workspace of their own (recorded traffic of
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
        properties = {
            "ApplicationId": name,
            "AppId": str(uuid.uuid4()),
            "Flow_Type": "Bluefield",
            "Request_Source": "rest",
            "Name": name,
            "CreationDate": stamp(call.now, zone="+00:00"),
            "TenantId": call.world.identity.subscription_id,
            "provisioningState": "Succeeded",
            "SamplingPercentage": None,
            "RetentionInDays": 90,
            "IngestionMode": "LogAnalytics",
            "publicNetworkAccessForIngestion": "Enabled",
            "publicNetworkAccessForQuery": "Enabled",
            "Ver": "v2",
            **sent,
        }
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

    def shown(self, world: World, resource: Resource) -> Json:
        """The instrumentation key is minted from the AppId and never stored."""
        place, app = region(resource.body["location"]) or "", resource.properties["AppId"]
        key = world.derived_uuid("instrumentation", app)
        connection = (
            f"InstrumentationKey={key};IngestionEndpoint=https://{place}-0.in.applicationinsights.azure.com/;"
            f"LiveEndpoint=https://{place}.livediagnostics.monitor.azure.com/;ApplicationId={app}"
        )
        properties = {**resource.properties, "InstrumentationKey": key, "ConnectionString": connection}
        return {**resource.body, "properties": properties}


_POLICY = {"enabled!": rules.Flag(), "days!": rules.Whole()}
_SETTING_RULE: Json = {
    **rules.ENVELOPE,
    "location": rules.Anything(),
    "kind": rules.Anything(),
    "tags": rules.Anything(),
    "identity": rules.Anything(),
    "properties!": {
        "workspaceId": rules.Text(),
        "storageAccountId": rules.Text(),
        "serviceBusRuleId": rules.Text(),
        "eventHubAuthorizationRuleId": rules.Text(),
        "eventHubName": rules.Text(),
        "marketplacePartnerId": rules.Text(),
        "logAnalyticsDestinationType": rules.Text(),
        "logs": [
            {
                "category": rules.Text(),
                "categoryGroup": rules.Text(),
                "enabled!": rules.Flag(),
                "retentionPolicy": _POLICY,
            }
        ],
        "metrics": [
            {"category": rules.Text(), "enabled!": rules.Flag(), "timeGrain": rules.Text(), "retentionPolicy": _POLICY}
        ],
    },
}
CATEGORIES: dict[str, tuple[str, ...]] = {
    "microsoft.app/managedenvironments": (
        "ContainerAppConsoleLogs",
        "ContainerAppSystemLogs",
        "AppEnvSpringAppConsoleLogs",
        "AppEnvSessionConsoleLogs",
        "AppEnvSessionPoolEventLogs",
        "AppEnvSessionLifeCycleLogs",
    ),
}


class DiagnosticSettings(ResourceType):
    """PUT 200 (new, too), DELETE 200; errors without the `error` envelope (recorded traffic of Azure/azure-cli)."""

    type = "Microsoft.Insights/diagnosticSettings"
    tracked = False
    extension = True

    def put(self, call: Call) -> Response:
        sent = rules.clean(call.request.json(), _SETTING_RULE, new=call.existing is None)["properties"]
        target = call.world.store.get(call.target.scope)
        if target is None:
            raise Refusal(404, "ResourceNotFound", f"The resource '{call.target.scope}' was not found.", shape="bare")
        self._check(call, sent, target)
        self._refuse_same_sink(call, sent)
        nothing = ("storageAccountId", "serviceBusRuleId", "workspaceId", "eventHubAuthorizationRuleId", "eventHubName")
        properties: Json = {name: sent.get(name) for name in nothing}
        properties |= {
            "metrics": [self._metric(item) for item in sent.get("metrics", [])],
            "logs": [self._log(item) for item in sent.get("logs", [])],
            "logAnalyticsDestinationType": sent.get("logAnalyticsDestinationType"),
        }
        identifier = f"{call.target.scope.lower()}/providers/microsoft.insights/diagnosticSettings/{call.target.name}"
        shown = {
            "id": identifier,
            "type": self.type,
            "name": call.target.name,
            "location": None,
            "kind": None,
            "tags": None,
            "properties": properties,
            "identity": None,
        }
        created = call.existing.created if call.existing else call.now
        call.world.store.put(
            Resource(
                identifier,
                self.type,
                shown,
                created,
                {"region": region(target.body.get("location", "")), "kind": target.type.lower()},
            )
        )
        return Response(200, shown)

    def _check(self, call: Call, sent: Json, target: Resource) -> None:
        sinks = [
            name
            for name in ("workspaceId", "storageAccountId", "eventHubAuthorizationRuleId", "marketplacePartnerId")
            if sent.get(name)
        ]
        if not sinks:
            raise Refusal(400, "BadRequest", "At least one data sink needs to be specified.", shape="bare")
        workspace = sent.get("workspaceId")
        found = call.world.store.get(workspace) if workspace else None
        if workspace and (found is None or found.type != WORKSPACE):
            raise Refusal(404, "ResourceNotFound", f"The workspace '{workspace}' was not found.", shape="bare")
        known = {name.lower() for name in CATEGORIES.get(target.type.lower(), ())}
        for item in sent.get("logs", []):
            category, group = item.get("category"), item.get("categoryGroup")
            if (category is None) == (group is None):
                raise Refusal(400, "BadRequest", "Exactly one of category and categoryGroup is needed.", shape="bare")
            if (category and known and category.lower() not in known) or (group and group not in ("allLogs", "audit")):
                raise Refusal(400, "BadRequest", f"Category '{category or group}' is not supported.", shape="bare")
            if item.get("retentionPolicy", {}).get("days"):
                raise Refusal(
                    400,
                    "BadRequest",
                    "Diagnostic settings does not support retention for new diagnostic settings.",
                    shape="bare",
                )

    def _refuse_same_sink(self, call: Call, sent: Json) -> None:
        """Two settings of one resource may not send the same category to the same workspace
        (learn.microsoft.com/azure/azure-monitor/essentials/diagnostic-settings)."""
        for other in call.world.store.of_type(self.type, call.target.scope.lower()):
            if other.key == call.target.id.lower() or other.properties.get("workspaceId") is None:
                continue
            theirs = {item["category"] for item in other.properties["logs"] if item["enabled"] and item["category"]}
            ours = {item.get("category") for item in sent.get("logs", []) if item["enabled"]}
            same = str(other.properties["workspaceId"]).lower() == str(sent.get("workspaceId")).lower()
            if same and theirs & ours:
                raise Refusal(
                    409,
                    "Conflict",
                    f"Data sink '{sent['workspaceId']}' is already used in diagnostic setting "
                    f"'{other.name}' for category '{sorted(theirs & ours)[0]}'. Data sinks "
                    "can't be reused in different settings on the same category for the "
                    "same resource.",
                    shape="bare",
                )

    @staticmethod
    def _log(item: Json) -> Json:
        return {
            "category": item.get("category"),
            "categoryGroup": item.get("categoryGroup"),
            "enabled": item["enabled"],
            "retentionPolicy": item.get("retentionPolicy", {"enabled": False, "days": 0}),
        }

    @staticmethod
    def _metric(item: Json) -> Json:
        return {
            "timeGrain": item.get("timeGrain"),
            "category": item.get("category"),
            "enabled": item["enabled"],
            "retentionPolicy": item.get("retentionPolicy", {"enabled": False, "days": 0}),
        }

    def shown(self, world: World, resource: Resource) -> Json:
        """GET names the region, and lists every category: those not asked for with enabled false."""
        properties = dict(resource.properties)
        asked = {str(item["category"]).lower() for item in properties["logs"]}
        if not any(item["categoryGroup"] for item in properties["logs"]):
            rest = [name for name in CATEGORIES.get(resource.private["kind"], ()) if name.lower() not in asked]
            properties["metrics"] = properties["metrics"] or [
                self._metric({"category": "AllMetrics", "enabled": False})
            ]
            properties["logs"] = properties["logs"] + [self._log({"category": name, "enabled": False}) for name in rest]
        return {**resource.body, "location": resource.private["region"], "properties": properties}

    def list(self, call: Call, scope: str) -> Response:
        return super().list(call, scope.lower())

    def delete(self, call: Call) -> Response:
        if call.existing is None:
            return Response(204)
        call.world.store.drop(call.existing.id)
        return Response(200)

    def missing_error(self, call: Call) -> Refusal:
        return Refusal(
            404, "ResourceNotFound", f"The diagnostic setting '{call.target.name}' doesn't exist.", shape="bare"
        )


register(Components(), DiagnosticSettings())
