"""Blobs of a registry and their uploads, as files beside the store."""

from __future__ import annotations

import hashlib
import re
import uuid
from pathlib import Path

from azure_emulator.core.store import Resource
from azure_emulator.core.world import World

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


def is_digest(text: str) -> bool:
    return _DIGEST.match(text) is not None


def _folder(world: World, registry: Resource) -> Path:
    """One per registry, and a separate one for a recreated registry of the same name."""
    made = hashlib.sha256(f"{registry.key}{registry.created}".encode()).hexdigest()[:32]
    return world.directory / "blobs" / f"registry-{made}"


def _file(world: World, registry: Resource, digest: str) -> Path:
    return _folder(world, registry) / digest.replace(":", "-")


def has(world: World, registry: Resource, digest: str) -> bool:
    return is_digest(digest) and _file(world, registry, digest).is_file()


def read(world: World, registry: Resource, digest: str) -> bytes | None:
    return _file(world, registry, digest).read_bytes() if has(world, registry, digest) else None


def keep(world: World, registry: Resource, digest: str, content: bytes) -> None:
    if world.read_only:
        return
    folder = _folder(world, registry)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _file(world, registry, digest).write_bytes(content)


def drop(world: World, registry: Resource, digest: str) -> None:
    _file(world, registry, digest).unlink(missing_ok=True)


# Uploads: started with an id, appended to, and finished under a digest


def begin(world: World, registry: Resource) -> str:
    identifier = str(uuid.uuid4())
    folder = _folder(world, registry)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / f"upload-{identifier}").touch(mode=0o600)
    return identifier


def _upload(world: World, registry: Resource, identifier: str) -> Path | None:
    if not re.fullmatch(r"[0-9a-f-]{36}", identifier):
        return None
    path = _folder(world, registry) / f"upload-{identifier}"
    return path if path.is_file() else None


def size(world: World, registry: Resource, identifier: str) -> int | None:
    path = _upload(world, registry, identifier)
    return None if path is None else path.stat().st_size


def add(world: World, registry: Resource, identifier: str, content: bytes) -> int:
    """Append a chunk; return the new size."""
    path = _upload(world, registry, identifier)
    assert path is not None
    with path.open("ab") as file:
        file.write(content)
        return file.tell()


def finish(world: World, registry: Resource, identifier: str, digest: str) -> bool:
    """Turn the upload into a blob, if its digest matches."""
    path = _upload(world, registry, identifier)
    assert path is not None
    if "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        return False
    path.replace(_file(world, registry, digest))
    return True


def cancel(world: World, registry: Resource, identifier: str) -> None:
    path = _upload(world, registry, identifier)
    if path is not None:
        path.unlink()
