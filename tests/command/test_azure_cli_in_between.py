"""Changes with the Azure CLI between runs: its additions are kept, and its changes of ours are reported."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from azure_cli import AzureCli
from by_hand import APPS, PG, live, resource
from hand_sweep import EVERY_TYPE
from project import Project

from azure_emulator.attach import attach

G = ("-g", "demo-rg")
WEB = (*G, "-n", "web")


def deployed_plainly(directory: Path) -> Project:
    """A deployment whose app has none of the keys that are set here."""
    project = Project(directory)
    values = copy.deepcopy(EVERY_TYPE)
    plain = {"image": "nginx", "port": 8080, "ingress": "external", "transport": "auto", "environment": {"A": "1"}}
    values["services"] = {"web": plain, "worker": values["services"]["worker"]}
    del values["redis"]
    project.write(values)
    project.deploy()
    return project


@pytest.mark.program("az")
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_the_azure_cli_sets_in_between_is_kept(tmp_path: Path) -> None:
    """Ingress, identity, registry and secrets of an app, a server, and tags."""
    project = deployed_plainly(tmp_path)
    with project.azure() as azure, attach(tmp_path / ".azure-emulator") as attached:
        az = AzureCli(attached, tmp_path)
        rule = ("--rule-name", "office", "--ip-address", "203.0.113.0/24", "--action", "Allow")
        az("containerapp", "ingress", "access-restriction", "set", *WEB, *rule)
        az("containerapp", "ingress", "cors", "enable", *WEB, "--allowed-origins", "https://a.example.com")
        az("containerapp", "identity", "assign", *WEB, "--system-assigned")
        az("containerapp", "secret", "set", *WEB, "--secrets", "theirs=value-of-theirs")
        az("containerapp", "registry", "set", *WEB, "--server", "ghcr.io", "--username", "u", "--password", "p")
        server = resource(project, "postgresql_server")
        window = ("--maintenance-window", "Sun:8:30")
        az("postgres", "flexible-server", "update", *G, "-n", "demo-pg", "--backup-retention", "21", *window)
        az("tag", "update", "--resource-id", server, "--operation", "merge", "--tags", "owner=them")
        web = resource(project, "container_app/web")
        app, database = live(azure, web, APPS), live(azure, server, PG)

        project.change("services.web.environment", {"A": "2"})
        project.change("services.web.secrets", {"TOKEN": "{{ secrets.token }}"})
        project.change("postgresql.storage_size", 64)
        result = project.run()

        assert result.code == 0, result.text
        assert "postgresql_server, changed by others and kept: ~ backup.backupRetentionDays: 21 → 7" in result.text
        after, configuration = live(azure, web, APPS), app["properties"]["configuration"]
        found = after["properties"]["configuration"]
        assert found["ingress"] == configuration["ingress"]
        assert found["registries"] == configuration["registries"]
        assert set(after["identity"]["type"].replace(" ", "").split(",")) == {"SystemAssigned", "UserAssigned"}
        names = {item["name"] for item in configuration["secrets"]}
        assert {item["name"] for item in found["secrets"]} == names | {"token"}
        listed = azure.send("POST", f"{web}/listSecrets", APPS).json()["value"]
        values = {one["name"]: one.get("value") for one in listed}
        assert values["theirs"] == "value-of-theirs" and values[(names - {"theirs"}).pop()] == "p"
        kept = live(azure, server, PG)
        assert kept["tags"] == database["tags"] and kept["tags"]["owner"] == "them"
        assert kept["properties"]["maintenanceWindow"] == database["properties"]["maintenanceWindow"]
        assert kept["properties"]["backup"]["backupRetentionDays"] == 21
        assert kept["properties"]["storage"]["storageSizeGB"] == 64

        # and it reads what was changed
        shown = az("containerapp", "show", *WEB)["properties"]["template"]["containers"][0]["env"]
        assert {item["name"]: item.get("value") for item in shown}["A"] == "2"
        project.deploy("--refresh")
        server_shown = az("postgres", "flexible-server", "show", *G, "-n", "demo-pg")
        assert server_shown["backup"]["backupRetentionDays"] == 7
        assert server_shown["maintenanceWindow"]["startHour"] == 8
