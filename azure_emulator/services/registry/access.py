"""Access to a registry's data plane: its tokens, and the challenge for the required one."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any
from urllib.parse import parse_qsl

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.login import tokens
from azure_emulator.services.registry.passwords import PASSWORDS, admin_password

Json = dict[str, Any]
_NOBODY = "00000000-0000-0000-0000-000000000000"
"""The user name that goes with a refresh token as a password."""
_ADMIN = "admin"
_TYPE = "Microsoft.ContainerRegistry/registries"
_UNAUTHORIZED = "authentication required, visit https://aka.ms/acr/authorization for more information."

# The role action of each token permission: an action in the legacy mode, a data action in the ABAC mode, where AcrPull
# and AcrPush are ignored (learn.microsoft.com/azure/container-registry, repository permissions).
_RIGHTS = {
    "pull": ("pull/read", "repositories/content/read"),
    "push": ("push/write", "repositories/content/write"),
    "delete": ("artifacts/delete", "repositories/content/delete"),
    "metadata_read": ("pull/read", "repositories/metadata/read"),
    "metadata_write": ("push/write", "repositories/metadata/write"),
}


def may(world: World, object_id: str, registry: Resource, right: str) -> bool:
    legacy, abac = _RIGHTS[right]
    if registry.properties["roleAssignmentMode"] == "AbacRepositoryPermissions":
        return world.roles.allowed(object_id, f"{_TYPE}/{abac}", registry.id, data=True)
    return world.roles.allowed(object_id, f"{_TYPE}/{legacy}", registry.id)


def may_pull(world: World, object_id: str, registry: Resource) -> bool:
    """Allow by AcrPull or a control-plane permission that includes it (Owner, Contributor; Reader by */read)."""
    return may(world, object_id, registry, "pull")


def error(status: int, code: str, message: str, detail: Any = None, **headers: str) -> Refusal:
    """Return an error in the format of the OCI distribution specification."""
    extra = {"errors": [{"code": code, "message": message, "detail": detail}]}
    return Refusal(status, code, message, shape="raw", headers=headers, extra=extra)


def _unauthorized(registry: Resource, scope: str = "", *, insufficient: bool = False) -> Refusal:
    server = registry.properties["loginServer"]
    challenge = f'Bearer realm="https://{server}/oauth2/token",service="{server}"'
    if scope:
        challenge += f',scope="{scope}"'
    if insufficient:
        challenge += ',error="insufficient_scope"'
    kind, _, rest = scope.partition(":")
    name, _, right = rest.rpartition(":")
    detail = [{"Type": kind, "Name": name, "Action": right}] if insufficient else None
    return error(401, "UNAUTHORIZED", _UNAUTHORIZED, detail, **{"WWW-Authenticate": challenge})


def need(world: World, request: Request, registry: Resource, scope: str) -> None:
    """Refuse a request without the scope in its token, or user and password; without a scope, any token suffices."""
    granted = _granted(world, request, registry, scope)
    if granted is None:
        raise _unauthorized(registry, scope)
    if scope and not _covers(granted, scope):
        raise _unauthorized(registry, scope, insufficient=True)


def _covers(granted: list[str], scope: str) -> bool:
    kind, _, rest = scope.partition(":")
    name, _, right = rest.rpartition(":")
    for item in granted:
        own_kind, _, own_rest = item.partition(":")
        own_name, _, rights = own_rest.rpartition(":")
        if (own_kind, own_name.lower()) == (kind, name.lower()) and {right, "*"} & set(rights.split(",")):
            return True
    return False


def _granted(world: World, request: Request, registry: Resource, scope: str) -> list[str] | None:
    """Return the caller's scopes; None if the credentials are unknown."""
    token = tokens.bearer(request)
    if token is not None:
        claims = tokens.read(world, token)
        valid = claims is not None and claims["aud"] == request.host and claims.get("grant_type") == "access_token"
        if claims is None or not valid or claims["exp"] < world.clock.now():
            return None
        return [str(item) for item in claims["scopes"]]
    who = _by_password(world, request, registry)
    if who is None:
        return None
    return _allowed(world, registry, who, [scope] if scope else [])


# Tokens


def exchange(world: World, request: Request, registry: Resource) -> Response:
    """Exchange a token of Entra ID for a refresh token of the registry."""
    form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    claims = tokens.read(world, form.get("access_token", ""))
    audiences = {"https://containerregistry.azure.net"}
    if registry.properties["policies"]["azureADAuthenticationAsArmPolicy"]["status"] == "enabled":
        audiences |= tokens.ARM_AUDIENCES
    if form.get("grant_type") != "access_token" or form.get("service", "").lower() != request.host:
        raise error(400, "BAD_REQUEST", "grant_type must be access_token and service the login server.")
    if claims is None or claims["exp"] < world.clock.now() or str(claims["aud"]).rstrip("/") not in audiences:
        raise error(401, "UNAUTHORIZED", _UNAUTHORIZED)
    token = tokens.mint(world, claims["oid"], claims["appid"], request.host, 3 * 3600, grant_type="refresh_token")
    return Response(200, {"refresh_token": token}, {"Server": "openresty"})


def token(world: World, request: Request, registry: Resource) -> Response:
    """Grant the requested scopes that the caller's roles allow; others are dropped silently. Docker's clients use
    GET, user and password, others POST and a refresh token."""
    pairs = [*request.query.items(), *parse_qsl(request.body.decode("utf-8", "replace"))]
    form = dict(pairs)
    who = _asking(world, request, registry, form)
    if who is None:
        raise error(401, "UNAUTHORIZED", _UNAUTHORIZED)
    scopes = [item for key, value in pairs if key == "scope" for item in value.split()]
    granted = _allowed(world, registry, who, scopes)
    made = tokens.mint(world, who, who, request.host, 4500, grant_type="access_token", scopes=granted)
    return Response(200, {"access_token": made}, {"Server": "openresty"})


def _asking(world: World, request: Request, registry: Resource, form: Json) -> str | None:
    """Return the requester of a token: an object id, the admin user, or anonymous if anonymous pull is allowed."""
    if form.get("refresh_token"):
        return _refreshing(world, request.host, form["refresh_token"])
    if form.get("grant_type") == "password" and form.get("username"):
        return _known(world, request.host, registry, form["username"], form.get("password", ""))
    found = _by_password(world, request, registry)
    if found is None and "authorization" not in request.headers and registry.properties["anonymousPullEnabled"]:
        return _NOBODY
    return found


def _refreshing(world: World, host: str, text: str) -> str | None:
    claims = tokens.read(world, text)
    valid = claims is not None and claims["aud"] == host and claims.get("grant_type") == "refresh_token"
    return str(claims["oid"]) if claims is not None and valid and claims["exp"] >= world.clock.now() else None


def _by_password(world: World, request: Request, registry: Resource) -> str | None:
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return _known(world, request.host, registry, user, password)


def _known(world: World, host: str, registry: Resource, user: str, password: str) -> str | None:
    """Authenticate a refresh token as password, the admin user, or a service principal with its secret
    (learn.microsoft.com/azure/container-registry/container-registry-authentication)."""
    if user == _NOBODY:
        return _refreshing(world, host, password)
    if user.lower() == registry.name.lower() and registry.properties["adminUserEnabled"]:
        own = [admin_password(world, registry, name) for name in PASSWORDS]
        return _ADMIN if any(hmac.compare_digest(password.encode(), item.encode()) for item in own) else None
    login = world.principals().get(user)
    if login is not None and hmac.compare_digest(password.encode(), login["secret"].encode()):
        return str(login["object_id"])
    return None


def _allowed(world: World, registry: Resource, who: str, scopes: list[str]) -> list[str]:
    granted = []
    for scope in scopes:
        kind, _, rest = scope.partition(":")
        name, _, rights = rest.rpartition(":")
        if kind == "registry":
            if who == _ADMIN or (who != _NOBODY and may(world, who, registry, "metadata_read")):
                granted.append(scope)
            continue
        wanted = list(_RIGHTS) if rights == "*" else rights.split(",")
        held = [right for right in wanted if right in _RIGHTS and _has(world, registry, who, right)]
        if held:
            granted.append(f"{kind}:{name}:{','.join(held)}")
    return granted


def _has(world: World, registry: Resource, who: str, right: str) -> bool:
    if who == _ADMIN:
        return True
    if who == _NOBODY:
        return right in ("pull", "metadata_read")
    return may(world, who, registry, right)
