"""Check the recorded resources before a run writes anything."""

from __future__ import annotations

from functools import partial

from draftgenie_azure.arm import hosts, ids
from draftgenie_azure.arm.resource import creation_id
from draftgenie_azure.config.validated.vault_secrets import POSTGRESQL_PASSWORD
from draftgenie_azure.errors import AzureError, StateError
from draftgenie_azure.provision import addresses
from draftgenie_azure.run.schedule import run_concurrently

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config
    from draftgenie_azure.session import Session

# Recorded resources that hold data or that others depend on, and their steps: never abandoned silently.
KEPT = {
    "container_registry": "create_container_registry",
    "key_vault": "create_key_vault",
    "postgresql_server": "create_databases",
    "redis": "create_databases",
    "container_apps_env": "create_container_apps_env",
}
_ROLES = "role/"
_GROUP, _IDENTITY = "resource_group", "identity"
_AGAIN = "was created again by others"


def check_left_behind(session: Session, is_forced: Callable[[str], bool]) -> None:
    """Mark resources that a forced step abandons as orphaned.

    Raises:
        StateError: a run would abandon a resource that holds data, because its name changed or its section was
            removed from the configuration, and its step is not forced.
    """
    names = _configured_names(session.config)
    for key, step in KEPT.items():
        record = session.records.resources.get(key)
        name = names[key]
        if record is None or record.get("orphaned") or (name or "").lower() == str(record["name"]).lower():
            continue
        if is_forced(step):
            session.records.add_facts(key, orphaned=True)
            session.warn(f"{key} {record['name']} is abandoned in Azure")
            continue
        now_called = f"is called {name} in the configuration" if name else "is no longer in the configuration"
        raise StateError(
            f"{key} {record['name']}, which this deployment manages, {now_called}",
            hint=f"Restore it; or abandon it with its data by --force-step {step}.",
        )


def _configured_names(config: Config) -> dict[str, str | None]:
    """Return the configured names of these resources; None if the section is absent."""
    return {
        "container_registry": config.container_registry.name if config.container_registry else None,
        "key_vault": config.key_vault.name if config.key_vault else None,
        "postgresql_server": config.postgresql.server_name if config.postgresql else None,
        "redis": config.redis.name if config.redis else None,
        "container_apps_env": config.container_apps.environment_name if config.container_apps else None,
    }


def look(session: Session) -> None:
    """Prefetch concurrently what the other functions of this module read.

    Raises:
        AzureError: Azure refused; missing permissions are left to the function that needs them.
    """
    records, live = session.records.resources, session.arm.live
    if _GROUP not in records or live.current(session.scope.group) is None:
        return
    tasks: list[Callable[[], object]] = [partial(_listed, session)]
    # An assignment of no step (the deployer's own) is no reason to run one.
    roles = [
        record
        for key, record in list(records.items())
        if key.startswith(_ROLES) and record["step"] and not record.get("orphaned") and _is_inside(session, record)
    ]
    tasks += [partial(live.current, record["id"]) for record in roles]
    if _IDENTITY in records:
        tasks.append(partial(live.current, addresses.identity(session)))
    if "container_apps_env" in records and session.config.container_apps:
        tasks.append(partial(live.current, addresses.environment(session)))
    if "key_vault" in records and session.config.key_vault:
        tasks.append(partial(_secrets_in_vault, session))
    run_concurrently([partial(_unless_forbidden, task) for task in tasks], width=session.control.parallelism)


def _unless_forbidden(task: Callable[[], object]) -> None:
    try:
        task()
    except AzureError as error:
        if error.status != 403:
            raise


def find_gone(session: Session) -> Iterator[tuple[str, str]]:
    """List the group once; yield step and reason for each recorded resource that is gone or has failed.

    If the group itself is gone, its records are removed: nothing of it is abandoned anywhere.
    """
    records = session.records.resources
    if _GROUP in records and session.arm.current(session.scope.group) is None:
        yield from _forget_group(session)
        return
    _forget_deleted(session)
    # One that was never complete belongs to a step that did not complete anyway.
    seen = {
        key: record
        for key, record in list(records.items())
        if (record.get("sent") or record.get("body")) and not record.get("orphaned")
    }
    listed = _listed(session) if any(ids.is_top_level(record["id"]) for record in seen.values()) else {}
    for key, record in seen.items():
        if record.get("failed"):
            yield record["step"], f"{key} failed"
        if key != _GROUP and record["step"] and not _is_inside(session, record):
            yield record["step"], f"{key} is recorded outside the resource group"
        elif record["step"] and _is_gone(session, key, record, listed):
            yield record["step"], f"{key} is gone"


def unknown(session: Session) -> list[str]:
    """Return ids of the resources in the group that this deployment has not recorded."""
    known = {record["id"].lower() for record in list(session.records.resources.values())}
    return sorted(str(item["id"]) for key, item in _listed(session).items() if key not in known)


def find_created_again(
    session: Session, recorded: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Yield step and reason for each resource that others deleted and created again under its name.

    Args:
        recorded: outputs by step; empty if a step never completed.
    """
    records = session.records.resources
    if _GROUP not in records or not any(ids.is_top_level(record["id"]) for record in records.values()):
        return
    listed = _listed(session)
    for key, record in list(records.items()):
        found = creation_id(listed.get(str(record["id"]).lower()))
        if found is not None and record.get("creation_id") not in (None, found) and not record.get("orphaned"):
            yield record["step"], f"{key} {_AGAIN}"
    identity, known = addresses.identity(session), recorded["create_resource_group"].get("principal_id")
    if known and identity.lower() in listed and str(records.get(_IDENTITY, {}).get("id")).lower() == identity.lower():
        live = session.arm.current(identity)
        if live is not None and live["properties"].get("principalId") != known:
            yield "create_resource_group", f"{_IDENTITY} {_AGAIN}"


def _listed(session: Session) -> dict[str, dict[str, Any]]:
    """Return the resources of the group by their ids in lower case."""
    version = ids.API_VERSIONS["Microsoft.Resources/resourceGroups"]
    listing = session.arm.live.listed(f"{session.scope.group}/resources", api_version=version)
    return {str(item["id"]).lower(): item for item in listing}


def _secrets_in_vault(session: Session) -> list[dict[str, Any]]:
    version = ids.API_VERSIONS["Microsoft.KeyVault/vaults/secrets"]
    return session.arm.live.listed(f"{addresses.vault(session)[0]}/secrets", api_version=version)


def _is_inside(session: Session, record: dict[str, Any]) -> bool:
    return str(record["id"]).lower().startswith(f"{session.scope.group}/".lower())


def _is_gone(session: Session, key: str, record: dict[str, Any], listed: Mapping[str, Any]) -> bool:
    if ids.is_top_level(record["id"]) and record["id"].lower() in listed:
        return False
    if not ids.is_top_level(record["id"]) and not key.startswith(_ROLES):
        return False
    # An equal assignment under another name suffices, as long as it exists.
    names = [record["id"], *([record["found_as"]] if "found_as" in record else [])]
    return all(session.arm.current(name) is None for name in names)


def _forget_deleted(session: Session) -> None:
    """Forget what an interrupted teardown deleted and did not get to forget, and what belongs to no step."""
    records = session.records.resources
    for key in [key for key, record in records.items() if record.get("deleting") and not record["step"]]:
        if session.arm.current(str(records[key]["id"])) is None:
            session.records.forget(key)


def _forget_group(session: Session) -> Iterator[tuple[str, str]]:
    inside = f"{session.scope.group}/".lower()
    for key, record in list(session.records.resources.items()):
        if key == _GROUP or record["id"].lower().startswith(inside):
            if not record.get("orphaned") and record["step"]:
                yield record["step"], f"{key} is gone"
            session.records.forget(key)


def find_changed_secrets(session: Session) -> Iterator[tuple[str, str]]:
    """List the vault once; yield step and reason for each secret whose version is not the recorded one."""
    vault, recorded = session.records.resources.get("key_vault"), session.records.secrets
    if not vault or not recorded or session.config.key_vault is None:
        return
    try:
        listed = _secrets_in_vault(session)
    except AzureError as error:
        if error.status != 403:
            raise
        session.logger.info("the secrets of the vault may not be listed; continuing without")
        return
    # Key Vault ignores case and lists a secret in its original spelling: the earlier script's JWT-SECRET is jwt-secret.
    live = {item["name"].lower(): ids.last_name(str(item["properties"]["secretUriWithVersion"])) for item in listed}
    for name in sorted(recorded.keys() & session.config.vault_secrets().keys()):
        if live.get(name) != recorded[name].get("version"):
            words = "was changed in the vault" if name in live else "is gone from the vault"
            yield "create_databases" if name == POSTGRESQL_PASSWORD else "store_secrets", f"the secret {name} {words}"


def find_foreign(session: Session, recorded: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield step and reason for each recorded host that is not one of this deployment's.

    Nothing is ever sent to such a host: URLs are built from configured names. But apps would be given it, so the step
    that published it runs again.

    Args:
        recorded: outputs by step; empty if a step never completed.
    """
    config, endpoints = session.config, session.transport.endpoints
    if config.container_registry:
        name = config.container_registry.name
        login_server = recorded["create_container_registry"].get("login_server")
        if login_server and not hosts.is_registry(str(login_server), name, endpoints):
            yield "create_container_registry", "its recorded login_server is not the registry's"
        for key, image in recorded["build_and_push_images"].items():
            if not hosts.is_registry(str(_member(image, "reference")).split("/")[0], name, endpoints):
                yield "build_and_push_images", f"the recorded image of {key} is in another registry"
    if config.key_vault:
        yield from _foreign_secrets(config, hosts.vault_address(config.key_vault.name, endpoints), recorded)
    servers = (
        ("postgresql", config.postgresql and config.postgresql.server_name, (endpoints.postgres_suffix,)),
        ("redis", config.redis and config.redis.name, endpoints.redis_suffixes),
    )
    for product, server, suffixes in servers:
        host = _member(recorded["create_databases"].get(product), "host")
        if server and host and not hosts.is_database(str(host), server, suffixes):
            yield "create_databases", f"the recorded host of {product} is not the server's"
    domain = recorded["create_container_apps_env"].get("default_domain")
    if config.container_apps and domain and domain != addresses.live_domain(session):
        yield "create_container_apps_env", "its recorded default_domain is not the environment's"


def _foreign_secrets(
    config: Config, address: str, recorded: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    vault_uri = recorded["create_key_vault"].get("vault_uri")
    if vault_uri and str(vault_uri).lower() != address:
        yield "create_key_vault", "its recorded vault_uri is not the vault's"
    stored = recorded["store_secrets"].get("secrets")
    for key in sorted(config.vault_secrets()):
        if isinstance(stored, dict) and key not in stored:
            yield "store_secrets", f"the secret {key} is not recorded"
    for key, secret in _items(stored):
        if not str(_member(secret, "uri")).lower().startswith(f"{address}secrets/"):
            yield "store_secrets", f"the recorded address of the secret {key} is in another vault"


def _items(value: object) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _member(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
