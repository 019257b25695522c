"""The part of Microsoft Graph that clients of Azure use: look up ids, names and applications.

The directory contains only service principals: the logins, and created identities. There are no users and no
groups, and no writes.
"""

from __future__ import annotations

import re
from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.world import World
from azure_emulator.services.login import odata, tokens
from azure_emulator.services.managedidentity.identities import IDENTITY

Json = dict[str, Any]
HOST = "graph.microsoft.com"
_MOST_IDS = 1000
_OPTIONS = {"$filter", "$select", "$top", "$count", "$orderby", "$skiptoken"}


def handle(world: World, request: Request) -> Response:
    _check_token(world, request)
    parts = [part for part in request.path.split("/") if part][1:]
    kind = parts[0].lower() if parts else ""
    if request.method == "POST" and [part.lower() for part in parts] == ["directoryobjects", "getbyids"]:
        return _by_ids(world, request.json())
    if request.method != "GET" or len(parts) > 2:
        raise _not_served(request)
    keyed = re.fullmatch(r"(\w+)\((\w+)='([^']+)'\)", parts[0]) if parts else None
    if keyed is not None and len(parts) == 1:
        return _one(world, request, keyed[1].lower(), keyed[2], keyed[3])
    if kind not in _COLLECTIONS:
        raise _not_served(request)
    if len(parts) == 2:
        return _one(world, request, kind, "id", parts[1])
    return _list(world, request, kind)


def _refuse(status: int, code: str, message: str) -> Refusal:
    return Refusal(status, code, message)


def _not_served(request: Request) -> Refusal:
    return _refuse(404, "Request_ResourceNotFound", f"Resource '{request.path}' does not exist or is not served here.")


def _check_token(world: World, request: Request) -> None:
    token = tokens.bearer(request)
    claims = tokens.read(world, token) if token is not None else None
    if claims is None or str(claims["aud"]).rstrip("/") != f"https://{HOST}":
        raise _refuse(401, "InvalidAuthenticationToken", "Access token is empty or of another audience.")
    if claims["exp"] < world.clock.now():
        raise _refuse(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")


def _by_ids(world: World, sent: Json) -> Response:
    """learn.microsoft.com/graph/api/directoryobject-getbyids: existing ones, in unspecified order."""
    ids = sent.get("ids")
    if not isinstance(ids, list) or len(ids) > _MOST_IDS:
        raise _refuse(400, "Request_BadRequest", f"ids: a list of at most {_MOST_IDS} ids is expected.")
    known = {item["id"]: item for item in _service_principals(world)}
    wanted = [item.lower() for item in ids if isinstance(item, str)]
    return Response(200, {"value": [known[item] for item in wanted if item in known]})


def _one(world: World, request: Request, kind: str, key: str, value: str) -> Response:
    if kind not in _COLLECTIONS or key not in ("id", "appId"):
        raise _not_served(request)
    for item in _COLLECTIONS[kind](world):
        if str(item.get(key)).lower() == value.lower():
            return Response(200, {"@odata.context": f"https://{HOST}/v1.0/$metadata#{kind}/$entity", **item})
    raise _refuse(
        404,
        "Request_ResourceNotFound",
        f"Resource '{value}' does not exist or one of its queried reference-property objects are not present.",
    )


def _list(world: World, request: Request, kind: str) -> Response:
    unknown = {name for name in request.query if name.startswith("$")} - _OPTIONS
    if unknown:
        raise _refuse(400, "Request_UnsupportedQuery", f"The query option '{min(unknown)}' is not supported.")
    found = _COLLECTIONS[kind](world)
    text = request.query.get("$filter", "")
    if text.strip():
        try:
            test = odata.parse(text)
        except odata.BadFilter as error:
            raise _refuse(400, "Request_BadRequest", f"Invalid filter clause: {error}.") from error
        found = [item for item in found if test(item)]
    top = request.query.get("$top", "")
    if top and not re.fullmatch(r"[1-9]\d{0,2}", top):
        raise _refuse(400, "Request_BadRequest", f"Invalid page size specified: '{top}'. Must be between 1 and 999.")
    answer: Json = {"@odata.context": f"https://{HOST}/v1.0/$metadata#{kind}"}
    if request.query.get("$count") == "true":
        answer["@odata.count"] = len(found)
    return Response(200, {**answer, "value": found[: int(top)] if top else found})


def _service_principals(world: World) -> list[Json]:
    found = []
    for client, entry in world.principals().items():
        found.append(_principal(entry["object_id"], client, entry.get("name", "Emulator login"), "Application"))
    for identity in world.store.of_type(IDENTITY):
        principal, client = identity.properties["principalId"], identity.properties["clientId"]
        known = _principal(principal, client, identity.name, "ManagedIdentity")
        found.append({**known, "alternativeNames": ["isExplicit=True", identity.id]})
    return found


def _principal(object_id: str, client: str, name: str, kind: str) -> Json:
    return {
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "id": object_id,
        "accountEnabled": True,
        "appId": client,
        "displayName": name,
        "servicePrincipalNames": [client],
        "servicePrincipalType": kind,
    }


def _applications(world: World) -> list[Json]:
    """Return applications: the logins, but not managed identities."""
    return [
        {
            "@odata.type": "#microsoft.graph.application",
            "id": world.derived_uuid("application", item["appId"]),
            "appId": item["appId"],
            "displayName": item["displayName"],
            "identifierUris": [],
        }
        for item in _service_principals(world)
        if item["servicePrincipalType"] == "Application"
    ]


def _nobody(world: World) -> list[Json]:
    return []


_COLLECTIONS = {
    "serviceprincipals": _service_principals,
    "applications": _applications,
    "users": _nobody,
    "groups": _nobody,
}
