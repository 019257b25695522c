"""The sources of tokens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from project import Project, hold_at_server, let_time_pass

from draftgenie_azure.arm import credentials
from draftgenie_azure.arm.credentials import SharedCredential, for_cloud, github_assertion
from draftgenie_azure.config.clouds import CLOUDS
from draftgenie_azure.errors import AuthenticationError


class GitHub:
    """An address that hands out identity tokens, as a GitHub runner has one.

    Attributes:
        environ: the variables of a job.
        asked: path and authorization of every request.
        instead: what is sent as it is in place of the next answers.
    """

    def __init__(self, port: int) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.instead: list[bytes] = []
        self.environ = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{port}/token?x=1",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner",
            "AZURE_CLIENT_ID": "client",
            "AZURE_TENANT_ID": "tenant",
        }


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    """It, without the pauses before it is asked again."""
    monkeypatch.setattr(credentials, "_GITHUB_PAUSES", (0.0, 0.0))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.asked.append((self.path, self.headers["Authorization"]))
            if service.instead:
                self.wfile.write(service.instead.pop(0))
                return
            body = json.dumps({"value": f"assertion {len(service.asked)}"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    service = GitHub(server.server_port)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield service
    server.shutdown()
    server.server_close()


def test_github_is_asked_again_for_each_assertion(github: GitHub) -> None:
    """A stored one is dead after five minutes."""
    assert [github_assertion(github.environ) for _ in range(2)] == ["assertion 1", "assertion 2"]

    assert github.asked[0] == ("/token?x=1&audience=api%3A//AzureADTokenExchange", "Bearer runner")


def test_github_without_permission_says_which_one_is_missing(github: GitHub) -> None:
    """The job lacks `id-token: write`; asking again would not help."""
    github.instead = [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"]

    with pytest.raises(AuthenticationError) as failure:
        github_assertion(github.environ)

    assert failure.value.hint == "Give the job the permission 'id-token: write'."
    assert len(github.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["closed", "not HTTP", "503", "429", "cut off", "a list", "no value"],
)
def test_failing_github_is_retried_and_then_reported(github: GitHub, answer: bytes) -> None:
    """Three times; a job's permission has nothing to do with it."""
    github.instead = [answer, answer]
    assert github_assertion(github.environ) == "assertion 3"
    github.instead = [answer] * 3

    with pytest.raises(AuthenticationError, match="GitHub issued no identity token") as failure:
        github_assertion(github.environ)

    assert "Run the job again" in str(failure.value.hint)


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, "ClientAssertionCredential"),
        ({"AZURE_CLIENT_SECRET": "given"}, "DefaultAzureCredential"),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": ""}, "DefaultAzureCredential"),
    ],
)
def test_github_sign_in_is_used_only_without_other_credentials(
    github: GitHub, more: dict[str, str], kind: str
) -> None:
    """A client secret wins; off GitHub the SDK's own chain is used."""
    assert type(for_cloud(CLOUDS["AzureCloud"], "", github.environ | more)).__name__ == kind


def test_token_is_requested_once_for_many_threads() -> None:
    """And again when it is about to run out, or when Azure did not take it."""
    asked: list[float] = []

    class Source:
        lifetime = 3600

        def get_token(self, *scopes: str, **more: Any) -> AccessToken:
            asked.append(time.monotonic())
            time.sleep(0.02)
            return AccessToken(f"token-{len(asked)}", int(time.time()) + self.lifetime)

    source = Source()
    shared = SharedCredential(lambda: source)

    threads = [threading.Thread(target=shared.get_token, args=("scope",)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    shared.forget("Bearer token-0")  # of long ago
    shared.get_token("scope")
    assert len(asked) == 1
    shared.forget("Bearer token-1")
    source.lifetime = 100
    shared.get_token("scope")
    shared.get_token("scope")

    assert len(asked) == 3


@pytest.mark.slow
def test_run_continues_after_its_tokens_expire(project: Project) -> None:
    """While it waits, all that it was given run out by Azure's clock, of which ours knows nothing."""
    with project.start(*project.faults(scale=0.02)) as process:
        hold_at_server(project, process)
        for _ in range(2):
            let_time_pass(project)
        _, err = process.communicate(timeout=90)

    assert process.returncode == 0, err
    assert [request for request in project.requests() if request["status"] == 401]
