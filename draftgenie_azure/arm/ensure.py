"""Ensure one resource: read, compare, write our changes, wait, record.

What others set and the configuration does not state is kept; their changes to configured properties are reported, and
reverted only on request.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace
from functools import partial

from draftgenie_azure.arm import assigned_identities, conflicts, diff, ids, others, references
from draftgenie_azure.arm.diff import BY_OTHERS, CHANGE, REMOVE, SECRET, Change
from draftgenie_azure.arm.leaf_digests import Digests
from draftgenie_azure.arm.look import Look
from draftgenie_azure.arm.merge import with_more
from draftgenie_azure.arm.operations import BAD_ENDS, state_of
from draftgenie_azure.arm.outcome import Outcomes, failed
from draftgenie_azure.arm.plan import CREATE, REPLACE, RESEND, UNCHANGED, Entry, is_pending, predicted
from draftgenie_azure.arm.properties import traits
from draftgenie_azure.arm.refusals import RetryTime, is_busy
from draftgenie_azure.arm.resource import CREATION_ID_TAG, created_at, creation_id, service_id
from draftgenie_azure.arm.shared_wait import SharedWait
from draftgenie_azure.errors import AzureError, OperationFailedError, UnchangeableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.arm.listing import LiveResources
    from draftgenie_azure.arm.operations import Operations
    from draftgenie_azure.arm.plan import Plan
    from draftgenie_azure.arm.replies import Reply
    from draftgenie_azure.arm.resource import Resource
    from draftgenie_azure.arm.transport import Transport
    from draftgenie_azure.run.control import RunControl
    from draftgenie_azure.state.baseline import Baselines
    from draftgenie_azure.state.resource_records import ResourceRecords

    Body = dict[str, Any]

_LOOKS_AT_FAILED = 3  # reads of a failed resource that still reports an operation in progress
_SECRETS = "properties.configuration.secrets"
# Their creation within 14 days of a deletion brings them back as they were (learn.microsoft.com, workspaces/delete).
_COME_BACK = ("Microsoft.OperationalInsights/workspaces",)
_DATED = ("Microsoft.App/containerApps", "Microsoft.App/jobs")  # identified by creation time too


@dataclass(frozen=True)
class Writing:
    """The mode of a run: write, plan or repair.

    Attributes:
        baselines: what Azure returned after our last writes.
        plan: collects planned changes instead of writing; None in a run that writes.
        repair: revert changes made by others.
    """

    baselines: Baselines
    plan: Plan | None
    repair: bool


class Ensurer:
    """Ensures single resources; shared by the threads of a run."""

    def __init__(
        self,
        transport: Transport,
        live: LiveResources,
        operations: Operations,
        records: ResourceRecords,
        control: RunControl,
        writing: Writing,
    ) -> None:
        self._transport = transport
        self._live = live
        self._operations = operations
        self._records = records
        self._baselines = writing.baselines
        self._control = control
        self._logger = transport.logger
        self._plan = writing.plan
        self._repair = writing.repair
        self._outcomes = Outcomes(live, operations, records, control)
        self.created: set[str] = set()
        self.taken_over: dict[str, str] = {}  # in a plan: key of a resource found without a record -> step
        self.written: dict[str, list[str]] = {}  # step -> keys of the resources that were written
        self.changes: dict[str, list[Change]] = {}  # key -> what was written
        self.kept: dict[str, list[Change]] = {}  # key -> changes by others that were not reverted
        self.seen: dict[str, list[Change]] = {}  # key -> changes by others to unconfigured properties
        self.ignored: dict[str, list[Change]] = {}  # key -> configured values that Azure did not apply

    def ensure(self, resource: Resource, step: str, shared: SharedWait) -> Body:
        """Return the live resource, read after the write; in a plan, as predicted.

        Args:
            shared: the resources that are ensured concurrently with this one.

        Raises:
            AzureError: a write was refused, or its operation failed.
            UnchangeableError: a difference cannot be changed.
        """
        if self._plan is not None:
            return self._announce(resource, step, self._plan)
        with shared.writing():
            look = self._begin(resource, step)
        return self._finish(resource, step, look, shared)

    def end(self, resource: Resource, step: str, shared: SharedWait) -> Callable[[], Body]:
        """Write the changes and wait for the operation; return a function that then reads the resource.

        Raises:
            AzureError: the write was refused, or its operation failed.
            UnchangeableError: a difference cannot be changed.
        """
        look = self._begin(resource, step)
        if look.reply is not None:
            self._operations.wait(resource.id, look.reply)
            look.answered = time.monotonic()
            shared.expected += 1
        return partial(self._finish, resource, step, look, shared)

    # ------------------------------------------------------------------------------------------------ deciding

    def _look(self, resource: Resource, live: Body | None) -> Look:
        look = self._compared(resource, live)
        if live is not None and look.action != UNCHANGED and resource.beside is not None:
            look.beside = resource.beside(live, look.changes)
        if live is not None and look.action != UNCHANGED:
            conflicts.check(resource.key, resource.id, partial(look.whole, resource))
        return look

    def _compared(self, resource: Resource, live: Body | None) -> Look:
        record = self._records.of(resource.key, resource.id)
        look = Look(self._wanted(resource, record, live), live)
        if live is None:
            look.action = CREATE
            return look
        if resource.create_only:
            return look
        sent = Digests.read(record.get("sent"), self._salt)
        text = self._baselines.get(resource.key, resource.id, str(sent)) if sent is not None else None
        found = diff.compare(
            resource.type,
            look.wanted,
            live,
            sent=sent,
            baseline=Digests.read(text, self._salt),
            repair=self._repair,
        )
        look.comparison = found
        if found.fixed:
            raise unchangeable(resource.key, resource.id, found.fixed)
        found.ours, still_used = references.kept(resource.type, look.wanted, live, found.ours)
        found.unmanaged += still_used
        found.ours += assigned_identities.outdated(look.wanted, live, self._live.seen)
        look.changes = found.ours + self._changed_secrets(resource, record)
        if state_of(live) in BAD_ENDS:
            look.action = RESEND
            look.changes = look.changes or [
                Change(path, CHANGE, new=value)
                for path, value in diff.leaves(resource.type, look.wanted, creating=False).items()
                if not path[-1].startswith("[")
            ]
        elif look.changes:
            look.action = CHANGE
            self._restore_creation_id(look)
        return look

    @staticmethod
    def _restore_creation_id(look: Look) -> None:
        """Restore a removed tag along with other changes: its absence alone is no reason to write."""
        path = ("tags", CREATION_ID_TAG)
        for change in [change for change in look.comparison.others if change.path == path]:
            look.comparison.others.remove(change)
            look.changes.append(change)

    def _wanted(self, resource: Resource, record: Mapping[str, Any], live: Body | None) -> Body:
        """Return the desired body, with the recorded creation id or, for a new resource, a new one."""
        if not resource.has_creation_id:
            return resource.body
        known = creation_id(live) if live is not None else None
        if live is not None and known is None:
            known = record.get("creation_id")
        if live is None:
            known = uuid.uuid4().hex
        tags = {**(resource.body.get("tags") or {}), **({CREATION_ID_TAG: known} if known else {})}
        return {**resource.body, "tags": tags}

    def _changed_secrets(self, resource: Resource, record: Mapping[str, Any]) -> list[Change]:
        if resource.secret_digest is None or record.get("secret_digest") == resource.secret_digest:
            return []
        paths = [path.split(".") for path in traits(resource.type).write_only if diff.at(resource.body, path)]
        return [Change(tuple(path), SECRET) for path in paths]

    @property
    def _salt(self) -> str:
        return str(self._records.document.get("salt", ""))

    # ------------------------------------------------------------------------------------------------- looking

    def _current(self, resource: Resource, *, again: bool) -> Body | None:
        """Return the live resource once idle; None if it does not exist, or had to be deleted."""
        live = self._live.read(resource.id) if again else self._live.current(resource.id, bulk=resource.bulk)
        if live is None and resource.create_only:
            live = self._under_another_name(resource)
        if self._plan is None:  # a plan does not wait
            live = self._outcomes.at_rest(resource, live, SharedWait())
        return self._usable(resource, self._in_place(resource, live))

    def _in_place(self, resource: Resource, live: Body | None) -> Body | None:
        """Return the live resource, or delete it if its location differs and it cannot be moved."""
        if live is None or resource.replace_on_change is None:
            return live
        there = live["properties"].get(resource.replace_on_change)
        wanted = resource.body["properties"][resource.replace_on_change]
        if not there or str(there).lower() == str(wanted).lower():
            return live
        what = resource.replace_on_change.removesuffix("Id")
        self._logger.warning("%s moves to another %s: it is deleted and created again", resource.key, what)
        self._replaced(resource, f"moves to another {what}")
        return None

    def _usable(self, resource: Resource, live: Body | None) -> Body | None:
        """Return the live resource, or delete it if its creation failed and Azure accepts no change of it."""
        if live is None or resource.recreate_if_failed is None or state_of(live) not in BAD_ENDS:
            return live
        name, value = resource.recreate_if_failed
        ours = self._records.of(resource.key, resource.id).get("created")
        if not ours or live["properties"].get(name) != value:
            return live
        self._logger.warning("%s: Azure failed to create it; it is deleted and created again", resource.key)
        self._replaced(resource, "Azure failed to create it")
        return None

    def _replaced(self, resource: Resource, why: str) -> None:
        if self._plan is not None:
            self._plan.replaces(resource.key, why)
        else:
            self._operations.delete(resource.id)

    # ------------------------------------------------------------------------------------------------- writing

    def _note_creation(self, resource: Resource, look: Look, step: str) -> None:
        """Record that this lineage creates it, before the first write."""
        self._records.creating(resource.key, resource.id, resource.api_version, step)
        if resource.has_creation_id:
            self._records.add_facts(resource.key, creation_id=look.wanted["tags"][CREATION_ID_TAG])

    def _begin(self, resource: Resource, step: str) -> Look:
        """Read, compare and send the changes.

        A write of unknown outcome is not repeated blindly: the live resource decides.
        """
        self._operations.resume(resource.id)
        self._records.set_aside(resource.key, resource.id)
        spent, attempt = RetryTime(), 0
        while True:
            live = self._current(resource, again=attempt > 0)
            look = self._look(resource, live)
            if look.action == UNCHANGED:
                return look
            self._log(resource, look)
            if live is None:
                self._note_creation(resource, look, step)
            began = time.monotonic()
            try:
                look.reply = self._write(resource, look)
                look.answered = time.monotonic()
            except AzureError as error:
                if error.code == "RoleAssignmentExists":
                    return Look(look.wanted, self._same_role(resource, error))
                attempt += 1
                pause = self._transport.pause(attempt, error.retry_after)
                if look.action == RESEND and is_busy(error) and attempt == _LOOKS_AT_FAILED:
                    raise failed(resource, live, f", and accepts no change of it ({error.message})") from error
                lost = spent.more(error, time.monotonic() - began + pause)
                if not error.transient or lost > self._retry_time(error, resource.id):
                    others.explain(error, resource, look.wanted, live, look.comparison)
                    raise
                self._logger.info("%s; checking again in %.1f s", error.message, pause)
                self._transport.report_wait(resource.id, error, attempt, pause)
                self._control.wait(pause)
                continue
            if live is None:
                self.created.add(resource.key)
            self._note_written(step, resource.key)
            self.changes.setdefault(resource.key, []).extend(look.written(resource.type))
            return look

    def did(self, step: str, key: str, changes: Sequence[Change]) -> None:
        """Record a write that a plan lists separately, although it is part of another resource."""
        self._note_written(step, key)
        self.changes.setdefault(key, []).extend(changes)

    def _note_written(self, step: str, key: str) -> None:
        keys = self.written.setdefault(step, [])
        if key not in keys:
            keys.append(key)

    def wrote(self, key: str, before: Body, after: Body) -> None:
        """Update the baseline of a resource after a write of a part of it by other means, which would count as drift.

        Args:
            before: the part as it was.
            after: the part as Azure returned it.
        """
        record = self._records.resources.get(key, {})
        resource_id, sent = str(record.get("id")), str(record.get("sent"))
        known = Digests.read(self._baselines.get(key, resource_id, sent), self._salt)
        if known is not None:
            kind = ids.resource_type(resource_id)
            known = known.replaced(diff.leaves(kind, before), diff.leaves(kind, after))
            self._baselines.put(key, resource_id, sent, str(known))

    def _log(self, resource: Resource, look: Look) -> None:
        words = {CREATE: "is missing", RESEND: "failed before"}.get(look.action) or "; ".join(map(str, look.changes))
        self._logger.info("%s: %s", resource.key, words)

    def _retry_time(self, error: AzureError, resource_id: str) -> float:
        """Return the seconds to keep trying: as long as another operation may take, else the retry budget."""
        return self._operations.longest_wait(resource_id) if is_busy(error) else self._transport.budget

    def _write(self, resource: Resource, look: Look) -> Reply:
        """Send the PUT or PATCH and record the polling URL."""
        method, body = look.request(resource)
        if look.live is not None:
            self._carry_secrets(resource, body)
        return self._operations.send(resource.id, body, method=method, roles=resource.roles, repeatable=False)

    def _carry_secrets(self, resource: Resource, body: Body) -> None:
        """Add secrets of others, which a GET does not return, if the list containing them is sent."""
        items = diff.at(body, _SECRETS)
        bare = [item for item in items or [] if "keyVaultUrl" not in item and "value" not in item]
        if not bare:
            return
        listed = self._transport.arm(
            "POST", f"{resource.id}/listSecrets", params={"api-version": resource.api_version}, expects_object=True
        ).body
        values = {item.get("name"): item.get("value") for item in listed.get("value", [])}
        for item in bare:
            if values.get(item.get("name")):
                item["value"] = values[item["name"]]

    def _same_role(self, resource: Resource, error: AzureError) -> Body:
        """Return the same assignment under another name; Azure's refusal does not name it.

        Raises:
            AzureError: the refusal, if no such assignment is found.
        """
        live = self._twin(resource)
        if live is None:
            raise error
        self._logger.info("%s already exists, as %s", resource.key, live["name"])
        if live["id"].lower() != resource.id.lower():
            self._records.note(resource.key, created=False, found_as=live["id"])
        return live

    def _twin(self, resource: Resource) -> Body | None:
        """Return an assignment of the same role to the same principal, whatever its name."""
        wanted = resource.body["properties"]
        collection = resource.id.rsplit("/", 1)[0]
        mine = f"principalId eq '{wanted['principalId']}'"
        for live in self._live.listing(collection, api_version=resource.api_version, **{"$filter": mine}):
            if str(live["properties"]["roleDefinitionId"]).lower() == wanted["roleDefinitionId"].lower():
                return live
        return None

    def _under_another_name(self, resource: Resource) -> Body | None:
        """Return an equal assignment under another name: the recorded one; a plan also searches for it.

        A run need not search: Azure refuses a second one.
        """
        record = self._records.of(resource.key, resource.id)
        if record.get("found_as") and record["id"].lower() == resource.id.lower():
            return self._live.current(str(record["found_as"]))
        if self._plan is None or is_pending(resource.body) or self._live.is_in_new(resource.id):
            return None
        try:
            return self._twin(resource)
        except AzureError as error:
            self._logger.info("the assignments beside %s could not be listed: %s", resource.key, error.message)
            return None

    # ------------------------------------------------------------------------------------------------- waiting

    def _finish(self, resource: Resource, step: str, look: Look, shared: SharedWait) -> Body:
        live = look.live
        if look.reply is not None:
            live = self._await(resource, step, look, shared)
            self._live.note(resource.id, live, made=look.action == CREATE)
            if look.action == CREATE and resource.type in _COME_BACK:
                live = self._brought_up_to_date(resource, step, shared)
        assert live is not None
        self._record(resource, step, look, live)
        return self._with_creation_id(resource, live)

    def _brought_up_to_date(self, resource: Resource, step: str, shared: SharedWait) -> Body | None:
        """Compare a resource that came back with the settings it had, and write what the creation did not set."""
        look = self._begin(resource, step)
        return look.live if look.reply is None else self._await(resource, step, look, shared)

    def _with_creation_id(self, resource: Resource, live: Body) -> Body:
        """Return the live resource with its recorded creation id if the tag was removed."""
        record = self._records.of(resource.key, resource.id)
        if not resource.has_creation_id or creation_id(live) is not None or not record.get("creation_id"):
            return live
        return {**live, "tags": {**(live.get("tags") or {}), CREATION_ID_TAG: record["creation_id"]}}

    def _record(self, resource: Resource, step: str, look: Look, live: Body) -> None:
        wanted = Digests.of(diff.leaves(resource.type, look.wanted, creating=False), self._salt)
        record = self._records.of(resource.key, resource.id)
        known = self._baselines.get(resource.key, resource.id, str(wanted))
        self._records.ensured(resource.key, resource.id, resource.api_version, step, str(wanted))
        facts: dict[str, Any] = {}
        if resource.secret_digest is not None:
            facts["secret_digest"] = resource.secret_digest
        if resource.has_creation_id and creation_id(live) is not None:
            if record.get("creation_id") not in (None, creation_id(live)):
                facts["created"] = False  # ours was deleted, and another one created under its name
            facts["creation_id"] = creation_id(live)
        if service_id(resource.type, live) is not None:
            if record.get("service_id") not in (None, service_id(resource.type, live)):
                facts["created"] = False
            facts["service_id"] = service_id(resource.type, live)
        if resource.type in _DATED and created_at(live) is not None:
            facts["created_at"] = created_at(live)
        self._records.add_facts(resource.key, **facts)
        self._report(resource, look, live)
        theirs = self._answered(resource, look, live, is_known=known is not None)
        if theirs is not None:
            self._baselines.put(resource.key, resource.id, str(wanted), str(Digests.of(theirs, self._salt)))
        if look.reply is not None:
            self._records.save()

    @staticmethod
    def _answered(resource: Resource, look: Look, live: Body, *, is_known: bool) -> dict[Any, Any] | None:
        """Return the new baseline; None to keep the current one.

        Unconfigured changes are reported once, so they enter it; changes by others to configured properties do not,
        even if something else was written, since they would count as ours.
        """
        if look.reply is None and is_known and not look.comparison.unmanaged:
            return None
        theirs: dict[Any, Any] = diff.leaves(resource.type, live)
        return theirs | {change.path: BY_OTHERS for change in look.comparison.others}

    def _report(self, resource: Resource, look: Look, live: Body) -> None:
        note = who(look.live or live)
        found = look.comparison
        ignored = self._not_taken(resource, look, live)
        for kept, changes in ((self.kept, found.others), (self.seen, found.unmanaged), (self.ignored, ignored)):
            if changes:
                kept[resource.key] = [replace(change, note=change.note or note) for change in changes]

    @staticmethod
    def _not_taken(resource: Resource, look: Look, live: Body) -> list[Change]:
        """Return changes that were just sent but do not appear in Azure."""
        if look.reply is None or look.action == RESEND:
            return []
        found = diff.compare(resource.type, look.wanted, live)
        others = {change.path for change in look.comparison.others}
        return [change for change in found.ours if change.path not in others and change.kind != REMOVE]

    def _await(self, resource: Resource, step: str, look: Look, shared: SharedWait) -> Body:
        """Wait; if the operation failed because a new role is not effective yet, send the body once more."""
        began = time.monotonic()
        while look.reply is not None:
            try:
                return self._outcomes.of(resource, look.reply, look.answered, shared)
            except OperationFailedError as error:
                if resource.tolerate_expiry and "Operation expired" in error.message:
                    self._logger.info("%s: its operation expired; the last step reports why", resource.key)
                    return self._outcomes.read_back(resource, shared, judge=False)
                if not self._operations.role_may_come(error, resource.roles, began):
                    others.explain(error, resource, look.wanted, look.live, look.comparison)
                    raise
                self._operations.wait_for_role(resource.id, error, began)
            look = self._begin(resource, step)
        assert look.live is not None
        return look.live

    # ------------------------------------------------------------------------------------------------ planning

    def _announce(self, resource: Resource, step: str, plan: Plan) -> Body:
        """Add the planned changes, and return the predicted resource."""
        live = self._current(resource, again=False)
        look = self._look(resource, live)
        action = REPLACE if look.action == CREATE and plan.is_replaced(resource.key) else look.action
        note = who(live) if live is not None else ""
        kept = [replace(change, note=change.note or note) for change in look.comparison.others]
        seen = [replace(change, note=change.note or note) for change in look.comparison.unmanaged]
        changes = look.written(resource.type)
        entry = Entry(step, resource.key, resource.id, action, changes=changes, kept=kept, seen=seen)
        plan.add(entry, body=None if look.action == UNCHANGED else look.whole(resource))
        if look.action == CREATE:
            self.created.add(resource.key)
            self._records.creating(resource.key, resource.id, resource.api_version, step)
        elif not self._records.of(resource.key, resource.id):
            self.taken_over[resource.key] = step
        wanted = Digests.of(diff.leaves(resource.type, look.wanted, creating=False), self._salt)
        self._records.ensured(resource.key, resource.id, resource.api_version, step, str(wanted))
        if resource.secret_digest is not None:
            self._records.add_facts(resource.key, secret_digest=resource.secret_digest)
        if look.action == UNCHANGED:
            assert live is not None
            return self._with_creation_id(resource, live)
        after = predicted(resource, look.wanted, live, look.changes, step, self._transport.endpoints)
        after = assigned_identities.assigned_again(with_more(after, look.lasting), self._live.seen)
        self._live.note(resource.id, after, made=look.action == CREATE)
        return self._with_creation_id(resource, after)


def unchangeable(key: str, resource_id: str, changes: Sequence[Change]) -> UnchangeableError:
    """Return the error for properties that cannot change after creation, with the options."""
    lines = "; ".join(f"{change.where}: {diff.shown(change.old)} → {diff.shown(change.new)}" for change in changes)
    return UnchangeableError(
        f"{key} {ids.last_name(resource_id)}: Azure cannot change this after creation: {lines}",
        hint="Restore the configuration; or give the resource a new name, which creates another one; or "
        "delete it and its data, then run again.",
    )


def who(live: Mapping[str, Any]) -> str:
    """Return who last wrote a resource, and when, from its system data."""
    data = live.get("systemData") or {}
    name, moment = data.get("lastModifiedBy"), str(data.get("lastModifiedAt") or "")[:16].replace("T", " ")
    return ", ".join(part for part in (str(name or ""), moment) if part)
