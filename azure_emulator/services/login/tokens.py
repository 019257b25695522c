"""Tokens: the part of Microsoft Entra ID that clients of a subscription need."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qsl

from azure_emulator.core.errors import Refusal, gateway
from azure_emulator.core.messages import Principal, Request, Response
from azure_emulator.core.world import World

Json = dict[str, Any]
LOGIN = "https://login.microsoftonline.com"
LIFETIME = 3599
ARM_AUDIENCES = {"https://management.azure.com", "https://management.core.windows.net"}


def handle(world: World, request: Request) -> Response:
    path = request.path.rstrip("/").lower()
    parts = path.strip("/").split("/")
    if path == "/common/discovery/instance":
        return Response(200, _instances(request.query.get("authorization_endpoint", "")))
    if len(parts) >= 3 and parts[-1] == "openid-configuration":
        return _configuration(world, parts[0])
    if request.method == "POST" and parts[1:] == ["oauth2", "v2.0", "token"]:
        return _token(world, request, parts[0])
    if request.method == "POST" and parts[1:] == ["oauth2", "token"]:
        return _token(world, request, parts[0])
    raise Refusal(404, "NotFound", "", shape="raw", extra={"error": "invalid_request"})


def _instances(endpoint: str) -> Json:
    tenant = endpoint.split("/")[3] if endpoint.count("/") > 3 else "common"
    return {
        "tenant_discovery_endpoint": f"{LOGIN}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [
            {
                "preferred_network": "login.microsoftonline.com",
                "preferred_cache": "login.windows.net",
                "aliases": ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
            }
        ],
    }


def _configuration(world: World, tenant: str) -> Response:
    if tenant not in ("common", "organizations", "consumers", world.identity.tenant_id):
        raise _failure(400, "invalid_tenant", 90002, f"Tenant '{tenant}' not found.")
    shown = world.identity.tenant_id if tenant == world.identity.tenant_id else "{tenantid}"
    base = f"{LOGIN}/{tenant}"
    return Response(
        200,
        {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{LOGIN}/{shown}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "tenant_region_scope": "NA",
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
        },
    )


def _failure(status: int, error: str, number: int, text: str) -> Refusal:
    return Refusal(
        status,
        error,
        text,
        shape="raw",
        extra={"error": error, "error_description": f"AADSTS{number}: {text}", "error_codes": [number]},
    )


def _token(world: World, request: Request, tenant: str) -> Response:
    form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    if tenant != world.identity.tenant_id:
        raise _failure(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
    if form.get("grant_type") != "client_credentials":
        raise _failure(
            400,
            "unsupported_grant_type",
            70003,
            f"The app requested an unsupported grant type '{form.get('grant_type', '')}'.",
        )
    client = form.get("client_id", "")
    known = world.principals().get(client)
    if known is None:
        raise _failure(
            400,
            "unauthorized_client",
            700016,
            f"Application with identifier '{client}' was not found in the directory '{tenant}'.",
        )
    if not hmac.compare_digest(form.get("client_secret", "").encode(), known["secret"].encode()):
        raise _failure(
            401,
            "invalid_client",
            7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client "
            f"secret value, not the client secret ID, for a secret added to app '{client}'.",
        )
    audience = form.get("resource") or form.get("scope", "").split(" ")[0].removesuffix("/.default")
    if not audience:
        raise _failure(400, "invalid_request", 90014, "The required field 'scope' is missing from the credential.")
    token = mint(world, known["object_id"], client, audience)
    return Response(
        200,
        {"token_type": "Bearer", "expires_in": LIFETIME, "ext_expires_in": LIFETIME, "access_token": token},
        {"Cache-Control": "no-store, no-cache"},
    )


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _data(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _sign(world: World, signed: str) -> bytes:
    return hmac.new(world.derived("token key"), signed.encode(), hashlib.sha256).digest()


def mint(world: World, object_id: str, client_id: str, audience: str, lifetime: float = LIFETIME, **more: Any) -> str:
    """Return a token signed by this emulator."""
    now = int(world.clock.now())
    tenant = world.identity.tenant_id
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": now,
        "nbf": now,
        "exp": int(now + lifetime),
        "appid": client_id,
        "idtyp": "app",
        "oid": object_id,
        "sub": object_id,
        "tid": tenant,
        "ver": "1.0",
        **more,
    }
    signed = (
        _text(json.dumps({"typ": "JWT", "alg": "HS256"}).encode())
        + "."
        + _text(json.dumps(claims, separators=(",", ":")).encode())
    )
    return f"{signed}.{_text(_sign(world, signed))}"


def read(world: World, token: str) -> Json | None:
    """Return the claims of our token, expired or not; None if it is not ours."""
    try:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(_data(signature), _sign(world, signed)):
            return None
        claims: Json = json.loads(_data(signed.split(".")[1]))
    except (ValueError, IndexError):
        return None
    return claims


def bearer(request: Request) -> str | None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None


def principal_of(claims: Json) -> Principal:
    return Principal(str(claims["oid"]), str(claims["appid"]))


def arm_principal(world: World, request: Request) -> Principal:
    """Return the sender of a request to ARM. Raises ARM's 401."""
    tenant = world.identity.tenant_id

    def challenge(code: str, text: str) -> Refusal:
        header = f'Bearer authorization_uri="{LOGIN}/{tenant}", error="invalid_token", error_description="{text}"'
        return gateway(401, code, text, headers={"WWW-Authenticate": header})

    token = bearer(request)
    if token is None:
        raise challenge("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    claims = read(world, token)
    if claims is None:
        raise challenge("InvalidAuthenticationToken", "The access token is invalid.")
    if str(claims["aud"]).rstrip("/") not in ARM_AUDIENCES:
        raise challenge(
            "InvalidAuthenticationTokenAudience",
            "The access token has been obtained for wrong audience or resource "
            f"'{claims['aud']}'. It should exactly match with one of the allowed audiences "
            "'https://management.core.windows.net/','https://management.azure.com'.",
        )
    if claims["exp"] < world.clock.now():
        raise challenge(
            "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time."
        )
    return principal_of(claims)
