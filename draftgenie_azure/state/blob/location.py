"""Determine the state's blob and its credential from configuration and environment."""

from __future__ import annotations

import threading
from functools import partial
from urllib.parse import parse_qs, urlsplit, urlunsplit

from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob import BlobServiceClient, ExponentialRetry

from draftgenie_azure.arm import credentials
from draftgenie_azure.arm.credentials import SharedCredential
from draftgenie_azure.arm.sessions import CheckedTransport
from draftgenie_azure.config.clouds import endpoints_of
from draftgenie_azure.config.validated.naming import name_fault
from draftgenie_azure.constants import STATE_BLOB, STATE_CONTAINER
from draftgenie_azure.errors import StateError
from draftgenie_azure.masking import MASK
from draftgenie_azure.state.blob.backend import API_VERSION, CONNECT, READ, BlobBackend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from azure.core.credentials import AccessToken, TokenCredential

    from draftgenie_azure.config.clouds import Endpoints

STORAGE_SCOPE = "https://storage.azure.com/.default"


def open_blob(values: Mapping[str, Any], environ: Mapping[str, str], directory: str = "") -> BlobBackend:
    """Return the backend that configuration and environment select. Sends no request.

    Args:
        values: values of the configuration, which may be invalid.
        directory: directory of the configuration, for a relative path of a cloud's CA file.

    Raises:
        StateError: the blob is not configured, or its settings are invalid.
    """
    advanced, azure = (_section(values, name) for name in ("advanced", "azure"))
    cloud = azure.get("cloud")
    endpoints = endpoints_of(cloud if isinstance(cloud, str | dict) else "AzureCloud", directory)
    sign_in = partial(credentials.for_cloud, endpoints, str(azure.get("tenant_id") or ""), environ)
    place = BlobPlace(advanced, environ, endpoints, sign_in)
    return BlobBackend(place.client(), place.container, place.name)


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = values.get(name)
    return section if isinstance(section, dict) else {}


class BlobPlace:
    """The location and credential of the blob, from configuration and environment.

    Args:
        advanced: the section `advanced` of the configuration.
        environ: source of AZURE_STORAGE_CONNECTION_STRING and AZURE_STORAGE_SAS_TOKEN.
        endpoints: endpoints of the configured cloud, with its proxy and CA bundle.
        sign_in: creates the credential if there is neither a connection string nor a SAS.
    """

    def __init__(
        self,
        advanced: Mapping[str, Any],
        environ: Mapping[str, str],
        endpoints: Endpoints,
        sign_in: Callable[[], TokenCredential],
    ) -> None:
        self.container = str(advanced.get("state_blob_container") or STATE_CONTAINER)
        self.name = str(advanced.get("state_blob_name") or STATE_BLOB)
        self._account = str(advanced.get("state_blob_account") or "")
        check_names(blob_container=self.container, blob=self.name)
        if self._account:
            check_names(storage_account=self._account)
        self._endpoints = endpoints
        self._connection = environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
        self._sign_in = sign_in
        endpoint = str(advanced.get("state_blob_endpoint") or "")
        if not endpoint and self._account:
            endpoint = f"https://{self._account}.{endpoints.blob_suffix}"
        parts = urlsplit(endpoint)
        self._sas = parts.query or environ.get("AZURE_STORAGE_SAS_TOKEN", "").lstrip("?")
        MASK.add(self._sas, self._connection)
        self._endpoint = urlunsplit((parts.scheme, parts.netloc, self._path(parts.path, parts.query), "", ""))

    def _path(self, path: str, sas: str) -> str:
        """Return the endpoint's path. A SAS URL may name the container or blob too; Azurite's has the account."""
        path = path.rstrip("/")
        kind = parse_qs(sas).get("sr", [""])[0]
        if kind == "b":
            path = path.removesuffix(f"/{self.name}")
        if kind in ("b", "c"):
            path = path.removesuffix(f"/{self.container}")
        return path

    def client(self) -> BlobServiceClient:
        """Return the storage account's client.

        Raises:
            StateError: the account is not configured.
        """
        options: dict[str, Any] = {
            "api_version": API_VERSION,
            "retry_policy": ExponentialRetry(retry_total=0),
            "permit_redirects": False,
            "transport": CheckedTransport(self._endpoints, connect=CONNECT, read=READ),
        }
        if self._sas and self._endpoint:
            self._check_https("a SAS", needed=not self._is_near())
            return BlobServiceClient(self._endpoint, credential=AzureSasCredential(self._sas), **options)
        if self._connection:
            client = self._by_connection_string(options)
            if self._account and client.account_name != self._account:
                raise StateError(
                    f"AZURE_STORAGE_CONNECTION_STRING is for the account {client.account_name}, "
                    f"advanced.state_blob_account says {self._account}",
                    hint="Correct or unset one of them.",
                )
            return client
        if not self._endpoint:
            raise StateError(
                "state in a blob needs a storage account",
                hint="Set advanced.state_blob_account, or AZURE_STORAGE_CONNECTION_STRING in the environment.",
            )
        self._check_https("a token", needed=True)
        return BlobServiceClient(self._endpoint, credential=StorageCredential(self._sign_in), **options)

    def _is_near(self) -> bool:
        """Return whether the endpoint is on this machine, or in its container network, as Azurite's is."""
        host = urlsplit(self._endpoint).hostname or ""
        return host == "127.0.0.1" or "." not in host

    def _check_https(self, what: str, *, needed: bool) -> None:
        """Refuse to send a credential that everyone on the way could read and use.

        Raises:
            StateError: the endpoint is not an https URL.
        """
        if needed and not self._endpoint.startswith("https:"):
            raise StateError(
                f"{self._endpoint}: {what} is sent only over https",
                hint="Use an https endpoint, or AZURE_STORAGE_CONNECTION_STRING, which is never sent itself.",
            )

    def _by_connection_string(self, options: dict[str, Any]) -> BlobServiceClient:
        if self._connection != self._connection.strip() or "\n" in self._connection or "\r" in self._connection:
            raise StateError(
                "AZURE_STORAGE_CONNECTION_STRING has whitespace at an end, or a line break in it",
                hint="Set it without; a shell's $(cat FILE) drops the final line break.",
            )
        try:
            return BlobServiceClient.from_connection_string(self._connection, **options)
        except ValueError as error:
            raise StateError(
                "AZURE_STORAGE_CONNECTION_STRING is not a storage account's connection string",
                hint="Copy it from the account's page 'Access keys' (DefaultEndpointsProtocol=…), or unset it and "
                "name the account: advanced.state_blob_account.",
            ) from error


class StorageCredential:
    """A credential that signs in on the first token request, and only for the audience of storage.

    The storage client would otherwise request any audience and tenant that a challenge names.

    Args:
        sign_in: creates the credential.
    """

    def __init__(self, sign_in: Callable[[], TokenCredential]) -> None:
        self._open = sign_in
        self._shared: SharedCredential | None = None
        self._opening = threading.Lock()

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        """Return a token for storage, in the tenant of the credential."""
        with self._opening:
            if self._shared is None:
                self._shared = SharedCredential(self._open)
        if scopes != (STORAGE_SCOPE,):
            raise ClientAuthenticationError(message=f"the storage account requests a token for {scopes}")
        return self._shared.get_token(*scopes)


def check_names(**names: str) -> None:
    """Reject names that Azure would reject, before anything is sent; the configuration may not be validated yet.

    Args:
        names: kind of name -> the name.

    Raises:
        StateError: a name is invalid; states the rule.
    """
    keys = {"storage_account": "account", "blob_container": "container", "blob": "name"}
    for kind, name in names.items():
        fault = name_fault(kind, name)
        if fault is not None:
            text = f"advanced.state_blob_{keys[kind]} {name!r:.80} {fault}"
            raise StateError(text, hint="Correct it in the configuration.")
