"""Commands for the life cycle of a deployment: prune, destroy, forget, rotate, roll back, history, logs.

They use Azure and the state; the deployment itself is in the script.
"""

from __future__ import annotations

import time
from contextlib import contextmanager

from draftgenie_azure.cli import special_runs
from draftgenie_azure.cli.questions import confirm
from draftgenie_azure.cli.signals import Interrupts
from draftgenie_azure.cli.target import report_live
from draftgenie_azure.config import raw as configuration
from draftgenie_azure.constants import CHANGES_PENDING, FAILURE, INTERRUPTED, LOG_SUFFIX, SUCCESS
from draftgenie_azure.errors import RefusedError, StateError, StopRequested
from draftgenie_azure.nearest import nearest
from draftgenie_azure.printable import duration, image_name
from draftgenie_azure.provision import images, rollback, rotation
from draftgenie_azure.provision.log_stream import LogStream
from draftgenie_azure.provision.teardown import Teardown
from draftgenie_azure.provision.teardown_plan import DATA
from draftgenie_azure.run.control import RunControl
from draftgenie_azure.run.log import keep_last, open_log
from draftgenie_azure.session import Mode, open_session
from draftgenie_azure.state.document import last_outputs, parse
from draftgenie_azure.state.history import History, RunRecord, listing
from draftgenie_azure.state.resource_records import ResourceRecords, now
from draftgenie_azure.state.target import offline_target
from draftgenie_azure.steps import STEP_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    import logging
    from collections.abc import Callable, Iterator
    from typing import Any

    from draftgenie_azure.cli.events import Reporter
    from draftgenie_azure.cli.special_runs import SpecialRun
    from draftgenie_azure.config.raw import RawConfig
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.provision.log_stream import Source
    from draftgenie_azure.provision.teardown_plan import Plan
    from draftgenie_azure.session import Session
    from draftgenie_azure.state.store import StateStore

    OpenState = Callable[..., StateStore]


def run(args: argparse.Namespace, raw: RawConfig, reporter: Reporter, open_state: OpenState) -> int | None:
    """Run the one of these commands that the flags request.

    Returns:
        The exit code; None if a deployment must follow to complete it.

    Raises:
        RefusedError: it is refused, or it failed.
        StopRequested: a stop was requested.
    """
    state = open_state(raw)
    state.check_target(offline_target(raw))
    logger = open_log(args.log_file, verbose=args.verbose, report=reporter.message)
    life = Life(args, configuration.validate(raw), state, reporter, logger)
    if args.history is not None:
        life.show_history(args.history or None)
    elif args.forget:
        life.forget(args.forget)
    elif args.rotate_secret or args.rollback:
        args.special = life.special_run()
        args.special.again = lambda state: Life(args, life.config, state, reporter, logger).special_run()
        args.force_step = [*args.force_step, *args.special.steps]
        return None
    elif args.logs:
        life.show_logs(args.logs, follow=args.follow)
    else:
        return life.teardown(only_orphans=args.prune)
    return SUCCESS


class Life:
    """The context of these commands.

    Args:
        args: the command's flags.
        config: the validated configuration.
        state: the loaded state.
        reporter: receives the events.
        logger: logger of the run.
    """

    def __init__(
        self, args: argparse.Namespace, config: Config, state: StateStore, reporter: Reporter, logger: logging.Logger
    ) -> None:
        self._args = args
        self.config = config
        self._state = state
        self._reporter = reporter
        self._logger = logger
        self._history = History(state.backend)

    # --- prune and destroy ---

    def teardown(self, *, only_orphans: bool) -> int:
        """Delete what left the configuration, or everything that this deployment created.

        Returns:
            The exit code.

        Raises:
            RefusedError: something forbids it, the answer was no, or a deletion failed.
            StopRequested: a stop was requested; the next one continues.
        """
        word = "prune" if only_orphans else "destroy"
        if self._is_empty(only_orphans) and not self._args.purge:
            self._reporter.result([f"There is nothing to {word}."], {"event": word, "deleted": [], "kept": {}})
            return SUCCESS
        with self._session(read_only=self._args.dry_run) as session:
            plan = self._teardown(session, only_orphans).plan()
            self._show(plan, word)
            if self._args.dry_run:
                return self._code_of(plan)
            if plan.refusals:
                raise RefusedError(
                    "nothing was deleted: " + "; ".join(plan.refusals), hint="Do what it says, then run again."
                )
            if not plan.delete and not plan.purge:
                self._reporter.result([self._sum(plan)], {"event": word, "deleted": [], "kept": plan.keep})
                return SUCCESS
            confirm(self._question(plan), auto_approve=self._args.auto_approve)
        self._carry_out(word, only_orphans, agreed=plan)
        return SUCCESS

    def _code_of(self, plan: Plan) -> int:
        """Return the exit code of a dry run, as that of a deployment's plan."""
        if not self._args.detailed_exitcode:
            return SUCCESS
        if plan.refusals:
            return FAILURE
        return CHANGES_PENDING if plan.delete or plan.purge else SUCCESS

    def _is_empty(self, only_orphans: bool) -> bool:
        records = self._state.state["resources"].values()
        return not any(record.get("orphaned") for record in records) if only_orphans else not records

    def _carry_out(self, kind: str, only_orphans: bool, agreed: Plan) -> None:
        """Repeat the plan under the lock, since another run may have changed something, and delete.

        Raises:
            RefusedError: more would be deleted now than was confirmed.
        """
        began = time.monotonic()
        with self._locked(), self._session() as session:
            keep_last(self._logger, self._state.state_file + LOG_SUFFIX, self._reporter.message)
            teardown = self._teardown(session, only_orphans)
            plan = teardown.plan()
            more = sorted(item.key for item in plan.delete if item.id.lower() not in agreed.going)
            more += sorted(item.key for item in plan.purge if item not in agreed.purge)
            if more:
                raise RefusedError(
                    f"nothing was deleted: since the plan was shown, {', '.join(more)} came to it",
                    hint="Another run changed something. Run again, and look at the new plan.",
                )
            record = RunRecord(self._state, kind, correlation_id=session.transport.correlation_id)
            code = FAILURE
            try:
                teardown.run(plan)
                code = 0
            except StopRequested:
                code = INTERRUPTED
                raise
            finally:
                seconds = round(time.monotonic() - began, 1)
                record.end(code, {}, seconds, report=self._reporter.message, deleted=teardown.gone)
        purged = f", purged {len(teardown.purged)}" if teardown.purged else ""
        lines = [f"Deleted {len(teardown.gone) - len(teardown.purged)}{purged} in {duration(seconds)}."]
        self._reporter.result(lines, {"event": kind, "deleted": teardown.gone, "seconds": seconds})

    def _teardown(self, session: Session, only_orphans: bool) -> Teardown:
        return Teardown(
            session,
            include_data=self._args.include_data,
            purge=self._args.purge,
            only_orphans=only_orphans,
            repositories=self._repositories(),
            copies=self._copied_records() if self._args.purge else (),
            report=lambda key, text: self._reporter.message(f"{key} {text}"),
        )

    def _repositories(self) -> set[str]:
        """Return the repositories that a run of this deployment pushed, or this configuration would push."""
        runs = [service for entry in self._history.entries() for service in entry.get("services", {}).values()]
        recorded = last_outputs(self._state.state, images.STEP).values()
        references = [str((one or {}).get("image")) for one in runs] + [str(one.get("reference")) for one in recorded]
        pushed = {reference.partition("/")[2].partition("@")[0].partition(":")[0] for reference in references}
        return pushed | {service.name for service in self.config.services.values()}

    def _copied_records(self) -> list[dict[str, Any]]:
        """Return the records of resources in the copies of earlier states of this lineage, latest first."""
        records: list[dict[str, Any]] = []
        for name in self._state.backend.copies():
            try:
                document = parse(self._state.backend.load_copy(name) or b"", name)
            except StateError:  # a damaged copy proves nothing
                continue
            if document["lineage"] == self._state.state["lineage"]:
                records += document["resources"].values()
        return records

    def _show(self, plan: Plan, word: str) -> None:
        lines = [f"  delete {item.key} {item.id.rsplit('/', 1)[-1]}" for item in plan.delete]
        lines += [f"  purge  {item.key}" for item in plan.purge]
        for reason in dict.fromkeys(plan.keep.values()):
            lines.append(f"  keep   {', '.join(key for key, why in plan.keep.items() if why == reason)}: {reason}")
        lines += [f"  note: {text}" for text in plan.warnings]
        lines += [f"  forbidden: {text}" for text in plan.refusals]
        if self._args.dry_run:
            lines.append(f"{self._sum(plan)} Nothing was written.")
        elif plan.delete or plan.purge:  # else it is the result
            lines.append(self._sum(plan))
        document = {
            "event": f"{word}_plan",
            "delete": [{"key": item.key, "id": item.id} for item in plan.delete],
            "purge": [item.key for item in plan.purge],
            "keep": plan.keep,
            "warnings": plan.warnings,
            "forbidden": plan.refusals,
            "seconds": plan.seconds,
        }
        self._report_plan(lines, document)

    def _sum(self, plan: Plan) -> str:
        if not plan.delete and not plan.purge:
            none = ", and no deleted vault of this deployment to purge" if self._args.purge else ""
            return f"Nothing to delete{none}."
        purged = f", {len(plan.purge)} to purge" if plan.purge else ""
        return f"{len(plan.delete)} to delete, {len(plan.keep)} to keep{purged}; about {duration(plan.seconds)}."

    def _question(self, plan: Plan) -> str:
        vaults = f"{', '.join(item.name for item in plan.purge)}, which is final"
        if not plan.delete:
            return f"Purge {vaults}?"
        also = f", and purge {vaults}" if plan.purge else ""
        return f"Delete {len(plan.delete)} resources{self._of_data(plan)}{also}?"

    def _report_plan(self, lines: list[str], document: dict[str, Any]) -> None:
        """Report the plan: as the result of a dry run, else at once, above the question."""
        if self._args.dry_run:
            self._reporter.result(lines, document)
            return
        for line in lines:
            self._reporter.message(line)

    def _of_data(self, plan: Plan) -> str:
        data = [item.key for item in plan.delete if item.type in DATA]
        return f", with the data in {', '.join(data)}" if data else ""

    # --- forget ---

    def forget(self, key: str) -> None:
        """Remove the record of a resource; the resource itself is unchanged.

        Raises:
            StateError: there is no such record.
        """
        known = self._state.state["resources"]
        if key not in known:
            near = nearest(key, known, cutoff=0.4)
            hint = f"Did you mean {near}?" if near else "See --status --output json for the keys."
            raise StateError(f"the state has no resource {key!r}", hint=hint)
        text = f"{key} ({known[key]['id']}) is no longer in the state; the resource stays as it is"
        if self._args.dry_run:
            self._reporter.message(f"would forget {key}; the resource itself would stay as it is")
            return
        with self._locked():
            records = ResourceRecords(self._state.state, self._state.save, self._state.mutex)
            step = records.resources.get(key, {}).get("step")
            records.forget(key)
            records.save()
        self._reporter.result([f"{text}."], {"event": "forget", "key": key, "step": step})

    # --- a deployment with an additional effect ---

    def special_run(self) -> SpecialRun:
        """Return the deployment with the additional effect that the flags request.

        Raises:
            DeployerError: it is refused.
        """
        if self._args.rotate_secret:
            return self._rotation(self._args.rotate_secret)
        return self._end_of_rollback() if self._args.rollback == "off" else self._rollback(int(self._args.rollback))

    def _rotation(self, name: str) -> SpecialRun:
        """Return the deployment that generates a new value for a secret.

        Raises:
            RefusedError: there is no such secret, or it is not generated.
            StateError: nothing is deployed yet.
        """
        plan = rotation.plan(self.config, name)
        if not self._state.state["resources"]:
            raise StateError("nothing is deployed yet, so there is no secret to rotate", hint="Deploy first.")
        return special_runs.of_rotation(plan, self._state)

    def _rollback(self, run: int) -> SpecialRun:
        """Return a deployment of the images of an earlier run.

        Raises:
            RefusedError: an image is gone, migrations ran since, or the step that brings images is switched off.
            StateError: there is no such run.
        """
        self._check_images_are_brought()
        entry = self._history.find(run)
        later = [one for one in self._history.entries() if one["run"] > entry["run"]]
        record = self._state.last_success(images.STEP) or {}
        jobs = last_outputs(self._state.state, "run_migrations").get("jobs", [])
        begun = rollback.begun_migrations(self._state.state["resources"])
        with self._session(read_only=True) as session:
            plan = rollback.plan(session, entry, later, record.get("outputs", {}), [*jobs, *begun])
            if not plan.changes:
                raise RefusedError(f"the images of run {plan.run} are deployed already", hint="Nothing to do.")
            if plan.migrations and not self._args.accept_newer_schema:
                raise RefusedError(
                    f"migrations ran, or began, since run {plan.run}: {', '.join(plan.migrations)}",
                    hint="If the earlier images work with the newer schema, add --accept-newer-schema.",
                )
            rollback.check_images(session, plan)
        return special_runs.of_rollback(plan, self._state, now(), jobs)

    def _end_of_rollback(self) -> SpecialRun:
        """Return a deployment of the images of the source, after a rollback.

        Raises:
            RefusedError: the step that brings images is switched off.
            StateError: there is no rollback.
        """
        self._check_images_are_brought()
        if not self._state.state.get("pin"):
            raise StateError("no rollback is in force, so there is nothing to end", hint="Nothing to do.")
        return special_runs.of_end(self._state)

    def _check_images_are_brought(self) -> None:
        if self.config.deployment.skip_build:
            raise RefusedError(
                f"{images.STEP} brings the images, and deployment.skip_build switches it off; nothing was changed",
                hint="Set deployment.skip_build to false for this run.",
            )

    # --- history ---

    def show_history(self, run: int | None) -> None:
        """Show all runs, or one of them in full."""
        if run is not None:
            entry = self._history.find(run)
            self._reporter.result(list(_entry_lines(entry)), {"event": "history_run", "entry": entry})
            return
        entries = self._history.entries()
        lines = listing(entries) or ["No run is recorded yet."]
        self._reporter.result(lines, {"event": "history", "runs": entries})

    # --- logs ---

    def show_logs(self, service: str, *, follow: bool) -> None:
        """Show the log of a service's running replicas.

        Raises:
            RefusedError: there is no such service, or none of its replicas runs.
        """

        def show(source: Source, line: str) -> None:
            self._reporter.log_line(f"{source.replica}/{source.container}", line)

        with self._session(read_only=True) as session:
            LogStream(session, service).read(follow=follow, show=show)

    # --- shared ---

    @contextmanager
    def _session(self, *, read_only: bool = False) -> Iterator[Session]:
        """Context with a session; a signal stops it."""
        control = RunControl(self._args.parallelism or self.config.deployment.parallelism)
        control.lock_held = self._state.lock_held if not read_only else lambda: True
        Interrupts.control = control
        records = ResourceRecords(self._state.state, self._state.save, self._state.mutex)
        mode = Mode(adopt=self._args.adopt, read_only=read_only)
        session = open_session(self.config, self._logger, records=records, control=control, mode=mode)
        try:
            report_live(self._reporter, self._state, session)
            yield session
        finally:
            session.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._state.locked(timeout=self._args.lock_timeout, report=self._reporter.message):
            yield


def _entry_lines(entry: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of one run for display."""
    yield f"Run {entry['run']}: {entry['kind']}, {entry['result']}"
    for name in ("started_at", "seconds", "who", "host", "ci", "correlation_id", "plan_id", "of"):
        if entry.get(name) is not None:
            yield f"  {name.replace('_', ' '):16} {entry[name]}"
    steps = entry.get("steps", {})
    for name in sorted(steps, key=lambda name: STEP_NAMES.index(name) if name in STEP_NAMES else len(STEP_NAMES)):
        took = f" ({duration(steps[name]['seconds'])})" if isinstance(steps[name].get("seconds"), int | float) else ""
        why = [reason for reason in steps[name].get("reasons", []) if reason != "never ran"]
        yield f"  {steps[name].get('verdict', ''):7} {name}{took}{': ' * bool(why)}{', '.join(why)}"
    for name, service in entry.get("services", {}).items():
        yield f"  service {name:20} {image_name(str((service or {}).get('image') or ''))}".rstrip()
    for name in entry.get("deleted", []):
        yield f"  deleted {name}"
