"""Validate how traffic is split between revisions.

Source: learn.microsoft.com/azure/container-apps/, `revisions`, `traffic-splitting` (weights add up to 100, in multiple
revision mode, over HTTP), `sticky-sessions` (single revision mode).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from draftgenie_azure.config.keys import Key
    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.config.validated.service_sections import Service, TrafficWeight

    Found = Iterator[tuple[Key, str]]


_LONGEST = 54


def faults(config: Config) -> Found:
    """Yield the key and message of each fault."""
    for key, service in config.services.items():
        for rest, words in _service(service):
            yield ("services", key, *rest), words


def _service(service: Service) -> Found:
    if service.revision_mode == "Multiple" and service.session_affinity:
        yield ("session_affinity",), "is for `revision_mode: Single`: Azure offers it with one revision only"
    if service.traffic is None:
        return
    if service.revision_mode != "Multiple":
        yield ("traffic",), "needs `revision_mode: Multiple`: with one revision there is no traffic to split"
    elif service.ingress == "none" or service.transport == "tcp":
        yield ("traffic",), "needs an HTTP ingress"
    else:
        yield from _weights(service, service.traffic)


def _weights(service: Service, traffic: list[TrafficWeight]) -> Found:
    total = sum(entry.weight for entry in traffic)
    if total != 100:
        yield ("traffic",), f"the weights must add up to 100; they add up to {total}"
    seen: set[str] = set()
    for position, entry in enumerate(traffic):
        for name, words in _entry(service, entry):
            yield ("traffic", position, name), words
        revision = "latest_revision" if entry.latest_revision else str(entry.revision_name)
        for what, value in (("label", entry.label), ("revision_name", revision)):
            if value is not None and f"{what}={value}" in seen:
                yield ("traffic", position, what), f"duplicate value `{value}`"
            seen.add(f"{what}={value}")


def _entry(service: Service, entry: TrafficWeight) -> Iterator[tuple[str, str]]:
    if entry.latest_revision == (entry.revision_name is not None):
        yield "revision_name", "give either `revision_name` or `latest_revision: true`"
    elif entry.revision_name is not None and not entry.revision_name.startswith(f"{service.name}--"):
        yield "revision_name", f"must be a revision of this app: {service.name}--…"
    elif entry.revision_name is not None and len(entry.revision_name) > _LONGEST:
        # github.com/microsoft/azure-container-apps/issues/1443
        yield "revision_name", f"has more than {_LONGEST} characters, the limit of Azure"
