"""What is known to be impossible without a write: a fault of the plan, for which a run stops before its first write."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from by_hand import APPS, by_hand, live, resource, settle
from plain_project import PLAIN
from project import Azure, Project, Result

HOST = "app.example.com"
DISABLED = "web: its ingress is disabled in Azure. Run with --refresh to enable it again"
Values = dict[str, Any]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Project]:
    """A function that deploys the web app with further values."""

    def deploy(**web: Any) -> Project:
        project = Project(tmp_path)
        values = copy.deepcopy(PLAIN)
        values["services"]["web"] |= web
        project.write(values)
        project.deploy()
        return project

    return deploy


@pytest.fixture
def project(make: Callable[..., Project]) -> Project:
    """A deployed web app."""
    return make()


@pytest.fixture
def azure(project: Project) -> Iterator[Azure]:
    """Its emulator, which keeps its DNS records while it runs."""
    with project.azure() as found:
        yield found


def change(project: Project, **web: Any) -> None:
    """Change values of the web app."""
    values = project.config()
    values["services"]["web"] |= web
    project.write(values)


def disable_ingress(project: Project, azure: Azure) -> None:
    """Disable the ingress of the web app, as in the portal."""
    by_hand(azure, resource(project, "container_app/web"), APPS, {"properties": {"configuration": {"ingress": None}}})


def configuration(project: Project, azure: Azure) -> Values:
    """The configuration of the web app in Azure."""
    found: Values = live(azure, resource(project, "container_app/web"), APPS)["properties"]["configuration"]
    return found


def words(result: Result) -> str:
    """What a run printed, without its line ends."""
    return " ".join(result.text.split())


def check_refused(project: Project, text: str) -> None:
    """Plan and run say what is impossible, and nothing is written."""
    since = len(project.requests())

    plan = project.run("--dry-run")
    result = project.run()

    assert f"! verify_deployment: {text}" in words(plan), plan.text
    assert result.code == 1
    assert f"verify_deployment: {text}" in words(result), result.text
    assert project.writes(since) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"custom_domains": [{"name": HOST}]}),
        ({"revision_mode": "Multiple"}, {"traffic": [{"latest_revision": True, "weight": 100, "label": "new"}]}),
        ({"revision_mode": "Multiple", "ingress": "internal"}, {"traffic": [
            {"latest_revision": True, "weight": 100, "label": "new"},
        ]}),
    ],
)  # fmt: skip
def test_names_and_shares_of_an_app_whose_ingress_others_disabled(
    make: Callable[..., Project], before: Values, after: Values
) -> None:
    """A write of the shares alone would have created an ingress without a port."""
    project = make(**before)
    with project.azure() as azure:
        disable_ingress(project, azure)
        change(project, environment={"MORE": "1"}, **after)

        check_refused(project, DISABLED)

        assert configuration(project, azure)["ingress"] is None
        plan = project.run("--dry-run", "--refresh")
        assert DISABLED not in words(plan)


@pytest.mark.parametrize(
    "after", [{"environment": {"MORE": "1"}}, {"revision_mode": "Single"}, {"revision_mode": None}]
)
def test_ingress_that_others_disabled_stays_so_when_a_revision_is_made(
    make: Callable[..., Project], after: Values
) -> None:
    """No share of the requests is written: there are none."""
    project = make(revision_mode="Multiple", ingress="internal")
    with project.azure() as azure:
        disable_ingress(project, azure)
        change(project, **after)

        plan = project.run("--dry-run")
        project.deploy()

        assert "traffic" not in plan.text
        found = configuration(project, azure)
        assert found["ingress"] is None
        assert found["activeRevisionsMode"] == ("Single" if "revision_mode" in after else "Multiple")


def test_plan_says_that_an_app_without_ingress_cannot_be_verified(project: Project, azure: Azure) -> None:
    """The change itself is written: it may be the very repair that the app is waiting for."""
    disable_ingress(project, azure)
    change(project, environment={"MORE": "1"})

    plan = project.run("--dry-run")
    result = project.run()

    assert f"! verify_deployment: {DISABLED}" in words(plan)
    assert result.code == 1
    assert DISABLED in words(result)
    app = live(azure, resource(project, "container_app/web"), APPS)["properties"]
    assert {"name": "MORE", "value": "1"} in app["template"]["containers"][0]["env"]


def test_rule_of_an_app_whose_ingress_others_disabled_is_written_with_all_of_it(project: Project, azure: Azure) -> None:
    """As the plan says, leaf by leaf."""
    disable_ingress(project, azure)
    change(project, ip_restrictions=[{"name": "office", "ip_address_range": "203.0.113.0/24", "action": "Allow"}])

    plan = project.run("--dry-run")
    project.deploy()

    assert "+ configuration.ingress.targetPort: 8080" in words(plan)
    assert configuration(project, azure)["ingress"]["targetPort"] == 8080


def bind_to_another_app(project: Project, azure: Azure) -> None:
    """Bind the name to an app of others in the same environment; its DNS records exist."""
    ours = resource(project, "container_app/web")
    app = live(azure, ours, APPS)
    records = {f"asuid.{HOST}": {"TXT": [app["properties"]["customDomainVerificationId"]]}}
    azure.control("POST", "/control/settings", {"dns": records})
    ingress = {"external": True, "targetPort": 80, "customDomains": [{"name": HOST, "bindingType": "Disabled"}]}
    body = {
        "location": app["location"],
        "properties": {
            "environmentId": app["properties"]["environmentId"],
            "configuration": {"ingress": ingress},
            "template": {"containers": [{"name": "x", "image": "nginx"}]},
        },
    }
    settle(azure, azure.send("PUT", f"{ours.rpartition('/')[0]}/theirs", APPS, body), APPS)


def test_name_that_is_bound_to_an_app_of_others(project: Project, azure: Azure) -> None:
    """The message names the app, and the command that unbinds the name there."""
    bind_to_another_app(project, azure)
    change(project, environment={"MORE": "1"}, custom_domains=[{"name": HOST}])

    check_refused(project, f"web: {HOST} is bound to theirs: unbind it there (az containerapp hostname delete")


def test_name_that_nobody_may_analyse_is_left_to_the_binding(project: Project, azure: Azure) -> None:
    """A right to read is enough for a plan; Azure's own refusal is then the first to say so."""
    bind_to_another_app(project, azure)
    change(project, environment={"MORE": "1"}, custom_domains=[{"name": HOST}])
    fault = {"method": "POST", "path": "*/listCustomHostNameAnalysis", "status": 403, "code": "AuthorizationFailed"}

    result = project.run(*project.faults(fault))

    assert result.code == 1
    assert f"{HOST} is bound to theirs" in words(result)
    app = live(azure, resource(project, "container_app/web"), APPS)["properties"]
    assert {"name": "MORE", "value": "1"} in app["template"]["containers"][0]["env"]


def test_property_that_cannot_change_stops_the_run_before_other_writes(deployed: Project) -> None:
    """The variable of an app is not written either."""
    deployed.change("services.api_gateway.environment.MORE", "1")
    deployed.change("redis.clustering_policy", "EnterpriseCluster")
    since = len(deployed.requests())

    result = deployed.run()

    assert result.code == 1
    assert "Azure cannot change this after creation" in words(result)
    assert deployed.writes(since) == []
