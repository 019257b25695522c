"""The registry's data plane: sign-in by token exchange, and digests of tags."""

from __future__ import annotations

import threading
import time

from draftgenie_azure.arm.replies import member
from draftgenie_azure.errors import AuthenticationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from draftgenie_azure.arm.replies import Reply
    from draftgenie_azure.session import Session

_PAGE = 100
_SIGNED_IN_FOR = 3600.0  # seconds; a third of the lifetime of the registry's token
NO_USER = "00000000-0000-0000-0000-000000000000"  # the user name if the password is a refresh token
MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)


class RegistryData:
    """Queries our registry as the signed-in principal.

    Source: learn.microsoft.com, container-registry-authentication.

    Args:
        login_server: host of the registry.
    """

    def __init__(self, session: Session, login_server: str) -> None:
        self._transport = session.transport
        self._tenant_id = session.tenant_id
        self.login_server = login_server
        self._signing_in = threading.Lock()
        self._refresh_token: tuple[float, str] | None = None  # expiry, and token

    def digest(self, repository: str, reference: str) -> str | None:
        """Return the digest behind a tag or digest, or None."""
        reply = self._ask(
            "HEAD", f"{repository}/manifests/{reference}", f"repository:{repository}:pull",
            headers={"Accept": MANIFESTS}, accept=(404,),
        )  # fmt: skip
        if reply.status == 404:
            return None
        name = "Docker-Content-Digest"
        return member({name: reply.headers.get(name)}, name, of=f"manifest of {repository}:{reference}")

    def repositories(self) -> Iterator[str]:
        """Yield the names of all repositories, page by page."""
        last = ""
        while True:
            params = {"n": str(_PAGE)} | ({"last": last} if last else {})
            reply = self._ask("GET", "_catalog", "registry:catalog:*", params=params)
            # Azure returns null if there is none (az acr repository list handles the same).
            names = (reply.body.get("repositories") if isinstance(reply.body, dict) else None) or []
            yield from map(str, names)
            if len(names) < _PAGE:
                return
            last = str(names[-1])

    def _ask(self, method: str, path: str, scope: str, **request: Any) -> Reply:
        """Send a request with a token for `scope`; if one is refused, sign in anew, once.

        A token may have expired by the registry's clock and not by ours, which stands still while a machine sleeps.
        """
        try:
            return self._sent(method, path, scope, **request)
        except AuthenticationError:
            self._forget_sign_in()
            return self._sent(method, path, scope, **request)

    def _sent(
        self, method: str, path: str, scope: str, headers: Mapping[str, str] | None = None, **request: Any
    ) -> Reply:
        own = {**(headers or {}), "Authorization": f"Bearer {self._token(scope)}"}
        return self._transport.other(
            method, f"https://{self.login_server}/v2/{path}", scope=None, headers=own, **request
        )

    def _forget_sign_in(self) -> None:
        with self._signing_in:
            self._refresh_token = None
            self._transport.sign_in_again(f"Bearer {self._transport.token(self._transport.endpoints.audience)}")

    def refresh_token(self) -> str:
        """Exchange the token for Resource Manager for a refresh token of the registry, valid for three hours."""
        reply = self._transport.other(
            "POST",
            f"https://{self.login_server}/oauth2/exchange",
            scope=None,
            form={
                "grant_type": "access_token",
                "service": self.login_server,
                "tenant": self._tenant_id,
                "access_token": self._transport.token(self._transport.endpoints.audience),
            },
        )
        return member(reply.body, "refresh_token", of="sign-in to the registry")

    def _signed_in(self) -> str:
        """Return a refresh token of the registry, cached for an hour."""
        with self._signing_in:
            if self._refresh_token is None or self._refresh_token[0] < time.monotonic():
                self._refresh_token = time.monotonic() + _SIGNED_IN_FOR, self.refresh_token()
            return self._refresh_token[1]

    def _token(self, scope: str) -> str:
        reply = self._transport.other(
            "POST",
            f"https://{self.login_server}/oauth2/token",
            scope=None,
            form={
                "grant_type": "refresh_token",
                "service": self.login_server,
                "scope": scope,
                "refresh_token": self._signed_in(),
            },
        )
        return member(reply.body, "access_token", of="sign-in to the registry")
