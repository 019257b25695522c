"""Build the Config and collect every fault: those of types and values, and those that span keys or sections."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from draftgenie_azure.config.raw_config import RawConfig
from draftgenie_azure.config.validated import azure_rules, naming, secret_values
from draftgenie_azure.config.validated.schema import (
    LOCATION_KINDS,
    REDIS_SKUS,
    STORAGE_SIZES,
    BuildArgument,
    Config,
    SecretSource,
    Service,
    relative_path,
    with_defaults,
)
from draftgenie_azure.config.validated.secret_plan import GENERATED, make_plan
from draftgenie_azure.errors import ConfigError, Fault
from draftgenie_azure.nearest import nearest

Key = tuple["str | int", ...]
Found = Iterator[tuple[Key, str]]

# Keys that the earlier script's files have and that change nothing here.
_WITHOUT_EFFECT = (
    "deployment.refresh",
    "deployment.resume",
    "docker.registry",
    "advanced.retry_attempts",
    "advanced.retry_delay",
    "advanced.cleanup_on_failure",
    "advanced.save_state",
)
# Keys of one section or service that a rule looks at together: a bad one says nothing of the others.
_GO_TOGETHER: tuple[frozenset[str], ...] = (
    frozenset(("cpu", "memory")),
    frozenset(("min_replicas", "max_replicas")),
    frozenset(("port", "ingress", "transport", "exposed_port", "additional_ports", "health_path", "scale")),
    frozenset(("image", "dockerfile", "kind", "build_args", "target")),
    frozenset(("environment", "secrets")),
    frozenset(("sku", "postgres_sku", "tier", "high_availability", "vm_size", "clustering_policy")),
    frozenset(("admin_user", "admin_password")),
    frozenset(("zone_redundant", "internal", "subnet_id")),
    frozenset(("state_storage", "state_blob_account")),
)
# What a default is made from, in the same section.
_DERIVED = {"exposed_port": "port", "identity_name": "project_name", "name": "service"}
# Variables that docker, buildx or the system read themselves: no secret build argument may take their place.
_READ_BY_DOCKER = re.compile(
    r"(?i)PATH|HOME|USER|TMPDIR|TEMP|TMP|LANG|LC_\w+|LD_\w+|XDG_\w+|\w+_PROXY|SSL_CERT_\w+|GODEBUG|TERM|NO_COLOR"
    r"|(?:DOCKER|BUILDX|BUILDKIT|COMPOSE|OTEL|SSH)_\w+|SYSTEMROOT|COMSPEC|PATHEXT|USERPROFILE|APPDATA|PROGRAM\w+"
)
_MOST_FAULTS = 200  # more help nobody, and looking for the nearest name takes time
_EMULATOR_FAULT_KEYS = (
    "method", "path", "status", "code", "message", "skip", "times", "retry_after", "drop", "fail",
)  # fmt: skip


def build(raw: RawConfig) -> Config:
    """Validate what was read.

    Raises:
        ConfigError: with every fault, in the order of the files' lines.
    """
    faults: dict[tuple[Key, str], Fault] = {}
    scrub = _scrubber(raw)

    def report(key: Key, message: str) -> None:
        message = scrub(message)
        file, line = raw.place(key)
        dotted = ".".join(part if len(part := str(name)) <= 60 else part[:57] + "…" for name in key)
        if len(faults) < _MOST_FAULTS:
            faults.setdefault((key, message), Fault(message, key=dotted, file=file, line=line))

    damaged: set[Key] = set()
    config = _parse(raw.values, raw, report, damaged)
    if config is not None:
        config._raw = raw
        for key, message in _rules(config, damaged):
            if not any(_follows(key, place) for place in damaged):
                report(key, message)
        config._plan = make_plan(config, report, damaged)
        for key, message in azure_rules.auth_faults(config) if not faults else ():
            report(key, message)
        config._notices = [*raw.warnings, *_notices(config), *secret_values.notices(raw), *config._plan.notices]
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
    """Values from the environment are not shown: in what a message quotes in backticks they become `…`."""
    hidden = {str(value) for key in raw.from_environment if (value := raw.at(key)) is not None}

    def quoted(match: re.Match[str]) -> str:
        text = match[1]
        for value in hidden:
            if value and (text == value or len(value) >= 4):
                text = text.replace(value, "…")
        return f"`{text}`"

    return lambda message: re.sub("`([^`]*)`", quoted, message) if hidden else message


def _follows(key: Key, place: Key) -> bool:
    """Whether a fault at `key` may only follow from the one at `place`: one lies in the other, or they go together."""
    length = min(len(key), len(place))
    if key[:length] == place[:length]:
        return True
    depth = 2 if key[0] in ("services", "migrations") else 1
    if key[:depth] != place[:depth]:
        return False
    one, other = (str(at[depth]) if len(at) > depth else "image" for at in (key, place))
    return any(one in group and other in group for group in _GO_TOGETHER)


# ------------------------------------------------------------------------------------------------------------- Types


def _parse(values: dict[str, Any], raw: RawConfig, report: Any, damaged: set[Key]) -> Config | None:
    """Validate; on faults, report them, take out what has them, and go on with the rest for the sake of the rules."""
    for attempt in range(12):
        try:
            values = with_defaults(values, raw.from_environment)
            return Config.model_validate(values)
        except ValidationError as error:
            errors = error.errors(include_input=False, include_url=False)[:_MOST_FAULTS]
            for key, item in _independent(errors, raw):
                if attempt == 0:
                    report(*_explain(key, item, raw))
                damaged.add(key)
                if item["type"] == "extra_forbidden" and (meant := nearest(str(key[-1]), _known_keys(key[:-1]))):
                    damaged.add((*key[:-1], meant))
                _take_out(values, key[:-1] if item["type"] == "missing" else key)
                for derived in [(*key[:-1], name) for name, source in _DERIVED.items() if source == key[-1]]:
                    if raw.at(derived) is None:
                        _take_out(values, derived)
                if key == ("azure", "project_name") and raw.get("postgresql.admin_user") is None:
                    _take_out(values, ("postgresql", "admin_user"))
            azure = values.setdefault("azure", {})
            for name in ("resource_group", "location"):  # the section stays, for the sake of its cloud
                azure.setdefault(name, "unknown")
    return None


def _independent(errors: list[Any], raw: RawConfig) -> Iterator[tuple[Key, Any]]:
    """The errors with the keys they are about, without those that only follow from another one."""
    found: list[tuple[Key, Any]] = [
        (tuple(part for part in item["loc"] if not (isinstance(part, str) and part[:1] in "<[")), item)
        for item in errors
    ]
    bad_names = {key for key, item in found if item["loc"][-1] == "[key]"}
    meant = {
        (*key[:-1], near)
        for key, item in found
        if item["type"] == "extra_forbidden" and (near := nearest(str(key[-1]), _known_keys(key[:-1])))
    }
    wrong = {key for key, _ in found}
    for key, item in found:
        follows = any(key[: len(name)] == name for name in bad_names) and item["loc"][-1] != "[key]"
        source = _DERIVED.get(str(key[-1]), "") if key else ""
        follows = follows or ((*key[:-1], source) in wrong and raw.at(key) is None)
        follows = follows or (key[:1] == ("services",) and key[2:] == ("dockerfile",) and raw.at(key) is None)
        if not follows and not (item["type"] == "missing" and key in meant):
            yield key, item


def _take_out(values: dict[str, Any], key: Key) -> None:
    if not key:
        return
    inner: Any = values
    for part in key[:-1]:
        try:
            inner = inner[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(inner, dict):
        inner.pop(key[-1], None)
    elif isinstance(inner, list) and len(key) > 1:
        # Taking one out would move the others to places that the next round's faults do not mean.
        _take_out(values, key[:-1])


_PATTERN_WORDS = {
    r"^/": "must begin with /",
    r"^https?://": "must begin with http:// or https://",
    r"^1[1-8]$": "must be 11 to 18",
    r"^[cCpP][0-6]$": "must be c0–c6, or p1–p5 for Premium",
    r"^[a-z0-9][a-z0-9-]*$": "must be lower case letters, digits, `-`",
}


def _explain(key: Key, item: Any, raw: RawConfig) -> tuple[Key, str]:
    """The key to show, and the words for one of pydantic's errors."""
    kind = item["type"]
    context = item.get("ctx", {})
    found = _shown(key, raw, shape=kind in ("model_type", "model_attributes_type", "dict_type", "list_type"))
    if kind == "missing":
        return key, "is required"
    if kind == "extra_forbidden":
        return key, "is not a known key" + _nearest(str(key[-1]), _known_keys(key[:-1]))
    if kind == "literal_error" and key[:1] == ("locations",) and item["loc"][-1] == "[key]":
        return key, "is not a known kind of resource" + _nearest(str(key[-1]), ["default", *LOCATION_KINDS])
    if kind in ("literal_error", "enum"):
        return key, _literal_words(key, context, found, raw)
    words = {
        "string_type": "must be text",
        "int_type": "must be a whole number",
        "int_parsing": "must be a whole number",
        "int_parsing_size": "must be a whole number of reasonable size",
        "int_from_float": "must be a whole number",
        "float_type": "must be a number",
        "float_parsing": "must be a number",
        "finite_number": "must be a finite number",
        "model_type": "must be a mapping of keys",
        "model_attributes_type": "must be a mapping of keys",
        "dict_type": "must be a mapping of keys",
        "list_type": "must be a list",
        "greater_than_equal": f"must be at least {context.get('ge')}",
        "greater_than": f"must be more than {context.get('gt')}",
        "less_than_equal": f"must be at most {context.get('le')}",
        "string_pattern_mismatch": _PATTERN_WORDS.get(
            context.get("pattern", ""), f"must match {context.get('pattern')}"
        ),
        "too_long": f"must have at most {context.get('max_length')} entries",
        "too_short": "must not be empty",
        "value_error": str(context.get("error", "is not valid")),
    }.get(kind)
    if words is None:
        words = item["msg"]
    if kind == "value_error" and item["loc"][-1] == "[key]":
        return key, f"the name {words}"
    return key, words + found


def _literal_words(key: Key, context: Any, found: str, raw: RawConfig) -> str:
    allowed = [word.strip().strip("'") for part in str(context["expected"]).split(" or ") for word in part.split(",")]
    words = f"must be one of {', '.join(allowed)}" if len(allowed) <= 12 else "is not one that Azure offers"
    if key == ("redis", "sku"):
        words = f"must be one of {', '.join(REDIS_SKUS)} (the older product) or of Managed Redis: Balanced_B0, …"
        if str(raw.get("redis.sku")).startswith("Enterprise"):
            return f"{words}; Azure makes no new Enterprise caches since April 2026"
    value = raw.get(".".join(map(str, key)))
    near = _nearest(value, allowed) if isinstance(value, str) and not raw.hides(key) else ""
    return words + found + near


def _shown(key: Key, raw: RawConfig, *, shape: bool) -> str:
    """What was found, where that may be shown: no secrets, nothing from the environment; `shape`: only what it is."""
    value: Any = raw.values
    for part in key:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return ""
    if isinstance(value, dict):
        return "; found a mapping"
    if isinstance(value, list):
        return "; found a list"
    if shape:
        return "; found a single value"
    if raw.hides(key) or set(key) & {"environment", "secrets", "build_args", "metadata"}:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"; found `{text if len(text) <= 60 else text[:57] + '…'}`"


def _nearest(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean `{near}`?" if near else ""


def _known_keys(key: Key) -> list[str]:
    """The keys that the section at a key knows."""
    model: type[BaseModel] = Config
    position = 0
    while position < len(key):
        field = model.model_fields.get(str(key[position]))
        inner = list(_models(field.annotation)) if field else []
        if field is None or not inner:
            return []
        model = inner[0]
        position += 2 if _is_container(field.annotation) else 1
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _is_container(annotation: Any) -> bool:
    return get_origin(annotation) in (dict, list)


# ------------------------------------------------------------------------------------------------------------- Rules


def _rules(config: Config, damaged: set[Key]) -> Found:
    yield from _cloud_rules(config)
    yield from _postgresql_rules(config)
    yield from _redis_rules(config)
    yield from _emulator_rules(config)
    yield from secret_values.faults(config.raw)
    yield from azure_rules.faults(config)
    for name, words in naming.tag_faults(config.tags):
        yield (("tags", name) if name else ("tags",)), words
    for key, service in config.services.items():
        for rest, words in _service_rules(config, key, service):
            yield ("services", key, *rest), words
    yield from _image_rules(config, damaged)
    yield from _name_rules(config, damaged)
    yield from _registry_rules(config, damaged)
    yield from _migration_rules(config, damaged)
    if not damaged & {("docker",), ("docker", "build_context"), ("docker", "dockerfiles")}:
        yield from _dockerfile_rules(config)
        yield from _docker_rules(config)
    yield from _state_rules(config)


def _cloud_rules(config: Config) -> Found:
    cloud = config.azure.cloud
    if isinstance(cloud, str):
        return
    for name in ("resource_manager", "authority"):
        if not getattr(cloud, name).startswith("https://"):
            yield ("azure", "cloud", name), "must begin with https://"
    if cloud.name in ("emulator", "AzureCloud", "AzureUSGovernment", "AzureChinaCloud"):
        yield ("azure", "cloud", "name"), "is the name of a cloud that is known already; choose another"


def _postgresql_rules(config: Config) -> Found:
    section = config.postgresql
    if section is None:
        return
    tier = naming.postgres_tier(section.sku)
    key = "sku" if config.raw.get("postgresql.sku") is not None else "postgres_sku"
    if tier is None:
        parts = section.sku.split("_", 1)
        if parts[0] in ("B", "GP", "MO") and len(parts) > 1 and naming.postgres_tier(parts[1]):
            yield ("postgresql", key), f"is Terraform's spelling; Azure's is `{parts[1]}`"
        else:
            yield ("postgresql", key), "must be a size such as Standard_B1ms, Standard_D2ds_v5 or Standard_E4ds_v5"
    elif section.tier != tier:
        yield ("postgresql", "tier"), f"does not fit the sku: `{section.sku}` is {tier}"
    if section.postgres_sku is not None and section.postgres_sku != section.sku:
        yield (
            ("postgresql", "postgres_sku"),
            "is an older name of `sku`, and both are there with different values; keep sku",
        )
    if section.storage_size not in STORAGE_SIZES:
        larger = next((size for size in STORAGE_SIZES if size >= section.storage_size), STORAGE_SIZES[-1])
        yield (
            ("postgresql", "storage_size"),
            (f"must be one of {', '.join(map(str, STORAGE_SIZES))}; the next is {larger}"),
        )
    if section.high_availability != "Disabled" and section.tier == "Burstable":
        yield ("postgresql", "high_availability"), "is not offered for Burstable sizes (Standard_B…)"
    if fault := naming.login_fault(section.login):
        yield ("postgresql", "admin_user"), fault
    if section.admin_password and (fault := naming.password_fault(section.admin_password, section.login)):
        yield ("postgresql", "admin_password"), fault
    seen: dict[str, int] = {}
    for position, name in enumerate(section.databases):
        if name in seen:
            yield ("postgresql", "databases", position), f"`{name}` is listed twice"
        seen[name] = position
        if name in ("postgres", "azure_maintenance", "azure_sys", "template0", "template1"):
            yield ("postgresql", "databases", position), f"`{name}` is the server's own"


def _redis_rules(config: Config) -> Found:
    section = config.redis
    if section is None:
        return
    if fault := naming.name_fault("managed_redis" if section.managed else "redis", section.name):
        yield ("redis", "name"), fault
    if not section.managed:
        family = "p" if section.sku == "Premium" else "c"
        if section.vm_size[0].lower() != family or section.vm_size in ("p0", "P0", "p6", "P6"):
            yield ("redis", "vm_size"), f"{section.sku} takes {'p1–p5' if family == 'p' else 'c0–c6'}"
        return
    if config.azure.cloud in ("AzureUSGovernment", "AzureChinaCloud"):
        yield (
            ("redis", "sku"),
            f"Azure Managed Redis is not offered in {config.azure.cloud}; take {', '.join(REDIS_SKUS)}",
        )
    size = int(section.sku.split("_")[1][1:])
    if section.clustering_policy == "NoCluster" and (section.sku.startswith("Flash") or size > 20):
        yield (
            ("redis", "clustering_policy"),
            "NoCluster ends at 25 GB; take EnterpriseCluster or OSSCluster for this sku",
        )


def _emulator_rules(config: Config) -> Found:
    for position, fault in enumerate(config.azure.emulator.faults):
        place: Key = ("azure", "emulator", "faults", position)
        for name, value in fault.items():
            if name not in _EMULATOR_FAULT_KEYS:
                yield (*place, name), "is not a known key" + _nearest(name, list(_EMULATOR_FAULT_KEYS))
            elif name in ("status", "skip", "times") and not (type(value) is int and value >= 0):
                yield (*place, name), "must be a whole number, 0 or more"
        if fault.get("drop", "before") not in ("before", "after"):
            yield (*place, "drop"), "must be before or after"
        status = fault.get("status")
        if type(status) is int and not 400 <= status <= 599:
            yield (*place, "status"), "must be 400–599"
        if not fault.keys() & {"status", "drop", "fail"}:
            yield place, "needs `status`, `drop` or `fail`: what shall happen"


def _service_rules(config: Config, key: str, service: Service) -> Found:
    if service.image and service.dockerfile:
        yield ("dockerfile",), "stands beside `image`: keep one"
    elif service.kind == "infrastructure" and service.dockerfile:
        yield ("kind",), "infrastructure is never built: a service with a Dockerfile is an application"
    if service.image and (service.build_args or service.target):
        yield ("build_args" if service.build_args else "target",), "has no effect on a ready image"
    on_consumption = service.workload_profile in (None, azure_rules.CONSUMPTION)
    if on_consumption and (fault := naming.size_fault(service.cpu, service.memory)):
        yield ("memory" if fault.startswith("memory") else "cpu",), fault
    if service.min_replicas > service.max_replicas:
        yield ("min_replicas",), f"is more than max_replicas ({service.max_replicas})"
    yield from _ingress_rules(service)
    yield from _volume_rules(service)
    yield from _scale_rules(service)
    if service.database and config.raw.get("postgresql") is None:
        yield ("database",), "needs the section `postgresql`, which is not there"


def _image_rules(config: Config, damaged: set[Key]) -> Found:
    """Every service has an image or a Dockerfile; where none has, one thing is missing and not many."""
    if damaged & {("docker",), ("docker", "dockerfiles")}:
        return
    without = [key for key, service in config.services.items() if not service.image and service.dockerfile is None]
    without = [key for key in without if ("docker", "dockerfiles", key) not in damaged]
    words = "neither `image` nor a Dockerfile (`dockerfile`, or docker.dockerfiles)"
    if len(without) > 1 and config.raw.get("docker.dockerfiles") is None:
        yield ("services",), f"{', '.join(without)} have {words}"
        return
    for key in without:
        yield ("services", key), f"has {words}" + _nearest(key, list(config.docker.dockerfiles))


def _ingress_rules(service: Service) -> Found:
    if service.ingress == "none":
        if service.health_path and service.port is None:
            yield ("health_path",), "needs `port`: a probe asks a port"
        if service.exposed_port is not None and service.transport != "tcp":
            yield ("exposed_port",), "needs an ingress"
        return
    if service.port is None:
        yield ("ingress",), f"{service.ingress} needs `port`"
        return
    if service.transport == "tcp":
        if service.ingress == "external":
            yield ("ingress",), "external over tcp needs a virtual network of your own, which this tool does not make"
        if service.exposed_port in (80, 443):
            yield ("exposed_port",), "80 and 443 are not allowed for tcp; set another exposed_port"
    elif service.exposed_port is not None:
        yield ("exposed_port",), "is only for `transport: tcp`; over HTTP an app is reached on 80 and 443"
    taken = {service.port}
    for position, port in enumerate(service.additional_ports):
        if port in taken:
            yield ("additional_ports", position), f"{port} stands twice"
        elif port in (80, 443):
            yield ("additional_ports", position), "80 and 443 are not allowed here"
        taken.add(port)


def _volume_rules(service: Service) -> Found:
    volume = service.volume
    if volume is None:
        return
    parts = ("account_name", "account_key", "share_name")
    if volume.type == "azure_file":
        for name in parts:
            if not getattr(volume, name):
                yield ("volume", name), "is required for azure_file"
    else:
        for name in parts:
            if getattr(volume, name) is not None:
                yield ("volume", name), "is only for `type: azure_file`"


def _scale_rules(service: Service) -> Found:
    scale = service.scale
    if scale is None:
        return
    if scale.http_concurrent_requests and (service.transport == "tcp" or service.ingress == "none"):
        yield ("scale", "http_concurrent_requests"), "needs an HTTP ingress"
    if scale.tcp_concurrent_connections and (service.transport != "tcp" or service.ingress == "none"):
        yield ("scale", "tcp_concurrent_connections"), "needs an ingress with `transport: tcp`"
    seen = set()
    for position, rule in enumerate(scale.rules):
        if rule.name in seen:
            yield ("scale", "rules", position, "name"), f"`{rule.name}` is there twice"
        seen.add(rule.name)


def _name_rules(config: Config, damaged: set[Key]) -> Found:
    names: dict[str, str] = {}
    for key, service in config.services.items():
        if (first := names.setdefault(service.name, key)) != key:
            yield ("services", key, "name"), f"`{service.name}` is the name of services.{first} too"
    if config.services and config.raw.get("container_apps") is None and ("container_apps",) not in damaged:
        yield ("services",), "need the section `container_apps`, which is not there"


def _registry_rules(config: Config, damaged: set[Key]) -> Found:
    if config.raw.get("container_registry") is not None or ("container_registry",) in damaged:
        return
    built = [key for key, service in config.services.items() if service.dockerfile]
    if built:
        words = "is built from a Dockerfile and needs the section `container_registry`"
        more = f", as do {', '.join(built[1:])}" if len(built) > 1 else ""
        yield ("services", built[0]), words + more


def _migration_rules(config: Config, damaged: set[Key]) -> Found:
    names: set[str] = set()
    for position, migration in enumerate(config.migrations):
        place: Key = ("migrations", position)
        service = config.services.get(migration.service)
        if service is None and not damaged & {("services",), ("services", migration.service)}:
            near = _nearest(migration.service, list(config.services))
            yield (*place, "service"), f"there is no service `{migration.service}`{near}"
        if migration.name in names:
            yield (*place, "name"), f"`{migration.name}` is the name of another migration"
        names.add(migration.name)
        for name in sorted(migration.environment.keys() & migration.secrets.keys()):
            yield (*place, "secrets", name), "the variable stands under `environment` too; keep one"
        if migration.database and config.raw.get("postgresql") is None:
            yield (*place, "database"), "needs the section `postgresql`, which is not there"


def _dockerfile_rules(config: Config) -> Found:
    found = list(_each_dockerfile(config))
    missing = [key for key, words in found if words.startswith("there is no")]
    if len(missing) > 1 and len(missing) == sum(service.dockerfile is not None for service in config.services.values()):
        # It is the folder that is wrong, not each of them.
        yield ("docker", "build_context"), found[0][1].replace("there is no", "none of the Dockerfiles is there: no", 1)
        return
    yield from found


def _each_dockerfile(config: Config) -> Found:
    context = config.build_context
    for key, service in config.services.items():
        if service.dockerfile is None or service.image:
            continue
        own = config.raw.get(f"services.{key}.dockerfile") is not None
        place: Key = ("services", key, "dockerfile") if own else ("docker", "dockerfiles", key)
        relative = relative_path(service.dockerfile)
        if relative is None:
            yield place, "must be a path below docker.build_context"
        elif not config.deployment.skip_build and not os.path.isfile(os.path.join(context, relative)):
            yield place, _missing_dockerfile(config, context, relative)


def _docker_rules(config: Config) -> Found:
    if config.docker.builder != "docker":
        return
    if not config.docker.buildkit:
        yield ("docker", "buildkit"), "cannot be false where docker.builder is docker: buildx builds with BuildKit"
    for key, service in config.services.items():
        for name, argument in service.build_args.items():
            if not isinstance(argument, str) and argument.secret and _READ_BY_DOCKER.fullmatch(name):
                yield (
                    ("services", key, "build_args", name),
                    "cannot be secret where docker.builder is docker: it goes there as an environment variable, and "
                    "docker itself reads one of this name; choose another name",
                )


def _missing_dockerfile(config: Config, context: str, relative: str) -> str:
    words = f"there is no `{relative}` below docker.build_context (`{context}`)"
    parent = os.path.dirname(context)
    while True:
        if os.path.isfile(os.path.join(parent, relative)):
            try:
                path = os.path.relpath(parent, config.directory).replace(os.sep, "/")
            except ValueError:  # another drive
                path = parent
            return f"{words}; it is below `{parent}`: set docker.build_context to `{path}`"
        if parent == os.path.dirname(parent):
            return words
        parent = os.path.dirname(parent)


def _state_rules(config: Config) -> Found:
    advanced = config.advanced
    if advanced.state_storage == "local" or advanced.state_blob_account or advanced.state_blob_endpoint:
        return
    yield ("advanced", "state_blob_account"), "is required where the state is kept in a blob"


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


def _notices(config: Config) -> Iterator[str]:
    """What is allowed and yet worth saying."""
    for key in config.docker.dockerfiles:
        if key not in config.services:
            near = _nearest(key, list(config.services))
            yield f"docker.dockerfiles.{key} belongs to no service{near}"
        elif config.services[key].image:
            yield f"docker.dockerfiles.{key} has no effect: services.{key} has an image"
    if config.postgresql and int(config.postgresql.version) < 14:
        yield f"postgresql.version {config.postgresql.version} is in paid extended support"
    if config.redis and not config.redis.managed:
        yield f"redis.sku {config.redis.sku}: Azure ends this product in September 2028 and refuses it to new tenants"
    for key, service in config.services.items():
        for name in ("command", "args"):
            if any("{{" in word for word in getattr(service, name)):
                yield f"services.{key}.{name}: placeholders are put into variables only; here they stay as they are"
        if service.volume and service.volume.type == "empty_dir" and service.min_replicas == 0:
            yield f"services.{key} keeps its files in an empty_dir and may go to zero replicas: they are lost then"
        for name, argument in service.build_args.items():
            secret = isinstance(argument, BuildArgument) and argument.secret
            if not secret and any(word in name.upper() for word in ("TOKEN", "PASSWORD", "SECRET")):
                yield f"services.{key}.build_args.{name} looks like a secret: write {{value: …, secret: true}}"
    if config.services and not any(service.environment or service.secrets for service in config.services.values()):
        yield "no service has variables: the config.yaml that comes with this tool has `environment` and `secrets`"
    for key, secret_value in config.secrets.items():
        if (
            isinstance(secret_value, str)
            and "{{" in secret_value
            and ("secrets", key) not in config.raw.from_environment
        ):
            yield f"secrets.{key}: placeholders are put into variables only; here they stay as they are"
    for key in GENERATED:
        value = config.secrets.get(key)
        if isinstance(value, SecretSource) and not value.generate and not value.existing:
            yield f"secrets.{key} is generated when empty, whatever `generate` says"
