"""A client is killed, or the network fails, while it sends a request: what is not whole is not done."""

from __future__ import annotations

import json

import pytest
from emulator_client import AzureClient
from raw_requests import ARM, replied


def the_request(azure: AzureClient, *, chunked: bool) -> bytes:
    """A PUT of an identity, byte by byte as a client sends it."""
    path = f"{azure.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/cut?api-version=2024-11-30"
    body = json.dumps({"location": "eastus2", "tags": {"whole": "yes"}}).encode()
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = [
        f"PUT {path} HTTP/1.1", f"Host: {ARM}", "Content-Type: application/json", "Connection: close",
        f"Authorization: Bearer {azure.token('https://management.azure.com')}", length, "", "",
    ]  # fmt: skip
    parts = [body[:10], body[10:], b""] if chunked else []
    sent = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) if chunked else body
    return "\r\n".join(head).encode() + sent


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "in chunks"])
def test_a_request_that_was_cut_off_anywhere_does_nothing(azure: AzureClient, chunked: bool) -> None:
    whole = the_request(azure, chunked=chunked)
    head = whole.index(b"\r\n\r\n") + 4
    # Within the token every place is like every other one.
    ends = [*range(1, 200, 9), *range(head - 60, len(whole))]
    before = azure.attached.control("GET", "/control/requests")

    for end in ends:
        assert not replied(azure, whole[:end]).startswith(b"HTTP/1.1 2"), whole[:end][-80:]

    assert azure.attached.control("GET", "/control/requests") == before
    assert azure.get("Microsoft.ManagedIdentity/userAssignedIdentities")["value"] == []
    assert replied(azure, whole).startswith(b"HTTP/1.1 201")
    assert azure.get("Microsoft.ManagedIdentity/userAssignedIdentities/cut")["tags"] == {"whole": "yes"}
