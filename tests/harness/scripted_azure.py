"""Azure Resource Manager over TLS on loopback, where a test says what is answered: for what the emulator never does."""

from __future__ import annotations

import dataclasses
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme
from azure.core.credentials import AccessToken
from project import ROOT

from draftgenie_azure.arm.client import ArmClient
from draftgenie_azure.arm.credentials import SharedCredential
from draftgenie_azure.arm.ids import Scope
from draftgenie_azure.arm.transport import Transport
from draftgenie_azure.config import raw as configuration
from draftgenie_azure.config.clouds import CLOUDS
from draftgenie_azure.run.control import RunControl
from draftgenie_azure.session import Session
from draftgenie_azure.state.resource_records import ResourceRecords

GROUP = "/subscriptions/s/resourceGroups/g"
APP = f"{GROUP}/providers/Microsoft.App/containerApps/api"
SERVER = f"{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg"


@dataclass
class Answer:
    """A reply: `body` as JSON unless it is text or bytes; `raw` is sent unchanged, then the connection closes."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None

    def content(self) -> bytes:
        """The body's bytes."""
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return b"" if self.body is None else text.encode()


MISSING = Answer(404, {"error": {"code": "ResourceNotFound", "message": "not there"}})


@dataclass
class Request:
    """A request: `path` without its query, `at` in seconds of the monotonic clock."""

    method: str
    path: str
    token: str
    at: float


class SignIn:
    """A credential that numbers its tokens: `token-1`, `token-2`, …; like the SDK's own it keeps what it once got."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self._token = f"token-{self.made}"

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        """The token."""
        return AccessToken(self._token, int(time.time()) + 3600)


@dataclass
class ScriptedAzure:
    """The session with it, as the deployer has one, and what it was asked."""

    session: Session
    url: str
    requests: list[Request]

    @property
    def arm(self) -> ArmClient:
        """The client for Resource Manager."""
        return self.session.arm

    @property
    def transport(self) -> Transport:
        """The transport that sends the requests."""
        return self.session.transport

    @property
    def records(self) -> ResourceRecords:
        """Resources, secrets and operations."""
        return self.session.records

    @property
    def control(self) -> RunControl:
        """Stop and width."""
        return self.session.control

    def sent(self, method: str) -> list[Request]:
        """The requests of one method."""
        return [request for request in self.requests if request.method == method]


@contextmanager
def scripted_azure(
    directory: Path,
    script: Callable[[Request], Answer],
    *,
    budget: float = 10.0,
    parallelism: int = 10,
    ahead: float = 0.0,
) -> Iterator[ScriptedAzure]:
    """Serve what `script` answers to each request.

    Args:
        directory: where the CA's certificate is written.
        budget: seconds that one request is tried again.
        parallelism: resources in flight.
        ahead: seconds that Azure's clock is ahead of ours.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    requests: list[Request] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script, requests, ahead))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"https://localhost:{server.server_port}"
    SignIn.made = 0
    control = RunControl(parallelism)
    transport = Transport(
        endpoints=dataclasses.replace(
            CLOUDS["emulator"], resource_manager=url, proxy=None, ca_file=str(directory / "ca.pem")
        ),
        credential=SharedCredential(SignIn),
        subscription_id="s",
        control=control,
        logger=logging.getLogger("test"),
        budget=budget,
    )
    records = ResourceRecords({"resources": {}, "secrets": {}, "operations": {}, "salt": "00"}, lambda: None)
    session = Session(
        config=configuration.load([str(ROOT / "config.yaml")], {}),
        logger=transport.logger,
        control=control,
        records=records,
        transport=transport,
        arm=ArmClient(transport, records, control),
        scope=Scope("s", "g"),
        subscription={"subscriptionId": "s", "tenantId": "t"},
        claims={},
    )
    try:
        yield ScriptedAzure(session, url, requests)
    finally:
        server.shutdown()
        server.server_close()


def _handler(
    script: Callable[[Request], Answer], requests: list[Request], ahead: float
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            request = Request(self.command, self.path.split("?")[0], token, time.monotonic())
            requests.append(request)
            answer = script(request)
            if answer.raw is not None:
                self.wfile.write(answer.raw)
                self.close_connection = True
                return
            content = answer.content()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def date_time_string(self, timestamp: float | None = None) -> str:
            """For `Date`."""
            return super().date_time_string(time.time() + ahead)

        do_GET = do_HEAD = do_PUT = do_PATCH = do_POST = do_DELETE = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on standard error."""

    return Handler
