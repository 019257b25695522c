"""What the last step cannot do to the ingress of an app, as far as it is known without a write.

An ingress that others disabled takes no traffic shares and no custom domains, and a write of a part of it would create
another one, without a port. A custom domain belongs to one app of an environment.
"""

from __future__ import annotations

from draftgenie_azure.arm.plan import CREATE, REPLACE
from draftgenie_azure.errors import DeployerError, PrerequisiteError, VerificationError
from draftgenie_azure.provision import domains, traffic
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
        if wanted.adds_names(live) or traffic.is_changed(session, key, service, live):
            yield PrerequisiteError(f"{key}: {NO_INGRESS}", hint=_ENABLE)
        elif actions and service.ingress == "external" and service.transport != "tcp":
            yield VerificationError(f"{key}: {NO_INGRESS}", hint=_ENABLE)
    elif not set(actions) & set(_CREATED):
        for text in wanted.conflicts(live):
            yield PrerequisiteError(f"{key}: {text}")


def _planned(session: Session, key: str) -> list[str]:
    """Return what the plan does to the app of a service."""
    plan = session.arm.plan
    assert plan is not None
    return [entry.action for entry in plan.entries if entry.key == f"container_app/{key}" and not entry.is_quiet]
