"""Completion scripts for shells: flags, their choices, names of steps, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import shtab

from draftgenie_azure.constants import COMMAND, INSTALLED_COMMAND
from draftgenie_azure.steps import STEP_NAMES

if TYPE_CHECKING:
    import argparse

_PATHS = ("PATH", "FILE")  # metavars of flags that take a file


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script that makes a shell complete the command, under both of its names.

    Args:
        parser: the flags; its copies of their values are changed.
        shell: `bash`, `zsh` or `fish`.
    """
    for action in parser._actions:  # shtab reads them there, too
        if action.metavar == "STEP":
            action.choices = STEP_NAMES
        elif action.metavar in _PATHS:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
    if shell == "zsh":  # one file of zsh's serves several names, and may define one function only
        text = shtab.complete(parser, shell=shell)
        both = f"{COMMAND} {INSTALLED_COMMAND}"
        return text.replace(f"#compdef {COMMAND}", f"#compdef {both}").replace(f"-N {COMMAND}", f"-N {both}").strip()
    scripts = []
    for name in (COMMAND, INSTALLED_COMMAND):
        parser.prog = name
        scripts.append(shtab.complete(parser, shell=shell).strip())
    return "\n\n".join(scripts)
