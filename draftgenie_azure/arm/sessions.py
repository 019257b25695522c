"""HTTP sessions: proxy and CA bundle from the environment or the cloud; no password file is read.

`requests` takes a password from `~/.netrc` for any host, in place of a request's token, if a session trusts the
environment and has no authentication of its own (psf/requests#3929).
"""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util.retry import Retry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from draftgenie_azure.config.clouds import Endpoints

CONNECT_TIMEOUT = 20.0
READ_TIMEOUT = 90.0  # ARM itself allows a provider 60 s and then returns 504 (azure-resource-manager-rpc)
CONNECTIONS = 32
METADATA_SERVICE = "169.254.169.254"  # of a virtual machine; unreachable on any other machine
METADATA_TIMEOUT = 2.0


class _AsItIs(AuthBase):
    """Leaves the request unchanged; a session with this searches for no other authentication."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Adapter(HTTPAdapter):
    """One connection per thread, without Nagle's algorithm, which urllib3 leaves enabled behind a proxy.

    It delays a request's body until the headers are acknowledged: 40 ms per write.
    """

    _OPTIONS = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)

    def __init__(self) -> None:
        # Retries are left to the caller.
        super().__init__(
            pool_maxsize=CONNECTIONS, max_retries=Retry(total=False, redirect=False, raise_on_status=False)
        )

    def init_poolmanager(self, *args: Any, **options: Any) -> Any:
        return super().init_poolmanager(*args, socket_options=self._OPTIONS, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, socket_options=self._OPTIONS, **options)


class CheckedTransport(RequestsTransport):  # type: ignore[misc]  # the SDK leaves its type open
    """A session of `requests` for the SDK's pipelines. Redirects are never followed.

    Args:
        endpoints: the cloud, whose own proxy or CA bundle overrides the environment.
        may_send: returns whether a host belongs to the cloud or the environment; any host by default.
        connect: seconds to wait for a connection.
        read: seconds to wait for a reply.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        may_send: Callable[[str], bool] | None = None,
        connect: float | None = None,
        read: float | None = None,
    ) -> None:
        session = requests.Session()
        session.auth = _AsItIs()
        session.trust_env = endpoints.proxy is None and endpoints.ca_file is None
        if endpoints.proxy:
            session.proxies = {"https": endpoints.proxy}
        for scheme in ("https://", "http://"):
            session.mount(scheme, _Adapter())
        super().__init__(
            session=session,
            connection_verify=endpoints.ca_file or True,
            connection_timeout=CONNECT_TIMEOUT if connect is None else connect,
            read_timeout=READ_TIMEOUT if read is None else read,
        )
        self._may_send = may_send

    def send(self, request: Any, *, proxies: Any = None, **options: Any) -> Any:
        """Send a request once.

        Raises:
            ClientAuthenticationError: its host is neither the cloud's nor the environment's.
        """
        host = urlsplit(request.url).hostname or ""
        if self._may_send is not None and not self._may_send(host):
            raise ClientAuthenticationError(message=f"{host!r} is not a host of this cloud; nothing was sent to it")
        if host == METADATA_SERVICE:
            options.setdefault("connection_timeout", METADATA_TIMEOUT)
        return super().send(request, proxies=proxies, **options)
