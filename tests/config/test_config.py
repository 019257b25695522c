"""The configuration as a whole: real files in, a Config or every fault out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from configurations import ROOT, SHIPPED, over

from draftgenie_azure.config.raw import load
from draftgenie_azure.config.validated.json_schema import SCHEMA_FILE, json_schema, schema_text
from draftgenie_azure.config.validated.schema import Config
from draftgenie_azure.errors import ConfigError


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
    assert "published example" in faults["secrets.gemini_api_key"]
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
def test_the_shipped_file_has_the_variables_of_the_real_services(key: str) -> None:
    variables = {variable.name for variable in load([str(SHIPPED)], {}).variables(key)}

    assert set(NEEDED[key].split()) <= variables


def test_the_shipped_services_agree_on_one_exchange_and_on_json_origins() -> None:
    config = load([str(SHIPPED)], {})
    values = [{v.name: v.template for v in config.variables(key)} for key in config.services]

    assert {v["RABBITMQ_EXCHANGE"] for v in values if "RABBITMQ_EXCHANGE" in v} == {"draft-genie.events"}
    assert {v["CORS_ORIGINS"] for v in values if "CORS_ORIGINS" in v} == {'["*"]'}
    assert {v["DEBUG"] for v in values if "DEBUG" in v} == {"false"}


def test_the_shipped_database_urls_have_each_services_dialect() -> None:
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
    ("postgresql: {storage_size: 32 GB}", 1, "postgresql.storage_size", ["integer"]),
    ("postgresql: {backup_retention_days: 36}", 1, "postgresql.backup_retention_days", ["at most 35"]),
    ("postgresql: {high_availability: ZoneRedundant}", 1, "postgresql.high_availability", ["Burstable"]),
    ("postgresql: {admin_user: admin}", 1, "postgresql.admin_user", ["reserved"]),
    ("postgresql: {admin_user: pg_me}", 1, "postgresql.admin_user", ["reserved"]),
    ("postgresql: {admin_user: a-b}", 1, "postgresql.admin_user", ["1–63 letters"]),
    ("postgresql: {admin_password: short}", 1, "postgresql.admin_password", ["8–128"]),
    ("postgresql: {admin_password: onlylower}", 1, "postgresql.admin_password", ["three of"]),
    ("postgresql: {admin_password: draftgenieadmiN1}", 1, "postgresql.admin_password", ["login name"]),
    ("postgresql: {databases: [one, 2bad]}", 1, "postgresql.databases.1", ["1–63"]),
    ("postgresql:\n  databases:\n  - one\n  - one", 4, "postgresql.databases.1", ["duplicate"]),
    ("postgresql: {databases: [postgres]}", 1, "postgresql.databases.0", ["system database"]),
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
    ("services: {api: {cpu: 1, memory: 1Gi}}", 1, "services.api.cpu", ["1 requires 2Gi"]),
    ("services: {api: {cpu: 4.25, memory: 8.5Gi}}", 1, "services.api.cpu", ["at most 4"]),
    ("services: {api: {memory: 1024}}", 1, "services.api.memory", ["1Gi or 0.5Gi"]),
    ("services: {api: {memory: 1GB}}", 1, "services.api.memory", ["1Gi or 0.5Gi"]),
    ("services: {api: {cpu: lots}}", 1, "services.api.cpu", ["must be a number", "found `lots`"]),
    ("services: {api: {cpu: true}}", 1, "services.api.cpu", ["not true or false"]),
    ("services: {api: {cpu: .nan}}", 1, "services.api.cpu", ["number"]),
    ("services: {api: {port: 0}}", 1, "services.api.port", ["at least 1"]),
    ("services: {api: {port: 65536}}", 1, "services.api.port", ["at most 65535"]),
    ("services: {api: {port: http}}", 1, "services.api.port", ["integer"]),
    ("services: {api: {port: 80.5}}", 1, "services.api.port", ["integer"]),
    ("services: {api: {min_replicas: 4, max_replicas: 3}}", 1, "services.api.min_replicas", ["max_replicas (3)"]),
    ("services: {api: {max_replicas: 1001}}", 1, "services.api.max_replicas", ["at most 1000"]),
    ("services: {api: {ingress: public}}", 1, "services.api.ingress", ["external, internal, none"]),
    ("services: {api: {transport: tcp}}", 12, "services.api.ingress", ["virtual network"]),
    ("services: {worker: {exposed_port: 8080}}", 1, "services.worker.exposed_port", ["transport: tcp"]),
    ("services: {rabbitmq: {exposed_port: 443}}", 1, "services.rabbitmq.exposed_port", ["80 and 443"]),
    ("services: {rabbitmq: {additional_ports: [5672]}}", 1, "services.rabbitmq.additional_ports.0", ["duplicate"]),
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
     "services.worker.scale.rules.1.name", ["duplicate"]),
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
    ("tags: {'a<b': x}", 1, "tags.a<b", ["must not contain"]),
    ("tags: {Team: x, team: y}", 1, "tags.team", ["case-insensitive"]),
    ("tags: {draftgenie-lineage: x}", 1, "tags.draftgenie-lineage", ["reserved for the deployment"]),
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
     ["unknown filter `upper`"]),
    ("services: {worker: {environment: {A: '{{ postgresql.host'}}}", 1, "services.worker.environment.A", ["closed"]),
    ("services: {worker: {environment: {A: '{{ postgresql.url | urlencode }}'}}}", 1, "services.worker.environment.A",
     ["already encoded"]),
    ("services: {api: {environment: {A: '{{ services.worker.url }}'}}, worker: {ingress: none}}", 1,
     "services.api.environment.A", ["no ingress"]),
    ("services: {worker: {secrets: {A: '{{ services.api.url }}/{{ secrets.given }}'}}}", 1, "services.worker.secrets.A",
     ["before the environment is made"]),
    ("services: {worker: {secrets: {A: ''}}}", 1, "services.worker.secrets.A", ["needs a value"]),
    ("services: {worker: {secrets: {A: your-key-here}}}", 1, "services.worker.secrets.A", ["published example"]),
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


def test_all_faults_are_reported_at_once_in_line_order(good: Path) -> None:
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


def test_reference_to_a_faulty_part_is_not_another_fault(good: Path) -> None:
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


def test_faults_of_several_files_are_reported_together(tmp_path: Path) -> None:
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

    # An invalid name is shown where a key is expected: then it is in the file as a key.
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
