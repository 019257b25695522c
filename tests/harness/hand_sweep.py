"""Everything that a person can set on deployed resources, and what three runs of the command then make of it.

The expectation does not come from the code under test: a leaf is stated if it was in the body of the PUT that made the
resource, as the emulator's own log has it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from by_hand import settle
from hand_values import KEYS, Address, Leaf, get, leaves, put, with_value
from project import Azure, Project

Body = dict[str, Any]
_BY_PUT = {
    "Microsoft.Insights/components",
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.App/managedEnvironments/storages",
    "Microsoft.DBforPostgreSQL/flexibleServers/databases",
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules",
    "Microsoft.DBforPostgreSQL/flexibleServers/configurations",
}
# What makes an app that runs another one, or none.
_HARM = re.compile(
    r"ingress\.(external|targetPort|exposedPort|transport|traffic|ipSecurity)|probes|image|command|args|initContainers"
    r"|scale\.minReplicas"  # as many have to be ready
)
# Values that the service changes with any write.
_VOLATILE = (
    "systemData", "etag", "latestRevisionName", "latestReadyRevisionName", "latestRevisionFqdn", "modifiedDate",
    "runningStatus", "revisionSuffix", "lastSkuUpdate", "provisioningState", "lastUpdatedTime", "quotaNextResetTime",
)
# Set at creation, and left to others from then on.
INITIAL = (
    "properties.configuration.activeRevisionsMode", "properties.configuration.ingress.traffic", "properties.network",
    "properties.authConfig", "properties.backup.geoRedundantBackup",
)

# Leaves that a person may set and that no run can go on with, or that say whose a resource is.
LEFT_OUT = {
    "tags.draftgenie-lineage": "says which state the group belongs to: a run refuses another one's",
    "tags.incarnation": "says which of several resources of one name it is",
    "tags.draftgenie-migration": "says which migration a job is",
    "properties.template.revisionSuffix": "is for one revision: a second write with it is refused",
    "properties.enableRbacAuthorization": "a run cannot give itself roles in a vault without them",
    "properties.tenantId": "a vault of another directory is beyond reach",
    "properties.networkAcls.defaultAction": "shuts out whoever runs the command",
    "properties.publicNetworkAccess": "shuts out whoever runs the command",
    "properties.configuration.ingress.ipSecurityRestrictions.0.action": "rules of others with it forbid to repair ours",
    "properties.network.privateDnsZoneArmResourceId": "is for private servers, and of another one a fault",
    "properties.version": "PostgreSQL goes up by hand and never down",
}
# A deployment that has a resource of every type, and builds nothing.
EVERY_TYPE: dict[str, Any] = {
    "azure": {"cloud": "emulator", "resource_group": "demo-rg", "location": "eastus2"},
    "key_vault": {"name": "demo-kv"},
    "container_registry": {"name": "demoacr", "sku": "Premium"},
    "monitoring": {"log_workspace": "demo-logs", "app_insights": "demo-insights"},
    "postgresql": {"server_name": "demo-pg", "sku": "Standard_D2ds_v5", "extensions": ["pgcrypto"]},
    "redis": {"name": "demo-redis"},
    "container_apps": {"environment_name": "demo-env"},
    "secrets": {"token": "amqp-url-with-key"},
    "services": {
        "web": {
            "image": "nginx", "port": 8080, "ingress": "external", "transport": "auto", "health_path": "/health",
            "secrets": {"BROKER": "{{ secrets.token }}"}, "environment": {"LEVEL": "info", "MORE": "1"},
            "command": ["serve"], "args": ["--all"], "cpu": 1, "memory": "2Gi",
            "volume": {"type": "empty_dir", "mount_path": "/data"},
            "ip_restrictions": [{"name": "office", "ip_address_range": "203.0.113.0/24", "action": "Allow"}],
            "cors": {"allowed_origins": ["https://a.example"], "allowed_methods": ["GET"], "max_age": 600},
            "session_affinity": True, "dapr": {"app_protocol": "http", "log_level": "warn"},
            "scale": {
                "http_concurrent_requests": 50,
                "rules": [
                    {"name": "q", "type": "rabbitmq", "metadata": {"queueName": "q"}, "auth": {"host": "BROKER"}}
                ],
            },
        },
        "worker": {
            "image": "nginx", "secrets": {"BROKER": "{{ secrets.token }}"},
            "environment": {"DB": "{{ postgresql.host }}", "A": "1"},
        },
        "inner": {"image": "nginx", "port": 8080, "transport": "auto", "min_replicas": 0},
        "other": {"image": "nginx"},
    },
    "migrations": [{"service": "worker", "command": "true"}],
}


@dataclass
class Hand:
    """One resource, and what was set on it.

    Attributes:
        sent: the body of the PUT that made it.
        first: the resource as it was deployed.
        given: the resource after the change by hand.
        values: values set, by path.
        refused: values that Azure refused.
    """

    key: str
    id: str
    version: str
    type: str
    sent: Body = field(default_factory=dict)
    first: Body = field(default_factory=dict)
    given: Body = field(default_factory=dict)
    values: dict[Address, Any] = field(default_factory=dict)
    refused: dict[Leaf, str] = field(default_factory=dict)

    def is_stated(self, address: Address) -> bool:
        """Return whether the configuration sets a leaf, by the first body sent."""
        name = ".".join(map(str, address))
        if name.startswith(INITIAL) or name == "identity.type":  # to identities one adds, and takes none away
            return False
        wanted: Any = self.sent
        for size, part in enumerate(address):
            if isinstance(part, int):
                item = get(self.first, address[: size + 1])
                wanted = _twin(wanted, item) if isinstance(wanted, list) and isinstance(item, dict) else None
            else:
                wanted = wanted.get(part) if isinstance(wanted, dict) else None
        return wanted is not None


def _twin(items: list[Any], item: Body) -> Any:
    """The sent item that became a live one."""
    for wanted in items:
        if isinstance(wanted, dict) and all(
            str(wanted[key]).lower() == str(item.get(key)).lower() for key in KEYS if key in wanted
        ):
            return wanted
    return None


def hands(project: Project, keys: list[str]) -> list[Hand]:
    """The recorded resources of these keys."""
    state, made = project.state(), {}
    for request in project.requests():
        if request["method"] == "PUT" and isinstance(request["body"], dict):
            made.setdefault(request["path"].lower(), request["body"])
    found = []
    for key in keys:
        record = state["resources"][key]
        hand = Hand(key, record["id"], record["api_version"], _type(record["id"]))
        hand.sent = made[record["id"].lower()]
        found.append(hand)
    return found


def _type(resource_id: str) -> str:
    if "/providers/" not in resource_id:
        return "Microsoft.Resources/resourceGroups"
    namespace, *parts = resource_id.rsplit("/providers/", 1)[1].split("/")
    return "/".join([namespace, *parts[::2]])


def takes_part(leaf: Leaf) -> bool:
    """Return whether a leaf is part of a sweep."""
    name = str(leaf)
    return name not in LEFT_OUT and not (name.endswith("ingress.external") and False not in leaf.values)


def set_one(azure: Azure, hand: Hand, number: int) -> str:
    """Set some leaf, from that number on the first one that Azure takes and that does no app any harm; its name."""
    hand.first = live(azure, hand)
    found = [leaf for leaf in leaves(hand.type, hand.first) if takes_part(leaf) and not _HARM.search(str(leaf))]
    for leaf in [*found[number % len(found) :], *found][:6]:
        if not _renames(hand.first, leaf.address) and any(not _set(azure, hand, leaf, one) for one in leaf.values):
            return f"{hand.key} {leaf}"
    return ""


def set_leaves(azure: Azure, hand: Hand, wanted: Callable[[Leaf], bool]) -> None:
    """Set one leaf after another, as long as Azure takes it and shows it."""
    hand.first = live(azure, hand)
    for leaf in filter(wanted, leaves(hand.type, hand.first)):
        if any(leaf.address[:size] in hand.values for size in range(1, len(leaf.address))):
            continue
        if _renames(hand.first, leaf.address):
            continue
        for value in leaf.values:
            refusal = _set(azure, hand, leaf, value)
            if not refusal:
                hand.values[leaf.address] = value
                break
            hand.refused[leaf] = refusal
            if "Could not find member" in refusal:
                break
    hand.given = live(azure, hand)
    lost = [address for address, value in hand.values.items() if not alike(get(hand.given, address), value)]
    for address in lost:  # a later one took it back
        del hand.values[address]
    first, given = dict(flat(hand.first)), dict(flat(hand.given))
    for address in {*first, *given} - {*hand.values}:  # what came with another
        if not alike(first.get(address), given.get(address)) and hand.is_stated(address):
            hand.values[address] = given.get(address)


def live(azure: Azure, hand: Hand) -> Body:
    """Return the body of GET."""
    found: Body = azure.send("GET", hand.id, hand.version).json()
    return found


def _renames(body: Body, address: Address) -> bool:
    """Return whether a leaf is part of the key of an existing item."""
    item = get(body, address[:-1])
    return len(address) > 1 and isinstance(address[-2], int) and address[-1] in KEYS and item is not None


def _set(azure: Azure, hand: Hand, leaf: Leaf, value: Any) -> str:
    """Set it; what came in between, if something did."""
    before = live(azure, hand)
    answer = write(azure, hand, with_value(before, leaf, value), leaf.address)
    if answer.status_code >= 300:
        return str(answer.text())
    after = get(live(azure, hand), leaf.address)
    return "" if alike(after, value) and not alike(get(before, leaf.address), value) else f"shows {after!r}"


def write(azure: Azure, hand: Hand, body: Body, address: Address) -> Any:
    """A write of a person: the part of the body in which the leaf is, or all of it where PATCH does not serve."""
    if hand.type in _BY_PUT:
        answer = azure.ask("PUT", hand.id, hand.version, body)
    else:
        part: Any = body[address[0]]
        if address[0] == "properties" and len(address) > 1:
            part = {address[1]: part.get(address[1])}
        answer = azure.ask("PATCH", hand.id, hand.version, {address[0]: part})
    if answer.status_code < 300:
        settle(azure, answer, hand.version)
    return answer


def alike(one: Any, other: Any) -> bool:
    """Return whether two values are equal, ignoring case and the spelling of numbers."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return float(one) == float(other)
    return str(one).lower() == str(other).lower() if isinstance(one, str) else bool(one == other)


def flat(body: Any, address: Address = ()) -> Iterator[tuple[Address, Any]]:
    """Return every leaf, without those that the service changes itself."""
    if address and address[-1] in _VOLATILE:
        return
    if isinstance(body, dict):
        for key, value in body.items():
            yield from flat(value, (*address, key))
    elif isinstance(body, list) and body and all(isinstance(item, dict) for item in body):
        for number, item in enumerate(body):
            yield from flat(item, (*address, number))
    elif body not in (None, [], {}, ""):
        yield address, body


def differences(hand: Hand, found: Body, expected: Body) -> list[str]:
    """Return deviations from the expectation; if the write had side effects, both outcomes are allowed."""
    one, other = dict(flat(found)), dict(flat(expected))
    first, given = dict(flat(hand.first)), dict(flat(hand.given))
    wrong = []
    for address in sorted({*one, *other}, key=str):
        value = one.get(address)
        if value == other.get(address):
            continue
        mine = any(address[: len(set_one)] == set_one for set_one in hand.values)
        if not mine and address not in hand.values and value in (first.get(address), given.get(address)):
            continue
        where = ".".join(map(str, address))
        wrong.append(f"{hand.key} {where}: {value!r}, expected {other.get(address)!r}")
    return wrong


def repaired(hand: Hand, body: Body, fixed: Collection[str] = ()) -> Body:
    """The body with what is stated, and can be changed, as it was deployed."""
    result = copy.deepcopy(body)
    for address in hand.values:
        if hand.is_stated(address) and ".".join(map(str, address)) not in fixed:
            put(result, address, get(hand.first, address))
    return result


def changed(body: Body, changes: Mapping[Address, Any]) -> Body:
    """The body with changes of the configuration in it."""
    result = copy.deepcopy(body)
    for address, value in changes.items():
        put(result, address, value)
    return result
