"""A proxy on loopback between the state and Azurite that replies wrongly, late or not at all, as configured."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Fault:
    """A fault for requests, by method, URL and header.

    Attributes:
        method: of the request.
        address: a regular expression that is found in path and query.
        times: how many requests are hit; then it is over.
        skip: how many are let through before.
        status: answered in place of the server, with `code` and `headers`.
        drop: `before` the request is sent on, or `after` its reply has come.
        late: seconds that the reply is held back.
        meanwhile: called after the request was sent on, before its reply is.
    """

    method: str
    address: str = ""
    times: int = 1
    skip: int = 0
    status: int = 0
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    drop: str = ""
    late: float = 0.0
    meanwhile: Callable[[], None] | None = None
    hit: int = 0


class FaultProxy:
    """Forwards to a server, faults aside.

    Args:
        port: of the server, on loopback.

    Attributes:
        faults: in force now.
        seen: method and address of every request.
        severed: while it is set, every connection is closed without an answer, as if the network were gone.
    """

    def __init__(self, port: int) -> None:
        self.faults: list[Fault] = []
        self.seen: list[str] = []
        self.severed = threading.Event()
        self._mutex = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, port))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def fault_for(self, method: str, address: str) -> Fault | None:
        """The fault that hits a request, which is counted."""
        with self._mutex:
            self.seen.append(f"{method} {address}")
            for fault in self.faults:
                if fault.method != method or not re.search(fault.address, address):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.hit < fault.times:
                    fault.hit += 1
                    return fault
        return None

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


def _handler(proxy: FaultProxy, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = proxy.fault_for(self.command, self.path)
            if proxy.severed.is_set() or (fault is not None and fault.drop == "before"):
                return self._hang_up()
            if fault is not None and fault.status:
                return self._answer(fault.status, {"x-ms-error-code": fault.code, **fault.headers}, b"")
            status, headers, content = self._forward(body)
            if fault is not None and fault.meanwhile is not None:
                fault.meanwhile()
            if fault is not None and fault.late:
                time.sleep(fault.late)
            if fault is not None and fault.drop == "after":
                return self._hang_up()
            return self._answer(status, headers, content)

        def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request(self.command, self.path, body, dict(self.headers))
            reply = connection.getresponse()
            content = reply.read()
            headers = {key: value for key, value in reply.getheaders()
                       if key.lower() not in ("transfer-encoding", "connection", "keep-alive", "content-length")}
            connection.close()
            if self.command == "HEAD":
                headers["Content-Length"] = reply.getheader("Content-Length") or "0"
            return reply.status, headers, content

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            try:
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                self.wfile.flush()
            except OSError:
                self.close_connection = True  # who asked has given up waiting

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    return Handler
