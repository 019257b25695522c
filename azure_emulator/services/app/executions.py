"""Executions of a job: their status, log and replicas."""

from __future__ import annotations

from typing import Any

from azure_emulator.core.clock import stamp
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.app import runtime

Json = dict[str, Any]


def execution_status(world: World, job: Resource, execution: Json) -> tuple[str, runtime.Assessment | None]:
    """Return the status: running until due, then the container's result, which is stored."""
    if execution["stopped"] is not None:
        return "Stopped", None
    state = runtime.assess(world, job.body, execution["template"]["containers"][0], None)
    if "result" not in execution:
        if world.clock.now() < execution["started"] + world.seconds("job", "execution"):
            return "Running", state
        declared = state.image.job if state.image else {}
        failed = not state.ready or bool(declared.get("exit_code"))
        if state.state == "pulling" and world.clock.now() < execution["started"] + _timeout(world, job):
            return "Running", state
        execution["result"] = "Failed" if failed else "Succeeded"
        world.store.put(job)
    return str(execution["result"]), state


def _timeout(world: World, job: Resource) -> float:
    return float(job.properties["configuration"]["replicaTimeout"]) * world.scale


def execution_log(world: World, job: Resource, execution: Json) -> list[str]:
    status, state = execution_status(world, job, execution)
    if state is None or state.state == "pulling":
        return []
    declared = state.image.job if state.image else {}
    if "log" in declared:
        return declared["log"] if isinstance(declared["log"], list) else str(declared["log"]).splitlines()
    return state.log if not state.ready else [f"{job.name} {status.lower()}"]


def shown_execution(world: World, job: Resource, execution: Json) -> Json:
    status, _ = execution_status(world, job, execution)
    properties: Json = {"status": status, "startTime": stamp(execution["started"], digits=0, zone="+00:00")}
    if status in ("Succeeded", "Failed"):
        end = execution["started"] + world.seconds("job", "execution")
        properties["endTime"] = stamp(end, digits=0, zone="+00:00")
    containers = [
        {
            **item,
            "imageType": "ContainerImage",
            "resources": {**(item.get("resources") or {"cpu": 0.5, "memory": "1Gi"}), "ephemeralStorage": ""},
        }
        for item in execution["template"]["containers"]
    ]
    properties["template"] = {"containers": containers, "initContainers": []}
    return {
        "id": f"{job.id}/executions/{execution['name']}",
        "name": execution["name"],
        "type": "Microsoft.App/jobs/executions",
        "properties": properties,
    }


def _exit_code(status: str, state: runtime.Assessment | None) -> int:
    if status == "Succeeded":
        return 0
    if state and not state.ready:
        return state.exit_code
    return int((state.image.job if state and state.image else {}).get("exit_code", 1))


def shown_replica(world: World, job: Resource, execution: Json) -> Json:
    status, state = execution_status(world, job, execution)
    name = f"{execution['name']}-{world.derived_word(5, execution['name'])}"
    place, container = region(job.body["location"]), execution["template"]["containers"][0]["name"]
    path = (
        f"{world.subscription}/resourceGroups/{job.id.split('/')[4]}/jobs/{job.name}/executions/{execution['name']}/"
        f"replicas/{name}/containers/{container}"
    )
    code = _exit_code(status, state)
    running = status == "Running"
    details = (
        ""
        if running
        else f"Container is terminated with exit code {code}, reason: {'Completed' if code == 0 else 'Error'}."
    )
    return {
        "id": f"{job.id}/executions/{execution['name']}/replicas/{name}",
        "name": name,
        "type": "Microsoft.App/jobs/executions/replicas",
        "properties": {
            "createdTime": stamp(execution["started"], digits=0),
            "runningState": "Running" if running else "NotRunning",
            "containers": [
                {
                    "name": container,
                    "ready": running,
                    "started": True,
                    "restartCount": 0,
                    "runningState": "Running" if running else "Terminated",
                    "runningStateDetails": details,
                    "logStreamEndpoint": f"https://{place}.azurecontainerapps.dev{path}/logstream",
                }
            ],
            "initContainers": [],
        },
    }
