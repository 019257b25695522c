"""Token service and storage account of a cloud of its own, over TLS on loopback, that record what they are sent."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import trustme

STORAGE = "/account"


class Cloud:
    """The addresses of a cloud, and what was sent to them.

    Attributes:
        url: of all its services.
        requests: path, `Authorization` and form of each request.
        instead: answers by path, in place of the usual ones: status, headers, body.
    """

    def __init__(self, directory: Path) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.instead: dict[str, tuple[int, dict[str, str], Any]] = {}
        authority = trustme.CA()
        self.ca_file = directory / "cloud-ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}"

    @property
    def mapping(self) -> dict[str, str]:
        """The value for `azure.cloud`."""
        return {
            "name": "own", "resource_manager": self.url, "authority": self.url, "vault_suffix": "vault.test",
            "registry_suffix": "registry.test", "storage_suffix": "storage.test", "postgres_suffix": "pg.test",
            "ca_file": str(self.ca_file),
        }  # fmt: skip

    @property
    def values(self) -> dict[str, Any]:
        """A configuration whose state is in its storage."""
        return {"azure": {"cloud": self.mapping}, "advanced": {"state_blob_endpoint": f"{self.url}{STORAGE}"}}

    def sent_to(self, path: str) -> list[tuple[str, dict[str, str]]]:
        """`Authorization` and form of the requests whose path ends so."""
        return [(header, form) for sent, header, form in self.requests if sent.endswith(path)]

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        """Return the replies of such a service."""
        for end, answer in self.instead.items():
            if path.endswith(end):
                return answer
        tenant = f"{self.url}/tenant"
        if path.endswith("openid-configuration"):
            return 200, {}, {
                "issuer": f"{tenant}/v2.0",
                "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
                "token_endpoint": f"{tenant}/oauth2/v2.0/token",
            }  # fmt: skip
        if path.endswith("/token"):
            return 200, {}, {"token_type": "Bearer", "expires_in": 3600, "access_token": f"for {form.get('scope')}"}
        return 404, {"x-ms-error-code": "BlobNotFound"}, {}


def _handler(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            path = self.path.split("?")[0]
            cloud.requests.append((path, self.headers.get("Authorization") or "", form))
            status, headers, body = cloud.answer(path, form)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_HEAD = handle_any

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Handler


@contextmanager
def own_cloud(directory: Path) -> Iterator[Cloud]:
    """A running one."""
    cloud = Cloud(directory)
    threading.Thread(target=cloud.server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield cloud
    finally:
        cloud.server.shutdown()
        cloud.server.server_close()
