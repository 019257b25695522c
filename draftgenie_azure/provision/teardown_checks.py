"""Checks that prevent a teardown: resources of others, locks, missing permissions, purge protection.

All are performed before the first deletion; then nothing is deleted: a teardown that stops half way leaves a
broken application.
"""

from __future__ import annotations

from draftgenie_azure.arm import hosts, ids
from draftgenie_azure.errors import AzureError
from draftgenie_azure.provision import addresses
from draftgenie_azure.provision.bodies.foundation import LINEAGE_TAG
from draftgenie_azure.provision.registry_data import RegistryData
from draftgenie_azure.provision.rights import allows
from draftgenie_azure.provision.teardown_plan import (
    APP,
    CLUSTER,
    COMPONENT,
    ENVIRONMENT,
    GROUP,
    IDENTITY,
    JOB,
    REGISTRY,
    SERVER,
    VAULT,
    WORKSPACE,
)
from draftgenie_azure.provision.vault import STAGED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from draftgenie_azure.provision.teardown_plan import Item, Plan
    from draftgenie_azure.session import Session

_LOCK_VERSION = ids.API_VERSIONS["Microsoft.Authorization/locks"]
_LOCKS = "/providers/Microsoft.Authorization/locks"
_MOST_NAMES = 10
# Type -> collections that Azure deletes with it, and the word for their items.
_CONTENTS: dict[str, tuple[tuple[str, str], ...]] = {
    SERVER: (("databases", "database"),),
    CLUSTER: (("databases", "database"),),
    REGISTRY: (("tasks", "task"),),
    IDENTITY: (("federatedIdentityCredentials", "federated credential"),),
    ENVIRONMENT: (
        ("storages", "storage"),
        ("certificates", "certificate"),
        ("managedCertificates", "managed certificate"),
        ("daprComponents", "Dapr component"),
    ),
}
# Collections that have other versions than the resource they are in.
_VERSIONS = {"tasks": ids.API_VERSIONS["Microsoft.ContainerRegistry/registries/runs"]}
# Resources that Azure adds to the group for an Application Insights resource, up to an hour later
# (hashicorp/terraform-provider-azurerm issues 10563, 18026): type -> name derived from the component's.
_WITH_COMPONENT: dict[str, Callable[[str], str]] = {
    "microsoft.alertsmanagement/smartdetectoralertrules": lambda name: f"failure anomalies - {name}",
    "microsoft.insights/actiongroups": lambda name: "application insights smart detection",
}


class Checks:
    """Adds to a plan what prevents it.

    Args:
        session: the session.
        repositories: repositories that this deployment pushed images to.
    """

    def __init__(self, session: Session, repositories: set[str]) -> None:
        self._session = session
        self._arm = session.arm
        self._repositories = repositories
        self._listed: dict[str, list[dict[str, Any]]] = {}

    def check(self, plan: Plan) -> None:
        """Check owner, group, locks, permissions, and others' use of resources to be deleted."""
        group = self._arm.read(self._session.scope.group)
        if group is None:  # already deleted with its content: nothing to check
            return
        plan.refusals += self._owner(group)
        self._keep_shared_group(plan, group)
        if plan.delete:
            for look in (self._locks, self._rights, self._guests, self._contents, self._secrets, self._images):
                plan.refusals += look(plan)

    # --- owner ---

    def _owner(self, group: Mapping[str, Any]) -> Iterator[str]:
        """Refuse a group that another state has taken over, even if this one recorded it."""
        owner = (group.get("tags") or {}).get(LINEAGE_TAG)
        lineage = str(self._session.records.document["lineage"])
        if owner is not None and owner != lineage:
            name = ids.last_name(self._session.scope.group)
            yield (
                f"the resource group {name} is managed by another state (its lineage is {owner}, this one's "
                f"{lineage}): use that state"
            )

    def _keep_shared_group(self, plan: Plan, live: Mapping[str, Any]) -> None:
        """Remove the group from a plan if it contains anything else, or may be another group of that name."""
        group = plan.group
        if group is None:
            return
        if LINEAGE_TAG not in (live.get("tags") or {}):
            plan.delete.remove(group)
            plan.keep[group.key] = f"its tag {LINEAGE_TAG} is missing: it may be another group of that name"
            return
        others = self.others_in_group(group, plan)
        if others:
            plan.delete.remove(group)
            plan.keep[group.key] = f"it still contains {_shown(others)}"

    def others_in_group(self, group: Item, plan: Plan) -> list[str]:
        """Return names of resources in the group that are not deleted."""
        version = ids.API_VERSIONS[GROUP]
        listed = list(self._arm.listing(f"{group.id}/resources", api_version=version))
        components = [item.name.lower() for item in plan.delete if item.type == COMPONENT]
        going = plan.going
        return sorted(
            ids.last_name(str(item["id"]))
            for item in listed
            if str(item["id"]).lower() not in going and not comes_with(item, components)
        )

    # --- locks and permissions ---

    def _locks(self, plan: Plan) -> Iterator[str]:
        """Yield locks above, on, or inside a resource to be deleted, which bind owners too.

        Source: learn.microsoft.com, lock-resources.
        """
        found = {str(lock["id"]).lower(): lock for lock in self._all_locks()}
        for lock_id, lock in sorted(found.items()):
            scope = lock_id.split(_LOCKS.lower(), 1)[0]
            if any(_is_within(one, scope) or _is_within(scope, one) for one in plan.going):
                level = str(lock.get("properties", {}).get("level", "CanNotDelete"))
                yield (
                    f"the lock {lock.get('name')} ({level}) on {ids.last_name(scope)} forbids it: "
                    f"az lock delete --ids {lock['id']}"
                )

    def _all_locks(self) -> Iterator[dict[str, Any]]:
        """Yield locks at, below and above the group; those above require read access to the subscription."""
        scope = self._session.scope
        yield from self._arm.listing(f"{scope.group}{_LOCKS}", api_version=_LOCK_VERSION)
        above = {"$filter": "atScope()"}
        for path in (scope.group, scope.subscription):
            try:
                yield from self._arm.listing(f"{path}{_LOCKS}", api_version=_LOCK_VERSION, **above)
            except AzureError as error:
                if error.status != 403:
                    raise

    def _rights(self, plan: Plan) -> Iterator[str]:
        """Compare the deletions with the permissions at the group."""
        path = f"{self._session.scope.group}/providers/Microsoft.Authorization/permissions"
        version = ids.API_VERSIONS["Microsoft.Authorization/permissions"]
        permissions = list(self._arm.listing(path, api_version=version))
        actions = {f"{item.type}/delete" for item in plan.delete if item.type != GROUP and not item.inside}
        if plan.group is not None:
            actions.add("Microsoft.Resources/subscriptions/resourceGroups/delete")
        missing = sorted(action for action in actions if not any(allows(one, action) for one in permissions))
        if missing:
            yield f"the signed-in principal may not: {', '.join(missing)}"

    # --- use by others ---

    def _guests(self, plan: Plan) -> Iterator[str]:
        """Yield others' apps in our environment or with our identity, and others' components on our workspace."""
        for item in plan.delete:
            if item.type in (ENVIRONMENT, IDENTITY):
                yield from self._users(plan, item, (APP, JOB))
            elif item.type == WORKSPACE:
                yield from self._users(plan, item, (COMPONENT,))

    def _users(self, plan: Plan, item: Item, types: tuple[str, ...]) -> Iterator[str]:
        going = plan.going
        for guest in (guest for type_ in types for guest in self._in_subscription(type_)):
            guest_id = str(guest["id"])
            if guest_id.lower() not in going and item.id.lower() in set(_uses(guest)):
                yield self._still_used(item, guest_id) or (
                    f"{guest_id} uses {item.key}, and this deployment did not create it: "
                    f"az resource delete --ids {guest_id}; or keep both: --forget {item.key}"
                )

    def _still_used(self, item: Item, other_id: str) -> str | None:
        """Return why a resource that left the configuration is still used by a configured one, or None."""
        records = self._session.records.resources
        if not records[item.key].get("orphaned"):
            return None
        known = (key for key, record in records.items() if str(record["id"]).lower() == other_id.lower())
        key = next((key for key in known if not records[key].get("orphaned")), None)
        if key is None:
            return None
        return f"{key}, which is configured, still belongs to {item.key}: deploy first, which moves it, then prune"

    def _in_subscription(self, type_: str) -> list[dict[str, Any]]:
        """Return all visible resources of a type: in the subscription, or else in the group."""
        if type_ not in self._listed:
            version = ids.API_VERSIONS[type_]
            try:
                path = f"{self._session.scope.subscription}/providers/{type_}"
                self._listed[type_] = list(self._arm.listing(path, api_version=version))
            except AzureError as error:
                if error.status != 403:
                    raise
                path = f"{self._session.scope.group}/providers/{type_}"
                self._listed[type_] = list(self._arm.listing(path, api_version=version))
        return self._listed[type_]

    # --- content of others ---

    def _contents(self, plan: Plan) -> Iterator[str]:
        """Yield databases, certificates and the like that others created in resources to be deleted."""
        going = plan.going
        for item in plan.delete:
            for collection, what in _CONTENTS.get(item.type, ()):
                version = _VERSIONS.get(collection, item.api_version)
                for inner in self._arm.listing(f"{item.id}/{collection}", api_version=version):
                    inner_id, name = str(inner["id"]), ids.last_name(str(inner["id"]))
                    if inner_id.lower() not in going and name not in addresses.AZURES_DATABASES:
                        yield self._still_used(item, inner_id) or (
                            f"{item.key} contains the {what} {name}, and this deployment did not create it: "
                            f"az resource delete --ids {inner_id}; or keep both: --forget {item.key}"
                        )

    def _secrets(self, plan: Plan) -> Iterator[str]:
        """Yield others' secrets in a vault, which can be recovered with it unless it is purged."""
        purged = {item.key for item in plan.purge}
        for item in (one for one in plan.delete if one.type == VAULT):
            others = self._others_secrets(item, plan)
            if others and item.key in purged:
                yield (
                    f"{item.key} contains secrets that this deployment did not put there ({_shown(others)}), and a "
                    "purge is final: leave out --purge, or delete them first"
                )
            elif others:
                plan.warnings.append(
                    f"{item.key} contains secrets that this deployment did not put there ({_shown(others)}); they can "
                    "be recovered with the vault until Azure purges it"
                )

    def _others_secrets(self, item: Item, plan: Plan) -> list[str]:
        version = ids.API_VERSIONS["Microsoft.KeyVault/vaults/secrets"]
        ours = {*self._session.records.secrets, *self._session.config.vault_secrets()}
        try:
            names = [str(one["name"]) for one in self._arm.listing(f"{item.id}/secrets", api_version=version)]
        except AzureError as error:
            if error.status != 403:
                raise
            plan.warnings.append(f"the secrets in {item.key} could not be listed: {error.message}")
            return []
        return sorted(name for name in names if name.lower().removesuffix(STAGED) not in ours)

    def _images(self, plan: Plan) -> Iterator[str]:
        """Yield others' images in a registry, which cannot be recovered."""
        for item in (one for one in plan.delete if one.type == REGISTRY):
            live = self._arm.read(item.id, api_version=item.api_version)
            if live is None:
                continue
            host = str(live["properties"].get("loginServer"))
            if not hosts.is_registry(host, item.name, self._session.transport.endpoints):
                plan.warnings.append(f"the images in {item.key} were not listed: {host} is not a host of this cloud")
                continue
            try:
                names = set(RegistryData(self._session, host).repositories())
            except AzureError as error:
                plan.warnings.append(f"the images in {item.key} could not be listed: {error.message}")
                continue
            others = sorted(names - self._repositories)
            if others:
                yield (
                    f"{item.key} contains images that this deployment did not push ({_shown(others)}): delete them "
                    f"(az acr repository delete --name {item.name} --repository NAME); or keep all: --forget {item.key}"
                )


def _is_within(resource_id: str, scope: str) -> bool:
    """Return whether a resource is a scope, or inside it; both in lower case."""
    return f"{resource_id}/".startswith(f"{scope}/")


def _uses(guest: dict[str, Any]) -> Iterator[str]:
    """Yield lower-case ids of resources that an app, a job or a component needs."""
    properties = guest.get("properties") or {}
    for name in ("environmentId", "managedEnvironmentId", "WorkspaceResourceId"):
        if properties.get(name):
            yield str(properties[name]).lower()
    for identity in (guest.get("identity") or {}).get("userAssignedIdentities") or {}:
        yield str(identity).lower()


def comes_with(item: dict[str, Any], components: list[str]) -> bool:
    """Return whether Azure added a resource for one of these Application Insights resources."""
    name_for = _WITH_COMPONENT.get(str(item.get("type", "")).lower())
    own = ids.last_name(str(item["id"])).lower()
    return name_for is not None and any(own == name_for(component) for component in components)


def _shown(names: list[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
