"""`--destroy`, `--prune` and `--forget`: what goes, what stays, what forbids it, and how it continues."""

from __future__ import annotations

import json
import re
import signal
import time
from typing import Any

import pytest
from project import Project, hold_time, let_time_pass, wait_for

LOCKS = "2020-05-01"
GROUPS = "2025-04-01"
DATA = {"key_vault", "postgresql_server", "redis", "container_registry"}


def _group(project: Project) -> str:
    return str(project.state()["resources"]["resource_group"]["id"])


def _listed(project: Project, group: str) -> set[str]:
    """Types of the top-level resources in the group; nothing where the group is gone."""
    with project.azure() as azure:
        groups = azure.send("GET", f"{group.rsplit('/', 1)[0]}", GROUPS).json()["value"]
        if group.lower() not in {one["id"].lower() for one in groups}:
            return set()
        return {item["type"].lower() for item in azure.send("GET", f"{group}/resources", GROUPS).json()["value"]}


def _exists(project: Project, resource_id: str, version: str) -> bool:
    with project.azure() as azure:
        return azure.exists(resource_id, version)


def _put(project: Project, path: str, version: str, body: Any) -> None:
    with project.azure() as azure:
        azure.send("PUT", path, version, body)


def test_destroy_deletes_everything_but_data(deployed: Project) -> None:
    """Apps, jobs, environment, monitoring and identity go; what holds data stays, and with it the group."""
    group = _group(deployed)

    result = deployed.run("--destroy", "--auto-approve")

    assert result.code == 0, result.text
    assert _listed(deployed, group) == {
        "microsoft.keyvault/vaults",
        "microsoft.dbforpostgresql/flexibleservers",
        "microsoft.cache/redisenterprise",
        "microsoft.containerregistry/registries",
    }
    assert set(deployed.state()["resources"]) >= DATA
    assert not any(key.startswith(("container_app", "job/", "role/")) for key in deployed.state()["resources"])
    assert "--include-data" in result.text


def test_destroy_with_data_deletes_the_group_and_empties_the_state(deployed: Project) -> None:
    """Nothing that this lineage made is left; a second one is a success that does nothing."""
    group = _group(deployed)

    result = deployed.run("--destroy", "--include-data", "--auto-approve")

    assert result.code == 0, result.text
    assert _listed(deployed, group) == set()
    assert deployed.state()["resources"] == {}
    assert deployed.state()["steps"] == {}
    again = deployed.run("--destroy", "--include-data", "--auto-approve")
    assert again.code == 0, again.text
    assert "nothing to" in again.text.lower()


@pytest.mark.slow
def test_deployment_after_destroy_makes_everything_again(deployed: Project) -> None:
    """With the data that was kept, and without running a migration on it twice."""
    executions = deployed.executions()
    password = deployed.secret("postgresql-admin-password")
    assert deployed.run("--destroy", "--auto-approve").code == 0

    result = deployed.run()

    assert result.code == 0, result.text
    assert executions
    assert deployed.executions() == []
    assert deployed.secret("postgresql-admin-password") == password
    assert deployed.run().code == 0


def test_dry_run_lists_what_would_go_in_order_and_deletes_nothing(deployed: Project) -> None:
    """Dependants first; what stays with its reason."""
    before = len(deployed.requests())

    result = deployed.run("--destroy", "--dry-run")

    assert result.code == 0, result.text
    assert deployed.run("--destroy", "--dry-run", "--detailed-exitcode").code == 2
    assert result.out.index("container_app/api_gateway") < result.out.index("container_apps_env")
    assert result.out.index("container_apps_env") < result.out.index("log_analytics")
    assert "key_vault" in result.out
    assert "holds data" in result.out
    assert deployed.writes(before) == []


def test_without_a_yes_nothing_is_deleted(deployed: Project) -> None:
    """Without a terminal only --auto-approve says yes."""
    before = len(deployed.requests())

    result = deployed.run("--destroy")

    assert result.code == 1
    assert "--auto-approve" in result.text
    assert deployed.writes(before) == []


@pytest.mark.parametrize("where", ["group", "resource"])
def test_lock_forbids_the_whole(deployed: Project, where: str) -> None:
    """Before anything is deleted; the message has the command that removes the lock."""
    resources = deployed.state()["resources"]
    scope = resources["resource_group" if where == "group" else "log_analytics"]["id"]
    path = f"{scope}/providers/Microsoft.Authorization/locks/keep"
    _put(deployed, path, LOCKS, {"properties": {"level": "CanNotDelete"}})
    before = len(deployed.requests())

    result = deployed.run("--destroy", "--auto-approve")

    assert result.code == 1
    assert "az lock delete" in result.text
    assert deployed.writes(before) == []


@pytest.mark.slow
def test_resource_of_someone_else_in_the_group_stays_and_the_group_with_it(deployed: Project) -> None:
    """It is named."""
    group = _group(deployed)
    theirs = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/theirs"
    _put(deployed, theirs, "2024-11-30", {"location": "eastus2"})

    result = deployed.run("--destroy", "--include-data", "--auto-approve")

    assert result.code == 0, result.text
    assert _listed(deployed, group) == {"microsoft.managedidentity/userassignedidentities"}
    assert "theirs" in result.text


def test_app_of_someone_else_in_our_environment_forbids_the_whole(deployed: Project) -> None:
    """Deleting the environment would take it along."""
    resources = deployed.state()["resources"]
    theirs = f"{_group(deployed)}/providers/Microsoft.App/containerApps/theirs"
    containers = [{"name": "main", "image": "nginx:1", "resources": {"cpu": 0.25, "memory": "0.5Gi"}}]
    body = {
        "location": "eastus2",
        "properties": {"environmentId": resources["container_apps_env"]["id"], "template": {"containers": containers}},
    }
    _put(deployed, theirs, "2026-01-01", body)
    before = len(deployed.requests())

    result = deployed.run("--destroy", "--auto-approve")

    assert result.code == 1
    assert "containerapps/theirs" in result.text.lower()
    assert deployed.writes(before) == []


@pytest.mark.slow
def test_what_this_deployment_did_not_create_stays(project: Project) -> None:
    """An adopted registry is kept, and still recorded."""
    project.deploy()
    registry = project.state()["resources"]["container_registry"]["id"]
    document = project.state()
    document["resources"]["container_registry"]["created"] = False
    project.state_file.write_text(json.dumps(document), encoding="utf-8")

    result = project.run("--destroy", "--include-data", "--auto-approve")

    assert result.code == 0, result.text
    assert _exists(project, registry, "2025-11-01")
    assert "not created by this deployment" in result.text


def test_resource_that_is_already_gone_is_not_a_failure(deployed: Project) -> None:
    """Gone is gone."""
    resources = deployed.state()["resources"]
    with deployed.azure() as azure:
        azure.delete(resources["container_app/qdrant"]["id"], "2026-01-01")
        azure.delete(resources["redis"]["id"], "2025-07-01")

    result = deployed.run("--destroy", "--include-data", "--auto-approve")

    assert result.code == 0, result.text
    assert deployed.state()["resources"] == {}


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 3, 9, 14])
def test_interrupted_destroy_is_continued_by_the_next(deployed: Project, number: int) -> None:
    """Each resource leaves the state as it goes."""
    group = _group(deployed)
    before = len(deployed.requests())
    with deployed.start("--destroy", "--include-data", "--auto-approve") as process:
        wait_for(
            lambda: sum(one["method"] == "DELETE" for one in deployed.requests()[before:]) > number,
            process,
            "not enough was deleted",
        )
        process.send_signal(signal.SIGKILL)
        process.wait()

    result = deployed.run("--destroy", "--include-data", "--auto-approve")

    assert result.code == 0, result.text
    assert _listed(deployed, group) == set()
    assert deployed.state()["resources"] == {}


@pytest.mark.slow
def test_no_step_counts_as_done_whose_resource_an_interrupted_destroy_deleted(deployed: Project) -> None:
    """A deployment after it is whole again."""
    before = len(deployed.requests())
    with deployed.start("--destroy", "--auto-approve") as process:
        wait_for(
            lambda: any(one["method"] == "DELETE" for one in deployed.requests()[before:]), process, "nothing deleted"
        )
        process.send_signal(signal.SIGKILL)
        process.wait()

    result = deployed.run()

    assert result.code == 0, result.text
    for record in deployed.state()["resources"].values():
        assert _exists(deployed, record["id"], record["api_version"]), record["id"]


@pytest.mark.slow
@pytest.mark.parametrize("point", ["the group", "the environment"])
def test_interrupted_deployment_can_be_destroyed(project: Project, point: str) -> None:
    """Resources still being created when the run is killed are waited for, and deleted."""
    ending = {"the group": "/resourcegroups/draftgenie-rg", "the environment": "/managedenvironments/draftgenie-env"}
    with project.start(*project.faults(scale=0.005)) as process:
        wait_for(
            lambda: any(one.startswith("PUT") and one.lower().endswith(ending[point]) for one in project.writes()),
            process,
            "it did not come that far",
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
    group = _group(project)

    result = project.run("--destroy", "--include-data", "--auto-approve")

    assert result.code == 0, result.text
    assert _listed(project, group) == set()
    assert project.state()["resources"] == {}
    assert project.state()["operations"] == {}


@pytest.mark.slow
def test_storage_of_the_environment_goes_with_it(project: Project) -> None:
    """And alone, where the environment stays."""
    share = {
        "type": "azure_file", "mount_path": "/data", "account_name": "theirs", "account_key": "a2V5",
        "share_name": "data",
    }  # fmt: skip
    project.change("services.qdrant.volume", share)
    project.deploy()
    (key,) = [key for key in project.state()["resources"] if "storage" in key]
    storage = project.state()["resources"][key]
    project.change("services.qdrant.volume", None)
    project.deploy()

    pruned = project.run("--prune", "--auto-approve")

    assert pruned.code == 0, pruned.text
    assert not _exists(project, storage["id"], storage["api_version"])
    project.change("services.qdrant.volume", share)
    project.deploy()
    result = project.run("--destroy", "--include-data", "--auto-approve")
    assert result.code == 0, result.text
    assert project.state()["resources"] == {}


@pytest.mark.slow
def test_setting_of_a_server_that_stays_is_not_deleted(deployed: Project) -> None:
    """Azure deletes no server parameter."""
    deployed.change("postgresql.extensions", ["pgcrypto"])
    deployed.deploy()
    deployed.change("postgresql.extensions", [])
    deployed.deploy()
    before = len(deployed.requests())

    result = deployed.run("--prune", "--include-data", "--auto-approve")

    assert result.code == 0, result.text
    assert deployed.writes(before) == []
    assert deployed.run("--destroy", "--include-data", "--auto-approve").code == 0
    assert deployed.state()["resources"] == {}


@pytest.mark.slow
def test_what_someone_puts_into_the_group_meanwhile_keeps_it(deployed: Project) -> None:
    """The group is looked at once more before it is deleted."""
    group = _group(deployed)
    theirs = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/theirs"
    before = len(deployed.requests())
    with deployed.start(
        *deployed.faults(scale=0.01), "--destroy", "--include-data", "--auto-approve"
    ) as process:
        wait_for(
            lambda: [one for one in deployed.writes(before) if re.match(r"DELETE \S+/managedEnvironments/\S+$", one)],
            process,
            "the environment was not deleted",
        )
        hold_time(deployed)
        _put(deployed, theirs, "2024-11-30", {"location": "eastus2"})
        let_time_pass(deployed)
        _, shown = process.communicate(timeout=60)

    assert process.returncode == 0, shown
    assert "resource_group stays: it now contains theirs" in shown
    assert _exists(deployed, theirs, "2024-11-30")
    assert set(deployed.state()["resources"]) == {"resource_group"}


@pytest.mark.slow
def test_purge_runs_beside_the_rest(deployed: Project) -> None:
    """It takes ten minutes, as long as everything else: the environment is not waited for."""
    before = len(deployed.requests())

    result = deployed.run(
        *deployed.faults(scale=0.002), "--destroy", "--include-data", "--purge", "--auto-approve"
    )

    assert result.code == 0, result.text
    requests = [(one["method"], one["path"].lower()) for one in deployed.requests()[before:]]
    purge = next(number for number, (_, path) in enumerate(requests) if path.endswith("/purge"))
    environment = [number for number, (_, path) in enumerate(requests) if "/managedenvironments/" in path]
    assert purge < max(environment)
    assert deployed.state()["resources"] == {}


@pytest.mark.slow
def test_vault_of_a_killed_purge_is_purged_by_the_next(deployed: Project) -> None:
    """Wherever it was killed: the region is recorded before the vault is deleted."""
    vault = deployed.state()["resources"]["key_vault"]
    arguments = ("--destroy", "--include-data", "--purge", "--auto-approve")
    before = len(deployed.requests())
    with deployed.start(*arguments) as process:
        wait_for(
            lambda: f"DELETE {vault['id']}" in deployed.writes(before),
            process,
            "the vault was not deleted",
        )
        process.send_signal(signal.SIGKILL)
        process.wait()

    result = deployed.run(*arguments)

    assert result.code == 0, result.text
    with deployed.azure() as azure:
        path = f"{vault['id'].split('/resourceGroups/')[0]}/providers/Microsoft.KeyVault/deletedVaults"
        assert azure.send("GET", path, "2026-02-01").json()["value"] == []
    assert deployed.state()["resources"] == {}


def test_purge_lets_the_vaults_name_be_taken_again(deployed: Project) -> None:
    """The deleted vault is gone as well, and with it its secrets."""
    vault = deployed.state()["resources"]["key_vault"]

    result = deployed.run("--destroy", "--include-data", "--purge", "--auto-approve")

    assert result.code == 0, result.text
    subscription = vault["id"].split("/resourceGroups/")[0]
    with deployed.azure() as azure:
        path = f"{subscription}/providers/Microsoft.KeyVault/deletedVaults"
        assert azure.send("GET", path, "2026-02-01").json()["value"] == []
    assert deployed.state()["resources"] == {}


@pytest.mark.slow
def test_purge_protection_refuses_a_purge_before_anything_is_deleted(project: Project) -> None:
    """Not after the rest is gone."""
    project.change("key_vault.purge_protection", True)
    project.deploy()
    before = len(project.requests())

    result = project.run("--destroy", "--include-data", "--purge", "--auto-approve")

    assert result.code == 1
    assert "purge protection" in result.text
    assert project.writes(before) == []


@pytest.mark.slow
def test_prune_deletes_what_left_the_configuration(deployed: Project) -> None:
    """And nothing else."""
    deployed.change("services.extra", {"image": "nginx:1.27", "port": 8080})
    deployed.deploy()
    app = deployed.state()["resources"]["container_app/extra"]["id"]
    deployed.change("services.extra", None)
    deployed.deploy()
    assert deployed.state()["resources"]["container_app/extra"]["orphaned"]
    assert _exists(deployed, app, "2026-01-01")

    dry = deployed.run("--prune", "--dry-run")
    before = len(deployed.requests())
    result = deployed.run("--prune", "--auto-approve")

    assert "container_app/extra" in dry.out
    assert result.code == 0, result.text
    assert deployed.writes(before) == [f"DELETE {app}"]
    assert not _exists(deployed, app, "2026-01-01")
    assert "container_app/extra" not in deployed.state()["resources"]
    assert "nothing to prune" in deployed.run("--prune").text
    assert "0 ran" in deployed.run().text


@pytest.mark.slow
def test_prune_keeps_what_the_configuration_names_again(deployed: Project) -> None:
    """Its next run uses them: a database is not deleted with its data."""
    deployed.change("services.extra", {"image": "nginx:1.27", "port": 8080})
    deployed.change("postgresql.databases", ["extra"])
    deployed.deploy()
    named = deployed.config()
    deployed.change("services.extra", None)
    deployed.change("postgresql.databases", [])
    deployed.deploy()
    deployed.write(named)
    before = len(deployed.requests())

    result = deployed.run("--prune", "--include-data", "--auto-approve")

    assert result.code == 0, result.text
    assert "container_app/extra, postgresql_database/extra: the configuration names it again" in result.text
    assert result.text.count("Nothing to delete.") == 1
    assert deployed.writes(before) == []
    deployed.deploy()
    assert "nothing to prune" in deployed.run("--prune").text


@pytest.mark.slow
def test_prune_of_an_earlier_vault_keeps_what_is_known_of_the_new_one(deployed: Project) -> None:
    """Its secrets are those of the vault that is in use."""
    deployed.change("key_vault.name", "draftgenie-kv-second")
    deployed.deploy("--force-step", "create_key_vault")
    secrets = deployed.state()["secrets"]
    assert secrets

    result = deployed.run("--prune", "--include-data", "--auto-approve")

    assert result.code == 0, result.text
    assert deployed.state()["secrets"] == secrets
    assert not any(key.startswith("key_vault@") for key in deployed.state()["resources"])
    assert "0 ran" in deployed.run().text


@pytest.mark.slow
def test_app_that_someone_else_made_under_the_same_name_stays(deployed: Project) -> None:
    """An app has no tag of its creation; its creation time identifies it."""
    record = deployed.state()["resources"]["container_app/rag_service"]
    with deployed.azure() as azure:
        body = azure.send("GET", record["id"], "2026-01-01").json()
        azure.delete(record["id"], "2026-01-01")
        time.sleep(1.1)  # the time is compared to the second
        containers = [{"name": "main", "image": "nginx:1", "resources": {"cpu": 0.25, "memory": "0.5Gi"}}]
        properties = {"environmentId": body["properties"]["environmentId"], "template": {"containers": containers}}
        azure.send("PUT", record["id"], "2026-01-01", {"location": body["location"], "properties": properties})
    before = len(deployed.requests())

    result = deployed.run("--destroy", "--dry-run")

    assert "keep   container_app/rag_service: the resource of this name was created by" in result.text
    assert "delete container_app/api_gateway" in result.text
    assert deployed.run("--destroy", "--auto-approve").code == 1  # it uses the environment
    assert deployed.writes(before) == []
    assert _exists(deployed, record["id"], "2026-01-01")


def test_forget_drops_the_record_and_keeps_the_resource(deployed: Project) -> None:
    """And refuses a key that there is not, with the nearest one."""
    app = deployed.state()["resources"]["container_app/qdrant"]["id"]
    before = len(deployed.requests())

    wrong = deployed.run("--forget", "container_app/qdrnt")
    result = deployed.run("--forget", "container_app/qdrant")

    assert wrong.code == 1
    assert "container_app/qdrant" in wrong.text
    assert result.code == 0, result.text
    assert "container_app/qdrant" not in deployed.state()["resources"]
    assert deployed.writes(before) == []
    assert _exists(deployed, app, "2026-01-01")


def test_forget_drops_what_goes_on_with_the_resource(deployed: Project) -> None:
    """The address of an operation is signed; nobody waits for it any more. `--status` has the keys to name."""
    document = deployed.state()
    resource_id = document["resources"]["redis"]["id"]
    document["operations"] = {resource_id: {"kind": "status", "url": "https://management.azure.com/operation?s=1"}}
    deployed.state_file.write_text(json.dumps(document), encoding="utf-8")
    (status,) = deployed.run("--status", "--output", "json").events()
    assert status["resources"]["redis"] == resource_id

    assert deployed.run("--forget", "redis").code == 0

    assert deployed.state()["operations"] == {}


def test_forced_step_is_not_for_a_command_that_runs_none(project: Project) -> None:
    """Bad usage, not a flag without effect."""
    for forced in (("--force-all",), ("--force-step", "create_databases")):
        result = project.run("--destroy", *forced)

        assert result.code == 1
        assert f"{forced[0]} is for a deployment: --destroy runs no step" in result.text
