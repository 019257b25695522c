# ruff: noqa: E501 - the corpus has a request a line
"""Random requests: each gets a reply, never an internal error, and memory and disk stay equal."""

from __future__ import annotations

import copy
import http.client
import json
import ssl
import threading
import urllib.parse
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from emulator_client import NAMESPACES, SECRETS_OFFICER, environment_body
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from azure_emulator.core.world import World
from azure_emulator.front.certificates import Certificates
from azure_emulator.front.server import Server

Json = dict[str, Any]
PER_EXAMPLE = 20
METHODS = ["GET", "PUT", "PATCH", "DELETE", "POST", "HEAD", "OPTIONS", "PURGE"]
ARM = "management.azure.com"


class Target:
    """An emulator in this process, so that its store can be looked into, and one connection to each host."""

    def __init__(self, directory: Path) -> None:
        self.world = World(directory)
        self.server = Server(self.world, Certificates(directory, False))
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        self.context = ssl.create_default_context(cafile=str(directory / "ca.pem"))
        self.connections: dict[str, http.client.HTTPSConnection] = {}
        self.tokens = {name: self.token(name) for name in ("management.azure.com", "vault.azure.net")}
        self.group = f"{self.world.subscription}/resourceGroups/rg"
        self.valid = corpus(self.world)

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        with self.world.lock:
            self.world.store.close()

    def token(self, audience: str) -> str:
        identity = self.world.identity
        form = {
            "grant_type": "client_credentials",
            "client_id": identity.client_id,
            "client_secret": identity.client_secret,
            "scope": f"https://{audience}/.default",
        }
        path = f"/{identity.tenant_id}/oauth2/v2.0/token"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.send("login.microsoftonline.com", "POST", path, urllib.parse.urlencode(form).encode(), kind)
        return str(json.loads(answer[1])["access_token"])

    def send(
        self, host: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        connection = self.connections.get(host)
        if connection is None:
            port = self.server.server_address[1]
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=self.context, timeout=20)
            connection.set_tunnel(host, 443)
            self.connections[host] = connection
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
        if response.will_close:
            connection.close()
            del self.connections[host]
        return response.status, content

    def ask(self, method: str, path: str, query: str, body: bytes | None, host: str = ARM) -> tuple[int, bytes]:
        audience = "vault.azure.net" if host.endswith("vault.azure.net") else ARM
        headers = {"Authorization": f"Bearer {self.tokens[audience]}", "Content-Type": "application/json"}
        address = urllib.parse.quote(path, safe="/%") + (f"?{query}" if query else "")
        return self.send(host, method, address, body, headers)

    def refill(self) -> None:
        """Makes again what the requests before have taken away: groups, providers, one resource of each type."""
        with self.world.lock:
            self.world.assign_role(self.world.identity.object_id, SECRETS_OFFICER, self.world.subscription)
            self.world.commit()
        for name in NAMESPACES:
            path = f"{self.world.subscription}/providers/Microsoft.{name}/register"
            self.ask("POST", path, "api-version=2025-04-01", None)
        for method, path, version, body, host in self.valid:
            if method == "PUT":
                self.ask(method, path, f"api-version={version}", json.dumps(body).encode(), host)


Valid = tuple[str, str, str, Any, str]


def corpus(world: World) -> list[Valid]:
    """Requests that are in order, in an order in which they succeed."""
    group = f"{world.subscription}/resourceGroups/rg"
    place: Json = {"location": "eastus2"}

    def path(rest: str) -> str:
        return f"{group}/providers/{rest}"

    identity = path("Microsoft.ManagedIdentity/userAssignedIdentities/app-id")
    environment, vault = path("Microsoft.App/managedEnvironments/env"), path("Microsoft.KeyVault/vaults/vault-1")
    registry, server = (
        path("Microsoft.ContainerRegistry/registries/registry1"),
        path("Microsoft.DBforPostgreSQL/flexibleServers/server-1"),
    )
    box = {
        "name": "c",
        "image": "docker.io/qdrant/qdrant:1",
        "env": [{"name": "A", "value": "b"}],
        "resources": {"cpu": 0.5, "memory": "1Gi"},
        "probes": [{"type": "Readiness", "httpGet": {"path": "/", "port": 6333}}],
    }
    app = {
        "environmentId": environment,
        "configuration": {"ingress": {"external": True, "targetPort": 6333}, "secrets": [{"name": "s", "value": "v"}]},
        "template": {"containers": [box], "scale": {"minReplicas": 1}},
    }
    job = {
        "environmentId": environment,
        "configuration": {"triggerType": "Manual", "replicaTimeout": 60, "manualTriggerConfig": {"parallelism": 1}},
        "template": {"containers": [{"name": "c", "image": "docker.io/rabbitmq:3"}]},
    }
    owner = (
        f"{world.subscription}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    )
    role = {"roleDefinitionId": owner, "principalId": str(uuid.UUID(int=7)), "principalType": "ServicePrincipal"}
    tenant = world.identity.tenant_id
    policy = {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    postgres = {
        "version": "16",
        "administratorLogin": "dg",
        "administratorLoginPassword": "Aa1!aaaa-password",
        "storage": {"storageSizeGB": 32},
    }
    run = {
        "type": "DockerBuildRequest",
        "sourceLocation": "tasks-source/202611240000/x.tar.gz",
        "dockerFilePath": "Dockerfile",
        "imageNames": ["a:1"],
        "platform": {"os": "Linux"},
    }
    secret = {"properties": {"value": "v"}}
    rows: list[tuple[str, str, str, Any]] = [
        ("PUT", group, "2025-04-01", place),
        ("PUT", identity, "2024-11-30", place),
        ("PUT", path("Microsoft.OperationalInsights/workspaces/logs"), "2026-03-01", {**place, "properties": {}}),
        ("PUT", registry, "2025-11-01", {**place, "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": True}}),
        ("PUT", vault, "2026-02-01", {**place, "properties": {**policy, "accessPolicies": []}}),
        ("PUT", f"{vault}/secrets/one", "2026-02-01", secret),
        ("PUT", environment, "2026-01-01", environment_body()),
        ("PUT", path("Microsoft.App/containerApps/app"), "2026-01-01", {**place, "properties": app}),
        ("PUT", path("Microsoft.App/jobs/job"), "2026-01-01", {**place, "properties": job}),
        ("PUT", server, "2025-08-01", {**place, "sku": {"name": "Standard_B1ms", "tier": "Burstable"}, "properties": postgres}),
        ("PUT", f"{server}/databases/db", "2025-08-01", {"properties": {"charset": "UTF8"}}),
        ("PUT", f"{server}/firewallRules/r", "2025-08-01", {"properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}}),
        ("PUT", f"{server}/configurations/azure.extensions", "2025-08-01", {"properties": {"value": "X"}}),
        ("PUT", path("Microsoft.Cache/redisEnterprise/cluster"), "2025-07-01", {**place, "sku": {"name": "Balanced_B0"}, "properties": {"publicNetworkAccess": "Enabled"}}),
        ("PUT", path("Microsoft.Cache/redisEnterprise/cluster/databases/default"), "2025-07-01", {"properties": {"port": 10000}}),
        ("PUT", path("Microsoft.Cache/redis/cache"), "2024-11-01", {**place, "properties": {"sku": {"name": "Basic", "family": "C", "capacity": 0}}}),
        ("PUT", f"{group}/providers/Microsoft.Authorization/roleAssignments/{uuid.UUID(int=9)}", "2022-04-01", {"properties": role}),
        ("POST", f"{registry}/scheduleRun", "2025-03-01-preview", run),
        ("POST", f"{registry}/listCredentials", "2025-11-01", None),
        ("POST", f"{registry}/listBuildSourceUploadUrl", "2025-03-01-preview", None),
        ("PUT", f"{registry}/taskRuns/named", "2025-03-01-preview", {"properties": {"runRequest": run, "forceUpdateTag": "t"}}),
        ("POST", path("Microsoft.App/jobs/job/start"), "2026-01-01", None),
        ("POST", path("Microsoft.App/containerApps/app/listSecrets"), "2026-01-01", None),
        ("GET", path("Microsoft.App/containerApps/app/revisions"), "2026-01-01", None),
        ("GET", f"{group}/resources", "2025-04-01", None),
        ("POST", f"{world.subscription}/providers/Microsoft.KeyVault/checkNameAvailability", "2026-02-01", {"name": "x", "type": "Microsoft.KeyVault/vaults"}),
        ("POST", f"{world.subscription}/providers/Microsoft.DBforPostgreSQL/locations/eastus2/checkNameAvailability", "2025-08-01", {"name": "x", "type": "Microsoft.DBforPostgreSQL/flexibleServers"}),
        ("GET", f"{world.subscription}/providers/Microsoft.KeyVault/deletedVaults", "2026-02-01", None),
        ("GET", f"{group}/providers/Microsoft.Authorization/permissions", "2022-04-01", None),
        ("PUT", f"{identity}/providers/Microsoft.Authorization/locks/held", "2020-05-01", {"properties": {"level": "CanNotDelete"}}),
    ]  # fmt: skip
    arm = [(*row, ARM) for row in rows]
    data = [("PUT", "/secrets/two", "7.4", {"value": "v"}), ("GET", "/secrets", "7.4", None)]
    return arm + [(*row, "vault-1.vault.azure.net") for row in data]


ODD = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        10**20,
        1.5,
        "",
        "x",
        "x" * 300,
        "ä€😀",
        [],
        {},
        [None],
        {"": ""},
        [{"name": 1}],
        "\u0000",
        "null",
    ]
)
WORDS = st.sampled_from(
    ["", "x", "..", "%2f", "ä", "a" * 200, "providers", "Microsoft.App", "subscriptions", "default"]
)


@st.composite
def changed_body(draw: st.DrawFn, body: Any) -> Any:
    """A body with a few places taken out, put in or replaced."""
    body = copy.deepcopy(body)
    for _ in range(draw(st.integers(0, 3))):
        place = body
        while isinstance(place, (dict, list)) and place:
            key: Any = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place)))))
            if isinstance(place[key], (dict, list)) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            what = draw(st.integers(0, 3))
            if what == 0:
                del place[key]
            elif what == 1 and isinstance(place, dict):
                place[draw(WORDS)] = copy.deepcopy(draw(ODD))
            elif what == 2 and isinstance(place, list):
                place += place
            else:
                place[key] = copy.deepcopy(draw(ODD))
            break
    return body


@st.composite
def requests(draw: st.DrawFn) -> tuple[int, str, str, int, int, Any]:
    """An index into the corpus, method, kinds of change and their seeds: the corpus is known at run time alone."""
    return (
        draw(st.integers(0, 31)),
        draw(st.sampled_from(["", "", "", *METHODS])),
        draw(st.sampled_from(["", "", "cut", "swap", "lengthen", "double", "case", "cut text"])),
        draw(st.integers(0, 11)),
        draw(st.integers(0, 31)),
        draw(st.tuples(WORDS, st.sampled_from(["", "", "", "cut", "other", "none", "list"]), st.data())),
    )


def changed_path(path: str, other: str, kind: str, at: int, word: str) -> str:
    parts, others = path.split("/"), other.split("/")
    at %= len(parts)
    if kind == "cut":
        return "/".join(parts[:at] + parts[at + 1 :])
    if kind == "swap":
        return "/".join(parts[:at] + others[at:])
    if kind == "lengthen":
        return path + "/" + "/".join([word, *parts[at:]])
    if kind == "double":
        return "/".join([*parts[:at], "", word, *parts[at:]])
    if kind == "cut text":
        return path[: max(1, len(path) - at * 3)]
    return path.swapcase() if kind == "case" else path


def send_random(target: Target, drawn: tuple[int, str, str, int, int, Any]) -> None:
    index, method, kind, at, other_index, (word, body_kind, data) = drawn
    first, path, version, body, host = target.valid[index % len(target.valid)]
    other = target.valid[other_index % len(target.valid)]
    path = changed_path(path, other[1], kind, at, word)
    query = f"api-version={version}" if at != 7 else f"api-version={other[2]}&$top={urllib.parse.quote(word)}&$filter=x"
    body = other[3] if body_kind == "other" else data.draw(changed_body(body))
    content = None if body is None or body_kind == "none" else json.dumps(body).encode()
    if body_kind == "list":
        content = json.dumps([body]).encode()
    if content and body_kind == "cut":
        content = content[: len(content) * at // 12]
    path = path if path.startswith("/") else "/" + path
    status, answer = target.ask(method or first, path, query, content, host)
    assert 100 < status < 500, f"{method or first} {path}?{query} {content!r}: {status} {answer!r}"
    if status >= 400 and answer:
        assert json.loads(answer), f"{method or first} {path}: {answer!r}"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    directory = tmp_path_factory.mktemp("random") / ".azure-emulator"
    directory.mkdir()
    made = Target(directory)
    made.refill()
    yield made
    made.close()


def _run(target: Target, examples: int) -> None:
    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(requests(), min_size=PER_EXAMPLE, max_size=PER_EXAMPLE))
    def check(sequence: list[Any]) -> None:
        target.refill()
        for drawn in sequence:
            send_random(target, drawn)
        with target.world.lock:
            assert target.world.store.differences() == []

    check()


@pytest.mark.timeout(60)
def test_four_hundred_random_requests_are_all_answered_and_leave_a_consistent_store(target: Target) -> None:
    _run(target, 20)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_random_requests_are_all_answered_and_leave_a_consistent_store(target: Target) -> None:
    _run(target, 500)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"PUT /x?api-version=2025-04-01 HTTP/1.1\r\nHost: h\r\nContent-Length: abc\r\n\r\n", 400),
        (b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n", 400),
        (b"PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET http://[bad/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 401),
    ],
)
def test_what_is_hardly_http_is_refused_and_not_dropped(target: Target, raw: bytes, status: int) -> None:
    connection = http.client.HTTPSConnection(
        "127.0.0.1", target.server.server_address[1], context=target.context, timeout=10
    )
    connection.set_tunnel(ARM, 443)
    connection.connect()
    connection.sock.sendall(raw)
    answer = connection.sock.recv(4096)
    connection.close()
    assert int(answer.split()[1]) == status


@pytest.mark.parametrize(
    "body", [b'{"a": "\\ud800"}', b'{"a": NaN}', b'{"a": 1e999}', b'{"a":' * 90 + b"1" + b"}" * 90]
)
def test_json_that_no_answer_could_repeat_is_refused(target: Target, body: bytes) -> None:
    target.refill()

    status, answer = target.ask("PUT", target.group, "api-version=2025-04-01", body)

    assert (status, json.loads(answer)["error"]["code"]) == (400, "InvalidRequestContent")


def test_a_handlers_own_fault_answers_500_logs_its_traceback_and_undoes_what_it_changed(
    target: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from azure_emulator.front import hosts

    target.refill()
    whole = hosts.handle

    def broken(world: World, request: Any) -> Any:
        whole(world, request)
        raise ZeroDivisionError("a fault of its own")

    monkeypatch.setattr(hosts, "handle", broken)
    path = f"{target.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/undone"
    status, answer = target.ask("PUT", path, "api-version=2024-11-30", b'{"location": "eastus2"}')
    monkeypatch.undo()

    assert (status, json.loads(answer)["error"]["code"]) == (500, "InternalServerError")
    assert "ZeroDivisionError: a fault of its own" in capsys.readouterr().err
    assert target.ask("GET", path, "api-version=2024-11-30", None)[0] == 404
    with target.world.lock:
        assert target.world.store.differences() == []
