"""Traffic weights of an app's revisions: entries of `ingress.traffic`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from draftgenie_azure.config.validated.service_sections import Service

    Entry = dict[str, Any]

NO_INGRESS = "its ingress is disabled in Azure. Run with --refresh to enable it again"
LATEST: list[dict[str, Any]] = [{"latestRevision": True, "weight": 100}]


def has_traffic(service: Service) -> bool:
    """Return whether a service has HTTP traffic to split."""
    return service.ingress != "none" and service.transport != "tcp"


def at_creation(service: Service) -> dict[str, Any]:
    """Return the weights of a new app: all traffic to one revision, until configured weights are applied."""
    configuration: dict[str, Any] = {"activeRevisionsMode": service.revision_mode or "Single"}
    if has_traffic(service):
        configuration["ingress"] = {"traffic": LATEST}
    return {"properties": {"configuration": configuration}}


def wanted(service: Service) -> list[Entry] | None:
    """Return the configured weights in Azure's form; None without the key."""
    if service.traffic is None:
        return None
    return [
        _entry(None if item.latest_revision else item.revision_name, item.weight, item.label)
        for item in service.traffic
    ]


def has_ingress(live: Mapping[str, Any]) -> bool:
    """Return whether a live app has an ingress: others may have disabled it."""
    return bool((live.get("properties") or {}).get("configuration", {}).get("ingress"))


def shown(properties: Mapping[str, Any]) -> list[Entry]:
    """Return the weights of a live app, without null or false values."""
    ingress = properties.get("configuration", {}).get("ingress") or {}
    return [
        _entry(None if item.get("latestRevision") else item.get("revisionName"), item.get("weight"), item.get("label"))
        for item in ingress.get("traffic") or LATEST
    ]


def pinned(entries: Sequence[Entry], revision: str) -> list[Entry]:
    """Return the weights with the latest revision replaced by its name, so that a newer one gets no traffic."""
    result: list[Entry] = []
    for entry in entries:
        name = revision if entry.get("latestRevision") else str(entry["revisionName"])
        other = next((one for one in result if one["revisionName"] == name and _may_join(one, entry)), None)
        if other is None:
            result.append(_entry(name, entry.get("weight"), entry.get("label")))
        else:
            other["weight"] = other.get("weight", 0) + entry.get("weight", 0)
            other |= {"label": entry["label"]} if entry.get("label") else {}
    return result


def same(one: Sequence[Entry], other: Sequence[Entry]) -> bool:
    """Return whether two lists split traffic equally."""
    return sorted(map(described, one)) == sorted(map(described, other))


def described(entry: Entry) -> str:
    """Format one weight for display: `web--0000001 20 % (label blue)`."""
    name = "the newest" if entry.get("latestRevision") else str(entry.get("revisionName"))
    label = f" (label {entry['label']})" if entry.get("label") else ""
    return f"{name} {entry.get('weight', 0)} %{label}"


def _may_join(one: Entry, other: Entry) -> bool:
    return not (one.get("label") and other.get("label"))


def _entry(name: str | None, weight: int | None, label: str | None) -> Entry:
    which: Entry = {"latestRevision": True} if name is None else {"revisionName": name}
    return which | {"weight": weight or 0} | ({"label": label} if label else {})
