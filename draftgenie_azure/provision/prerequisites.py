"""Check beforehand what would otherwise fail after minutes: providers, regions, permissions and names."""

from __future__ import annotations

from functools import partial

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.plan import REGISTER, Entry
from draftgenie_azure.errors import (
    UNREGISTERED_CODES,
    AzureError,
    DeployerError,
    DeploymentError,
    PrerequisiteError,
)
from draftgenie_azure.nearest import did_you_mean
from draftgenie_azure.provision import addresses, existing_images, offers, rights, versions
from draftgenie_azure.provision.docker_command import docker_command
from draftgenie_azure.run.poll import poll
from draftgenie_azure.run.schedule import run_concurrently

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from draftgenie_azure.session import Session

_PROVIDERS_VERSION = ids.API_VERSIONS["Microsoft.Resources/providers"]
ASSIGN_ROLES = "Microsoft.Authorization/roleAssignments/write"
# Owner, Role Based Access Control Administrator and User Access Administrator: the same in every tenant, and nobody can
# change them (learn.microsoft.com/azure/role-based-access-control/built-in-roles).
_MAY_ASSIGN_ROLES = frozenset(
    {
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    }
)
STEP = "check_prerequisites"
REGISTRATION_WAIT = 300.0  # seconds; it proceeds region by region, and creation need not wait for all of them


def check(session: Session) -> dict[str, Any]:
    """Check what would otherwise fail after minutes.

    Raises:
        DeployerError: lists all problems.
    """
    Prerequisites(session).check()
    return {"tenant_id": session.tenant_id, "subscription_id": session.subscription_id}


def register(session: Session) -> None:
    """Register every resource provider that the configuration needs."""
    Prerequisites(session).register(waits=True)


def is_unregistered(error: DeployerError) -> bool:
    """Return whether a step failed, among others, because a resource provider is not registered."""
    parts = error.errors if isinstance(error, DeploymentError) else [error]
    return any(isinstance(part, AzureError) and part.code in UNREGISTERED_CODES for part in parts)


class Prerequisites:
    """The checks of the first step; each finds all problems of its kind."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._config = session.config
        self._arm = session.arm
        self._scope = session.scope
        self._control = session.control
        self._claims = session.claims
        self._logger = session.logger
        self._providers: dict[str, dict[str, Any]] = {}  # by namespace, as read

    def check(self) -> None:
        """Register providers, and raise an error with every problem found.

        Raises:
            DeployerError: lists all problems.
        """
        problems = list(self._builder())
        self.register(waits=False)
        problems += [*self._regions(), *versions.problems(self._session, self._providers)]
        self._raise(problems)  # without a supported version nothing further can be checked
        problems += [*self._rights(), *self._names(), *existing_images.problems(self._session)]
        problems += offers.problems(self._session)
        self._raise(problems)

    @staticmethod
    def _raise(problems: list[str]) -> None:
        if problems:
            raise PrerequisiteError("\n".join(problems))

    def _namespaces(self) -> list[str]:
        config = self._config
        wanted = {"Microsoft.ManagedIdentity"}
        if config.monitoring:
            wanted |= {"Microsoft.OperationalInsights", "Microsoft.Insights"}
        if config.container_registry:
            wanted.add("Microsoft.ContainerRegistry")
        if config.key_vault:
            wanted.add("Microsoft.KeyVault")
        if config.postgresql:
            wanted.add("Microsoft.DBforPostgreSQL")
        if config.redis:
            wanted.add("Microsoft.Cache")
        if config.container_apps:
            wanted.add("Microsoft.App")
        return sorted(wanted)

    def register(self, *, waits: bool) -> None:
        """Register every resource provider; all are requested before waiting for the first.

        Args:
            waits: wait until they are. It proceeds region by region, and most resources can be created at once
                (learn.microsoft.com, resource-providers-and-types).
        """
        tasks = [partial(self._register, namespace) for namespace in self._namespaces()]
        waiting = [path for path in run_concurrently(tasks, width=self._control.parallelism) if path is not None]
        if waits and waiting:
            poll(
                lambda: all(map(self._registered, waiting)) or None, control=self._control, limit=REGISTRATION_WAIT
            )

    def _register(self, namespace: str) -> str | None:
        """Request the registration of a resource provider; return its path, or None if it is registered."""
        path = f"{self._scope.subscription}/providers/{namespace}"
        live = self._providers[namespace] = self._arm.read(path, api_version=_PROVIDERS_VERSION) or {}
        if _is_registered(live):
            return None
        if self._arm.plan is not None:
            self._arm.plan.add(Entry(STEP, f"provider/{namespace}", path, REGISTER))
            return None
        self._logger.info("registering the resource provider %s", namespace)
        self._arm.act(f"{path}/register", api_version=_PROVIDERS_VERSION)
        return path

    def _registered(self, path: str) -> bool:
        return _is_registered(self._arm.read(path, api_version=_PROVIDERS_VERSION) or {})

    def _builder(self) -> Iterator[str]:
        is_built = any(service.dockerfile for service in self._config.services.values())
        if self._config.docker.builder == "docker" and is_built:
            yield from docker_command(self._session).problems()

    def _regions(self) -> Iterator[str]:
        """Return configured regions that the subscription lacks; queried only if no provider lists one of them."""
        kinds = ("resource_group", "key_vault", "log_analytics", "postgres_server", "redis", "container_apps")
        wanted = {self._config.location(kind) for kind in kinds}
        unseen = wanted.difference(*map(versions.regions, self._providers.values()))
        if not unseen:
            return
        version = ids.API_VERSIONS["Microsoft.Resources/subscriptions"]
        locations = self._arm.listing(f"{self._scope.subscription}/locations", api_version=version)
        known = {item["name"] for item in locations}
        for region in sorted(unseen):
            if known and region not in known:
                yield f"the region {region} is not offered to this subscription{did_you_mean(region, known)}"

    def _rights(self) -> Iterator[str]:
        """Check that roles may be assigned: Contributor may not, and the first assignment follows within a minute."""
        version = ids.API_VERSIONS["Microsoft.Authorization/permissions"]
        if self._arm.current(self._scope.group) is not None:
            path = f"{self._scope.group}/providers/Microsoft.Authorization/permissions"
            permissions = list(self._arm.listing(path, api_version=version))
        else:
            permissions = self._permissions_of_subscription()
        if permissions and not any(rights.allows(permission, ASSIGN_ROLES) for permission in permissions):
            yield (
                f"the signed-in principal {self._claims.get('oid', '')} may not assign roles ({ASSIGN_ROLES}): it "
                "needs Owner, User Access Administrator or Role Based Access Control Administrator"
            )

    def _permissions_of_subscription(self) -> list[dict[str, Any]]:
        """Return the permissions of the principal's roles on the subscription; empty if they may not be read.

        ARM lists the caller's permissions for a group only, and the group does not exist yet.
        """
        try:
            held = [one for one in rights.roles(self._session) if not rights.is_in_group(str(one.get("scope")))]
            roles = {str(one["roleDefinitionId"]) for one in held}
            if any(ids.last_name(role).lower() in _MAY_ASSIGN_ROLES for role in roles):
                return [{"actions": [ASSIGN_ROLES]}]
            return list(rights.permissions(self._session, roles))
        except AzureError as error:
            if error.status != 403:
                raise
            self._logger.info("the roles of the signed-in principal may not be read; continuing without")
            return []

    def _names(self) -> Iterator[str]:
        """Yield globally unique names that are taken, unless by our own resources."""
        config, subscription = self._config, self._scope.subscription
        checks = []
        if config.container_registry:
            type_ = "Microsoft.ContainerRegistry/registries"
            where = f"{subscription}/providers/Microsoft.ContainerRegistry/checkNameAvailability"
            checks.append((type_, config.container_registry.name, where, "container_registry.name"))
        if config.key_vault:
            where = f"{subscription}/providers/Microsoft.KeyVault/checkNameAvailability"
            checks.append((addresses.VAULT_TYPE, config.key_vault.name, where, "key_vault.name"))
        if config.postgresql:
            type_ = "Microsoft.DBforPostgreSQL/flexibleServers"
            location = config.location("postgres_server")
            where = f"{subscription}/providers/Microsoft.DBforPostgreSQL/locations/{location}/checkNameAvailability"
            checks.append((type_, config.postgresql.server_name, where, "postgresql.server_name"))
        for type_, name, where, key in checks:
            if self._arm.current(self._scope.resource(type_, name)) is not None:
                continue  # our own, which would be reported as taken
            if self._arm.plan is not None and not _is_registered(self._providers.get(type_.split("/", 1)[0], {})):
                continue  # the run registers it first, then checks
            answer = self._arm.act(where, api_version=ids.API_VERSIONS[type_], body={"name": name, "type": type_}).body
            if not answer.get("nameAvailable", True):
                yield from self._not_free(type_, name, key, str(answer.get("message") or answer.get("reason")))
            elif type_ == addresses.VAULT_TYPE and "nameAvailable" in answer:
                self._arm.live.note_absent(addresses.deleted_vault(self._session))  # one would hold the name

    def _not_free(self, type_: str, name: str, key: str, message: str) -> Iterator[str]:
        """Yield that a name is not available, unless held by a deleted vault of ours, which is recovered later."""
        deleted = offers.deleted_vault(self._session, name) if type_ == addresses.VAULT_TYPE else None
        if deleted is None:
            yield f"{key}: the name {name} is not available: {message}"
            return
        is_ours = str(deleted.get("vaultId")).lower() == self._scope.resource(type_, name).lower()
        is_here = str(deleted.get("location")).replace(" ", "").lower() == self._config.location("key_vault")
        if not (is_ours and is_here):
            yield f"{key}: the name {name} is not available: {offers.held_by(name, deleted)}"


def _is_registered(provider: dict[str, Any]) -> bool:
    return bool(provider.get("registrationState") == "Registered")
