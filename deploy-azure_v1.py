#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "pyyaml==6.0.4",
#     "pydantic==2.14.4",
#     "azure-identity==1.27.0",
#     "azure-mgmt-resource==26.0.0",
#     "azure-storage-blob==12.31.1",
#     "trustme==1.2.1",
# ]
# ///
"""Bring the DraftGenie application to Azure Container Apps and keep it there.

    deploy-azure_v1.py --config config.yaml                 deploy what changed; again: nothing happens
    deploy-azure_v1.py --config config.yaml --dry-run       which steps would run, and why
    deploy-azure_v1.py --config config.yaml --config prod.yaml --force-step build_and_push_images

Exit codes: 0 success, nothing to do included; 1 any failure, bad usage and bad configuration included; 2 only with
--dry-run --detailed-exitcode, when something would run; 130 interrupted by Ctrl-C or SIGTERM.

The state is in .azure-deployment-state-v1.json beside the (first) configuration, unless advanced.state_file says
otherwise. It holds no secret.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from _thread import RLock  # threading itself costs the no-op run half a millisecond

from deployer import STEP_NAMES, STEPS, DraftGenieDeployer, step_named
from draftgenie_azure import config as configuration
from draftgenie_azure.backends import LocalBackend
from draftgenie_azure.config import RawConfig
from draftgenie_azure.decision import Decider, Decision, validity_digest
from draftgenie_azure.dependencies import HASH_FORMAT, secret_values, step_hash
from draftgenie_azure.errors import ConfigError, DeployerError, StateError, StopRequested
from draftgenie_azure.journal import Journal, now
from draftgenie_azure.report import JsonReporter, PlainReporter, duration, shortened, status, summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.backends import Backend
    from draftgenie_azure.control import RunControl
    from draftgenie_azure.dependencies import Step
    from draftgenie_azure.report import Reporter
    from draftgenie_azure.schema import Config

VERSION = "1.0.0"
STATE_VERSION = "1.0"
STATE_FILE = ".azure-deployment-state-v1.json"
SUCCESS, FAILURE, CHANGES_PENDING, INTERRUPTED = 0, 1, 2, 130
# Recorded resources that hold data or that others hang on: never left behind without a word. Key, then the step.
KEPT = {
    "container_registry": "create_container_registry",
    "key_vault": "create_key_vault",
    "postgresql_server": "create_databases",
    "redis": "create_databases",
    "container_apps_env": "create_container_apps_env",
}


# ---------------------------------------------------------------------------------------------------------------- state


class StateManager:
    """The state document: what was deployed, from what, and what exists in Azure because of it.

    Args:
        config: the configuration as read, validated, or a plain mapping (its paths then count from the working
            directory).
        logger: gets what happens to the state.

    Attributes:
        state: the document; see the README for its form.
        storage_type: `local` or `blob`.
        found: whether there was a state already.
    """

    def __init__(self, config: Mapping[str, Any] | RawConfig | Config, logger: logging.Logger | None = None) -> None:
        self._logger = logger
        self._mutex = RLock()
        self._values, directory = _values_and_directory(config)
        self.storage_type = self._determine_storage_type()
        self.state_file = os.path.join(directory, str(self._advanced("state_file") or STATE_FILE))
        self._backend: Backend = LocalBackend(self.state_file)
        self.found = False
        self.state: dict[str, Any] = self._load_state()

    @property
    def where(self) -> str:
        """The place of the state, for people."""
        return self._backend.where

    def _advanced(self, key: str) -> Any:
        advanced = self._values.get("advanced")
        return advanced.get(key) if isinstance(advanced, dict) else None

    def _determine_storage_type(self) -> str:
        """`local` or `blob`: AZURE_STATE_STORAGE wins over advanced.state_storage; `azure` is an older name of blob."""
        wanted = os.environ.get("AZURE_STATE_STORAGE") or str(self._advanced("state_storage") or "local")
        if wanted not in ("local", "blob", "azure"):
            raise StateError(
                f"AZURE_STATE_STORAGE is {wanted!r}; it may be local or blob", hint="Correct or unset the variable."
            )
        return "blob" if wanted == "azure" else wanted

    # --- loading ---

    def _load_state(self) -> dict[str, Any]:
        if self.storage_type == "blob":
            return self._load_state_from_blob()
        return self._load_state_from_file()

    def _load_state_from_file(self) -> dict[str, Any]:
        data = self._backend.load()
        if data is None:
            return self._create_empty_state()
        self.found = True
        return self._checked(data)

    def _load_state_from_blob(self) -> dict[str, Any]:
        raise StateError(
            "state in an Azure blob is not offered by this version",
            hint="Set advanced.state_storage: local, or AZURE_STATE_STORAGE=local.",
        )

    def _checked(self, data: bytes) -> dict[str, Any]:
        """The document in the bytes. Empty, torn, foreign or newer state is never taken for a first deployment."""
        start_over = "If it cannot be restored: --reset-state puts it aside and starts over."
        if not data.strip():
            raise StateError(f"the state {self.where} is empty", hint=start_over)
        try:
            state = json.loads(data)
        except ValueError as error:
            raise StateError(f"the state {self.where} is no JSON: {error}", hint=start_over) from error
        if not isinstance(state, dict) or ("version" not in state and "completed_steps" not in state):
            raise StateError(f"{self.where} is no state of this command", hint=start_over)
        if "lineage" not in state:
            raise StateError(
                f"{self.where} is the state of the earlier script, with passwords in it; it is left untouched",
                hint="--reset-state puts it aside; the next run then takes over what exists.",
            )
        if state["version"] != STATE_VERSION:
            raise StateError(
                f"the state {self.where} has version {state['version']!r}, this command knows {STATE_VERSION!r}",
                hint="Use the version of the command that wrote it.",
            )
        for key, kind in _STATE_TYPES.items():
            if not isinstance(state.get(key, kind()), kind):
                raise StateError(f"the state {self.where}: {key} is not what it should be", hint=start_over)
        for name, record in state.get("steps", {}).items():
            if not isinstance(record, dict) or record.get("status") not in ("running", "completed", "failed"):
                raise StateError(f"the state {self.where}: step {name} has no valid status", hint=start_over)
        return self._create_empty_state() | state

    def _create_empty_state(self) -> dict[str, Any]:
        return {
            "version": STATE_VERSION,
            "lineage": os.urandom(16).hex(),
            "serial": 0,
            "salt": os.urandom(16).hex(),
            "hash_format": HASH_FORMAT,
            "target": {},
            "steps": {},
            "resources": {},
            "secrets": {},
            "secrets_digest": None,
            "validated": None,
            "operations": {},
        }

    # --- saving ---

    def save(self) -> None:
        """Write the document, one serial further.

        Raises:
            StateError: it cannot be written; what was there before is as it was.
        """
        with self._mutex:
            self.state["serial"] += 1
            self.state["last_updated"] = now()
            if self.storage_type == "blob":
                self._save_state_to_blob()
            else:
                self._save_state_to_file()

    def _save_state_to_file(self) -> None:
        self._backend.save(json.dumps(self.state, sort_keys=True, indent=2, ensure_ascii=False).encode() + b"\n")

    def _save_state_to_blob(self) -> None:
        raise StateError("state in an Azure blob is not offered by this version")

    def reset(self) -> str | None:
        """Put what is there aside and begin anew; lineage and salt stay, and so does the target.

        Returns:
            where the old state is now, or None where there was none.
        """
        aside = self._backend.put_aside(f"reset-{_stamp()}") if self.found else None
        kept = {key: self.state[key] for key in ("lineage", "salt", "serial", "target")}
        self.state = self._create_empty_state() | kept
        self.save()
        return aside

    # --- steps ---

    def record(self, step_name: str) -> dict[str, Any]:
        """What is known of a step; empty where it never ran."""
        found: dict[str, Any] = self.state["steps"].get(step_name, {})
        return found

    def last_success(self, step_name: str) -> dict[str, Any] | None:
        """The record of the last time that a step completed, whatever happened since; None where it never did."""
        record = self.record(step_name)
        if record.get("status") == "completed":
            return record
        last: dict[str, Any] | None = record.get("last_completed")
        return last

    def is_step_completed(self, step_name: str) -> bool:
        """Whether the step's last run succeeded."""
        return bool(self.record(step_name).get("status") == "completed")

    def get_step_hash(self, step_name: str) -> str | None:
        """The dependency hash of the step's last successful run."""
        success = self.last_success(step_name)
        return None if success is None else success.get("dependency_hash")

    def mark_step_running(self, step_name: str, metadata: Mapping[str, Any]) -> None:
        """Record that a step begins, and save."""
        self._set(step_name, {"status": "running", "started_at": now(), "metadata": dict(metadata)})

    def mark_step_completed(
        self,
        step_name: str,
        hash: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        dependencies: Mapping[str, str] | None = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a success, and save.

        Args:
            hash: over the dependencies.
            metadata: why it ran.
            dependencies: name -> SHA-256.
            outputs: what later steps read; never a secret.
        """
        began = self.record(step_name).get("started_at", now())
        with self._mutex:
            self.state["steps"][step_name] = {
                "status": "completed",
                "timestamp": now(),
                "started_at": began,
                "duration_seconds": (metadata or {}).get("seconds", 0.0),
                "dependency_hash": hash,
                "dependencies": dict(dependencies or {}),
                "outputs": dict(outputs or {}),
                "metadata": {key: value for key, value in (metadata or {}).items() if key != "seconds"},
            }
            self.save()

    def mark_step_failed(self, step_name: str, error: str) -> None:
        """Record a failure, and save; the last success is kept beside it."""
        old = self.record(step_name)
        metadata = old.get("metadata", {}) if old.get("status") == "running" else {}
        self._set(step_name, {"status": "failed", "timestamp": now(), "error": error, "metadata": metadata})

    def _set(self, step_name: str, record: dict[str, Any]) -> None:
        success = self.last_success(step_name)
        if success is not None:
            kept = ("timestamp", "duration_seconds", "dependency_hash", "dependencies", "outputs")
            record["last_completed"] = {key: success[key] for key in kept if key in success}
        with self._mutex:
            self.state["steps"][step_name] = record
            self.save()

    # --- resources ---

    def store_resource(self, type: str, data: Mapping[str, Any]) -> None:
        """Record a resource under its key, e.g. `container_app/api_gateway`, and save."""
        with self._mutex:
            self.state["resources"][type] = dict(data)
            self.save()

    def get_resource(self, type: str) -> dict[str, Any] | None:
        """The record of a resource, or None."""
        found: dict[str, Any] | None = self.state["resources"].get(type)
        return found


_STATE_TYPES: dict[str, type] = {
    "lineage": str, "serial": int, "salt": str, "target": dict, "steps": dict, "resources": dict, "secrets": dict,
    "operations": dict,
}


def _stamp() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def _values_and_directory(config: Any) -> tuple[Mapping[str, Any], str]:
    raw = getattr(config, "raw", config)
    if isinstance(raw, RawConfig):
        return raw.values, raw.directory
    return config, os.getcwd()


# ------------------------------------------------------------------------------------------------------------ decorator


def idempotent_step(step_name: str) -> Callable[[Callable[[Any], dict[str, Any]]], Callable[[Any], dict[str, Any]]]:
    """Run a step only where its dependencies changed, and record what it did.

    Args:
        step_name: a row of the table of steps; what the step depends on stands there.

    Returns:
        A decorator for `_step_<name>()`, whose result is the step's outputs, run or recorded.
    """
    step = step_named(step_name)

    def decorate(function: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
        def wrapper(self: IdempotentDraftGenieDeployer) -> dict[str, Any]:
            decision = self.decider.decide(step, self.outputs)
            if decision.runs:
                return self.run_step(step, decision, lambda: function(self))
            return self.skip_step(step, decision)

        wrapper.__name__ = function.__name__
        wrapper.__doc__ = function.__doc__
        wrapper.__wrapped__ = function  # type: ignore[attr-defined]  # the bare step, for tests
        return wrapper

    return decorate


# ------------------------------------------------------------------------------------------------------------- deployer


class IdempotentDraftGenieDeployer(DraftGenieDeployer):
    """The deployer that remembers: every step decides by its dependencies and records its outcome.

    Args:
        config: the validated configuration.
        logger: gets what happens.
        dry_run: decide and tell, but run nothing.
        state_manager: the state; made from the configuration unless given.
        force_steps: names, or a mapping of name to bool.
        force_all: run every step.
        reporter: told of every event; lines for people unless given.
        log_file: where the logger writes to; it is in no build context.
    """

    def __init__(
        self,
        config: Config,
        logger: logging.Logger,
        dry_run: bool = False,
        state_manager: StateManager | None = None,
        force_steps: Mapping[str, bool] | Iterable[str] | None = None,
        force_all: bool = False,
        *,
        reporter: Reporter | None = None,
        log_file: str | None = None,
    ) -> None:
        super().__init__(config, logger, dry_run)
        self.state = state_manager or StateManager(config, logger)
        self.reporter = reporter or _reporter("plain", color=False)
        forced = _forced_names(force_steps)
        self.decider = Decider(
            STEPS, config.raw, self.state, force_steps=forced, force_all=force_all, log_file=log_file
        )
        self.ran: dict[str, tuple[list[str], float]] = {}

    def deploy(self, control: RunControl | None = None) -> bool:
        """Run what must run, in order; every success is recorded before the next step begins.

        Args:
            control: says whether to stop; one of its own unless given.

        Returns:
            True where every step is completed or up to date; False only after a dry run that found something to do.

        Raises:
            DeployerError: a step failed; its record says so, and the next run begins there.
            StopRequested: a stop was asked for; the same holds.
        """
        if self.dry_run:
            return not any(decision.runs for decision in self.decider.plan().values())
        from draftgenie_azure.control import RunControl

        control = control or RunControl()
        self.control = control
        journal = Journal(self.state.state, self._save_deployment_state)
        try:
            self.connect(journal, control)
            self._begin(control)
            for step in STEPS:
                self.outputs[step.name] = getattr(self, f"_step_{step.name}")()
            self._end()
        finally:
            self.close()
        return True

    def _save_deployment_state(self) -> None:
        with self.control.uninterrupted():
            self.state.save()
        self.control.check()

    def _begin(self, control: RunControl) -> None:
        """Check whose the state is, look once at what exists, and write down what this run goes by."""
        self._check_target()
        self._check_left_behind()
        self._find_gone()
        document = self.state.state
        if document.get("secrets_digest") != self.decider.secrets_digest:
            document["secrets_digest"] = None  # until every step has recorded its lines with the new secrets
        document["validated"] = validity_digest(self.config.raw, self.decider.secrets_digest)
        document["target"] = self._target()
        document["hash_format"] = HASH_FORMAT
        with control.uninterrupted():
            self.state.save()

    def _end(self) -> None:
        if self.state.state.get("secrets_digest") != self.decider.secrets_digest:
            self.state.state["secrets_digest"] = self.decider.secrets_digest
            self._save_deployment_state()

    def _target(self) -> dict[str, Any]:
        target = {
            "cloud": self.config.endpoints.name,
            "subscription_id": str(self.subscription["subscriptionId"]),
            "resource_group": self.config.azure.resource_group,
        }
        if self._emulator is not None:
            target["emulator"] = self._emulator.emulator_id
        return target

    def _check_target(self) -> None:
        """Refuse a state that was recorded for another cloud, emulator, subscription or group."""
        check_target(self.state, self._target())

    def _check_left_behind(self) -> None:
        """Refuse to leave what holds data behind because its name changed or its section is gone."""
        wanted = {
            "container_registry": self.config.container_registry and self.config.container_registry.name,
            "key_vault": self.config.key_vault and self.config.key_vault.name,
            "postgresql_server": self.config.postgresql and self.config.postgresql.server_name,
            "redis": self.config.redis and self.config.redis.name,
            "container_apps_env": self.config.container_apps and self.config.container_apps.environment_name,
        }
        for key, step in KEPT.items():
            record = self.state.get_resource(key)
            if record is None or record.get("orphaned"):
                continue
            name = wanted[key]
            if name is None or str(name).lower() != str(record["name"]).lower():
                if self.decider.force_all or step in self.decider.force_steps:
                    record["orphaned"] = True
                    self.warn(f"{key} {record['name']} is left behind in Azure")
                    continue
                now_called = f"is called {name} in the configuration" if name else "is no longer in the configuration"
                raise StateError(
                    f"{key} {record['name']}, which this deployment looks after, {now_called}",
                    hint=f"Put it back; or leave it behind, with what it holds, by --force-step {step}.",
                )

    def _find_gone(self) -> None:
        """List the group once: a recorded resource that is not in it is a reason to run its step."""
        from draftgenie_azure import ids

        records = {
            key: record
            for key, record in self.state.state["resources"].items()
            # One that was never seen whole is being made by a step that did not complete anyway.
            if record.get("body") and not record.get("orphaned") and ids.is_top_level(record["id"])
        }
        if not records:
            return
        version = ids.API_VERSIONS["Microsoft.Resources/resourceGroups"]
        listing = self.arm.listing(f"{self.scope.group}/resources", api_version=version)
        listed = {str(item["id"]).lower() for item in listing}
        for key, record in records.items():
            if record["id"].lower() in listed:
                continue
            if self.arm.read(record["id"], api_version=record["api_version"]) is None:
                self.decider.gone.setdefault(record["step"], []).append(key)

    # --- one step ---

    def run_step(self, step: Step, decision: Decision, body: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Run a step and record its outcome.

        Raises:
            DeployerError: what the step raised, with the step's name in front.
        """
        forced = bool(self.decider.forced_reasons(step.name))
        if forced:
            self.forced |= {step.name}
        self.reporter.step(step.name, "run", shortened(decision.reasons), reasons=decision.reasons)
        self.logger.debug("%s runs: %s", step.name, "; ".join(decision.reasons))
        metadata = {"reasons": decision.reasons, **({"forced": True} if forced else {})}
        with self.control.uninterrupted():
            self.state.mark_step_running(step.name, metadata)
        self.control.check()
        self.journal.begin_step()
        began = time.monotonic()
        try:
            outputs = body()
        except DeployerError as error:
            error.message = f"{step.name}: {error.message}"
            error.args = (error.message,)
            self.reporter.step(step.name, "failed", error.message.splitlines()[0], error=error.message)
            self.state.mark_step_failed(step.name, error.message)
            raise
        except StopRequested:
            self.reporter.step(step.name, "stopped", "the next run takes it up")
            raise
        seconds = round(time.monotonic() - began, 1)
        self.journal.end_step(step.name)
        with self.control.uninterrupted():
            self.state.mark_step_completed(
                step.name,
                step_hash(decision.dependencies),
                {"reasons": decision.reasons, "seconds": seconds},
                dependencies=decision.dependencies,
                outputs=outputs,
            )
        self.ran[step.name] = (decision.reasons, seconds)
        self.reporter.step(step.name, "done", duration(seconds), seconds=seconds)
        self.control.check()
        return outputs

    def skip_step(self, step: Step, decision: Decision) -> dict[str, Any]:
        """Hand on what the step published when it last ran.

        Raises:
            DeployerError: it is switched off by the configuration and never ran.
        """
        success = self.state.last_success(step.name)
        if success is None:
            raise DeployerError(
                f"{step.name} is switched off by the configuration, but what it publishes is needed and not recorded",
                hint="Set deployment.skip_build or deployment.skip_migrations to false for one run.",
            )
        self.reporter.step(step.name, decision.verdict, decision.reasons[0], reasons=decision.reasons)
        outputs: dict[str, Any] = success.get("outputs", {})
        return outputs

    def own_files(self) -> tuple[str, ...]:
        """Absolute paths of the command's own files, which are in no build context."""
        return self.decider.own_files

    @idempotent_step("check_prerequisites")
    def _step_check_prerequisites(self) -> dict[str, Any]:
        return super()._step_check_prerequisites()

    @idempotent_step("create_resource_group")
    def _step_create_resource_group(self) -> dict[str, Any]:
        return super()._step_create_resource_group()

    @idempotent_step("create_monitoring")
    def _step_create_monitoring(self) -> dict[str, Any]:
        return super()._step_create_monitoring()

    @idempotent_step("create_container_registry")
    def _step_create_container_registry(self) -> dict[str, Any]:
        return super()._step_create_container_registry()

    @idempotent_step("create_key_vault")
    def _step_create_key_vault(self) -> dict[str, Any]:
        return super()._step_create_key_vault()

    @idempotent_step("create_databases")
    def _step_create_databases(self) -> dict[str, Any]:
        return super()._step_create_databases()

    @idempotent_step("store_secrets")
    def _step_store_secrets(self) -> dict[str, Any]:
        return super()._step_store_secrets()

    @idempotent_step("create_container_apps_env")
    def _step_create_container_apps_env(self) -> dict[str, Any]:
        return super()._step_create_container_apps_env()

    @idempotent_step("build_and_push_images")
    def _step_build_and_push_images(self) -> dict[str, Any]:
        return super()._step_build_and_push_images()

    @idempotent_step("deploy_infrastructure_services")
    def _step_deploy_infrastructure_services(self) -> dict[str, Any]:
        return super()._step_deploy_infrastructure_services()

    @idempotent_step("deploy_application_services")
    def _step_deploy_application_services(self) -> dict[str, Any]:
        return super()._step_deploy_application_services()

    @idempotent_step("configure_environment_variables")
    def _step_configure_environment_variables(self) -> dict[str, Any]:
        return super()._step_configure_environment_variables()

    @idempotent_step("run_migrations")
    def _step_run_migrations(self) -> dict[str, Any]:
        return super()._step_run_migrations()

    @idempotent_step("verify_deployment")
    def _step_verify_deployment(self) -> dict[str, Any]:
        return super()._step_verify_deployment()


def check_target(state: StateManager, target: Mapping[str, Any]) -> None:
    """Refuse a state that was recorded for something else.

    Args:
        target: what the configuration means; what it leaves open is absent.

    Raises:
        StateError: with the command that clears the state.
    """
    recorded = state.state["target"]
    for key, value in target.items():
        if key in recorded and str(recorded[key]).lower() != str(value).lower():
            raise StateError(
                f"the state {state.where} was recorded for {key} {recorded[key]}, the configuration means {value}",
                hint="Use a state file of its own for each target (advanced.state_file), or --reset-state.",
            )


def _forced_names(force_steps: Mapping[str, bool] | Iterable[str] | None) -> list[str]:
    if force_steps is None:
        return []
    if isinstance(force_steps, dict):
        return [name for name, wanted in force_steps.items() if wanted]
    return list(force_steps)


# ------------------------------------------------------------------------------------------------------------- commands


def run_deploy(args: argparse.Namespace, reporter: Reporter) -> int:
    """Deploy what changed. Where nothing did, Azure is not asked and nothing of its SDK imported."""
    began = time.monotonic()
    raw = configuration.read(args.config, os.environ)
    state = StateManager(raw)
    decider = _decider(args, raw, state)
    digest = validity_digest(raw, decider.secrets_digest)
    config: Config | None = None if digest == state.state.get("validated") else configuration.validate(raw)
    check_target(state, _offline_target(raw))
    plan = decider.plan()
    if not any(decision.runs for decision in plan.values()):
        for name, decision in plan.items():
            reporter.step(name, decision.verdict, decision.reasons[0], reasons=decision.reasons)
        reporter.result(*summary(state.state, STEP_NAMES, {}, time.monotonic() - began, asked=False))
        return SUCCESS
    config = config or configuration.validate(raw)
    logger = _logger(args, raw)
    ignored = [f"without effect in the configuration: {', '.join(config.ignored_keys)}"] if config.ignored_keys else []
    for text in (*config.notices, *ignored):
        reporter.message(text, level="note")
    deployer = IdempotentDraftGenieDeployer(
        config, logger, False, state, args.force_step, args.force_all, reporter=reporter, log_file=args.log_file
    )
    from draftgenie_azure.control import RunControl

    control = RunControl()
    Interrupts.control = control
    try:
        deployer.deploy(control)
    finally:
        Interrupts.control = None
        seconds = time.monotonic() - began
        reporter.result(
            *summary(state.state, STEP_NAMES, deployer.ran, seconds, asked=True, warnings=deployer.warnings)
        )
    return SUCCESS


def _decider(args: argparse.Namespace, raw: RawConfig, state: StateManager) -> Decider:
    return Decider(
        STEPS, raw, state, force_steps=args.force_step, force_all=args.force_all, log_file=args.log_file
    )


def run_plan(args: argparse.Namespace, reporter: Reporter) -> int:
    """Tell which steps would run and why; write nothing anywhere."""
    raw = configuration.read(args.config, os.environ)
    configuration.validate(raw)
    state = StateManager(raw)
    if args.reset_state:
        reporter.message(f"would put {state.where} aside and clear the state")
        return SUCCESS
    check_target(state, _offline_target(raw))
    plan = _decider(args, raw, state).plan()
    for name, decision in plan.items():
        reporter.step(name, decision.verdict, shortened(decision.reasons), reasons=decision.reasons)
    counts = {verdict: sum(d.verdict == verdict for d in plan.values()) for verdict in ("run", "may run", "skip")}
    document = {
        "event": "plan",
        "steps": {name: {"verdict": d.verdict, "reasons": d.reasons} for name, d in plan.items()},
        **{verdict.replace(" ", "_"): count for verdict, count in counts.items()},
    }
    text = f"Dry run: {counts['run']} to run, {counts['may run']} may run, {counts['skip']} up to date."
    reporter.result([f"{text} Nothing was written."], document)
    return CHANGES_PENDING if args.detailed_exitcode and counts["run"] else SUCCESS


def run_status(args: argparse.Namespace, reporter: Reporter) -> int:
    """Show the recorded state; a faulty configuration does not stand in the way."""
    try:
        config: RawConfig | dict[str, Any] = configuration.read(args.config, os.environ)
    except ConfigError as error:
        reporter.message(f"{error.message}\n(the state is looked for where it is by default)", level="warning")
        directory = os.path.dirname(os.path.abspath(args.config[0]))
        config = {"advanced": {"state_file": os.path.join(directory, STATE_FILE)}}
    state = StateManager(config)
    if not state.found:
        reporter.result(["Nothing is deployed yet."], {"event": "status", "steps": {}})
        return SUCCESS
    reporter.result(*status(state.state, STEP_NAMES, state.where))
    return SUCCESS


def run_reset(args: argparse.Namespace, reporter: Reporter) -> int:
    """Put the state aside, whatever it is, and begin anew."""
    raw = configuration.read(args.config, os.environ)
    try:
        state = StateManager(raw)
    except StateError as error:
        reporter.message(error.message, level="warning")
        aside: str | None = _put_aside(raw)
        state = StateManager(raw)
        state.save()
    else:
        aside = state.reset()
    reporter.result(
        [f"The state is cleared. The old one is {aside}." if aside else "There was no state; a new one is begun."],
        {"event": "reset", "aside": aside, "state": state.where},
    )
    return SUCCESS


def _put_aside(raw: RawConfig) -> str:
    """Put a file that is no state aside."""
    path = os.path.join(raw.directory, str(raw.get("advanced.state_file") or STATE_FILE))
    return LocalBackend(path).put_aside(f"bad-{_stamp()}")


def _offline_target(raw: RawConfig) -> dict[str, Any]:
    """What can be told of the target without asking Azure."""
    target: dict[str, Any] = {"resource_group": raw.get("azure.resource_group")}
    cloud = raw.get("azure.cloud") or "AzureCloud"
    target["cloud"] = str(cloud.get("name", "custom")) if isinstance(cloud, dict) else cloud
    if raw.get("azure.subscription_id"):
        target["subscription_id"] = raw.get("azure.subscription_id")
    if cloud == "emulator":
        target["emulator"] = _emulator_id(raw.directory)
    return target


def _emulator_id(directory: str) -> str:
    """The id of the emulator beside the configuration; read on every run, since it may be another one by now."""
    try:
        with open(os.path.join(directory, ".azure-emulator", "emulator.json"), encoding="utf-8") as file:
            return str(json.load(file)["id"])
    except FileNotFoundError:
        return "that is not there (.azure-emulator is missing)"
    except (OSError, ValueError, KeyError) as error:
        raise StateError(
            f".azure-emulator/emulator.json cannot be read: {error}", hint="Delete .azure-emulator, then --reset-state."
        ) from error


# --------------------------------------------------------------------------------------------------------- command line


class Interrupts:
    """Turns the first Ctrl-C, SIGTERM or SIGHUP into an orderly stop, a second one into an immediate end."""

    control: RunControl | None = None
    _seen = False

    @classmethod
    def install(cls) -> None:
        """Take over the signals."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), cls._handle)

    @classmethod
    def _handle(cls, number: int, frame: object) -> None:
        if cls._seen:
            os._exit(INTERRUPTED)
        cls._seen = True
        if cls.control is None:
            raise KeyboardInterrupt
        cls.control.request_stop()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        """Bad usage is a failure like any other: exit code 1."""
        self.print_usage(sys.stderr)
        self.exit(FAILURE, f"{self.prog}: error: {message}\n")


def _step(name: str) -> str:
    if name in STEP_NAMES:
        return name
    import difflib

    near = difflib.get_close_matches(name, STEP_NAMES, 1, 0.4)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise argparse.ArgumentTypeError(f"there is no step {name!r}{hint} (steps: {', '.join(STEP_NAMES)})")


def build_parser() -> argparse.ArgumentParser:
    """The flags, in groups."""
    parser = _Parser(
        prog="deploy-azure_v1.py",
        description=__doc__,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=110, max_help_position=30),
    )
    add = parser.add_argument
    add("--version", action="version", version=f"%(prog)s {VERSION}")
    what = parser.add_argument_group("what to do")
    add = what.add_argument
    add("--config", action="append", metavar="PATH", help="configuration (default config.yaml); later ones lie over")
    add("--dry-run", action="store_true", help="say what would run and why; write nothing anywhere")
    add("--detailed-exitcode", action="store_true", help="with --dry-run: exit 2 when something would run")
    forced = "run STEP whatever changed; repeatable"
    add("--force-step", action="append", type=_step, default=[], metavar="STEP", help=forced)
    add("--force-all", action="store_true", help="run every step")
    add("--reset-state", action="store_true", help="put a dated copy of the state aside, clear it and exit")
    add("--status", action="store_true", help="show the recorded state")
    add("--resume", action="store_true", help="accepted for older callers: a run always resumes")
    add("--auto-approve", action="store_true", help="never ask")
    shown = parser.add_argument_group("what to show")
    add = shown.add_argument
    output = "lines for people, or one JSON event a line"
    add("--output", choices=("auto", "plain", "json"), default="auto", help=output)
    add("--log-file", metavar="PATH", help="write every request and decision to PATH")
    add("--no-color", action="store_true", help="no colours, as with NO_COLOR")
    add("--verbose", action="store_true", help="log to the terminal too, with tracebacks")
    return parser


def _reporter(output: str, *, color: bool) -> Reporter:
    reporter: Reporter
    if output == "json":
        reporter = JsonReporter()
    else:
        reporter = PlainReporter(total=len(STEPS), width=max(map(len, STEP_NAMES)), color=color)
    reporter.order(STEP_NAMES)
    return reporter


def _logger(args: argparse.Namespace, raw: RawConfig) -> logging.Logger:
    """The run's logger: to the file in full, to the terminal where asked; no secret of the configuration in either."""
    import logging

    from draftgenie_azure.masking import Masking

    logger = logging.getLogger("draftgenie")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.handlers.clear()
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    handlers[0].setLevel(logging.DEBUG if args.verbose else logging.WARNING)
    if args.log_file:
        try:
            descriptor = os.open(args.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise DeployerError(f"the log {args.log_file} cannot be written: {error.strerror}") from error
        handlers.append(logging.StreamHandler(os.fdopen(descriptor, "a", encoding="utf-8")))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handler.addFilter(Masking(secret_values(raw).values()))
        logger.addHandler(handler)
    return logger


def run(args: argparse.Namespace, reporter: Reporter) -> int:
    """Do the one thing that the flags ask for; a dry run wins over all that writes."""
    args.config = args.config or ["config.yaml"]
    if args.status:
        return run_status(args, reporter)
    if args.dry_run or _configured(args, "dry_run"):
        return run_plan(args, reporter)
    if args.reset_state:
        return run_reset(args, reporter)
    return run_deploy(args, reporter)


def _configured(args: argparse.Namespace, key: str) -> bool:
    """Whether a flag of the same name is set in the section deployment."""
    if args.reset_state:
        return False
    raw = configuration.read(args.config, os.environ)
    return raw.get(f"deployment.{key}") in (True, "true")


def main(argv: Sequence[str] | None = None) -> int:
    """The command: arguments in, exit code out.

    Args:
        argv: the arguments; those of the process unless given.
    """
    args = build_parser().parse_args(argv)
    color = not args.no_color and not os.environ.get("NO_COLOR") and sys.stderr.isatty()
    reporter = _reporter(args.output, color=color)
    Interrupts.install()
    try:
        return run(args, reporter)
    except DeployerError as error:
        if args.verbose:
            raise
        reporter.error(error, log=args.log_file)
        return FAILURE
    except KeyboardInterrupt:
        reporter.message("Interrupted. What was begun in Azure goes on there; the next run takes it up.")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE


if __name__ == "__main__":
    sys.exit(main())
