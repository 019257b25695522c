"""Proves that the images which the configuration names exist, before anything is deployed that would wait for them.

A registry is asked as Container Apps will ask it: our own with our rights, others as anybody may. No token of ours goes
to another registry. Source: the distribution specification of the Open Container Initiative, and
distribution.github.io/distribution/spec/auth/token for the anonymous token.
"""

from __future__ import annotations

import re
from functools import partial
from urllib.parse import urlencode, urlsplit

from draftgenie_azure.arm.hosts import is_registry
from draftgenie_azure.errors import AzureError
from draftgenie_azure.provision.registry_data import MANIFESTS, RegistryData
from draftgenie_azure.run.schedule import side_by_side

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from draftgenie_azure.arm.transport import Reply
    from draftgenie_azure.session import Session

_DOCKER_HUB = "docker.io"
_ELSEWHERE = {_DOCKER_HUB: "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}
_FIELD = re.compile(r'(\w+)="([^"]*)"')


class Reference:
    """An image's name, taken apart as Docker does.

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
            self.host = _DOCKER_HUB
        colon = name.rfind(":")
        tag = name[colon + 1 :] if colon > name.rfind("/") else ""
        repository = name[:colon] if tag else name
        is_official = self.host in _ELSEWHERE and "/" not in repository
        self.repository = f"library/{repository}" if is_official else repository
        self.reference = digest or tag or "latest"


def problems(session: Session) -> Iterator[str]:
    """What is wrong with the images of services that come with one; registries that do not answer are notices."""
    images: dict[str, list[str]] = {}
    for key, service in session.config.services.items():
        if service.image:
            images.setdefault(service.image, []).append(key)
    tasks = [partial(_problem, session, image) for image in images]
    for image, problem in zip(images, side_by_side(tasks, width=session.control.parallelism), strict=True):
        if problem:
            yield f"{', '.join(images[image])}: the image {image} {problem}"


def _problem(session: Session, image: str) -> str | None:
    wanted = Reference(image)
    registry = session.config.container_registry
    if registry is not None and is_registry(wanted.host, registry.name, session.transport.endpoints):
        return _problem_with_own(session, wanted, registry.name)
    if session.emulator is not None:
        return None  # it has no other registries, and nothing is started
    try:
        return _problem_elsewhere(session, wanted)
    except AzureError as error:
        session.logger.info("%s: whether it exists could not be asked: %s", image, error.message)
        session.warn(f"{wanted.host} did not answer, so nobody knows yet whether the image {image} exists")
        return None


def _problem_with_own(session: Session, wanted: Reference, name: str) -> str | None:
    live = session.arm.read(session.scope.resource("Microsoft.ContainerRegistry/registries", name))
    if live is None:
        return f"is in the registry {name}, which is not there yet: push it to a registry that exists"
    if RegistryData(session, wanted.host).digest(wanted.repository, wanted.reference) is None:
        return f"is not in the registry {name}"
    return None


def _problem_elsewhere(session: Session, wanted: Reference) -> str | None:
    host = _ELSEWHERE.get(wanted.host, wanted.host)
    address = f"https://{host}/v2/{wanted.repository}/manifests/{wanted.reference}"
    reply = _ask(session, address, {})
    if reply.status == 401:
        token = _anonymous_token(session, reply, host, wanted.repository)
        reply = _ask(session, address, {"Authorization": f"Bearer {token}"}) if token else reply
    if reply.status == 404:
        return f"does not exist in {wanted.host}"
    if reply.status in (401, 403):
        return f"is not there for everybody in {wanted.host}: it is private, or misspelt"
    return None


def _ask(session: Session, address: str, headers: Mapping[str, str]) -> Reply:
    return session.transport.other(
        "HEAD", address, scope=None, headers={"Accept": MANIFESTS, **headers}, accept=(401, 403, 404), tries=2
    )


def _anonymous_token(session: Session, refused: Reply, host: str, repository: str) -> str:
    """The token that anybody gets from the service that the registry names; empty where there is none.

    The service is asked only in the registry's own domain, as that of Docker Hub is.
    """
    scheme, _, rest = (refused.headers.get("WWW-Authenticate") or "").partition(" ")
    fields = dict(_FIELD.findall(rest))
    realm = urlsplit(fields.get("realm", ""))
    if scheme.lower() != "bearer" or realm.scheme != "https" or _domain(realm.hostname) != _domain(host):
        return ""
    query = urlencode({"service": fields.get("service", ""), "scope": f"repository:{repository}:pull"})
    address = f"https://{realm.netloc}{realm.path}?{query}"
    reply = session.transport.other("GET", address, scope=None, accept=(401, 403, 404), tries=2)
    body: Any = reply.body if isinstance(reply.body, dict) else {}
    return str(body.get("token") or body.get("access_token") or "")


def _domain(host: str | None) -> list[str]:
    """The last two labels of a host."""
    return (host or "").lower().split(":")[0].split(".")[-2:]
