"""Lazy loading: modules of packages, patterns of a library. The shortest run needs few of them."""

from __future__ import annotations

import importlib
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any


def modules_of(package: str) -> Callable[[str], ModuleType]:
    """Return the `__getattr__` of a package whose modules are imported when they are first used."""

    def find(name: str) -> ModuleType:
        try:
            return importlib.import_module(f"{package}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{package}.{name}":
                raise
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from None

    return find


class LatePatterns:
    """Context in which `re.compile` returns patterns that are compiled at their first use.

    For the import of a library; while only one thread runs.
    """

    def __enter__(self) -> None:
        self._compile, re.compile = re.compile, _LatePattern  # type: ignore[assignment]  # it has the same attributes

    def __exit__(self, *_: object) -> None:
        re.compile = self._compile


class _LatePattern:
    def __init__(self, pattern: Any, flags: int = 0) -> None:
        self._arguments = (pattern, flags)

    def __getattr__(self, name: str) -> Any:
        return getattr(re.compile(*self._arguments), name)  # `re` keeps what it compiled
