"""The hashes that records rest on."""

from __future__ import annotations

import hashlib

HASH_FORMAT = 2  # of dependency hashes: which lines there are, and what each means


def sha256(data: bytes) -> str:
    """SHA-256 in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


NULL = sha256(b"null")  # of a value that is absent
PENDING = "\N{SYMBOL FOR SUBSTITUTE FORM TWO}known after "  # begins a value that only a run can know


def content_hash(*parts: str) -> str:
    """A SHA-256 in hex over parts that cannot run into one another; unknown where one of them is."""
    for part in parts:
        if PENDING in part:
            return part[part.index(PENDING) :]
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()


def short_hash(*parts: str) -> str:
    """The first digits of a content hash; unknown where that is."""
    found = content_hash(*parts)
    return found if PENDING in found else found[:16]


def slow_digest(value: str | bytes, salt: str) -> str:
    """scrypt (n=2^12, r=8, p=1, 32 bytes) in hex: recorded instead of a secret.

    Args:
        salt: of the state, in hex.
    """
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return hashlib.scrypt(data, salt=bytes.fromhex(salt), n=2**12, r=8, p=1, dklen=32).hex()
