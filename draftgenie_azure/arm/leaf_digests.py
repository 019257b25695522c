"""Short salted digests of the leaves of a body, recorded in place of the body."""

from __future__ import annotations

import base64
import hashlib
import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Path = tuple[str, ...]

_DIGEST = 6  # bytes; short, as there are some sixty leaves per resource; never of a secret


class Digests:
    """Short salted digests of each path and value of a body; neither can be recovered."""

    def __init__(self, salt: str, leaves: Mapping[bytes, bytes]) -> None:
        self._salt = salt
        self._leaves = leaves

    @classmethod
    def of(cls, leaves: Mapping[Path, Any], salt: str) -> Digests:
        """Return the digests of leaves."""
        return cls(salt, {_digest(salt, path): _digest(salt, [path, value]) for path, value in leaves.items()})

    @classmethod
    def read(cls, text: object, salt: str) -> Digests | None:
        """Parse the output of `str()`; return None for anything else."""
        if not isinstance(text, str):
            return None
        try:
            data = base64.b64decode(text, validate=True)
        except ValueError:
            return None
        if len(data) % (2 * _DIGEST):
            return None
        starts = range(0, len(data), 2 * _DIGEST)
        return cls(salt, {data[at : at + _DIGEST]: data[at + _DIGEST : at + 2 * _DIGEST] for at in starts})

    def __str__(self) -> str:
        return base64.b64encode(b"".join(key + self._leaves[key] for key in sorted(self._leaves))).decode()

    def replaced(self, before: Mapping[Path, Any], after: Mapping[Path, Any]) -> Digests:
        """Return these digests without some leaves, and with others."""
        gone = {_digest(self._salt, path) for path in before}
        kept = {path: value for path, value in self._leaves.items() if path not in gone}
        return Digests(self._salt, {**kept, **Digests.of(after, self._salt)._leaves})

    def __contains__(self, path: Path) -> bool:
        return _digest(self._salt, path) in self._leaves

    def has(self, path: Path, value: Any) -> bool:
        """Return whether a leaf had a value; None means that the leaf did not exist."""
        known = self._leaves.get(_digest(self._salt, path))
        return known is None if value is None else known == _digest(self._salt, [path, value])

    def __len__(self) -> int:
        return len(self._leaves)


_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str).encode  # made once: thousands of calls


def _digest(salt: str, value: Any) -> bytes:
    key = salt.encode()[:64]
    return hashlib.blake2b(_json(value).encode("utf-8", "surrogateescape"), digest_size=_DIGEST, key=key).digest()
