"""The request that a handler gets and the response that it gives."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import Refusal

if TYPE_CHECKING:
    from .roles import Principal

Json = dict[str, Any]


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
    """Set by a fault: the operation that this request starts ends as Failed with this code."""

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")

    def json(self) -> Json:
        """The body as a JSON object, or a refusal as ARM words it."""
        if not self.body.strip():
            return {}
        try:
            value = json.loads(self.body)
        except ValueError as error:
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
        return json.dumps(self.body, separators=(",", ":"), ensure_ascii=False).encode()
