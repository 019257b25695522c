"""The 14 steps, each a few lines on top of `draftgenie_azure.provision`."""

from __future__ import annotations

from threading import RLock

from draftgenie_azure import provision
from draftgenie_azure.errors import DeployerError, StateError
from draftgenie_azure.steps import APPLICATION, INFRASTRUCTURE, Inputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from typing import Any

    from draftgenie_azure.arm.plan import Plan
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.provision.vault import Vault
    from draftgenie_azure.run.control import RunControl
    from draftgenie_azure.session import Session
    from draftgenie_azure.state.baseline import Baselines
    from draftgenie_azure.state.resource_records import ResourceRecords

    Outputs = dict[str, Any]


class DraftGenieDeployer:
    """Deploys DraftGenie to Azure, step by step, without any state between runs.

    Args:
        config: the validated configuration.
        logger: logger of the run.
        dry_run: connect for reading only; the steps themselves are not called.

    Attributes:
        session: the session, once `connect` has opened it.
        outputs: outputs by step.
        warnings: messages that the summary repeats.
        forced: steps that run even without changes.
        packed: dependencies on the bytes that images were built from.
    """

    session: Session

    def __init__(self, config: Config, logger: logging.Logger, dry_run: bool = False) -> None:
        self.config = config
        self.logger = logger
        self.dry_run = dry_run
        self.adopt = False
        self.repair = False
        self.plan: Plan | None = None
        self.outputs: dict[str, Outputs] = {}
        self.forced: frozenset[str] = frozenset()
        self.packed: dict[str, str] = {}
        self.warnings: list[str] = []
        self._vault: Vault | None = None
        self._is_connected = False
        self._registration = RLock()

    def connect(self, records: ResourceRecords, control: RunControl) -> None:
        """Open the session: emulator if configured, sign-in, subscription.

        Raises:
            AzureError: sign-in failed, or the subscription cannot be used.
        """
        from draftgenie_azure.session import Mode, open_session

        mode = Mode(self.adopt, self.dry_run, self.repair, self.baselines(), self.plan)
        self.session = open_session(
            self.config, self.logger, records=records, control=control, mode=mode, on_warning=self.warn
        )
        self._is_connected = True

    def close(self) -> None:
        """Close the session, if one was opened."""
        if self._is_connected:
            self.session.close()

    # ------------------------------------------------------------------------------------------------------ hooks

    def _save_deployment_state(self) -> None:
        """Save the records; this class has no storage for them."""

    def baselines(self) -> Baselines | None:
        """Return the stored baselines; this class has none."""
        return None

    def own_files(self) -> tuple[str, ...]:
        """Return absolute paths of the command's own files, which are never part of a build context."""
        return tuple(self.config.raw.paths)

    def keeps_pin(self) -> bool:
        """Return whether a rollback remains in force although the build step runs, as its source is unchanged."""
        return False

    def warn(self, text: str) -> None:
        """Log a warning that the summary repeats."""
        if text not in self.warnings:
            self.warnings.append(text)
        self.logger.warning("%s", text)

    def waits(self, text: str) -> None:
        """Report what is waited for."""
        self.logger.info("%s", text)

    # ------------------------------------------------------------------------------------- what all steps need

    def registering(self, body: Callable[[], Outputs]) -> Outputs:
        """Run a step's work; if a resource provider was unregistered meanwhile, register it and retry once."""
        try:
            return body()
        except DeployerError as error:
            if not provision.prerequisites.is_unregistered(error):
                raise
            self.logger.info("a resource provider is not registered: %s", error.message)
        with self._registration:
            self.waits("a resource provider was unregistered; it is registered again")
            provision.prerequisites.register(self.session)
        return body()

    def keep_baselines(self) -> None:
        """Save the baselines. Without them only the authors of changes are lost."""
        try:
            self.session.arm.baselines.save()
        except StateError as error:
            self.warn(f"the baseline could not be saved: {error.message}")

    def report_others(self) -> None:
        """Report changes by others, and values that Azure did not apply."""
        if not self._is_connected:
            return  # there was no sign-in
        ensurer = self.session.arm.ensurer
        for text, found in (
            ("changed by others and kept", ensurer.kept),
            ("changed by others", ensurer.seen),
            ("sent, but not applied by Azure", ensurer.ignored),
        ):
            for key, changes in sorted(found.items()):
                for change in changes:
                    self.warn(f"{key}, {text}: {change}")

    def inputs(self, step: str) -> Inputs:
        """Return the outputs that a step may read."""
        return Inputs(step, self.outputs)

    def vault(self, step: str) -> Vault:
        """Return the vault, opened once: secrets generated by one step are used by another."""
        if self._vault is None:
            self._vault = provision.vault.open_vault(self.session, self.inputs(step)["create_key_vault"])
        return self._vault

    # ------------------------------------------------------------------------------------------------------ steps

    def _step_check_prerequisites(self) -> Outputs:
        """Check beforehand what would otherwise fail after minutes."""
        return provision.prerequisites.check(self.session)

    def _step_create_resource_group(self) -> Outputs:
        """The group's tag has the state's lineage, so that no two states manage one group."""
        return provision.foundation.create(self.session)

    def _step_create_monitoring(self) -> Outputs:
        """Ensure the workspace, then Application Insights on it."""
        return provision.monitoring.create(self.session)

    def _step_create_container_registry(self) -> Outputs:
        """Ensure the registry without admin user; the identity pulls by its role."""
        return provision.registry.create(self.session, self.inputs("create_container_registry"))

    def _step_create_key_vault(self) -> Outputs:
        """Our own deleted vault is recovered with its secrets; its roles are assigned again."""
        return provision.key_vault.create(self.session, self.inputs("create_key_vault"))

    def _step_create_databases(self) -> Outputs:
        """Server and Redis concurrently; databases and rules of the server one by one."""
        step = "create_databases"
        return provision.databases.create(self.session, self.vault(step) if self.config.postgresql else None)

    def _step_store_secrets(self) -> Outputs:
        """One write at a time: a vault refuses concurrent writes."""
        step = "store_secrets"
        vault = self.vault(step) if self.config.key_vault else None
        return provision.secrets.store(self.session, self.inputs(step), vault)

    def _step_create_container_apps_env(self) -> Outputs:
        """Ensure the environment, its diagnostic setting, and the file shares that services mount."""
        return provision.environment.create(self.session, self.inputs("create_container_apps_env"))

    def _step_build_and_push_images(self) -> Outputs:
        """Images are tagged by content: existing ones are not built again."""
        step = "build_and_push_images"
        images, self.packed = provision.images.build(
            self.session, self.inputs(step), own_files=self.own_files(), force=step in self.forced,
            keep_pin=self.keeps_pin(),
        )
        return images

    def _step_deploy_infrastructure_services(self) -> Outputs:
        """Deploy services with a prebuilt image concurrently, without waiting for readiness."""
        step = "deploy_infrastructure_services"
        return provision.apps.deploy(self.session, self.inputs(step), step, INFRASTRUCTURE)

    def _step_deploy_application_services(self) -> Outputs:
        """Deploy services with a Dockerfile concurrently, without waiting for readiness."""
        step = "deploy_application_services"
        return provision.apps.deploy(self.session, self.inputs(step), step, APPLICATION)

    def _step_configure_environment_variables(self) -> Outputs:
        """Ensure the same bodies with variables and secrets; in a first deployment nothing is left to send."""
        step = "configure_environment_variables"
        return provision.apps.configure(self.session, self.inputs(step), step)

    def _step_run_migrations(self) -> Outputs:
        """Each content of a migration runs once; a forced step always starts one."""
        step = "run_migrations"
        return provision.migrations.run_all(self.session, self.inputs(step), force=step in self.forced)

    def _step_verify_deployment(self) -> Outputs:
        """Check live revisions, replicas and health replies: succeeded does not mean ready."""
        return provision.verify.verify(self.session)
