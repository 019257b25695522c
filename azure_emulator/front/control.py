"""The control address: plain HTTP on the same port, for tests and attaching clients."""

from __future__ import annotations

import hmac
import os
import sqlite3
import uuid
from collections.abc import Callable
from email.message import Message
from typing import Any

from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal
from azure_emulator.core.faults import BadFault, parse_all
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.world import World
from azure_emulator.services.postgresql.servers import has_password

Json = dict[str, Any]


def check_caller(headers: Message, port: int, secret: str) -> None:
    """Refuse requests without the secret of this process, and any that a web page could have sent:
    one with an Origin, or with the name of another host (DNS rebinding)."""
    if headers.get("Origin") is not None or headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        raise Refusal(403, "Forbidden", "The control address is for programs on this machine, under 127.0.0.1 only.")
    kind, _, sent = (headers.get("Authorization") or "").partition(" ")
    if kind.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode(), secret.encode()):
        raise Refusal(
            401,
            "Unauthorized",
            "The control address wants 'Authorization: Bearer <secret>'; the secret is in the file control.secret of "
            "the emulator's directory.",
            headers={"WWW-Authenticate": "Bearer"},
        )


def info(world: World, address: str) -> Json:
    identity = world.identity
    return {
        "emulator_id": identity.id,
        "tenant_id": identity.tenant_id,
        "subscription_id": identity.subscription_id,
        "client_id": identity.client_id,
        "object_id": identity.object_id,
        "proxy": address,
        "control": address,
        "ca_file": str(world.directory / "ca.pem"),
        "directory": str(world.directory),
        "read_only": world.read_only,
        "scale": world.scale,
        "pid": os.getpid(),
    }


def _clock(world: World, request: Request) -> Response:
    if request.method == "POST":
        sent = request.json()
        advance, moment = float(sent.get("advance", 0)), sent.get("set")
        if moment is None:
            world.clock.advance(advance)
        else:
            world.clock.set(float(moment))
        world.keep_clock()
    return Response(200, {"now": world.clock.now(), "time": stamp(world.clock.now()), "offset": world.clock.offset})


def _faults(world: World, request: Request) -> Response:
    if request.method == "DELETE":
        world.faults.forget()
    if request.method == "POST":
        sent = request.json()
        try:
            world.faults.add(sent.get("faults", []))
        except BadFault as error:
            raise Refusal(400, "BadFault", str(error)) from error
    return Response(200, {"faults": world.faults.report()})


def _settings(world: World, request: Request) -> Response:
    sent = request.json()
    unknown = set(sent) - {"scale", "images", "faults", "policies", "tasks_allowed", "dns", "offers"}
    if unknown:
        raise Refusal(400, "BadSetting", f"unknown settings: {', '.join(sorted(unknown))}")
    try:
        faults = parse_all(sent.get("faults", []))
        world.adjust(sent)
        if "faults" in sent:
            world.faults.faults = faults
    except (BadFault, ValueError, TypeError) as error:
        raise Refusal(400, "BadSetting", str(error)) from error
    return Response(
        200,
        {
            "scale": world.scale,
            "images": world.images,
            "policies": world.policies.declared,
            "tasks_allowed": world.tasks_allowed,
        },
    )


def _reset(world: World, request: Request) -> Response:
    world.reset()
    return Response(200, {})


def _requests(world: World, request: Request) -> Response:
    return Response(200, {"requests": world.log.recent()})


def _delete(world: World, request: Request) -> Response:
    return Response(200, {"deleted": world.vanish(str(request.json().get("id", "")))})


def _principals(world: World, request: Request) -> Response:
    """Add a login: {client_id?, secret?, roles: [{role, scope?}]}; roles by id, effective at once."""
    sent = request.json()
    client = str(sent.get("client_id") or uuid.uuid4())
    secret = str(sent.get("secret") or sent.get("client_secret") or uuid.uuid4())
    object_id = str(sent.get("object_id") or uuid.uuid4())
    world.store.set("principal", client, {"secret": secret, "object_id": object_id})
    for role in sent.get("roles", []):
        entry = {"role": role} if isinstance(role, str) else role
        world.assign_role(object_id, entry["role"], entry.get("scope", world.subscription))
    return Response(200, {"client_id": client, "client_secret": secret, "object_id": object_id})


def _password(world: World, request: Request) -> Response:
    """Check a PostgreSQL server's password: {id, password}. The server's is stored only as a hash."""
    sent = request.json()
    server = world.store.get(str(sent.get("id", "")))
    matches = server is not None and has_password(world, server, str(sent.get("password", "")))
    return Response(200, {"matches": matches})


_PATHS: dict[str, tuple[Callable[[World, Request], Response], str]] = {
    "/control/clock": (_clock, "GET POST"),
    "/control/faults": (_faults, "GET POST DELETE"),
    "/control/settings": (_settings, "POST"),
    "/control/reset": (_reset, "POST"),
    "/control/requests": (_requests, "GET"),
    "/control/delete": (_delete, "POST"),
    "/control/principals": (_principals, "POST"),
    "/control/password": (_password, "POST"),
}
"""Every address with its methods: a look changes nothing."""


def handle(world: World, address: str, request: Request) -> Response:
    with world.lock:
        try:
            response = _handled(world, address, request)
            if response.status >= 400:
                world.store.rollback()
            world.commit()
        except (OSError, sqlite3.Error) as error:
            # Such as a full disk: what is not on it is not kept in memory either.
            world.reload()
            message = f"{request.path}: {error}: it could not be written; is there space in {world.directory}?"
            return Response(500, {"error": {"code": "NotWritten", "message": message}})
        return response


def _handled(world: World, address: str, request: Request) -> Response:
    try:
        if request.path == "/control/info":
            return Response(200, info(world, address))
        if request.path not in _PATHS:
            raise Refusal(
                404,
                "NotFound",
                f"no control address {request.path}; there are /control/info, /control/hold, {', '.join(_PATHS)}",
            )
        handler, methods = _PATHS[request.path]
        if request.method not in methods.split():
            message = f"{request.path} takes {', '.join(methods.split())}, not {request.method}"
            raise Refusal(405, "MethodNotAllowed", message)
        return handler(world, request)
    except Refusal as refusal:
        return Response(refusal.status, refusal.body())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # The body has an unexpected shape.
        error_body = {"code": "BadRequest", "message": f"{request.path}: {type(error).__name__}: {error}"}
        return Response(400, {"error": error_body})
