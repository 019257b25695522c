"""What the command is to the system: its streams, its installation, its end."""

from __future__ import annotations

import os
import sys

from draftgenie_azure.constants import INTERRUPTED
from draftgenie_azure.errors import DeployerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from draftgenie_azure.cli.events import Reporter


def open_streams() -> None:
    """Have a stream that is closed (`2>&-`) lead nowhere; the number of its descriptor is then no other file's."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r" if name == "stdin" else "w"))


def without_requirement(error: ModuleNotFoundError) -> DeployerError:
    """The failure of an import that is nobody's fault but the installation's."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    lock = os.path.join(root, "requirements.lock")
    return DeployerError(
        f"the Python package that brings {error.name} is not installed for {sys.executable}",
        hint=f"Install what the command needs: {sys.executable} -m pip install --require-hashes -r {lock}",
    )


def interrupted(reporter: Reporter, operations: Sequence[str] = ()) -> int:
    """Report that the run was interrupted.

    Args:
        operations: what Azure is at work on.
    """
    going_on = f"Azure is still at work on {', '.join(operations)}. " if operations else ""
    reporter.message(f"Interrupted. {going_on}The next run continues from here.")
    return INTERRUPTED


def end(code: int) -> NoReturn:
    """End without the interpreter's own shutdown, which is slow and leaves a signal that comes then to the system.

    Nothing needs it: locks and the emulator were let go of, the log was written line by line, temporary files have no
    name, and an interrupted run's abandoned threads are not waited for.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
