"""What each of the 14 steps does, each a few lines over `draftgenie_azure.provision`."""

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
    """Brings DraftGenie to Azure, step by step, without remembering anything between runs.

    Args:
        config: the validated configuration.
        logger: gets what happens.
        dry_run: connect for reading only; the steps themselves are not called.

    Attributes:
        session: the way to Azure, once `connect` has opened it.
        outputs: what the steps published, by step.
        warnings: what the summary repeats.
        forced: steps that run although nothing changed.
        packed: dependencies on the very bytes that images were built from.
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
        """Open the session: emulator where one is configured, sign-in, subscription.

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
        """Keep the records; this class has nowhere to keep them."""

    def baselines(self) -> Baselines | None:
        """What Azure answered after the last writes; this class remembers nothing."""
        return None

    def own_files(self) -> tuple[str, ...]:
        """Absolute paths of the command's own files, which are in no build context."""
        return tuple(self.config.raw.paths)

    def keeps_pin(self) -> bool:
        """Whether a rollback stays in force although the images' step runs: its source is as it was."""
        return False

    def warn(self, text: str) -> None:
        """Log a warning that the summary repeats."""
        if text not in self.warnings:
            self.warnings.append(text)
        self.logger.warning("%s", text)

    def waits(self, text: str) -> None:
        """Something is waited for."""
        self.logger.info("%s", text)

    # ------------------------------------------------------------------------------------- what all steps need

    def registering(self, body: Callable[[], Outputs]) -> Outputs:
        """Do a step's work; where a resource provider was unregistered meanwhile, register it and try once more."""
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
        """Save what Azure answered. Without it only the names of those who changed something are lost."""
        try:
            self.session.arm.baselines.save()
        except StateError as error:
            self.warn(f"what Azure answered could not be kept: {error.message}")

    def tell_others(self) -> None:
        """Tell what others changed, and what Azure did not take."""
        if not self._is_connected:
            return  # nobody was signed in
        ensurer = self.session.arm.ensurer
        for text, found in (
            ("changed by others and kept", ensurer.kept),
            ("changed by others", ensurer.seen),
            ("sent, and not taken by Azure", ensurer.ignored),
        ):
            for key, changes in sorted(found.items()):
                for change in changes:
                    self.warn(f"{key}, {text}: {change}")

    def inputs(self, step: str) -> Inputs:
        """The outputs that a step may read."""
        return Inputs(step, self.outputs)

    def vault(self, step: str) -> Vault:
        """The vault, opened once: what one step generated, another one composes with."""
        if self._vault is None:
            self._vault = provision.vault.open_vault(self.session, self.inputs(step)["create_key_vault"])
        return self._vault

    # ------------------------------------------------------------------------------------------------------ steps

    def _step_check_prerequisites(self) -> Outputs:
        """Ask Azure first what would otherwise fail after minutes."""
        return provision.prerequisites.check(self.session)

    def _step_create_resource_group(self) -> Outputs:
        """The group carries the state's lineage, so no two states manage one group."""
        return provision.foundation.create(self.session)

    def _step_create_monitoring(self) -> Outputs:
        """The workspace, then Application Insights on it."""
        return provision.monitoring.create(self.session)

    def _step_create_container_registry(self) -> Outputs:
        """The registry without admin user; the identity pulls by its role."""
        return provision.registry.create(self.session, self.inputs("create_container_registry"))

    def _step_create_key_vault(self) -> Outputs:
        """A deleted vault of ours is recovered, with the secrets in it; its roles are assigned again."""
        return provision.key_vault.create(self.session, self.inputs("create_key_vault"))

    def _step_create_databases(self) -> Outputs:
        """Server and Redis side by side; databases and rules inside the server one after another."""
        step = "create_databases"
        return provision.databases.create(self.session, self.vault(step) if self.config.postgresql else None)

    def _step_store_secrets(self) -> Outputs:
        """One write at a time: a vault refuses two at once."""
        step = "store_secrets"
        vault = self.vault(step) if self.config.key_vault else None
        return provision.secrets.store(self.session, self.inputs(step), vault)

    def _step_create_container_apps_env(self) -> Outputs:
        """The environment, its diagnostic setting, and the file shares that services mount."""
        return provision.environment.create(self.session, self.inputs("create_container_apps_env"))

    def _step_build_and_push_images(self) -> Outputs:
        """Tags are made from content: what has an image is not built again."""
        step = "build_and_push_images"
        images, self.packed = provision.images.build(
            self.session, self.inputs(step), own_files=self.own_files(), force=step in self.forced,
            keep_pin=self.keeps_pin(),
        )
        return images

    def _step_deploy_infrastructure_services(self) -> Outputs:
        """Services that come as an image, side by side; none waits to be ready."""
        step = "deploy_infrastructure_services"
        return provision.apps.deploy(self.session, self.inputs(step), step, INFRASTRUCTURE)

    def _step_deploy_application_services(self) -> Outputs:
        """Services that are built, side by side; none waits to be ready."""
        step = "deploy_application_services"
        return provision.apps.deploy(self.session, self.inputs(step), step, APPLICATION)

    def _step_configure_environment_variables(self) -> Outputs:
        """The same bodies again, with variables and secrets: a first deployment finds nothing left to send."""
        step = "configure_environment_variables"
        return provision.apps.configure(self.session, self.inputs(step), step)

    def _step_run_migrations(self) -> Outputs:
        """Each content of a migration runs once; a forced step starts one whatever has run."""
        step = "run_migrations"
        return provision.migrations.run_all(self.session, self.inputs(step), force=step in self.forced)

    def _step_verify_deployment(self) -> Outputs:
        """Look at revisions, replicas and health replies live: succeeded is not ready."""
        return provision.verify.verify(self.session)
