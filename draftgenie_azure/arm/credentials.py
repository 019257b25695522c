"""Credentials: the emulator's own, those of CI systems, or the machine's sign-in."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from urllib.parse import quote, urlsplit

from azure.core.exceptions import AzureError as SdkError
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline import Pipeline
from azure.core.rest import HttpRequest
from azure.identity import (
    AzurePipelinesCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    WorkloadIdentityCredential,
)

from draftgenie_azure.arm import hosts
from draftgenie_azure.arm.sessions import METADATA_SERVICE, CheckedTransport
from draftgenie_azure.config.clouds import CLOUDS
from draftgenie_azure.errors import AuthenticationError
from draftgenie_azure.masking import MASK

# Credential warnings are repeated in the error they raise; without a handler, Python prints them unmasked.
for _library in ("azure", "msal"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from azure.core.credentials import AccessToken, TokenCredential

    from draftgenie_azure.config.clouds import Endpoints

AUDIENCE = "api://AzureADTokenExchange"
TOKEN_MARGIN = 300.0  # seconds before its expiry when a token is renewed
_GITHUB_PAUSES = (1.0, 3.0)  # seconds between requests to GitHub
_PROGRAM_TIMEOUT = 30  # seconds that az or azd may take
_GIVEN = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH")
_PIPELINES = (
    "AZURESUBSCRIPTION_TENANT_ID", "AZURESUBSCRIPTION_CLIENT_ID", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
    "SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN",
)  # fmt: skip
_WORKLOAD = ("AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_ID", "AZURE_TENANT_ID")
# Variables in which the machine or runner gives the source of its own tokens.
_TOKEN_ADDRESSES = (
    "SYSTEM_OIDCREQUESTURI", "IDENTITY_ENDPOINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST",
)  # fmt: skip
_KNOWN_AUTHORITIES = frozenset(cloud.authority for cloud in CLOUDS.values())
_GITHUB = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "AZURE_CLIENT_ID", "AZURE_TENANT_ID")


def for_service_principal(
    endpoints: Endpoints, tenant_id: str, client_id: str, client_secret: str
) -> TokenCredential:
    """Return a service principal's credential by secret, as the emulator uses."""
    MASK.add(client_secret)
    return ClientSecretCredential(tenant_id, client_id, client_secret, **_options(endpoints, {}))


def for_cloud(endpoints: Endpoints, tenant_id: str, environ: Mapping[str, str] = os.environ) -> TokenCredential:
    """Return the credential for a cloud, for Resource Manager, data planes and blob state alike.

    A secret or certificate in the environment comes first. In a job of GitHub Actions or Azure Pipelines, and in a pod
    with a workload identity, an assertion is fetched for each token: it lives only minutes, and a stored one breaks
    runs that need a second token later (github.com/Azure/login/issues/180). Otherwise the SDK's own order applies:
    managed identity, then a developer's sign-in (az, azd).

    Raises:
        ValueError: a tenant, URL or certificate in the environment or cloud is invalid.
    """
    options = _options(endpoints, environ)
    if not any(environ.get(name) for name in _GIVEN):
        if _has(environ, _GITHUB):
            return _github(tenant_id, environ, options)
        if _has(environ, _PIPELINES):
            return _azure_pipelines(environ, options)
        if _has(environ, _WORKLOAD):
            return _workload_identity(environ, options)
    if tenant_id:
        options["additionally_allowed_tenants"] = [tenant_id]
    return DefaultAzureCredential(
        exclude_workload_identity_credential=True,  # it would use another authority than the cloud's
        process_timeout=_PROGRAM_TIMEOUT,
        **options,
    )


def _has(environ: Mapping[str, str], names: tuple[str, ...]) -> bool:
    """Return whether all variables are set; `$(NAME)` is an undefined one in Azure Pipelines."""
    return all(environ.get(name) and not environ[name].startswith("$(") for name in names)


def _github(tenant_id: str, environ: Mapping[str, str], options: dict[str, Any]) -> TokenCredential:
    return ClientAssertionCredential(
        tenant_id or environ["AZURE_TENANT_ID"],
        environ["AZURE_CLIENT_ID"],
        lambda: github_assertion(environ),
        **options,
    )


def _azure_pipelines(environ: Mapping[str, str], options: dict[str, Any]) -> TokenCredential:
    """Return the SDK's credential for the service connection of the job's task."""
    return AzurePipelinesCredential(
        tenant_id=environ["AZURESUBSCRIPTION_TENANT_ID"],
        client_id=environ["AZURESUBSCRIPTION_CLIENT_ID"],
        service_connection_id=environ["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"],
        system_access_token=environ["SYSTEM_ACCESSTOKEN"],
        **options,
    )


def _workload_identity(environ: Mapping[str, str], options: dict[str, Any]) -> TokenCredential:
    return WorkloadIdentityCredential(
        tenant_id=environ["AZURE_TENANT_ID"],
        client_id=environ["AZURE_CLIENT_ID"],
        token_file_path=environ["AZURE_FEDERATED_TOKEN_FILE"],
        **options,
    )


def _options(endpoints: Endpoints, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of every credential: the cloud's token service, proxy and CA bundle, and no other host."""
    named = {urlsplit(environ[name]).hostname for name in _TOKEN_ADDRESSES if environ.get(name)}

    def may_send(host: str) -> bool:
        return host == METADATA_SERVICE or host in named or hosts.is_token_service(host, endpoints.authority)

    transport = CheckedTransport(endpoints, may_send=may_send)
    options: dict[str, Any] = {"authority": endpoints.authority, "transport": transport}
    if endpoints.authority not in _KNOWN_AUTHORITIES:
        options["disable_instance_discovery"] = True  # which would query the public cloud about this one
    return options


def github_assertion(environ: Mapping[str, str]) -> str:
    """Return a new OIDC assertion of this workflow's identity.

    Source: docs.github.com, security hardening with OpenID Connect.

    Raises:
        AuthenticationError: GitHub issues none.
    """
    url = f"{environ['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={quote(AUDIENCE)}"
    headers = {"Authorization": f"Bearer {environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    for pause in (*_GITHUB_PAUSES, None):
        status = 0
        try:
            status, value = _asked_github(url, headers)
            if value:
                MASK.add(value)
                return value
            failure = f"status {status}" if status != 200 else "its reply has no value"
        except SdkError as error:
            failure = str(error.message)
        refused = 300 <= status < 500 and status != 429
        if refused or pause is None:
            break
        time.sleep(pause)
    hint = "Give the job the permission 'id-token: write'." if refused else "Run the job again: GitHub did not reply."
    raise AuthenticationError(f"GitHub issued no identity token: {failure}", hint=hint)


def _asked_github(url: str, headers: dict[str, str]) -> tuple[int, str | None]:
    """Return status and value of one reply. The URL is the runner's own; redirects are not followed."""
    # The runner's network, not the cloud's: proxy and CA bundle are those of the environment.
    network: Pipeline[Any, Any] = Pipeline(CheckedTransport(CLOUDS["AzureCloud"], read=30))
    with network:
        answer = network.run(HttpRequest("GET", url, headers=headers)).http_response
        text = answer.text() if answer.status_code == 200 else ""
    try:
        value = json.loads(text)["value"] if text else None
    except (ValueError, KeyError, TypeError, RecursionError):
        value = None
    return answer.status_code, str(value) if value else None


class SharedCredential:
    """One credential for many threads: a token is requested once and shared until it is about to expire.

    Args:
        sign_in: creates the credential; called again after a token was rejected, since the SDK's credentials cache
            theirs.
    """

    def __init__(self, sign_in: Callable[[], TokenCredential]) -> None:
        self._sign_in = sign_in
        self._credential = self._opened()
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, ...], AccessToken] = {}

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        """Return a token for the scopes; `claims` (a challenge from Azure) requests a new one."""
        with self._lock:
            token = self._tokens.get(scopes)
            if token is None or more.get("claims") or token.expires_on - time.time() < TOKEN_MARGIN:
                token = self._tokens[scopes] = self._asked(scopes, more)
                MASK.add(token.token)
            return token

    def _opened(self) -> TokenCredential:
        try:
            return self._sign_in()
        except (ValueError, OSError) as error:  # an invalid tenant, URL or certificate file
            raise AuthenticationError(
                f"the sign-in configured in the environment is unusable: {error}",
                hint="Correct the AZURE_… variables, or unset them and sign in with 'az login'.",
            ) from error

    def _asked(self, scopes: tuple[str, ...], more: dict[str, Any]) -> AccessToken:
        try:
            return self._credential.get_token(*scopes, **more)
        except (ValueError, KeyError, TypeError, OSError) as error:
            # Raised by the libraries under the SDK for a reply that is not a token service's.
            raise ClientAuthenticationError(message=f"{type(error).__name__}: {error}") from error

    def forget(self, authorization: str) -> None:
        """Drop a token that Azure rejected, and the credential, which would return the same one again.

        Args:
            authorization: the header that it was sent in, possibly an older one from another thread's rejection.
        """
        with self._lock:
            if not any(authorization == f"Bearer {token.token}" for token in self._tokens.values()):
                return
            self._tokens.clear()
            if hasattr(self._credential, "close"):
                self._credential.close()
            self._credential = self._opened()
