"""A service under another name is another app; its former app stays in Azure until `--prune`, and may return."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from by_hand import APPS, live, resource
from hand_sweep import EVERY_TYPE
from plain_project import PLAIN
from plan_and_run import check_run, planned
from project import Project
from warm_command import needs_fork, warm_project

APP = "container_app/worker"
SECRETS = {"BROKER": "{{ secrets.token }}"}


def _configure(project: Project, **worker: Any) -> None:
    values = copy.deepcopy(EVERY_TYPE)
    values["services"]["worker"].pop("secrets", None)
    values["services"]["worker"] |= worker
    project.write(values)


def _live(project: Project) -> dict[str, Any]:
    with project.azure() as azure:
        answer: dict[str, Any] = azure.send("GET", project.state()["resources"][APP]["id"], "2026-01-01").json()
    return answer["properties"]


@pytest.mark.slow
def test_name_that_returns_gets_what_its_app_lacks(project: Project) -> None:
    """What was sent to the app of the other name says nothing of this one: its secret was not removed by others."""
    _configure(project)
    project.deploy()
    first = project.state()["resources"][APP]
    _configure(project, name="renamed", secrets=SECRETS)
    project.deploy()

    _configure(project, secrets=SECRETS)
    project.deploy()

    properties = _live(project)
    assert [item["name"] for item in properties["configuration"]["secrets"]] == ["token"]
    (container,) = properties["template"]["containers"]
    assert {"name": "BROKER", "secretRef": "token"} in container["env"]
    resources = project.state()["resources"]
    assert (resources[APP]["id"], resources[APP]["created"]) == (first["id"], True)
    assert [key for key in resources if key.startswith(APP)] == [APP, f"{APP}@renamed"]
    assert project.run("--dry-run", "--refresh", "--detailed-exitcode").code == 0


@pytest.mark.slow
@needs_fork
def test_name_that_returns_with_a_rollout_gets_the_requests(tmp_path: Path) -> None:
    """The shares that a rollout moves are noted of the app that has them, not of the one that had its key before."""
    with warm_project(tmp_path) as project, project.azure() as azure:
        for name, replicas in ((None, 4), ("renamed", 4), (None, 5), ("renamed", 5)):
            web = {**PLAIN["services"]["web"], "revision_mode": "Multiple", "max_replicas": replicas}
            project.write({**PLAIN, "services": {"web": {**web, **({"name": name} if name else {})}}})

            check_run(project, azure)

            properties = live(azure, resource(project, "container_app/web"), APPS)["properties"]
            shares = properties["configuration"]["ingress"]["traffic"]
            assert [(one.get("latestRevision"), one["weight"]) for one in shares] == [(True, 100)], name
            others = [record for key, record in project.state()["resources"].items() if key.startswith("container_app")]
            assert [record["pinned"] for record in others if record.get("pinned")] == []


@needs_fork
@pytest.mark.parametrize("kinds", [("application", "infrastructure"), ("infrastructure", "application")])
def test_app_whose_kind_changes_moves_to_the_other_step(tmp_path: Path, kinds: tuple[str, str]) -> None:
    """It is never without a step that wants it, and leaves the state's configured apps when its service does."""
    with warm_project(tmp_path) as project:
        for kind in kinds:
            other = {**PLAIN["services"]["web"], "kind": kind}
            project.write({**PLAIN, "services": {**PLAIN["services"], "other": other}})
            plan = planned(project)
            project.deploy()
            assert [one for one in plan["plan"]["changes"] if one["action"] == "forget"] == []
            record = project.state()["resources"]["container_app/other"]
            assert (record["step"], "orphaned" in record) == (f"deploy_{kind}_services", False)
        project.write(PLAIN)
        (entry,) = [one for one in planned(project)["plan"]["changes"] if one["key"] == "container_app/other"]
        project.deploy()
        assert entry["action"] == "forget" and project.state()["resources"]["container_app/other"]["orphaned"]


@pytest.mark.slow
@needs_fork
def test_identity_of_another_name_is_added_to_the_one_before(tmp_path: Path) -> None:
    with warm_project(tmp_path) as project, project.azure() as azure:
        project.write(PLAIN)
        project.deploy()
        project.change("azure.identity_name", "other")

        check_run(project, azure)

        identities = live(azure, resource(project, "container_app/web"), APPS)["identity"]["userAssignedIdentities"]
        assert {name.rpartition("/")[2] for name in identities} == {"draftgenie-identity", "other"}
        assert planned(project, "--refresh")["plan"]["changes"] == []


@pytest.mark.slow
@needs_fork
def test_product_that_returns_under_the_same_name_is_the_one_that_was_left(tmp_path: Path) -> None:
    """Both products are called the same; neither takes the place of the other in the state."""
    with warm_project(tmp_path) as project, project.azure() as azure:
        ids = []
        for sku in ("Balanced_B0", "Basic", "Balanced_B0", "Basic"):
            project.write({**PLAIN, "redis": {"name": "demo-redis", "sku": sku}})

            check_run(project, azure)

            records = {key: one for key, one in project.state()["resources"].items() if key.split("@")[0] == "redis"}
            ids.append(records["redis"]["id"])
            assert {one["id"] for one in records.values()} == set(ids)
            assert [one["created"] for one in records.values()] == [True] * len(records)
        assert ids[:2] == ids[2:] and len(set(ids)) == 2
        changed = {"name": "demo-redis", "high_availability": False}
        project.write({**PLAIN, "redis": changed})
        assert "cannot change this after creation" in project.run("--dry-run").text
        assert project.run().code == 1
