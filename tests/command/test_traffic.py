"""Several active revisions: a new one gets requests only once it was proved at its own address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from by_hand import by_hand, resource
from plain_project import APPS, PLAIN, check_types, live
from project import Project

pytestmark = pytest.mark.slow
LATEST = [{"latestRevision": True, "weight": 100}]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One web app with several active revisions, deployed."""
    made = Project(tmp_path)
    made.write(PLAIN)
    made.change("services.web.revision_mode", "Multiple")
    made.deploy()
    return made


def traffic(project: Project) -> list[dict[str, Any]]:
    found = live(project, "container_app/web")["configuration"]["ingress"]["traffic"]
    return [{key: value for key, value in entry.items() if value} for entry in found]


def revisions(project: Project) -> dict[str, int]:
    """The revisions of the app, oldest first, with the share that each gets."""
    with project.azure() as azure:
        found = azure.send("GET", f"{resource(project, 'container_app/web')}/revisions", APPS).json()["value"]
    return {item["name"]: item["properties"]["trafficWeight"] for item in found}


def crashing(project: Project) -> list[str]:
    """Arguments with which the containers of `broken` end at once."""
    return project.faults(images={"broken": {"exit_code": 3, "log": ["no database"]}})


def bodies(project: Project) -> list[dict[str, Any]]:
    """Return the writes to an app that create no revision."""
    return [
        request["body"]["properties"]
        for request in project.requests()
        if request["method"] == "PATCH" and request["path"].lower().endswith("/containerapps/web")
    ]


def test_new_revision_gets_nothing_before_it_is_proved_and_all_afterwards(project: Project) -> None:
    (first,) = revisions(project)
    project.change("services.web.max_replicas", 4)

    plan = project.run("--dry-run")
    project.deploy()

    assert "scale.maxReplicas" in plan.text
    check_types(project)
    made, moved = bodies(project)
    assert made["configuration"]["ingress"]["traffic"] == [{"revisionName": first, "weight": 100}]
    assert moved["configuration"]["ingress"]["traffic"] == LATEST
    asked = [request["host"] for request in project.requests() if request["host"].startswith("web--")]
    assert asked, "at its own address"
    assert list(revisions(project).values()) == [0, 100]
    since = len(project.requests())
    assert project.deploy().ran() == {}
    assert project.writes(since) == []


def test_failed_revision_leaves_the_requests_where_they_were(project: Project) -> None:
    (first,) = revisions(project)
    project.change("services.web.image", "broken")

    failed = project.run(*crashing(project))

    assert failed.code == 1
    assert f"traffic is unchanged: {first} 100 %" in " ".join(failed.text.split())
    assert traffic(project) == [{"revisionName": first, "weight": 100}]

    project.change("services.web.image", "nginx:2")
    project.deploy()
    assert traffic(project) == LATEST
    assert list(revisions(project).values()) == [0, 0, 100]


def test_run_that_is_interrupted_before_the_requests_move_is_finished_by_the_next(project: Project) -> None:
    project.change("services.web.max_replicas", 4)
    fault = {"method": "PATCH", "path": "*/containerApps/web", "skip": 1, "status": 403, "code": "AuthorizationFailed"}
    assert project.run(*project.faults(fault)).code == 1
    assert list(revisions(project).values()) == [100, 0]

    project.deploy()

    assert traffic(project) == LATEST


def test_shares_and_labels_are_set_changed_and_taken_out(project: Project) -> None:
    project.change("services.web.max_replicas", 4)
    project.deploy()
    first, second = revisions(project)
    old = {"revision_name": first, "weight": 20, "label": "old"}
    project.change("services.web.traffic", [old, {"latest_revision": True, "weight": 80, "label": "new"}])

    plan = project.run("--dry-run")
    project.deploy()

    check_types(project)
    assert f"{first} 20 % (label old)" in " ".join(plan.text.split())
    assert revisions(project) == {first: 20, second: 80}
    assert {entry["label"] for entry in traffic(project)} == {"old", "new"}
    since = len(project.requests())
    assert project.deploy().ran() == {}
    assert project.writes(since) == []

    project.change("services.web.max_replicas", 5)
    project.deploy()
    assert list(revisions(project).values()) == [20, 0, 80]

    project.change("services.web.traffic", None)
    project.deploy()
    assert traffic(project) == LATEST

    project.change("services.web.revision_mode", None)
    project.deploy()
    assert live(project, "container_app/web")["configuration"]["activeRevisionsMode"] == "Single"
    assert project.deploy().ran() == {}


def test_shares_set_by_hand_stay(project: Project) -> None:
    (first,) = revisions(project)
    by_name = [{"revisionName": first, "weight": 100}]
    with project.azure() as azure:
        body = {"properties": {"configuration": {"ingress": {"traffic": by_name}}}}
        by_hand(azure, resource(project, "container_app/web"), APPS, body)
    project.change("services.web.max_replicas", 4)

    project.deploy()

    assert traffic(project) == by_name


def test_shares_that_others_changed_are_reported_kept_and_repaired_on_request(project: Project) -> None:
    (first,) = revisions(project)
    project.change("services.web.traffic", [{"latest_revision": True, "weight": 100}])
    project.deploy()
    by_name = [{"revisionName": first, "weight": 100}]
    with project.azure() as azure:
        body = {"properties": {"configuration": {"ingress": {"traffic": by_name}}}}
        by_hand(azure, resource(project, "container_app/web"), APPS, body)

    drift = project.run("--dry-run", "--force-step", "verify_deployment")
    told = project.run("--force-step", "verify_deployment")

    assert traffic(project) == by_name
    assert "kept: changed by others" in " ".join(drift.text.split())
    assert "ingress.traffic" in told.text
    project.run("--refresh")
    assert traffic(project) == LATEST


def test_revision_that_is_not_there_is_refused(project: Project) -> None:
    project.change("services.web.traffic", [{"revision_name": "web--gone", "weight": 100}])

    failed = project.run()

    assert failed.code == 1
    assert "there is no revision web--gone" in " ".join(failed.text.split())
    assert traffic(project) == LATEST


def active(project: Project) -> list[bool]:
    """Whether each revision is active, oldest first."""
    with project.azure() as azure:
        found = azure.send("GET", f"{resource(project, 'container_app/web')}/revisions", APPS).json()["value"]
    return [item["properties"]["active"] for item in found]


def act(project: Project, revision: str, word: str) -> None:
    with project.azure() as azure:
        azure.send("POST", f"{resource(project, 'container_app/web')}/revisions/{revision}/{word}", APPS)


def roll_out(project: Project, *replicas: int) -> None:
    """One rollout after another."""
    for number in replicas:
        project.change("services.web.max_replicas", number)
        project.deploy()


def test_after_a_rollout_the_new_revision_and_the_one_before_stay_active(project: Project) -> None:
    roll_out(project, 4)
    assert active(project) == [True, True]
    project.change("services.web.max_replicas", 5)
    (first, _) = revisions(project)

    plan = project.run("--dry-run")
    project.deploy()

    assert f"~ revision/web/{first}: deactivate (it gets no requests and has no label)" in " ".join(plan.text.split())
    assert active(project) == [False, True, True]
    roll_out(project, 6)
    assert active(project) == [False, False, True, True]


def test_revision_of_a_single_mode_is_deactivated_after_a_switch_to_several(tmp_path: Path) -> None:
    """It stays active when the mode changes, and is paid for until a later rollout no longer needs it."""
    project = Project(tmp_path)
    project.write(PLAIN)
    project.deploy()
    roll_out(project, 4)
    project.change("services.web.revision_mode", "Multiple")
    project.deploy()
    assert active(project) == [False, True]

    roll_out(project, 5, 6)

    assert active(project) == [False, False, True, True]


def test_failed_revision_is_deactivated_once_another_is_proved(project: Project) -> None:
    project.change("services.web.image", "broken")
    assert project.run(*crashing(project)).code == 1
    assert active(project) == [True, True]

    project.change("services.web.image", "nginx:2")
    project.deploy()

    assert active(project) == [True, False, True], "the one that had the requests before is kept"


def test_revision_that_others_labelled_activated_or_made_stays_active(project: Project) -> None:
    (first,) = revisions(project)
    roll_out(project, 4)
    with project.azure() as azure:
        by_label = [{"latestRevision": True, "weight": 100}, {"revisionName": first, "weight": 0, "label": "keep"}]
        body = {"properties": {"configuration": {"ingress": {"traffic": by_label}}}}
        by_hand(azure, resource(project, "container_app/web"), APPS, body)
    roll_out(project, 5, 6)
    assert active(project) == [True, False, True, True]

    second = list(revisions(project))[1]
    act(project, second, "activate")
    with project.azure() as azure:  # a revision of somebody else's
        template = live(project, "container_app/web")["template"]
        template["scale"]["maxReplicas"] = 9
        by_hand(azure, resource(project, "container_app/web"), APPS, {"properties": {"template": template}})
    roll_out(project, 7, 8)

    assert active(project) == [True, True, False, False, True, True, True]


def test_revision_that_cannot_be_deactivated_stops_nothing(project: Project) -> None:
    roll_out(project, 4)
    project.change("services.web.max_replicas", 5)
    refused = {"method": "POST", "path": "*/deactivate", "status": 403, "code": "AuthorizationFailed"}

    done = project.run(*project.faults(refused))

    assert done.code == 0, done.text
    assert "could not be deactivated and goes on running" in " ".join(done.text.split())
    assert traffic(project) == LATEST


def test_shares_of_others_come_back_after_a_rollout(project: Project) -> None:
    (first,) = revisions(project)
    roll_out(project, 4)
    project.change("services.web.traffic", [{"latest_revision": True, "weight": 100}])
    project.deploy()
    half = [{"latestRevision": True, "weight": 50}, {"revisionName": first, "weight": 50}]
    with project.azure() as azure:
        body = {"properties": {"configuration": {"ingress": {"traffic": half}}}}
        by_hand(azure, resource(project, "container_app/web"), APPS, body)
    project.change("services.web.max_replicas", 5)

    plan = project.run("--dry-run")
    done = project.run()

    assert done.code == 0, done.text
    assert "kept: changed by others" in " ".join(plan.text.split())
    assert sorted(traffic(project), key=str) == sorted(half, key=str)
    assert "changed by others and kept" in done.text
