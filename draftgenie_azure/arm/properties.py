"""Traits of the properties of each resource type: set by the service, fixed after creation, compared as one value.

Every table is by type and path, never by a property's name alone. In a dotted path, `[]` is an item of a list,
`*` for a key of a map. Sources: the published types (github.com/Azure/bicep-types-az), the visibility of properties in
the management libraries on PyPI (November 2026), `ForceNew` in terraform-provider-azurerm, and recorded traffic of
Azure/azure-dev and Azure/azure-cli; other sources are given at the entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ALL = ("*",)  # for `patch`: PATCH accepts every property

_ENVELOPE = ("id", "name", "type", "etag", "systemData")
_IDENTITY = (
    "identity.principalId",
    "identity.tenantId",
    "identity.userAssignedIdentities.*.principalId",
    "identity.userAssignedIdentities.*.clientId",
)


@dataclass(frozen=True, eq=False)  # hashed by identity, so that results can be cached
class Traits:
    """Traits of a resource type's properties.

    Attributes:
        read_only: set by the service; never sent, never compared.
        volatile: changes spontaneously, or duplicates another property; never compared.
        create_only: fixed once the resource exists.
        write_only: accepted, never returned.
        initial: set by our bodies only at creation, and left as it is in Azure from then on.
        caseless: values compared case-insensitively.
        numbers: values compared as numbers (`0.5`, `"0.50"`).
        minimums: numbers that the service raises itself if the second property allows it.
        defaults: default values of properties that an update cannot remove: written when a key is removed from the
            configuration.
        lasting: properties that stay once they are set, whatever is sent.
        defining: required properties of an object: removing one removes the object.
        keys: lists of objects and the properties that identify their items.
        sets: lists of plain values whose order is irrelevant.
        exclusive: mutually exclusive properties of one object.
        together: paths that a PATCH sends as a whole.
        patch: path prefixes that a PATCH accepts; empty if changes are sent by PUT.
        repair_by_put: True if a failed creation is repeated by PUT.
    """

    read_only: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    create_only: tuple[str, ...] = ("location",)
    write_only: tuple[str, ...] = ()
    initial: tuple[str, ...] = ()
    caseless: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    minimums: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str | float] = field(default_factory=dict)
    lasting: tuple[str, ...] = ()
    defining: tuple[str, ...] = ()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sets: tuple[str, ...] = ()
    exclusive: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    together: tuple[str, ...] = ("identity", "sku", "properties.sku", "tags")
    patch: tuple[str, ...] = ALL
    repair_by_put: bool = True

    @cache  # noqa: B019 - one object a type, for the life of the process
    def is_hidden(self, pattern: str) -> bool:
        """Return whether a path is not comparable: set, changed or never returned by the service."""
        return _under(pattern, self._hidden)

    @cache  # noqa: B019 - one object a type, for the life of the process
    def is_fixed(self, pattern: str) -> bool:
        """Return whether a path cannot change after creation."""
        return _under(pattern, self.create_only)

    @cache  # noqa: B019 - one object a type, for the life of the process
    def is_initial(self, pattern: str) -> bool:
        """Return whether a path is set only at creation."""
        return _under(pattern, self.initial)

    def stays(self, pattern: str) -> bool:
        """Return whether a value that we set and no longer configure is not taken out."""
        is_lasting = pattern in self.lasting or pattern == f"{IDENTITIES}.*"
        return is_lasting or self.is_fixed(pattern) or self.is_initial(pattern)

    @cache  # noqa: B019 - one object a type, for the life of the process
    def is_read_only(self, pattern: str) -> bool:
        """Return whether the service sets a path."""
        return _under(pattern, (*_ENVELOPE, *self.read_only))

    def is_patched(self, pattern: str) -> bool:
        """Return whether a PATCH accepts a path."""
        return self.patch == ALL or _under(pattern, self.patch)

    @property
    def _hidden(self) -> tuple[str, ...]:
        return (*_ENVELOPE, *self.read_only, *self.write_only, *self.volatile)


def _under(pattern: str, paths: tuple[str, ...]) -> bool:
    return any(pattern == path or pattern.startswith((f"{path}.", f"{path}[")) for path in paths)


_CONTAINERS = ("properties.template.containers", "properties.template.initContainers")
_TEMPLATE_KEYS: dict[str, tuple[str, ...]] = {
    "properties.configuration.secrets": ("name",),
    "properties.configuration.registries": ("server",),
    "properties.configuration.identitySettings": ("identity",),
    "properties.template.volumes": ("name",),
    "properties.template.volumes[].secrets": ("path", "secretRef"),
    **dict.fromkeys(_CONTAINERS, ("name",)),
    **{f"{path}[].env": ("name",) for path in _CONTAINERS},
    **{f"{path}[].volumeMounts": ("volumeName", "mountPath") for path in _CONTAINERS},
}
_TEMPLATE_CASELESS = (
    "identity.type",
    "properties.environmentId",
    "properties.workloadProfileName",  # as the environment spells its profile
    "properties.configuration.secrets[].identity",
    "properties.configuration.registries[].identity",
    "properties.configuration.registries[].server",
    "properties.configuration.identitySettings[].identity",
    "properties.configuration.identitySettings[].lifecycle",
    "properties.template.volumes[].storageType",
)
_TEMPLATE_EXCLUSIVE: dict[str, tuple[tuple[str, ...], ...]] = {
    "properties.configuration.secrets[]": (("value",), ("keyVaultUrl", "identity")),
    "properties.configuration.registries[]": (("identity",), ("username", "passwordSecretRef")),
    **{f"{path}[].env[]": (("value",), ("secretRef",)) for path in _CONTAINERS},
}
_EPHEMERAL = tuple(f"{path}[].resources.ephemeralStorage" for path in _CONTAINERS)
_CPU = tuple(f"{path}[].resources.{what}" for path in _CONTAINERS for what in ("cpu", "memory"))
_PROBES = "properties.template.containers[].probes"
_INGRESS = "properties.configuration.ingress"
_RULES = "properties.template.scale.rules"

TRAITS: dict[str, Traits] = {
    "Microsoft.Resources/resourceGroups": Traits(read_only=("properties.provisioningState",)),
    "Microsoft.ManagedIdentity/userAssignedIdentities": Traits(
        read_only=("properties.tenantId", "properties.principalId", "properties.clientId"),
    ),
    "Microsoft.Authorization/roleAssignments": Traits(
        read_only=tuple(
            f"properties.{name}" for name in ("scope", "createdOn", "updatedOn", "createdBy", "updatedBy")
        ),
        create_only=("properties",),
        caseless=("properties.roleDefinitionId", "properties.principalId", "properties.principalType"),
        patch=(),
    ),
    "Microsoft.OperationalInsights/workspaces": Traits(
        read_only=(
            "properties.provisioningState", "properties.customerId", "properties.sku.lastSkuUpdate",
            "properties.workspaceCapping.quotaNextResetTime", "properties.workspaceCapping.dataIngestionStatus",
            "properties.createdDate", "properties.modifiedDate", "properties.privateLinkScopedResources",
            "properties.features.unifiedSentinelBillingOnly", "properties.features.associations",
            "properties.replication.provisioningState", "properties.replication.createdDate",
            "properties.replication.lastModifiedDate", "properties.failover.state",
            "properties.failover.lastModifiedDate", *_IDENTITY,
        ),
        defaults={"properties.workspaceCapping.dailyQuotaGb": -1},  # no cap (recorded traffic of Azure/azure-dev)
        volatile=("properties.source",),
        caseless=("properties.sku.name", "identity.type"),
    ),
    "Microsoft.Insights/components": Traits(
        read_only=tuple(
            f"properties.{name}"
            for name in (
                "ApplicationId", "AppId", "Name", "InstrumentationKey", "CreationDate", "TenantId", "HockeyAppToken",
                "provisioningState", "ConnectionString", "LaMigrationDate", "PrivateLinkScopedResources",
            )
        ),
        volatile=("properties.Ver",),  # the schema version of what it stores
        create_only=("location", "properties.Application_Type"),
        caseless=("kind", "properties.WorkspaceResourceId", "properties.Application_Type"),
        patch=("tags",),  # its PATCH updates only tags (REST reference, components/update-tags)
    ),
    "Microsoft.Insights/diagnosticSettings": Traits(
        volatile=("location",),  # null in the reply to PUT, the region in GET
        create_only=(),
        caseless=("properties.workspaceId",),
        keys={
            "properties.logs": ("category", "categoryGroup"),
            "properties.metrics": ("category", "timeGrain"),
        },
        patch=(),
    ),
    "Microsoft.ContainerRegistry/registries": Traits(
        read_only=(
            "properties.loginServer", "properties.creationDate", "properties.provisioningState", "properties.status",
            "properties.policies.retentionPolicy.lastUpdatedTime",
            "properties.policies.softDeletePolicy.lastUpdatedTime",
            "properties.encryption.keyVaultProperties.versionedKeyIdentifier",
            "properties.encryption.keyVaultProperties.keyRotationEnabled",
            "properties.encryption.keyVaultProperties.lastKeyRotationTimestamp", "properties.dataEndpointHostNames",
            "properties.privateEndpointConnections", "sku.tier", *_IDENTITY,
        ),
        create_only=("location", "properties.zoneRedundancy"),
        caseless=("sku.name", "properties.policies.azureADAuthenticationAsArmPolicy.status", "identity.type"),
        keys={"properties.networkRuleSet.ipRules": ("value",)},
    ),
    "Microsoft.KeyVault/vaults": Traits(
        read_only=(
            "properties.hsmPoolResourceId", "properties.privateEndpointConnections",
            # Outputs that the specification does not mark as such.
            "properties.vaultUri", "properties.provisioningState",
        ),
        # learn.microsoft.com/azure/key-vault/general/soft-delete-overview
        create_only=("location", "properties.softDeleteRetentionInDays"),
        write_only=("properties.createMode",),
        lasting=("properties.enablePurgeProtection",),
        caseless=("properties.sku.name", "properties.sku.family", "properties.tenantId"),
        keys={
            "properties.accessPolicies": ("tenantId", "objectId", "applicationId"),
            "properties.networkAcls.ipRules": ("value",),
            "properties.networkAcls.virtualNetworkRules": ("id",),
        },
        sets=tuple(
            f"properties.accessPolicies[].permissions.{name}" for name in ("keys", "secrets", "certificates", "storage")
        ),
    ),
    "Microsoft.KeyVault/vaults/secrets": Traits(
        read_only=(
            "properties.attributes.created", "properties.attributes.updated", "properties.secretUri",
            "properties.secretUriWithVersion", "location",
        ),
        create_only=(),
        write_only=("properties.value",),
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers": Traits(
        read_only=(
            "properties.minorVersion", "properties.state", "properties.fullyQualifiedDomainName",
            "properties.dataEncryption.primaryEncryptionKeyStatus",
            "properties.dataEncryption.geoBackupEncryptionKeyStatus", "properties.backup.earliestRestoreDate",
            "properties.highAvailability.state", "properties.replicaCapacity", "properties.replica.capacity",
            "properties.replica.replicationState", "properties.privateEndpointConnections", *_IDENTITY,
        ),
        # The zone moves by failover; iops and tier follow the size unless set explicitly.
        volatile=("properties.availabilityZone", "properties.storage.iops", "properties.storage.tier"),
        create_only=(
            "location", "properties.administratorLogin", "properties.sourceServerResourceId",
            "properties.backup.geoRedundantBackup", "properties.network.delegatedSubnetResourceId",
            "properties.network.privateDnsZoneArmResourceId",
        ),
        write_only=(
            "properties.administratorLoginPassword", "properties.pointInTimeUTC", "properties.replica.promoteMode",
            "properties.replica.promoteOption", "properties.createMode",
        ),
        initial=("properties.network", "properties.authConfig", "properties.backup.geoRedundantBackup"),
        caseless=("sku.tier", "sku.name", "properties.highAvailability.mode", "properties.storage.autoGrow"),
        # learn.microsoft.com/azure/postgresql/flexible-server/concepts-storage, storage autogrow
        minimums={"properties.storage.storageSizeGB": "properties.storage.autoGrow"},
        defaults={"properties.storage.autoGrow": "Disabled"},
        repair_by_put=False,
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers/databases": Traits(
        create_only=("properties.charset", "properties.collation"),
        caseless=("properties.charset", "properties.collation"),
        patch=(),
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules": Traits(create_only=(), patch=()),
    "Microsoft.DBforPostgreSQL/flexibleServers/configurations": Traits(
        read_only=tuple(
            f"properties.{name}"
            for name in (
                "description", "defaultValue", "dataType", "allowedValues", "isDynamicConfig", "isReadOnly",
                "isConfigPendingRestart", "unit", "documentationLink",
            )
        ),
        create_only=(),
        caseless=("properties.value",),  # names of extensions, and on or off
        patch=(),
    ),
    "Microsoft.Cache/redisEnterprise": Traits(
        read_only=(
            "kind", "properties.hostName", "properties.provisioningState", "properties.redundancyMode",
            "properties.resourceState", "properties.redisVersion", "properties.privateEndpointConnections", *_IDENTITY,
        ),
        create_only=("location", "properties.highAvailability"),
        caseless=("sku.name", "properties.highAvailability", "properties.publicNetworkAccess", "identity.type"),
        sets=("zones",),
        repair_by_put=False,  # a PUT over a cluster may recreate it (REST reference of redisenterprise)
    ),
    "Microsoft.Cache/redisEnterprise/databases": Traits(
        read_only=(
            "properties.provisioningState", "properties.resourceState", "properties.modules[].version",
            "properties.geoReplication.linkedDatabases[].state", "properties.redisVersion",
        ),
        create_only=("properties.port", "properties.clusteringPolicy", "properties.modules"),
        caseless=(
            "properties.clusteringPolicy", "properties.evictionPolicy", "properties.clientProtocol",
            "properties.accessKeysAuthentication",
        ),
        keys={"properties.modules": ("name",), "properties.geoReplication.linkedDatabases": ("id",)},
        repair_by_put=False,
    ),
    "Microsoft.Cache/redis": Traits(
        read_only=(
            "properties.redisConfiguration.maxclients",
            "properties.redisConfiguration.preferred-data-archive-auth-method",
            "properties.redisConfiguration.zonal-configuration", "properties.provisioningState",
            "properties.hostName", "properties.port", "properties.sslPort", "properties.accessKeys",
            "properties.linkedServers", "properties.instances", "properties.privateEndpointConnections", *_IDENTITY,
        ),
        create_only=("location", "properties.subnetId", "properties.staticIP"),
        caseless=("properties.sku.name", "properties.sku.family", "identity.type"),
        sets=("zones",),
    ),
    "Microsoft.App/managedEnvironments": Traits(
        read_only=(
            "properties.provisioningState", "properties.deploymentErrors", "properties.defaultDomain",
            "properties.staticIp", "properties.customDomainConfiguration.customDomainVerificationId",
            "properties.customDomainConfiguration.expirationDate", "properties.customDomainConfiguration.thumbprint",
            "properties.customDomainConfiguration.subjectName", "properties.eventStreamEndpoint",
            "properties.kedaConfiguration.version", "properties.daprConfiguration.version",
            "properties.privateEndpointConnections", *_IDENTITY,
        ),
        create_only=(
            "location", "kind", "properties.zoneRedundant", "properties.infrastructureResourceGroup",
            "properties.customDomainConfiguration.dnsSuffix", "properties.vnetConfiguration",
            "properties.daprAIConnectionString",
        ),
        write_only=(
            "properties.appLogsConfiguration.logAnalyticsConfiguration.sharedKey",
            "properties.daprAIInstrumentationKey", "properties.daprAIConnectionString",
            "properties.customDomainConfiguration.certificateValue",
            "properties.customDomainConfiguration.certificatePassword",
        ),
        caseless=(
            "properties.appLogsConfiguration.destination", "properties.workloadProfiles[].workloadProfileType",
            "identity.type",
        ),
        keys={"properties.workloadProfiles": ("name",)},
    ),
    "Microsoft.App/managedEnvironments/managedCertificates": Traits(
        read_only=("properties.provisioningState", "properties.error", "properties.validationToken"),
        create_only=("location", "properties.subjectName", "properties.domainControlValidation"),
        caseless=("properties.subjectName", "properties.domainControlValidation"),
        patch=("tags",),
    ),
    "Microsoft.App/managedEnvironments/storages": Traits(
        create_only=(
            "properties.azureFile.accountName", "properties.azureFile.shareName", "properties.azureFile.accessMode",
            "properties.nfsAzureFile",
        ),
        write_only=("properties.azureFile.accountKey",),
        volatile=("location",),
        caseless=("properties.azureFile.accessMode",),
        patch=(),
    ),
    "Microsoft.App/containerApps": Traits(
        read_only=(
            "properties.provisioningState", "properties.runningStatus", "properties.latestRevisionName",
            "properties.latestReadyRevisionName", "properties.latestRevisionFqdn",
            "properties.customDomainVerificationId", f"{_INGRESS}.fqdn", *_EPHEMERAL,
            "properties.outboundIpAddresses", "properties.eventStreamEndpoint", "properties.deploymentErrors",
            *_IDENTITY,
        ),
        # `managedEnvironmentId` is the older name of `environmentId`; a suffix is for one revision.
        volatile=(
            "properties.managedEnvironmentId", "properties.delegatedIdentities", "properties.template.revisionSuffix",
        ),
        create_only=("location", "kind", "properties.environmentId"),
        write_only=("properties.configuration.secrets[].value",),
        defaults={"properties.configuration.activeRevisionsMode": "Single"},  # learn.microsoft.com, revisions
        caseless=(
            *_TEMPLATE_CASELESS, "properties.configuration.activeRevisionsMode", f"{_INGRESS}.transport",
            f"{_INGRESS}.clientCertificateMode", f"{_INGRESS}.stickySessions.affinity",
            f"{_INGRESS}.ipSecurityRestrictions[].action", f"{_INGRESS}.customDomains[].bindingType",
            f"{_INGRESS}.customDomains[].certificateId", f"{_PROBES}[].type", f"{_PROBES}[].httpGet.scheme",
        ),
        # `ingress: null` removes an ingress (azure-cli, containerapp ingress disable); likewise Dapr.
        defining=(
            f"{_INGRESS}.external", f"{_INGRESS}.corsPolicy.allowedOrigins", f"{_INGRESS}.stickySessions.affinity",
            "properties.configuration.dapr.enabled",
        ),
        numbers=_CPU,
        keys={
            **_TEMPLATE_KEYS,
            f"{_INGRESS}.traffic": ("revisionName", "latestRevision", "label"),
            f"{_INGRESS}.customDomains": ("name",),
            f"{_INGRESS}.ipSecurityRestrictions": ("name",),
            f"{_INGRESS}.additionalPortMappings": ("targetPort",),
            _PROBES: ("type",),
            f"{_PROBES}[].httpGet.httpHeaders": ("name",),
            _RULES: ("name",),
            **{f"{_RULES}[].{kind}.auth": ("triggerParameter",) for kind in ("azureQueue", "custom", "http", "tcp")},
            "properties.template.serviceBinds": ("name",),
        },
        sets=tuple(
            f"{_INGRESS}.corsPolicy.{name}"
            for name in ("allowedOrigins", "allowedMethods", "allowedHeaders", "exposeHeaders")
        ),
        exclusive={
            **_TEMPLATE_EXCLUSIVE,
            f"{_PROBES}[]": (("httpGet",), ("tcpSocket",)),
            f"{_RULES}[]": (("http",), ("tcp",), ("custom",), ("azureQueue",)),
        },
    ),
    "Microsoft.App/jobs": Traits(
        read_only=(
            "properties.provisioningState", "properties.runningState", *_EPHEMERAL, "properties.outboundIpAddresses",
            "properties.eventStreamEndpoint", *_IDENTITY,
        ),
        create_only=("location", "properties.environmentId", "properties.configuration.triggerType"),
        write_only=("properties.configuration.secrets[].value",),
        caseless=(*_TEMPLATE_CASELESS, "properties.configuration.triggerType"),
        numbers=_CPU,
        keys={
            **_TEMPLATE_KEYS,
            _PROBES: ("type",),
            f"{_PROBES}[].httpGet.httpHeaders": ("name",),
            "properties.configuration.eventTriggerConfig.scale.rules": ("name",),
            "properties.configuration.eventTriggerConfig.scale.rules[].auth": ("triggerParameter",),
        },
        exclusive=_TEMPLATE_EXCLUSIVE,
    ),
}
IDENTITIES = "identity.userAssignedIdentities"  # which are added to, and never taken away
# Case-insensitive keys of lists and maps: resource ids and host names.
CASELESS_KEYS = frozenset(
    {
        IDENTITIES,
        "properties.configuration.registries",
        "properties.configuration.identitySettings",
        "properties.networkAcls.virtualNetworkRules",
        "properties.geoReplication.linkedDatabases",
    }
)
# Objects whose keys are user-defined names.
MAPS = frozenset({IDENTITIES, "tags"})
_OTHER = Traits()


@cache
def traits(resource_type: str) -> Traits:
    """Return the traits of a type; for an unknown type those common to all."""
    return TRAITS.get(resource_type, _OTHER)
