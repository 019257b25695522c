"""PostgreSQL flexible servers: all writes return 202, and errors appear in the operation's status."""

from __future__ import annotations

import hashlib
from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.defaults import filled
from azure_emulator.core.effects import effect
from azure_emulator.core.errors import Refusal, resource_not_found
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call, ResourceType, delete_now, display_location, register
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World
from azure_emulator.services.postgresql import defaults
from azure_emulator.services.postgresql.checks import (
    PERFORMANCE,
    TIER_PAUSE,
    VERSIONS,
    Problem,
    check_login,
    check_password,
    check_sku,
    check_values,
    invalid,
)
from azure_emulator.services.postgresql.networking import check_network
from azure_emulator.services.postgresql.offers import capability
from azure_emulator.services.postgresql.operations import (
    CHANGE,
    CREATE,
    DELETE,
    POWER,
    accept,
    refuse_busy,
    refuse_stopped,
)

Json = dict[str, Any]
SERVER = "Microsoft.DBforPostgreSQL/flexibleServers"
CONFIGURATION = f"{SERVER}/configurations"
_SWITCH = rules.OneOf("Enabled", "Disabled")
_RULE: Json = {
    **rules.TRACKED,
    "identity": rules.OBJECT,
    "sku": {"name!": rules.TEXT, "tier!": rules.OneOf("Burstable", "GeneralPurpose", "MemoryOptimized")},
    "properties": {
        "administratorLogin": rules.TEXT,
        "administratorLoginPassword": rules.TEXT,
        "version": rules.TEXT,
        "createMode": rules.OneOf(
            "Default", "Create", "Update", "PointInTimeRestore", "GeoRestore", "Replica", "ReviveDropped"
        ),
        "availabilityZone": rules.TEXT,
        "replicationRole": rules.TEXT,
        "sourceServerResourceId": rules.TEXT,
        "pointInTimeUTC": rules.TEXT,
        "replica": rules.OBJECT,
        "cluster": rules.OBJECT,
        "storage": {
            "storageSizeGB": rules.WHOLE,
            "autoGrow": _SWITCH,
            "tier": rules.TEXT,
            "iops": rules.WHOLE,
            "throughput": rules.WHOLE,
            "type": rules.OneOf("Premium_LRS", "PremiumV2_LRS", "UltraSSD_LRS", ""),
        },
        "authConfig": {"activeDirectoryAuth": _SWITCH, "passwordAuth": _SWITCH, "tenantId": rules.TEXT},
        "backup": {
            "backupRetentionDays": rules.WHOLE,
            "geoRedundantBackup": _SWITCH,
            "earliestRestoreDate": rules.READ_ONLY,
        },
        "dataEncryption": rules.OBJECT,
        "highAvailability": {
            "mode": rules.OneOf("Disabled", "ZoneRedundant", "SameZone"),
            "standbyAvailabilityZone": rules.TEXT,
            "state": rules.READ_ONLY,
        },
        "maintenanceWindow": {
            "customWindow": rules.TEXT,
            "dayOfWeek": rules.WHOLE,
            "startHour": rules.WHOLE,
            "startMinute": rules.WHOLE,
        },
        "network": {
            "publicNetworkAccess": _SWITCH,
            "delegatedSubnetResourceId": rules.TEXT,
            "privateDnsZoneArmResourceId": rules.TEXT,
        },
        **rules.read_only(
            "fullyQualifiedDomainName", "minorVersion", "state", "replicaCapacity", "privateEndpointConnections"
        ),
    },
}


_PROMOTION = {"promoteMode", "promoteOption"}
_NOTHING_THERE = ("privateendpointconnections", "replicas", "virtualendpoints")


class Servers(ResourceType):
    """PUT, PATCH, DELETE: 202 with both headers and `{operation, startTime}`; there is no provisioningState, only
    `state`. Recorded traffic of Azure/azure-cli, 2025 and 2026."""

    type = SERVER
    body_rule = _RULE
    name_pattern = r"[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]"
    name_error = (
        "InvalidServerName",
        "The server name '{name}' is invalid: 3 to 63 lower-case letters, digits and hyphens, no hyphen at either end.",
    )
    listed_with = ("sku", "tags")

    def check(self, call: Call) -> None:
        super().check(call)
        body = self.sent(call)
        if call.existing is None:
            problem = self._creation_error(call, body)
        else:
            problem = self._change_error(call.existing, body, call.now)
        if problem is not None:
            raise Refusal(400, *problem)

    def put(self, call: Call) -> Response:
        refuse_busy(call, call.target.id)
        body = self.sent(call)
        if call.existing is not None:
            return self._change(call, call.existing, body)
        error = self._creation_error(call, body)
        place = region(body["location"]) or ""
        plan = None if error else self._new(call, body)
        if error is None:
            assert plan is not None
            call.world.store.set("server plan", call.target.id.lower(), plan)
        return accept(call, CREATE, call.target.id, location=place, error=error)

    def _creation_error(self, call: Call, body: Json) -> Problem | None:
        sent = body.get("properties", {})
        if sent.get("createMode", "Default") not in ("Default", "Create"):
            return invalid("createMode")  # copies of a server are not served: never an empty server instead of one
        for path, value in (
            ("sku", body.get("sku")),
            ("version", sent.get("version")),
            ("storage", sent.get("storage")),
        ):
            if value is None:
                return invalid(f"{path}")
        password_auth = sent.get("authConfig", {}).get("passwordAuth", "Enabled") == "Enabled"
        if password_auth and not (sent.get("administratorLogin") and sent.get("administratorLoginPassword")):
            return invalid("administratorLogin or administratorLoginPassword")
        if find(call.world, call.target.name) is not None:
            return "ServerNameAlreadyExists", f"Specified server name is already used: {call.target.name}."
        checks = [check_sku(body["sku"])]
        if password_auth:
            login = sent["administratorLogin"]
            checks += [check_login(login), check_password(sent["administratorLoginPassword"], login)]
        checks.append(check_values(sent, body["sku"]))
        checks.append(check_network(call.world, sent.get("network") or {}))
        return next((item for item in checks if item is not None), None)

    def _new(self, call: Call, body: Json) -> Json:
        sent = body["properties"]
        size = sent["storage"].get("storageSizeGB", 32)
        tier, iops = PERFORMANCE.get(size, ("", 3000))
        high = filled(defaults.HIGH_AVAILABILITY, sent.get("highAvailability"))
        network = sent.get("network") or {}
        properties = filled(
            defaults.SERVER,
            storage={**defaults.STORAGE, "iops": iops, "tier": tier, "storageSizeGB": size, **sent["storage"]},
            network={
                "publicNetworkAccess": "Disabled" if network.get("delegatedSubnetResourceId") else "Enabled", **network,
            },
            authConfig=filled(
                defaults.AUTHENTICATION,
                {key: value for key, value in sent.get("authConfig", {}).items() if value != ""},
            ),
            fullyQualifiedDomainName=f"{call.target.name}.postgres.database.azure.com",
            version=sent["version"],
            administratorLogin=sent.get("administratorLogin"),
            availabilityZone=sent.get("availabilityZone", "1"),
            backup=filled(defaults.BACKUP, sent.get("backup")),
            highAvailability={**high, "state": "NotEnabled" if high["mode"] == "Disabled" else "Healthy"},
            maintenanceWindow=filled(defaults.MAINTENANCE, sent.get("maintenanceWindow")),
        )  # fmt: skip
        shown = {
            "sku": body["sku"],
            "systemData": {"createdAt": stamp(call.now)},
            "properties": properties,
            "location": display_location(body["location"]),
            **({"tags": body["tags"]} if "tags" in body else {}),
            "id": call.target.id,
            "name": call.target.name,
            "type": SERVER,
        }
        return {"body": shown, "private": _password_record(call.world, call.target.id, sent)}

    def patch(self, call: Call) -> Response:
        existing = call.must_exist()
        refuse_busy(call, existing.id)
        return self._change(call, existing, self.sent(call, patch=True))

    def _change(self, call: Call, existing: Resource, body: Json) -> Response:
        """Handle PUT on an existing server like PATCH (the CLI sends it for updates)."""
        refuse_stopped(existing)
        error = self._change_error(existing, body, call.now)
        sent = {
            key: value
            for key, value in (body.get("properties") or {}).items()
            if key not in ("administratorLoginPassword", "createMode")
        }
        if not error:
            existing.properties["state"] = "Updating"
            call.world.store.put(existing)
        password = _password_record(call.world, existing.id, body.get("properties") or {})
        return accept(
            call,
            CHANGE,
            existing.id,
            location=existing.body["location"],
            error=error,
            change={"sku": body.get("sku"), "tags": body.get("tags", "kept"), "properties": sent},
            password=password,
        )

    def _change_error(self, existing: Resource, body: Json, now: float) -> Problem | None:
        sent, current = body.get("properties") or {}, existing.properties
        promoted = set(sent.get("replica") or {}) & _PROMOTION
        if promoted or sent.get("replicationRole", "Primary") not in ("Primary", "None"):
            return invalid("replicationRole")  # there are no replicas here
        login = sent.get("administratorLogin")
        if login is not None and login != current["administratorLogin"]:
            return "AdministratorLoginChangeNotAllowed", "The administrator login cannot be changed."
        network = sent.get("network") or {}
        subnet = network.get("delegatedSubnetResourceId")
        if subnet is not None and subnet != current["network"].get("delegatedSubnetResourceId"):
            return "NetworkModeChangeNotAllowed", "The network mode of a server cannot be changed."
        size = (sent.get("storage") or {}).get("storageSizeGB")
        if size is not None and size < current["storage"]["storageSizeGB"]:
            return "InvalidParameterValue", "Decreasing storage size is not supported."
        tier = (sent.get("storage") or {}).get("tier") or current["storage"]["tier"]
        changed = existing.private.get("tier_changed")
        if tier != current["storage"]["tier"] and changed is not None and now < changed + TIER_PAUSE:
            return "InvalidParameterValue", "The storage tier was changed less than 12 hours ago."
        version = sent.get("version")
        if version is not None and version in VERSIONS and int(version) < int(current["version"]):
            return (
                "InvalidParameterValue",
                f"Version {version} is lower than the server's version {current['version']}.",
            )
        password = sent.get("administratorLoginPassword")
        checks = [
            check_sku({**existing.body["sku"], **body["sku"]} if body.get("sku") else None),
            check_password(password, current["administratorLogin"] or "") if password is not None else None,
            check_values(sent, body.get("sku") or existing.body["sku"]),
        ]
        return next((item for item in checks if item is not None), None)

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        refuse_busy(call, existing.id)
        existing.properties["state"] = "Dropping"
        call.world.store.put(existing)
        return accept(call, DELETE, existing.id, location=existing.body["location"], dropped=existing.id)

    action_methods = dict.fromkeys([*_NOTHING_THERE, "capabilities"], ("GET",))

    def actions(self) -> dict[str, Any]:
        return {
            **dict.fromkeys(_NOTHING_THERE, _nothing),
            "capabilities": _capabilities,
            "restart": lambda call: self._power(call, "Restart", "Restarting", "Ready"),
            "start": lambda call: self._power(call, "Start", "Starting", "Ready"),
            "stop": lambda call: self._power(call, "Stop", "Stopping", "Stopped"),
        }

    def _power(self, call: Call, word: str, meanwhile: str, afterwards: str) -> Response:
        existing = call.must_exist()
        refuse_busy(call, existing.id)
        if word == "Restart":
            refuse_stopped(existing)
        existing.properties["state"] = meanwhile
        call.world.store.put(existing)
        return accept(call, POWER[word], existing.id, location=existing.body["location"], state=afterwards)


def _capabilities(call: Call) -> Response:
    call.must_exist()
    return Response(200, {"value": [capability()]})


def _nothing(call: Call) -> Response:
    """Empty lists of unsupported children."""
    server = call.must_exist()
    if len(call.rest) > 1:
        raise resource_not_found(f"{SERVER}/{call.rest[0]}", f"{server.name}/{call.rest[1]}", call.target.group)
    return Response(200, {"value": []})


def _password_record(world: World, server_id: str, sent: Json) -> Json:
    """Return a salted hash: the store must not contain the password."""
    password = sent.get("administratorLoginPassword")
    if password is None:
        return {}
    salt = world.derived("postgresql", server_id.lower())
    return {"password": hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1, dklen=32).hex()}


def has_password(world: World, server: Resource, password: str) -> bool:
    """Return whether this is the server's password, for tests."""
    record = _password_record(world, server.id, {"administratorLoginPassword": password})
    return bool(record["password"] == server.private.get("password"))


def find(world: World, name: str) -> Resource | None:
    return next((item for item in world.store.of_type(SERVER) if item.name.lower() == name.lower()), None)


@effect("postgresql.created")
def _created(world: World, operation: Json) -> None:
    """Show the server once it is created; until then GET returns 404, as ARM's contract requires for a PUT
    that returned 202."""
    plan = world.store.record("server plan", operation["resource"].lower())
    world.store.set("server plan", operation["resource"].lower(), None)
    if plan is not None and not operation["error"]:
        world.store.put(Resource(operation["resource"], SERVER, plan["body"], operation["ends"], plan["private"]))


@effect("postgresql.changed")
def _changed(world: World, operation: Json) -> None:
    server = world.store.get(operation["resource"])
    if server is None:
        return
    server.properties["state"] = "Ready"
    if not operation["error"]:
        change = operation["details"]["change"]
        tier = (change["properties"].get("storage") or {}).get("tier")
        if tier and tier != server.properties["storage"]["tier"]:
            server.private["tier_changed"] = operation["ends"]
        server.body["properties"] = rules.update(server.properties, change["properties"])
        storage = server.properties["storage"]
        if storage["storageSizeGB"] in PERFORMANCE and "tier" not in (change["properties"].get("storage") or {}):
            storage["tier"], storage["iops"] = PERFORMANCE[storage["storageSizeGB"]]
        if change["sku"]:
            server.body["sku"] = {**server.body["sku"], **change["sku"]}
        if change["tags"] != "kept":
            server.body["tags"] = change["tags"] or {}
        server.private.update(operation["details"]["password"])
    world.store.put(server)


@effect("postgresql.dropped")
def _dropped(world: World, operation: Json) -> None:
    target = world.store.get(operation["details"]["dropped"])
    if target is None:
        return
    if operation["error"]:
        if target.type == SERVER:
            target.properties["state"] = "Ready"
            world.store.put(target)
        return
    delete_now(world, target.id)


@effect("postgresql.power")
def _powered(world: World, operation: Json) -> None:
    server = world.store.get(operation["resource"])
    if server is not None:
        server.properties["state"] = operation["details"]["state"] if not operation["error"] else "Ready"
        waiting = [] if operation["error"] else world.store.of_type(CONFIGURATION, server.id)
        for item in waiting:
            item.properties["isConfigPendingRestart"] = False
            world.store.put(item)
        world.store.put(server)


register(Servers())
