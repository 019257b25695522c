"""Container apps by ARM: PUT, PATCH and what GET shows."""

from __future__ import annotations

import json
from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.effects import FINALS, effect
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, delete_now, display_location, register, system_data
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.app import bodies, revisions
from azure_emulator.services.app.environments import APP, auth_token, verification
from azure_emulator.services.app.lifecycle import APP_DELETE, APP_PATCH, APP_PUT
from azure_emulator.services.managedidentity.identities import assigned

Json = dict[str, Any]
_ANYTHING = rules.Map(rules.Anything())
_PORT = rules.Whole(0, 65535)
_INGRESS: Json = {
    "external": rules.Flag(),
    "targetPort": _PORT,
    "exposedPort": _PORT,
    "allowInsecure": rules.Flag(),
    "transport": rules.OneOf("Auto", "Http", "Http2", "Tcp"),
    "traffic": [
        {
            "revisionName": rules.Text(),
            "weight": rules.Whole(0, 100),
            "latestRevision": rules.Flag(),
            "label": rules.Text(),
        }
    ],
    "customDomains": [_ANYTHING],
    "ipSecurityRestrictions": [_ANYTHING],
    "corsPolicy": _ANYTHING,
    "stickySessions": {"affinity": rules.OneOf("sticky", "none")},
    "clientCertificateMode": rules.OneOf("Ignore", "Accept", "Require"),
    "additionalPortMappings": [{"external!": rules.Flag(), "targetPort!": _PORT, "exposedPort": _PORT}],
    "targetPortHttpScheme": rules.OneOf("http", "https"),
    "fqdn": rules.READ_ONLY,
}
_SCALE: Json = {
    "minReplicas": rules.Whole(0, 1000),
    "maxReplicas": rules.Whole(1, 1000),
    "cooldownPeriod": rules.Whole(0),
    "pollingInterval": rules.Whole(1),
    "rules": [
        {
            "name!": rules.Text(),
            "http": {"metadata": rules.Map(rules.Text()), "auth": [_ANYTHING], "identity": rules.Text()},
            "tcp": {"metadata": rules.Map(rules.Text()), "auth": [_ANYTHING], "identity": rules.Text()},
            "custom": {
                "type": rules.Text(),
                "metadata": rules.Map(rules.Text()),
                "auth": [_ANYTHING],
                "identity": rules.Text(),
            },
            "azureQueue": _ANYTHING,
        }
    ],
}
_RULE: Json = {
    **rules.TRACKED,
    "identity": rules.IDENTITY,
    "managedBy": rules.Text(),
    "kind": rules.Text(),
    "extendedLocation": _ANYTHING,
    "properties!": {
        "environmentId": rules.Text(),
        "managedEnvironmentId": rules.Text(),
        "workloadProfileName": rules.Text(),
        "configuration": {
            "activeRevisionsMode": rules.OneOf("Single", "Multiple", "Labels"),
            "ingress": _INGRESS,
            "registries": bodies.REGISTRIES,
            "secrets": bodies.SECRETS,
            "dapr": _ANYTHING,
            "service": _ANYTHING,
            "runtime": _ANYTHING,
            "maxInactiveRevisions": rules.Whole(0, 100),
            "identitySettings": bodies.IDENTITY_SETTINGS,
            # Of preview versions alone; `_check_version` refuses them elsewhere.
            "targetLabel": rules.Text(),
            "revisionTransitionThreshold": rules.Whole(0, 100),
        },
        "template": {
            "revisionSuffix": rules.Text(),
            "containers": bodies.CONTAINERS,
            "initContainers": bodies.INIT_CONTAINERS,
            "scale": _SCALE,
            "volumes": bodies.VOLUMES,
            "serviceBinds": [_ANYTHING],
            "terminationGracePeriodSeconds": rules.Whole(0, 600),
        },
        **rules.read_only(
            "provisioningState",
            "runningStatus",
            "outboundIpAddresses",
            "latestRevisionName",
            "latestReadyRevisionName",
            "latestRevisionFqdn",
            "customDomainVerificationId",
            "eventStreamEndpoint",
            "delegatedIdentities",
            "deploymentErrors",
            "patchingMode",
            "patchingConfiguration",
        ),
    },
}
_CONFIGURATION: Json = {
    "secrets": None,
    "activeRevisionsMode": "Single",
    "ingress": None,
    "registries": None,
    "identitySettings": [],
    "dapr": None,
    "runtime": None,
    "maxInactiveRevisions": 100,
    "service": None,
}
_INGRESS_NULLS: Json = {
    "fqdn": None,
    "external": False,
    "targetPort": None,
    "exposedPort": None,
    "transport": "Auto",
    "traffic": None,
    "customDomains": None,
    "allowInsecure": False,
    "ipSecurityRestrictions": None,
    "corsPolicy": None,
    "clientCertificateMode": None,
    "stickySessions": None,
    "additionalPortMappings": None,
}
_TEMPLATE: Json = {
    "revisionSuffix": None,
    "terminationGracePeriodSeconds": None,
    "containers": [],
    "initContainers": None,
    "scale": None,
    "volumes": None,
    "serviceBinds": None,
}


class Apps(ResourceType):
    """PUT 201 always, with an echo of the request and Azure-AsyncOperation; PATCH 202, empty, with both headers;
    DELETE 202 with Location (382 recorded PUTs of Azure/azure-cli)."""

    type = APP
    name_pattern = bodies.NAME
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
        body = rules.clean(call.request.json(), _RULE, new=call.existing is None)
        _check_version(call, body)
        if call.existing is not None:
            body.setdefault("properties", {}).setdefault("environmentId", call.existing.properties["environmentId"])
        return self._apply(call, body, patch=False)

    def patch(self, call: Call) -> Response:
        """Merge-patch. A whole GET may be sent, read-only properties included; a list replaces the list."""
        existing = call.must_exist()
        self._refuse_running(call)
        sent = rules.clean(call.request.json(), _RULE, new=False, patch=True)
        _check_version(call, sent)
        base: Json = {key: existing.body[key] for key in ("location", "tags", "identity") if key in existing.body}
        base["properties"] = {
            "environmentId": existing.properties["environmentId"],
            "workloadProfileName": existing.properties["workloadProfileName"],
            "configuration": _without_nulls(
                {**existing.properties["configuration"], "secrets": existing.private["secrets"]}
            ),
            "template": _without_nulls(
                {key: value for key, value in existing.private["template"].items() if key != "revisionSuffix"}
            ),
        }
        if "tags" in sent:
            base["tags"] = sent.pop("tags") or {}
        return self._apply(call, _without_nulls(rules.merge(base, sent)), patch=True)

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
        work, body_shown = (APP_PATCH, None) if patch else (APP_PUT, _echo(call, shown))
        place = region(shown["location"]) or ""
        return call.accept(work, resource.id, body_shown, place=place, make=changed, first=first)

    def _new_body(self, call: Call, body: Json, secrets: list[Json], environment: Resource) -> Json:
        """The app as it is stored: what was sent, in Azure's spelling, with nulls and defaults of the service."""
        world, properties, existing = call.world, body["properties"], call.existing
        configuration = properties.get("configuration") or {}
        # Of an app that is there, a body without it makes it null (recorded traffic of Azure/azure-cli).
        inactive = {} if existing is None else {"maxInactiveRevisions": None}
        shown_configuration = {
            **_CONFIGURATION,
            **inactive,
            **configuration,
            "secrets": bodies.shown_secrets(secrets),
        }
        if configuration.get("ingress"):
            shown_configuration["ingress"] = {**_INGRESS_NULLS, **configuration["ingress"]}
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
                "template": {**_TEMPLATE, **(properties.get("template") or {})},
            },
            "identity": assigned(world, body.get("identity"), call.target.id.lower()),
        }

    def _with_known_values(self, call: Call, secrets: list[Json]) -> list[Json]:
        """A secret sent by name only keeps its value, as a GET sent back shows it."""
        if call.existing is None:
            return secrets
        known = {item["name"]: item for item in call.existing.private["secrets"]}
        return [
            {**item, "value": "***"}
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
        _check_ingress(call, configuration.get("ingress"), environment)
        _check_scale(template.get("scale") or {}, configuration.get("ingress"))
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
        return Response(200, _at_version(shown_app(call.world, call.must_exist()), call.request.api_version))

    def shown(self, world: World, resource: Resource) -> Json:
        return shown_app(world, resource)

    action_methods = {"revisions": ("GET", "POST")}

    def actions(self) -> dict[str, Any]:
        return {
            "listsecrets": self._list_secrets,
            "getauthtoken": auth_token,
            "revisions": revisions.act,
            "start": self._power,
            "stop": self._power,
        }

    def _list_secrets(self, call: Call) -> Response:
        existing = call.must_exist()
        return Response(200, bodies.secret_values(call.world, existing.key, existing.private["secrets"]))

    def _power(self, call: Call) -> Response:
        existing = call.must_exist()
        existing.private["stopped"] = call.rest[0].lower() == "stop"
        call.world.store.put(existing)
        return Response(200, shown_app(call.world, existing))


_SCALE_NULLS: Json = dict.fromkeys(("minReplicas", "maxReplicas", "cooldownPeriod", "pollingInterval", "rules"))


def _echo(call: Call, shown: Json) -> Json:
    """The answer to PUT: what was sent, read-only properties included, with nulls where nothing was."""
    shown = json.loads(json.dumps(shown))
    sent = call.request.json()
    template, ingress = shown["properties"]["template"], shown["properties"]["configuration"]["ingress"]
    if ingress is not None:
        configuration = (sent.get("properties") or {}).get("configuration") or {}
        ingress["fqdn"] = (configuration.get("ingress") or {}).get("fqdn")
    for container in template["containers"]:
        if container.get("resources"):
            container["resources"] = bodies.sized(container["resources"])
    if template["scale"] is not None:
        template["scale"] = {**_SCALE_NULLS, **template["scale"]}
    shown["properties"]["delegatedIdentities"] = []
    return _at_version(shown, call.request.api_version, label=None)


_PREVIEW_SINCE = "2024-02-02"
_LABELS_SINCE = "2024-10-02"


def _check_version(call: Call, body: Json) -> None:
    if call.request.api_version.endswith("-preview"):
        return
    configuration = (body.get("properties") or {}).get("configuration") or {}
    for name, place in (
        ("targetLabel", configuration),
        ("revisionTransitionThreshold", configuration),
        ("targetPortHttpScheme", configuration.get("ingress") or {}),
    ):
        if place.get(name) is not None:
            raise Refusal(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: "
                f"'Could not find member '{name}' on object.'.",
                target=name,
            )


def _at_version(body: Json, version: str, label: str | None = "") -> Json:
    """Preview versions show more of an app than stable ones (recorded traffic of Azure/azure-cli-extensions)."""
    if not version.endswith("-preview"):
        return body
    shown: Json = json.loads(json.dumps(body))
    properties = shown["properties"]
    if properties["configuration"]["ingress"] is not None:
        properties["configuration"]["ingress"].setdefault("targetPortHttpScheme", None)
    if version < _PREVIEW_SINCE:
        return shown
    properties["patchingMode"] = "Automatic"
    if version >= _LABELS_SINCE:
        properties["configuration"].setdefault("targetLabel", label)
        properties["configuration"].setdefault("revisionTransitionThreshold", None)
    for container in properties["template"]["containers"]:
        container["imageType"] = "ContainerImage"
    return shown


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _check_ingress(call: Call, ingress: Json | None, environment: Resource) -> None:
    """learn.microsoft.com/azure/container-apps/ingress-overview."""
    if not ingress:
        return
    tcp = ingress.get("transport") == "Tcp"
    exposed = ingress.get("exposedPort") or 0
    if not tcp and exposed:
        raise bodies.refuse(
            "ContainerAppInvalidIngressExposedPort", "exposedPort is only for ingress with transport 'tcp'."
        )
    if tcp:
        if not ingress.get("targetPort"):
            raise bodies.refuse("ContainerAppTcpRequiresTargetPort", "targetPort is required with transport 'tcp'.")
        if (exposed or ingress["targetPort"]) in (80, 443):
            raise bodies.refuse("ContainerAppInvalidIngressExposedPort", "exposedPort cannot be 80 or 443.")
        if ingress.get("external") and not environment.properties["vnetConfiguration"]:
            raise bodies.refuse(
                "ContainerAppTcpRequiresVnet",
                "Applications with external TCP ingress can only be deployed to "
                "Container App Environments that have a custom VNET. Set "
                "ingress traffic to 'Limited to Container Apps Environment' "
                "if you want to deploy to a Container Apps Environment "
                "without a custom VNET.",
            )
        _refuse_taken_port(call, ingress, environment)
        if ingress.get("allowInsecure"):
            raise bodies.refuse("ContainerAppInvalidAllowInsecure", "allowInsecure is not for transport 'tcp'.")
    traffic = ingress.get("traffic") or []
    if traffic and sum(item.get("weight", 0) for item in traffic) != 100:
        raise bodies.refuse("ContainerAppInvalidTrafficWeight", "The traffic weights must add up to 100.")
    for item in traffic:
        if bool(item.get("latestRevision")) == bool(item.get("revisionName")):
            raise bodies.refuse(
                "ContainerAppInvalidTraffic", "Exactly one of latestRevision and revisionName is needed."
            )
    if len(ingress.get("additionalPortMappings") or []) > 5:
        raise bodies.refuse("ContainerAppTooManyPorts", "At most five additional ports are allowed.")


def _refuse_taken_port(call: Call, ingress: Json, environment: Resource) -> None:
    """The exposed ports of external TCP apps are the environment's own; internal ones may repeat."""
    if not ingress.get("external"):
        return
    port = ingress.get("exposedPort") or ingress["targetPort"]
    for other in call.world.store.of_type(APP):
        theirs = other.properties["configuration"]["ingress"] or {}
        if (
            other.key != call.target.id.lower()
            and str(other.properties["environmentId"]).lower() == environment.key
            and theirs.get("external")
            and theirs.get("transport") == "Tcp"
            and (theirs.get("exposedPort") or theirs.get("targetPort")) == port
        ):
            raise bodies.refuse(
                "ContainerAppInvalidIngressExposedPort", f"exposedPort {port} is in use by the app '{other.name}'."
            )


def _check_scale(scale: Json, ingress: Json | None) -> None:
    least, most = scale.get("minReplicas", 0), scale.get("maxReplicas", 10)
    if least > most:
        raise bodies.refuse("ContainerAppInvalidScaleSpec", f"minReplicas {least} is more than maxReplicas {most}.")
    kinds = ("http", "tcp", "custom", "azureQueue")
    for rule in scale.get("rules") or []:
        if len([kind for kind in kinds if rule.get(kind)]) != 1:
            raise bodies.refuse(
                "ContainerAppInvalidScaleRule",
                f"The scale rule '{rule['name']}' needs exactly one of {', '.join(kinds)}.",
            )
        if rule.get("tcp") and (ingress or {}).get("transport") != "Tcp":
            raise bodies.refuse("ContainerAppInvalidScaleRule", "A tcp scale rule needs ingress with transport 'tcp'.")


def shown_app(world: World, resource: Resource) -> Json:
    """GET fills in what the PUT's answer leaves null: fqdn, traffic, sizes, revision names, streams."""
    body: Json = json.loads(json.dumps(resource.body))
    properties = body["properties"]
    state = properties["provisioningState"]
    # No Z in GET, one in the answer to PUT (552 recorded apps of Azure/azure-dev).
    for name in ("createdAt", "lastModifiedAt"):
        body["systemData"][name] = body["systemData"][name].rstrip("Z")
    if properties["workloadProfileName"]:
        properties["workloadProfileName"] = (
            properties["workloadProfileName"].lower()
            if properties["workloadProfileName"] == "Consumption"
            else properties["workloadProfileName"]
        )
    environment = world.store.get(properties["environmentId"])
    domain = environment.properties["defaultDomain"] if environment else "gone"
    configuration = properties["configuration"]
    if configuration["ingress"] is not None:
        ingress = configuration["ingress"]
        ingress["fqdn"] = bodies.fqdn(resource.name, domain, ingress["external"])
        if ingress["exposedPort"] is None:
            ingress["exposedPort"] = ingress["targetPort"] if ingress["transport"] == "Tcp" else 0
        if ingress["traffic"] is None:
            ingress["traffic"] = [{"weight": 100, "latestRevision": True}]
    for entry in configuration["registries"] or []:
        entry.update(
            {
                "username": entry.get("username", ""),
                "passwordSecretRef": entry.get("passwordSecretRef", ""),
                "identity": entry.get("identity", ""),
            }
        )
    template = bodies.with_resources(properties["template"])
    template["scale"] = {**revisions.SCALE, **_without_nulls(template["scale"] or {})}
    template["scale"]["rules"] = template["scale"]["rules"] or None
    template["revisionSuffix"] = template["revisionSuffix"] or ""
    properties["template"] = template
    latest, ready = revisions.latest_names(world, resource)
    stopped = resource.private.get("stopped")
    status = "Stopped" if stopped else "Running" if state in ("Succeeded", "Failed") else "Progressing"
    place = region(resource.body["location"])
    group = resource.id.split("/")[4]
    extra: Json = {
        "runningStatus": status,
        "latestRevisionName": latest,
        "latestReadyRevisionName": ready,
        "latestRevisionFqdn": bodies.fqdn(latest, domain, configuration["ingress"]["external"])
        if latest and configuration["ingress"]
        else "",
        "eventStreamEndpoint": f"https://{place}.azurecontainerapps.dev{world.subscription}/resourceGroups/{group}/"
        f"containerApps/{resource.name}/eventstream",
        "delegatedIdentities": [],
    }
    body["properties"] = {**properties, **extra}
    return body


@effect("app.provision")
def _provision(world: World, operation: Json) -> float | None:
    """The operation ends when the revision is there. On a first creation, or if the image cannot be pulled, it waits
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
    # While no revision has ever been ready, a repeated PUT waits for the one that is there.
    state = revisions.latest_state(world, app) if details["make"] or details["first"] else None
    waits = state is not None and not state.ready and (details["first"] or state.state == "pulling")
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


@effect("app.deleted")
def _deleted(world: World, operation: Json) -> None:
    if not operation["error"]:
        delete_now(world, operation["resource"])


def _final(world: World, operation: Json) -> Response:
    found = world.store.get(operation["resource"])
    return Response(204) if found is None else Response(200, _at_version(shown_app(world, found), operation["version"]))


FINALS["app"] = _final
register(Apps())
