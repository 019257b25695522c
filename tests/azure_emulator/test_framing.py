"""Requests that HTTP allows but few clients send, and such as it does not: none is done in part or waited for."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from emulator_client import AzureClient
from raw_requests import ARM, replied, tunnel

BODY = json.dumps({"location": "eastus2", "tags": {"whole": "yes"}}).encode()
LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
PARTS = (10, BODY[:10], len(BODY) - 10, BODY[10:])
EXTENDED = b"%X;a=b\r\n%s\r\n%x ; c\r\n%s\r\n00\r\nX-One: 1\r\nX-Two: 2\r\n\r\n" % PARTS


@pytest.fixture
def put(azure: AzureClient) -> Callable[[str, bytes], bytes]:
    """A PUT of an identity with these headers and this body, and what follows it on the connection."""
    token = azure.token("https://management.azure.com")
    path = f"{azure.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one?api-version=2024-11-30"

    def send(headers: str, body: bytes) -> bytes:
        head = [f"PUT {path} HTTP/1.1", f"Host: {ARM}", f"Authorization: Bearer {token}", *headers.split("|"), "", ""]
        next_one = f"GET {azure.group}?api-version=2025-04-01 HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n"
        return replied(azure, "\r\n".join(head).encode() + body + next_one.encode())

    return send


def identities(azure: AzureClient) -> list[str]:
    return [item["name"] for item in azure.get("Microsoft.ManagedIdentity/userAssignedIdentities")["value"]]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (LENGTH, BODY), (CHUNKED, CHUNKS), ("transfer-encoding: CHUNKED", CHUNKS), (CHUNKED, EXTENDED),
        (f"{LENGTH}|X-Long: {'a' * 40000}", BODY), (f"{LENGTH}|X-Folded: a| b", BODY),
        (f"Content-Length:   {len(BODY)}  ", BODY), (f"Content-Length: 000{len(BODY)}", BODY),
    ],
)  # fmt: skip
def test_a_request_and_the_one_behind_it_are_both_read(
    azure: AzureClient, put: Callable[[str, bytes], bytes], headers: str, body: bytes
) -> None:
    received = put(headers, body)

    assert received.startswith(b"HTTP/1.1 201"), received
    assert received.count(b"HTTP/1.1 200 OK") == 1, received
    assert azure.get("Microsoft.ManagedIdentity/userAssignedIdentities/one")["tags"] == {"whole": "yes"}


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (f"{LENGTH}|{LENGTH}", BODY, 400), (f"{LENGTH}|Content-Length: 5", BODY, 400),
        (f"Content-Length: {len(BODY)}, {len(BODY)}", BODY, 400), (f"{LENGTH}|{CHUNKED}", CHUNKS, 400),
        (f"{CHUNKED}|{CHUNKED}", CHUNKS, 400), ("Content-Length: +40", BODY, 400), ("Content-Length: 4_0", BODY, 400),
        ("Content-Length: -1", BODY, 400), ("Content-Length: 0x10", BODY, 400), ("Content-Length: ", BODY, 400),
        ("Content-Length: 99999999999999999999", BODY, 400), ("Content-Length: \u00b2", BODY, 400),
        ("Transfer-Encoding: gzip, chunked", CHUNKS, 501), ("Transfer-Encoding: xchunked", CHUNKS, 501),
        ("Transfer-Encoding: identity", BODY, 501), (CHUNKED, b"0x5\r\nabcde\r\n0\r\n\r\n", 400),
        (CHUNKED, b"5\r\nabcdeXX0\r\n\r\n", 400), (CHUNKED, b"+5\r\nabcde\r\n0\r\n\r\n", 400), (CHUNKED, b"\r\n", 400),
        (CHUNKED, b"ffffffffffffffff\r\n", 400), (CHUNKED, b"-1\r\n", 400), (CHUNKED, b"5;" + b"a" * 70000, 400),
        (f"no header at all|{LENGTH}", BODY, 400), (f"Content-Length : {len(BODY)}", BODY, 400),
        (f": nothing|{LENGTH}", BODY, 400),
        (f"X-Long: {'a' * 70000}|{LENGTH}", BODY, 431), ("|".join(f"X-{n}: a" for n in range(120)), b"", 431),
    ],
)  # fmt: skip
def test_a_request_whose_end_is_not_clear_is_refused_and_nothing_of_it_done(
    azure: AzureClient, put: Callable[[str, bytes], bytes], headers: str, body: bytes, status: int
) -> None:
    received = put(headers, body)

    assert received.startswith(b"HTTP/1.1 %d" % status), received
    assert received.count(b"HTTP/1.1 ") == 1, received
    code = {400: "BadRequest", 501: "NotImplemented"}.get(status, "")
    assert f'"code":"{code}"'.encode() in received or not code
    assert identities(azure) == []


def test_a_client_that_waits_for_continue_gets_it_before_its_body(azure: AzureClient) -> None:
    token = azure.token("https://management.azure.com")
    path = f"{azure.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one?api-version=2024-11-30"
    head = [f"PUT {path} HTTP/1.1", f"Host: {ARM}", f"Authorization: Bearer {token}", LENGTH, "Expect: 100-continue"]
    with tunnel(azure) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode())

        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert connection.recv(65536).startswith(b"HTTP/1.1 201")


def test_a_body_larger_than_resource_manager_takes_is_refused(azure: AzureClient) -> None:
    path = "Microsoft.ManagedIdentity/userAssignedIdentities/one"

    answer = azure.call("PUT", path, {"location": "eastus2", "tags": {"a": "x" * 4_200_000}})

    assert (answer.status_code, azure.error(answer)) == (413, "RequestContentTooLarge")
    assert answer.json()["error"]["message"] == "The request content size exceeds the maximum size of 4 MB."
    assert identities(azure) == []
    logged = azure.attached.control("GET", "/control/requests")["requests"]
    assert next(item["body"] for item in logged if item["status"] == 413).endswith(" bytes")
