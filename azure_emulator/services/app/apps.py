"""Container apps: PUT, PATCH and GET."""

from __future__ import annotations

from typing import Any

from azure_emulator.core import endings, rules
from azure_emulator.core.effects import EFFECTS, FINALS, effect
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, display_location, register, system_data
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.app import bodies, defaults, revisions, runtime, schema
from azure_emulator.services.app.checks import check_ingress, check_pulls, check_scale, check_traffic
from azure_emulator.services.app.domains import analysis, check_custom_domains
from azure_emulator.services.app.environments import auth_token, verification
from azure_emulator.services.app.lifecycle import APP_DELETE, APP_PATCH, APP_PUT
from azure_emulator.services.app.types import APP
from azure_emulator.services.app.views import at_version, check_version, echo, shown_app, without_nulls
from azure_emulator.services.managedidentity.identities import assigned

Json = dict[str, Any]


class Apps(ResourceType):
    """PUT 201 always, with an echo of the request and Azure-AsyncOperation; PATCH 202, empty, with both headers;
    DELETE 202 with Location (382 recorded PUTs of Azure/azure-cli)."""

    type = APP
    body_rule = schema.APP
    name_pattern = schema.APP_NAME
    name_error = (
        "ContainerAppInvalidName",
        "Invalid ContainerApp name '{name}'. A name must consist of lower case "
        "alphanumeric characters or '-', start with an alphabetic character, and end "
        "with an alphanumeric character and cannot have '--'. The length must not be "
        "more than 32 characters.",
    )
    listed_with = ("identity", "systemData", "tags")

    def put(self, call: Call) -> Response:
        self._refuse_running(call)
        body = self.sent(call)
        check_version(call, body)
        if call.existing is not None:
            body.setdefault("properties", {}).setdefault("environmentId", call.existing.properties["environmentId"])
        return self._apply(call, body, patch=False)

    def patch(self, call: Call) -> Response:
        """Apply a merge patch, which may be a full GET including read-only properties; lists are replaced."""
        existing = call.must_exist()
        self._refuse_running(call)
        sent = self.sent(call, patch=True)
        check_version(call, sent)
        base: Json = {key: existing.body[key] for key in ("location", "tags", "identity") if key in existing.body}
        base["properties"] = {
            "environmentId": existing.properties["environmentId"],
            "workloadProfileName": existing.properties["workloadProfileName"],
            "configuration": without_nulls(
                {**existing.properties["configuration"], "secrets": existing.private["secrets"]}
            ),
            "template": without_nulls(
                {key: value for key, value in existing.private["template"].items() if key != "revisionSuffix"}
            ),
        }
        if "tags" in sent:
            base["tags"] = sent.pop("tags") or {}
        return self._apply(call, without_nulls(rules.merge(base, sent)), patch=True)

    def _refuse_running(self, call: Call) -> None:
        if call.existing is not None and call.world.operations.running(call.existing.id) is not None:
            raise Refusal(
                409,
                "ContainerAppOperationInProgress",
                f"Cannot modify a container app '{call.target.name}' because there is active provisioning in "
                "progress. Please try again later.",
            )

    def _apply(self, call: Call, body: Json, *, patch: bool) -> Response:
        world, properties = call.world, body["properties"]
        environment = bodies.environment_of(call, properties)
        existing = call.existing
        if existing is not None and str(existing.properties["environmentId"]).lower() != environment.key:
            raise bodies.refuse(
                "ContainerAppEnvironmentChangeNotAllowed", "The environment of an app cannot be changed."
            )
        self._refuse_same_name(call, environment)
        configuration = dict(properties.get("configuration") or {})
        template = dict(properties.get("template") or {})
        secrets = self._with_known_values(call, bodies.given(configuration.get("secrets")))
        self._check(call, body, configuration, template, secrets, environment)
        shown = self._new_body(call, body, secrets, environment)
        if existing is not None:
            revisions.deactivate_replaced(world, existing)
        first = existing is None or revisions.latest_names(world, existing)[1] is None
        resource = Resource(
            shown["id"],
            APP,
            shown,
            existing.created if existing else call.now,
            dict(existing.private) if existing else {"revisions": [], "made": 0, "last_request": 0.0},
        )
        resource.private["secrets"] = bodies.keep_values(world, resource.key, secrets)
        changed = revisions.wanted(resource, template)
        resource.private["template"] = template
        world.store.put(resource)
        work, body_shown = (APP_PATCH, None) if patch else (APP_PUT, echo(call, shown))
        place = region(shown["location"]) or ""
        joined = _new_registries(existing, configuration)
        return call.accept(work, resource.id, body_shown, place=place, make=changed, first=first, registries=joined)

    def _new_body(self, call: Call, body: Json, secrets: list[Json], environment: Resource) -> Json:
        """Return the app to store: the request in Azure's spelling, with the service's nulls and defaults."""
        world, properties, existing = call.world, body["properties"], call.existing
        configuration = properties.get("configuration") or {}
        # For an existing app, a body without it sets it to null (recorded traffic of Azure/azure-cli).
        inactive = {} if existing is None else {"maxInactiveRevisions": None}
        shown_configuration = {
            **defaults.CONFIGURATION,
            **inactive,
            **configuration,
            "secrets": bodies.shown_secrets(secrets),
        }
        if configuration.get("ingress"):
            shown_configuration["ingress"] = {**defaults.INGRESS, **configuration["ingress"]}
        profile = bodies.check_workload_profile(environment, properties.get("workloadProfileName"))
        # The outbound addresses of an environment: one without workload profiles, else many (recorded: 18 to 141).
        addresses = [f"20.{100 + index}.{world.derived(environment.key)[index]}.10" for index in range(18)]
        return {
            "id": call.target.id.replace("/containerApps/", "/containerapps/"),
            "name": call.target.name,
            "type": APP,
            "location": display_location(body["location"]),
            **({"tags": body["tags"]} if body.get("tags") else {}),
            "systemData": system_data(
                call, "Z", created=None if existing is None else existing.body["systemData"]["createdAt"]
            ),
            "properties": {
                "provisioningState": "InProgress",
                "managedEnvironmentId": environment.id,
                "environmentId": environment.id,
                "workloadProfileName": profile,
                "outboundIpAddresses": addresses if profile else addresses[:1],
                "customDomainVerificationId": verification(world),
                "configuration": shown_configuration,
                "template": {**defaults.TEMPLATE, **(properties.get("template") or {})},
            },
            "identity": assigned(world, body.get("identity"), call.target.id.lower()),
        }

    def _with_known_values(self, call: Call, secrets: list[Json]) -> list[Json]:
        """Keep the value of a secret sent by name only, as in a body from GET."""
        if call.existing is None:
            return secrets
        known = {item["name"]: item for item in call.existing.private["secrets"]}
        return [
            {**item, "value": bodies.UNCHANGED}
            if "value" not in item
            and "keyVaultUrl" not in item
            and "keyVaultUrl" not in known.get(item["name"], {"keyVaultUrl": ""})
            else item
            for item in secrets
        ]

    def _refuse_same_name(self, call: Call, environment: Resource) -> None:
        for other in call.world.store.of_type(APP):
            same = other.name == call.target.name and str(other.properties["environmentId"]).lower() == environment.key
            if same and other.key != call.target.id.lower():
                raise Refusal(
                    409, "ContainerAppNameInUse", f"The name '{call.target.name}' is in use in the environment."
                )

    def _check(
        self, call: Call, body: Json, configuration: Json, template: Json, secrets: list[Json], environment: Resource
    ) -> None:
        bodies.check_identities(call, body)
        bodies.check_secrets(call, body, secrets)
        names = {item["name"] for item in secrets}
        bodies.check_registries(call, body, configuration.get("registries") or [], names)
        bodies.check_template(call, template, names, environment, probes=True)
        check_ingress(call, configuration.get("ingress"), environment)
        check_traffic(configuration)
        check_custom_domains(call, environment, configuration.get("ingress") or {})
        check_scale(template.get("scale") or {}, configuration.get("ingress"), names)
        check_pulls(call.world, body, template)
        revisions.check_suffix(call, template)

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        running = call.world.operations.running(existing.id)
        if running is not None and running["kind"] != "app.deleted":
            raise Refusal(
                409,
                "ContainerAppOperationInProgress",
                f"Cannot modify a container app '{existing.name}' because there is active provisioning in "
                "progress. Please try again later.",
            )
        existing.properties["provisioningState"] = "Deleting"
        call.world.store.put(existing)
        if running is not None:
            return call.accepted(APP_DELETE, running)
        return call.accept(APP_DELETE, existing.id)

    def get(self, call: Call) -> Response:
        return Response(200, at_version(shown_app(call.world, call.must_exist()), call.request.api_version))

    def shown(self, world: World, resource: Resource) -> Json:
        return shown_app(world, resource)

    def listed(self, world: World, resource: Resource) -> Json:
        return bodies.without_zone(resource.body)

    def actions(self) -> dict[str, Any]:
        return {
            "listsecrets": self._list_secrets,
            "getauthtoken": auth_token,
            "revisions": revisions.act,
            "listcustomhostnameanalysis": analysis,
            "start": self._power,
            "stop": self._power,
        }

    action_methods = {"revisions": ("GET", "POST")}

    def _list_secrets(self, call: Call) -> Response:
        existing = call.must_exist()
        return Response(200, bodies.secret_values(call.world, existing.key, existing.private["secrets"]))

    def _power(self, call: Call) -> Response:
        existing = call.must_exist()
        existing.private["stopped"] = call.rest[0].lower() == "stop"
        call.world.store.put(existing)
        return Response(200, shown_app(call.world, existing))


def _new_registries(existing: Resource | None, configuration: Json) -> list[str]:
    """Return the registry servers whose identity an existing app changed."""
    if existing is None:
        return []
    before = {
        (str(item["server"]).lower(), str(item.get("identity") or "").lower())
        for item in existing.properties["configuration"]["registries"] or []
    }
    now = {
        (str(item["server"]).lower(), str(item["identity"]).lower())
        for item in configuration.get("registries") or []
        if item.get("identity")
    }
    return sorted(server for server, _ in now - before)


@effect("app.provision")
def _provision(world: World, operation: Json) -> float | None:
    """End the operation when the revision exists. On creation, or if the image cannot be pulled, it waits
    for readiness and ends as "Operation expired" when none comes (recorded traffic of Azure/azure-cli;
    github.com/hashicorp/terraform-provider-azurerm issue 22432)."""
    app = world.store.get(operation["resource"])
    if app is None:
        return None
    details = operation["details"]
    if operation["error"]:
        app.properties["provisioningState"] = "Failed"
        world.store.put(app)
        return None
    if details["make"] and not details.get("made"):
        revisions.make(world, app, operation["started"])
        details["made"] = True
    # While no revision has been ready, a repeated PUT waits for the existing one.
    state = revisions.latest_state(world, app) if details["make"] or details["first"] else None
    waits = state is not None and not state.ready and (details["first"] or state.state == "pulling")
    # A registry that a new identity cannot pull from delays the update, whatever the image (recorded traffic of
    # Azure/azure-cli-extensions: a public image, "Operation expired").
    waits = waits or bool(runtime.refused_registries(world, app.body, details.get("registries", [])))
    if waits:
        limit = world.seconds("app", "expire on creation" if details["first"] else "expire on update")
        if world.clock.now() < operation["started"] + limit:
            soon = world.clock.now() + max(1.0 * world.scale, 0.05)
            return min(float(operation["started"]) + limit, soon)
        operation["error"] = [
            "ContainerAppOperationError",
            f"Failed to provision revision for container app '{app.name}'. Error details: Operation expired.",
        ]
        app.properties["provisioningState"] = "Failed"
        app.properties["deploymentErrors"] = "Operation expired"
    else:
        app.properties["provisioningState"] = "Succeeded"
        app.properties.pop("deploymentErrors", None)
    world.store.put(app)
    return None


def _final(world: World, operation: Json) -> Response:
    found = world.store.get(operation["resource"])
    return Response(204) if found is None else Response(200, at_version(shown_app(world, found), operation["version"]))


EFFECTS.update({"app.deleted": endings.removed})
FINALS["app"] = _final
register(Apps())
