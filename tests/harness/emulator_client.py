"""Clients of an emulator as its tests use them: Azure's own SDK for ARM, urllib for the other hosts."""

from __future__ import annotations

import io
import json
import ssl
import tarfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from email.message import Message
from typing import Any, NamedTuple

import answer_types
from azure.core.pipeline.policies import ContentDecodePolicy, HeadersPolicy, ProxyPolicy, RetryPolicy
from azure.core.rest import HttpRequest, HttpResponse
from azure.identity import ClientSecretCredential
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.resource.resources import ResourceManagementClient

from azure_emulator.attach import Attached

Json = dict[str, Any]
NAMESPACES = (
    "App",
    "Cache",
    "ContainerRegistry",
    "DBforPostgreSQL",
    "Insights",
    "KeyVault",
    "ManagedIdentity",
    "Network",
    "OperationalInsights",
)
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"

VERSIONS = {
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2024-11-30",
    "Microsoft.OperationalInsights/workspaces": "2026-03-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/diagnosticSettings": "2021-05-01-preview",
    "Microsoft.ContainerRegistry/registries": "2025-11-01",
    "Microsoft.KeyVault": "2026-02-01",
    "Microsoft.DBforPostgreSQL": "2025-08-01",
    "Microsoft.Cache/redisEnterprise": "2025-07-01",
    "Microsoft.Cache/redis": "2024-11-01",
    "Microsoft.Cache": "2025-07-01",
    "Microsoft.App": "2026-01-01",
    "Microsoft.Network": "2025-09-01",
    "Microsoft.Network/privateDnsZones": "2024-06-01",
    "Microsoft.Storage": "2026-04-01",
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.Authorization/roleDefinitions": "2022-04-01",
    "Microsoft.Authorization/permissions": "2022-04-01",
    "Microsoft.Authorization/locks": "2020-05-01",
}
BUILDS = "2025-03-01-preview"


def version_of(path: str) -> str:
    """The version that fits a path: by the last provider in it."""
    provider = path.rpartition("/providers/")[2].replace("//", "/")
    fitting = [name for name in VERSIONS if provider.lower().startswith(name.lower())]
    return VERSIONS[max(fitting, key=len)] if "/providers/" in path and fitting else "2025-04-01"


class Answer(NamedTuple):
    """An answer of a host that is not ARM."""

    status: int
    headers: Message
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


class AzureClient:
    """One login at one emulator."""

    def __init__(self, attached: Attached, client_id: str = "", client_secret: str = "") -> None:
        self.attached = attached
        self.subscription = f"/subscriptions/{attached.subscription_id}"
        self.group = f"{self.subscription}/resourceGroups/rg"
        settings: Json = {
            "proxies": {"https": attached.proxy_url},
            "connection_verify": str(attached.ca_file),
            "use_env_settings": False,
        }
        self.credential = ClientSecretCredential(
            attached.tenant_id, client_id or attached.client_id, client_secret or attached.client_secret, **settings
        )
        # Own policies, because the SDK's would register a missing provider and take ten seconds for it.
        challenge = ARMChallengeAuthenticationPolicy(self.credential, "https://management.azure.com/.default")
        proxy = ProxyPolicy(proxies=settings["proxies"])
        policies = [HeadersPolicy(), proxy, ContentDecodePolicy(), RetryPolicy(retry_total=0), challenge]
        self.arm = ResourceManagementClient(self.credential, attached.subscription_id, policies=policies, **settings)
        context = ssl.create_default_context(cafile=str(attached.ca_file))
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"https": attached.proxy_url}), urllib.request.HTTPSHandler(context=context)
        )

    # ARM

    def call(self, method: str, path: str, body: Any = None, version: str = "", **headers: str) -> HttpResponse:
        path = path if path.startswith("/") else f"{self.group}/providers/{path}"
        more: Json = {} if body is None else {"json": body}
        request = HttpRequest(
            method,
            "{endpoint}" + path,
            params={"api-version": version or version_of(path)},
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            **more,
        )
        answer = self.arm.send_request(request, retry_total=0)
        if method in ("GET", "PUT", "PATCH") and answer.status_code < 300 and answer.content:
            found = answer_types.problems(answer.json(), request.url.rpartition("api-version=")[2])
            assert not found, f"{method} {path}: {found}"
        return answer

    def get(self, path: str, version: str = "") -> Json:
        answer: Json = self.ok(self.call("GET", path, version=version)).json()
        return answer

    def put(self, path: str, body: Any, version: str = "") -> Json:
        """PUT, wait, and what GET shows then."""
        response = self.ok(self.call("PUT", path, body, version))
        assert self.status(response) in ("Succeeded", ""), response.text()
        return self.get(path, version)

    @staticmethod
    def ok(response: HttpResponse) -> HttpResponse:
        assert response.status_code < 300, f"{response.status_code}: {response.text()}"
        return response

    def poll(self, address: str) -> HttpResponse:
        return self.arm.send_request(HttpRequest("GET", address), retry_total=0)

    def operation(self, response: HttpResponse) -> Json:
        """The status of the operation that an answer began."""
        status: Json = self.ok(self.poll(response.headers["Azure-AsyncOperation"])).json()
        return status

    def status(self, response: HttpResponse) -> str:
        if "Azure-AsyncOperation" not in response.headers:
            return ""
        return str(self.operation(response)["status"])

    @staticmethod
    def error(response: HttpResponse) -> str:
        return str(response.json()["error"]["code"])

    def register_all(self) -> None:
        for name in NAMESPACES:
            self.arm.providers.register(f"Microsoft.{name}")

    def assign(self, scope: str, role: str, principal: str) -> HttpResponse:
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}{role}{principal}")
        definition = f"{self.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        properties = {"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal"}
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
        return self.call("PUT", path, {"properties": properties})

    # Other hosts

    def http(self, method: str, url: str, data: bytes | None = None, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, data=data, method=method, headers=sent)
        try:
            with self._opener.open(request, timeout=20) as response:
                return Answer(response.status, response.headers, response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read().decode())

    def token(self, audience: str) -> str:
        return self.credential.get_token(f"{audience}/.default").token

    # What many tests need

    def make_group(self) -> None:
        self.register_all()
        self.ok(self.call("PUT", self.group, {"location": "eastus2"}))

    def make_identity(self, name: str = "app-id") -> Json:
        return self.put(f"Microsoft.ManagedIdentity/userAssignedIdentities/{name}", {"location": "eastus2"})

    def make_workspace(self) -> Json:
        return self.put("Microsoft.OperationalInsights/workspaces/logs", {"location": "eastus2"})

    def make_registry(self, name: str = "registry1") -> Json:
        body = {"location": "eastus2", "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": False}}
        return self.put(f"Microsoft.ContainerRegistry/registries/{name}", body)

    def make_vault(self, name: str = "vault-1") -> Json:
        return self.put(f"Microsoft.KeyVault/vaults/{name}", self.vault_body())

    def vault_body(self) -> Json:
        properties = {
            "tenantId": self.attached.tenant_id,
            "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": True,
            "accessPolicies": [],
        }
        return {"location": "eastus2", "properties": properties}

    def make_environment(self, name: str = "env") -> Json:
        return self.put(f"Microsoft.App/managedEnvironments/{name}", environment_body())

    def build(self, registry: str, files: Mapping[str, str], image: str = "app:1", **more: Any) -> Json:
        """Uploads a context and runs a build of it; the run as it then is."""
        address = self.ok(self.call("POST", f"{registry}/listBuildSourceUploadUrl", version=BUILDS)).json()
        upload = self.http("PUT", address["uploadUrl"], archive(files), x_ms_blob_type="BlockBlob")
        assert upload.status == 201
        request = {
            "type": "DockerBuildRequest",
            "sourceLocation": address["relativePath"],
            "dockerFilePath": "Dockerfile",
            "imageNames": [image],
            "platform": {"os": "Linux", "architecture": "amd64"},
            **more,
        }
        run = self.ok(self.call("POST", f"{registry}/scheduleRun", request, version=BUILDS)).json()
        return self.get(run["id"], BUILDS)


def environment_body() -> Json:
    profiles = [{"name": "Consumption", "workloadProfileType": "Consumption"}]
    logs = {"destination": "azure-monitor"}
    return {"location": "eastus2", "properties": {"appLogsConfiguration": logs, "workloadProfiles": profiles}}


def server_body(**properties: Any) -> Json:
    """Return the body of a PostgreSQL server; `properties` add to or override its defaults."""
    return {
        "location": "eastus2",
        "sku": {"name": "Standard_B1ms", "tier": "Burstable"},
        "properties": {
            "version": "16",
            "administratorLogin": "draftgenie",
            "administratorLoginPassword": "Abcdef123456",
            "storage": {"storageSizeGB": 32},
            **properties,
        },
    }


def archive(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()
