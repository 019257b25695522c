"""Parse image references."""

from __future__ import annotations

DOCKER_HUB = ("docker.io", "index.docker.io")  # two names of one registry


class Reference:
    """An image reference, parsed as Docker does.

    Attributes:
        host: the registry.
        repository: the name within it.
        reference: tag or digest.
    """

    __slots__ = ("host", "reference", "repository")

    def __init__(self, image: str) -> None:
        name, _, digest = image.partition("@")
        first, slash, rest = name.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            self.host, name = first.lower(), rest
        else:
            self.host = DOCKER_HUB[0]
        colon = name.rfind(":")
        tag = name[colon + 1 :] if colon > name.rfind("/") else ""
        repository = name[:colon] if tag else name
        is_official = self.host in DOCKER_HUB and "/" not in repository
        self.repository = f"library/{repository}" if is_official else repository
        self.reference = digest or tag or "latest"

    def is_in(self, server: str) -> bool:
        """Return whether the image is in the registry of this host."""
        server = server.lower()
        return self.host == server or (self.host in DOCKER_HUB and server in DOCKER_HUB)
