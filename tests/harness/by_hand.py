"""Changes by others to a deployed resource, as in the portal or with the Azure CLI."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import urlencode

from emulator_client import AzureClient
from project import Azure, Project

from azure_emulator.attach import attach

APPS = "2026-01-01"
PG = "2025-08-01"


def resource(project: Project, key: str) -> str:
    """The id of a recorded resource."""
    found: str = project.state()["resources"][key]["id"]
    return found


def settle(azure: Azure, answer: Any, version: str) -> None:
    """Wait for what a write started."""
    url = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
    while url and azure.send("GET", url, version).json().get("status") == "InProgress":
        pass


def by_hand(azure: Azure, resource_id: str, version: str, body: dict[str, Any]) -> None:
    """Send a PATCH as another user."""
    settle(azure, azure.send("PATCH", resource_id, version, body), version)


def put_by_hand(azure: Azure, resource_id: str, version: str, changes: dict[str, Any]) -> None:
    """Send a PUT of the whole resource as another user."""
    live = azure.send("GET", resource_id, version).json()
    settle(azure, azure.send("PUT", resource_id, version, merge(live, changes)), version)


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """One object over another."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merge(result[key], value) if both else value
    return result


def live(azure: Azure, resource_id: str, version: str) -> dict[str, Any]:
    """Return the body of GET."""
    found: dict[str, Any] = azure.send("GET", resource_id, version).json()
    return found


def delete_image(project: Project, reference: str) -> None:
    """Delete an image from its registry by digest, as in a clean-up."""
    host, _, rest = reference.partition("/")
    repository, _, digest = rest.partition("@")
    with attach(project.directory / ".azure-emulator") as emulator:
        client = AzureClient(emulator)
        base, form = f"https://{host}", {"grant_type": "access_token", "service": host}
        form["access_token"] = client.token("https://management.azure.com")
        token = client.http("POST", f"{base}/oauth2/exchange", urlencode(form).encode()).json()["refresh_token"]
        form = {"grant_type": "refresh_token", "service": host, "scope": f"repository:{repository}:delete"}
        form["refresh_token"] = token
        token = client.http("POST", f"{base}/oauth2/token", urlencode(form).encode()).json()["access_token"]
        url = f"{base}/v2/{repository}/manifests/{digest}"
        answer = client.http("DELETE", url, Authorization=f"Bearer {token}")
        assert answer.status == 202, answer
