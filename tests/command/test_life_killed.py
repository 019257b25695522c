"""Destroy, prune, rollback and rotation are killed at their requests: the next run finishes, without being asked.

A sample of the requests that write, killed before they are sent or after their reply has come; LIFE_SWEEP=all kills at
every request, both ways.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from project import ASKING, ROOT, WRITES, Project, wait_for_end

from azure_emulator.attach import attach

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

PROGRAM = str(ROOT / "tests/harness/killed_client.py")
PASSWORD = "postgresql-admin-password"
URLS = [f"{service}-service-database-url" for service in ("draft", "rag", "speaker")]
KILLED = -9
SAMPLE = 8


@dataclass(frozen=True)
class Point:
    """The point at which a run is killed: before or after the request with this number."""

    number: int
    when: str


class Sweep:
    """One command, begun again from the same directory for each point.

    Args:
        base: a directory in which the command has something to do.
        place: where copies of it are made.
        arguments: of the command.
        within: a part of the addresses of the requests that are meant, where not all are.
    """

    def __init__(self, base: Path, place: Path, *arguments: str, within: str = "") -> None:
        self._base = base
        self._place = place
        self._arguments = arguments
        self._within = within

    def each(self, check: Callable[[Project, Point, list[str]], None]) -> None:
        """Kill at each point, and have what is left checked, with the requests that were sent."""
        sent = self._run(self._copy("whole"), {})
        points = self._points(sent)
        for point in points:
            project = self._copy(f"{point.number}-{point.when}")
            done = self._run(project, {"number": point.number, "when": point.when})
            try:
                check(project, point, done)
            except AssertionError as error:
                raise AssertionError(f"killed {point.when} request {point.number}, {done[-1:]}") from error
            shutil.rmtree(project.directory, ignore_errors=True)

    def _points(self, sent: list[str]) -> list[Point]:
        meant = [number for number, line in enumerate(sent, 1) if self._within in line]
        if os.environ.get("LIFE_SWEEP") == "all":
            return [Point(number, when) for number in meant for when in ("before", "after")]
        writes = [number for number in meant if is_write(sent[number - 1])]
        chosen = writes[:: max(1, -(-len(writes) // SAMPLE))]
        return [Point(number, ("after", "before")[index % 2]) for index, number in enumerate(chosen)]

    def _copy(self, name: str) -> Project:
        shutil.copytree(self._base, self._place / name)
        return Project(self._place / name)

    def _run(self, project: Project, order: dict[str, Any]) -> list[str]:
        log = project.directory / "sent.txt"
        result = project.run(json.dumps({**order, "log": str(log)}), *self._arguments, program=PROGRAM)
        assert result.code in (0, KILLED) if order else result.code == 0, result.text
        return log.read_text(encoding="utf-8").splitlines()


def is_write(line: str) -> bool:
    """Return whether a request changes something."""
    method, address = line.split(" ", 1)
    return method in WRITES and not address.lower().endswith(ASKING) and "login." not in address


def exists(project: Project, resource_id: str, version: str) -> bool:
    """Return whether Azure has a resource."""
    with project.azure() as azure:
        return azure.exists(resource_id, version)


def listed(project: Project, group: str) -> set[str]:
    """Names of what is in a group; nothing where it is gone."""
    with project.azure() as azure:
        if not azure.exists(group, "2025-04-01"):
            return set()
        items = azure.send("GET", f"{group}/resources", "2025-04-01").json()["value"]
    return {str(item["name"]) for item in items}


def changed_image(project: Project) -> None:
    """Deploy once more, with another source of one service."""
    (path,) = list((project.directory / "examples/draftgenie").glob("**/rag*/**/main.py"))[:1]
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    project.deploy()


# ---------------------------------------------------------------------------------------------------------------- tests


def test_killed_destroy_is_finished_by_the_next(deployed: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """By another one, which leaves nothing; or by a deployment, which makes everything again."""
    arguments = ("--destroy", "--include-data", "--purge", "--auto-approve")
    group = deployed.state()["resources"]["resource_group"]["id"]
    vaults = f"{group.split('/resourceGroups/')[0]}/providers/Microsoft.KeyVault/deletedVaults"
    wait_for_end(deployed)

    def check(project: Project, point: Point, sent: list[str]) -> None:
        if point.number % 3 == 0:
            result = project.run()
            assert result.code == 0, result.text
            resources = project.state()["resources"].values()
            assert all(exists(project, one["id"], one["api_version"]) for one in resources)
            assert "0 ran" in project.run().text
            return
        result = project.run(*arguments)
        assert result.code == 0, result.text
        assert project.state()["resources"] == {}
        assert listed(project, group) == set()
        with project.azure() as azure:
            assert azure.send("GET", vaults, "2026-02-01").json()["value"] == []

    Sweep(deployed.directory, tmp_path_factory.mktemp("destroy"), *arguments).each(check)


def test_killed_prune_is_finished_by_the_next(deployed: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither touches configured resources."""
    for name in ("one", "two"):
        deployed.change(f"services.{name}", {"image": "nginx:1.27", "port": 8080})
    deployed.deploy()
    for name in ("one", "two"):
        deployed.change(f"services.{name}", None)
    deployed.deploy()
    wait_for_end(deployed)
    resources = deployed.state()["resources"]
    orphans = [record for record in resources.values() if record.get("orphaned")]
    wanted = [record for record in resources.values() if not record.get("orphaned")]
    assert len(orphans) == 2

    def check(project: Project, point: Point, sent: list[str]) -> None:
        result = project.run("--prune", "--auto-approve")
        assert result.code == 0, result.text
        assert not any(exists(project, one["id"], one["api_version"]) for one in orphans)
        assert all(exists(project, one["id"], one["api_version"]) for one in wanted)
        assert "nothing to prune" in project.run("--prune").text
        assert "0 ran" in project.run().text

    Sweep(deployed.directory, tmp_path_factory.mktemp("prune"), "--prune", "--auto-approve").each(check)


def test_killed_rollback_is_finished_by_the_next(deployed: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A plain run goes on with it where it was agreed to, and does nothing where it was not."""
    changed_image(deployed)
    wait_for_end(deployed)
    runs = deployed.run("--history", "--output", "json").events()[0]["runs"]
    old, new = (run["services"]["rag_service"]["image"] for run in runs)

    def check(project: Project, point: Point, sent: list[str]) -> None:
        began = "pin" in project.state()
        result = project.run()
        assert result.code == 0, result.text
        app = project.state()["resources"]["container_app/rag_service"]["id"]
        with project.azure() as azure:
            properties = azure.send("GET", app, "2026-01-01").json()["properties"]
        assert properties["template"]["containers"][0]["image"] == (old if began else new)
        assert ("pin" in project.state()) == began
        assert "0 ran" in project.run().text
        assert len(project.executions()) == 1

    Sweep(deployed.directory, tmp_path_factory.mktemp("rollback"), "--rollback", "1", "--auto-approve").each(check)


def test_killed_end_of_a_rollback_is_finished_by_the_next(
    deployed: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Until it is recorded, the rollback stays; from then on, a plain run ends it."""
    changed_image(deployed)
    assert deployed.run("--rollback", "1", "--auto-approve").code == 0
    wait_for_end(deployed)
    runs = deployed.run("--history", "--output", "json").events()[0]["runs"]
    old, new = (run["services"]["rag_service"]["image"] for run in runs[:2])

    def check(project: Project, point: Point, sent: list[str]) -> None:
        ends = project.state().get("pin", {"ends": True}).get("ends", False)
        result = project.run()
        assert result.code == 0, result.text
        app = project.state()["resources"]["container_app/rag_service"]["id"]
        with project.azure() as azure:
            properties = azure.send("GET", app, "2026-01-01").json()["properties"]
        assert properties["template"]["containers"][0]["image"] == (new if ends else old)
        assert ("pin" in project.state()) != ends
        assert "0 ran" in project.run().text

    Sweep(deployed.directory, tmp_path_factory.mktemp("end"), "--rollback", "off").each(check)


def test_run_killed_in_its_migration_refuses_a_rollback(
    deployed: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """From its start on, at the latest; nothing is pinned, and the next run finishes the migration."""
    (path,) = list((deployed.directory / "examples/draftgenie").glob("**/speaker*/**/package.json"))[:1]
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    wait_for_end(deployed)
    first = deployed.state()["resources"]["job/speaker-service"]["name"]

    def check(project: Project, point: Point, sent: list[str]) -> None:
        record = project.state()["resources"]["job/speaker-service"]
        job, there = record["name"], exists(project, record["id"], record["api_version"])
        began = job != first and there and bool(project.executions())

        result = project.run("--rollback", "1", "--auto-approve", "--dry-run")

        assert not began or (result.code == 1 and job in result.text and "--accept-newer-schema" in result.text)
        assert "pin" not in project.state()
        finished = project.run()
        assert finished.code == 0, finished.text
        assert len(project.executions()) == 1
        result = project.run("--rollback", "1", "--auto-approve")
        assert result.code == 1
        assert "--accept-newer-schema" in result.text

    Sweep(deployed.directory, tmp_path_factory.mktemp("migration"), within="/jobs/").each(check)


def test_killed_rotation_is_finished_by_the_next(deployed: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """At every point the server takes what the vault holds, but from the server's change to the last URL with it.

    So an app that re-reads the vault has a working password; and in between the server's password is in
    the vault under its second name, or already under its own.
    """
    wait_for_end(deployed)
    old = deployed.secret(PASSWORD)

    def check(project: Project, point: Point, sent: list[str]) -> None:
        held = vault(project)
        shown = [held[PASSWORD], *(held[name].split(":", 2)[2].partition("@")[0] for name in URLS)]
        agreed = [takes(project, password) for password in shown]
        if not all(agreed):
            assert in_window(sent), "server and vault disagree outside of the window"
            assert agreed[0] or takes(project, held[f"{PASSWORD}-next"])
        rotating = bool(project.state().get("rotating"))
        changed = held[PASSWORD] != old

        result = project.run()

        assert result.code == 0, result.text
        assert project.password_agrees()
        assert not project.state().get("rotating")
        assert (project.secret(PASSWORD) != old) == (rotating or changed)
        assert "0 ran" in project.run().text

    place = tmp_path_factory.mktemp("rotation")
    Sweep(deployed.directory, place, "--rotate-secret", "postgresql.admin_password").each(check)


def vault(project: Project) -> dict[str, str]:
    """The current value of each enabled secret: what an app gets that reads it now."""
    document = json.loads((project.directory / ".azure-emulator/vault.json").read_text(encoding="utf-8"))
    (values,) = document.values()
    base = project.state()["resources"]["key_vault"]["id"]
    with project.azure() as azure:
        items = azure.send("GET", f"{base}/secrets", "2026-02-01").json()["value"]
    enabled = [item for item in items if item["properties"].get("attributes", {}).get("enabled", True)]
    versions = {item["name"]: item["properties"]["secretUriWithVersion"].rsplit("/", 1)[-1] for item in enabled}
    return {name: values[name][version] for name, version in versions.items()}


def takes(project: Project, password: str) -> bool:
    """Return whether the server accepts a password."""
    server = project.state()["resources"]["postgresql_server"]["id"]
    with attach(project.directory / ".azure-emulator") as azure:
        return bool(azure.control("POST", "/control/password", {"id": server, "password": password})["matches"])


def in_window(sent: list[str]) -> bool:
    """Return whether the server's change was sent, but not yet every URL that contains the password."""
    changed = any(line.startswith("PATCH") and "/flexibleServers/" in line for line in sent)
    urls = {name for name in URLS for line in sent[:-1] if line.startswith("PUT") and line.endswith(f"/secrets/{name}")}
    return changed and len(urls) < len(URLS)
