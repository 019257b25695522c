"""Optional features of apps: invalid configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from draftgenie_azure.config.raw import load
from draftgenie_azure.config.validated.schema import Config
from draftgenie_azure.errors import ConfigError

SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n"
ZONES = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/privateDnsZones"
ZONE = f"{ZONES}/demo.private.postgres.database.azure.com"
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"

WEB = {"image": "nginx", "port": 8080, "ingress": "external", "transport": "auto"}


def made(path: Path, web: dict[str, Any] | None = None, **sections: Any) -> Config:
    """A configuration with one service."""
    values: dict[str, Any] = {
        "azure": {"cloud": "AzureCloud", "resource_group": "demo-rg", "location": "eastus2"},
        "key_vault": {"name": "demo-kv"},
        "container_apps": {"environment_name": "demo-env"},
        "secrets": {"token": "a-real-value"},
        "services": {"web": {**WEB, **(web or {})}},
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section} if isinstance(section, dict) else section
    (path / "c.yaml").write_text(yaml.safe_dump(values))
    return load([str(path / "c.yaml")], {})


def fault(path: Path, web: dict[str, Any] | None = None, **sections: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        made(path, web, **sections)
    (found,) = caught.value.faults
    return f"{found.key}: {found.message}"


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"zone_redundant": True}, "container_apps.zone_redundant: needs `subnet_id`"),
        ({"internal": True}, "container_apps.internal: needs `subnet_id`"),
        ({"subnet_id": "my-subnet"}, "container_apps.subnet_id: must be the resource id of a subnet"),
        ({"workload_profiles": [{"name": "Consumption", "type": "D4"}]}, "0.name: duplicate name `Consumption`"),
        ({"workload_profiles": [{"name": "a", "type": "D4"}, {"name": "A", "type": "D8"}]}, "1.name: duplicate name"),
        ({"workload_profiles": [{"name": "a", "type": "D4", "minimum_count": 3}]}, "minimum_count: must not exceed"),
        ({"workload_profiles": [{"name": "a"}]}, "workload_profiles.0.type: is required"),
    ],
)  # fmt: skip
def test_invalid_environment_settings_are_reported(tmp_path: Path, section: dict[str, Any], words: str) -> None:
    assert words in fault(tmp_path, container_apps=section)


DOMAIN = {"name": "app.example.com"}
MULTIPLE = {"revision_mode": "Multiple"}
NEWEST: dict[str, Any] = {"latest_revision": True, "weight": 100}
OLD: dict[str, Any] = {"revision_name": "web--1", "weight": 0}
RULE = {"name": "office", "ip_address_range": "203.0.113.0/24", "action": "Allow"}


@pytest.mark.parametrize(
    ("web", "words"),
    [
        ({"workload_profile": "big"}, "services.web.workload_profile: is not one of container_apps.workload_profiles"),
        ({"ip_restrictions": [{**RULE, "ip_address_range": "300.1.1.1"}]}, "0.ip_address_range: must be an IPv4"),
        ({"ip_restrictions": [{**RULE, "ip_address_range": "10.0.0.1/8"}]}, "0.ip_address_range: must be an IPv4"),
        ({"ip_restrictions": [{**RULE, "ip_address_range": "2001:db8::/32"}]}, "must be an IPv4 address or range"),
        ({"args": ["--to", "{{ secrets.token }}"]}, "args: `{{ secrets.token }}` is not allowed here"),
        ({"command": "run {{ services.web.url | urlencode }}"}, "`{{ services.web.url }}` is not allowed here"),
        (
            {"scale": {"rules": [{"name": "q", "type": "rabbitmq", "metadata": {"host": "{{ rabbitmq.url }}"}}]}},
            "scale.rules.0.metadata.host: `{{ rabbitmq.url }}` is not allowed here",
        ),
        ({"ip_restrictions": [RULE, RULE]}, "ip_restrictions.1.name: duplicate name `office`"),
        ({"ip_restrictions": [RULE, {**RULE, "name": "b", "action": "Deny"}]}, "must have the same action"),
        ({"ip_restrictions": [{**RULE, "action": "allow"}]}, "must be one of Allow, Deny"),
        ({"ip_restrictions": [RULE], "ingress": "none"}, "ip_restrictions: needs an ingress"),
        ({"cors": {"allowed_origins": []}}, "cors.allowed_origins: must not be empty"),
        ({"cors": {"allowed_origins": ["*"], "allow_credentials": True}}, "cannot be combined with the origin `*`"),
        ({"cors": {"allowed_origin": ["*"]}}, "did you mean `allowed_origins`"),
        ({"session_affinity": True, "ingress": "internal", "transport": "tcp"}, "session_affinity: needs an HTTP"),
        ({"session_affinity": "sometimes"}, "session_affinity: must be true or false"),
        ({"traffic": [{"latest_revision": True, "weight": 100}]}, "traffic: needs `revision_mode: Multiple`"),
        ({**MULTIPLE, "traffic": [{"latest_revision": True, "weight": 90}]}, "must add up to 100; they add up to 90"),
        ({**MULTIPLE, "traffic": []}, "must add up to 100; they add up to 0"),
        ({**MULTIPLE, "traffic": [{"weight": 100}]}, "traffic.0.revision_name: give either `revision_name` or"),
        ({**MULTIPLE, "traffic": [{"revision_name": "other--1", "weight": 100}]}, "must be a revision of this app"),
        ({**MULTIPLE, "traffic": [{**NEWEST, "label": "a"}, {**OLD, "label": "a"}]}, "1.label: duplicate value `a`"),
        ({**MULTIPLE, "traffic": [NEWEST, OLD, OLD]}, "traffic.2.revision_name: duplicate value `web--1`"),
        ({**MULTIPLE, "traffic": [{**NEWEST, "label": "A"}]}, "traffic.0.label: must be lower case letters"),
        ({**MULTIPLE, "traffic": [{**NEWEST, "weight": 101}]}, "traffic.0.weight: must be at most 100"),
        ({**MULTIPLE, "traffic": [NEWEST], "ingress": "internal", "transport": "tcp"}, "needs an HTTP ingress"),
        ({**MULTIPLE, "session_affinity": True}, "session_affinity: is for `revision_mode: Single`"),
        ({"custom_domains": [{"name": "web"}]}, "custom_domains.0.name: must be a host name in lower case"),
        ({"custom_domains": [DOMAIN, DOMAIN]}, "custom_domains.1.name: duplicate name `app.example.com`"),
        ({"custom_domains": [{"name": "*.example.com"}]}, "0.certificate: must be the name of a certificate"),
        ({"custom_domains": [{"name": f"{'a' * 60}.example.com"}]}, "has more than 64 characters"),
        ({"custom_domains": [DOMAIN], "ingress": "none"}, "custom_domains: need an HTTP ingress"),
        ({"custom_domains": [DOMAIN], "ingress": "internal"}, "only for a public app"),
        ({"custom_domains": [{**DOMAIN, "certificate": "a/b"}]}, "certificate: must be `managed`, or the name"),
        ({"custom_domains": [{**DOMAIN, "validation": "MAIL"}]}, "must be one of CNAME, HTTP, TXT"),
        ({"revision_mode": "multiple"}, "revision_mode: must be one of Single, Multiple"),
        ({"dapr": {"app_id": "My App"}}, "dapr.app_id: must be lower case letters"),
        ({"dapr": {"app_protocol": "tcp"}}, "dapr.app_protocol: must be one of http, grpc"),
        ({"scale": {"rules": [{"name": "q", "type": "x", "auth": {"host": "GONE"}}]}}, "auth.host: `GONE` is not"),
        ({"scale": {"rules": [{"name": "q", "type": "rabbitmq", "identity": "x"}]}}, "identity: must be `app`"),
        ({"scale": {"rules": [{"name": "q", "type": "cpu", "identity": "app"}]}}, "not supported for a rule"),
        (
            {"scale": {"http_concurrent_requests": 5, "rules": [{"name": "http", "type": "cpu"}]}},
            "rules.0.name: duplicate name `http`: it is the name of the rule of `http_concurrent_requests`",
        ),
        ({"scale": {"rules": [{"name": "a", "type": "tcp"}]}}, "rules.0.type: needs an ingress with `transport: tcp`"),
        ({"scale": {"rules": [{"name": "a", "type": "http"}]}, "ingress": "none"}, "0.type: needs an HTTP ingress"),
        ({"dapr": {"app_id": "app-"}}, "dapr.app_id: must be lower case letters"),
        ({"ingress": "external", "transport": "tcp"}, "own: container_apps.subnet_id"),
        ({"ingress": "none", "additional_ports": [9000]}, "additional_ports: need an ingress"),
        (
            {"ingress": "internal", "transport": "tcp", "exposed_port": 5700, "additional_ports": [5700]},
            "additional_ports.0: duplicate port 5700",
        ),
        ({"volume": {"mount_path": "/"}}, "volume.mount_path: must be a directory below `/`"),
        ({"volume": {"mount_path": "/data:ro"}}, "volume.mount_path: must be a directory below `/`, without a colon"),
        ({"environment": {"SECRETS_VERSION": "1"}}, "SECRETS_VERSION: is a variable that the deployment sets itself"),
    ],
)  # fmt: skip
def test_invalid_service_settings_are_reported(tmp_path: Path, web: dict[str, Any], words: str) -> None:
    assert words in fault(tmp_path, web)


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        ("monitoring", {"daily_cap_gb": 0}, "monitoring.daily_cap_gb: must be more than 0"),
        ("monitoring", {"sampling_percentage": 101}, "monitoring.sampling_percentage: must be at most 100"),
        ("postgresql", {"auto_grow": "often"}, "postgresql.auto_grow: must be true or false"),
        ("postgresql", {"parameters": {"Max-Conn": 1}}, "parameters.Max-Conn: must be a server parameter's name"),
        ("postgresql", {"parameters": {"work_mem": [1]}}, "postgresql.parameters.work_mem: must be text"),
        (
            "postgresql",
            {"parameters": {"azure.extensions": "vector"}, "extensions": ["vector"]},
            "parameters.azure.extensions: conflicts with `extensions`",
        ),
        ("postgresql", {"subnet_id": SUBNET}, "postgresql.subnet_id: needs `private_dns_zone_id`"),
        ("postgresql", {"private_dns_zone_id": ZONE}, "postgresql.private_dns_zone_id: needs `subnet_id`"),
        ("postgresql", {"subnet_id": "net", "private_dns_zone_id": ZONE}, "subnet_id: must be the resource id"),
        ("postgresql", {"subnet_id": SUBNET, "private_dns_zone_id": SUBNET}, "resource id of a private DNS zone"),
        (
            "postgresql",
            {"subnet_id": SUBNET, "private_dns_zone_id": f"{ZONES}/a.example.com"},
            "must be a zone whose name ends with `.postgres.database.azure.com`",
        ),
        (
            "postgresql",
            {"subnet_id": SUBNET, "private_dns_zone_id": f"{ZONES}/demo.postgres.database.azure.com"},
            "must be a zone whose name differs from the server's",
        ),
    ],
)
def test_other_invalid_settings_are_reported(tmp_path: Path, section: str, values: dict[str, Any], words: str) -> None:
    names = {
        "monitoring": {"log_workspace": "demo-logs", "app_insights": "demo"},
        "postgresql": {"server_name": "demo"},
    }

    assert words in fault(tmp_path, **{section: {**names[section], **values}})


CLOUD = {
    "resource_manager": "https://arm.example:8443/", "authority": "https://login.example/adfs",
    "vault_suffix": ".vault.example", "registry_suffix": "cr.example", "storage_suffix": "st.example",
    "postgres_suffix": "pg.example",
}  # fmt: skip


@pytest.mark.parametrize(
    ("cloud", "words"),
    [
        ({"resource_manager": "http://arm.example"}, "resource_manager: must begin with https://"),
        ({"resource_manager": "https://user:word@arm.example"}, "resource_manager: must be https://HOST"),
        ({"resource_manager": "https://arm.example/?to=x"}, "resource_manager: must be https://HOST"),
        ({"resource_manager": "https://arm.example."}, "resource_manager: must be https://HOST"),
        ({"authority": "https://l\u043egin.example"}, "authority: must be https://HOST"),
        ({"authority": "https://login.example\\@other.example"}, "authority: must be https://HOST"),
        ({"vault_suffix": "https://vault.example"}, "vault_suffix: must be the end of host names"),
        ({"vault_suffix": "vault.example@other.example"}, "vault_suffix: must be the end of host names"),
        ({"registry_suffix": "cr.example/x"}, "registry_suffix: must be the end of host names"),
        ({"storage_suffix": "st example"}, "storage_suffix: must be the end of host names"),
        ({"postgres_suffix": "pg.example#"}, "postgres_suffix: must be the end of host names"),
        ({"proxy": "proxy.example:3128"}, "proxy: must begin with http:// or https://"),
    ],
)
def test_endpoints_that_could_be_read_as_another_host_are_reported(
    tmp_path: Path, cloud: dict[str, str], words: str
) -> None:
    azure = {"resource_group": "demo-rg", "location": "eastus2", "cloud": CLOUD}
    assert made(tmp_path, azure=azure).endpoints.vault_suffix == "vault.example"

    assert words in fault(tmp_path, azure={**azure, "cloud": {**CLOUD, **cloud}})


@pytest.mark.parametrize(
    ("registry", "words"),
    [
        ({"server": "ghcr.io"}, "registries.0: needs `identity`, or `username` and `secret`"),
        ({"server": "https://ghcr.io/x", "identity": "app"}, "0.server: must be a host, such as ghcr.io"),
        ({"server": "ghcr.io", "identity": "app"}, "0.identity: signs in only to Azure's registries"),
        ({"server": "a.azurecr.io", "identity": "me"}, "0.identity: must be `app` or the resource id"),
        ({"server": "a.azurecr.io", "identity": "app", "username": "u"}, "cannot be combined with `username`"),
        ({"server": "ghcr.io", "username": "u"}, "0.secret: is required with `username`"),
        ({"server": "ghcr.io", "secret": "token"}, "0.username: is required with `secret`"),
        ({"server": "ghcr.io", "username": "u", "secret": "tokn"}, "did you mean `token`"),
        ({"server": "demodemo.azurecr.io", "identity": "app"}, "0.server: is the deployment's own registry"),
        ({"server": "ghcr.io", "username": "u", "password": "p"}, "0.password: is not a known key"),
    ],
)
def test_invalid_registries_are_reported(tmp_path: Path, registry: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, container_registry={"name": "demodemo"}, registries=[registry])

    assert words in f"{caught.value.faults[0].key}: {caught.value.faults[0].message}"


def test_duplicate_registry_is_reported(tmp_path: Path) -> None:
    registry = {"server": "a.azurecr.io", "identity": "app"}

    with pytest.raises(ConfigError) as caught:
        made(tmp_path, registries=[registry, {**registry, "server": "A.azurecr.io"}])

    assert str(caught.value.faults[0].key) == "registries.1.server"


def test_extension_that_must_be_preloaded_is_reported(tmp_path: Path) -> None:
    section: dict[str, Any] = {"server_name": "demo", "extensions": ["pg_cron", "timescaledb"]}

    (notice,) = [text for text in made(tmp_path, postgresql=section).notices if "postgresql" in text]
    loaded = section | {"parameters": {"shared_preload_libraries": "pg_cron,timescaledb"}}

    assert "CREATE EXTENSION timescaledb fails until the server loads timescaledb" in notice
    assert not any("extension" in text.lower() for text in made(tmp_path, postgresql=loaded).notices)


NETWORK = {"environment_name": "demo-env", "subnet_id": SUBNET}


def test_app_in_a_network_may_be_reached_over_tcp_from_outside(tmp_path: Path) -> None:
    config = made(tmp_path, {"ingress": "external", "transport": "tcp"}, container_apps=NETWORK)
    assert config.services["web"].exposed_port == config.services["web"].port


def test_managed_certificate_needs_an_environment_that_the_internet_reaches(tmp_path: Path) -> None:
    """Azure's issuer asks the app (learn.microsoft.com, custom-domains-managed-certificates)."""
    words = fault(tmp_path, {"custom_domains": [DOMAIN]}, container_apps={**NETWORK, "internal": True})
    assert "only for a public app" in words


@pytest.mark.parametrize(("memory", "right"), [("3Gi", True), ("0.5Gi", True), ("lots", False), ("3GB", False),
                                               ("0Gi", False)])  # fmt: skip
def test_memory_on_a_profile_of_ones_own_is_free_but_a_size(tmp_path: Path, memory: str, right: bool) -> None:
    profiles = {"environment_name": "demo-env", "workload_profiles": [{"name": "big", "type": "D4"}]}
    web = {"workload_profile": "big", "memory": memory}
    if right:
        assert made(tmp_path, web, container_apps=profiles).services["web"].memory == memory
    else:
        assert "web.memory: memory must be a number and `Gi`" in fault(tmp_path, web, container_apps=profiles)


def test_service_that_nothing_starts_again_is_reported(tmp_path: Path) -> None:
    asleep = {"ingress": "none", "min_replicas": 0}
    words = "once at zero replicas, nothing starts it again"
    assert any(words in text for text in made(tmp_path, asleep).notices)
    rule = {"scale": {"rules": [{"name": "q", "type": "azure-queue", "identity": "app"}]}}
    for awake in ({**asleep, **rule}, {**asleep, "min_replicas": 1}, {"min_replicas": 0}):
        assert not any(words in text for text in made(tmp_path, awake).notices)


def test_private_server_with_an_environment_without_network_is_reported(tmp_path: Path) -> None:
    section = {"server_name": "demo", "subnet_id": SUBNET, "private_dns_zone_id": ZONE}

    assert any("container_apps.subnet_id" in text for text in made(tmp_path, postgresql=section).notices)
    both = made(tmp_path, postgresql=section, container_apps={"subnet_id": SUBNET.replace("/n", "/apps")})
    assert not any("container_apps.subnet_id" in text for text in both.notices)


def test_valid_settings_are_accepted(tmp_path: Path) -> None:
    web = {
        "workload_profile": "big", "cpu": 3, "memory": "5Gi", "ip_restrictions": [RULE, {**RULE, "name": "vpn"}],
        "cors": {"allowed_origins": ["https://a.example"], "allow_credentials": True, "max_age": 600},
        "session_affinity": True, "dapr": {"app_protocol": "grpc"}, "secrets": {"URL": "{{ secrets.token }}"},
        "scale": {"rules": [
            {"name": "q", "type": "rabbitmq", "auth": {"host": "URL"}},
            {"name": "p", "type": "azure-queue", "identity": IDENTITY},
        ]},
    }  # fmt: skip
    section = {"subnet_id": SUBNET, "zone_redundant": True, "internal": False,
               "workload_profiles": [{"name": "big", "type": "D4"}]}  # fmt: skip

    assert made(tmp_path, web, container_apps=section).services["web"].workload_profile == "big"
