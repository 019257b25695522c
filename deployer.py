"""What each of the 14 steps does, and what it needs.

`STEPS` is the one place where the order, needs and dependencies of the steps stand: the run, `--status`,
`--force-step`, the README's table and the tests read it. Nothing of the Azure SDK is imported before a run begins.
"""

from __future__ import annotations

from draftgenie_azure.changes.dependencies import APPLICATION, INFRASTRUCTURE, Step
from draftgenie_azure.errors import AzureError, DeployerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from azure_emulator.attach import Attached
    from draftgenie_azure.arm import ids
    from draftgenie_azure.arm.client import Arm, Resource
    from draftgenie_azure.arm.transport import Wire
    from draftgenie_azure.config.validated.schema import Config, Migration, Service
    from draftgenie_azure.provision.bodies.apps import Setting
    from draftgenie_azure.provision.vault import Vault
    from draftgenie_azure.run.control import RunControl
    from draftgenie_azure.state.resource_records import Journal

    Outputs = dict[str, Any]

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
# What makes an app's shape; its environment and secrets belong to configure_environment_variables.
_SHAPE = (
    "name", "kind", "image", "port", "additional_ports", "cpu", "memory", "min_replicas", "max_replicas", "ingress",
    "transport", "exposed_port", "allow_insecure", "health_path", "startup_seconds", "command", "args",
    "volume.type", "volume.mount_path", "scale",
)
_CONTEXT = tuple(
    f"draftgenie_azure/build_context/{name}.py"
    for name in ("context", "dockerfile", "dockerignore", "hashing", "instructions", "listing", "names", "packing")
)
_FOUNDATION = "draftgenie_azure/provision/bodies/foundation.py"
_STORES = "draftgenie_azure/provision/bodies/stores.py"
_VARIABLES = (
    "draftgenie_azure/config/placeholders.py",
    "draftgenie_azure/config/validated/secret_plan.py",
    "draftgenie_azure/provision/template_values.py",
)
_APPS = ("draftgenie_azure/provision/bodies/apps.py", _FOUNDATION, *_VARIABLES)
_VAULT = ("draftgenie_azure/provision/vault.py", _FOUNDATION, _STORES, *_VARIABLES)

STEPS: tuple[Step, ...] = (
    Step(
        "check_prerequisites",
        "Check sign-in, subscription, regions, resource providers, rights and names",
        config=(*_PLACE, "locations", *_NAMES),
        tools=("draftgenie_azure/provision/prerequisites.py",),
    ),
    Step(
        "create_resource_group",
        "Create the resource group and the identity that the apps run as",
        needs=("check_prerequisites",),
        config=(
            *_PLACE, "locations.resource_group", "locations.identity", "azure.resource_group", "azure.project_name",
            "azure.identity_name", "tags",
        ),
        tools=(_FOUNDATION,),
    ),
    Step(
        "create_monitoring",
        "Create the Log Analytics workspace and Application Insights",
        needs=("create_resource_group",),
        config=(*_PLACE, "locations.log_analytics", "locations.app_insights", "monitoring", "tags"),
        tools=(_FOUNDATION,),
    ),
    Step(
        "create_container_registry",
        "Create the container registry and let the identity pull from it",
        needs=("create_resource_group",),
        config=(*_PLACE, "locations.container_registry", "container_registry", "tags"),
        tools=(_FOUNDATION, _STORES),
    ),
    Step(
        "create_key_vault",
        "Create the key vault and let the identity read its secrets",
        needs=("check_prerequisites", "create_resource_group"),
        config=(*_PLACE, "locations.key_vault", "key_vault", "tags"),
        tools=(_FOUNDATION, _STORES),
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
        tools=("draftgenie_azure/provision/databases.py", *_VAULT),
    ),
    Step(
        "store_secrets",
        "Put every other secret of the application into the vault",
        needs=("create_monitoring", "create_key_vault", "create_databases"),
        config=("secrets",),
        variables="secret",
        tools=_VAULT,
    ),
    Step(
        "create_container_apps_env",
        "Create the Container Apps environment, its logging and storages",
        needs=("create_resource_group", "create_monitoring"),
        config=(*_PLACE, "locations.container_apps", "container_apps", "tags"),
        storages=True,
        tools=(_FOUNDATION, "draftgenie_azure/provision/bodies/apps.py"),
    ),
    Step(
        "build_and_push_images",
        "Build the images of the application services whose content has none yet",
        needs=("create_container_registry",),
        config=("docker.build_context", "docker.builder", "docker.platform"),
        images=True,
        tools=(
            "draftgenie_azure/provision/images.py",
            *_CONTEXT,
        ),
    ),
    Step(
        "deploy_infrastructure_services",
        "Deploy the services that come as an image",
        needs=(
            "create_resource_group", "create_monitoring", "create_databases", "store_secrets",
            "create_container_apps_env",
        ),
        config=(*_PLACE, "locations.container_apps", "tags"),
        services=(INFRASTRUCTURE, _SHAPE),
        tools=_APPS,
    ),
    Step(
        "deploy_application_services",
        "Deploy the services that are built",
        needs=(
            "create_resource_group", "create_monitoring", "create_container_registry", "create_databases",
            "store_secrets", "create_container_apps_env", "build_and_push_images",
        ),
        config=(*_PLACE, "locations.container_apps", "tags"),
        services=(APPLICATION, _SHAPE),
        tools=_APPS,
    ),
    Step(
        "configure_environment_variables",
        "Give every service its environment variables and secret references",
        needs=(
            "create_resource_group", "create_monitoring", "create_container_registry", "create_databases",
            "store_secrets", "create_container_apps_env", "build_and_push_images", "deploy_infrastructure_services",
            "deploy_application_services",
        ),
        variables="all",
        tools=("draftgenie_azure/arm/diff.py", *_APPS),
    ),
    Step(
        "run_migrations",
        "Run each migration once, as a Container Apps job",
        needs=(
            "create_resource_group", "create_monitoring", "create_container_registry", "create_databases",
            "store_secrets", "create_container_apps_env", "build_and_push_images", "configure_environment_variables",
        ),
        config=(*_PLACE, "locations.container_apps", "tags"),
        variables="migrations",
        tools=("draftgenie_azure/provision/migrations.py", *_APPS),
    ),
    Step(
        "verify_deployment",
        "Check that every service is ready and the external ones answer",
        needs=(
            "deploy_infrastructure_services", "deploy_application_services", "configure_environment_variables",
            "run_migrations",
        ),
        services=(None, ("health_path", "ingress", "transport", "min_replicas")),
        tools=("draftgenie_azure/provision/verify.py",),
    ),
)
STEP_NAMES = tuple(step.name for step in STEPS)
# Seconds that a step takes on a first deployment, from recorded and published runs; used until the state knows better.
USUAL_SECONDS = {
    "check_prerequisites": 20.0,
    "create_resource_group": 5.0,
    "create_monitoring": 30.0,
    "create_container_registry": 20.0,
    "create_key_vault": 35.0,
    "create_databases": 720.0,
    "store_secrets": 30.0,
    "create_container_apps_env": 180.0,
    "build_and_push_images": 150.0,
    "deploy_infrastructure_services": 30.0,
    "deploy_application_services": 30.0,
    "configure_environment_variables": 10.0,
    "run_migrations": 60.0,
    "verify_deployment": 60.0,
}
_BY_NAME = {step.name: step for step in STEPS}


def step_named(name: str) -> Step:
    """The row of a step. Raises KeyError for a name that is none."""
    return _BY_NAME[name]


class Inputs:
    """Outputs of the steps that a step declared as its needs; asking for another one is an error."""

    def __init__(self, step: str, outputs: Mapping[str, Outputs]) -> None:
        self._step = _BY_NAME[step]
        self._outputs = outputs

    def __getitem__(self, name: str) -> Outputs:
        if name not in self._step.needs:
            raise DeployerError(f"{self._step.name} reads the outputs of {name}, which it does not declare")
        return self._outputs[name]


class DraftGenieDeployer:
    """Brings DraftGenie to Azure, step by step, without remembering anything between runs.

    Args:
        config: the validated configuration.
        logger: gets what happens.
        dry_run: connect for reading only; the steps themselves are not called.
    """

    def __init__(self, config: Config, logger: logging.Logger, dry_run: bool = False) -> None:
        self.config = config
        self.logger = logger
        self.dry_run = dry_run
        self.outputs: dict[str, Outputs] = {}
        self.forced: frozenset[str] = frozenset()
        self.warnings: list[str] = []
        self.packed: dict[str, str] = {}
        self.adopt = False
        self._emulator: Attached | None = None

    # ------------------------------------------------------------------------------------------------- connecting

    def connect(self, journal: Journal, control: RunControl) -> None:
        """Open the way to Azure: emulator where one is configured, sign-in, subscription.

        Raises:
            AzureError: nobody is signed in, or the subscription is not to be seen.
        """
        from dataclasses import replace
        from functools import partial

        from draftgenie_azure.arm import credentials, ids
        from draftgenie_azure.arm.client import Arm
        from draftgenie_azure.arm.transport import Wire

        self.journal, self.control = journal, control
        endpoints = self.config.endpoints
        subscription_id = self.config.azure.subscription_id or journal.document["target"].get("subscription_id", "")
        if self.config.is_emulator:
            self._emulator = self._attach_emulator()
            endpoints = replace(
                endpoints, proxy=self._emulator.proxy_url, ca_file=str(self._emulator.ca_file)
            )
            sign_in = partial(credentials.for_emulator, self._emulator, endpoints)
            subscription_id = subscription_id or self._emulator.subscription_id
        else:
            sign_in = partial(credentials.for_cloud, endpoints, self.config.azure.tenant_id)
        self.wire: Wire = Wire(
            endpoints=endpoints,
            sign_in=sign_in,
            subscription_id=subscription_id or "none",
            control=control,
            logger=self.logger,
            budget=float(self.config.advanced.operation_timeout),
        )
        self.arm: Arm = Arm(self.wire, journal, control, self.logger)
        self.claims = _claims(self.wire.token(endpoints.audience))
        subscription_id = subscription_id or self._only_subscription()
        self.subscription = self._read_subscription(subscription_id)
        self.scope: ids.Scope = ids.Scope(subscription_id, self.config.azure.resource_group)

    def close(self) -> None:
        """Let go of the emulator; it ends when nobody is left."""
        if self._emulator is not None:
            self._emulator.close()
            self._emulator = None

    def _attach_emulator(self) -> Attached:
        import os
        from pathlib import Path

        from azure_emulator.attach import EmulatorError, attach

        options = self.config.azure.emulator
        directory = Path(os.path.join(self.config.directory, ".azure-emulator"))
        try:
            attached = attach(
                directory, scale=options.scale, faults=options.faults, images=options.images, read_only=self.dry_run
            )
        except EmulatorError as error:
            hint = "Correct azure.emulator; what the emulator says of itself is in .azure-emulator/emulator.log."
            raise DeployerError(f"the emulator: {error}", hint=hint) from error
        if attached is None:
            raise DeployerError("there is no emulator yet", hint="Deploy first.")
        return attached

    def _only_subscription(self) -> str:
        from draftgenie_azure.arm import ids

        version = ids.API_VERSIONS["Microsoft.Resources/subscriptions"]
        found = [item for item in self.arm.listing("/subscriptions", api_version=version) if item["state"] == "Enabled"]
        if len(found) == 1:
            return str(found[0]["subscriptionId"])
        names = ", ".join(f"{item['displayName']} ({item['subscriptionId']})" for item in found) or "none"
        raise AzureError(
            f"azure.subscription_id is empty and the signed-in principal sees {len(found)} subscriptions: {names}",
            hint="Set azure.subscription_id.",
        )

    def _read_subscription(self, subscription_id: str) -> dict[str, Any]:
        live = self.arm.read(f"/subscriptions/{subscription_id}")
        if live is None:
            raise AzureError(f"subscription {subscription_id} is not there", code="SubscriptionNotFound")
        if live.get("state", "Enabled") not in ("Enabled", "Warned", "PastDue"):
            raise AzureError(f"subscription {subscription_id} is {live['state']}", hint="Enable it first.")
        wanted = self.config.azure.tenant_id
        if wanted and wanted.lower() != str(live["tenantId"]).lower():
            raise AzureError(
                f"subscription {subscription_id} belongs to tenant {live['tenantId']}, the configuration says {wanted}",
                hint="Correct azure.tenant_id or azure.subscription_id.",
            )
        return live

    # ------------------------------------------------------------------------------------------------------ hooks

    def _save_deployment_state(self) -> None:
        """Keep the journal; this class has nowhere to keep it."""

    def inputs(self, step: str) -> Inputs:
        """The outputs that a step may read."""
        return Inputs(step, self.outputs)

    def warn(self, text: str) -> None:
        """Say something that the summary repeats."""
        if text not in self.warnings:
            self.warnings.append(text)
        self.logger.warning("%s", text)

    # ------------------------------------------------------------------------------------------------------ steps

    def _step_check_prerequisites(self) -> Outputs:
        """Everything that would otherwise fail after minutes is asked here first."""
        from draftgenie_azure.provision.prerequisites import Prerequisites

        Prerequisites(self.config, self.arm, self.scope, self.control, self.claims, self.logger).check()
        return {
            "tenant_id": str(self.subscription["tenantId"]),
            "subscription_id": str(self.subscription["subscriptionId"]),
        }

    def _step_create_resource_group(self) -> Outputs:
        """The group carries the state's lineage, so that two states never look after one group."""
        from draftgenie_azure.provision.bodies import foundation

        lineage = str(self.journal.document["lineage"])
        self.check_owner(lineage)
        identity_id = self.scope.resource(
            "Microsoft.ManagedIdentity/userAssignedIdentities", self.config.azure.identity_name
        )
        group = self._resource("resource_group", self.scope.group, foundation.resource_group(self.config, lineage))
        identity = self._resource("identity", identity_id, foundation.identity(self.config))
        self._ensure("create_resource_group", group)
        (live,) = self._ensure("create_resource_group", identity)
        return {
            "group_id": self.scope.group,
            "identity_id": identity_id,
            "principal_id": live["properties"]["principalId"],
            "client_id": live["properties"]["clientId"],
        }

    def _step_create_monitoring(self) -> Outputs:
        """Workspace first: Application Insights stands on it."""
        from draftgenie_azure.provision.bodies import foundation

        monitoring = self.config.monitoring
        if monitoring is None:
            return {}
        workspace_id = self.scope.resource("Microsoft.OperationalInsights/workspaces", monitoring.log_workspace)
        insights_id = self.scope.resource("Microsoft.Insights/components", monitoring.app_insights)
        workspace = self._resource("log_analytics", workspace_id, foundation.workspace(self.config))
        insights = self._resource("app_insights", insights_id, foundation.app_insights(self.config, workspace_id))
        (live,) = self._ensure("create_monitoring", workspace)
        self._ensure("create_monitoring", insights)
        return {
            "workspace_id": workspace_id,
            "customer_id": live["properties"]["customerId"],
            "app_insights_id": insights_id,
        }

    def _step_create_container_registry(self) -> Outputs:
        """The registry without admin user; the identity pulls by its role."""
        from draftgenie_azure.arm.client import incarnation
        from draftgenie_azure.provision.bodies import stores

        if self.config.container_registry is None:
            return {}
        registry_id = self.scope.resource("Microsoft.ContainerRegistry/registries", self.config.container_registry.name)
        body = stores.registry(self.config)
        left_open = self._leave_open("container_registry", registry_id, body, "adminUserEnabled", True)
        registry = self._resource("container_registry", registry_id, body, incarnation=True)
        (live,) = self._ensure("create_container_registry", registry)
        self.journal.note("container_registry", left_open=left_open)
        role = self._give_role("create_container_registry", "role/pull-images", registry_id, "AcrPull")
        return {
            "id": registry_id,
            "login_server": live["properties"]["loginServer"],
            "incarnation": incarnation(live),
            "pull_role": role,
        }

    def _step_create_key_vault(self) -> Outputs:
        """A deleted vault of ours is recovered, with the secrets in it; its roles are given anew."""
        from draftgenie_azure.arm.client import incarnation
        from draftgenie_azure.provision.bodies import stores

        if self.config.key_vault is None:
            return {}
        tenant_id = self.inputs("create_key_vault")["check_prerequisites"]["tenant_id"]
        vault_id = self.scope.resource("Microsoft.KeyVault/vaults", self.config.key_vault.name)
        self._recover_vault(vault_id, tenant_id)
        body = stores.vault(self.config, tenant_id)
        left_open = self._leave_open("key_vault", vault_id, body, "enableRbacAuthorization", False)
        vault = self._resource("key_vault", vault_id, body, incarnation=True)
        (live,) = self._ensure("create_key_vault", vault)
        self.journal.note("key_vault", left_open=left_open)
        role = self._give_role("create_key_vault", "role/read-secrets", vault_id, "Key Vault Secrets User")
        return {
            "id": vault_id,
            # The answer to a PUT lacks the slash that a GET has (recorded traffic of Azure/azure-dev).
            "vault_uri": live["properties"]["vaultUri"].rstrip("/") + "/",
            "incarnation": incarnation(live),
            "read_role": role,
        }

    def _step_create_databases(self) -> Outputs:
        """Server and Redis side by side; what lies inside the server one after another."""
        from draftgenie_azure.provision.databases import Databases

        vault = self._vault("create_databases") if self.config.postgresql is not None else None
        databases = Databases(
            self.config,
            self.arm,
            self.journal,
            self.control,
            self.scope,
            self.logger,
            self.warn,
            adopt=self.adopt,
        )
        return databases.ensure(vault)

    def _step_store_secrets(self) -> Outputs:
        """One write at a time: a vault refuses two at once."""
        if self.config.key_vault is None:
            return {}
        from draftgenie_azure.provision.template_values import plain_values

        inputs = self.inputs("store_secrets")
        databases = inputs["create_databases"]
        vault = self._vault("store_secrets")
        versions: dict[str, str] = {}
        if "postgresql" in databases:
            versions["postgresql-admin-password"] = databases["postgresql"]["password_version"]
        plain = plain_values(databases)
        wanted = self.config.vault_secrets()
        # Composed ones come last: the others stand in them.
        for name in sorted(wanted, key=lambda name: (wanted[name].origin == "composed", name)):
            secret = wanted[name]
            if secret.origin == "postgresql_password":
                continue
            if secret.origin == "generated":
                versions[name] = vault.ensure_generated(name)
            elif secret.origin == "composed":
                versions[name] = vault.ensure_composed(name, secret.template or "", plain, versions)
            else:
                versions[name] = vault.ensure_given(name, self._secret_value(name, secret.origin, secret.value))
        return {
            "secrets": {
                name: {"uri": f"{vault.uri}secrets/{name}", "version": version}
                for name, version in sorted(versions.items())
            }
        }

    def _step_create_container_apps_env(self) -> Outputs:
        """The environment; then where its logs go, and the file shares that services mount."""
        from draftgenie_azure.arm.client import incarnation
        from draftgenie_azure.provision.bodies import apps, foundation

        if self.config.container_apps is None:
            return {}
        environment_id = self.scope.resource(
            "Microsoft.App/managedEnvironments", self.config.container_apps.environment_name
        )
        step = "create_container_apps_env"
        environment = self._resource(
            "container_apps_env", environment_id, apps.environment(self.config), incarnation=True
        )
        (live,) = self._ensure(step, environment)
        monitoring = self.inputs(step)["create_monitoring"]
        if monitoring:
            setting_id = f"{environment_id}/providers/Microsoft.Insights/diagnosticSettings/draftgenie-logs"
            setting = foundation.diagnostic_setting(monitoring["workspace_id"])
            self._ensure(step, self._resource("diagnostic_setting", setting_id, setting))
        for key, service in self.config.services.items():
            if service.volume is not None and service.volume.type == "azure_file":
                self._ensure(step, self._storage(environment_id, key, service))
        return {
            "id": environment_id,
            "default_domain": live["properties"]["defaultDomain"],
            "incarnation": incarnation(live),
        }

    def _step_build_and_push_images(self) -> Outputs:
        """Tags are made from content: what has an image is not built again."""
        from draftgenie_azure.provision.images import RegistryBuilder

        requests = list(self._build_requests())
        if not requests:
            return {}
        registry = self.inputs("build_and_push_images")["create_container_registry"]
        builder = RegistryBuilder(
            arm=self.arm,
            wire=self.wire,
            journal=self.journal,
            control=self.control,
            logger=self.logger,
            registry_id=registry["id"],
            login_server=registry["login_server"],
            tenant_id=str(self.subscription["tenantId"]),
        )
        images = builder.build(requests)
        self.packed = builder.packed
        self.arm.written["build_and_push_images"] = [f"image/{key}" for key in builder.built]
        self.logger.info("built: %s", ", ".join(builder.built) or "nothing, every content has its image")
        return images

    def _step_deploy_infrastructure_services(self) -> Outputs:
        """Side by side; none waits to be ready, since it may need what a later step makes."""
        return self._deploy("deploy_infrastructure_services", INFRASTRUCTURE)

    def _step_deploy_application_services(self) -> Outputs:
        """Side by side; none waits to be ready: its tables may be missing until the migrations have run."""
        return self._deploy("deploy_application_services", APPLICATION)

    def _step_configure_environment_variables(self) -> Outputs:
        """The same bodies once more: a first deployment finds nothing left to send."""
        from draftgenie_azure.arm.diff import fingerprint

        step = "configure_environment_variables"
        wanted = [self._app(step, key) for key in self.config.services]
        self._ensure(step, *wanted)
        return {resource.key.split("/", 1)[1]: fingerprint(resource.body) for resource in wanted}

    def _step_run_migrations(self) -> Outputs:
        """Each content of a migration runs once; a forced step starts one whatever has run."""
        from draftgenie_azure.provision.migrations import Migrations

        runner = Migrations(self.arm, self.journal, self.control, self.wire, self.logger)
        forced = "run_migrations" in self.forced
        names = [runner.run(*self._migration(migration), force=forced) for migration in self.config.migrations]
        return {"jobs": names}

    def _step_verify_deployment(self) -> Outputs:
        """Succeeded is not ready: revisions, replicas and health answers are looked at live."""
        from draftgenie_azure.provision.verify import Verification

        verification = Verification(self.config, self.arm, self.wire, self.scope, self.journal, self.control)
        return verification.verify()

    # ---------------------------------------------------------------------------------------------------- helpers

    def _resource(self, key: str, resource_id: str, body: dict[str, Any], **more: Any) -> Resource:
        from draftgenie_azure.arm.client import Resource

        return Resource(key, resource_id, body, **more)

    def _ensure(self, step: str, *resources: Resource) -> list[dict[str, Any]]:
        return self.arm.ensure(resources, step=step)

    def check_owner(self, lineage: str) -> bool:
        """Stop where another state looks after the group, unless it is to be adopted.

        Returns:
            whether the group is there and its tag is not this lineage's.
        """
        from draftgenie_azure.provision.bodies.foundation import LINEAGE_TAG

        live = self.arm.read(self.scope.group)
        if live is None:
            return False
        group = f"the resource group {self.config.azure.resource_group}"
        owner = (live.get("tags") or {}).get(LINEAGE_TAG)
        if owner == lineage:
            return False
        if owner is not None and not self.adopt:
            raise DeployerError(
                f"{group} is looked after by another state (its lineage is {owner}, this one's {lineage})",
                hint="Use that state, or another azure.resource_group; or take the group over: --adopt.",
            )
        self.warn(f"{group} exists and is taken over" + (f" from the state of lineage {owner}" if owner else ""))
        return True

    def _give_role(self, step: str, key: str, scope_id: str, role: str) -> str:
        """Give the apps' identity a role; returns the assignment's id."""
        from draftgenie_azure.provision.bodies import foundation

        principal_id = self.inputs(step)["create_resource_group"]["principal_id"]
        role_id = self.scope.role_assignment(scope_id, principal_id, role)
        body = foundation.role_assignment(self.scope.role_definition(role), principal_id, "ServicePrincipal")
        self._ensure(step, self._resource(key, role_id, body, can_change=False))
        return role_id

    def _leave_open(
        self, key: str, resource_id: str, body: dict[str, Any], name: str, open_value: bool
    ) -> str | None:
        """Leave a door that somebody else's resource has open as it is: closing it may lock its users out.

        Returns:
            What is left open, in words; None where nothing is.
        """
        record = self.journal.resources.get(key, {})
        if record.get("created") or self.adopt:
            return None
        live = self.arm.read(resource_id)
        if live is None or live["properties"].get(name, open_value) is not open_value:
            return None
        body["properties"][name] = open_value
        if name == "enableRbacAuthorization":
            body["properties"]["accessPolicies"] = live["properties"].get("accessPolicies", [])
        return f"{name} is {open_value} on a resource that this deployment did not create (--adopt closes it)"

    def _recover_vault(self, vault_id: str, tenant_id: str) -> None:
        """Bring a soft-deleted vault of ours back, or say whose it is."""
        from draftgenie_azure.arm import ids
        from draftgenie_azure.provision.bodies import stores

        assert self.config.key_vault is not None
        name, location = self.config.key_vault.name, self.config.location("key_vault")
        if self.arm.read(vault_id) is not None:
            return
        deleted_id = f"{self.scope.subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{name}"
        try:
            deleted = self.arm.read(deleted_id, api_version=ids.API_VERSIONS["Microsoft.KeyVault/vaults"])
        except AzureError as error:
            if error.status != 403:
                raise
            self.logger.info("deleted vaults may not be listed; going on without")
            return
        if deleted is None:
            return
        owner = str(deleted["properties"]["vaultId"])
        if owner.lower() != vault_id.lower():
            raise AzureError(
                f"the name {name} is held by a deleted vault of another group: {owner}",
                code="VaultAlreadyExists",
                hint=f"Purge it (az keyvault purge --name {name}), or choose another key_vault.name.",
            )
        self.warn(f"the deleted vault {name} is recovered, with the secrets in it")
        version = ids.API_VERSIONS["Microsoft.KeyVault/vaults"]
        self.journal.creating("key_vault", vault_id, version, "create_key_vault")
        self.arm.send(vault_id, stores.recovered_vault(self.config, tenant_id))
        self.arm.wait(vault_id)

    def _vault(self, step: str) -> Vault:
        from draftgenie_azure.provision.vault import Vault

        outputs = self.inputs(step)["create_key_vault"]
        if not outputs:
            raise DeployerError("secrets need a vault", hint="Add the section key_vault to the configuration.")
        # Kept for the run: what one step generated, another one composes with.
        if getattr(self, "_open_vault", None) is None:
            self._open_vault = Vault(
                arm=self.arm,
                wire=self.wire,
                journal=self.journal,
                control=self.control,
                logger=self.logger,
                scope=self.scope,
                vault_id=outputs["id"],
                vault_uri=outputs["vault_uri"],
                principal=self._principal(),
            )
        return self._open_vault

    def _principal(self) -> tuple[str, str]:
        kind = "User" if self.claims.get("idtyp") == "user" or "scp" in self.claims else "ServicePrincipal"
        return str(self.claims.get("oid", "")), kind

    def _secret_value(self, name: str, origin: str, value: str | None) -> str:
        """The value of a secret that the configuration gives or that Azure hands out."""
        from draftgenie_azure.arm import ids

        if origin == "monitoring":
            insights = self.inputs("store_secrets")["create_monitoring"]["app_insights_id"]
            live = self.arm.read(insights)
            if live is None:
                raise AzureError("Application Insights is gone", hint="Run again with --force-step create_monitoring.")
            return str(live["properties"]["ConnectionString"])
        if origin == "redis_password":
            keys_of = self.inputs("store_secrets")["create_databases"]["redis"]["keys_of"]
            keys = self.arm.act(f"{keys_of}/listKeys", api_version=ids.api_version(keys_of)).body
            return str(keys["primaryKey"])
        if value is None:
            raise DeployerError(f"the secret {name} has no value", hint=f"Give it one under secrets ({origin}).")
        return value

    def _storage(self, environment_id: str, key: str, service: Service) -> Resource:
        from draftgenie_azure.provision.bodies import apps
        from draftgenie_azure.provision.vault import slow_digest

        assert service.volume is not None
        return self._resource(
            f"storage/{key}",
            f"{environment_id}/storages/{service.name}",
            apps.storage(service),
            write_only=("properties.azureFile.accountKey",),
            secret_digest=slow_digest(service.volume.account_key or "", self.journal.salt),
        )

    def _build_requests(self) -> Iterator[Any]:
        from draftgenie_azure.provision.images import BuildRequest
        from draftgenie_azure.provision.vault import slow_digest

        for key, service in self.config.services.items():
            if service.dockerfile is None:
                continue
            arguments, secret = {}, {}
            for name, argument in service.build_args.items():
                value = argument if isinstance(argument, str) else argument.value
                arguments[name] = value
                if not isinstance(argument, str) and argument.secret:
                    secret[name] = slow_digest(value, self.journal.salt)
            yield BuildRequest(
                key=key,
                repository=service.name,
                context=self._context(key),
                dockerfile=self.config.dockerfile(key),
                target=service.target,
                platform=self.config.docker.platform,
                timeout=self.config.docker.build_timeout,
                arguments=arguments,
                secret_arguments=secret,
                force="build_and_push_images" in self.forced,
            )

    def _context(self, key: str) -> Callable[[], Any]:
        """A function that reads a service's build context anew, the command's own files left out."""
        from draftgenie_azure.build_context.context import Context

        service, root = self.config.services[key], self.config.build_context
        dockerfile, exclude = self.config.dockerfile(key), self.own_files()
        # The registry's builder makes the stages that are not needed, too (github.com/Azure/acr/issues/721).
        return lambda: Context(root, dockerfile, target=service.target, exclude=exclude, every_stage=True)

    def own_files(self) -> tuple[str, ...]:
        """Absolute paths of the command's own files, which are in no build context."""
        return tuple(self.config.raw.paths)

    def _setting(self, step: str) -> Setting:
        from draftgenie_azure.provision.bodies.apps import Setting

        inputs = self.inputs(step)
        registry: Outputs = {}
        if "create_container_registry" in _BY_NAME[step].needs:
            registry = inputs["create_container_registry"]
        return Setting(
            environment_id=inputs["create_container_apps_env"]["id"],
            identity_id=inputs["create_resource_group"]["identity_id"],
            login_server=registry.get("login_server"),
            vault_uri=_vault_uri(inputs["store_secrets"]),
        )

    def _app(self, step: str, key: str) -> Resource:
        """The whole app of a service, as each of the three steps that touch apps sends it."""
        from draftgenie_azure.provision.bodies import apps

        service = self.config.services[key]
        variables = self.config.variables(key)
        body = apps.container_app(
            self.config,
            service,
            self._setting(step),
            image=self._image(step, key),
            variables=variables,
            values=self._values(step),
            secrets_version=self._secrets_version(step, [variable.secret for variable in variables]),
        )
        return self._resource(
            f"container_app/{key}",
            self.scope.resource("Microsoft.App/containerApps", service.name),
            body,
            roles=self._roles(),
            expiry_fails=False,
            home="environmentId",
        )

    def _roles(self) -> tuple[str, ...]:
        """The role assignments without which apps are refused: recorded, so they are needed by no name."""
        records = self.journal.resources
        wanted = ["role/pull-images"]
        if not records.get("key_vault", {}).get("left_open"):  # else no role on the vault is worth waiting for
            wanted.append("role/read-secrets")
        return tuple(records[key]["id"] for key in wanted if key in records)

    def _image(self, step: str, key: str) -> str:
        service = self.config.services[key]
        if service.image is not None:
            return service.image
        images = self.inputs(step)["build_and_push_images"]
        if key not in images:
            raise DeployerError(
                f"{key} has no image yet", hint="Set deployment.skip_build to false and run again."
            )
        return str(images[key]["reference"])

    def _values(self, step: str) -> dict[str, str]:
        from draftgenie_azure.provision.template_values import plain_values

        inputs = self.inputs(step)
        return plain_values(inputs["create_databases"], inputs["create_container_apps_env"]["default_domain"])

    def _secrets_version(self, step: str, names: list[str | None]) -> str | None:
        """A hash over the versions of the secrets that a service uses; it changes the template when one changes."""
        from draftgenie_azure.arm.ids import content_hash

        used = sorted({name for name in names if name is not None})
        if not used:
            return None
        secrets = self.inputs(step)["store_secrets"]["secrets"]
        return content_hash(*(f"{name}={secrets[name]['version']}" for name in used))[:16]

    def _deploy(self, step: str, kind: str) -> Outputs:
        from draftgenie_azure.arm.ids import content_hash

        keys = [key for key, service in self.config.services.items() if service.kind == kind]
        wanted = [self._app(step, key) for key in keys]
        self._ensure(step, *wanted)
        domain = self.inputs(step)["create_container_apps_env"].get("default_domain")
        result: Outputs = {}
        for key, resource in zip(keys, wanted, strict=True):
            service = self.config.services[key]
            result[key] = {
                "name": service.name,
                "shape": content_hash(repr(_shape(resource.body)))[:16],
                "url": _url(service, domain),
            }
        return result

    def _migration(self, migration: Migration) -> tuple[Resource, str]:
        """The job of a migration, named after its content, and the group that it is listed in."""
        from draftgenie_azure.arm.ids import content_hash
        from draftgenie_azure.provision.bodies import apps
        from draftgenie_azure.provision.migrations import MIGRATION_TAG, job_name

        step = "run_migrations"
        service = self.config.services[migration.service]
        image = self._image(step, migration.service)
        databases = self.inputs(step)["create_databases"]
        incarnation = (databases.get("postgresql") or {}).get("incarnation")
        database = self.config.migration_database(migration)
        content = content_hash(image, *migration.command, migration.working_directory or "", str(incarnation))
        tags = {MIGRATION_TAG: f"{migration.name}.{database or ''}"}
        name = job_name(migration.name, content)
        body = apps.migration_job(
            self.config,
            migration,
            service,
            self._setting(step),
            image=image,
            variables=self.config.migration_variables(migration),
            values=self._values(step),
            tags=tags,
        )
        job_id = self.scope.resource("Microsoft.App/jobs", name)
        job = self._resource(f"job/{migration.name}", job_id, body, roles=self._roles(), home="environmentId")
        return job, self.scope.group


def _shape(body: dict[str, Any]) -> Any:
    """Image, size, scale and ingress of an app's body: what the deploying steps answer for."""
    properties = body["properties"]
    container = properties["template"]["containers"][0]
    parts = {key: container.get(key) for key in ("image", "resources", "probes", "command", "args", "volumeMounts")}
    return [parts, properties["template"]["scale"], properties["configuration"].get("ingress")]


def _url(service: Service, default_domain: str | None) -> str | None:
    """Where a service is reached: from outside, or within its environment; None for one without ingress."""
    if service.ingress == "none":
        return None
    if service.transport == "tcp":
        return f"tcp://{service.name}:{service.exposed_port}"
    if service.ingress == "external":
        return f"https://{service.name}.{default_domain}"
    return f"http{'' if service.allow_insecure else 's'}://{service.name}.internal.{default_domain}"


def _vault_uri(secrets: Outputs) -> str | None:
    """The vault's address, taken from that of any of its secrets."""
    for secret in (secrets.get("secrets") or {}).values():
        return str(secret["uri"]).split("secrets/", 1)[0]
    return None


def _claims(token: str) -> dict[str, Any]:
    """What a token says of its owner; not verified, since only Azure has to believe it."""
    import base64
    import json

    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
