"""Replies: parsed, and the values in them; one that is not Azure's is an error."""

from __future__ import annotations

import codecs
import email.utils
import json
import math
import time

from draftgenie_azure.errors import NOT_AZURE, AzureError
from draftgenie_azure.masking import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from azure.core.rest import HttpResponse

LONGEST_LINE = 65_536  # maximum characters of a log line
_LONGEST_SECRET = 16_384  # characters, encoded; a line is not split within a secret, half of which would not be hidden
LONGEST_ASKED = 86_400.0  # cap on requested seconds, against overflow


class Reply:
    """A reply: `status`, `headers` (case-insensitive), `content`, and `body`, the parsed value or a text."""

    __slots__ = ("body", "content", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: Any, content: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.content = content

    @property
    def retry_after(self) -> float | None:
        """The seconds in `Retry-After`, given as a number or a date; None without it."""
        text = self.headers.get("Retry-After")
        if not text:
            return None
        try:
            seconds = float(text)
        except ValueError:
            moment = _moment(text)
            if moment is None:
                return None
            seconds = moment - (self.date or time.time())
        return min(max(0.0, seconds), LONGEST_ASKED) if math.isfinite(seconds) else None

    @property
    def date(self) -> float | None:
        """The time of the reply by the service's clock (`Date`), as a Unix time."""
        return _moment(self.headers.get("Date") or "")


def reply_of(response: HttpResponse) -> Reply:
    # Not `text()`: it trusts the reply's charset. JSON is UTF-8 (RFC 8259), sometimes with a byte order mark.
    content = response.read()
    return Reply(response.status_code, response.headers, parsed(content.decode("utf-8-sig", "replace")), content)


def parsed(text: str) -> Any:
    """Return the parsed JSON; otherwise (an error page, or text that only resembles JSON) the text."""
    if text[:1] not in ("{", "[", '"'):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def member(body: Any, *path: str, of: str) -> str:
    """Return a string from a reply's body.

    Args:
        body: the parsed body, possibly an error page, an empty text or null.
        path: keys, outermost first.
        of: description of the request, for the message.

    Raises:
        AzureError: there is no such string; the body is not shown, since it may contain a token.
    """
    found = body
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, str) or not found:
        raise AzureError(
            f"{of}: unexpected answer, without {'.'.join(path)}",
            hint=NOT_AZURE,
        )
    return found


def lines_of(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines in chunks of text; a line of over 64 KB is split, to bound memory."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    rest = ""
    for chunk in chunks:
        *whole, rest = (rest + decode(chunk)).split("\n")
        yield from (line.removesuffix("\r") for line in whole)
        while len(rest) > LONGEST_LINE + _LONGEST_SECRET:
            place = MASK.boundary(rest[: LONGEST_LINE + _LONGEST_SECRET], LONGEST_LINE)
            yield rest[:place]
            rest = rest[place:]
    if rest:
        yield rest


def _moment(text: str) -> float | None:
    """Return the Unix time of an HTTP date, or None."""
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
