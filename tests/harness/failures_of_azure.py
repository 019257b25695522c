"""Failures that Azure answers with, and those of what is deployed: resources, databases, deletions."""

from __future__ import annotations

from typing import Any

import yaml
from by_hand import resource
from failure_kinds import KINDS, Kind, kind
from project import ROOT, Project, Result

REFUSALS = ROOT / "tests/data/failures/refused_by_azure.yaml"
LOCKS, VAULTS, SERVERS = "2020-05-01", "2026-02-01", "2025-08-01"
FORBIDDEN = {"status": 403, "code": "AuthorizationFailed", "message": "The client lacks the right to delete this."}


def _refused(case: dict[str, Any]) -> Kind:
    """A first deployment in which Azure refuses one request."""
    fault = case["fault"] | ({"message": case["message"]} if "message" in case else {})

    def provoke(project: Project) -> Result:
        if "budget" in case:
            project.change("advanced.operation_timeout", case["budget"])
        return project.run("--output", "plain", *project.faults(fault))

    words = {part: case[part] for part in ("what", "why", "next")}
    return Kind(case["name"], provoke, **words, has_id=not case.get("no_id"))


KINDS += [_refused(case) for case in yaml.safe_load(REFUSALS.read_text(encoding="utf-8"))]


@kind("subscription that is not there", what="subscription \\S+ does not exist", why="does not exist",
      next="azure.subscription_id")  # fmt: skip
def _(project: Project) -> Result:
    project.change("azure.subscription_id", "11111111-2222-3333-4444-555555555555")
    return project.run()


@kind("subscription of another tenant", what="subscription \\S+ belongs to tenant",
      why="the configuration says 1111", next="Correct azure.tenant_id")  # fmt: skip
def _(project: Project) -> Result:
    project.change("azure.tenant_id", "11111111-2222-3333-4444-555555555555")
    return project.run()


@kind("read-only lock on the group", deployed=True, what="forbids the planned changes of postgresql_server",
      why="the lock keep \\(ReadOnly\\) on draftgenie-rg", next="az lock delete")  # fmt: skip
def _(project: Project) -> Result:
    _lock(project, "ReadOnly")
    project.change("postgresql.backup_retention_days", 14)
    return project.run()


@kind("lock on the group, at a deletion", deployed=True, what="nothing was deleted: the lock keep",
      next="Do what it", why="CanNotDelete.*forbids it: az lock delete")  # fmt: skip
def _(project: Project) -> Result:
    _lock(project, "CanNotDelete")
    return project.run("--destroy", "--include-data", "--auto-approve")


def _lock(project: Project, level: str) -> None:
    lock = f"{resource(project, 'resource_group')}/providers/Microsoft.Authorization/locks/keep"
    with project.azure() as azure:
        azure.send("PUT", lock, LOCKS, {"properties": {"level": level}})


@kind("purge protection, at a deletion", deployed=True, what="nothing was deleted: the vault draftgenie-kv",
      why="purge protection .* leave out --purge", next="Do what it says")  # fmt: skip
def _(project: Project) -> Result:
    with project.azure() as azure:
        azure.send("PATCH", resource(project, "key_vault"), VAULTS, {"properties": {"enablePurgeProtection": True}})
    return project.run("--destroy", "--include-data", "--purge", "--auto-approve")


@kind("no right to delete, nine times", deployed=True, has_id=True, what="DELETE \\S+: 403 AuthorizationFailed",
      why="lacks the right.*\n\\| also, for the same reason: DELETE", next="lacks a role")  # fmt: skip
def _(project: Project) -> Result:
    return project.run(*project.faults({"method": "DELETE", "path": "*", "times": 99, **FORBIDDEN}), "--destroy",
                       "--auto-approve")  # fmt: skip


@kind("deletion without a yes", deployed=True, what="Delete 17 resources", why="no terminal to ask on",
      next="--auto-approve")  # fmt: skip
def _(project: Project) -> Result:
    return project.run("--destroy")


@kind("property that cannot change", deployed=True, what="redis_database default: Azure cannot change this",
      why='"NoCluster" → "OSSCluster"', next="Restore the configuration; or")  # fmt: skip
def _(project: Project) -> Result:
    project.change("redis.clustering_policy", "OSSCluster")
    return project.run()


@kind("storage that shrinks", deployed=True, what="postgresql_server draftgenie-pg: Azure cannot change",
      why="128 → 64", next="Restore the configuration; or")  # fmt: skip
def _(project: Project) -> Result:
    with project.azure() as azure:
        body = {"properties": {"storage": {"storageSizeGB": 128}}}
        azure.send("PATCH", resource(project, "postgresql_server"), SERVERS, body)
    project.change("postgresql.storage_size", 64)
    return project.run()


@kind("another region", deployed=True, what="resource_group draftgenie-rg: Azure cannot change",
      next="new name", why='location: "eastus2" → "westus3"')  # fmt: skip
def _(project: Project) -> Result:
    project.change("azure.location", "westus3")
    return project.run()


@kind("another name of what holds data", deployed=True,
      what="postgresql_server draftgenie-pg, which this deployment", why="is called draftgenie-pg2",
      next="--force-step create_databases")  # fmt: skip
def _(project: Project) -> Result:
    project.change("postgresql.server_name", "draftgenie-pg2")
    return project.run()


@kind("group of another state", deployed=True, what="group draftgenie-rg is managed by another state",
      why="its lineage is [0-9a-f]+, this one's", next="--adopt")  # fmt: skip
def _(project: Project) -> Result:
    project.state_file.unlink()
    return project.run()


@kind("PostgreSQL stopped", deployed=True, has_id=True,
      what="create_databases: PATCH flexibleServers/draftgenie-pg: 409", why="is stopped",
      next="az postgres flexible-server start")  # fmt: skip
def _(project: Project) -> Result:
    project.change("postgresql.backup_retention_days", 14)
    message = "The server 'draftgenie-pg' is stopped; operation is not permitted."
    fault = {"method": "PATCH", "path": "*/flexibleServers/*", "status": 409, "code": "ServerStoppedError"}
    return project.run(*project.faults({**fault, "message": message, "times": 9}))


@kind("PostgreSQL parameter that does not exist", deployed=True, what="postgresql.parameters", why="work_mme",
      next="parameter list")  # fmt: skip
def _(project: Project) -> Result:
    project.change("postgresql.parameters", {"work_mme": "4096"})
    return project.run()


@kind("PostgreSQL parameter out of range", deployed=True, what="postgresql.parameters.work_mem",
      why="does not accept `1`", next="Set it to a value that is allowed: 4096-2097151")  # fmt: skip
def _(project: Project) -> Result:
    project.change("postgresql.parameters", {"work_mem": "1"})
    return project.run()


@kind("PostgreSQL extension that is not allowed", deployed=True, what="extension", why="no_such_extension",
      next="Name only what is allowed: .*citext")  # fmt: skip
def _(project: Project) -> Result:
    project.change("postgresql.extensions", ["no_such_extension"])
    return project.run()
