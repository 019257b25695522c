"""Deactivate old revisions of this deployment that are no longer needed, in apps with several active revisions.

An active revision keeps its `min_replicas` running and is paid for, with requests or without; an inactive one costs
nothing and can be activated again (learn.microsoft.com/azure/container-apps/billing and …/revisions). After a rollout
the new revision and those that had requests before it stay active, for a rollback. Revisions that others created,
reactivated, labelled or gave requests are not touched.
"""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.plan import DEACTIVATE, Entry
from draftgenie_azure.errors import AzureError
from draftgenie_azure.provision.bodies import traffic as bodies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

    from draftgenie_azure.arm.diff import Change
    from draftgenie_azure.config.validated.service_sections import Service
    from draftgenie_azure.session import Session

    Body = dict[str, Any]

_STEP = "verify_deployment"
_VERSION = ids.API_VERSIONS["Microsoft.App/containerApps"]


def note(session: Session, key: str, service: Service, live: Body) -> None:
    """Record that this deployment created the newest revision of an app, if one of its writes did.

    With a single active revision Azure deactivates the others; the newest is still active after a switch to several.
    """
    if session.arm.plan is not None or not bodies.has_traffic(service):
        return
    record, changes = record_of(session, key), session.arm.ensurer.changes.get(f"container_app/{key}", ())
    name, known = live["properties"].get("latestRevisionName"), _ours(session, key)
    is_ours = session.arm.created(f"container_app/{key}") or make_a_revision(changes) or record.get("pinned")
    if record and is_ours and name and name not in known:
        is_several = service.revision_mode == "Multiple"
        record_it = session.records.note if is_several else session.records.add_facts
        record_it(f"container_app/{key}", revisions=[*(known if is_several else []), str(name)])


def make_a_revision(changes: Sequence[Change]) -> bool:
    """Return whether a write of these changes creates a revision."""
    return any(change.path[:2] == ("properties", "template") for change in changes)


def named(entries: Sequence[Body]) -> set[str]:
    """Return the revisions named by traffic shares."""
    return {str(entry["revisionName"]) for entry in entries if "revisionName" in entry}


def announce(session: Session, key: str, app_id: str, keep: Collection[str]) -> None:
    """Add the revisions to deactivate to the plan."""
    plan = session.arm.plan
    assert plan is not None
    for name in _idle(session, key, app_id, keep):
        where = f"{app_id}/revisions/{name}"
        plan.add(Entry(_STEP, _key(key, name), where, DEACTIVATE, note="it gets no requests and has no label"))


def deactivate(session: Session, key: str, app_id: str, keep: Collection[str]) -> None:
    """Deactivate the revisions of this deployment that are not to be kept; a failure is only a warning."""
    for name in _idle(session, key, app_id, keep):
        try:
            session.arm.act(f"{app_id}/revisions/{name}/deactivate", api_version=_VERSION)
        except AzureError as error:
            session.warn(f"the revision {name} could not be deactivated and goes on running: {error.message}")
            continue
        session.arm.ensurer.did(_STEP, _key(key, name), [])
        session.logger.info("%s: deactivated; it got no requests", name)
        session.records.note(
            f"container_app/{key}", revisions=[other for other in _ours(session, key) if other != name]
        )


def _idle(session: Session, key: str, app_id: str, keep: Collection[str]) -> list[str]:
    """Return active revisions of this deployment without requests that are not to be kept, oldest first."""
    ours = set(_ours(session, key)) - set(keep)
    if not ours:
        return []
    return [
        str(item["name"])
        for item in session.arm.listing(f"{app_id}/revisions", api_version=_VERSION)
        if item["name"] in ours and item["properties"].get("active") and not item["properties"].get("trafficWeight")
    ]


def _key(key: str, name: str) -> str:
    return f"revision/{key}/{name}"


def record_of(session: Session, key: str) -> Body:
    """Return the record of a service's app; empty if there is none."""
    found: Body = session.records.resources.get(f"container_app/{key}", {})
    return found


def _ours(session: Session, key: str) -> list[str]:
    """Return the recorded names; the state may have been edited by hand."""
    found = record_of(session, key).get("revisions")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
