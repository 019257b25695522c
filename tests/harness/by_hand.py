"""What somebody else does to a deployed resource, in the portal or with the Azure CLI."""

from __future__ import annotations

import copy
from typing import Any

from project import Azure, Project

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
    """A PATCH by somebody else."""
    settle(azure, azure.send("PATCH", resource_id, version, body), version)


def put_by_hand(azure: Azure, resource_id: str, version: str, changes: dict[str, Any]) -> None:
    """A PUT of the whole resource by somebody else."""
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
    """What a GET shows."""
    found: dict[str, Any] = azure.send("GET", resource_id, version).json()
    return found
