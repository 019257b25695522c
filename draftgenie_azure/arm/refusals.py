"""The errors for requests that Azure refused or did not answer, and whether another try may succeed."""

from __future__ import annotations

import math
import time

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from draftgenie_azure.arm import causes, policies
from draftgenie_azure.arm.replies import parsed
from draftgenie_azure.errors import BUSY_CODES, NOT_AZURE, AuthenticationError, AzureError
from draftgenie_azure.masking import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from azure.core.exceptions import AzureError as SdkError

    from draftgenie_azure.arm.replies import Reply

TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
LONGEST_PAGE = 500  # characters shown of a reply that is not valid JSON


def refusal(reply: Reply, what: str) -> AzureError:
    """Return the error for a failed reply; `what` describes the request."""
    code, message = error_parts(reply.body)
    message = policies.named(message, reply.body)
    if reply.status < 400:
        message = f"not a reply of Azure{': ' if message else ''}{message}"
    text = f"{what}: {reply.status} {code + ': ' if code else ''}{message}".rstrip(": ")
    text += "" if code or message else " without a reason"
    kind = AuthenticationError if reply.status == 401 else AzureError
    failure = kind(
        text,
        code=code,
        status=reply.status,
        request_id=reply.headers.get("x-ms-request-id"),
        correlation_id=reply.headers.get("x-ms-correlation-request-id"),
        hint=None if reply.status >= 400 else NOT_AZURE,
        retry_after=reply.retry_after,
    )
    failure.transient = reply.status in TRANSIENT or reply.status < 300 or is_busy(failure)
    return failure


def error_parts(body: Any) -> tuple[str, str]:
    """Return code and message of an error body: the innermost meaningful code, every message once.

    Services return `{"error": {…}}`, `{"code", "message"}`, `{"Code", "Message"}` or text; some embed another service's
    JSON in their message.
    """
    if isinstance(body, str):
        return "", " ".join(MASK.text(body).split())[:LONGEST_PAGE]  # masked first: half a secret is not found
    if not isinstance(body, dict):
        return "", ""
    error = body.get("error") if isinstance(body.get("error"), dict) else body
    assert isinstance(error, dict)
    code = str(error.get("code") or error.get("Code") or "")
    message = str(error.get("message") or error.get("Message") or error.get("error_description") or "")
    inside = parsed(message)
    if isinstance(inside, dict):
        inner_code, inner_message = error_parts(inside)
        code, message = inner_code or code, inner_message or message
    inside = error.get("innererror")
    if isinstance(inside, dict) and inside.get("code"):
        code = str(inside["code"])  # the vault's: ForbiddenByRbac, ForbiddenByFirewall
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict):
            inner_code, inner_message = error_parts(detail)
            code = inner_code or code
            if inner_message and inner_message not in message:
                message = f"{message} {inner_message}".strip()
    return code, message


def no_answer(error: SdkError, what: str) -> AzureError:
    """Return the error for a request without a reply; `what` describes the request."""
    cause, host = causes.of(error), causes.host(error)
    where = f"no answer from {host}" if host else "no answer"
    if cause is None:
        hint = "Check the network, proxy and CA settings, then run again."
        return AzureError(f"{what}: {where} ({causes.innermost(error)})", hint=hint, transient=True)
    text = f"{what}: {where}: {causes.description(error, cause)}"
    failure = AzureError(text, hint=cause.hint, transient=cause.transient)
    failure.retry_seconds = math.inf if cause.seconds is None else cause.seconds
    return failure


def never_sent(error: SdkError) -> bool:
    """Return whether a request certainly reached no server: there was no connection at all.

    The SDK's ServiceRequestError does not imply it: behind a proxy it can also mean a lost reply.
    """
    cause: object = error.inner_exception
    for _ in range(8):
        if isinstance(cause, NewConnectionError | ConnectTimeoutError):
            return True
        if isinstance(cause, requests.RequestException):
            cause = cause.args[0] if cause.args else None
        else:  # urllib3 has the cause in `reason`, or behind a proxy in `original_error`
            cause = getattr(cause, "reason", None) or getattr(cause, "original_error", None)
    return False


def is_busy(failure: AzureError) -> bool:
    """Return whether another operation blocks the resource, including concurrent writes to a vault."""
    return failure.code in BUSY_CODES or (
        failure.code == "ConflictError" and "deleted state" not in failure.message
    )


def busy(name: str, error: AzureError) -> str:
    """Return the message shown while another operation blocks a resource."""
    return f"{name}: another operation is in progress ({error.code}); waiting for it"


def may_repeat(reply: Reply, failure: AzureError, repeatable: bool) -> bool:
    """Return whether a failed request may be repeated: it was certainly not processed, or is idempotent."""
    return is_busy(failure) or reply.status == 429 or (repeatable and failure.transient)


class RetryTime:
    """Seconds spent on retries, separately for conflicts with another operation and for failures."""

    def __init__(self) -> None:
        self._seconds = {True: 0.0, False: 0.0}

    def more(self, failure: AzureError, seconds: float) -> float:
        """Add seconds lost to a failure; return the total for its kind."""
        self._seconds[is_busy(failure)] += seconds
        return self._seconds[is_busy(failure)]


def add_retry_time(failure: AzureError, seconds: float) -> None:
    """Add when to run again, if Azure asks for more time than a run spends on one request."""
    when = time.strftime("%H:%M on %Y-%m-%d (UTC)", time.gmtime(time.time() + seconds))
    failure.message += f"; Azure asks to wait for {seconds / 60:.0f} minutes"
    failure.args = (failure.message,)
    failure.hint = f"Run again after {when}, or raise advanced.operation_timeout above {seconds:.0f}."
