"""Tasks of a registry: a stored step, run by its id. Triggers (a commit, a timer, a base image) do
not fire here; tasks run only on request."""

from __future__ import annotations

from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, register, system_data
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.managedidentity.identities import assigned
from azure_emulator.services.registry.run_requests import AGENT, ARGUMENTS, CREDENTIALS, PLATFORM

Json = dict[str, Any]
TASK = "Microsoft.ContainerRegistry/registries/tasks"
_STEP: Json = {
    "type!": rules.OneOf("Docker", "FileTask", "EncodedTask"),
    "contextPath": rules.TEXT,
    "contextAccessToken": rules.TEXT,
    "dockerFilePath": rules.TEXT,
    "imageNames": rules.TEXTS,
    "isPushEnabled": rules.FLAG,
    "noCache": rules.FLAG,
    "target": rules.TEXT,
    "arguments": ARGUMENTS,
    "taskFilePath": rules.TEXT,
    "valuesFilePath": rules.TEXT,
    "encodedTaskContent": rules.TEXT,
    "encodedValuesContent": rules.TEXT,
    "values": ARGUMENTS,
    "baseImageDependencies": rules.READ_ONLY,
}
_NEEDED = {"Docker": "dockerFilePath", "FileTask": "taskFilePath", "EncodedTask": "encodedTaskContent"}
_RULE: Json = {
    **rules.TRACKED,
    "identity": rules.IDENTITY,
    "properties!": {
        "status": rules.OneOf("Enabled", "Disabled"),
        "platform": PLATFORM,
        "agentConfiguration": AGENT,
        "agentPoolName": rules.TEXT,
        "timeout": rules.Whole(300, 28800),
        "step": _STEP,
        "trigger": rules.OBJECT,
        "credentials": CREDENTIALS,
        "logTemplate": rules.TEXT,
        "isSystemTask": rules.FLAG,
        "creationDate": rules.READ_ONLY,
        "provisioningState": rules.READ_ONLY,
    },
}
_REQUESTS = {"Docker": "DockerBuildRequest", "FileTask": "FileTaskRunRequest", "EncodedTask": "EncodedTaskRunRequest"}


class Tasks(ResourceType):
    """PUT 201, 200 on an existing one; PATCH merges; DELETE 200."""

    type = TASK
    body_rule = _RULE
    versioned = {"systemData": "2019-06-01", "properties.isSystemTask": "2019-06-01"}
    name_pattern = r"[A-Za-z0-9_-]{5,50}"

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        sent = body["properties"]
        for name in ("platform", "step"):
            if name not in sent and not sent.get("isSystemTask"):
                raise Refusal(400, "InvalidRequestContent", f"The property 'properties.{name}' is required.")
        _check_step(sent.get("step"))
        properties = {
            "creationDate": stamp(call.now, zone="+00:00"),
            "status": "Enabled",
            "agentConfiguration": {"cpu": 2},
            "timeout": 3600,
            "isSystemTask": False,
            **sent,
            "provisioningState": "Succeeded",
        }
        shown = {
            "id": call.target.id,
            "name": call.target.name,
            "type": TASK,
            "location": body["location"],
            "tags": body.get("tags", {}),
            "systemData": system_data(call, "+00:00"),
            "properties": properties,
        }
        if "identity" in body:
            shown["identity"] = assigned(call.world, body["identity"], call.target.id.lower())
        created = call.existing.created if call.existing else call.now
        call.world.store.put(Resource(call.target.id, TASK, shown, created))
        return Response(200 if call.existing else 201, _without_secrets(shown))

    def patch(self, call: Call) -> Response:
        existing = call.must_exist()
        body = self.sent(call, patch=True)
        existing.body["properties"] = rules.update(existing.properties, body.get("properties") or {})
        _check_step(existing.properties.get("step"))
        if "tags" in body:
            existing.body["tags"] = body["tags"] or {}
        call.world.store.put(existing)
        return Response(200, _without_secrets(existing.body))

    def delete(self, call: Call) -> Response:
        call.world.store.drop(call.must_exist().id)
        return Response(200)

    def shown(self, world: World, resource: Resource) -> Json:
        return _without_secrets(resource.body)

    def actions(self) -> dict[str, Any]:
        return {"listdetails": self.get}


def _check_step(step: Json | None) -> None:
    if step is not None and not step.get(_NEEDED[step["type"]]):
        needed = _NEEDED[step["type"]]
        raise Refusal(400, "InvalidRequestContent", f"The property 'properties.step.{needed}' is required.")


def _without_secrets(body: Json) -> Json:
    step = dict(body["properties"].get("step") or {})
    for key in ("arguments", "values"):
        if key in step:
            step[key] = [{**item, **({"value": ""} if item.get("isSecret") else {})} for item in step[key]]
    return {**body, "properties": {**body["properties"], **({"step": step} if step else {})}}


def request_of(world: World, registry: Resource, asked: Json) -> tuple[str, Json]:
    """Return the task of a request, and the equivalent direct request."""
    task = world.store.get(asked["taskId"])
    if task is None or task.type != TASK or not task.key.startswith(registry.key + "/"):
        raise Refusal(404, "TaskNotFound", f"The task '{asked['taskId']}' was not found.")
    if task.properties["status"] != "Enabled" or "step" not in task.properties:
        raise Refusal(400, "TaskNotEnabled", f"The task {task.name} is not enabled.")
    override = asked.get("overrideTaskStepProperties") or {}
    step = {**task.properties["step"], **{key: value for key, value in override.items() if key != "updateTriggerToken"}}
    kind = step.pop("type")
    source = step.pop("contextPath", "")
    step.pop("contextAccessToken", None)
    return task.name, {
        **step,
        "type": _REQUESTS[kind],
        "sourceLocation": source,
        **{key: task.properties[key] for key in ("platform", "agentConfiguration", "timeout")},
        **{key: task.properties[key] for key in ("credentials",) if key in task.properties},
    }


register(Tasks())
