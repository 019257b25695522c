"""Every kind of change: which steps it makes run, and the reason that is given. Nothing else runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from plans import BUILD, dependencies
from project import Project, new_project

from draftgenie_azure.config import raw as configuration
from draftgenie_azure.config.validated.service_sections import Service
from draftgenie_azure.provision.apps import shape
from draftgenie_azure.provision.bodies import apps, environment, foundation, monitoring, registry, vault
from draftgenie_azure.provision.bodies import databases as servers
from draftgenie_azure.provision.template_values import plain_values
from draftgenie_azure.steps import STEPS

# ------------------------------------------------------------------------------------------ every key of config.yaml

# Key, another valid value -> the steps that read it, so that their requests or what they look at would be others.
APPS = {"deploy_application_services"}
BROKER = {"deploy_infrastructure_services"}
PLACED = {
    "create_resource_group", "create_monitoring", "create_container_registry", "create_key_vault", "create_databases",
    "create_container_apps_env", "deploy_infrastructure_services", "deploy_application_services", "run_migrations",
}
VARIABLES = {"configure_environment_variables"}
MIGRATED = {"configure_environment_variables", "run_migrations"}
KEYS: dict[str, tuple[Any, set[str]]] = {
    "azure.subscription_id": ("11111111-1111-1111-1111-111111111111", {"check_prerequisites"}),
    "azure.resource_group": ("other-rg", {"check_prerequisites", "create_resource_group"}),
    "azure.location": ("westus2", PLACED | {"check_prerequisites"}),
    "azure.project_name": ("draftgenie2", {"create_resource_group", "create_databases"}),
    "monitoring.log_workspace": ("other-logs", {"check_prerequisites", "create_monitoring"}),
    "monitoring.app_insights": ("other-insights", {"create_monitoring"}),
    "monitoring.retention_days": (31, {"create_monitoring"}),
    "container_registry.name": ("otheracr", {"check_prerequisites", "create_container_registry"}),
    "container_registry.sku": ("Standard", {"create_container_registry"}),
    "key_vault.name": ("other-kv", {"check_prerequisites", "create_key_vault"}),
    "key_vault.sku": ("premium", {"create_key_vault"}),
    "key_vault.soft_delete_retention_days": (91 - 1 - 1, {"create_key_vault"}),
    "key_vault.purge_protection": (True, {"create_key_vault"}),
    "postgresql.server_name": ("other-pg", {"check_prerequisites", "create_databases"}),
    "postgresql.sku": ("Standard_D2ds_v5", {"create_databases"}),
    "postgresql.version": ("17", {"create_databases"}),
    "postgresql.storage_size": (64, {"create_databases"}),
    "postgresql.backup_retention_days": (8, {"create_databases"}),
    "postgresql.tier": ("GeneralPurpose", {"create_databases"}),
    "postgresql.high_availability": ("SameZone", {"create_databases"}),
    "postgresql.admin_password": ("Correct4Horse5Battery", {"create_databases"}),
    "postgresql.databases": (["more"], {"create_databases"}),
    "postgresql.extensions": (["pgcrypto"], {"create_databases"}),
    "redis.name": ("other-redis", {"check_prerequisites", "create_databases"}),
    "redis.sku": ("Balanced_B1", {"create_databases"}),
    "redis.high_availability": (False, {"create_databases"}),
    "redis.clustering_policy": ("OSSCluster", {"create_databases"}),
    "container_apps.environment_name": ("other-env", {"check_prerequisites", "create_container_apps_env"}),
    "container_apps.zone_redundant": ("false", {"create_container_apps_env"}),  # true needs a network
    "docker.build_context": ("examples/draftgenie/", {BUILD}),
    "docker.dockerfiles.draft_service": ("docker/./Dockerfile.draft-service", {BUILD}),
    "networking.cors_origin": ("https://app.example", MIGRATED),
    "networking.swagger_enabled": (False, MIGRATED),
    "networking.swagger_path": ("docs", MIGRATED),
    "services.rabbitmq.image": ("rabbitmq:4", BROKER | VARIABLES | {"check_prerequisites", "store_secrets"}),
    "services.rabbitmq.port": (5673, BROKER | VARIABLES | {"store_secrets"}),
    "services.rabbitmq.cpu": (0.25, BROKER),
    "services.rabbitmq.memory": ("2Gi", BROKER),
    "services.rabbitmq.min_replicas": (0, BROKER | {"verify_deployment"}),
    "services.rabbitmq.max_replicas": (2, BROKER),
    "services.rabbitmq.startup_seconds": (121, BROKER),
    "services.rabbitmq.termination_seconds": (45, BROKER),
    "services.rabbitmq.volume": (
        {
            "type": "azure_file", "mount_path": "/var/lib/rabbitmq", "account_name": "account", "share_name": "share",
            "account_key": "Canary5ecret",
        },
        BROKER | {"create_container_apps_env"},
    ),
    "services.rabbitmq.volume.mount_path": ("/data", BROKER),
    "services.rabbitmq.environment.RABBITMQ_DEFAULT_USER": (
        "someone", VARIABLES | {"store_secrets"},
    ),
    "services.rabbitmq.secrets.RABBITMQ_DEFAULT_PASS": (
        "{{ secrets.other }}", VARIABLES | {"store_secrets"},
    ),
    "services.qdrant.health_path": ("/readyz", BROKER | {"verify_deployment"}),
    "services.qdrant.port": (6334, BROKER | VARIABLES),
    "services.api_gateway.port": (3100, APPS),
    "services.api_gateway.ingress": ("internal", APPS | {"verify_deployment"}),
    "services.api_gateway.health_path": ("/health", APPS | {"verify_deployment"}),
    "services.api_gateway.environment.JWT_EXPIRES_IN": ("1h", VARIABLES),
    "services.api_gateway.environment.SPEAKER_SERVICE_URL": ("http://elsewhere", VARIABLES),
    "services.api_gateway.secrets.JWT_SECRET": ("{{ secrets.other }}", VARIABLES | {"store_secrets"}),
    "services.speaker_service.port": (3101, APPS | VARIABLES),
    "services.speaker_service.cpu": (0.25, APPS | {"run_migrations"}),
    "services.speaker_service.memory": ("2Gi", APPS | {"run_migrations"}),
    "services.speaker_service.environment.PORT": (3101, MIGRATED),
    "services.speaker_service.secrets.DATABASE_URL": (
        "{{ postgresql.asyncpg_url }}", MIGRATED | {"store_secrets"},
    ),
    "services.draft_service.cpu": (0.25, APPS),
    "services.draft_service.secrets.GEMINI_API_KEY": ("{{ secrets.other }}", VARIABLES | {"store_secrets"}),
    "migrations.0.service": ("rag_service", {"run_migrations", "store_secrets"}),
    "migrations.0.command": ("true", {"run_migrations"}),
    "migrations.0.working_directory": ("/", {"run_migrations"}),
    "secrets.gemini_api_key": ("Canary5ecret", {"store_secrets"}),
    "secrets.jwt_secret": ("Canary5ecret", {"store_secrets"}),
    "tags.Project": ("Other", PLACED),
    # Keys that no step depends on: how a run behaves, or where its state is.
    "azure.cloud": ("AzureCloud", {"check_prerequisites"}),
    "docker.builder": ("docker", {"check_prerequisites", BUILD}),
    "deployment.skip_build": (True, set()),
    "deployment.skip_migrations": (True, set()),
    "deployment.dry_run": (True, set()),
    "deployment.auto_approve": (True, set()),
    "deployment.verbose": (True, set()),
    "deployment.refresh": (True, set()),
    "deployment.parallelism": (2, set()),
    "advanced.operation_timeout": (601, set()),
    "advanced.state_storage": ("blob", set()),
    "advanced.state_file": ("other.json", set()),
    # Keys that are not in the shipped file.
    "azure.identity_name": ("other-identity", {"create_resource_group"}),
    "azure.emulator": ({"scale": 0.5}, set()),
    "docker.build_timeout": (7200, set()),
    "services.draft_service.database": (
        "drafts", {"create_databases", "store_secrets"},
    ),
    "services.api_gateway.database": ("gateway", {"create_databases"}),
    "services.draft_service.build_args": ({"FLAVOUR": "x"}, {BUILD}),
    "services.draft_service.target": ("build", {BUILD}),
    "services.draft_service.name": (
        "drafts", {BUILD, "deploy_application_services", "configure_environment_variables"},
    ),
    "services.draft_service.exposed_port": (3002, APPS | VARIABLES),
    "services.draft_service.allow_insecure": (False, APPS | VARIABLES),
    "services.draft_service.args": (["x"], APPS),
    "services.draft_service.command": (["x"], APPS),
    "services.draft_service.additional_ports": ([9000], APPS),
    "services.draft_service.scale": ({"http_concurrent_requests": 7}, APPS),
    "locations.redis": ("westus2", {"check_prerequisites", "create_databases"}),
    "locations.container_apps": (
        "westus2",
        {"check_prerequisites", "create_container_apps_env", "run_migrations"} | APPS | BROKER,
    ),
    "migrations.0.environment": ({"X": "1"}, {"run_migrations"}),
    "migrations.0.secrets": ({"X": "{{ secrets.jwt_secret }}"}, {"run_migrations", "store_secrets"}),
    "migrations.0.database": ("people", {"create_databases", "store_secrets", "run_migrations"}),
    "migrations.0.timeout_seconds": (60, {"run_migrations"}),
}


@pytest.fixture(scope="session")
def _shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, dict[str, str]], dict[str, str]]:
    project = new_project(tmp_path_factory.mktemp("shipped"))
    project.change("secrets.other", "${OTHER:-0ther5ecret}")
    return project, dependencies(project), requests_of(project)


def requests_of(project: Project) -> dict[str, str]:
    """Return each step's requests as text: names and bodies, with fixed outputs of other steps."""

    config = configuration.load([str(project.directory / "config.yaml")], project.environment)
    assert config.monitoring and config.container_registry and config.key_vault and config.postgresql and config.redis
    assert config.container_apps
    databases = {"postgresql": {"host": "pg", "port": 5432, "login": "me"}, "redis": {"host": "r", "port": 1}}
    setting = apps.Setting(
        environment_id="/e", identity_id="/i", login_server="l", vault_uri="https://v/",
        values=plain_values(databases, "domain"),
    )  # fmt: skip
    built = {
        key: [service.name, config.dockerfile(key), service.target, service.build_args]
        for key, service in config.services.items()
        if service.dockerfile
    }
    bodies = {
        key: apps.container_app(
            config, service, setting, image=service.image or "built", variables=config.variables(key),
            secrets_version="1",
        )
        for key, service in config.services.items()
    }  # fmt: skip
    shapes = {
        kind: {
            key: [service.name, bodies[key]["location"], bodies[key]["tags"], shape(bodies[key]),
                  bodies[key]["properties"]["template"].get("volumes")]
            for key, service in config.services.items()
            if service.kind == kind
        }
        for kind in ("infrastructure", "application")
    }  # fmt: skip
    jobs = [
        apps.migration_job(
            config, migration, setting, image="built",
            variables=config.migration_variables(migration), tags={},
        )
        for migration in config.migrations
    ]  # fmt: skip
    steps: dict[str, Any] = {
        "create_resource_group": [
            config.azure.resource_group, config.azure.identity_name, foundation.resource_group(config, "x"),
            foundation.identity(config),
        ],
        "create_monitoring": [
            config.monitoring.log_workspace, config.monitoring.app_insights, monitoring.workspace(config),
            monitoring.app_insights(config, "/w"),
        ],
        "create_container_registry": [config.container_registry.name, registry.registry(config)],
        "create_key_vault": [config.key_vault.name, vault.vault(config, "t")],
        "create_databases": [
            config.postgresql.server_name, servers.postgresql_server(config, config.postgresql.login, "p"),
            config.postgresql.admin_password, config.databases(), config.postgresql.extensions, config.redis.name,
            servers.managed_redis(config), servers.managed_redis_database(config),
        ],
        "store_secrets": [
            (secret.name, secret.origin, secret.template, secret.value)
            for secret in config.vault_secrets().values()
            if secret.origin != "postgresql_password"
        ],
        "create_container_apps_env": [
            config.container_apps.environment_name, environment.environment(config),
            [environment.storage(s) for s in config.services.values() if s.volume and s.volume.type == "azure_file"],
        ],
        BUILD: [built, config.docker.platform, config.docker.builder],
        "deploy_infrastructure_services": shapes["infrastructure"],
        "deploy_application_services": shapes["application"],
        "configure_environment_variables": [
            (key, service.name, body["properties"]["template"]["containers"][0]["env"],
             body["properties"]["configuration"]["secrets"])
            for (key, service), body in zip(config.services.items(), bodies.values(), strict=True)
        ],
        "run_migrations": jobs,
    }  # fmt: skip
    return {name: repr(made) for name, made in steps.items()}


def with_key(project: Project, directory: Path, key: str, value: Any) -> Project:
    """The project with another value of one key, in another directory."""
    changed = Project(directory)
    (directory / "examples").symlink_to(project.directory / "examples")
    values = project.config()
    section: Any = values
    *above, last = key.split(".")
    for name in above:
        section = section[int(name)] if isinstance(section, list) else section.setdefault(name, {})
    section[last] = value
    changed.write(values)
    return changed


@pytest.mark.parametrize("key", KEYS)
def test_each_key_runs_exactly_the_steps_that_read_it(_shipped: Any, tmp_path: Path, key: str) -> None:
    """Another value of one key at a time."""
    project, before, _ = _shipped
    value, expected = KEYS[key]

    after = dependencies(with_key(project, tmp_path, key, value))

    assert {name for name in before if before[name] != after[name]} == expected
    if key == "migrations.0.service":  # brings in all that the other service has
        return
    named = {
        line.split(":", 1)[1]
        for name in before
        for line in before[name].keys() | after[name].keys()
        if before[name].get(line) != after[name].get(line) and line.startswith(("config:", "secret:"))
    }
    # A new volume or database also brings in whose it is.
    owner = key.rsplit(".", 1)[0]
    others = {name for name in named if not (name.startswith(key) or key.startswith(name))}
    assert others <= {f"{owner}.name", f"{owner}.service", f"{owner}.database"}


# Steps that read a key although this other value of it changes no request: what else it may be could change one.
ONLY_READ = {
    "container_apps.zone_redundant": {"create_container_apps_env"},  # written as text, it is the same
    "services.rabbitmq.image": {"store_secrets", "configure_environment_variables"},  # without it, another transport
    "services.qdrant.health_path": {"deploy_infrastructure_services"},  # asked over HTTP alone
    "services.api_gateway.secrets.JWT_SECRET": {"store_secrets"},  # both secrets are stored anyway
    "services.draft_service.secrets.GEMINI_API_KEY": {"store_secrets"},
    "migrations.0.secrets": {"store_secrets"},
    "migrations.0.service": {"store_secrets"},  # stored again only where its database is another one
    "services.speaker_service.port": {"configure_environment_variables"},  # without it, no ingress
    "services.speaker_service.secrets.DATABASE_URL": {"configure_environment_variables", "run_migrations"},
    "docker.build_context": {BUILD},  # the same folder
    "docker.dockerfiles.draft_service": {BUILD},  # the same file
}


# No configuration is valid with this one change, so there are no bodies to compare.
NOT_ALONE = {
    "postgresql.tier", "postgresql.high_availability", "advanced.state_storage", "azure.cloud",
    "services.rabbitmq.cpu", "services.rabbitmq.memory", "services.speaker_service.cpu",
    "services.speaker_service.memory", "services.draft_service.cpu", "services.draft_service.exposed_port",
}  # fmt: skip


@pytest.mark.parametrize("key", [key for key in KEYS if key not in NOT_ALONE])
def test_each_step_whose_requests_a_key_changes_depends_on_that_key(_shipped: Any, tmp_path: Path, key: str) -> None:
    """The same, checked with the bodies before and after: none may change without its step running."""
    project, _, before = _shipped
    value, expected = KEYS[key]

    after = requests_of(with_key(project, tmp_path, key, value))

    others = {name for name in before if before[name] != after[name]}

    assert others - expected == set()
    assert (expected & before.keys()) - others == ONLY_READ.get(key, set())


def test_every_key_of_a_service_is_read_by_some_step() -> None:
    """Including those that the shipped configuration lacks."""
    declared = {key.split(".")[0] for step in STEPS if step.services for key in step.services[1]}
    # Read with the images and with the variables.
    otherwise = {"dockerfile", "build_args", "target", "environment", "secrets", "database"}

    assert set(Service.model_fields) == declared | otherwise


def test_every_kind_of_key_of_the_shipped_configuration_is_in_that_table(project: Project) -> None:
    """A key of one service represents the same key of the others."""

    def leaves(value: Any, key: str) -> Iterator[str]:
        if isinstance(value, dict) and value:
            for name, below in value.items():
                yield from leaves(below, f"{key}.{name}" if key else name)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from leaves(value[0], f"{key}.0")
        else:
            yield key

    def kind(key: str) -> str:
        parts = key.split(".")
        if parts[0] == "services":
            return ".".join(["services", parts[2]])
        if parts[0] in ("secrets", "tags") or parts[:2] == ["docker", "dockerfiles"]:
            return parts[0]
        if parts[0] == "migrations":
            return ".".join(parts[:3])
        return key

    known = {kind(key) for key in KEYS} | {"locations"}
    assert {kind(key) for key in leaves(project.config(), "") if not key.startswith("x-")} - known == set()
