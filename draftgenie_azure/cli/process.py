"""The command as a process: its streams, installation and exit."""

from __future__ import annotations

import os
import sys

from draftgenie_azure import printable
from draftgenie_azure.constants import INTERRUPTED
from draftgenie_azure.errors import DeployerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from draftgenie_azure.cli.events import Reporter


def open_streams() -> None:
    """Open the null device for closed streams (`2>&-`), so that no other file gets their descriptors."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r" if name == "stdin" else "w"))


def check_directory(paths: Sequence[str]) -> None:
    """Check that relative paths can be resolved.

    Raises:
        DeployerError: the working directory was deleted.
    """
    try:
        if not all(map(os.path.isabs, paths)):
            os.getcwd()
    except FileNotFoundError:
        hint = "Change to a directory that exists, or give --config an absolute path; then run again."
        raise DeployerError("the working directory was deleted", hint=hint) from None


def without_requirement(error: ModuleNotFoundError) -> DeployerError:
    """Return the error for a missing package of the installation."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    lock = os.path.join(root, "requirements.lock")
    return DeployerError(
        f"the Python package that provides {error.name} is not installed for {sys.executable}",
        hint=f"Install what the command needs: {sys.executable} -m pip install --require-hashes -r {lock}",
    )


def interrupted(reporter: Reporter, operations: Sequence[str] = ()) -> int:
    """Report that the run was interrupted.

    Args:
        operations: running operations in Azure.
    """
    going_on = f"Azure is still working on {printable.listed(operations)}. " if operations else ""
    reporter.message(f"Interrupted. {going_on}The next run continues from here.")
    return INTERRUPTED


def end(code: int) -> NoReturn:
    """Exit without the interpreter's shutdown, which is slow and no longer handles signals.

    Nothing needs it: locks and the emulator are released, the log is written line by line, temporary files have no
    name, and abandoned threads of an interrupted run are not waited for.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
