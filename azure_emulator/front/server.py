"""Sockets: one loopback port that is a CONNECT proxy, terminates TLS for Azure's names, and serves control requests."""

from __future__ import annotations

import re
import secrets
import socket
import ssl
import string
import sys
import time
import traceback
import uuid
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from azure_emulator.core import effects
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.reporting import report
from azure_emulator.core.world import World
from azure_emulator.front import control, faulty, framing, hosts
from azure_emulator.front.certificates import Certificates
from azure_emulator.front.framing import CutOff, Whole

_VAULT_WRITE_SECONDS = 0.005
_LINGER_SECONDS, _LINGERING = 2.0, 64 * 1024 * 1024
"""How long, and for how many bytes, a connection that ends takes what its client still sends."""


class Holders:
    """Counts the clients that hold the emulator; it may end some time after the last one has gone."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._changed = time.monotonic()
        self.ever = False

    def enter(self) -> None:
        with self._lock:
            self._count += 1
            self._changed = time.monotonic()
            self.ever = True

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
            self._changed = time.monotonic()

    def idle_seconds(self) -> float:
        with self._lock:
            return 0.0 if self._count else time.monotonic() - self._changed


class Server(ThreadingHTTPServer):
    """The listening socket; each connection has a thread, which also performs its TLS handshake."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, world: World, certificates: Certificates, port: int = 0) -> None:
        self.world = world
        self.secret = secrets.token_urlsafe(32)
        """The secret for requests to the control address; generated per process."""
        self.certificates = certificates
        self.holders = Holders()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore disconnected clients; log anything else with its traceback."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError, ssl.SSLError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection: first plain (control, CONNECT), then inside the tunnel the requests to one host."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet a reply: with the default each header line waits for the client's delayed ACK
    disable_nagle_algorithm = True
    timeout = 300
    server: Server
    tunnel = ""

    def parse_request(self) -> bool:
        """Read the headers. `http.client` takes an end of the connection among them for their end: of a request that
        was cut off there, all that follows would be missing, its body too."""
        if not self.raw_requestline.endswith(b"\n"):
            raise CutOff
        rest = self.rfile
        self.rfile = Whole(rest)
        try:
            return super().parse_request()
        finally:
            self.rfile = rest

    def handle_expect_100(self) -> bool:
        """Send the interim reply at once: its client sends the body only after it."""
        wanted = super().handle_expect_100()
        self.wfile.flush()
        return wanted

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing to standard error: requests are in requests.jsonl."""

    def do_CONNECT(self) -> None:
        host, _, port = self.path.partition(":")
        host = host.lower()
        with self.server.world.lock:
            served = port == "443" and hosts.is_served(self.server.world, host)
        if self.tunnel or not served:
            self._reply(
                Response(
                    403,
                    f"The Azure emulator does not serve '{self.path}': only names of Azure "
                    "that exist here, on port 443.\n",
                    content_type="text/plain",
                )
            )
            self.close_connection = True
            return
        self.send_response_only(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        self._start_tls(host)
        self.tunnel = host
        self.close_connection = False

    def _start_tls(self, host: str) -> None:
        context = self.server.certificates.context(host)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", -1)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self._linger()
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.close()

    def _linger(self) -> None:
        """Take what the client still sends: closing with it unread would reset the connection, and a client that is
        still sending would never see the reply that refuses it."""
        connection, left = self.connection, _LINGERING
        try:
            socket.socket.shutdown(connection, socket.SHUT_WR)
            connection.settimeout(_LINGER_SECONDS)
            while left > 0 and (data := socket.socket.recv(connection, 65536)):
                left -= len(data)
        except OSError:
            pass  # it has gone

    def _any(self) -> None:
        if self.tunnel:
            self._azure()
        elif self.path.startswith("/control/"):
            self._control()
        else:
            self._reply(
                Response(
                    403, "The Azure emulator answers over HTTPS only, through CONNECT.\n", content_type="text/plain"
                )
            )

    def __getattr__(self, name: str) -> Any:
        """`do_GET`, `do_PUT` and every other method, known or not: the service decides which it supports."""
        if name.startswith("do_"):
            return self._any
        raise AttributeError(name)

    # Control

    def _control(self) -> None:
        try:
            control.check_caller(self.headers, self.server.server_address[1], self.server.secret)
            if self.path == "/control/hold":
                self._hold()
                return
            request = self._read("")
        except Refusal as refusal:
            self.close_connection = True
            self._reply(Response(refusal.status, refusal.body()))
            return
        self._reply(control.handle(self.server.world, self.server.address, request))

    def _hold(self) -> None:
        """Keep the connection until the client closes it; the kernel closes it when the client is killed."""
        self.server.holders.enter()
        try:
            self._reply(Response(200, {"emulator_id": self.server.world.identity.id}))
            self.connection.settimeout(None)
            while self.connection.recv(1024):
                pass
        except OSError:
            pass  # a reset also ends the hold
        finally:
            self.server.holders.leave()
            self.close_connection = True

    # Azure

    def _read(self, host: str) -> Request:
        length = framing.length_of(self.headers)
        if length != 0:
            self._acknowledge()
        body = framing.body_of(length, self.rfile)
        try:
            parts = urlsplit(self.path)
        except ValueError as error:
            raise Refusal(400, "BadRequest", f"The request could not be read: {error}") from error
        query = {key.lower(): value for key, value in parse_qsl(parts.query, keep_blank_values=True)}
        headers = {key.lower(): value for key, value in self.headers.items()}
        path = "/" + "/".join(part for part in parts.path.split("/") if part)
        if parts.path.endswith("/") and path != "/" and not hosts.is_arm(host):
            path += "/"
        return Request(self.command, host, unquote(path) if hosts.is_arm(host) else path, query, headers, body)

    def _acknowledge(self) -> None:
        """Acknowledge the headers at once. urllib3 leaves Nagle's algorithm on towards a proxy and sends the body in a
        separate packet, which would wait 40 ms for the kernel's delayed ACK (measured: 44 ms a PUT, else 1)."""
        quick = getattr(socket, "TCP_QUICKACK", None)  # Linux only
        if quick is not None:
            self.connection.setsockopt(socket.IPPROTO_TCP, quick, 1)

    def _azure(self) -> None:
        world = self.server.world
        try:
            request = self._read(self.tunnel)
        except Refusal as refusal:
            self.close_connection = True
            self._reply(Response(refusal.status, refusal.body()))
            return
        response, drop = answer(world, request)
        if not drop:
            _common_headers(world, request, response)
        world.log.write(request, None if drop else response.status, world.clock.now())
        if drop:
            self.close_connection = True
            return
        self._reply(response)

    def _reply(self, response: Response) -> None:
        content = response.encoded()
        self.send_response_only(response.status)
        headers = dict(response.headers)
        if content and "Content-Type" not in headers:
            headers["Content-Type"] = response.content_type or "application/json; charset=utf-8"
        if response.status not in (204, 304) or content:
            headers.setdefault("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value if value.isascii() else quote(value, safe=string.printable))
        self.send_header("Date", self.date_time_string())
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()


def answer(world: World, request: Request) -> tuple[Response, bool]:
    """Return the response, and whether to drop the connection instead of sending it.

    A fault applies after authentication and before the handler; `drop: after` does the work and loses the reply.
    """
    try:
        with world.lock:
            hosts.authenticate(world, request)
        fault = world.faults.meet(request.method, request.host, request.path)
        if fault is not None:
            if fault.drop == "before":
                return Response(), True
            if fault.status is not None:
                return faulty.reply(fault, request), False
            request.fail_operation = fault.fail
        return _handled(world, request), fault is not None and fault.drop == "after"
    except Refusal as refusal:
        return hosts.refused(request, refusal), False
    except Exception:  # noqa: BLE001 - the last resort for what comes before the handler, as in `_locked`
        return _internal_error(), False


def _handled(world: World, request: Request) -> Response:
    hosts.prepare(world, request)
    vault = hosts.written_vault(request)
    if vault is None:
        return _locked(world, request)
    if not world.begin_exclusive(vault):
        raise Refusal(
            409,
            "ConflictError",
            f"A conflict occurred: the vault '{vault.rsplit('/', 1)[1]}' changed from the point the operation "
            "began. Please serialize the operations and retry.",
        )
    try:
        # A write takes a moment, so that concurrent ones collide.
        time.sleep(max(_VAULT_WRITE_SECONDS, world.seconds("vault", "write")))
        return _locked(world, request)
    finally:
        world.end_exclusive(vault)


def _locked(world: World, request: Request) -> Response:
    with world.lock:
        try:
            world.operations.settle(partial(effects.finish, world))
            world.commit()
            response = hosts.handle(world, request)
            world.commit()
            return response
        except Refusal as refusal:
            world.store.rollback(request.path)
            return hosts.refused(request, refusal)
        except Exception:  # noqa: BLE001 - the last resort, for the reason below
            # A bug of the emulator must neither drop the connection, which would hide the cause from a client, nor
            # leave half of a change: it is logged, undone and returned as Azure returns its own.
            world.reload()
            return _internal_error()


def _internal_error() -> Response:
    """500 in ARM's envelope; the traceback goes to standard error, which is emulator.log."""
    report(traceback.format_exc())
    error = {"code": "InternalServerError", "message": "Internal server error occurred. See emulator.log."}
    return Response(500, {"error": error}, {"x-ms-failure-cause": "service"})


def _carries_operation(request: Request) -> bool:
    """Header of writes, actions and polls of most services; not of groups, listings and apps (recorded traffic)."""
    path = request.path.lower()
    polls = re.search(r"/\w*operation(status|statuses|results?)?/[^/]+$", path) is not None
    return "/providers/" in path and (request.method != "GET" or polls or "/revisions" in path)


_REMAINING = {
    "GET": "reads",
    "HEAD": "reads",
    "PUT": "writes",
    "PATCH": "writes",
    "POST": "writes",
    "DELETE": "deletes",
}


def _common_headers(world: World, request: Request, response: Response) -> None:
    """Return request and correlation ids, and the caller's remaining requests (recorded traffic)."""
    headers = response.headers
    own = str(uuid.uuid4())
    headers.setdefault("x-ms-request-id", own)
    if not hosts.is_arm(request.host):
        return
    headers.setdefault("x-ms-correlation-request-id", request.headers.get("x-ms-correlation-request-id", own))
    if request.principal is not None and _carries_operation(request):
        headers.setdefault(
            "x-ms-operation-identifier",
            f"tenantId={world.identity.tenant_id},objectId={request.principal.object_id}/eastus2/{own}",
        )
    client = request.headers.get("x-ms-client-request-id")
    if client and request.headers.get("x-ms-return-client-request-id", "").lower() == "true":
        headers["x-ms-client-request-id"] = client
    if headers.get("x-ms-failure-cause") == "gateway":
        return
    path = request.path.lower()
    if "/providers/microsoft.app/" in path and request.method in ("PUT", "PATCH"):
        headers["x-ms-ratelimit-remaining-subscription-resource-requests"] = "799"
        return
    if path in ("/subscriptions", "/tenants"):
        headers["x-ms-ratelimit-remaining-tenant-reads"] = "249"
        return
    kind = _REMAINING.get(request.method, "writes")
    if path.endswith("/microsoft.containerregistry/checknameavailability"):
        kind = "reads"
    few, many = ("1099", "16499") if kind == "reads" else ("799", "11999")
    headers[f"x-ms-ratelimit-remaining-subscription-{kind}"] = few
    headers[f"x-ms-ratelimit-remaining-subscription-global-{kind}"] = many
