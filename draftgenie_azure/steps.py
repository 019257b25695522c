"""The table of steps: order, needs, dependencies and usual durations.

Used by the run, `--status`, `--force-step`, the documents' tables and the tests.
"""

from __future__ import annotations

from collections.abc import Mapping

from draftgenie_azure.errors import DeployerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Outputs = dict[str, Any]

INFRASTRUCTURE, APPLICATION = "infrastructure", "application"  # kinds of services


class Step:
    """One row of the table of steps.

    Attributes:
        name: name for `--force-step`; its method is `_step_<name>`.
        title: description for display.
        needs: steps whose outputs it reads or whose effect it relies on.
        config: configuration keys and sections that it reads.
        services: service kind (or `None` for all) -> keys of a service that it reads.
        tools: paths of the modules of `provision` that do its work, without shared ones.
        images: True if it depends on the services with a Dockerfile, and the files that these ship.
        storages: True if it depends on the file shares that services mount.
        variables: which variables of services and migrations, with the values behind their placeholders, it depends on:
            `all` of the services, those that become a `secret`, those of the services with `migrations`, or only
            the `databases` that they need.
    """

    __slots__ = ("config", "images", "name", "needs", "services", "storages", "title", "tools", "variables")

    def __init__(
        self,
        name: str,
        title: str,
        *,
        needs: tuple[str, ...] = (),
        config: tuple[str, ...] = (),
        services: tuple[str | None, tuple[str, ...]] | None = None,
        tools: tuple[str, ...] = (),
        images: bool = False,
        storages: bool = False,
        variables: str | None = None,
    ) -> None:
        self.name = name
        self.title = title
        self.needs = needs
        self.config = config
        self.services = services
        self.tools = tuple(f"draftgenie_azure/provision/{name}.py" for name in tools)
        self.images = images
        self.storages = storages
        self.variables = variables


_PLACE = ("azure.location", "locations.default")
_NAMES = (
    "azure.cloud",
    "azure.subscription_id",
    "azure.tenant_id",
    "azure.resource_group",
    "container_registry.name",
    "key_vault.name",
    "monitoring.log_workspace",
    "postgresql.server_name",
    "redis.name",
    "container_apps.environment_name",
    "docker.builder",
)
# Keys of an app's shape; environment and secrets belong to configure_environment_variables.
_SHAPE = (
    "name", "kind", "image", "port", "additional_ports", "cpu", "memory", "min_replicas", "max_replicas", "ingress",
    "transport", "exposed_port", "allow_insecure", "health_path", "startup_seconds", "termination_seconds",
    "command", "args",
    "volume.type", "volume.mount_path", "scale", "workload_profile", "ip_restrictions", "cors", "session_affinity",
    "dapr", "revision_mode",
)
_APPS = (
    "apps", "template_values", "image_reference", "bodies/apps", "bodies/features", "bodies/registries",
    "traffic", "old_revisions", "bodies/traffic",
)

STEPS: tuple[Step, ...] = (
    Step(
        "check_prerequisites",
        "Check sign-in, subscription, regions, resource providers, permissions and names",
        config=(*_PLACE, "locations", "registries", *_NAMES),
        services=(None, ("image", "custom_domains")),
        tools=(
            "prerequisites", "versions", "existing_images", "image_reference", "bodies/registries", "offers",
            "docker_command", "build_log", "registry_data", "rights",
        ),
    ),
    Step(
        "create_resource_group",
        "Create the resource group and the apps' identity",
        needs=("check_prerequisites",),
        config=(
            *_PLACE, "locations.resource_group", "locations.identity", "azure.resource_group", "azure.project_name",
            "azure.identity_name", "tags",
        ),
        tools=("foundation", "bodies/foundation"),
    ),
    Step(
        "create_monitoring",
        "Create the Log Analytics workspace and Application Insights",
        needs=("create_resource_group",),
        config=(*_PLACE, "locations.log_analytics", "locations.app_insights", "monitoring", "tags"),
        tools=("monitoring", "bodies/monitoring"),
    ),
    Step(
        "create_container_registry",
        "Create the container registry and let the identity pull from it",
        needs=("create_resource_group",),
        config=(*_PLACE, "locations.container_registry", "container_registry", "tags"),
        tools=("registry", "access", "bodies/registry", "bodies/roles"),
    ),
    Step(
        "create_key_vault",
        "Create the key vault and let the identity read its secrets",
        needs=("check_prerequisites", "create_resource_group"),
        config=(*_PLACE, "locations.key_vault", "key_vault", "tags"),
        tools=("key_vault", "access", "bodies/vault", "bodies/roles"),
    ),
    Step(
        "create_databases",
        "Create PostgreSQL with its databases, and Redis",
        needs=("create_resource_group", "create_key_vault"),
        config=(
            *_PLACE, "locations.postgres_server", "locations.redis", "postgresql", "redis", "tags",
            "azure.project_name",
        ),
        variables="databases",
        tools=(
            "databases", "database_creations", "server_parameters", "vault", "bodies/databases", "bodies/vault",
            "bodies/roles",
        ),
    ),
    Step(
        "store_secrets",
        "Store all other secrets of the application in the vault",
        needs=("create_monitoring", "create_key_vault", "create_databases"),
        config=("secrets",),
        variables="secret",
        tools=("secrets", "vault", "template_values", "bodies/vault", "bodies/roles"),
    ),
    Step(
        "create_container_apps_env",
        "Create the Container Apps environment, its logging and storages",
        needs=("create_resource_group", "create_monitoring"),
        config=(*_PLACE, "locations.container_apps", "container_apps", "tags"),
        storages=True,
        tools=("environment", "bodies/environment", "bodies/monitoring"),
    ),
    Step(
        "build_and_push_images",
        "Build the missing images of the application services",
        needs=("create_container_registry",),
        config=("docker.build_context", "docker.builder", "docker.buildkit", "docker.platform"),
        images=True,
        tools=(
            "images", "build_request", "registry_builds", "registry_data", "docker_command", "build_log",
            "bodies/builds",
        ),
    ),
    Step(
        "deploy_infrastructure_services",
        "Deploy the services with a prebuilt image",
        needs=(
            "create_resource_group", "create_monitoring", "create_container_registry", "create_databases",
            "store_secrets", "create_container_apps_env",
        ),
        config=(*_PLACE, "locations.container_apps", "tags", "registries"),
        services=(INFRASTRUCTURE, _SHAPE),
        tools=_APPS,
    ),
    Step(
        "deploy_application_services",
        "Deploy the services with a Dockerfile",
        needs=(
            "create_resource_group", "create_monitoring", "create_container_registry", "create_databases",
            "store_secrets", "create_container_apps_env", "build_and_push_images",
        ),
        config=(*_PLACE, "locations.container_apps", "tags", "registries"),
        services=(APPLICATION, _SHAPE),
        tools=_APPS,
    ),
    Step(
        "configure_environment_variables",
        "Set environment variables and secret references of every service",
        needs=(
            "create_resource_group", "create_monitoring", "create_container_registry", "create_databases",
            "store_secrets", "create_container_apps_env", "build_and_push_images", "deploy_infrastructure_services",
            "deploy_application_services",
        ),
        config=("registries",),
        variables="all",
        tools=_APPS,
    ),
    Step(
        "run_migrations",
        "Run each migration once, as a Container Apps job",
        needs=(
            "create_resource_group", "create_monitoring", "create_container_registry", "create_databases",
            "store_secrets", "create_container_apps_env", "build_and_push_images", "configure_environment_variables",
        ),
        config=(*_PLACE, "locations.container_apps", "tags", "registries"),
        variables="migrations",
        tools=("migrations", *_APPS),
    ),
    Step(
        "verify_deployment",
        "Check that every service is ready and external ones respond",
        needs=(
            "deploy_infrastructure_services", "deploy_application_services", "configure_environment_variables",
            "run_migrations",
        ),
        services=(
            None,
            (
                "health_path", "ingress", "transport", "min_replicas", "revision_mode", "traffic", "custom_domains",
            ),
        ),
        tools=("verify", "traffic", "old_revisions", "bodies/traffic", "domains", "bodies/domains", "obstacles",),
    ),
)
STEP_NAMES = tuple(step.name for step in STEPS)
# Seconds that a step takes on a first deployment, from recorded and published runs; used until the history has its own.
USUAL_SECONDS = {
    "check_prerequisites": 20.0,
    "create_resource_group": 5.0,
    "create_monitoring": 30.0,
    "create_container_registry": 20.0,
    "create_key_vault": 35.0,
    "create_databases": 450.0,  # PostgreSQL 304, or beside it Managed Redis 330 and 90; then databases and the rule
    "store_secrets": 30.0,
    "create_container_apps_env": 180.0,
    "build_and_push_images": 150.0,
    "deploy_infrastructure_services": 30.0,
    "deploy_application_services": 30.0,
    "configure_environment_variables": 10.0,
    "run_migrations": 60.0,
    "verify_deployment": 20.0,  # the apps become ready while migrations run
}
# The same if its resources already exist.
USUAL_CHANGE_SECONDS = USUAL_SECONDS | {
    "create_monitoring": 10.0,
    "create_container_registry": 10.0,
    "create_key_vault": 10.0,
    "create_databases": 120.0,
    "create_container_apps_env": 30.0,
}
_BY_NAME = {step.name: step for step in STEPS}


def step_named(name: str) -> Step:
    """Return a step by name. Raises KeyError if it is unknown."""
    return _BY_NAME[name]


class Inputs(Mapping[str, "Outputs"]):
    """Outputs of the steps that a step declares as needs; reading another one is an error."""

    def __init__(self, step: str, outputs: Mapping[str, Outputs]) -> None:
        self._step = _BY_NAME[step]
        self._outputs = outputs

    def __getitem__(self, name: str) -> Outputs:
        if name not in self._step.needs:
            raise DeployerError(f"{self._step.name} reads the outputs of {name}, which it does not declare")
        return self._outputs[name]

    def __contains__(self, name: object) -> bool:
        return name in self._step.needs

    def __iter__(self) -> Iterator[str]:
        return iter(self._step.needs)

    def __len__(self) -> int:
        return len(self._step.needs)
