"""Declared faults: which requests are refused, dropped or made to fail, and how often that has happened."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Any

from azure_emulator.core.private_files import write_private

_KEYS = {
    "method": str,
    "path": str,
    "status": int,
    "code": str,
    "message": str,
    "skip": int,
    "times": int,
    "retry_after": (int, float, str),
    "drop": str,
    "fail": str,
}
_METHODS = {"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "*"}


class BadFault(ValueError):
    """An invalid fault declaration."""


@dataclass(frozen=True)
class Fault:
    """One declaration."""

    text: str
    method: str
    path: str
    status: int | None
    code: str
    message: str
    skip: int
    times: int
    retry_after: float | str | None  # seconds, or the header's text: an HTTP date
    drop: str | None
    fail: str | None

    def matches(self, method: str, host: str, path: str) -> bool:
        """Match `path` case-insensitively against the path, or host and path."""
        if self.method not in ("*", method):
            return False
        pattern = self.path.lower()
        return fnmatchcase(path.lower(), pattern) or fnmatchcase(host.lower() + path.lower(), pattern)


def parse(declaration: Any, where: str = "fault") -> Fault:
    """Parse one declaration. Raises BadFault with the reason."""
    if not isinstance(declaration, Mapping):
        raise BadFault(f"{where}: a mapping is expected, not {type(declaration).__name__}")
    for key, value in declaration.items():
        if key not in _KEYS:
            raise BadFault(f"{where}: unknown key {key!r}; known are {', '.join(_KEYS)}")
        wanted = _KEYS[key]
        if not isinstance(value, wanted) or isinstance(value, bool):  # type: ignore[arg-type]
            raise BadFault(f"{where}: {key} has the wrong type ({value!r})")
    method = str(declaration.get("method", "*")).upper()
    if method not in _METHODS:
        raise BadFault(f"{where}: method {method!r} is none of {', '.join(sorted(_METHODS))}")
    ways = [key for key in ("status", "drop", "fail") if key in declaration]
    if len(ways) != 1:
        raise BadFault(f"{where}: exactly one of status, drop and fail is needed, found {', '.join(ways) or 'none'}")
    if "drop" in declaration and declaration["drop"] not in ("before", "after"):
        raise BadFault(f"{where}: drop is 'before' or 'after', not {declaration['drop']!r}")
    if "status" in declaration and not 400 <= declaration["status"] <= 599:
        raise BadFault(f"{where}: status {declaration['status']} is no error status (400 to 599)")
    skip, times = declaration.get("skip", 0), declaration.get("times", 1)
    if skip < 0 or times < 1:
        raise BadFault(f"{where}: skip must be 0 or more, times 1 or more")
    return Fault(
        json.dumps(dict(declaration), sort_keys=True),
        method,
        str(declaration.get("path", "*")),
        declaration.get("status"),
        str(declaration.get("code", "InternalServerError")),
        str(declaration.get("message", "The request failed (declared fault).")),
        skip,
        times,
        declaration.get("retry_after"),
        declaration.get("drop"),
        declaration.get("fail"),
    )


def parse_all(declarations: Iterable[Any]) -> list[Fault]:
    return [parse(item, f"fault {number}") for number, item in enumerate(declarations, 1)]


class Faults:
    """The faults in force, and their counts by text: kept on disk, so that they apply only once across runs."""

    def __init__(self, path: Path | None, read_only: bool = False) -> None:
        self._path = None if read_only else path
        self._lock = Lock()
        self._counts: dict[str, dict[str, int]] = {}
        self.faults: list[Fault] = []
        if path is not None and path.exists():
            self._counts = json.loads(path.read_text(encoding="utf-8"))

    def declare(self, declarations: Iterable[Any]) -> None:
        self.faults = parse_all(declarations)

    def add(self, declarations: Iterable[Any]) -> None:
        self.faults = self.faults + parse_all(declarations)

    def meet(self, method: str, host: str, path: str) -> Fault | None:
        """Return the fault for this request, if any, and count it."""
        with self._lock:
            for fault in self.faults:
                if not fault.matches(method, host, path):
                    continue
                count = self._counts.setdefault(fault.text, {"seen": 0, "hit": 0})
                count["seen"] += 1
                hit = count["seen"] > fault.skip and count["hit"] < fault.times
                count["hit"] += hit
                self._write()
                if hit:
                    return fault
        return None

    def report(self) -> list[dict[str, Any]]:
        return [
            {**json.loads(fault.text), "hits": self._counts.get(fault.text, {}).get("hit", 0)} for fault in self.faults
        ]

    def forget(self) -> None:
        """Clear declarations and counts."""
        with self._lock:
            self.faults = []
            self._counts = {}
            self._write()

    def _write(self) -> None:
        if self._path is not None:
            write_private(self._path, json.dumps(self._counts, indent=1, sort_keys=True))
