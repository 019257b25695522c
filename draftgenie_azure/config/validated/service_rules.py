"""Validate services and migrations: images, ingress, volumes, scaling, names."""

from __future__ import annotations

from draftgenie_azure.config.keys import Key
from draftgenie_azure.config.validated import azure_rules, naming, reference_values
from draftgenie_azure.config.validated.found import Found, did_you_mean
from draftgenie_azure.config.validated.schema import Config
from draftgenie_azure.config.validated.service_sections import Service
from draftgenie_azure.constants import SECRETS_VERSION


def faults(config: Config, damaged: set[Key]) -> Found:
    """Yield the key and message of each fault.

    Args:
        config: the validated sections.
        damaged: keys that already have a fault.
    """
    for key, service in config.services.items():
        for rest, words in _service_rules(config, key, service):
            yield ("services", key, *rest), words
    yield from _image_rules(config, damaged)
    yield from _name_rules(config, damaged)
    yield from _registry_rules(config, damaged)
    yield from _migration_rules(config, damaged)


def _service_rules(config: Config, key: str, service: Service) -> Found:
    if service.image and service.dockerfile:
        yield ("dockerfile",), "conflicts with `image`; keep one"
    elif service.kind == "infrastructure" and service.dockerfile:
        yield ("kind",), "infrastructure is never built: a service with a Dockerfile is an application"
    if service.image and (service.build_args or service.target):
        yield ("build_args" if service.build_args else "target",), "has no effect on a prebuilt image"
    on_consumption = service.workload_profile in (None, azure_rules.CONSUMPTION)
    if on_consumption and (fault := naming.size_fault(service.cpu, service.memory)):
        yield ("memory" if fault.startswith("memory") else "cpu",), fault
    if service.min_replicas > service.max_replicas:
        yield ("min_replicas",), f"must not exceed max_replicas ({service.max_replicas})"
    elif not on_consumption and (fault := naming.memory_fault(service.memory)):
        yield ("memory",), fault
    yield from _ingress_rules(config, service)
    yield from _volume_rules(service)
    yield from _scale_rules(service)
    yield from _placeholder_rules(service)
    for name in ("environment", "secrets"):
        if SECRETS_VERSION in getattr(service, name):
            yield (name, SECRETS_VERSION), "is a variable that the deployment sets itself; choose another name"
    if service.database and config.raw.get("postgresql") is None:
        yield ("database",), "needs the section `postgresql`, which is missing"


def _image_rules(config: Config, damaged: set[Key]) -> Found:
    """Require an image or a Dockerfile of every service; report one fault if no service has one."""
    if damaged & {("docker",), ("docker", "dockerfiles")}:
        return
    without = [key for key, service in config.services.items() if not service.image and service.dockerfile is None]
    without = [key for key in without if ("docker", "dockerfiles", key) not in damaged]
    words = "neither `image` nor a Dockerfile (`dockerfile`, or docker.dockerfiles)"
    if len(without) > 1 and config.raw.get("docker.dockerfiles") is None:
        yield ("services",), f"{', '.join(without)} have {words}"
        return
    for key in without:
        yield ("services", key), f"has {words}" + did_you_mean(key, list(config.docker.dockerfiles))


def _ingress_rules(config: Config, service: Service) -> Found:
    if service.ingress == "none":
        if service.additional_ports:
            yield ("additional_ports",), "need an ingress"
        if service.health_path and service.port is None:
            yield ("health_path",), "needs `port`: a probe needs a port"
        if service.exposed_port is not None and service.transport != "tcp":
            yield ("exposed_port",), "needs an ingress"
        return
    if service.port is None:
        yield ("ingress",), f"{service.ingress} needs `port`"
        return
    if service.transport == "tcp":
        if service.ingress == "external" and (config.container_apps is None or config.container_apps.subnet_id is None):
            # learn.microsoft.com/azure/container-apps/ingress-overview, TCP
            yield ("ingress",), "external over tcp needs a virtual network of your own: container_apps.subnet_id"
        if service.exposed_port in (80, 443):
            yield ("exposed_port",), "80 and 443 are not allowed for tcp; set another exposed_port"
    elif service.exposed_port is not None:
        yield ("exposed_port",), "is only for `transport: tcp`; over HTTP an app is reached on 80 and 443"
    taken = {service.port, service.exposed_port}
    for position, port in enumerate(service.additional_ports):
        if port in taken:
            yield ("additional_ports", position), f"duplicate port {port}"
        elif port in (80, 443):
            yield ("additional_ports", position), "80 and 443 are not allowed here"
        taken.add(port)


def _volume_rules(service: Service) -> Found:
    volume = service.volume
    if volume is None:
        return
    if ":" in volume.mount_path or not volume.mount_path.strip("/"):
        yield ("volume", "mount_path"), "must be a directory below `/`, without a colon"
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
    misplaced = {}
    if service.transport == "tcp" or service.ingress == "none":
        misplaced["http"] = "needs an HTTP ingress"
    if service.transport != "tcp" or service.ingress == "none":
        misplaced["tcp"] = "needs an ingress with `transport: tcp`"
    short = {"http": "http_concurrent_requests", "tcp": "tcp_concurrent_connections"}
    seen = {kind: name for kind, name in short.items() if getattr(scale, name)}  # their rules have these names
    for kind, name in seen.items():
        if kind in misplaced:
            yield ("scale", name), misplaced[kind]
    for position, rule in enumerate(scale.rules):
        place = ("scale", "rules", position)
        if rule.type in misplaced:
            yield (*place, "type"), misplaced[rule.type]
        if rule.name in seen:
            other = f": it is the name of the rule of `{seen[rule.name]}`" if seen[rule.name] else ""
            yield (*place, "name"), f"duplicate name `{rule.name}`{other}"
        seen.setdefault(rule.name, "")


def _placeholder_rules(service: Service) -> Found:
    """Reject placeholders outside variables, where their text would be deployed unchanged."""
    for name in ("command", "args"):
        words: list[str] = getattr(service, name)
        for text in (*words, " ".join(words)):  # a command given as text was split at its spaces
            if found := reference_values.references(text):
                yield (name,), f"`{found[0]}` is not allowed here: placeholders are replaced in variables only"
                break
    for position, rule in enumerate(service.scale.rules if service.scale else ()):
        for name, text in rule.metadata.items():
            if found := reference_values.references(text):
                fault = f"`{found[0]}` is not allowed here: placeholders are replaced in variables only"
                yield ("scale", "rules", position, "metadata", name), f"{fault}; pass a secret by `auth`"


def _name_rules(config: Config, damaged: set[Key]) -> Found:
    names: dict[str, str] = {}
    for key, service in config.services.items():
        if (first := names.setdefault(service.name, key)) != key:
            yield ("services", key, "name"), f"`{service.name}` is also the name of services.{first}"
    if config.services and config.raw.get("container_apps") is None and ("container_apps",) not in damaged:
        yield ("services",), "need the section `container_apps`, which is missing"


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
            near = did_you_mean(migration.service, list(config.services))
            yield (*place, "service"), f"there is no service `{migration.service}`{near}"
        if migration.name in names:
            yield (*place, "name"), f"`{migration.name}` is also the name of another migration"
        names.add(migration.name)
        for name in sorted(migration.environment.keys() & migration.secrets.keys()):
            yield (*place, "secrets", name), "the variable is under `environment` too; keep one"
        if migration.database and config.raw.get("postgresql") is None:
            yield (*place, "database"), "needs the section `postgresql`, which is missing"
