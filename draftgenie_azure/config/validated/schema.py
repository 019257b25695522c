"""The validated configuration: its sections, and values derived from them.

The sections themselves are in `azure_section`, `resource_sections`, `service_sections` and `run_sections`, their value
types in `values`. Rules across sections are in `rules`; the variables and secrets are resolved in `secret_plan`.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, PrivateAttr, Tag

from draftgenie_azure.config import clouds
from draftgenie_azure.config.raw_config import RawConfig
from draftgenie_azure.config.validated.azure_section import LOCATION_KINDS, Azure, LocationKind
from draftgenie_azure.config.validated.resource_sections import (
    ContainerApps,
    ContainerRegistry,
    KeyVault,
    Mongodb,
    Monitoring,
    Postgresql,
    Redis,
    Registry,
)
from draftgenie_azure.config.validated.run_sections import Advanced, Deployment, Docker, Networking
from draftgenie_azure.config.validated.service_sections import Migration, SecretSource, Service
from draftgenie_azure.config.validated.values import Location, Section, ServiceKey, branch, scalar
from draftgenie_azure.config.validated.vault_secrets import Plan, Variable, VaultSecret


class Config(Section):
    """A validated configuration. Created by `config.load`."""

    azure: Azure
    locations: dict[LocationKind, Location] = Field(default_factory=dict)
    container_registry: ContainerRegistry | None = None
    registries: list[Registry] = Field(
        default_factory=list, description="private registries to pull images from; the deployment's own needs no entry"
    )
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
            Annotated[str, BeforeValidator(scalar), Tag("<text>")] | Annotated[SecretSource, Tag("<mapping>")],
            Discriminator(branch("mapping")),
        ],
    ] = Field(default_factory=dict, repr=False)
    migrations: list[Migration] = Field(default_factory=list)
    deployment: Deployment = Field(default_factory=Deployment)
    docker: Docker = Field(default_factory=Docker)
    networking: Networking = Field(default_factory=Networking)
    tags: dict[str, Annotated[str, BeforeValidator(scalar)]] = Field(default_factory=dict)
    advanced: Advanced = Field(default_factory=Advanced)

    _raw: RawConfig = PrivateAttr()
    _plan: Plan = PrivateAttr()
    _notices: list[str] = PrivateAttr(default_factory=list)
    _ignored: list[str] = PrivateAttr(default_factory=list)
    _signed_in: dict[Hashable, Any] = PrivateAttr(default_factory=dict)

    @property
    def raw(self) -> RawConfig:
        """The values as read, with their locations."""
        return self._raw

    @property
    def directory(self) -> str:
        """The directory of the first file, absolute."""
        return self._raw.directory

    @property
    def notices(self) -> list[str]:
        """Warnings for the user; they contain no secrets."""
        return list(self._notices)

    @property
    def ignored_keys(self) -> list[str]:
        """Keys of earlier files that are set but have no effect."""
        return list(self._ignored)

    @property
    def signed_in(self) -> dict[Hashable, Any]:
        """The sign-ins made with this configuration; a run reuses that of its plan."""
        return self._signed_in

    @property
    def endpoints(self) -> clouds.Endpoints:
        """The cloud's service endpoints."""
        cloud = self.azure.cloud
        return clouds.endpoints_of(cloud if isinstance(cloud, str) else cloud.model_dump(), self.directory)

    @property
    def is_emulator(self) -> bool:
        """True if the target is the embedded emulator."""
        return self.azure.cloud == "emulator"

    def location(self, kind: str) -> str:
        """Return the region of a kind of resource, in Azure's spelling (`East US 2` is `eastus2`).

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
        """The absolute directory of the Dockerfiles and their contexts."""
        return self._raw.file(self.docker.build_context)

    def dockerfile(self, key: str) -> str:
        """Return a service's Dockerfile, relative to the build context, with `/`. Raises KeyError if it has none."""
        path = self.services[key].dockerfile
        if path is None:
            raise KeyError(key)
        return relative_path(path) or path

    def databases(self) -> list[str]:
        """Return every required database, sorted."""
        if self.postgresql is None:
            return []
        wanted = {*self.postgresql.databases, *filter(None, (self.postgresql.database_name,))}
        wanted.update(filter(None, map(self.database_of, self.services)))
        wanted.update(filter(None, map(self.migration_database, self.migrations)))
        return sorted(wanted)

    def database_of(self, key: str) -> str | None:
        """Return a service's database, the value of its `{{ postgresql.database }}`, or None if it uses none."""
        return self._plan.databases.get(key)

    def migration_database(self, migration: Migration) -> str | None:
        """Return the database that a migration changes: its own, else its service's."""
        return migration.database or self.database_of(migration.service)

    def vault_secrets(self) -> dict[str, VaultSecret]:
        """Return the secrets that the deployment keeps in the vault, by their name there."""
        return dict(self._plan.secrets)

    def variables(self, key: str) -> list[Variable]:
        """Return the environment variables of a service, sorted by name."""
        return list(self._plan.variables[key])

    def migration_variables(self, migration: Migration) -> list[Variable]:
        """Return the variables of a migration, sorted by name: its service's, overridden by its own."""
        return list(self._plan.migration_variables[migration.name])


def relative_path(path: str) -> str | None:
    """Return a path below the build context in normal form, with `/`; None if it leads out of it."""
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
