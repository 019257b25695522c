"""What tokens come from."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from draftgenie_azure.clouds import CLOUDS
from draftgenie_azure.credentials import SharedCredential, for_cloud, github_assertion
from draftgenie_azure.errors import AuthenticationError


@pytest.fixture
def github() -> Any:
    """An address that hands out identity tokens, as a GitHub runner has one."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            body = json.dumps({"value": f"assertion {len(asked)}"}).encode()
            self.send_response(200 if "broken" not in self.path else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environ = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{server.server_port}/token?x=1",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner",
        "AZURE_CLIENT_ID": "client",
        "AZURE_TENANT_ID": "tenant",
    }
    yield environ, asked
    server.shutdown()
    server.server_close()


def test_github_is_asked_anew_for_each_assertion(github: Any) -> None:
    """A stored one is dead after five minutes."""
    environ, asked = github

    assert [github_assertion(environ), github_assertion(environ)] == ["assertion 1", "assertion 2"]
    assert asked[0] == ("/token?x=1&audience=api%3A//AzureADTokenExchange", "Bearer runner")


def test_github_without_permission_says_which_one_is_missing(github: Any) -> None:
    """The job lacks `id-token: write`."""
    environ, _ = github
    broken = environ | {"ACTIONS_ID_TOKEN_REQUEST_URL": environ["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&broken"}

    with pytest.raises(AuthenticationError) as failure:
        github_assertion(broken)

    assert failure.value.hint == "Give the job the permission 'id-token: write'."


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, "ClientAssertionCredential"),
        ({"AZURE_CLIENT_SECRET": "given"}, "DefaultAzureCredential"),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": ""}, "DefaultAzureCredential"),
    ],
)
def test_github_sign_in_is_used_only_where_nothing_else_is_given(
    github: Any, more: dict[str, str], kind: str
) -> None:
    """A client secret wins; off GitHub the SDK's own chain is used."""
    environ, _ = github

    assert type(for_cloud(CLOUDS["AzureCloud"], "", environ | more)).__name__ == kind


def test_token_is_asked_for_once_however_many_threads_want_it() -> None:
    """And again when it is about to run out, or when Azure did not take it."""
    asked: list[float] = []

    class Source:
        lifetime = 3600

        def get_token(self, *scopes: str, **more: Any) -> AccessToken:
            asked.append(time.monotonic())
            time.sleep(0.02)
            return AccessToken("token", int(time.time()) + self.lifetime)

    source = Source()
    shared = SharedCredential(source)

    threads = [threading.Thread(target=shared.get_token, args=("scope",)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    shared.forget()
    source.lifetime = 100
    shared.get_token("scope")
    shared.get_token("scope")

    assert len(asked) == 3
