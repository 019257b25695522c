"""The registry's own interface: sign-in by token exchange, and which digest is behind a tag."""

from __future__ import annotations

from draftgenie_azure.arm.replies import member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.session import Session

NO_USER = "00000000-0000-0000-0000-000000000000"  # the user's name where the password is a refresh token
MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)


class RegistryData:
    """Asks a registry of ours, as the signed-in principal.

    Source: learn.microsoft.com, container-registry-authentication.

    Args:
        login_server: its host.
    """

    def __init__(self, session: Session, login_server: str) -> None:
        self._transport = session.transport
        self._tenant_id = session.tenant_id
        self.login_server = login_server

    def digest(self, repository: str, reference: str) -> str | None:
        """The digest behind a tag or digest, or None where there is none."""
        reply = self._transport.other(
            "HEAD",
            f"https://{self.login_server}/v2/{repository}/manifests/{reference}",
            scope=None,
            headers={"Accept": MANIFESTS, "Authorization": f"Bearer {self._pull_token(repository)}"},
            accept=(404,),
        )
        if reply.status == 404:
            return None
        name = "Docker-Content-Digest"
        return member({name: reply.headers.get(name)}, name, of=f"manifest of {repository}:{reference}")

    def refresh_token(self) -> str:
        """A token of the registry in exchange for that of Resource Manager: a password for three hours."""
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

    def _pull_token(self, repository: str) -> str:
        reply = self._transport.other(
            "POST",
            f"https://{self.login_server}/oauth2/token",
            scope=None,
            form={
                "grant_type": "refresh_token",
                "service": self.login_server,
                "scope": f"repository:{repository}:pull",
                "refresh_token": self.refresh_token(),
            },
        )
        return member(reply.body, "access_token", of="sign-in to the registry")
