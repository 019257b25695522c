"""Everything that a person can set on a deployed resource: kept, and repaired only where it is ours and asked for."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure_types import needs_types
from by_hand import by_hand
from hand_sweep import EVERY_TYPE, Hand, changed, differences, hands, live, repaired, set_leaves, takes_part
from project import Azure, Project, Result, wait_for_end
from warm_command import WarmProject, needs_fork, warm_project

pytestmark = [needs_types, needs_fork]
GROUPS = {
    "foundation": ["resource_group", "identity", "role/pull-images", "role/read-secrets", "key_vault"],
    "observed": ["log_analytics", "app_insights", "diagnostic_setting", "container_registry"],
    "databases": [
        "postgresql_server", "postgresql_database/worker", "postgresql_extensions", "postgresql_firewall/allow-azure",
        "redis", "redis_database",
    ],
    "environment": ["container_apps_env", "job/worker"],
    "web": ["container_app/web"],
    "worker": ["container_app/worker"],
    "inner": ["container_app/inner"],
}
# What is ours and cannot be repaired: Azure would not take it, and storage only grows.
FIXED = {"properties.Application_Type", "properties.clusteringPolicy", "properties.storage.storageSizeGB"}
# How many leaves at least, of how many that are stated.
FLOORS = {
    "foundation": (20, 1), "observed": (70, 8), "databases": (45, 10), "environment": (60, 6), "web": (130, 25),
    "worker": (110, 3), "inner": (130, 17),
}


@pytest.fixture(scope="module")
def _typed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(tmp_path_factory.mktemp("typed"))
    project.write(EVERY_TYPE)
    project.deploy()
    wait_for_end(project)
    return project.directory


@pytest.fixture
def typed(_typed_once: Path, tmp_path: Path) -> Iterator[WarmProject]:
    """A deployed project with a resource of every type."""
    shutil.copytree(_typed_once, tmp_path, dirs_exist_ok=True)
    with warm_project(tmp_path) as project:
        yield project


def ended_well(result: Result) -> None:
    """Everything succeeded, except that an app whose port was changed may be unhealthy."""
    events = result.events()
    errors = [event["message"] for event in events if event["event"] == "error"]
    failed = next((event["failed"] for event in events if event["event"] == "summary"), ["everything"])
    assert failed in ([], ["verify_deployment"]), errors
    assert result.code == 0 or failed, errors


def related(hand: Hand) -> dict[Any, Any]:
    """Return a resource after the related change."""
    after: dict[Any, Any] = {("tags", "related"): "1"} if "tags" in hand.sent or "location" in hand.sent else {}
    if hand.key.startswith("container_app/"):
        after[("properties", "template", "scale", "maxReplicas")] = 7
    if hand.key == "postgresql_server":
        after[("properties", "backup", "backupRetentionDays")] = 21
    if hand.key == "log_analytics":
        after[("properties", "retentionInDays")] = 90
    return after


def change_related(project: Project) -> None:
    values = project.config()
    values["tags"] = {"related": "1"}
    for name in ("web", "worker", "inner"):
        values["services"][name]["max_replicas"] = 7
    values["postgresql"]["backup_retention_days"] = 21
    values["monitoring"]["retention_days"] = 90
    project.write(values)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("group", GROUPS)
def test_whatever_is_set_by_hand_is_kept_and_repaired_where_it_is_ours(
    typed: WarmProject, say: Callable[[str], None], group: str
) -> None:
    """An unrelated run, a related one, and one with --refresh."""
    found = hands(typed, GROUPS[group])
    with typed.azure() as azure:
        for hand in found:
            set_leaves(azure, hand, takes_part)
        count = sum(len(hand.values) for hand in found)
        stated = sum(hand.is_stated(address) for hand in found for address in hand.values)

        typed.change("services.other.environment", {"UNRELATED": "1"})
        ended_well(typed.run("--output", "json"))
        assert {hand.key: live(azure, hand) for hand in found} == {hand.key: hand.given for hand in found}

        change_related(typed)
        ended_well(typed.run("--output", "json"))
        expected = {hand.key: changed(hand.given, related(hand)) for hand in found}
        assert not_as(expected, found, azure) == ""

        drift = plan(typed)
        for hand in found:
            told = Counter(change["path"].rsplit(".", 1)[-1] for change in drift.get(hand.key, {}).get("changes", []))
            assert told == to_repair(hand), hand.key

        ended_well(typed.run("--refresh", "--output", "json"))
        expected = {hand.key: changed(repaired(hand, hand.given, FIXED), related(hand)) for hand in found}
        assert not_as(expected, found, azure) == ""
        assert {key: entry for key, entry in plan(typed).items() if key in expected} == {}
    say(f"set by hand on {group}: {count} leaves, {stated} of them stated")
    assert (count, stated) >= FLOORS[group] and stated >= FLOORS[group][1]


def not_as(expected: dict[str, Any], found: list[Hand], azure: Azure) -> str:
    """Return deviations from the expectation, one line each."""
    return "\n".join(line for hand in found for line in differences(hand, live(azure, hand), expected[hand.key]))


def plan(project: Project) -> dict[str, Any]:
    """Return what `--refresh` would change, by key."""
    result = project.run("--dry-run", "--refresh", "--output", "json")
    assert result.code == 0, result.text[-3000:]
    event = next(event for event in result.events() if event["event"] == "plan")
    return {entry["key"]: entry for entry in event["plan"]["changes"] if entry.get("changes")}


def to_repair(hand: Hand) -> Counter[str]:
    """The last names of the leaves that are to be repaired."""
    return Counter(
        str(address[-1])
        for address in hand.values
        if hand.is_stated(address) and ".".join(map(str, address)) not in FIXED and address not in related(hand)
    )


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_other_order_spelling_and_emptiness_is_not_drift(typed: WarmProject) -> None:
    """Lists the other way round, ids and words in another letter case, empty instead of absent; removed tags are."""
    web, server, registry = hands(typed, ["container_app/web", "postgresql_server", "container_registry"])
    with typed.azure() as azure:
        body = live(azure, web)
        configuration, template = body["properties"]["configuration"], body["properties"]["template"]
        container = template["containers"][0]
        for items in (container["env"], container["probes"], template["scale"]["rules"], configuration["secrets"]):
            items.reverse()
        configuration["secrets"] = [{**one, "identity": one["identity"].upper()} for one in configuration["secrets"]]
        ingress = {"transport": "AUTO", "customDomains": [], "stickySessions": {"affinity": "STICKY"}}
        changes = [
            (web, {"properties": {"template": template}}),
            (web, {"properties": {"configuration": {"secrets": configuration["secrets"], "ingress": ingress}}}),
            (web, {"properties": {"configuration": {"registries": []}}}),
            (server, {"sku": {"name": "standard_d2ds_v5", "tier": "generalpurpose"}}),
            (registry, {"sku": {"name": "PREMIUM"}}),
        ]
        for hand, change in changes:
            by_hand(azure, hand.id, hand.version, change)
        result = typed.run("--dry-run", "--refresh", "--detailed-exitcode")
        assert result.code == 0, result.out

        typed.change("tags.team", "a")
        typed.deploy()
        by_hand(azure, registry.id, registry.version, {"tags": {"team": "A"}})
        assert "tags.team" in typed.run("--dry-run", "--refresh").out
        typed.deploy("--refresh")
        assert live(azure, registry)["tags"]["team"] == "a"
        by_hand(azure, registry.id, registry.version, {"tags": {"owner": "them"}})
        typed.deploy("--refresh")
        tags = live(azure, registry)["tags"]
        assert (tags["team"], tags["owner"], "incarnation" in tags) == ("a", "them", True)
