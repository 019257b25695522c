"""The section `azure`: cloud, resource group, region."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag

from draftgenie_azure.config.validated.values import Decimal, Location, Section, Text, branch, filled, rule


class CustomCloud(Section):
    """The endpoints of a cloud that is not built in."""

    name: Text = Field(default="custom", description="name of this cloud in the state")
    resource_manager: Text = Field(description="base URL of Azure Resource Manager, https://…")
    audience: Text | None = Field(
        default=None, description="scope of its tokens; default: resource_manager + /.default"
    )
    authority: Text = Field(description="base URL of the token service, https://…")
    vault_suffix: Text = Field(description="host name of a vault without the vault's name, e.g. vault.azure.net")
    vault_scope: Text | None = Field(default=None, description="default: https:// + vault_suffix + /.default")
    registry_suffix: Text = Field(description="e.g. azurecr.io")
    storage_suffix: Text = Field(description="e.g. core.windows.net")
    postgres_suffix: Text = Field(description="e.g. postgres.database.azure.com")
    ca_file: Text | None = Field(default=None, description="CA bundle to trust; relative to the config file")
    proxy: Text | None = Field(default=None, description="URL of an HTTP proxy")


class Emulator(Section):
    """Behaviour of the embedded emulator. Not part of any dependency hash."""

    scale: Annotated[Decimal, Field(ge=0)] = Field(
        default=0.0, description="fraction of Azure's durations; 0: done at the first poll"
    )
    faults: list[dict[str, Any]] = Field(default_factory=list, description="faults to inject")
    images: dict[str, Any] = Field(default_factory=dict, description="how containers of an image behave")
    dns: dict[str, dict[str, list[Text]]] = Field(
        default_factory=dict, description="DNS records by name and type, for custom domains"
    )
    policies: list[dict[str, Any]] = Field(
        default_factory=list, description="policies, quotas and offers to enforce on every write"
    )


LocationKind = Literal[
    "default", "resource_group", "identity", "log_analytics", "app_insights", "container_registry", "key_vault",
    "postgres_server", "redis", "container_apps",
]  # fmt: skip
LOCATION_KINDS: tuple[str, ...] = tuple(kind for kind in get_args(LocationKind) if kind != "default")
CloudName = Literal["emulator", "AzureCloud", "AzureUSGovernment", "AzureChinaCloud"]


class Azure(Section):
    """The deployment target."""

    cloud: Annotated[
        Annotated[CloudName, Tag("<text>")] | Annotated[CustomCloud, Tag("<mapping>")],
        Discriminator(branch("mapping")),
    ] = Field(default="AzureCloud", description="`emulator`, a cloud of Azure, or a mapping of endpoints")
    subscription_id: Text = Field(default="", description="empty: the one signed in to, then the state's")
    tenant_id: Text = Field(default="", description="empty: the tenant of the subscription")
    resource_group: Annotated[Text, rule("resource_group")]
    location: Location
    project_name: Annotated[Text, rule("project")] = "draftgenie"
    identity_name: Annotated[Text, rule("identity")] = filled(
        "user-assigned identity the apps run as; default <project_name>-identity"
    )
    emulator: Emulator = Field(default_factory=Emulator)
