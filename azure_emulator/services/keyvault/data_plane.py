"""The data plane of a vault: secrets, with bearer challenge and role check."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlencode

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Principal, Request, Response
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.keyvault import deleted_secrets, vault_secrets, vaults
from azure_emulator.services.keyvault.vault_secrets import Wanted
from azure_emulator.services.login import tokens

Json = dict[str, Any]
_VERSIONS = re.compile(r"7\.[0-9](-preview\.\d)?|\d{4}-\d\d-\d\d(-preview)?")
_SERVICE_HEADERS = {"x-ms-keyvault-service-version": "1.9.2064.1"}


def vault_of(world: World, host: str) -> Resource | None:
    return vaults.find(world, host.split(".")[0])


def handle(world: World, request: Request) -> Response:
    vault = vault_of(world, request.host)
    if vault is None:
        raise Refusal(404, "VaultNotFound", f"The vault of {request.host} was not found.")
    principal = _principal(world, request)
    if not _VERSIONS.fullmatch(request.api_version):
        raise Refusal(
            400,
            "BadParameter",
            f"The specified version ({request.api_version or 'none'}) is not recognized. "
            "Consider using the latest supported version (7.6).",
        )
    parts = [part for part in request.path.split("/") if part]
    if parts and parts[0].lower() == "deletedsecrets":
        return _deleted(world, request, principal, vault, parts)
    if not parts or parts[0].lower() != "secrets":
        raise Refusal(404, "NotFound", "The requested path is not served.")
    if len(parts) == 1 and request.method == "GET":
        _check(world, request, principal, vault, "readMetadata")
        return _page(request, [_item(vault, item) for item in _secrets(world, vault)])
    if len(parts) == 2 and request.method == "PUT":
        _check(world, request, principal, vault, "setSecret", parts[1])
        return _put(world, request, vault, parts[1])
    if len(parts) == 2 and request.method == "DELETE":
        _check(world, request, principal, vault, "delete", parts[1])
        return deleted_secrets.delete(world, vault, parts[1], _item)
    if len(parts) == 3 and parts[2].lower() == "versions" and request.method == "GET":
        _check(world, request, principal, vault, "readMetadata", parts[1])
        return _versions(world, request, vault, parts[1])
    if len(parts) in (2, 3) and request.method == "GET":
        _check(world, request, principal, vault, "getSecret", parts[1])
        return _get(world, vault, parts[1], parts[2] if len(parts) == 3 else "")
    if len(parts) in (2, 3) and request.method == "PATCH":
        _check(world, request, principal, vault, "setSecret", parts[1])
        return _patch(world, request, vault, parts[1], parts[2] if len(parts) == 3 else "")
    raise Refusal(405, "HttpMethodNotSupported", f"The method {request.method} is not served here.")


def _deleted(world: World, request: Request, principal: Principal, vault: Resource, parts: list[str]) -> Response:
    method, name = request.method, parts[1] if len(parts) > 1 else ""
    if method == "GET" and len(parts) <= 2:
        _check(world, request, principal, vault, "readMetadata", name)
        if not name:
            return _page(request, deleted_secrets.listed(world, vault, _item))
        return deleted_secrets.read(world, vault, name, _item)
    if method == "DELETE" and len(parts) == 2:
        _check(world, request, principal, vault, "purge", name)
        return deleted_secrets.purge(world, vault, name)
    if method == "POST" and len(parts) == 3 and parts[2].lower() == "recover":
        _check(world, request, principal, vault, "recover", name)
        return deleted_secrets.recover(world, vault, name, _item)
    raise Refusal(405, "HttpMethodNotSupported", f"The method {method} is not served here.")


def _principal(world: World, request: Request) -> Principal:
    """Authenticate; without a token return 401 with the authority, and the vault service as resource."""
    token = tokens.bearer(request)
    challenge = {
        "WWW-Authenticate": f'Bearer authorization="{tokens.LOGIN}/{world.identity.tenant_id}", '
        'resource="https://vault.azure.net"',
        **_SERVICE_HEADERS,
    }
    if token is None:
        raise Refusal(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.", headers=challenge)
    claims = tokens.read(world, token)
    if claims is None:
        raise Refusal(401, "Unauthorized", "AKV10032: Invalid issuer or signature.", headers=challenge)
    if str(claims["aud"]).rstrip("/") != "https://vault.azure.net":
        raise Refusal(
            401,
            "Unauthorized",
            f"AKV10022: Invalid audience. Expected https://vault.azure.net, found: {claims['aud']}.",
            headers=challenge,
        )
    if claims["exp"] < world.clock.now():
        raise Refusal(401, "Unauthorized", "AKV10001: Token is expired.", headers=challenge)
    return tokens.principal_of(claims)


def may_get(world: World, object_id: str, vault: Resource, name: str) -> bool:
    """Return whether a principal may read a secret's value, by role or by access policy."""
    return _allowed(world, object_id, vault, "getSecret", name)


_POLICY_WORDS = {
    "getSecret": "get",
    "readMetadata": "list",
    "setSecret": "set",
    "delete": "delete",
    "purge": "purge",
    "recover": "recover",
}


def _action(what: str) -> str:
    return f"Microsoft.KeyVault/vaults/secrets/{what}" + ("" if what == "delete" else "/action")


def _allowed(world: World, object_id: str, vault: Resource, what: str, name: str) -> bool:
    if vault.properties["enableRbacAuthorization"]:
        scope = f"{vault.id}/secrets/{name}" if name else vault.id
        return world.roles.allowed(object_id, _action(what), scope, data=True)
    word = _POLICY_WORDS[what]
    return any(
        policy["objectId"].lower() == object_id.lower()
        and {word, "all"} & {item.lower() for item in policy["permissions"].get("secrets", [])}
        for policy in vault.properties["accessPolicies"]
    )


def _check(world: World, request: Request, principal: Principal, vault: Resource, what: str, name: str = "") -> None:
    if _allowed(world, principal.object_id, vault, what, name):
        return
    resource = vault.id.lower() + (f"/secrets/{name}" if name else "")
    message = (
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
        "definitions were changed recently, please observe propagation time.\r\nCaller: "
        f"appid={principal.client_id};oid={principal.object_id};iss=https://sts.windows.net/"
        f"{world.identity.tenant_id}/\r\nAction: '{_action(what)}'\r\nResource: "
        f"'{resource}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: "
        f"{vault.name};location={vault.body['location']}\r\n"
    )
    inner = "ForbiddenByRbac" if vault.properties["enableRbacAuthorization"] else "AccessDenied"
    error = {"code": "Forbidden", "message": message, "innererror": {"code": inner}}
    raise Refusal(403, "Forbidden", message, shape="raw", extra={"error": error}, headers=dict(_SERVICE_HEADERS))


def _secrets(world: World, vault: Resource) -> list[Resource]:
    return sorted(world.store.of_type(vault_secrets.SECRET, vault.id), key=lambda item: item.name)


def _item(vault: Resource, secret: Resource, version: str = "") -> Json:
    """Return a secret, or one of its versions, without its value."""
    said = vault_secrets.said_of(secret, version or secret.private["version"])
    attributes = {
        **said["attributes"],
        "created": said["created"],
        "updated": said["updated"],
        "recoveryLevel": "Recoverable" if vault.properties.get("enablePurgeProtection") else "Recoverable+Purgeable",
        "recoverableDays": vault.properties["softDeleteRetentionInDays"],
    }
    uri = secret.properties["secretUri"]
    item: Json = {"id": f"{uri}/{version}" if version else uri, "attributes": attributes}
    if said["tags"]:
        item["tags"] = said["tags"]
    if said["contentType"] is not None:
        item["contentType"] = said["contentType"]
    return item


def _bundle(world: World, vault: Resource, secret: Resource, version: str) -> Response:
    value = world.secrets.value(vault.key, secret.name.lower(), version)
    return Response(200, {"value": value, **_item(vault, secret, version)}, dict(_SERVICE_HEADERS))


_PAGE = 25
"""Entries of a page, unless fewer are asked for (rest/api/keyvault, get-secrets)."""


def _page(request: Request, items: list[Json]) -> Response:
    """Return a page of a list, and where the next one is."""
    most, token = request.query.get("maxresults", str(_PAGE)), request.query.get("$skiptoken", "0")
    if not (re.fullmatch(r"[0-9]{1,2}", most) and 1 <= int(most) <= _PAGE):
        raise Refusal(400, "BadParameter", f"The value of maxresults, '{most}', is not between 1 and {_PAGE}.")
    if not re.fullmatch(r"[0-9]{1,9}", token):
        raise Refusal(400, "BadParameter", f"The skip token '{token}' is invalid.")
    start, end = int(token), int(token) + int(most)
    following = None
    if end < len(items):
        query = {"api-version": request.api_version, "$skiptoken": end, "maxresults": most}
        following = f"https://{request.host}:443{quote(request.path)}?{urlencode(query, safe='$')}"
    return Response(200, {"value": items[start:end], "nextLink": following}, dict(_SERVICE_HEADERS))


def _known(world: World, vault: Resource, name: str, version: str) -> Resource:
    secret = world.store.get(f"{vault.id}/secrets/{name}")
    known = [item["version"] for item in secret.private["versions"]] if secret else []
    if secret is None or (version and version not in known):
        raise Refusal(
            404,
            "SecretNotFound",
            f"A secret with (name/id) {name}{'/' + version if version else ''} was not "
            "found in this key vault. If you recently deleted this secret you may be "
            "able to recover it using the correct recovery command. For help resolving "
            "this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
        )
    return secret


def _get(world: World, vault: Resource, name: str, version: str) -> Response:
    secret = _known(world, vault, name, version)
    version = version or secret.private["version"]
    if not vault_secrets.said_of(secret, version)["attributes"].get("enabled", True):
        message = "Operation get is not allowed on a disabled secret."
        error = {"code": "Forbidden", "message": message, "innererror": {"code": "SecretDisabled"}}
        raise Refusal(403, "Forbidden", message, shape="raw", extra={"error": error}, headers=dict(_SERVICE_HEADERS))
    return _bundle(world, vault, secret, version)


def _patch(world: World, request: Request, vault: Resource, name: str, version: str) -> Response:
    """What is said of a version, without its value."""
    secret = _known(world, vault, name, version)
    version = version or secret.private["version"]
    changed = vault_secrets.change(world, secret, version, _wanted(request.json()))
    return Response(200, _item(vault, changed, version), dict(_SERVICE_HEADERS))


_SENT = {"contentType": str, "attributes": dict, "tags": dict}


def _wanted(body: Json) -> Wanted:
    for key, kind in _SENT.items():
        if body.get(key) is not None and not isinstance(body[key], kind):
            raise Refusal(400, "BadParameter", f"Property {key} has invalid value.")
    sent = body.get("attributes")
    attributes = None if sent is None else {key: sent[key] for key in ("enabled", "nbf", "exp") if key in sent}
    return Wanted(body.get("value"), body.get("contentType"), attributes, body.get("tags"))


def _put(world: World, request: Request, vault: Resource, name: str) -> Response:
    if not re.fullmatch(vault_secrets.Secrets.name_pattern, name):
        raise Refusal(400, "BadParameter", f"The request URI contains an invalid name: {name}")
    body = request.json()
    if not isinstance(body.get("value"), str):
        raise Refusal(400, "BadParameter", "Property value is required.")
    secret = vault_secrets.keep(world, vault, name, _wanted(body), always=True)
    return _bundle(world, vault, secret, secret.private["version"])


def _versions(world: World, request: Request, vault: Resource, name: str) -> Response:
    secret = world.store.get(f"{vault.id}/secrets/{name}")
    if secret is None:
        return _page(request, [])
    return _page(request, [_item(vault, secret, item["version"]) for item in secret.private["versions"]])
