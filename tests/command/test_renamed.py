"""A service under another name is another app; its former app stays in Azure until `--prune`, and may return."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hand_sweep import EVERY_TYPE
from project import Project

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
