"""The configuration, through its front door: real files in, a Config or every fault out."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from draftgenie_azure.config import raw as configuration
from draftgenie_azure.config.keys import is_secret_key
from draftgenie_azure.config.raw import RawConfig, load, read
from draftgenie_azure.config.validated.json_schema import SCHEMA_FILE, json_schema, schema_text
from draftgenie_azure.config.validated.schema import Config
from draftgenie_azure.errors import ConfigError

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


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A small configuration without a fault, with the Dockerfile that it names."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def over(good: Path, text: str, **environ: str) -> Config:
    """Load the good configuration with another file over it."""
    path = good.with_name("over.yaml")
    path.write_text(text)
    return load([str(good), str(path)], environ)


def faults_of(good: Path, text: str, **environ: str) -> list[tuple[str, int | None, str, str]]:
    with pytest.raises(ConfigError) as caught:
        over(good, text, **environ)
    return [(os.path.basename(f.file), f.line, f.key, f.message) for f in caught.value.faults]


# ---------------------------------------------------------------------------------------------- the shipped file


def test_the_shipped_file_loads_without_any_variable() -> None:
    config = load([str(SHIPPED)], {})

    assert list(config.services) == [
        "rabbitmq", "qdrant", "api_gateway", "speaker_service", "draft_service", "rag_service", "evaluation_service",
    ]  # fmt: skip
    assert config.is_emulator
    assert config.databases() == ["draft_service", "evaluation_service", "rag_service", "speaker_service"]
    assert config.ignored_keys == []


def test_the_shipped_file_says_which_secrets_are_dummies() -> None:
    config = load([str(SHIPPED)], {})

    assert config.vault_secrets()["gemini-api-key"].value == "emulator-dummy-gemini_api_key"
    assert any("secrets.gemini_api_key" in notice for notice in config.notices)
    given = load([str(SHIPPED)], {"GEMINI_API_KEY": "real", "INSTANOTE_API_KEY": "real"})
    assert given.vault_secrets()["gemini-api-key"].value == "real"
    assert given.notices == []


def test_the_shipped_file_needs_real_secrets_on_azure(tmp_path: Path) -> None:
    path = tmp_path / "prod.yaml"
    path.write_text("azure: {cloud: AzureCloud}\n")

    with pytest.raises(ConfigError) as caught:
        load([str(SHIPPED), str(path)], {"GEMINI_API_KEY": "your-gemini-api-key-here"})

    faults = {fault.key: fault.message for fault in caught.value.faults}
    assert sorted(faults) == ["secrets.gemini_api_key", "secrets.instanote_api_key"]
    assert "published stand-in" in faults["secrets.gemini_api_key"]
    assert "your-gemini" not in str(caught.value)
    assert "(used by services.draft_service)" in faults["secrets.instanote_api_key"]


# What the services of DraftGenie read and have no default for, or one that does not work in the cloud.
NEEDED = {
    "api_gateway": "SPEAKER_SERVICE_URL DRAFT_SERVICE_URL RAG_SERVICE_URL EVALUATION_SERVICE_URL JWT_SECRET NODE_ENV",
    "speaker_service": "DATABASE_URL RABBITMQ_URL RABBITMQ_EXCHANGE NODE_ENV PORT",
    "draft_service": "DATABASE_URL QDRANT_URL RABBITMQ_URL GEMINI_API_KEY INSTANOTE_API_URL INSTANOTE_API_KEY DEBUG",
    "rag_service": "DATABASE_URL QDRANT_HOST QDRANT_PORT RABBITMQ_HOST RABBITMQ_PORT RABBITMQ_USER RABBITMQ_PASSWORD "
    "GEMINI_API_KEY SPEAKER_SERVICE_URL DRAFT_SERVICE_URL DEBUG",
    "evaluation_service": "POSTGRES_HOST POSTGRES_PORT POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB RABBITMQ_HOST "
    "RABBITMQ_PASSWORD SPEAKER_SERVICE_URL DRAFT_SERVICE_URL RAG_SERVICE_URL DEBUG",
    "rabbitmq": "RABBITMQ_DEFAULT_USER RABBITMQ_DEFAULT_PASS",
}


@pytest.mark.parametrize("key", NEEDED)
def test_the_shipped_file_carries_what_the_real_services_read(key: str) -> None:
    variables = {variable.name for variable in load([str(SHIPPED)], {}).variables(key)}

    assert set(NEEDED[key].split()) <= variables


def test_the_shipped_services_agree_on_one_exchange_and_on_json_origins() -> None:
    config = load([str(SHIPPED)], {})
    values = [{v.name: v.template for v in config.variables(key)} for key in config.services]

    assert {v["RABBITMQ_EXCHANGE"] for v in values if "RABBITMQ_EXCHANGE" in v} == {"draft-genie.events"}
    assert {v["CORS_ORIGINS"] for v in values if "CORS_ORIGINS" in v} == {'["*"]'}
    assert {v["DEBUG"] for v in values if "DEBUG" in v} == {"false"}


def test_the_shipped_databases_are_reached_in_each_services_own_dialect() -> None:
    secrets = load([str(SHIPPED)], {}).vault_secrets()

    assert secrets["speaker-service-database-url"].template == (
        "postgresql://{{ postgresql.login }}:{{ postgresql.password | urlencode }}"
        "@{{ postgresql.host }}:{{ postgresql.port }}/speaker_service?sslmode=require"
    )
    assert secrets["draft-service-database-url"].template == (
        "postgresql+asyncpg://{{ postgresql.login }}:{{ postgresql.password | urlencode }}"
        "@{{ postgresql.host }}:{{ postgresql.port }}/draft_service?ssl=require"
    )


def test_the_json_schema_in_the_tree_is_current() -> None:
    assert (ROOT / SCHEMA_FILE).read_text() == schema_text(), (
        "run: python -m draftgenie_azure.config.validated.json_schema"
    )


def test_the_json_schema_takes_variables_wherever_a_number_or_a_choice_is_wanted() -> None:
    schema = json_schema()
    service = schema["$defs"]["Service"]["properties"]

    assert {"type": "string", "pattern": r"\$\{"} in service["min_replicas"]["anyOf"]
    assert service["min_replicas"]["anyOf"][0] == {"type": "integer", "minimum": 0, "maximum": 1000}
    assert {"type": "string", "pattern": r"\$\{"} in service["ingress"]["anyOf"]
    assert set(schema["properties"]) == set(Config.model_fields)


# ---------------------------------------------------------------------------------------------------- every fault


FAULTS = [
    # text of the second file | line | key | words
    ("azure: {locaton: westus}", 1, "azure.locaton", ["not a known key", "`location`"]),
    ("servces: {}", 1, "servces", ["not a known key", "`services`"]),
    ("azure:\n  cloud: AzureClod", 2, "azure.cloud",
     ["AzureCloud, AzureUSGovernment", "found `AzureClod`", "did you mean"]),
    ("azure: {cloud: {name: x}}", 1, "azure.cloud.resource_manager", ["is required"]),
    ("azure: {cloud: {nme: x}}", 1, "azure.cloud.nme", ["did you mean `name`"]),
    ("azure: {resource_group: 'bad group!'}", 1, "azure.resource_group", ["1–90 letters", "found `bad group!`"]),
    ("azure: {resource_group: ends.}", 1, "azure.resource_group", ["no dot at the end"]),
    ("azure: nowhere", 1, "azure", ["must be a mapping"]),
    ("azure: {project_name: 1draft}", 1, "azure.project_name", ["the first a letter"]),
    ("azure: {identity_name: a}", 1, "azure.identity_name", ["3–128"]),
    ("locations: {redi: westus}", 1, "locations.redi", ["kind of resource", "did you mean `redis`"]),
    ("locations: {redis: '?'}", 1, "locations.redis", ["region"]),
    ("container_registry: {name: draft-genie}", 1, "container_registry.name", ["5–50 letters and digits"]),
    ("container_registry: {sku: Bsic}", 1, "container_registry.sku", ["Basic, Standard, Premium", "`Basic`"]),
    ("key_vault: {name: a--b}", 1, "key_vault.name", ["single hyphens"]),
    ("key_vault: {name: 1abc}", 1, "key_vault.name", ["first a letter"]),
    ("key_vault: {name: abcdefghijklmnopqrstuvwxy}", 1, "key_vault.name", ["3–24"]),
    ("key_vault: {soft_delete_retention_days: 6}", 1, "key_vault.soft_delete_retention_days", ["at least 7", "`6`"]),
    ("key_vault: {purge_protection: 1}", 1, "key_vault.purge_protection", ["true or false"]),
    ("monitoring: {log_workspace: a_b_c}", 1, "monitoring.log_workspace", ["4–63"]),
    ("monitoring: {app_insights: a%b}", 1, "monitoring.app_insights", ["1–260"]),
    ("postgresql: {server_name: Upper}", 1, "postgresql.server_name", ["lower case"]),
    ("postgresql: {sku: B_Standard_B1ms}", 1, "postgresql.sku", ["Terraform's spelling", "Standard_B1ms"]),
    ("postgresql: {sku: Huge}", 1, "postgresql.sku", ["Standard_B1ms, Standard_D2ds_v5"]),
    ("postgresql: {tier: GeneralPurpose}", 1, "postgresql.tier", ["`Standard_B1ms` is Burstable"]),
    ("postgresql:\n  sku: Standard_B1ms\n  postgres_sku: Standard_B2s", 3, "postgresql.postgres_sku", ["older name"]),
    ("postgresql: {version: 10}", 1, "postgresql.version", ["11 to 18"]),
    ("postgresql: {storage_size: 33}", 1, "postgresql.storage_size", ["32, 64, 128", "next is 64"]),
    ("postgresql: {storage_size: 32 GB}", 1, "postgresql.storage_size", ["whole number"]),
    ("postgresql: {backup_retention_days: 36}", 1, "postgresql.backup_retention_days", ["at most 35"]),
    ("postgresql: {high_availability: ZoneRedundant}", 1, "postgresql.high_availability", ["Burstable"]),
    ("postgresql: {admin_user: admin}", 1, "postgresql.admin_user", ["reserved"]),
    ("postgresql: {admin_user: pg_me}", 1, "postgresql.admin_user", ["reserved"]),
    ("postgresql: {admin_user: a-b}", 1, "postgresql.admin_user", ["1–63 letters"]),
    ("postgresql: {admin_password: short}", 1, "postgresql.admin_password", ["8–128"]),
    ("postgresql: {admin_password: onlylower}", 1, "postgresql.admin_password", ["three of"]),
    ("postgresql: {admin_password: draftgenieadmiN1}", 1, "postgresql.admin_password", ["login name"]),
    ("postgresql: {databases: [one, 2bad]}", 1, "postgresql.databases.1", ["1–63"]),
    ("postgresql:\n  databases:\n  - one\n  - one", 4, "postgresql.databases.1", ["twice"]),
    ("postgresql: {databases: [postgres]}", 1, "postgresql.databases.0", ["server's own"]),
    ("postgresql: {databases: one}", 1, "postgresql.databases", ["must be a list"]),
    ("redis: {sku: Enterprise_E10}", 1, "redis.sku", ["no new Enterprise"]),
    ("redis: {sku: Balanced_B2}", 1, "redis.sku", ["Balanced_B0"]),
    ("redis: {sku: Basic, vm_size: p1}", 1, "redis.vm_size", ["c0–c6"]),
    ("redis: {sku: Premium, vm_size: c1}", 1, "redis.vm_size", ["p1–p5"]),
    ("redis: {name: a--b}", 1, "redis.name", ["single hyphens"]),
    ("redis: {sku: Balanced_B50}", 1, "redis.clustering_policy", ["25 GB"]),
    ("azure: {cloud: AzureUSGovernment}", 9, "redis.sku", ["not offered"]),
    ("container_apps: {environment_name: 'no spaces'}", 1, "container_apps.environment_name", ["2–60"]),
    ("container_apps: ~", 11, "services", ["container_apps"]),
    ("key_vault: ~", 8, "postgresql", ["key_vault"]),
    ("container_registry: ~", 12, "services.api", ["container_registry"]),
    ("services: {api: {cpu: 0.3}}", 1, "services.api.cpu", ["multiple of 0.25"]),
    ("services: {api: {cpu: 1, memory: 1Gi}}", 1, "services.api.cpu", ["1 goes with 2Gi"]),
    ("services: {api: {cpu: 4.25, memory: 8.5Gi}}", 1, "services.api.cpu", ["at most 4"]),
    ("services: {api: {memory: 1024}}", 1, "services.api.memory", ["1Gi or 0.5Gi"]),
    ("services: {api: {memory: 1GB}}", 1, "services.api.memory", ["1Gi or 0.5Gi"]),
    ("services: {api: {cpu: lots}}", 1, "services.api.cpu", ["must be a number", "found `lots`"]),
    ("services: {api: {cpu: true}}", 1, "services.api.cpu", ["not true or false"]),
    ("services: {api: {cpu: .nan}}", 1, "services.api.cpu", ["number"]),
    ("services: {api: {port: 0}}", 1, "services.api.port", ["at least 1"]),
    ("services: {api: {port: 65536}}", 1, "services.api.port", ["at most 65535"]),
    ("services: {api: {port: http}}", 1, "services.api.port", ["whole number"]),
    ("services: {api: {port: 80.5}}", 1, "services.api.port", ["whole number"]),
    ("services: {api: {min_replicas: 4, max_replicas: 3}}", 1, "services.api.min_replicas", ["max_replicas (3)"]),
    ("services: {api: {max_replicas: 1001}}", 1, "services.api.max_replicas", ["at most 1000"]),
    ("services: {api: {ingress: public}}", 1, "services.api.ingress", ["external, internal, none"]),
    ("services: {api: {transport: tcp}}", 12, "services.api.ingress", ["virtual network"]),
    ("services: {worker: {exposed_port: 8080}}", 1, "services.worker.exposed_port", ["transport: tcp"]),
    ("services: {rabbitmq: {exposed_port: 443}}", 1, "services.rabbitmq.exposed_port", ["80 and 443"]),
    ("services: {rabbitmq: {additional_ports: [5672]}}", 1, "services.rabbitmq.additional_ports.0", ["twice"]),
    ("services: {worker: {port: ~, ingress: internal}}", 1, "services.worker.ingress", ["needs `port`"]),
    ("services: {worker: {port: ~, health_path: /h}}", 1, "services.worker.health_path", ["needs `port`"]),
    ("services: {worker: {health_path: h}}", 1, "services.worker.health_path", ["begin with /"]),
    ("services: {worker: {name: Worker}}", 1, "services.worker.name", ["2–32 lower case"]),
    ("services: {worker: {name: w}}", 1, "services.worker.name", ["2–32 lower case"]),
    ("services: {worker: {name: a--b}}", 1, "services.worker.name", ["single hyphens"]),
    ("services: {worker: {name: api}}", 1, "services.worker.name", ["services.api"]),
    ("services: {worker: {dockerfile: ~}}", 1, "services.worker", ["neither `image` nor a Dockerfile"]),
    ("services: {worker: {image: x}}", 13, "services.worker.dockerfile", ["keep one"]),
    ("services: {worker: {kind: infrastructure}}", 1, "services.worker.kind", ["never built"]),
    ("services: {worker: {kind: infra}}", 1, "services.worker.kind", ["infrastructure, application"]),
    ("services: {worker: {dockerfile: ../Dockerfile}}", 1, "services.worker.dockerfile", ["path below"]),
    ("services: {worker: {dockerfile: /Dockerfile}}", 1, "services.worker.dockerfile", ["path below"]),
    ("services: {worker: {dockerfile: Dockerfle}}", 1, "services.worker.dockerfile", ["there is no `Dockerfle` below"]),
    ("services: {rabbitmq: {build_args: {A: b}}}", 1, "services.rabbitmq.build_args", ["no effect"]),
    ("services: {worker: {build_args: {A: {value: x, secert: true}}}}", 1, "services.worker.build_args.A.secert",
     ["did you mean `secret`"]),
    ("services: {worker: {volume: {}}}", 1, "services.worker.volume.mount_path", ["is required"]),
    ("services: {worker: {volume: {mount_path: data}}}", 1, "services.worker.volume.mount_path", ["begin with /"]),
    ("services: {worker: {volume: {mount_path: /d, type: azure_file, account_name: acct, share_name: abc}}}", 1,
     "services.worker.volume.account_key", ["required for azure_file"]),
    ("services: {worker: {volume: {mount_path: /d, share_name: abc}}}", 1, "services.worker.volume.share_name",
     ["azure_file"]),
    ("services: {worker: {scale: {tcp_concurrent_connections: 5}}}", 1,
     "services.worker.scale.tcp_concurrent_connections", ["transport: tcp"]),
    ("services: {rabbitmq: {scale: {http_concurrent_requests: 5}}}", 1,
     "services.rabbitmq.scale.http_concurrent_requests", ["HTTP ingress"]),
    ("services: {worker: {scale: {rules: [{name: a, type: cpu}, {name: a, type: memory}]}}}", 1,
     "services.worker.scale.rules.1.name", ["twice"]),
    ("services: {worker: {environment: {A: x}, secrets: {A: y}}}", 1, "services.worker.secrets.A", ["keep one"]),
    ("services: {worker: {environment: {A=B: x}}}", 1, "services.worker.environment.A=B", ["the name must be letters"]),
    ("services: {worker: {environment: {A: [1]}}}", 1, "services.worker.environment.A", ["must be text"]),
    ("services: {worker: {environment: [A=1]}}", 1, "services.worker.environment", ["must be a mapping"]),
    ("services: {worker: {command: 'unclosed \"'}}", 1, "services.worker.command", ["split into words"]),
    ("services: {worker: {enviroment: {A: x}}}", 1, "services.worker.enviroment", ["did you mean `environment`"]),
    ("services: {'not ok': {image: x}}", 1, "services.not ok", ["the name must be 1–64"]),
    ("services: {worker: ~, api: ~}", 20, "migrations.0.service", ["there is no service `api`"]),
    ("migrations:\n- service: worke\n  command: x", 2, "migrations.0.service", ["did you mean `worker`"]),
    ("migrations:\n- {service: worker}", 2, "migrations.0.command", ["is required"]),
    ("migrations:\n- {service: worker, command: ''}", 2, "migrations.0.command", ["must not be empty"]),
    ("migrations:\n- {service: api, command: x, name: a}\n- {service: api, command: y, name: a}", 3,
     "migrations.1.name", ["another migration"]),
    ("migrations:\n- {service: api, command: x, secrets: {A: plain}}", 2, "migrations.0.secrets.A",
     ["write the value under `secrets`"]),
    ("migrations: {service: api}", 1, "migrations", ["must be a list"]),
    ("deployment: {parallelism: 0}", 1, "deployment.parallelism", ["at least 1"]),
    ("deployment: {dry_run: maybe}", 1, "deployment.dry_run", ["true or false"]),
    ("docker: {builder: kaniko}", 1, "docker.builder", ["acr, docker"]),
    ("docker: {platform: linux/arm64}", 1, "docker.platform", ["linux/amd64"]),
    ("tags: {'a<b': x}", 1, "tags.a<b", ["has none of"]),
    ("tags: {Team: x, team: y}", 1, "tags.team", ["without case"]),
    ("tags: {draftgenie-lineage: x}", 1, "tags.draftgenie-lineage", ["deployment's own"]),
    ("advanced: {state_storage: blob}", 1, "advanced.state_blob_account", ["is required"]),
    ("advanced: {state_storage: s3}", 1, "advanced.state_storage", ["local, blob, azure"]),
    ("azure: {emulator: {faults: [{methd: PUT, status: 409}]}}", 1, "azure.emulator.faults.0.methd", ["`method`"]),
    ("azure: {emulator: {faults: [{path: x}]}}", 1, "azure.emulator.faults.0", ["needs `status`, `drop` or `fail`"]),
    ("azure: {emulator: {scale: -1}}", 1, "azure.emulator.scale", ["at least 0"]),
    # Placeholders
    ("services: {worker: {environment: {A: '{{ postgresql.hots }}'}}}", 1, "services.worker.environment.A",
     ["unknown reference", "{{ postgresql.host }}"]),
    ("services: {worker: {environment: {A: '{{ services.ap.url }}'}}}", 1, "services.worker.environment.A",
     ["{{ services.api.url }}"]),
    ("services: {worker: {environment: {A: '{{ secrets.nothing_like_it }}'}}}", 1, "services.worker.environment.A",
     ["add `nothing_like_it` under secrets"]),
    ("services: {worker: {environment: {A: '{{ mongodb.connection_url }}'}}}", 1, "services.worker.environment.A",
     ["needs the section `mongodb`"]),
    ("services: {worker: {environment: {A: '{{ a b }}'}}}", 1, "services.worker.environment.A", ["must be"]),
    ("services: {worker: {environment: {A: '{{ postgresql.host | upper }}'}}}", 1, "services.worker.environment.A",
     ["no filter `upper`"]),
    ("services: {worker: {environment: {A: '{{ postgresql.host'}}}", 1, "services.worker.environment.A", ["closed"]),
    ("services: {worker: {environment: {A: '{{ postgresql.url | urlencode }}'}}}", 1, "services.worker.environment.A",
     ["encoded already"]),
    ("services: {api: {environment: {A: '{{ services.worker.url }}'}}, worker: {ingress: none}}", 1,
     "services.api.environment.A", ["no ingress"]),
    ("services: {worker: {secrets: {A: '{{ services.api.url }}/{{ secrets.given }}'}}}", 1, "services.worker.secrets.A",
     ["before the environment is made"]),
    ("services: {worker: {secrets: {A: ''}}}", 1, "services.worker.secrets.A", ["needs a value"]),
    ("services: {worker: {secrets: {A: your-key-here}}}", 1, "services.worker.secrets.A", ["published stand-in"]),
    ("services: {worker: {secrets: {A: '{{ secrets.empty }}'}}}\nsecrets: {empty: ''}", 2, "secrets.empty",
     ["needs a value", "services.worker"]),
    ("secrets: {a_b: x, a-b: y}", 1, "secrets.a-b", ["`a-b`", "secrets.a_b"]),
    ("secrets: {redis_password: x}", 1, "secrets.redis_password", ["`redis-password`"]),
    ("secrets: {worker_a: x}\nservices: {worker: {secrets: {A: '{{ postgresql.url }}'}}}", 2,
     "services.worker.secrets.A", ["`worker-a`", "secrets.worker_a"]),
    ("services: {rabbitmq: {secrets: {RABBITMQ_DEFAULT_PASS: plain-text}}, "
     "worker: {environment: {A: '{{ rabbitmq.url }}'}}}", 1,
     "services.worker.environment.A", ["RABBITMQ_DEFAULT_PASS"]),
    ("services: {rabbitmq: {environment: {RABBITMQ_DEFAULT_USER: ~}, secrets: {RABBITMQ_DEFAULT_USER: x}}, "
     "worker: {environment: {A: '{{ rabbitmq.user }}'}}}", 1,
     "services.worker.environment.A", ["RABBITMQ_DEFAULT_USER"]),
    ("secrets: {new: {generat: true}}", 1, "secrets.new.generat", ["did you mean `generate`"]),
    ("secrets: [a]", 1, "secrets", ["must be a mapping"]),
    ("postgresql: ~\nservices: {worker: {database: x}}", 2, "services.worker.database", ["needs the section"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "key", "words"), FAULTS, ids=[f"{key}-{n}" for n, (_, _, key, _) in enumerate(FAULTS)]
)
def test_a_fault_names_file_line_key_and_what_is_allowed(
    good: Path, text: str, line: int, key: str, words: list[str]
) -> None:
    found = faults_of(good, text)

    fault = next((fault for fault in found if fault[2] == key), None)
    assert fault is not None, found
    assert fault[1] == line
    assert fault[0] == ("over.yaml" if line <= text.count("\n") + 1 else "good.yaml")
    for word in words:
        assert word in fault[3]


@pytest.mark.parametrize("text", [case[0] for case in FAULTS if case[2] != "migrations.0.service"])
def test_one_mistake_is_one_fault(good: Path, text: str) -> None:
    """No fault drags along others that only follow from it."""
    allowed = {
        "azure: {cloud: {name: x}}": 7,
        "azure: {cloud: {nme: x}}": 7,
        "postgresql: ~": 1,
        "container_registry: ~": 2,
    }

    assert len(faults_of(good, text)) <= max([1, *(n for start, n in allowed.items() if text.startswith(start))])


def test_all_faults_come_at_once_in_the_order_of_the_lines(good: Path) -> None:
    text = """\
azure: {locaton: westus}
postgresql: {storage_size: 33}
services:
  worker:
    cpu: lots
    environment: {A: "{{ secrets.gone }}"}
  api:
    environment: {A: "{{ redis.hots }}"}
tags: {draftgenie-lineage: mine}
"""

    assert [(line, key) for _, line, key, _ in faults_of(good, text)] == [
        (1, "azure.locaton"),
        (2, "postgresql.storage_size"),
        (5, "services.worker.cpu"),
        (6, "services.worker.environment.A"),
        (8, "services.api.environment.A"),
        (9, "tags.draftgenie-lineage"),
    ]


def test_what_refers_to_a_faulty_part_is_no_fault_of_its_own(good: Path) -> None:
    text = """\
postgresql: {server_name: Bad}
secrets: {given: [x]}
services:
  rabbitmq: {port: x}
  api: {environment: {A: "{{ services.worker.url }}", C: "{{ rabbitmq.url }}", B: "{{ postgresql.hots }}"}}
  worker:
    port: x
    secrets: {A: "{{ postgresql.url }}", B: "{{ secrets.given }}", C: "{{ secrets.gone }}"}
"""

    assert [key for _, _, key, _ in faults_of(good, text)] == [
        "postgresql.server_name", "secrets.given", "services.rabbitmq.port", "services.worker.port",
        "services.worker.secrets.C",
    ]  # fmt: skip


def test_faults_of_several_files_come_together(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("a: 1\na: 2\n")
    second.write_text("b: yes\n")

    with pytest.raises(ConfigError) as caught:
        load([str(first), str(second)], {})

    assert [(f.file, f.line) for f in caught.value.faults] == [(str(first), 2), (str(second), 1)]


CANARY = "Canary-4711-secret"


@pytest.mark.parametrize(
    "text",
    [
        f"secrets: {{a: [{CANARY}]}}",
        f"secrets: {CANARY}",
        f"secrets: {{a: {{generate: {CANARY}}}}}",
        f"secrets: {{a: {{{CANARY}: 1}}}}",
        f"postgresql: {{admin_password: [{CANARY}]}}",
        f"postgresql: {{admin_password: {CANARY.lower().replace('-', '').replace('4711', '')}}}",
        f"mongodb: {{connection_url: [{CANARY}]}}",
        f"mongodb: {CANARY}",
        f"services: {{worker: {{secrets: {{A: [{CANARY}]}}}}}}",
        f"services: {{worker: {{secrets: {CANARY}}}}}",
        f"services: {{worker: {{secrets: {{A: '{CANARY} {{{{ x'}}}}}}}}",
        f"services: {{worker: {{secrets: {{A: '{CANARY} {{{{ no.name }}}}'}}}}}}",
        f"services: {{worker: {{environment: {{A: '{CANARY} {{{{ no.name }}}}'}}}}}}",
        f"services: {{worker: {{environment: {CANARY}}}}}",
        f"services: {{worker: {{build_args: {{A: {{value: [{CANARY}], secret: true}}}}}}}}",
        f"services: {{worker: {{build_args: {CANARY}}}}}",
        f"services: {{worker: {{volume: {{mount_path: /d, account_key: [{CANARY}]}}}}}}",
        f"services: {{worker: {{volume: {CANARY}}}}}",
        f"services: {{worker: {CANARY}}}",
        f"services: {{worker: {{password: {CANARY}}}}}",
        "azure: {cloud: '${CANARY}'}",
        "azure: {resource_group: '${CANARY} ?'}",
        "services: {worker: {port: '${CANARY}'}}",
        "services: {worker: {ingress: '${CANARY}'}}",
        "redis: {name: 'a--${CANARY}'}",
        "redis: {sku: '${CANARY}'}",
        "postgresql: {sku: '${CANARY}'}",
        "postgresql: {databases: ['${CANARY}!', '${CANARY}!']}",
        "postgresql: {admin_user: 'pg_${CANARY}'}",
        "services: {worker: {dockerfile: '${CANARY}'}}",
        "services: {worker: {name: '${CANARY}'}}",
        "migrations: [{service: '${CANARY}', command: x}]",
    ],
)
def test_no_fault_shows_a_secret_or_a_value_from_the_environment(good: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        over(good, text, CANARY=CANARY)

    # A name that is no name is shown where a key is wanted: then it stands in the file as a key.
    shown = str(caught.value).replace(f"secrets.a.{CANARY}", "")
    assert CANARY not in shown
    assert CANARY.lower() not in shown.lower()


def test_a_repr_shows_no_secret(good: Path) -> None:
    config = over(
        good,
        f"secrets: {{a: {CANARY}}}\npostgresql: {{admin_password: {CANARY}}}\nmongodb: {{connection_url: {CANARY}}}\n"
        f"services: {{worker: {{secrets: {{A: {CANARY}, B: '{CANARY}@{{{{ postgresql.host }}}}'}}, "
        f"build_args: {{T: {{value: {CANARY}, secret: true}}}},"
        f"volume: {{type: azure_file, mount_path: /d, account_name: acct, share_name: abc, account_key: {CANARY}}}}}}}",
    )

    shown = repr(config) + repr(config.vault_secrets()) + repr(config.variables("worker")) + "".join(config.notices)
    assert CANARY not in shown
    assert config.vault_secrets()["a"].value == CANARY


# ------------------------------------------------------------------------------------------------- reading, overlays


def test_later_files_override_key_by_key_and_lists_whole(good: Path) -> None:
    config = over(good, "services: {api: {max_replicas: 7}}\npostgresql: {databases: [two]}\nredis: ~")

    assert config.services["api"].max_replicas == 7
    assert config.services["api"].port == 3000
    assert config.redis is None
    assert config.raw.get("services.api.max_replicas") == 7
    assert config.raw.get("redis") is None
    assert config.raw.place(("services", "api", "max_replicas"))[0].endswith("over.yaml")
    assert config.raw.place(("services", "api", "port")) == (str(good), 12)


def test_state_and_context_count_from_the_first_file(good: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "prod.yaml"
    other.parent.mkdir()
    other.write_text("docker: {build_context: .}\n")

    config = load([str(good), str(other)], {})

    assert config.directory == str(tmp_path)
    assert config.build_context == str(tmp_path)


def test_raw_values_are_those_before_defaults(good: Path) -> None:
    raw = read([str(good)], {})

    assert isinstance(raw, RawConfig)
    assert raw.get("postgresql.sku") is None
    assert raw.get("services.api") == {"dockerfile": "Dockerfile", "port": 3000, "ingress": "external"}
    assert raw.get("services.api.nothing.here") is None
    assert raw.paths == [str(good)]


def test_a_key_may_hold_dots(good: Path) -> None:
    config = over(good, "tags: {a.b.c: x, empty: ''}")

    assert config.raw.get("tags.a.b.c") == "x"
    assert config.tags == {"a.b.c": "x"}


def test_variables_that_were_read_are_known(good: Path) -> None:
    path = good.with_name("v.yaml")
    path.write_text("azure: {location: '${REGION:-westus}', tenant_id: '${TENANT:-}'}\n")

    raw = read([str(good), str(path)], {"TENANT": "t"})

    assert raw.variables == {"REGION": None, "TENANT": "t"}
    assert raw.hides(("azure", "location"))
    assert not raw.hides(("azure", "resource_group"))


def test_reading_does_not_import_pydantic_nor_what_a_run_that_changes_nothing_cannot_afford() -> None:
    program = (
        "import sys; from draftgenie_azure.config import raw as config; config.read([sys.argv[1]], {});"
        "print(*(set(sys.modules) & {'pydantic', 'logging', 'pathlib', 'dataclasses', 'typing', 'json', 'difflib'}))"
    )
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {program}"
    ran = subprocess.run([sys.executable, "-I", "-c", program, str(SHIPPED)],
                         capture_output=True, text=True, check=True)  # fmt: skip

    assert ran.stdout.strip() == ""


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("secrets.gemini_api_key", True),
        ("secrets.a.generate", True),
        ("services.api.secrets.JWT_SECRET", True),
        ("postgresql.admin_password", True),
        ("mongodb.connection_url", True),
        ("services.api.volume.account_key", True),
        ("services.api.build_args.TOKEN.value", True),
        ("services.api.build_args.TOKEN", False),
        ("services.api.environment.A", False),
        ("services.api.volume.account_name", False),
        ("services.secrets.port", False),
        ("postgresql.sku", False),
        ("migrations", False),
    ],
)
def test_secret_keys(key: str, secret: bool) -> None:
    assert is_secret_key(key) is secret


# ------------------------------------------------------------------------------------------------------- defaults


def test_defaults_follow_from_what_a_service_is(good: Path) -> None:
    config = over(good, "services: {worker: {min_replicas: 5}}")
    api, worker, rabbitmq = (config.services[key] for key in ("api", "worker", "rabbitmq"))

    assert (api.kind, api.transport, api.allow_insecure, api.max_replicas) == ("application", "auto", False, 3)
    assert (worker.ingress, worker.allow_insecure, worker.max_replicas) == ("internal", True, 5)
    assert (rabbitmq.kind, rabbitmq.transport, rabbitmq.exposed_port) == ("infrastructure", "tcp", 5672)
    assert (rabbitmq.allow_insecure, rabbitmq.max_replicas, rabbitmq.name) == (False, 1, "rabbitmq")
    assert config.migrations[0].command == ["migrate", "up"]
    assert config.migrations[0].name == "api"


def test_an_image_with_external_ingress_is_served_over_http(good: Path) -> None:
    config = over(good, "services: {web: {image: nginx, port: 80, ingress: external}}")

    assert config.services["web"].transport == "auto"
    assert config.services["web"].exposed_port is None


def test_numbers_and_truth_values_become_text_in_variables(good: Path) -> None:
    config = over(
        good, "services: {worker: {environment: {A: 1, B: true, C: 0.50, D: 16.10, E: 1e3, F: '', G: '{{{{'}}}"
    )

    assert [(v.name, v.template) for v in config.variables("worker")] == [
        ("A", "1"), ("B", "true"), ("C", "0.50"), ("D", "16.10"), ("E", "1e3"), ("F", ""), ("G", "{{{{"),
    ]  # fmt: skip


def test_a_null_takes_a_variable_out_and_an_empty_one_from_the_environment_is_empty(good: Path) -> None:
    config = over(good, "services: {rabbitmq: {environment: {RABBITMQ_DEFAULT_USER: , A: '${E}'}}}", E="")
    plain = good.with_name("plain.yaml")
    plain.write_text("services:\n  rabbitmq:\n    environment:\n      A: ${E}\n")

    assert [(v.name, v.template) for v in config.variables("rabbitmq") if v.template is not None] == [("A", "")]
    assert load([str(good), str(plain)], {"E": ""}).services["rabbitmq"].environment["A"] == ""


def test_values_from_the_environment_are_typed(good: Path) -> None:
    config = over(good, "services: {api: {port: '${P}', cpu: '${C}', memory: 2Gi}}", P="81", C="1.0")

    assert config.services["api"].port == 81
    assert config.services["api"].cpu == 1.0


def test_locations_win_resource_by_resource(good: Path) -> None:
    config = over(good, "locations: {default: West US 2, redis: northeurope}")

    assert config.location("redis") == "northeurope"
    assert config.location("key_vault") == "westus2"
    with pytest.raises(KeyError):
        config.location("vault")


@pytest.mark.parametrize(
    ("sku", "tier"),
    [("Standard_B2s", "Burstable"), ("Standard_D2ds_v5", "GeneralPurpose"), ("Standard_E4ds_v5", "MemoryOptimized")],
)
def test_the_tier_follows_from_the_size(good: Path, sku: str, tier: str) -> None:
    section = over(good, f"postgresql: {{postgres_sku: {sku}}}").postgresql

    assert section is not None
    assert (section.sku, section.tier) == (sku, tier)


def test_the_login_is_made_from_the_project(good: Path) -> None:
    section = over(good, "azure: {project_name: Draft-Genie}").postgresql

    assert section is not None
    assert section.login == "draftgenieadmin"


def test_every_needed_database_is_listed(good: Path) -> None:
    config = over(
        good,
        "postgresql: {databases: [extra], database_name: legacy}\n"
        "services: {api: {secrets: {U: '{{ postgresql.url }}'}}, worker: {database: own}}\n"
        "migrations: [{service: api, command: x}, {service: worker, command: x, database: third}]",
    )

    assert config.databases() == ["api", "extra", "legacy", "own", "third"]
    assert config.migration_database(config.migrations[0]) == "api"
    assert config.migration_database(config.migrations[1]) == "third"


def test_endpoints_of_a_cloud_of_ones_own(good: Path) -> None:
    config = over(
        good,
        "azure:\n  cloud:\n    resource_manager: https://management.local.example/\n    authority: https://login.local.example\n"
        "    vault_suffix: vault.local.example\n    registry_suffix: acr.local.example\n"
        "    storage_suffix: local.example\n"
        "    postgres_suffix: pg.local.example\n    ca_file: ca.pem\n    proxy: http://127.0.0.1:8080\n",
    )

    endpoints = config.endpoints
    assert endpoints.name == "custom"
    assert endpoints.scope == endpoints.audience == "https://management.local.example/.default"
    assert endpoints.vault_scope == "https://vault.local.example/.default"
    assert endpoints.ca_file == str(good.parent / "ca.pem")
    assert endpoints.blob_suffix == "blob.local.example"


def test_the_emulator_answers_under_the_public_clouds_names(good: Path) -> None:
    assert over(good, "azure: {cloud: emulator}").endpoints.resource_manager == "https://management.azure.com"


def test_a_dockerfile_above_the_context_is_pointed_out(good: Path, tmp_path: Path) -> None:
    inner = tmp_path / "scripts" / "azure" / "config.yaml"
    inner.parent.mkdir(parents=True)
    inner.write_text(GOOD.replace("api: {dockerfile", "api: {cpu: 0.5, dockerfile"))

    with pytest.raises(ConfigError) as caught:
        load([str(inner)], {})

    assert [fault.key for fault in caught.value.faults] == ["docker.build_context"]
    assert f"it is below `{tmp_path}`: set docker.build_context to `../..`" in caught.value.faults[0].message


def test_dockerfiles_are_spelled_from_the_context(good: Path) -> None:
    config = over(good, "services: {worker: {dockerfile: ./x/../Dockerfile}}")

    assert config.dockerfile("worker") == "Dockerfile"
    with pytest.raises(KeyError):
        config.dockerfile("rabbitmq")


EARLIER = """\
azure: {subscription_id: "", resource_group: draftgenie-rg, location: eastus, project_name: draftgenie}
container_registry: {name: acrdraftgenie, sku: Basic}
key_vault: {name: kv-draftgenie}
monitoring: {log_workspace: draftgenie-logs, app_insights: draftgenie-insights}
postgresql:
  server_name: draftgenie-db
  database_name: draftgenie
  admin_user: dbadmin
  admin_password: ""
  postgres_sku: Standard_B1ms
  tier: Burstable
  version: 16
  storage_size: 32
redis: {name: draftgenie-redis, sku: Basic, vm_size: c0}
mongodb: {connection_url: ""}
container_apps: {environment_name: draftgenie-env}
services:
  api_gateway:
    {name: api-gateway, port: 3000, cpu: 0.5, memory: 1Gi, min_replicas: 1, max_replicas: 5, ingress: external}
  rag_service: {name: rag-service, port: 3003, cpu: 1.0, memory: 2Gi, ingress: internal}
  rabbitmq: {name: rabbitmq, image: rabbitmq:3, port: 5672, cpu: 0.5, memory: 1Gi, ingress: internal}
secrets: {gemini_api_key: your-gemini-api-key-here, jwt_secret: "", rabbitmq_password: ""}
deployment:
  {skip_build: false, skip_migrations: false, dry_run: false, auto_approve: false, verbose: false, resume: false}
docker:
  registry: ""
  build_context: "."
  dockerfiles: {api_gateway: Dockerfile, rag_service: Dockerfile}
networking: {cors_origin: "*", swagger_enabled: true, swagger_path: api/docs}
tags: {Project: DraftGenie, CostCenter: ""}
advanced:
  {retry_attempts: 3, retry_delay: 5, operation_timeout: 600, cleanup_on_failure: false, save_state: true,
   state_file: .azure-deployment-state.json, state_storage: azure, state_blob_account: acct}
"""


def test_a_file_of_the_earlier_script_is_understood(good: Path) -> None:
    path = good.with_name("earlier.yaml")
    path.write_text(EARLIER)

    config = load([str(path)], {})

    assert config.ignored_keys == [
        "deployment.resume", "advanced.retry_attempts", "advanced.retry_delay", "advanced.cleanup_on_failure",
        "advanced.save_state",
    ]  # fmt: skip
    assert config.redis is not None
    assert not config.redis.managed
    assert config.databases() == ["draftgenie"]
    assert config.tags == {"Project": "DraftGenie"}
    assert [secret.origin for secret in config.vault_secrets().values()] == [
        "generated", "postgresql_password", "generated",
    ]  # fmt: skip
    assert any("no service has variables" in notice for notice in config.notices)


# --------------------------------------------------------------------------------------------- variables and secrets


def test_a_value_with_a_secret_in_it_becomes_a_secret(good: Path) -> None:
    config = over(
        good,
        "services: {worker: {environment: {A: 'x {{ secrets.given }} {{ postgresql.host }}', B: '{{ secrets.given }}',"
        " C: '{{ monitoring.connection_string }}', D: '{{ redis.url }}', E: '{{ rabbitmq.url }}',"
        " F: '{{ postgresql.login }}'}}}",
    )

    assert [(v.name, v.template, v.secret) for v in config.variables("worker")] == [
        ("A", None, "worker-a"),
        ("B", None, "given"),
        ("C", None, "monitoring-connection-string"),
        ("D", None, "redis-url"),
        ("E", None, "rabbitmq-url"),
        ("F", "{{ postgresql.login }}", None),
    ]
    secrets = config.vault_secrets()
    assert {name: secret.origin for name, secret in secrets.items()} == {
        "given": "given",
        "monitoring-connection-string": "monitoring",
        "postgresql-admin-password": "postgresql_password",
        "rabbitmq-password": "generated",
        "rabbitmq-url": "composed",
        "redis-password": "redis_password",
        "redis-url": "composed",
        "worker-a": "composed",
    }
    assert secrets["rabbitmq-url"].template == "amqp://demo:{{ secrets.rabbitmq_password | urlencode }}@rabbitmq:5672"
    assert (
        secrets["redis-url"].template == "rediss://:{{ redis.password | urlencode }}@{{ redis.host }}:{{ redis.port }}"
    )
    assert secrets["redis-password"].used_by == ("services.worker",)


def test_addresses_of_services_follow_from_their_ingress(good: Path) -> None:
    config = over(
        good,
        "services: {worker: {environment: {A: '{{ services.api.url }}', B: '{{ services.worker.url }}',"
        " C: '{{ services.rabbitmq.host }}:{{ services.rabbitmq.port }}', D: '{{ services.worker.port }}'}}}",
    )

    assert [v.template for v in config.variables("worker")] == [
        "https://api.{{ container_apps.default_domain }}",
        "http://worker.internal.{{ container_apps.default_domain }}",
        "rabbitmq:5672",
        "80",
    ]


def test_a_plain_value_under_secrets_goes_to_the_vault(good: Path) -> None:
    config = over(good, "services: {worker: {secrets: {API_KEY: plain-value}}}")

    assert config.variables("worker")[0].secret == "worker-api-key"
    assert config.vault_secrets()["worker-api-key"].value == "plain-value"
    assert config.vault_secrets()["worker-api-key"].origin == "given"


def test_a_migration_has_its_services_variables_with_its_own_over_them(good: Path) -> None:
    config = over(
        good,
        "services: {api: {environment: {A: '1', B: '2'}, secrets: {DATABASE_URL: '{{ postgresql.url }}'}}}\n"
        "migrations:\n- {service: api, command: x, environment: {B: '3', C: '4'}}\n"
        "- {service: api, command: y, database: other}\n",
    )
    first, second = config.migrations

    assert [(v.name, v.template, v.secret) for v in config.migration_variables(first)] == [
        ("A", "1", None), ("B", "3", None), ("C", "4", None), ("DATABASE_URL", None, "api-database-url"),
    ]  # fmt: skip
    assert config.migration_variables(second)[2].secret == "api-migration-database-url"
    secrets = config.vault_secrets()
    assert "/api?" in str(secrets["api-database-url"].template)
    assert "/other?" in str(secrets["api-migration-database-url"].template)
    assert secrets["api-database-url"].used_by == ("migrations.api", "services.api")


def test_empty_secrets_are_generated_only_where_asked(good: Path) -> None:
    config = over(good, "secrets: {jwt_secret: '', rabbitmq_password: given, mine: {generate: true}, unused: ''}")

    assert {name: secret.origin for name, secret in config.vault_secrets().items()} == {
        "given": "given",
        "jwt-secret": "generated",
        "mine": "generated",
        "postgresql-admin-password": "postgresql_password",
        "rabbitmq-password": "given",
    }


def test_a_secret_that_a_url_cannot_hold_is_told(good: Path) -> None:
    text = "services: {worker: {environment: {P: '{{ rabbitmq.password }}'}}}\nsecrets: {rabbitmq_password: 'a/b@c'}"

    assert any("encode" in notice for notice in over(good, text).notices)
    assert over(good, text.replace("a/b@c", "abc")).notices == []


def test_what_is_allowed_and_yet_worth_saying_is_said(good: Path) -> None:
    config = over(
        good,
        "postgresql: {version: 13}\nredis: {sku: Standard}\ndocker: {dockerfiles: {wroker: Dockerfile, rabbitmq: x}}\n"
        "services: {worker: {args: ['{{ postgresql.host }}'], build_args: {NPM_TOKEN: x},"
        " volume: {mount_path: /data}, min_replicas: 0}}\nsecrets: {odd: 'x{{ redis.host }}'}",
    )

    notices = "\n".join(config.notices)
    for words in [
        "docker.dockerfiles.wroker belongs to no service; did you mean `worker`?",
        "docker.dockerfiles.rabbitmq has no effect",
        "postgresql.version 13 is in paid extended support",
        "redis.sku Standard",
        "services.worker.build_args.NPM_TOKEN looks like a secret",
        "services.worker.args: placeholders are put into variables only",
        "secrets.odd: placeholders are put into variables only",
        "services.worker keeps its files in an empty_dir",
    ]:
        assert words in notices


# ------------------------------------------------------------------------------------------------------ robustness


def test_two_hundred_services_are_read_in_time(good: Path) -> None:
    text = "services:\n" + "".join(
        f"  s{n}:\n    image: x\n    port: 80\n    exposed_port: {n + 1000}\n    environment:\n"
        + "".join(f"      V{m}: '{{{{ services.s{(n + m) % 200}.url }}}}'\n" for m in range(20))
        for n in range(200)
    )
    start = time.process_time()

    config = over(good, text)

    assert len(config.services) == 203
    assert time.process_time() - start < 5


_WORKER = "services: {worker: "


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"k{n}: 1\n" for n in range(20_000)),
        "services:\n" + "".join(f"  s{n}: {{cpu: x}}\n" for n in range(10_000)),
        _WORKER + "{environment: {" + ",".join(f"A{n}: '{{{{ services.s{n}.url }}}}'" for n in range(15_000)) + "}}}",
        _WORKER + "{environment: {" + ",".join(f"A{n}: '{{{{ secrets.given }}}}'" for n in range(15_000)) + "}}}",
        "services: {worker: {environment: {A: '" + "{{ services.api.url }}" * 20_000 + "'}}}",
        "services: {worker: {environment: {A: '" + "{{ a" * 200_000 + "'}}}",
        "services: {worker: {port: 1" + "_" * 900_000 + ":30}}",
        "services: {worker: {" + "p" * 900_000 + ": 1}}",
        "services: {worker: {name: " + "a-" * 400_000 + "}}",
        "services: {worker: {command: '" + "x " * 400_000 + "', port: x}}",
        "key_vault: {name: " + "a-" * 400_000 + "}",
        "secrets: {given: '" + "your " * 180_000 + "'}\n" + _WORKER + "{environment: {A: '{{ secrets.given }}'}}}",
        "tags: {" + ",".join(f"t{n}: x" for n in range(20_000)) + "}",
        "migrations: [" + ",".join("{service: nobody, command: x}" for n in range(8_000)) + "]",
    ],
)  # fmt: skip
def test_a_large_faulty_file_is_refused_in_time(good: Path, text: str) -> None:
    start = time.process_time()
    try:
        over(good, text)
    except ConfigError as error:
        assert len(error.faults) <= 200
        assert len(str(error)) < 100_000
    assert time.process_time() - start < 3


SHIPPED_LINES = SHIPPED.read_text().splitlines()
SCRAPS = st.sampled_from(
    ["", "~", "[]", "{}", "yes", "1:30", "012", "{{ x }}", "{{", "${X}", "${", "*node", "&a", "-1", ".inf",
     "<<: *python",
     "!!int x", "- a", "'", "é\u2028", "1e999", "\t", "9" * 20, "a: b: c"]
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["value", "value", "drop", "double", "scrap", "indent", "swap", "cut"]),
                  st.integers(0, len(SHIPPED_LINES) - 1), SCRAPS | st.text(max_size=12)),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_a_mutated_file_gives_a_config_or_faults_and_nothing_else(
    tmp_path: Path, changes: list[tuple[str, int, str]]
) -> None:
    lines = list(SHIPPED_LINES)
    for what, number, scrap in changes:
        at = number % max(1, len(lines))
        line = lines[at] if lines else ""
        if what == "drop":
            lines[at : at + 1] = []
        elif what == "double":
            lines.insert(at, line)
        elif what == "value":
            lines[at : at + 1] = [line.partition(":")[0] + ": " + scrap]
        elif what == "scrap":
            lines.insert(at, scrap)
        elif what == "indent":
            lines[at : at + 1] = ["  " + line]
        elif what == "swap" and lines:
            lines[at], lines[-1] = lines[-1], line
        else:
            lines[at:] = [line[: len(line) // 2]]
    path = tmp_path / "config.yaml"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))

    try:
        config = load([str(path)], {"X": "1"})
    except ConfigError as error:
        assert error.faults
        assert all(fault.file for fault in error.faults)
    else:
        for key in config.services:
            config.variables(key)
        json.dumps(config.raw.values)
        assert config.vault_secrets() is not None


def leaves(value: object, key: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in [(*key, name), *leaves(item, (*key, name))]]
    return []


ODD = st.sampled_from([None, True, 0, -1, 1.5, "", "x", "{{ a.b }}", "{{ postgresql.url }}", "{{", [], [None], [[]], {},
                       {"a": 1}, {"generate": True}, {"value": "x"}, "Standard_D2ds_v5", 10**30, "\x00", "é",
                       float("nan")])  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 10_000), ODD), min_size=1, max_size=4))
def test_odd_values_anywhere_give_a_config_or_faults(changes: list[tuple[int, object]]) -> None:
    raw = read([str(SHIPPED)], {})
    for number, odd in changes:
        places = leaves(raw.values)
        *above, last = places[number % len(places)]
        inner: dict[str, object] = raw.values
        for name in above:
            inner = inner[name]  # type: ignore[assignment]
        inner[last] = copy.deepcopy(odd)

    try:
        config = configuration.validate(raw)
    except ConfigError as error:
        assert error.faults
    else:
        assert config.vault_secrets() is not None
        assert config.databases() is not None


@pytest.mark.parametrize(
    ("cloud", "manager", "suffixes"),
    [
        ("AzureCloud", "management.azure.com", "vault.azure.net azurecr.io postgres.database.azure.com"),
        ("AzureUSGovernment", "management.usgovcloudapi.net",
         "vault.usgovcloudapi.net azurecr.us postgres.database.usgovcloudapi.net"),
        ("AzureChinaCloud", "management.chinacloudapi.cn",
         "vault.azure.cn azurecr.cn postgres.database.chinacloudapi.cn"),
    ],
)  # fmt: skip
def test_each_cloud_has_its_endpoints(good: Path, cloud: str, manager: str, suffixes: str) -> None:
    endpoints = over(good, f"azure: {{cloud: {cloud}}}\nredis: ~").endpoints

    assert endpoints.name == cloud
    assert endpoints.resource_manager == f"https://{manager}"
    assert endpoints.scope == f"https://{manager}/.default"
    assert f"{endpoints.vault_suffix} {endpoints.registry_suffix} {endpoints.postgres_suffix}" == suffixes
