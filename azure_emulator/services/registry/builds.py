"""A registry's quick builds: upload address, runs, logs, and the storage that holds context and log."""

from __future__ import annotations

import re
from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.effects import effect
from azure_emulator.core.errors import Refusal
from azure_emulator.core.lifecycle import Work, begin
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register, system_data
from azure_emulator.core.store import Resource
from azure_emulator.core.versioned import at_version
from azure_emulator.core.world import World
from azure_emulator.services.registry import building, repositories, run_requests, tasks
from azure_emulator.services.registry.build_storage import ENDED, LOG_SECONDS, blob_path, run_status, signed

Json = dict[str, Any]
RUN = "Microsoft.ContainerRegistry/registries/runs"
TASK_RUN = "Microsoft.ContainerRegistry/registries/taskRuns"
_RUN = Work("build.finished", ("build", "run"), "registry")
_TASK_RUN_RULE: Json = {
    **rules.ENVELOPE,
    "location": rules.TEXT,
    "identity": rules.IDENTITY,
    "properties!": {
        "runRequest": rules.OBJECT,
        "forceUpdateTag": rules.TEXT,
        "provisioningState": rules.READ_ONLY,
        "runResult": rules.READ_ONLY,
    },
}


# Runs


def schedule_run(call: Call) -> Response:
    registry = call.must_exist()
    body = run_requests.cleaned(call.request.json())
    task = ""
    if body["type"] == "TaskRunRequest":
        task, body = tasks.request_of(call.world, registry, body)
    run = start_run(call, registry, body, task)
    answer = shown_run(call.world, registry, run)
    answer["properties"] = {
        "runId": run["id"],
        "status": "Queued",
        "lastUpdatedTime": stamp(run["created"], digits=0, zone="+00:00"),
        "provisioningState": "Succeeded",
        "isArchiveEnabled": run["archive"],
    }
    return Response(200, at_version(answer, Runs.versioned, call.request.api_version))


def start_run(call: Call, registry: Resource, body: Json, task: str = "") -> Json:
    """Build immediately and show the result when it is due."""
    world = call.world
    _check_allowed(world, registry)
    registry.private["runs"] += 1
    identifier = f"ch{registry.private['runs']}"
    world.store.put(registry)
    result = building.run(world, registry, body, identifier)
    queued, takes = world.seconds("build", "queued"), world.seconds("build", "run")
    run = {
        "id": identifier,
        "registry": registry.id,
        "created": call.now,
        "started": call.now + queued,
        "finished": call.now + queued + takes,
        "failure": result.failure,
        "canceled": None,
        "pushed": result.pushed,
        "platform": body["platform"],
        "cpu": body.get("agentConfiguration", {}).get("cpu", 2),
        "who": call.request.principal.client_id if call.request.principal else "",
        "log_path": blob_path(world, registry, f"logs/{identifier}/rawtext.log"),
        "log": [f"{stamp(call.now, digits=0).replace('T', ' ')[:19]} Downloading source code...", *result.log],
        "archive": body.get("isArchiveEnabled", False),
        "task": task,
    }
    if call.request.fail_operation is not None:
        run["failure"], run["pushed"] = call.request.fail_operation, []
    world.store.set("run", f"{registry.key}/{identifier}", run)
    begin(world, call.request, _RUN, f"{registry.id}/runs/{identifier}", seconds=queued + takes)
    return run


def _check_allowed(world: World, registry: Resource) -> None:
    if not world.tasks_allowed:
        raise Refusal(
            400,
            "TasksOperationsNotAllowed",
            f"ACR Tasks requests for the registry {registry.name} and subscription are not permitted. Please "
            "file an Azure support request at http://aka.ms/azuresupport for assistance.",
            target="request",
        )
    if registry.properties["publicNetworkAccess"] == "Disabled":
        raise Refusal(403, "Denied", "The registry does not allow access from public networks.")


@effect("build.finished")
def _finished(world: World, operation: Json) -> None:
    registry_id, identifier = operation["resource"].rsplit("/runs/", 1)
    registry = world.store.get(registry_id)
    run = world.store.record("run", f"{registry_id.lower()}/{identifier}")
    if registry is None or run is None or run["canceled"] is not None:
        return
    for image in run["pushed"]:
        repositories.put_manifest(world, registry, image["repository"], image["digest"], image["manifest"])
        repositories.put_tag(world, registry, image["repository"], image["tag"], image["digest"])


def shown_run(world: World, registry: Resource, run: Json) -> Json:
    status = run_status(world, run)
    ended = status in ENDED
    finished = run["canceled"] if run["canceled"] is not None else run["finished"]
    changed = finished if ended else run["started"] if status == "Running" else run["created"]
    properties: Json = {
        "runId": run["id"],
        "status": status,
        "lastUpdatedTime": stamp(changed, digits=0, zone="+00:00"),
        "runType": "QuickRun",
        **({"task": run["task"]} if run["task"] else {}),
        "createTime": stamp(run["created"], zone="+00:00"),
        "platform": {"os": run["platform"]["os"], "architecture": run["platform"].get("architecture", "amd64")},
        "agentConfiguration": {"cpu": run["cpu"]},
        "provisioningState": "Succeeded",
        "isArchiveEnabled": run["archive"],
    }
    if status != "Queued":
        properties["startTime"] = stamp(run["started"], zone="+00:00")
    if ended:
        properties["finishTime"] = stamp(finished, zone="+00:00")
        if status == "Succeeded" and run["pushed"]:
            shown = ("registry", "repository", "tag", "digest")
            properties["outputImages"] = [{key: image[key] for key in shown} for image in run["pushed"]]
        if status == "Failed":
            properties["runErrorMessage"] = "failed to run step ID: build: exit status 1"
    return {
        "type": RUN,
        "properties": properties,
        "id": f"{registry.id}/runs/{run['id']}",
        "name": run["id"],
        "systemData": {
            "lastModifiedBy": run["who"],
            "lastModifiedByType": "Application",
            "lastModifiedAt": stamp(changed, zone="+00:00"),
        },
    }


class Runs(ResourceType):
    """Runs are stored in the registry's records; newest first in listings."""

    type = RUN
    tracked = False
    stored = False
    versioned = {"systemData": "2019-06-01"}

    def _run(self, call: Call) -> tuple[Resource, Json]:
        registry = call.world.store.get(call.target.parent)
        assert registry is not None
        run = call.world.store.record("run", f"{registry.key}/{call.target.name.lower()}")
        if run is None or run["created"] < registry.created:
            raise Refusal(404, "RunNotFound", f"The run with ID {call.target.name} was not found.")
        return registry, run

    def get(self, call: Call) -> Response:
        registry, run = self._run(call)
        return Response(200, shown_run(call.world, registry, run))

    def missing_error(self, call: Call) -> Refusal:
        return Refusal(404, "RunNotFound", f"The run with ID {call.target.name} was not found.")

    def list(self, call: Call, scope: str) -> Response:
        registry = call.world.store.get(scope)
        assert registry is not None
        runs = [
            run
            for key, run in call.world.store.records("run")
            if key.startswith(registry.key + "/") and run["created"] >= registry.created
        ]
        runs.sort(key=lambda run: -int(run["id"][2:]))
        runs = _filtered(call, registry, runs)
        top = call.request.query.get("$top")
        shown = [shown_run(call.world, registry, run) for run in runs[: int(top) if top else 100]]
        return Response(200, {"value": shown})

    def patch(self, call: Call) -> Response:
        """Update a run: only its archiving can be changed."""
        registry, run = self._run(call)
        run["archive"] = rules.clean(call.request.json(), {"isArchiveEnabled": rules.FLAG}).get(
            "isArchiveEnabled", run["archive"]
        )
        call.world.store.set("run", f"{registry.key}/{run['id']}", run)
        return Response(200, shown_run(call.world, registry, run))

    def actions(self) -> dict[str, Any]:
        return {"listlogsasurl": self._log_url, "cancel": self._cancel}

    def _log_url(self, call: Call) -> Response:
        registry, run = self._run(call)
        return Response(
            200, {"logLink": signed(call.world, registry, f"logs/{run['id']}/rawtext.log", "r", LOG_SECONDS)}
        )

    def _cancel(self, call: Call) -> Response:
        registry, run = self._run(call)
        if run_status(call.world, run) in ENDED:
            raise Refusal(400, "RunCancelNotAllowed", f"The run {run['id']} has ended and cannot be canceled.")
        run["canceled"] = call.now
        run["pushed"] = []
        call.world.store.set("run", f"{registry.key}/{run['id']}", run)
        return Response(200)


def _filtered(call: Call, registry: Resource, runs: list[Json]) -> list[Json]:
    """By $filter: `field eq 'value'`, joined by `and` (learn.microsoft.com/rest/api/containerregistry/runs/list)."""
    text = call.request.query.get("$filter", "").strip()
    for part in re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text else []:
        match = re.fullmatch(r"(?i)(runId|runType|status|task)\s+eq\s+'([^']*)'", part.strip())
        if match is None:
            raise Refusal(400, "InvalidFilter", f"The filter '{text}' is not supported.")
        field = next(name for name in ("runId", "runType", "status", "task") if name.lower() == match[1].lower())
        wanted = match[2].lower()
        runs = [
            run
            for run in runs
            if str(shown_run(call.world, registry, run)["properties"].get(field, "")).lower() == wanted
        ]
    return runs


class TaskRuns(ResourceType):
    """A named run: one per name and forceUpdateTag
    (learn.microsoft.com/azure/container-registry/container-registry-task-run-template)."""

    type = TASK_RUN
    body_rule = _TASK_RUN_RULE
    tracked = False
    name_pattern = r"[A-Za-z0-9_-]{5,50}"

    def put(self, call: Call) -> Response:
        registry = call.world.store.get(call.target.parent)
        assert registry is not None
        body = self.sent(call)
        sent = body["properties"]
        if "runRequest" not in sent:
            raise Refusal(400, "InvalidRequestContent", "The property 'properties.runRequest' is required.")
        tag = sent.get("forceUpdateTag", "")
        if call.existing is not None and call.existing.private["tag"] == tag:
            return Response(200, self.shown(call.world, call.existing))
        request = run_requests.cleaned(sent["runRequest"])
        task = ""
        if request["type"] == "TaskRunRequest":
            task, request = tasks.request_of(call.world, registry, request)
        run = start_run(call, registry, request, task)
        shown = {
            "id": call.target.id,
            "name": call.target.name,
            "type": TASK_RUN,
            "location": body.get("location", registry.body["location"]),
            "systemData": system_data(call, "+00:00"),
            "properties": {"forceUpdateTag": tag, "runRequest": run_requests.without_secrets(request)},
        }
        resource = call.world.store.put(
            Resource(call.target.id, TASK_RUN, shown, call.now, {"tag": tag, "run": run["id"], "registry": registry.id})
        )
        return Response(201, self.shown(call.world, resource))

    def shown(self, world: World, resource: Resource) -> Json:
        registry = world.store.get(resource.private["registry"])
        assert registry is not None
        run = world.store.record("run", f"{registry.key}/{resource.private['run']}")
        assert run is not None
        state = {"Queued": "Creating", "Running": "Creating", "Succeeded": "Succeeded", "Canceled": "Canceled"}.get(
            run_status(world, run), "Failed"
        )
        return {
            **resource.body,
            "properties": {
                **resource.properties,
                "provisioningState": state,
                "runResult": shown_run(world, registry, run),
            },
        }

    def delete(self, call: Call) -> Response:
        call.world.store.drop(call.must_exist().id)
        return Response(200)

    def actions(self) -> dict[str, Any]:
        return {"listdetails": self.get}


register(Runs(), TaskRuns())
