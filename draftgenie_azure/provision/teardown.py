"""Delete what this deployment created: everything (`--destroy`), or what left the configuration (`--prune`).

Everything that prevents it is checked first; then nothing is deleted at all: a teardown stopped half way by a lock
leaves a broken application. Dependants are deleted first, concurrently if possible. Each deleted resource is removed
from the state, so that an interrupted teardown is resumed by the next one.
"""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.client import created_at, creation_id
from draftgenie_azure.arm.resource import service_id
from draftgenie_azure.errors import AzureError, RefusedError
from draftgenie_azure.provision import addresses, database_creations
from draftgenie_azure.provision.deleted_vaults import NOT_YET_DELETED, DeletedVaults
from draftgenie_azure.provision.teardown_checks import Checks
from draftgenie_azure.provision.teardown_plan import (
    DATA,
    GROUP,
    JOB,
    ONLY_WITH_PARENT,
    PURGE_SECONDS,
    REGISTRY,
    SERVER,
    USUAL,
    VAULT,
    WORKSPACE,
    Item,
    Plan,
    is_rule,
    parent_of,
    purge_of,
    rank,
)
from draftgenie_azure.run.poll import poll
from draftgenie_azure.run.schedule import run_by_needs, together
from draftgenie_azure.steps import STEPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from draftgenie_azure.session import Session


class Teardown:
    """Plans and performs a deletion.

    Args:
        session: the session.
        include_data: also delete resources with data.
        purge: purge deleted vaults, and delete the workspace permanently.
        only_orphans: delete only what left the configuration.
        repositories: repositories that this deployment pushed images to.
        copies: records of resources from copies of earlier states.
        report: called with the key of each deleted resource.

    Attributes:
        gone: keys of deleted resources, also during `run`.
        purged: keys of vaults whose deleted form is gone.
    """

    def __init__(
        self,
        session: Session,
        *,
        include_data: bool = False,
        purge: bool = False,
        only_orphans: bool = False,
        repositories: set[str] | None = None,
        copies: Iterable[Mapping[str, Any]] = (),
        report: Callable[[str, str], None] = lambda key, text: None,
    ) -> None:
        self._session = session
        self._arm = session.arm
        self._records = session.records
        self._include_data = include_data
        self._purge = purge
        self._only_orphans = only_orphans
        self._checks = Checks(session, repositories or set())
        self._vaults = DeletedVaults(session, copies)
        self._report = report
        self.gone: list[str] = []
        self.purged: list[str] = []

    # --- plan ---

    def plan(self) -> Plan:
        """Determine what to delete, and what prevents it; deletes nothing.

        Raises:
            AzureError: Azure cannot be queried.
        """
        plan = Plan()
        chosen = self._chosen(plan)
        gone = {item.id.lower() for item in chosen}
        for item in sorted(chosen, key=lambda item: (rank(item.type), item.key)):
            inside = parent_of(item.id) in gone
            if item.type in ONLY_WITH_PARENT and not inside:
                plan.keep[item.key] = "it is a setting of a kept resource"
            else:
                plan.delete.append(Item(item.key, item.id, item.api_version, inside=inside))
        self._plan_purge(plan)
        self._checks.check(plan)
        return plan

    def _chosen(self, plan: Plan) -> list[Item]:
        """Return the recorded resources to delete; kept ones are added to the plan with a reason."""
        replaced = self._replaced()
        configured = self._configured()
        chosen = []
        for key, record in sorted(self._records.resources.items()):
            if record.get("purging") or (self._only_orphans and not record.get("orphaned")):
                continue
            item = Item(key, str(record["id"]), str(record["api_version"]))
            reason = self._stays(item, record, replaced)
            if item.id.lower() in configured:
                reason = "the configuration names it again; the next run uses it"
            if reason is None:
                chosen.append(item)
            else:
                plan.keep[key] = reason
        return chosen

    def _configured(self) -> set[str]:
        """Return ids, in lower case, that a prune never deletes."""
        return addresses.configured(self._session) if self._only_orphans else set()

    def _replaced(self) -> list[str]:
        """Return lower-case ids that now belong to another resource than the one created.

        The creation id, a tag of the body that created a resource, distinguishes them. A removed
        tag does not mean another resource, unless the creation was never confirmed. An app or a job has no such
        tag: its creation time is compared, if both times are known; or the id that Azure gave it.
        """
        replaced = []
        for record in list(self._records.resources.values()):
            if not record.get("created") or not self._is_inside(str(record["id"])):
                continue
            if "created_at" in record:
                found = created_at(self._arm.live.current(str(record["id"]), bulk=True))
                if found is not None and found != record["created_at"]:
                    replaced.append(str(record["id"]).lower())
            if "creation_id" not in record and "service_id" not in record:
                continue
            live = self._arm.read(str(record["id"]), api_version=str(record["api_version"]))
            if "service_id" in record:
                if live is not None and service_id(ids.resource_type(str(record["id"])), live) != record["service_id"]:
                    replaced.append(str(record["id"]).lower())
                continue
            known = creation_id(live)
            if live is not None and known != record["creation_id"] and (known or "sent" not in record):
                replaced.append(str(record["id"]).lower())
        return replaced

    def _is_inside(self, resource_id: str) -> bool:
        """Return whether an id is the configured group or inside it; others in a state are not trusted."""
        return f"{resource_id}/".lower().startswith(f"{self._session.scope.group}/".lower())

    def _stays(self, item: Item, record: Mapping[str, Any], replaced: list[str]) -> str | None:
        """Return why a resource is kept, or None."""
        if not record.get("created") and item.type not in ONLY_WITH_PARENT:
            return "it was not created by this deployment"
        if not self._is_inside(item.id):
            return f"it is outside the resource group: {item.id}"
        if any(f"{item.id}/".lower().startswith(f"{other}/") for other in replaced):
            return "the resource of this name was created by others"
        if item.type.startswith(DATA) and not self._include_data and not is_rule(item.type):
            return "holds data; --include-data deletes it as well"
        return None

    def _plan_purge(self, plan: Plan) -> None:
        """Purge the vaults of this teardown, and those that an earlier one deleted."""
        if self._purge:
            plan.purge = [item for item in plan.delete if item.type == VAULT] + self._vaults.left(self._configured())
            plan.refusals += self._vaults.refusals(plan.purge)
            plan.warnings += self._kept_workspaces(plan)
        if self._vaults.unlisted is not None:
            plan.warnings.append(f"{self._vaults.unlisted.message.rstrip('.')}. {self._vaults.unlisted.hint}")

    def _kept_workspaces(self, plan: Plan) -> Iterator[str]:
        """Yield workspaces that were deleted before, but not permanently: Azure can no longer purge them."""
        wanted = {item.id.lower() for item in plan.delete if item.type == WORKSPACE}
        if self._session.config.monitoring is not None:
            wanted.add(addresses.workspace(self._session).lower())
        path = f"{self._session.scope.subscription}/providers/Microsoft.OperationalInsights/deletedWorkspaces"
        try:
            listed = list(self._arm.listing(path, api_version=ids.API_VERSIONS[WORKSPACE]))
        except AzureError as error:
            if error.status != 403:
                raise
            return
        for deleted in listed:
            if str(deleted["id"]).lower() in wanted:
                yield (
                    f"the workspace {deleted['name']} was deleted before; Azure keeps it for 14 days and cannot purge "
                    "it, and a deployment in that time brings it back with its logs"
                )

    # --- deletion ---

    def run(self, plan: Plan) -> None:
        """Delete the planned resources, each as soon as its dependants are gone; `gone` lists them.

        Raises:
            RefusedError: the plan is refused, or a deletion failed; independent resources were deleted.
            StopRequested: a stop was requested; the next teardown continues.
        """
        if plan.refusals:
            hint = "Do what it says, then run again."
            raise RefusedError("nothing was deleted: " + "\n".join(plan.refusals), hint=hint)
        self._reopen_steps(plan)
        self._vaults.begin(plan.purge)
        items = {item.key: item for item in plan.delete}
        purges = {purge_of(item): item for item in plan.purge}

        def work(name: str) -> None:
            if name in purges:
                self._vaults.purge(purges[name])
                self.purged.append(purges[name].key)
                self._is_gone(purges[name], "purged")
            elif items[name].type == GROUP:
                self._delete_group(items[name], plan)
            else:
                self._delete(items[name], purge=purge_of(items[name]) in purges)

        failures = run_by_needs(
            plan.needs(),
            work,
            width=self._session.control.parallelism,
            durations={key: USUAL.get(item.type, 5.0) for key, item in items.items()}
            | dict.fromkeys(purges, PURGE_SECONDS),
            control=self._session.control,
        )
        if failures:
            raise together(list(failures.values()))

    def _reopen_steps(self, plan: Plan) -> None:
        """Before the first deletion, mark steps whose resources are deleted as not completed."""
        records = self._records.resources
        reopened = {str(records[item.key].get("step")) for item in plan.delete if not records[item.key].get("orphaned")}
        whole = any(item.type == GROUP for item in plan.delete)
        for step in STEPS:  # in order: needs come first
            if whole or step.name in reopened or reopened.intersection(step.needs):
                reopened.add(step.name)
                self._records.document["steps"].pop(step.name, None)
        self._records.save()

    def _delete(self, item: Item, *, purge: bool = False) -> None:
        """Delete one resource, and confirm by a GET that it is gone."""
        if purge:
            self._vaults.keep_region(item)
        if not self._records.resources[item.key]["step"]:  # no step runs again for it: a deployment must know to look
            self._records.note(item.key, deleting=True)
        if not item.inside:
            self._delete_live(item)
        self._forget(item, purge=purge)
        self._is_gone(item, "deleted")

    def _delete_group(self, item: Item, plan: Plan) -> None:
        """Delete the group, unless others added something to it since the plan."""
        others = self._checks.others_in_group(item, plan)
        if others:
            self._report(item.key, f"stays: it now contains {', '.join(others)}")
        else:
            self._delete(item)

    def _is_gone(self, item: Item, how: str) -> None:
        self.gone.append(item.key)
        self._report(item.key, how)

    def _delete_live(self, item: Item) -> None:
        # Else Azure keeps a workspace, with its logs, for 14 days (learn.microsoft.com, workspaces/delete).
        query = {"force": "true"} if item.type == WORKSPACE and self._purge else {}

        def look() -> bool | None:
            self._arm.delete(item.id, api_version=item.api_version, **query)
            return self._arm.read(item.id, api_version=item.api_version) is None or None

        # Azure reports success for some deletions that failed.
        if poll(look, control=self._session.control, limit=NOT_YET_DELETED) is None:
            raise AzureError(
                f"{item.key}: Azure reported that it was deleted, but it is still there",
                hint="Run again later; what is gone stays gone.",
            )

    def _forget(self, item: Item, *, purge: bool) -> None:
        """Remove everything about a deleted resource from the state, and save."""
        with self._records.mutex:
            self._forget_what_hangs_on(item)
            region = self._records.resources.get(item.key, {}).get("purge_from") if purge else None
            if item.type == VAULT and not purge:
                self._vaults.remember(item)
        self._records.deleted(item.key, purging=region)

    def _forget_what_hangs_on(self, item: Item) -> None:
        document = self._records.document
        record = self._records.resources.get(item.key, {})
        if item.type == SERVER:
            database_creations.server_deleted(self._session, item.id)
        if self._has_successor(item):
            return
        if item.type == VAULT:
            document["secrets"] = {}
            document.pop("rotating", None)
        elif item.type == REGISTRY:
            document.pop("pin", None)  # the images of that run are deleted
        elif item.type == JOB and record.get("succeeded"):
            # The migrated database may be kept: this content must not run on it again.
            document.setdefault("migrated", {})[item.key] = record["name"]
        elif item.type == database_creations.DATABASE and not item.inside:
            database_creations.deleted(self._session, item.id)
        elif item.type == SERVER:
            document.pop("migrated", None)

    def _has_successor(self, item: Item) -> bool:
        """Return whether another vault, registry or server is in use, which the state then describes."""
        return item.type in (VAULT, REGISTRY, SERVER) and any(
            ids.resource_type(str(record["id"])) == item.type and key != item.key and not record.get("orphaned")
            for key, record in list(self._records.resources.items())
        )
