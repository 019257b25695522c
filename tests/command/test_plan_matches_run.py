"""The run does what `--dry-run` announced, leaf by leaf, whatever the configuration and others changed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from azure_types import needs_types
from by_hand import by_hand
from hand_sweep import EVERY_TYPE, hands, set_one
from hypothesis import given
from hypothesis import strategies as st
from plan_and_run import check_rest, check_run, examples, live_body
from project import Azure, Project
from warm_command import WarmProject, needs_fork, warm_project

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
RELATIVES = st.fixed_dictionaries(
    {
        "tags": some(st.dictionaries(NAMES, WORDS, max_size=2)),
        "postgresql.parameters": some(
            [{"work_mem": 8192}, {"work_mem": 16384, "log_lock_waits": True}, {"max_connections": 100}]
        ),
        "container_apps.workload_profiles": some([[{"name": "big", "type": "D4"}]]),
        "registries": some(
            st.lists(
                st.sampled_from(["one.example.com", "two.example.com"]).map(
                    lambda server: {"server": server, "username": "puller", "secret": "token"}
                ),
                max_size=2,
                unique_by=lambda registry: registry["server"],
            )
        ),
        "secrets.token": st.sampled_from(["amqp-url-with-key", "another-url-with-key"]),
        "secrets.made": some([{"generate": True}]),
        "services.web.revision_mode": some(["Single", "Multiple"]),
        "services.web.termination_seconds": some([10, 60]),
        "services.web.ingress": st.sampled_from(["external", "internal"]),
        "services.web.max_replicas": some([5, 6]),
        "services.worker.environment": some(st.dictionaries(st.sampled_from("ABC"), WORDS, max_size=2)),
        "services.worker.secrets": some([{"BROKER": "{{ secrets.token }}"}]),
        "services.worker.name": some(["renamed"]),
        "services.extra": some([{"image": "one.example.com/app:1"}, {"image": "nginx", "name": "other-name"}]),
        "migrations": some([[{"service": "other", "command": "true"}], [{"service": "other", "command": "false x"}]]),
        "deployment.skip_migrations": some([True, False]),
    }
)
KEYS = (
    "resource_group", "identity", "key_vault", "log_analytics", "app_insights", "diagnostic_setting",
    "container_registry", "postgresql_server", "redis", "redis_database", "container_apps_env", "container_app/web",
    "container_app/worker", "container_app/inner",
)
HANDS = st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 200)), max_size=2)


def tag(project: Project, azure: Azure) -> None:
    """Somebody marks a server, an app and an environment."""
    for key in ("postgresql_server", "container_app/web", "container_apps_env"):
        record = project.state()["resources"][key]
        tags = live_body(azure, record).get("tags") or {}
        by_hand(azure, record["id"], record["api_version"], {"tags": {**tags, "theirs": "1"}})


def add_to_app(project: Project, azure: Azure) -> None:
    """Somebody adds a secret by value, and a variable that has it."""
    record = project.state()["resources"]["container_app/web"]
    properties = live_body(azure, record)["properties"]
    values = azure.send("POST", f"{record['id']}/listSecrets", record["api_version"]).json()["value"]
    known = {item["name"]: item for item in [*values, *(properties["configuration"]["secrets"] or [])]}
    secrets = [*known.values(), *([] if "theirs" in known else [{"name": "theirs", "value": "x"}])]
    (container, *more) = properties["template"]["containers"]
    variables = [one for one in container.get("env") or [] if one["name"] != "THEIRS"]
    container["env"] = [*variables, {"name": "THEIRS", "secretRef": "theirs"}]
    template = {"containers": [container, *more]}
    changes = {"configuration": {"secrets": secrets}, "template": template}
    by_hand(azure, record["id"], record["api_version"], {"properties": changes})


def add_identity(project: Project, azure: Azure) -> None:
    """Somebody gives an app an identity of another deployment."""
    group = project.state()["resources"]["resource_group"]["id"]
    theirs = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/theirs"
    azure.send("PUT", theirs, "2024-11-30", {"location": "eastus2"})
    record = project.state()["resources"]["container_app/worker"]
    identity = live_body(azure, record)["identity"]
    own = {key: {} for key in identity["userAssignedIdentities"]}
    body = {"identity": {"type": identity["type"], "userAssignedIdentities": {**own, theirs: {}}}}
    by_hand(azure, record["id"], record["api_version"], body)


def change_ingress(project: Project, azure: Azure) -> None:
    """Somebody opens an app to a script of another site."""
    record = project.state()["resources"]["container_app/web"]
    policy = {"allowedOrigins": ["https://theirs.example"]}
    ingress = {"configuration": {"ingress": {"corsPolicy": policy}}}
    by_hand(azure, record["id"], record["api_version"], {"properties": ingress})


def delete(key: str, project: Project, azure: Azure) -> None:
    """Somebody deletes a resource of ours."""
    record = project.state()["resources"][key]
    azure.delete(record["id"], record["api_version"])


def put_secret(project: Project, azure: Azure) -> None:
    """Somebody gives the vault another value of a secret of ours."""
    vault = project.state()["resources"]["key_vault"]
    azure.send("PUT", f"{vault['id']}/secrets/token", vault["api_version"], {"properties": {"value": "theirs"}})


EDITS = {
    "tag": tag, "variable and secret": add_to_app, "identity": add_identity, "ingress": change_ingress,
    "secret": put_secret, "app deleted": partial(delete, "container_app/worker"),
    "role deleted": partial(delete, "role/read-secrets"), "settings deleted": partial(delete, "diagnostic_setting"),
}  # fmt: skip


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


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WarmProject, Azure]]:
    """One deployment for many pairs, whose emulator goes on: its start is what takes longest."""
    with ExitStack() as stack:
        project = stack.enter_context(warm_project(tmp_path_factory.mktemp("pairs")))
        project.write(configured({}))
        project.deploy()
        yield project, stack.enter_context(project.azure())


EXAMPLES = examples(12)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@EXAMPLES
@given(changes=CHANGES, set_by_hand=HANDS)
def test_what_is_announced_is_what_is_done_whatever_is_changed(
    everything: tuple[WarmProject, Azure], changes: dict[str, Any], set_by_hand: list[tuple[str, int]]
) -> None:
    """From the configuration before to this one, others' changes in between; PLAN_EXAMPLES says how many."""
    project, azure = everything
    for key, number in set_by_hand:
        note = set_one(azure, hands(project, [key])[0], number)
        print("by hand:", note)
    project.write(configured(changes))

    check_run(project, azure)
    check_rest(project, azure)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@EXAMPLES
@given(changes=RELATIVES, edits=st.lists(st.sampled_from(sorted(EDITS)), max_size=3, unique=True))
def test_what_is_announced_is_what_is_done_whatever_others_did(
    everything: tuple[WarmProject, Azure], changes: dict[str, Any], edits: list[str]
) -> None:
    """Others add, delete and replace in between, whatever is renamed, disabled or moved."""
    project, azure = everything
    for name in sorted(edits, key=lambda name: "deleted" in name):
        EDITS[name](project, azure)
    print("others:", edits)
    project.write(configured(changes))

    check_run(project, azure)
    check_rest(project, azure)
