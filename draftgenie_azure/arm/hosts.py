"""Which hosts a cloud and the configuration name. Tokens, secrets and sources go to no other one.

Outputs, operations and copies of the state, and addresses in answers, are data: an address is made from names in the
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

# Names under which one token service answers. Source: msal 1.39, `authority.py`; the discovery document of
# login.chinacloudapi.cn names the second one.
_TOKEN_SERVICES = (
    frozenset({"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"}),
    frozenset({"login.microsoftonline.us", "login.usgovcloudapi.net"}),
    frozenset({"login.chinacloudapi.cn", "login.partner.microsoftonline.cn"}),
)
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)


def path_of(address: str, endpoints: Endpoints) -> str:
    """A path of Azure Resource Manager, with its query, from a path or a whole address of it.

    The path alone is handed on, so that no two parsers can read two hosts in one address.

    Raises:
        AzureError: it is an address of something else.
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
    """Whether an address is one of Azure Resource Manager in this cloud."""
    theirs, ours = _split(address), _split(endpoints.resource_manager)
    return theirs is not None and ours is not None and _origin(theirs) == _origin(ours)


def vault_address(name: str, endpoints: Endpoints) -> str:
    """The address of a vault, with a slash at its end."""
    return f"https://{name.lower()}.{endpoints.vault_suffix}/"


def registry_host(name: str, endpoints: Endpoints) -> str:
    """The host of a registry."""
    return f"{name.lower()}.{endpoints.registry_suffix}"


def is_registry(host: str, name: str, endpoints: Endpoints) -> bool:
    """Whether a host is that of the registry, also of one that was made with a domain name label (`name-hash`)."""
    first, _, rest = host.lower().partition(".")
    label = re.fullmatch(rf"{re.escape(name.lower())}(-[a-z0-9]+)?", first)
    return rest == endpoints.registry_suffix and label is not None


def is_database(host: str, name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a host is that of a server of this name: below one of the suffixes, where they are known."""
    first, _, rest = host.lower().partition(".")
    is_below = any(f".{rest}".endswith(f".{suffix}") for suffix in suffixes)
    return first == name.lower() and (is_below or not suffixes)


def is_storage(address: str, endpoints: Endpoints) -> bool:
    """Whether an address is one of a storage account's blobs in this cloud, or of Resource Manager itself."""
    return _is_below(address, endpoints.blob_suffix) or is_arm(address, endpoints)


def check_storage(address: str, endpoints: Endpoints, what: str) -> None:
    """Refuse an address that is not one of the cloud's storage.

    Raises:
        AzureError: it is another one; `what` says what is there.
    """
    if not is_storage(address, endpoints):
        raise AzureError(f"{what} is at {shown(address)}, not in this cloud's storage", hint=NOT_AZURE)


def is_log_stream(address: str, endpoints: Endpoints) -> bool:
    """Whether an address is one of a region's log streams, or of Resource Manager itself."""
    return any(_is_below(address, suffix) for suffix in endpoints.stream_suffixes) or is_arm(address, endpoints)


def is_token_service(host: str, authority: str) -> bool:
    """Whether a host is that of the cloud's token service, or another name or a region of it."""
    own = urlsplit(authority if "://" in authority else f"https://{authority}").hostname or ""
    names = next((names for names in _TOKEN_SERVICES if own in names), frozenset({own}))
    host = host.lower()
    return host in names or (len(names) > 1 and any(host.endswith(f".{name}") for name in names))


def shown(address: str) -> str:
    """An address for a message: without its query, which may carry a signature."""
    return repr(address.split("?", 1)[0][:200])


def _is_below(address: str, suffix: str) -> bool:
    parts = _split(address)
    return parts is not None and parts.port in (None, 443) and str(parts.hostname).endswith(f".{suffix}")


def _origin(parts: SplitResult) -> tuple[str, int]:
    return str(parts.hostname), parts.port or 443


def _split(address: str) -> SplitResult | None:
    """The parts of an https address that every parser reads alike; None for any other text."""
    if not address.isascii() or not address.isprintable() or re.search(r"[\\\s@]", address.split("?", 1)[0]):
        return None
    try:
        parts = urlsplit(address)
        known = parts.scheme == "https" and (parts.port is None or parts.port > 0)
    except ValueError:  # no port, or no address
        return None
    host = parts.hostname or ""
    return parts if known and (_HOST.fullmatch(host) or host == "localhost") else None
