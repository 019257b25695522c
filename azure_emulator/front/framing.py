"""Where a request on a connection ends: its headers, its length and its chunks, as RFC 9112 has them.

What is not clear is refused, and the connection closed: a server that guesses does a part of a request, or takes a
body for the next request.
"""

from __future__ import annotations

import re
from email.message import Message
from io import BufferedIOBase

from azure_emulator.core.errors import Refusal

_LARGEST = 2**31


class CutOff(ConnectionError):
    """The client ended in the middle of a request: nothing of it is done, and nobody reads a reply."""


class Whole(BufferedIOBase):
    """What a client sends, of which a request must come to its end."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file

    def readline(self, size: int | None = -1, /) -> bytes:
        line = self._file.readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise CutOff
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._file.read(size)
        if size is not None and len(data) < size:
            raise CutOff
        return data


def length_of(headers: Message) -> int | None:
    """Return the body's length, or None where it comes in chunks."""
    # The parser of headers ends at a line that is none, and takes what follows for a body.
    if headers.defects or headers.get_payload():
        raise _bad_request("a line of its headers is no header")
    lengths, codings = headers.get_all("Content-Length", []), headers.get_all("Transfer-Encoding", [])
    if len(lengths) + len(codings) > 1:
        raise _bad_request("it has more than one Content-Length or Transfer-Encoding")
    if not codings:
        return _size(lengths[0].strip(), r"[0-9]+", 10) if lengths else 0
    if codings[0].strip().lower() != "chunked":
        message = f"The transfer coding '{codings[0]}' is not supported: only 'chunked' is."
        raise Refusal(501, "NotImplemented", message)
    return None


def body_of(length: int | None, file: BufferedIOBase) -> bytes:
    """Read a body of that length, or in chunks."""
    rest = Whole(file)
    return _chunks(rest) if length is None else rest.read(length)


def _chunks(rest: Whole) -> bytes:
    parts: list[bytes] = []
    whole = 0
    while size := _size(_line(rest).split(b";")[0].strip(b" \t").decode("latin-1"), r"[0-9a-fA-F]+", 16):
        whole += size
        if whole > _LARGEST:
            raise _bad_request(f"{whole} is no length that is taken")
        parts.append(rest.read(size))
        if _line(rest):
            raise _bad_request("a chunk is longer than its length")
    while _line(rest):
        pass  # headers at the end, which nothing here uses
    return b"".join(parts)


def _line(rest: Whole) -> bytes:
    line = rest.readline(65537)
    if len(line) > 65536:
        raise _bad_request("a line of its chunks is too long")
    return line.rstrip(b"\r\n")


def _bad_request(message: str) -> Refusal:
    return Refusal(400, "BadRequest", f"The request could not be read: {message}")


def _size(text: str, digits: str, base: int) -> int:
    if not re.fullmatch(digits, text):
        raise _bad_request(f"'{text[:40]}' is no length")
    size = int(text[:16], base) if len(text) <= 16 else _LARGEST + 1
    if size > _LARGEST:
        raise _bad_request(f"{text[:40]} is no length that is taken")
    return size
