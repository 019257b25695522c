"""A registry's own address: tokens, manifests and tags."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Request, Response
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.login import tokens
from azure_emulator.services.registry import registries

Json = dict[str, Any]
_MEDIA = "application/vnd.docker.distribution.manifest.v2+json"
PULL = "Microsoft.ContainerRegistry/registries/pull/read"
_CONTENT_READ = "Microsoft.ContainerRegistry/registries/repositories/content/read"


def registry_of(world: World, host: str) -> Resource | None:
    return next(
        (item for item in world.store.of_type(registries.REGISTRY_TYPE) if item.properties["loginServer"] == host),
        None,
    )


def may_pull(world: World, object_id: str, registry: Resource) -> bool:
    """By AcrPull (or a control-plane read, as Owner, Contributor and Reader have) in the legacy mode, by the repository
    roles in the ABAC mode, where AcrPull is ignored (learn.microsoft.com/azure/container-registry/
    container-registry-rbac-abac-repository-permissions)."""
    if registry.properties["roleAssignmentMode"] == "AbacRepositoryPermissions":
        return world.roles.allowed(object_id, _CONTENT_READ, registry.id, data=True)
    return world.roles.allowed(object_id, PULL, registry.id)


def _error(status: int, code: str, message: str, **headers: str) -> Refusal:
    return Refusal(
        status,
        code,
        message,
        shape="raw",
        headers=headers,
        extra={"errors": [{"code": code, "message": message, "detail": None}]},
    )


def handle(world: World, request: Request) -> Response:
    registry = registry_of(world, request.host)
    if registry is None:
        raise _error(404, "NOT_FOUND", f"The registry of {request.host} does not exist.")
    path = request.path.rstrip("/")
    if path == "/oauth2/exchange" and request.method == "POST":
        return _exchange(world, request, registry)
    if path == "/oauth2/token":
        return _token(world, request, registry)
    access = _access(world, request, registry)
    if path == "/v2":
        return Response(200, {})
    if path in ("/v2/_catalog", "/acr/v1/_catalog"):
        _need(registry, access, "registry:catalog:*", "")
        return Response(200, {"repositories": sorted(registry.private["repositories"])})
    match = re.fullmatch(r"/v2/(.+)/manifests/([^/]+)", path)
    if match and request.method in ("GET", "HEAD"):
        _need(registry, access, f"repository:{match[1]}:pull", match[1])
        return _manifest(registry, match[1], match[2])
    match = re.fullmatch(r"/v2/(.+)/tags/list", path)
    if match:
        _need(registry, access, f"repository:{match[1]}:pull", match[1])
        return Response(200, {"name": match[1], "tags": sorted(_repository(registry, match[1])["tags"])})
    match = re.fullmatch(r"/acr/v1/(.+?)/_tags(?:/([^/]+))?", path)
    if match:
        _need(registry, access, f"repository:{match[1]}:metadata_read", match[1])
        return _tags(registry, match[1], match[2])
    raise _error(404, "NOT_FOUND", "The requested path is not served.")


def _exchange(world: World, request: Request, registry: Resource) -> Response:
    form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    claims = tokens.read(world, form.get("access_token", ""))
    audiences = {"https://containerregistry.azure.net"}
    if registry.properties["policies"]["azureADAuthenticationAsArmPolicy"]["status"] == "enabled":
        audiences |= tokens.ARM_AUDIENCES
    if form.get("grant_type") != "access_token" or form.get("service", "").lower() != request.host:
        raise _error(400, "BAD_REQUEST", "grant_type must be access_token and service the login server.")
    if claims is None or claims["exp"] < world.clock.now() or str(claims["aud"]).rstrip("/") not in audiences:
        raise _error(
            401, "UNAUTHORIZED", "authentication required, visit https://aka.ms/acr/authorization for more information."
        )
    token = tokens.mint(world, claims["oid"], claims["appid"], request.host, 3 * 3600, grant_type="refresh_token")
    return Response(200, {"refresh_token": token}, {"Server": "openresty"})


def _token(world: World, request: Request, registry: Resource) -> Response:
    """Grants what of the asked scopes the caller's roles allow; the rest is left out silently."""
    form = {**request.query, **dict(parse_qsl(request.body.decode("utf-8", "replace")))}
    claims = tokens.read(world, form.get("refresh_token", ""))
    if claims is None or claims["exp"] < world.clock.now() or claims["aud"] != request.host:
        raise _error(
            401, "UNAUTHORIZED", "authentication required, visit https://aka.ms/acr/authorization for more information."
        )
    granted = []
    if may_pull(world, claims["oid"], registry):
        granted = [part for part in form.get("scope", "").split() if part]
    token = tokens.mint(
        world, claims["oid"], claims["appid"], request.host, 4500, grant_type="access_token", scopes=granted
    )
    return Response(200, {"access_token": token}, {"Server": "openresty"})


def _access(world: World, request: Request, registry: Resource) -> list[str]:
    token = tokens.bearer(request)
    claims = tokens.read(world, token) if token else None
    if (
        claims is None
        or claims["aud"] != request.host
        or claims.get("grant_type") != "access_token"
        or claims["exp"] < world.clock.now()
    ):
        raise _error(
            401,
            "UNAUTHORIZED",
            "authentication required, visit https://aka.ms/acr/authorization for more information.",
            **_challenge(registry),
        )
    return [str(scope) for scope in claims["scopes"]]


def _challenge(registry: Resource, scope: str = "") -> dict[str, str]:
    server = registry.properties["loginServer"]
    more = f',scope="{scope}",error="insufficient_scope"' if scope else ""
    return {"WWW-Authenticate": f'Bearer realm="https://{server}/oauth2/token",service="{server}"{more}'}


def _need(registry: Resource, access: list[str], scope: str, repository: str) -> None:
    kind, name, right = scope.split(":")
    for granted in access:
        parts = granted.split(":")
        if len(parts) == 3 and parts[0] == kind and parts[1] == name and ({right, "*"} & set(parts[2].split(","))):
            return
    raise _error(
        401,
        "UNAUTHORIZED",
        "authentication required, visit https://aka.ms/acr/authorization for more information.",
        **_challenge(registry, scope),
    )


def _repository(registry: Resource, name: str) -> Json:
    found: Json | None = registry.private["repositories"].get(name.lower())
    if found is None:
        raise _error(404, "NAME_UNKNOWN", f'repository name not known to registry: {{"name":"{name}"}}')
    return found


def find_manifest(registry: Resource, repository: str, reference: str) -> tuple[str, Json] | None:
    """Digest and what is known of an image, by tag or digest."""
    held = registry.private["repositories"].get(repository.lower())
    if held is None:
        return None
    digest = reference if reference.startswith("sha256:") else held["tags"].get(reference, {}).get("digest")
    manifest = held["manifests"].get(digest)
    return None if manifest is None else (digest, manifest)


def _manifest(registry: Resource, name: str, reference: str) -> Response:
    _repository(registry, name)
    found = find_manifest(registry, name, reference)
    if found is None:
        raise _error(404, "MANIFEST_UNKNOWN", f'manifest tagged by "{reference}" is not found')
    digest, _ = found
    body = {
        "schemaVersion": 2,
        "mediaType": _MEDIA,
        "layers": [],
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": digest},
    }
    return Response(
        200,
        body,
        {
            "Docker-Content-Digest": digest,
            "Content-Type": _MEDIA,
            "ETag": f'"{digest}"',
            "Docker-Distribution-Api-Version": "registry/2.0",
        },
    )


def _tags(registry: Resource, name: str, tag: str | None) -> Response:
    held = _repository(registry, name)

    def shown(item: str) -> Json:
        entry = held["tags"][item]
        return {
            "name": item,
            "digest": entry["digest"],
            "createdTime": entry["time"],
            "lastUpdateTime": entry["time"],
            "signed": False,
            "changeableAttributes": {
                "deleteEnabled": True,
                "writeEnabled": True,
                "readEnabled": True,
                "listEnabled": True,
            },
        }

    server = registry.properties["loginServer"]
    if tag is None:
        return Response(
            200, {"registry": server, "imageName": name, "tags": [shown(item) for item in sorted(held["tags"])]}
        )
    if tag not in held["tags"]:
        raise _error(404, "TAG_UNKNOWN", f"the specified tag does not exist: {tag}")
    return Response(200, {"registry": server, "imageName": name, "tag": shown(tag)})
