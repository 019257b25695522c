"""A sign-in or connection that fails says why, in words that help, and does not wait for what cannot pass."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
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
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                more = connection.recv(65536)
                if not more:
                    return
                head += more
            try:
                handle(head.decode("latin-1").splitlines()[0], connection)
            except OSError:
                return  # the client has seen enough

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


def failure(project: Project, *arguments: str) -> tuple[str, float]:
    """Return the output of a run that must fail, and its seconds."""
    began = time.monotonic()
    result = project.run("--output", "plain", *arguments)
    assert result.code == 1
    assert "Traceback" not in result.err
    return result.err, time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "cause", "advice"),
    [
        ("407 Proxy Authentication Required", "the proxy requires a user and a password (407)", "USER:PASSWORD@"),
        ("403 Forbidden", "the proxy refuses to connect to it (403)", "NO_PROXY"),
    ],
)
@pytest.mark.parametrize("by", ["configuration", "environment"])
def test_proxy_that_refuses_is_named_at_once(project: Project, status: str, cause: str, advice: str, by: str) -> None:
    with proxy(refusing(status)) as url:
        use_cloud(project, **({"proxy": url} if by == "configuration" else {}))
        if by == "environment":
            project.environment["HTTPS_PROXY"] = url
        shown, seconds = failure(project)

    assert f"failed: no token for Azure: {LOGIN}: {cause}" in shown
    assert advice in shown.split("next: ")[1]
    assert seconds < 60  # the budget is ten minutes


@pytest.mark.slow
def test_certificate_that_no_one_trusts_is_named_at_once(project: Project) -> None:
    handler = signing_in(trustme.CA().issue_cert(LOGIN), 200, {})
    with proxy(handler) as url:
        use_cloud(project, proxy=url)
        shown, seconds = failure(project)

    assert f"{LOGIN}: this machine does not trust the issuer of its certificate" in shown
    assert "REQUESTS_CA_BUNDLE" in shown.split("next: ")[1]
    assert seconds < 60


@pytest.mark.slow
def test_certificate_of_another_time_is_a_matter_of_the_clock(project: Project, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    handler = signing_in(authority.issue_cert(LOGIN, not_after=datetime.now(UTC) - timedelta(days=1)), 200, {})
    with proxy(handler) as url:
        use_cloud(project, proxy=url, ca_file=str(tmp_path / "ca.pem"))
        shown, seconds = failure(project)

    assert f"{LOGIN}: its certificate is not valid at this machine's time" in shown
    assert "clock" in shown.split("next: ")[1]
    assert seconds < 60


@pytest.mark.parametrize(
    ("words", "cause", "advice"),
    [
        ("AADSTS7000222: The provided client secret keys are expired.", "the client secret has expired", "reset"),
        ("AADSTS7000215: Invalid client secret provided.", "the client secret is wrong", "not its id"),
        ("AADSTS700016: Application with identifier 'x' was not found in the directory", "tenant", "azure.tenant_id"),
        ("AADSTS90002: Tenant '00000000' not found.", "the tenant does not know", "azure.tenant_id"),
        ("AADSTS700024: Client assertion is not within its valid time range.", "clock", "clock"),
        ("AADSTS700213: No matching federated identity record found", "no federated credential", "subject"),
        ("AADSTS53003: Access has been blocked by Conditional Access policies.", "a policy of the tenant", "az login"),
    ],
)
def test_refused_sign_in_is_reported_in_entras_words_with_advice(
    project: Project, tmp_path: Path, words: str, cause: str, advice: str
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    body = {"error": "invalid_client", "error_description": f"{words} Trace ID: 1 Correlation ID: 2"}
    with proxy(signing_in(authority.issue_cert(LOGIN), 401, body)) as url:
        use_cloud(project, proxy=url, ca_file=str(tmp_path / "ca.pem"))
        shown, seconds = failure(project)

    line = next(line for line in shown.splitlines() if line.startswith("failed: no token for Azure: "))
    assert cause in line
    assert words in line
    assert "Trace ID" not in line
    assert advice in shown.split("next: ")[1]
    assert seconds < 60


@pytest.mark.slow
def test_proxy_that_is_not_there_is_named(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    use_cloud(project, proxy=f"http://127.0.0.1:{port}")
    project.change("advanced.operation_timeout", 2)

    shown, _ = failure(project)

    assert "127.0.0.1: the proxy cannot be reached" in shown
    assert "HTTPS_PROXY" in shown.split("next: ")[1]


@pytest.mark.slow
def test_name_that_is_unknown_is_named(project: Project) -> None:
    use_cloud(project)
    project.change("advanced.operation_timeout", 2)

    shown, _ = failure(project)

    assert f"{LOGIN}: its name cannot be resolved (DNS)" in shown


# ------------------------------------------------------------------------------------------------ retries


@pytest.mark.slow
def test_retries_are_shown_with_their_cause(project: Project) -> None:
    fault = {"method": "PUT", "path": "*/workspaces/*", "status": 503, "code": "ServerBusyNow", "times": 2}

    result = project.run(*project.faults({**fault, "message": "Too much to do."}))

    assert result.code == 0, result.text
    waits = [line for line in result.err.splitlines() if " waits " in line and "create_monitoring" in line]
    assert any("503 ServerBusyNow: Too much to do.; try 2 " in line for line in waits)


@pytest.mark.slow
def test_throttling_is_waited_for_within_the_budget_and_reported(project: Project) -> None:
    fault = {"method": "PUT", "path": "*/workspaces/*", "status": 429, "code": "TooManyRequests", "retry_after": 2}

    result = project.run(*project.faults(fault))

    assert result.code == 0, result.text
    assert "throttled by Azure: PUT " in result.err
    assert "; try 2 in 2 s" in result.err


def test_time_to_come_back_is_reported_where_azure_asks_for_more_than_the_budget(project: Project) -> None:
    fault = {"method": "PUT", "path": "*/workspaces/*", "status": 429, "code": "TooManyRequests", "retry_after": 900}
    before = datetime.now(UTC)

    shown, seconds = failure(project, *project.faults(fault))

    assert "Azure asks to wait for 15 minutes" in shown
    times = {(before + timedelta(seconds=900 + late)).strftime("%H:%M on %Y-%m-%d (UTC)") for late in range(0, 121, 30)}
    assert any(f"next: Run again after {one}" in shown for one in times)
    assert seconds < 90
