"""Names, certificates and shares of traffic have entries of their own in a plan, and are written as these say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from by_hand import by_hand, resource
from certificate_files import certificate_body, pfx
from plain_project import APPS, PLAIN
from plan_and_run import check_run, planned
from project import Azure
from warm_command import WarmProject, needs_fork, warm_project

pytestmark = [pytest.mark.slow, needs_fork]
HOSTS = ("one.example.com", "two.example.com")
LATEST = {"latest_revision": True, "weight": 100}


class Deployed:
    """A deployment with two apps whose names are validated, and a certificate uploaded by others."""

    def __init__(self, project: WarmProject, azure: Azure) -> None:
        self.project = project
        self.azure = azure

    def shares(self) -> list[str]:
        """The revisions of `web`, oldest first."""
        web = resource(self.project, "container_app/web")
        return [item["name"] for item in self.azure.send("GET", f"{web}/revisions", APPS).json()["value"]]

    def change(self, **keys: Any) -> dict[str, dict[str, Any]]:
        """Change keys of services (`web__traffic`), deploy, and compare with the plan; its entries by key."""
        values = self.project.config()
        for name, value in keys.items():
            service, _, key = name.partition("__")
            values["services"][service].pop(key, None)
            values["services"][service] |= {} if value is None else {key: value}
        self.project.write(values)
        entries = check_run(self.project, self.azure)
        assert planned(self.project, "--refresh")["plan"]["drift"] == [], "what the run itself wrote is no drift"
        return entries


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    with ExitStack() as stack:
        project = stack.enter_context(warm_project(tmp_path))
        project.write(PLAIN)
        project.change("services.other", dict(PLAIN["services"]["web"]))
        project.deploy()
        azure = stack.enter_context(project.azure())
        web = azure.send("GET", resource(project, "container_app/web"), APPS).json()["properties"]
        environment = resource(project, "container_apps_env")
        address = azure.send("GET", environment, APPS).json()["properties"]["staticIp"]
        records: dict[str, Any] = {host: {"A": [address]} for host in HOSTS}
        records |= {f"asuid.{host}": {"TXT": [web["customDomainVerificationId"]]} for host in HOSTS}
        azure.control("POST", "/control/settings", {"dns": records})
        azure.send("PUT", f"{environment}/certificates/ours", APPS, certificate_body(value=pfx(HOSTS[0])))
        yield Deployed(project, azure)


def name(host: str, **more: str) -> dict[str, str]:
    return {"name": host, "validation": "HTTP", **more}


def paths(entry: dict[str, Any]) -> dict[str, str]:
    """The changed leaves of an entry, below the ingress, with the kind of change."""
    return {change["path"].partition("ingress.")[2]: change["kind"] for change in entry["changes"]}


def test_name_comes_with_its_certificate_and_goes_with_it(deployed: Deployed) -> None:
    added = deployed.change(web__custom_domains=[name(HOSTS[0])])

    certificate = f"managed_certificate/{HOSTS[0]}"
    assert {key: entry["action"] for key, entry in added.items()} == {"domains/web": "change", certificate: "create"}
    where = f"customDomains[{HOSTS[0]}]"
    assert paths(added["domains/web"]) == {f"{where}.bindingType": "add", f"{where}.certificateId": "add"}

    gone = deployed.change(web__custom_domains=None)

    assert {key: entry["action"] for key, entry in gone.items()} == {"domains/web": "change", certificate: "delete"}
    assert paths(gone["domains/web"]) == {where: "remove"}


def test_names_of_an_app_that_loses_its_ingress_go_with_it(deployed: Deployed) -> None:
    deployed.change(web__custom_domains=[name(HOSTS[0])])

    gone = deployed.change(web__custom_domains=None, web__ingress="none")

    assert {key: entry["action"] for key, entry in gone.items()} == {
        "container_app/web": "change", f"managed_certificate/{HOSTS[0]}": "delete",
    }  # fmt: skip


def test_certificate_by_name_gives_way_to_one_of_azure_and_comes_back(deployed: Deployed) -> None:
    by_name = deployed.change(web__custom_domains=[name(HOSTS[0], certificate="ours")])
    assert set(by_name) == {"domains/web"}

    managed = deployed.change(web__custom_domains=[name(HOSTS[0])])

    certificate = f"managed_certificate/{HOSTS[0]}"
    assert {key: entry["action"] for key, entry in managed.items()} == {"domains/web": "change", certificate: "create"}
    assert paths(managed["domains/web"]) == {f"customDomains[{HOSTS[0]}].certificateId": "change"}

    back = deployed.change(web__custom_domains=[name(HOSTS[0], certificate="ours")])

    assert {key: entry["action"] for key, entry in back.items()} == {"domains/web": "change", certificate: "delete"}


def test_two_apps_swap_their_names_in_one_run(deployed: Deployed) -> None:
    deployed.change(web__custom_domains=[name(HOSTS[0])], other__custom_domains=[name(HOSTS[1])])

    swapped = deployed.change(web__custom_domains=[name(HOSTS[1])], other__custom_domains=[name(HOSTS[0])])

    assert set(swapped) == {"domains/web", "domains/other"}, "and no certificate is made or deleted"


def test_name_of_a_service_that_left_goes_to_the_one_that_takes_its_place(deployed: Deployed) -> None:
    deployed.change(web__custom_domains=[name(HOSTS[0])])
    values = deployed.project.config()
    values["services"]["front"] = values["services"].pop("web")
    deployed.project.write(values)

    entries = check_run(deployed.project, deployed.azure)

    assert paths(entries["domains/web"]) == {f"customDomains[{HOSTS[0]}]": "remove"}
    assert f"customDomains[{HOSTS[0]}].certificateId" in paths(entries["domains/front"])
    assert not any(key.startswith("managed_certificate") for key in entries)


def test_shares_and_labels_change_leaf_by_leaf(deployed: Deployed) -> None:
    multiple = deployed.change(web__revision_mode="Multiple")
    assert set(multiple) == {"container_app/web"}

    rollout = deployed.change(web__max_replicas=4)
    (first, _) = deployed.shares()
    assert set(rollout) == {"container_app/web", "traffic/web"}
    assert f"{first} keeps the requests until" in rollout["traffic/web"]["note"]

    deployed.change(web__max_replicas=6)
    (_, second, first) = deployed.shares()
    third = deployed.change(web__max_replicas=7)
    assert set(third) == {"container_app/web", "traffic/web", f"revision/web/{second}"}

    old = {"revision_name": first, "weight": 20}
    split = deployed.change(web__traffic=[old, {**LATEST, "weight": 80}])
    assert paths(split["traffic/web"]) == {"traffic[latest].weight": "change", f"traffic[{first}].weight": "add"}

    weights = deployed.change(web__traffic=[{**old, "weight": 30}, {**LATEST, "weight": 70}])
    assert paths(weights["traffic/web"]) == {
        "traffic[latest].weight": "change", f"traffic[{first}].weight": "change",
    }  # fmt: skip

    label = deployed.change(web__traffic=[{**old, "weight": 30, "label": "old"}, {**LATEST, "weight": 70}])
    assert f"traffic[{first},old].weight" in paths(label["traffic/web"])

    both = deployed.change(web__max_replicas=5, web__traffic=[{**old, "weight": 10}, {**LATEST, "weight": 90}])
    assert set(both) == {"container_app/web", "traffic/web"}

    single = deployed.change(web__revision_mode=None, web__traffic=None)
    assert set(single) == {"container_app/web"}
    changed = {change["path"] for change in single["container_app/web"]["changes"]}
    assert {"configuration.activeRevisionsMode", "configuration.ingress.traffic[latest].weight"} <= changed


def test_app_that_is_taken_over_keeps_its_requests_on_the_latest_revision(deployed: Deployed) -> None:
    """Weights on the revision before would stay there: no run knows them as its own."""
    assert deployed.project.run("--forget", "container_app/web").code == 0

    deployed.change(web__revision_mode="Multiple", web__max_replicas=4)

    assert [(one.get("latestRevision"), one["weight"]) for one in ingress(deployed)["traffic"]] == [(True, 100)]
    rollout = deployed.change(web__max_replicas=5)
    assert "traffic/web" in rollout, "later ones wait for the proof"


def test_text_of_a_plan_names_the_leaves(deployed: Deployed) -> None:
    deployed.project.change("services.web.custom_domains", [name(HOSTS[0])])
    deployed.project.change("services.web.revision_mode", "Multiple")
    deployed.project.change("services.web.traffic", [{**LATEST, "label": "new"}])

    words = " ".join(deployed.project.run("--dry-run").text.split())

    assert "~ domains/web: change (as soon as the DNS records exist)" in words
    assert f"+ configuration.ingress.customDomains[{HOSTS[0]}].bindingType" in words
    assert f"+ managed_certificate/{HOSTS[0]}: create (issued by Azure)" in words
    assert "~ traffic/web: change (once the newest revision is verified: the newest 100 % (label new))" in words
    assert "configuration.ingress.traffic[latest,new].weight: 100" in words


@pytest.mark.parametrize("mode", ["Single", "Multiple"])
def test_mode_that_leaves_the_configuration_is_azures_own_again(deployed: Deployed, mode: str) -> None:
    """What was `Single` anyway is no change, also beside another one."""
    deployed.change(web__revision_mode=mode)

    entries = deployed.change(web__revision_mode=None, web__termination_seconds=60)

    told = [change["path"] for change in entries["container_app/web"]["changes"]]
    assert ("configuration.activeRevisionsMode" in told) == (mode == "Multiple")


def test_revisions_of_a_mode_that_was_left_are_deactivated_as_planned(deployed: Deployed) -> None:
    """The single mode in between has deactivated the older ones already."""
    for replicas, mode in ((4, "Multiple"), (5, "Multiple"), (6, None), (7, None), (8, "Multiple"), (9, "Multiple")):
        deployed.change(web__max_replicas=replicas, web__revision_mode=mode)


def set_ingress(deployed: Deployed, **values: Any) -> None:
    """Somebody changes the ingress of `web`."""
    body = {"properties": {"configuration": {"ingress": values}}}
    by_hand(deployed.azure, resource(deployed.project, "container_app/web"), APPS, body)


def ingress(deployed: Deployed) -> dict[str, Any]:
    web = deployed.azure.send("GET", resource(deployed.project, "container_app/web"), APPS).json()
    found: dict[str, Any] = web["properties"]["configuration"]["ingress"]
    return found


def test_name_that_others_unbound_stays_unbound_until_a_refresh(deployed: Deployed) -> None:
    deployed.change(web__custom_domains=[name(HOSTS[0])])
    set_ingress(deployed, customDomains=[])
    values = deployed.project.config()
    values["services"]["web"]["max_replicas"] = 4
    deployed.project.write(values)

    plan = planned(deployed.project)
    entries = check_run(deployed.project, deployed.azure)

    assert set(entries) == {"container_app/web"}
    assert [entry["path"] for entry in plan["plan"]["drift"] if entry["key"] == "domains/web"] != []
    assert not ingress(deployed)["customDomains"]
    refresh = planned(deployed.project, "--refresh")["plan"]
    assert {(one["key"], one["note"]) for one in refresh["drift"]} == {("domains/web", "changed by others")}
    deployed.project.deploy("--refresh")
    (bound,) = ingress(deployed)["customDomains"]
    assert (bound["name"], bound["bindingType"]) == (HOSTS[0], "SniEnabled")
    assert planned(deployed.project, "--refresh")["plan"]["changes"] == []


def test_name_of_an_app_that_was_deleted_comes_back_with_it(deployed: Deployed) -> None:
    deployed.change(web__custom_domains=[name(HOSTS[0])])
    deployed.azure.delete(resource(deployed.project, "container_app/web"), APPS)

    entries = deployed.change(other__max_replicas=4)

    assert {"container_app/web", "domains/web"} <= set(entries)
    assert [one["name"] for one in ingress(deployed)["customDomains"]] == [HOSTS[0]]


def test_certificate_and_shares_that_others_changed_are_drift(deployed: Deployed) -> None:
    deployed.change(web__custom_domains=[name(HOSTS[0])], web__revision_mode="Multiple", web__traffic=[LATEST])
    theirs = f"{resource(deployed.project, 'container_apps_env')}/certificates/ours"
    (newest,) = deployed.shares()
    bound = {"name": HOSTS[0], "bindingType": "SniEnabled", "certificateId": theirs}
    set_ingress(deployed, customDomains=[bound], traffic=[{"revisionName": newest, "weight": 100}])

    drift = planned(deployed.project, "--refresh")["plan"]["drift"]

    parts = {one["key"]: one["note"] for one in drift if one["key"] != "container_app/web"}
    assert parts == {"domains/web": "changed by others", "traffic/web": "changed by others"}
