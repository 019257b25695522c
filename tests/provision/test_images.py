"""Builds in the registry: what is sent again, what is waited for and how long, and what is said where several fail."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from project import Project
from scripted_azure import GROUP, Answer, Request, ScriptedAzure, scripted_azure

from draftgenie_azure.build_context.context import Context
from draftgenie_azure.errors import AuthenticationError, AzureError, BuildError
from draftgenie_azure.provision import registry_builds
from draftgenie_azure.provision.build_request import BuildRequest
from draftgenie_azure.provision.images import Images
from draftgenie_azure.provision.registry_builds import RegistryBuilds
from draftgenie_azure.provision.registry_data import RegistryData

REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/acr"
START = {"method": "POST", "path": "*/scheduleRun"}
PAGE = "<html>welcome to the hotel</html>"


def builds(project: Project) -> int:
    """Return the number of requested builds."""
    return sum(request["path"].endswith("/scheduleRun") for request in project.requests())


def edit(project: Project, line: str) -> None:
    """Append a line to the Dockerfile of the service draft-service."""
    dockerfile = project.directory / "examples/draftgenie/docker/Dockerfile.draft-service"
    dockerfile.write_text(f"{dockerfile.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")


# --- what is sent again ---


@pytest.mark.parametrize(
    "fault",
    [{"drop": "before"}, {"drop": "after"}, {"status": 500}, {"status": 503, "retry_after": 1}],
    ids=["lost", "reply lost", "500", "503"],
)
def test_start_of_a_build_is_sent_again_where_it_is_unknown_whether_it_arrived(
    deployed: Project, fault: dict[str, Any]
) -> None:
    """A second build of the same content does no harm; the context is not uploaded again."""
    edit(deployed, "# edited")
    seen = len(deployed.requests())

    deployed.deploy(*deployed.faults({**START, **fault}))

    writes = deployed.writes(seen)
    assert sum(write.endswith("/scheduleRun") for write in writes) == 2
    assert sum(write.endswith(".tar.gz") for write in writes) == 1


def test_start_of_a_build_that_goes_on_failing_ends_with_the_budget(deployed: Project) -> None:
    """Its own words are shown."""
    edit(deployed, "# edited")
    deployed.change("advanced.operation_timeout", 3)
    fault = {**START, "status": 500, "times": 99, "message": "The registry is on fire."}
    before = builds(deployed)

    failed = deployed.run(*deployed.faults(fault))

    assert failed.code == 1
    assert "The registry is on fire." in failed.err
    assert builds(deployed) > before + 1


# --- several that fail ---


@pytest.mark.slow
def test_every_image_that_fails_is_reported_and_the_others_are_kept(project: Project) -> None:
    """A build that fails and a registry that refuses hide neither each other nor what was built."""
    edit(project, "RUN exit 3")
    refused = {"method": "HEAD", "path": "*/v2/rag-service/manifests/*", "status": 403, "code": "DENIED"}

    failed = project.run(*project.faults(refused))

    assert failed.code == 1
    assert "draft_service: build" in failed.err
    assert "exit 3" in failed.err
    assert "next: Correct the build, then run again: other images are kept." in failed.err
    assert "/v2/rag-service/manifests/" in failed.err
    before = builds(project)
    edit(project, "# mended")
    dockerfile = project.directory / "examples/draftgenie/docker/Dockerfile.draft-service"
    dockerfile.write_text(dockerfile.read_text(encoding="utf-8").replace("RUN exit 3", ""), encoding="utf-8")
    project.deploy()
    assert builds(project) == before + 1, "the refusal came after the other one was built"


# --- a registry that answers oddly ---


def build_request(directory: Path) -> BuildRequest:
    """One image of one file."""
    (directory / "context").mkdir(exist_ok=True)
    (directory / "context" / "Dockerfile").write_text("FROM scratch\nCOPY . /\n", encoding="utf-8")
    context = partial(Context, str(directory / "context"), "Dockerfile")
    return BuildRequest(
        key="api", repository="api", context=context, dockerfile="Dockerfile", platform="linux/amd64", timeout=1
    )


class Registry:
    """A script for a registry that has no image until a build is seen to have succeeded.

    Attributes:
        status: status of the build.
        odd: URL suffix -> reply.
        started: number of requested builds.
        told: lines of the build's output.
    """

    def __init__(self, status: str = "Succeeded") -> None:
        self.status = status
        self.odd: dict[str, Answer] = {}
        self.url = ""
        self.started = 0
        self.told: list[str] = []
        self._built = False

    def tell(self, key: str, line: str) -> None:
        """A line of the build's output."""
        self.told.append(line)

    def __call__(self, request: Request) -> Answer:
        self.started += request.path.endswith("/scheduleRun")
        self._built |= request.path.endswith("/ch1") and self.status == "Succeeded"
        for end, answer in self.odd.items():
            if request.path.endswith(end):
                return answer
        if request.method == "HEAD":
            return Answer(headers={"Docker-Content-Digest": "sha256:1"}) if self._built else Answer(404)
        properties = {"runId": "ch1", "status": self.status, "provisioningState": "Succeeded"}
        if request.path.endswith(("/scheduleRun", "/ch1")):
            return Answer(body={"properties": properties})
        return Answer(
            body={
                "uploadUrl": f"{self.url}/tasks-source", "relativePath": "x", "logLink": f"{self.url}/log",
                "refresh_token": "r", "access_token": "a",
            }
        )  # fmt: skip


def build(azure: ScriptedAzure, registry: Registry, request: BuildRequest) -> dict[str, dict[str, str]]:
    """Have an image."""
    registry.url = azure.url
    data = RegistryData(azure.session, azure.url.removeprefix("https://"))
    builder = RegistryBuilds(azure.session, REGISTRY, data, registry.tell)
    return Images(azure.session, data, builder).build([request])


def test_build_that_stays_queued_is_given_up_and_resumed_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own time-out and some time for its turn; the message says how to be rid of it."""
    monkeypatch.setattr(registry_builds, "QUEUE", 1.0)
    registry = Registry("Queued")
    with scripted_azure(tmp_path, registry) as azure:
        with pytest.raises(BuildError, match="api: build ch1 is still Queued after") as failure:
            build(azure, registry, build_request(tmp_path))
        assert "az acr task cancel-run --registry acr --run-id ch1" in str(failure.value.hint)

        registry.status = "Succeeded"

        assert build(azure, registry, build_request(tmp_path))["api"]["reference"].endswith("/api@sha256:1")
        assert registry.started == 1


@pytest.mark.parametrize("place", ["/oauth2/exchange", "/oauth2/token", "/manifests/1"])
def test_sign_in_to_the_registry_that_ran_out_by_its_clock_is_made_anew(tmp_path: Path, place: str) -> None:
    """Our clock stands still while a machine sleeps. A 401 is answered with the same request once, so there are two."""
    given, expired = 0, False

    def script(request: Request) -> Answer:
        nonlocal given, expired
        if request.path.endswith(place) and not expired:
            expired = given > 0
            given += not expired
            return Answer(401)
        if request.method == "HEAD":
            return Answer(headers={"Docker-Content-Digest": "sha256:1"})
        return Answer(body={"refresh_token": "r", "access_token": "a"})

    with scripted_azure(tmp_path, script) as azure:
        data = RegistryData(azure.session, azure.url.removeprefix("https://"))

        assert data.digest("api", "1") == "sha256:1"
        assert len([request for request in azure.requests if request.path.endswith("/oauth2/exchange")]) >= 2


@pytest.mark.parametrize("place", ["/oauth2/exchange", "/oauth2/token", "/manifests/1"])
def test_registry_that_keeps_refusing_the_sign_in_is_a_failure(tmp_path: Path, place: str) -> None:
    def script(request: Request) -> Answer:
        return Answer(401) if request.path.endswith(place) else Answer(body={"refresh_token": "r", "access_token": "a"})

    with scripted_azure(tmp_path, script) as azure:
        data = RegistryData(azure.session, azure.url.removeprefix("https://"))
        with pytest.raises(AuthenticationError, match="401"):
            data.digest("api", "1")


@pytest.mark.parametrize("body", [PAGE, "", {}, [], None], ids=["page", "nothing", "empty", "list", "null"])
@pytest.mark.parametrize(
    "place", ["/listBuildSourceUploadUrl", "/scheduleRun", "/oauth2/exchange", "/oauth2/token", "/ch1"]
)
def test_answer_of_another_shape_is_an_error_with_what_to_look_at(tmp_path: Path, place: str, body: Any) -> None:
    """Something in between may have answered."""
    registry = Registry()
    registry.odd[place] = Answer(body=body)
    with scripted_azure(tmp_path, registry, budget=0.5) as azure, pytest.raises(AzureError) as failure:
        build(azure, registry, build_request(tmp_path))

    assert "proxy and network" in str(failure.value.hint)


def test_image_without_a_digest_is_an_error(tmp_path: Path) -> None:
    """A reference by tag would not be of the content that was built."""
    registry = Registry()

    def script(request: Request) -> Answer:
        return Answer() if request.method == "HEAD" else registry(request)

    with scripted_azure(tmp_path, script) as azure, pytest.raises(AzureError, match="without Docker-Content-Digest"):
        build(azure, registry, build_request(tmp_path))


@pytest.mark.parametrize("body", [PAGE, {}, {"logLink": None}])
def test_failed_build_is_reported_although_its_log_cannot_be_read(tmp_path: Path, body: Any) -> None:
    """The failure matters more than the log."""
    registry = Registry("Failed")
    registry.odd["/listLogSasUrl"] = Answer(body=body)
    with scripted_azure(tmp_path, registry) as azure, pytest.raises(BuildError) as failure:
        build(azure, registry, build_request(tmp_path))

    assert "build ch1 of Dockerfile ended as Failed\nits log: az acr task logs " in failure.value.message
    assert "(its log could not be read: " in failure.value.details
