"""The plan of a teardown: resources to delete in order, kept ones with reasons, and the usual duration."""

from __future__ import annotations

from dataclasses import dataclass, field

from draftgenie_azure.arm import ids

GROUP = "Microsoft.Resources/resourceGroups"
APP = "Microsoft.App/containerApps"
JOB = "Microsoft.App/jobs"
ENVIRONMENT = "Microsoft.App/managedEnvironments"
ROLE = "Microsoft.Authorization/roleAssignments"
COMPONENT = "Microsoft.Insights/components"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
SERVER = "Microsoft.DBforPostgreSQL/flexibleServers"
CLUSTER = "Microsoft.Cache/redisEnterprise"
OLDER_REDIS = "Microsoft.Cache/redis"
REGISTRY = "Microsoft.ContainerRegistry/registries"
VAULT = "Microsoft.KeyVault/vaults"
WORKSPACE = "Microsoft.OperationalInsights/workspaces"
_SETTING = "Microsoft.Insights/diagnosticSettings"
_CERTIFICATE = "Microsoft.App/managedEnvironments/managedCertificates"
_STORAGE = "Microsoft.App/managedEnvironments/storages"

# Types with irreplaceable data; deleted only with --include-data.
DATA = (OLDER_REDIS, CLUSTER, REGISTRY, SERVER, VAULT)
# Types that always exist and can only be deleted with their parent.
ONLY_WITH_PARENT = ("Microsoft.DBforPostgreSQL/flexibleServers/configurations",)
# Type -> types that must be gone before it. The group comes last.
AFTER: dict[str, tuple[str, ...]] = {
    _STORAGE: (APP, JOB),
    _CERTIFICATE: (APP,),
    _SETTING: (APP, JOB),
    ENVIRONMENT: (APP, JOB, _SETTING),
    ROLE: (APP, JOB),
    OLDER_REDIS: (APP, JOB),
    CLUSTER: (APP, JOB),
    REGISTRY: (APP, JOB, ROLE),
    SERVER: (APP, JOB),
    VAULT: (APP, JOB, ROLE),
    COMPONENT: (APP, JOB),
    WORKSPACE: (COMPONENT, _SETTING, ENVIRONMENT),
    IDENTITY: (APP, JOB, ROLE, ENVIRONMENT),
}
# Usual seconds of a deletion, from recorded and published runs.
USUAL = {
    ENVIRONMENT: 15 * 60.0,
    OLDER_REDIS: 10 * 60.0,
    CLUSTER: 6 * 60.0,
    SERVER: 3 * 60.0,
    APP: 30.0,
    GROUP: 30.0,
}
PURGE_SECONDS = 600.0  # recorded: 602 to 654


@dataclass(frozen=True)
class Item:
    """A recorded resource to delete.

    Attributes:
        key: its key in the state.
        inside: True if it is deleted with its parent.
    """

    key: str
    id: str
    api_version: str
    inside: bool = False

    @property
    def type(self) -> str:
        """The resource type."""
        return ids.resource_type(self.id)

    @property
    def name(self) -> str:
        """The resource's own name."""
        return ids.last_name(self.id)


@dataclass
class Plan:
    """The plan of a teardown.

    Attributes:
        delete: resources to delete, dependants first.
        keep: key -> why it is kept.
        purge: vaults to purge after deletion.
        refusals: reasons that prevent the teardown.
        warnings: other messages.
    """

    delete: list[Item] = field(default_factory=list)
    keep: dict[str, str] = field(default_factory=dict)
    purge: list[Item] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def group(self) -> Item | None:
        """The resource group, if it is deleted."""
        return next((item for item in self.delete if item.type == GROUP), None)

    @property
    def going(self) -> set[str]:
        """Lower-case ids of everything to delete."""
        return {item.id.lower() for item in self.delete}

    @property
    def seconds(self) -> float:
        """The usual duration, dependants first; a purge runs concurrently with the rest."""
        ends: dict[str, float] = {}
        for item in self.delete:
            begin = max((ends.get(one, 0.0) for one in AFTER.get(item.type, ())), default=0.0)
            if item.type == GROUP:
                begin = max(ends.values(), default=0.0)
            usual = 0.0 if item.inside else USUAL.get(item.type, 5.0)
            ends[item.type] = max(ends.get(item.type, 0.0), begin + usual)
        purged = [ends.get(item.type, 0.0) + PURGE_SECONDS for item in self.purge]
        return max([*ends.values(), *purged], default=0.0)

    def needs(self) -> dict[str, list[str]]:
        """Return name -> names that must be deleted before; a purge needs only its vault deleted."""
        keys: dict[str, list[str]] = {}
        for item in self.delete:
            keys.setdefault(item.type, []).append(item.key)
        needs: dict[str, list[str]] = {}
        for item in self.delete:
            before = [key for type_ in AFTER.get(item.type, ()) for key in keys.get(type_, ())]
            if item.type == GROUP:
                before = [other.key for other in self.delete if other.type != GROUP]
            if item.inside:  # it is deleted with its parent
                before += [other.key for other in self.delete if other.id.lower() == parent_of(item.id)]
            needs[item.key] = before
        for item in self.purge:
            needs[purge_of(item)] = [item.key] if item in self.delete else []
        return needs


def purge_of(item: Item) -> str:
    """Return the name of a vault's purge in the graph."""
    return f"purge {item.key}"


def parent_of(resource_id: str) -> str:
    """Return the lower-case id of a resource's parent; an extension has none and is deleted separately."""
    return resource_id.lower().rsplit("/", 2)[0]


def is_rule(type_: str) -> bool:
    """Return whether a type is a firewall rule, a child without data."""
    return type_.endswith("/firewallRules")


def rank(type_: str) -> int:
    """Return the length of the longest chain of types deleted before a type."""
    if type_ == GROUP:
        return 99
    return 1 + max((rank(one) for one in AFTER.get(type_, ())), default=-1)
