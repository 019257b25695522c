"""Verify that the deployed services work; Succeeded does not mean ready.

The order of the checks: provisioning state, ready revision, its replicas with their containers and restarts; without
running ones the revision's health and running state; then HTTP of external apps, reading the body of the health reply,
since the application always returns 200.
Sources: learn.microsoft.com/azure/container-apps/revisions, recorded traffic of Azure/azure-dev.
"""

from __future__ import annotations

import time
from functools import partial

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.client import MANY
from draftgenie_azure.arm.shared_wait import SharedWait
from draftgenie_azure.errors import AzureError, DeployerError, VerificationError
from draftgenie_azure.provision import domains, obstacles, traffic
from draftgenie_azure.provision.container_logs import LINES, command, last_lines, stream
from draftgenie_azure.provision.known_secrets import withheld
from draftgenie_azure.provision.remedies import remedy
from draftgenie_azure.run.poll import poll
from draftgenie_azure.run.schedule import run_concurrently, together

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from draftgenie_azure.config.validated.service_sections import Service
    from draftgenie_azure.session import Session

_VERSION = ids.API_VERSIONS["Microsoft.App/containerApps"]
# RunningAtMaxScale and ScaledToZero are in no list of the SDK's, but in many public logs; an unknown state counts as
# not final.
_RUNNING = frozenset({"running", "runningatmaxscale"})
_LOST = frozenset({"failed", "activationfailed", "degraded", "stopped"})
_GOOD_HEALTH = frozenset({"ok", "healthy", "up", "pass", "ready"})
_UNREACHED = "does not respond"
READY_WAIT = 900.0  # seconds; a revision that is not ready by then never will be
WAKE_WAIT = 60.0
RESTARTS = 3
REVISION_PAUSE = 0.5  # seconds at least between two reads of one revision, which no listing covers
LATELY = 60.0  # seconds for which an app as seen by earlier steps is not read again


def verify(session: Session) -> dict[str, Any]:
    """Check the live services; see `Verification.verify`. A plan has nothing to check."""
    if session.arm.plan is not None:
        traffic.announce(session)
        domains.announce(session)
        obstacles.check(session)
        return {}
    return Verification(session).verify()


def _last_checks(session: Session) -> dict[str, str]:
    """Return the last verification's results by service; none if it failed, or if this one is forced by name."""
    record = session.records.document.get("steps", {}).get("verify_deployment", {})
    reasons = (record.get("metadata") or {}).get("reasons") or ["never ran"]
    if any(str(reason).startswith(("failed last time", "interrupted", "never ran")) for reason in reasons):
        return {}
    if "forced" in reasons:
        return {}
    outputs = (record.get("last_completed") or record).get("outputs") or {}
    checks = outputs.get("checks")
    return checks if isinstance(checks, dict) else {}


class Verification:
    """Verifies every live service."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known = _last_checks(session)
        self._began = time.monotonic()
        self._shared = SharedWait()
        self._config = session.config
        self._arm = session.arm
        self._control = session.control

    def verify(self) -> dict[str, Any]:
        """Check all services.

        Returns:
            `{"checks": {service: "answered" | "ready" | "unproved"}}`.

        Raises:
            VerificationError: a service failed: with Azure's messages, its exit code and its log.
            DeploymentError: several failed.
        """
        services, checks = self._config.services, dict[str, str]()

        def prove(key: str, service: Service) -> None:
            checks[key] = self._check(key, service)

        failures = self._each(prove, services)
        # A name is taken from one app before another one gets it, and only once both are proved.
        domains.take_from_left(self._session)
        for work in (domains.Domains.take_out, domains.Domains.bind):
            proved = {key: services[key] for key in services if key in checks and key not in failures}
            failures |= self._each(partial(self._domains, work), proved)
        if failures:
            raise together([failures[key] for key in services if key in failures])
        return {"checks": dict(sorted(checks.items()))}

    def _each(
        self, work: Callable[[str, Service], None], services: Mapping[str, Service]
    ) -> dict[str, DeployerError]:
        """Process services concurrently; return the failures."""
        failures: dict[str, DeployerError] = {}

        def do(key: str, service: Service) -> None:
            try:
                work(key, service)
            except VerificationError as error:
                hint = remedy(key, f"{error.message}\n{error.details}")
                failures[key] = VerificationError(f"{key}: {error.message}", hint=hint, details=error.details)
            except DeployerError as error:
                failures[key] = error

        run_concurrently([partial(do, *item) for item in services.items()], width=self._control.parallelism)
        return failures

    def _domains(self, work: Callable[[domains.Domains], None], key: str, service: Service) -> None:
        work(domains.of(self._session, key, service))

    def _check(self, key: str, service: Service) -> str:
        app_id = self._session.scope.resource("Microsoft.App/containerApps", service.name)
        known = self._known.get(key)
        if known is not None and self._is_as_it_was(key, app_id):
            traffic.settle(self._session, key, service, app_id, self._recent(app_id) or {})
            return known
        try:
            live, found = self._prove(key, app_id, service)
        except VerificationError as error:
            raise self._unmoved(app_id, service, error) from error
        traffic.settle(self._session, key, service, app_id, live)
        if found == "answered" and traffic.is_rolled_out(service):
            self._ask(domains.host(live["properties"]), service, live["properties"])
        return found

    def _unmoved(self, app_id: str, service: Service, error: VerificationError) -> VerificationError:
        """Return the failure of a new revision, extended by where the traffic still goes."""
        live = self._arm.read(app_id) if traffic.is_rolled_out(service) else None
        if live is None:
            return error
        words = f"{error.message}\ntraffic is unchanged: {traffic.shares(live)}"
        return VerificationError(words, details=error.details)

    def _prove(self, key: str, app_id: str, service: Service) -> tuple[dict[str, Any], str]:
        """Verify the newest revision, at its own address if it gets traffic only afterwards."""
        with self._shared.waiting():
            live, asleep = self._await_ready(key, app_id, service)
        if service.ingress == "external" and service.transport != "tcp":
            host = domains.host(live["properties"])
            own = live["properties"].get("latestRevisionFqdn") if traffic.is_rolled_out(service) else None
            return live, "answered" if self._ask(own or host, service, live["properties"]) else "unproved"
        return live, "unproved" if asleep else "ready"

    def _await_ready(self, key: str, app_id: str, service: Service) -> tuple[dict[str, Any], bool]:
        """Wait until the latest revision is ready; return the app, and whether it is scaled to zero."""
        live: dict[str, Any] | None = None
        revision: dict[str, Any] | None = None
        since, began, due = self._began - LATELY, time.monotonic(), 0.0

        def look() -> tuple[dict[str, Any], bool] | None:
            nonlocal live, revision, since, due
            live = self._app(app_id, since)
            since = time.monotonic()
            if live is None:
                raise VerificationError("its container app does not exist")
            properties = live["properties"]
            latest, replicas = properties.get("latestRevisionName"), []
            if latest and self._is_settled(properties):
                replicas = self._replicas(app_id, latest)
                if len(replicas) >= max(1, service.min_replicas) and all(map(_runs, replicas)):
                    return live, False
            asks = bool(latest) and since >= due
            if asks:
                due = since + max(REVISION_PAUSE, (since - began) / 5)
                revision = self._arm.read(f"{app_id}/revisions/{latest}", api_version=_VERSION)
            if asks and revision is not None:
                if self._is_ready(properties, revision, service):
                    if any(map(_restarts_again_and_again, replicas)):
                        raise self._not_ready(app_id, properties, revision)
                    if all(map(_runs, replicas)):
                        return live, _is_asleep(revision)
                elif self._is_lost(revision):
                    raise self._not_ready(app_id, properties, revision)
            if properties.get("provisioningState") == "Failed":
                self._session.records.note(f"container_app/{key}", failed=True)  # a reason to send the app again
                raise self._not_ready(app_id, properties, revision)
            return None

        found = poll(look, control=self._control, limit=READY_WAIT + service.startup_seconds)
        if found is None:
            raise self._not_ready(app_id, (live or {})["properties"], revision)
        return found

    def _app(self, app_id: str, since: float) -> dict[str, Any] | None:
        """Return the app as read after a monotonic time, from a shared listing if many wait."""
        if len(self._config.services) < MANY or self._shared.is_small:
            return self._arm.live.since(app_id, since, alone=True)
        return self._arm.live.since(app_id, since)

    def _is_as_it_was(self, key: str, app_id: str) -> bool:
        """Return whether an app was not written since its last check, and reports the same."""
        if f"container_app/{key}" in self._arm.ensurer.changes:
            return False
        return self._is_settled((self._recent(app_id) or {}).get("properties", {}))

    def _recent(self, app_id: str) -> dict[str, Any] | None:
        """Return the app as this run recently saw it."""
        alone = len(self._config.services) < MANY
        return self._arm.live.since(app_id, self._began - LATELY, alone=alone)

    @staticmethod
    def _is_settled(properties: dict[str, Any]) -> bool:
        """Return whether the app's latest revision is its ready one."""
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

    def _replicas(self, app_id: str, revision: str) -> list[dict[str, Any]]:
        return list(self._arm.listing(f"{app_id}/revisions/{revision}/replicas", api_version=_VERSION))

    def _not_ready(
        self, app_id: str, properties: dict[str, Any], revision: dict[str, Any] | None
    ) -> VerificationError:
        """Return why a revision is not ready: Azure's messages, exit codes and, separately, container output."""
        if revision is None:
            return VerificationError(f"it has no revision. {properties.get('deploymentErrors') or ''}".strip())
        facts = revision["properties"]
        words = [
            f"revision {revision['name']} is {facts.get('runningState')}, health {facts.get('healthState')}",
            facts.get("runningStateDetails") or "",
            facts.get("provisioningError") or properties.get("deploymentErrors") or "",
        ]
        lines, logs = [". ".join(str(word) for word in words if word)], []
        for replica in self._replicas(app_id, revision["name"]):
            for container in replica["properties"].get("containers", []):
                lines.append(
                    f"container {container.get('name')}: {container.get('runningState')}, "
                    f"{container.get('restartCount', 0)} restarts. {container.get('runningStateDetails') or ''}"
                )
                if container.get("logStreamEndpoint"):
                    logs.append(stream(self._session, app_id, container["logStreamEndpoint"]))
        lines.append(f"its log: {command(app_id, '', '--revision', revision['name'])}")
        return VerificationError("\n".join(lines), details="\n".join(logs))

    def _ask(self, host: str, service: Service, properties: dict[str, Any]) -> bool:
        """Request an external app over HTTPS; one that is scaled to zero is given a minute to wake up.

        Returns:
            False if it is not reachable from here, which is reported.
        """
        url = f"https://{host}{service.health_path or '/'}"
        problem: tuple[str, str] | None = None
        is_open = properties["configuration"]["ingress"].get("external", True)
        closed = None if is_open else "its ingress is internal in Azure; --refresh makes it external again"

        def look() -> bool | None:
            nonlocal problem, closed
            problem = self._answer(url)
            closed = self._closed(problem[0], properties) if problem else None
            return True if problem is None or closed else None

        if closed is None:
            poll(look, control=self._control, limit=WAKE_WAIT, pause=_wake_pace)
        if closed is not None:
            self._session.warn(f"{service.name}: {url} was not verified from here: {closed}")
            return False
        if problem is not None:
            unknown = withheld(self._session) if problem[1] else ""
            details = f"(its answer is {unknown})" if unknown else last_lines(problem[1], LINES)
            raise VerificationError(f"{url} {problem[0]}", details=details)
        return True

    def _closed(self, problem: str, properties: dict[str, Any]) -> str | None:
        """Return why an app refuses requests from here; None if that is not the problem."""
        if problem == "answers 403" and properties["configuration"]["ingress"].get("ipSecurityRestrictions"):
            return "its ip_restrictions return 403"
        section = self._config.container_apps
        if section is not None and section.internal and problem.startswith(_UNREACHED):
            return "its environment is internal"
        return None

    def _answer(self, url: str) -> tuple[str, str] | None:
        """Return None if the reply is healthy, else the problem and the app's own message."""
        try:
            reply = self._session.transport.other("GET", url, scope=None, tries=1)
        except AzureError as error:
            if error.status is None:
                return f"{_UNREACHED}: {error.message}", ""
            return f"answers {error.status}", error.message
        unwell = _unwell(reply.body)
        return (f"returns {reply.status}, but does not report itself healthy", unwell) if unwell else None


def _wake_pace(began: float) -> float:
    """Return the seconds to the next request to an app that is waking up, doubling each time."""
    return min(10.0, max(0.5, time.monotonic() - began))


def _is_asleep(revision: dict[str, Any]) -> bool:
    """Return whether a revision is scaled to zero."""
    facts = revision["properties"]
    return str(facts.get("runningState", "")).lower() == "scaledtozero" or facts.get("replicas") == 0


def _runs(replica: dict[str, Any]) -> bool:
    """Return whether every container of a replica is ready, and none restarts repeatedly."""
    containers = replica["properties"].get("containers", [])
    return all(one.get("ready", False) for one in containers) and not _restarts_again_and_again(replica)


def _restarts_again_and_again(replica: dict[str, Any]) -> bool:
    """Return whether a container of a replica restarted repeatedly."""
    return any(int(one.get("restartCount") or 0) > RESTARTS for one in replica["properties"].get("containers", []))


def _unwell(body: Any) -> str | None:
    """Return the problem that a health reply reports; None if it is healthy or has no status."""
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
