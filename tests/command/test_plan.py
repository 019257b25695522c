"""The run does what `--dry-run` announced; changes by others are reported, and reverted with `--refresh`."""

from __future__ import annotations

import ctypes
import re
import shutil
import stat
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from by_hand import APPS, PG, by_hand, live, resource
from plain_project import PLAIN
from project import Azure, Project, wait_for_end

from draftgenie_azure.arm import diff, ids


def plan(project: Project, *arguments: str) -> dict[str, Any]:
    """The plan event of a dry run."""
    result = project.run("--dry-run", "--output", "json", *arguments)
    assert result.code in (0, 2), result.text
    return next(event for event in result.events() if event["event"] == "plan")


def changes(event: dict[str, Any]) -> dict[str, list[str]]:
    """Resource -> paths of the leaves that would be another."""
    return {
        entry["key"]: sorted(change["path"] for change in entry.get("changes", []))
        for entry in event["plan"]["changes"]
    }


def verdicts(event: dict[str, Any]) -> dict[str, str]:
    """The steps that would not be skipped."""
    return {name: step["verdict"] for name, step in event["steps"].items() if step["verdict"] != "skip"}


def test_change_of_size_is_one_step_and_one_leaf(deployed: Project) -> None:
    """Its outputs are unchanged, so no dependant may run."""
    deployed.change("postgresql.sku", "Standard_B2s")

    event = plan(deployed)

    assert verdicts(event) == {"create_databases": "run"}
    assert changes(event) == {"postgresql_server": ["sku.name"]}
    assert (event["counts"].get("run"), event["counts"].get("may_run")) == (1, None)


def test_plan_shows_old_and_new_on_80_columns(deployed: Project) -> None:
    """One line a leaf."""
    deployed.change("postgresql.sku", "Standard_B2s")
    deployed.change("services.rag_service.environment.LONG", "x" * 200)

    result = deployed.run("--dry-run")

    assert '~ sku.name: "Standard_B1ms" → "Standard_B2s"' in result.out
    block = result.out[result.out.index("  ~ postgresql_server") : result.out.index("Resources:")]
    assert all(len(line) <= 80 or "xxxx" in line for line in block.splitlines())


def test_changed_secret_is_reported_and_never_shown(deployed: Project) -> None:
    """Its users get a new revision, for a value known only during the run."""
    deployed.environment["GEMINI_API_KEY"] = "a-secret-that-nobody-may-see"

    result = deployed.run("--dry-run")

    assert "secret/gemini-api-key" in result.out and "secret changed" in result.out
    assert "known after store_secrets" in result.out
    assert "nobody-may-see" not in result.text


def test_changed_source_is_an_image_to_build(deployed: Project) -> None:
    """With its tag; the images of the others stay."""
    (deployed.directory / "examples/draftgenie/services/rag-service/app/new.py").write_text("x = 1\n", encoding="utf-8")

    event = plan(deployed)

    built = [entry for entry in event["plan"]["changes"] if entry["action"] == "build"]
    assert [entry["key"] for entry in built] == ["image/rag_service"]
    assert re.fullmatch("[0-9a-f]{12,64}", built[0]["note"])
    assert changes(event)["container_app/rag_service"] == ["template.containers[rag-service].image"]


@pytest.mark.parametrize(("key", "name"), [("redis.clustering_policy", "clusteringPolicy")])
def test_what_cannot_change_is_a_fault_of_the_plan(deployed: Project, key: str, name: str) -> None:
    """Nothing of that step is announced."""
    deployed.change(key, "EnterpriseCluster")

    result = deployed.run("--dry-run")

    assert result.code == 1
    assert name in result.text and "cannot change" in result.text


def test_migrations_that_do_not_exist_are_not_announced(deployed: Project) -> None:
    """Nothing would run in that step."""
    deployed.change("migrations", [])
    deployed.deploy()
    deployed.change("services.rag_service.environment.MORE", "1")

    assert "run_migrations" not in verdicts(plan(deployed))


@pytest.mark.slow
def test_plan_that_was_reviewed_is_the_only_one_that_runs(deployed: Project) -> None:
    """Another one is refused before its first write."""
    deployed.change("postgresql.sku", "Standard_B2s")
    reviewed = plan(deployed)["plan"]["id"]
    deployed.change("services.rag_service.max_replicas", 7)
    since = len(deployed.requests())

    refused = deployed.run("--expect-plan", reviewed)

    assert refused.code == 1 and "reviewed" in refused.text
    assert deployed.writes(since) == []
    deployed.change("services.rag_service.max_replicas", 3)
    assert deployed.run("--expect-plan", reviewed).code == 0


@pytest.mark.slow
def test_first_deployment_into_a_group_of_others_is_the_one_that_was_reviewed(tmp_path: Path) -> None:
    """The lineage that the group is marked with is made by the run that saves it."""
    project = Project(tmp_path)
    project.write(PLAIN)
    with project.azure() as azure:
        subscription = azure.send("GET", "/subscriptions", "2022-12-01").json()["value"][0]["id"]
        azure.send("PUT", f"{subscription}/resourceGroups/demo-rg", "2025-04-01", {"location": "eastus2"})
        reviewed = plan(project)["plan"]["id"]

        done = project.run("--expect-plan", reviewed)

        assert done.code == 0, done.text


def test_dry_run_writes_nothing_where_nothing_may_be_written(deployed: Project) -> None:
    """Neither in a directory that is read-only, nor in Azure."""
    deployed.change("services.rag_service.environment.MORE", "1")
    wait_for_end(deployed)
    before = {path: path.read_bytes() for path in deployed.directory.rglob("*") if path.is_file()}
    modes = {path: path.stat().st_mode for path in [deployed.directory, deployed.directory / ".azure-emulator"]}
    for path, mode in modes.items():
        path.chmod(stat.S_IMODE(mode) & ~0o222)
    try:
        result = deployed.run("--dry-run", "--refresh")
    finally:
        for path, mode in modes.items():
            path.chmod(stat.S_IMODE(mode))

    assert result.code == 0, result.text
    assert "env[MORE].value" in result.out
    assert {path: path.read_bytes() for path in deployed.directory.rglob("*") if path.is_file()} == before


def _without_override() -> None:
    """Have the modes of files hold for root, too: the program that is started next lacks what overrides them."""
    libc, drop = ctypes.CDLL(None), 24  # PR_CAPBSET_DROP, of linux/prctl.h
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(drop, capability, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="by capabilities of Linux")
def test_dry_run_needs_no_right_to_write(deployed: Project) -> None:
    """By a user without write permission, against an Azure that refuses every write."""
    refused = [{"method": name, "path": "*", "status": 403, "code": "No", "times": 99} for name in ("PUT", "PATCH")]
    wait_for_end(deployed)
    deployed.change("services.rag_service.environment.MORE", "1")
    arguments = deployed.faults(*refused)
    places = [deployed.directory, *deployed.directory.rglob("*")]
    before = {path: path.read_bytes() for path in places if path.is_file()}
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in places}
    for path, mode in modes.items():
        path.chmod(mode & 0o555)
    try:
        written = subprocess.run(["touch", "x"], cwd=deployed.directory, preexec_fn=_without_override, check=False)
        done = subprocess.run(
            deployed.command("--dry-run", "--refresh", *arguments), cwd=deployed.directory, env=deployed.env(),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, preexec_fn=_without_override,
        )  # fmt: skip
    finally:
        for path, mode in modes.items():
            path.chmod(mode)

    assert written.returncode != 0
    assert done.returncode == 0, done.stdout + done.stderr
    assert "env[MORE].value" in done.stdout
    assert {path: path.read_bytes() for path in deployed.directory.rglob("*") if path.is_file()} == before


def test_role_that_someone_else_gave_is_not_announced(deployed: Project) -> None:
    """Azure takes no second assignment of the same role, whatever its name; none is sent."""
    version = "2022-04-01"
    role = resource(deployed, "role/pull-images")
    with deployed.azure() as azure:
        wanted = {key: live(azure, role, version)["properties"][key] for key in ("principalId", "roleDefinitionId")}
        azure.delete(role, version)
        twin = f"{role.rsplit('/', 1)[0]}/{uuid.uuid4()}"
        azure.send("PUT", twin, version, {"properties": {**wanted, "principalType": "ServicePrincipal"}})

        assert "role/pull-images" not in changes(plan(deployed, "--force-step", "create_container_registry"))
        deployed.deploy("--force-step", "create_container_registry")
        since = len(deployed.requests())
        deployed.deploy("--force-step", "create_container_registry")

        assert not [write for write in deployed.writes(since) if "roleAssignments" in write]
        assert changes(plan(deployed, "--refresh")) == {}


def test_plan_without_changes_says_that_azure_was_not_asked(deployed: Project) -> None:
    """And what asks it."""
    result = deployed.run("--dry-run")

    assert "Azure was not queried" in result.out and "--refresh queries it" in result.out


def test_emulator_that_is_not_there_yet_is_an_empty_azure(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each resource is in the plan, nothing of that emulator remains, and the deployment is as planned."""
    temporary = tmp_path_factory.mktemp("temporary")
    project.environment["TMPDIR"] = str(temporary)
    before = sorted(project.directory.rglob("*"))

    event = next(one for one in project.run("--dry-run", "--output", "json").events() if one["event"] == "plan")

    assert event["plan"]["asked_azure"] is True and event["plan"]["faults"] == {}
    assert all(step["verdict"] == "run" for step in event["steps"].values())
    assert sorted(project.directory.rglob("*")) == before
    end = time.monotonic() + 30
    while any(temporary.iterdir()):
        assert time.monotonic() < end, "the emulator of the dry run, or what it kept, is still there"
    project.deploy()
    made = {entry["key"] for entry in event["plan"]["changes"] if entry["action"] == "create"}
    assert {key for key in project.state()["resources"] if not key.startswith("job/")} <= made


def test_state_of_an_emulator_that_is_gone_is_refused_by_the_dry_run_as_by_the_run(deployed: Project) -> None:
    """Its resources are not in another one."""
    shutil.rmtree(deployed.directory / ".azure-emulator")
    deployed.change("tags.more", "1")

    dry, real = deployed.run("--dry-run"), deployed.run()

    assert (dry.code, real.code) == (1, 1)
    assert dry.err.splitlines()[:1] == real.err.splitlines()[:1]


# --- drift ---


def test_first_refresh_after_a_deployment_is_empty(deployed: Project) -> None:
    """Azure's own spellings and additions."""
    result = deployed.run("--dry-run", "--refresh", "--detailed-exitcode")

    assert result.code == 0, result.text
    assert "0 to run" in result.out


def test_drift_is_reported_with_who_and_repaired(deployed: Project) -> None:
    """Unconfigured changes are reported and kept; configured ones reverted; then nothing is reported."""
    speaker = resource(deployed, "container_app/speaker_service")
    with deployed.azure() as azure:
        template = {"scale": {"maxReplicas": 20, "cooldownPeriod": 60}}
        by_hand(azure, speaker, APPS, {"properties": {"template": template}})
        who = live(azure, speaker, APPS)["systemData"]["lastModifiedBy"]

        drift = deployed.run("--dry-run", "--refresh", "--detailed-exitcode")
        assert drift.code == 2
        assert "template.scale.maxReplicas" in drift.out and "template.scale.cooldownPeriod" in drift.out
        assert who in drift.out
        assert "template.scale.maxReplicas differs" in drift.out

        result = deployed.deploy("--refresh")
        assert set(result.ran()) >= {"deploy_application_services"}
        scale = live(azure, speaker, APPS)["properties"]["template"]["scale"]
        assert (scale["maxReplicas"], scale["cooldownPeriod"]) == (3, 60)
    assert deployed.run("--dry-run", "--refresh", "--detailed-exitcode").code == 0


def test_resources_that_no_one_declared_are_listed(deployed: Project) -> None:
    """They belong to others, and are kept."""
    group = resource(deployed, "resource_group")
    with deployed.azure() as azure:
        stranger = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/stranger"
        azure.send("PUT", stranger, "2024-11-30", {"location": "eastus2"})

        result = deployed.run("--dry-run", "--refresh", "--detailed-exitcode")

        assert result.code == 2
        assert "stranger" in result.out
        assert live(azure, stranger, "2024-11-30")["name"] == "stranger"


# --- the run does what was planned ---

def _change(project: Project, wanted: dict[str, Any]) -> None:
    for key, value in wanted.items():
        project.change(key, value)


def _others(project: Project, azure: Azure, what: str, number: int) -> None:
    """Somebody else's hand."""
    app = resource(project, "container_app/rag_service")
    if what == "scale":
        by_hand(azure, app, APPS, {"properties": {"template": {"scale": {"maxReplicas": 10 + number}}}})
    elif what == "domains":
        item = {"name": "x", "ipAddressRange": f"1.2.3.{number}", "action": "Allow"}
        by_hand(azure, app, APPS, {"properties": {"configuration": {"ingress": {"ipSecurityRestrictions": [item]}}}})
    elif what == "tags":
        server = resource(project, "postgresql_server")
        by_hand(azure, server, PG, {"tags": {"owner": f"somebody {number}"}})
    elif what == "variable":
        container = live(azure, app, APPS)["properties"]["template"]["containers"][0]
        others = [item for item in container["env"] if item["name"] != "HANDMADE"]
        container["env"] = [*others, {"name": "HANDMADE", "value": str(number)}]
        by_hand(azure, app, APPS, {"properties": {"template": {"containers": [container]}}})


def _leaves(before: dict[str, Any], after: dict[str, Any]) -> dict[str, set[str]]:
    """Return resource -> paths of changed leaves, by the same comparison that reports drift."""

    found: dict[str, set[str]] = {}
    for key in after:
        one = diff.leaves(ids.resource_type(after[key]["id"]), before.get(key, {}).get("body", {}))
        other = diff.leaves(ids.resource_type(after[key]["id"]), after[key]["body"])
        paths = {path for path in {*one, *other} if one.get(path) != other.get(path)}
        if paths:
            found[key] = {diff.shown_path(path) for path in paths}
    return found


def _bodies(project: Project, azure: Azure) -> dict[str, Any]:
    return {
        key: {"id": record["id"], "body": azure.send("GET", record["id"], record["api_version"]).json()}
        for key, record in project.state()["resources"].items()
    }


def check_plan_and_run(
    project: Project, azure: Azure, first: dict[str, Any], hand: tuple[str, int], second: dict[str, Any]
) -> None:
    """From a deployed state, with changes by others in between: plan, run, compare, and plan again."""
    _change(project, first)
    project.deploy()
    _others(project, azure, *hand)
    _change(project, second)
    before = _bodies(project, azure)
    announced = {
        entry["key"]: {change["path"] for change in entry.get("changes", [])}
        for entry in plan(project)["plan"]["changes"]
    }
    project.deploy()
    done = _leaves(before, _bodies(project, azure))
    for key, paths in done.items():
        told = announced.get(key, set())
        # An added item is announced by its leaves, a removed one as a whole.
        items = {path.removesuffix(".name") for path in paths}
        missing = {path for path in items if not any(path.startswith(one) or one.startswith(path) for one in told)}
        assert missing == set(), (key, missing, announced)
    for key, paths in announced.items():
        assert not paths or done.get(key), (key, paths)
    assert verdicts(plan(project)) == {}
    project.deploy("--refresh")
    after = plan(project, "--refresh")
    assert changes(after) == {}, changes(after)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "hand", "second"),
    [
        ({"tags": {"team": "a"}}, "variable", {"tags": {"team": "A"}, "services.rag_service.max_replicas": 5}),
        ({"services.qdrant.environment": {"A": "x"}}, "domains", {"services.qdrant.environment": {"B": "x"}}),
        ({"postgresql.sku": "Standard_B2s"}, "tags", {"postgresql.backup_retention_days": 9, "tags": {}}),
        ({}, "nothing", {}),
    ],
)
def test_what_is_announced_is_what_is_done(deployed: Project, first: Any, hand: str, second: Any) -> None:
    """A few pairs; many random ones are in test_plan_matches_run.py."""
    with deployed.azure() as azure:
        check_plan_and_run(deployed, azure, first, (hand, 5), second)
