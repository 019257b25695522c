"""Commands on the state: show, reset, restore, move and unlock it.

Each function returns the exit code; `open_state` creates the command's StateManager.
"""

from __future__ import annotations

import os
from functools import partial

from draftgenie_azure import cli
from draftgenie_azure import state as state_package
from draftgenie_azure.config import raw as configuration
from draftgenie_azure.constants import STATE_FILE, SUCCESS
from draftgenie_azure.errors import ConfigError, StateError
from draftgenie_azure.state import document as state_document
from draftgenie_azure.state.target import offline_target
from draftgenie_azure.steps import STEP_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any

    from draftgenie_azure.cli.events import Reporter
    from draftgenie_azure.config.raw import RawConfig
    from draftgenie_azure.state.store import StateStore

    OpenState = Callable[..., StateStore]


def chosen(args: argparse.Namespace) -> Callable[..., int] | None:
    """Return the command that the flags request; `--status` is handled before a configuration is read."""
    if args.force_unlock:
        return unlock
    if args.move_state:
        return move
    if args.restore_state:
        return restore
    return reset if args.reset_state and not args.dry_run else None


def show_status(args: argparse.Namespace, reporter: Reporter, open_state: OpenState) -> int:
    """Show the recorded state, even with a faulty configuration."""
    try:
        config: RawConfig | dict[str, Any] = configuration.read(args.config, os.environ, args.env_file)
    except ConfigError as error:
        reporter.message(f"{error.message}\n(using the default location of the state)", level="warning")
        directory = configuration.RawConfig(args.config).directory
        config = {"advanced": {"state_file": os.path.join(directory, STATE_FILE)}}
    state = open_state(config)
    for path in state.earlier:
        reporter.message(f"{path} is the state of the earlier script; the next run renames it", level="note")
    if not state.found:
        reporter.result(["Nothing is deployed yet."], {"event": "status", "steps": {}})
        return SUCCESS
    holder = state.holder()
    reporter.result(*cli.status.page(state.state, STEP_NAMES, state.where, str(holder) if holder else None))
    return SUCCESS


def reset(args: argparse.Namespace, raw: RawConfig, reporter: Reporter, open_state: OpenState) -> int:
    """Replace the state by an empty one, keeping a copy; never asks."""
    state = open_state(raw, tolerant=True)
    with locked(state, args, reporter):
        if state.fault is not None:
            reporter.message(state.fault.message, level="warning")
        aside = state.reset(offline_target(raw))
    report_notices(state, reporter)
    reporter.result(
        [f"The state is cleared. The old one is {aside}." if aside else "There was no state; a new one is created."],
        {"event": "reset", "aside": aside, "state": state.where},
    )
    return SUCCESS


def restore(args: argparse.Namespace, raw: RawConfig, reporter: Reporter, open_state: OpenState) -> int:
    """Restore a copy of an earlier state, or an emergency state file."""
    state = open_state(raw, tolerant=True)
    document = state_package.replacing.read_copy(state, args.restore_state)
    if args.dry_run:
        reporter.message(f"would restore {args.restore_state} (serial {document['serial']}) as {state.where}")
        return SUCCESS
    with locked(state, args, reporter):
        aside = state_package.replacing.restore(state, document, adopt=args.adopt, agreed=cli.questions.answered_yes)
    lines = [f"The state {state.where} was restored from {args.restore_state}; its serial is {state.state['serial']}."]
    lines += [f"The previous one is now {aside}."] if aside else []
    facts = {"event": "restore", "state": state.where, "serial": state.state["serial"], "aside": aside}
    reporter.result(lines, facts)
    return SUCCESS


def move(args: argparse.Namespace, raw: RawConfig, reporter: Reporter, open_state: OpenState) -> int:
    """Move the state to the other storage."""
    there = open_state(raw, storage=args.move_state)
    here = open_state(raw, storage="blob" if args.move_state == "local" else "local")
    if not here.found:
        if there.found:
            reporter.result([f"The state is already in {there.where}."], {"event": "move", "state": there.where})
            return SUCCESS
        raise StateError(f"there is no state to move in {here.where}", hint="Nothing to do.")
    if args.dry_run:
        reporter.message(f"would move the state from {here.where} to {there.where}")
        return SUCCESS
    with locked(here, args, reporter), locked(there, args, reporter, first=partial(state_document.dump, here.state)):
        aside = state_package.replacing.move(here, there)
    hint = f"From now on: advanced.state_storage: {args.move_state}, or AZURE_STATE_STORAGE={args.move_state}"
    lines = [f"The state is in {there.where} now; the one in {here.where} is now {aside}.", hint]
    reporter.result(lines, {"event": "move", "state": there.where, "aside": aside})
    return SUCCESS


def unlock(args: argparse.Namespace, raw: RawConfig, reporter: Reporter, open_state: OpenState) -> int:
    """Break another run's lock, after confirmation."""
    state = open_state(raw, tolerant=True)
    holder = state.holder()
    if holder is None:
        reporter.result([f"No run holds the lock on {state.where}."], {"event": "unlock", "holder": None})
        return SUCCESS
    question = f"{state.where} is locked by {holder}.\nBreak its lock? If that run is alive, it stops."
    if args.dry_run:
        reporter.message(f"would ask: {question}")
        return SUCCESS
    if state.is_breakable and not (args.auto_approve or cli.questions.answered_yes(question)):
        raise StateError(f"{question} No.", hint="Without a terminal, confirm with --auto-approve.")
    state.break_lock()
    reporter.result([f"The lock of {holder} is broken."], {"event": "unlock", "holder": str(holder)})
    return SUCCESS


def locked(
    state: StateStore, args: argparse.Namespace, reporter: Reporter, *, first: Callable[[], bytes] | None = None
) -> AbstractContextManager[None]:
    """Context that holds the lock on the state, reloaded under it."""
    return state.locked(timeout=args.lock_timeout, report=reporter.message, first=first)


def report_notices(state: StateStore, reporter: Reporter) -> None:
    """Report what was done to states that were found."""
    for text in state.notices:
        reporter.message(text, level="warning")
