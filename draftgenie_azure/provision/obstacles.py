"""What the last step cannot do to the ingress of an app, as far as it is known without a write.

An ingress that others disabled takes no traffic shares and no custom domains, and a write of a part of it would create
another one, without a port. A custom domain belongs to one app of an environment.
"""

from __future__ import annotations

from draftgenie_azure.arm.plan import CREATE, REPLACE
from draftgenie_azure.errors import AzureError, DeployerError, PrerequisiteError, VerificationError
from draftgenie_azure.provision import domains, traffic
from draftgenie_azure.provision.bodies import domains as bodies
from draftgenie_azure.provision.bodies.traffic import NO_INGRESS, has_ingress
from draftgenie_azure.run.schedule import together

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from draftgenie_azure.config.validated.service_sections import Service
    from draftgenie_azure.session import Session

    Body = dict[str, Any]

_ENABLE = "Or set its `ingress` to none in the configuration, if it is to stay disabled."
_CREATED = (CREATE, REPLACE)


def check(session: Session) -> None:
    """Fail for each service whose ingress cannot be changed as configured.

    Raises:
        DeployerError: PrerequisiteErrors, which stop a run before its first write, and VerificationErrors, of which
            its last step fails.
    """
    errors = [error for key, service in session.config.services.items() for error in _of(session, key, service)]
    if errors:
        raise together(errors)


def _of(session: Session, key: str, service: Service) -> Iterator[DeployerError]:
    wanted = domains.of(session, key, service)
    actions = _planned(session, key)
    if service.ingress == "none" or not (service.custom_domains or service.traffic or actions):
        return
    live = session.arm.live.current(wanted.app_id, bulk=len(session.config.services) > 1)
    if live is None:
        return
    if not has_ingress(live):
        if wanted.missing_names(live) or traffic.is_changed(session, key, service, live):
            yield PrerequisiteError(f"{key}: {NO_INGRESS}", hint=_ENABLE)
        elif actions and service.ingress == "external" and service.transport != "tcp":
            yield VerificationError(f"{key}: {NO_INGRESS}", hint=_ENABLE)
    elif not set(actions) & set(_CREATED):
        for text in _conflicts(session, wanted, live):
            yield PrerequisiteError(f"{key}: {text}")


def _conflicts(session: Session, wanted: domains.Domains, live: Body) -> Iterator[str]:
    """Yield why names that a live app is to get cannot be bound, other than missing DNS records."""
    for domain in wanted.missing_names(live):
        try:
            analysis = wanted.analysis(domain)
        except AzureError as error:  # not permitted, or locked: the binding itself shows it
            session.logger.info("%s could not be analysed: %s", domain.name, error.message)
            continue
        conflict = bodies.conflict(domain.name, analysis)
        holder = str(analysis.get("conflictingContainerAppResourceId")).lower()
        others = (one for one in domains.everyone(session) if one.app_id.lower() == holder)
        is_given_up = any(domain.name in other.to_take_out() for other in others)
        if conflict is not None and not is_given_up:
            yield conflict


def _planned(session: Session, key: str) -> list[str]:
    """Return what the plan does to the app of a service."""
    plan = session.arm.plan
    assert plan is not None
    return [entry.action for entry in plan.entries if entry.key == f"container_app/{key}" and not entry.is_quiet]
