"""PostgreSQL with its password, firewall and databases, and Redis."""

from __future__ import annotations

from functools import partial

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.client import Resource, creation_id
from draftgenie_azure.arm.diff import CHANGE as CHANGED
from draftgenie_azure.arm.diff import SECRET, Change
from draftgenie_azure.arm.ensure import unchangeable
from draftgenie_azure.arm.plan import CHANGE, DELETE, START, Entry, known_after
from draftgenie_azure.config.validated.vault_secrets import POSTGRESQL_PASSWORD as PASSWORD
from draftgenie_azure.errors import DeployerError
from draftgenie_azure.provision import database_creations
from draftgenie_azure.provision.bodies import databases as bodies
from draftgenie_azure.provision.server_parameters import ServerParameters
from draftgenie_azure.provision.vault import STAGED
from draftgenie_azure.run.schedule import run_concurrently

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from draftgenie_azure.arm.plan import Plan
    from draftgenie_azure.provision.vault import Vault
    from draftgenie_azure.session import Session

STEP = "create_databases"
SERVER_TYPE = "Microsoft.DBforPostgreSQL/flexibleServers"
CLUSTER_TYPE = "Microsoft.Cache/redisEnterprise"
OLDER_TYPE = "Microsoft.Cache/redis"
SSL_PORT = 6380  # port of the older product
_SUBNET = "delegatedSubnetResourceId"


def create(session: Session, vault: Vault | None) -> dict[str, Any]:
    """Ensure the configured PostgreSQL and Redis; see `Databases.ensure`."""
    return Databases(session, vault).ensure()


class Databases:
    """The application's databases.

    The password is generated once and stored in the vault before the server is created. The state records the vault
    version known to be the server's; only if it is not the current one, the vault's value is sent to the server.
    """

    def __init__(self, session: Session, vault: Vault | None) -> None:
        self._session = session
        self._vault = vault
        self._config = session.config
        self._arm = session.arm
        self._records = session.records

    def ensure(self) -> dict[str, Any]:
        """Ensure PostgreSQL and Redis concurrently.

        Returns:
            `{"postgresql": {…}, "redis": {…}}`, each only if configured: hosts, ports, login, the password's
            version in the vault, creation ids.
        """
        branches: dict[str, Callable[[], dict[str, Any]]] = {}
        if self._config.postgresql is not None:
            assert self._vault is not None
            branches["postgresql"] = partial(self._postgresql, self._vault)
        if self._config.redis is not None:
            branches["redis"] = self._redis
        results = run_concurrently(list(branches.values()), width=self._session.control.parallelism)
        return dict(zip(branches, results, strict=True))

    # --- PostgreSQL ---

    def _postgresql(self, vault: Vault) -> dict[str, Any]:
        version = self._password_version(vault)
        server = self._server(vault)
        (live,) = self._arm.ensure([server], step=STEP)
        self._agree_on_password(vault, version)
        if self._rotates:
            version = self._rotate_password(vault, server.id)
        elif PASSWORD in self._records.rotating:
            self._drop_rotation(vault)
        properties = live["properties"]
        network = properties.get("network") or bodies.network(self._config)
        self._children(server.id, is_private=bool(network.get("delegatedSubnetResourceId")))
        assert self._config.postgresql is not None
        names = self._config.databases()
        again = database_creations.again(self._session, server.id, names)
        return {
            "id": server.id,
            "host": properties["fullyQualifiedDomainName"],
            "port": 5432,
            "login": properties.get("administratorLogin", self._config.postgresql.login),
            "password_version": version,
            "databases": names,
            "incarnation": creation_id(live),
            **({"created_again": again} if again else {}),
        }

    def _password_version(self, vault: Vault) -> str:
        """Ensure the password in the vault; return its version."""
        assert self._config.postgresql is not None
        given = self._config.postgresql.admin_password
        return vault.ensure_given(PASSWORD, given) if given else vault.ensure_generated(PASSWORD, rotates=False)

    @property
    def _rotates(self) -> bool:
        """Whether `--rotate-secret` asked for a new password, and the configuration gives none."""
        assert self._config.postgresql is not None
        return PASSWORD in self._records.rotating and not self._config.postgresql.admin_password

    def _drop_rotation(self, vault: Vault) -> None:
        """End an interrupted rotation: the configuration now gives the password, and the server has it."""
        if self._arm.plan is not None:
            return
        if vault.version(f"{PASSWORD}{STAGED}") is not None:
            vault.unstage(PASSWORD)
        self._records.rotated(PASSWORD)

    def _server(self, vault: Vault) -> Resource:
        """Return the desired server; values for its creation, including the password, are computed when needed."""
        postgresql = self._config.postgresql
        assert postgresql is not None
        server_id = self._session.scope.resource(SERVER_TYPE, postgresql.server_name)
        self._arm.resume(server_id)
        live = self._started(server_id, self._arm.current(server_id))
        body = bodies.postgresql_changes(self._config)
        body["location"] = self._config.location("postgres_server")
        body["properties"]["version"] = postgresql.version
        if live is not None:
            self._check_changes(live)
        return Resource(
            "postgresql_server",
            server_id,
            body,
            at_creation=lambda: bodies.postgresql_server(self._config, postgresql.login, self._password(vault)),
            has_creation_id=True,
        )

    def _password(self, vault: Vault) -> str:
        """Return the password for creating a server; a plan does not read it."""
        return vault.value(PASSWORD) if self._arm.plan is None else known_after(self._arm.plan)

    def _started(self, server_id: str, live: dict[str, Any] | None) -> dict[str, Any] | None:
        """Start a stopped server, which accepts no changes; return the live server."""
        if live is None or str(live.get("properties", {}).get("state", "")).lower() != "stopped":
            return live
        name = ids.last_name(server_id)
        if self._arm.plan is not None:
            self._arm.plan.add(Entry(STEP, f"postgresql_server/{name}", server_id, START, note="it is stopped"))
            return live
        self._session.warn(f"the server {name} was stopped; it is started, since a stopped one accepts no changes")
        self._arm.start(server_id)
        return self._arm.current(server_id)

    def _check_changes(self, live: dict[str, Any]) -> None:
        """Reject changes that Azure would refuse only after minutes."""
        postgresql = self._config.postgresql
        assert postgresql is not None
        properties = live.get("properties", {})
        version = str(properties.get("version", postgresql.version))
        if int(postgresql.version) < int(version):
            raise DeployerError(
                f"the server {postgresql.server_name} has version {version} and cannot be downgraded",
                hint=f"Set postgresql.version to {version}.",
            )
        self._check_network(live)
        login = str(properties.get("administratorLogin", postgresql.login))
        if login != postgresql.login:
            self._session.warn(
                f"the server's login remains {login}; postgresql.admin_user is {postgresql.login}"
            )

    def _check_network(self, live: dict[str, Any]) -> None:
        """Reject another network than the server was created in: Azure cannot move it.

        A private server created by others may keep its network without the key; for one of this deployment, the key was
        removed. A zone without its key was set by others: Azure allows changing it at any time.
        """
        wanted = bodies.network(self._config)
        there = live.get("properties", {}).get("network") or {}
        changes = []
        for name in (_SUBNET, "privateDnsZoneArmResourceId"):
            old, new = there.get(name) or None, wanted.get(name)
            was_ours = name == _SUBNET and self._records.resources.get("postgresql_server", {}).get("created")
            if str(old).lower() != str(new).lower() and (new or was_ours):
                changes.append(Change(("properties", "network", name), CHANGED, old, new))
        if changes:
            server_id = str(live["id"])
            raise unchangeable("postgresql_server", server_id, changes)

    def _agree_on_password(self, vault: Vault, version: str) -> None:
        """Ensure that the server has the vault's password.

        It is sent only in doubt: another version than recorded, or none recorded because a run was interrupted.
        """
        record = self._records.resources["postgresql_server"]
        is_dropped = PASSWORD in self._records.rotating and not self._rotates  # it may have a new one from that
        if record.get("password_version") == version and not is_dropped:
            return
        if self._arm.plan is not None:
            if not self._arm.created("postgresql_server") and not self._rotates:
                self._announce_password(self._arm.plan, record["id"])
            return
        # A server created by this run has this run's password; one whose creation was started by another run, or whose
        # reply was lost, may have an older one.
        if not self._arm.created("postgresql_server"):
            self._session.logger.info("the server's password may not be the vault's: sending it again")
            body = {"properties": {"administratorLoginPassword": vault.value(PASSWORD)}}
            self._arm.send(record["id"], body, method="PATCH")
            self._arm.wait(record["id"])
        self._records.note("postgresql_server", password_version=version)

    @staticmethod
    def _announce_password(plan: Plan, server_id: str) -> None:
        change = Change(("properties", "administratorLoginPassword"), SECRET)
        plan.add(Entry(STEP, "postgresql_server/password", server_id, CHANGE, changes=[change]))

    def _rotate_password(self, vault: Vault, server_id: str) -> str:
        """Set a new password on the server, then in the vault; return its version there.

        The staged value is in the vault, so that after an interruption the next run sends the same one again.
        """
        if self._arm.plan is not None:
            self._announce_password(self._arm.plan, server_id)
            return vault.announce_rotation(PASSWORD, self._arm.plan)
        body = {"properties": {"administratorLoginPassword": vault.stage(PASSWORD)}}
        self._arm.send(server_id, body, method="PATCH")
        self._arm.wait(server_id)
        version = vault.promote(PASSWORD)
        self._records.note("postgresql_server", password_version=version)
        vault.unstage(PASSWORD)
        self._records.rotated(PASSWORD)
        return version

    def _children(self, server_id: str, *, is_private: bool) -> None:
        """Ensure the children one by one, as a server runs one operation at a time; a private one has no firewall."""
        assert self._config.postgresql is not None
        ServerParameters(self._session, STEP, server_id).ensure()
        children = []
        if not is_private:
            rule = f"{server_id}/firewallRules/allow-azure"
            children.append(Resource("postgresql_firewall/allow-azure", rule, bodies.postgresql_azure_rule()))
        children += [self._database(f"{server_id}/databases/{name}", name) for name in self._config.databases()]
        self._arm.ensure(children, step=STEP, one_by_one=True)
        if not is_private and not self._records.resources["postgresql_server"].get("created"):
            self._close_to_the_world(server_id)

    def _database(self, database_id: str, name: str) -> Resource:
        key = f"postgresql_database/{name}"
        counting = database_creations.counting(self._session, key, database_id)
        return Resource(key, database_id, bodies.postgresql_database(), at_creation=counting)

    def _close_to_the_world(self, server_id: str) -> None:
        """Handle a rule of others that admits every address: delete it with --adopt, else keep it with a warning.

        The record notes that it is kept, so that every summary shows it, and a later --adopt runs this step again.
        """
        left: list[str] = []
        version = ids.API_VERSIONS["Microsoft.DBforPostgreSQL/flexibleServers/firewallRules"]
        for rule in list(self._arm.listing(f"{server_id}/firewallRules", api_version=version)):
            properties = rule["properties"]
            if (properties["startIpAddress"], properties["endIpAddress"]) != ("0.0.0.0", "255.255.255.255"):
                continue
            if self._arm.plan is not None and self._session.adopt:
                self._arm.plan.add(Entry(STEP, f"postgresql_firewall/{rule['name']}", str(rule["id"]), DELETE))
            elif self._session.adopt:
                self._session.warn(f"the firewall rule {rule['name']}, which admitted every address, is deleted")
                self._arm.delete(str(rule["id"]))
            else:
                left.append(str(rule["name"]))
        words = f"the firewall rule {', '.join(left)} admits every address; it is kept (--adopt deletes it)"
        self._records.note("postgresql_server", left_open=words if left else None)

    # --- Redis ---

    def _cluster(self) -> Resource:
        assert self._config.redis is not None
        body = bodies.managed_redis(self._config)
        cluster_id = self._session.scope.resource(CLUSTER_TYPE, self._config.redis.name)
        return Resource(
            "redis",
            cluster_id,
            body,
            has_creation_id=True,
            ready_property="resourceState",
            # Azure refuses to change it (github.com/Azure-Samples/ai-hub-gateway-solution-accelerator/issues/108).
            recreate_if_failed=("resourceState", "CreateFailed"),
        )

    def _older_redis(self) -> Resource:
        assert self._config.redis is not None
        self._session.warn(
            f"redis.sku {self._config.redis.sku} is Azure Cache for Redis, which is retired on 2028-09-30 and closed "
            "to new tenants; Azure Managed Redis (Balanced_B0 and the like) takes its place"
        )
        body = bodies.older_redis(self._config)
        redis_id = self._session.scope.resource(OLDER_TYPE, self._config.redis.name)
        return Resource("redis", redis_id, body, has_creation_id=True)

    def _redis(self) -> dict[str, Any]:
        assert self._config.redis is not None
        redis = self._cluster() if self._config.redis.managed else self._older_redis()
        (live,) = self._arm.ensure([redis], step=STEP)
        outputs: dict[str, Any] = {
            "id": redis.id,
            "host": live["properties"]["hostName"],
            "port": SSL_PORT,
            "keys_of": redis.id,
            "incarnation": creation_id(live),
        }
        if ids.resource_type(redis.id) == CLUSTER_TYPE:
            body = bodies.managed_redis_database(self._config)
            database = Resource("redis_database", f"{redis.id}/databases/default", body, ready_property="resourceState")
            (live_database,) = self._arm.ensure([database], step=STEP)
            outputs |= {"port": live_database["properties"]["port"], "keys_of": database.id}
        return outputs
