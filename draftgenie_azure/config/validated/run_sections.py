"""The sections about the run: its behaviour, image builds and state."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from draftgenie_azure.config.validated.values import Decimal, Flag, Section, ServiceKey, Text, Whole, flag, rule
from draftgenie_azure.constants import STATE_BLOB, STATE_CONTAINER, STATE_FILE


def _auto_or_flag(value: Any) -> Any:
    try:
        return value if value == "auto" else flag(value)
    except ValueError:
        raise ValueError("must be auto, true or false") from None


class Deployment(Section):
    """Behaviour of a run; command-line flags take precedence."""

    skip_build: Flag = False
    skip_migrations: Flag = False
    dry_run: Flag = False
    auto_approve: Flag = False
    verbose: Flag = False
    resume: Flag = Field(
        default=False, description="accepted for older files; a run always resumes where the last one ended"
    )
    refresh: Flag = Field(default=False, description="read every resource before deciding, and repair drift")
    parallelism: Annotated[Whole, Field(ge=1, le=100)] = 10


class Docker(Section):
    """The image builds."""

    registry: Text = Field(default="", description="without effect; kept for older files")
    build_context: Text = Field(default=".", description="relative to the (first) config file")
    builder: Literal["acr", "docker"] = Field(
        default="acr", description="acr builds in the registry and needs no Docker"
    )
    buildkit: Annotated[Literal["auto", True, False], BeforeValidator(_auto_or_flag)] = Field(
        default="auto",
        description="build in the registry with BuildKit, by a task; auto: if the Dockerfile needs it",
    )
    dockerfiles: dict[ServiceKey, Text] = Field(default_factory=dict)
    platform: Literal["linux/amd64"] = "linux/amd64"
    build_timeout: Annotated[Whole, Field(ge=60, le=28800)] = Field(default=3600, description="seconds for one image")


class Networking(Section):
    """Values that services may refer to."""

    cors_origin: Text = Field(default="*", description="origins allowed by CORS: * or a comma-separated list")
    swagger_enabled: Flag = True
    swagger_path: Text = "api/docs"


class Advanced(Section):
    """Retries and the location of the state."""

    retry_attempts: Annotated[Whole, Field(ge=0, le=100)] = 3
    retry_delay: Annotated[Decimal, Field(ge=0)] = 5
    operation_timeout: Annotated[Whole, Field(ge=1)] = Field(
        default=600, description="seconds to retry without progress"
    )
    cleanup_on_failure: Flag = False
    save_state: Flag = True
    state_file: Text = STATE_FILE
    state_storage: Literal["local", "blob", "azure"] = "local"
    state_blob_account: Annotated[Text, rule("storage_account")] | None = None
    state_blob_container: Annotated[Text, rule("blob_container")] = STATE_CONTAINER
    state_blob_name: Annotated[Text, rule("blob")] = STATE_BLOB
    state_blob_endpoint: Annotated[Text, Field(pattern=r"^https?://")] | None = None
