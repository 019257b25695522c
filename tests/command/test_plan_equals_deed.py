"""What `--dry-run` announces is what the run then does, leaf by leaf, whatever the configuration and others changed."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from azure_types import needs_types
from hand_sweep import EVERY_TYPE, flat, hands, set_one
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from project import Azure, Project
from warm_command import WarmProject, needs_fork, warm_project

from draftgenie_azure.arm import diff, ids

pytestmark = [needs_types, needs_fork]
WORDS = st.sampled_from(["a", "A", "b"])
NAMES = st.sampled_from(["one", "two", "three"])


def some(values: Any) -> Any:
    """One of these, or no key at all."""
    return st.none() | (values if isinstance(values, st.SearchStrategy) else st.sampled_from(values))


CHANGES = st.fixed_dictionaries(
    {
        "tags": some(st.dictionaries(NAMES, WORDS, max_size=2)),
        "container_registry.sku": some(["Standard", "Premium"]),
        "monitoring.retention_days": some([30, 60, 90]),
        "monitoring.daily_cap_gb": some([1, 2.5]),
        "monitoring.sampling_percentage": some([10, 50]),
        "postgresql.sku": st.sampled_from(["Standard_D2ds_v5", "Standard_D4ds_v5"]),
        "postgresql.backup_retention_days": some(st.integers(7, 35)),
        "postgresql.auto_grow": some([True, False]),
        "postgresql.databases": some(st.lists(NAMES, max_size=2, unique=True)),
        "postgresql.extensions": some(st.lists(st.sampled_from(["pgcrypto", "uuid-ossp"]), max_size=2, unique=True)),
        "redis.eviction_policy": some(["NoEviction", "AllKeysLRU"]),
        "secrets.token": st.sampled_from(["amqp-url-with-key", "another-url-with-key"]),
        "services.web.max_replicas": some([5, 6]),
        "services.web.min_replicas": some([1, 2]),
        "services.web.environment": some(st.dictionaries(st.sampled_from("ABC"), WORDS, max_size=3)),
        "services.web.secrets": some([{"BROKER": "{{ secrets.token }}"}, {"URL": "{{ secrets.token }}"}]),
        "services.web.cors": some([{"allowed_origins": ["*"]}, {"allowed_origins": ["https://a.b"], "max_age": 9}]),
        "services.web.ip_restrictions": some(
            st.lists(
                NAMES.map(lambda name: {"name": name, "ip_address_range": "203.0.113.0/24", "action": "Allow"}),
                max_size=3,
                unique_by=lambda rule: rule["name"],
            )
        ),
        "services.web.session_affinity": some([True, False]),
        "services.web.dapr": some([{"app_protocol": "http"}, {"enabled": False}, {"log_level": "warn"}]),
        "services.web.scale": some([{"http_concurrent_requests": 50}, {"http_concurrent_requests": 60}, {}]),
        "services.web.volume": some([{"type": "empty_dir", "mount_path": "/data"}]),
        "services.worker.environment": some(st.dictionaries(st.sampled_from("ABC"), WORDS, max_size=3)),
        "services.extra": some([{"image": "nginx"}, {"image": "nginx", "port": 8080, "environment": {"A": "1"}}]),
        "migrations": some([[{"service": "worker", "command": "true"}], [{"service": "worker", "command": "false x"}]]),
    }
)
KEYS = (
    "resource_group", "identity", "key_vault", "log_analytics", "app_insights", "diagnostic_setting",
    "container_registry", "postgresql_server", "redis", "redis_database", "container_apps_env", "container_app/web",
    "container_app/worker", "container_app/inner",
)
HANDS = st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 200)), max_size=2)


def configured(changes: dict[str, Any]) -> dict[str, Any]:
    """The configuration with these keys; None takes one out."""
    values = copy.deepcopy(EVERY_TYPE)
    values["services"]["web"] = {"image": "nginx", "port": 8080, "ingress": "external", "transport": "auto"}
    for key, value in changes.items():
        *above, last = key.split(".")
        section = values
        for name in above:
            section = section.setdefault(name, {})
        section.pop(last, None)
        if value is not None:
            section[last] = value
    return values


def bodies(project: Project, azure: Azure) -> dict[str, Any]:
    """Every recorded resource, as it is, with the spelling of its id that the state has."""
    return {
        key: {**azure.send("GET", record["id"], record["api_version"]).json(), "id": record["id"]}
        for key, record in project.state()["resources"].items()
    }


def planned(project: Project, *arguments: str) -> dict[str, Any]:
    """The plan event of a dry run."""
    result = project.run("--dry-run", "--output", "json", *arguments)
    assert result.code == 0, result.text
    return next(event for event in result.events() if event["event"] == "plan")


def leaves(body: dict[str, Any]) -> dict[str, Any]:
    """The leaves of a body by their names in a plan."""
    found = diff.leaves(ids.resource_type(body["id"]), body) if body else {}
    return {diff.shown_path(path): value for path, value in found.items()}


def done(before: dict[str, Any], after: dict[str, Any]) -> dict[str, set[str]]:
    """Resource -> names of the leaves that are another."""
    found = {}
    for key in after:
        one, other = leaves(before.get(key, {})), leaves(after[key])
        changed = {name for name in {*one, *other} if one.get(name) != other.get(name)}
        if changed:
            found[key] = changed
    return found


def is_told(name: str, announced: set[str], before: set[str]) -> bool:
    """Whether a changed leaf is announced: itself, the item that goes with it, or something of an object that comes.

    To what comes Azure adds what nobody asked for.
    """
    if any(one == name or name.startswith(f"{one}.") for one in announced):
        return True
    parts = re.split(r"(?<=\])\.|\.(?![^\[]*\])", name)
    above = [".".join(parts[:size]) for size in range(1, len(parts) + 1)]
    return any(
        any(one.startswith(f"{top}.") for one in announced) and not any(old.startswith(f"{top}.") for old in before)
        for top in above
    )


def untold(before: dict[str, Any], after: dict[str, Any], announced: dict[str, set[str]]) -> dict[str, set[str]]:
    """What changed and was not announced."""
    found = {}
    for key, names in done(before, after).items():
        there = set(leaves(before.get(key, {})))
        found[key] = {name for name in names if not is_told(name, announced.get(key, set()), there)}
    return {key: names for key, names in found.items() if names}


def undone(changes: dict[str, set[str]], announced: dict[str, set[str]]) -> dict[str, set[str]]:
    """What was announced and did not change."""
    found = {
        key: {one for one in names if not any(name.startswith(one) for name in changes.get(key, ()))}
        for key, names in announced.items()
    }
    return {key: names for key, names in found.items() if names}


def check_deed(project: Project, azure: Azure) -> None:
    """Plan, run, compare."""
    before = bodies(project, azure)
    event = planned(project)
    announced = {
        entry["key"]: {change["path"] for change in entry.get("changes", [])} for entry in event["plan"]["changes"]
    }
    actions = {entry["key"]: entry["action"] for entry in event["plan"]["changes"]}
    result = project.run("--output", "json")
    assert result.code == 0, result.text[-3000:]
    after = bodies(project, azure)
    changes = done(before, after)
    for key, action in actions.items():
        if action == "create":  # the whole of it
            announced[key] = {name.partition(".")[0] for name in changes.get(key, ())} | announced[key]
    assert untold(before, after, announced) == {}, (untold(before, after, announced), announced)
    resources = {key: names for key, names in announced.items() if key in after}
    assert undone(changes, resources) == {}, (undone(changes, resources), changes)
    for key in after.keys() - announced.keys():
        assert after[key] == before[key], (key, list(others(before[key], after[key])))
    assert all(step["verdict"] == "skip" for step in planned(project)["steps"].values())


def others(before: Any, after: Any) -> Iterator[tuple[Any, Any]]:
    """For a message: what is another."""
    one, other = dict(flat(before)), dict(flat(after))
    yield from ((at, (one.get(at), other.get(at))) for at in {*one, *other} if one.get(at) != other.get(at))


def check_rest(project: Project, azure: Azure) -> None:
    """What a look at everything would still change was done by others; once that is repaired, nothing is left."""
    drift = planned(project, "--refresh")["plan"]["changes"]
    ours = [
        (entry["key"], change["path"])
        for entry in drift
        for change in entry.get("changes", [])
        if "changed by others" not in (change.get("note") or "")
    ]
    assert ours == []
    if drift:
        before = bodies(project, azure)
        result = project.run("--refresh", "--output", "json")
        assert result.code == 0, result.text[-3000:]
        announced = {entry["key"]: {change["path"] for change in entry.get("changes", [])} for entry in drift}
        assert untold(before, bodies(project, azure), announced) == {}
    left = planned(project, "--refresh")["plan"]["changes"]
    assert left == [], left


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WarmProject, Azure]]:
    """One deployment for many pairs, whose emulator goes on: its start is what takes longest."""
    with ExitStack() as stack:
        project = stack.enter_context(warm_project(tmp_path_factory.mktemp("pairs")))
        project.write(configured({}))
        project.deploy()
        yield project, stack.enter_context(project.azure())


@pytest.mark.slow
@pytest.mark.timeout(7200)
@settings(
    max_examples=int(os.environ.get("PLAN_EXAMPLES", "12")),
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # a pair begins where the one before it ended, so that none can be made smaller
)
@given(changes=CHANGES, by_hand=HANDS)
def test_what_is_announced_is_what_is_done_whatever_is_changed(
    everything: tuple[WarmProject, Azure], changes: dict[str, Any], by_hand: list[tuple[str, int]]
) -> None:
    """From the configuration before to this one, others' changes in between; PLAN_EXAMPLES says how many."""
    project, azure = everything
    for key, number in by_hand:
        note = set_one(azure, hands(project, [key])[0], number)
        print("by hand:", note)
    project.write(configured(changes))

    check_deed(project, azure)
    check_rest(project, azure)
