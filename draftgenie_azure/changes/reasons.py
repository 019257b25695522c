"""Explain why a step runs, in terms of services, images and values instead of hashes.

    service web_front is new
    image of rag_service: 3 files changed
    services.api_gateway.min_replicas 1 → 2
"""

from __future__ import annotations

import json

from draftgenie_azure.digests import NULL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

LONGEST_SHOWN = 80  # characters of a value
FILES = ("file", "mode", "link")
_UNSET = "unset"


class Comparison:
    """Compares a step's recorded dependencies with the current ones.

    Args:
        before: lines and plain values (`config:` keys) of the last success.
        after: lines and plain values now.
        owners: services that the step depends on as a whole; for the build step, those it builds.
        images: service -> names of the current lines for the content of its image.
    """

    def __init__(
        self,
        before: tuple[Mapping[str, str], Mapping[str, Any]],
        after: tuple[Mapping[str, str], Mapping[str, Any]],
        owners: frozenset[str] = frozenset(),
        images: Callable[[], Mapping[str, frozenset[str]]] = dict,
    ) -> None:
        self._before, self._old = before
        self._after, self._new = after
        self._owners = owners
        self._images = images

    def lines(self) -> list[str]:
        """Return each dependency that changed, appeared or vanished; null counts as absent."""
        return [f"{name} {self._verb(name)}" for name in self._changed()]

    def reasons(self) -> list[str]:
        """Return the same in terms of services, images and values."""
        changed = self._changed()
        services = {service: verb for service in _services(changed) if (verb := self._fate(service))}
        reasons = [f"service {service} {verb}" for service, verb in sorted(services.items())]
        files = [name for name in changed if name.partition(":")[0] in FILES]
        reasons += self._image_reasons(files, services) if files else []
        for name in changed:
            kind, _, key = name.partition(":")
            if kind not in FILES and _service_of(key) not in services:
                reasons.append(self._reason(kind, key, name))
        return reasons

    def _changed(self) -> list[str]:
        names = sorted(self._before.keys() | self._after.keys())
        return [name for name in names if self._before.get(name) != self._after.get(name)]

    def _verb(self, name: str) -> str:
        old, new = self._before.get(name), self._after.get(name)
        if new is None or (new == NULL and old is not None):
            return "is gone"
        return "is new" if old in (None, NULL) else "changed"

    def _fate(self, service: str) -> str | None:
        """Return `is new` or `is gone` for a service as a whole, else None."""
        sides = (self._before, self._after)
        was, there = (any(_service_of(key) == service for key in _keys(lines)) for lines in sides)
        if there and not was and service in self._owners:
            return "is new"
        if was and not there:
            return "is gone"
        return None

    def _reason(self, kind: str, key: str, name: str) -> str:
        if kind == "output":
            verb = self._verb(name)
            return f"outputs of {key} {'are ' + verb[3:] if verb.startswith('is ') else verb}"
        if kind == "tool":
            return f"{key.removeprefix('draftgenie_azure/')} of this command changed"
        old, new = self._shown(self._before, self._old, name, key), self._shown(self._after, self._new, name, key)
        if kind == "config" and old == new == _UNSET:  # another version of the command declares other keys
            return f"{key} (unset) {'counts' if name in self._after else 'no longer counts'} for this step"
        if kind == "config" and old is not None and new is not None:
            return f"{key} {old} → {new}"
        return f"{key} {self._verb(name)}"

    @staticmethod
    def _shown(lines: Mapping[str, str], values: Mapping[str, Any], name: str, key: str) -> str | None:
        """Return a value as text; None if it is unknown or too long."""
        if lines.get(name) in (None, NULL):
            return _UNSET
        if key not in values:
            return None
        value = values[key]
        is_plain = isinstance(value, str) and value.strip() and value != _UNSET
        text = value if is_plain else json.dumps(value, ensure_ascii=False)
        return text if len(text) <= LONGEST_SHOWN and text.isprintable() else None

    def _image_reasons(self, files: list[str], services: Mapping[str, str]) -> Iterator[str]:
        """Yield one reason per image whose files changed."""
        images = self._images()
        touched: dict[str, dict[str, str]] = {}
        for name in files:
            for service in builders(name, images):
                if service not in services:
                    touched.setdefault(service, {}).setdefault(name.partition(":")[2], name)
        for service, names in sorted(touched.items()):
            if len(names) == 1:
                ((path, name),) = names.items()
                yield f"image of {service}: {path} {self._verb(name)}"
            else:
                yield f"image of {service}: {len(names)} files changed"
        if files and not touched and not services:
            yield f"build context: {len(files)} files changed"


def builders(name: str, images: Mapping[str, frozenset[str]]) -> list[str]:
    """Return the services whose image ships a file; for a deleted file, those that ship its nearest neighbour."""
    found = [service for service, names in images.items() if name in names]
    if found:
        return found
    folder = name.partition(":")[2].rpartition("/")[0]
    while folder:
        beside = f"{folder}/"
        found = [
            service
            for service, names in images.items()
            if any(other.partition(":")[2].startswith(beside) for other in names)
        ]
        if found:
            return found
        folder = folder.rpartition("/")[0]
    return list(images)


def _keys(lines: Mapping[str, str]) -> Iterator[str]:
    """Yield the configuration keys in names of dependencies."""
    for name in lines:
        kind, _, key = name.partition(":")
        if kind in ("config", "secret"):
            yield key


def _services(names: list[str]) -> set[str]:
    return {service for name in names if (service := _service_of(name.partition(":")[2])) is not None}


def _service_of(key: str) -> str | None:
    """Return the service that a configuration key belongs to."""
    parts = key.split(".")
    return parts[1] if parts[0] == "services" and len(parts) > 2 else None
