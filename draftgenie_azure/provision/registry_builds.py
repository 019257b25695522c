"""Build images in the registry by its build API, without a local Docker.

Source of the sequence: the Azure CLI's `az acr build` (azure-cli 2.91, `acr/_archive_utils.py`).
"""

from __future__ import annotations

import os
import uuid

from draftgenie_azure.arm import hosts, ids
from draftgenie_azure.arm.replies import member
from draftgenie_azure.errors import AzureError, BuildError, StopRequested
from draftgenie_azure.provision.bodies.builds import buildkit_task, quick_build
from draftgenie_azure.provision.build_log import BuildLog
from draftgenie_azure.run.poll import poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from draftgenie_azure.provision.build_request import BuildRequest
    from draftgenie_azure.provision.registry_data import RegistryData
    from draftgenie_azure.session import Session

QUEUE = 30 * 60.0  # seconds that a build may be queued
_ENDED = frozenset({"Succeeded", "Failed", "Canceled", "Error", "Timeout"})


class RegistryBuilds:
    """Builds images in the registry.

    Args:
        registry_id: resource id of the registry.
        data: its data plane.
        report: called with the service's key and each line of a build's output.
    """

    def __init__(
        self, session: Session, registry_id: str, data: RegistryData, report: Callable[[str, str], None]
    ) -> None:
        self._session = session
        self._arm = session.arm
        self._records = session.records
        self._control = session.control
        self._registry = registry_id
        self._data = data
        self._report = report
        self._version = ids.API_VERSIONS["Microsoft.ContainerRegistry/registries/runs"]

    def build(self, request: BuildRequest, tag: str, dockerfile: str, archive: IO[bytes]) -> str:
        """Build a context; return the image's digest.

        Args:
            tag: tag of the image.
            dockerfile: path of the Dockerfile in the archive.
            archive: the context as tar.gz.

        Raises:
            BuildError: it failed, with the end of its log; or it does not end.
            StopRequested: a stop was requested; the build was cancelled.
        """
        operation = self._operation(request, tag)
        begun = None if request.force else self._records.operations.get(operation)
        if begun is None or not self._wait(request, tag, str(begun["url"]), resumed=True):
            self._wait(request, tag, self._begin(request, tag, dockerfile, archive))
        digest = self._data.digest(request.repository, tag)
        if digest is None:
            raise BuildError(
                f"{request.repository}:{tag} was built, but is not in the registry",
                hint="Run again to rebuild it. A retention policy of the registry may have deleted it.",
            )
        return digest

    def forget_others(self) -> None:
        """Forget builds of an interrupted run: they have ended, or their content is no longer needed."""
        for operation in list(self._records.operations):  # a copy: other steps change theirs meanwhile
            if operation.startswith(f"{self._registry}#build/"):
                self._records.operation_ended(operation)

    def _begin(self, request: BuildRequest, tag: str, dockerfile: str, archive: IO[bytes]) -> str:
        """Upload a context and start its build; return the run's id."""
        if request.way:
            self._control.on_wait(f"{request.key}: {request.way}")
        source = self._upload(request, archive)
        # A run does not contain its request, so one whose start got no reply cannot be found; a second
        # build of the same content is harmless. So this is sent again like any other request.
        build = request.build(f"{request.repository}:{tag}", dockerfile)
        body = (buildkit_task if request.needs_buildkit else quick_build)(build, source)
        reply = self._arm.act(f"{self._registry}/scheduleRun", api_version=self._version, body=body)
        return member(reply.body, "properties", "runId", of=f"start of the build of {request.key}")

    def _upload(self, request: BuildRequest, archive: IO[bytes]) -> str:
        """Upload a context; return the registry's reference to it."""
        # A separate correlation id: the upload's URL is derived from it and the day, and reusing one would
        # put another service's source under this image (github.com/Azure/azure-dev/pull/7776).
        fresh = {"x-ms-correlation-request-id": str(uuid.uuid4())}
        place = self._arm.act(
            f"{self._registry}/listBuildSourceUploadUrl", api_version=self._version, headers=fresh
        ).body
        address, source = (member(place, key, of="place for a build context") for key in ("uploadUrl", "relativePath"))
        hosts.check_storage(address, self._session.transport.endpoints, "the place for a build context")
        archive.seek(0)
        size = os.fstat(archive.fileno()).st_size
        self._session.logger.info("%s: uploading %.1f MB of build context", request.key, size / 1e6)
        self._session.transport.other(
            "PUT", address, scope=None, content=archive, headers={"x-ms-blob-type": "BlockBlob"}
        )
        return source

    def _wait(self, request: BuildRequest, tag: str, run_id: str, *, resumed: bool = False) -> bool:
        """Wait for a build and report its log; return False if a resumed one no longer exists or was cancelled.

        Only `status` is relevant: `provisioningState` is Succeeded while a run is only queued.

        Raises:
            BuildError: it failed, with the end of its log; or it does not end.
        """
        run = f"{self._registry}/runs/{run_id}"
        log = BuildLog(self._session, run, self._version, lambda line: self._report(request.key, line))
        with self._control.ends_with_the_run():
            try:
                if not resumed:
                    self._records.operation_started(self._operation(request, tag), "build", run_id)
                status = self._ended(request, run_id, log)
            except StopRequested:
                if self._control.lock_held():  # otherwise another run may have resumed the build
                    self._cancel(request, tag, run)
                raise
        self._records.operation_ended(self._operation(request, tag))
        if resumed and status in ("", "Canceled"):
            return False
        if status == "Succeeded":
            log.finish()
        else:
            raise BuildError(
                f"{request.key}: build {run_id} of {request.dockerfile} ended as {status or 'Error'}\n"
                f"its log: az acr task logs --registry {ids.last_name(self._registry)} --run-id {run_id}",
                hint=_advice(request),
                details=log.end(),
            )
        return True

    def _ended(self, request: BuildRequest, run_id: str, log: BuildLog) -> str:
        """Return the final status of a build; empty if it does not exist."""
        status = ""

        def look() -> str | None:
            nonlocal status
            live = self._arm.read(f"{self._registry}/runs/{run_id}", api_version=self._version)
            status = "" if live is None else member(live, "properties", "status", of=f"build {run_id}")
            if status == "Running":
                log.follow()
            return status if live is None or status in _ENDED else None

        limit = request.timeout + QUEUE
        ended = poll(look, control=self._control, limit=limit)
        if ended is None:
            raise BuildError(
                f"{request.key}: build {run_id} is still {status} after {limit / 60:.0f} minutes",
                hint="Run again: the wait is resumed. To restart the build, cancel it first: az acr task "
                f"cancel-run --registry {ids.last_name(self._registry)} --run-id {run_id}",
            )
        return ended

    def _cancel(self, request: BuildRequest, tag: str, run: str) -> None:
        """Cancel an abandoned build; one that cannot be cancelled is resumed by the next run."""
        try:
            self._session.transport.arm("POST", f"{run}/cancel", params={"api-version": self._version}, parting=True)
        except AzureError as error:
            self._session.logger.info("%s: its build continues: %s", request.key, error.message)
        else:
            self._session.logger.info("%s: its build was cancelled", request.key)
            self._records.operation_ended(self._operation(request, tag))

    def _operation(self, request: BuildRequest, tag: str) -> str:
        return f"{self._registry}#build/{request.repository}:{tag}"


def _advice(request: BuildRequest) -> str:
    advice = "Correct the build, then run again: other images are kept."
    if request.needs_buildkit:
        advice += (
            " It was built with BuildKit, which Azure does not document for its registry: if BuildKit is what failed,"
            " set docker.builder to docker, or docker.buildkit to false and build without what needs it."
        )
    return advice
