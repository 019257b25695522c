"""Requests to Resource Manager byte by byte, as no client library would send them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from emulator_client import AzureClient

ARM = "management.azure.com"


@contextmanager
def tunnel(azure: AzureClient) -> Iterator[ssl.SSLSocket]:
    """A connection to Azure through the proxy."""
    host, port = azure.attached.proxy_url.rpartition("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        plain.sendall(f"CONNECT {ARM}:443 HTTP/1.1\r\nHost: {ARM}:443\r\n\r\n".encode())
        assert plain.recv(65536).startswith(b"HTTP/1.1 200")
        context = ssl.create_default_context(cafile=str(azure.attached.ca_file))
        with context.wrap_socket(plain, server_hostname=ARM) as connection:
            yield connection


def replied(azure: AzureClient, data: bytes) -> bytes:
    """Send the data and end there; returns what comes back."""
    with tunnel(azure) as connection:
        connection.sendall(data)
        socket.socket.shutdown(connection, socket.SHUT_WR)  # as the kernel does for a process that was killed
        found = b""
        try:
            while more := connection.recv(65536):
                found += more
        except (ConnectionError, ssl.SSLError):
            pass  # closed without a farewell
    return found
