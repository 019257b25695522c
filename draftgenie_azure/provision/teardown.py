"""Deletes what this deployment created: everything (`--destroy`), or what left the configuration (`--prune`).

Whatever forbids it is looked for first, and then nothing is deleted at all: a teardown that stops half way under a lock
leaves an application that no longer works. Dependants go first, side by side where they may. Each resource leaves the
state as it goes, so an interrupted teardown is continued by the next one.
"""

from __future__ import annotations

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.client import created_at, creation_id
from draftgenie_azure.errors import AzureError, RefusedError
from draftgenie_azure.provision import addresses
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
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from draftgenie_azure.session import Session


class Teardown:
    """Plans and carries out a deletion.

    Args:
        session: the way to Azure.
        include_data: whether what holds data goes as well.
        purge: whether deleted vaults are purged, and the workspace deleted for good.
        only_orphans: only what left the configuration.
        repositories: names in the registry that this deployment pushed images to.
        copies: records of resources from copies of earlier states.
        tell: called with the key of each resource that is gone.

    Attributes:
        gone: keys of what is gone, while `run` goes on as well.
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
        tell: Callable[[str, str], None] = lambda key, text: None,
    ) -> None:
        self._session = session
        self._arm = session.arm
        self._records = session.records
        self._include_data = include_data
        self._purge = purge
        self._only_orphans = only_orphans
        self._checks = Checks(session, repositories or set())
        self._vaults = DeletedVaults(session, copies)
        self._tell = tell
        self.gone: list[str] = []
        self.purged: list[str] = []

    # --- plan ---

    def plan(self) -> Plan:
        """Look at everything that is to go, and at what forbids it; deletes nothing.

        Raises:
            AzureError: Azure cannot be asked.
        """
        plan = Plan()
        chosen = self._chosen(plan)
        gone = {item.id.lower() for item in chosen}
        for item in sorted(chosen, key=lambda item: (rank(item.type), item.key)):
            inside = parent_of(item.id) in gone
            if item.type in ONLY_WITH_PARENT and not inside:
                plan.keep[item.key] = "it is a setting of a resource that stays"
            else:
                plan.delete.append(Item(item.key, item.id, item.api_version, inside=inside))
        self._plan_purge(plan)
        self._checks.check(plan)
        return plan

    def _chosen(self, plan: Plan) -> list[Item]:
        """Each recorded resource that may go; what stays is put into the plan with its reason."""
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
        """Ids, in lower case, that a prune leaves alone, whatever is recorded of them."""
        return addresses.configured(self._session) if self._only_orphans else set()

    def _replaced(self) -> list[str]:
        """Ids, in lower case, under which there is another resource now than the one that was created.

        The creation id, which is in a tag of the body that created a resource, tells them apart. A tag that somebody
        removed is no other resource, unless the creation itself was never seen to succeed. An app or a job has no such
        tag: when it was created says it, where both times are known.
        """
        replaced = []
        for record in list(self._records.resources.values()):
            if not record.get("created") or not self._is_inside(str(record["id"])):
                continue
            if "created_at" in record:
                found = created_at(self._arm.live.current(str(record["id"]), bulk=True))
                if found is not None and found != record["created_at"]:
                    replaced.append(str(record["id"]).lower())
            if "creation_id" not in record:
                continue
            live = self._arm.read(str(record["id"]), api_version=str(record["api_version"]))
            known = creation_id(live)
            if live is not None and known != record["creation_id"] and (known or "sent" not in record):
                replaced.append(str(record["id"]).lower())
        return replaced

    def _is_inside(self, resource_id: str) -> bool:
        """Whether an id is the configured group or in it; what a state says of elsewhere is not believed."""
        return f"{resource_id}/".lower().startswith(f"{self._session.scope.group}/".lower())

    def _stays(self, item: Item, record: Mapping[str, Any], replaced: list[str]) -> str | None:
        """Say why a resource stays, or None."""
        if not record.get("created") and item.type not in ONLY_WITH_PARENT:
            return "it was not created by this deployment"
        if not self._is_inside(item.id):
            return f"it is outside the resource group: {item.id}"
        if any(f"{item.id}/".lower().startswith(f"{other}/") for other in replaced):
            return "what is there under this name now was created by someone else"
        if item.type.startswith(DATA) and not self._include_data and not is_rule(item.type):
            return "holds data; --include-data deletes it as well"
        return None

    def _plan_purge(self, plan: Plan) -> None:
        """Purge the vaults of this teardown, and those that an earlier one deleted."""
        if self._purge:
            plan.purge = [item for item in plan.delete if item.type == VAULT] + self._vaults.left(self._configured())
            plan.refusals += self._vaults.refusals(plan.purge)
        if self._vaults.unlisted is not None:
            plan.warnings.append(f"{self._vaults.unlisted.message}. {self._vaults.unlisted.hint}")

    # --- deed ---

    def run(self, plan: Plan) -> None:
        """Delete what the plan names, each as soon as what depends on it is gone; `gone` says what is.

        Raises:
            RefusedError: the plan is refused, or a deletion failed; the rest that does not depend on it was deleted.
            StopRequested: a stop was asked for; the next teardown continues.
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
        """Before the first deletion: no step counts as completed whose resources go, wherever this is interrupted."""
        records = self._records.resources
        reopened = {str(records[item.key].get("step")) for item in plan.delete if not records[item.key].get("orphaned")}
        whole = any(item.type == GROUP for item in plan.delete)
        for step in STEPS:  # in order: a step comes after those it needs
            if whole or step.name in reopened or reopened.intersection(step.needs):
                reopened.add(step.name)
                self._records.document["steps"].pop(step.name, None)
        self._records.save()

    def _delete(self, item: Item, *, purge: bool = False) -> None:
        """Delete one resource; gone is what a GET says is gone."""
        if purge:
            self._vaults.keep_region(item)
        if not self._records.resources[item.key]["step"]:  # no step runs again for it: a deployment must know to look
            self._records.note(item.key, deleting=True)
        if not item.inside:
            self._delete_live(item)
        self._forget(item, purge=purge)
        self._is_gone(item, "deleted")

    def _delete_group(self, item: Item, plan: Plan) -> None:
        """Delete the group, unless somebody put something into it since the plan was made."""
        others = self._checks.others_in_group(item, plan)
        if others:
            self._tell(item.key, f"stays: it now contains {', '.join(others)}")
        else:
            self._delete(item)

    def _is_gone(self, item: Item, how: str) -> None:
        self.gone.append(item.key)
        self._tell(item.key, how)

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
        """Remove what the state says about a resource that is gone, and save."""
        with self._records.mutex:
            self._forget_what_hangs_on(item)
            region = self._records.resources.get(item.key, {}).get("purge_from") if purge else None
            if item.type == VAULT and not purge:
                self._vaults.remember(item)
        self._records.deleted(item.key, purging=region)

    def _forget_what_hangs_on(self, item: Item) -> None:
        document = self._records.document
        record = self._records.resources.get(item.key, {})
        if self._has_successor(item):
            return
        if item.type == VAULT:
            document["secrets"] = {}
            document.pop("rotating", None)
        elif item.type == REGISTRY:
            document.pop("pin", None)  # the images of that run are gone
        elif item.type == JOB and record.get("succeeded"):
            # The database that it migrated may stay: this content is not run on it again.
            document.setdefault("migrated", {})[item.key] = record["name"]
        elif item.type == SERVER:
            document.pop("migrated", None)

    def _has_successor(self, item: Item) -> bool:
        """Whether another vault, registry or server is in use: what the state says is about that one."""
        return item.type in (VAULT, REGISTRY, SERVER) and any(
            ids.resource_type(str(record["id"])) == item.type and key != item.key and not record.get("orphaned")
            for key, record in list(self._records.resources.items())
        )
