"""A proxy on loopback that notes which hosts a run wants to reach, and lets the emulator answer."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class RecordingProxy:
    """Stands between a run and another proxy.

    Args:
        beyond: address of the proxy that answers.

    Attributes:
        hosts: every host of a CONNECT, and the address of every other request.
    """

    def __init__(self, beyond: str) -> None:
        parts = urlsplit(beyond)
        self._beyond = (parts.hostname or "", parts.port or 0)
        self.hosts: set[str] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        with suppress(OSError), client:
            while b"\r\n" not in head:
                part = client.recv(65536)
                if not part:
                    return
                head += part
            self.hosts.add(head.split(b" ")[1].decode("latin-1").removesuffix(":443"))
            with socket.create_connection(self._beyond) as server:
                server.sendall(head)
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()

    def close(self) -> None:
        """Stop."""
        self._server.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
