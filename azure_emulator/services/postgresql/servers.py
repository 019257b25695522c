"""PostgreSQL flexible servers: everything answers 202, and what is refused is refused in the operation's status."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from azure_emulator.core import rules
from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.operations import effect
from azure_emulator.core.resource_types import Call, ResourceType, delete_now, display_location, register
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import REGIONS, region

if TYPE_CHECKING:
    from azure_emulator.core.world import World

Json = dict[str, Any]
SERVER = "Microsoft.DBforPostgreSQL/flexibleServers"
CONFIGURATION = f"{SERVER}/configurations"
SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767)
VERSIONS = ("11", "12", "13", "14", "15", "16", "17", "18")
_PERFORMANCE = {
    32: ("P4", 120),
    64: ("P6", 240),
    128: ("P10", 500),
    256: ("P15", 1100),
    512: ("P20", 2300),
    1024: ("P30", 5000),
    2048: ("P40", 7500),
    4095: ("P50", 7500),
    4096: ("P50", 7500),
    8192: ("P60", 16000),
    16384: ("P70", 18000),
    32767: ("P80", 20000),
}
_SWITCH = rules.OneOf("Enabled", "Disabled")
_RULE: Json = {
    **rules.TRACKED,
    "identity": rules.Map(rules.Anything()),
    "sku": {"name!": rules.Text(), "tier!": rules.OneOf("Burstable", "GeneralPurpose", "MemoryOptimized")},
    "properties": {
        "administratorLogin": rules.Text(),
        "administratorLoginPassword": rules.Text(),
        "version": rules.Text(),
        "createMode": rules.OneOf(
            "Default", "Create", "Update", "PointInTimeRestore", "GeoRestore", "Replica", "ReviveDropped"
        ),
        "availabilityZone": rules.Text(),
        "replicationRole": rules.Text(),
        "sourceServerResourceId": rules.Text(),
        "pointInTimeUTC": rules.Text(),
        "replica": rules.Map(rules.Anything()),
        "cluster": rules.Map(rules.Anything()),
        "storage": {
            "storageSizeGB": rules.Whole(),
            "autoGrow": _SWITCH,
            "tier": rules.Text(),
            "iops": rules.Whole(),
            "throughput": rules.Whole(),
            "type": rules.OneOf("Premium_LRS", "PremiumV2_LRS", "UltraSSD_LRS", ""),
        },
        "authConfig": {"activeDirectoryAuth": _SWITCH, "passwordAuth": _SWITCH, "tenantId": rules.Text()},
        "backup": {
            "backupRetentionDays": rules.Whole(),
            "geoRedundantBackup": _SWITCH,
            "earliestRestoreDate": rules.READ_ONLY,
        },
        "dataEncryption": rules.Map(rules.Anything()),
        "highAvailability": {
            "mode": rules.OneOf("Disabled", "ZoneRedundant", "SameZone"),
            "standbyAvailabilityZone": rules.Text(),
            "state": rules.READ_ONLY,
        },
        "maintenanceWindow": {
            "customWindow": rules.Text(),
            "dayOfWeek": rules.Whole(),
            "startHour": rules.Whole(),
            "startMinute": rules.Whole(),
        },
        "network": {
            "publicNetworkAccess": _SWITCH,
            "delegatedSubnetResourceId": rules.Text(),
            "privateDnsZoneArmResourceId": rules.Text(),
        },
        **rules.read_only(
            "fullyQualifiedDomainName", "minorVersion", "state", "replicaCapacity", "privateEndpointConnections"
        ),
    },
}


# Operations


def accept(
    call: Call,
    operation_name: str,
    kind: str,
    work: str,
    *,
    pace: float,
    error: tuple[str, str] | None,
    location: str,
    server: str,
    **details: Any,
) -> Response:
    world = call.world
    operation = world.operations.start(
        kind,
        server,
        seconds=world.seconds("postgresql", work),
        request=call.request,
        style="postgresql",
        final="empty",
        error=error,
        pace=pace,
        status_path=call.poll_path("azureAsyncOperation", location),
        result_path=call.poll_path("operationResults", location),
        **details,
    )
    headers = world.operations.headers(operation, status=True, result=True, pace=pace)
    return Response(202, {"operation": operation_name, "startTime": stamp(call.now, digits=3)}, headers)


def refuse_busy(call: Call, server_id: str) -> None:
    """One operation per server at a time (github.com/Azure/bicep-registry-modules issue 4451)."""
    if call.world.operations.running(server_id) is not None:
        raise Refusal(
            409,
            "ServerBusy",
            f"Server '{server_id.rsplit('/', 1)[1]}' is busy with another operation. Please try again later.",
        )


# Checks: each gives what stands in the operation's status

Problem = tuple[str, str]
_TIER_PAUSE = 12 * 3600
"""Between two changes of the storage's tier (learn.microsoft.com/azure/postgresql/flexible-server, storage)."""


def invalid(parameter: str) -> Problem:
    return "InvalidParameterValue", f"Invalid value given for parameter {parameter}. Specify a valid parameter value."


def _check_sku(sku: Json | None) -> Problem | None:
    if sku is None:
        return None
    series = {"Standard_B": "Burstable", "Standard_D": "GeneralPurpose", "Standard_E": "MemoryOptimized"}
    tier = next((value for start, value in series.items() if sku.get("name", "").startswith(start)), None)
    if tier is None:
        return invalid(f"sku.name: {sku.get('name')}")
    if tier != sku.get("tier"):
        return (
            "ServerEditionIncompatibleWithSkuSize",
            "The requested server edition is incompatible with requested Sku Size. Please refer "
            "https://learn.microsoft.com/en-us/azure/postgresql/flexible-server/concepts-compute-storage#compute-tiers-"
            "vcores-and-server-types.",
        )
    return None


def check_password(password: str, login: str) -> Problem | None:
    """8 to 128 characters of three kinds, without the login's name."""
    kinds = sum(bool(re.search(pattern, password)) for pattern in ("[A-Z]", "[a-z]", "[0-9]", "[^A-Za-z0-9]"))
    low, name = password.lower(), login.lower()
    if not 8 <= len(password) <= 128 or kinds < 3 or (name and name in low):
        return (
            "PasswordNotComplex",
            "Password validation failed. The password does not meet policy requirements because "
            "it is not complex enough.",
        )
    return None


def _check_login(login: str) -> Problem | None:
    reserved = {"azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest", "public", "sa"}
    if (
        not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", login)
        or login.lower() in reserved
        or login.lower().startswith("pg_")
    ):
        return "AdministratorLoginNotAllowed", f"The administrator login name '{login}' is not allowed."
    return None


def _check_values(properties: Json, sku: Json) -> Problem | None:
    storage, backup = properties.get("storage") or {}, properties.get("backup") or {}
    size = storage.get("storageSizeGB")
    if size is not None and storage.get("type", "") in ("", "Premium_LRS") and size not in SIZES:
        return invalid(f"storageSizeGB: {size}")
    days = backup.get("backupRetentionDays")
    if days is not None and not 7 <= days <= 35:
        return invalid(f"backupRetentionDays: {days}")
    if properties.get("version") is not None and properties["version"] not in VERSIONS:
        return (
            "ParameterOutOfRange",
            f"The value of parameter version '{properties['version']}' should be in [{','.join(VERSIONS)}].",
        )
    high = (properties.get("highAvailability") or {}).get("mode", "Disabled")
    if high != "Disabled" and sku.get("tier") == "Burstable":
        return "", "High availiability not supported for burstable server."
    return None


class Servers(ResourceType):
    """PUT, PATCH, DELETE: 202 with both headers and `{operation, startTime}`; there is no provisioningState, only
    `state`. Recorded traffic of Azure/azure-cli, 2025 and 2026."""

    type = SERVER
    name_pattern = r"[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]"
    name_error = (
        "InvalidServerName",
        "The server name '{name}' is invalid: 3 to 63 lower-case letters, digits and hyphens, no hyphen at either end.",
    )
    listed_with = ("sku", "tags")

    def put(self, call: Call) -> Response:
        refuse_busy(call, call.target.id)
        body = rules.clean(call.request.json(), _RULE, new=call.existing is None)
        if call.existing is not None:
            return self._change(call, call.existing, body)
        error = self._creation_error(call, body)
        place = region(body["location"]) or ""
        plan = None if error else self._new(call, body)
        if error is None:
            assert plan is not None
            call.world.store.set("server plan", call.target.id.lower(), plan)
        return accept(
            call,
            "UpsertServerManagementOperationV2",
            "postgresql.created",
            "create",
            pace=60,
            error=error,
            location=place,
            server=call.target.id,
        )

    def _creation_error(self, call: Call, body: Json) -> Problem | None:
        sent = body.get("properties", {})
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
        checks = [_check_sku(body["sku"])]
        if password_auth:
            login = sent["administratorLogin"]
            checks += [_check_login(login), check_password(sent["administratorLoginPassword"], login)]
        checks.append(_check_values(sent, body["sku"]))
        return next((item for item in checks if item is not None), None)

    def _new(self, call: Call, body: Json) -> Json:
        sent = body["properties"]
        size = sent["storage"].get("storageSizeGB", 32)
        tier, iops = _PERFORMANCE.get(size, ("", 3000))
        high = {"mode": "Disabled", **sent.get("highAvailability", {})}
        private = bool((sent.get("network") or {}).get("delegatedSubnetResourceId"))
        properties = {
            "replica": {"role": "Primary", "capacity": 5},
            "storage": {
                "type": "",
                "iops": iops,
                "tier": tier,
                "storageSizeGB": size,
                "autoGrow": "Disabled",
                **sent["storage"],
            },
            "network": {"publicNetworkAccess": "Disabled" if private else "Enabled", **sent.get("network", {})},
            "privateEndpointConnections": [],
            "dataEncryption": {"type": "SystemManaged"},
            "authConfig": {
                "activeDirectoryAuth": "Disabled",
                "passwordAuth": "Enabled",
                **{key: value for key, value in sent.get("authConfig", {}).items() if value != ""},
            },
            "fullyQualifiedDomainName": f"{call.target.name}.postgres.database.azure.com",
            "version": sent["version"],
            "minorVersion": "4",
            "administratorLogin": sent.get("administratorLogin"),
            "state": "Ready",
            "availabilityZone": sent.get("availabilityZone", "1"),
            "backup": {"backupRetentionDays": 7, "geoRedundantBackup": "Disabled", **sent.get("backup", {})},
            "highAvailability": {**high, "state": "NotEnabled" if high["mode"] == "Disabled" else "Healthy"},
            "maintenanceWindow": {
                "customWindow": "Disabled",
                "dayOfWeek": 0,
                "startHour": 0,
                "startMinute": 0,
                **sent.get("maintenanceWindow", {}),
            },
            "replicationRole": "Primary",
            "replicaCapacity": 5,
        }
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
        return self._change(call, existing, rules.clean(call.request.json(), _RULE, new=False, patch=True))

    def _change(self, call: Call, existing: Resource, body: Json) -> Response:
        """PUT on an existing server changes it as PATCH does (the CLI sends it for updates)."""
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
            "UpsertServerManagementOperationV2",
            "postgresql.changed",
            "update",
            pace=60,
            error=error,
            location=region(existing.body["location"]) or "",
            server=existing.id,
            change={"sku": body.get("sku"), "tags": body.get("tags", "kept"), "properties": sent},
            password=password,
        )

    def _change_error(self, existing: Resource, body: Json, now: float) -> Problem | None:
        sent, current = body.get("properties") or {}, existing.properties
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
        if tier != current["storage"]["tier"] and changed is not None and now < changed + _TIER_PAUSE:
            return "InvalidParameterValue", "The storage tier was changed less than 12 hours ago."
        version = sent.get("version")
        if version is not None and version in VERSIONS and int(version) < int(current["version"]):
            return (
                "InvalidParameterValue",
                f"Version {version} is lower than the server's version {current['version']}.",
            )
        password = sent.get("administratorLoginPassword")
        checks = [
            _check_sku({**existing.body["sku"], **body["sku"]} if body.get("sku") else None),
            check_password(password, current["administratorLogin"] or "") if password is not None else None,
            _check_values(sent, body.get("sku") or existing.body["sku"]),
        ]
        return next((item for item in checks if item is not None), None)

    def delete(self, call: Call) -> Response:
        existing = call.must_exist()
        refuse_busy(call, existing.id)
        existing.properties["state"] = "Dropping"
        call.world.store.put(existing)
        return accept(
            call,
            "DropServerManagementOperation",
            "postgresql.dropped",
            "delete",
            pace=15,
            error=None,
            location=existing.body["location"],
            server=existing.id,
            dropped=existing.id,
        )

    def actions(self) -> dict[str, Any]:
        return {
            "restart": lambda call: self._power(call, "Restart", "Restarting", "Ready"),
            "start": lambda call: self._power(call, "Start", "Starting", "Ready"),
            "stop": lambda call: self._power(call, "Stop", "Stopping", "Stopped"),
        }

    def _power(self, call: Call, word: str, meanwhile: str, afterwards: str) -> Response:
        existing = call.must_exist()
        refuse_busy(call, existing.id)
        existing.properties["state"] = meanwhile
        call.world.store.put(existing)
        return accept(
            call,
            f"{word}ServerManagementOperation",
            "postgresql.power",
            word.lower(),
            pace=60,
            error=None,
            location=region(existing.body["location"]) or "",
            server=existing.id,
            state=afterwards,
        )


def _password_record(world: World, server_id: str, sent: Json) -> Json:
    """A salted hash: the store must not hold the password."""
    password = sent.get("administratorLoginPassword")
    if password is None:
        return {}
    salt = world.derived("postgresql", server_id.lower())
    return {"password": hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1, dklen=32).hex()}


def has_password(world: World, server: Resource, password: str) -> bool:
    """For tests: whether this is the server's password."""
    record = _password_record(world, server.id, {"administratorLoginPassword": password})
    return bool(record["password"] == server.private.get("password"))


def find(world: World, name: str) -> Resource | None:
    return next((item for item in world.store.of_type(SERVER) if item.name.lower() == name.lower()), None)


@effect("postgresql.created")
def _created(world: World, operation: Json) -> None:
    """The server is shown once it is made; until then a GET of it answers 404, as the contract of ARM has it for a PUT
    that answered 202."""
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
        if storage["storageSizeGB"] in _PERFORMANCE and "tier" not in (change["properties"].get("storage") or {}):
            storage["tier"], storage["iops"] = _PERFORMANCE[storage["storageSizeGB"]]
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
        for item in world.store.of_type(CONFIGURATION, server.id):
            item.properties["isConfigPendingRestart"] = False
            world.store.put(item)
        world.store.put(server)


# Location paths


def check_name(world: World, request: Request, segments: list[str]) -> Response:
    sent = request.json()
    name, kind = str(sent.get("name", "")), str(sent.get("type", ""))
    answer: Json = {"name": name, "type": kind, "nameAvailable": True, "message": ""}
    if not re.fullmatch(Servers.name_pattern, name):
        answer |= {"nameAvailable": False, "reason": "Invalid", "message": Servers.name_error[1].format(name=name)}
    elif find(world, name) is not None or any(
        key.endswith(f"/{name.lower()}") for key, _ in world.store.records("server plan")
    ):
        answer |= {
            "nameAvailable": False,
            "reason": "AlreadyExists",
            "message": f"Specified server name is already used: {name}.",
        }
    return Response(200, answer)


_SKUS = {
    "Burstable": ("Standard_B1ms", "Standard_B2s", "Standard_B2ms", "Standard_B4ms", "Standard_B8ms"),
    "GeneralPurpose": (
        "Standard_D2s_v3",
        "Standard_D4s_v3",
        "Standard_D2ds_v5",
        "Standard_D4ds_v5",
        "Standard_D4ads_v5",
    ),
    "MemoryOptimized": ("Standard_E2s_v3", "Standard_E2ds_v4", "Standard_E2ds_v5", "Standard_E4ds_v5"),
}


def capabilities(world: World, request: Request, segments: list[str]) -> Response:
    """What a region offers: no more of it than deployers look at."""
    if region(segments[5]) is None:
        raise Refusal(400, "InvalidLocation", f"The location '{segments[5]}' is not one of {', '.join(REGIONS)}.")
    versions = [
        {
            "supportedFeatures": [],
            "name": version,
            "supportedVersionsToUpgrade": [later for later in VERSIONS if int(later) > int(version)],
        }
        for version in VERSIONS
    ]
    found = {
        "name": "FlexibleServerCapabilities",
        "supportedServerEditions": [_edition(tier, names) for tier, names in _SKUS.items()],
        "supportedServerVersions": versions,
        "supportedFeatures": [{"name": "FastProvisioning", "status": "Enabled"}],
        "supportedFastProvisioningEditions": [
            {
                "supportedTier": "Burstable",
                "supportedSku": "standard_b1ms",
                "supportedStorageGb": 32,
                "supportedServerVersions": "16",
                "serverCount": 0,
            }
        ],
        **dict.fromkeys(_CAPABILITIES, "Enabled"),
        "restricted": "Disabled",
    }
    return Response(200, {"value": [found]})


_CAPABILITIES = (
    "fastProvisioningSupported",
    "geoBackupSupported",
    "zoneRedundantHaSupported",
    "zoneRedundantHaAndGeoBackupSupported",
    "storageAutoGrowthSupported",
    "onlineResizeSupported",
    "indexTuningSupported",
)
_SSD_V2: Json = {
    "name": "ManagedDiskV2",
    "defaultStorageSizeMb": 32768,
    "supportedStorageMb": [
        {
            "supportedIops": 3000,
            "supportedMaximumIops": 80000,
            "storageSizeMb": 32768,
            "maximumStorageSizeMb": 67108864,
            "supportedThroughput": 125,
            "supportedMaximumThroughput": 1200,
            "defaultIopsTier": "None",
            "supportedIopsTiers": [{"name": "None", "iops": 0}],
        }
    ],
}


def _tiers(least: int) -> list[Json]:
    """The performance tiers that a size of storage can have: its own and every faster one."""
    return [{"name": name, "iops": iops} for name, iops in _PERFORMANCE.values() if iops >= least]


def _edition(tier: str, names: tuple[str, ...]) -> Json:
    sizes = [
        {
            "storageSizeMb": size * 1024,
            "supportedIops": iops,
            "defaultIopsTier": name,
            "supportedIopsTiers": _tiers(iops),
        }
        for size, (name, iops) in _PERFORMANCE.items()
    ]
    storage = {"name": "ManagedDisk", "defaultStorageSizeMb": 32768, "supportedStorageMb": sizes}
    skus = [
        {
            "name": name,
            "supportedIops": 640 if tier == "Burstable" else 3200,
            "vCores": 1 if name == "Standard_B1ms" else int(name.split("_")[1][1]),
            "supportedMemoryPerVcoreMb": 2048,
            "supportedZones": ["1", "2", "3"],
            "supportedHaMode": ["SameZone", "ZoneRedundant"],
            "supportedFeatures": [],
        }
        for name in names
    ]
    return {
        "name": tier,
        "defaultSkuName": names[0],
        "supportedStorageEditions": [storage, _SSD_V2],
        "supportedServerSkus": skus,
    }


register(Servers())

_L = ("subscriptions", "*", "providers", "microsoft.dbforpostgresql", "locations", "*")
PATHS = [
    (
        "POST",
        (*_L, "checknameavailability"),
        check_name,
        "Microsoft.DBforPostgreSQL/locations",
        "Microsoft.DBforPostgreSQL/locations/checkNameAvailability/action",
    ),
    (
        "POST",
        ("subscriptions", "*", "providers", "microsoft.dbforpostgresql", "checknameavailability"),
        check_name,
        "Microsoft.DBforPostgreSQL/checkNameAvailability",
        "Microsoft.DBforPostgreSQL/checkNameAvailability/action",
    ),
    (
        "GET",
        (*_L, "capabilities"),
        capabilities,
        "Microsoft.DBforPostgreSQL/locations",
        "Microsoft.DBforPostgreSQL/locations/capabilities/read",
    ),
]
