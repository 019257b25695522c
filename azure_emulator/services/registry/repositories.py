"""The repositories of a registry, with manifests and tags, in the registry's record."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

from azure_emulator.core.clock import stamp
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World

Json = dict[str, Any]
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OPEN = {"deleteEnabled": True, "writeEnabled": True, "readEnabled": True, "listEnabled": True}


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def find_repository(registry: Resource, name: str) -> Json | None:
    found: Json | None = registry.private["repositories"].get(name.lower())
    return None if found is None else _completed(found)


def _completed(held: Json) -> Json:
    """Complete a repository from a store of an earlier version: content, locks and dates."""
    for manifest in held["manifests"].values():
        for key, value in (("content", "{}"), ("media", DOCKER_MANIFEST), ("attributes", dict(OPEN))):
            manifest.setdefault(key, value)
    for tag in held["tags"].values():
        tag.setdefault("created", tag["time"])
        tag.setdefault("attributes", dict(OPEN))
    first = min((manifest["created"] for manifest in held["manifests"].values()), default="")
    for key, value in (("created", first), ("updated", first), ("attributes", dict(OPEN))):
        held.setdefault(key, value)
    return held


def repository_for_push(world: World, registry: Resource, name: str) -> Json:
    """Return the repository, created by its first push."""
    now = stamp(world.clock.now())
    made = {"tags": {}, "manifests": {}, "created": now, "attributes": dict(OPEN)}
    held: Json = registry.private["repositories"].setdefault(name.lower(), made)
    held["updated"] = now
    return held


def find_manifest(registry: Resource, repository: str, reference: str) -> tuple[str, Json] | None:
    """Return digest and record of an image, by tag or digest."""
    held = find_repository(registry, repository)
    if held is None:
        return None
    digest = reference if reference.startswith("sha256:") else held["tags"].get(reference, {}).get("digest")
    manifest = held["manifests"].get(digest)
    return None if manifest is None else (digest, manifest)


def put_manifest(world: World, registry: Resource, repository: str, digest: str, manifest: Json) -> None:
    """Store a manifest; an existing one is unchanged, with its locks and date."""
    held = repository_for_push(world, registry, repository)
    now = stamp(world.clock.now())
    held["manifests"].setdefault(digest, {**manifest, "created": now, "attributes": dict(OPEN)})
    world.store.put(registry)


def put_tag(world: World, registry: Resource, repository: str, tag: str, digest: str) -> None:
    held = repository_for_push(world, registry, repository)
    now = stamp(world.clock.now())
    earlier = held["tags"].get(tag, {})
    held["tags"][tag] = {
        "digest": digest,
        "created": earlier.get("created", now),
        "time": now,
        "attributes": earlier.get("attributes", dict(OPEN)),
    }
    world.store.put(registry)


def tags_of(held: Json, digest: str) -> list[str]:
    return sorted(name for name, tag in held["tags"].items() if tag["digest"] == digest)


def drop_manifest(world: World, registry: Resource, repository: str, digest: str) -> None:
    """Delete with all its tags (learn.microsoft.com/azure/container-registry/container-registry-delete)."""
    held = registry.private["repositories"][repository.lower()]
    for tag in tags_of(held, digest):
        del held["tags"][tag]
    del held["manifests"][digest]
    world.store.put(registry)


# Build results


def built_image(what: str, behaviour: Json) -> tuple[str, Json, dict[str, bytes]]:
    """Return digest, manifest and blobs of an image built from `what`: real ones, so that a client can verify
    them, although the only layer contains just that name. Equal builds have equal digests."""
    layer, plain = _layer(hashlib.sha256(what.encode()).hexdigest())
    ports: Json = {f"{behaviour['port']}/tcp": {}} if behaviour.get("port") else {}
    environment = [f"{name}={value}" for name, value in sorted((behaviour.get("environment") or {}).items())]
    config = {
        "architecture": behaviour.get("architecture", "amd64"),
        "os": behaviour.get("os", "Linux").lower(),
        "config": {"Env": environment, "ExposedPorts": ports},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(plain)]},
        "history": [],
    }
    blobs = {digest_of(content): content for content in (_canonical(config), layer)}
    described = [
        {"mediaType": media, "size": len(content), "digest": digest_of(content)}
        for media, content in ((_DOCKER_CONFIG, _canonical(config)), (_DOCKER_LAYER, layer))
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": described[0],
        "layers": described[1:],
    }
    content = _canonical(manifest)
    return digest_of(content), {"content": content.decode(), "media": DOCKER_MANIFEST, "behaviour": behaviour}, blobs


def _canonical(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _layer(text: str) -> tuple[bytes, bytes]:
    """Return a layer with one small file, packed and plain; without a date, to be reproducible."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        member = tarfile.TarInfo(".built-of")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(plain.getvalue(), mtime=0), plain.getvalue()


def pushed_behaviour(config: bytes) -> Json:
    """Return ports and environment from the configuration of a pushed image."""
    try:
        read = json.loads(config)
        inner = read.get("config") or {}
    except (ValueError, AttributeError):
        return {}
    ports = [int(name.split("/")[0]) for name in inner.get("ExposedPorts") or {} if name.split("/")[0].isdigit()]
    pairs = (item.partition("=") for item in inner.get("Env") or [])
    return {
        "port": ports[0] if ports else None,
        "environment": {name: value for name, _, value in pairs},
        "architecture": read.get("architecture", "amd64"),
        "os": str(read.get("os", "linux")).capitalize(),
    }
