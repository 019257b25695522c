"""Render a plan as text: one line per resource and per leaf, within 80 columns."""

from __future__ import annotations

import textwrap

from draftgenie_azure.arm.plan import (
    BUILD,
    CHANGE,
    CREATE,
    DEACTIVATE,
    DELETE,
    FORGET,
    REPLACE,
    RESEND,
    RESTART,
    REUSE,
    SIGNS,
    START,
    UNCHANGED,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from draftgenie_azure.arm.plan import Entry
    from draftgenie_azure.planning.making import Planned

_WIDTH = 80
_WORDS = {
    CREATE: "create", CHANGE: "change", RESEND: "send again", REPLACE: "delete and create again", FORGET: "forget",
    DELETE: "delete", BUILD: "build", REUSE: "reuse", START: "start", RESTART: "restart",
    DEACTIVATE: "deactivate", UNCHANGED: "unchanged",
}  # fmt: skip


def lines(planned: Planned) -> list[str]:
    """Return the planned actions in the order of the run, then changes by others, and the counts."""
    shown: list[str] = []
    for step in planned.decisions:
        for entry in planned.plan.of(step):
            shown += _entry(entry)
    shown += [line for text in planned.unknown or () for line in _wrapped(f"  ? {text}", "not declared")]
    shown += [line for step, texts in planned.plan.faults.items() for line in _wrapped(f"  ! {step}", " ".join(texts))]
    if planned.asked:
        shown += _wrapped("", _counts(planned))
    return shown


def _counts(planned: Planned) -> str:
    plan = planned.plan
    counts = {
        "to create": plan.count(CREATE, REPLACE),
        "to change": plan.count(CHANGE, RESEND),
        "unchanged": plan.count(UNCHANGED, REUSE),
        "to forget": plan.count(FORGET),
        "to delete": plan.count(DELETE),
        "images to build": plan.count(BUILD),
        "to start": plan.count(START),
        "to restart": plan.count(RESTART),
        "to deactivate": plan.count(DEACTIVATE),
    }
    return f"Resources: {', '.join(f'{count} {words}' for words, count in counts.items() if count) or 'none'}."


def _entry(entry: Entry) -> Iterator[str]:
    if not entry.is_quiet:
        note = f" ({entry.note})" if entry.note else ""
        yield from _wrapped(f"  {SIGNS[entry.action]} {entry.key}", f"{_WORDS[entry.action]}{note}")
    elif entry.kept or entry.seen:
        yield f"  {SIGNS[entry.action]} {entry.key}: unchanged"
    for change in entry.changes:
        yield from _wrapped("      ", str(change))
    for change in entry.kept:
        yield from _wrapped("      ", f"{change}  kept: changed by others")
    for change in entry.seen:
        yield from _wrapped("      ", f"{change}  not configured, changed by others")


def _wrapped(start: str, text: str) -> list[str]:
    """Wrap a text to lines of at most 80 columns, with continuation lines indented."""
    begin = f"{start}: " if start.strip() else start
    deeper = " " * (len(start) - len(start.lstrip()) + 4)
    return textwrap.wrap(
        text, _WIDTH, initial_indent=begin, subsequent_indent=deeper, break_on_hyphens=False
    ) or [start]
