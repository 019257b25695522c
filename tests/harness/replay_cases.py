"""Preconditions of particular kinds of recorded exchanges, and exchanges with other hosts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from emulator_client import BUILDS, SECRETS_OFFICER, Json, archive
from recordings import PLACE, Exchange, differences, fitting_version, state_of, type_of
from replay import OTHER_HOSTS, Elsewhere, Replay
from replay_setting import SPECIAL, Setting


def _case(family: str, *kinds: str) -> Any:
    def register(function: Any) -> Any:
        for kind in kinds or ("",):
            SPECIAL[family, kind] = function
        return function

    return register


# Vaults and workspaces that were deleted


@_case("key-vault-management", "purge", "deletedVault", "vault-recover")
@_case("key-vaults", "purge")
def _deleted_vault(setting: Setting, identifier: str | None) -> bool:
    name = re.search(r"(?i)/(?:deletedVaults|vaults)/([\w-]+)", setting.path)
    assert name is not None
    body = setting.answer if setting.exchange.kind == "vault-recover" else {}
    if setting.exchange.kind == "deletedVault":
        body = {"tags": setting.answer["properties"].get("tags") or {}}
    vault = f"{setting.group}/providers/Microsoft.KeyVault/vaults/{name[1]}"
    place = setting.replay.place
    path = f"{setting.azure.subscription}/providers/Microsoft.KeyVault/locations/{place}/deletedVaults/{name[1]}"
    if setting.azure.call("GET", path, version="2024-11-01").status_code == 200:
        return True
    everywhere = f"{setting.azure.subscription}/providers/Microsoft.KeyVault/deletedVaults"
    for other in setting.azure.get(everywhere, "2024-11-01")["value"]:
        if other["name"] == name[1]:
            setting.azure.ok(setting.azure.call("POST", f"{other['id']}/purge", version="2024-11-01"))
            setting.replay.advance()
    if not setting.replay.exists(vault):
        setting._groups(vault)
        setting.like(vault, body)
    setting.azure.ok(setting.azure.call("DELETE", vault, version="2024-11-01"))
    return True


@_case("log-analytics-workspaces", "workspace-existing", "workspace")
def _replicated_workspace(setting: Setting, identifier: str | None) -> bool:
    """One that is refused because its replication was enabled a moment before."""
    message = str((setting.answer.get("error") or {}).get("message", ""))
    if identifier is None or ("replication" not in message and "DataCollectionEndpoint" not in message):
        return False
    setting._groups(identifier)
    if not setting.replay.exists(identifier):
        place = (setting.sent or {}).get("location", PLACE)
        replication = {"enabled": True, "location": "centralus"}
        setting.replay.make(identifier, {"location": place, "properties": {"replication": replication}})
    return True


@_case("log-analytics-workspaces", "workspace-recovered", "deletedWorkspaces")
def _deleted_workspace(setting: Setting, identifier: str | None) -> bool:
    rows = setting.answer.get("value", [{**setting.answer, "id": identifier}])
    for row in rows[:2]:
        workspace = row["id"]
        deleted = f"{setting.azure.subscription}/providers/Microsoft.OperationalInsights/deletedWorkspaces"
        known = setting.azure.get(deleted, "2025-02-01")["value"]
        if any(item["id"].lower() == workspace.lower() for item in known):
            continue
        if not setting.replay.exists(workspace):
            setting._groups(workspace)
            setting.like(workspace, row)
        setting.azure.ok(setting.azure.call("DELETE", workspace, version="2025-02-01"))
    return True


# Environments


@_case("managed-environments", "environment", "environment-consumption-only", "environment-azure-monitor")
def _environment(setting: Setting, identifier: str | None) -> bool:
    """If a write changed nothing, the environment equals the reply; if it changed something, it does not."""
    exchange = setting.exchange
    if exchange.method not in ("PUT", "PATCH") or identifier is None:
        return False
    if exchange.status == 200:
        setting.like(identifier, setting.answer)
        return True
    if state_of(setting.answer) == "Updating":
        setting.like(identifier, {"properties": {"appLogsConfiguration": {"destination": "none"}}})
        return True
    return False


# Apps: revisions and secrets


@_case("container-app-revisions")
@_case("container-app-updates", "revisions", "revision-restart", "revision-deactivate", "revision-activate", "replicas")
def _revision(setting: Setting, identifier: str | None) -> bool:
    assert identifier is not None
    rows = setting.answer.get("value") or [setting.answer]
    shown = next((row for row in rows if "template" in row.get("properties", {})), {"properties": {}})["properties"]
    replica = rows[0].get("properties", {})
    state = str(shown.get("runningState", replica.get("runningState", "Running")))
    port = re.search(r"TargetPort (\d+)", str(shown.get("runningStateDetails", "")))
    wrong = port is not None
    images = {"*": {"port": 80 if wrong else int(port[1]) if port else 8080, **({"ready_after": 0})}}
    setting.azure.attached.control("POST", "/control/settings", {"images": images})
    if not setting.replay.exists(identifier):
        ingress = {
            "external": ".internal." not in str(shown.get("fqdn", "")),
            "targetPort": int(port[1]) if port else 8080,
        }
        named = set(_secret_refs(rows))
        configuration: Json = {"ingress": ingress, "secrets": [{"name": name} for name in sorted(named)]}
        body: Json = {"properties": {"configuration": configuration}}
        if len(rows) > 1:
            configuration["activeRevisionsMode"] = "Multiple"
        template = json.loads(json.dumps(shown.get("template") or {}))
        if setting.exchange.kind in ("revisions", "replicas") and replica.get("replicas", 1):
            template.setdefault("scale", {})["minReplicas"] = 1
        for container in template.get("containers") or []:
            container.pop("probes", None)
            if "azurecr.io" in container["image"]:
                container["image"] = "mcr.microsoft.com/app:1"
        if template:
            body["properties"]["template"] = template
        if replica.get("initContainers"):
            name = f"{setting.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/setting"
            setting.ensure(name)
            body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {name: {}}}
        setting.like(identifier, body, wait=False)
        # The operation is over; the revision is just begun.
        setting.replay.advance(1.5)
    if state in ("Running", "ActivationFailed", "RunningAtMaxScale"):
        setting.replay.advance(5)
    for row in rows[1:] if setting.exchange.kind == "revisions" else []:
        scale = row["properties"]["template"]["scale"]
        template = {"template": {"scale": {"minReplicas": 1, "rules": scale["rules"]}}}
        setting.azure.ok(
            setting.azure.call("PATCH", identifier, {"properties": template}, fitting_version(identifier, ""))
        )
        setting.replay.advance()
    theirs = re.search(r"(?i)/revisions/([\w-]+)", setting.path)
    if theirs is not None and theirs[1] not in setting.replay.names.values():
        version = fitting_version(identifier, "")
        setting.replay.names[theirs[1]] = setting.azure.get(f"{identifier}/revisions", version)["value"][-1]["name"]
    return True


def _secret_refs(value: Any) -> Iterator[str]:
    """The secrets that variables and scale rules name."""
    if isinstance(value, dict):
        if isinstance(value.get("secretRef"), str):
            yield value["secretRef"]
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        yield from _secret_refs(item)


@_case("container-apps", "listSecrets")
@_case("jobs", "listSecrets")
def _secrets(setting: Setting, identifier: str | None) -> bool:
    assert identifier is not None
    if not setting.replay.exists(identifier):
        configuration = {"secrets": [{"name": item["name"]} for item in setting.answer["value"]]}
        setting.like(identifier, {"properties": {"configuration": configuration}})
    return True


@_case("container-app-updates", "app", "app-existing")
@_case("container-apps", "app")
def _failed_app(setting: Setting, identifier: str | None) -> bool:
    """While an operation runs, and after it has failed, the app is what the recording made of it before. Where it is to
    fail, the registry that it names now is there, has given nobody a role, and was not named before."""
    if setting.exchange.method == "PUT" and "expired" in setting.replay.problem(identifier):
        assert identifier is not None
        before = json.loads(json.dumps(setting.answer))
        for entry in before["properties"]["configuration"].pop("registries"):
            registries = f"{setting.group}/providers/Microsoft.ContainerRegistry/registries"
            setting.ensure(f"{registries}/{entry['server'].split('.')[0]}")
        setting.like(identifier, before)
        return True
    return setting.exchange.method == "GET" and state_of(setting.answer) in ("InProgress", "Failed")


# Jobs


@_case("jobs", "start", "executions", "execution", "stop", "stop-all")
def _executions(setting: Setting, identifier: str | None) -> bool:
    assert identifier is not None
    names, version = setting.replay.names, fitting_version(identifier, "")
    if not setting.replay.exists(identifier):
        setting.like(identifier, {})
    path = re.search(r"(?i)/(?:stop|executions)/([\w-]+)", setting.path)
    wanted = [row["name"] for row in setting.answer.get("value") or []]
    wanted += [path[1]] if path else []
    for name in wanted:
        if name in names or name in names.values():
            continue
        started = setting.azure.ok(setting.azure.call("POST", f"{identifier}/start", version=version)).json()
        names[name] = started["name"]
    states = {row["name"]: row["properties"]["status"] for row in setting.answer.get("value") or []}
    for name, state in states.items():
        if state == "Stopped":
            setting.azure.call("POST", f"{identifier}/stop/{names.get(name, name)}", version=version)
    if setting.answer.get("properties", {}).get("status") == "Stopped" and path:
        setting.azure.call("POST", f"{identifier}/stop/{names.get(path[1], path[1])}", version=version)
    return True


# Builds

_FILES = {"Dockerfile": 'FROM alpine\nCMD ["true"]\n'}


@_case("registry-builds", "run", "listLogSasUrl")
@_case("registry-management", "run")
def _run(setting: Setting, identifier: str | None) -> bool:
    assert identifier is not None
    registry, _, rest = identifier.partition("/runs/")
    run = rest.split("/")[0]
    setting.ensure(registry)
    shown = setting.answer.get("properties") or {}
    if run not in setting.replay.names and run not in setting.replay.names.values():
        made = setting.azure.build(registry, _FILES)["name"]
        if made != run:
            setting.replay.names[run] = made
    setting.replay.advance(1 if shown.get("status") == "Running" else 60)
    return True


@_case("registry-management", "taskRun")
def _task_run(setting: Setting, identifier: str | None) -> bool:
    assert identifier is not None
    registry = identifier.partition("/taskRuns/")[0]
    setting.ensure(registry)
    if setting.replay.exists(identifier):
        return True
    address = setting.azure.ok(
        setting.azure.call("POST", f"{registry}/listBuildSourceUploadUrl", version=BUILDS)
    ).json()
    setting.azure.http("PUT", address["uploadUrl"], archive(_FILES), x_ms_blob_type="BlockBlob")
    request = {
        "type": "DockerBuildRequest",
        "sourceLocation": address["relativePath"],
        "dockerFilePath": "Dockerfile",
        "imageNames": ["testtaskrun:v1"],
        "isPushEnabled": True,
        "noCache": False,
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    setting.replay.make(identifier, {"location": setting.replay.place, "properties": {"runRequest": request}})
    return True


@_case("registry-management", "listCredentials")
def _credentials(setting: Setting, identifier: str | None) -> bool:
    assert identifier is not None
    setting.replay.make(
        identifier, {"location": PLACE, "sku": {"name": "Standard"}, "properties": {"adminUserEnabled": True}}
    ) if not setting.replay.exists(identifier) else None
    return True


@_case("registry-management", "registry")
def _replicated(setting: Setting, identifier: str | None) -> bool:
    """A deletion that is answered with 202 and the body: the registry had replications."""
    if setting.exchange.method != "DELETE" or setting.exchange.status != 202 or identifier is None:
        return False
    setting._groups(identifier)
    if not setting.replay.exists(identifier):
        setting.like(identifier, setting.answer)
    setting.replay.make(f"{identifier}/replications/centralus", {"location": "centralus"})
    return True


# Roles


@_case("role-assignments", "list")
def _assignments(setting: Setting, identifier: str | None) -> bool:
    who = re.search(r"assignedTo\('([^']+)'\)", unquote(setting.exchange.path))
    assert who is not None
    roles = [
        {"role": row["properties"]["roleDefinitionId"].rsplit("/", 1)[1], "scope": setting.azure.subscription}
        for row in setting.answer["value"]
        if not row["properties"].get("condition")
    ]
    setting.azure.attached.control("POST", "/control/principals", {"object_id": who[1], "roles": roles})
    for number, row in enumerate(setting.answer["value"]):
        shown = row["properties"]
        if shown.get("condition"):
            kept = ("condition", "conditionVersion", "principalType", "description")
            body = {key: shown[key] for key in kept if shown.get(key)}
            role = shown["roleDefinitionId"].rsplit("/", 1)[1]
            body |= {"principalId": who[1], "roleDefinitionId": f"/roleDefinitions/{role}"}
            path = f"{setting.azure.subscription}/providers/Microsoft.Authorization/roleAssignments"
            name = f"11111111-2222-4333-8444-{number:012}"
            setting.azure.ok(setting.azure.call("PUT", f"{path}/{name}", {"properties": body}))
    return True


@_case("role-assignment-changes", "assignment-conflict")
def _conflict(setting: Setting, identifier: str | None) -> bool:
    assert identifier is not None
    setting._parents(identifier)
    if setting.azure.call("PUT", identifier, setting.sent).status_code == 409:
        return True  # one of this recording's own is there already
    setting.azure.call("DELETE", identifier)
    twin = identifier.rsplit("/", 1)[0] + "/11111111-2222-4333-8444-555555555555"
    setting.azure.ok(setting.azure.call("PUT", twin, setting.sent))
    return True


@_case("role-assignment-changes", "assignment-existing", "assignment")
def _assignment(setting: Setting, identifier: str | None) -> bool:
    assert identifier is not None
    setting._parents(identifier)
    needed = setting.exchange.method != "PUT" or "existing" in setting.exchange.kind
    if needed and not setting.replay.exists(identifier):
        shown = setting.answer.get("properties") or {"roleDefinitionId": "", "principalId": ""}
        body = {key: shown[key] for key in ("roleDefinitionId", "principalId") if key in shown}
        setting.azure.call("PUT", identifier, {"properties": {**body, "principalType": "ServicePrincipal"}})
    return True


# Other hosts


class OtherHosts(Elsewhere):
    """Vaults, registries, their storage, and the ingress of apps."""

    def __init__(self, replay: Replay, exchange: Exchange) -> None:
        super().__init__(replay, exchange)
        self.azure = replay.azure
        self.setting = Setting(replay, exchange)

    def differences(self) -> list[str]:
        self.azure.register_all()
        self.setting._groups(self.setting.group)
        host = self.exchange.host
        if host.endswith(".vault.azure.net"):
            return self._vault(host.split(".")[0])
        if host.endswith(".azurecr.io"):
            return self._registry(host.split(".")[0])
        if host.endswith(".blob.core.windows.net"):
            return self._blob()
        return self._ingress(host.split(".")[0])

    def _send(self, url: str, data: bytes | None = None, **headers: str) -> list[str]:
        answer = self.azure.http(self.exchange.method, url, data, **headers)
        content: Any = answer.text or None
        if content and "json" in str(answer.headers.get("Content-Type")):
            content = json.loads(content)
        if self.exchange.method == "HEAD" or isinstance(self.exchange.answer, str):
            content = self.exchange.answer  # what an app says is the app's own; a log, the build's
        found = differences(self.exchange, answer.status, dict(answer.headers.items()), content)
        answered = {name.lower() for name in answer.headers}
        told = ("etag", "content-md5", "last-modified", "x-ms-error-code", "x-ms-blob-type", "content-range",
                "x-ms-request-server-encrypted", "x-ms-version", "content-encoding", "accept-ranges", "x-ms-request-id",
                "x-ms-creation-time", "x-ms-lease-state", "x-ms-lease-status", "x-ms-server-encrypted",
                "x-ms-blob-committed-block-count", "x-ms-content-crc64")  # fmt: skip
        return found + [
            f"{name} is missing, recorded with"
            for name in self.exchange.answer_headers
            if name in told and name not in answered
        ]

    def _vault(self, name: str) -> list[str]:
        vault = f"{self.setting.group}/providers/Microsoft.KeyVault/vaults/{name}"
        self.setting.ensure(vault)
        url = f"https://{self.exchange.host}{self.exchange.path}"
        if self.exchange.status == 401:
            return self._send(url)
        headers = {"Authorization": f"Bearer {self.azure.token('https://vault.azure.net')}"}
        if self.exchange.status != 403:
            self.azure.assign(vault, SECRETS_OFFICER, self.azure.attached.object_id)
            self.replay.advance()
            secret = "/".join(urlsplit(self.exchange.path).path.split("/")[:3]).rstrip("/")
            names = [
                item["id"].rsplit("/", 1)[1]
                for item in (self.setting.answer.get("value") or [] if "/" not in secret.strip("/") else [])
            ]
            for wanted in names or [secret.rsplit("/", 1)[1]]:
                put = f"https://{self.exchange.host}/secrets/{wanted}?api-version=7.4"
                if self.exchange.method == "GET":
                    self.azure.http("PUT", put, b'{"value": "x"}', Content_Type="application/json", **headers)
        data = json.dumps(self.exchange.body).encode() if self.exchange.body else None
        return self._send(url, data, Content_Type="application/json", **headers)

    def _registry(self, name: str) -> list[str]:
        self.setting.ensure(f"{self.setting.group}/providers/Microsoft.ContainerRegistry/registries/{name}")
        token = self.azure.token("https://management.azure.com")
        form = str(self.exchange.body).replace("access_token=PLACEHOLDER", f"access_token={token}")
        kind = "application/x-www-form-urlencoded"
        return self._send(f"https://{self.exchange.host}{self.exchange.path}", form.encode(), Content_Type=kind)

    def _blob(self) -> list[str]:
        registry = f"{self.setting.group}/providers/Microsoft.ContainerRegistry/registries/registry1"
        self.setting.ensure(registry)
        sent = {key.replace("-", "_"): value for key, value in self.exchange.headers.items() if key.startswith("x-ms-")}
        if self.exchange.method == "PUT":
            answer = self.azure.call("POST", f"{registry}/listBuildSourceUploadUrl", version=BUILDS)
            return self._send(self.azure.ok(answer).json()["uploadUrl"], b"data", **sent)
        run = self.azure.build(registry, _FILES)
        address = self.azure.ok(self.azure.call("POST", f"{run['id']}/listLogSasUrl", version=BUILDS)).json()["logLink"]
        if self.exchange.status != 404:
            self.replay.advance()
        if "x_ms_range" in sent:
            sent["x_ms_range"] = "bytes=0-20"
        return self._send(address, **sent)

    def _ingress(self, name: str) -> list[str]:
        app = f"{self.setting.group}/providers/Microsoft.App/containerApps/{name}"
        port = 8080 if self.exchange.status == 200 else 1
        images = {"*": {"port": port}}
        self.azure.attached.control("POST", "/control/settings", {"images": images})
        ingress = {"external": True, "targetPort": 8080}
        self.setting.like(app, {"properties": {"configuration": {"ingress": ingress}}})
        shown = self.azure.get(app, fitting_version(app, ""))
        if self.exchange.status == 503:
            self.replay.declare_failure(self.exchange)
        return self._send(f"https://{shown['properties']['configuration']['ingress']['fqdn']}/")


__all__ = ["OtherHosts", "type_of"]

OTHER_HOSTS.append(OtherHosts)
