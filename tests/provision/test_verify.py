"""The last step, where replicas say more than revisions do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted_azure import Answer, Request, ScriptedAzure, scripted_azure

from draftgenie_azure.errors import DeployerError, VerificationError
from draftgenie_azure.provision.verify import verify

RUNS = {"ready": True, "restartCount": 0}
RUNNING = {"provisioningState": "Provisioned", "runningState": "Running", "healthState": "Healthy", "replicas": 1}


class Apps:
    """A script for all services of the configuration: deployed, with what `containers` gives as each one's replica.

    Attributes:
        looks: service -> how often its replicas were listed.
        revisions: service -> how often its revision was read.
    """

    azure: ScriptedAzure

    def __init__(self, containers: Callable[[str, int], list[dict[str, Any]]], **revision: Any) -> None:
        self._containers = containers
        self._revision = RUNNING | revision
        self.looks: Counter[str] = Counter()
        self.revisions: Counter[str] = Counter()

    def __call__(self, request: Request) -> Answer:
        parts = request.path.split("/")
        if request.path.endswith("/replicas"):
            self.looks[parts[8]] += 1
            found = self._containers(parts[8], self.looks[parts[8]])
            return Answer(body={"value": [{"properties": {"containers": found}}] if found else []})
        if "/revisions/" in request.path:
            self.revisions[parts[8]] += 1
            return Answer(body={"name": parts[-1], "properties": self._revision})
        if request.path.endswith("/containerApps"):
            services = self.azure.session.config.services.values()
            return Answer(body={"value": [self._app(service.name) for service in services]})
        if "/containerApps/" in request.path:
            return Answer(body=self._app(parts[8]))
        return Answer(body={"status": "ok"})

    def _app(self, name: str) -> dict[str, Any]:
        properties = {
            "provisioningState": "Succeeded",
            "latestRevisionName": f"{name}--1",
            "latestReadyRevisionName": f"{name}--1",
            "configuration": {"ingress": {"fqdn": self.azure.url.removeprefix("https://")}},
        }
        return {"id": self.azure.session.scope.resource("Microsoft.App/containerApps", name), "properties": properties}


def checks(directory: Path, apps: Apps) -> dict[str, str]:
    """Return the result of the verification."""
    with scripted_azure(directory, apps) as azure:
        apps.azure = azure
        found: dict[str, str] = verify(azure.session)["checks"]
        return found


def test_app_whose_replicas_run_needs_no_look_at_its_revision(tmp_path: Path) -> None:
    """All its replicas are ready; the revision has no further information."""
    apps = Apps(lambda name, look: [RUNS])

    found = checks(tmp_path, apps)

    assert set(found.values()) == {"answered", "ready"}
    assert set(apps.looks.values()) == {1}
    assert not apps.revisions


def test_revision_is_polled_less_often_than_replicas(tmp_path: Path) -> None:
    """Azure reports it as running long before its container is ready."""
    apps = Apps(lambda name, look: [RUNS if name != "qdrant" or look > 6 else {"ready": False}])

    assert checks(tmp_path, apps)["qdrant"] == "ready"
    assert apps.looks["qdrant"] == 7
    assert 1 <= apps.revisions["qdrant"] < 6


def test_container_that_restarts_again_and_again_is_a_failure(tmp_path: Path) -> None:
    """Between two crashes it is ready."""
    apps = Apps(lambda name, look: [RUNS if name != "qdrant" else {"ready": True, "restartCount": 9}])

    with pytest.raises(VerificationError, match="9 restarts"):
        checks(tmp_path, apps)


def test_revision_is_believed_where_no_replica_is_listed(tmp_path: Path) -> None:
    """It runs and is healthy."""
    apps = Apps(lambda name, look: [RUNS] if name != "qdrant" else [])

    assert checks(tmp_path, apps)["qdrant"] == "ready"


def test_revision_that_failed_ends_the_wait(tmp_path: Path) -> None:
    """It will not become ready."""
    apps = Apps(lambda name, look: [{"ready": False}], runningState="ActivationFailed", runningStateDetails="no port")

    with pytest.raises(DeployerError, match="ActivationFailed"):
        checks(tmp_path, apps)
