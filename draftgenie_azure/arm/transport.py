"""One HTTPS pipeline for everything that is sent: transport, tokens, request ids and the one retry loop.

The SDK's own resending is left out: it repeats POSTs and whatever carries a Retry-After, has no jitter, and hides the
last error behind its time-out (azure-core 1.41, `pipeline/policies/_retry.py`).
"""

from __future__ import annotations

import codecs
import email.utils
import json
import logging
import math
import random
import threading
import time
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
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
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from draftgenie_azure.arm import causes, confidential, hosts
from draftgenie_azure.arm.credentials import SharedCredential
from draftgenie_azure.arm.sessions import CheckedTransport
from draftgenie_azure.arm.versions import Versions
from draftgenie_azure.errors import BUSY_CODES, NOT_AZURE, AuthenticationError, AzureError
from draftgenie_azure.masking import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import IO, Any

    from azure.core.credentials import TokenCredential
    from azure.core.pipeline import PipelineRequest
    from azure.core.rest import HttpResponse

    from draftgenie_azure.config.clouds import Endpoints
    from draftgenie_azure.run.control import RunControl

TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
SHORTEST_PAUSE = 0.5  # a service that asks for less, or for a time that is past, gets our own pace
LONGEST_PAGE = 500  # characters of an answer that is not valid JSON, which are shown
LONGEST_LINE = 65_536  # characters of a log's line that are kept together
LONGEST_ASKED = 86_400.0  # more seconds than anybody waits; it keeps nonsense from overflowing


class Reply:
    """An answer: `status`, `headers` (names without case), `content`, and its meaning: `body`, a value or a text."""

    __slots__ = ("body", "content", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: Any, content: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.content = content

    @property
    def retry_after(self) -> float | None:
        """Seconds that the service asks for, from `Retry-After` as a number or a date; None where it asks nothing."""
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
        """When the service answered, by its own clock (`Date`), as a Unix time."""
        return _moment(self.headers.get("Date") or "")


class _RequestIds(SansIOHTTPPolicy):  # type: ignore[type-arg]  # the base's parameters are of no use here
    """A fresh client request id for each try, one correlation id for the run, both in the log."""

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


class Transport:
    """Sends requests to ARM and to the data planes of one cloud.

    Args:
        endpoints: the cloud's addresses, with proxy and CA file where it has its own.
        sign_in: makes a credential; again where Azure refuses a token, since the SDK's credentials keep theirs.
        subscription_id: the subscription that the management client works in.
        control: asked between tries and woken up by a stop.
        logger: gets one line per request, at debug.
        budget: seconds that one request is tried again without progress (`advanced.operation_timeout`).
    """

    def __init__(
        self,
        *,
        endpoints: Endpoints,
        sign_in: Callable[[], TokenCredential],
        subscription_id: str,
        control: RunControl,
        logger: logging.Logger,
        budget: float = 600.0,
    ) -> None:
        self.endpoints = endpoints
        self.versions = Versions()
        self._credential = SharedCredential(sign_in)
        self._buckets = {"GET": Bucket(250, 25), "DELETE": Bucket(200, 10), "write": Bucket(200, 10)}
        self._buckets["tenant"] = Bucket(200, 10)  # what is about no subscription has a limit of its own
        self._opening = threading.Lock()
        self.control = control
        self.logger = logger
        self.budget = budget
        self.correlation_id = str(uuid.uuid4())
        self._ahead = 0.0  # seconds that Azure's clock is ahead of ours
        # Both log request bodies' neighbours: urllib3 writes whole URLs with signatures at DEBUG.
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
        """Send to Azure Resource Manager; `path` may be a whole address of it. See `_Call` for the arguments.

        Raises:
            AzureError: it is an address of something else, where our token does not go.
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
        """Send to a data plane with a token for `scope`, or without any where it is None.

        Whoever calls this makes the address of names that the configuration gives, or checks it (`arm/hosts.py`).
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
        """The lines of a stream as they come, without their ends; invalid UTF-8 is replaced.

        A stream that is silent for the read timeout ends like any other.

        Raises:
            AzureError: the stream is refused, or cannot be reached.
        """
        what = f"GET {_shown(url)}"
        client: PipelineClient[Any, Any] = PipelineClient(
            base_url="", policies=self._policies(None), transport=CheckedTransport(self.endpoints)
        )
        try:
            response = client.send_request(HttpRequest("GET", url, params=params, headers=headers), stream=True)
            if response.status_code >= 300:
                response.read()
                raise refusal(_reply(response), what)
            yield from _lines_of(response.iter_bytes())
        except ServiceResponseError:
            return
        except SdkError as error:
            raise AzureError(f"{what}: no answer ({error.message})", passing=True) from error
        finally:
            client.close()

    def now(self) -> float:
        """Azure's time, as far as its answers have told, as a Unix time; a machine's own clock may be wrong."""
        return time.time() + self._ahead

    def token(self, scope: str) -> str:
        """A token for `scope`.

        Raises:
            AuthenticationError: nobody is signed in, or the sign-in is refused.
        """
        try:
            return self._credential.get_token(scope).token
        except SdkError as error:
            raise self.no_token(error) from error

    def no_token(self, error: SdkError) -> AuthenticationError:
        """The error that a sign-in stands for which failed, or could not be asked for."""
        cause, words = causes.of(error), causes.innermost(error)
        if cause is None:
            hint = "Sign in with 'az login', or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET."
            return AuthenticationError(f"no token for Azure: {words}", hint=hint)
        host = causes.host(error) or urlsplit(self.endpoints.authority).hostname
        text = cause.text if cause.is_refusal else f"{host}: {cause.text}"
        return AuthenticationError(f"no token for Azure: {text} ({words})", hint=cause.hint)

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
        """Have the next request ask for a new token; `authorization` is the header with the one that was refused."""
        self._credential.forget(authorization)

    def tell_wait(self, address: str, failure: AzureError, attempt: int, delay: float) -> None:
        """Tell people what is waited for; of many tries the second, third, fifth, ninth and so on are told."""
        if is_busy(failure):
            self.control.tell(busy(address.rsplit("/", 1)[-1], failure))
        elif attempt & (attempt - 1) == 0:
            cause = f"throttled by Azure: {failure.message}" if failure.status == 429 else failure.message
            when = f"in {delay:.0f} s" if delay >= 1 else "at once"
            self.control.tell(f"{cause}; try {attempt + 1} {when}")

    def log_ids(self, reply: Reply) -> None:
        """What Azure's support asks for, beside the ids of ours that were logged with the request."""
        theirs = reply.headers.get("x-ms-request-id"), reply.headers.get("x-ms-correlation-request-id")
        self.logger.debug("answered %s, by Azure request %s correlation %s", reply.status, *theirs)

    @staticmethod
    def pause(attempt: int, asked: float | None = None) -> float:
        """Seconds before the next try: what the service asks for, else longer and longer, with jitter."""
        if asked is not None and asked >= SHORTEST_PAUSE:
            return asked + random.uniform(0, 0.1)
        return min(30.0, 0.5 * 2.0 ** min(attempt - 1, 8)) * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class _Call:
    """A request, and how it is to be treated.

    Attributes:
        accept: statuses from 400 up that are an answer, such as 404.
        expects_object: whether a good answer must be a JSON object; another one came from something in between.
        repeatable: whether it may be sent again without a look; else only what surely was not done is.
        conflict_timeout: seconds to wait for another operation on the resource to end; default the budget.
        tries: at most so many tries; for calls that have a fallback. A new token does not count.
        bucket: ARM's limit on such requests; each try takes one. ARM does not redirect; other services may.
        parting: sent once, at once, although the run is to stop: it ends what the run began.
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
        """The address, for people."""
        return _shown(self.url)

    def request(self) -> HttpRequest:
        """As the SDK sends it."""
        return HttpRequest(
            self.method, self.url, params=self.params, json=self.json_body, content=self.content, data=self.form,
            headers=self.headers,
        )  # fmt: skip

    def is_answered_by(self, reply: Reply) -> bool:
        """Tell whether a reply is what was asked for."""
        if reply.status in self.accept:
            return True
        if reply.status >= (300 if self.bucket is not None else 400):
            return False
        return isinstance(reply.body, dict) or not self.expects_object


class _SignInAgain(Exception):
    """A token is not accepted any more; once, a new one is worth a try."""


class _Tries:
    """Sends a request, again and again while what goes wrong may pass."""

    def __init__(self, transport: Transport, call: _Call) -> None:
        self._transport = transport
        self._control = transport.control
        self._logger = transport.logger
        self._call = call
        self._what = f"{call.method} {call.address}"
        self._spent = Spent()
        self._failed = 0
        self._signed_in_again = False

    def run(self) -> Reply:
        """The reply.

        Raises:
            AzureError: Azure refused, or went on failing until the budget ended: then with its last real error.
            AuthenticationError: no token, or a token that is not accepted.
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
                again = _may_pass(reply, failure, self._call.repeatable)
            except _SignInAgain:
                _rewind(self._call.content)
                continue
            except ClientAuthenticationError as error:
                raise self._transport.no_token(error) from error
            except SdkError as error:  # no connection, or one that broke before the answer's end
                failure = no_answer(error, self._what)
                again = failure.passing and (self._call.repeatable or _never_sent(error))
            self._wait(failure, again=again, seconds=time.monotonic() - began)

    def _take_turn(self) -> None:
        if self._call.parting:
            return
        if self._call.bucket is not None and (pause := self._call.bucket.take()):
            self._control.wait(pause)
        self._control.check()

    def _sent(self) -> Reply:
        response = self._call.send(self._call.request())
        reply = _reply(response)
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
        """Wait for the next try.

        Raises:
            AzureError: the failure, where there is none.
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
            come_back_later(failure, delay)
        if not again or call.parting or lost > limit or (call.tries is not None and self._failed >= call.tries):
            raise failure
        self._logger.info("%s; trying again in %.1f s", failure.message, delay)
        self._transport.tell_wait(call.address, failure, self._failed, delay)
        _rewind(call.content)
        self._control.wait(delay)


class Spent:
    """Seconds spent on retries: for another operation, and for failures; each has its own budget."""

    def __init__(self) -> None:
        self._seconds = {True: 0.0, False: 0.0}

    def more(self, failure: AzureError, seconds: float) -> float:
        """Count seconds lost to a failure; all that were lost to its kind."""
        self._seconds[is_busy(failure)] += seconds
        return self._seconds[is_busy(failure)]


def is_busy(failure: AzureError) -> bool:
    """Tell whether another operation holds the resource, so it is waited for; two writes to a vault at once, too."""
    return failure.code in BUSY_CODES or (
        failure.code == "ConflictError" and "deleted state" not in failure.message
    )


def _may_pass(reply: Reply, failure: AzureError, repeatable: bool) -> bool:
    """Tell whether a refused request may be sent again: it was surely not done, or doing it twice does no harm."""
    return is_busy(failure) or reply.status == 429 or (repeatable and failure.passing)


def _rewind(content: object) -> None:
    if content is not None and hasattr(content, "seek"):
        content.seek(0)


def _moment(text: str) -> float | None:
    """The Unix time of an HTTP date; None where it is none."""
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _lines_of(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines in pieces of a text; a line of over 64 KB comes in several, so that none fills the memory."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    rest = ""
    for chunk in chunks:
        *whole, rest = (rest + decode(chunk)).split("\n")
        yield from (line.removesuffix("\r") for line in whole)
        if len(rest) > LONGEST_LINE:
            yield rest
            rest = ""
    if rest:
        yield rest


def _reply(response: HttpResponse) -> Reply:
    # Not `text()`: it trusts the charset that the answer claims. JSON is UTF-8 (RFC 8259), here and there with a mark.
    content = response.read()
    return Reply(response.status_code, response.headers, _parsed(content.decode("utf-8-sig", "replace")), content)


def _parsed(text: str) -> Any:
    """The value of JSON; else, of an error page or of text that only begins like JSON, the text."""
    if text[:1] not in ("{", "[", '"'):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def refusal(reply: Reply, what: str) -> AzureError:
    """The error that a bad answer stands for; `what` says what was tried."""
    code, message = error_parts(reply.body)
    if reply.status < 400:
        message = f"not what Azure answers{': ' if message else ''}{message}"
    text = f"{what}: {reply.status} {code + ': ' if code else ''}{message}".rstrip(": ")
    kind = AuthenticationError if reply.status == 401 else AzureError
    failure = kind(
        text,
        code=code,
        status=reply.status,
        request_id=reply.headers.get("x-ms-request-id"),
        hint=None if reply.status >= 400 else NOT_AZURE,
        retry_after=reply.retry_after,
    )
    failure.passing = reply.status in TRANSIENT or reply.status < 300 or is_busy(failure)
    return failure


def busy(name: str, error: AzureError) -> str:
    """For people: what is waited for where another operation holds a resource."""
    return f"{name}: another operation is in progress ({error.code}); it is waited for"


def error_parts(body: Any) -> tuple[str, str]:
    """Code and message of an error body: the innermost code that says something, every message once.

    Services answer `{"error": {…}}`, `{"code", "message"}`, `{"Code", "Message"}` or text; some put the JSON of what
    another one answered in their message.
    """
    if isinstance(body, str):
        return "", " ".join(MASK.text(body).split())[:LONGEST_PAGE]  # masked first: half a secret is not found
    if not isinstance(body, dict):
        return "", ""
    error = body.get("error") if isinstance(body.get("error"), dict) else body
    assert isinstance(error, dict)
    code = str(error.get("code") or error.get("Code") or "")
    message = str(error.get("message") or error.get("Message") or error.get("error_description") or "")
    inside = _parsed(message)
    if isinstance(inside, dict):
        inner_code, inner_message = error_parts(inside)
        code, message = inner_code or code, inner_message or message
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict):
            inner_code, inner_message = error_parts(detail)
            code = inner_code or code
            if inner_message and inner_message not in message:
                message = f"{message} {inner_message}".strip()
    return code, message


def no_answer(error: SdkError, what: str) -> AzureError:
    """The error that a request without an answer stands for; `what` says what was tried."""
    cause, host = causes.of(error), causes.host(error)
    where = f"no answer from {host}" if host else "no answer"
    if cause is None:
        hint = "Check the network, proxy and CA settings, then run again."
        return AzureError(f"{what}: {where} ({causes.innermost(error)})", hint=hint, passing=True)
    failure = AzureError(f"{what}: {where}: {cause.text}", hint=cause.hint, passing=cause.passes)
    failure.retry_seconds = math.inf if cause.seconds is None else cause.seconds
    return failure


def come_back_later(failure: AzureError, seconds: float) -> None:
    """Say when to run again, where Azure asks for more time than a run may spend on one request."""
    when = time.strftime("%H:%M on %Y-%m-%d (UTC)", time.gmtime(time.time() + seconds))
    failure.message += f"; Azure asks to wait for {seconds / 60:.0f} minutes"
    failure.args = (failure.message,)
    failure.hint = f"Run again after {when}, or raise advanced.operation_timeout above {seconds:.0f}."


def _never_sent(error: SdkError) -> bool:
    """Tell whether a request surely did not reach anybody: there was no connection at all.

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
