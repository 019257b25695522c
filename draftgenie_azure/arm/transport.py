"""The HTTPS pipeline for all requests: transport, tokens, request ids and the retry loop.

The SDK's own retries are not used: they repeat POSTs and anything with a Retry-After, have no jitter, and hide the
last error behind its time-out (azure-core 1.41, `pipeline/policies/_retry.py`).
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.exceptions import AzureError as SdkError
from azure.core.exceptions import ClientAuthenticationError, ServiceResponseError
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    HeadersPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.resource.resources import ResourceManagementClient

from draftgenie_azure.arm import causes, confidential, hosts, ids
from draftgenie_azure.arm.credentials import SharedCredential
from draftgenie_azure.arm.refusals import (
    RetryTime,
    add_retry_time,
    busy,
    is_busy,
    may_repeat,
    never_sent,
    no_answer,
    refusal,
)
from draftgenie_azure.arm.replies import lines_of, reply_of
from draftgenie_azure.arm.sessions import CheckedTransport
from draftgenie_azure.arm.versions import Versions
from draftgenie_azure.errors import AuthenticationError, AzureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO, Any

    from azure.core.pipeline import PipelineRequest
    from azure.core.rest import HttpResponse

    from draftgenie_azure.arm.replies import Reply
    from draftgenie_azure.config.clouds import Endpoints
    from draftgenie_azure.run.control import RunControl

SHORTEST_PAUSE = 0.5  # a service that asks for less, or for a past time, gets our own pace


class _RequestIds(SansIOHTTPPolicy):  # type: ignore[type-arg]  # the base's type parameters are not needed
    """Sets a new client request id per try and one correlation id per run, and logs both."""

    def __init__(self, correlation_id: str, logger: logging.Logger) -> None:
        super().__init__()
        self._correlation_id = correlation_id
        self.logger = logger

    def on_request(self, request: PipelineRequest[Any]) -> None:
        headers = request.http_request.headers
        headers["x-ms-client-request-id"] = str(uuid.uuid4())
        headers.setdefault("x-ms-correlation-request-id", self._correlation_id)
        url = request.http_request.url.split("?", 1)[0]
        self.logger.debug(
            "%s %s request %s correlation %s",
            request.http_request.method,
            url,
            headers["x-ms-client-request-id"],
            headers["x-ms-correlation-request-id"],
        )


class Bucket:
    """A token bucket that keeps requests under one of ARM's limits.

    Source: learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling.
    """

    def __init__(self, size: int, per_second: float) -> None:
        self._size, self._rate = float(size), per_second
        self._left, self._seen = float(size), time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take one token; return the seconds to wait before using it."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._size, self._left + (now - self._seen) * self._rate) - 1
            self._seen = now
            return max(0.0, -self._left / self._rate)


class Transport:
    """Sends requests to ARM and to the data planes of one cloud.

    Args:
        endpoints: the cloud's endpoints, with its own proxy and CA bundle if any.
        credential: the sign-in, which may be shared with other transports.
        subscription_id: the subscription of the management client.
        control: checked between tries and woken up by a stop.
        logger: logs one line per request, at debug level.
        budget: seconds to retry one request without progress (`advanced.operation_timeout`).
    """

    def __init__(
        self,
        *,
        endpoints: Endpoints,
        credential: SharedCredential,
        subscription_id: str,
        control: RunControl,
        logger: logging.Logger,
        budget: float = 600.0,
    ) -> None:
        self.endpoints = endpoints
        self.versions = Versions()
        self._credential = credential
        self._buckets = {"GET": Bucket(250, 25), "DELETE": Bucket(200, 10), "write": Bucket(200, 10)}
        self._buckets["tenant"] = Bucket(200, 10)  # requests outside a subscription have a separate limit
        self._opening = threading.Lock()
        self.control = control
        self.logger = logger
        self.budget = budget
        self.correlation_id = str(uuid.uuid4())
        self._ahead = 0.0  # seconds by which Azure's clock is ahead of ours
        # Both log too much: at DEBUG, urllib3 writes full URLs with signatures.
        for noisy in ("azure", "urllib3", "msal"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._arm = ResourceManagementClient(
            self._credential,
            subscription_id,
            base_url=endpoints.resource_manager,
            credential_scopes=[endpoints.audience],
            policies=self._policies(ARMChallengeAuthenticationPolicy(self._credential, endpoints.audience)),
            transport=CheckedTransport(endpoints),
        )
        self._others: dict[str | None, PipelineClient[Any, Any]] = {}

    def arm(self, method: str, path: str, **request: Any) -> Reply:
        """Send to Azure Resource Manager; `path` may be a full URL of it. See `_Call` for the arguments.

        Raises:
            AzureError: it is the URL of something else, to which no token is sent.
        """
        path = hosts.path_of(path, self.endpoints)
        kind = method if method in self._buckets else "write" if path.startswith("/subscriptions/") else "tenant"
        bucket = self._buckets[kind]
        request["params"] = self.versions.params(path, request.get("params"))
        reply = self._send(self._arm.send_request, method, path, bucket=bucket, **request)
        if reply.date is not None:
            self._ahead = reply.date - time.time()
        return reply

    def other(self, method: str, url: str, *, scope: str | None, **request: Any) -> Reply:
        """Send to a data plane with a token for `scope`, or without one if it is None.

        The caller builds the URL from configured names, or checks it (`arm/hosts.py`).
        """
        with self._opening:
            client = self._others.get(scope)
            if client is None:
                policy = BearerTokenCredentialPolicy(self._credential, scope) if scope else None
                transport = CheckedTransport(self.endpoints)
                client = PipelineClient(base_url="", policies=self._policies(policy), transport=transport)
                self._others[scope] = client
        return self._send(client.send_request, method, url, **request)

    def lines(self, url: str, *, params: Mapping[str, str], headers: dict[str, str]) -> Iterator[str]:
        """Yield the lines of a stream as they arrive, without line breaks; invalid UTF-8 is replaced.

        A stream that is silent for the read timeout ends normally.

        Raises:
            AzureError: the stream is refused or unreachable.
        """
        what = f"GET {_shown(url)}"
        client: PipelineClient[Any, Any] = PipelineClient(
            base_url="", policies=self._policies(None), transport=CheckedTransport(self.endpoints)
        )
        try:
            response = client.send_request(HttpRequest("GET", url, params=params, headers=headers), stream=True)
            if response.status_code >= 300:
                response.read()
                raise refusal(reply_of(response), what)
            yield from lines_of(response.iter_bytes())
        except ServiceResponseError:
            return
        except SdkError as error:
            raise AzureError(f"{what}: no answer ({error.message})", transient=True) from error
        finally:
            client.close()

    def now(self) -> float:
        """Return Azure's time, estimated from its replies, as a Unix time; the local clock may be wrong."""
        return time.time() + self._ahead

    def token(self, scope: str) -> str:
        """Return a token for `scope`.

        Raises:
            AuthenticationError: there is no sign-in, or it is refused.
        """
        try:
            return self._credential.get_token(scope).token
        except SdkError as error:
            raise self.no_token(error) from error

    def no_token(self, error: SdkError) -> AuthenticationError:
        """Return the error for a failed or unreachable sign-in."""
        cause, words = causes.of(error), causes.innermost(error)
        if cause is None:
            hint = "Sign in with 'az login', or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET."
            return AuthenticationError(f"no token for Azure: {words}", hint=hint)
        if cause.is_refusal:
            return AuthenticationError(f"no token for Azure: {cause.text} ({words})", hint=cause.hint)
        self.logger.debug("no token: %s", words)
        host = causes.host(error) or urlsplit(self.endpoints.authority).hostname
        return AuthenticationError(f"no token for Azure: {host}: {causes.description(error, cause)}", hint=cause.hint)

    def _policies(self, authentication: Any) -> list[Any]:
        policies = [
            HeadersPolicy(),
            UserAgentPolicy("draftgenie-deployer"),
            _RequestIds(self.correlation_id, self.logger),
        ]
        return [*policies, authentication] if authentication is not None else policies

    def _send(self, send: Callable[..., HttpResponse], method: str, url: str, **request: Any) -> Reply:
        return _Tries(self, _Call(send, method, url, **request)).run()

    def sign_in_again(self, authorization: str) -> None:
        """Make the next request use a new token; `authorization` is the header with the rejected one."""
        self._credential.forget(authorization)

    def report_wait(self, address: str, failure: AzureError, attempt: int, delay: float) -> None:
        """Report what is waited for; of many tries the second, third, fifth, ninth and so on."""
        if is_busy(failure):
            self.control.report(busy(address.rsplit("/", 1)[-1], failure))
        elif attempt & (attempt - 1) == 0:
            cause = f"throttled by Azure: {failure.message}" if failure.status == 429 else failure.message
            when = f"in {delay:.0f} s" if delay >= 1 else "at once"
            self.control.report(f"{cause}; try {attempt + 1} {when}")

    def log_ids(self, reply: Reply) -> None:
        """Log the ids that Azure's support asks for; ours were logged with the request."""
        theirs = reply.headers.get("x-ms-request-id"), reply.headers.get("x-ms-correlation-request-id")
        self.logger.debug("answered %s, by Azure request %s correlation %s", reply.status, *theirs)

    @staticmethod
    def pause(attempt: int, asked: float | None = None) -> float:
        """Return the seconds to the next try: as the service asks, else exponential backoff with jitter."""
        if asked is not None and asked >= SHORTEST_PAUSE:
            return asked + random.uniform(0, 0.1)
        return min(30.0, 0.5 * 2.0 ** min(attempt - 1, 8)) * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class _Call:
    """A request, and how to handle it.

    Attributes:
        accept: statuses from 400 up that are a valid reply, such as 404.
        expects_object: True if a successful reply must be a JSON object; another one came from an intermediary.
        repeatable: True if it may be repeated blindly; otherwise only if it certainly was not processed.
        conflict_timeout: seconds to wait for another operation on the resource; default: the budget.
        tries: maximum number of tries, for calls with a fallback; not counting one with a new token
        bucket: name of ARM's limit on such requests; each try takes one
        parting: send once, even if the run is stopping: it cancels something the run started.
    """

    send: Callable[..., HttpResponse]
    method: str
    url: str
    params: Mapping[str, str] | None = None
    json_body: Any = None
    content: bytes | IO[bytes] | None = None
    form: dict[str, str] | None = None
    headers: dict[str, str] | None = None
    accept: tuple[int, ...] = ()
    expects_object: bool = False
    repeatable: bool = True
    conflict_timeout: float | None = None
    tries: int | None = None
    bucket: Bucket | None = None
    parting: bool = False

    @property
    def address(self) -> str:
        """The URL, for messages."""
        return _shown(self.url)

    def request(self) -> HttpRequest:
        """Return the SDK's request."""
        return HttpRequest(
            self.method, self.url, params=self.params, json=self.json_body, content=self.content, data=self.form,
            headers=self.headers,
        )  # fmt: skip

    def is_answered_by(self, reply: Reply) -> bool:
        """Return whether a reply is valid for this call."""
        if reply.status in self.accept:
            return True
        if reply.status >= (300 if self.bucket is not None else 400):
            return False
        return isinstance(reply.body, dict) or not self.expects_object


class _SignInAgain(Exception):
    """A token was rejected; a new one is tried once."""


class _Tries:
    """Sends a request, retrying transient failures."""

    def __init__(self, transport: Transport, call: _Call) -> None:
        self._transport = transport
        self._control = transport.control
        self._logger = transport.logger
        self._call = call
        self._what = f"{call.method} {ids.shown(call.address)}"
        self._spent = RetryTime()
        self._failed = 0
        self._signed_in_again = False

    def run(self) -> Reply:
        """Return the reply.

        Raises:
            AzureError: Azure refused, or kept failing until the budget was used up: then its last real error.
            AuthenticationError: there is no token, or it is rejected.
        """
        confidential.remember(self._call.address, self._call.json_body)
        confidential.remember(self._call.address, self._call.form)
        while True:
            self._take_turn()
            began = time.monotonic()
            try:
                reply = self._sent()
                if self._call.is_answered_by(reply):
                    return reply
                failure = refusal(reply, self._what)
                again = may_repeat(reply, failure, self._call.repeatable)
            except _SignInAgain:
                _rewind(self._call.content)
                continue
            except ClientAuthenticationError as error:
                raise self._transport.no_token(error) from error
            except SdkError as error:  # no connection, or one that broke before the end of the reply
                failure = no_answer(error, self._what)
                again = failure.transient and (self._call.repeatable or never_sent(error))
            self._wait(failure, again=again, seconds=time.monotonic() - began)

    def _take_turn(self) -> None:
        if self._call.parting:
            return
        if self._call.bucket is not None and (pause := self._call.bucket.take()):
            self._control.wait(pause)
        self._control.check()

    def _sent(self) -> Reply:
        response = self._call.send(self._call.request())
        reply = reply_of(response)
        confidential.remember(self._call.address, reply.body)
        if self._call.is_answered_by(reply):
            return reply
        self._transport.log_ids(reply)
        if reply.status == 401 and not self._signed_in_again:
            self._logger.info("%s; signing in again", refusal(reply, self._what).message)
            self._transport.sign_in_again(response.request.headers.get("Authorization", ""))
            self._signed_in_again = True
            raise _SignInAgain
        return reply

    def _wait(self, failure: AzureError, *, again: bool, seconds: float) -> None:
        """Wait before the next try.

        Raises:
            AzureError: the failure, if there is no further try.
        """
        call = self._call
        self._failed += 1
        delay = self._transport.pause(self._failed, failure.retry_after)
        lost = self._spent.more(failure, seconds + delay)
        budget = self._transport.budget
        if is_busy(failure):
            limit = budget if call.conflict_timeout is None else call.conflict_timeout
        else:
            limit = min(budget, failure.retry_seconds)
        if again and failure.retry_after and delay > limit:
            add_retry_time(failure, delay)
        if not again or call.parting or lost > limit or (call.tries is not None and self._failed >= call.tries):
            raise failure
        self._logger.info("%s; trying again in %.1f s", failure.message, delay)
        self._transport.report_wait(call.address, failure, self._failed, delay)
        _rewind(call.content)
        self._control.wait(delay)


def _rewind(content: object) -> None:
    if content is not None and hasattr(content, "seek"):
        content.seek(0)


def _shown(url: str) -> str:
    """Return the URL without its query, which may contain a signature."""
    return url.split("?", 1)[0]
