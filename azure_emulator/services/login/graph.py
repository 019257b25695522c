"""Microsoft Graph, as far as Azure CLI asks it: who is behind an object id (`az role assignment list`)."""

from __future__ import annotations

from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.world import World
from azure_emulator.services.login import tokens
from azure_emulator.services.managedidentity.identities import IDENTITY

Json = dict[str, Any]
HOST = "graph.microsoft.com"
_MOST_IDS = 1000


def handle(world: World, request: Request) -> Response:
    _check_token(world, request)
    parts = [part.lower() for part in request.path.split("/") if part][1:]
    if request.method == "POST" and parts == ["directoryobjects", "getbyids"]:
        return _by_ids(world, request.json())
    if request.method == "GET" and parts == ["serviceprincipals"]:
        return Response(200, {"value": list(_known(world).values())})
    raise _refuse(404, "Request_ResourceNotFound", f"Resource '{request.path}' does not exist or is not served here.")


def _refuse(status: int, code: str, message: str) -> Refusal:
    return Refusal(status, code, message)


def _check_token(world: World, request: Request) -> None:
    token = tokens.bearer(request)
    claims = tokens.read(world, token) if token is not None else None
    if claims is None or str(claims["aud"]).rstrip("/") != f"https://{HOST}":
        raise _refuse(401, "InvalidAuthenticationToken", "Access token is empty or of another audience.")
    if claims["exp"] < world.clock.now():
        raise _refuse(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")


def _by_ids(world: World, sent: Json) -> Response:
    """learn.microsoft.com/graph/api/directoryobject-getbyids: those that exist, in no said order."""
    ids = sent.get("ids")
    if not isinstance(ids, list) or len(ids) > _MOST_IDS:
        raise _refuse(400, "Request_BadRequest", f"ids: a list of at most {_MOST_IDS} ids is expected.")
    known = _known(world)
    return Response(200, {"value": [known[item] for item in ids if isinstance(item, str) and item in known]})


def _known(world: World) -> dict[str, Json]:
    """Service principals by object id: the logins, and the identities that were made."""
    found = {}
    for client, entry in world.principals().items():
        found[entry["object_id"]] = _principal(entry["object_id"], client, "Emulator login", "Application")
    for identity in world.store.of_type(IDENTITY):
        principal, client = identity.properties["principalId"], identity.properties["clientId"]
        found[principal] = _principal(principal, client, identity.name, "ManagedIdentity")
    return found


def _principal(object_id: str, client: str, name: str, kind: str) -> Json:
    return {
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "id": object_id,
        "appId": client,
        "displayName": name,
        "servicePrincipalNames": [client],
        "servicePrincipalType": kind,
    }
