"""Proves that what was deployed works; Succeeded is not ready.

The order of the checks: provisioning state, ready revision, the revision's health and running state, its replicas and
their restarts, then HTTP of external apps with the body of the health answer read, since the application answers 200
whatever is wrong. Sources: learn.microsoft.com/azure/container-apps/revisions, recorded traffic of Azure/azure-dev.
"""

from __future__ import annotations

import time
from functools import partial

from draftgenie_azure.arm import ids
from draftgenie_azure.errors import AzureError, VerificationError
from draftgenie_azure.provision.container_logs import LINES, command, last_lines, stream
from draftgenie_azure.run.control import pace
from draftgenie_azure.run.schedule import side_by_side

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from draftgenie_azure.config.validated.service_sections import Service
    from draftgenie_azure.session import Session

_VERSION = ids.API_VERSIONS["Microsoft.App/containerApps"]
# RunningAtMaxScale and ScaledToZero are in no list of the SDK's, but in many public logs; an unknown word is taken as
# still going.
_RUNNING = frozenset({"running", "runningatmaxscale"})
_LOST = frozenset({"failed", "activationfailed", "degraded", "stopped"})
_GOOD_HEALTH = frozenset({"ok", "healthy", "up", "pass", "ready"})
READY_WAIT = 900.0  # seconds; a revision that is not ready by then never gets it
WAKE_WAIT = 60.0
RESTARTS = 3
MANY = 4  # services; from so many on, one listing tells of all


def verify(session: Session, *, every: bool = False) -> dict[str, Any]:
    """Check the services live; see `Verification.verify`. A plan has nothing to check.

    Args:
        every: also those that nothing was written to since they were last checked.
    """
    if session.arm.plan is not None:
        return {}
    return Verification(session, every=every).verify()


def _last_checks(session: Session) -> dict[str, str]:
    """What the last verification found, by service; nothing where it did not succeed."""
    record = session.records.document.get("steps", {}).get("verify_deployment", {})
    reasons = (record.get("metadata") or {}).get("reasons") or ["never ran"]
    if any(str(reason).startswith(("failed last time", "interrupted", "never ran")) for reason in reasons):
        return {}
    outputs = (record.get("last_completed") or record).get("outputs") or {}
    checks = outputs.get("checks")
    return checks if isinstance(checks, dict) else {}


class Verification:
    """Looks at every service live."""

    def __init__(self, session: Session, *, every: bool) -> None:
        self._session = session
        self._known = {} if every else _last_checks(session)
        self._began = time.monotonic()
        self._config = session.config
        self._arm = session.arm
        self._control = session.control

    def verify(self) -> dict[str, Any]:
        """Check all services.

        Returns:
            `{"checks": {service: "answered" | "ready" | "unproved"}}`.

        Raises:
            VerificationError: a service failed: what Azure says of it, its exit code and its log.
            DeploymentError: several did.
        """
        checks: dict[str, str] = {}

        def check(key: str, service: Service) -> None:
            try:
                checks[key] = self._check(key, service)
            except VerificationError as error:
                hint = "Fix the service named, then run again."
                raise VerificationError(f"{key}: {error.message}", hint=hint, details=error.details) from error

        tasks = [partial(check, key, service) for key, service in self._config.services.items()]
        side_by_side(tasks, width=self._control.parallelism)
        return {"checks": dict(sorted(checks.items()))}

    def _check(self, key: str, service: Service) -> str:
        app_id = self._session.scope.resource("Microsoft.App/containerApps", service.name)
        known = self._known.get(key)
        if known is not None and self._is_as_it_was(key, app_id):
            return known
        live, revision = self._await_ready(key, app_id, service)
        state = str(revision["properties"].get("runningState", "")).lower()
        asleep = state == "scaledtozero" or revision["properties"].get("replicas") == 0
        if not asleep:
            self._check_replicas(app_id, revision)
        if service.ingress == "external" and service.transport != "tcp":
            self._ask(app_id, live, service)
            return "answered"
        return "unproved" if asleep else "ready"

    def _await_ready(self, key: str, app_id: str, service: Service) -> tuple[dict[str, Any], dict[str, Any]]:
        """Wait until the latest revision is the ready one; the app and that revision."""
        began = time.monotonic()
        deadline = began + READY_WAIT + service.startup_seconds
        first = True
        while True:
            live = self._listed(app_id) if first else self._arm.read(app_id)
            first = False
            if live is None:
                raise VerificationError("its container app is gone")
            properties = live["properties"]
            latest = properties.get("latestRevisionName")
            revision = self._arm.read(f"{app_id}/revisions/{latest}", api_version=_VERSION) if latest else None
            if revision is not None:
                if self._is_ready(properties, revision, service):
                    return live, revision
                if self._is_lost(revision):
                    raise self._not_ready(app_id, properties, revision)
            failed = properties.get("provisioningState") == "Failed"
            if failed:
                self._session.records.note(f"container_app/{key}", failed=True)  # a reason to send the app again
            if failed or time.monotonic() > deadline:
                raise self._not_ready(app_id, properties, revision)
            self._control.wait(pace(began))

    def _listed(self, app_id: str) -> dict[str, Any] | None:
        """The app, from one listing for all where there are many."""
        if len(self._config.services) < MANY:
            return self._arm.read(app_id)
        return self._arm.live.fresh(app_id, self._began)

    def _is_as_it_was(self, key: str, app_id: str) -> bool:
        """Whether nothing was written to an app since it was last checked, and it says nothing else."""
        if f"container_app/{key}" in self._arm.ensurer.changes:
            return False
        properties = (self._listed(app_id) or {}).get("properties", {})
        latest = properties.get("latestRevisionName")
        ready = latest is not None and properties.get("latestReadyRevisionName") == latest
        return ready and properties.get("provisioningState") == "Succeeded"

    @staticmethod
    def _is_ready(properties: dict[str, Any], revision: dict[str, Any], service: Service) -> bool:
        facts = revision["properties"]
        state = str(facts.get("runningState", "")).lower()
        running = state in _RUNNING or (state == "scaledtozero" and service.min_replicas == 0)
        healthy = str(facts.get("healthState", "None")).lower() in ("healthy", "none")
        ready = properties.get("latestReadyRevisionName") == properties.get("latestRevisionName")
        return properties.get("provisioningState") == "Succeeded" and ready and running and healthy

    @staticmethod
    def _is_lost(revision: dict[str, Any]) -> bool:
        facts = revision["properties"]
        return str(facts.get("provisioningState", "")).lower() == "failed" or (
            str(facts.get("runningState", "")).lower() in _LOST
        )

    def _check_replicas(self, app_id: str, revision: dict[str, Any]) -> None:
        """Every container ready, and not restarting again and again."""
        for replica in self._replicas(app_id, revision):
            for container in replica["properties"].get("containers", []):
                restarts = int(container.get("restartCount") or 0)
                if not container.get("ready", False) or restarts > RESTARTS:
                    raise self._not_ready(app_id, {}, revision)

    def _replicas(self, app_id: str, revision: dict[str, Any]) -> list[dict[str, Any]]:
        return list(self._arm.listing(f"{app_id}/revisions/{revision['name']}/replicas", api_version=_VERSION))

    def _not_ready(
        self, app_id: str, properties: dict[str, Any], revision: dict[str, Any] | None
    ) -> VerificationError:
        """Why a revision is not ready: Azure's own words and each container's exit code; apart, what it printed."""
        if revision is None:
            return VerificationError(f"it has no revision. {properties.get('deploymentErrors') or ''}".strip())
        facts = revision["properties"]
        words = [
            f"revision {revision['name']} is {facts.get('runningState')}, health {facts.get('healthState')}",
            facts.get("runningStateDetails") or "",
            facts.get("provisioningError") or properties.get("deploymentErrors") or "",
        ]
        lines, logs = [". ".join(str(word) for word in words if word)], []
        for replica in self._replicas(app_id, revision):
            for container in replica["properties"].get("containers", []):
                lines.append(
                    f"container {container.get('name')}: {container.get('runningState')}, "
                    f"{container.get('restartCount', 0)} restarts. {container.get('runningStateDetails') or ''}"
                )
                if container.get("logStreamEndpoint"):
                    logs.append(stream(self._arm, self._session.transport, app_id, container["logStreamEndpoint"]))
        lines.append(f"its log: {command(app_id, '', '--revision', revision['name'])}")
        return VerificationError("\n".join(lines), details="\n".join(logs))

    def _ask(self, app_id: str, live: dict[str, Any], service: Service) -> None:
        """Ask an external app over HTTPS; one that is scaled to zero is woken within a minute."""
        host = live["properties"]["configuration"]["ingress"]["fqdn"]
        url = f"https://{host}{service.health_path or '/'}"
        began, pause = time.monotonic(), 0.5
        while True:
            problem = self._answer(url)
            if problem is None:
                return
            if time.monotonic() - began > WAKE_WAIT:
                raise VerificationError(f"{url} {problem[0]}", details=problem[1])
            self._control.wait(pause)
            pause = min(10.0, pause * 2)

    def _answer(self, url: str) -> tuple[str, str] | None:
        """None where the answer is good, else what is wrong with it, and what the app itself says."""
        try:
            reply = self._session.transport.other("GET", url, scope=None, tries=1)
        except AzureError as error:
            if error.status is None:
                return f"does not answer: {error.message}", ""
            return f"answers {error.status}", error.message
        unwell = _unwell(reply.body)
        return (f"answers {reply.status}, but not that it is well", last_lines(unwell, LINES)) if unwell else None


def _unwell(body: Any) -> str | None:
    """What a health answer complains of; None where it is well, or says nothing of the kind."""
    if not isinstance(body, dict):
        return None
    status = body.get("status")
    if status is None or str(status).lower() in _GOOD_HEALTH:
        return None
    bad = [
        f"{name}: {value}"
        for section in ("dependencies", "services", "checks", "error", "details")
        if isinstance(body.get(section), dict)
        for name, value in body[section].items()
        if "ok" not in str(value).lower() and "up" not in str(value).lower()
    ]
    return f"status {status}" + (f" ({'; '.join(bad)})" if bad else "")
