"""Optional features of apps: sent, read back, removed again, untouched without a key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from by_hand import by_hand, resource, settle
from plain_project import APPS, PLAIN, check_types, live
from project import Project

ENVIRONMENTS = "2026-01-01"
NETWORKS = "2025-05-01"
FEATURES: dict[str, Any] = {
    "ip_restrictions": [{"name": "office", "ip_address_range": "203.0.113.7", "action": "Allow"}],
    "cors": {"allowed_origins": ["https://a.example"], "allowed_methods": ["GET"], "max_age": 600},
    "session_affinity": True,
    "dapr": {"app_protocol": "http", "log_level": "warn"},
    "termination_seconds": 45,
}


@pytest.fixture
def plain(tmp_path: Path) -> Project:
    """A small project without any such key."""
    project = Project(tmp_path)
    project.write(PLAIN)
    return project


def featured(project: Project) -> None:
    values = project.config()
    values["services"]["web"] |= FEATURES
    values["services"]["worker"]["scale"] = {
        "rules": [
            {"name": "q", "type": "rabbitmq", "metadata": {"queueName": "q"}, "auth": {"host": "BROKER"}},
            {"name": "s", "type": "azure-queue", "metadata": {"queueName": "s"}, "identity": "app"},
        ]
    }
    values["container_apps"]["workload_profiles"] = [{"name": "big", "type": "D4", "maximum_count": 2}]
    values["monitoring"] |= {"daily_cap_gb": 2.5, "sampling_percentage": 50}
    project.write(values)


@pytest.mark.slow
def test_features_are_sent_as_azure_spells_them(plain: Project) -> None:
    featured(plain)

    plain.deploy()

    check_types(plain)
    ingress = live(plain, "container_app/web")["configuration"]["ingress"]
    assert ingress["ipSecurityRestrictions"] == [
        {"name": "office", "ipAddressRange": "203.0.113.7/32", "action": "Allow"}
    ]
    assert ingress["corsPolicy"]["allowedOrigins"] == ["https://a.example"]
    assert ingress["corsPolicy"]["maxAge"] == 600
    assert ingress["stickySessions"] == {"affinity": "sticky"}
    dapr = live(plain, "container_app/web")["configuration"]["dapr"]
    assert (dapr["enabled"], dapr["appId"], dapr["appPort"], dapr["logLevel"]) == (True, "web", 8080, "warn")
    assert live(plain, "container_app/web")["template"]["terminationGracePeriodSeconds"] == 45
    first, second = live(plain, "container_app/worker")["template"]["scale"]["rules"]
    assert first["custom"]["auth"] == [{"secretRef": "token", "triggerParameter": "host"}]
    assert second["custom"]["identity"].lower() == plain.state()["resources"]["identity"]["id"].lower()
    profiles = live(plain, "container_apps_env", ENVIRONMENTS)["workloadProfiles"]
    assert {profile["name"] for profile in profiles} == {"Consumption", "big"}
    assert live(plain, "log_analytics", "2025-02-01")["workspaceCapping"]["dailyQuotaGb"] == 2.5
    assert live(plain, "app_insights", "2020-02-02")["SamplingPercentage"] == 50
    assert plain.deploy().ran() == {}


@pytest.mark.slow
def test_features_added_later_reach_the_existing_app(plain: Project) -> None:
    plain.deploy()
    featured(plain)

    plain.deploy()

    assert live(plain, "container_app/web")["configuration"]["ingress"]["stickySessions"] == {"affinity": "sticky"}
    since = len(plain.requests())
    assert plain.deploy().ran() == {}
    assert plain.writes(since) == []


def test_without_a_key_the_value_set_by_others_is_kept(plain: Project) -> None:
    plain.deploy()
    web = plain.state()["resources"]["container_app/web"]["id"]
    with plain.azure() as azure:
        body = azure.send("GET", web, APPS).json()
        body["properties"]["configuration"]["ingress"]["stickySessions"] = {"affinity": "sticky"}
        kept = ("location", "identity", "tags", "properties")
        azure.send("PUT", web, APPS, {name: body[name] for name in kept if name in body})
    plain.change("services.web.max_replicas", 4)

    plain.deploy()

    properties = live(plain, "container_app/web")
    assert properties["template"]["scale"]["maxReplicas"] == 4
    assert properties["configuration"]["ingress"]["stickySessions"] == {"affinity": "sticky"}


@pytest.mark.slow
def test_a_rule_that_leaves_the_configuration_is_removed(plain: Project) -> None:
    featured(plain)
    plain.deploy()
    values = plain.config()
    for name in FEATURES:
        del values["services"]["web"][name]
    plain.write(values)

    plain.deploy()

    configuration = live(plain, "container_app/web")["configuration"]
    assert not configuration["ingress"].get("ipSecurityRestrictions")
    assert not configuration["ingress"].get("corsPolicy")


@pytest.mark.slow
@pytest.mark.parametrize("custom_domains", [None, [{"name": "app.example.com"}]])
def test_ingress_that_someone_switched_off_is_reported_and_put_back_by_a_refresh(
    plain: Project, custom_domains: list[dict[str, str]] | None
) -> None:
    plain.deploy()
    with plain.azure() as azure:
        by_hand(azure, resource(plain, "container_app/web"), APPS, {"properties": {"configuration": {"ingress": None}}})
        plain.change("services.web.max_replicas", 4)
        if custom_domains:
            plain.change("services.web.custom_domains", custom_domains)

        failed = plain.run()

        assert failed.code == 1
        words = " ".join(failed.text.split())
        assert "web: its ingress is disabled in Azure. Run with --refresh" in words
        assert "Traceback" not in failed.text
        plain.run("--refresh")
        assert live(plain, "container_app/web")["configuration"]["ingress"]["external"] is True


@pytest.mark.slow
def test_ingress_that_someone_made_internal_stays_so_and_is_not_asked(plain: Project) -> None:
    plain.deploy()
    with plain.azure() as azure:
        internal = {"properties": {"configuration": {"ingress": {"external": False}}}}
        by_hand(azure, resource(plain, "container_app/web"), APPS, internal)
        plain.change("services.web.max_replicas", 4)

        done = plain.run()

        assert done.code == 0, done.text
        assert "was not verified from here: its ingress is internal in Azure" in " ".join(done.text.split())
        assert live(plain, "container_app/web")["configuration"]["ingress"]["external"] is False
        plain.run("--refresh")
        assert live(plain, "container_app/web")["configuration"]["ingress"]["external"] is True


@pytest.mark.slow
def test_app_that_answers_403_by_its_own_rules_is_unproved_and_reported(plain: Project) -> None:
    plain.change("services.web.ip_restrictions", FEATURES["ip_restrictions"])
    path = "web.*.azurecontainerapps.io/*"
    refused = {"method": "GET", "path": path, "status": 403, "code": "Forbidden", "times": 9}

    closed = plain.run(*plain.faults(refused))

    assert closed.code == 0, closed.text
    assert "was not verified from here: its ip_restrictions return 403" in " ".join(closed.text.split())
    assert plain.state()["steps"]["verify_deployment"]["outputs"]["checks"]["web"] == "unproved"


def into_a_network(project: Project) -> None:
    """Create a network by hand, and have the environment in its subnet."""
    stop = {"method": "PUT", "path": "*/managedEnvironments/*", "status": 403, "code": "AuthorizationFailed"}
    assert project.run(*project.faults(stop)).code == 1, "the group is there, the environment is not"
    delegation = {"name": "apps", "properties": {"serviceName": "Microsoft.App/environments"}}
    subnet = {"name": "apps", "properties": {"addressPrefix": "10.0.0.0/23", "delegations": [delegation]}}
    addresses = {"addressPrefixes": ["10.0.0.0/16"]}
    network = f"{resource(project, 'resource_group')}/providers/Microsoft.Network/virtualNetworks/net"
    with project.azure() as azure:
        body = {"location": "eastus2", "properties": {"addressSpace": addresses, "subnets": [subnet]}}
        settle(azure, azure.send("PUT", network, NETWORKS, body), NETWORKS)
    project.change("container_apps.subnet_id", f"{network}/subnets/apps")


@pytest.mark.slow
def test_app_in_a_network_is_reached_over_tcp_from_outside(plain: Project) -> None:
    """Only there does Azure offer it; the next run has nothing to write."""
    broker = {"image": "rabbitmq:3", "port": 5672, "ingress": "external", "transport": "tcp", "exposed_port": 5700}
    into_a_network(plain)
    plain.change("services.broker", broker)

    plain.deploy()

    ingress = live(plain, "container_app/broker")["configuration"]["ingress"]
    assert (ingress["external"], ingress["exposedPort"], ingress["targetPort"]) == (True, 5700, 5672)
    before = len(plain.requests())
    plain.deploy("--force-step", "deploy_infrastructure_services")
    assert plain.writes(before) == []


@pytest.mark.slow
def test_app_of_an_internal_environment_that_cannot_be_reached_is_unproved_and_reported(plain: Project) -> None:
    into_a_network(plain)
    plain.change("container_apps.internal", True)
    silent = {"method": "GET", "path": "web.*.azurecontainerapps.io/*", "drop": "before", "times": 9}

    closed = plain.run(*plain.faults(silent))

    assert closed.code == 0, closed.text
    assert "was not verified from here: its environment is internal" in " ".join(closed.text.split())
    assert plain.state()["steps"]["verify_deployment"]["outputs"]["checks"]["web"] == "unproved"
