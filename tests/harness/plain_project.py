"""A small configuration without any of the keys that applications may ask for, and what Azure shows of it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from project import SHARED, Project

APPS = "2026-01-01"
PLAIN: dict[str, Any] = {
    "azure": {"cloud": "emulator", "resource_group": "demo-rg", "location": "eastus2"},
    "key_vault": {"name": "demo-kv"},
    "monitoring": {"log_workspace": "demo-logs", "app_insights": "demo-insights"},
    "container_apps": {"environment_name": "demo-env"},
    "secrets": {"token": "amqp-url-with-key"},
    "services": {
        "web": {"image": "nginx", "port": 8080, "ingress": "external", "transport": "auto"},
        "worker": {"image": "nginx", "secrets": {"BROKER": "{{ secrets.token }}"}},
    },
}


def live(project: Project, key: str, version: str = APPS) -> dict[str, Any]:
    with project.azure() as azure:
        body: dict[str, Any] = azure.send("GET", project.state()["resources"][key]["id"], version).json()
    return body["properties"]


def check_types(project: Project) -> None:
    """By the official property types, where they lie beside the checkout."""
    validator = SHARED / "azure-types" / "validate.py"
    if validator.exists():
        log = project.directory / ".azure-emulator" / "requests.jsonl"
        done = subprocess.run(
            [sys.executable, str(validator), "--har", str(log)], capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 3), done.stdout
