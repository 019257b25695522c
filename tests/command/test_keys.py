"""Each key of what applications need of Azure: set, changed, taken out again, and left alone where it is not there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from hand_sweep import EVERY_TYPE, Hand, alike, hands, live, write
from hand_values import Address, get, put
from project import Azure
from warm_command import WarmProject, needs_fork, warm_project

pytestmark = [pytest.mark.slow, needs_fork]
WEB = "container_app/web"
_CONFIGURATION, _SCALE = ("properties", "configuration"), ("properties", "template", "scale")
_INGRESS = (*_CONFIGURATION, "ingress")


@dataclass(frozen=True)
class Case:
    """One key.

    Attributes:
        key: dotted, in the configuration.
        resource: the record's key.
        address: its path in Azure.
        first: the configured value, and what Azure shows.
        second: the same for another value.
        gone: the value in Azure after the key was removed.
        by_hand: the value set by hand without the key.
    """

    key: str
    resource: str
    address: Address
    first: tuple[Any, Any]
    second: tuple[Any, Any]
    by_hand: Any
    gone: Any = None


def _rule(name: str, address: str) -> dict[str, Any]:
    return {"name": name, "ip_address_range": address, "action": "Allow"}


def _shown_rule(name: str, address: str) -> dict[str, Any]:
    return {"name": name, "ipAddressRange": address, "action": "Allow"}


CASES = [
    Case("services.web.ip_restrictions", WEB, (*_INGRESS, "ipSecurityRestrictions"),
         ([_rule("a", "203.0.113.7")], [_shown_rule("a", "203.0.113.7/32")]),
         ([_rule("b", "203.0.113.0/24")], [_shown_rule("b", "203.0.113.0/24")]),
         [_shown_rule("theirs", "198.51.100.0/24")]),
    Case("services.web.cors", WEB, (*_INGRESS, "corsPolicy", "allowedOrigins"),
         ({"allowed_origins": ["https://a.example"]}, ["https://a.example"]),
         ({"allowed_origins": ["https://b.example", "https://c.example"]}, ["https://b.example", "https://c.example"]),
         ["https://theirs.example"]),
    Case("services.web.session_affinity", WEB, (*_INGRESS, "stickySessions", "affinity"),
         (True, "sticky"), (False, "none"), "none"),  # by hand too, since many revisions forbid the other word
    Case("services.web.dapr", WEB, (*_CONFIGURATION, "dapr", "logLevel"),
         ({"log_level": "warn"}, "warn"), ({"log_level": "debug"}, "debug"), "error"),
    Case("services.web.scale", WEB, (*_SCALE, "rules"),
         ({"rules": [{"name": "q", "type": "rabbitmq", "metadata": {"queueName": "q"}, "auth": {"host": "BROKER"}}]},
          [{"name": "q", "custom": {"type": "rabbitmq", "metadata": {"queueName": "q"},
                                    "auth": [{"secretRef": "token", "triggerParameter": "host"}]}}]),
         ({"rules": [{"name": "q", "type": "cpu", "metadata": {"type": "Utilization", "value": "70"}}]},
          [{"name": "q", "custom": {"type": "cpu", "metadata": {"type": "Utilization", "value": "70"}}}]),
         [{"name": "theirs", "custom": {"type": "cpu", "metadata": {"type": "Utilization", "value": "50"}}}]),
    Case("services.web.command", WEB, ("properties", "template", "containers", 0, "command"),
         (["serve"], ["serve"]), (["serve", "--all"], ["serve", "--all"]), ["theirs"]),
    Case("services.web.args", WEB, ("properties", "template", "containers", 0, "args"),
         (["--all"], ["--all"]), (["--some"], ["--some"]), ["--theirs"]),
    Case("services.web.environment.ONE", WEB, ("properties", "template", "containers", 0, "env"),
         ("1", [{"name": "ONE", "value": "1"}]), ("2", [{"name": "ONE", "value": "2"}]),
         [{"name": "THEIRS", "value": "1"}]),
    Case("tags.team", "container_registry", ("tags", "team"), ("a", "a"), ("A", "A"), "theirs"),
    Case("container_apps.workload_profiles", "container_apps_env", ("properties", "workloadProfiles", 1),
         ([{"name": "big", "type": "D4", "maximum_count": 2}],
          {"name": "big", "workloadProfileType": "D4", "minimumCount": 0, "maximumCount": 2}),
         ([{"name": "big", "type": "D4", "maximum_count": 3}],
          {"name": "big", "workloadProfileType": "D4", "minimumCount": 0, "maximumCount": 3}),
         {"name": "theirs", "workloadProfileType": "D8", "minimumCount": 0, "maximumCount": 1}),
    Case("monitoring.daily_cap_gb", "log_analytics", ("properties", "workspaceCapping", "dailyQuotaGb"),
         (2.5, 2.5), (3, 3), 4, gone=-1),
    Case("monitoring.sampling_percentage", "app_insights", ("properties", "SamplingPercentage"),
         (50, 50), (25, 25), 10),
    Case("postgresql.auto_grow", "postgresql_server", ("properties", "storage", "autoGrow"),
         (True, "Enabled"), (False, "Disabled"), "Enabled", gone="Disabled"),
    Case("services.web.revision_mode", WEB, (*_CONFIGURATION, "activeRevisionsMode"),
         ("Multiple", "Multiple"), ("Single", "Single"), "Multiple", gone="Single"),
]  # fmt: skip


def configured(**keys: Any) -> dict[str, Any]:
    """The configuration with some dotted keys."""
    values = copy.deepcopy(EVERY_TYPE)
    web = {"image": "nginx", "port": 8080, "ingress": "external", "transport": "auto"}
    values["services"]["web"] = {**web, "secrets": {"BROKER": "{{ secrets.token }}"}}
    for key, value in keys.items():
        *above, last = key.split(".")
        section = values
        for name in above:
            section = section.setdefault(name, {})
        section[last] = value
    return values


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WarmProject, Azure]]:
    """A deployment without any of the keys; each case leaves it so, except for values set by hand."""
    with ExitStack() as stack:
        project = stack.enter_context(warm_project(tmp_path_factory.mktemp("keys")))
        project.write(configured())
        project.deploy()
        yield project, stack.enter_context(project.azure())


def shows(body: Any, case: Case, wanted: Any) -> bool:
    """Return whether Azure shows a value, ignoring additions by Azure and by others in the same list."""
    found = get(body, case.address)
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], dict):
        return all(any(_within(one, item) for item in found or []) for one in wanted)
    return _within(wanted, found)


def _within(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_within(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], dict):
        return isinstance(found, list) and all(map(_within, wanted, found))
    return (wanted in (None, [], "") and found in (None, [], "")) or alike(found, wanted)


def deploy(project: WarmProject, **keys: Any) -> None:
    """Deploy with these keys, and once more, which changes nothing."""
    project.write(configured(**keys))
    project.deploy()
    assert project.deploy().ran() == {}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_key_is_set_changed_taken_out_and_left_alone_where_it_is_not_there(
    plain: tuple[WarmProject, Azure], case: Case
) -> None:
    """Values removed from the configuration are removed; values set by hand without a key are kept."""
    project, azure = plain
    (hand,) = hands(project, [case.resource])
    before = get(live(azure, hand), case.address)
    for value, wanted in (case.first, case.second):
        deploy(project, **{case.key: value})
        assert shows(live(azure, hand), case, wanted), get(live(azure, hand), case.address)

    deploy(project)
    assert shows(live(azure, hand), case, case.gone) or get(live(azure, hand), case.address) == before
    assert not shows(live(azure, hand), case, case.second[1]) or case.second[1] == case.gone

    set_by_hand(azure, hand, case)
    deploy(project, **{"tags.related": case.key, "services.web.max_replicas": 9})
    assert shows(live(azure, hand), case, case.by_hand)
    assert project.run("--dry-run", "--refresh", "--detailed-exitcode").code == 0
    deploy(project)


def set_by_hand(azure: Azure, hand: Hand, case: Case) -> None:
    """Somebody's write of the same property."""
    body = live(azure, hand)
    there = get(body, case.address)
    more = isinstance(there, list) and there and isinstance(there[0], dict)
    put(body, case.address, [*there, *case.by_hand] if more else case.by_hand)
    answer = write(azure, hand, body, case.address)
    assert answer.status_code < 300, answer.text()
