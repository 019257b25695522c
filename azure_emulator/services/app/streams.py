"""Log and event streams of apps and jobs, at `<region>.azurecontainerapps.dev`."""

from __future__ import annotations

import json
from typing import Any

from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.store import Resource
from azure_emulator.core.versions import REGIONS
from azure_emulator.core.world import World
from azure_emulator.services.app import executions, revisions, runtime
from azure_emulator.services.app.types import APP, ENVIRONMENT, JOB
from azure_emulator.services.login import tokens

Json = dict[str, Any]


def is_stream_host(host: str) -> bool:
    return host.removesuffix(".azurecontainerapps.dev") in REGIONS


def handle(world: World, request: Request) -> Response:
    parts = [part for part in request.path.split("/") if part]
    if len(parts) < 7 or [parts[0].lower(), parts[2].lower()] != ["subscriptions", "resourcegroups"]:
        raise Refusal(404, "NotFound", f"'{request.path}' was not found.")
    kind = {"containerapps": APP, "jobs": JOB, "managedenvironments": ENVIRONMENT}.get(parts[4].lower(), APP)
    base = f"/{'/'.join(parts[:4])}/providers/Microsoft.App/"
    found = world.store.get(f"{base}{kind.split('/')[1]}/{parts[5]}") or world.store.get(f"{base}jobs/{parts[5]}")
    if found is None:
        raise Refusal(404, "NotFound", f"'{parts[5]}' was not found.")
    _check_token(world, request, found)
    rest = parts[6:]
    if rest[-1].lower() == "eventstream":
        return _lines(_events(world, found))
    if rest[-1].lower() == "logstream" and len(rest) == 7:
        return _logs(world, request, found, rest)
    raise Refusal(404, "NotFound", f"'{request.path}' was not found.")


def _check_token(world: World, request: Request, resource: Resource) -> None:
    """Check the token of getAuthtoken, which is for one resource."""
    token = tokens.bearer(request)
    claims = tokens.read(world, token) if token else None
    if (
        claims is None
        or claims["exp"] < world.clock.now()
        or claims["aud"] != "azurecontainerapps.dev"
        or claims.get("scope") != resource.key
    ):
        raise Refusal(401, "Unauthorized", "The token is missing, expired or of another resource.")


def _lines(lines: list[str]) -> Response:
    return Response(200, "".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")


def _logs(world: World, request: Request, resource: Resource, rest: list[str]) -> Response:
    """`revisions/{r}/replicas/{x}/containers/{c}/logstream`, or with executions in place of revisions."""
    if rest[0].lower() == "executions":
        execution = next(
            (item for item in resource.private["executions"] if item["name"].lower() == rest[1].lower()), None
        )
        if execution is None:
            raise Refusal(404, "NotFound", f"The execution '{rest[1]}' was not found.")
        lines = executions.execution_log(world, resource, execution)
    else:
        revision = revisions.find(resource, rest[1])
        container = next((item for item in revision["template"]["containers"] if item["name"] == rest[5]), None)
        if container is None:
            raise Refusal(404, "NotFound", f"The container '{rest[5]}' was not found.")
        lines = runtime.assess(world, resource.body, container, resource.properties["configuration"]["ingress"]).log
    tail = request.query.get("taillines", "")
    lines = lines[-int(tail) :] if tail.isdigit() and int(tail) else lines
    now = stamp(world.clock.now())
    if request.query.get("output", "").lower() == "json":
        return _lines([json.dumps({"TimeStamp": now, "Log": line}) for line in lines])
    return _lines([f"{now} {line}" for line in lines])


def _events(world: World, resource: Resource) -> list[str]:
    if resource.type != APP or not resource.private["revisions"]:
        return []
    revision = resource.private["revisions"][-1]
    state = revisions.latest_state(world, resource)
    assert state is not None
    return [json.dumps(item) for item in runtime.system_log(world, resource.name, revision["name"], state)]
