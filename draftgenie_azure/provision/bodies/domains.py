"""Custom domains of an app: entries of `ingress.customDomains`, and the managed certificates for them."""

from __future__ import annotations

import re

from draftgenie_azure.arm import ids
from draftgenie_azure.digests import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.config.validated.service_sections import CustomDomain

MANAGED = "managed"


def bindings(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the custom domains of a live app, without nulls."""
    ingress = properties.get("configuration", {}).get("ingress") or {}
    names = ("name", "bindingType", "certificateId")
    return [{name: item[name] for name in names if item.get(name)} for item in ingress.get("customDomains") or []]


def bound(name: str, certificate_id: str | None) -> dict[str, Any]:
    """Return a custom domain: without certificate, as the service requires at first, or with one."""
    if certificate_id is None:
        return {"name": name, "bindingType": "Disabled"}
    return {"name": name, "bindingType": "SniEnabled", "certificateId": certificate_id}


def certificate_id(environment_id: str, domain: CustomDomain) -> str:
    """Return the id of a domain's certificate: a named one, or the managed one."""
    if domain.certificate != MANAGED:
        return f"{environment_id}/certificates/{domain.certificate}"
    return f"{environment_id}/managedCertificates/{managed_name(domain.name)}"


def managed_name(host: str) -> str:
    """Return our name for the managed certificate of a host."""
    readable = re.sub("[^a-z0-9]+", "-", host.lower()).strip("-")[:40].strip("-")
    return f"{readable}-{sha256(host.lower().encode())[:8]}"


def managed_certificate(config: Config, domain: CustomDomain) -> dict[str, Any]:
    """Return the certificate that Azure issues and renews for a name."""
    return {
        "location": config.location("container_apps"),
        "properties": {"subjectName": domain.name, "domainControlValidation": domain.validation},
    }


def dns_records(
    domain: CustomDomain, *, host: str, address: str, verification: str, token: str | None = None
) -> list[tuple[str, str, str]]:
    """Return type, name and value of the DNS records that a domain needs.

    Args:
        host: the app's host in the environment's domain.
        address: the environment's IP address.
        verification: content of the TXT record that proves ownership of the name.
        token: token for the certificate's issuer, if it validates by TXT.
    """
    points = ("A", domain.name, address) if domain.validation == "HTTP" else ("CNAME", domain.name, host)
    owner = domain.name.removeprefix("*.")
    records = [points, ("TXT", f"asuid.{owner}", verification)]
    return records + ([("TXT", f"_dnsauth.{owner}", token)] if token else [])


def conflict(host: str, analysis: Mapping[str, Any]) -> str | None:
    """Return who else has a name, and what to do, by Azure's analysis of it; None if nobody has."""
    if analysis.get("conflictWithEnvironmentCustomDomain"):
        return f"{host} is the DNS suffix of the environment itself: take it out of custom_domains"
    if not analysis.get("hasConflictOnManagedEnvironment"):
        return None
    holder = str(analysis.get("conflictingContainerAppResourceId") or "")
    where = f" (az containerapp hostname delete --hostname {host} --ids {holder})" if holder else ""
    app = ids.last_name(holder) or "another app"
    return f"{host} is bound to {app}: unbind it there{where}, or take it out of custom_domains"
