"""Writes to resources changed by others, interrupted or refused at each request: ours arrives, theirs is kept."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack
from fnmatch import fnmatch
from typing import Any

import pytest
from by_hand import APPS, PG, by_hand, live, put_by_hand, resource
from hand_sweep import EVERY_TYPE
from project import Azure, wait_for
from warm_command import WarmProject, needs_fork, warm_project

INSIGHTS, REGISTRY = "2020-02-02", "2025-11-01"
pytestmark = [pytest.mark.slow, needs_fork]
FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {"status": 429, "code": "TooManyRequests", "retry_after": 0.1},
    "broken": {"status": 500, "code": "InternalServerError"},
    "unavailable": {"status": 503, "code": "ServiceUnavailable"},
    "lost before": {"drop": "before"},
    "lost after": {"drop": "after"},
    "failed": {"fail": "InternalServerError"},
}
REQUESTS = [
    ("PATCH", "*/containerApps/web"),
    ("POST", "*/containerApps/web/listSecrets"),
    ("GET", "*/containerApps*"),
    ("PUT", "*/components/demo-insights"),
    ("GET", "*/components*"),
    ("PATCH", "*/flexibleServers/demo-pg"),
    ("GET", "*/flexibleServers/demo-pg"),
    ("PATCH", "*/registries/demoacr"),
]


@pytest.fixture(scope="module")
def handled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WarmProject, Azure]]:
    """A deployment in which others set a secret, a retention, a window and the admin user."""
    with ExitStack() as stack:
        project = stack.enter_context(warm_project(tmp_path_factory.mktemp("merged")))
        project.write(configured(0))
        project.deploy()
        azure = stack.enter_context(project.azure())
        web = resource(project, "container_app/web")
        shown = live(azure, web, APPS)["properties"]["configuration"]["secrets"] or []
        secrets = {"secrets": [*shown, {"name": "theirs", "value": "of-theirs"}]}
        by_hand(azure, web, APPS, {"properties": {"configuration": secrets}})
        put_by_hand(azure, resource(project, "app_insights"), INSIGHTS, {"properties": {"RetentionInDays": 30}})
        server = resource(project, "postgresql_server")
        by_hand(azure, server, PG, {"properties": {"maintenanceWindow": {"customWindow": "Enabled", "dayOfWeek": 3}}})
        registry = resource(project, "container_registry")
        by_hand(azure, registry, REGISTRY, {"properties": {"adminUserEnabled": True}})
        yield project, azure


def configured(number: int) -> dict[str, Any]:
    """A configuration that changes a leaf of each of these resources; of the app, the list of secrets goes whole."""
    values = copy.deepcopy(EVERY_TYPE)
    web = {"image": "nginx", "port": 8080, "ingress": "external", "transport": "auto"}
    secrets = {"TOKEN": "{{ secrets.token }}"} if number % 2 else {}
    values["services"]["web"] = {**web, "environment": {"N": str(number)}, "secrets": secrets}
    values["tags"] = {"number": str(number)}
    values["postgresql"]["backup_retention_days"] = 7 + number % 28
    values["monitoring"]["sampling_percentage"] = 1 + number % 90  # by PUT: its PATCH takes tags alone
    return values


def check(project: WarmProject, azure: Azure, number: int) -> None:
    """Ours is there and theirs, too."""
    web = resource(project, "container_app/web")
    app = live(azure, web, APPS)
    assert app["properties"]["template"]["containers"][0]["env"][0] == {"name": "N", "value": str(number)}
    names = {item["name"] for item in app["properties"]["configuration"]["secrets"]}
    assert names == ({"theirs", "token"} if number % 2 else {"theirs"})
    listed = azure.send("POST", f"{web}/listSecrets", APPS).json()["value"]
    assert ("theirs", "of-theirs") in [(one["name"], one.get("value")) for one in listed]
    insights = live(azure, resource(project, "app_insights"), INSIGHTS)
    assert insights["properties"]["RetentionInDays"] == 30
    assert (insights["properties"]["SamplingPercentage"], insights["tags"]["number"]) == (1 + number % 90, str(number))
    server = live(azure, resource(project, "postgresql_server"), PG)["properties"]
    assert server["backup"]["backupRetentionDays"] == 7 + number % 28
    assert (server["maintenanceWindow"]["customWindow"], server["maintenanceWindow"]["dayOfWeek"]) == ("Enabled", 3)
    registry = live(azure, resource(project, "container_registry"), REGISTRY)
    assert (registry["properties"]["adminUserEnabled"], registry["tags"]["number"]) == (True, str(number))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("fault", FAULTS)
def test_write_that_is_interrupted_or_refused_takes_nothing_of_theirs_along(
    handled: tuple[WarmProject, Azure], fault: str
) -> None:
    """Each request of the writes, one run each; where the run fails, the next one goes on."""
    project, azure = handled
    for place, (method, path) in enumerate(REQUESTS):
        number = 1 + list(FAULTS).index(fault) * len(REQUESTS) + place
        if fault == "failed" and method != "PATCH":
            continue  # only what is an operation can end as failed
        project.write(configured(number))
        hit = {"method": method, "path": path, **FAULTS[fault]}

        since = len(project.requests())
        result = project.run(*project.faults(hit), "--output", "json")
        assert any(fnmatch(f"{one['method']} {one['path']}", f"{method} {path}") for one in project.requests()[since:])

        if fault != "failed":
            assert result.code == 0, (method, path, result.text[-2000:])
        if result.code:
            project.deploy()
        check(project, azure, number)
        assert project.deploy().ran() == {}


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("method", "name"), [("PATCH", "web"), ("PUT", "demo-insights"), ("PATCH", "demo-pg")])
def test_run_that_is_killed_while_a_write_is_under_way_is_finished_by_the_next(
    handled: tuple[WarmProject, Azure], method: str, name: str
) -> None:
    """Operations take a hundredth of Azure's time, so that they are still going on."""
    project, azure = handled
    number = 200 + len(method) * 10 + len(name)
    project.write(configured(number))
    since = len(project.requests())
    with project.start(*project.faults(scale=0.01), "--output", "json") as process:
        wait_for(
            lambda: any(one.startswith(method) and one.endswith(f"/{name}") for one in project.writes(since)),
            process,
            "the run did not come to its write",
        )
        process.kill()
        process.communicate()

    project.deploy()

    check(project, azure, number)
    assert project.deploy().ran() == {}
