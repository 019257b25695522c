"""A network that does not lead to Azure: proxies that refuse, certificates that nobody trusts, sign-ins that fail."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import trustme
from project import Project

LOGIN = "login.nowhere.invalid"
Handler = Callable[[str, socket.socket], None]


@contextmanager
def proxy(handle: Handler) -> Iterator[str]:
    """A proxy on loopback; `handle` gets the first line of each CONNECT and the connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with suppress(OSError), connection:  # the client may have seen enough
            head = b""
            while b"\r\n\r\n" not in head:
                more = connection.recv(65536)
                if not more:
                    return
                head += more
            handle(head.decode("latin-1").splitlines()[0], connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def refusing(status: str) -> Handler:
    """Refuses every tunnel."""
    return lambda line, connection: connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())


def signing_in(certificate: trustme.LeafCert, status: int, body: dict[str, Any]) -> Handler:
    """Ends TLS with a certificate and is a token service that answers every request for a token so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    base = f"https://{LOGIN}/t"
    discovery = {"token_endpoint": f"{base}/token", "authorization_endpoint": f"{base}/authorize", "issuer": base}

    def handle(line: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as secure:
            while request := secure.recv(65536):
                is_token = request.startswith(b"POST")
                text = json.dumps(body if is_token else discovery).encode()
                head = f"HTTP/1.1 {status if is_token else 200} X\r\nContent-Type: application/json\r\n"
                secure.sendall(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)

    return handle


def use_cloud(project: Project, **more: str) -> None:
    """A cloud of its own, a client secret, and a budget that would take the test's patience."""
    names = {"vault": "vault", "registry": "cr", "storage": "core", "postgres": "postgres"}
    suffixes = {f"{key}_suffix": f"{name}.nowhere.invalid" for key, name in names.items()}
    project.change(
        "azure.cloud",
        {
            "name": "nowhere",
            "resource_manager": "https://management.nowhere.invalid",
            "authority": f"https://{LOGIN}",
            **suffixes,
            **more,
        },
    )
    for key in ("gemini_api_key", "instanote_api_key"):
        project.change(f"secrets.{key}", f"given-{key}")
    project.environment.update(
        {"AZURE_TENANT_ID": "00000000-0000-0000-0000-000000000001", "AZURE_CLIENT_ID": "x", "AZURE_CLIENT_SECRET": "y"}
    )
