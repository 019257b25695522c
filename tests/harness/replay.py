"""Replays recorded exchanges of Azure against the emulator: sets up what one presupposes, sends it, compares.

An exchange agrees if the emulator answers with the recorded status, the same kinds of polling headers, the same error
code and words of state, and with every recorded property in the same JSON type. Values are masked: they are minted.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from emulator_client import SECRETS_OFFICER, AzureClient, Json

from azure_emulator.core.versions import ACTION_VERSIONS, VERSIONS, canonical_type, region

SHARED = Path(__file__).resolve().parents[3] / "shared"
RECORDINGS = SHARED / "azure-recordings"
TYPES = SHARED / "azure-types"

# Of kinds that the emulator does not serve: template deployments, storage accounts; or other files again (errors).
NOT_OURS = {"deployments", "deployment-stacks", "storage-blobs", "errors", "errors-cli"}
PLACE = "eastus2"
SCALE = 0.1
AHEAD = 150
"""Seconds by which the clock goes forward to see the end of an operation: more than the longest one at this scale."""
MASKS = ("PLACEHOLDER", "SANITIZED")
WORDS = {"provisioningState", "resourceState", "status", "type", "code", "nameAvailable", "reason", "operation"}
HEADERS = ("Azure-AsyncOperation", "Location", "x-ms-async-operation-timeout", "x-ms-failure-cause", "WWW-Authenticate")

# Recordings of locks and registrations use types that are not served here; what they show holds for any type.
STAND_INS = [
    (
        r"(?i)Microsoft\.Network/virtualNetworks/[\w.-]+(?![\w.-]|/subnets)",
        "Microsoft.ManagedIdentity/userAssignedIdentities/scope",
    ),
    (r"(?i)Microsoft\.Storage/storageAccounts/[\w.-]+", "Microsoft.ManagedIdentity/userAssignedIdentities/scope"),
    (r"Microsoft\.Relay/namespaces/", "Microsoft.Cache/redis/"),
    (r"Microsoft\.ApiCenter/services/", "Microsoft.Cache/redis/"),
    (r"Microsoft\.(Relay|ApiCenter|ClassicInfrastructureMigrate)", "Microsoft.Cache"),
]


class Exchange(NamedTuple):
    """One recorded request with its answer; `name` is the file's and its place in it."""

    name: str
    kind: str
    blob: str
    method: str
    host: str
    path: str
    headers: Json
    body: Any
    status: int
    answer_headers: Json
    answer: Any

    @property
    def family(self) -> str:
        return self.name.partition("#")[0]


class Outcome(NamedTuple):
    exchange: Exchange
    differences: list[str]


def load(folder: Path) -> Iterator[Exchange]:
    for file in sorted(folder.glob("*.json")):
        if file.stem in NOT_OURS:
            continue
        lines = json.loads(file.read_text(encoding="utf-8"))
        found: list[Exchange] = []
        for index, line in enumerate(lines):
            request, response = line["request"], line["response"]
            found.append(
                Exchange(
                    f"{file.stem}#{index}",
                    line["kind"],
                    f"{file.stem} {line['blob']}",
                    request["method"],
                    request.get("host", ""),
                    request["path"],
                    {key.lower(): value for key, value in request["headers"].items()},
                    whole(request["body"]),
                    response["status"],
                    {key.lower(): value for key, value in response["headers"].items()},
                    whole(response["body"]),
                )
            )
        # In the order in which they were sent.
        order = {item.name: int(line["source"].rpartition("#")[2]) for item, line in zip(found, lines, strict=True)}
        yield from sorted(found, key=lambda item: (item.blob, order[item.name]))


def whole(value: Any) -> Any:
    """Without the marks where a recording was cut, and without rows of types that the emulator does not serve."""
    if isinstance(value, list):
        return [whole(item) for item in value if not _left_out(item)]
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    return value


def served(exchange: Exchange) -> bool:
    """Whether an exchange concerns a type of the emulator's."""
    path = exchange.path.lower()
    foreign = ("microsoft.network/networksecuritygroups", "microsoft.resources/deployments")
    if any(name in path for name in foreign):
        return False
    # Results of template deployments (what-if) and of deletions of deployments.
    return exchange.family != "operation-results" or (exchange.status == 200 and exchange.answer is None)


def _left_out(item: Any) -> bool:
    if isinstance(item, str):
        return item.startswith("(cut:")
    kind = item.get("type") if isinstance(item, dict) else None
    foreign = ("Microsoft.Storage/", "Microsoft.Web/", "Microsoft.Network/")
    return isinstance(kind, str) and kind.startswith(foreign)


# Comparison


def compare(recorded: Any, answered: Any, at: str = "") -> list[str]:
    """What of a recorded body is not in an answer, or in another JSON type."""
    if isinstance(recorded, dict) and isinstance(answered, dict):
        found = []
        for key, value in recorded.items():
            if key not in answered:
                found.append(f"{at}.{key} is missing")
            else:
                found += compare(value, answered[key], f"{at}.{key}")
        return found
    if isinstance(recorded, list) and isinstance(answered, list):
        return [problem for item in recorded for problem in _nearest(item, answered, f"{at}[]")]
    anonymous = isinstance(recorded, str) and (recorded in MASKS or re.match(r"other\d+x\d+", recorded))
    if anonymous and answered is not None:
        return []
    if _kind(recorded) != _kind(answered):
        return [f"{at} is {_kind(answered)}, recorded as {_kind(recorded)}"]
    if at.rpartition(".")[2] in WORDS and recorded != answered:
        return [f"{at} is {answered!r}, recorded as {recorded!r}"]
    return []


def _nearest(item: Any, answered: list[Any], at: str) -> list[str]:
    if not answered:
        return [f"{at} is empty"]
    return min((compare(item, other, at) for other in answered), key=len)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {dict: "object", list: "array", str: "string"}.get(type(value), "null")


# Replay


class Replay:
    """One sequence of exchanges of one recording, against an emptied emulator."""

    def __init__(self, azure: AzureClient) -> None:
        self.azure = azure
        self.polls: dict[str, str] = {}
        """Recorded poll addresses (their paths) and what the emulator gave in their place."""
        self.names: dict[str, str] = {}
        """Names that Azure minted (revisions, executions, runs) and the emulator's in their place."""
        self.known: dict[str, Json] = {}
        self.problems: dict[str, str] = {}
        """What ends badly later in the recording: the resource's `deploymentErrors`."""
        self.place = PLACE
        self.gone = 0.0

    def run(self, exchanges: list[Exchange]) -> Iterator[Outcome]:
        self.azure.attached.control("POST", "/control/reset")
        settings: Json = {"scale": SCALE, "images": {}, "faults": [], "tasks_allowed": True}
        self.azure.attached.control("POST", "/control/settings", settings)
        self.look_ahead(exchanges)
        for exchange in exchanges:
            try:
                found = self.one(self._ours(exchange))
            except (AssertionError, HttpResponseError) as error:
                found = [f"not replayed: {error}"]
            yield Outcome(exchange, found)

    def look_ahead(self, exchanges: list[Exchange]) -> None:
        """Where the resources of this recording are, and what GET says of them."""
        for exchange in (self._ours(item) for item in exchanges):
            answer = exchange.answer if isinstance(exchange.answer, dict) else {}
            if exchange.method in ("GET", "PUT") and exchange.status < 300 and "properties" in answer:
                self.known.setdefault(str(answer.get("id", "")).lower(), answer)
                if (answer.get("properties") or {}).get("deploymentErrors"):
                    self.problems[answer["id"].lower()] = answer["properties"]["deploymentErrors"]
            sent = exchange.body if isinstance(exchange.body, dict) else {}
            place = answer.get("location") or sent.get("location")
            if place and self.place == PLACE:
                self.place = str(place)

    def _ours(self, exchange: Exchange) -> Exchange:
        """With this emulator's subscription and tenant, and stand-ins for types that it does not serve."""
        text = json.dumps(exchange._asdict())
        text = re.sub(r"/subscriptions/[0-9a-f-]{36}", self.azure.subscription, text)
        text = re.sub(r'("tenantId": )"[0-9a-f-]{36}"', rf'\1"{self.azure.attached.tenant_id}"', text)
        foreign = "ClassicInfrastructureMigrate" in exchange.path
        text = re.sub(r"other-(\d+)-(\d+)", r"other\1x\2", text)  # a registry's name has no hyphen
        text = text.replace(
            '"administratorLoginPassword": "PLACEHOLDER"', f'"administratorLoginPassword": "{PASSWORD}"'
        )
        # The recorder took the key out.
        text = re.sub(
            r'("logAnalyticsConfiguration": \{"customerId": "[^"]+")(, "dyn)', r'\1, "sharedKey": "key"\2', text
        )
        for pattern, stand_in in STAND_INS:
            text = re.sub(pattern, stand_in, text)
        for theirs, ours in self.names.items():
            text = text.replace(theirs, ours)
        if foreign:
            # Older providers have one of what newer ones have several of.
            text = re.sub(r'"authorization": (\{[^}]*\})', r'"authorizations": [\1]', text)
        return Exchange(**json.loads(text))

    def one(self, exchange: Exchange) -> list[str]:
        if exchange.host:
            return OTHER_HOSTS[0](self, exchange).differences()
        parts = urlsplit(exchange.path)
        ours = self.polls.get(unquote(parts.path).lower())
        if ours is None and re.search(r"(?i)/\w*operation\w*/[^/]+$", parts.path):
            ours = Began(self, exchange).address()
        self._prepare(exchange, polled=ours is not None)
        exchange = self._ours(exchange)  # with the names that were learnt meanwhile
        self.declare_failure(exchange)
        url = ours or self._address(exchange)
        body: Json = {} if exchange.body is None else {"json": exchange.body}
        answer = self.azure.arm.send_request(HttpRequest(exchange.method, url, **body), retry_total=0)
        for header in ("azure-asyncoperation", "location"):
            theirs = urlsplit(exchange.answer_headers.get(header, "")).path
            if header in answer.headers and re.search(r"(?i)/\w*operation\w*/", theirs):
                self.polls[unquote(theirs).lower()] = answer.headers[header]
        content = answer.json() if answer.content else None
        return differences(exchange, answer.status_code, dict(answer.headers), content)

    def declare_failure(self, exchange: Exchange) -> None:
        """A failure of the service itself, or one without a word of its cause, is declared as a fault here."""
        if exchange.status < 500 and not (exchange.status == 412 and exchange.answer is None):
            return
        error = (exchange.answer or {}).get("error") or {} if isinstance(exchange.answer, dict) else {}
        fault = {"method": exchange.method, "status": exchange.status, "code": error.get("code", "")}
        if isinstance(exchange.answer, str):
            fault["message"] = fault["code"] = exchange.answer
        self.azure.attached.control("POST", "/control/faults", {"faults": [fault]})

    def _address(self, exchange: Exchange) -> str:
        parts = urlsplit(exchange.path)
        found = re.search(r"api-version=([\w-]+)", parts.query)
        version = fitting_version(parts.path, found[1] if found else "")
        query = re.sub(r"api-version=[\w-]+", f"api-version={version}", parts.query)
        query = query if found else f"api-version={version}"
        return "{endpoint}" + quote(unquote(parts.path)) + "?" + query

    def problem(self, identifier: str | None) -> str:
        return self.problems.get((identifier or "").lower(), "")

    # What an exchange presupposes

    def _prepare(self, exchange: Exchange, *, polled: bool) -> None:
        if polled:
            running = exchange.status == 202 or (exchange.answer or {}).get("status") in RUNNING
            if not running:
                self.advance()
            return
        Setting(self, exchange).prepare()

    def advance(self, seconds: float = AHEAD) -> None:
        self.gone += seconds
        if self.gone > 3000:
            self.azure = AzureClient(self.azure.attached)  # before its token ends
            self.gone = 0.0
        self.azure.attached.control("POST", "/control/clock", {"advance": seconds})

    def exists(self, identifier: str) -> bool:
        return self.azure.call("GET", identifier, version=fitting_version(identifier, "")).status_code == 200

    def make(self, identifier: str, body: Json, *, wait: bool = True) -> None:
        version = fitting_version(identifier, "")
        answer = self.azure.call("PUT", identifier, body, version)
        assert answer.status_code < 300, f"cannot set up {identifier}: {answer.text()}\n{json.dumps(body)}"
        if wait:
            self.advance()


RUNNING = ("InProgress", "Pending", "Creating", "Updating", "Queued", "Deleting")


BEGUN = ("RegisteringDns", "Creating", "Waiting", "Updating", "Restoring", "InProgress", "UpdatingManagedIdentity")


def differences(exchange: Exchange, status: int, headers: Json, body: Any) -> list[str]:
    found = []
    if status != exchange.status:
        said = json.dumps(body)[:300] if status >= 400 else ""
        found.append(f"status is {status}, recorded as {exchange.status} {said}".rstrip())
    answered = {key.lower() for key in headers}
    for header in HEADERS:
        recorded, there = header.lower() in exchange.answer_headers, header.lower() in answered
        if recorded != there:
            found.append(f"{header} is {'there' if there else 'missing'}, recorded {'with' if recorded else 'without'}")
    if exchange.answer is None and body is not None:
        found.append("the body is not empty")
    return found + compare(exchange.answer, body) if exchange.answer is not None else found


def type_of(path: str) -> tuple[str, str]:
    """Type in Azure's spelling and action of a path."""
    path = re.sub("(?i)/providers/", "/providers/", path)
    parts = [part for part in path.rpartition("/providers/")[2].split("/") if part]
    if "/providers/" not in path.lower() or path.lower().count("/providers/") == 0:
        return ("Microsoft.Resources/resourceGroups", "")
    if len(parts) == 1:
        return ("Microsoft.Resources/providers", "")
    known, position = parts[0], 1
    while position < len(parts) and canonical_type(f"{known}/{parts[position]}"):
        known, position = f"{known}/{parts[position]}", position + 2
    return (
        canonical_type(known) or "Microsoft.Resources/resources",
        parts[position].lower() if position < len(parts) else "",
    )


def fitting_version(path: str, wanted: str) -> str:
    """The recorded version where the emulator takes it, else the nearest one that it takes."""
    path = re.sub("(?i)/providers/", "/providers/", path)
    kind, action = type_of(path)
    if kind == "Microsoft.Resources/resources" and re.search(r"/providers/[\w.]+/(un)?register$", path):
        kind = "Microsoft.Resources/providers"
    if "/locations/" in path and kind == "Microsoft.Resources/resources":
        kind = path.rpartition("/providers/")[2].split("/")[0] + "/locations"
    if kind == "Microsoft.Resources/resourceGroups" and not re.search("(?i)/resourcegroups", path):
        kind = "Microsoft.Resources/subscriptions"
    if path.lower().endswith("/resources"):
        kind = "Microsoft.Resources/resources"
    versions = ACTION_VERSIONS.get((kind.lower(), action)) or VERSIONS[kind]
    if wanted in versions:
        return wanted
    earlier = sorted(version for version in versions if version <= wanted)
    if not wanted:
        return max([version for version in versions if "preview" not in version] or versions)
    return earlier[-1] if earlier else min(versions)


# Setting up


class Setting:
    """Makes the resources that one exchange presupposes, as far as they are not there."""

    def __init__(self, replay: Replay, exchange: Exchange) -> None:
        self.replay = replay
        self.exchange = exchange
        self.path = unquote(urlsplit(exchange.path).path)
        self.answer: Json = exchange.answer if isinstance(exchange.answer, dict) else {}
        self.sent: Json = exchange.body if isinstance(exchange.body, dict) else {}
        found = re.search(r"(?i)/resourcegroups/([^/?]+)", self.path + str(self.answer.get("id", "")))
        self.group = f"{self.azure.subscription}/resourceGroups/{found[1] if found else 'began'}"

    @property
    def azure(self) -> AzureClient:
        return self.replay.azure

    def prepare(self) -> None:
        exchange = self.exchange
        code = self.answer.get("error", {}).get("code", "") if "error" in self.answer else ""
        if exchange.family == "resource-providers":
            if exchange.kind == "not-registered":
                self._groups(self.path)
            return
        self.azure.register_all()
        running = exchange.family == "jobs" and exchange.kind in (
            "start",
            "executions",
            "execution",
            "stop",
            "stop-all",
        )
        if running:
            self.replay.advance(0.8)
        elif state_of(self.answer) not in BEGUN or exchange.method != "GET":
            self.replay.advance()
        found = re.search(r"(?i)/locations/([^/]+)", self.path)
        place = self.answer.get("location") or self.sent.get("location") or (found[1] if found else "")
        self.replay.place = str(place or self.replay.place)
        self._groups(self.path)
        identifier = resource_of(self.path)
        if code != "PrincipalNotFound":
            self._principal()
        self._references(self.sent, identifier)
        if exchange.method == "GET" and "value" not in self.answer and exchange.kind != "deletedVault":
            self._references(self.answer, identifier)
        if isinstance(self.answer.get("value"), list):
            self._listed(self.answer["value"])
        special = SPECIAL.get((exchange.family, exchange.kind)) or SPECIAL.get((exchange.family, ""))
        if special is not None and special(self, identifier):
            return
        if identifier is None:
            return
        self._parents(identifier)
        absent = exchange.status in (204, 404) or code == "ResourceNotFound"
        new = exchange.method == "PUT" and "existing" not in exchange.kind
        if code == "RegistryNameAlreadyInUse":
            other = f"{self.azure.subscription}/resourceGroups/other/providers/Microsoft.ContainerRegistry/registries/"
            self.ensure(other + identifier.rsplit("/", 1)[1])
        elif not absent and not new:
            self.target(identifier)

    def _principal(self) -> None:
        """Whom a role is given to is known, except where the recording says that it is not."""
        principal = (self.sent.get("properties") or {}).get("principalId")
        if self.exchange.method == "PUT" and principal:
            self.azure.attached.control("POST", "/control/principals", {"object_id": principal})

    def _groups(self, text: str) -> None:
        for group in dict.fromkeys(re.findall(r"(?i)/resourcegroups/([^/\"?]+)", text)):
            identifier = f"{self.azure.subscription}/resourceGroups/{group}"
            absent = self.exchange.family == "resource-groups" and self.exchange.method == "PUT"
            if absent or self.replay.exists(identifier):
                continue
            body: Json = {"location": PLACE}
            if self.exchange.family == "resource-groups" and "tags" in self.answer:
                body["tags"] = self.answer["tags"]
            self.azure.ok(self.azure.call("PUT", identifier, body))

    def _references(self, body: Json, own: str | None) -> None:
        """Every resource that a body names, in an order in which they can be made."""
        if not body:
            return
        text = json.dumps(body)
        names = set(re.findall(r"(?i)/subscriptions/[^\" ']+?/providers/Microsoft\.\w+/\w+/[\w.-]+(?=\")", text))
        order = ["userassignedidentities", "workspaces", "managedenvironments", "registries", "vaults"]
        for identifier in sorted(names, key=lambda item: (_rank(item, order), item)):
            kind, action = type_of(identifier)
            mine = own is not None and identifier.lower() == own.lower()
            if not mine and kind in DEFAULTS and not action and "_managed/" not in identifier:
                self.ensure(identifier)
        profiles = bool((body.get("properties") or {}).get("workloadProfiles"))
        for subnet in set(re.findall(r"(?i)/subscriptions/[^\" ]+?/virtualNetworks/[\w.-]+/subnets/[\w.-]+", text)):
            self.subnet(subnet, delegated=profiles)
        for url, who in _vault_references(body):
            self.secret(url, who)
        for image in sorted(set(re.findall(r'"image": "([\w.-]+\.azurecr\.io/[^"]+)"', text))):
            self.image(image, body)

    def _parents(self, identifier: str) -> None:
        head, _, tail = identifier.rpartition("/providers/")
        if "/providers/" in head:
            self.ensure(head)
        parts = tail.split("/")
        for length in range(3, len(parts) - 1, 2):
            self.ensure(f"{head}/providers/{'/'.join(parts[:length])}")

    def _listed(self, rows: list[Json]) -> None:
        """What a recorded listing shows, at most five of a type."""
        seen: dict[str, int] = {}
        for row in rows:
            identifier = str(row.get("id", "")) if isinstance(row, dict) else ""
            if row.get("type") == "Microsoft.Resources/resourceGroups" if isinstance(row, dict) else False:
                self.azure.ok(self.azure.call("PUT", identifier, {"location": PLACE, "tags": row.get("tags") or {}}))
                continue
            if "/providers/" not in identifier.lower():
                continue
            kind, action = type_of(identifier)
            seen[kind] = seen.get(kind, 0) + 1
            if action or kind not in DEFAULTS or seen[kind] > 5 or self.replay.exists(identifier):
                continue
            head = identifier.rpartition("/providers/")[0]
            if "/providers/" in head and type_of(head)[0] not in DEFAULTS:
                continue
            self._groups(identifier)
            self._parents(identifier)
            self._references(row, identifier)
            self.like(identifier, row)

    def subnet(self, identifier: str, *, delegated: bool) -> None:
        """A network with a subnet that an environment can be put into."""
        if self.replay.exists(identifier):
            return
        self._groups(identifier)
        service = {"name": "apps", "properties": {"serviceName": "Microsoft.App/environments"}}
        subnet: Json = {"addressPrefix": "10.0.0.0/21", **({"delegations": [service]} if delegated else {})}
        properties: Json = {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": identifier.rsplit("/", 1)[1], "properties": subnet}],
        }
        network = {"location": self.replay.place or PLACE, "properties": properties}
        self.azure.ok(self.azure.call("PUT", identifier.rsplit("/", 2)[0], network, "2025-05-01"))

    def ensure(self, identifier: str) -> None:
        if self.replay.exists(identifier):
            return
        self._groups(identifier)
        kind, _ = type_of(identifier)
        assert kind in DEFAULTS, f"no default body of {kind} for {identifier}"
        self.like(identifier, {})

    def target(self, identifier: str) -> None:
        """The resource that an exchange is about, as the answer or the request describes it."""
        if self.replay.exists(identifier):
            return
        kind, _ = type_of(identifier)
        if kind not in DEFAULTS:
            return
        mine = str(self.answer.get("id", "")).lower() == identifier.lower() and self.exchange.method in ("GET", "PUT")
        known = self.replay.known.get(identifier.lower())
        app = kind == "Microsoft.App/containerApps" and self.exchange.method == "PATCH"
        if (self.exchange.method in ("DELETE", "POST") or app) and known is not None:
            self._references(known, identifier)
            self.like(identifier, known)
        elif mine:
            self._references(self.answer, identifier)
            self.like(identifier, self.answer, wait=state_of(self.answer) not in BEGUN or self.exchange.method != "GET")
        elif kind == "Microsoft.App/containerApps" and (self.sent.get("properties") or {}).get("environmentId"):
            shown = copy.deepcopy(self.sent)
            shown["properties"].setdefault("configuration", {}).pop("registries", None)
            self.like(identifier, shown)
        else:
            self.like(identifier, {})

    def like(self, identifier: str, shown: Json, *, wait: bool = True) -> None:
        """A resource as a recorded GET shows it: what a client may send of that, the rest by default."""
        kind, _ = type_of(identifier)
        only = False
        body = sendable(kind, shown)
        if "workloadProfileName" in (self.answer.get("properties") or {}):
            only = self.answer["properties"]["workloadProfileName"] is None
        elif kind == "Microsoft.App/managedEnvironments":
            only = shown.get("properties", {}).get("workloadProfiles", ()) is None
        body = _filled(body, json.loads(json.dumps(DEFAULTS[kind]).replace("TENANT", self.azure.attached.tenant_id)))
        if kind in TRACKED and not body.get("location"):
            body["location"] = self.replay.place if region(self.replay.place) else PLACE
        if kind == "Microsoft.App/managedEnvironments":
            logs = body["properties"].get("appLogsConfiguration") or {}
            if logs.get("destination") == "log-analytics":
                logs["logAnalyticsConfiguration"]["sharedKey"] = "key"
            if only:
                del body["properties"]["workloadProfiles"]
        if kind == "Microsoft.DBforPostgreSQL/flexibleServers":
            sent = (self.sent.get("properties") or {}).get("administratorLogin")
            body["properties"]["administratorLogin"] = sent or body["properties"]["administratorLogin"]
        if kind in ("Microsoft.App/containerApps", "Microsoft.App/jobs"):
            body["properties"].pop("managedEnvironmentId", None)
            if not body["properties"].get("environmentId"):
                environment = f"{self.group}/providers/Microsoft.App/managedEnvironments/setting"
                self.ensure(environment)
                body["properties"]["environmentId"] = environment
            known = self.azure.get(
                body["properties"]["environmentId"], fitting_version(body["properties"]["environmentId"], "")
            )
            body["location"] = known["location"]
            secrets = (body["properties"].get("configuration") or {}).get("secrets") or []
            for secret in secrets:
                if "keyVaultUrl" not in secret:
                    secret["value"] = "value"
        if kind == "Microsoft.Insights/components" and "WorkspaceResourceId" not in body["properties"]:
            workspace = f"{self.group}/providers/Microsoft.OperationalInsights/workspaces/setting"
            self.ensure(workspace)
            body["properties"]["WorkspaceResourceId"] = workspace
        self.replay.make(identifier, body, wait=wait)
        twice = (shown.get("properties") or {}).get("configuration") or {"maxInactiveRevisions": 100}
        if kind == "Microsoft.App/containerApps" and twice.get("maxInactiveRevisions", 100) is None:
            self.replay.make(identifier, body)

    def secret(self, url: str, who: str) -> None:
        match = re.match(r"https://([\w-]+)\.vault\.azure\.net/secrets/([\w-]+)", url)
        if match is None:
            return
        vault = f"{self.group}/providers/Microsoft.KeyVault/vaults/{match[1]}"
        self.ensure(vault)
        self.replay.make(f"{vault}/secrets/{match[2]}", {"properties": {"value": "value"}})
        identity = self.azure.get(who, fitting_version(who, ""))
        self.azure.assign(vault, SECRETS_OFFICER, identity["properties"]["principalId"])
        self.replay.advance()

    def image(self, image: str, body: Json) -> None:
        """Builds an image, so that the app's identity can pull it."""
        server, _, name = image.partition("/")
        registry = f"{self.group}/providers/Microsoft.ContainerRegistry/registries/{server.split('.')[0]}"
        self.ensure(registry)
        self.azure.build(registry, {"Dockerfile": 'FROM alpine\nCMD ["true"]\n'}, name)
        version = fitting_version(registry, "")
        self.azure.ok(self.azure.call("PATCH", registry, {"properties": {"anonymousPullEnabled": True}}, version))
        self.replay.advance()


def _rank(identifier: str, order: list[str]) -> int:
    return next((index for index, name in enumerate(order) if f"/{name}/" in identifier.lower()), len(order))


def _vault_references(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if value.get("keyVaultUrl") and value.get("identity"):
            yield value["keyVaultUrl"], value["identity"]
        for item in value.values():
            yield from _vault_references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _vault_references(item)


def state_of(body: Any) -> str:
    properties = body.get("properties") if isinstance(body, dict) else None
    return str((properties or {}).get("provisioningState", "")) if isinstance(properties, dict) else ""


def resource_of(path: str) -> str | None:
    """The id of the resource in a path, without collection or action; None for what is no resource."""
    head, separator, tail = re.sub("(?i)/providers/", "/providers/", path).rpartition("/providers/")
    if not separator or not re.search("(?i)/resourcegroups/", head):
        return None
    parts = [part for part in tail.split("/") if part]
    known, own = parts[0], [parts[0]]
    position = 1
    while position + 1 < len(parts) and canonical_type(f"{known}/{parts[position]}"):
        known = f"{known}/{parts[position]}"
        own += parts[position : position + 2]
        position += 2
    return f"{head}/providers/{'/'.join(own)}" if len(own) > 1 else None


# Set by the service, though the types do not say so.
UNMARKED = (
    "provisioningState",
    "resourceState",
    "vaultUri",
    "kedaConfiguration",
    "daprConfiguration",
    "autoGeneratedDomainNameLabelScope",
    "Retention",
    "accessKeys",
    "createMode",
)


def sendable(kind: str, shown: Json) -> Json:
    """A body as GET shows it without what the service sets, by the published types."""
    files = sorted(TYPES.glob(f"{kind.replace('/', '.')}@*.json"))
    document = json.loads(files[-1].read_text(encoding="utf-8")) if files else None
    body = copy.deepcopy(shown)
    for key in ("id", "name", "type", "systemData", "etag", "kind" if "Redis" in str(shown.get("type")) else ""):
        body.pop(key, None)
    for key in UNMARKED:
        (body.get("properties") or {}).pop(key, None)
    if document is None:
        return body
    result: Json = _writable(body, document["body"], document.get("$defs", {}))
    return result


def _writable(value: Any, schema: Json, definitions: Json) -> Any:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(value, list):
        return [_writable(item, schema.get("items", {}), definitions) for item in value]
    if not isinstance(value, dict):
        return value
    properties = dict(schema.get("properties", {}))
    for name, variant in schema.get("variants", {}).items():
        if value.get(schema.get("discriminator")) == name:
            properties |= {schema["discriminator"]: {}, **variant.get("properties", {})}
    free = schema.get("additionalProperties")
    result = {}
    for key, item in value.items():
        if item is None:
            continue
        if key in properties:
            if not properties[key].get("readOnly"):
                result[key] = _writable(item, properties[key], definitions)
        elif free is not None or not properties:
            result[key] = _writable(item, free or {}, definitions)
    return result


def _filled(body: Json, default: Json) -> Json:
    for key, value in default.items():
        if key not in body:
            body[key] = value
        elif isinstance(value, dict) and isinstance(body[key], dict):
            _filled(body[key], value)
    return body


PASSWORD = "Aa1!aaaa-password"
_CONTAINER: Json = {"name": "c", "image": "mcr.microsoft.com/azuredocs/containerapps-helloworld:latest"}
DEFAULTS: dict[str, Json] = {
    "Microsoft.ManagedIdentity/userAssignedIdentities": {},
    "Microsoft.OperationalInsights/workspaces": {"properties": {"sku": {"name": "PerGB2018"}}},
    "Microsoft.Insights/components": {"kind": "web", "properties": {"Application_Type": "web"}},
    "Microsoft.ContainerRegistry/registries": {"sku": {"name": "Standard"}},
    "Microsoft.KeyVault/vaults": {
        "properties": {
            "tenantId": "TENANT",
            "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": True,
            "accessPolicies": [],
        }
    },
    "Microsoft.DBforPostgreSQL/flexibleServers": {
        "sku": {"name": "Standard_D2s_v3", "tier": "GeneralPurpose"},
        "properties": {
            "version": "16",
            "administratorLogin": "dbuser",
            "administratorLoginPassword": PASSWORD,
            "storage": {"storageSizeGB": 128},
            "createMode": "Default",
        },
    },
    "Microsoft.DBforPostgreSQL/flexibleServers/databases": {"properties": {"charset": "UTF8"}},
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules": {
        "properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}
    },
    "Microsoft.Cache/redisEnterprise": {
        "sku": {"name": "Balanced_B0"},
        "properties": {"publicNetworkAccess": "Enabled", "minimumTlsVersion": "1.2"},
    },
    "Microsoft.Cache/redisEnterprise/databases": {
        "properties": {"port": 10000, "clientProtocol": "Encrypted", "accessKeysAuthentication": "Enabled"}
    },
    "Microsoft.Cache/redis": {"properties": {"sku": {"name": "Basic", "family": "C", "capacity": 0}}},
    "Microsoft.App/managedEnvironments": {
        "properties": {"workloadProfiles": [{"name": "Consumption", "workloadProfileType": "Consumption"}]}
    },
    "Microsoft.App/managedEnvironments/storages": {
        "properties": {"azureFile": {"accountName": "a", "accountKey": "k", "shareName": "s", "accessMode": "ReadOnly"}}
    },
    "Microsoft.App/containerApps": {
        "properties": {"managedEnvironmentId": "", "template": {"containers": [_CONTAINER]}}
    },
    "Microsoft.App/jobs": {
        "properties": {
            "managedEnvironmentId": "",
            "configuration": {
                "triggerType": "Manual",
                "replicaTimeout": 1800,
                "manualTriggerConfig": {"parallelism": 1},
            },
            "template": {"containers": [_CONTAINER]},
        }
    },
    "Microsoft.Authorization/locks": {"properties": {"level": "CanNotDelete"}},
}
TRACKED = {kind for kind in DEFAULTS if kind.count("/") == 1 and kind != "Microsoft.Authorization/locks"}


# Operations whose beginning is not among the recordings


class Began:
    """Begins the operation that a recorded poll asks for."""

    def __init__(self, replay: Replay, exchange: Exchange) -> None:
        self.replay = replay
        self.exchange = exchange

    def address(self) -> str | None:
        path = urlsplit(self.exchange.path).path
        word = path.split("/")[-2].lower()
        setting = Setting(self.replay, self.exchange)
        self.replay.azure.register_all()
        found = re.search(r"(?i)/locations/([^/]+)", path)
        self.replay.place = unquote(found[1]) if found else PLACE
        begin = BEGINNINGS.get(word)
        return None if begin is None else begin(self, setting)

    @property
    def version(self) -> str:
        return self.exchange.path.partition("api-version=")[2].partition("&")[0]

    def group(self) -> str:
        identifier = f"{self.replay.azure.subscription}/resourceGroups/began"
        self.replay.azure.ok(self.replay.azure.call("PUT", identifier, {"location": PLACE}))
        return identifier

    def app(self, setting: Setting) -> str:
        azure, answer = self.replay.azure, self.exchange.answer or {}
        identifier = str(answer.get("id") or "")
        if "/containerapps/" in identifier.lower():
            # The result of a PATCH is the whole app.
            setting._groups(identifier)
            setting._references(sendable("Microsoft.App/containerApps", answer), identifier)
            setting.like(identifier, answer)
            patched = azure.call(
                "PATCH", identifier, {"tags": answer.get("tags") or {}}, fitting_version(identifier, self.version)
            )
            return str(azure.ok(patched).headers["Location"])
        identifier = f"{self.group()}/providers/Microsoft.App/containerApps/began"
        setting.ensure(identifier)
        patched = azure.ok(azure.call("PATCH", identifier, {"tags": {"a": "b"}}))
        return str(patched.headers["Azure-AsyncOperation"])

    def job(self, setting: Setting) -> str:
        azure = self.replay.azure
        identifier = f"{self.group()}/providers/Microsoft.App/jobs/began"
        setting.ensure(identifier)
        body = azure.get(identifier)
        sent = {"location": body["location"], "properties": {**DEFAULTS["Microsoft.App/jobs"]["properties"]}}
        sent["properties"].pop("managedEnvironmentId")
        sent["properties"]["environmentId"] = body["properties"]["environmentId"]
        return str(azure.ok(azure.call("PUT", identifier, sent)).headers["Azure-AsyncOperation"])

    def environment(self, setting: Setting) -> str:
        azure, answer = self.replay.azure, self.exchange.answer or {}
        identifier = str(answer.get("id") or f"{self.group()}/providers/Microsoft.App/managedEnvironments/began")
        setting._groups(identifier)
        if answer.get("id"):
            setting._references(sendable("Microsoft.App/managedEnvironments", answer), identifier)
            setting.like(identifier, answer)
        else:
            setting.ensure(identifier)
        tags = {**(answer.get("tags") or {}), "replayed": "yes"}
        return str(azure.ok(azure.call("PATCH", identifier, {"tags": tags})).headers["Location"])

    def deleted_group(self, setting: Setting) -> str:
        azure = self.replay.azure
        return str(azure.ok(azure.call("DELETE", self.group())).headers["Location"])

    def purge(self, setting: Setting) -> str:
        azure = self.replay.azure
        vault = f"{self.group()}/providers/Microsoft.KeyVault/vaults/began-vault"
        setting.ensure(vault)
        azure.ok(azure.call("DELETE", vault, version="2026-02-01"))
        path = f"{azure.subscription}/providers/Microsoft.KeyVault/locations/{PLACE}/deletedVaults/began-vault/purge"
        return str(azure.ok(azure.call("POST", path, version="2026-02-01")).headers["Location"])


BEGINNINGS: dict[str, Any] = {
    "containerappoperationresults": Began.app,
    "containerappoperationstatuses": Began.app,
    "containerappsjoboperationstatuses": Began.job,
    "managedenvironmentoperationresults": Began.environment,
    "operationresults": Began.deleted_group,
}


# Settings of their own

SPECIAL: dict[tuple[str, str], Any] = {}
OTHER_HOSTS: list[Any] = []


class Elsewhere:
    """Exchanges with hosts other than ARM."""

    def __init__(self, replay: Replay, exchange: Exchange) -> None:
        self.replay = replay
        self.exchange = exchange

    def differences(self) -> list[str]:
        return ["not replayed"]
