"""Check that configured images exist before anything is deployed that would wait for them.

A registry is queried as Container Apps will: our own, and Azure registries under `registries`, with our rights; private
ones with the configured credentials; all others anonymously. No token or password is sent to another host than the one
the configuration gives for it. Source: the distribution specification of the Open
Container Initiative, and distribution.github.io/distribution/spec/auth/token.
"""

from __future__ import annotations

import base64
import re
from functools import partial
from urllib.parse import urlencode, urlsplit

from draftgenie_azure.arm.hosts import is_registry
from draftgenie_azure.errors import AzureError
from draftgenie_azure.provision.bodies.registries import private_registry
from draftgenie_azure.provision.image_reference import DOCKER_HUB, Reference
from draftgenie_azure.provision.registry_data import MANIFESTS, RegistryData
from draftgenie_azure.run.schedule import run_concurrently

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from draftgenie_azure.arm.replies import Reply
    from draftgenie_azure.config.validated.resource_sections import Registry
    from draftgenie_azure.session import Session

_DOCKER_HUB_REGISTRY = "registry-1.docker.io"
_FIELD = re.compile(r'(\w+)="([^"]*)"')


def problems(session: Session) -> Iterator[str]:
    """Yield the faults of configured images; unreachable registries only cause notices."""
    images: dict[str, list[str]] = {}
    for key, service in session.config.services.items():
        if service.image:
            images.setdefault(service.image, []).append(key)
    tasks = [partial(_problem, session, image) for image in images]
    for image, problem in zip(images, run_concurrently(tasks, width=session.control.parallelism), strict=True):
        if problem:
            yield f"{', '.join(images[image])}: the image {image} {problem}"


def _problem(session: Session, image: str) -> str | None:
    wanted = Reference(image)
    own = session.config.container_registry
    if own is not None and is_registry(wanted.host, own.name, session.transport.endpoints):
        return _problem_with_own(session, wanted, own.name)
    registry = private_registry(session.config, image)
    is_azure = wanted.host.endswith(f".{session.transport.endpoints.registry_suffix}")
    if session.emulator is not None and not is_azure:
        return None  # the emulator has no other registries, and starts no containers
    try:
        if registry is None:
            return _problem_elsewhere(session, wanted, None)
        return _problem_in_private(session, wanted, registry)
    except AzureError as error:
        session.logger.info("%s: its existence could not be checked: %s", image, error.message)
        session.warn(_unasked(wanted, image, error))
        return None


def _unasked(wanted: Reference, image: str, error: AzureError) -> str:
    if error.status in (401, 403):
        return f"{wanted.host} does not allow the check, so it is unknown whether the image {image} exists"
    return f"{wanted.host} did not respond, so it is unknown whether the image {image} exists"


def _problem_with_own(session: Session, wanted: Reference, name: str) -> str | None:
    live = session.arm.read(session.scope.resource("Microsoft.ContainerRegistry/registries", name))
    if live is None:
        return f"is in the registry {name}, which does not exist yet: push it to an existing registry"
    if RegistryData(session, wanted.host).digest(wanted.repository, wanted.reference) is None:
        return f"is not in the registry {name}"
    return None


def _problem_in_private(session: Session, wanted: Reference, registry: Registry) -> str | None:
    """Query a configured registry: with its credentials or, if an identity pulls, with our rights.

    The identity's own rights cannot be tested from here.
    """
    if registry.identity is not None:
        if RegistryData(session, wanted.host).digest(wanted.repository, wanted.reference) is None:
            return f"does not exist in {wanted.host}"
        return None
    value = session.config.secrets.get(str(registry.secret))
    if not isinstance(value, str) or not value:
        session.logger.info("%s: its password is only in the vault; the image is not checked", wanted.host)
        return None
    pair = f"{registry.username}:{value}".encode()
    return _problem_elsewhere(session, wanted, f"Basic {base64.b64encode(pair).decode()}")


def _problem_elsewhere(session: Session, wanted: Reference, credentials: str | None) -> str | None:
    host = _DOCKER_HUB_REGISTRY if wanted.host in DOCKER_HUB else wanted.host
    address = f"https://{host}/v2/{wanted.repository}/manifests/{wanted.reference}"
    reply = _ask(session, address, {})
    if reply.status == 401:
        authorization = _authorization(session, reply, host, wanted.repository, credentials)
        reply = _ask(session, address, {"Authorization": authorization}) if authorization else reply
    if reply.status == 404:
        return f"does not exist in {wanted.host}"
    if reply.status in (401, 403) and credentials:
        return f"is refused by {wanted.host} to the user and the secret under `registries`"
    if reply.status in (401, 403):
        return (
            f"is not public in {wanted.host}: it is private or misspelt. For a private one, add "
            f"{wanted.host} to `registries`"
        )
    return None


def _ask(session: Session, address: str, headers: Mapping[str, str]) -> Reply:
    return session.transport.other(
        "HEAD", address, scope=None, headers={"Accept": MANIFESTS, **headers}, accept=(401, 403, 404), tries=2
    )


def _authorization(session: Session, refused: Reply, host: str, repository: str, credentials: str | None) -> str:
    """Return the Authorization header that a registry requires after a refusal; empty if there is none.

    A token service is queried only in the registry's own domain, as Docker Hub's is; credentials are sent only to the
    registry's own host, to a parent domain of it, and to Docker Hub's.
    """
    scheme, _, rest = (refused.headers.get("WWW-Authenticate") or "").partition(" ")
    if scheme.lower() == "basic":
        return credentials or ""
    fields = dict(_FIELD.findall(rest))
    realm = urlsplit(fields.get("realm", ""))
    if scheme.lower() != "bearer" or realm.scheme != "https" or _domain(realm.hostname) != _domain(host):
        return ""
    query = urlencode({"service": fields.get("service", ""), "scope": f"repository:{repository}:pull"})
    address = f"https://{realm.netloc}{realm.path}?{query}"
    shown = {"Authorization": credentials} if credentials and _may_know(realm.netloc, host) else {}
    reply = session.transport.other("GET", address, scope=None, headers=shown, accept=(401, 403, 404), tries=2)
    body: Any = reply.body if isinstance(reply.body, dict) else {}
    token = str(body.get("token") or body.get("access_token") or "")
    return f"Bearer {token}" if token else ""


def _may_know(realm: str, host: str) -> bool:
    """Return whether a token service may receive the credentials for a registry."""
    if host == _DOCKER_HUB_REGISTRY:
        return realm == "auth.docker.io"
    return realm.lower() == host or (realm.count(".") > 0 and host.endswith(f".{realm.lower()}"))


def _domain(host: str | None) -> list[str]:
    """Return the last two labels of a host name."""
    return (host or "").lower().split(":")[0].split(".")[-2:]
