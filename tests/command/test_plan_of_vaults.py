"""What a plan says of a key vault's settings that Azure treats in a way of its own."""

from __future__ import annotations

from pathlib import Path

from by_hand import live, resource
from plain_project import PLAIN
from plan_and_run import check_run, planned
from warm_command import needs_fork, warm_project


@needs_fork
def test_purge_protection_that_is_configured_no_longer_stays_and_is_told_once(tmp_path: Path) -> None:
    with warm_project(tmp_path) as project, project.azure() as azure:
        project.write({**PLAIN, "key_vault": {"name": "demo-kv", "purge_protection": True}})
        project.deploy()
        project.write({**PLAIN, "tags": {"team": "a"}})

        told = project.run("--dry-run").text
        (entry,) = [one for one in planned(project)["plan"]["changes"] if one["key"] == "key_vault"]
        check_run(project, azure)

        assert "keeps its purge protection: Azure cannot turn it off again" in " ".join(told.split())
        assert [change["path"] for change in entry["changes"]] == ["tags.team"]
        vault = live(azure, resource(project, "key_vault"), "2024-11-01")
        assert vault["properties"]["enablePurgeProtection"] is True
        assert planned(project, "--refresh")["plan"]["changes"] == []
        assert "purge protection" not in project.run("--refresh").text


@needs_fork
def test_secret_that_others_changed_is_seen_where_a_role_on_the_vault_is_gone(tmp_path: Path) -> None:
    with warm_project(tmp_path) as project, project.azure() as azure:
        project.write(PLAIN)
        project.deploy()
        vault = resource(project, "key_vault")
        azure.send("PUT", f"{vault}/secrets/token", "2024-11-01", {"properties": {"value": "theirs"}})
        azure.delete(resource(project, "role/read-secrets"), "2022-04-01")
        project.change("services.worker.environment", {"A": "1"})

        entries = check_run(project, azure)

        variables = {change["path"] for change in entries["container_app/worker"]["changes"]}
        assert {f"template.containers[worker].env[{name}].value" for name in ("A", "SECRETS_VERSION")} <= variables
        assert planned(project, "--refresh")["plan"]["changes"] == []
