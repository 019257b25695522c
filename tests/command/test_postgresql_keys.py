"""Server parameters and private servers: set, changed, taken out, set by hand, refused; by the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from by_hand import settle
from project import Azure, Project

pytestmark = pytest.mark.slow
PG = "2025-08-01"
NETWORKS, ZONES = "2025-09-01", "2024-06-01"
CONFIG: dict[str, Any] = {
    "azure": {"cloud": "emulator", "resource_group": "demo-rg", "location": "eastus2"},
    "key_vault": {"name": "demo-kv"},
    "postgresql": {"server_name": "demo-pg", "database_name": "app"},
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A vault and a server, nothing else."""
    made = Project(tmp_path)
    made.write(CONFIG)
    return made


def parameter(project: Project, name: str) -> dict[str, Any]:
    with project.azure() as azure:
        return shown(project, azure, name)


def shown(project: Project, azure: Azure, name: str) -> dict[str, Any]:
    server = project.state()["resources"]["postgresql_server"]["id"]
    found: dict[str, Any] = azure.send("GET", f"{server}/configurations/{name}", PG).json()["properties"]
    return found


def restarts(project: Project) -> int:
    return sum(write.endswith("/restart") for write in project.writes())


def test_parameters_are_set_changed_and_reset_with_a_restart_if_required(project: Project) -> None:
    project.change("postgresql.parameters", {"max_connections": 100, "log_lock_waits": True})

    result = project.deploy()

    assert parameter(project, "max_connections")["value"] == "100"
    assert parameter(project, "log_lock_waits")["value"] == "on"
    assert parameter(project, "max_connections")["isConfigPendingRestart"] is False
    assert restarts(project) == 1
    assert "was restarted for max_connections" in result.text
    since = len(project.requests())
    assert project.deploy().ran() == {}
    assert project.writes(since) == []

    project.change("postgresql.parameters", {"max_connections": 100, "log_lock_waits": False})
    project.deploy()
    assert parameter(project, "log_lock_waits")["value"] == "off"
    assert restarts(project) == 1

    project.change("postgresql.parameters", {"log_lock_waits": False})
    plan = project.run("--dry-run")
    project.deploy()
    assert "parameter/max_connections: change" in plan.text
    assert "restart (for max_connections)" in plan.text
    assert parameter(project, "max_connections")["value"] == "50"
    assert restarts(project) == 2
    assert not any(key.endswith("max_connections") for key in project.state()["resources"])
    assert project.deploy().ran() == {}


def test_parameter_set_by_hand_stays(project: Project) -> None:
    project.deploy()
    server = project.state()["resources"]["postgresql_server"]["id"]
    with project.azure() as azure:
        body = {"properties": {"value": "200", "source": "user-override"}}
        settle(azure, azure.send("PUT", f"{server}/configurations/max_connections", PG, body), PG)
    project.change("postgresql.parameters", {"work_mem": 8192})

    project.deploy()

    assert parameter(project, "max_connections")["value"] == "200"
    assert restarts(project) == 0, "somebody else's change waits for somebody else's restart"


def test_extensions_that_leave_the_configuration_are_removed(project: Project) -> None:
    project.change("postgresql.extensions", ["uuid-ossp", "vector"])
    project.deploy()
    assert parameter(project, "azure.extensions")["value"] == "uuid-ossp,vector"
    project.change("postgresql.extensions", None)

    project.deploy()

    assert parameter(project, "azure.extensions")["value"] == ""


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"max_conections": 100}, "did you mean `max_connections`"),
        ({"max_connections": 5}, "allowed: 25-5000"),
        ({"server_encoding": "LATIN1"}, "cannot be set"),
        ({"wal_level": "minimal"}, "allowed: replica,logical"),
    ],
)
def test_parameter_that_the_server_does_not_accept_is_refused_in_the_plan(
    project: Project, parameters: dict[str, Any], words: str
) -> None:
    project.deploy()
    project.change("postgresql.parameters", parameters)

    plan = project.run("--dry-run")
    since = len(project.requests())
    done = project.run()

    assert words in " ".join(plan.text.replace("│", "").split())
    assert done.code == 1
    assert words in " ".join(done.text.split())
    assert not any("/configurations/" in write for write in project.writes(since))


def test_run_that_was_interrupted_before_the_restart_restarts(project: Project) -> None:
    project.change("postgresql.parameters", {"max_connections": 100})
    fault = {"method": "POST", "path": "*/restart", "status": 403, "code": "AuthorizationFailed"}
    assert project.run(*project.faults(fault)).code == 1

    project.deploy()

    assert parameter(project, "max_connections")["isConfigPendingRestart"] is False


def made_network(project: Project) -> tuple[str, str]:
    """A delegated subnet and a private zone, created by others."""
    with project.azure() as azure:
        group = project.state()["resources"]["resource_group"]["id"]
        network = f"{group}/providers/Microsoft.Network/virtualNetworks/net"
        delegation = {"name": "pg", "properties": {"serviceName": "Microsoft.DBforPostgreSQL/flexibleServers"}}
        subnet = {"name": "pg", "properties": {"addressPrefix": "10.0.1.0/24", "delegations": [delegation]}}
        body = {
            "location": "eastus2",
            "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]},
        }
        settle(azure, azure.send("PUT", network, NETWORKS, body), NETWORKS)
        zone = f"{group}/providers/Microsoft.Network/privateDnsZones/demo.private.postgres.database.azure.com"
        settle(azure, azure.send("PUT", zone, ZONES, {"location": "global"}), ZONES)
    return f"{network}/subnets/pg", zone


def test_private_server_is_made_in_its_network_without_a_firewall_and_stays_there(project: Project) -> None:
    values = project.config()
    project.write({key: value for key, value in values.items() if key != "postgresql"})
    project.deploy()
    subnet, zone = made_network(project)
    values["postgresql"] |= {"subnet_id": subnet, "private_dns_zone_id": zone}
    project.write(values)

    project.deploy()

    server = project.state()["resources"]["postgresql_server"]["id"]
    with project.azure() as azure:
        network = azure.send("GET", server, PG).json()["properties"]["network"]
    assert network["delegatedSubnetResourceId"] == subnet
    assert network["publicNetworkAccess"] == "Disabled"
    assert not any("firewallRules" in write for write in project.writes())
    since = len(project.requests())
    assert project.deploy("--force-step", "create_databases").code == 0
    assert project.writes(since) == []

    for section in (
        {"server_name": "demo-pg", "database_name": "app"},
        values["postgresql"] | {"subnet_id": f"{subnet}2"},
    ):
        project.write(values | {"postgresql": section})
        for result in (project.run("--dry-run"), project.run()):
            assert "network.delegatedSubnetResourceId" in " ".join(result.text.split())
            assert "cannot change this after creation" in " ".join(result.text.split())


def test_public_server_does_not_move_into_a_network(project: Project) -> None:
    project.deploy()
    subnet, zone = made_network(project)
    values = project.config()
    values["postgresql"] |= {"subnet_id": subnet, "private_dns_zone_id": zone}
    project.write(values)
    since = len(project.requests())

    done = project.run()

    assert done.code == 1
    assert "cannot change this after creation" in " ".join(done.text.split())
    assert not any("flexibleServers" in write for write in project.writes(since))
