"""The hosts that the cloud and the configuration allow. Tokens, secrets and sources are sent to no other.

Outputs, operations, copies of the state and URLs in replies are data: a URL is built from names in the
configuration and the cloud's suffixes, or checked against them before anything is sent.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from draftgenie_azure.errors import NOT_AZURE, AzureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from draftgenie_azure.config.clouds import Endpoints

# Alternative names of token services. Source: msal 1.39, `authority.py`; the discovery document of
# login.chinacloudapi.cn names the second one.
_TOKEN_SERVICES = (
    frozenset({"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"}),
    frozenset({"login.microsoftonline.us", "login.usgovcloudapi.net"}),
    frozenset({"login.chinacloudapi.cn", "login.partner.microsoftonline.cn"}),
)
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)


def path_of(address: str, endpoints: Endpoints) -> str:
    """Return a path of Azure Resource Manager, with its query, from a path or a full URL.

    Only the path is used further, so that no two parsers can read different hosts from one URL.

    Raises:
        AzureError: it is the URL of something else.
    """
    if address.startswith("/") and not address.startswith("//") and address.isprintable():
        return address
    if not is_arm(address, endpoints):
        raise AzureError(
            f"{shown(address)} is not an address of Azure Resource Manager; no token was sent to it", hint=NOT_AZURE
        )
    parts = urlsplit(address)
    base = urlsplit(endpoints.resource_manager).path.rstrip("/")
    path = f"/{parts.path.removeprefix(base).lstrip('/')}"
    return f"{path}?{parts.query}" if parts.query else path


def is_arm(address: str, endpoints: Endpoints) -> bool:
    """Return whether a URL is one of Azure Resource Manager in this cloud."""
    theirs, ours = _split(address), _split(endpoints.resource_manager)
    return theirs is not None and ours is not None and _origin(theirs) == _origin(ours)


def vault_address(name: str, endpoints: Endpoints) -> str:
    """Return the URL of a vault, with a trailing slash."""
    return f"https://{name.lower()}.{endpoints.vault_suffix}/"


def registry_host(name: str, endpoints: Endpoints) -> str:
    """Return the host name of a registry."""
    return f"{name.lower()}.{endpoints.registry_suffix}"


def is_registry(host: str, name: str, endpoints: Endpoints) -> bool:
    """Return whether a host is the registry's, including one with a domain name label (`name-hash`)."""
    first, _, rest = host.lower().partition(".")
    label = re.fullmatch(rf"{re.escape(name.lower())}(-[a-z0-9]+)?", first)
    return rest == endpoints.registry_suffix and label is not None


def is_database(host: str, name: str, suffixes: tuple[str, ...]) -> bool:
    """Return whether a host is that of a server of this name, under one of the suffixes if known."""
    first, _, rest = host.lower().partition(".")
    is_below = any(f".{rest}".endswith(f".{suffix}") for suffix in suffixes)
    return first == name.lower() and (is_below or not suffixes)


def is_storage(address: str, endpoints: Endpoints) -> bool:
    """Return whether a URL is one of blob storage in this cloud, or of Resource Manager itself."""
    return _is_below(address, endpoints.blob_suffix) or is_arm(address, endpoints)


def check_storage(address: str, endpoints: Endpoints, what: str) -> None:
    """Reject a URL that is not one of the cloud's storage.

    Raises:
        AzureError: it is not; `what` describes the content.
    """
    if not is_storage(address, endpoints):
        raise AzureError(f"{what} is at {shown(address)}, not in this cloud's storage", hint=NOT_AZURE)


def is_log_stream(address: str, endpoints: Endpoints) -> bool:
    """Return whether a URL is one of a region's log streams, or of Resource Manager itself."""
    return any(_is_below(address, suffix) for suffix in endpoints.stream_suffixes) or is_arm(address, endpoints)


def is_token_service(host: str, authority: str) -> bool:
    """Return whether a host is the cloud's token service, an alternative name or a region of it."""
    own = urlsplit(authority if "://" in authority else f"https://{authority}").hostname or ""
    names = next((names for names in _TOKEN_SERVICES if own in names), frozenset({own}))
    host = host.lower()
    return host in names or (len(names) > 1 and any(host.endswith(f".{name}") for name in names))


def shown(address: str) -> str:
    """Return a URL for a message, without its query, which may contain a signature."""
    return repr(address.split("?", 1)[0][:200])


def _is_below(address: str, suffix: str) -> bool:
    parts = _split(address)
    return parts is not None and parts.port in (None, 443) and str(parts.hostname).endswith(f".{suffix}")


def _origin(parts: SplitResult) -> tuple[str, int]:
    return str(parts.hostname), parts.port or 443


def _split(address: str) -> SplitResult | None:
    """Split an https URL that every parser reads alike; None for any other text."""
    if not address.isascii() or not address.isprintable() or re.search(r"[\\\s@]", address.split("?", 1)[0]):
        return None
    try:
        parts = urlsplit(address)
        known = parts.scheme == "https" and (parts.port is None or parts.port > 0)
    except ValueError:  # invalid port or URL
        return None
    host = parts.hostname or ""
    return parts if known and (_HOST.fullmatch(host) or host == "localhost") else None
