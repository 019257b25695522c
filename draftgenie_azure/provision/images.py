"""Images of the application: tags made from content, built in the registry, referred to by digest."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from functools import partial

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.replies import member
from draftgenie_azure.build_context.context import Context
from draftgenie_azure.build_context.hashing import content_tag
from draftgenie_azure.build_context.packing import pack
from draftgenie_azure.digests import slow_digest
from draftgenie_azure.errors import AzureError, BuildError
from draftgenie_azure.provision.container_logs import last_lines
from draftgenie_azure.run.control import pace
from draftgenie_azure.run.schedule import side_by_side

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import IO, Any

    from draftgenie_azure.session import Session

    Outputs = dict[str, Any]

STEP = "build_and_push_images"
LOG_LINES = 30  # of a failed build, shown to the user
QUEUE = 30 * 60.0  # seconds that a build may wait for its turn
_MEND = "Mend the build, then run again: other images are kept."
_PACK_TRIES = 3
_ENDED = frozenset({"Succeeded", "Failed", "Canceled", "Error", "Timeout"})
_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)


@dataclass(frozen=True)
class BuildRequest:
    """One image that is wanted.

    Attributes:
        key: the service's key in the configuration.
        repository: the image's name in the registry.
        context: a function that reads the build context anew.
        arguments: build arguments; of secret ones (named in `secret_arguments`) only the hash enters the tag.
        force: build although the tag exists, without cache.
    """

    key: str
    repository: str
    context: Callable[[], Context]
    dockerfile: str
    platform: str
    timeout: int
    target: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_arguments: Mapping[str, str] = field(default_factory=dict)
    force: bool = False


def build(
    session: Session, inputs: Mapping[str, Outputs], *, own_files: tuple[str, ...], force: bool
) -> tuple[Outputs, dict[str, str]]:
    """Build and push the images of the services that are built.

    Args:
        own_files: absolute paths of the command's own files, which are in no build context.
        force: build although the tag exists.

    Returns:
        The images by service, and the dependencies on the very bytes that were packed.
    """
    requests = list(_requests(session, own_files, force))
    if not requests:
        return {}, {}
    registry = inputs["create_container_registry"]
    builder = RegistryBuilder(session, registry["id"], registry["login_server"])
    images = builder.build(requests)
    session.arm.written[STEP] = [f"image/{key}" for key in builder.built]
    session.logger.info("built: %s", ", ".join(builder.built) or "nothing, every content has its image")
    return images, builder.packed


def _requests(session: Session, own_files: tuple[str, ...], force: bool) -> Iterator[BuildRequest]:
    """A request for each service that is built."""
    for key, service in session.config.services.items():
        if service.dockerfile is None:
            continue
        arguments, secret = {}, {}
        for name, argument in service.build_args.items():
            value = argument if isinstance(argument, str) else argument.value
            arguments[name] = value
            if not isinstance(argument, str) and argument.secret:
                secret[name] = slow_digest(value, session.records.salt)
        yield BuildRequest(
            key=key,
            repository=service.name,
            context=_context(session, key, own_files),
            dockerfile=session.config.dockerfile(key),
            target=service.target,
            platform=session.config.docker.platform,
            timeout=session.config.docker.build_timeout,
            arguments=arguments,
            secret_arguments=secret,
            force=force,
        )


def _context(session: Session, key: str, own_files: tuple[str, ...]) -> Callable[[], Context]:
    """A function that reads a service's build context again, the command's own files left out."""
    return partial(
        Context,
        session.config.build_context,
        session.config.dockerfile(key),
        target=session.config.services[key].target,
        exclude=own_files,
        every_stage=True,  # the registry's builder makes the stages that are not needed, too (Azure/acr#721)
    )


class RegistryBuilder:
    """Builds in the registry itself, by its build API; no Docker is needed where this runs.

    Source of the sequence: the Azure CLI's `az acr build` (azure-cli 2.91, `acr/_archive_utils.py`).
    """

    def __init__(self, session: Session, registry_id: str, login_server: str) -> None:
        self._arm = session.arm
        self._transport = session.transport
        self._records = session.records
        self._control = session.control
        self._logger = session.logger
        self._tenant_id = session.tenant_id
        self._registry = registry_id
        self._login_server = login_server
        self._version = ids.API_VERSIONS["Microsoft.ContainerRegistry/registries/runs"]
        self.built: list[str] = []
        self.packed: dict[str, str] = {}  # dependencies on the very bytes that were packed

    def build(self, requests: Sequence[BuildRequest]) -> dict[str, dict[str, str]]:
        """Have an image for each request: those whose content has none are built, side by side.

        Returns:
            service key -> `{"reference": "<login server>/<name>@sha256:…", "tag": "…"}`.

        Raises:
            BuildError: a context cannot be packed, or a build failed; the end of its log is in the message.
            AzureError: the registry refused.
            DeploymentError: so it went with several.
        """
        tasks = [partial(self._image, request) for request in requests]
        images = side_by_side(tasks, width=self._control.parallelism)
        # Builds that a cut-off run began: they have ended, or nobody wants their content any longer.
        for operation in list(self._records.operations):  # a copy: other steps begin and end theirs meanwhile
            if operation.startswith(f"{self._registry}#build/"):
                self._records.operation_ended(operation)
        return {request.key: image for request, image in zip(requests, images, strict=True)}

    def _image(self, request: BuildRequest) -> dict[str, str]:
        """The image of one service, built where its content has none."""
        with tempfile.TemporaryFile() as archive:
            tag, dockerfile = self._pack(request, archive)
            digest = None if request.force else self.digest(request.repository, tag)
            run_id = self._begin(request, tag, dockerfile, archive) if digest is None else ""
        if digest is None:
            self._wait(request, tag, run_id)
            self.built.append(request.key)
            digest = self.digest(request.repository, tag)
        if digest is None:
            raise BuildError(
                f"{request.repository}:{tag} was built, but is not in the registry",
                hint="Run again: it is built once more. A retention policy of the registry may have deleted it.",
            )
        return {"reference": f"{self._login_server}/{request.repository}@{digest}", "tag": tag}

    def _fits(self, dependencies: Mapping[str, str]) -> bool:
        """Whether what several images share was packed alike; if not, nothing is sure of what is packed now."""
        return all(self.packed.get(name, digest) == digest for name, digest in dependencies.items())

    def digest(self, repository: str, tag: str) -> str | None:
        """The digest behind a tag, or None where the tag is not there."""
        token = self._pull_token(repository)
        reply = self._transport.other(
            "HEAD",
            f"https://{self._login_server}/v2/{repository}/manifests/{tag}",
            scope=None,
            headers={"Accept": _MANIFESTS, "Authorization": f"Bearer {token}"},
            accept=(404,),
        )
        if reply.status == 404:
            return None
        name = "Docker-Content-Digest"
        return member({name: reply.headers.get(name)}, name, of=f"manifest of {repository}:{tag}")

    def _pack(self, request: BuildRequest, archive: IO[bytes]) -> tuple[str, str]:
        """Pack the context; its tag, and the Dockerfile's name in the archive.

        What was packed is compared with what was listed and hashed: a tree that changes meanwhile is packed again.
        """
        for _ in range(_PACK_TRIES):
            archive.seek(0)
            archive.truncate()
            context = request.context()
            hashed = context.dependencies()
            packed = pack(context, archive)
            if packed.dependencies == hashed and self._fits(packed.dependencies):
                self.packed |= packed.dependencies
                archive.seek(0)
                arguments = {**request.arguments, **request.secret_arguments}
                tag = content_tag(packed.sha256, request.dockerfile, request.target, request.platform, arguments)
                return tag, context.dockerfile_in_pack
        raise BuildError(
            f"the files of {request.key} keep changing while they are packed",
            hint="Stop what writes into the build context, then run again.",
        )

    def _begin(self, request: BuildRequest, tag: str, dockerfile: str, archive: IO[bytes]) -> str:
        """Upload a context and start its build; or take up the build of it that a cut-off run began. The run's id."""
        operation = self._records.operations.get(self._operation(request, tag))
        if operation is not None and not request.force:
            return str(operation["url"])
        source = self._upload(request, archive)
        # A run does not tell what it was asked for, so one whose start was not answered cannot be found; a second
        # build of the same content is harmless. So this is sent again like any other request.
        reply = self._arm.act(
            f"{self._registry}/scheduleRun",
            api_version=self._version,
            body=self._run_request(request, tag, dockerfile, source),
        )
        run_id = member(reply.body, "properties", "runId", of=f"start of the build of {request.key}")
        self._records.operation_started(self._operation(request, tag), "build", run_id)
        return run_id

    def _upload(self, request: BuildRequest, archive: IO[bytes]) -> str:
        """Upload a context; where it lies, as the registry calls it."""
        # A correlation id of its own: the upload's address is made from it and the day, and one id used twice would
        # put another service's source under this image (github.com/Azure/azure-dev/pull/7776).
        fresh = {"x-ms-correlation-request-id": str(uuid.uuid4())}
        place = self._arm.act(
            f"{self._registry}/listBuildSourceUploadUrl", api_version=self._version, headers=fresh
        ).body
        address, source = (member(place, key, of="place for a build context") for key in ("uploadUrl", "relativePath"))
        size = os.fstat(archive.fileno()).st_size
        self._logger.info("%s: uploading %.1f MB of build context", request.key, size / 1e6)
        self._transport.other("PUT", address, scope=None, content=archive, headers={"x-ms-blob-type": "BlockBlob"})
        return source

    @staticmethod
    def _run_request(request: BuildRequest, tag: str, dockerfile: str, source: str) -> dict[str, Any]:
        arguments = [
            {"name": name, "value": value, "isSecret": name in request.secret_arguments}
            for name, value in request.arguments.items()
        ]
        return {
            "type": "DockerBuildRequest",
            "sourceLocation": source,
            "dockerFilePath": dockerfile,
            "imageNames": [f"{request.repository}:{tag}"],
            "isPushEnabled": True,
            "noCache": request.force,
            "platform": {"os": "Linux", "architecture": request.platform.split("/")[-1]},
            "timeout": request.timeout,
            "arguments": arguments,
            **({"target": request.target} if request.target else {}),
        }

    def _wait(self, request: BuildRequest, tag: str, run_id: str) -> None:
        """Wait for a build.

        `status` alone counts: `provisioningState` says Succeeded while a run is only queued.

        Raises:
            BuildError: it failed, with the end of its log; or it does not end.
        """
        began = time.monotonic()
        while True:
            live = self._arm.read(f"{self._registry}/runs/{run_id}", api_version=self._version)
            status = "Error" if live is None else member(live, "properties", "status", of=f"build {run_id}")
            if status in _ENDED:
                break
            waited = time.monotonic() - began
            if waited > request.timeout + QUEUE:
                raise BuildError(
                    f"{request.key}: build {run_id} is still {status} after {waited / 60:.0f} minutes",
                    hint="Run again: the wait is taken up. To have it built anew, cancel it first: az acr task "
                    f"cancel-run --registry {ids.last_name(self._registry)} --run-id {run_id}",
                )
            self._control.wait(pace(began))
        self._records.operation_ended(self._operation(request, tag))
        if status != "Succeeded":
            raise BuildError(
                f"{request.key}: build {run_id} of {request.dockerfile} ended as {status}\n"
                f"its log: az acr task logs --registry {ids.last_name(self._registry)} --run-id {run_id}",
                hint=_MEND,
                details=self._log(run_id),
            )

    def _log(self, run_id: str) -> str:
        """The last lines of a run's log, or why they cannot be shown."""
        try:
            link = self._arm.act(f"{self._registry}/runs/{run_id}/listLogSasUrl", api_version=self._version).body
            address = member(link, "logLink", of=f"log of build {run_id}")
            text = self._transport.other("GET", address, scope=None, tries=3).body
        except AzureError as error:
            return f"(its log could not be read: {error.message})"
        return last_lines(text, LOG_LINES)

    def _pull_token(self, repository: str) -> str:
        """A registry token by exchanging the ARM one (learn.microsoft.com, container-registry-authentication)."""
        base = f"https://{self._login_server}/oauth2"
        exchanged = self._transport.other(
            "POST",
            f"{base}/exchange",
            scope=None,
            form={
                "grant_type": "access_token",
                "service": self._login_server,
                "tenant": self._tenant_id,
                "access_token": self._transport.token(self._transport.endpoints.audience),
            },
        ).body
        reply = self._transport.other(
            "POST",
            f"{base}/token",
            scope=None,
            form={
                "grant_type": "refresh_token",
                "service": self._login_server,
                "scope": f"repository:{repository}:pull",
                "refresh_token": member(exchanged, "refresh_token", of="sign-in to the registry"),
            },
        )
        return member(reply.body, "access_token", of="sign-in to the registry")

    def _operation(self, request: BuildRequest, tag: str) -> str:
        return f"{self._registry}#build/{request.repository}:{tag}"
