"""Container Apps environments and their storages."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

from azure_emulator.core import endings
from azure_emulator.core.clock import stamp
from azure_emulator.core.effects import EFFECTS, FINALS
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, display_location, register, system_data
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.app import defaults, profiles, schema
from azure_emulator.services.app.certificate_files import described, parse
from azure_emulator.services.app.lifecycle import (
    ENVIRONMENT_CHANGE,
    ENVIRONMENT_DELETE,
    ENVIRONMENT_PATCH,
    ENVIRONMENT_PUT,
)
from azure_emulator.services.app.network import check_network
from azure_emulator.services.app.types import APP, ENVIRONMENT, JOB
from azure_emulator.services.login import tokens
from azure_emulator.services.managedidentity.identities import assigned

Json = dict[str, Any]
_STAGES = ("Waiting", "InitializationInProgress", "InfrastructureSetupInProgress")


class Environments(ResourceType):
    """PUT 201 with Azure-AsyncOperation and the full body; on an existing one 201 if something changes, else 200;
    PATCH 202 with Location, or 200; DELETE 202 (recorded traffic of Azure/azure-cli)."""

    type = ENVIRONMENT
    body_rule = schema.ENVIRONMENT
    name_pattern = r"(?!.*--)[A-Za-z](?:[A-Za-z0-9-]{0,58}[A-Za-z0-9])"
    name_error = (
        "ManagedEnvironmentInvalidName",
        "Invalid ManagedEnvironment name '{name}'. A name must consist of "
        "alphanumeric characters or '-', start with an alphabetic character, "
        "and end with an alphanumeric character and cannot have '--'. The "
        "length must not be more than 60 characters.",
    )
    listed_with = ("tags", "systemData")
    # Not in 10 recorded answers of 2025-01-01; in all of 2025-02-02-preview and 2025-07-01.
    versioned = dict.fromkeys(
        (
            "properties.publicNetworkAccess",
            "properties.ingressConfiguration",
            "properties.openTelemetryConfiguration",
            "properties.appInsightsConfiguration",
        ),
        "2025-02-02",
    )

    def check(self, call: Call) -> None:
        super().check(call)
        self._check(self.sent(call)["properties"])

    def put(self, call: Call) -> Response:
        body = self.sent(call)
        self._check(body["properties"])
        if call.existing is not None:
            return self._change(call, call.existing, body, patch=False)
        profiles.check_quota(call.world, region(body["location"]) or "")
        sent = body["properties"]
        check_network(call.world, sent)
        if sent.get("zoneRedundant") and not (sent.get("vnetConfiguration") or {}).get("infrastructureSubnetId"):
            # learn.microsoft.com/azure/reliability/reliability-azure-container-apps; its code is not known.
            raise _bad_parameter("A zone redundant environment needs an infrastructure subnet.")
        shown = self._new(call, body)
        call.world.store.put(Resource(call.target.id, ENVIRONMENT, shown, call.now))
        return call.accept(ENVIRONMENT_PUT, call.target.id, _at_version(shown, call.request.api_version))

    def _check(self, sent: Json) -> None:
        logs = sent.get("appLogsConfiguration") or {}
        analytics = logs.get("logAnalyticsConfiguration") or {}
        if logs.get("destination") == "log-analytics" and not (
            analytics.get("customerId") and analytics.get("sharedKey")
        ):
            raise _bad_parameter(
                "LogAnalyticsConfiguration is invalid. Must provide a valid LogAnalyticsConfiguration: customerId "
                "and sharedKey."
            )
        names = [profile["name"].lower() for profile in sent.get("workloadProfiles") or []]
        if len(names) != len(set(names)):
            raise Refusal(400, "InvalidWorkloadProfileName", "The names of workload profiles must be unique.")
        kinds = {kind.lower(): kind for kind in profiles.TYPES}
        for profile in sent.get("workloadProfiles") or []:
            if profile["workloadProfileType"].lower() not in kinds:
                # Azure/azure-cli issue 30526
                raise _bad_parameter("Workload Profile property is not supported.")
            profile["workloadProfileType"] = kinds[profile["workloadProfileType"].lower()]
            if profile.get("minimumCount", 0) > profile.get("maximumCount", profile.get("minimumCount", 0)):
                raise _bad_parameter(f"minimumCount of '{profile['name']}' is more than maximumCount.")

    def _new(self, call: Call, body: Json) -> Json:
        sent, place = body["properties"], region(body["location"]) or ""
        # A recreated environment has another address.
        seed = hashlib.sha256(f"{call.target.id.lower()}{call.now}".encode()).digest()
        adjectives, nouns = defaults.DOMAIN_WORDS
        word = adjectives[seed[0] % len(adjectives)] + nouns[seed[1] % len(nouns)]
        stream = call.target.id.replace("/providers/Microsoft.App", "")
        given = {key: value for key, value in sent.items() if key in defaults.ENVIRONMENT}
        properties = {
            **defaults.ENVIRONMENT,
            **given,
            "provisioningState": "Waiting",
            "vnetConfiguration": {"internal": False, **sent["vnetConfiguration"]}
            if sent.get("vnetConfiguration")
            else None,
            "defaultDomain": f"{word}-{seed[2:6].hex()}.{place}.azurecontainerapps.io",
            "staticIp": f"20.{seed[6]}.{seed[7]}.{seed[8]}",
            "appLogsConfiguration": _logs(sent.get("appLogsConfiguration")),
            "eventStreamEndpoint": f"https://{place}.azurecontainerapps.dev{stream}/eventstream",
            "customDomainConfiguration": _custom_domain(call, sent.get("customDomainConfiguration")),
            "workloadProfiles": _profiles(sent.get("workloadProfiles")),
            "infrastructureResourceGroup": sent.get("infrastructureResourceGroup")
            or _infrastructure(call, sent, place),
        }
        identity = body.get("identity")
        return {
            "id": call.target.id,
            "name": call.target.name,
            "type": ENVIRONMENT,
            "location": display_location(body["location"]),
            **({"tags": body["tags"]} if "tags" in body else {}),
            "systemData": system_data(call, zone=""),
            "properties": properties,
            **({"kind": body["kind"]} if body.get("kind") else {}),
            **({"identity": assigned(call.world, identity, call.target.id.lower())} if identity else {}),
        }

    def patch(self, call: Call) -> Response:
        body = self.sent(call, patch=True)
        self._check(body.get("properties") or {})
        return self._change(call, call.must_exist(), body, patch=True)

    def _change(self, call: Call, existing: Resource, body: Json, *, patch: bool) -> Response:
        if call.world.operations.running(existing.id) is not None:
            raise Refusal(
                409,
                "ManagedEnvironmentOperationInProgress",
                f"Cannot modify managed environment '{existing.name}' because there is another operation in "
                "progress. Please try again later.",
            )
        before = copy.deepcopy(existing.body)
        sent = dict(body.get("properties") or {})
        self._refuse_fixed(existing, sent)
        sent = {name: value for name, value in sent.items() if name not in _FIXED}
        if "appLogsConfiguration" in sent:
            sent["appLogsConfiguration"] = _logs(sent["appLogsConfiguration"])
        if "workloadProfiles" in sent:
            sent["workloadProfiles"] = _profiles(sent["workloadProfiles"])
            _refuse_used(call.world, existing, sent["workloadProfiles"] or [])
        if "customDomainConfiguration" in sent:
            sent["customDomainConfiguration"] = _custom_domain(call, sent["customDomainConfiguration"])
        existing.body["properties"] = {**existing.properties, **sent}
        if "identity" in body:
            existing.body["identity"] = assigned(call.world, body["identity"], existing.key)
        if not patch or "tags" in body:
            existing.body.pop("tags", None)
            if body.get("tags") is not None:
                existing.body["tags"] = body["tags"]
        # Any write recreates a failed environment (github.com/microsoft/azure-container-apps issue 1113).
        if existing.body == before and existing.properties["provisioningState"] != "Failed":
            call.world.store.put(existing)
            return Response(200, self.shown(call.world, existing))
        existing.body["systemData"] = system_data(call, zone="", created=before["systemData"]["createdAt"])
        existing.properties["provisioningState"] = "Updating"
        call.world.store.put(existing)
        if patch:
            return call.accept(ENVIRONMENT_PATCH, existing.id)
        return call.accept(ENVIRONMENT_CHANGE, existing.id, existing.body)

    def _refuse_fixed(self, existing: Resource, sent: Json) -> None:
        if sent.get("workloadProfiles") and existing.properties["workloadProfiles"] is None:
            raise Refusal(
                400,
                "EnvironmentNotEnabledForWorkloadProfiles",
                "Workload profiles cannot be added to an environment that was made without.",
            )
        for name in _FIXED:
            # What is empty is not there: `vnetConfiguration: {}` asks for no network, as null does.
            if name in sent and not _same(sent[name] or None, existing.properties.get(name) or None):
                raise Refusal(
                    400,
                    "ManagedEnvironmentPropertyChangeNotAllowed",
                    f"The property '{name}' of a managed environment cannot be changed.",
                    target=name,
                )

    def get(self, call: Call) -> Response:
        return Response(200, _at_version(self.shown(call.world, call.must_exist()), call.request.api_version))

    def shown(self, world: World, resource: Resource) -> Json:
        """Start creation: a new environment passes through three states before Succeeded."""
        if resource.properties["provisioningState"] != "Waiting":
            return resource.body
        total = world.seconds("environment", "create")
        part = (world.clock.now() - resource.created) / total if total else 0.0
        state = _STAGES[min(int(part * 3), 2)]
        return {**resource.body, "properties": {**resource.properties, "provisioningState": state}}

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        for kind, word in ((APP, "ContainerApps"), (JOB, "Jobs")):
            inside = _inside(call.world, existing, kind)
            if inside:
                raise Refusal(
                    409,
                    f"ManagedEnvironmentHas{word}",
                    f"The specified environment {existing.name} cannot be "
                    f"deleted because it still contains {len(inside)} {word}",
                )
        running = call.world.operations.running(existing.id)
        if running is not None and running["kind"] != "environment.deleted":
            raise Refusal(
                409,
                "ManagedEnvironmentOperationInProgress",
                f"The environment {existing.name} has another operation in progress.",
            )
        existing.properties["provisioningState"] = "ScheduledForDelete"
        call.world.store.put(existing)
        if running is not None:
            return call.accepted(ENVIRONMENT_DELETE, running)
        return call.accept(ENVIRONMENT_DELETE, existing.id)

    def actions(self) -> dict[str, Any]:
        return {
            "checknameavailability": self._check_name,
            "getauthtoken": auth_token,
            "workloadprofilestates": _profile_states,
            "usages": profiles.of_environment,
        }

    action_methods = {"workloadprofilestates": ("GET",), "usages": ("GET",)}

    def _check_name(self, call: Call) -> Response:
        sent = call.request.json()
        environment = call.must_exist()
        wanted, kind = str(sent.get("name", "")).lower(), str(sent.get("type", "")).lower()
        if kind.endswith("certificates"):
            taken = call.world.store.get(f"{environment.id}/{kind.rsplit('/', 1)[1]}/{wanted}") is not None
        else:
            taken = any(item.name == wanted for item in _inside(call.world, environment, APP))
        if taken:
            return Response(
                200,
                {
                    "nameAvailable": False,
                    "reason": "AlreadyExists",
                    "message": f"The name '{sent.get('name')}' already exists in the environment.",
                },
            )
        return Response(200, {"nameAvailable": True})


_PREVIEW_SINCE = "2025-02-02"


def _at_version(body: Json, version: str) -> Json:
    """Preview versions show more (recorded traffic of Azure/azure-cli-extensions)."""
    if not version.endswith("-preview") or version < _PREVIEW_SINCE:
        return body
    shown: Json = copy.deepcopy(body)
    properties = shown["properties"]
    properties |= {"availabilityZones": None, "diskEncryptionConfiguration": None}
    analytics = properties["appLogsConfiguration"]["logAnalyticsConfiguration"]
    if analytics is not None:
        analytics.setdefault("dynamicJsonColumns", False)
    if properties["vnetConfiguration"] is not None:
        for name in ("dockerBridgeCidr", "platformReservedCidr", "platformReservedDnsIP"):
            properties["vnetConfiguration"].setdefault(name, None)
    return shown


def _infrastructure(call: Call, sent: Json, place: str) -> str | None:
    """Return the group that the service creates for itself: only with a network (451 of 456 recorded)."""
    return f"ME_{call.target.name}_{call.target.group}_{place}" if sent.get("vnetConfiguration") else None


def _profile_states(call: Call) -> Response:
    environment = call.must_exist()
    value = [
        {
            "id": f"{environment.id}/workloadProfileStates/{item['name']}",
            "name": item["name"],
            "type": item["workloadProfileType"],
            "properties": _state(item),
        }
        for item in environment.properties["workloadProfiles"] or []
    ]
    return Response(200, {"value": value})


def _state(profile: Json) -> Json:
    """Return the counts, only for profiles with dedicated nodes (recorded traffic of Azure/azure-cli)."""
    dedicated = "minimumCount" in profile or "maximumCount" in profile
    return {**profile, **({"currentCount": profile.get("minimumCount", 0)} if dedicated else {})}


def _bad_parameter(message: str) -> Refusal:
    return Refusal(400, "InvalidRequestParameterWithDetails", message)


def _profiles(sent: list[Json] | None) -> list[Json] | None:
    """Return the profiles; null, not [], for an environment without workload profiles."""
    shown = [
        {"workloadProfileType": item["workloadProfileType"], "name": item["name"], "enableFips": False, **item}
        for item in sent or []
    ]
    return shown or None


def _inside(world: World, environment: Resource, kind: str) -> list[Resource]:
    """Return the apps or jobs of an environment."""
    return [
        item for item in world.store.of_type(kind) if str(item.properties["environmentId"]).lower() == environment.key
    ]


def _refuse_used(world: World, environment: Resource, wanted: list[Json]) -> None:
    """Refuse to remove a profile in use; the service's error code is not known."""
    kept = {item["name"].lower() for item in wanted}
    for item in [*_inside(world, environment, APP), *_inside(world, environment, JOB)]:
        used = item.properties["workloadProfileName"]
        if used and used.lower() not in kept:
            raise _bad_parameter(f"The workload profile '{used}' cannot be removed: '{item.name}' uses it.")


def _custom_domain(call: Call, sent: Json | None) -> Json:
    """Validate the custom DNS suffix. Value and password of its certificate are never returned."""
    shown = {"customDomainVerificationId": verification(call.world), **defaults.CUSTOM_DOMAIN_CONFIGURATION}
    if not sent or not sent.get("dnsSuffix"):
        return shown
    if sent.get("certificateKeyVaultProperties"):
        raise _bad_parameter("Certificates from Key Vault are not served here: emulated vaults have secrets alone.")
    if not sent.get("certificateValue"):
        raise _bad_parameter("A custom DNS suffix needs a certificate.")
    facts = described(parse(sent["certificateValue"], sent.get("certificatePassword") or ""), call.now)
    return {
        **shown,
        "dnsSuffix": sent["dnsSuffix"],
        **{key: facts[key] for key in ("thumbprint", "subjectName", "expirationDate")},
    }


_FIXED = ("vnetConfiguration", "zoneRedundant", "infrastructureResourceGroup")


def _same(sent: Any, current: Any) -> bool:
    if isinstance(sent, dict) and isinstance(current, dict):
        return all(current.get(key) == value for key, value in sent.items())
    return bool(sent == current)


def auth_token(call: Call) -> Response:
    """Return a token for the log and event streams."""
    existing = call.must_exist()
    who = call.request.principal
    assert who is not None
    token = tokens.mint(call.world, who.object_id, who.client_id, "azurecontainerapps.dev", 3600, scope=existing.key)
    return Response(
        200,
        {
            "id": existing.id,
            "name": existing.name,
            "type": existing.type,
            "location": existing.body["location"],
            "properties": {"token": token, "expires": stamp(call.now + 3600)},
        },
    )


def verification(world: World) -> str:
    return world.derived("domain verification").hex().upper()


def _logs(sent: Json | None) -> Json:
    """Remove the shared key, which is never returned."""
    if not sent or not sent.get("destination") or sent["destination"] == "none":
        return {"destination": None, "logAnalyticsConfiguration": None}
    analytics = sent.get("logAnalyticsConfiguration")
    if sent["destination"] != "log-analytics":
        return {"destination": sent["destination"], "logAnalyticsConfiguration": None}
    return {
        "destination": "log-analytics",
        "logAnalyticsConfiguration": {"customerId": (analytics or {}).get("customerId"), "sharedKey": None},
    }


EFFECTS.update({"environment.ready": endings.settled, "environment.deleted": endings.removed})
FINALS["environment"] = endings.shows(204)


register(Environments())
