"""Compare a desired body, the live resource, the last body sent and Azure's reply to it, leaf by leaf.

The same comparison serves plans, writes, logs and drift reports.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache

from draftgenie_azure.arm.properties import CASELESS_KEYS, IDENTITIES, MAPS, Traits, traits
from draftgenie_azure.digests import PENDING, content_hash
from draftgenie_azure.masking import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from draftgenie_azure.arm.leaf_digests import Digests

    Path = tuple[str, ...]

ADD, CHANGE, REMOVE, UNKNOWN, SECRET = "add", "change", "remove", "unknown", "secret"
BY_OTHERS = "changed by others"  # note of a change that reverts one
SIGNS = {ADD: "+", CHANGE: "~", REMOVE: "-", UNKNOWN: "?", SECRET: "~"}


@dataclass(frozen=True)
class Change:
    """A change of one leaf.

    Attributes:
        path: keys from the body's top; an item of a list is `[<its natural key>]`.
        kind: add, change, remove, unknown (until a step has run) or secret (whose value is never shown).
        old: the current value.
        new: the new value.
        note: who, when or why, if known.
    """

    path: Path
    kind: str
    old: Any = None
    new: Any = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.kind != SECRET:
            variable = self.path[-2].strip("[]") if self.path[-1:] == ("value",) and len(self.path) > 1 else ""
            for value in (self.old, self.new):
                MASK.add_found(variable, value)
            if self.kind == CHANGE:
                MASK.add_replaced(self.old, self.new)

    @property
    def where(self) -> str:
        """The path for display."""
        return shown_path(self.path)

    def __str__(self) -> str:
        values = {
            ADD: shown(self.new),
            CHANGE: f"{shown(self.old)} → {shown(self.new)}",
            REMOVE: shown(self.old),
            UNKNOWN: f"{shown(self.old)} → {shown(self.new)}",
            SECRET: "secret changed",
        }[self.kind]
        note = f"  ({self.note})" if self.note else ""
        return f"{SIGNS[self.kind]} {self.where}: {values}{note}"

    def document(self) -> dict[str, Any]:
        """Return the change as a JSON document."""
        facts = {"path": self.where, "kind": self.kind, "note": self.note or None}
        if self.kind != SECRET:
            facts |= {"old": self.old, "new": self.new}
        return {key: value for key, value in facts.items() if value is not None}


@dataclass
class Comparison:
    """The differences, by author and effect.

    Attributes:
        ours: changes to write.
        others: configured by us, changed by others; kept unless repaired.
        unmanaged: not configured by us, and changed since our last write.
        fixed: differences that cannot be changed.
        ignored: configured and sent, but not applied by Azure.
    """

    ours: list[Change] = field(default_factory=list)
    others: list[Change] = field(default_factory=list)
    unmanaged: list[Change] = field(default_factory=list)
    fixed: list[Change] = field(default_factory=list)
    ignored: list[Change] = field(default_factory=list)


# ------------------------------------------------------------------------------------------------------------ leaves


def leaves(resource_type: str, body: Mapping[str, Any], *, creating: bool = True) -> dict[Path, Any]:
    """Return the leaves of a body, normalised, without what the service sets or never returns.

    Null, empty lists and empty objects are not leaves. A list of plain values is one leaf. An item of a list of objects
    is itself a leaf, its key, in addition to its own leaves.

    Args:
        creating: include what is set only at creation.
    """
    known = traits(resource_type)
    return {
        path: value for path, pattern, value in walk(known, body) if creating or not known.is_initial(pattern)
    }


def walk(known: Traits, value: Any, path: Path = (), pattern: str = "") -> Iterator[tuple[Path, str, Any]]:
    """Yield path, pattern and value of each leaf."""
    if pattern and known.is_hidden(pattern):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            below = f"{pattern}.{'*' if pattern in MAPS else key}" if pattern else key
            name = key.lower() if pattern in CASELESS_KEYS else key
            # Only the identity's presence is ours to configure.
            yield from walk(known, True if pattern == IDENTITIES else item, (*path, name), below)
    elif isinstance(value, list):
        yield from _walk_list(known, value, path, pattern)
    elif value is not None:
        yield path, pattern, value


def _walk_list(known: Traits, value: list[Any], path: Path, pattern: str) -> Iterator[tuple[Path, str, Any]]:
    if not value:
        return
    if not all(isinstance(item, dict) for item in value):
        yield path, pattern, value
        return
    for label, item in labelled(known, pattern, value):
        below = (*path, f"[{label}]")
        yield below, f"{pattern}[]", label
        yield from walk(known, item, below, f"{pattern}[]")


def labelled(known: Traits, pattern: str, items: list[Any]) -> list[tuple[str, Any]]:
    """Return each item with its natural key; with its position if there is none, or not a unique one."""
    keys = known.keys.get(pattern, ())
    found: list[tuple[str, Any]] = []
    seen: dict[str, int] = {}
    for number, item in enumerate(items):
        values = [_keyed(item.get(key)) for key in keys]
        label = ",".join(value for value in values if value) or f"#{number}"
        label = label.lower() if pattern in CASELESS_KEYS else label
        seen[label] = seen.get(label, 0) + 1
        found.append((label if seen[label] == 1 else f"{label}#{seen[label]}", item))
    return found


def _keyed(value: Any) -> str:
    """Return one part of a natural key: for `latestRevision: true`, its name."""
    if value is True:
        return "latest"
    return "" if value in (None, False) else str(value)


# ---------------------------------------------------------------------------------------------------------- equality


def same(known: Traits, pattern: str, wanted: Any, live: Any) -> bool:
    """Return whether two values of a path are equivalent in Azure."""
    if wanted in ("", None) and live in ("", None):
        return True
    if isinstance(wanted, bool) or isinstance(live, bool):
        return bool(wanted is live)
    if pattern in known.sets and isinstance(wanted, list) and isinstance(live, list):
        return _sorted(wanted) == _sorted(live)
    if isinstance(wanted, int | float) and isinstance(live, int | float):
        return float(wanted) == float(live)
    if pattern == "location":
        return _place(wanted) == _place(live)
    if pattern == "identity.type":
        return _words(wanted) <= _words(live)  # identities added by others are kept
    if pattern in known.numbers:
        return bool(_number(wanted) == _number(live))
    if pattern in known.caseless and isinstance(wanted, str) and isinstance(live, str):
        return wanted.lower() == live.lower()
    return bool(wanted == live)


def _sorted(value: list[Any]) -> list[str]:
    return sorted(map(str, value))


def _place(value: Any) -> str:
    return str(value).replace(" ", "").lower()


def _words(value: Any) -> set[str]:
    return {word.strip().lower() for word in str(value or "").split(",")} - {"", "none"}


def _number(value: Any) -> Any:
    """Normalise a CPU count, or an amount with its unit (`1.0Gi`)."""
    text = str(value)
    digits = text.rstrip("GiM")
    try:
        return float(digits), text[len(digits) :]
    except ValueError:
        return text


# -------------------------------------------------------------------------------------------------------- comparison


def compare(
    resource_type: str,
    wanted: Mapping[str, Any],
    live: Mapping[str, Any],
    *,
    sent: Digests | None = None,
    baseline: Digests | None = None,
    repair: bool = False,
) -> Comparison:
    """Compare a resource with its desired body, and attribute each difference.

    Args:
        sent: digests of the body sent last; None if unknown.
        baseline: digests of Azure's reply to it; None if lost, so that changes are not attributed.
        repair: also write back changes made by others.
    """
    known = traits(resource_type)
    stated = {path: (pattern, value) for path, pattern, value in walk(known, wanted)}
    spelled = {_tag(path): path for path in stated if _tag(path)}
    theirs = {spelled.get(_tag(path), path): (pattern, value) for path, pattern, value in walk(known, live)}
    said_once = {path for path, (pattern, _) in stated.items() if known.is_initial(pattern)}
    ours = {path: leaf for path, leaf in stated.items() if path not in said_once}
    result = Comparison()
    for path, (pattern, value) in ours.items():
        there = theirs.get(path, ("", None))[1]
        if same(known, pattern, value, there) or _grown(known, pattern, value, there, live):
            continue
        unchanged = sent is not None and sent.has(path, value)
        is_theirs = baseline is not None and not baseline.has(path, there)  # by what Azure answered last
        change = _change(path, there, value)
        if known.is_fixed(pattern) or (not unchanged and _shrinks(known, pattern, value, there)):
            stays = pattern != "location" and (unchanged or sent is None)
            (result.fixed if not stays else result.others if is_theirs else result.ignored).append(change)
        elif not unchanged:
            result.ours.append(change)
        elif baseline is not None and not is_theirs:
            result.ignored.append(change)
        elif repair and not _shrinks(known, pattern, value, there):
            result.ours.append(_noted(change, BY_OTHERS))
        else:
            result.others.append(change)
    for path, (pattern, value) in theirs.items():
        if path in ours or path in said_once:
            continue
        if sent is not None and path in sent and not known.stays(pattern):
            result.ours += _taken_out(known, path, pattern, value)
        elif baseline is not None and not baseline.has(path, value):
            result.unmanaged.append(Change(path, CHANGE if path in baseline else ADD, new=value, note=""))
    if baseline is not None:
        result.unmanaged += _initial_changes(known, theirs, said_once, baseline)
    _complete(known, theirs, result)
    displaced = _displaced(known, theirs, result.ours)
    paths = {change.path for change in displaced}
    result.ours += displaced
    result.unmanaged = [change for change in result.unmanaged if change.path not in paths]
    return _summed(known, result)


def _tag(path: Path) -> str:
    """Return a tag's name for comparison, as Azure ignores its letter case; empty for another leaf.

    Source: learn.microsoft.com/azure/azure-resource-manager/management/tag-resources.
    """
    return path[1].lower() if path[0] == "tags" and len(path) == 2 else ""


def _complete(known: Traits, theirs: Mapping[Path, tuple[str, Any]], found: Comparison) -> None:
    """Have an object that others removed, and of which a leaf is written, written with all that is configured."""
    written = {change.path[:size] for change in found.ours if change.kind != REMOVE for size in range(len(change.path))}
    missing = {path for path in written if _is_missing(known, theirs, path)}
    again = [
        change for change in found.others if any(change.path[:size] in missing for size in range(len(change.path) + 1))
    ]
    found.ours += again
    found.others = [change for change in found.others if change not in again]


def _is_missing(known: Traits, theirs: Mapping[Path, tuple[str, Any]], path: Path) -> bool:
    """Return whether an item of a list, or an object with a property that defines it, does not exist."""
    if not path or path[-1].startswith("["):
        return bool(path) and path not in theirs
    pattern = pattern_of(path)
    defining = [one.rpartition(".")[2] for one in known.defining if one.rpartition(".")[0] == pattern]
    return bool(defining) and not any((*path, name) in theirs for name in defining)


def _displaced(known: Traits, theirs: Mapping[Path, tuple[str, Any]], changes: list[Change]) -> list[Change]:
    """Return the removals that changes entail: of live values that exclude one that is written."""
    removed = {change.path for change in changes if change.kind == REMOVE}
    excluded: dict[Path, str] = {}  # path of a property -> note of the change that it excludes
    for change in changes:
        for size in range(1, len(change.path)) if change.kind != REMOVE else ():
            groups = known.exclusive.get(pattern_of(change.path[:size]), ())
            if any(change.path[size] in group for group in groups):
                rivals = {name for group in groups if change.path[size] not in group for name in group}
                excluded |= {(*change.path[:size], name): change.note for name in rivals}
    return [
        Change(path, REMOVE, old=value, note=excluded[path[:size]])
        for path, (_, value) in theirs.items()
        for size in range(1, len(path) + 1)
        if path[:size] in excluded and path not in removed and value != ""  # Azure shows what is unset as empty text
    ]


def _summed(known: Traits, found: Comparison) -> Comparison:
    """Differences of objects that come or go as a whole, instead of those of their leaves."""
    wholes = _gone_objects(known, found.ours)
    kept = Comparison(*(_outside(changes, wholes) for changes in vars(found).values()))
    kept.ours += wholes
    return Comparison(*(_without_parts(known, changes) for changes in vars(kept).values()))


def between(resource_type: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Yield every leaf in which two bodies of a type differ."""
    known, old, new = traits(resource_type), leaves(resource_type, before), leaves(resource_type, after)
    changes = [Change(path, REMOVE, old=value) for path, value in old.items() if path not in new]
    changes += [
        _change(path, old.get(path), value)
        for path, value in new.items()
        if path not in old or not same(known, pattern_of(path), value, old[path])
    ]
    return _without_parts(known, changes)


def _gone_objects(known: Traits, changes: list[Change]) -> list[Change]:
    """Return the objects removed as a whole, because a property that defines them is removed."""
    removed = {change.path: change.old for change in changes if change.kind == REMOVE}
    gone = {path[:-1] for path in removed if pattern_of(path) in known.defining}
    outermost = sorted(path for path in gone if not any(path[:size] in gone for size in range(1, len(path))))
    return [
        Change(path, REMOVE, old={name[-1]: value for name, value in removed.items() if name[:-1] == path})
        for path in outermost
    ]


def _outside(changes: list[Change], wholes: list[Change]) -> list[Change]:
    """Return the changes that are not inside one of the objects."""
    gone = {change.path for change in wholes}
    return [change for change in changes if not any(change.path[:size] in gone for size in range(1, len(change.path)))]


def _taken_out(known: Traits, path: Path, pattern: str, value: Any) -> list[Change]:
    """Return the changes for a leaf that we set and no longer configure."""
    if pattern not in known.defaults:
        return [Change(path, REMOVE, old=value)]
    default = known.defaults[pattern]
    return [] if same(known, pattern, default, value) else [Change(path, CHANGE, value, default)]


def _initial_changes(
    known: Traits, theirs: Mapping[Path, tuple[str, Any]], said_once: set[Path], baseline: Digests
) -> list[Change]:
    """Return changes of values set only at creation, which are reported like unconfigured ones."""
    return [
        Change(path, CHANGE, new=theirs[path][1])
        for path in said_once
        if path in theirs and path in baseline and not baseline.has(path, theirs[path][1])
    ]


def _grown(known: Traits, pattern: str, wanted: Any, live: Any, resource: Mapping[str, Any]) -> bool:
    """Return whether the service itself raised a number, whose configured value is a minimum."""
    switch = known.minimums.get(pattern)
    if switch is None or not isinstance(wanted, int | float) or not isinstance(live, int | float):
        return False
    return live >= wanted and str(at(resource, switch)).lower() == "enabled"


def _shrinks(known: Traits, pattern: str, wanted: Any, live: Any) -> bool:
    """Return whether a number that can only be increased would be reduced."""
    if pattern not in known.minimums or not isinstance(wanted, int | float) or not isinstance(live, int | float):
        return False
    return wanted < live


def at(body: Mapping[str, Any], dotted: str) -> Any:
    """Return the value at a dotted path without lists, or None."""
    value: Any = body
    for key in dotted.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _change(path: Path, old: Any, new: Any) -> Change:
    if isinstance(new, str) and PENDING in new:
        return Change(path, UNKNOWN, old, new)
    return Change(path, ADD if old is None else CHANGE, old, new)


def _noted(change: Change, note: str) -> Change:
    return Change(change.path, change.kind, change.old, change.new, note)


def _without_parts(known: Traits, changes: list[Change]) -> list[Change]:
    """Drop the leaves of removed items, and the keys of added ones, which the paths of their leaves contain."""
    gone = {change.path for change in changes if change.kind == REMOVE and change.path[-1].startswith("[")}
    come = {change.path for change in changes if change.kind == ADD and change.path[-1].startswith("[")}
    kept = [change for change in changes if not any(change.path[:size] in gone for size in range(1, len(change.path)))]
    plain = [change for change in kept if not (change.path[:-1] in come and _is_key(known, change.path))]
    parents = {change.path[:size] for change in plain for size in range(1, len(change.path))}
    return [change for change in plain if change.path not in parents or change.path in gone]


def _is_key(known: Traits, path: Path) -> bool:
    """Return whether a leaf is part of its item's natural key."""
    return path[-1] in known.keys.get(pattern_of(path[:-1]).removesuffix("[]"), ())


# -------------------------------------------------------------------------------------------------------- for people


@cache
def shown_path(path: Path) -> str:
    """Format a path for display: `template.containers[app].env[LOG_LEVEL]`, without the wrapping `properties`."""
    text = ""
    for part in path[1:] if path[0] == "properties" and len(path) > 1 else path:
        text += part if part.startswith("[") else f"[{part}]" if "." in part or "/" in part else f".{part}"
    return text.lstrip(".")


def shown(value: Any) -> str:
    """Format a value for display, on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, str) and PENDING in value:
        return f"({value[value.index(PENDING) + 1 :]})"
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def pattern_of(path: Path) -> str:
    """Return the pattern of a path, as used in the tables of properties."""
    text = ""
    for part in path:
        if part.startswith("["):
            text += "[]"
        else:
            text += f".{'*' if text in MAPS else part}" if text else part
    return text


def fingerprint(body: Any) -> str:
    """Return a SHA-256 over a body; unknown if a part of it is."""
    return content_hash(json.dumps(body, sort_keys=True, ensure_ascii=False)).split('"', 1)[0]
