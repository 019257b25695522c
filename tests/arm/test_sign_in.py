"""One sign-in for Resource Manager, data planes and state in a blob, and where what it sends goes."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from azurite import ACCOUNT, KEY
from token_service import Cloud, own_cloud

from draftgenie_azure.arm.credentials import SharedCredential, for_cloud
from draftgenie_azure.config.clouds import endpoints_of
from draftgenie_azure.errors import DeployerError
from draftgenie_azure.state.blob.location import STORAGE_SCOPE, open_blob

ARM_SCOPE = "https://management.test/.default"
Environment = Callable[[str], dict[str, str]]


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A custom cloud without a sign-in, and a home directory with a password file for every host."""
    for name in list(os.environ):
        if name.startswith(("AZURE", "ACTIONS_", "SYSTEM_", "IDENTITY_", "MSI_")):
            monkeypatch.delenv(name)
    (tmp_path / ".netrc").write_text("default login somebody password else\n", encoding="utf-8")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    with own_cloud(tmp_path) as running:
        yield running


class Local:
    """A service of the machine or the runner on loopback, without TLS, that hands out a text."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.body = b""
        service = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                service.asked.append((self.command, self.path, self.headers.get("Authorization") or ""))
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(service.body)))
                self.end_headers()
                self.wfile.write(service.body)

            do_GET = do_POST = handle_any

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def local() -> Iterator[Local]:
    """It."""
    service = Local()
    yield service
    service.server.shutdown()
    service.server.server_close()


SERVICE_PRINCIPAL = {"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "client"}


def secret(local: Local, directory: Path) -> dict[str, str]:
    """A secret in the environment."""
    return {**SERVICE_PRINCIPAL, "AZURE_CLIENT_SECRET": "given"}


def certificate(local: Local, directory: Path) -> dict[str, str]:
    """A certificate in the environment."""

    made = trustme.CA().issue_cert("client.test", key_type=trustme.KeyType.RSA)
    made.private_key_and_cert_chain_pem.write_to_path(str(directory / "client.pem"))
    return {**SERVICE_PRINCIPAL, "AZURE_CLIENT_CERTIFICATE_PATH": str(directory / "client.pem")}


def github(local: Local, directory: Path) -> dict[str, str]:
    """A job of GitHub Actions with `id-token: write`."""
    local.body = b'{"value": "assertion"}'
    url = f"{local.url}/token?x=1"
    return {**SERVICE_PRINCIPAL, "ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner"}


def pipelines(local: Local, directory: Path) -> dict[str, str]:
    """A task of Azure Pipelines with a service connection."""
    local.body = b'{"oidcToken": "assertion"}'
    return {
        "AZURESUBSCRIPTION_TENANT_ID": "tenant", "AZURESUBSCRIPTION_CLIENT_ID": "client",
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "connection", "SYSTEM_OIDCREQUESTURI": f"{local.url}/oidc",
        "SYSTEM_ACCESSTOKEN": "runner",
    }  # fmt: skip


def workload(local: Local, directory: Path) -> dict[str, str]:
    """A pod with a workload identity."""
    (directory / "assertion").write_text("assertion", encoding="utf-8")
    return {**SERVICE_PRINCIPAL, "AZURE_FEDERATED_TOKEN_FILE": str(directory / "assertion")}


def managed_identity(local: Local, directory: Path) -> dict[str, str]:
    """A service of Azure that offers tokens on loopback."""
    local.body = b'{"access_token": "of the machine", "expires_on": "4000000000", "token_type": "Bearer"}'
    return {"IDENTITY_ENDPOINT": f"{local.url}/msi", "IDENTITY_HEADER": "header"}


def az(local: Local, directory: Path) -> dict[str, str]:
    """A user who ran `az login`."""
    _program(directory, "az", '{"accessToken": "of az", "expiresOn": "2096-10-02 07:06:40", "expires_on": 4000000000}')
    return {}


def azd(local: Local, directory: Path) -> dict[str, str]:
    """A user who ran `azd auth login`."""
    _program(directory, "azd", '{"token": "of azd", "expiresOn": "2096-10-02T07:06:40Z"}')
    return {}


def _program(directory: Path, name: str, output: str) -> None:
    path = directory / "bin" / name
    path.write_text(f"#!/bin/sh\necho '{output}'\n", encoding="utf-8")
    path.chmod(0o755)


WAYS = (secret, certificate, github, pipelines, workload, managed_identity, az, azd)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_sign_in_serves_resource_manager_and_state_in_a_blob(
    way: Callable[[Local, Path], dict[str, str]],
    cloud: Cloud,
    local: Local,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the CA of the cloud, and without reading the password file, for every service."""
    for name, value in way(local, tmp_path).items():
        monkeypatch.setenv(name, value)

    token = SharedCredential(lambda: for_cloud(endpoints_of(cloud.mapping, ""), "")).get_token(ARM_SCOPE).token
    found = open_blob(cloud.values, os.environ).load()

    assert found is None
    asked = [form for _, form in cloud.sent_to("/token")]
    if asked:
        assert [form["scope"].split()[0] for form in asked] == [ARM_SCOPE, STORAGE_SCOPE]
        assert token == f"for {asked[0]['scope']}"
        assert {form.get("client_assertion", "assertion") for form in asked} == {"assertion"} or way is certificate
    (read,) = cloud.sent_to("/deployment-state/azure-deployment-state.json")
    assert read[0] == (f"Bearer for {asked[1]['scope']}" if asked else f"Bearer {token}")
    sent = [header for _, header, _ in cloud.requests] + [header for _, _, header in local.asked]
    assert {header for header in sent if header} <= {"Bearer runner", read[0]}


def test_azure_pipelines_is_asked_for_the_service_connection(
    cloud: Cloud, local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again for each token: an assertion lives for minutes."""
    for name, value in pipelines(local, tmp_path).items():
        monkeypatch.setenv(name, value)

    credential = for_cloud(endpoints_of(cloud.mapping, ""), "")
    for scope in (ARM_SCOPE, STORAGE_SCOPE):
        credential.get_token(scope)

    assert [path for _, path, _ in local.asked] == ["/oidc?api-version=7.1&serviceConnectionId=connection"] * 2
    assert {(method, header) for method, _, header in local.asked} == {("POST", "Bearer runner")}


def test_unexpanded_access_token_of_a_pipeline_is_not_sent(
    cloud: Cloud, local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`$(System.AccessToken)` where nothing expands it: the sign-in of the task's own az is used."""
    for name, value in {**pipelines(local, tmp_path), **az(local, tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SYSTEM_ACCESSTOKEN", "$(System.AccessToken)")

    assert for_cloud(endpoints_of(cloud.mapping, ""), "").get_token(ARM_SCOPE).token == "of az"
    assert not local.asked


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b"[]", b'{"oidcToken": 5}'], ids=repr)
def test_invalid_reply_of_azure_pipelines_is_reported(
    body: bytes, cloud: Cloud, local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence, without a traceback."""
    for name, value in pipelines(local, tmp_path).items():
        monkeypatch.setenv(name, value)
    local.body = body
    cloud.instead["/token"] = (400, {}, {"error": "invalid_client", "error_description": "not accepted"})

    with pytest.raises(DeployerError):
        open_blob(cloud.values, os.environ).load()

    assert not cloud.sent_to("/deployment-state/azure-deployment-state.json")


@pytest.mark.parametrize("way", [secret, github, pipelines, workload])
def test_token_service_that_names_another_host_is_not_followed(
    way: Callable[[Local, Path], dict[str, str]],
    cloud: Cloud,
    local: Local,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its description or by a redirect: secrets and assertions stay here."""
    for name, value in way(local, tmp_path).items():
        monkeypatch.setenv(name, value)
    other_directory = tmp_path / "other"
    other_directory.mkdir()
    with own_cloud(other_directory) as other:
        elsewhere = other.url.replace("localhost", "127.0.0.1")
        described = cloud.answer("openid-configuration", {})[2] | {"token_endpoint": f"{elsewhere}/tenant/token"}
        for path, answer in {
            "openid-configuration": (200, {}, described),
            "/oauth2/v2.0/token": (307, {"Location": f"{elsewhere}/tenant/token"}, {}),
        }.items():
            cloud.instead = {path: answer}
            with suppress(DeployerError):  # some credentials read no description, and go on
                open_blob(cloud.values, os.environ).load()

        assert cloud.sent_to("/token")
        assert other.requests == []


def test_storage_account_does_not_choose_the_audience_of_a_token(
    cloud: Cloud, local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor by a redirect another account: an endpoint gets a token for storage, in our tenant, or none."""
    for name, value in secret(local, tmp_path).items():
        monkeypatch.setenv(name, value)
    challenge = f"Bearer authorization_uri={cloud.url}/evil/oauth2/authorize resource_id=https://management.azure.com"
    for answer in (
        (401, {"WWW-Authenticate": challenge, "x-ms-error-code": "NoAuthenticationInformation"}, b""),
        (307, {"Location": f"{cloud.url.replace('localhost', '127.0.0.1')}/elsewhere"}, b""),
    ):
        cloud.instead = {"azure-deployment-state.json": answer}
        with pytest.raises(DeployerError):
            open_blob(cloud.values, os.environ).load()

    assert {form["scope"].split()[0] for _, form in cloud.sent_to("/token")} == {STORAGE_SCOPE}
    assert not [path for path, _, _ in cloud.requests if "elsewhere" in path or "evil" in path]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AZURE_TENANT_ID", "no tenant/../x"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "/nowhere/client.pem"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "/dev/null"),
    ],
)
def test_invalid_variables_are_reported(
    name: str, value: str, cloud: Cloud, local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the SDK's constructor is a failure like any other."""
    environ = {**secret(local, tmp_path), name: value}
    if name == "AZURE_CLIENT_CERTIFICATE_PATH":
        del environ["AZURE_CLIENT_SECRET"]
    for variable, given in environ.items():
        monkeypatch.setenv(variable, given)

    with pytest.raises(DeployerError, match=r"sign-in|token"):
        open_blob(cloud.values, os.environ).load()


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("state_blob_container", "Deployment_State", "3–63 lower case letters"),
        ("state_blob_container", "a--b", "single hyphens"),
        ("state_blob_name", "state.json/", "no dot or slash at the end"),
        ("state_blob_name", "a\nb", "without control characters"),
        ("state_blob_account", "my-account", "3–24 lower case letters and digits"),
        ("state_blob_account", "evil.test/x", "3–24 lower case letters and digits"),
    ],
)
def test_name_that_azure_would_refuse_is_refused_before_anything_is_sent(key: str, value: str, rule: str) -> None:
    """With the rule (hashicorp/terraform#6846)."""
    with pytest.raises(DeployerError, match=f"advanced.{key}.*{rule}"):
        open_blob({"advanced": {"state_blob_account": "account", key: value}}, {})


@pytest.mark.parametrize("text", ["{}\n", " {}", "{}\r\n", "AccountName=a\n;AccountKey=b"])
def test_line_end_in_a_connection_string_is_named(text: str) -> None:
    """A secret that a pipeline read from a file has one."""

    good = f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={KEY};EndpointSuffix=core.windows.net"

    with pytest.raises(DeployerError, match="line break") as failure:
        open_blob({}, {"AZURE_STORAGE_CONNECTION_STRING": text.replace("{}", good)})

    assert KEY not in failure.value.message + str(failure.value.hint)


def test_az_of_this_machine_is_not_started_by_these_tests(cloud: Cloud) -> None:
    """PATH has only what a test puts there."""
    with pytest.raises(FileNotFoundError):
        subprocess.run(["az"], check=False)


@pytest.mark.parametrize("host", ["account.blob.core.windows.net", "10.0.0.4:10000/account", "azurite.example"])
def test_sas_is_not_sent_in_clear(host: str) -> None:
    """Who reads it on the way may use it; only on this machine and its container network no one else can."""
    settings = {"state_blob_account": "account", "state_blob_endpoint": f"http://{host}"}
    with pytest.raises(DeployerError, match="a SAS is sent only over https"):
        open_blob({"advanced": settings}, {"AZURE_STORAGE_SAS_TOKEN": "sv=2024&sig=abc"})


@pytest.mark.parametrize("host", ["127.0.0.1:10000/account", "azurite:10000/account", "localhost"])
def test_sas_may_be_sent_to_azurite(host: str) -> None:
    settings = {"state_blob_account": "account", "state_blob_endpoint": f"http://{host}"}
    assert open_blob({"advanced": settings}, {"AZURE_STORAGE_SAS_TOKEN": "sv=2024&sig=abc"})
