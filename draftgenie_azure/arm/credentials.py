"""What tokens come from: the emulator's own sign-in, GitHub's, or whatever the machine is signed in with."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from draftgenie_azure.errors import AuthenticationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from azure.core.credentials import AccessToken, TokenCredential

    from azure_emulator.attach import Attached
    from draftgenie_azure.config.clouds import Endpoints

AUDIENCE = "api://AzureADTokenExchange"
TOKEN_MARGIN = 300.0  # seconds before its end in which a token is renewed
_GITHUB_PAUSES = (1.0, 3.0)  # seconds before GitHub is asked again
_GITHUB = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "AZURE_CLIENT_ID", "AZURE_TENANT_ID")


def for_emulator(emulator: Attached, endpoints: Endpoints) -> TokenCredential:
    """The emulator's service principal, by the same sign-in that Azure has."""
    from azure.identity import ClientSecretCredential

    return ClientSecretCredential(
        emulator.tenant_id,
        emulator.client_id,
        emulator.client_secret,
        authority=endpoints.authority,
        proxies={"https": emulator.proxy_url},
        connection_verify=str(emulator.ca_file),
        use_env_settings=False,
    )


def for_cloud(endpoints: Endpoints, tenant_id: str, environ: Mapping[str, str] = os.environ) -> TokenCredential:
    """The credential for a cloud.

    On GitHub Actions an assertion is fetched for each token: one lives five minutes only, and a stored one breaks runs
    that need a second token later (github.com/Azure/login/issues/180). Elsewhere it is the SDK's own order:
    environment, workload identity, managed identity, a developer's sign-in.
    """
    options: dict[str, object] = {"authority": endpoints.authority}
    if endpoints.ca_file:
        options["connection_verify"] = endpoints.ca_file
    if endpoints.proxy:
        options["proxies"] = {"https": endpoints.proxy}
    if all(environ.get(name) for name in _GITHUB) and not environ.get("AZURE_CLIENT_SECRET"):
        from azure.identity import ClientAssertionCredential

        return ClientAssertionCredential(
            tenant_id or environ["AZURE_TENANT_ID"],
            environ["AZURE_CLIENT_ID"],
            lambda: github_assertion(environ),
            **options,
        )
    from azure.identity import DefaultAzureCredential

    if tenant_id:
        options["additionally_allowed_tenants"] = [tenant_id]
    return DefaultAzureCredential(**options)


def github_assertion(environ: Mapping[str, str]) -> str:
    """A fresh assertion of who this workflow is.

    Source: docs.github.com, security hardening with OpenID Connect.

    Raises:
        AuthenticationError: GitHub gives none.
    """
    url = f"{environ['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={urllib.parse.quote(AUDIENCE)}"
    headers = {"Authorization": f"Bearer {environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the address is the runner's own
    for pause in (*_GITHUB_PAUSES, None):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                return str(json.load(answer)["value"])
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            failure = error
        refused = isinstance(failure, urllib.error.HTTPError) and failure.code < 500 and failure.code != 429
        if isinstance(failure, urllib.error.HTTPError):
            failure.close()
        if refused or pause is None:
            break
        time.sleep(pause)
    hint = "Give the job the permission 'id-token: write'." if refused else "Run the job again: GitHub did not answer."
    raise AuthenticationError(f"GitHub gives no identity token: {failure}", hint=hint) from failure


class SharedCredential:
    """One credential for many threads: a token is asked for once and shared until it is about to run out.

    Args:
        sign_in: makes the credential; called again after a token was refused.
    """

    def __init__(self, sign_in: Callable[[], TokenCredential]) -> None:
        self._sign_in = sign_in
        self._credential = sign_in()
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, ...], AccessToken] = {}

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        """A token for the scopes; `claims` (a challenge of Azure's) asks for a new one."""
        with self._lock:
            token = self._tokens.get(scopes)
            if token is None or more.get("claims") or token.expires_on - time.time() < TOKEN_MARGIN:
                token = self._tokens[scopes] = self._credential.get_token(*scopes, **more)
            return token

    def forget(self, authorization: str) -> None:
        """Drop a token that Azure did not accept, and the credential, which would hand out the same one again.

        Args:
            authorization: the header that it was sent in; of another thread's refusal it may be an earlier one.
        """
        with self._lock:
            if not any(authorization == f"Bearer {token.token}" for token in self._tokens.values()):
                return
            self._tokens.clear()
            if hasattr(self._credential, "close"):
                self._credential.close()
            self._credential = self._sign_in()
