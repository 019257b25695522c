"""A rollout that moves traffic only to a revision verified as healthy.

With several active revisions, the write that creates a new one pins the traffic to the current one, so that
the new one gets none. The last step verifies it at its own address, and only then moves the weights. The previous
weights are kept in the state until then, so an interrupted or failed run leaves the traffic where it was.
"""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.diff import REMOVE, between
from draftgenie_azure.arm.plan import CHANGE as CHANGED
from draftgenie_azure.arm.plan import RESEND, UNCHANGED, Entry
from draftgenie_azure.arm.resource import Beside
from draftgenie_azure.errors import DeployerError
from draftgenie_azure.provision.bodies import traffic as bodies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from draftgenie_azure.arm.diff import Change
    from draftgenie_azure.config.validated.service_sections import Service
    from draftgenie_azure.session import Session

    Body = dict[str, Any]

STEP = "verify_deployment"
_TYPE = "Microsoft.App/containerApps"
_VERSION = ids.API_VERSIONS[_TYPE]
_MODE = ("properties", "configuration", "activeRevisionsMode")


def beside(session: Session, key: str, service: Service) -> Callable[[Body, Sequence[Change]], Beside]:
    """Make what a write of an app carries besides its changes: the shares of traffic that its revisions keep."""

    def more(live: Body, changes: Sequence[Change]) -> Beside:
        mode = next((change for change in changes if change.path == _MODE), None)
        if mode is not None and (mode.kind == REMOVE or mode.new == "Single"):
            # An older revision that is alone in the shares would leave nothing that answers
            # (github.com/microsoft/azure-container-apps/issues/679).
            return Beside(_body(bodies.LATEST if bodies.has_traffic(service) else None, mode="Single"), stays=True)
        if not is_rolled_out(service) or not _make_a_revision(changes):
            return Beside({})
        return Beside(_pinned(session, key, live["properties"]))

    return more


def _make_a_revision(changes: Sequence[Change]) -> bool:
    return any(change.path[:2] == ("properties", "template") for change in changes)


def _pinned(session: Session, key: str, properties: Body) -> Body:
    present = _present(properties)
    before = bodies.shown(properties)
    if not present or not any(entry.get("latestRevision") for entry in before):
        return {}
    now = bodies.pinned(before, present)
    record = _record(session, key)
    if record and session.arm.plan is None:
        session.records.note(f"container_app/{key}", pinned={"before": before, "now": now})
    return _body(now)


def _present(properties: Body) -> str:
    """The revision that is the newest one before a write; empty where there is none."""
    return str(properties.get("latestReadyRevisionName") or properties.get("latestRevisionName") or "")


def _body(entries: Sequence[Body] | None, *, mode: str | None = None) -> Body:
    configuration: Body = {} if mode is None else {"activeRevisionsMode": mode}
    if entries is not None:
        configuration["ingress"] = {"traffic": list(entries)}
    return {"properties": {"configuration": configuration}}


def _differences(before: Sequence[Body], after: Sequence[Body]) -> list[Change]:
    """What changes in the shares, leaf by leaf."""
    return between(_TYPE, _body(before), _body(after))


def _entries(value: object) -> list[Body]:
    """Return the weights recorded in the state, which may have been edited."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _is_pinned(record: Body, there: list[Body]) -> bool:
    """Return whether the weights are those pinned to the current revision for a new one."""
    pinned = record.get("pinned") or {}
    return bool(pinned) and bodies.same(there, _entries(pinned.get("now")))


def _record(session: Session, key: str) -> Body:
    found: Body = session.records.resources.get(f"container_app/{key}", {})
    return found


def is_rolled_out(service: Service) -> bool:
    """Return whether a new revision of the service is verified before it gets traffic."""
    return service.revision_mode == "Multiple" and bodies.has_traffic(service)


def shares(live: Body) -> str:
    """Format the current weights for display."""
    return ", ".join(map(bodies.described, bodies.shown(live["properties"])))


def announce(session: Session) -> None:
    """Tell a plan where the requests of services will go.

    Raises:
        DeployerError: a revision that the configuration names is not there.
    """
    plan = session.arm.plan
    assert plan is not None
    for key, service in session.config.services.items():
        app_id = session.scope.resource(_TYPE, service.name)
        live = session.arm.current(app_id) if is_rolled_out(service) else None
        entry = _entry(session, key, service, app_id, live) if live is not None else None
        if entry is not None:
            plan.add(entry)


def _entry(session: Session, key: str, service: Service, app_id: str, live: Body) -> Entry | None:
    """What a plan tells of shares: how they change, what others did and nobody undoes, when a new revision gets them.

    Args:
        live: the app as it would be after the steps before.
    """
    record, before = _record(session, key), bodies.shown(live["properties"])
    target = _target(session, key, service, live)
    wanted = before if target is None else target
    differences = _differences(before, wanted)
    if differences and _is_others(session, record, before, wanted):
        return Entry(STEP, f"traffic/{key}", app_id, UNCHANGED, kept=differences)
    if differences:
        _check_revisions(session, app_id, wanted)
        note = f"once the newest revision is proved: {', '.join(map(bodies.described, wanted))}"
    elif _gets_a_revision(session, key) and any(entry.get("latestRevision") for entry in before):
        note = f"{_present(live['properties'])} keeps the requests until the new revision is proved"
    else:
        return None
    return Entry(STEP, f"traffic/{key}", app_id, CHANGED, changes=differences, note=note)


def _gets_a_revision(session: Session, key: str) -> bool:
    """Whether a write that the plan tells of makes a new revision of an app that is there."""
    return any(
        entry.key == f"container_app/{key}" and entry.action in (CHANGED, RESEND) and _make_a_revision(entry.changes)
        for entry in (session.arm.plan.entries if session.arm.plan is not None else ())
    )


def settle(session: Session, key: str, service: Service, app_id: str, live: Body) -> None:
    """Apply the desired weights after the newest revision has been verified.

    Raises:
        DeployerError: a configured revision does not exist.
        AzureError: Azure refused.
    """
    record = _record(session, key)
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
        if _is_others(session, record, there, target):
            session.arm.ensurer.kept.setdefault(f"container_app/{key}", []).extend(differences)
            return
        _check_revisions(session, app_id, target)
        session.arm.send(app_id, _body(target), method="PATCH")
        session.arm.wait(app_id)
        session.arm.ensurer.did(STEP, f"traffic/{key}", differences)
        session.logger.info("%s: requests go to %s", service.name, ", ".join(map(bodies.described, target)))
    if record:
        stated = target if service.traffic is not None else None
        session.records.note(f"container_app/{key}", pinned=None, traffic=stated)


def _target(session: Session, key: str, service: Service, live: Body) -> list[Body] | None:
    """Return the desired weights; None to keep the current ones."""
    stated = bodies.wanted(service)
    if stated is not None:
        return stated
    record = _record(session, key)
    if record.get("traffic"):  # ours, and no longer configured
        return bodies.LATEST
    if _is_pinned(record, bodies.shown(live["properties"])):
        return _entries(record["pinned"].get("before")) or bodies.LATEST
    return None


def _is_others(session: Session, record: Body, there: list[Body], target: list[Body]) -> bool:
    """Return whether others have changed the weights since they were last applied."""
    if session.arm.repairs or _is_pinned(record, there):
        return False
    sent = record.get("traffic")
    return sent is not None and bodies.same(_entries(sent), target)


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
