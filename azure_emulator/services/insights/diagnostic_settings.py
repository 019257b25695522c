"""Diagnostic settings."""

from __future__ import annotations

from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.operationalinsights.workspaces import WORKSPACE

Json = dict[str, Any]


_POLICY = {"enabled!": rules.FLAG, "days!": rules.WHOLE}
_SETTING_RULE: Json = {
    **rules.ENVELOPE,
    "location": rules.ANY,
    "kind": rules.ANY,
    "tags": rules.ANY,
    "identity": rules.ANY,
    "properties!": {
        "workspaceId": rules.TEXT,
        "storageAccountId": rules.TEXT,
        "serviceBusRuleId": rules.TEXT,
        "eventHubAuthorizationRuleId": rules.TEXT,
        "eventHubName": rules.TEXT,
        "marketplacePartnerId": rules.TEXT,
        "logAnalyticsDestinationType": rules.TEXT,
        "logs": [
            {
                "category": rules.TEXT,
                "categoryGroup": rules.TEXT,
                "enabled!": rules.FLAG,
                "retentionPolicy": _POLICY,
            }
        ],
        "metrics": [
            {"category": rules.TEXT, "enabled!": rules.FLAG, "timeGrain": rules.TEXT, "retentionPolicy": _POLICY}
        ],
    },
}
CATEGORIES: dict[str, tuple[str, ...]] = {
    "microsoft.keyvault/vaults": ("AuditEvent", "AzurePolicyEvaluationDetails"),
    "microsoft.containerregistry/registries": ("ContainerRegistryRepositoryEvents", "ContainerRegistryLoginEvents"),
    "microsoft.dbforpostgresql/flexibleservers": (
        "PostgreSQLLogs",
        "PostgreSQLFlexSessions",
        "PostgreSQLFlexQueryStoreRuntime",
        "PostgreSQLFlexQueryStoreWaitStats",
        "PostgreSQLFlexTableStats",
        "PostgreSQLFlexDatabaseXacts",
    ),
    "microsoft.cache/redis": ("ConnectedClientList", "MSEntraAuthenticationAuditLog"),
    "microsoft.cache/redisenterprise/databases": ("ConnectionEvents",),
    "microsoft.network/virtualnetworks": ("VMProtectionAlerts",),
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
    """PUT 200 (also if new), DELETE 200; errors without the `error` envelope (recorded traffic of Azure/azure-cli)."""

    type = "Microsoft.Insights/diagnosticSettings"
    body_rule = _SETTING_RULE
    tracked = False
    extension = True

    def put(self, call: Call) -> Response:
        sent = self.sent(call)["properties"]
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
        """Return the body of GET, with the region and every category; unrequested ones with enabled false."""
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


class Categories(ResourceType):
    """List the log categories of a resource (recorded traffic of Azure/azure-cli)."""

    type = "Microsoft.Insights/diagnosticSettingsCategories"
    tracked = False
    extension = True
    stored = False

    def _shown(self, scope: str, name: str, kind: str) -> Json:
        return {
            "id": f"{scope.lower()}/providers/microsoft.insights/diagnosticSettingsCategories/{name}",
            "type": "microsoft.insights/diagnosticSettingsCategories",
            "name": name,
            "location": None,
            "kind": None,
            "tags": None,
            "properties": {"categoryType": kind},
            "identity": None,
        }

    def _all(self, call: Call, scope: str) -> list[Json]:
        target = call.world.store.get(scope)
        logs = CATEGORIES.get(target.type.lower(), ()) if target is not None else ()
        return [
            *(self._shown(scope, name, "Logs") for name in logs),
            self._shown(scope, "AllMetrics", "Metrics"),
        ]

    def list(self, call: Call, scope: str) -> Response:
        return Response(200, {"value": self._all(call, scope)})

    def get(self, call: Call) -> Response:
        for item in self._all(call, call.target.scope):
            if item["name"].lower() == call.target.name.lower():
                return Response(200, item)
        raise Refusal(404, "ResourceNotFound", f"The category '{call.target.name}' doesn't exist.", shape="bare")


register(DiagnosticSettings(), Categories())
