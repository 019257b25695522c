"""Build bodies that change a live resource, preserving properties, list items, identities and tags of others."""

from __future__ import annotations

import copy

from draftgenie_azure.arm.diff import REMOVE, labelled, pattern_of
from draftgenie_azure.arm.properties import CASELESS_KEYS, IDENTITIES, MAPS, Traits, traits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.arm.diff import Change, Path

_ABSENT: Any = object()


def merged(resource_type: str, wanted: Mapping[str, Any], live: Mapping[str, Any], changes: Sequence[Change]) -> Any:
    """Return the body of a PUT: the live resource with the changes applied.

    Values set only by the service, and nulls, are left out.
    """
    return _Merge(resource_type, changes).body(wanted, live)


def patch(resource_type: str, wanted: Mapping[str, Any], live: Mapping[str, Any], changes: Sequence[Change]) -> Any:
    """Return a merge patch: changed parts of objects, lists and `sku` as a whole, null for removals."""
    merge = _Merge(resource_type, changes)
    whole = merge.body(wanted, live)
    return _pruned(whole, {change.path for change in changes}, (), "", merge.known)


def with_more(body: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
    """Return a body with additions, which replace what is there except objects."""
    result: Any = copy.copy(body)
    for key, value in more.items():
        there = result.get(key)
        result[key] = with_more(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return result


class _Merge:
    """One merge: the leaves taken from the desired body, and the live ones to remove."""

    def __init__(self, resource_type: str, changes: Sequence[Change]) -> None:
        self.known: Traits = traits(resource_type)
        self.gone = {change.path for change in changes if change.kind == REMOVE}
        self.taken = {change.path for change in changes if change.kind != REMOVE}
        defaults = self.known.defaults
        self.put_back = {change.path: change.new for change in changes if pattern_of(change.path) in defaults}
        self.touched: Collection[Path] = _above(change.path for change in changes)
        self.written: Collection[Path] = _above(self.taken)

    def body(self, wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Any:
        """Return the full body."""
        return self._object(wanted, live, (), "")

    def _value(self, wanted: Any, live: Any, path: Path, pattern: str) -> Any:
        if self.known.is_read_only(pattern) or path in self.gone:
            return _ABSENT
        if isinstance(live, dict) or (isinstance(wanted, dict) and live in (None, _ABSENT)):
            return self._object(wanted if isinstance(wanted, dict) else {}, live, path, pattern)
        if _objects(wanted) or _objects(live):
            return self._list(wanted, live, path, pattern)
        if path in self.taken:
            return self._leaf(self.put_back.get(path, wanted), live, pattern)
        return _ABSENT if live is None else live

    @staticmethod
    def _leaf(wanted: Any, live: Any, pattern: str) -> Any:
        if pattern != "identity.type" or not isinstance(live, str):
            return wanted
        words = [word.strip() for word in live.split(",") if word.strip().lower() != "none"]
        more = [word.strip() for word in str(wanted).split(",")]
        return ",".join([*words, *(word for word in more if word.lower() not in [one.lower() for one in words])])

    def _object(self, wanted: Mapping[str, Any], live: Any, path: Path, pattern: str) -> Any:
        there: Mapping[str, Any] = live if isinstance(live, dict) else {}
        caseless = pattern in CASELESS_KEYS or pattern == "tags"
        spelled = {key.lower(): key for key in wanted} if caseless else {}
        result: dict[str, Any] = {}
        for key, value in there.items():
            mine = spelled.get(key.lower(), key) if caseless else key
            result |= self._entry(mine, wanted.get(mine, _ABSENT), value, path, pattern)
        for key, value in wanted.items():
            if key not in there and key not in result:
                result |= self._entry(key, value, _ABSENT, path, pattern)
        for rivals in self._rivals(pattern, result, path):
            result.pop(rivals, None)
        return result if result or path in self.touched or not there else _ABSENT

    def _entry(self, key: str, wanted: Any, live: Any, path: Path, pattern: str) -> dict[str, Any]:
        below = f"{pattern}.{'*' if pattern in MAPS else key}" if pattern else key
        name = (*path, key.lower() if pattern in CASELESS_KEYS else key)
        if pattern == IDENTITIES:
            return {key: {}} if live is not _ABSENT or name in self.taken else {}
        if live is _ABSENT and name not in self.touched:
            return {}
        value = self._value(None if wanted is _ABSENT else wanted, None if live is _ABSENT else live, name, below)
        return {} if value is _ABSENT or value is None else {key: value}

    def _rivals(self, pattern: str, item: Mapping[str, Any], path: Path) -> list[str]:
        """Return properties that are mutually exclusive with one being written; a removal alone writes none."""
        groups = self.known.exclusive.get(pattern, ())
        written = [group for group in groups if any((*path, name) in self.written and name in item for name in group)]
        return [name for group in groups if written and group not in written for name in group]

    def _list(self, wanted: Any, live: Any, path: Path, pattern: str) -> Any:
        ours = dict(labelled(self.known, pattern, wanted or []))
        theirs = dict(labelled(self.known, pattern, live or []))
        result = []
        for label in [*theirs, *(label for label in ours if label not in theirs)]:
            name = (*path, f"[{label}]")
            if name in self.gone or (label not in theirs and name not in self.touched):
                continue
            if label not in theirs:
                result.append(_without_nulls(ours[label]))
                continue
            item = self._object(ours.get(label, {}), theirs.get(label, {}), name, f"{pattern}[]")
            if item is not _ABSENT:
                result.append(_without_nulls(item))
        return result


def _above(paths: Iterable[Path]) -> frozenset[Path]:
    """Return the paths and all their parents."""
    return frozenset(path[:size] for path in paths for size in range(len(path) + 1))


def _objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _pruned(body: Any, paths: set[Path], path: Path, pattern: str, known: Traits) -> Any:
    """Return the part of a body that changes."""
    result: dict[str, Any] = {}
    keys = {change[len(path)] for change in paths if change[: len(path)] == path and len(change) > len(path)}
    for key in sorted(keys):
        below = f"{pattern}.{key}" if pattern else key
        name = next((one for one in body if one == key or (pattern in CASELESS_KEYS and one.lower() == key)), key)
        value = body.get(name)
        whole = below in known.together or pattern in CASELESS_KEYS or not isinstance(value, dict)
        result[name] = value if whole else _pruned(value, paths, (*path, key), below, known)
        if below == "tags" and value is None:
            result[name] = {}
    return result
