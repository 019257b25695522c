"""The sections of services, secrets and migrations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from draftgenie_azure.config.validated.values import (
    DatabaseName,
    Decimal,
    Flag,
    Port,
    Section,
    ServiceKey,
    Text,
    Value,
    VariableName,
    Whole,
    Words,
    branch,
    filled,
    rule,
    scalar,
)


class BuildArgument(Section):
    """A build argument in its long form."""

    value: Annotated[str, BeforeValidator(scalar)] = Field(repr=False)
    secret: Flag = Field(default=False, description="kept out of logs, and hashed with a salt")


class Volume(Section):
    """One volume of a service."""

    type: Literal["empty_dir", "azure_file"] = Field(
        default="empty_dir", description="empty_dir is lost with the replica"
    )
    mount_path: Annotated[Text, Field(pattern=r"^/")]
    account_name: Annotated[Text, rule("storage_account")] | None = None
    account_key: Text | None = Field(default=None, repr=False)
    share_name: Annotated[Text, rule("file_share")] | None = None


class ScaleRule(Section):
    """One KEDA rule; for a custom rule, `type` is the scaler's name."""

    name: Annotated[Text, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    type: Annotated[Text, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")] = Field(description="http, tcp, cpu, memory, …")
    metadata: dict[str, Annotated[str, BeforeValidator(scalar)]] = Field(default_factory=dict)
    auth: dict[str, VariableName] = Field(
        default_factory=dict, description="scaler parameter -> secret variable of the service"
    )
    identity: Text | None = Field(
        default=None, description="`app` for the identity that the apps run as, or the resource id of another one"
    )


class IpRestriction(Section):
    """An address range that may, or may not, reach an app."""

    name: Annotated[Text, Field(min_length=1, max_length=32)]
    ip_address_range: Text = Field(description="an IPv4 address or range, such as 203.0.113.0/24")
    action: Literal["Allow", "Deny"]
    description: Text | None = None


class Cors(Section):
    """The CORS policy of an app."""

    allowed_origins: Annotated[list[Text], Field(min_length=1)]
    allowed_methods: list[Text] | None = None
    allowed_headers: list[Text] | None = None
    expose_headers: list[Text] | None = None
    max_age: Annotated[Whole, Field(ge=0)] | None = Field(default=None, description="seconds")
    allow_credentials: Flag | None = None


class CustomDomain(Section):
    """A custom domain of an app."""

    name: Annotated[Text, rule("domain")]
    certificate: Text = Field(
        default="managed",
        description="`managed`: issued and renewed by Azure; else the name of a certificate in the environment",
    )
    validation: Literal["CNAME", "HTTP", "TXT"] = filled(
        "how Azure validates the name for a managed certificate; default CNAME, HTTP for a name of two parts"
    )


class TrafficWeight(Section):
    """The share of requests that one revision gets."""

    latest_revision: Flag = Field(default=False, description="the newest revision, once verified")
    revision_name: Text | None = Field(default=None, description="<app>--<suffix>")
    weight: Annotated[Whole, Field(ge=0, le=100)] = Field(default=0, description="percent; weights must add up to 100")
    label: Annotated[Text, Field(pattern=r"^[a-z]([a-z0-9-]{0,62}[a-z0-9])?$")] | None = Field(
        default=None, description="gives the revision its own address: <app>---<label>"
    )


class Dapr(Section):
    """The Dapr sidecar of an app."""

    enabled: Flag = True
    app_id: Annotated[Text, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")] | None = Field(
        default=None, description="default: the app's name"
    )
    app_port: Port | None = Field(default=None, description="default: port")
    app_protocol: Literal["http", "grpc"] | None = None
    enable_api_logging: Flag | None = None
    http_max_request_size: Annotated[Whole, Field(ge=1)] | None = Field(default=None, description="megabytes")
    http_read_buffer_size: Annotated[Whole, Field(ge=1)] | None = Field(default=None, description="kilobytes")
    log_level: Literal["debug", "info", "warn", "error"] | None = None


class Scale(Section):
    """The scale rules of a service."""

    http_concurrent_requests: Annotated[Whole, Field(ge=1)] | None = None
    tcp_concurrent_connections: Annotated[Whole, Field(ge=1)] | None = None
    rules: list[ScaleRule] = Field(default_factory=list)


class Service(Section):
    """One container app."""

    # Defaults that depend on other keys are filled in beforehand: see `with_defaults`.
    name: Annotated[Text, rule("container_app")] = filled("default: the key, with - for _")
    kind: Literal["infrastructure", "application"] = filled("default: application if it has a Dockerfile")
    image: Text | None = Field(default=None, description="a prebuilt image; else the Dockerfile is built")
    dockerfile: Text | None = Field(
        default=None, description="below docker.build_context; default docker.dockerfiles.<key>"
    )
    build_args: dict[
        VariableName,
        Annotated[
            Annotated[str, BeforeValidator(scalar), Tag("<text>")] | Annotated[BuildArgument, Tag("<mapping>")],
            Discriminator(branch("mapping")),
        ],
    ] = Field(default_factory=dict)
    target: Text | None = Field(default=None, description="a stage of the Dockerfile")
    port: Port | None = None
    additional_ports: list[Port] = Field(default_factory=list, max_length=5)
    cpu: Annotated[Decimal, Field(gt=0)] = 0.5
    memory: Text = "1Gi"
    min_replicas: Annotated[Whole, Field(ge=0, le=1000)] = 1
    max_replicas: Annotated[Whole, Field(ge=1, le=1000)] = filled(description="default 1 for an image, else 3")
    ingress: Literal["external", "internal", "none"] = filled("default internal if there is a port")
    transport: Literal["auto", "http", "http2", "tcp"] = filled("default tcp for an image, else auto")
    exposed_port: Port | None = Field(default=None, description="tcp only; default: port")
    allow_insecure: Flag = filled("allow plain HTTP; default true for internal ingress")
    health_path: Annotated[Text, Field(pattern=r"^/")] | None = Field(
        default=None, description="path of the HTTP probe; absent: a TCP probe"
    )
    startup_seconds: Annotated[Whole, Field(ge=1, le=2400)] = Field(
        default=60, description="seconds that the startup probe allows"
    )
    termination_seconds: Annotated[Whole, Field(ge=0, le=600)] | None = Field(
        default=None, description="seconds from the stop signal to the kill; absent: as it is in Azure, 30 if new"
    )
    command: Words = Field(default_factory=list)
    args: Words = Field(default_factory=list)
    environment: dict[VariableName, Value] = Field(default_factory=dict)
    secrets: dict[VariableName, Value] = Field(default_factory=dict, repr=False)
    volume: Volume | None = None
    database: DatabaseName | None = Field(
        default=None, description="default: the key, if {{ postgresql.… }} is used"
    )
    scale: Scale | None = None
    workload_profile: Text | None = Field(
        default=None, description="Consumption, or one of container_apps.workload_profiles"
    )
    revision_mode: Literal["Single", "Multiple"] | None = Field(
        default=None,
        description="Multiple: a new revision gets no requests until verified; absent: left as it is in Azure",
    )
    traffic: list[TrafficWeight] | None = Field(
        default=None, description="weights of the revisions; absent: left as they are in Azure"
    )
    custom_domains: list[CustomDomain] | None = Field(
        default=None, description="custom domains with certificates; absent: left as they are in Azure"
    )
    ip_restrictions: list[IpRestriction] | None = Field(
        default=None, description="all allow or all deny; absent: left as they are in Azure; []: none"
    )
    cors: Cors | None = Field(default=None, description="absent: left as it is in Azure")
    session_affinity: Flag | None = Field(
        default=None, description="sticky sessions; absent: left as they are in Azure"
    )
    dapr: Dapr | None = Field(default=None, description="absent: left as it is in Azure")


class SecretSource(Section):
    """A secret whose value is not in the configuration."""

    generate: Flag = Field(default=False, description="generated once and kept in the vault")
    existing: Flag = Field(default=False, description="exists only in the vault: its value is never written")


class Migration(Section):
    """A command that runs once per content of its image, as a Container Apps job."""

    name: Annotated[Text, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")] = filled("default: the service")
    service: ServiceKey = Field(description="the service whose image, environment and secrets it uses")
    command: Annotated[Words, Field(min_length=1)]
    working_directory: Annotated[Text, Field(pattern=r"^/")] | None = None
    environment: dict[VariableName, Value] = Field(default_factory=dict)
    secrets: dict[VariableName, Value] = Field(default_factory=dict, repr=False)
    database: DatabaseName | None = None
    timeout_seconds: Annotated[Whole, Field(ge=1, le=86400)] = 1800
