"""Validate custom domains.

Source: learn.microsoft.com/azure/container-apps/, `custom-domains-certificates`, `custom-domains-managed-certificates`
(external HTTP ingress; no wildcard and at most 64 characters for a managed certificate).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from draftgenie_azure.config.validated import naming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from draftgenie_azure.config.keys import Key
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.config.validated.service_sections import CustomDomain, Service

    Found = Iterator[tuple[Key, str]]

_LONGEST_MANAGED = 64


def faults(config: Config) -> Found:
    """Yield the key and message of each fault."""
    owners: dict[str, str] = {}
    for key, service in config.services.items():
        place: Key = ("services", key, "custom_domains")
        if service.custom_domains and (service.ingress == "none" or service.transport == "tcp"):
            yield place, "need an HTTP ingress"
            continue
        for position, domain in enumerate(service.custom_domains or []):
            owner = owners.setdefault(domain.name.lower(), key)
            if owner != key or [one.name.lower() for one in service.custom_domains or []].index(
                domain.name.lower()
            ) != position:
                where = "" if owner == key else f" for services.{owner}"
                yield (*place, position, "name"), f"duplicate name `{domain.name}`{where}"
            for name, words in _domain(config, service, domain):
                yield (*place, position, name), words


def _domain(config: Config, service: Service, domain: CustomDomain) -> Iterator[tuple[str, str]]:
    if domain.certificate != "managed":
        if fault := naming.name_fault("certificate", domain.certificate):
            yield "certificate", fault
        return
    if domain.name.startswith("*."):
        yield "certificate", "must be the name of a certificate: Azure issues none for a wildcard"
    elif len(domain.name) > _LONGEST_MANAGED:
        yield "name", f"has more than {_LONGEST_MANAGED} characters: Azure issues no certificate for it"
    elif service.ingress != "external" or (config.container_apps is not None and config.container_apps.internal):
        yield "certificate", "must be the name of a certificate: Azure issues one only for a public app"
