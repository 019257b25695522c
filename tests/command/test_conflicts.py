"""What others set and a write keeps may exclude what the configuration says: the plan and the run say so, unsent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from by_hand import APPS, by_hand, resource
from plain_project import PLAIN
from project import Azure
from warm_command import WarmProject, needs_fork, warm_project

pytestmark = needs_fork
WEB, WORKER, ENVIRONMENT = "container_app/web", "container_app/worker", "container_apps_env"
DENY = {"name": "ours", "ip_address_range": "203.0.113.7", "action": "Deny"}
ALLOW = {"name": "theirs", "ipAddressRange": "198.51.100.0/24", "action": "Allow"}
BIG = {"name": "big", "type": "D4", "maximum_count": 3}
Deployed = tuple[WarmProject, Azure]


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    with ExitStack() as stack:
        project = stack.enter_context(warm_project(tmp_path))
        project.write(PLAIN)
        project.change("container_apps.workload_profiles", [BIG])
        project.change("services.web.max_replicas", 4)
        project.deploy()
        yield project, stack.enter_context(project.azure())


def in_ingress(**values: Any) -> dict[str, Any]:
    return {"properties": {"configuration": {"ingress": values}}}


CASES = {
    "rules": (WEB, in_ingress(ipSecurityRestrictions=[ALLOW]), "services.web.ip_restrictions", [DENY],
              ["some allow and some deny (theirs: allow; ours: deny)", "access-restriction remove"]),
    "affinity": (WEB, in_ingress(stickySessions={"affinity": "sticky"}), "services.web.revision_mode", "Multiple",
                 ["session affinity with several active revisions", "sticky-sessions set"]),
    "ingress of theirs": (WORKER, in_ingress(targetPort=80, allowInsecure=True), "services.worker.port", 5672,
                          ["allowInsecure with transport tcp", "ingress disable"]),
    "replicas": (WEB, {"properties": {"template": {"scale": {"maxReplicas": 2}}}}, "services.web.min_replicas", 3,
                 ["at least 3 and at most 2 replicas", "--refresh"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_conflict_with_others_is_in_the_plan_and_nothing_is_sent(deployed: Deployed, case: str) -> None:
    project, azure = deployed
    key, theirs, where, ours, words = CASES[case]
    by_hand(azure, resource(project, key), APPS, theirs)
    project.change(where, ours)
    since = len(project.requests())

    plan, run = project.run("--dry-run"), project.run()

    assert (plan.code, run.code) == (1, 1)
    for text in (plan.text, run.text):
        shown = " ".join(text.split())
        assert [word for word in ["Azure would refuse", *words] if word not in shown] == [], text
    assert project.writes(since) == []


def test_refresh_ends_a_conflict_over_a_configured_value(deployed: Deployed) -> None:
    project, azure = deployed
    app = resource(project, WEB)
    by_hand(azure, app, APPS, {"properties": {"template": {"scale": {"maxReplicas": 2}}}})
    project.change("services.web.min_replicas", 3)

    assert project.run("--refresh").code == 0

    scale = azure.send("GET", app, APPS).json()["properties"]["template"]["scale"]
    assert (scale["minReplicas"], scale["maxReplicas"]) == (3, 4)


def test_profile_that_others_made_smaller_than_its_minimum_is_a_conflict(deployed: Deployed) -> None:
    project, azure = deployed
    environment = resource(project, ENVIRONMENT)
    profiles = azure.send("GET", environment, APPS).json()["properties"]["workloadProfiles"]
    smaller = [{**one, "maximumCount": 1} if one["name"] == "big" else one for one in profiles]
    by_hand(azure, environment, APPS, {"properties": {"workloadProfiles": smaller}})
    project.change("container_apps.workload_profiles", [{**BIG, "minimum_count": 2}])

    plan = project.run("--dry-run")

    assert plan.code == 1 and "at least 2 and at most 1 machines of the profile big" in " ".join(plan.text.split())
