"""Which blob the state is in, and what to sign in to it with: from configuration and environment."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit, urlunsplit

from azure.core.credentials import AzureSasCredential
from azure.storage.blob import BlobServiceClient, ExponentialRetry

from draftgenie_azure.config.clouds import CLOUDS
from draftgenie_azure.errors import StateError
from draftgenie_azure.state.blob.backend import API_VERSION, CONNECT, READ, BlobBackend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def open_blob(values: Mapping[str, Any], environ: Mapping[str, str]) -> BlobBackend:
    """The backend that configuration and environment mean. Sends nothing.

    Args:
        values: of the configuration, which need not be valid.

    Raises:
        StateError: nothing says where the blob is.
    """
    advanced, azure = (_section(values, name) for name in ("advanced", "azure"))
    cloud = azure.get("cloud")
    endpoints = CLOUDS.get(cloud, CLOUDS["AzureCloud"]) if isinstance(cloud, str) else CLOUDS["AzureCloud"]
    suffix, authority = endpoints.blob_suffix, endpoints.authority
    if isinstance(cloud, dict):
        suffix = f"blob.{cloud.get('storage_suffix') or endpoints.storage_suffix}"
        authority = str(cloud.get("authority") or authority)

    def credential() -> Any:
        from azure.identity import DefaultAzureCredential

        # AZURE_AUTHORITY_HOST wins where it is set, as it does for every other tool.
        options = {} if environ.get("AZURE_AUTHORITY_HOST") else {"authority": authority}
        return DefaultAzureCredential(**options)

    place = BlobPlace(advanced, environ, suffix, credential)
    return BlobBackend(place.client(), place.container, place.name)


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = values.get(name)
    return section if isinstance(section, dict) else {}


class BlobPlace:
    """Where the blob is, and what to sign in with, by configuration and environment.

    Args:
        advanced: the section `advanced` of the configuration.
        environ: AZURE_STORAGE_CONNECTION_STRING and AZURE_STORAGE_SAS_TOKEN are looked up there.
        suffix: of blob endpoints in the configured cloud, e.g. `blob.core.windows.net`.
        credential: makes the credential where neither a connection string nor a SAS is given.
    """

    def __init__(
        self, advanced: Mapping[str, Any], environ: Mapping[str, str], suffix: str, credential: Callable[[], Any]
    ) -> None:
        self.container = str(advanced.get("state_blob_container") or "deployment-state")
        self.name = str(advanced.get("state_blob_name") or "azure-deployment-state.json")
        self._account = str(advanced.get("state_blob_account") or "")
        self._connection = environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
        self._credential = credential
        endpoint = str(advanced.get("state_blob_endpoint") or "")
        if not endpoint and self._account:
            endpoint = f"https://{self._account}.{suffix}"
        parts = urlsplit(endpoint)
        self._sas = parts.query or environ.get("AZURE_STORAGE_SAS_TOKEN", "").lstrip("?")
        self._endpoint = urlunsplit((parts.scheme, parts.netloc, self._path(parts.path, parts.query), "", ""))

    def _path(self, path: str, sas: str) -> str:
        """The endpoint's path. The address of a SAS for a container or a blob names those too; Azurite's an account."""
        path = path.rstrip("/")
        kind = parse_qs(sas).get("sr", [""])[0]
        if kind == "b":
            path = path.removesuffix(f"/{self.name}")
        if kind in ("b", "c"):
            path = path.removesuffix(f"/{self.container}")
        return path

    def client(self) -> BlobServiceClient:
        """The storage account's client.

        Raises:
            StateError: nothing says where the account is.
        """
        options: dict[str, Any] = {
            "api_version": API_VERSION,
            "retry_policy": ExponentialRetry(retry_total=0),
            "connection_timeout": CONNECT,
            "read_timeout": READ,
        }
        if self._sas and self._endpoint:
            return BlobServiceClient(self._endpoint, credential=AzureSasCredential(self._sas), **options)
        if self._connection:
            try:
                client = BlobServiceClient.from_connection_string(self._connection, **options)
            except ValueError as error:
                raise StateError("AZURE_STORAGE_CONNECTION_STRING is not that of a storage account") from error
            if self._account and client.account_name != self._account:
                raise StateError(
                    f"AZURE_STORAGE_CONNECTION_STRING is of the account {client.account_name}, "
                    f"advanced.state_blob_account says {self._account}",
                    hint="Correct or unset one of them.",
                )
            return client
        if not self._endpoint:
            raise StateError(
                "state in a blob needs a storage account",
                hint="Set advanced.state_blob_account, or AZURE_STORAGE_CONNECTION_STRING in the environment.",
            )
        if not self._endpoint.startswith("https:"):
            raise StateError(
                f"{self._endpoint}: a token travels over https alone",
                hint="Use an https endpoint, a SAS, or AZURE_STORAGE_CONNECTION_STRING.",
            )
        return BlobServiceClient(self._endpoint, credential=self._credential(), **options)
