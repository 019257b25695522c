"""Container Apps jobs and their executions."""

from __future__ import annotations

import json
from typing import Any

from azure_emulator.core import endings, rules
from azure_emulator.core.effects import EFFECTS, FINALS
from azure_emulator.core.errors import Refusal, gateway
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, display_location, register, system_data
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.app import bodies, defaults, schema
from azure_emulator.services.app.checks import check_pulls
from azure_emulator.services.app.cron import check_schedule
from azure_emulator.services.app.environments import auth_token
from azure_emulator.services.app.executions import execution_status, shown_execution, shown_replica
from azure_emulator.services.app.lifecycle import JOB_DELETE, JOB_PATCH, JOB_PUT
from azure_emulator.services.app.types import JOB
from azure_emulator.services.managedidentity.identities import assigned

Json = dict[str, Any]
_EXECUTIONS_KEPT = 100


class Jobs(ResourceType):
    """PUT 201 always; PATCH 202 with Location only; DELETE 202; start 200 (recorded traffic of Azure/azure-cli)."""

    type = JOB
    body_rule = schema.JOB
    name_pattern = schema.APP_NAME
    name_error = (
        "JobInvalidName",
        "Invalid Job name '{name}'. A name must consist of lower case alphanumeric characters or "
        "'-', start with an alphabetic character, and end with an alphanumeric character and "
        "cannot have '--'. The length must not be more than 32 characters.",
    )
    listed_with = ("identity", "systemData", "tags")

    def put(self, call: Call) -> Response:
        self._refuse_running(call)
        body = self.sent(call)
        return self._apply(call, body, patch=False)

    def patch(self, call: Call) -> Response:
        existing = call.must_exist()
        self._refuse_running(call)
        sent = self.sent(call, patch=True)
        base: Json = {key: existing.body[key] for key in ("location", "tags", "identity") if key in existing.body}
        kept = existing.properties
        base["properties"] = {
            "environmentId": kept["environmentId"],
            "workloadProfileName": kept["workloadProfileName"],
            "configuration": {
                key: value
                for key, value in {**kept["configuration"], "secrets": existing.private["secrets"]}.items()
                if value
            },
            "template": {key: value for key, value in kept["template"].items() if value is not None},
        }
        if "tags" in sent:  # replaced as a whole, as everywhere in ARM
            base["tags"] = sent.pop("tags") or {}
        return self._apply(call, rules.merge(base, sent), patch=True)

    def _refuse_running(self, call: Call) -> None:
        if call.existing is not None and call.world.operations.running(call.existing.id) is not None:
            raise Refusal(
                409,
                "ContainerAppsJobOperationInProgress",
                f"Cannot modify the job '{call.target.name}' because there is active provisioning in progress.",
            )

    def _apply(self, call: Call, body: Json, *, patch: bool) -> Response:
        world, properties = call.world, body["properties"]
        environment = bodies.environment_of(call, properties)
        configuration, template = dict(properties.get("configuration") or {}), dict(properties.get("template") or {})
        secrets = bodies.given(configuration.get("secrets"))
        if call.existing is not None:
            known = {item["name"] for item in call.existing.private["secrets"]}
            secrets = [
                {**item, "value": bodies.UNCHANGED}
                if item["name"] in known and not {"value", "keyVaultUrl"} & set(item)
                else item
                for item in secrets
            ]
        self._check(call, body, configuration, template, secrets, environment)
        shown = self._shown(call, body, configuration, template, environment)
        shown["properties"]["configuration"]["secrets"] = bodies.shown_secrets(secrets)
        private = dict(call.existing.private) if call.existing else {"executions": []}
        resource = Resource(call.target.id, JOB, shown, call.existing.created if call.existing else call.now, private)
        resource.private["secrets"] = bodies.keep_values(world, resource.key, secrets)
        world.store.put(resource)
        work, answer = (JOB_PATCH, None) if patch else (JOB_PUT, _echo(shown, call.request.api_version))
        return call.accept(work, call.target.id, answer, place=region(environment.body["location"]) or "")

    def _shown(self, call: Call, body: Json, configuration: Json, template: Json, environment: Resource) -> Json:
        world, identifier = call.world, call.target.id
        stream = f"{world.subscription}/resourceGroups/{call.target.group}/containerApps/{call.target.name}/eventstream"
        place = region(environment.body["location"]) or ""
        return {
            "id": identifier,
            "name": call.target.name,
            "type": JOB,
            "location": display_location(body["location"]),
            **({"tags": body["tags"]} if body.get("tags") else {}),
            "systemData": system_data(
                call, created=None if call.existing is None else call.existing.body["systemData"]["createdAt"]
            ),
            "properties": {
                "provisioningState": "InProgress",
                "environmentId": environment.id,
                "workloadProfileName": bodies.check_workload_profile(
                    environment, body["properties"].get("workloadProfileName")
                ),
                "configuration": {**defaults.JOB_CONFIGURATION, **configuration},
                "template": {**defaults.JOB_TEMPLATE, **template},
                "eventStreamEndpoint": f"https://{place}.azurecontainerapps.dev{stream}",
            },
            "identity": assigned(world, body.get("identity"), identifier.lower()),
        }

    def _check(
        self, call: Call, body: Json, configuration: Json, template: Json, secrets: list[Json], environment: Resource
    ) -> None:
        wanted = {"Manual": "manualTriggerConfig", "Schedule": "scheduleTriggerConfig", "Event": "eventTriggerConfig"}
        trigger = configuration.get("triggerType")
        if trigger is None:
            raise bodies.refuse("ContainerAppsJobInvalidConfiguration", "The triggerType is required.")
        if not configuration.get(wanted[trigger]):
            raise bodies.refuse(
                "ContainerAppsJobInvalidTriggerConfig",
                f"{wanted[trigger]} is required for the trigger type '{trigger}'.",
            )
        if trigger == "Schedule":
            check_schedule(configuration["scheduleTriggerConfig"]["cronExpression"])
        bodies.check_identities(call, body)
        bodies.check_secrets(call, body, secrets)
        names = {item["name"] for item in secrets}
        bodies.check_registries(call, body, configuration.get("registries") or [], names)
        bodies.check_template(call, template, names, environment, probes=False)
        check_pulls(call.world, body, template)

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        running = call.world.operations.running(existing.id)
        if running is not None and running["kind"] != "job.deleted":
            raise Refusal(
                409, "ContainerAppsJobOperationInProgress", f"The job '{existing.name}' is being provisioned."
            )
        existing.properties["provisioningState"] = "Deleting"
        call.world.store.put(existing)
        if running is not None:
            return call.accepted(JOB_DELETE, running)
        return call.accept(JOB_DELETE, existing.id)

    def shown(self, world: World, resource: Resource) -> Json:
        body: Json = bodies.without_zone(json.loads(json.dumps(resource.body)))
        body["properties"]["template"] = bodies.with_resources(body["properties"]["template"])
        if "suspended" in resource.private:
            body["properties"]["runningState"] = "Suspended" if resource.private["suspended"] else "Ready"
        return body

    action_methods = {"executions": ("GET", "POST")}

    def listed(self, world: World, resource: Resource) -> Json:
        return bodies.without_zone(resource.body)

    def actions(self) -> dict[str, Any]:
        return {
            "start": self._start,
            "stop": self._stop,
            "suspend": self._suspend,
            "resume": self._suspend,
            "executions": self._executions,
            "listsecrets": self._secrets,
            "getauthtoken": auth_token,
        }

    def _suspend(self, call: Call) -> Response:
        """A suspended job cannot be started by schedule or manually (PyPI azure-mgmt-appcontainers 5.1.0)."""
        job = call.must_exist()
        job.private["suspended"] = call.rest[0].lower() == "suspend"
        call.world.store.put(job)
        return Response(200, self.shown(call.world, job))

    def _secrets(self, call: Call) -> Response:
        existing = call.must_exist()
        return Response(200, bodies.secret_values(call.world, existing.key, existing.private["secrets"]))

    def _start(self, call: Call) -> Response:
        """Start an execution; each POST starts another one, as there is no idempotency key."""
        job, world = call.must_exist(), call.world
        if job.properties["provisioningState"] != "Succeeded":
            raise Refusal(409, "ContainerAppsJobOperationInProgress", f"The job '{job.name}' is being provisioned.")
        if job.private.get("suspended"):
            raise Refusal(409, "JobSuspended", f"The job '{job.name}' is suspended.")
        override = rules.clean(call.request.json(), schema.JOB_OVERRIDE) if call.request.body.strip() else {}
        name = f"{job.name}-{world.derived_word(7, job.key, str(call.now), str(len(job.private['executions'])))}"
        template = {"containers": override.get("containers") or job.properties["template"]["containers"]}
        execution = {"name": name, "started": call.now, "template": template, "stopped": None}
        job.private["executions"] = [*job.private["executions"], execution][-_EXECUTIONS_KEPT:]
        world.store.put(job)
        return Response(200, {"id": f"{job.id}/executions/{name}", "name": name})

    def _find(self, job: Resource, name: str) -> Json:
        for execution in job.private["executions"]:
            if execution["name"].lower() == name.lower():
                found: Json = execution
                return found
        raise Refusal(
            404, "ContainerAppsJobExecutionNotFound", f"The execution '{name}' of job '{job.name}' was not found."
        )

    def _executions(self, call: Call) -> Response:
        """`executions[/{e}[/stop | /replicas]]`."""
        job, rest = call.must_exist(), call.rest[1:]
        if not rest:
            return Response(
                200, {"value": [shown_execution(call.world, job, item) for item in job.private["executions"]]}
            )
        execution = self._find(job, rest[0])
        if len(rest) == 1 and call.request.method == "GET":
            return Response(200, shown_execution(call.world, job, execution))
        if rest[1:] and rest[1].lower() == "stop":
            return self._stop_one(call, job, execution)
        if rest[1:] and rest[1].lower() == "replicas":
            return Response(200, {"value": [shown_replica(call.world, job, execution)]})
        raise gateway(404, "NotFound", f"'{'/'.join(call.rest)}' was not found.")

    def _stop_one(self, call: Call, job: Resource, execution: Json) -> Response:
        if execution_status(call.world, job, execution)[0] == "Running":
            execution["stopped"] = call.now
            call.world.store.put(job)
        return Response(200)

    def _stop(self, call: Call) -> Response:
        """Stop one: 200, empty; stop all: 200 with the previous list (recorded)."""
        job = call.must_exist()
        if len(call.rest) > 1:
            return self._stop_one(call, job, self._find(job, call.rest[1]))
        running = [
            item for item in job.private["executions"] if execution_status(call.world, job, item)[0] == "Running"
        ]
        before = [shown_execution(call.world, job, item) for item in running]
        for item in running:
            item["stopped"] = call.now
        call.world.store.put(job)
        return Response(200, {"value": before})


def _echo(shown: Json, version: str) -> Json:
    """Return the reply to PUT; preview versions show more (recorded traffic of Azure/azure-cli-extensions)."""
    body: Json = json.loads(json.dumps(shown))
    preview = version.endswith("-preview")
    if preview:
        body["properties"]["runningStatus"] = "Ready"
    for container in body["properties"]["template"]["containers"]:
        if container.get("resources"):
            container["resources"] = bodies.sized(container["resources"])
        if preview:
            container["imageType"] = "ContainerImage"
    return body


EFFECTS.update({"job.ready": endings.settled, "job.deleted": endings.removed})
FINALS["job"] = endings.shows(204)
register(Jobs())
