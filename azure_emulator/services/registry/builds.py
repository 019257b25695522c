"""A registry's quick builds: upload address, runs, logs, and the storage that holds context and log."""

from __future__ import annotations

import hashlib
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
from azure_emulator.core.world import World
from azure_emulator.services.registry.build_storage import ENDED, LOG_SECONDS, blob_file, blob_path, run_status, signed
from azure_emulator.services.registry.dockerfile import BuildFailure, Context, build

Json = dict[str, Any]
RUN = "Microsoft.ContainerRegistry/registries/runs"
TASK_RUN = "Microsoft.ContainerRegistry/registries/taskRuns"
_RUN = Work("build.finished", ("build", "run"), "registry")
_RUN_RULE: Json = {
    "type!": rules.OneOf("DockerBuildRequest"),
    "sourceLocation": rules.Text(),
    "dockerFilePath!": rules.Text(least=1),
    "imageNames": [rules.Text()],
    "isPushEnabled": rules.Flag(),
    "noCache": rules.Flag(),
    "target": rules.Text(),
    "isArchiveEnabled": rules.Flag(),
    "agentPoolName": rules.Text(),
    "logTemplate": rules.Text(),
    "timeout": rules.Whole(300, 28800),
    "agentConfiguration": {"cpu": rules.Whole()},
    "platform!": {
        "os!": rules.OneOf("Linux", "Windows"),
        "architecture": rules.OneOf("amd64", "x86", "386", "arm", "arm64"),
        "variant": rules.Text(),
    },
    "arguments": [{"name!": rules.Text(), "value!": rules.Text(), "isSecret": rules.Flag()}],
    "credentials": {
        "sourceRegistry": {"loginMode": rules.Text(), "identity": rules.Text()},
        "customRegistries": rules.Map(rules.Anything()),
    },
}
_TASK_RUN_RULE: Json = {
    **rules.ENVELOPE,
    "location": rules.Text(),
    "identity": rules.IDENTITY,
    "properties!": {
        "runRequest": _RUN_RULE,
        "forceUpdateTag": rules.Text(),
        "provisioningState": rules.READ_ONLY,
        "runResult": rules.READ_ONLY,
    },
}


# Runs


def schedule_run(call: Call) -> Response:
    registry = call.must_exist()
    body = rules.clean(call.request.json(), _RUN_RULE, new=True)
    run = start_run(call, registry, body)
    answer = _shown(call.world, registry, run)
    answer["properties"] = {
        "runId": run["id"],
        "status": "Queued",
        "lastUpdatedTime": stamp(run["created"], digits=0, zone="+00:00"),
        "provisioningState": "Succeeded",
        "isArchiveEnabled": False,
    }
    return Response(200, answer)


def start_run(call: Call, registry: Resource, body: Json) -> Json:
    """Builds at once and lets the result be seen when its time has come."""
    world = call.world
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
    registry.private["runs"] += 1
    identifier = f"ch{registry.private['runs']}"
    world.store.put(registry)
    digest, behaviour, log, failure = _build(world, registry, body)
    names = [_reference(registry, name.replace("{{.Run.ID}}", identifier)) for name in body.get("imageNames", [])]
    queued, takes = world.seconds("build", "queued"), world.seconds("build", "run")
    run = {
        "id": identifier,
        "registry": registry.id,
        "created": call.now,
        "started": call.now + queued,
        "finished": call.now + queued + takes,
        "failure": failure,
        "canceled": None,
        "pushed": names if body.get("isPushEnabled", True) and failure is None else [],
        "digest": digest,
        "behaviour": behaviour,
        "platform": body["platform"],
        "cpu": body.get("agentConfiguration", {}).get("cpu", 2),
        "who": call.request.principal.client_id if call.request.principal else "",
        "log_path": blob_path(world, registry, f"logs/{identifier}/rawtext.log"),
        "log": [f"{stamp(call.now, digits=0).replace('T', ' ')[:19]} Downloading source code...", *log],
    }
    if call.request.fail_operation is not None:
        run["failure"], run["pushed"] = call.request.fail_operation, []
    world.store.set("run", f"{registry.key}/{identifier}", run)
    begin(world, call.request, _RUN, f"{registry.id}/runs/{identifier}", seconds=queued + takes)
    return run


def _build(world: World, registry: Resource, body: Json) -> tuple[str, Json, list[str], str | None]:
    """Digest, behaviour of the image, log and, if it fails, why."""
    source = body.get("sourceLocation", "")
    credentials = (body.get("credentials") or {}).get("sourceRegistry") or {}
    abac = registry.properties["roleAssignmentMode"] == "AbacRepositoryPermissions"
    if abac and body.get("isPushEnabled", True) and not credentials.get("identity"):
        # learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions
        text = f"unauthorized: the run has no credentials for {registry.properties['loginServer']}"
        return "", {}, [text, "failed to run step ID: push: exit status 1"], text
    file = blob_file(world, blob_path(world, registry, source))
    if re.match(r"https?://", source) or not file.exists():
        text = f"failed to download context: {source or 'no source location'}: the specified blob does not exist."
        return "", {}, [text, "Run failed"], text
    arguments = {item["name"]: item["value"] for item in body.get("arguments", [])}
    try:
        context = Context.read(file.read_bytes())
        image = build(context, body["dockerFilePath"], target=body.get("target", ""), arguments=arguments)
    except BuildFailure as failed:
        log = failed.args[1] if len(failed.args) > 1 else [failed.args[0]]
        return "", {}, [*log, "failed to run step ID: build: exit status 1"], str(failed.args[0])
    what = "\0".join(
        [
            context.digest,
            body["dockerFilePath"],
            body.get("target", ""),
            body["platform"]["os"],
            body["platform"].get("architecture", "amd64"),
            *(f"{name}={value}" for name, value in sorted(arguments.items())),
        ]
    )
    digest = "sha256:" + hashlib.sha256(what.encode()).hexdigest()
    behaviour = {
        **image.behaviour,
        "architecture": body["platform"].get("architecture", "amd64"),
        "os": body["platform"]["os"],
        "arguments": {},
    }
    return digest, behaviour, [*image.log, f"digest: {digest}", "Run ID was successful"], None


def _reference(registry: Resource, name: str) -> Json:
    """Names come with or without the login server."""
    server = registry.properties["loginServer"]
    plain = name.removeprefix(f"{server}/")
    repository, _, tag = plain.rpartition(":") if ":" in plain.split("/")[-1] else (plain, "", "latest")
    return {"registry": server, "repository": repository, "tag": tag}


@effect("build.finished")
def _finished(world: World, operation: Json) -> None:
    registry_id, identifier = operation["resource"].rsplit("/runs/", 1)
    registry = world.store.get(registry_id)
    run = world.store.record("run", f"{registry_id.lower()}/{identifier}")
    if registry is None or run is None or run["canceled"] is not None:
        return
    for image in run["pushed"]:
        push(world, registry, image["repository"], image["tag"], run["digest"], run["behaviour"])


def push(world: World, registry: Resource, repository: str, tag: str, digest: str, behaviour: Json) -> None:
    held = registry.private["repositories"].setdefault(repository.lower(), {"tags": {}, "manifests": {}})
    now = stamp(world.clock.now())
    held["manifests"].setdefault(digest, {"behaviour": behaviour, "created": now})
    held["tags"][tag] = {"digest": digest, "time": now}
    world.store.put(registry)


def _shown(world: World, registry: Resource, run: Json) -> Json:
    status = run_status(world, run)
    ended = status in ENDED
    finished = run["canceled"] if run["canceled"] is not None else run["finished"]
    changed = finished if ended else run["started"] if status == "Running" else run["created"]
    properties: Json = {
        "runId": run["id"],
        "status": status,
        "lastUpdatedTime": stamp(changed, digits=0, zone="+00:00"),
        "runType": "QuickRun",
        "createTime": stamp(run["created"], zone="+00:00"),
        "platform": {"os": run["platform"]["os"].lower(), "architecture": run["platform"].get("architecture", "amd64")},
        "agentConfiguration": {"cpu": run["cpu"]},
        "provisioningState": "Succeeded",
        "isArchiveEnabled": False,
    }
    if status != "Queued":
        properties["startTime"] = stamp(run["started"], zone="+00:00")
    if ended:
        properties["finishTime"] = stamp(finished, zone="+00:00")
        if status == "Succeeded" and run["pushed"]:
            properties["outputImages"] = [{**image, "digest": run["digest"]} for image in run["pushed"]]
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
    """Runs live in the registry's own records; newest first in listings."""

    type = RUN
    tracked = False
    stored = False

    def _run(self, call: Call) -> tuple[Resource, Json]:
        registry = call.world.store.get(call.target.parent)
        assert registry is not None
        run = call.world.store.record("run", f"{registry.key}/{call.target.name.lower()}")
        if run is None or run["created"] < registry.created:
            raise Refusal(404, "RunNotFound", f"The run with ID {call.target.name} was not found.")
        return registry, run

    def get(self, call: Call) -> Response:
        registry, run = self._run(call)
        return Response(200, _shown(call.world, registry, run))

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
        top = call.request.query.get("$top")
        shown = [_shown(call.world, registry, run) for run in runs[: int(top) if top else 100]]
        return Response(200, {"value": shown})

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


class TaskRuns(ResourceType):
    """A named run: one per name and forceUpdateTag
    (learn.microsoft.com/azure/container-registry/container-registry-task-run-template)."""

    type = TASK_RUN
    tracked = False
    name_pattern = r"[A-Za-z0-9_-]{5,50}"

    def put(self, call: Call) -> Response:
        registry = call.world.store.get(call.target.parent)
        assert registry is not None
        body = rules.clean(call.request.json(), _TASK_RUN_RULE, new=call.existing is None)
        sent = body["properties"]
        if "runRequest" not in sent:
            raise Refusal(400, "InvalidRequestContent", "The property 'properties.runRequest' is required.")
        tag = sent.get("forceUpdateTag", "")
        if call.existing is not None and call.existing.private["tag"] == tag:
            return Response(200, self.shown(call.world, call.existing))
        run = start_run(call, registry, sent["runRequest"])
        request = {
            **sent["runRequest"],
            "arguments": [
                {**item, **({"value": ""} if item.get("isSecret") else {})}
                for item in sent["runRequest"].get("arguments", [])
            ],
        }
        shown = {
            "id": call.target.id,
            "name": call.target.name,
            "type": TASK_RUN,
            "location": body.get("location", registry.body["location"]),
            "systemData": system_data(call, "+00:00"),
            "properties": {"forceUpdateTag": tag, "runRequest": request},
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
                "runResult": _shown(world, registry, run),
            },
        }

    def delete(self, call: Call) -> Response:
        call.world.store.drop(call.must_exist().id)
        return Response(200)

    def actions(self) -> dict[str, Any]:
        return {"listdetails": self.get}


register(Runs(), TaskRuns())
