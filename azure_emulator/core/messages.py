"""The request and response of handlers."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from azure_emulator.core.errors import Refusal

Json = dict[str, Any]


_DEEPEST = 64


def _finite(text: str) -> float:
    """Parse a number, rejecting those that JSON cannot represent."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def _check_text(body: bytes, value: Any) -> None:
    """Reject lone surrogates, which no reply could contain, and nesting deeper than services accept."""
    if b"\\u" in body:
        json.dumps(value, ensure_ascii=False).encode()
    depth = most = 0
    if body.count(b"{") + body.count(b"[") > _DEEPEST:
        for sign in body:
            depth += (sign in b"{[") - (sign in b"}]")
            most = max(most, depth)
        if most > _DEEPEST:
            raise ValueError(f"The reader's MaxDepth of {_DEEPEST} has been exceeded.")


@dataclass(frozen=True)
class Principal:
    """The sender of a request."""

    object_id: str
    client_id: str


@dataclass
class Request:
    """One HTTP request; header and query names are in lower case."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    principal: Principal | None = None
    fail_operation: str | None = None
    """Set by a fault: the operation started by this request ends as Failed with this code."""

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")

    def json(self) -> Json:
        """Return the body as a JSON object. Raises ARM's error otherwise."""
        if not self.body.strip():
            return {}
        try:
            value = json.loads(self.body, parse_float=_finite, parse_constant=_finite)
            _check_text(self.body, value)
        except (ValueError, RecursionError) as error:
            raise Refusal(
                400,
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from error
        if not isinstance(value, dict):
            raise Refusal(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: 'A JSON object was expected.'.",
            )
        return value


@dataclass
class Response:
    """A status, a body (dict or list: JSON; str: text; bytes: as they are; None: empty) and headers."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str) and self.content_type is not None:
            return self.body.encode()
        try:
            return json.dumps(self.body, separators=(",", ":"), ensure_ascii=False).encode()
        except UnicodeEncodeError:  # a path that is not UTF-8, which only escapes can represent
            return json.dumps(self.body, separators=(",", ":")).encode()
