#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "pyyaml==6.0.4",
#     "pydantic==2.14.4",
#     "azure-identity==1.27.0",
#     "azure-mgmt-resource==26.0.0",
#     "azure-storage-blob==12.31.1",
#     "requests==2.34.2",
#     "filelock==4.2.12",
#     "trustme==1.2.1",
#     "shtab==1.13.0",
# ]
# ///
"""Bring the DraftGenie application to Azure Container Apps and keep it there.

    deploy-azure_v1.py --config config.yaml                 deploy what changed; again: nothing happens
    deploy-azure_v1.py --config config.yaml --dry-run       which steps would run, and why
    deploy-azure_v1.py --config config.yaml --config prod.yaml --force-step build_and_push_images

Exit codes: 0 success or nothing to do; 1 any failure, including bad usage and bad configuration; 2 only with
--dry-run --detailed-exitcode, when something would run; 130 interrupted by Ctrl-C or SIGTERM.

The state is in .azure-deployment-state-v1.json beside the (first) configuration, unless advanced.state_file says
otherwise. It contains no secrets.
"""

from __future__ import annotations

import gc
import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - older ones parse this file and report it in one line
    sys.exit(f"deploy-azure_v1.py needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}")
if os.path.dirname(os.path.realpath(__file__)) not in sys.path:  # python -I and -P omit it
    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from draftgenie_azure.cli import signals as interrupts

if __name__ == "__main__":  # before anything else: nothing to stop in order yet
    interrupts.end_at_once()
    gc.disable()  # scanning modules for garbage costs a twentieth of the shortest run; a session enables it

import argparse
import time
from functools import partial
from threading import RLock

from deployer import DraftGenieDeployer
from draftgenie_azure import cli, planning, provision, run
from draftgenie_azure import state as state_package
from draftgenie_azure.changes.decision import Decider, Decision, as_packed, is_on
from draftgenie_azure.changes.dependencies import step_hash
from draftgenie_azure.cli import process, views
from draftgenie_azure.cli.arguments import TextAsked, build_parser, is_life_command
from draftgenie_azure.cli.outputs import is_coloured, open_reporter
from draftgenie_azure.cli.signals import Interrupts
from draftgenie_azure.config import raw as configuration
from draftgenie_azure.config.raw import RawConfig
from draftgenie_azure.constants import FAILURE, LOG_SUFFIX, STATE_FILE, SUCCESS
from draftgenie_azure.errors import DeployerError, StateError, StopRequested, UsageError
from draftgenie_azure.masking import MASK
from draftgenie_azure.state import document as state_document
from draftgenie_azure.state.baseline import NAME, Baselines
from draftgenie_azure.state.local_file import LocalBackend, check_is_own
from draftgenie_azure.state.resource_records import ResourceRecords, now
from draftgenie_azure.state.store import StateStore
from draftgenie_azure.state.target import offline_target
from draftgenie_azure.steps import STEPS, step_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.cli.events import Reporter
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.planning.making import Planned
    from draftgenie_azure.run.control import RunControl
    from draftgenie_azure.state.backend import Backend
    from draftgenie_azure.steps import Step

SIGN_IN = "sign_in"  # graph node before the first step
ASK_FIRST = "ask_first"  # graph node after the first step, which makes validation possible


# ---------------------------------------------------------------------------------------------------------------- state


class StateManager(StateStore):
    """The state document: deployed steps, their dependencies, and the resources in Azure.

    Args:
        config: the configuration as read, validated, or a plain mapping (with paths relative to the working
            directory).
        logger: logs what happens to the state.
        storage: `local` or `blob`; by default from environment and configuration.
        tolerant: record an unusable state in `fault` instead of raising.

    Attributes:
        state: the document; docs/state.md describes its format.
        storage_type: `local` or `blob`.
        found: True if a state existed.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | RawConfig | Config,
        logger: logging.Logger | None = None,
        *,
        storage: str | None = None,
        tolerant: bool = False,
    ) -> None:
        self._logger = logger
        self._values, self._directory, paths = _parts_of(config)
        self.storage_type = storage or self._determine_storage_type()
        state_file = os.path.expanduser(str(self._advanced("state_file") or STATE_FILE))
        path = os.path.join(self._directory, state_file)
        check_is_own(path, [*paths, getattr(getattr(config, "raw", config), "env_file", None)])
        super().__init__(self._open_backend(path), path, paths, tolerant=tolerant)
        self.state = self._load_state()

    def _advanced(self, key: str) -> Any:
        advanced = self._values.get("advanced")
        return advanced.get(key) if isinstance(advanced, dict) else None

    def _determine_storage_type(self) -> str:
        """Return `local` or `blob`: AZURE_STATE_STORAGE overrides the configuration; `azure` is an alias of blob."""
        wanted = os.environ.get("AZURE_STATE_STORAGE") or str(self._advanced("state_storage") or "local")
        if wanted not in ("local", "blob", "azure"):
            raise StateError(
                f"AZURE_STATE_STORAGE is {wanted!r}; it may be local or blob", hint="Correct or unset the variable."
            )
        return "blob" if wanted == "azure" else wanted

    def _open_backend(self, path: str) -> Backend:
        if self.storage_type == "local":
            return LocalBackend(path)
        from draftgenie_azure.state.blob.location import open_blob

        return open_blob(self._values, os.environ, self._directory)

    def _load_state(self) -> dict[str, Any]:
        if self.storage_type == "blob":
            return self._load_state_from_blob()
        return self._load_state_from_file()

    def _load_state_from_file(self) -> dict[str, Any]:
        return self.loaded(self.backend.load())

    def _load_state_from_blob(self) -> dict[str, Any]:
        return self.loaded(self.backend.load())

    def _create_empty_state(self) -> dict[str, Any]:
        return state_document.empty()

    def save(self) -> None:
        """Write the document with the next serial.

        Raises:
            StateError: it cannot be written; the stored state is unchanged, and this run's state is in an
                emergency file that the message names.
        """
        with self.mutex:
            self.state["serial"] += 1
            self.state["last_updated"] = now()
            if self.storage_type == "blob":
                self._save_state_to_blob()
            else:
                self._save_state_to_file()

    def _save_state_to_file(self) -> None:
        self.store()

    def _save_state_to_blob(self) -> None:
        self.store()


def _parts_of(config: Any) -> tuple[Mapping[str, Any], str, list[str]]:
    """Return values, directory and paths of a configuration in any of its forms."""
    raw = getattr(config, "raw", config)
    return (raw.values, raw.directory, raw.paths) if isinstance(raw, RawConfig) else (config, os.getcwd(), [])


# ------------------------------------------------------------------------------------------------------------ decorator


def idempotent_step(step_name: str) -> Callable[[Callable[[Any], dict[str, Any]]], Callable[[Any], dict[str, Any]]]:
    """Run a step only if its dependencies changed, and record the outcome.

    Args:
        step_name: a row of the table of steps, which has the step's dependencies.

    Returns:
        A decorator for `_step_<name>()`, which returns the step's outputs, new or recorded.
    """
    step = step_named(step_name)

    def decorate(function: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
        def wrapper(self: IdempotentDraftGenieDeployer) -> dict[str, Any]:
            with self.deciding:  # files and values shared by several steps are hashed once, by one thread
                decision = self.decider.decide(step, self.outputs)
            if decision.runs:
                return self.run_step(step, decision, lambda: function(self))
            return self.skip_step(step, decision)

        wrapper.__name__ = function.__name__
        wrapper.__doc__ = function.__doc__
        wrapper.__wrapped__ = function  # type: ignore[attr-defined]  # the undecorated step, for tests
        return wrapper

    return decorate


# ------------------------------------------------------------------------------------------------------------- deployer


class IdempotentDraftGenieDeployer(DraftGenieDeployer):
    """The stateful deployer: every step decides by its dependencies and records its outcome.

    Args:
        config: the validated configuration.
        logger: logger of the run.
        dry_run: decide and report, but run nothing.
        state_manager: the state; by default created from the configuration.
        force_steps: names, or a mapping of name to bool.
        force_all: run every step.
        reporter: receives every event; readable lines by default.
        decider: makes the decisions; by default created from the state.
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
        decider: Decider | None = None,
    ) -> None:
        super().__init__(config, logger, dry_run)
        self.state = state_manager or StateManager(config, logger)
        self.reporter = reporter or open_reporter("plain", os.environ)
        self.decider = decider or Decider(STEPS, config.raw, self.state, force_steps=force_steps, force_all=force_all)
        self.deciding = RLock()
        self.progress = cli.progress.Progress(self.reporter, self.state)
        self.foreseen: Planned | None = None  # planned writes of this run, if it was planned before
        self.ran: dict[str, tuple[list[str], float]] = {}
        self._failures: list[DeployerError] = []

    def deploy(self, control: RunControl | None = None) -> bool:
        """Run the steps that must run, each as soon as its needs are done; every success is recorded at once.

        Args:
            control: stop request and parallelism; a new one by default.

        Returns:
            True if every step is completed or up to date; False only after a dry run that found something to do.

        Raises:
            DeployerError: a step failed; this is recorded, and the next run starts there. Steps independent of it
                were completed. If several failed, it is a DeploymentError.
            StopRequested: a stop was requested; likewise.
        """
        if self.dry_run:
            return not any(decision.runs for decision in self.decider.plan().values())
        if not self.state.is_locked:
            with self.state.locked():
                self.decider = self.decider.again()  # the state was reloaded
                return self.deploy(control)
        self.control = control or run.control.RunControl(self.config.deployment.parallelism)
        self.control.lock_held = self.state.lock_held
        self.control.on_wait = self.waits
        try:
            self._run_steps()
            if self.decider.end_run():
                self._save_deployment_state()
        except DeployerError as error:
            # If the state could not be saved, every step fails with that; the first failure says where it is now.
            if self.state.failure is not None and error is not self.state.failure:
                raise self.state.failure from error
            raise
        except BaseException:  # a stop or a bug, which would hide earlier failures
            for failure in self._failures if self.state.failure is None else [self.state.failure]:
                self.reporter.error(failure, log=run.log.place())
            raise
        finally:
            self.close()
        return True

    def _run_steps(self) -> None:
        first, *others = STEPS
        needs = {SIGN_IN: (), first.name: (SIGN_IN,), ASK_FIRST: (first.name,)}
        needs |= {step.name: (ASK_FIRST, *step.needs) for step in others}
        failures = run.schedule.run_by_needs(
            needs,
            self._work,
            width=self.control.parallelism,
            durations=self.progress.durations(),
            control=self.control,
            still_running=self.progress.still_running,
        )
        self.report_others()
        if failures:
            raise run.schedule.together(list(failures.values()))

    def _work(self, name: str) -> None:
        """Run one node of the graph: a step, or a node before the first."""
        try:
            if name == SIGN_IN:
                records = ResourceRecords(self.state.state, self._save_deployment_state, self.state.mutex)
                self.connect(records, self.control)
                cli.target.report_live(self.reporter, self.state, self.session)
                self._begin()
            elif name == ASK_FIRST:
                self._ask_first()
            else:
                self.outputs[name] = getattr(self, f"_step_{name}")()
        except DeployerError as error:
            self._failures.append(error)
            raise

    def _save_deployment_state(self) -> None:
        self.state.save()
        self.control.check()

    def waits(self, text: str) -> None:
        """Report what the current thread's step waits for."""
        self.progress.waits(text)

    def baselines(self) -> Baselines:
        """Return the baselines stored beside the state."""
        return Baselines(partial(self.state.read_companion, NAME), partial(self.state.write_companion, NAME))

    def step_body(self, name: str) -> Callable[[], dict[str, Any]]:
        """Return the body of a step, without the decision whether it runs."""
        return partial(getattr(type(self), f"_step_{name}").__wrapped__, self)

    def make_plan(self, control: RunControl, *, refresh: bool) -> Planned:
        """Return the plan of a run, made by the steps themselves; nothing is written.

        Args:
            refresh: read every resource.

        Raises:
            AuthenticationError: there is no sign-in.
            DeployerError: the run would be refused before its first step.
        """
        self.dry_run, self.repair, self.plan, self.control = True, refresh, planning.making.new_plan(), control
        records = planning.making.unsaved_records(self.state.state)
        self.connect(records, control)
        try:
            cli.target.report_live(self.reporter, self.state, self.session)
            self._check_surroundings()
            planned = planning.making.make_plan(self.decider, self, self.plan, records, refresh=refresh)
            for text in planning.asking.judge(self.session, planned):
                self.warn(text)
            if refresh:
                planned.unknown = provision.survey.unknown(self.session)
            return planned
        finally:
            self.close()

    def _begin(self) -> None:
        """Check the owner, read once what exists, and record what this run is based on."""
        self._check_surroundings()
        with self.state.mutex:
            self.state.state["target"] = cli.target.recorded(self.session)
            self.decider.begin_run()
            self.state.save()

    def _check_surroundings(self) -> None:
        """Check the owner of state and group; missing recorded resources are reasons to run a step."""
        self.state.check_target(self.session.target)
        planning.surroundings.check_surroundings(self.session, self.decider, adopt=self.adopt)

    def _ask_first(self) -> None:
        """Have Azure validate the planned writes.

        Raises:
            AzureError, DeploymentError: rejections that must stop the run.
        """
        errors = planning.asking.ask_first(STEPS, self.decider, self.session, self._planner, self.foreseen)
        if errors:
            self.state.save()  # accepted bodies are not validated again
            raise run.schedule.together(errors)

    def _planner(self, session: Any) -> IdempotentDraftGenieDeployer:
        """Return a deployer that plans the steps, on a session for planning."""
        planner = IdempotentDraftGenieDeployer(
            self.config, self.logger, True, self.state, reporter=self.reporter, decider=self.decider
        )
        planner.adopt, planner.repair, planner.session = self.adopt, self.repair, session
        return planner

    # --- one step ---

    def run_step(self, step: Step, decision: Decision, body: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Run a step and record its outcome.

        Raises:
            DeployerError: the step's error, prefixed with its name.
        """
        if self.decider.forced_reasons(step.name):
            self.forced |= {step.name}
        self.progress.begin(step.name, decision)
        self.logger.debug("%s runs: %s", step.name, "\n".join([*decision.reasons, *decision.changes]))
        self.state.mark_step_running(step.name, {"reasons": decision.reasons})
        self.control.check()
        self.session.records.begin_step(step.name)
        try:
            outputs = self.registering(body)
        except DeployerError as error:
            error.put_in_front(step.name)
            self._mark_failed(step, error.message)
            raise
        except StopRequested:
            self.reporter.step(step.name, "stopped", "the next run resumes it")
            raise
        except Exception as error:  # a bug: the record must not say that the step is running
            self._mark_failed(step, f"{step.name}: {type(error).__name__}: {error}")
            raise
        seconds = self.progress.seconds(step.name)
        self.keep_baselines()
        self.session.records.end_step(step.name)
        self._mark_completed(step, decision, outputs, seconds)
        self.ran[step.name] = (decision.reasons, seconds)
        self.progress.done(step.name, seconds, written=sorted(self.session.arm.written.get(step.name, ())))
        return outputs

    def _mark_completed(self, step: Step, decision: Decision, outputs: dict[str, Any], seconds: float) -> None:
        dependencies = as_packed(decision.dependencies, self.packed) if step.images else decision.dependencies
        if step.images and self.state.state.get("pin"):
            with self.state.mutex:
                self.state.state["pin"]["pending"] = False  # from now on a change of the source ends it
        self.state.mark_step_completed(
            step.name,
            step_hash(dependencies),
            {"reasons": decision.reasons, "seconds": seconds},
            dependencies=dependencies,
            outputs=outputs,
            values=self.decider.hasher.plain_values(step),
        )

    def _mark_failed(self, step: Step, text: str) -> None:
        self.reporter.failed(step.name, text)
        self.state.mark_step_failed(step.name, text)

    def skip_step(self, step: Step, decision: Decision) -> dict[str, Any]:
        """Return the recorded outputs of a skipped step; empty if it is disabled and has nothing to do.

        Raises:
            DeployerError: it is disabled, and later steps cannot use its recorded outputs.
        """
        outputs = self.decider.handed_on(step.name)
        self.reporter.step(step.name, decision.verdict, decision.reasons[0], reasons=decision.reasons)
        return outputs

    def own_files(self) -> tuple[str, ...]:
        """Return absolute paths of the command's own files, which are never part of a build context."""
        return self.decider.own_files

    def keeps_pin(self) -> bool:
        """Return whether a rollback remains in force although the build step runs, as its source is unchanged."""
        if not self.state.state.get("pin"):
            return False
        with self.deciding:
            return self.decider.is_source_unchanged(step_named(provision.images.STEP), self.outputs)

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


# ------------------------------------------------------------------------------------------------------------- commands


def run_deploy(args: argparse.Namespace, raw: RawConfig, reporter: Reporter) -> int:
    """Deploy what changed. If nothing did, Azure is not queried, and its SDK not imported."""
    began = time.monotonic()
    state = StateManager(raw)
    if args.special is not None:
        args.special.arm(state.state)  # not saved: for the plan of the whole run
    decider, config, plan = cli.deciding.decide(args, raw, state)
    if not (args.refresh or args.expect_plan) and decider.is_done(plan):
        return cli.ending.nothing_to_do(plan, state, reporter, began, asked=False)
    cli.preflight.check(args, decider, plan, state, reporter)
    config = config or configuration.validate(raw)
    logger = run.log.open_log(args.log_file, verbose=args.verbose, report=reporter.message)
    cli.preflight.report_notices(config, reporter)
    if args.special is not None:
        args.special.report(reporter)
        if args.special.asks(auto_approve=args.auto_approve):
            args.special.ask(_planned(args, config, state, plan, reporter), reporter)
    elif cli.target.needs_yes(state.state["target"], auto_approve=args.auto_approve):
        args.adopt = args.adopt or bool(state.earlier)  # the plan shown for confirmation includes restricted access
        planned = _planned(args, config, state, plan, reporter)
        cli.target.ask_first(reporter, planned, offline_target(raw), takes_over=bool(state.earlier))
    with cli.state_commands.locked(state, args, reporter):
        state_package.emergency.check_emergency_files(state)
        state.put_earlier_aside()
        run.log.keep_last(logger, state.state_file + LOG_SUFFIX, reporter.message)
        cli.state_commands.report_notices(state, reporter)
        deployer, plan = _prepared(args, config, logger, state, reporter)
        if not any(decision.verdict in ("run", "fault", "blocked") for decision in plan.values()):
            return cli.ending.nothing_to_do(plan, state, reporter, began, asked=deployer.foreseen is not None)
        return cli.ending.carry_out(deployer, plan, args, began)


def _prepared(
    args: argparse.Namespace, config: Config, logger: logging.Logger, state: StateManager, reporter: Reporter
) -> tuple[IdempotentDraftGenieDeployer, dict[str, Decision]]:
    """Return the deployer of a run that holds the lock, and its decisions.

    Decisions made without the lock may be outdated by the run that held it.
    """
    if args.special is not None:  # saved with the run's other inputs, so that a refusal does not leave it behind
        args.special.begin(state)
    decider = cli.deciding.new_decider(args, config.raw, state)
    plan = decider.plan()
    state.check_target(offline_target(config.raw))
    deployer = IdempotentDraftGenieDeployer(config, logger, state_manager=state, reporter=reporter, decider=decider)
    deployer.adopt, deployer.repair = args.adopt, bool(args.refresh)
    if args.refresh or args.expect_plan:
        found = _planned(args, config, state, plan, reporter)
        cli.preflight.check_expected(args.expect_plan, found)
        plan = found.decisions
        decider.add_reasons(found.looked)
        for text in found.kept():
            reporter.message(text, level="note")
        deployer.foreseen = found if found.asked else None
    return deployer, plan


def run_plan(args: argparse.Namespace, raw: RawConfig, reporter: Reporter) -> int:
    """Report what would run, why, and what would change, without any write."""
    state = StateManager(raw, tolerant=args.reset_state)
    for path in state.earlier:
        reporter.message(f"would rename the state of the earlier script, {path}", level="note")
    if args.reset_state:
        reporter.message(f"would keep a copy of {state.where} and clear the state")
        return SUCCESS
    if args.special is not None:
        args.special.arm(state.state)
    decider, config, plan = cli.deciding.decide(args, raw, state)
    cli.preflight.check(args, decider, plan, state, reporter)
    if not args.refresh and decider.is_done(plan):
        cli.target.report(reporter, state.state["target"], {}, state.where)
        return cli.plan_view.show_plan(args, plan, reporter, None)
    config = config or configuration.validate(raw)
    cli.preflight.report_notices(config, reporter)
    planned = _planned(args, config, state, plan, reporter)
    return cli.plan_view.show_plan(args, planned.decisions, reporter, planned)


def _planned(
    args: argparse.Namespace,
    config: Config,
    state: StateManager,
    decisions: Mapping[str, Decision],
    reporter: Reporter,
) -> Planned:
    """Return the plan, made by the steps themselves on a separate deployer."""
    deployer = IdempotentDraftGenieDeployer(
        config, run.log.quiet_log(), True, state,
        reporter=reporter, decider=cli.deciding.new_decider(args, config.raw, state),
    )  # fmt: skip
    deployer.adopt = args.adopt
    return cli.deciding.plan(deployer, args, decisions)


# --------------------------------------------------------------------------------------------------------- command line


def dispatch(args: argparse.Namespace, reporter: Reporter) -> int:
    """Run the command that the flags request; a dry run overrides all that write."""
    args.config = args.config or ["config.yaml"]
    process.check_directory(args.config)
    if args.status:
        return cli.state_commands.show_status(args, reporter, StateManager)
    raw = configuration.read(args.config, os.environ, args.env_file)
    raw.report = os.path.abspath(args.report) if args.report else None
    for flag in ("dry_run", "auto_approve", "verbose"):
        setattr(args, flag, getattr(args, flag) or is_on(raw, f"deployment.{flag}"))
    args.refresh = is_on(raw, "deployment.refresh") if args.refresh is None else args.refresh
    code = cli.life.run(args, raw, reporter, StateManager) if is_life_command(args) else None
    if code is not None:
        return code
    command = cli.state_commands.chosen(args)
    if command is not None:
        return command(args, raw, reporter, StateManager)
    return (run_plan if args.dry_run else run_deploy)(args, raw, reporter)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Args:
        argv: the arguments; by default those of the process.
    """
    process.open_streams()
    sys.excepthook = lambda *fault: cli.crash.show(*fault)  # which imports it when it is needed
    MASK.add_environment(os.environ)
    argv = sys.argv[1:] if argv is None else argv
    try:
        args = build_parser(__doc__).parse_args(argv)
    except TextAsked as asked:
        return cli.ending.show_text(asked, argv)
    except UsageError as error:
        return cli.ending.bad_usage(error, argv)
    except ModuleNotFoundError as error:  # what writes completion scripts
        return cli.ending.bad_usage(process.without_requirement(error), argv)
    reporter = open_reporter(args.output, os.environ, color=is_coloured(args.no_color, os.environ), report=args.report)
    code = FAILURE
    try:
        Interrupts.install()
        code = _outcome(args, reporter)
        Interrupts.decide(code)
    except KeyboardInterrupt:
        code = process.interrupted(reporter)
    finally:
        reporter.end(code)
    if reporter.lost is not None and (args.status or args.dry_run or args.history is not None):
        views.show_lost(reporter.lost)
        return FAILURE
    return code


def _outcome(args: argparse.Namespace, reporter: Reporter) -> int:
    try:
        return dispatch(args, reporter)
    except DeployerError as error:
        return cli.ending.failed(error, reporter)
    except ModuleNotFoundError as error:
        return cli.ending.failed(process.without_requirement(error), reporter)


if __name__ == "__main__":
    process.end(main())
