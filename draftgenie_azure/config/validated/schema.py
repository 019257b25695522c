"""The sections and keys of the configuration, their types and defaults, and its JSON Schema.

`python -m draftgenie_azure.config.validated.schema` writes `config.schema.json` beside the command. What spans several
sections is checked in `rules`; what becomes of the variables and secrets is worked out in `secret_plan`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    WithJsonSchema,
)

from draftgenie_azure.config import clouds, placeholders
from draftgenie_azure.config.keys import Key
from draftgenie_azure.config.raw_config import RawConfig
from draftgenie_azure.config.validated import naming
from draftgenie_azure.config.validated.secret_plan import Plan, Variable, VaultSecret
from draftgenie_azure.constants import STATE_FILE

SCHEMA_FILE = "config.schema.json"
# Azure SDK for Python, azure-mgmt-redisenterprise 3.1.0, without the closed Enterprise tiers.
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
# learn.microsoft.com/azure/postgresql: what Premium SSD offers.
STORAGE_SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767)


# ----------------------------------------------------------------------------------------------------------- Values


def _text(value: Any) -> Any:
    """A number is text where text is wanted: the reader keeps every spelling that a number would lose."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _scalar(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else _text(value)


def _flag(value: Any) -> Any:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool):
        return value
    raise ValueError("must be true or false")


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def _command(value: Any) -> Any:
    """A command as one text is split as a shell would, without running one."""
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {error}") from None


class _Rule(AfterValidator):
    """Azure's rule for a kind of name: words for people, a pattern for the JSON Schema."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {**handler(schema), "pattern": naming.pattern(getattr(self.func, "keywords", {})["kind"])}


def _checked(name: str, kind: str) -> str:
    if fault := naming.name_fault(kind, name):
        raise ValueError(fault)
    return name


def _rule(kind: str) -> _Rule:
    return _Rule(partial(_checked, kind=kind))


def _auto_or_flag(value: Any) -> Any:
    try:
        return value if value == "auto" else _flag(value)
    except ValueError:
        raise ValueError("must be auto, true or false") from None


def _filled(description: str) -> Any:
    """A key whose default depends on others: `with_defaults` puts it in, so that it is never None."""
    return Field(default=None, description=description)


def _template(value: str) -> str:
    placeholders.parse(value)
    return value


def _branch(tag: str) -> Callable[[Any], str]:
    """Tags begin with `<`, which no key does, so that faults can leave them out of the key they show."""
    return lambda value: f"<{tag}>" if isinstance(value, (dict, BaseModel)) else "<text>"


Text = Annotated[str, BeforeValidator(_text)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Whole = Annotated[int, BeforeValidator(_number)]
Decimal = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Port = Annotated[Whole, Field(ge=1, le=65535)]
Words = Annotated[
    list[Text],
    BeforeValidator(_command),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Value = Annotated[
    str,
    BeforeValidator(_scalar),
    AfterValidator(_template),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
VariableName = Annotated[Text, _rule("variable")]
ServiceKey = Annotated[Text, _rule("service_key")]
Location = Annotated[Text, _rule("location")]
DatabaseName = Annotated[Text, _rule("postgres_database")]


class Section(BaseModel):
    """What all sections share: no unknown keys, no change after reading, no input in error messages."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False)


# --------------------------------------------------------------------------------------------------------- Sections


class CustomCloud(Section):
    """The endpoints of a cloud that has no name here."""

    name: Text = Field(default="custom", description="what the state calls this cloud")
    resource_manager: Text = Field(description="base address of Azure Resource Manager, https://…")
    audience: Text | None = Field(
        default=None, description="scope of its tokens; default: resource_manager + /.default"
    )
    authority: Text = Field(description="base address of the token service, https://…")
    vault_suffix: Text = Field(description="host of a vault without its name, e.g. vault.azure.net")
    vault_scope: Text | None = Field(default=None, description="default: https:// + vault_suffix + /.default")
    registry_suffix: Text = Field(description="e.g. azurecr.io")
    storage_suffix: Text = Field(description="e.g. core.windows.net")
    postgres_suffix: Text = Field(description="e.g. postgres.database.azure.com")
    ca_file: Text | None = Field(default=None, description="certificates to trust; counts from the config file")
    proxy: Text | None = Field(default=None, description="address of an HTTP proxy")


class Emulator(Section):
    """How the embedded Azure behaves. Enters no hash."""

    scale: Annotated[Decimal, Field(ge=0)] = Field(
        default=0.0, description="of Azure's durations; 0: done at the first poll"
    )
    faults: list[dict[str, Any]] = Field(default_factory=list, description="faults to inject")
    images: dict[str, Any] = Field(default_factory=dict, description="how containers of an image behave")
    policies: list[dict[str, Any]] = Field(
        default_factory=list, description="policies, quotas and offers that hold at every write"
    )


LocationKind = Literal[
    "default", "resource_group", "identity", "log_analytics", "app_insights", "container_registry", "key_vault",
    "postgres_server", "redis", "container_apps",
]  # fmt: skip
LOCATION_KINDS: tuple[str, ...] = tuple(kind for kind in get_args(LocationKind) if kind != "default")
CloudName = Literal["emulator", "AzureCloud", "AzureUSGovernment", "AzureChinaCloud"]


class Azure(Section):
    """Where to deploy to."""

    cloud: Annotated[
        Annotated[CloudName, Tag("<text>")] | Annotated[CustomCloud, Tag("<mapping>")],
        Discriminator(_branch("mapping")),
    ] = Field(default="AzureCloud", description="`emulator`, a cloud of Azure, or a mapping of endpoints")
    subscription_id: Text = Field(default="", description="empty: the one you are signed in to, then the state's")
    tenant_id: Text = Field(default="", description="empty: the subscription's")
    resource_group: Annotated[Text, _rule("resource_group")]
    location: Location
    project_name: Annotated[Text, _rule("project")] = "draftgenie"
    identity_name: Annotated[Text, _rule("identity")] = _filled(
        "user-assigned identity the apps run as; default <project_name>-identity"
    )
    emulator: Emulator = Field(default_factory=Emulator)


class ContainerRegistry(Section):
    """Azure Container Registry for the images of the application services."""

    name: Annotated[Text, _rule("container_registry")]
    sku: Literal["Basic", "Standard", "Premium"] = "Basic"


class KeyVault(Section):
    """Azure Key Vault, the one place where secrets stand."""

    name: Annotated[Text, _rule("key_vault")]
    sku: Literal["standard", "premium"] = "standard"
    soft_delete_retention_days: Annotated[Whole, Field(ge=7, le=90)] = 90
    purge_protection: Flag = Field(default=False, description="final once it is on")


class Monitoring(Section):
    """Log Analytics, and Application Insights on it."""

    log_workspace: Annotated[Text, _rule("log_workspace")]
    app_insights: Annotated[Text, _rule("app_insights")]
    retention_days: Annotated[Whole, Field(ge=30, le=730)] = 30
    daily_cap_gb: Annotated[Decimal, Field(gt=0)] | None = Field(
        default=None, description="gigabytes a day that the workspace takes in; absent: as it is in Azure"
    )
    sampling_percentage: Annotated[Decimal, Field(gt=0, le=100)] | None = Field(
        default=None, description="of the telemetry that Application Insights keeps; absent: as it is in Azure"
    )


class Postgresql(Section):
    """Azure Database for PostgreSQL Flexible Server."""

    server_name: Annotated[Text, _rule("postgres_server")]
    database_name: DatabaseName | None = Field(
        default=None, description="one more database, made beside those that the services need"
    )
    admin_user: Text = _filled("default <project_name>admin; fixed once the server exists")
    admin_password: Text = Field(default="", repr=False, description="empty: made once and kept in the vault")
    sku: Text = Field(default="Standard_B1ms", description="Standard_B… (Burstable), Standard_D…, Standard_E…")
    postgres_sku: Text | None = Field(
        default=None, description="older name of sku", json_schema_extra={"deprecated": True}
    )
    tier: Literal["Burstable", "GeneralPurpose", "MemoryOptimized"] = _filled("follows from sku")
    version: Annotated[Text, Field(pattern=r"^1[1-8]$")] = "16"
    storage_size: Annotated[Whole, Field(json_schema_extra={"enum": list(STORAGE_SIZES)})] = Field(
        default=32, description="GB; only ever grows"
    )
    auto_grow: Flag | None = Field(default=None, description="storage grows by itself; absent: as it is in Azure")
    backup_retention_days: Annotated[Whole, Field(ge=7, le=35)] = 7
    high_availability: Literal["Disabled", "SameZone", "ZoneRedundant"] = "Disabled"
    databases: list[DatabaseName] = Field(
        default_factory=list, description="further databases; each service that uses PostgreSQL has one anyway"
    )
    extensions: list[Annotated[Text, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]] = Field(
        default_factory=list, description="what CREATE EXTENSION may name"
    )

    @property
    def login(self) -> str:
        """The administrator's name."""
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
        """Whether this is Azure Managed Redis (`Microsoft.Cache/redisEnterprise`)."""
        return self.sku not in REDIS_SKUS


class Mongodb(Section):
    """A MongoDB that somebody else keeps."""

    connection_url: Text = Field(default="", repr=False, description="{{ mongodb.connection_url }}; empty: none")


class WorkloadProfile(Section):
    """Machines of a size of their own for apps."""

    name: Annotated[Text, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")]
    type: Annotated[Text, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] = Field(description="D4, D8, E4, NC24-A100, …")
    minimum_count: Annotated[Whole, Field(ge=0, le=1000)] = 0
    maximum_count: Annotated[Whole, Field(ge=1, le=1000)] = 1


class ContainerApps(Section):
    """The Container Apps environment."""

    environment_name: Annotated[Text, _rule("environment")]
    zone_redundant: Flag = Field(default=False, description="needs subnet_id; fixed once the environment exists")
    subnet_id: Text | None = Field(
        default=None, description="resource id of the subnet it is in; fixed once the environment exists"
    )
    internal: Flag | None = Field(
        default=None, description="reachable from its network alone; needs subnet_id; fixed once it exists"
    )
    workload_profiles: list[WorkloadProfile] = Field(
        default_factory=list, description="besides Consumption, which is always there"
    )


class BuildArgument(Section):
    """A build argument with more to say than its value."""

    value: Annotated[str, BeforeValidator(_scalar)] = Field(repr=False)
    secret: Flag = Field(default=False, description="kept out of logs, and hashed with a salt")


class Volume(Section):
    """One volume of a service."""

    type: Literal["empty_dir", "azure_file"] = Field(
        default="empty_dir", description="empty_dir is lost with the replica"
    )
    mount_path: Annotated[Text, Field(pattern=r"^/")]
    account_name: Annotated[Text, _rule("storage_account")] | None = None
    account_key: Text | None = Field(default=None, repr=False)
    share_name: Annotated[Text, _rule("file_share")] | None = None


class ScaleRule(Section):
    """One KEDA rule; a custom one's `type` is the scaler's name."""

    name: Annotated[Text, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    type: Annotated[Text, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")] = Field(description="http, tcp, cpu, memory, …")
    metadata: dict[str, Annotated[str, BeforeValidator(_scalar)]] = Field(default_factory=dict)
    auth: dict[str, VariableName] = Field(
        default_factory=dict, description="the scaler's parameter -> a variable of the service that is a secret"
    )
    identity: Text | None = Field(
        default=None, description="`app` for the identity that the apps run as, or the resource id of another one"
    )


class IpRestriction(Section):
    """From where an app may be reached, or not."""

    name: Annotated[Text, Field(min_length=1, max_length=32)]
    ip_address_range: Text = Field(description="an IPv4 address or range, such as 203.0.113.0/24")
    action: Literal["Allow", "Deny"]
    description: Text | None = None


class Cors(Section):
    """Which pages of other origins a browser lets call an app."""

    allowed_origins: Annotated[list[Text], Field(min_length=1)]
    allowed_methods: list[Text] | None = None
    allowed_headers: list[Text] | None = None
    expose_headers: list[Text] | None = None
    max_age: Annotated[Whole, Field(ge=0)] | None = Field(default=None, description="seconds")
    allow_credentials: Flag | None = None


class Dapr(Section):
    """Dapr beside an app."""

    enabled: Flag = True
    app_id: Annotated[Text, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")] | None = Field(
        default=None, description="default: the app's name"
    )
    app_port: Port | None = Field(default=None, description="default: port")
    app_protocol: Literal["http", "grpc"] | None = None
    enable_api_logging: Flag | None = None
    http_max_request_size: Annotated[Whole, Field(ge=1)] | None = Field(default=None, description="megabytes")
    http_read_buffer_size: Annotated[Whole, Field(ge=1)] | None = Field(default=None, description="kilobytes")
    log_level: Literal["debug", "info", "warn", "error"] | None = None


class Scale(Section):
    """When a service gets more replicas."""

    http_concurrent_requests: Annotated[Whole, Field(ge=1)] | None = None
    tcp_concurrent_connections: Annotated[Whole, Field(ge=1)] | None = None
    rules: list[ScaleRule] = Field(default_factory=list)


class Service(Section):
    """One container app. Defaults that depend on other keys are filled in before (see `with_defaults`)."""

    name: Annotated[Text, _rule("container_app")] = _filled("default: the key, with - for _")
    kind: Literal["infrastructure", "application"] = _filled("default: by image or Dockerfile")
    image: Text | None = Field(default=None, description="a ready image; else a Dockerfile is built")
    dockerfile: Text | None = Field(
        default=None, description="below docker.build_context; default docker.dockerfiles.<key>"
    )
    build_args: dict[
        VariableName,
        Annotated[
            Annotated[str, BeforeValidator(_scalar), Tag("<text>")] | Annotated[BuildArgument, Tag("<mapping>")],
            Discriminator(_branch("mapping")),
        ],
    ] = Field(default_factory=dict)
    target: Text | None = Field(default=None, description="a stage of the Dockerfile")
    port: Port | None = None
    additional_ports: list[Port] = Field(default_factory=list, max_length=5)
    cpu: Annotated[Decimal, Field(gt=0)] = 0.5
    memory: Text = "1Gi"
    min_replicas: Annotated[Whole, Field(ge=0, le=1000)] = 1
    max_replicas: Annotated[Whole, Field(ge=1, le=1000)] = _filled(description="default 1 for an image, else 3")
    ingress: Literal["external", "internal", "none"] = _filled("default internal where there is a port")
    transport: Literal["auto", "http", "http2", "tcp"] = _filled("default tcp for an image, else auto")
    exposed_port: Port | None = Field(default=None, description="tcp only; default: port")
    allow_insecure: Flag = _filled("answer plain http; default true inside")
    health_path: Annotated[Text, Field(pattern=r"^/")] | None = Field(
        default=None, description="without it, a TCP probe"
    )
    startup_seconds: Annotated[Whole, Field(ge=1, le=2400)] = Field(
        default=60, description="budget of the startup probe"
    )
    command: Words = Field(default_factory=list)
    args: Words = Field(default_factory=list)
    environment: dict[VariableName, Value] = Field(default_factory=dict)
    secrets: dict[VariableName, Value] = Field(default_factory=dict, repr=False)
    volume: Volume | None = None
    database: DatabaseName | None = Field(
        default=None, description="default: the key, where {{ postgresql.… }} is used"
    )
    scale: Scale | None = None
    workload_profile: Text | None = Field(
        default=None, description="Consumption, or one of container_apps.workload_profiles"
    )
    ip_restrictions: list[IpRestriction] | None = Field(
        default=None, description="all allow or all deny; absent: as they are in Azure, []: none"
    )
    cors: Cors | None = Field(default=None, description="absent: as it is in Azure")
    session_affinity: Flag | None = Field(
        default=None, description="a client stays with one replica; absent: as it is in Azure"
    )
    dapr: Dapr | None = Field(default=None, description="absent: as it is in Azure")


class SecretSource(Section):
    """A secret whose value is not in the configuration."""

    generate: Flag = Field(default=False, description="made once and kept in the vault")
    existing: Flag = Field(default=False, description="in the vault alone: its value is never written")


class Migration(Section):
    """A command that runs once for each content of its image, as a Container Apps job."""

    name: Annotated[Text, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")] = _filled("default: the service")
    service: ServiceKey = Field(description="whose image, environment and secrets are used")
    command: Annotated[Words, Field(min_length=1)]
    working_directory: Annotated[Text, Field(pattern=r"^/")] | None = None
    environment: dict[VariableName, Value] = Field(default_factory=dict)
    secrets: dict[VariableName, Value] = Field(default_factory=dict, repr=False)
    database: DatabaseName | None = None
    timeout_seconds: Annotated[Whole, Field(ge=1, le=86400)] = 1800


class Deployment(Section):
    """How a run behaves; the command's flags win."""

    skip_build: Flag = False
    skip_migrations: Flag = False
    dry_run: Flag = False
    auto_approve: Flag = False
    verbose: Flag = False
    resume: Flag = Field(
        default=False, description="accepted for older files; a run always goes on where the last one ended"
    )
    refresh: Flag = Field(default=False, description="look at every resource before deciding, and repair what differs")
    parallelism: Annotated[Whole, Field(ge=1, le=100)] = 10


class Docker(Section):
    """How images are built."""

    registry: Text = Field(default="", description="without effect; kept for older files")
    build_context: Text = Field(default=".", description="counts from the (first) config file")
    builder: Literal["acr", "docker"] = Field(
        default="acr", description="acr builds in the registry and needs no Docker"
    )
    buildkit: Annotated[Literal["auto", True, False], BeforeValidator(_auto_or_flag)] = Field(
        default="auto",
        description="whether the registry builds with BuildKit, by a task; auto: where the Dockerfile needs it",
    )
    dockerfiles: dict[ServiceKey, Text] = Field(default_factory=dict)
    platform: Literal["linux/amd64"] = "linux/amd64"
    build_timeout: Annotated[Whole, Field(ge=60, le=28800)] = Field(default=3600, description="seconds for one image")


class Networking(Section):
    """Values that the services may refer to."""

    cors_origin: Text = Field(default="*", description="origins that browsers may call from: * or a list with commas")
    swagger_enabled: Flag = True
    swagger_path: Text = "api/docs"


class Advanced(Section):
    """Retrying, and where the state lives."""

    retry_attempts: Annotated[Whole, Field(ge=0, le=100)] = 3
    retry_delay: Annotated[Decimal, Field(ge=0)] = 5
    operation_timeout: Annotated[Whole, Field(ge=1)] = Field(
        default=600, description="seconds of retrying without progress"
    )
    cleanup_on_failure: Flag = False
    save_state: Flag = True
    state_file: Text = STATE_FILE
    state_storage: Literal["local", "blob", "azure"] = "local"
    state_blob_account: Annotated[Text, _rule("storage_account")] | None = None
    state_blob_container: Annotated[Text, _rule("blob_container")] = "deployment-state"
    state_blob_name: Annotated[Text, _rule("blob")] = "azure-deployment-state.json"
    state_blob_endpoint: Annotated[Text, Field(pattern=r"^https?://")] | None = None


class Config(Section):
    """A validated configuration. `config.load` makes one."""

    azure: Azure
    locations: dict[LocationKind, Location] = Field(default_factory=dict)
    container_registry: ContainerRegistry | None = None
    key_vault: KeyVault | None = None
    monitoring: Monitoring | None = None
    postgresql: Postgresql | None = None
    redis: Redis | None = None
    mongodb: Mongodb | None = None
    container_apps: ContainerApps | None = None
    services: dict[ServiceKey, Service] = Field(default_factory=dict)
    secrets: dict[
        ServiceKey,
        Annotated[
            Annotated[str, BeforeValidator(_scalar), Tag("<text>")] | Annotated[SecretSource, Tag("<mapping>")],
            Discriminator(_branch("mapping")),
        ],
    ] = Field(default_factory=dict, repr=False)
    migrations: list[Migration] = Field(default_factory=list)
    deployment: Deployment = Field(default_factory=Deployment)
    docker: Docker = Field(default_factory=Docker)
    networking: Networking = Field(default_factory=Networking)
    tags: dict[str, Annotated[str, BeforeValidator(_scalar)]] = Field(default_factory=dict)
    advanced: Advanced = Field(default_factory=Advanced)

    _raw: RawConfig = PrivateAttr()
    _plan: Plan = PrivateAttr()
    _notices: list[str] = PrivateAttr(default_factory=list)
    _ignored: list[str] = PrivateAttr(default_factory=list)

    @property
    def raw(self) -> RawConfig:
        """The values as they were read, with their places."""
        return self._raw

    @property
    def directory(self) -> str:
        """The directory of the first file, absolute."""
        return self._raw.directory

    @property
    def notices(self) -> list[str]:
        """What a person should know although it is no fault; no secret is in it."""
        return list(self._notices)

    @property
    def ignored_keys(self) -> list[str]:
        """Keys of earlier files that are there but have no effect."""
        return list(self._ignored)

    @property
    def endpoints(self) -> clouds.Endpoints:
        """Where the cloud's services are."""
        cloud = self.azure.cloud
        return clouds.endpoints_of(cloud if isinstance(cloud, str) else cloud.model_dump(), self.directory)

    @property
    def is_emulator(self) -> bool:
        """Whether this goes to the embedded emulator."""
        return self.azure.cloud == "emulator"

    def location(self, kind: str) -> str:
        """The region of a kind of resource, in Azure's spelling (`East US 2` is `eastus2`).

        Args:
            kind: one of `LOCATION_KINDS`.
        """
        if kind not in LOCATION_KINDS:
            raise KeyError(kind)
        locations: dict[str, str] = {str(name): region for name, region in self.locations.items()}
        chosen = locations.get(kind) or locations.get("default") or self.azure.location
        return chosen.replace(" ", "").lower()

    @property
    def build_context(self) -> str:
        """The directory that Dockerfiles and their contexts lie in, absolute."""
        return self._raw.file(self.docker.build_context)

    def dockerfile(self, key: str) -> str:
        """A service's Dockerfile, relative to the build context, with `/`. Raises KeyError where it has none."""
        path = self.services[key].dockerfile
        if path is None:
            raise KeyError(key)
        return relative_path(path) or path

    def databases(self) -> list[str]:
        """Every database that is needed, sorted."""
        if self.postgresql is None:
            return []
        wanted = {*self.postgresql.databases, *filter(None, (self.postgresql.database_name,))}
        wanted.update(filter(None, map(self.database_of, self.services)))
        wanted.update(filter(None, map(self.migration_database, self.migrations)))
        return sorted(wanted)

    def database_of(self, key: str) -> str | None:
        """A service's own database: what `{{ postgresql.database }}` stands for in it. None where it uses none."""
        return self._plan.databases.get(key)

    def migration_database(self, migration: Migration) -> str | None:
        """The database that a migration works on: its own, else its service's."""
        return migration.database or self.database_of(migration.service)

    def vault_secrets(self) -> dict[str, VaultSecret]:
        """Every secret that the deployment keeps in the vault, by its name there."""
        return dict(self._plan.secrets)

    def variables(self, key: str) -> list[Variable]:
        """The environment variables of a service, sorted by name."""
        return list(self._plan.variables[key])

    def migration_variables(self, migration: Migration) -> list[Variable]:
        """The variables of a migration: its service's, with its own added and put over them, sorted by name."""
        return list(self._plan.migration_variables[migration.name])


def relative_path(path: str) -> str | None:
    """A path below the build context in one spelling, with `/`; None for one that leads out of it."""
    parts: list[str] = []
    path = path.replace(os.sep, "/")
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return None if path.startswith("/") or os.path.isabs(path) or not parts else "/".join(parts)


# --------------------------------------------------------------------------------------------------------- Defaults


def with_defaults(values: dict[str, Any], from_environment: Collection[Key] = ()) -> dict[str, Any]:
    """Fill in the defaults that depend on other keys; leave out nulls, empty tags, and `x-…`, a place for anchors.

    Nothing is known yet of the types, so whatever does not look as it should is left for the models to refuse.
    """
    values = {
        name: value for name, value in _without_nulls(values, (), from_environment).items() if not name.startswith("x-")
    }
    azure = values.get("azure")
    project = "draftgenie"
    if isinstance(azure, dict):
        project = str(azure.get("project_name", project))
        azure.setdefault("identity_name", f"{project}-identity")
    tags = values.get("tags")
    if isinstance(tags, dict):
        values["tags"] = {name: value for name, value in tags.items() if value != ""}
    postgresql = values.get("postgresql")
    if isinstance(postgresql, dict):
        _postgresql_defaults(postgresql, project)
    docker = values.get("docker")
    dockerfiles = docker.get("dockerfiles") if isinstance(docker, dict) else None
    services = values.get("services")
    for key, service in services.items() if isinstance(services, dict) else ():
        if isinstance(service, dict):
            _service_defaults(key, service, dockerfiles if isinstance(dockerfiles, dict) else {})
    migrations = values.get("migrations")
    seen: dict[str, int] = {}
    for migration in migrations if isinstance(migrations, list) else ():
        if isinstance(migration, dict) and isinstance(service := migration.get("service"), str):
            count = seen[service] = seen.get(service, 0) + 1
            name = re.sub("[^a-z0-9]+", "-", service.lower()).strip("-")
            migration.setdefault("name", name if count == 1 else f"{name}-{count}")
    return values


def _without_nulls(value: Any, key: Key, from_environment: Collection[Key]) -> Any:
    """A null counts as absent, so that a later file can take out what an earlier one has.

    A secret that is there without a value counts as empty, and so does a variable whose `${NAME}` is empty.
    """
    if isinstance(value, list):
        return [_without_nulls(item, (*key, position), from_environment) for position, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    of_variables = len(key) == 3 and key[2] in ("environment", "secrets")
    kept = {}
    for name, item in value.items():
        place = (*key, name)
        if item is not None:
            kept[name] = _without_nulls(item, place, from_environment)
        elif key == ("secrets",) or (of_variables and place in from_environment):
            kept[name] = ""
    return kept


def _postgresql_defaults(postgresql: dict[str, Any], project: str) -> None:
    postgresql.setdefault("admin_user", re.sub(r"[^a-z0-9_]", "", project.lower()) + "admin")
    if "postgres_sku" in postgresql:
        postgresql.setdefault("sku", postgresql["postgres_sku"])
    sku = postgresql.get("sku", "Standard_B1ms")
    if "tier" not in postgresql:
        postgresql["tier"] = (isinstance(sku, str) and naming.postgres_tier(sku)) or "Burstable"


def _service_defaults(key: str, service: dict[str, Any], dockerfiles: dict[str, Any]) -> None:
    image = "image" in service
    service.setdefault("name", key.replace("_", "-").lower())
    if not image and key in dockerfiles:
        service.setdefault("dockerfile", dockerfiles[key])
    service.setdefault("kind", "infrastructure" if image else "application")
    service.setdefault("ingress", "internal" if "port" in service else "none")
    external = service["ingress"] == "external"
    service.setdefault("transport", "tcp" if image and not external else "auto")
    tcp = service["transport"] == "tcp"
    if tcp and "port" in service:
        service.setdefault("exposed_port", service["port"])
    service.setdefault("allow_insecure", service["ingress"] == "internal" and not tcp)
    if "max_replicas" not in service:
        least = service.get("min_replicas", 1)
        usual = 1 if image else 3
        service["max_replicas"] = max(usual, least) if isinstance(least, int) and 0 <= least <= 1000 else usual


# ------------------------------------------------------------------------------------------------------ JSON Schema


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a configuration file, for editors."""
    schema = Config.model_json_schema(mode="validation")
    _allow_variables(schema)
    schema["title"] = "DraftGenie deployment"
    schema["patternProperties"] = {"^x-": {}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _allow_variables(node: Any, *, inside: str = "") -> None:
    """`${NAME}` may stand wherever a value may, and null means absent; names of variables are never checked."""
    if isinstance(node, list):
        for item in node:
            _allow_variables(item)
        return
    if not isinstance(node, dict):
        return
    for name, item in list(node.items()):
        if name in ("properties", "$defs"):
            for value in item.values():
                _allow_variables(value)
        elif name not in ("propertyNames", "default", "enum", "const", "required"):
            _allow_variables(item)
    if node.get("default", "") is None:
        del node["default"]
    for ours, theirs in (("ge", "minimum"), ("le", "maximum"), ("gt", "exclusiveMinimum")):
        if ours in node:  # pydantic leaves a bound under its own name where a validator stands before it
            node[theirs] = node.pop(ours)
    node.pop("allow_inf_nan", None)
    if node.get("type") in ("integer", "number", "boolean") or (
        node.get("type") == "string" and node.keys() & {"enum", "const", "pattern"}
    ):
        rule = {
            name: node.pop(name) for name in list(node) if name not in ("default", "title", "description", "deprecated")
        }
        node["anyOf"] = [rule, {"type": "string", "pattern": r"\$\{"}]
    elif node.get("type") == "string":
        node["type"] = ["string", "number"]


def main() -> None:
    """Write the schema beside the command."""
    path = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..", SCHEMA_FILE))
    with open(path, "w", encoding="utf-8") as file:
        file.write(schema_text())


def schema_text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
