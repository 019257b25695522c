"""The sections of the backing resources: registry, vault, monitoring, databases, environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from draftgenie_azure.config.validated.values import (
    DatabaseName,
    Decimal,
    Flag,
    Section,
    ServiceKey,
    Text,
    Whole,
    filled,
    rule,
    scalar,
)

# Azure SDK for Python, azure-mgmt-redisenterprise 3.1.0, without the retired Enterprise tiers.
MANAGED_REDIS_SKUS = (
    *(f"Balanced_B{size}" for size in (0, 1, 3, 5, 10, 20, 50, 100, 150, 250, 350, 500, 700, 1000)),
    *(f"MemoryOptimized_M{size}" for size in (10, 20, 50, 100, 150, 250, 350, 500, 700, 1000, 1500, 2000)),
    *(f"ComputeOptimized_X{size}" for size in (3, 5, 10, 20, 50, 100, 150, 250, 350, 500, 700)),
    *(f"FlashOptimized_A{size}" for size in (250, 500, 700, 1000, 1500, 2000, 4500)),
)
REDIS_SKUS = ("Basic", "Standard", "Premium")
if TYPE_CHECKING:
    RedisSku = str
else:
    RedisSku = Literal[MANAGED_REDIS_SKUS + REDIS_SKUS]
# learn.microsoft.com/azure/postgresql: sizes of Premium SSD.
STORAGE_SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767)
ParameterName = Annotated[Text, Field(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$")]


class ContainerRegistry(Section):
    """Azure Container Registry for the images of the application services."""

    name: Annotated[Text, rule("container_registry")]
    sku: Literal["Basic", "Standard", "Premium"] = "Basic"


class Registry(Section):
    """A private registry, other than the deployment's own, to pull images from."""

    server: Annotated[Text, Field(pattern=r"^[A-Za-z0-9.-]+(:[0-9]+)?$")] = Field(
        description="its host, as in image references: ghcr.io, other.azurecr.io, docker.io"
    )
    identity: Text | None = Field(
        default=None,
        description="Azure registries only: `app` for the identity that the apps run as, or the resource id of another",
    )
    username: Text | None = None
    secret: ServiceKey | None = Field(default=None, description="key under `secrets` whose value is the password")


class KeyVault(Section):
    """Azure Key Vault, the only place where secrets are stored."""

    name: Annotated[Text, rule("key_vault")]
    sku: Literal["standard", "premium"] = "standard"
    soft_delete_retention_days: Annotated[Whole, Field(ge=7, le=90)] = 90
    purge_protection: Flag = Field(default=False, description="cannot be turned off again")


class Monitoring(Section):
    """A Log Analytics workspace, and Application Insights based on it."""

    log_workspace: Annotated[Text, rule("log_workspace")]
    app_insights: Annotated[Text, rule("app_insights")]
    retention_days: Annotated[Whole, Field(ge=30, le=730)] = 30
    daily_cap_gb: Annotated[Decimal, Field(gt=0)] | None = Field(
        default=None, description="daily ingestion quota of the workspace in GB; absent: left as it is in Azure"
    )
    sampling_percentage: Annotated[Decimal, Field(gt=0, le=100)] | None = Field(
        default=None, description="percentage of telemetry that Application Insights keeps; absent: as it is in Azure"
    )


class Postgresql(Section):
    """Azure Database for PostgreSQL Flexible Server."""

    server_name: Annotated[Text, rule("postgres_server")]
    database_name: DatabaseName | None = Field(
        default=None, description="an additional database besides those of the services"
    )
    admin_user: Text = filled("default <project_name>admin; fixed once the server exists")
    admin_password: Text = Field(default="", repr=False, description="empty: generated once and kept in the vault")
    sku: Text = Field(default="Standard_B1ms", description="Standard_B… (Burstable), Standard_D…, Standard_E…")
    postgres_sku: Text | None = Field(
        default=None, description="older name of sku", json_schema_extra={"deprecated": True}
    )
    tier: Literal["Burstable", "GeneralPurpose", "MemoryOptimized"] = filled("derived from sku")
    version: Annotated[Text, Field(pattern=r"^1[1-8]$")] = "16"
    storage_size: Annotated[Whole, Field(json_schema_extra={"enum": list(STORAGE_SIZES)})] = Field(
        default=32, description="GB; can only be increased"
    )
    auto_grow: Flag | None = Field(default=None, description="storage grows automatically; absent: as it is in Azure")
    backup_retention_days: Annotated[Whole, Field(ge=7, le=35)] = 7
    high_availability: Literal["Disabled", "SameZone", "ZoneRedundant"] = "Disabled"
    databases: list[DatabaseName] = Field(
        default_factory=list, description="additional databases; each service that uses PostgreSQL already has one"
    )
    extensions: list[Annotated[Text, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]] = Field(
        default_factory=list, description="extensions that CREATE EXTENSION may load"
    )
    parameters: dict[ParameterName, Annotated[str, BeforeValidator(scalar)]] = Field(
        default_factory=dict,
        description="server parameters (true and false mean on and off); the server is restarted if one requires it",
    )
    subnet_id: Text | None = Field(
        default=None,
        description="resource id of the delegated subnet of a private server; fixed once the server exists",
    )
    private_dns_zone_id: Text | None = Field(
        default=None, description="resource id of the private server's DNS zone; fixed once the server exists"
    )

    @property
    def login(self) -> str:
        """The administrator's login."""
        return self.admin_user


class Redis(Section):
    """Azure Managed Redis; with an older sku, Azure Cache for Redis."""

    name: Text
    sku: RedisSku = "Balanced_B0"
    vm_size: Annotated[Text, Field(pattern=r"^[cCpP][0-6]$")] = Field(default="c0", description="older product only")
    high_availability: Flag = Field(default=True, description="managed only; fixed once it exists")
    clustering_policy: Literal["NoCluster", "EnterpriseCluster", "OSSCluster"] = "NoCluster"
    eviction_policy: Literal[
        "AllKeysLFU", "AllKeysLRU", "AllKeysRandom", "VolatileLRU", "VolatileLFU", "VolatileTTL", "VolatileRandom",
        "NoEviction",
    ] = "VolatileLRU"  # fmt: skip

    @property
    def managed(self) -> bool:
        """True for Azure Managed Redis (`Microsoft.Cache/redisEnterprise`)."""
        return self.sku not in REDIS_SKUS


class Mongodb(Section):
    """An external MongoDB."""

    connection_url: Text = Field(default="", repr=False, description="{{ mongodb.connection_url }}; empty: none")


class WorkloadProfile(Section):
    """A workload profile: dedicated machines for apps."""

    name: Annotated[Text, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")]
    type: Annotated[Text, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] = Field(description="D4, D8, E4, NC24-A100, …")
    minimum_count: Annotated[Whole, Field(ge=0, le=1000)] = 0
    maximum_count: Annotated[Whole, Field(ge=1, le=1000)] = 1


class ContainerApps(Section):
    """The Container Apps environment."""

    environment_name: Annotated[Text, rule("environment")]
    zone_redundant: Flag = Field(default=False, description="needs subnet_id; fixed once the environment exists")
    subnet_id: Text | None = Field(
        default=None, description="resource id of its subnet; fixed once the environment exists"
    )
    internal: Flag | None = Field(
        default=None, description="reachable only from its network; needs subnet_id; fixed once it exists"
    )
    workload_profiles: list[WorkloadProfile] = Field(
        default_factory=list, description="profiles in addition to Consumption, which always exists"
    )
