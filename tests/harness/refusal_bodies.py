"""Resources and requests that the emulator's refusals are about."""

from __future__ import annotations

from azure.core.rest import HttpResponse
from emulator_client import SECRETS_USER, AzureClient, Json, environment_body
from refusal_cases import (
    APP_BODY,
    AUTHORIZATION,
    BASIC,
    CACHE_BODY,
    CACHES,
    CLUSTER_BODY,
    CLUSTERS,
    CONTAINER,
    CONTAINER_APPS,
    EAST,
    ENVIRONMENT,
    IDENTITIES,
    JOB_BODY,
    JOBS,
    REGISTRIES,
    SERVER_BODY,
    SERVERS,
    VAULT_BODY,
    VAULTS,
    WORKSPACES,
    changed,
    filled,
)


def app_body(azure: AzureClient) -> Json:
    environment = f"{azure.group}/providers/{ENVIRONMENT}"
    return {
        "location": "eastus2",
        "properties": {"environmentId": environment, "template": {"containers": [CONTAINER]}},
    }


def names_of(azure: AzureClient) -> dict[str, str]:
    environment = f"{azure.group}/providers/{ENVIRONMENT}"
    return {"s": azure.subscription, "g": azure.group, "tenant": azure.attached.tenant_id, "env": environment}


def prepare(azure: AzureClient, what: str) -> None:
    """Makes what a case needs, by its words."""
    bodies: dict[str, tuple[str, Json]] = {
        "identity": (f"{IDENTITIES}/app-id", EAST),
        "workspace": (f"{WORKSPACES}/logs", EAST),
        "registry": (f"{REGISTRIES}/registry1", BASIC),
        "vault": (f"{VAULTS}/vault-1", changed(VAULT_BODY, enableRbacAuthorization=True)),
        "secret": (f"{VAULTS}/vault-1/secrets/jwt", {"properties": {"value": "x"}}),
        "server": (f"{SERVERS}/pg-1", SERVER_BODY),
        "cluster": (f"{CLUSTERS}/redis-1", CLUSTER_BODY),
        "database": (f"{CLUSTERS}/redis-1/databases/default", {"properties": {"port": 10000}}),
        "cache": (f"{CACHES}/cache-1", CACHE_BODY),
        "env": (ENVIRONMENT, environment_body()),
        "plain-env": (ENVIRONMENT, {**EAST, "properties": {}}),
        "app": (f"{CONTAINER_APPS}/app", APP_BODY),
        "job": (f"{JOBS}/job", JOB_BODY),
        "lock": (f"{AUTHORIZATION}/locks/keep", {"properties": {"level": "CanNotDelete"}}),
        "read-only": (f"{AUTHORIZATION}/locks/keep", {"properties": {"level": "ReadOnly"}}),
    }
    for word in what.split():
        if word == "other-group":
            azure.ok(azure.call("PUT", f"{azure.subscription}/resourceGroups/other", EAST))
            continue
        path, body = bodies[word]
        answer = azure.ok(azure.call("PUT", path, filled(body, names_of(azure))))
        assert azure.status(answer) in ("Succeeded", ""), answer.text()


# Secrets and images by the app's identity


class Secret:
    """An app whose secret is in a vault, with an identity that may or may not read it."""

    def __init__(self, azure: AzureClient) -> None:
        self.azure = azure
        prepare(azure, "env vault secret")
        self.identity = azure.make_identity()
        self.vault = f"{azure.group}/providers/{VAULTS}/vault-1"

    def allow(self) -> None:
        self.azure.ok(self.azure.assign(self.vault, SECRETS_USER, self.identity["properties"]["principalId"]))

    def deploy(self, name: str = "jwt") -> HttpResponse:
        identity = self.identity["id"]
        body = app_body(self.azure)
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
        url = f"https://vault-1.vault.azure.net/secrets/{name}"
        body["properties"]["configuration"] = {"secrets": [{"name": "s", "keyVaultUrl": url, "identity": identity}]}
        return self.azure.call("PUT", f"{CONTAINER_APPS}/app", body)

    def refused(self, answer: HttpResponse) -> None:
        assert (answer.status_code, self.azure.error(answer)) == (400, "InvalidParameterValueInContainerTemplate")
        message = answer.json()["error"]["message"]
        assert f"Unable to get value using Managed identity {self.identity['id']}" in message
