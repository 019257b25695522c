"""The simulated behaviour of a container: pull, environment, port, probes, log."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from azure_emulator.core.clock import stamp
from azure_emulator.core.store import Resource
from azure_emulator.core.world import World
from azure_emulator.services.managedidentity.identities import find as find_identity
from azure_emulator.services.registry import data_plane as registry_data
from azure_emulator.services.registry.dockerfile import answers

Json = dict[str, Any]

_PUBLIC: dict[str, Json] = {
    "rabbitmq": {"port": 5672, "paths": []},
    "library/rabbitmq": {"port": 5672, "paths": []},
    "qdrant/qdrant": {"port": 6333, "paths": ["/", "/healthz", "/readyz", "/livez", "/collections", "/metrics"]},
}


@dataclass
class Image:
    """The known facts of an image: from a build, from the list of public ones, or declared.

    `exit_code`: exit code at start; `health`: replies by path ({status, body}, or the status); `ready_after`:
    seconds until it is ready, whatever the scale; `job`: its result as a job ({exit_code, log}).
    """

    reference: str
    port: int | None = None
    environment: dict[str, str] = field(default_factory=dict)
    requires: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    honours_port: bool = False
    language: str | None = None
    exit_code: int | None = None
    log: list[str] = field(default_factory=list)
    health: dict[str, Json | int] = field(default_factory=dict)
    ready_after: float = 0.0
    job: Json = field(default_factory=dict)


@dataclass
class Assessment:
    """The condition of a container. `state`: ready, pulling (failing), crashing, wrong port or unhealthy."""

    state: str
    details: str = ""
    reason: str = ""
    exit_code: int = 0
    log: list[str] = field(default_factory=list)
    image: Image | None = None

    @property
    def ready(self) -> bool:
        return self.state == "ready"


class PullFailure(Exception):
    """The image cannot be pulled."""


def split_reference(reference: str) -> tuple[str, str, str]:
    """Split an image reference; Docker Hub is the default registry."""
    name, at, digest = reference.partition("@")
    head, _, rest = name.partition("/")
    registry, repository = ("docker.io", name)
    if rest and ("." in head or ":" in head or head == "localhost"):
        registry, repository = head, rest
    repository, _, tag = repository.partition(":")
    return registry.lower(), repository, digest if at else tag or "latest"


def pull(world: World, body: Json, reference: str) -> Image:
    """Return the image. Raises PullFailure. `body` is the app or job, whose identity and registries decide."""
    server, repository, version = split_reference(reference)
    if not server.endswith(".azurecr.io"):
        return _declared(world, server, repository, Image(reference, **_PUBLIC.get(repository, {})))
    registry = registry_data.registry_of(world, server)
    if registry is None:
        raise PullFailure(f"failed to resolve registry '{server}': lookup {server}: no such host")
    _authorize(world, body, registry, server, reference)
    found = registry_data.find_manifest(registry, repository, version)
    if found is None:
        raise PullFailure(
            f"DENIED or not found: '{reference}': MANIFEST_UNKNOWN: manifest tagged by \"{version}\" is not found"
        )
    known = found[1]["behaviour"]
    if known.get("architecture", "amd64") != "amd64" or known.get("os", "Linux") != "Linux":
        raise PullFailure(f"no matching manifest for linux/amd64 in '{reference}'")
    image = Image(
        reference,
        known.get("port"),
        dict(known.get("environment", {})),
        list(known.get("requires", [])),
        list(known.get("paths", [])),
        bool(known.get("honours_port")),
        known.get("language"),
    )
    return _declared(world, server, repository, image)


def anonymous_problem(world: World, body: Json, reference: str) -> str | None:
    """Return a registry's error for a pull without credentials in the body; None if it has some, or
    none are needed."""
    server, repository, _ = split_reference(reference)
    if not server.endswith(".azurecr.io"):
        return None
    entries = (body["properties"].get("configuration") or {}).get("registries") or []
    if any(str(item.get("server", "")).lower() == server for item in entries):
        return None
    registry = registry_data.registry_of(world, server)
    if registry is None:
        return f'Get "https://{server}/v2/": dial tcp: lookup {server}: no such host'
    if registry.properties["anonymousPullEnabled"]:
        return None
    return (
        f"GET https:?scope=repository%3A{quote(repository, safe='')}%3Apull&service={server}: UNAUTHORIZED: "
        "authentication required, visit https://aka.ms/acr/authorization for more information."
    )


def _authorize(world: World, body: Json, registry: Resource, server: str, reference: str) -> None:
    """Check the identity for the server, which the app must have; it needs AcrPull, and the registry must accept
    tokens of ARM's audience (learn.microsoft.com/azure/container-apps/managed-identity-image-pull)."""
    if registry.properties["anonymousPullEnabled"]:
        return
    entries = body["properties"]["configuration"].get("registries") or []
    entry = next((item for item in entries if str(item.get("server", "")).lower() == server), None)
    refused = PullFailure(
        f"UNAUTHORIZED: failed to authorize pull of '{reference}': authentication required, visit "
        "https://aka.ms/acr/authorization for more information."
    )
    if entry is None:
        raise refused
    if not entry.get("identity"):
        if registry.properties["adminUserEnabled"] and entry.get("passwordSecretRef"):
            return
        raise refused
    if not _identity_may_pull(world, body, entry["identity"], registry):
        raise refused


def _identity_may_pull(world: World, body: Json, identity_id: str, registry: Resource) -> bool:
    policy = registry.properties["policies"]["azureADAuthenticationAsArmPolicy"]["status"]
    if identity_id.lower() == "system":
        principal = str((body.get("identity") or {}).get("principalId", ""))
    else:
        identity = find_identity(world, identity_id)
        principal = str(identity.properties["principalId"]) if identity is not None else ""
    return bool(principal) and policy == "enabled" and registry_data.may_pull(world, principal, registry)


def refused_registries(world: World, body: Json, servers: list[str]) -> list[str]:
    """Return the app's registries on which their identity has no access (yet)."""
    entries = body["properties"]["configuration"].get("registries") or []
    refused = []
    for entry in entries:
        server, identity = str(entry["server"]).lower(), str(entry.get("identity") or "")
        registry = registry_data.registry_of(world, server) if server in servers else None
        if registry is None or registry.properties["anonymousPullEnabled"]:
            continue
        if not _identity_may_pull(world, body, identity, registry):
            refused.append(server)
    return refused


def _declared(world: World, server: str, repository: str, image: Image) -> Image:
    """Override the known facts by those declared for the repository's name."""
    for pattern, declared in world.images.items():
        if not (
            fnmatchcase(repository, pattern)
            or fnmatchcase(f"{server}/{repository}", pattern)
            or fnmatchcase(repository.rsplit("/", 1)[-1], pattern)
        ):
            continue
        if "pull_error" in declared:
            raise PullFailure(str(declared["pull_error"]))
        for name in ("port", "exit_code", "job", "health", "ready_after", "requires"):
            if name in declared:
                setattr(image, name, declared[name])
        if "log" in declared:
            image.log = declared["log"] if isinstance(declared["log"], list) else str(declared["log"]).splitlines()
    return image


def variables(container: Json) -> set[str]:
    return {
        item["name"] for item in container.get("env") or [] if item.get("value") is not None or item.get("secretRef")
    }


def assess(world: World, body: Json, container: Json, ingress: Json | None, *, created: float = 0.0) -> Assessment:
    """Return the current condition of a container of an app or a job."""
    try:
        image = pull(world, body, container["image"])
    except PullFailure as failure:
        return Assessment("pulling", f"Failed to pull image: {failure}", "ImagePullBackOff", log=[])
    name = container["name"]
    given = variables(container)
    missing = [item for item in image.requires if item not in given and item not in image.environment]
    if missing:
        return Assessment(
            "crashing", f"1/1 Container crashing: {name}", "Error", 1, _failure_log(image, missing[0]), image
        )
    if image.exit_code:
        return Assessment("crashing", f"1/1 Container crashing: {name}", "Error", image.exit_code, image.log, image)
    port = listening_port(container, image, ingress)
    log = image.log or [f"{name} is listening on port {port}" if port else f"{name} started"]
    if ingress and port is not None and ingress.get("targetPort") != port:
        details = f"The TargetPort {ingress.get('targetPort')} does not match the listening port {port}."
        return Assessment("wrong port", details, "", 0, log, image)
    failed = _failed_probe(container, image, port)
    if failed is not None:
        return Assessment(
            "unhealthy", f"1/1 Container failing probes: {name}: {failed}", "ProbeFailure", 137, [*log, failed], image
        )
    return Assessment("ready", "", "", 0, log, image)


def listening_port(container: Json, image: Image, ingress: Json | None) -> int | None:
    """Return the port of an image: exposed, or PORT if the code reads it; for an unknown image, the ingress's."""
    if image.honours_port:
        for item in container.get("env") or []:
            if item["name"] == "PORT" and str(item.get("value", "")).isdigit():
                return int(item["value"])
        if image.environment.get("PORT", "").isdigit():
            return int(image.environment["PORT"])
    if image.port is not None:
        return image.port
    return ingress.get("targetPort") if ingress else None


def _failure_log(image: Image, missing: str) -> list[str]:
    if image.log:
        return image.log
    if image.language == "node":
        return [
            "/app/main.js:1",
            f"Error: Missing required environment variable: {missing}",
            "    at requireEnv (/app/main.js)",
            "Node.js v20.11.1",
        ]
    return [
        "Traceback (most recent call last):",
        '  File "/app/main.py", line 1, in <module>',
        f'    os.environ["{missing}"]',
        '  File "<frozen os>", line 679, in __getitem__',
        f"KeyError: '{missing}'",
    ]


def _failed_probe(container: Json, image: Image, port: int | None) -> str | None:
    for probe in container.get("probes") or []:
        kind = probe.get("type", "Liveness")
        action = probe.get("httpGet") or probe.get("tcpSocket") or {}
        if port is not None and action.get("port") != port:
            return f"{kind} probe failed: dial tcp 100.100.0.1:{action.get('port')}: connect: connection refused"
        if probe.get("httpGet"):
            status, _ = answer(image, str(action.get("path", "/")).partition("?")[0], container["name"])
            if not 200 <= status < 400:
                return f"{kind} probe failed: HTTP probe failed with statuscode: {status}"
    return None


def answer(image: Image, path: str, service: str) -> tuple[int, Any]:
    """Return an app's reply to a GET: status and body."""
    for known, declared in image.health.items():
        if fnmatchcase(path, known):
            if isinstance(declared, int):
                return declared, {"status": "ok" if declared < 400 else "failing", "service": service}
            return int(declared.get("status", 200)), declared.get("body", {"status": "ok", "service": service})
    if not answers(image.paths, path):
        return 404, {"detail": "Not Found"}
    return 200, {"status": "ok", "service": service}


def system_log(world: World, app: str, revision: str, assessment: Assessment) -> list[Json]:
    """Return the event stream of a revision."""
    now = stamp(world.clock.now(), digits=0)
    reasons = {
        "ready": ("Normal", "RevisionReady", f"Successfully provisioned revision '{revision}'"),
        "pulling": ("Warning", "ImagePullFailure", assessment.details),
        "crashing": (
            "Warning",
            "ContainerTerminated",
            f"Container was terminated with exit code '{assessment.exit_code}' and reason 'ProcessExited'",
        ),
        "wrong port": ("Warning", "TargetPortMismatch", assessment.details),
        "unhealthy": ("Warning", "ProbeFailed", assessment.details),
    }
    kind, reason, message = reasons[assessment.state]
    return [
        {
            "TimeStamp": now,
            "Type": kind,
            "ContainerAppName": app,
            "RevisionName": revision,
            "ReplicaName": "",
            "Msg": message,
            "Reason": reason,
            "EventSource": "ContainerAppController",
            "Count": 1,
        }
    ]
