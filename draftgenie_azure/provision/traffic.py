"""A rollout that moves requests only to a revision that was proved healthy.

With several active revisions, the write that makes a new one names the present one in the shares of traffic, so that
the new one gets nothing. The last step proves it at its own address, and only then moves the shares. What was there
before stands in the state until that is done, so a run that is cut off, or fails, leaves the requests where they were.
"""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.diff import CHANGE, REMOVE, Change
from draftgenie_azure.arm.plan import CHANGE as CHANGED
from draftgenie_azure.arm.plan import UNCHANGED, Entry
from draftgenie_azure.errors import DeployerError
from draftgenie_azure.provision.bodies import traffic as bodies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from draftgenie_azure.config.validated.service_sections import Service
    from draftgenie_azure.session import Session

    Body = dict[str, Any]

STEP = "verify_deployment"
_VERSION = ids.API_VERSIONS["Microsoft.App/containerApps"]
_MODE = ("properties", "configuration", "activeRevisionsMode")
_TRAFFIC = ("properties", "configuration", "ingress", "traffic")


def beside(session: Session, key: str, service: Service) -> Callable[[Body, Sequence[Change]], Body]:
    """Make what a write of an app carries besides its changes: the shares of traffic that its revisions keep."""

    def more(live: Body, changes: Sequence[Change]) -> Body:
        mode = next((change for change in changes if change.path == _MODE), None)
        if mode is not None and (mode.kind == REMOVE or mode.new == "Single"):
            # An older revision that is alone in the shares would leave nothing that answers
            # (github.com/microsoft/azure-container-apps/issues/679).
            return _body(bodies.LATEST if bodies.has_traffic(service) else None, mode="Single")
        makes_revision = any(change.path[:2] == ("properties", "template") for change in changes)
        if service.revision_mode != "Multiple" or not makes_revision or not bodies.has_traffic(service):
            return {}
        return _pinned(session, key, live["properties"])

    return more


def _pinned(session: Session, key: str, properties: Body) -> Body:
    present = properties.get("latestReadyRevisionName") or properties.get("latestRevisionName")
    before = bodies.shown(properties)
    if not present or not any(entry.get("latestRevision") for entry in before):
        return {}
    now = bodies.pinned(before, str(present))
    record = _record(session, key)
    if record and session.arm.plan is None:
        session.records.note(f"container_app/{key}", pinned={"before": before, "now": now})
    return _body(now)


def _body(entries: Sequence[Body] | None, *, mode: str | None = None) -> Body:
    configuration: Body = {} if mode is None else {"activeRevisionsMode": mode}
    if entries is not None:
        configuration["ingress"] = {"traffic": list(entries)}
    return {"properties": {"configuration": configuration}}


def _entries(value: object) -> list[Body]:
    """Shares as the state has them; it may have been changed by hand."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _is_pinned(record: Body, there: list[Body]) -> bool:
    """Whether the shares are those in which the present revision was named for the sake of a new one."""
    pinned = record.get("pinned") or {}
    return bool(pinned) and bodies.same(there, _entries(pinned.get("now")))


def _record(session: Session, key: str) -> Body:
    found: Body = session.records.resources.get(f"container_app/{key}", {})
    return found


def is_rolled_out(service: Service) -> bool:
    """Whether a new revision of the service is proved before it gets requests."""
    return service.revision_mode == "Multiple" and bodies.has_traffic(service)


def shares(live: Body) -> str:
    """How requests are shared out now, for people."""
    return ", ".join(map(bodies.described, bodies.shown(live["properties"])))


def announce(session: Session) -> None:
    """Tell a plan where the requests of services will go."""
    plan = session.arm.plan
    assert plan is not None
    for key, service in session.config.services.items():
        app_id = session.scope.resource("Microsoft.App/containerApps", service.name)
        live = session.arm.current(app_id) if is_rolled_out(service) else None
        if live is None:
            continue
        target = _target(session, key, service, live)
        before = bodies.shown(live["properties"])
        if target is not None and not bodies.same(before, target):
            plan.add(_entry(session, key, app_id, before, target))


def _entry(session: Session, key: str, app_id: str, before: list[Body], target: list[Body]) -> Entry:
    """What a plan tells of shares that are not as wanted: a change, or what others did and nobody undoes."""
    change = Change(_TRAFFIC, CHANGE, _words(before), _words(target))
    if _is_others(session, _record(session, key), before, target):
        kept = Change(_TRAFFIC, CHANGE, _words(target), _words(before))
        return Entry(STEP, f"traffic/{key}", app_id, UNCHANGED, kept=[kept])
    note = "once the newest revision is proved"
    return Entry(STEP, f"traffic/{key}", app_id, CHANGED, changes=[change], note=note)


def settle(session: Session, key: str, service: Service, app_id: str, live: Body) -> None:
    """Share out requests as wanted, now that the newest revision was proved.

    Raises:
        DeployerError: a revision that the configuration names is not there.
        AzureError: Azure refused.
    """
    record = _record(session, key)
    if not is_rolled_out(service):
        if record.get("pinned") or record.get("traffic"):
            session.records.note(f"container_app/{key}", pinned=None, traffic=None)
        return
    there, target = bodies.shown(live["properties"]), _target(session, key, service, live)
    if target is None:
        if record.get("pinned"):  # somebody else has shared them out since
            session.records.note(f"container_app/{key}", pinned=None)
        return
    if not bodies.same(there, target):
        if _is_others(session, record, there, target):
            session.arm.ensurer.kept.setdefault(f"container_app/{key}", []).append(
                Change(_TRAFFIC, CHANGE, _words(target), _words(there))
            )
            return
        _check_revisions(session, app_id, target)
        session.arm.send(app_id, _body(target), method="PATCH")
        session.arm.wait(app_id)
        session.logger.info("%s: requests go to %s", service.name, ", ".join(_words(target)))
    if record:
        stated = target if service.traffic is not None else None
        session.records.note(f"container_app/{key}", pinned=None, traffic=stated)


def _target(session: Session, key: str, service: Service, live: Body) -> list[Body] | None:
    """The shares that are wanted; None where they are to stay as they are."""
    stated = bodies.wanted(service)
    if stated is not None:
        return stated
    record = _record(session, key)
    if record.get("traffic"):  # ours, and no longer wanted
        return bodies.LATEST
    if _is_pinned(record, bodies.shown(live["properties"])):
        return _entries(record["pinned"].get("before")) or bodies.LATEST
    return None


def _is_others(session: Session, record: Body, there: list[Body], target: list[Body]) -> bool:
    """Whether somebody else has changed the shares since they were last set as wanted."""
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
            hint=f"Correct `traffic`; its revisions are {', '.join(sorted(revisions))}.",
        )


def _words(entries: Sequence[Body]) -> list[str]:
    return [bodies.described(entry) for entry in entries]
