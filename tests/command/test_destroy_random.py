"""Random groups of our resources and others': a teardown deletes nothing that this lineage did not create.

Ours are recorded as created. Others' are not recorded, recorded as taken over, or created again under the name
of one of ours. DESTROY_EXAMPLES says how many groups are tried.
"""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass, field
from typing import Any

import pytest
from by_hand import APPS, PG
from hypothesis import given, settings
from hypothesis import strategies as st
from project import Azure, Project, new_project, wait_for_end

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

OURS, THEIRS, TAKEN_OVER, REPLACED = "ours", "theirs", "taken over", "replaced"
GROUPS = "2025-04-01"
HERE: dict[str, Any] = {"location": "eastus2"}
# Kind -> type, API version, step, whether it holds data, whether it carries a creation id.
KINDS = {
    "identity": ("ManagedIdentity/userAssignedIdentities", "2024-11-30", "create_resource_group", False, False),
    "workspace": ("OperationalInsights/workspaces", "2026-03-01", "create_monitoring", False, False),
    "registry": ("ContainerRegistry/registries", "2025-11-01", "create_container_registry", True, True),
    "vault": ("KeyVault/vaults", "2026-02-01", "create_key_vault", True, True),
    "server": ("DBforPostgreSQL/flexibleServers", PG, "create_databases", True, True),
    "environment": ("App/managedEnvironments", APPS, "create_container_apps_env", False, True),
}
CHILDREN = {"server": ("databases", PG), "environment": ("app", APPS)}
_counter = itertools.count()


@dataclass(frozen=True)
class Thing:
    """One resource of a random group, and its children."""

    kind: str
    owner: str
    orphaned: bool
    inside: tuple[str, ...]  # owners of its databases or apps


@dataclass
class Made:
    """A resource as it was put into Azure."""

    id: str
    version: str
    owner: str
    data: bool
    orphaned: bool


def things() -> st.SearchStrategy[Thing]:
    """Resources of all kinds and owners."""

    def inside(kind: str) -> st.SearchStrategy[tuple[str, ...]]:
        owners = st.lists(st.sampled_from([OURS, OURS, THEIRS, TAKEN_OVER]), max_size=2)
        return owners.map(tuple) if kind in CHILDREN else st.just(())

    def thing(kind: str) -> st.SearchStrategy[Thing]:
        owners = [OURS, OURS, OURS, THEIRS, TAKEN_OVER, *([REPLACED] if KINDS[kind][4] else [])]
        return st.builds(Thing, st.just(kind), st.sampled_from(owners), st.booleans(), inside(kind))

    return st.sampled_from(sorted(KINDS)).flatmap(thing)


@dataclass
class World:
    """A project with an emulator, and a state of its own lineage."""

    project: Project
    state: dict[str, Any] = field(repr=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One for all examples: each has a group of its own."""
    project = new_project(tmp_path_factory.mktemp("random"))
    project.deploy()
    wait_for_end(project)
    return World(project, project.state())


class Builder:
    """Puts a random group into Azure, and what is ours of it into a state."""

    def __init__(self, azure: Azure, document: dict[str, Any], name: str, group_owner: str) -> None:
        self._azure = azure
        self._name = name
        self.group = f"/subscriptions/{document['target']['subscription_id']}/resourceGroups/{name}"
        tags = {} if group_owner == REPLACED else {"draftgenie-lineage": document["lineage"]}
        self._send(self.group, GROUPS, HERE | {"tags": tags})
        self.resources: dict[str, Any] = {}
        self.made: list[Made] = []
        self._record("resource_group", self.group, GROUPS, "create_resource_group", group_owner, False)

    def add(self, number: int, thing: Thing) -> None:
        """One resource with its contents."""
        path, version, step, data, has_id = KINDS[thing.kind]
        resource_id = f"{self.group}/providers/Microsoft.{path}/{self._name}x{number}"
        body = HERE | self._body(thing.kind)
        if has_id:
            body["tags"] = {"incarnation": "somebody" if thing.owner == REPLACED else self._name}
        self._send(resource_id, version, body)
        key = f"{thing.kind}/{number}"
        self._note(key, resource_id, version, step, thing.owner, thing.orphaned, data)
        for index, owner in enumerate(thing.inside):
            self._add_inside(f"{key}/{index}", resource_id, thing, owner)

    def _add_inside(self, key: str, parent: str, thing: Thing, owner: str) -> None:
        name = key.replace("/", "-").replace("environment", "app").replace("server", "db")
        if thing.kind == "server":
            resource_id, step = f"{parent}/databases/{name}", "create_databases"
            self._send(resource_id, PG, {"properties": {}})
        else:
            resource_id = f"{self.group}/providers/Microsoft.App/containerApps/{self._name}-{name}"
            step = "deploy_application_services"
            containers = [{"name": "main", "image": "nginx:1", "resources": {"cpu": 0.25, "memory": "0.5Gi"}}]
            properties = {"environmentId": parent, "template": {"containers": containers}}
            self._send(resource_id, APPS, HERE | {"properties": properties})
        if thing.owner == REPLACED and owner == OURS and thing.kind == "server":
            owner = REPLACED  # the contents of another's server are not ours, whatever the state says
        self._note(key, resource_id, PG if thing.kind == "server" else APPS, step, owner, thing.orphaned,
                   thing.kind == "server")  # fmt: skip

    def _note(
        self, key: str, resource_id: str, version: str, step: str, owner: str, orphaned: bool, data: bool
    ) -> None:
        self.made.append(Made(resource_id, version, owner, data, orphaned))
        if owner != THEIRS:
            self._record(key, resource_id, version, step, owner, orphaned)

    def _record(
        self, key: str, resource_id: str, version: str, step: str, owner: str, orphaned: bool
    ) -> None:
        record = {"id": resource_id, "name": resource_id.rsplit("/", 1)[-1], "api_version": version, "step": step}
        record |= {"created": owner in (OURS, REPLACED), "sent": "x"} | ({"orphaned": True} if orphaned else {})
        if any(resource_id.count("/") == 8 and f".{kind[0]}/" in resource_id for kind in KINDS.values() if kind[4]):
            record["creation_id"] = self._name
        self.resources[key] = record

    def _body(self, kind: str) -> dict[str, Any]:
        if kind == "registry":
            return {"sku": {"name": "Basic"}}
        if kind == "vault":
            tenant = self._azure.control("GET", "/control/info")["tenant_id"]
            sku = {"family": "A", "name": "standard"}
            return {"properties": {"tenantId": tenant, "sku": sku, "enableRbacAuthorization": True}}
        if kind == "server":
            server = {"administratorLogin": "demo", "administratorLoginPassword": "Passw0rdOfIt", "version": "16"}
            sku = {"name": "Standard_B1ms", "tier": "Burstable"}
            return {"sku": sku, "properties": server | {"storage": {"storageSizeGB": 32}}}
        return {"properties": {}} if kind == "environment" else {}

    def _send(self, path: str, version: str, body: Any) -> None:
        self._azure.send("PUT", path, version, body)


@settings(max_examples=int(os.environ.get("DESTROY_EXAMPLES", "12")))
@given(
    group=st.lists(things(), min_size=1, max_size=6),
    group_owner=st.sampled_from([OURS, OURS, TAKEN_OVER, REPLACED]),
    command=st.sampled_from(["--destroy", "--destroy", "--prune"]),
    flags=st.sets(st.sampled_from(["--include-data", "--purge"])),
)
def test_nothing_that_this_lineage_did_not_create_is_ever_deleted(
    world: World, group: list[Thing], group_owner: str, command: str, flags: set[str]
) -> None:
    """And what it did create is gone, unless the whole was refused: then everything is as it was."""
    project, state = world.project, world.state
    name = f"random{next(_counter)}"
    document = {**state, "steps": {}, "operations": {}, "secrets": {}}
    document["target"] = state["target"] | {"resource_group": name}
    with project.azure() as azure:
        builder = Builder(azure, document, name, group_owner)
        for number, thing in enumerate(group):
            builder.add(number, thing)
    document["resources"] = builder.resources
    project.state_file.write_text(json.dumps(document), encoding="utf-8")
    project.change("azure.resource_group", name)
    before = len(project.requests())

    result = project.run(command, *sorted(flags), "--auto-approve")

    assert result.code in (0, 1), result.text
    if result.code:
        assert "nothing was deleted" in result.text
        assert project.writes(before) == []
    with project.azure() as azure:
        there = {one.id: azure.exists(one.id, one.version) for one in builder.made}
        is_group_there = azure.exists(builder.group, GROUPS)
    lost = [one for one in builder.made if one.owner != OURS and not there[one.id]]
    assert not lost, result.text
    assert is_group_there or group_owner == OURS
    if result.code == 0:
        left = [one for one in builder.made if there[one.id] and _goes(one, command, flags)]
        assert not left, result.text


def _goes(made: Made, command: str, flags: set[str]) -> bool:
    """Return whether a resource must be gone."""
    wanted = command == "--destroy" or made.orphaned
    return made.owner == OURS and wanted and (not made.data or "--include-data" in flags)
