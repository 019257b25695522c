"""Files over one another, and the defaults of what is absent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from configurations import GOOD, ROOT, SHIPPED, over

from draftgenie_azure.config.keys import is_secret_key
from draftgenie_azure.config.raw import RawConfig, load, read
from draftgenie_azure.errors import ConfigError

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


def test_variables_that_were_read_are_recorded(good: Path) -> None:
    path = good.with_name("v.yaml")
    path.write_text("azure: {location: '${REGION:-westus}', tenant_id: '${TENANT:-}'}\n")

    raw = read([str(good), str(path)], {"TENANT": "t"})

    assert raw.variables == {"REGION": None, "TENANT": "t"}
    assert raw.hides(("azure", "location"))
    assert not raw.hides(("azure", "resource_group"))


def test_reading_imports_nothing_that_slows_down_a_run_without_changes() -> None:
    program = (
        "import sys; from draftgenie_azure.config import raw as config; config.read([sys.argv[1]], {});"
        "print(*(set(sys.modules) & {'pydantic', 'logging', 'pathlib', 'dataclasses', 'typing', 'difflib'}))"
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
def test_keys_that_may_hold_secrets_are_recognised(key: str, secret: bool) -> None:
    assert is_secret_key(key) is secret


# ------------------------------------------------------------------------------------------------------- defaults


def test_defaults_of_a_service_follow_from_its_kind(good: Path) -> None:
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


def test_numbers_and_booleans_become_text_in_variables(good: Path) -> None:
    config = over(
        good, "services: {worker: {environment: {A: 1, B: true, C: 0.50, D: 16.10, E: 1e3, F: '', G: '{{{{'}}}"
    )

    assert [(v.name, v.template) for v in config.variables("worker")] == [
        ("A", "1"), ("B", "true"), ("C", "0.50"), ("D", "16.10"), ("E", "1e3"), ("F", ""), ("G", "{{{{"),
    ]  # fmt: skip


def test_null_removes_a_variable_and_an_empty_environment_value_is_empty(good: Path) -> None:
    config = over(good, "services: {rabbitmq: {environment: {RABBITMQ_DEFAULT_USER: , A: '${E}'}}}", E="")
    plain = good.with_name("plain.yaml")
    plain.write_text("services:\n  rabbitmq:\n    environment:\n      A: ${E}\n")

    assert [(v.name, v.template) for v in config.variables("rabbitmq") if v.template is not None] == [("A", "")]
    assert load([str(good), str(plain)], {"E": ""}).services["rabbitmq"].environment["A"] == ""


def test_values_from_the_environment_are_typed(good: Path) -> None:
    config = over(good, "services: {api: {port: '${P}', cpu: '${C}', memory: 2Gi}}", P="81", C="1.0")

    assert config.services["api"].port == 81
    assert config.services["api"].cpu == 1.0


def test_locations_override_azure_location_per_resource(good: Path) -> None:
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


def test_endpoints_of_a_custom_cloud(good: Path) -> None:
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
