"""Render a plan as text: one line per resource and per leaf, within 80 columns.

What many resources of a kind have in common is said once, with their names: two hundred equal lines hide the others.
"""

from __future__ import annotations

import textwrap

from draftgenie_azure.arm.plan import (
    BUILD,
    CHANGE,
    CREATE,
    DEACTIVATE,
    DELETE,
    FORGET,
    REGISTER,
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
_MOST_ALIKE = 20  # further ones are folded
_WORDS = {
    CREATE: "create", CHANGE: "change", RESEND: "send again", REPLACE: "delete and create again", FORGET: "forget",
    DELETE: "delete", BUILD: "build", REUSE: "reuse", START: "start", RESTART: "restart",
    DEACTIVATE: "deactivate", REGISTER: "register", UNCHANGED: "unchanged",
}  # fmt: skip


def lines(planned: Planned) -> list[str]:
    """Return the planned actions in the order of the run, then changes by others, and the counts."""
    shown: list[str] = []
    for step in planned.decisions:
        for alike in _alike(planned.plan.of(step)):
            shown += _folded(alike) if len(alike) > _MOST_ALIKE else [line for one in alike for line in _entry(one)]
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
        "providers to register": plan.count(REGISTER),
    }
    return f"Resources: {', '.join(f'{count} {words}' for words, count in counts.items() if count) or 'none'}."


def _alike(entries: list[Entry]) -> list[list[Entry]]:
    """Group entries that differ only in their names, if there are many; others stay separate, in their order."""
    groups: dict[object, list[Entry]] = {}
    for entry in entries:
        groups.setdefault((_kind(entry), entry.action, entry.note, *_leaves(entry, "*")), []).append(entry)
    many = {id(one): group for group in groups.values() if len(group) > _MOST_ALIKE for one in group}
    return [group for one in entries if (group := many.get(id(one), [one]))[0] is one]


def _folded(entries: list[Entry]) -> Iterator[str]:
    """Yield what many entries have in common, and their names."""
    first = entries[0]
    if first.is_quiet and not (first.kept or first.seen):
        return
    note = f" ({first.note})" if first.note else ""
    yield from _wrapped(f"  {SIGNS[first.action]} {_kind(first)}", f"{_WORDS[first.action]} {len(entries)}{note}")
    for leaf in _leaves(first, "*"):
        yield from _wrapped("      ", leaf)
    yield from _wrapped("      ", ", ".join(_name(entry) for entry in entries))


def _entry(entry: Entry) -> Iterator[str]:
    if not entry.is_quiet:
        note = f" ({entry.note})" if entry.note else ""
        yield from _wrapped(f"  {SIGNS[entry.action]} {entry.key}", f"{_WORDS[entry.action]}{note}")
    elif entry.kept or entry.seen:
        yield f"  {SIGNS[entry.action]} {entry.key}: unchanged"
    for leaf in _leaves(entry):
        yield from _wrapped("      ", leaf)


def _leaves(entry: Entry, container: str | None = None) -> Iterator[str]:
    """Yield the changes of an entry; `container` is written for the name of its own container."""
    own = f"[{_name(entry).replace('_', '-')}]"
    for changes, what in (
        (entry.changes, ""), (entry.kept, "  kept: changed by others"),
        (entry.seen, "  not configured, changed by others"),
    ):  # fmt: skip
        for change in changes:
            yield (str(change) if container is None else str(change).replace(own, f"[{container}]")) + what


def _kind(entry: Entry) -> str:
    return entry.key.rpartition("/")[0] or entry.key


def _name(entry: Entry) -> str:
    return entry.key.rpartition("/")[2]


def _wrapped(start: str, text: str) -> list[str]:
    """Wrap a text to lines of at most 80 columns, with continuation lines indented."""
    begin = f"{start}: " if start.strip() else start
    deeper = " " * (len(start) - len(start.lstrip()) + 4)
    return textwrap.wrap(
        text, _WIDTH, initial_indent=begin, subsequent_indent=deeper, break_on_hyphens=False
    ) or [start]
