"""The resources that must exist before a recording is replayed."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from emulator_client import SECRETS_OFFICER, AzureClient, Json
from recordings import BEGUN, PLACE, Exchange, fitting_version, resource_of, state_of, type_of
from replay_bodies import DEFAULTS, TRACKED, filled, sendable

from azure_emulator.core.versions import region

if TYPE_CHECKING:
    from replay import Replay


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
        """Principals of role assignments are known, unless the recording says otherwise."""
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
        """Return the items of a recorded listing, at most five per type."""
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
        body = filled(body, json.loads(json.dumps(DEFAULTS[kind]).replace("TENANT", self.azure.attached.tenant_id)))
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
