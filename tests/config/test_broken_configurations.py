"""Any input yields a configuration or faults, never a traceback."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path

import pytest
from configurations import SHIPPED, over
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from draftgenie_azure.config import raw as configuration
from draftgenie_azure.config.raw import load, read
from draftgenie_azure.errors import ConfigError

# ------------------------------------------------------------------------------------------------------ robustness

ENOUGH = 60  # seconds of the processor, of which these need at most two; a search that is not linear takes hours


def test_two_hundred_services_are_read_in_time(good: Path) -> None:
    text = "services:\n" + "".join(
        f"  s{n}:\n    image: x\n    port: 80\n    exposed_port: {n + 1000}\n    environment:\n"
        + "".join(f"      V{m}: '{{{{ services.s{(n + m) % 200}.url }}}}'\n" for m in range(20))
        for n in range(200)
    )
    start = time.process_time()

    config = over(good, text)

    assert len(config.services) == 203
    assert time.process_time() - start < ENOUGH


_WORKER = "services: {worker: "


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"k{n}: 1\n" for n in range(20_000)),
        "services:\n" + "".join(f"  s{n}: {{cpu: x}}\n" for n in range(10_000)),
        _WORKER + "{environment: {" + ",".join(f"A{n}: '{{{{ services.s{n}.url }}}}'" for n in range(15_000)) + "}}}",
        _WORKER + "{environment: {" + ",".join(f"A{n}: '{{{{ secrets.given }}}}'" for n in range(15_000)) + "}}}",
        "services: {worker: {environment: {A: '" + "{{ services.api.url }}" * 20_000 + "'}}}",
        "services: {worker: {environment: {A: '" + "{{ a" * 200_000 + "'}}}",
        "services: {worker: {port: 1" + "_" * 900_000 + ":30}}",
        "services: {worker: {" + "p" * 900_000 + ": 1}}",
        "services: {worker: {name: " + "a-" * 400_000 + "}}",
        "services: {worker: {command: '" + "x " * 400_000 + "', port: x}}",
        "key_vault: {name: " + "a-" * 400_000 + "}",
        "secrets: {given: '" + "your " * 180_000 + "'}\n" + _WORKER + "{environment: {A: '{{ secrets.given }}'}}}",
        "tags: {" + ",".join(f"t{n}: x" for n in range(20_000)) + "}",
        "migrations: [" + ",".join("{service: nobody, command: x}" for n in range(8_000)) + "]",
    ],
)  # fmt: skip
def test_a_large_faulty_file_is_refused_in_time(good: Path, text: str) -> None:
    start = time.process_time()
    try:
        over(good, text)
    except ConfigError as error:
        assert len(error.faults) <= 200
        assert len(str(error)) < 100_000
    assert time.process_time() - start < ENOUGH


SHIPPED_LINES = SHIPPED.read_text().splitlines()
SCRAPS = st.sampled_from(
    ["", "~", "[]", "{}", "yes", "1:30", "012", "{{ x }}", "{{", "${X}", "${", "*node", "&a", "-1", ".inf",
     "<<: *python",
     "!!int x", "- a", "'", "é\u2028", "1e999", "\t", "9" * 20, "a: b: c"]
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["value", "value", "drop", "double", "scrap", "indent", "swap", "cut"]),
                  st.integers(0, len(SHIPPED_LINES) - 1), SCRAPS | st.text(max_size=12)),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_a_mutated_file_gives_a_config_or_faults_and_nothing_else(
    tmp_path: Path, changes: list[tuple[str, int, str]]
) -> None:
    lines = list(SHIPPED_LINES)
    for what, number, scrap in changes:
        at = number % max(1, len(lines))
        line = lines[at] if lines else ""
        if what == "drop":
            lines[at : at + 1] = []
        elif what == "double":
            lines.insert(at, line)
        elif what == "value":
            lines[at : at + 1] = [line.partition(":")[0] + ": " + scrap]
        elif what == "scrap":
            lines.insert(at, scrap)
        elif what == "indent":
            lines[at : at + 1] = ["  " + line]
        elif what == "swap" and lines:
            lines[at], lines[-1] = lines[-1], line
        else:
            lines[at:] = [line[: len(line) // 2]]
    path = tmp_path / "config.yaml"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))

    try:
        config = load([str(path)], {"X": "1"})
    except ConfigError as error:
        assert error.faults
        assert all(fault.file for fault in error.faults)
    else:
        for key in config.services:
            config.variables(key)
        json.dumps(config.raw.values)
        assert config.vault_secrets() is not None


def leaves(value: object, key: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in [(*key, name), *leaves(item, (*key, name))]]
    return []


ODD = st.sampled_from([None, True, 0, -1, 1.5, "", "x", "{{ a.b }}", "{{ postgresql.url }}", "{{", [], [None], [[]], {},
                       {"a": 1}, {"generate": True}, {"value": "x"}, "Standard_D2ds_v5", 10**30, "\x00", "é",
                       float("nan")])  # fmt: skip


@pytest.mark.slow
@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 10_000), ODD), min_size=1, max_size=4))
def test_odd_values_anywhere_give_a_config_or_faults(changes: list[tuple[int, object]]) -> None:
    raw = read([str(SHIPPED)], {})
    for number, odd in changes:
        places = leaves(raw.values)
        *above, last = places[number % len(places)]
        inner: dict[str, object] = raw.values
        for name in above:
            inner = inner[name]  # type: ignore[assignment]
        inner[last] = copy.deepcopy(odd)

    try:
        config = configuration.validate(raw)
    except ConfigError as error:
        assert error.faults
    else:
        assert config.vault_secrets() is not None
        assert config.databases() is not None


@pytest.mark.parametrize(
    ("cloud", "manager", "suffixes"),
    [
        ("AzureCloud", "management.azure.com", "vault.azure.net azurecr.io postgres.database.azure.com"),
        ("AzureUSGovernment", "management.usgovcloudapi.net",
         "vault.usgovcloudapi.net azurecr.us postgres.database.usgovcloudapi.net"),
        ("AzureChinaCloud", "management.chinacloudapi.cn",
         "vault.azure.cn azurecr.cn postgres.database.chinacloudapi.cn"),
    ],
)  # fmt: skip
def test_each_cloud_has_its_endpoints(good: Path, cloud: str, manager: str, suffixes: str) -> None:
    endpoints = over(good, f"azure: {{cloud: {cloud}}}\nredis: ~").endpoints

    assert endpoints.name == cloud
    assert endpoints.resource_manager == f"https://{manager}"
    assert endpoints.scope == f"https://{manager}/.default"
    assert f"{endpoints.vault_suffix} {endpoints.registry_suffix} {endpoints.postgres_suffix}" == suffixes
