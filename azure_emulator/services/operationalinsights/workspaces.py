"""Log Analytics workspaces."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from azure_emulator.core import endings, rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.defaults import filled
from azure_emulator.core.effects import EFFECTS, FINALS, effect
from azure_emulator.core.errors import Refusal, resource_not_found
from azure_emulator.core.lifecycle import Work, in_location
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, delete_now, register
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.operationalinsights import defaults

Json = dict[str, Any]
WORKSPACE = "Microsoft.OperationalInsights/workspaces"
_KEEP_DELETED = 14 * 86400
_OWN_API = "2015-11-01-preview"
_CREATE = Work(
    "workspace.ready",
    ("workspace", "create"),
    "workspace",
    answers=201,
    sends="A L=resource",
    status=in_location("Microsoft.OperationalInsights", "operationstatuses"),
    result="{resource}/operationresults/{id}",
    final="workspace",
    version=_OWN_API,
)
_CREATE_BEFORE_2025 = replace(_CREATE, sends="L=resource")
_UPDATE = replace(_CREATE, answers=200, sends="A L")
_FORCED_DELETE = replace(
    _CREATE, effect="workspace.forced", takes=("workspace", "delete"), answers=202, sends="A L", pace=20
)
"""The version in the workspace's status URLs, independent of the request's (recorded)."""
_ACCESS = rules.OneOf("Enabled", "Disabled", "SecuredByPerimeter")
_RULE: Json = {
    **rules.TRACKED,
    "etag": rules.TEXT,
    "identity": rules.IDENTITY,
    "properties": {
        "sku": {
            "name!": rules.OneOf(
                "Free", "Standard", "Premium", "PerNode", "PerGB2018", "Standalone", "CapacityReservation", "LACluster"
            ),
            "capacityReservationLevel": rules.WHOLE,
            "lastSkuUpdate": rules.READ_ONLY,
        },
        "retentionInDays": rules.WHOLE,
        "workspaceCapping": {
            "dailyQuotaGb": rules.NUMBER,
            "quotaNextResetTime": rules.READ_ONLY,
            "dataIngestionStatus": rules.READ_ONLY,
        },
        "publicNetworkAccessForIngestion": _ACCESS,
        "publicNetworkAccessForQuery": _ACCESS,
        "forceCmkForQuery": rules.FLAG,
        "features": rules.OBJECT,
        "defaultDataCollectionRuleResourceId": rules.TEXT,
        "replication": {
            "enabled": rules.FLAG,
            "location": rules.TEXT,
            **rules.read_only("provisioningState", "createdDate", "lastModifiedDate"),
        },
        "failover": rules.OBJECT,
        "provisioningState": rules.READ_ONLY,
        "customerId": rules.READ_ONLY,
        "createdDate": rules.READ_ONLY,
        "modifiedDate": rules.READ_ONLY,
        "privateLinkScopedResources": rules.READ_ONLY,
    },
}


_NOTHING_THERE = ("dataexports", "linkedservices", "linkedstorageaccounts", "savedsearches", "storageinsightconfigs")


class Workspaces(ResourceType):
    """PUT 201 with both headers (Location is the workspace itself), existing 200; DELETE 200, with force 202 since
    2026. A deleted one is kept 14 days and restored with its properties when recreated."""

    type = WORKSPACE
    body_rule = _RULE
    name_pattern = r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]"
    name_error = (
        "InvalidResourceName",
        "Workspace name '{name}' is invalid: 4 to 63 letters, digits or hyphens, no hyphen at either end.",
    )
    listed_with = ("tags",)

    def check(self, call: Call) -> None:
        super().check(call)
        _check_retention(call.request.json())
        _check_cap(call.request.json())

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        _check_retention(body)
        _check_cap(body)
        if call.existing is not None:
            return self._update(call, call.existing, body)
        kept = call.world.store.record("deleted workspace", call.target.id.lower())
        state = "Creating"
        if (
            kept is not None
            and call.now < kept["until"]
            and region(kept["body"]["location"]) == region(body["location"])
        ):
            shown, state = dict(kept["body"]), "Restoring"
            call.world.store.set("deleted workspace", call.target.id.lower(), None)
        else:
            shown = self._fresh(call, body)
        shown["properties"] = {**shown["properties"], "provisioningState": state, "modifiedDate": stamp(call.now)}
        shown["etag"] = f'"{uuid.uuid4()}"'
        resource = call.world.store.put(Resource(call.target.id, WORKSPACE, shown, call.now))
        # Before 2025-02-01 only the URL of the resource (recorded traffic of Azure/azure-cli).
        work = _CREATE if call.request.api_version >= "2025-02-01" else _CREATE_BEFORE_2025
        return call.accept(work, resource.id, shown)

    def _fresh(self, call: Call, body: Json) -> Json:
        sent, now = body.get("properties", {}), stamp(call.now)
        properties = filled(
            defaults.WORKSPACE,
            {key: sent[key] for key in defaults.WORKSPACE if key in sent},
            customerId=str(uuid.uuid4()),
            provisioningState="Creating",
            sku={**sent.get("sku", defaults.SKU), "lastSkuUpdate": now},
            features=filled(defaults.FEATURES, sent.get("features")),
            workspaceCapping=filled(
                {**defaults.CAPPING, "quotaNextResetTime": stamp(call.now + 43200, digits=0)},
                sent.get("workspaceCapping"),
            ),
            createdDate=now,
            modifiedDate=now,
        )
        if (sent.get("replication") or {}).get("enabled"):
            properties["replication"] = _replication(sent["replication"], now)
        if "forceCmkForQuery" in sent:
            properties["forceCmkForQuery"] = sent["forceCmkForQuery"]
        return {
            "properties": properties,
            "location": body["location"],
            **({"tags": body["tags"]} if "tags" in body else {}),
            "id": call.target.id,
            "name": call.target.name,
            "type": WORKSPACE,
        }

    def _change(self, call: Call, existing: Resource, body: Json) -> None:
        sent = dict(body.get("properties") or {})
        sku = sent.pop("sku", None)
        _change_replication(call, existing, sent.pop("replication", None))
        existing.body["properties"] = rules.update(existing.properties, sent)
        if sku and sku["name"] != existing.properties["sku"]["name"]:
            existing.properties["sku"] = {**sku, "lastSkuUpdate": stamp(call.now)}
        existing.properties["modifiedDate"] = stamp(call.now)
        existing.body["etag"] = f'"{uuid.uuid4()}"'
        if "tags" in body:
            existing.body["tags"] = body["tags"] or {}

    def _update(self, call: Call, existing: Resource, body: Json) -> Response:
        self._change(call, existing, body)
        existing.properties["provisioningState"] = "Updating"
        call.world.store.put(existing)
        return call.accept(_UPDATE, existing.id, existing.body)

    def patch(self, call: Call) -> Response:
        existing = call.must_exist()
        body = self.sent(call, patch=True)
        _check_retention(body)
        _check_cap(body)
        self._change(call, existing, body)
        call.world.store.put(existing)
        return Response(200, existing.body)

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        if (existing.properties.get("replication") or {}).get("enabled"):
            raise Refusal(
                409,
                "Conflict",
                f"Workspace '{existing.name}' cannot be deleted because it is linked to DataCollectionEndpoint. Delete "
                f"the linked-service first. Operation Id: '{uuid.uuid4().hex}'",
            )
        if call.request.query.get("force", "").lower() == "true":
            return call.accept(_FORCED_DELETE, existing.id)
        delete_now(call.world, existing.id)
        return Response(200)

    def removed(self, world: World, resource: Resource) -> None:
        if not resource.private.get("forced"):
            world.store.set(
                "deleted workspace", resource.key, {"body": resource.body, "until": world.clock.now() + _KEEP_DELETED}
            )

    action_methods = dict.fromkeys([*_NOTHING_THERE, "usages"], ("GET",))

    def actions(self) -> dict[str, Any]:
        return {
            "sharedkeys": self._shared_keys,
            "listkeys": self._shared_keys,
            "regeneratesharedkey": self._renew,
            "usages": self._usages,
            **dict.fromkeys(_NOTHING_THERE, _nothing),
        }

    def _usages(self, call: Call) -> Response:
        """Return the usage of the cap, which is zero as no data is ingested."""
        cap = call.must_exist().properties["workspaceCapping"]
        usage = {
            "name": {"value": "DataAnalyzed", "localizedValue": "Data Analyzed"},
            "unit": "Bytes",
            "currentValue": 0,
            "limit": -1 if cap["dailyQuotaGb"] < 0 else cap["dailyQuotaGb"] * 2**30,
            "nextResetTime": cap["quotaNextResetTime"],
            "quotaPeriod": "P1D",
        }
        return Response(200, {"value": [usage]})

    def _renew(self, call: Call) -> Response:
        """Regenerate both keys."""
        existing = call.must_exist()
        existing.private["renewed"] = existing.private.get("renewed", 0) + 1
        call.world.store.put(existing)
        return self._shared_keys(call)

    def _shared_keys(self, call: Call) -> Response:
        existing = call.must_exist()
        times = existing.private.get("renewed", 0)
        made = str(existing.properties["customerId"]) + (str(times) if times else "")
        return Response(
            200,
            {
                "primarySharedKey": call.world.derived_key("workspace", made, "primary"),
                "secondarySharedKey": call.world.derived_key("workspace", made, "secondary"),
            },
        )


def _nothing(call: Call) -> Response:
    """Empty lists of unsupported children."""
    workspace = call.must_exist()
    if len(call.rest) > 1:
        name = f"{workspace.name}/{call.rest[1]}"
        raise resource_not_found(f"{WORKSPACE}/{call.rest[0]}", name, call.target.group)
    return Response(200, {"value": []})


_HOUR = 3600


def _replication(sent: Json, now: str) -> Json:
    return {**sent, "provisioningState": "Succeeded", "createdDate": now, "lastModifiedDate": now}


def _change_replication(call: Call, existing: Resource, sent: Json | None) -> None:
    """Once enabled it remains so for an hour, during which the workspace cannot be deleted (recorded)."""
    current = existing.properties.get("replication") or {}
    if sent is None or sent.get("enabled", False) == current.get("enabled", False):
        return
    if not sent.get("enabled") and call.now < existing.private.get("replicated", existing.created) + _HOUR:
        raise Refusal(
            400,
            "InvalidParameter",
            "Workspace replication cannot be disabled at this time because it was enabled in the last hour. "
            f"Operation Id: '{uuid.uuid4().hex}'",
            target="properties.replication",
        )
    existing.private["replicated"] = call.now
    existing.properties["replication"] = _replication(sent, stamp(call.now))


_LEAST_CAP = 0.023
"""GB a day (learn.microsoft.com/azure/azure-monitor/logs/daily-cap); -1 is none."""


def _check_cap(body: Json) -> None:
    quota = ((body.get("properties") or {}).get("workspaceCapping") or {}).get("dailyQuotaGb")
    if quota is not None and quota != -1 and quota < _LEAST_CAP:
        raise Refusal(
            400,
            "InvalidParameter",
            f"'DailyQuotaGb' is -1 or at least {_LEAST_CAP}, not {quota}. Operation Id: '{uuid.uuid4().hex}'",
            target="properties.workspaceCapping.dailyQuotaGb",
        )


def _check_retention(body: Json) -> None:
    """Validate a tier's retention days (learn.microsoft.com/azure/azure-monitor/logs/data-retention-configure)."""
    properties = body.get("properties") or {}
    days = properties.get("retentionInDays")
    if days is not None and not (days in (-1, 7) or 30 <= days <= 730):
        raise Refusal(
            400,
            "InvalidParameter",
            f"'RetentionInDays' property doesn't match the SKU limits: {days}. Operation Id: '{uuid.uuid4().hex}'",
            target="properties.retentionInDays",
        )


@effect("workspace.forced")
def _forced(world: World, operation: Json) -> None:
    workspace = world.store.get(operation["resource"])
    if workspace is not None and not operation["error"]:
        workspace.private["forced"] = True
        delete_now(world, workspace.id)


def list_deleted(world: World, request: Any, segments: list[str]) -> Response:
    group = f"{world.subscription}/".lower()
    if segments[2].lower() == "resourcegroups":
        group += f"resourcegroups/{segments[3]}/".lower()
    return Response(
        200,
        {
            "value": [
                {**record["body"], "properties": {**record["body"]["properties"], "provisioningState": "Succeeded"}}
                for key, record in world.store.records("deleted workspace")
                if key.startswith(group) and record["until"] > world.clock.now()
            ]
        },
    )


EFFECTS.update({"workspace.ready": endings.settled})
FINALS["workspace"] = endings.shows(200)
register(Workspaces())

PATHS = [
    (
        "GET",
        (
            "subscriptions",
            "*",
            "resourcegroups",
            "*",
            "providers",
            "microsoft.operationalinsights",
            "deletedworkspaces",
        ),
        list_deleted,
        "Microsoft.OperationalInsights/deletedWorkspaces",
        "",
    ),
    (
        "GET",
        ("subscriptions", "*", "providers", "microsoft.operationalinsights", "deletedworkspaces"),
        list_deleted,
        "Microsoft.OperationalInsights/deletedWorkspaces",
        "",
    ),
]
