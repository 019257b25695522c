"""A rollout that moves traffic only to a revision verified as healthy.

With several active revisions, the write that creates a new one pins the traffic to the current one, so that
the new one gets none. The last step verifies it at its own address, and only then moves the weights. The previous
weights are kept in the state until then, so an interrupted or failed run leaves the traffic where it was.
"""

from __future__ import annotations

from dataclasses import replace

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.diff import BY_OTHERS, REMOVE, Change, between
from draftgenie_azure.arm.plan import CHANGE as CHANGED
from draftgenie_azure.arm.plan import RESEND, UNCHANGED, Entry
from draftgenie_azure.arm.resource import Beside
from draftgenie_azure.errors import DeployerError, VerificationError
from draftgenie_azure.provision import old_revisions
from draftgenie_azure.provision.bodies import traffic as bodies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from draftgenie_azure.config.validated.service_sections import Service
    from draftgenie_azure.session import Session

    Body = dict[str, Any]

STEP = "verify_deployment"
_TYPE = "Microsoft.App/containerApps"
_VERSION = ids.API_VERSIONS[_TYPE]
_MODE = ("properties", "configuration", "activeRevisionsMode")
_INGRESS = ("properties", "configuration", "ingress")


def beside(session: Session, key: str, service: Service) -> Callable[[Body, Sequence[Change]], Beside]:
    """Return a function that adds the weights to keep to a write of an app."""

    def more(live: Body, changes: Sequence[Change]) -> Beside:
        # Where others disabled the ingress, shares alone would create one without a port.
        has_shares = bodies.has_traffic(service) and (bodies.has_ingress(live) or _enables_ingress(changes))
        mode = next((change for change in changes if change.path == _MODE), None)
        if mode is not None and (mode.kind == REMOVE or mode.new == "Single"):
            # If only an older revision had a weight, nothing would respond
            # (github.com/microsoft/azure-container-apps/issues/679).
            return Beside(_body(bodies.LATEST if has_shares else None, mode="Single"), stays=True)
        if not has_shares or not is_rolled_out(service) or not old_revisions.make_a_revision(changes):
            return Beside({})
        return Beside(_pinned(session, key, live["properties"]))

    return more


def _enables_ingress(changes: Sequence[Change]) -> bool:
    return any(change.path[:3] == _INGRESS and change.kind != REMOVE for change in changes)


def _pinned(session: Session, key: str, properties: Body) -> Body:
    present = _present(properties)
    before = bodies.shown(properties)
    if not present or not any(entry.get("latestRevision") for entry in before):
        return {}
    if not old_revisions.record_of(session, key):
        return {}  # taken over by this write: nothing would move the weights back later
    now = bodies.pinned(before, present)
    if session.arm.plan is None:
        session.records.note(f"container_app/{key}", pinned={"before": before, "now": now})
    return _body(now)


def _present(properties: Body) -> str:
    """Return the newest revision before a write; empty if there is none."""
    return str(properties.get("latestReadyRevisionName") or properties.get("latestRevisionName") or "")


def _body(entries: Sequence[Body] | None, *, mode: str | None = None) -> Body:
    configuration: Body = {} if mode is None else {"activeRevisionsMode": mode}
    if entries is not None:
        configuration["ingress"] = {"traffic": list(entries)}
    return {"properties": {"configuration": configuration}}


def _differences(before: Sequence[Body], after: Sequence[Body]) -> list[Change]:
    """Return the changes of the weights, leaf by leaf."""
    return between(_TYPE, _body(before), _body(after))


def _entries(value: object) -> list[Body]:
    """Return the weights recorded in the state, which may have been edited."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _is_pinned(record: Body, there: list[Body]) -> bool:
    """Return whether the weights are those pinned to the current revision for a new one."""
    pinned = record.get("pinned") or {}
    return bool(pinned) and bodies.same(there, _entries(pinned.get("now")))


def is_rolled_out(service: Service) -> bool:
    """Return whether a new revision of the service is verified before it gets traffic."""
    return service.revision_mode == "Multiple" and bodies.has_traffic(service)


def shares(live: Body) -> str:
    """Format the current weights for display."""
    return ", ".join(map(bodies.described, bodies.shown(live["properties"])))


def announce(session: Session) -> None:
    """Add the traffic changes of all services to the plan.

    Raises:
        DeployerError: a revision that the configuration names is not there.
    """
    plan = session.arm.plan
    assert plan is not None
    for key, service in session.config.services.items():
        app_id = session.scope.resource(_TYPE, service.name)
        live = session.arm.current(app_id) if is_rolled_out(service) else None
        has_shares = live is not None and bodies.has_ingress(live)
        entry = _entry(session, key, service, app_id, live) if live is not None and has_shares else None
        if entry is not None:
            plan.add(entry)


def _entry(session: Session, key: str, service: Service, app_id: str, live: Body) -> Entry | None:
    """Return the plan entry for weights: changes, those by others that are kept, and when a new revision gets them.

    Args:
        live: the predicted app after the steps before.
    """
    record, before = old_revisions.record_of(session, key), bodies.shown(live["properties"])
    target = _target(session, key, service, live)
    wanted = before if target is None else target
    changes, kept = _differences(before, wanted), list[Change]()
    if changes and _are_others(record, before, wanted):
        if session.arm.repairs:
            changes = [replace(change, note=BY_OTHERS) for change in changes]
        else:
            changes, kept, wanted = [], changes, before
    moves = any(entry.get("latestRevision") for entry in before) and _gets_a_revision(session, key)
    if moves or (record.get("pinned") and target is not None and not kept):
        old_revisions.announce(session, key, app_id, _still_needed(record, live, wanted, is_old=moves))
    if changes:
        _check_revisions(session, app_id, wanted)
        note = f"once the newest revision is verified: {', '.join(map(bodies.described, wanted))}"
    elif moves:
        note = f"{_present(live['properties'])} keeps the requests until the new revision is verified"
    elif kept:
        return Entry(STEP, f"traffic/{key}", app_id, UNCHANGED, kept=kept)
    else:
        return None
    return Entry(STEP, f"traffic/{key}", app_id, CHANGED, changes=changes, kept=kept, note=note)


def is_changed(session: Session, key: str, service: Service, live: Body) -> bool:
    """Return whether the run is to change the weights of a live app; those changed by others are kept."""
    if not is_rolled_out(service):
        return False
    there, target = bodies.shown(live["properties"]), _target(session, key, service, live)
    if target is None or bodies.same(there, target):
        return False
    return session.arm.repairs or not _are_others(old_revisions.record_of(session, key), there, target)


def _gets_a_revision(session: Session, key: str) -> bool:
    """Return whether a planned write creates a new revision of an app that this deployment knows."""
    entries = session.arm.plan.entries if session.arm.plan is not None else ()
    known = [one for one in entries if one.step != session.arm.ensurer.taken_over.get(one.key)]
    written = [one for one in known if one.key == f"container_app/{key}" and one.action in (CHANGED, RESEND)]
    return any(old_revisions.make_a_revision(entry.changes) for entry in written)


def settle(session: Session, key: str, service: Service, app_id: str, live: Body) -> None:
    """Apply the desired weights after the newest revision has been verified.

    Raises:
        DeployerError: a configured revision does not exist.
        AzureError: Azure refused.
    """
    record = old_revisions.record_of(session, key)
    if not is_rolled_out(service):
        if record.get("pinned") or record.get("traffic"):
            session.records.note(f"container_app/{key}", pinned=None, traffic=None)
        return
    there, target = bodies.shown(live["properties"]), _target(session, key, service, live)
    if target is None:
        if record.get("pinned"):  # others have changed the weights since
            session.records.note(f"container_app/{key}", pinned=None)
        return
    if not bodies.same(there, target):
        differences = _differences(there, target)
        if _are_others(record, there, target) and not session.arm.repairs:
            session.arm.ensurer.kept.setdefault(f"container_app/{key}", []).extend(differences)
            return
        if not bodies.has_ingress(live):
            raise VerificationError(f"{key}: {bodies.NO_INGRESS}")
        _check_revisions(session, app_id, target)
        session.arm.send(app_id, _body(target), method="PATCH")
        session.arm.wait(app_id)
        session.arm.ensurer.did(STEP, f"traffic/{key}", differences)
        ingress = ((session.arm.read(app_id) or {}).get("properties", {}).get("configuration", {})).get("ingress") or {}
        session.arm.ensurer.wrote(f"container_app/{key}", _body(there), _body(ingress.get("traffic") or []))
        session.logger.info("%s: requests go to %s", service.name, ", ".join(map(bodies.described, target)))
    if record.get("pinned"):  # requests have moved
        old_revisions.deactivate(session, key, app_id, _still_needed(record, live, target))
    stated = bodies.wanted(service)
    if stated is not None and not bodies.same(stated, target):  # others' shares, which a rollout leaves as they were
        kept = session.arm.ensurer.kept.setdefault(f"container_app/{key}", [])
        kept += _differences(target, stated)
    if record:
        session.records.note(f"container_app/{key}", pinned=None, traffic=stated)


def _still_needed(record: Body, live: Body, target: Sequence[Body], *, is_old: bool = False) -> set[str]:
    """Return the revisions that stay active after a rollout: the newest, those with a share, those with requests.

    Args:
        live: the app.
        is_old: whether the app is as it was before the rollout.
    """
    properties, before = live["properties"], _entries((record.get("pinned") or {}).get("now"))
    if is_old and not before:
        before = bodies.pinned(bodies.shown(properties), _present(properties))
    newest = {properties.get("latestRevisionName"), properties.get("latestReadyRevisionName")} if not is_old else set()
    return old_revisions.named(before) | old_revisions.named(target) | {str(name) for name in newest if name}


def _target(session: Session, key: str, service: Service, live: Body) -> list[Body] | None:
    """Return the desired weights; None to keep the current ones."""
    record, stated = old_revisions.record_of(session, key), bodies.wanted(service)
    before = _entries((record.get("pinned") or {}).get("before")) or bodies.LATEST
    is_pinned = _is_pinned(record, bodies.shown(live["properties"]))
    if stated is not None:
        stays = is_pinned and not session.arm.repairs and _were_others(record, before, stated)
        return before if stays else stated
    if record.get("traffic"):  # ours, and no longer configured
        return bodies.LATEST
    return before if is_pinned else None


def _are_others(record: Body, there: list[Body], target: list[Body]) -> bool:
    """Return whether others have changed the weights since they were last applied."""
    return not _is_pinned(record, there) and _were_others(record, there, target)


def _were_others(record: Body, shares: list[Body], target: list[Body]) -> bool:
    """Return whether weights differ from those that this deployment applied and still wants."""
    sent = record.get("traffic")
    is_as_sent = sent is not None and bodies.same(_entries(sent), target)
    return is_as_sent and not bodies.same(shares, target)


def _check_revisions(session: Session, app_id: str, target: list[Body]) -> None:
    named = {str(entry["revisionName"]) for entry in target if "revisionName" in entry}
    if not named:
        return
    revisions = {str(item["name"]) for item in session.arm.listing(f"{app_id}/revisions", api_version=_VERSION)}
    if missing := sorted(named - revisions):
        raise DeployerError(
            f"{ids.last_name(app_id)}: there is no revision {', '.join(missing)}",
            hint=f"Correct `traffic`; its revisions are {', '.join(sorted(revisions))}."
            if revisions
            else "Leave it out of `traffic` until the app is deployed.",
        )
