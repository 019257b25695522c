"""A small valid configuration, and files over it."""

from __future__ import annotations

from pathlib import Path

from draftgenie_azure.config.raw import load
from draftgenie_azure.config.validated.schema import Config

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "config.yaml"

GOOD = """\
azure:
  cloud: AzureCloud
  resource_group: demo-rg
  location: eastus2
key_vault: {name: demo-kv}
container_registry: {name: demoacr}
monitoring: {log_workspace: demo-logs, app_insights: demo-insights}
postgresql: {server_name: demo-pg}
redis: {name: demo-redis}
container_apps: {environment_name: demo-env}
services:
  api: {dockerfile: Dockerfile, port: 3000, ingress: external}
  worker: {dockerfile: Dockerfile, port: 3001}
  rabbitmq:
    image: rabbitmq:3
    port: 5672
    environment: {RABBITMQ_DEFAULT_USER: demo}
    secrets: {RABBITMQ_DEFAULT_PASS: "{{ secrets.rabbitmq_password }}"}
migrations:
  - {service: api, command: migrate up}
secrets: {given: a-real-value}
"""


def over(good: Path, text: str, **environ: str) -> Config:
    """Load the good configuration with another file over it."""
    path = good.with_name("over.yaml")
    path.write_text(text)
    return load([str(good), str(path)], environ)
