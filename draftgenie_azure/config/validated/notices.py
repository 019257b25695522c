"""Warnings about a valid configuration."""

from __future__ import annotations

from collections.abc import Iterator

from draftgenie_azure.config.keys import GENERATED
from draftgenie_azure.config.validated import postgresql_rules
from draftgenie_azure.config.validated.found import did_you_mean
from draftgenie_azure.config.validated.schema import Config
from draftgenie_azure.config.validated.service_sections import BuildArgument, SecretSource


def notices(config: Config) -> Iterator[str]:
    """Yield warnings about a valid configuration."""
    for key in config.docker.dockerfiles:
        if key not in config.services:
            near = did_you_mean(key, list(config.services))
            yield f"docker.dockerfiles.{key} belongs to no service{near}"
        elif config.services[key].image:
            yield f"docker.dockerfiles.{key} has no effect: services.{key} has an image"
    yield from postgresql_rules.notices(config)
    if config.redis and not config.redis.managed:
        yield f"redis.sku {config.redis.sku}: Azure ends this product in September 2028 and refuses it to new tenants"
    for key, service in config.services.items():
        for name in ("command", "args"):
            if any("{{" in word for word in getattr(service, name)):
                yield f"services.{key}.{name}: placeholders are replaced in variables only; here they are left as is"
        if service.volume and service.volume.type == "empty_dir" and service.min_replicas == 0:
            yield f"services.{key} stores files in an empty_dir and may scale to zero: they are lost then"
        if service.ingress == "none" and service.min_replicas == 0 and not (service.scale and service.scale.rules):
            yield f"services.{key} has neither ingress nor scale rules: once at zero replicas, nothing starts it again"
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
            yield f"secrets.{key}: placeholders are replaced in variables only; here they are left as is"
    for key in GENERATED:
        value = config.secrets.get(key)
        if isinstance(value, SecretSource) and not value.generate and not value.existing:
            yield f"secrets.{key} is generated when empty, regardless of `generate`"
