"""One HTTPS pipeline for everything that is sent: transport, tokens, request ids and the one retry loop.

The SDK's own resending is left out: it repeats POSTs and whatever carries a Retry-After, has no jitter, and hides the
last error behind its time-out (azure-core 1.41, `pipeline/policies/_retry.py`).
"""

from __future__ import annotations

import email.utils
import json
import logging
import random
import socket
import threading
import time
import uuid

import requests
from azure.core import PipelineClient
from azure.core.exceptions import AzureError as SdkError
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    HeadersPolicy,
    ProxyPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.resource.resources import ResourceManagementClient
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.retry import Retry

from draftgenie_azure.credentials import SharedCredential
from draftgenie_azure.errors import AuthenticationError, AzureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import IO, Any

    from azure.core.credentials import TokenCredential
    from azure.core.pipeline import PipelineRequest
    from azure.core.rest import HttpResponse

    from draftgenie_azure.clouds import Endpoints
    from draftgenie_azure.control import RunControl

TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
CONNECT_TIMEOUT = 20.0
CONNECTIONS = 32
READ_TIMEOUT = 90.0  # ARM itself gives a provider 60 s and then answers 504 (azure-resource-manager-rpc)

# An operation of somebody else, or of our own cut-off run, holds the resource: wait and repeat.
BUSY_CODES = frozenset(
    {
        "AnotherOperationInProgress",
        "Conflict",
        "ContainerAppLockConflict",
        "ContainerAppOperationInProgress",
        "ManagedEnvironmentNotReadyForAppCreation",
        "ManagedEnvironmentOperationInProgress",
        "RequestConflict",
        "ResourceGroupBeingDeleted",
        "ServerBusy",
    }
)


class Reply:
    """An answer: `status`, `headers` (names without case) and `body`, parsed where it is JSON, else text."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: Any) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def retry_after(self) -> float | None:
        """Seconds that the service asks for, from `Retry-After` as a number or a date; None where it asks nothing."""
        text = self.headers.get("Retry-After")
        if not text:
            return None
        try:
            return max(0.0, float(text))
        except ValueError:
            pass
        try:
            return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
        except ValueError:
            return None


class _RequestIds(SansIOHTTPPolicy):  # type: ignore[type-arg]  # the base's parameters are of no use here
    """A fresh client request id for each try, one correlation id for the run, both in the log."""

    def __init__(self, correlation_id: str, logger: logging.Logger) -> None:
        super().__init__()
        self._correlation_id = correlation_id
        self._logger = logger

    def on_request(self, request: PipelineRequest[Any]) -> None:
        headers = request.http_request.headers
        headers["x-ms-client-request-id"] = str(uuid.uuid4())
        headers.setdefault("x-ms-correlation-request-id", self._correlation_id)
        url = request.http_request.url.split("?", 1)[0]
        self._logger.debug(
            "%s %s request %s correlation %s",
            request.http_request.method,
            url,
            headers["x-ms-client-request-id"],
            headers["x-ms-correlation-request-id"],
        )


class _Adapter(HTTPAdapter):
    """A connection for each thread, without Nagle's algorithm, which urllib3 leaves on behind a proxy.

    It holds a request's body back until the headers are acknowledged: 40 ms for each write.
    """

    _OPTIONS = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)

    def __init__(self) -> None:
        # The loop in `_send` is the only one that sends again.
        super().__init__(
            pool_maxsize=CONNECTIONS, max_retries=Retry(total=False, redirect=False, raise_on_status=False)
        )

    def init_poolmanager(self, *args: Any, **options: Any) -> Any:
        return super().init_poolmanager(*args, socket_options=self._OPTIONS, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, socket_options=self._OPTIONS, **options)


class Bucket:
    """Keeps requests under one of ARM's limits: so many at once, refilled at a steady rate.

    Source: learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling.
    """

    def __init__(self, size: int, per_second: float) -> None:
        self._size, self._rate = float(size), per_second
        self._left, self._seen = float(size), time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take one; the seconds to wait before it may be used."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._size, self._left + (now - self._seen) * self._rate) - 1
            self._seen = now
            return max(0.0, -self._left / self._rate)


class Wire:
    """Sends requests to ARM and to the data planes of one cloud.

    Args:
        endpoints: the cloud's addresses, with proxy and CA file where it has its own.
        credential: what tokens come from.
        subscription_id: the subscription that the management client works in.
        control: asked between tries and woken up by a stop.
        logger: gets one line per request, at debug.
        budget: seconds that one request is tried again without progress (`advanced.operation_timeout`).
    """

    def __init__(
        self,
        *,
        endpoints: Endpoints,
        credential: TokenCredential,
        subscription_id: str,
        control: RunControl,
        logger: logging.Logger,
        budget: float = 600.0,
    ) -> None:
        self.endpoints = endpoints
        self._credential = SharedCredential(credential)
        self._buckets = {"GET": Bucket(250, 25), "DELETE": Bucket(200, 10), "write": Bucket(200, 10)}
        self._opening = threading.Lock()
        self._control = control
        self._logger = logger
        self.budget = budget
        self.correlation_id = str(uuid.uuid4())
        # Both log request bodies' neighbours: urllib3 writes whole URLs with signatures at DEBUG.
        for noisy in ("azure", "urllib3", "msal"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._arm = ResourceManagementClient(
            self._credential,
            subscription_id,
            base_url=endpoints.resource_manager,
            credential_scopes=[endpoints.audience],
            policies=self._policies(ARMChallengeAuthenticationPolicy(self._credential, endpoints.audience)),
            transport=self._transport(),
        )
        self._others: dict[str | None, PipelineClient[Any, Any]] = {}

    def arm(self, method: str, path: str, **request: Any) -> Reply:
        """Send to Azure Resource Manager; `path` may be a whole address of it. See `_send` for the arguments."""
        if pause := self._buckets.get(method, self._buckets["write"]).take():
            self._control.wait(pause)
        return self._send(self._arm.send_request, method, path, **request)

    def other(self, method: str, url: str, *, scope: str | None, **request: Any) -> Reply:
        """Send to a data plane with a token for `scope`, or without any where it is None."""
        with self._opening:
            client = self._others.get(scope)
            if client is None:
                policy = BearerTokenCredentialPolicy(self._credential, scope) if scope else None
                client = PipelineClient(base_url="", policies=self._policies(policy), transport=self._transport())
                self._others[scope] = client
        return self._send(client.send_request, method, url, **request)

    def token(self, scope: str) -> str:
        """A token for `scope`.

        Raises:
            AuthenticationError: nobody is signed in, or the sign-in is refused.
        """
        try:
            return self._credential.get_token(scope).token
        except SdkError as error:
            raise _no_token(error) from error

    def _policies(self, authentication: Any) -> list[Any]:
        proxies = {"https": self.endpoints.proxy} if self.endpoints.proxy else None
        policies = [
            HeadersPolicy(),
            UserAgentPolicy("draftgenie-deployer"),
            ProxyPolicy(proxies=proxies),
            _RequestIds(self.correlation_id, self._logger),
        ]
        return [*policies, authentication] if authentication is not None else policies

    def _transport(self) -> RequestsTransport:
        session = requests.Session()
        # With an address of its own a cloud is reached through its own proxy and CA, whatever the environment says.
        session.trust_env = self.endpoints.proxy is None and self.endpoints.ca_file is None
        session.mount("https://", _Adapter())
        return RequestsTransport(
            session=session,
            session_owner=False,
            connection_verify=self.endpoints.ca_file or True,
            connection_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
        )

    def _send(
        self,
        send: Callable[..., HttpResponse],
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        json_body: Any = None,
        content: bytes | IO[bytes] | None = None,
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        accept: tuple[int, ...] = (),
        repeatable: bool = True,
        patience: float | None = None,
        tries: int | None = None,
    ) -> Reply:
        """Send a request, again and again while what goes wrong may pass.

        Args:
            accept: statuses from 400 up that are an answer, such as 404.
            repeatable: whether it may be sent again without a look; else only what surely was not done is.
            patience: seconds to wait for another operation on the resource to end; default the budget.
            tries: at most so many tries; for calls that have a fallback.

        Raises:
            AzureError: Azure refused, or went on failing until the budget ended: then with its last real error.
            AuthenticationError: no token, or a token that is not accepted.
        """
        began = time.monotonic()
        attempt = 0
        fresh_token = False
        while True:
            self._control.check()
            attempt += 1
            reply: Reply | None = None
            try:
                request = HttpRequest(
                    method, url, params=params, json=json_body, content=content, data=form, headers=headers
                )
                reply = _reply(send(request))
                if reply.status < 400 or reply.status in accept:
                    return reply
                failure: AzureError = refusal(reply, f"{method} {_shown(url)}")
                again = self._may_pass(reply, failure, repeatable)
                if reply.status == 401 and not fresh_token:
                    self._credential.forget()
                    again = fresh_token = True
            except ClientAuthenticationError as error:
                raise _no_token(error) from error
            except (ServiceRequestError, ServiceResponseError) as error:
                failure = AzureError(
                    f"{method} {_shown(url)}: no answer ({error.message})",
                    hint="Look at the network, proxy and CA settings, then run again.",
                    passing=True,
                )
                again = repeatable or _never_sent(error)
            limit = self.budget
            if patience is not None and failure.code in BUSY_CODES:
                limit = patience
            delay = self.pause(attempt, reply)
            spent = time.monotonic() - began
            if not again or spent + delay > limit or (tries is not None and attempt >= tries):
                raise failure
            self._logger.info("%s; trying again in %.1f s", failure.message, delay)
            if failure.code in BUSY_CODES:
                self._control.tell(busy(_shown(url).rsplit("/", 1)[-1], failure))
            if content is not None and hasattr(content, "seek"):
                content.seek(0)
            self._control.wait(delay)

    @staticmethod
    def _may_pass(reply: Reply, failure: AzureError, repeatable: bool) -> bool:
        if failure.code in BUSY_CODES:
            return True
        if failure.code == "ConflictError" and "deleted state" not in failure.message:
            return True  # two writes to one vault at once
        if reply.status == 429:
            return True  # refused before anything was done
        return repeatable and reply.status in TRANSIENT

    @staticmethod
    def pause(attempt: int, reply: Reply | None = None) -> float:
        """Seconds before the next try: what the service asks for, else longer and longer, with jitter."""
        asked = reply.retry_after if reply is not None else None
        if asked is not None:
            return asked + random.uniform(0, 0.1)
        return min(30.0, 0.5 * 2.0 ** min(attempt - 1, 8)) * random.uniform(0.5, 1.0)


def _reply(response: HttpResponse) -> Reply:
    response.read()
    text = response.text()
    body: Any = text
    if text[:1] in "{[\"" and text:
        try:
            body = json.loads(text)
        except ValueError:
            body = text  # an error page, or text that only begins like JSON
    return Reply(response.status_code, response.headers, body)


def refusal(reply: Reply, what: str) -> AzureError:
    """The error that an answer from 400 up stands for; `what` says what was tried."""
    code, message = error_parts(reply.body)
    text = f"{what}: {reply.status} {code + ': ' if code else ''}{message}".rstrip(": ")
    kind = AuthenticationError if reply.status == 401 else AzureError
    passing = reply.status in TRANSIENT or code in BUSY_CODES
    request_id = reply.headers.get("x-ms-request-id")
    return kind(
        text,
        code=code,
        status=reply.status,
        request_id=request_id,
        passing=passing,
        retry_after=reply.retry_after,
    )


def busy(name: str, error: AzureError) -> str:
    """For people: what is waited for where another operation holds a resource."""
    return f"{name}: another operation is in progress ({error.code}); it is waited for"


def error_parts(body: Any) -> tuple[str, str]:
    """Code and message of an error body: the innermost code that says something, every message once.

    Services answer `{"error": {…}}`, `{"code", "message"}`, `{"Code", "Message"}` or text.
    """
    if isinstance(body, str):
        return "", " ".join(body.split())[:500]
    if not isinstance(body, dict):
        return "", ""
    error = body.get("error") if isinstance(body.get("error"), dict) else body
    assert isinstance(error, dict)
    code = str(error.get("code") or error.get("Code") or "")
    message = str(error.get("message") or error.get("Message") or error.get("error_description") or "")
    for detail in error.get("details") or []:
        if isinstance(detail, dict):
            inner_code, inner_message = error_parts(detail)
            code = inner_code or code
            if inner_message and inner_message not in message:
                message = f"{message} {inner_message}".strip()
    return code, message


def _no_token(error: SdkError) -> AuthenticationError:
    first = str(error.message).strip().splitlines()[0] if error.message else "no credential is configured"
    return AuthenticationError(
        f"no token for Azure: {first}",
        hint="Sign in with 'az login', or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.",
    )


def _never_sent(error: SdkError) -> bool:
    """Whether a request surely did not reach anybody: there was no connection at all.

    The SDK's ServiceRequestError does not say so: behind a proxy it stands for a lost reply, too.
    """
    cause: object = error.inner_exception
    for _ in range(8):
        if isinstance(cause, NewConnectionError | ConnectTimeoutError):
            return True
        if isinstance(cause, requests.RequestException):
            cause = cause.args[0] if cause.args else None
        else:  # urllib3 keeps what happened in `reason`, or behind a proxy in `original_error`
            cause = getattr(cause, "reason", None) or getattr(cause, "original_error", None)
    return False


def _shown(url: str) -> str:
    """The address without its query, which may carry a signature."""
    return url.split("?", 1)[0]
