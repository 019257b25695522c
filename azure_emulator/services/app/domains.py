"""Custom domains of apps, validated by declared DNS records (`dns` of the control address).

No real name server is queried: a name without declared records does not exist.
"""

from __future__ import annotations

from typing import Any

from azure_emulator.core.errors import Refusal
from azure_emulator.core.messages import Response
from azure_emulator.core.resource_types import Call
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.app.environments import verification
from azure_emulator.services.app.types import APP

Json = dict[str, Any]


def apps_of(world: World, environment: Resource) -> list[Resource]:
    return [app for app in world.store.of_type(APP) if str(app.properties["environmentId"]).lower() == environment.key]


def bound(app: Resource, host: str) -> Json | None:
    """Return the app's entry for a host name."""
    ingress = app.properties["configuration"]["ingress"] or {}
    return next((item for item in ingress.get("customDomains") or [] if item["name"].lower() == host.lower()), None)


def records(world: World, name: str, kind: str) -> list[str]:
    return list(world.dns.get(name.lower().rstrip("."), {}).get(kind, []))


def is_verified(world: World, host: str) -> bool:
    """learn.microsoft.com/azure/container-apps/custom-domains-certificates: TXT at asuid.<host>."""
    return verification(world).lower() in {item.lower() for item in records(world, f"asuid.{host}", "TXT")}


def check_custom_domains(call: Call, environment: Resource, ingress: Json) -> None:
    """Validate names during the write; certificates must exist."""
    sent = ingress.get("customDomains") or []
    names = [item["name"].lower() for item in sent]
    if len(names) != len(set(names)):
        raise Refusal(400, "InvalidCustomDomain", "Custom domain names must be unique.")
    for item in sent:
        if call.existing is None or bound(call.existing, item["name"]) is None:
            _validate(call, environment, item["name"])
        _check_binding(call.world, environment, item)


def _validate(call: Call, environment: Resource, host: str) -> None:
    for other in apps_of(call.world, environment):
        if other.key != call.target.id.lower().replace("/containerApps/", "/containerapps/") and bound(other, host):
            raise Refusal(409, "CustomDomainInUse", f"The custom domain '{host}' is used by the app '{other.name}'.")
    if not is_verified(call.world, host):
        # Azure/azure-cli issue 28680
        raise Refusal(
            400,
            "InvalidCustomHostNameValidation",
            f"A TXT record pointing from asuid.{host} to {verification(call.world)} was not found.",
        )


def _check_binding(world: World, environment: Resource, item: Json) -> None:
    kind, certificate_id = item.get("bindingType", "Disabled"), item.get("certificateId")
    if kind == "SniEnabled" and not certificate_id:
        raise Refusal(
            400, "InvalidRequestParameterWithDetails", f"The domain '{item['name']}' is SniEnabled without certificate."
        )
    if not certificate_id:
        return
    certificate = world.store.get(certificate_id)
    inside = str(certificate_id).lower().startswith(f"{environment.key}/")
    if certificate is None or not inside or "certificates" not in certificate.type.lower():
        raise Refusal(
            400,
            "CertificateNotFound",
            f"The certificate '{certificate_id}' of the domain '{item['name']}' is not in the environment.",
        )


def certificate_problem(world: World, certificate: Resource) -> tuple[str, str] | None:
    """Return why no certificate can be issued for a domain, or None."""
    host, way = certificate.properties["subjectName"], certificate.properties["domainControlValidation"]
    environment = world.store.get(certificate.id.rsplit("/", 2)[0])
    assert environment is not None
    domain, address = environment.properties["defaultDomain"], environment.properties["staticIp"]
    good = {
        "CNAME": any(item.rstrip(".").lower().endswith(domain) for item in records(world, host, "CNAME")),
        "HTTP": address in records(world, host, "A"),
        "TXT": certificate.properties["validationToken"] in records(world, f"_dnsauth.{host}", "TXT"),
    }[way]
    if good:
        return None
    return "FailedToIssueCertificate", f"The DNS records of '{host}' do not prove the domain by {way}."


def analysis(call: Call) -> Response:
    """`listCustomHostNameAnalysis?customHostname=…`: returns the analysis of the name's records."""
    app, world = call.must_exist(), call.world
    host = call.request.query.get("customhostname", "")
    if not host:
        raise Refusal(400, "InvalidRequestParameterWithDetails", "The customHostname is required.")
    environment = world.store.get(app.properties["environmentId"])
    others = [item for item in apps_of(world, environment) if bound(item, host)] if environment else []
    conflict = next((item for item in others if item.key != app.key), None)
    verified = is_verified(world, host)
    failure = {
        "code": "InvalidCustomHostNameValidation",
        "message": f"A TXT record pointing from asuid.{host} to {verification(world)} was not found.",
        "details": None,
    }
    return Response(
        200,
        {
            "hostName": host,
            "isHostnameAlreadyVerified": bound(app, host) is not None,
            "customDomainVerificationTest": "Passed" if verified else "Failed",
            "customDomainVerificationFailureInfo": None if verified else failure,
            "hasConflictOnManagedEnvironment": conflict is not None,
            "conflictWithEnvironmentCustomDomain": False,
            "conflictingContainerAppResourceId": conflict.id if conflict else None,
            "cNameRecords": records(world, host, "CNAME"),
            "txtRecords": records(world, host, "TXT"),
            "aRecords": records(world, host, "A"),
            "alternateCNameRecords": records(world, f"asuid.{host}", "CNAME"),
            "alternateTxtRecords": records(world, f"asuid.{host}", "TXT"),
        },
    )
