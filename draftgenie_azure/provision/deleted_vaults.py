"""Deleted vaults of this deployment: Azure keeps them, and reserves their names, until they are purged.

A deleted vault is identified by its id and by the creation id in its tags: from the state, which records deleted
ones, and from the copies of earlier states, if the state has none.
"""

from __future__ import annotations

import calendar
import time

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.client import creation_id
from draftgenie_azure.errors import AzureError
from draftgenie_azure.provision import rights
from draftgenie_azure.provision.teardown_plan import VAULT, Item
from draftgenie_azure.run.poll import poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from draftgenie_azure.session import Session

    Record = Mapping[str, Any]

ACTION = "Microsoft.KeyVault/locations/deletedVaults/purge/action"
ROLE = "Key Vault Purge Operator"
NOT_YET_DELETED = 60.0  # seconds after a deletion for which the deleted vault may not be listed yet
_PURGE_LIMIT = 45 * 60.0
_SECTION = "deleted_vaults"  # in the state: id -> record
_KEPT = ("id", "name", "api_version", "step", "created", "creation_id")


class DeletedVaults:
    """Finds and purges deleted vaults.

    Args:
        session: the session.
        copies: records of resources from copies of earlier states.

    Attributes:
        unlisted: the error if those of earlier teardowns cannot be listed.
    """

    def __init__(self, session: Session, copies: Iterable[Record] = ()) -> None:
        self._session = session
        self._arm = session.arm
        self._records = session.records
        self._copies = copies
        self._found: dict[str, dict[str, Any]] = {}
        self.unlisted: AzureError | None = None

    # --- find ---

    def left(self, spared: set[str]) -> list[Item]:
        """Return vaults that an earlier teardown deleted but did not purge.

        Args:
            spared: lower-case ids of vaults not to purge.
        """
        self._found = {}
        purging = {key: record for key, record in self._records.resources.items() if record.get("purging")}
        items = [_item(key, record) for key, record in sorted(purging.items())]
        known = {str(record["id"]).lower() for record in purging.values()}
        for deleted in self._listed():
            record = self._record_of(deleted)
            if record is not None and str(record["id"]).lower() not in known | spared:
                key = f"key_vault@{record['name']}"
                self._found[key] = {**record, "purging": _region(deleted), "deleted_at": _when(deleted)}
                items.append(_item(key, record))
        return items

    def _listed(self) -> list[dict[str, Any]]:
        path = f"{self._session.scope.subscription}/providers/Microsoft.KeyVault/deletedVaults"
        try:
            return list(self._arm.listing(path, api_version=ids.API_VERSIONS[VAULT]))
        except AzureError as error:
            if error.status != 403:
                raise
            self.unlisted = self._forbidden("deleted vaults of earlier runs may not be listed", error)
            return []

    def _record_of(self, deleted: Record) -> Record | None:
        """Return the record of a deleted vault; None if this deployment did not create it in its group."""
        properties = deleted.get("properties") or {}
        inside = f"{self._session.scope.group}/".lower()
        for record in self._known():
            same = str(properties.get("vaultId", "")).lower() == str(record["id"]).lower()
            made = record.get("created") and record.get("creation_id") == creation_id(properties) is not None
            if same and made and str(record["id"]).lower().startswith(inside):
                return record
        return None

    def _known(self) -> Iterator[Record]:
        yield from self._records.document.get(_SECTION, {}).values()
        yield from (record for record in self._copies if ids.resource_type(str(record["id"])) == VAULT)

    # --- refuse ---

    def refusals(self, items: Sequence[Item]) -> Iterator[str]:
        """Yield what prevents a purge, before anything is deleted: purge protection, a missing permission."""
        for item in items:
            path = self._path(item)
            live = self._arm.read(item.id, api_version=item.api_version)
            deleted = self._arm.read(path, api_version=item.api_version) if live is None and path else None
            is_protected = ((live or {}).get("properties") or {}).get("enablePurgeProtection")
            properties = (deleted or {}).get("properties") or {}
            if is_protected or properties.get("purgeProtectionEnabled"):
                until = f"; Azure purges it on {properties['scheduledPurgeDate']}" if deleted else ""
                yield f"the vault {item.name} has purge protection and cannot be purged{until}: leave out --purge"
        if items and not self._may_purge():
            yield (
                f"the signed-in principal may not: {ACTION} on the subscription, which a purge needs; leave out "
                f"--purge, or have the role '{ROLE}' given: {self._command()}"
            )

    def _may_purge(self) -> bool:
        """Return whether a role allows it; True if roles cannot be read: then the purge itself fails."""
        try:
            roles = rights.roles(self._session)
            above = {str(one["roleDefinitionId"]) for one in roles if not rights.is_in_group(str(one.get("scope")))}
            allowed = any(rights.allows(one, ACTION) for one in rights.permissions(self._session, above))
        except AzureError as error:
            if error.status != 403:
                raise
            return True
        return allowed or not roles

    # --- purge ---

    def keep_region(self, item: Item) -> None:
        """Record the region of a vault before its deletion, by which a deleted one is found."""
        live = self._arm.read(item.id, api_version=item.api_version)
        if live is not None:
            region = str(live["location"])
        else:  # an interrupted run deleted it
            known = self._records.resources[item.key].get("purge_from")
            region = str(known or self._session.config.location("key_vault"))
        self._records.note(item.key, purge_from=region)

    def remember(self, item: Item) -> None:
        """Record a vault that is deleted but not purged; the caller saves."""
        record = self._records.resources.get(item.key, {})
        if record.get("created"):
            kept = {key: record[key] for key in _KEPT if key in record}
            self._records.document.setdefault(_SECTION, {})[item.id] = kept

    def begin(self, items: Sequence[Item]) -> None:
        """Record the vaults to purge, so that an interrupted purge is resumed."""
        new = [item for item in items if item.key in self._found]
        for item in new:
            record = self._found[item.key]
            self._records.purging(item.key, record, record["purging"], record["deleted_at"])
        if new:
            self._records.save()

    def purge(self, item: Item) -> None:
        """Purge a deleted vault, in about ten minutes, concurrently with the rest.

        Raises:
            AzureError: it may not be purged, or is not purged in time; the state records that it is pending.
        """
        record = self._records.resources[item.key]
        path = self._path(item)
        assert path is not None  # every vault to purge has a recorded region
        control = self._session.control
        # One that is never listed as deleted was purged before, by an interrupted run or by others.
        left = max(0.0, NOT_YET_DELETED - _seconds_since(record.get("deleted_at")))
        found = poll(lambda: self._arm.read(path, api_version=item.api_version), control=control, limit=left)
        if found is not None and _is_of(found, item, record):
            self._ask_for_purge(path, item, found)
            gone = poll(
                lambda: self._arm.read(path, api_version=item.api_version) is None or None,
                control=control,
                limit=_PURGE_LIMIT,
            )
            if gone is None:
                raise AzureError(f"the vault {item.name} is still being purged", hint="Run again later.")
        with self._records.mutex:
            self._records.document.get(_SECTION, {}).pop(item.id, None)
        self._records.deleted(item.key)

    def _path(self, item: Item) -> str | None:
        """Return the id of a deleted vault; None if it is not deleted yet."""
        record = self._records.resources.get(item.key) or self._found.get(item.key) or {}
        if not record.get("purging"):
            return None
        location = f"{self._session.scope.subscription}/providers/Microsoft.KeyVault/locations/{record['purging']}"
        return f"{location}/deletedVaults/{item.name}"

    def _ask_for_purge(self, path: str, item: Item, deleted: Record) -> None:
        try:
            self._arm.act(f"{path}/purge", api_version=item.api_version)
        except AzureError as error:
            if error.status == 403:
                date = (deleted.get("properties") or {}).get("scheduledPurgeDate")
                words = f"the deleted vault {item.name} may not be purged; Azure purges it on {date}"
                raise self._forbidden(words, error) from error
            if error.status not in (404, 409):  # already purged, or being purged
                raise

    def _forbidden(self, what: str, error: AzureError) -> AzureError:
        return AzureError(
            f"{what}: {error.message}",
            code=error.code,
            status=error.status,
            hint=f"Have the role '{ROLE}' on the subscription given ({self._command()}), then run --destroy --purge "
            "again: it purges what is left.",
        )

    def _command(self) -> str:
        object_id, kind = self._session.principal
        return (
            f"az role assignment create --role '{ROLE}' --assignee-object-id {object_id} "
            f"--assignee-principal-type {kind} --scope {self._session.scope.subscription}"
        )



def _item(key: str, record: Record) -> Item:
    return Item(key, str(record["id"]), str(record["api_version"]))


def _region(deleted: Record) -> str:
    return str((deleted.get("properties") or {}).get("location"))


def _when(deleted: Record) -> str:
    return str((deleted.get("properties") or {}).get("deletionDate"))


def _is_of(deleted: Record, item: Item, record: Record) -> bool:
    """Return whether a deleted vault is the one created, not a later one of that name."""
    properties = deleted.get("properties") or {}
    known = creation_id(properties)
    same = known is None or known == record.get("creation_id")
    return same and str(properties.get("vaultId", "")).lower() == item.id.lower()


def _seconds_since(text: object) -> float:
    """Return the seconds since a time in the state; 0 if it is unreadable."""
    try:
        return time.time() - calendar.timegm(time.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return 0.0
