"""Completion scripts for shells: flags, their choices, names of steps, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import shtab

from draftgenie_azure.constants import COMMAND, INSTALLED_COMMAND
from draftgenie_azure.steps import STEP_NAMES

if TYPE_CHECKING:
    import argparse

_PATHS = ("PATH", "FILE")  # metavars of file arguments


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the completion script of a shell for both names of the command.

    Args:
        parser: the parser of the flags, which is modified.
        shell: `bash`, `zsh` or `fish`.
    """
    for action in parser._actions:  # shtab reads them there too
        if action.metavar == "STEP":
            action.choices = STEP_NAMES
        elif action.metavar in _PATHS:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # read by shtab
    if shell == "zsh":  # a file for zsh serves several names, but may define only one function
        text = shtab.complete(parser, shell=shell)
        both = f"{COMMAND} {INSTALLED_COMMAND}"
        return text.replace(f"#compdef {COMMAND}", f"#compdef {both}").replace(f"-N {COMMAND}", f"-N {both}").strip()
    scripts = []
    for name in (COMMAND, INSTALLED_COMMAND):
        parser.prog = name
        scripts.append(shtab.complete(parser, shell=shell).strip())
    return "\n\n".join(scripts)
