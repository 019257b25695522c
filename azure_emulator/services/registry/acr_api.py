"""Azure's additions to the distribution API: repositories, tags and manifests with attributes
(learn.microsoft.com/rest/api/containerregistry)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlencode

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.registry import access, repositories
from azure_emulator.services.registry.access import error

Json = dict[str, Any]
_MOST = 100
"""Default number of entries per page."""


def repository(registry: Resource, name: str) -> Json:
    found = repositories.find_repository(registry, name)
    if found is None:
        raise error(404, "NAME_UNKNOWN", f'repository name not known to registry: {{"name":"{name}"}}')
    return found


def locked(what: str) -> Refusal:
    return error(405, "UNSUPPORTED", f"The operation is disallowed on this registry, repository or image: {what}.")


def page(request: Request, path: str, key: str, items: list[Any], name: Callable[[Any], str] = str) -> Response:
    """Return a page by `n` and `last`, with a link to the next one."""
    wanted = request.query.get("n", "")
    size = int(wanted) if wanted.isdigit() and int(wanted) > 0 else _MOST
    last = request.query.get("last")
    rest = [item for item in items if last is None or name(item) > last]
    headers = {}
    if len(rest) > size:
        following = urlencode({"last": name(rest[size - 1]), "n": size})
        headers["Link"] = f'<{path}?{following}>; rel="next"'
    return Response(200, {key: rest[:size]}, headers)


def handle(world: World, request: Request, registry: Resource) -> Response:
    path = unquote(request.path).rstrip("/").removeprefix("/acr/v1/")
    if path == "_catalog":
        access.need(world, request, registry, "registry:catalog:*")
        return page(request, "/acr/v1/_catalog", "repositories", sorted(registry.private["repositories"]))
    match = re.fullmatch(r"(?P<name>.+?)(?:/(?P<kind>_tags|_manifests)(?:/(?P<item>[^/]+))?)?", path)
    assert match is not None
    name, kind, item = match["name"], match["kind"] or "", match["item"] or ""
    right = {"GET": "metadata_read", "PATCH": "metadata_write", "DELETE": "delete"}.get(request.method)
    if right is None or (request.method != "GET" and kind and not item):
        raise error(405, "UNSUPPORTED", f"The operation {request.method} is unsupported.")
    access.need(world, request, registry, f"repository:{name}:{right}")
    held = repository(registry, name)
    if not kind:
        return _repository(world, request, registry, name, held)
    if kind == "_tags":
        return _tags(world, request, registry, name, held, item)
    return _manifests(world, request, registry, name, held, item)


def _attributes(current: Json, request: Request, world: World, registry: Resource) -> None:
    """PATCH of locks: deleteEnabled, writeEnabled, readEnabled, listEnabled."""
    try:
        sent = json.loads(request.body or b"{}")
    except ValueError as problem:
        raise error(400, "BAD_REQUEST", str(problem)) from problem
    unknown = set(sent) - set(repositories.OPEN)
    if unknown or not all(isinstance(value, bool) for value in sent.values()):
        raise error(400, "BAD_REQUEST", f"The attributes are {', '.join(repositories.OPEN)}, true or false.")
    current.update(sent)
    world.store.put(registry)


def _repository(world: World, request: Request, registry: Resource, name: str, held: Json) -> Response:
    if request.method == "DELETE":
        entries = [held, *held["tags"].values(), *held["manifests"].values()]
        if not all(item["attributes"]["deleteEnabled"] for item in entries):
            raise locked("delete")
        gone = {"manifestsDeleted": sorted(held["manifests"]), "tagsDeleted": sorted(held["tags"])}
        del registry.private["repositories"][name.lower()]
        world.store.put(registry)
        return Response(202, gone)
    if request.method == "PATCH":
        _attributes(held["attributes"], request, world, registry)
    shown = {
        "registry": registry.properties["loginServer"],
        "imageName": name,
        "createdTime": held["created"],
        "lastUpdateTime": held["updated"],
        "manifestCount": len(held["manifests"]),
        "tagCount": len(held["tags"]),
        "changeableAttributes": held["attributes"],
    }
    return Response(200, shown)


def _whole(registry: Resource, name: str) -> Json:
    return {"registry": registry.properties["loginServer"], "imageName": name}


def _tags(world: World, request: Request, registry: Resource, name: str, held: Json, tag: str) -> Response:
    if not tag:
        wanted = request.query.get("digest")
        shown = [_tag(held, item) for item in _ordered(request, held["tags"], "time")]
        found = [item for item in shown if wanted is None or item["digest"] == wanted]
        answer = page(request, request.path, "tags", found, lambda item: str(item["name"]))
        answer.body = {**_whole(registry, name), **answer.body}
        return answer
    if tag not in held["tags"]:
        raise error(404, "TAG_UNKNOWN", f"the specified tag does not exist: {tag}")
    if request.method == "DELETE":
        if not held["tags"][tag]["attributes"]["deleteEnabled"]:
            raise locked("delete")
        del held["tags"][tag]
        world.store.put(registry)
        return Response(202)
    if request.method == "PATCH":
        _attributes(held["tags"][tag]["attributes"], request, world, registry)
    return Response(200, {**_whole(registry, name), "tag": _tag(held, tag)})


def _tag(held: Json, tag: str) -> Json:
    entry = held["tags"][tag]
    return {
        "name": tag,
        "digest": entry["digest"],
        "createdTime": entry["created"],
        "lastUpdateTime": entry["time"],
        "signed": False,
        "changeableAttributes": entry["attributes"],
    }


def _ordered(request: Request, entries: Json, time: str) -> list[str]:
    """Sort by name, or by time with `orderby`."""
    order = request.query.get("orderby", "none").lower()
    names = sorted(entries)
    if order in ("timedesc", "timeasc"):
        names.sort(key=lambda name: str(entries[name][time]), reverse=order == "timedesc")
    return names


def _manifests(world: World, request: Request, registry: Resource, name: str, held: Json, digest: str) -> Response:
    if not digest:
        shown = [_manifest(held, item) for item in _ordered(request, held["manifests"], "created")]
        answer = page(request, request.path, "manifests", shown, lambda item: str(item["digest"]))
        answer.body = {**_whole(registry, name), **answer.body}
        return answer
    if digest not in held["manifests"]:
        raise error(404, "MANIFEST_UNKNOWN", f'manifest "{digest}" is not found')
    if request.method == "PATCH":
        _attributes(held["manifests"][digest]["attributes"], request, world, registry)
    if request.method == "DELETE":
        raise error(405, "UNSUPPORTED", "A manifest is deleted by the distribution API.")
    return Response(200, {**_whole(registry, name), "manifest": _manifest(held, digest)})


def _manifest(held: Json, digest: str) -> Json:
    entry = held["manifests"][digest]
    behaviour = entry.get("behaviour") or {}
    content = json.loads(entry["content"])
    sizes = [int(item.get("size", 0)) for item in [content.get("config") or {}, *(content.get("layers") or [])]]
    return {
        "digest": digest,
        "imageSize": sum(sizes),
        "createdTime": entry["created"],
        "lastUpdateTime": entry["created"],
        "architecture": behaviour.get("architecture", "amd64"),
        "os": str(behaviour.get("os", "linux")).lower(),
        "mediaType": entry["media"],
        "configMediaType": (content.get("config") or {}).get("mediaType"),
        "tags": repositories.tags_of(held, digest),
        "changeableAttributes": entry["attributes"],
    }
