"""Resources changed by others: their additions are kept, their changes of ours reported, our removals applied."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from by_hand import APPS, PG, by_hand, live, put_by_hand, resource, settle
from project import Project

VAULT = "2026-02-01"
INSIGHTS = "2020-02-02"


def writes(project: Project, since: int) -> list[str]:
    """Method and last name of what our runs wrote."""
    return [f"{line.split()[0]} {line.rsplit('/', 1)[-1]}" for line in project.writes(since)]


HANDMADE = {
    "properties": {
        "configuration": {
            "ingress": {
                "ipSecurityRestrictions": [{"name": "office", "ipAddressRange": "203.0.113.0/24", "action": "Allow"}],
                "corsPolicy": {"allowedOrigins": ["https://shop.example.org"]},
                "stickySessions": {"affinity": "sticky"},
            },
            "dapr": {"enabled": True, "appId": "gateway", "appPort": 8000},
            "secrets": None,
        }
    }
}


def test_one_changed_variable_changes_nothing_else(deployed: Project) -> None:
    """Allow list, CORS, affinity and Dapr of the gateway are as they were."""
    gateway = resource(deployed, "container_app/api_gateway")
    by_hand_body = copy.deepcopy(HANDMADE)
    del by_hand_body["properties"]["configuration"]["secrets"]
    with deployed.azure() as azure:
        by_hand(azure, gateway, APPS, by_hand_body)
        before = live(azure, gateway, APPS)
        since = len(deployed.requests())
        deployed.change("services.api_gateway.environment.MORE", "1")

        deployed.deploy()

        after = live(azure, gateway, APPS)
        assert after["properties"]["configuration"] == before["properties"]["configuration"]
        assert [line for line in writes(deployed, since) if line.startswith("P")] == ["PATCH api-gateway"]


def test_secret_by_value_of_others_is_carried_where_the_list_travels(deployed: Project) -> None:
    """A GET does not show it; the list goes whole."""
    gateway = resource(deployed, "container_app/api_gateway")
    with deployed.azure() as azure:
        shown = live(azure, gateway, APPS)["properties"]["configuration"]["secrets"]
        by_hand(
            azure, gateway, APPS, {"properties": {"configuration": {"secrets": [*shown, {"name": "x", "value": "9"}]}}}
        )
        known = deployed.config()["services"]["api_gateway"]["secrets"]
        deployed.change("services.api_gateway.secrets", {**known, "ANOTHER": "{{ secrets.gemini_api_key }}"})

        deployed.deploy()

        listed = azure.send("POST", f"{gateway}/listSecrets", APPS).json()["value"]
        assert {"name": "x", "value": "9"} in listed
        after = live(azure, gateway, APPS)["properties"]["configuration"]["secrets"]
        assert {"gemini-api-key", "x"} <= {one["name"] for one in after}


def test_rollback_by_hand_is_not_undone_by_another_services_change(deployed: Project) -> None:
    """The gateway is not written; its traffic split is reported."""
    gateway = resource(deployed, "container_app/api_gateway")
    with deployed.azure() as azure:
        revision = live(azure, gateway, APPS)["properties"]["latestRevisionName"]
        traffic = [{"revisionName": revision, "weight": 100}]
        ingress = {"activeRevisionsMode": "Multiple", "ingress": {"traffic": traffic}}
        by_hand(azure, gateway, APPS, {"properties": {"configuration": ingress}})
        since = len(deployed.requests())
        deployed.change("services.rag_service.max_replicas", 5)

        result = deployed.run()

        assert result.code == 0, result.text
        configuration = live(azure, gateway, APPS)["properties"]["configuration"]
        assert (configuration["activeRevisionsMode"], configuration["ingress"]["traffic"]) == ("Multiple", traffic)
        assert "PATCH api-gateway" not in writes(deployed, since)
        assert f"traffic[{revision}]" in result.text


def test_scale_set_by_hand_is_kept_and_reported(deployed: Project) -> None:
    """Another service's change does not take it back."""
    speaker = resource(deployed, "container_app/speaker_service")
    with deployed.azure() as azure:
        by_hand(azure, speaker, APPS, {"properties": {"template": {"scale": {"minReplicas": 5, "maxReplicas": 20}}}})
        deployed.change("services.rag_service.max_replicas", 5)

        result = deployed.run()

        assert live(azure, speaker, APPS)["properties"]["template"]["scale"]["maxReplicas"] == 20
        assert "container_app/speaker_service, changed by others and kept: ~ template.scale.maxReplicas" in result.text
        assert "template.scale.minReplicas: 5" in result.text


def test_what_others_changed_is_repaired_though_something_else_was_written_in_between(deployed: Project) -> None:
    """A write of another leaf does not accept it as ours; it is reported each time until then."""
    speaker = resource(deployed, "container_app/speaker_service")
    with deployed.azure() as azure:
        by_hand(azure, speaker, APPS, {"properties": {"template": {"scale": {"maxReplicas": 20}}}})
        deployed.change("services.speaker_service.min_replicas", 2)

        assert "template.scale.maxReplicas" in deployed.run().text
        deployed.change("services.speaker_service.environment.MORE", "1")
        assert "template.scale.maxReplicas: 20 → 3" in deployed.run().text
        assert live(azure, speaker, APPS)["properties"]["template"]["scale"]["maxReplicas"] == 20
        deployed.deploy("--refresh")

        assert live(azure, speaker, APPS)["properties"]["template"]["scale"]["maxReplicas"] == 3


def test_change_that_cannot_be_reverted_is_reported_and_kept(deployed: Project) -> None:
    """A property that others could set and no update takes."""
    insights = resource(deployed, "app_insights")
    with deployed.azure() as azure:
        put_by_hand(azure, insights, INSIGHTS, {"properties": {"Application_Type": "other"}})

        result = deployed.run("--refresh")

        assert result.code == 0, result.text
        assert "changed by others and kept: ~ Application_Type" in result.text
        assert "Up to date, according to the state and to Azure" in result.text
        assert live(azure, insights, INSIGHTS)["properties"]["Application_Type"] == "other"


def test_sampling_and_firewall_outlive_a_change_of_tags(deployed: Project) -> None:
    """By PUT where a type has no PATCH that merges, by PATCH elsewhere."""
    insights, vault = resource(deployed, "app_insights"), resource(deployed, "key_vault")
    with deployed.azure() as azure:
        put_by_hand(azure, insights, INSIGHTS, {"properties": {"SamplingPercentage": 5, "RetentionInDays": 30}})
        rules = {"defaultAction": "Allow", "bypass": "AzureServices", "ipRules": [{"value": "203.0.113.0/24"}]}
        by_hand(azure, vault, VAULT, {"properties": {"networkAcls": rules}})
        before = live(azure, vault, VAULT)["properties"]["networkAcls"]
        deployed.change("tags.team", "b")

        deployed.deploy()

        properties = live(azure, insights, INSIGHTS)["properties"]
        assert (properties["SamplingPercentage"], properties["RetentionInDays"]) == (5, 30)
        assert live(azure, insights, INSIGHTS)["tags"]["team"] == "b"
        assert live(azure, vault, VAULT)["properties"]["networkAcls"] == before
        assert live(azure, vault, VAULT)["tags"]["team"] == "b"


@pytest.mark.parametrize("key", ["postgresql_server", "redis", "key_vault", "container_registry", "container_apps_env"])
def test_creation_id_that_someone_removed_is_not_a_new_resource(deployed: Project, key: str) -> None:
    """The recorded one holds, and comes back with the next write: no migration starts a second time."""
    before = len(deployed.executions())
    server = resource(deployed, key)
    version = deployed.state()["resources"][key]["api_version"]
    with deployed.azure() as azure:
        tags = live(azure, server, version)["tags"]
        by_hand(azure, server, version, {"tags": {"owner": "somebody"}})
        deployed.change("tags.team", "b")

        deployed.deploy()

        after = live(azure, server, version)["tags"]
        assert after["incarnation"] == tags["incarnation"]
        assert (after["owner"], after["team"]) == ("somebody", "b")
    assert len(deployed.executions()) == before


def test_refusal_of_ours_together_with_theirs_names_theirs(deployed: Project) -> None:
    """What Azure alone knows to exclude each other: a write keeps their list items, so that the user must act."""
    gateway = resource(deployed, "container_app/api_gateway")
    with deployed.azure() as azure:
        ports = [{"external": False, "targetPort": port, "exposedPort": port} for port in range(9001, 9006)]
        ingress = {"configuration": {"ingress": {"additionalPortMappings": ports}}}
        by_hand(azure, gateway, APPS, {"properties": ingress})
        deployed.change("services.api_gateway.additional_ports", [9090])

        changed = deployed.run()

    assert changed.code == 1
    assert "kept by the write: configuration.ingress.additionalPortMappings[9001]" in changed.err

def test_secret_and_volume_that_others_use_outlive_the_configuration(deployed: Project) -> None:
    """Without them Azure refuses the app; they are reported once, and are not ours from then on."""
    deployed.change("services.speaker_service.secrets.OURS", "{{ secrets.jwt_secret }}")
    deployed.change("services.speaker_service.volume", {"type": "empty_dir", "mount_path": "/ours"})
    deployed.deploy()
    speaker = resource(deployed, "container_app/speaker_service")
    with deployed.azure() as azure:
        template = live(azure, speaker, APPS)["properties"]["template"]
        (container,) = template["containers"]
        (name,) = (one["secretRef"] for one in container["env"] if one["name"] == "OURS")
        (volume,) = (one["name"] for one in template["volumes"])
        theirs = {
            "name": "theirs", "image": "nginx", "resources": {"cpu": 0.25, "memory": "0.5Gi"},
            "env": [{"name": "THEIRS", "secretRef": name}],
            "volumeMounts": [{"volumeName": volume, "mountPath": "/theirs"}],
        }  # fmt: skip
        by_hand(azure, speaker, APPS, {"properties": {"template": {"containers": [container, theirs]}}})
        values = deployed.config()
        del values["services"]["speaker_service"]["secrets"]["OURS"], values["services"]["speaker_service"]["volume"]
        deployed.write(values)

        done = deployed.run()

        assert done.code == 0, done.text
        assert f"configuration.secrets[{name}]" in done.text and "what others set uses it" in done.text
        after = live(azure, speaker, APPS)["properties"]
        ours, other = after["template"]["containers"]
        assert name in [one["name"] for one in after["configuration"]["secrets"]]
        assert volume in [one["name"] for one in after["template"]["volumes"]]
        assert "OURS" not in [one["name"] for one in ours["env"]] and not ours.get("volumeMounts")
        assert other["env"] == theirs["env"]
        assert "0 to run" in deployed.run("--dry-run", "--refresh").out


@pytest.mark.slow
def test_tag_that_left_the_configuration_is_removed_and_others_stay(deployed: Project) -> None:
    """One write a resource, and none the next time."""
    registry = resource(deployed, "container_registry")
    deployed.change("tags.team", "a")
    deployed.deploy()
    with deployed.azure() as azure:
        tags = live(azure, registry, "2025-11-01")["tags"]
        by_hand(azure, registry, "2025-11-01", {"tags": {**tags, "owner": "somebody"}})
        deployed.change("tags.team", None)
        deployed.deploy()

        after = live(azure, registry, "2025-11-01")["tags"]
        assert "team" not in after
        assert after["owner"] == "somebody"
    since = len(deployed.requests())
    steps = [name for name in deployed.state()["steps"] if name != "build_and_push_images"]
    deployed.deploy(*(part for name in steps if name != "run_migrations" for part in ("--force-step", name)))
    assert [line for line in deployed.writes(since) if line.startswith(("PUT", "PATCH"))] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tier", "type", "mode", "location", "status"])
def test_letter_case_of_a_tag_matters(deployed: Project, name: str) -> None:
    """For any name of the tag."""
    deployed.change(f"tags.{name}", "Gold")
    deployed.deploy()
    deployed.change(f"tags.{name}", "gold")
    deployed.deploy()

    with deployed.azure() as azure:
        for key, record in deployed.state()["resources"].items():
            if key in ("postgresql_server", "redis", "container_app/qdrant", "key_vault", "log_analytics"):
                assert live(azure, record["id"], record["api_version"])["tags"][name] == "gold", key


def test_storage_that_grew_by_itself_is_larger_than_the_minimum(deployed: Project) -> None:
    """A change of the same step goes on."""
    server = resource(deployed, "postgresql_server")
    with deployed.azure() as azure:
        by_hand(azure, server, PG, {"properties": {"storage": {"storageSizeGB": 64, "autoGrow": "Enabled"}}})
        deployed.change("postgresql.backup_retention_days", 14)

        deployed.deploy()

        properties = live(azure, server, PG)["properties"]
        assert properties["storage"]["storageSizeGB"] == 64
        assert properties["backup"]["backupRetentionDays"] == 14


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("redis.high_availability", None, "highAvailability"),
        ("redis.clustering_policy", "EnterpriseCluster", "clusteringPolicy"),
    ],
)
def test_what_cannot_change_is_a_fault_that_names_both(deployed: Project, key: str, value: Any, words: str) -> None:
    """Nothing is recorded as done."""
    section, name = key.split(".")
    if value is None:
        value = not deployed.config()[section].get(name, False)
    deployed.change(key, value)
    since = len(deployed.requests())

    result = deployed.run()

    assert result.code == 1
    assert words in result.text and "cannot change" in result.text and "→" in result.text
    assert [line for line in deployed.writes(since) if "redis" in line.lower()] == []


def test_removed_role_is_assigned_again(deployed: Project) -> None:
    """A code change finds it missing."""
    role = resource(deployed, "role/pull-images")
    with deployed.azure() as azure:
        azure.delete(role, "2022-04-01")
        deployed.change("services.rag_service.max_replicas", 5)

        deployed.deploy()

        assert live(azure, role, "2022-04-01")["properties"]["principalId"]


@pytest.mark.slow
def test_deleted_group_removes_its_records(deployed: Project) -> None:
    """Including roles: nothing deleted with it is reported as abandoned."""
    group = resource(deployed, "resource_group")
    with deployed.azure() as azure:
        azure.delete(group, "2025-04-01")
    deployed.deploy("--force-all")

    assert [key for key, record in deployed.state()["resources"].items() if record.get("orphaned")] == []


def test_lock_on_the_group_stops_no_run_whose_housekeeping_it_forbids(deployed: Project) -> None:
    """The job of the earlier content stays, and is named."""
    group = resource(deployed, "resource_group")
    lock = f"{group}/providers/Microsoft.Authorization/locks/keep"
    with deployed.azure() as azure:
        azure.send("PUT", lock, "2020-05-01", {"properties": {"level": "CanNotDelete"}})
    deployed.change("migrations", [{**deployed.config()["migrations"][0], "command": ["true"]}])

    result = deployed.run()

    assert result.code == 0, result.text


def test_stopped_server_is_started_where_it_is_to_be_changed(deployed: Project) -> None:
    """Azure takes no change of one that is stopped."""
    server = resource(deployed, "postgresql_server")
    with deployed.azure() as azure:
        settle(azure, azure.send("POST", f"{server}/stop", PG), PG)
        deployed.change("postgresql.backup_retention_days", 14)

        result = deployed.run()

        assert result.code == 0, result.text
        assert live(azure, server, PG)["properties"]["backup"]["backupRetentionDays"] == 14
        assert "stopped" in result.text


@pytest.mark.slow
def test_open_firewall_of_an_adopted_server_gives_a_warning_until_it_is_closed(deployed: Project) -> None:
    """Any later run with --adopt closes it."""
    server = resource(deployed, "postgresql_server")
    state = deployed.state()
    state["resources"]["postgresql_server"]["created"] = False
    deployed.state_file.write_text(json.dumps(state), encoding="utf-8")
    rule = f"{server}/firewallRules/all"
    with deployed.azure() as azure:
        everybody = {"startIpAddress": "0.0.0.0", "endIpAddress": "255.255.255.255"}
        settle(azure, azure.send("PUT", rule, PG, {"properties": everybody}), PG)
        deployed.change("postgresql.backup_retention_days", 9)

        assert "the firewall rule all admits every address" in deployed.run().text
        deployed.change("services.rag_service.max_replicas", 5)
        assert "the firewall rule all admits every address" in deployed.run().text
        result = deployed.run("--adopt")

        assert result.code == 0, result.text
        names = [one["name"] for one in azure.send("GET", f"{server}/firewallRules", PG).json()["value"]]
        assert "all" not in names
    deployed.change("services.rag_service.max_replicas", 6)
    assert "admits every address" not in deployed.run().text
