"""The one pipeline for everything that is sent: what is tried again, and what is not."""

from __future__ import annotations

import dataclasses
import gc
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import HttpRequest, RequestsTransport
from azure.identity import ClientSecretCredential
from scripted_azure import GROUP, Answer, Request, scripted_azure

from azure_emulator.attach import Attached, attach
from draftgenie_azure.arm import sessions
from draftgenie_azure.arm.credentials import SharedCredential
from draftgenie_azure.arm.refusals import error_parts, never_sent
from draftgenie_azure.arm.replies import LONGEST_ASKED, Reply
from draftgenie_azure.arm.transport import Bucket, Transport
from draftgenie_azure.config.clouds import CLOUDS
from draftgenie_azure.errors import AuthenticationError, AzureError
from draftgenie_azure.run.control import RunControl


class MuteProxy:
    """Stands before a proxy; takes connections and says nothing while `mute` is above zero, else passes all on."""

    def __init__(self, beyond: str) -> None:
        self.mute = 0
        self.seen = 0
        self._beyond = urlsplit(beyond)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = [self._listener]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            self.seen += 1
            self._open.append(near)
            if self.mute > 0:
                self.mute -= 1
                continue
            try:
                far = socket.create_connection((str(self._beyond.hostname), int(self._beyond.port or 0)))
            except OSError:
                near.close()  # nobody is there any more
                continue
            self._open.append(far)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass  # either side is gone
        finally:
            target.close()

    def close(self) -> None:
        """End everything."""
        for one in self._open:
            one.close()


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Attached]:
    """An empty Azure."""
    attached = attach(tmp_path / ".azure-emulator")
    assert attached is not None
    with attached:
        yield attached


@pytest.fixture
def proxy(emulator: Attached) -> Iterator[MuteProxy]:
    """The cause lies between us and Azure."""
    between = MuteProxy(emulator.proxy_url)
    yield between
    between.close()


@pytest.fixture
def transport(
    emulator: Attached, proxy: MuteProxy, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Transport:
    """A pipeline that waits for an answer for half a second, and goes on for a few; or for as long as a test says."""
    limit, budget = getattr(request, "param", (0.5, 4.0))
    monkeypatch.setattr(sessions, "READ_TIMEOUT", limit)
    monkeypatch.setattr(sessions, "CONNECT_TIMEOUT", limit)
    ca_file = str(emulator.ca_file)
    credential = ClientSecretCredential(
        emulator.tenant_id,
        emulator.client_id,
        emulator.client_secret,
        proxies={"https": emulator.proxy_url},
        connection_verify=ca_file,
        use_env_settings=False,
    )
    made = Transport(
        endpoints=dataclasses.replace(CLOUDS["emulator"], proxy=proxy.url, ca_file=ca_file),
        credential=SharedCredential(lambda: credential),
        subscription_id=emulator.subscription_id,
        control=RunControl(),
        logger=logging.getLogger("test"),
        budget=budget,
    )
    made.token("https://management.azure.com/.default")
    return made


@pytest.mark.parametrize("transport", [(0.5, 60.0)], indirect=True)
def test_timeout_is_retried(transport: Transport, proxy: MuteProxy) -> None:
    """The first two connections stay mute; the third one answers."""
    proxy.mute = 2

    reply = transport.arm("GET", "/subscriptions", params={"api-version": "2022-12-01"})

    assert reply.status == 200
    assert proxy.seen >= 3


def test_permanent_timeout_ends_with_the_budget_and_names_the_request(transport: Transport, proxy: MuteProxy) -> None:
    """The last real error is what is shown."""
    proxy.mute = 99

    with pytest.raises(AzureError, match=r"GET /subscriptions: no answer") as failure:
        transport.arm("GET", "/subscriptions", params={"api-version": "2022-12-01"})

    assert failure.value.transient
    assert failure.value.hint is not None


def test_unrepeatable_request_is_not_sent_again_after_a_timeout(transport: Transport, proxy: MuteProxy) -> None:
    """Nobody knows whether it arrived."""
    proxy.mute = 99

    with pytest.raises(AzureError, match="no answer"):
        transport.arm("POST", "/subscriptions/x/start", params={"api-version": "1"}, repeatable=False)

    assert proxy.seen == 1


@pytest.mark.parametrize("through", [None, "http://127.0.0.1:1"], ids=["direct", "through a dead proxy"])
@pytest.mark.parametrize("url", ["https://127.0.0.1:1/", "https://no.such.host.invalid/"])
def test_request_without_a_connection_was_certainly_not_sent(url: str, through: str | None) -> None:
    """A refused connection and a name that does not resolve: even what begins something may be tried again."""
    with requests.Session() as session:
        session.trust_env = False
        transport = RequestsTransport(session=session, session_owner=False)
        proxies = {"https": through} if through else None

        with pytest.raises(ServiceRequestError) as failure:
            transport.send(HttpRequest("POST", url), proxies=proxies)

    assert never_sent(failure.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("-1", 0),
        ("9999999999999", LONGEST_ASKED),
        ("nan", None),
        ("inf", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    """An unreadable value is ignored, and a large one is capped."""
    assert Reply(429, {"Retry-After": text}, "").retry_after == seconds


def test_retry_after_as_a_future_date_is_waited_for() -> None:
    """Seconds until then."""
    future = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 20))

    asked = Reply(503, {"Retry-After": future}, "").retry_after

    assert asked is not None
    assert 5 < asked <= 20


def test_date_in_retry_after_is_by_the_services_clock() -> None:
    """Ours may be wrong by hours."""
    headers = {"Date": "Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT"}

    assert Reply(503, headers, "").retry_after == 30


GOOD = Answer(body={"name": "it is there"})


@pytest.mark.parametrize(
    "bad",
    [
        Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"name\": "),
        Answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"name\""),
        Answer(raw=b""),
        Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n"),
        Answer(body="<html>Sign in to the wireless network</html>", headers={"Content-Type": "text/html"}),
        Answer(body=""),
        Answer(body=b"null"),
        Answer(body=b"\xff\xfe{"),
        Answer(503, b"\xff", {"Content-Type": "text/plain; charset=no-such"}),
        Answer(503, {"error": {"code": 5, "details": 5}}),
        Answer(429, {}, {"Retry-After": "-5"}),
    ],
    ids=[
        "cut off", "cut off in chunks", "closed", "not HTTP", "a page", "empty", "null", "not UTF-8", "bad charset",
        "bad details", "a time that is past",
    ],
)  # fmt: skip
def test_invalid_reply_is_requested_again(tmp_path: Path, bad: Answer) -> None:
    """A broken connection, or a proxy or a hotel's network that answers in Azure's place."""
    answers = [bad, GOOD]

    with scripted_azure(tmp_path, lambda request: answers.pop(0)) as azure:
        assert azure.arm.read(GROUP) == GOOD.body


def test_permanently_invalid_reply_is_a_failure_with_a_hint(tmp_path: Path) -> None:
    """It says what came, and no traceback."""
    page = Answer(body="<html>Sign in to the network</html>", headers={"Content-Type": "text/html"})

    with (
        scripted_azure(tmp_path, lambda request: page, budget=1) as azure,
        pytest.raises(AzureError, match=r"200 not a reply of Azure: .*Sign in to the network") as failure,
    ):
        azure.arm.read(GROUP)

    assert "proxy" in str(failure.value.hint)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_redirect_is_not_a_reply_of_azure(tmp_path: Path, method: str) -> None:
    """A write that was only redirected was not done."""
    elsewhere = Answer(307, "", {"Location": "https://elsewhere.example/"})

    with (
        scripted_azure(tmp_path, lambda request: elsewhere) as azure,
        pytest.raises(AzureError, match="307 not a reply of Azure"),
    ):
        azure.transport.arm(method, GROUP, params={"api-version": "1"})


def test_retry_after_zero_still_pauses(tmp_path: Path) -> None:
    """`Retry-After: 0` for as long as the budget lasts: our own pauses grow."""
    busy = Answer(503, "", {"Retry-After": "0"})

    with scripted_azure(tmp_path, lambda request: busy, budget=3) as azure:
        with pytest.raises(AzureError):
            azure.arm.read(GROUP)

        assert len(azure.requests) < 10


# --- tokens ---


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_token_that_is_refused_is_replaced_by_a_new_one(tmp_path: Path, method: str) -> None:
    """The SDK's credentials would hand out the same one again; a refused write was not done."""

    def script(request: Request) -> Answer:
        return Answer(401, {"error": {"code": "ExpiredAuthenticationToken"}}) if request.token == "token-1" else GOOD

    with scripted_azure(tmp_path, script) as azure:
        azure.transport.arm(method, GROUP, params={"api-version": "1"}, repeatable=False, tries=1)

        assert [request.token for request in azure.requests] == ["token-1", "token-2"]


def test_token_that_is_refused_to_many_threads_is_replaced_once(tmp_path: Path) -> None:
    """A late refusal of the old token does not cost the new one."""

    def script(request: Request) -> Answer:
        return Answer(401, {"error": {"code": "ExpiredAuthenticationToken"}}) if request.token == "token-1" else GOOD

    with scripted_azure(tmp_path, script) as azure, ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda number: azure.arm.read(f"{GROUP}-{number}"), range(30)))

        assert {request.token for request in azure.requests} == {"token-1", "token-2"}


def test_sign_in_that_is_refused_twice_is_a_failure(tmp_path: Path) -> None:
    """Once more helps against a token that ran out, not against a wrong tenant."""
    no = Answer(401, {"error": {"code": "InvalidAuthenticationTokenTenant", "message": "wrong tenant"}})

    with scripted_azure(tmp_path, lambda request: no) as azure:
        with pytest.raises(AuthenticationError, match="wrong tenant") as failure:
            azure.arm.read(GROUP)

        assert len(azure.requests) == 2
    assert "subscription's tenant" in str(failure.value.hint)


def test_bucket_lets_a_burst_through_and_then_keeps_its_rate() -> None:
    """Azure's writes: 200 at once, then 10 a second."""
    bucket = Bucket(200, 10)

    waits = [bucket.take() for _ in range(300)]

    assert max(waits[:200]) == 0
    assert 5 < waits[-1] <= 10


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"code": "A", "message": "m"}}, "A", "m"),
        ({"code": "A", "message": "m"}, "A", "m"),
        ({"Code": "A", "Message": "m"}, "A", "m"),
        ({"error": {"code": "Out", "message": "m", "details": [{"code": "In", "message": "why"}]}}, "In", "m why"),
        ({"code": "Out", "message": '{"error": {"code": "In", "message": "why"}}'}, "In", "why"),
        ({"code": "A", "message": "{not JSON"}, "A", "{not JSON"),
        ({"error": {"code": "A", "message": "m", "details": 5}}, "A", "m"),
        ("<html>  bad\n gateway </html>", "", "<html> bad gateway </html>"),
        (None, "", ""),
    ],
)
def test_code_and_message_are_found_in_every_shape_of_error(body: object, code: str, message: str) -> None:
    """The innermost code is the useful one."""
    assert error_parts(body) == (code, message)


@pytest.mark.slow
@pytest.mark.parametrize("transport", [(30.0, 60.0)], indirect=True)
def test_long_waits_take_no_more_memory_than_short_ones(
    transport: Transport, emulator: Attached, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand polls leave nothing behind: no answer, no log record, no connection."""
    group = f"/subscriptions/{emulator.subscription_id}/resourceGroups/waiting"
    version = {"api-version": "2025-04-01"}
    monkeypatch.setattr(Bucket, "take", lambda self: 0.0)  # at our pace they would take most of a minute
    transport.arm("PUT", group, params=version, json_body={"location": "eastus2"})

    def growth(polls: int) -> int:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(polls):
            transport.arm("GET", group, params=version)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    try:
        growth(100)  # caches and pools are filled once
        rounds = [growth(400) for _ in range(3)]
    finally:
        tracemalloc.stop()

    # What is kept of a poll is kept in every round; what something else fills for once is in one of them.
    assert min(rounds) < 20_000, rounds  # bytes; an answer kept for each poll would be 200,000 and more
