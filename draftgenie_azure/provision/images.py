"""Images of the application: tagged by content, built if missing, referenced by digest."""

from __future__ import annotations

import tempfile
from functools import partial
from typing import Protocol

from draftgenie_azure.arm.plan import BUILD, REUSE, Entry, pending
from draftgenie_azure.build_context import buildkit
from draftgenie_azure.build_context.context import Context
from draftgenie_azure.build_context.hashing import content_tag
from draftgenie_azure.build_context.packing import pack
from draftgenie_azure.build_context.sizes import heaviest, ignore_line
from draftgenie_azure.digests import slow_digest
from draftgenie_azure.errors import BuildError, DeployerError
from draftgenie_azure.provision import addresses
from draftgenie_azure.provision.build_log import is_progress
from draftgenie_azure.provision.build_request import BuildRequest
from draftgenie_azure.provision.docker_command import docker_command
from draftgenie_azure.provision.registry_builds import RegistryBuilds
from draftgenie_azure.provision.registry_data import NO_USER, RegistryData
from draftgenie_azure.run.schedule import run_concurrently

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import IO, Any

    from draftgenie_azure.arm.plan import Plan
    from draftgenie_azure.build_context.packing import PackResult
    from draftgenie_azure.session import Session

    Outputs = dict[str, Any]

STEP = "build_and_push_images"
LARGE = 200_000_000  # bytes of a context from which it is reported with its largest parts
_PACK_TRIES = 3
UNCONFIRMED = "Azure does not document that; if it is refused, docker.builder: docker builds on this machine"


class Builder(Protocol):
    """The interface of builders."""

    def build(self, request: BuildRequest, tag: str, dockerfile: str, archive: IO[bytes]) -> str:
        """Build a context and push the image; return its digest once it is in the registry."""


def build(
    session: Session, inputs: Mapping[str, Outputs], *, own_files: tuple[str, ...], force: bool, keep_pin: bool = False
) -> tuple[Outputs, dict[str, str]]:
    """Build and push the images of services with a Dockerfile.

    Args:
        own_files: absolute paths of the command's own files, which are never part of a build context.
        force: build even if the tag exists.
        keep_pin: keep a rollback in force, since the inputs of the images are unchanged.

    Returns:
        The images by service, and the dependencies on the bytes that were packed.
    """
    pin = session.records.document.get("pin")
    if pin and not pin.get("ends") and (keep_pin or pin.get("pending")):
        return {key: dict(image) for key, image in pin["images"].items()}, {}
    if pin and not pin.get("ends"):  # the source changed, or the step was forced
        session.warn(f"images are no longer pinned to those of run {pin.get('run')}: they are built from the source")
    built = _from_source(session, inputs, own_files=own_files, force=force)
    session.records.keep("pin", None)  # not before: until then the pinned images are in use
    return built


def _from_source(
    session: Session, inputs: Mapping[str, Outputs], *, own_files: tuple[str, ...], force: bool
) -> tuple[Outputs, dict[str, str]]:
    """Build and push what the registry does not have."""
    requests = list(_requests(session, own_files, force))
    if not requests:
        return {}, {}
    data = RegistryData(session, addresses.login_server(session, inputs["create_container_registry"]))
    report = partial(_report, session)
    if session.config.docker.builder == "docker":
        images = Images(session, data, DockerBuilds(session, data, report))
        built = images.build(requests)
    else:
        builder = RegistryBuilds(session, addresses.registry(session), data, report)
        images = Images(session, data, builder)
        built = images.build(requests)
        builder.forget_others()
    session.arm.written[STEP] = [f"image/{key}" for key in images.built]
    session.logger.info("built: %s", ", ".join(images.built) or "nothing, every content already has an image")
    return built, images.packed


def _report(session: Session, key: str, line: str) -> None:
    """Log a line of a build's output; also show lines that announce a Dockerfile step."""
    session.logger.info("%s: %s", key, line)
    if is_progress(line):
        session.control.on_wait(f"{key}: {line}")


def _requests(session: Session, own_files: tuple[str, ...], force: bool) -> Iterator[BuildRequest]:
    """Yield a request for each service with a Dockerfile."""
    for key, service in session.config.services.items():
        if service.dockerfile is None:
            continue
        arguments, secret = {}, {}
        for name, argument in service.build_args.items():
            value = argument if isinstance(argument, str) else argument.value
            arguments[name] = value
            if not isinstance(argument, str) and argument.secret:
                secret[name] = slow_digest(value, session.records.salt)
        context = _context(session, key, own_files)
        needs_buildkit, way = _way(session, key, context(), arguments)
        yield BuildRequest(
            key=key,
            repository=service.name,
            context=context,
            needs_buildkit=needs_buildkit,
            way=way,
            dockerfile=session.config.dockerfile(key),
            target=service.target,
            platform=session.config.docker.platform,
            timeout=session.config.docker.build_timeout,
            arguments=arguments,
            secret_arguments=secret,
            force=force,
        )


def _context(session: Session, key: str, own_files: tuple[str, ...]) -> Callable[[], Context]:
    """Return a function that reads a service's build context again, without the command's own files."""
    return partial(
        Context,
        session.config.build_context,
        session.config.dockerfile(key),
        target=session.config.services[key].target,
        exclude=own_files,
        every_stage=True,  # the registry's builder also builds stages that are not needed (Azure/acr#721)
    )


def _way(session: Session, key: str, context: Context, arguments: Mapping[str, str]) -> tuple[bool, str]:
    """Return whether the registry must use BuildKit, by configuration or else by Dockerfile, and why."""
    docker = session.config.docker
    if docker.builder != "acr":
        return False, ""  # buildx is BuildKit
    found = buildkit.needs(context.dockerfile_text, target=context.target, arguments=arguments)
    places = ", ".join(f"line {need.line} has {need.what}" for need in found[:3])
    where = f"{session.config.dockerfile(key)} {places}"
    if not docker.buildkit and found:
        return False, f"built without BuildKit, as docker.buildkit is false, although {where}: it may be refused"
    if found and docker.buildkit:
        return True, f"built with BuildKit, by a task of the registry, since {where} ({UNCONFIRMED})"
    if docker.buildkit is True:
        return True, f"built with BuildKit, by a task of the registry, since docker.buildkit is true ({UNCONFIRMED})"
    return False, ""


class Images:
    """Ensures an image for each content.

    Args:
        data: the registry's data plane.
        builder: builds missing images.

    Attributes:
        built: services whose image was built.
        packed: dependencies on the bytes that were packed.
    """

    def __init__(self, session: Session, data: RegistryData, builder: Builder) -> None:
        self._session = session
        self._data = data
        self._builder = builder
        self.built: list[str] = []
        self.packed: dict[str, str] = {}

    def build(self, requests: Sequence[BuildRequest]) -> dict[str, dict[str, str]]:
        """Ensure an image for each request; missing ones are built concurrently.

        Returns:
            Service key -> `{"reference": "<login server>/<name>@sha256:…", "tag": "…"}`.

        Raises:
            BuildError: a context cannot be packed, or a build failed; the end of its log is in the message.
            AzureError: the registry refused.
            DeploymentError: several failed.
        """
        tasks = [partial(self._image, request) for request in requests]
        images = run_concurrently(tasks, width=self._session.control.parallelism)
        return {request.key: image for request, image in zip(requests, images, strict=True)}

    def _image(self, request: BuildRequest) -> dict[str, str]:
        """Return the image of one service, building it if its content has none."""
        with tempfile.TemporaryFile() as archive:
            tag, dockerfile = self._pack(request, archive)
            made = self._session.arm.created("container_registry")
            digest = None if request.force or made else self._data.digest(request.repository, tag)
            if self._session.arm.plan is not None:
                return self._announce(request, tag, digest, self._session.arm.plan)
            if digest is None:
                digest = self._builder.build(request, tag, dockerfile, archive)
                self.built.append(request.key)
        return {"reference": f"{self._data.login_server}/{request.repository}@{digest}", "tag": tag}

    def _announce(self, request: BuildRequest, tag: str, digest: str | None, plan: Plan) -> dict[str, str]:
        """Add to the plan whether the image would be built; its digest is known if the registry has it."""
        name = f"{self._data.login_server}/{request.repository}"
        plan.add(Entry(STEP, f"image/{request.key}", f"{name}:{tag}", BUILD if digest is None else REUSE, note=tag))
        return {"reference": f"{name}@{digest or pending(STEP)}", "tag": tag}

    def _pack(self, request: BuildRequest, archive: IO[bytes]) -> tuple[str, str]:
        """Pack the context; return its tag, and the Dockerfile's name in the archive.

        The packed files are compared with the hashed ones: a tree that changed meanwhile is packed again.
        """
        for _ in range(_PACK_TRIES):
            archive.seek(0)
            archive.truncate()
            context = request.context()
            hashed = context.dependencies()
            packed = pack(context, archive)
            if packed.dependencies == hashed and self._fits(packed.dependencies):
                self.packed |= packed.dependencies
                self._look_at_size(request.key, packed)
                archive.seek(0)
                arguments = {**request.arguments, **request.secret_arguments}
                tag = content_tag(packed.sha256, request.dockerfile, request.target, request.platform, arguments)
                return tag, context.dockerfile_in_pack
        raise BuildError(
            f"the files of {request.key} keep changing while they are packed",
            hint="Stop the program that writes to the build context, then run again.",
        )

    def _fits(self, dependencies: Mapping[str, str]) -> bool:
        """Return whether files shared by several images were packed alike; otherwise the result is inconsistent."""
        return all(self.packed.get(name, digest) == digest for name, digest in dependencies.items())

    def _look_at_size(self, key: str, packed: PackResult) -> None:
        size = sum(packed.sizes.values())
        if size > LARGE:
            # Advice to exclude a small file, such as the Dockerfile, would save nothing and could break the image.
            heavy = [(path, bytes_) for path, bytes_ in heaviest(packed.sizes) if bytes_ * 100 >= size]
            paths = "\n".join(f"    {bytes_ / 1e6:8.1f} MB  {path}" for path, bytes_ in heavy)
            lines = "\n".join(f"    {ignore_line(path)}" for path, _ in heavy)
            self._session.warn(
                f"{key}: its build context has {size / 1e6:.0f} MB. Its largest parts:\n{paths}\n"
                f"These lines in .dockerignore exclude them if the image does not need them:\n{lines}"
            )


class DockerBuilds:
    """Builds images with the command `docker` on this machine."""

    def __init__(self, session: Session, data: RegistryData, report: Callable[[str, str], None]) -> None:
        self._data = data
        self._control = session.control
        self._command = docker_command(session, report)
        problems = list(self._command.problems())
        if problems:
            raise DeployerError("\n".join(problems))

    def build(self, request: BuildRequest, tag: str, dockerfile: str, archive: IO[bytes]) -> str:
        """Build a context and push the image; return its digest.

        Raises:
            BuildError: docker refuses the sign-in, or the build fails.
            StopRequested: a stop was requested; the build was stopped.
        """
        server = self._data.login_server
        password = self._data.refresh_token()
        with self._control.ends_with_the_run(), self._command.signed_in(server, NO_USER, password) as command:
            image = f"{server}/{request.repository}:{tag}"
            return command.build(request.key, archive, request.build(image, dockerfile))
