"""The section `azure`: which cloud, which group, which region."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag

from draftgenie_azure.config.validated.values import Decimal, Location, Section, Text, branch, filled, rule


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
    dns: dict[str, dict[str, list[Text]]] = Field(
        default_factory=dict, description="DNS records by name and type, for custom domains"
    )
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
        Discriminator(branch("mapping")),
    ] = Field(default="AzureCloud", description="`emulator`, a cloud of Azure, or a mapping of endpoints")
    subscription_id: Text = Field(default="", description="empty: the one you are signed in to, then the state's")
    tenant_id: Text = Field(default="", description="empty: the subscription's")
    resource_group: Annotated[Text, rule("resource_group")]
    location: Location
    project_name: Annotated[Text, rule("project")] = "draftgenie"
    identity_name: Annotated[Text, rule("identity")] = filled(
        "user-assigned identity the apps run as; default <project_name>-identity"
    )
    emulator: Emulator = Field(default_factory=Emulator)
