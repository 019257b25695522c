"""Container apps: deployed by two steps, with variables set by a third; each sends the same full body."""

from __future__ import annotations

from functools import partial

from draftgenie_azure.arm.client import MANY, Resource
from draftgenie_azure.arm.diff import fingerprint
from draftgenie_azure.digests import short_hash
from draftgenie_azure.errors import DeployerError
from draftgenie_azure.provision import addresses, old_revisions, traffic
from draftgenie_azure.provision.bodies import apps as bodies
from draftgenie_azure.provision.bodies import traffic as traffic_bodies
from draftgenie_azure.provision.template_values import plain_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from draftgenie_azure.config.validated.service_sections import Service
    from draftgenie_azure.session import Session

    Outputs = dict[str, Any]


def deploy(session: Session, inputs: Mapping[str, Outputs], step: str, kind: str) -> Outputs:
    """Ensure the apps of all services of a kind.

    It does not wait for readiness: tables may be missing until the migrations have run.
    """
    services = {key: service for key, service in session.config.services.items() if service.kind == kind}
    wanted = [_app(session, inputs, key) for key in services]
    _ensure(session, services, wanted, step)
    _own(session, kind, step)
    domain = inputs["create_container_apps_env"].get("default_domain")
    return {
        key: {"name": service.name, "shape": short_hash(repr(shape(app.body))), "url": _url(service, domain)}
        for (key, service), app in zip(services.items(), wanted, strict=True)
    }


def _own(session: Session, kind: str, step: str) -> None:
    """Have the apps of a kind belong to its step; an app whose kind changes moves from one step to the other."""
    for key, service in session.config.services.items():
        if service.kind == kind:
            session.records.belongs(f"container_app/{key}", step)
        else:
            session.records.still_wanted(f"container_app/{key}", step)


def configure(session: Session, inputs: Mapping[str, Outputs], step: str) -> Outputs:
    """Ensure the same bodies again, including variables and secrets; in a first deployment nothing is left to send."""
    wanted = {key: _app(session, inputs, key) for key in session.config.services}
    _ensure(session, session.config.services, list(wanted.values()), step)
    return {key: fingerprint(app.body) for key, app in wanted.items()}


def _ensure(session: Session, services: Mapping[str, Service], wanted: Sequence[Resource], step: str) -> None:
    found = session.arm.ensure(wanted, step=step)
    for (key, service), live in zip(services.items(), found, strict=True):
        old_revisions.note(session, key, service, live)


def _app(session: Session, inputs: Mapping[str, Outputs], key: str) -> Resource:
    """Return the app of a service."""
    service = session.config.services[key]
    variables = session.config.variables(key)
    body = bodies.container_app(
        session.config,
        service,
        setting(session, inputs),
        image=image(session, inputs, key, service),
        variables=variables,
        secrets_version=_secrets_version(inputs, bodies.secret_names(session.config, service, variables)),
    )
    return Resource(
        f"container_app/{key}",
        session.scope.resource("Microsoft.App/containerApps", service.name),
        body,
        at_creation=partial(traffic_bodies.at_creation, service),
        beside=traffic.beside(session, key, service),
        roles=roles(session),
        tolerate_expiry=True,
        replace_on_change="environmentId",
        bulk=len(session.config.services) >= MANY,
    )


def setting(session: Session, inputs: Mapping[str, Outputs]) -> bodies.Setting:
    """Return what all apps and jobs of this deployment share."""
    environment_id, identity_id = addresses.environment(session), addresses.identity(session)
    # Not by `get`: reading an undeclared output is an error.
    is_declared = "create_container_registry" in inputs
    published = inputs["create_container_registry"] if is_declared else {}
    return bodies.Setting(
        environment_id=environment_id,
        identity_id=identity_id,
        login_server=addresses.login_server(session, published) if published else None,
        vault_uri=_vault_uri(session) if inputs["store_secrets"].get("secrets") else None,
        # Of the placeholders that are not secret.
        values=plain_values(inputs["create_databases"], inputs["create_container_apps_env"]["default_domain"]),
        has_profiles=not inputs["create_container_apps_env"].get("consumption_only"),
    )


def image(session: Session, inputs: Mapping[str, Outputs], key: str, service: Service) -> str:
    """Return the image of a service: a public one by name, a built one by digest.

    Raises:
        DeployerError: none was built, or the recorded one is not in the deployment's registry.
    """
    if service.image is not None:
        return service.image
    images = inputs["build_and_push_images"]
    if key not in images:
        raise DeployerError(f"{key} has no image yet", hint="Set deployment.skip_build to false and run again.")
    reference = str(images[key]["reference"])
    host = addresses.login_server(session, inputs["create_container_registry"])
    if not reference.startswith(f"{host}/"):
        raise DeployerError(
            f"the recorded image of {key} is not in the registry {host}",
            hint="Run with --force-step build_and_push_images (and deployment.skip_build: false).",
        )
    return reference


def roles(session: Session) -> tuple[str, ...]:
    """Return the recorded ids of the role assignments that apps require."""
    records = session.records.resources
    wanted = ["role/pull-images"]
    if not records.get("key_vault", {}).get("left_open"):  # otherwise roles have no effect on the vault
        wanted.append("role/read-secrets")
    return tuple(records[key]["id"] for key in wanted if key in records)


def shape(body: dict[str, Any]) -> Any:
    """Return image, size, scale and ingress of an app's body, which the two deploying steps are responsible for."""
    template, configuration = body["properties"]["template"], body["properties"]["configuration"]
    container = template["containers"][0]
    parts = {key: container.get(key) for key in ("image", "resources", "probes", "command", "args", "volumeMounts")}
    # Optional features leave the hash of services without them unchanged.
    parts |= {key: template[key] for key in ("terminationGracePeriodSeconds",) if key in template}
    parts |= {key: configuration[key] for key in ("dapr",) if key in configuration}
    return [parts, template["scale"], configuration.get("ingress")]


def _secrets_version(inputs: Mapping[str, Outputs], used: list[str]) -> str | None:
    """Return a hash over the versions of a service's secrets; it changes the template when one changes."""
    if not used:
        return None
    secrets = inputs["store_secrets"]["secrets"]
    return short_hash(*(f"{name}={secrets[name]['version']}" for name in used))


def _url(service: Service, default_domain: str | None) -> str | None:
    """Return the URL of a service, external or within its environment; None without ingress."""
    if service.ingress == "none":
        return None
    if service.transport == "tcp":
        return f"tcp://{service.name}:{service.exposed_port}"
    if service.ingress == "external":
        return f"https://{service.name}.{default_domain}"
    return f"http{'' if service.allow_insecure else 's'}://{service.name}.internal.{default_domain}"


def _vault_uri(session: Session) -> str | None:
    """Return the URL of the vault that apps read their secrets from."""
    return None if session.config.key_vault is None else addresses.vault(session)[1]
