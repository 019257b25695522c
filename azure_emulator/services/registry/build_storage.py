"""The registry's own storage: for build contexts and logs."""

from __future__ import annotations

import base64
import hashlib
import re
from email.utils import formatdate
from typing import Any
from urllib.parse import urlencode

from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.resource_types import Call
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import region
from azure_emulator.core.world import World

Json = dict[str, Any]
_UPLOAD_SECONDS, LOG_SECONDS = 3600, 4200


# Signed URLs of the registry's storage


def is_build_storage(host: str) -> bool:
    return re.fullmatch(r"acrtaskprod[a-z0-9]+\.blob\.core\.windows\.net", host) is not None


def blob_path(world: World, registry: Resource, name: str) -> str:
    container = hashlib.md5(f"{registry.key}{registry.created}".encode(), usedforsecurity=False).hexdigest()
    return f"/container-{container}/{name}"


def signed(world: World, registry: Resource, name: str, permissions: str, seconds: float) -> str:
    path = blob_path(world, registry, name)
    now = world.clock.now()
    end = stamp(now + seconds, digits=0)
    query = urlencode(
        {
            "se": end,
            "sig": world.derived_key("sas", path, permissions, end),
            "ske": stamp(now + 604800, digits=0),
            "skoid": world.derived_uuid("storage"),
            "sks": "b",
            "skt": stamp(now - 300, digits=0),
            "sktid": world.identity.tenant_id,
            "skv": "2024-11-04",
            "sp": permissions,
            "sr": "b",
            "sv": "2024-11-04",
        }
    )
    return f"https://acrtaskprod{region(registry.body['location'])}063.blob.core.windows.net{path}?{query}"


def upload_url(call: Call) -> Response:
    """Return the blob name, from the day and the request's correlation id: the same id overwrites its upload all day
    (29 of 29 recorded; github.com/Azure/azure-dev pull request 7776)."""
    registry = call.must_exist()
    own = call.world.derived_word(32, "correlation", str(call.now), str(call.world.store.record("meta", "made")))
    correlation = call.request.headers.get("x-ms-correlation-request-id", own)
    day = stamp(call.now, digits=0)[:10].replace("-", "")
    name = f"tasks-source/{day}0000/{correlation}.tar.gz"
    return Response(200, {"relativePath": name, "uploadUrl": signed(call.world, registry, name, "cw", _UPLOAD_SECONDS)})


# Storage


def _storage_error(status: int, code: str, message: str) -> Refusal:
    xml = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    refusal = Refusal(status, code, message, headers={"x-ms-error-code": code}, shape="raw")
    refusal.extra = {"xml": xml}
    return refusal


def handle_blob(world: World, request: Request) -> Response:
    try:
        return _blob(world, request)
    except Refusal as refusal:
        body = None if request.method == "HEAD" else refusal.extra["xml"]
        return Response(
            refusal.status, body, {**refusal.headers, "x-ms-version": "2024-11-04"}, content_type="application/xml"
        )


def _blob(world: World, request: Request) -> Response:
    query = request.query
    permissions, end = query.get("sp", ""), query.get("se", "")
    if query.get("sig") != world.derived_key("sas", request.path, permissions, end):
        raise _storage_error(
            403,
            "AuthenticationFailed",
            "Server failed to authenticate the request. Make sure the value "
            "of Authorization header is formed correctly including the "
            "signature.",
        )
    if end < stamp(world.clock.now(), digits=0):
        raise _storage_error(403, "AuthenticationFailed", "Signature not valid in the specified time frame.")
    needed = {"PUT": "w", "GET": "r", "HEAD": "r"}.get(request.method, "-")
    if needed not in permissions:
        raise _storage_error(
            403,
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        )
    if request.method == "PUT":
        return _upload(world, request)
    return _log(world, request)


def _upload(world: World, request: Request) -> Response:
    step = request.query.get("comp", "")
    blocks = world.uploads.setdefault(request.path, {})
    if step == "block":
        blocks[request.query.get("blockid", "")] = request.body
        return Response(201, None, {"x-ms-request-server-encrypted": "true", "x-ms-version": "2024-11-04"})
    if step == "blocklist":
        names = re.findall(r"<(?:Latest|Uncommitted)>([^<]*)</", request.body.decode("utf-8", "replace"))
        missing = [name for name in names if name not in blocks]
        if missing:
            raise _storage_error(400, "InvalidBlockList", "The specified block list is invalid.")
        content = b"".join(blocks[name] for name in names)
    elif request.headers.get("x-ms-blob-type") != "BlockBlob":
        raise _storage_error(
            400,
            "MissingRequiredHeader",
            "An HTTP header that's mandatory for this request is not specified: x-ms-blob-type.",
        )
    else:
        content = request.body
    world.uploads.pop(request.path, None)
    file = blob_file(world, request.path)
    if not world.read_only:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_bytes(content)
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    return Response(
        201,
        None,
        {
            "ETag": f'"0x{hashlib.sha256(content).hexdigest()[:15].upper()}"',
            "Content-MD5": md5,
            "Last-Modified": _http_date(world.clock.now()),
            "x-ms-content-crc64": base64.b64encode(hashlib.sha256(content).digest()[:8]).decode(),
            "x-ms-request-server-encrypted": "true",
            "x-ms-version": "2024-11-04",
        },
    )


def _http_date(moment: float) -> str:
    return formatdate(moment, usegmt=True)


def blob_file(world: World, path: str) -> Any:
    return world.directory / "blobs" / hashlib.sha256(path.encode()).hexdigest()


def _log_headers(world: World, run: Json, content: bytes, blocks: int, status: str) -> dict[str, str]:
    headers = {
        "Content-Encoding": "utf-8",
        "x-ms-blob-type": "AppendBlob",
        "Accept-Ranges": "bytes",
        "x-ms-version": "2024-11-04",
        "ETag": f'"0x{len(content):X}"',
        "Last-Modified": _http_date(world.clock.now()),
        "x-ms-creation-time": _http_date(run["started"]),
        "x-ms-blob-committed-block-count": str(blocks),
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-server-encrypted": "true",
    }
    if status in ENDED:
        headers["x-ms-meta-Complete"] = "successful" if status == "Succeeded" else "failed"
    return headers


def _log(world: World, request: Request) -> Response:
    """Return the log: 404 until the run starts; then a growing append blob, with metadata `Complete` at its end."""
    for _, run in world.store.records("run"):
        if run["log_path"] == request.path:
            break
    else:
        raise _storage_error(404, "BlobNotFound", "The specified blob does not exist.")
    status = run_status(world, run)
    if status == "Queued":
        raise _storage_error(404, "BlobNotFound", "The specified blob does not exist.")
    lines = run["log"] if status in ENDED else run["log"][: _lines_so_far(world, run)]
    content = "".join(f"{line}\r\n" for line in lines).encode()
    headers = _log_headers(world, run, content, len(lines), status)
    if request.method == "HEAD":
        headers["Content-Length"] = str(len(content))
        return Response(200, None, headers)
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("x-ms-range", request.headers.get("range", "")))
    if wanted is None:
        return Response(200, content, {**headers, "Content-Type": "text/plain"})
    start = int(wanted[1])
    stop = min(int(wanted[2]) if wanted[2] else len(content) - 1, len(content) - 1)
    if start >= len(content):
        raise _storage_error(
            416, "InvalidRange", "The range specified is invalid for the current size of the resource."
        )
    headers["Content-Range"] = f"bytes {start}-{stop}/{len(content)}"
    return Response(206, content[start : stop + 1], {**headers, "Content-Type": "text/plain"})


def _lines_so_far(world: World, run: Json) -> int:
    """Return the log up to the elapsed time."""
    share = (world.clock.now() - run["started"]) / max(run["finished"] - run["started"], 0.001)
    return max(1, int(len(run["log"]) * min(share, 1.0)))


ENDED = ("Succeeded", "Failed", "Canceled", "Error", "Timeout")


def run_status(world: World, run: Json) -> str:
    if run["canceled"] is not None:
        return "Canceled"
    now = world.clock.now()
    if now >= run["finished"]:
        return "Failed" if run["failure"] else "Succeeded"
    return "Running" if now >= run["started"] else "Queued"
