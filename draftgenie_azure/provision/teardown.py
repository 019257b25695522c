"""Deletes what this deployment created: everything (`--destroy`), or what left the configuration (`--prune`).

Whatever forbids it is looked for first, and then nothing is deleted at all: a teardown that stops half way under a lock
leaves an application that no longer works. Dependants go first, side by side where they may. Each resource leaves the
state as it goes, so an interrupted teardown is continued by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from draftgenie_azure.arm import ids
from draftgenie_azure.errors import AzureError, DeployerError
from draftgenie_azure.provision.prerequisites import allows
from draftgenie_azure.run.poll import poll
from draftgenie_azure.run.schedule import run_by_needs, together
from draftgenie_azure.steps import STEPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from draftgenie_azure.session import Session

GROUP = "Microsoft.Resources/resourceGroups"
_APP = "Microsoft.App/containerApps"
_JOB = "Microsoft.App/jobs"
_ENVIRONMENT = "Microsoft.App/managedEnvironments"
_ROLE = "Microsoft.Authorization/roleAssignments"
_COMPONENT = "Microsoft.Insights/components"
_SETTING = "Microsoft.Insights/diagnosticSettings"
_STORAGE = "Microsoft.App/managedEnvironments/storages"
_VAULT = "Microsoft.KeyVault/vaults"
_WORKSPACE = "Microsoft.OperationalInsights/workspaces"
_LOCK_VERSION = "2020-05-01"

# What holds data that nobody can make again; deleted only with --include-data.
DATA = (
    "Microsoft.Cache/redis",
    "Microsoft.Cache/redisEnterprise",
    "Microsoft.ContainerRegistry/registries",
    "Microsoft.DBforPostgreSQL/flexibleServers",
    _VAULT,
)
# Type -> types that must be gone before it. The group comes after everything.
_AFTER: dict[str, tuple[str, ...]] = {
    _STORAGE: (_APP, _JOB),
    _SETTING: (_APP, _JOB),
    _ENVIRONMENT: (_APP, _JOB, _STORAGE, _SETTING),
    _ROLE: (_APP, _JOB),
    "Microsoft.Cache/redis": (_APP, _JOB),
    "Microsoft.Cache/redisEnterprise": (_APP, _JOB),
    "Microsoft.ContainerRegistry/registries": (_APP, _JOB, _ROLE),
    "Microsoft.DBforPostgreSQL/flexibleServers": (_APP, _JOB),
    _VAULT: (_APP, _JOB, _ROLE),
    _COMPONENT: (_APP, _JOB),
    _WORKSPACE: (_COMPONENT, _SETTING, _ENVIRONMENT),
    "Microsoft.ManagedIdentity/userAssignedIdentities": (_APP, _JOB, _ROLE, _ENVIRONMENT),
}
# Seconds that a deletion usually takes: recorded and published runs.
_USUAL = {
    _ENVIRONMENT: 15 * 60.0,
    "Microsoft.Cache/redis": 10 * 60.0,
    "Microsoft.Cache/redisEnterprise": 6 * 60.0,
    "Microsoft.DBforPostgreSQL/flexibleServers": 3 * 60.0,
    _APP: 30.0,
    GROUP: 30.0,
}
PURGE_SECONDS = 600.0  # recorded: 602 to 654
_PURGE_LIMIT = 45 * 60.0
_NOT_YET_DELETED = 60.0  # seconds after a deletion in which the deleted vault may not be listed yet


@dataclass(frozen=True)
class Item:
    """A recorded resource that is to go.

    Attributes:
        key: the state's name for it.
        inside: whether it goes with its parent, which is to be deleted as well.
    """

    key: str
    id: str
    api_version: str
    inside: bool = False

    @property
    def type(self) -> str:
        """Its resource type."""
        return ids.resource_type(self.id)


@dataclass
class Plan:
    """What a teardown would do.

    Attributes:
        delete: what goes, dependants first.
        keep: key -> why it stays.
        purge: names of vaults whose deleted form goes as well.
        refusals: what forbids the whole.
        warnings: what is worth knowing.
    """

    delete: list[Item] = field(default_factory=list)
    keep: dict[str, str] = field(default_factory=dict)
    purge: list[Item] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it usually takes, dependants before what they depend on."""
        ends: dict[str, float] = {}
        for item in self.delete:
            begin = max((ends.get(one, 0.0) for one in _AFTER.get(item.type, ())), default=0.0)
            if item.type == GROUP:
                begin = max(ends.values(), default=0.0)
            usual = 0.0 if item.inside else _USUAL.get(item.type, 5.0)
            ends[item.type] = max(ends.get(item.type, 0.0), begin + usual)
        longest = max(ends.values(), default=0.0)
        return longest + PURGE_SECONDS if self.purge else longest


class Teardown:
    """Plans and carries out a deletion.

    Args:
        session: the way to Azure.
        include_data: whether what holds data goes as well.
        purge: whether deleted vaults are purged, and the workspace deleted for good.
        only_orphans: only what left the configuration.
        tell: called with the key of each resource that is gone.
    """

    def __init__(
        self,
        session: Session,
        *,
        include_data: bool = False,
        purge: bool = False,
        only_orphans: bool = False,
        tell: Callable[[str, str], None] = lambda key, text: None,
    ) -> None:
        self._session = session
        self._arm = session.arm
        self._records = session.records
        self._include_data = include_data
        self._purge = purge
        self._only_orphans = only_orphans
        self._tell = tell

    # --- plan ---

    def plan(self) -> Plan:
        """Look at everything that is to go, and at what forbids it; deletes nothing.

        Raises:
            AzureError: Azure cannot be asked.
        """
        plan = Plan()
        chosen = dict(self._chosen(plan))
        gone = {item.id.lower() for item in chosen.values()}
        for item in self._in_order(chosen.values()):
            parent = _parent(item.id)
            plan.delete.append(Item(item.key, item.id, item.api_version, inside=parent in gone))
        plan.purge = self._to_purge(plan)
        self._look_at_group(plan)
        if plan.delete:
            self._look_at_locks(plan)
            self._look_at_rights(plan)
            self._look_at_guests(plan)
        return plan

    def _chosen(self, plan: Plan) -> Iterator[tuple[str, Item]]:
        """Each recorded resource that may go; what stays is put into the plan with its reason."""
        for key, record in sorted(self._records.resources.items()):
            if record.get("purging") or (self._only_orphans and not record.get("orphaned")):
                continue
            item = Item(key, str(record["id"]), str(record["api_version"]))
            reason = self._stays(item, record)
            if reason is None:
                yield key, item
            else:
                plan.keep[key] = reason

    def _stays(self, item: Item, record: Mapping[str, Any]) -> str | None:
        """Say why a resource stays, or None."""
        if not record.get("created"):
            return "it was not created by this deployment"
        if item.type.startswith(DATA) and not self._include_data and not _is_rule(item.type):
            return "it holds data; --include-data deletes it as well"
        return None

    @staticmethod
    def _in_order(items: Iterable[Item]) -> list[Item]:
        return sorted(items, key=lambda item: (_rank(item.type), item.key))

    def _to_purge(self, plan: Plan) -> list[Item]:
        """Vaults of this teardown, and those that an earlier one deleted and did not get to purge."""
        if not self._purge:
            return []
        left = [
            Item(key, str(record["id"]), str(record["api_version"]))
            for key, record in sorted(self._records.resources.items())
            if record.get("purging")
        ]
        return [item for item in plan.delete if item.type == _VAULT] + left

    # --- what forbids it ---

    def _look_at_group(self, plan: Plan) -> None:
        """The group goes only if this lineage made it and nothing else is in it."""
        group = next((item for item in plan.delete if item.type == GROUP), None)
        if group is None:
            return
        going = {item.id.lower() for item in plan.delete}
        version = ids.API_VERSIONS[GROUP]
        listed = [str(item["id"]) for item in self._arm.listing(f"{group.id}/resources", api_version=version)]
        others = sorted(ids.last_name(one) for one in listed if one.lower() not in going)
        if others:
            plan.delete.remove(group)
            shown = ", ".join(others[:10]) + (f" and {len(others) - 10} more" if len(others) > 10 else "")
            plan.keep[group.key] = f"it still contains {shown}"

    def _look_at_locks(self, plan: Plan) -> None:
        """A lock on any of it makes Azure refuse; locks bind owners, too (learn.microsoft.com, lock-resources)."""
        locks: dict[str, dict[str, Any]] = {}
        path = f"{self._session.scope.group}/providers/Microsoft.Authorization/locks"
        for params in ({}, {"$filter": "atScope()"}):
            for lock in self._arm.listing(path, api_version=_LOCK_VERSION, **params):
                locks[str(lock["id"]).lower()] = lock
        for lock in locks.values():
            scope = str(lock["id"]).lower().split("/providers/microsoft.authorization/locks/", 1)[0]
            hit = [item for item in plan.delete if item.id.lower() == scope or item.id.lower().startswith(f"{scope}/")]
            if hit:
                level = str(lock.get("properties", {}).get("level", "CanNotDelete"))
                plan.refusals.append(
                    f"the lock {lock.get('name')} ({level}) on {ids.last_name(scope)} forbids it: "
                    f"az lock delete --ids {lock['id']}"
                )

    def _look_at_rights(self, plan: Plan) -> None:
        """Compare what is to be deleted with the permissions at the group."""
        path = f"{self._session.scope.group}/providers/Microsoft.Authorization/permissions"
        version = ids.API_VERSIONS["Microsoft.Authorization/permissions"]
        permissions = list(self._arm.listing(path, api_version=version))
        actions = {f"{item.type}/delete" for item in plan.delete if item.type != GROUP}
        if any(item.type == GROUP for item in plan.delete):
            actions.add("Microsoft.Resources/subscriptions/resourceGroups/delete")
        missing = sorted(action for action in actions if not any(allows(one, action) for one in permissions))
        if missing:
            plan.refusals.append(f"the signed-in principal may not: {', '.join(missing)}")

    def _look_at_guests(self, plan: Plan) -> None:
        """Others' apps in our environment, others' components on our workspace, and a vault that cannot be purged."""
        going = {item.id.lower() for item in plan.delete}
        for item in plan.delete:
            if item.type == _ENVIRONMENT:
                for type_ in (_APP, _JOB):
                    self._refuse_guests(plan, item, going, type_, ("environmentId", "managedEnvironmentId"))
            elif item.type == _WORKSPACE:
                self._refuse_guests(plan, item, going, _COMPONENT, ("WorkspaceResourceId",))
        for item in plan.purge:
            live = self._arm.read(item.id, api_version=item.api_version)
            if live is not None and live["properties"].get("enablePurgeProtection"):
                plan.refusals.append(
                    f"the vault {ids.last_name(item.id)} has purge protection and cannot be purged: leave out --purge"
                )

    def _refuse_guests(
        self, plan: Plan, item: Item, going: set[str], type_: str, properties: tuple[str, ...]
    ) -> None:
        path = f"{self._session.scope.subscription}/providers/{type_}"
        for guest in self._arm.listing(path, api_version=ids.API_VERSIONS[type_]):
            host = next((guest["properties"][name] for name in properties if guest["properties"].get(name)), "")
            if str(host).lower() == item.id.lower() and str(guest["id"]).lower() not in going:
                plan.refusals.append(f"{guest['id']} uses {item.key}, and this deployment did not create it")

    # --- deed ---

    def run(self, plan: Plan) -> list[str]:
        """Delete what the plan names, each as soon as what depends on it is gone.

        Returns:
            the keys of what is gone.

        Raises:
            DeployerError: the plan is refused, or a deletion failed; the rest that does not depend on it was deleted.
            StopRequested: a stop was asked for; the next teardown continues.
        """
        if plan.refusals:
            raise DeployerError("nothing was deleted: " + "\n".join(plan.refusals), hint="Clear that, then run again.")
        self._reopen_steps(plan)
        items = {item.key: item for item in plan.delete}
        purges = {f"purge {item.key}": item for item in plan.purge}
        gone: list[str] = []

        def work(name: str) -> None:
            if name in purges:
                self._purge_vault(purges[name])
            else:
                self._delete(items[name], purge=f"purge {name}" in purges)
            gone.append(name)

        failures = run_by_needs(
            self._needs(plan),
            work,
            width=self._session.control.parallelism,
            durations={key: _USUAL.get(item.type, 5.0) for key, item in items.items()}
            | dict.fromkeys(purges, PURGE_SECONDS),
            control=self._session.control,
        )
        if failures:
            raise together(list(failures.values()))
        return gone

    def _reopen_steps(self, plan: Plan) -> None:
        """Before the first deletion: no step counts as completed whose resources go, wherever this is interrupted."""
        records = self._records.resources
        reopened = {str(records[item.key].get("step")) for item in plan.delete if not records[item.key].get("orphaned")}
        whole = any(item.type == GROUP for item in plan.delete)
        for step in STEPS:  # in order: a step comes after those it needs
            if whole or step.name in reopened or reopened.intersection(step.needs):
                reopened.add(step.name)
                self._records.document["steps"].pop(step.name, None)
        self._records.save()

    @staticmethod
    def _needs(plan: Plan) -> dict[str, list[str]]:
        """Name -> names that must be gone before."""
        keys: dict[str, list[str]] = {}
        for item in plan.delete:
            keys.setdefault(item.type, []).append(item.key)
        needs: dict[str, list[str]] = {}
        for item in plan.delete:
            before = [key for type_ in _AFTER.get(item.type, ()) for key in keys.get(type_, ())]
            if item.type == GROUP:
                before = [other.key for other in plan.delete if other.type != GROUP]
            if item.inside:  # it goes with its parent
                parent = _parent(item.id)
                before += [other.key for other in plan.delete if other.id.lower() == parent]
            needs[item.key] = before
        for item in plan.purge:
            needs[f"purge {item.key}"] = [item.key] if item in plan.delete else []
        return needs

    def _delete(self, item: Item, *, purge: bool) -> None:
        """Delete one resource; gone is what a GET says is gone."""
        location = self._location(item) if purge else None
        if not item.inside:
            self._delete_live(item)
        self._forget(item, location)
        self._tell(item.key, "deleted")

    def _delete_live(self, item: Item) -> None:
        def look() -> bool | None:
            self._arm.delete(item.id, api_version=item.api_version)
            return self._arm.read(item.id, api_version=item.api_version) is None or None

        # Azure reports success for some deletions that failed.
        if poll(look, control=self._session.control, limit=_NOT_YET_DELETED) is None:
            raise AzureError(
                f"{item.key}: Azure reported that it was deleted, but it is still there",
                hint="Run again later; what is gone stays gone.",
            )

    def _location(self, item: Item) -> str | None:
        """The region of a vault that is to be purged: a deleted vault is found by it."""
        live = self._arm.read(item.id, api_version=item.api_version)
        return None if live is None else str(live["location"])

    def _forget(self, item: Item, location: str | None) -> None:
        """Remove what the state says about a resource that is gone, and save."""
        document = self._records.document
        record = self._records.resources.get(item.key, {})
        if item.type == _VAULT:
            document["secrets"] = {}
        elif item.type == _JOB and record.get("succeeded"):
            # The database that it migrated may stay: this content is not run on it again.
            document.setdefault("migrated", {})[item.key] = record["name"]
        elif item.type == "Microsoft.DBforPostgreSQL/flexibleServers":
            document.pop("migrated", None)
        self._records.deleted(item.key, purging=location)

    # --- purge ---

    def _purge_vault(self, item: Item) -> None:
        """Purge a deleted vault; about ten minutes, beside the rest."""
        name = ids.last_name(item.id)
        location = self._records.resources.get(item.key, {}).get("purging")
        if location is None:  # it was gone before, and nobody knows where it was
            return
        region = f"{self._session.scope.subscription}/providers/Microsoft.KeyVault/locations/{location}"
        path = f"{region}/deletedVaults/{name}"
        control, version = self._session.control, item.api_version
        # One that is never listed as deleted was purged before.
        poll(lambda: self._ask_for_purge(path, version) or None, control=control, limit=_NOT_YET_DELETED)
        purged = poll(
            lambda: self._arm.read(path, api_version=version) is None or None, control=control, limit=_PURGE_LIMIT
        )
        if purged is None:
            raise AzureError(f"the vault {name} is still being purged", hint="Run again later.")
        self._records.deleted(item.key)
        self._tell(item.key, "purged")

    def _ask_for_purge(self, path: str, version: str) -> bool:
        """Start a purge; False where the vault is not listed as deleted yet."""
        try:
            self._arm.act(f"{path}/purge", api_version=version)
        except AzureError as error:
            if error.status == 404:
                return False
            if error.status != 409:  # being purged already
                raise
        return True


def _parent(resource_id: str) -> str:
    """The id of the resource that a resource lies in, in lower case; an extension's is the resource that it extends."""
    return resource_id.lower().rsplit("/", 2)[0]


def _is_rule(type_: str) -> bool:
    """A firewall rule lies in a server but holds nothing."""
    return type_.endswith("/firewallRules")


def _rank(type_: str) -> int:
    """The length of the longest chain of types that go before a type."""
    if type_ == GROUP:
        return 99
    return 1 + max((_rank(one) for one in _AFTER.get(type_, ())), default=-1)
