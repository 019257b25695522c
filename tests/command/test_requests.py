"""The number of a run's requests: nothing is read twice, and reading takes one request per type."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from project import Project, new_project
from scripted_azure import APP as APP_ID
from scripted_azure import Answer, scripted_azure

from draftgenie_azure.arm import listing

APP = "/containerApps/"
# Asked by every run that asks anything: where to sign in, a token, the subscription, the group, what is in it, two
# roles, the identity, the environment's domain, the vault's secrets.
LOOKING = 10
# Types that need one more request: workspace, Application Insights, registry, vault, Redis and its database, server,
# firewall rule, databases, diagnostic setting, apps, jobs and the executions of one.
TYPES = 13
# The first step: locations, eight resource providers, rights.
ASKED_FIRST = 10
# The registry: a sign-in, and a token and a look for each of five images.
IMAGES = 11


def run(project: Project, *arguments: str) -> list[dict[str, Any]]:
    """Return the requests of one successful run."""
    seen = len(project.requests())
    project.deploy(*arguments)
    return project.requests()[seen:]


def asked_twice(requests: list[dict[str, Any]]) -> list[str]:
    """The addresses that were read more than once, ids of operations aside."""
    reads = Counter(f"{one['host']}{one['path'].lower()}" for one in requests if one["method"] == "GET")
    return [address for address, count in reads.items() if count > 1 and "operation" not in address]


def paths(requests: list[dict[str, Any]], method: str, part: str) -> list[str]:
    """The addresses that were asked by a method, as far as a text is in them."""
    return [one["path"] for one in requests if one["method"] == method and part.lower() in one["path"].lower()]


def with_more_services(project: Project, count: int) -> None:
    """Services that need nothing but an image."""
    values = project.config()
    for number in range(count):
        values["services"][f"extra_{number}"] = {"image": "ghcr.io/example/echo:1", "port": 8080, "transport": "auto"}
    project.write(values)


@pytest.fixture(scope="module")
def _many_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[dict[str, Any]]]:
    """A deployment of seven services and a dozen more, and what it asked."""
    project = new_project(tmp_path_factory.mktemp("many"))
    with_more_services(project, 12)
    return project, run(project)


def test_first_deployment_reads_nothing_that_it_knows_to_be_missing(
    _many_once: tuple[Project, list[dict[str, Any]]],
) -> None:
    """The group is not there, so that nothing in it is; only where a deleted vault might hold the name is asked."""
    _, requests = _many_once

    missing = [one["path"] for one in requests if one["status"] == 404 and one["host"].startswith("management")]

    assert [path for path in missing if not path.endswith("/draftgenie-rg")] == [
        path for path in missing if "/deletedVaults/" in path
    ]
    assert len(missing) <= 2


def test_first_deployment_reads_no_app_alone_and_looks_once_at_its_replicas(
    _many_once: tuple[Project, list[dict[str, Any]]],
) -> None:
    """One write for each of the nineteen; one listing per concurrent batch; no listing of replicas."""
    _, requests = _many_once

    alone = [path for path in paths(requests, "GET", APP) if re.fullmatch(r".*/containerApps/[^/]+", path)]
    listings = [path for path in paths(requests, "GET", "/containerApps") if path.endswith("/containerApps")]
    looks = Counter(path.split("/")[8] for path in paths(requests, "GET", "/replicas"))

    assert len(paths(requests, "PUT", APP)) == 19
    # The last few that are waited for are each asked alone: a listing is longer. A slow machine has more of them.
    assert len(alone) <= 9
    # Ten at a time, in two steps, and one more whenever a waiter came late: far from one for each app.
    assert len(listings) <= 8
    assert len(looks) == 19
    assert max(looks.values()) == 1


def test_databases_are_read_together_after_they_were_made(
    _many_once: tuple[Project, list[dict[str, Any]]],
) -> None:
    """The server does one thing at a time, so that each end must be seen; what became of them is one listing."""
    _, requests = _many_once

    made = paths(requests, "PUT", "/databases/")

    assert len([path for path in made if "/flexibleServers/" in path]) == 4
    assert [path for path in paths(requests, "GET", "/flexibleServers/") if "/databases" in path] == [
        made[-1].rsplit("/", 1)[0]
    ]


def test_looking_at_everything_takes_a_request_for_each_type(
    _many_once: tuple[Project, list[dict[str, Any]]],
) -> None:
    """Nineteen services, and none of them is read alone or asked for twice."""
    project, _ = _many_once

    requests = run(project, "--dry-run", "--refresh")

    assert asked_twice(requests) == []
    assert paths(requests, "GET", APP) == []
    assert len(requests) <= LOOKING + TYPES + ASKED_FIRST + IMAGES


def test_forcing_everything_neither_reads_nor_verifies_one_app_alone(
    _many_once: tuple[Project, list[dict[str, Any]]],
) -> None:
    """Images are built and the migration is started, since that is what forcing is for; the rest is as in a refresh."""
    project, _ = _many_once

    requests = run(project, "--force-all")

    assert asked_twice(requests) == []
    assert paths(requests, "GET", APP) == []
    assert [path for method in ("PUT", "PATCH", "DELETE") for path in paths(requests, method, "/Microsoft.")] == []


def test_forcing_the_verification_by_name_looks_at_every_app(
    _many_once: tuple[Project, list[dict[str, Any]]],
) -> None:
    """The user requested it."""
    project, _ = _many_once

    requests = run(project, "--force-step", "verify_deployment")

    assert len(paths(requests, "GET", "/replicas")) == 19


def test_one_changed_variable_writes_once_and_looks_at_one_app(
    _many_once: tuple[Project, list[dict[str, Any]]],
) -> None:
    """Reads of the group and apps, the write with its end, and the state of the one app."""
    project, _ = _many_once
    project.change("services.extra_3.environment", {"ONE_MORE": "1"})

    requests = run(project)

    assert len(paths(requests, "PATCH", APP)) == 1
    assert {path.split("/")[8] for path in paths(requests, "GET", APP)} == {"extra-3"}
    # The listing, whether Azure would take it, locks, the write, the end of its operation, the app, its replicas; jobs
    # and executions of the migration.
    assert len(requests) <= LOOKING + 9


@pytest.mark.slow
def test_a_run_goes_on_with_the_sign_in_of_its_plan(
    _many_once: tuple[Project, list[dict[str, Any]]],
) -> None:
    """A token may take seconds, where the Azure CLI is started for it."""
    project, _ = _many_once
    project.change("services.extra_4.environment", {"ONE_MORE": "1"})

    with project.azure():  # which keeps the emulator up, and asks it nothing
        requests = run(project, "--refresh")

    assert len(paths(requests, "PATCH", APP)) == 1
    assert len(paths(requests, "POST", "/oauth2/v2.0/token")) == 1


def test_what_was_seen_long_ago_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may have changed it by then."""
    with scripted_azure(tmp_path, lambda request: Answer(body={"id": request.path})) as azure:
        azure.arm.current(APP_ID)
        azure.arm.current(APP_ID)
        assert len(azure.requests) == 1

        monkeypatch.setattr(listing, "_SEEN_FOR", -1.0)
        azure.arm.current(APP_ID)
        assert len(azure.requests) == 2
