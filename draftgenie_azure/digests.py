"""The hash functions used in records."""

from __future__ import annotations

import hashlib

HASH_FORMAT = 2  # version of the format of dependency hashes


def sha256(data: bytes) -> str:
    """Return SHA-256 in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


NULL = sha256(b"null")  # the hash of an absent value
PENDING = "\u2426known after "  # prefix of a value known only during a run


def content_hash(*parts: str) -> str:
    """Return SHA-256 in hex over delimited parts; unknown if one of them is."""
    for part in parts:
        if PENDING in part:
            return part[part.index(PENDING) :]
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()


def short_hash(*parts: str) -> str:
    """Return the first digits of a content hash; unknown if that is."""
    found = content_hash(*parts)
    return found if PENDING in found else found[:16]


def slow_digest(value: str | bytes, salt: str) -> str:
    """Return scrypt (n=2^12, r=8, p=1, 32 bytes) in hex, recorded instead of a secret.

    Args:
        salt: the state's salt, in hex.
    """
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return hashlib.scrypt(data, salt=bytes.fromhex(salt), n=2**12, r=8, p=1, dklen=32).hex()
