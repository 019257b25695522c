"""Messages for unknown flags and steps, with the nearest known name."""

from __future__ import annotations

from draftgenie_azure.nearest import did_you_mean
from draftgenie_azure.steps import STEP_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"


def unknown_arguments(arguments: list[str], flags: Iterable[str]) -> str:
    """Return the message about arguments that no flag takes, with the nearest flag for each that looks like one."""
    texts = []
    for argument in arguments:
        name = argument.partition("=")[0]
        plain = name.lstrip(_DASHES)  # texts that were copied from a page have other dashes than "--"
        hint = did_you_mean(f"--{plain.lower().replace('_', '-')}", flags)
        if name != plain or hint.endswith(f"--{plain}?"):
            texts.append(f"unknown flag {name}{hint}")
    return "; ".join(texts) or f"unknown argument {' '.join(arguments)}"


def unknown_step(name: str) -> str:
    """Return the message about a step that does not exist."""
    hint = did_you_mean(name, STEP_NAMES, cutoff=0.4)
    return f"there is no step {name!r}{hint} (steps: {', '.join(STEP_NAMES)})"
