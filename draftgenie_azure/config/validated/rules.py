"""Build the Config, collecting the faults of types and values and of rules across keys or sections."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from draftgenie_azure.config.keys import Key
from draftgenie_azure.config.raw_config import RawConfig
from draftgenie_azure.config.validated import (
    azure_rules,
    docker_rules,
    domain_rules,
    naming,
    postgresql_rules,
    registry_rules,
    resource_rules,
    secret_values,
    service_rules,
    traffic_rules,
)
from draftgenie_azure.config.validated.found import Found
from draftgenie_azure.config.validated.notices import notices
from draftgenie_azure.config.validated.schema import Config
from draftgenie_azure.config.validated.secret_plan import make_plan
from draftgenie_azure.config.validated.type_faults import MOST_FAULTS, parse
from draftgenie_azure.errors import ConfigError, Fault

# Keys of the earlier script's files that have no effect here.
_WITHOUT_EFFECT = (
    "deployment.resume",
    "docker.registry",
    "advanced.retry_attempts",
    "advanced.retry_delay",
    "advanced.cleanup_on_failure",
    "advanced.save_state",
)
# Keys of one section or service that a rule checks together: a fault in one hides the rule's faults in the others.
_GO_TOGETHER: tuple[frozenset[str], ...] = (
    frozenset(("cpu", "memory")),
    frozenset(("min_replicas", "max_replicas")),
    frozenset(("port", "ingress", "transport", "exposed_port", "additional_ports", "health_path", "scale")),
    frozenset(("image", "dockerfile", "kind", "build_args", "target")),
    frozenset(("revision_mode", "traffic", "session_affinity", "ingress", "transport")),
    frozenset(("environment", "secrets")),
    frozenset(("sku", "postgres_sku", "tier", "high_availability", "vm_size", "clustering_policy")),
    frozenset(("admin_user", "admin_password")),
    frozenset(("extensions", "parameters")),
    frozenset(("zone_redundant", "internal", "subnet_id", "private_dns_zone_id")),
    frozenset(("state_storage", "state_blob_account")),
)


def build(raw: RawConfig) -> Config:
    """Return the validated configuration.

    Raises:
        ConfigError: lists every fault, in the order of the files' lines.
    """
    faults: dict[tuple[Key, str], Fault] = {}
    scrub = _scrubber(raw)

    def report(key: Key, message: str) -> None:
        message = scrub(message)
        file, line = raw.place(key)
        dotted = ".".join(part if len(part := str(name)) <= 60 else part[:57] + "…" for name in key)
        if len(faults) < MOST_FAULTS:
            faults.setdefault((key, message), Fault(message, key=dotted, file=file, line=line))

    damaged: set[Key] = set()
    config = parse(raw.values, raw, report, damaged)
    if config is not None:
        config._raw = raw
        for key, message in _rules(config, damaged):
            if not any(_follows(key, place) for place in damaged):
                report(key, message)
        config._plan = make_plan(config, report, damaged)
        for key, message in azure_rules.auth_faults(config) if not faults else ():
            report(key, message)
        config._notices = [*raw.warnings, *notices(config), *secret_values.notices(raw), *config._plan.notices]
        config._ignored = [key for key in _WITHOUT_EFFECT if raw.get(key) not in (None, "")]
        for key, message in _vault_rules(config) if ("key_vault",) not in damaged else ():
            report(key, message)
    elif not faults:
        report((), "cannot be understood")
    if faults:
        order = {path: position for position, path in enumerate(raw.paths)}
        ranked = sorted(faults.values(), key=lambda f: (order.get(os.path.abspath(f.file), 0), f.line or 0))
        raise ConfigError(ranked)
    assert config is not None
    return config


def _scrubber(raw: RawConfig) -> Callable[[str], str]:
    """Return a function that replaces values from the environment by `…` where a message quotes them in backticks."""
    hidden = {str(value) for key in raw.from_environment if (value := raw.at(key)) is not None}

    def quoted(match: re.Match[str]) -> str:
        text = match[1]
        for value in hidden:
            if value and (text == value or len(value) >= 4):
                text = text.replace(value, "…")
        return f"`{text}`"

    return lambda message: re.sub("`([^`]*)`", quoted, message) if hidden else message


def _follows(key: Key, place: Key) -> bool:
    """Return whether a fault at `key` may follow from one at `place`: nested keys, or keys checked together."""
    length = min(len(key), len(place))
    if key[:length] == place[:length]:
        return True
    depth = 2 if key[0] in ("services", "migrations") else 1
    if key[:depth] != place[:depth]:
        return False
    one, other = (str(at[depth]) if len(at) > depth else "image" for at in (key, place))
    return any(one in group and other in group for group in _GO_TOGETHER)


def _rules(config: Config, damaged: set[Key]) -> Found:
    yield from resource_rules.faults(config)
    yield from postgresql_rules.faults(config)
    yield from registry_rules.faults(config)
    yield from secret_values.faults(config.raw)
    yield from azure_rules.faults(config)
    yield from traffic_rules.faults(config)
    yield from domain_rules.faults(config)
    for name, words in naming.tag_faults(config.tags):
        yield (("tags", name) if name else ("tags",)), words
    yield from service_rules.faults(config, damaged)
    if not damaged & {("docker",), ("docker", "build_context"), ("docker", "dockerfiles")}:
        yield from docker_rules.faults(config)


def _vault_rules(config: Config) -> Found:
    if config.raw.get("key_vault") is not None:
        return
    if config.postgresql is not None:
        yield ("postgresql",), "needs the section `key_vault`: its password is kept there"
        return
    for secret in config._plan.secrets.values():
        if secret.used_by:
            yield _place_of(secret.used_by[0]), f"uses the secret `{secret.name}` and needs the section `key_vault`"
            return
    config._plan.secrets = {}


def _place_of(user: str) -> Key:
    section, _, rest = user.partition(".")
    return (section, rest) if section == "services" else (section,)
