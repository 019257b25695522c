"""The data plane of a registry: the OCI distribution API for push and pull. Azure's additions are in `acr_api`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from azure_emulator.core.messages import Request, Response
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.registry import access, acr_api, blobs, registries, repositories
from azure_emulator.services.registry.access import error, may_pull
from azure_emulator.services.registry.repositories import find_manifest

__all__ = ["find_manifest", "handle", "may_pull", "registry_of"]

Json = dict[str, Any]
_NAME = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
_TAG = r"\w[\w.-]{0,127}"
_INDEXES = {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
_MEDIA = {
    *_INDEXES,
    "application/vnd.oci.image.manifest.v1+json",
    repositories.DOCKER_MANIFEST,
}
_LARGEST_MANIFEST = 4 * 1024 * 1024


def registry_of(world: World, host: str) -> Resource | None:
    return next(
        (item for item in world.store.of_type(registries.REGISTRY_TYPE) if item.properties["loginServer"] == host),
        None,
    )


@dataclass
class Visit:
    """One request to one registry; `parts` are the names in its path."""

    world: World
    request: Request
    registry: Resource
    parts: dict[str, str]

    def need(self, right: str) -> None:
        access.need(self.world, self.request, self.registry, f"repository:{self.parts['name']}:{right}")


def handle(world: World, request: Request) -> Response:
    registry = registry_of(world, request.host)
    if registry is None:
        raise error(404, "NOT_FOUND", f"The registry of {request.host} does not exist.")
    if registry.properties["publicNetworkAccess"] == "Disabled":
        raise error(
            403, "DENIED", "client with IP '127.0.0.1' is not allowed access. Refer https://aka.ms/acr/firewall"
        )
    path = unquote(request.path).rstrip("/")
    if path == "/oauth2/exchange" and request.method == "POST":
        return access.exchange(world, request, registry)
    if path == "/oauth2/token" and request.method in ("GET", "POST"):
        return access.token(world, request, registry)
    if path == "/v2":
        access.need(world, request, registry, "")
        return Response(200, {}, {"Docker-Distribution-Api-Version": "registry/2.0"})
    if path.startswith("/acr/v1/"):
        return acr_api.handle(world, request, registry)
    for method, pattern, handler in _ROUTES:
        found = re.fullmatch(pattern, path)
        if found is not None and method == request.method:
            return handler(Visit(world, request, registry, found.groupdict()))
    access.need(world, request, registry, "")
    raise error(404, "NOT_FOUND", "The requested path is not served.")


def _catalog(visit: Visit) -> Response:
    access.need(visit.world, visit.request, visit.registry, "registry:catalog:*")
    return acr_api.page(visit.request, "/v2/_catalog", "repositories", sorted(visit.registry.private["repositories"]))


def _tags(visit: Visit) -> Response:
    visit.need("pull")
    held = acr_api.repository(visit.registry, visit.parts["name"])
    answer = acr_api.page(visit.request, f"/v2/{visit.parts['name']}/tags/list", "tags", sorted(held["tags"]))
    answer.body = {"name": visit.parts["name"], **answer.body}
    return answer


# Manifests


def _manifest(visit: Visit) -> Response:
    visit.need("pull")
    acr_api.repository(visit.registry, visit.parts["name"])
    found = find_manifest(visit.registry, visit.parts["name"], visit.parts["reference"])
    if found is None:
        raise error(404, "MANIFEST_UNKNOWN", f'manifest tagged by "{visit.parts["reference"]}" is not found')
    digest, manifest = found
    headers = {
        "Docker-Content-Digest": digest,
        "Content-Type": manifest["media"],
        "ETag": f'"{digest}"',
        "Docker-Distribution-Api-Version": "registry/2.0",
    }
    content = manifest["content"].encode()
    if visit.request.method == "HEAD":
        return Response(200, None, {**headers, "Content-Length": str(len(content))})
    return Response(200, content, headers)


def _put_manifest(visit: Visit) -> Response:
    visit.need("push")
    content, reference = visit.request.body, visit.parts["reference"]
    media = visit.request.headers.get("content-type", "").split(";")[0].strip()
    digest = repositories.digest_of(content)
    if reference.startswith("sha256:") and reference != digest:
        raise error(400, "DIGEST_INVALID", "provided digest did not match uploaded content", {"Digest": reference})
    read = _read_manifest(content, media)
    _check_references(visit, read)
    _check_unlocked(visit, reference)
    config = blobs.read(visit.world, visit.registry, str((read.get("config") or {}).get("digest", "")))
    kept = {
        "content": content.decode(),
        "media": media or str(read.get("mediaType")),
        "behaviour": repositories.pushed_behaviour(config or b"{}"),
        "subject": (read.get("subject") or {}).get("digest"),
    }
    repositories.put_manifest(visit.world, visit.registry, visit.parts["name"], digest, kept)
    if not reference.startswith("sha256:"):
        repositories.put_tag(visit.world, visit.registry, visit.parts["name"], reference, digest)
    headers = {"Location": f"/v2/{visit.parts['name']}/manifests/{digest}", "Docker-Content-Digest": digest}
    if kept["subject"]:
        headers["OCI-Subject"] = str(kept["subject"])
    return Response(201, None, headers)


def _read_manifest(content: bytes, media: str) -> Json:
    if len(content) > _LARGEST_MANIFEST:
        raise error(413, "MANIFEST_INVALID", "The manifest is larger than 4 MiB.")
    try:
        read = json.loads(content.decode())
    except (ValueError, RecursionError) as problem:
        raise error(400, "MANIFEST_INVALID", f"manifest invalid: {problem}") from problem
    if not isinstance(read, dict) or (media or read.get("mediaType")) not in _MEDIA:
        raise error(400, "MANIFEST_INVALID", f"manifest invalid: the media type '{media}' is not supported")
    _check_shape(read, media or str(read["mediaType"]))
    return read


def _check_shape(manifest: Json, media: str) -> None:
    """Require what a manifest of its kind has (github.com/opencontainers/image-spec)."""
    if manifest.get("schemaVersion") != 2 or manifest.get("mediaType", media) != media:
        raise error(400, "MANIFEST_INVALID", "manifest invalid: schemaVersion or mediaType do not fit")
    parts = ["manifests"] if media in _INDEXES else ["config", "layers"]
    missing = [name for name in parts if name not in manifest]
    lists = [manifest.get(name) or [] for name in ("manifests", "layers")]
    alone = [manifest[name] for name in ("config", "subject") if manifest.get(name) is not None]
    if missing or not all(isinstance(item, list) for item in lists):
        raise error(400, "MANIFEST_INVALID", f"manifest invalid: {' and '.join(parts)} are required")
    for item in [*lists[0], *lists[1], *alone]:
        if not isinstance(item, dict) or not isinstance(item.get("digest"), str):
            raise error(400, "MANIFEST_INVALID", "manifest invalid: a descriptor has no digest")


def _check_references(visit: Visit, manifest: Json) -> None:
    """Require that everything a manifest references was pushed before it."""
    for item in [manifest.get("config"), *(manifest.get("layers") or [])]:
        digest = str((item or {}).get("digest", ""))
        if item is not None and not blobs.has(visit.world, visit.registry, digest):
            raise error(404, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", {"Digest": digest})
    for item in manifest.get("manifests") or []:
        if find_manifest(visit.registry, visit.parts["name"], str(item.get("digest", ""))) is None:
            raise error(404, "MANIFEST_UNKNOWN", "manifest unknown to registry", {"Digest": item.get("digest")})


def _check_unlocked(visit: Visit, reference: str) -> None:
    held = repositories.find_repository(visit.registry, visit.parts["name"]) or {"tags": {}}
    locked = held["tags"].get(reference, held).get("attributes", repositories.OPEN)
    if not locked["writeEnabled"]:
        raise acr_api.locked("write")


def _delete_manifest(visit: Visit) -> Response:
    visit.need("delete")
    held = acr_api.repository(visit.registry, visit.parts["name"])
    reference = visit.parts["reference"]
    if not reference.startswith("sha256:"):
        raise error(400, "UNSUPPORTED", "The operation is unsupported: a manifest is deleted by its digest.")
    if reference not in held["manifests"]:
        raise error(404, "MANIFEST_UNKNOWN", f'manifest "{reference}" is not found')
    tags = [held["tags"][name] for name in repositories.tags_of(held, reference)]
    if not all(item["attributes"]["deleteEnabled"] for item in [held["manifests"][reference], *tags]):
        raise acr_api.locked("delete")
    repositories.drop_manifest(visit.world, visit.registry, visit.parts["name"], reference)
    return Response(202)


def _referrers(visit: Visit) -> Response:
    """List the artifacts attached to an image: signatures, bills of materials."""
    visit.need("pull")
    held = acr_api.repository(visit.registry, visit.parts["name"])
    found = [
        {"mediaType": item["media"], "digest": digest, "size": len(item["content"].encode())}
        for digest, item in held["manifests"].items()
        if item.get("subject") == visit.parts["digest"]
    ]
    body = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": found}
    return Response(200, body, {"Content-Type": str(body["mediaType"])})


# Blobs


def _blob(visit: Visit) -> Response:
    visit.need("pull")
    digest = visit.parts["digest"]
    content = blobs.read(visit.world, visit.registry, digest)
    if content is None:
        raise error(404, "BLOB_UNKNOWN", "blob unknown to registry", {"Digest": digest})
    headers = {
        "Docker-Content-Digest": digest,
        "Content-Type": "application/octet-stream",
        "Accept-Ranges": "bytes",
        "ETag": f'"{digest}"',
    }
    if visit.request.method == "HEAD":
        return Response(200, None, {**headers, "Content-Length": str(len(content))})
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", visit.request.headers.get("range", ""))
    if wanted is None:
        return Response(200, content, headers)
    start, stop = int(wanted[1]), int(wanted[2] or len(content) - 1)
    if start >= len(content):
        raise error(416, "RANGE_INVALID", "invalid content range")
    part = content[start : stop + 1]
    headers["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
    return Response(206, part, headers)


def _delete_blob(visit: Visit) -> Response:
    visit.need("delete")
    if not blobs.has(visit.world, visit.registry, visit.parts["digest"]):
        raise error(404, "BLOB_UNKNOWN", "blob unknown to registry", {"Digest": visit.parts["digest"]})
    blobs.drop(visit.world, visit.registry, visit.parts["digest"])
    return Response(202)


def _begin_upload(visit: Visit) -> Response:
    """Start an upload; with `mount` a blob of this registry is reused, with `digest` the body is the complete blob."""
    visit.need("push")
    mount, digest = visit.request.query.get("mount", ""), visit.request.query.get("digest", "")
    if mount and blobs.has(visit.world, visit.registry, mount):
        return _made(visit, mount)
    identifier = blobs.begin(visit.world, visit.registry)
    if digest:
        blobs.add(visit.world, visit.registry, identifier, visit.request.body)
        return _finished(visit, identifier, digest)
    return Response(202, None, _upload_headers(visit, identifier, 0))


def _upload_headers(visit: Visit, identifier: str, size: int) -> dict[str, str]:
    return {
        "Location": f"/v2/{visit.parts['name']}/blobs/uploads/{identifier}?_nouploadcache=false",
        "Docker-Upload-UUID": identifier,
        "Range": f"0-{max(size - 1, 0)}",
        "Docker-Distribution-Api-Version": "registry/2.0",
    }


def _size(visit: Visit) -> int:
    found = blobs.size(visit.world, visit.registry, visit.parts["upload"])
    if found is None:
        raise error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
    return found


def _check_range(visit: Visit, there: int) -> None:
    """Append a chunk; chunks must be consecutive."""
    wanted = re.fullmatch(r"(?:bytes[ =])?(\d+)-(\d+)(?:/.*)?", visit.request.headers.get("content-range", ""))
    if wanted is not None and int(wanted[1]) != there:
        headers = _upload_headers(visit, visit.parts["upload"], there)
        raise error(416, "RANGE_INVALID", "invalid content range", None, **headers)


def _add(visit: Visit) -> Response:
    visit.need("push")
    _check_range(visit, _size(visit))
    size = blobs.add(visit.world, visit.registry, visit.parts["upload"], visit.request.body)
    return Response(202, None, _upload_headers(visit, visit.parts["upload"], size))


def _finish(visit: Visit) -> Response:
    visit.need("push")
    there = _size(visit)
    if visit.request.body:
        _check_range(visit, there)
        blobs.add(visit.world, visit.registry, visit.parts["upload"], visit.request.body)
    return _finished(visit, visit.parts["upload"], visit.request.query.get("digest", ""))


def _finished(visit: Visit, identifier: str, digest: str) -> Response:
    if not blobs.is_digest(digest) or not blobs.finish(visit.world, visit.registry, identifier, digest):
        blobs.cancel(visit.world, visit.registry, identifier)
        raise error(400, "DIGEST_INVALID", "provided digest did not match uploaded content", {"Digest": digest})
    return _made(visit, digest)


def _made(visit: Visit, digest: str) -> Response:
    headers = {"Location": f"/v2/{visit.parts['name']}/blobs/{digest}", "Docker-Content-Digest": digest}
    return Response(201, None, headers)


def _progress(visit: Visit) -> Response:
    visit.need("push")
    return Response(204, None, _upload_headers(visit, visit.parts["upload"], _size(visit)))


def _cancel(visit: Visit) -> Response:
    visit.need("push")
    _size(visit)
    blobs.cancel(visit.world, visit.registry, visit.parts["upload"])
    return Response(204)


_REPOSITORY = rf"/v2/(?P<name>{_NAME})"
_MANIFEST = rf"{_REPOSITORY}/manifests/(?P<reference>{_TAG}|sha256:[0-9a-f]{{64}})"
_BLOB = rf"{_REPOSITORY}/blobs/(?P<digest>sha256:[0-9a-f]{{64}})"
_UPLOAD = rf"{_REPOSITORY}/blobs/uploads/(?P<upload>[0-9a-f-]+)"
_ROUTES: list[tuple[str, str, Callable[[Visit], Response]]] = [
    ("GET", r"/v2/_catalog", _catalog),
    ("GET", rf"{_REPOSITORY}/tags/list", _tags),
    ("GET", _MANIFEST, _manifest),
    ("HEAD", _MANIFEST, _manifest),
    ("PUT", _MANIFEST, _put_manifest),
    ("DELETE", _MANIFEST, _delete_manifest),
    ("GET", rf"{_REPOSITORY}/referrers/(?P<digest>sha256:[0-9a-f]{{64}})", _referrers),
    ("GET", _BLOB, _blob),
    ("HEAD", _BLOB, _blob),
    ("DELETE", _BLOB, _delete_blob),
    ("POST", rf"{_REPOSITORY}/blobs/uploads", _begin_upload),
    ("GET", _UPLOAD, _progress),
    ("PATCH", _UPLOAD, _add),
    ("PUT", _UPLOAD, _finish),
    ("DELETE", _UPLOAD, _cancel),
]
