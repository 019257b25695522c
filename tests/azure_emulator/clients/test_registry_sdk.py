"""azure-mgmt-containerregistry, azure-mgmt-containerregistrytasks and azure-containerregistry at their defaults."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from typing import Any

import pytest
from azure.containerregistry import ArtifactTagProperties, ContainerRegistryClient
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient
from azure.storage.blob import BlobClient
from emulator_client import AzureClient, archive

# azure-containerregistry never closes the connections by which it exchanges tokens: they end with its garbage, whenever
# that is collected.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)

BODY: dict[str, Any] = {"location": "eastus2", "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": True}}


@pytest.fixture
def registries(subscription: str, credential: DefaultAzureCredential) -> Iterator[Any]:
    with ContainerRegistryManagementClient(credential, subscription) as client:
        yield client.registries


@pytest.fixture
def tasks(subscription: str, credential: DefaultAzureCredential) -> Iterator[ContainerRegistryTasksMgmtClient]:
    with ContainerRegistryTasksMgmtClient(credential, subscription) as client:
        yield client


def test_a_registry_is_made_read_changed_listed_and_deleted(registries: Any) -> None:
    free = registries.check_name_availability({"name": "registry1", "type": "Microsoft.ContainerRegistry/registries"})
    made = registries.begin_create("rg", "registry1", BODY).result()
    changed = registries.begin_update("rg", "registry1", {"tags": {"a": "b"}, "sku": {"name": "Standard"}}).result()

    assert (free.name_available, made.login_server) == (True, "registry1.azurecr.io")
    assert (changed.tags, changed.sku.name, changed.sku.tier) == ({"a": "b"}, "Standard", "Standard")
    assert [item.name for item in registries.list()] == ["registry1"]
    assert [item.name for item in registries.list_by_resource_group("rg")] == ["registry1"]
    first = registries.list_credentials("rg", "registry1")
    second = registries.regenerate_credential("rg", "registry1", {"name": "password"})
    assert first.passwords[0].value != second.passwords[0].value
    assert first.passwords[1].value == second.passwords[1].value
    assert {item.name for item in registries.list_usages("rg", "registry1").value} >= {"Size", "Webhooks"}
    registries.begin_delete("rg", "registry1").result()
    with pytest.raises(ResourceNotFoundError):
        registries.get("rg", "registry1")


def test_a_taken_name_is_in_use(registries: Any, azure: AzureClient) -> None:
    azure.ok(azure.call("PUT", f"{azure.subscription}/resourceGroups/other", {"location": "eastus2"}))
    registries.begin_create("other", "registry1", BODY).result()

    with pytest.raises(ResourceExistsError) as refused:
        registries.begin_create("rg", "registry1", BODY)

    assert refused.value.error.code == "AlreadyInUse"


def test_what_a_registry_does_not_have_is_an_empty_list(
    registries: Any, credential: DefaultAzureCredential, subscription: str
) -> None:
    registries.begin_create("rg", "registry1", BODY).result()

    with ContainerRegistryManagementClient(credential, subscription) as client:
        for kind in (client.replications, client.webhooks, client.tokens, client.cache_rules, client.credential_sets):
            assert list(kind.list("rg", "registry1")) == []
        assert list(client.private_endpoint_connections.list("rg", "registry1")) == []


def test_a_premium_registry_is_replicated(
    registries: Any, credential: DefaultAzureCredential, subscription: str
) -> None:
    registries.begin_create("rg", "registry1", {**BODY, "sku": {"name": "Premium"}}).result()

    with ContainerRegistryManagementClient(credential, subscription) as client:
        made = client.replications.begin_create("rg", "registry1", "westus2", {"location": "westus2"}).result()
        assert made.status.display_status == "Ready"
        assert "westus2" in [item.location for item in client.replications.list("rg", "registry1")]
        client.replications.begin_delete("rg", "registry1", "westus2").result()
        with pytest.raises(ResourceNotFoundError):
            client.replications.get("rg", "registry1", "westus2")


def _schedule(tasks: ContainerRegistryTasksMgmtClient, dockerfile: str, **more: Any) -> Any:
    address = tasks.registries.get_build_source_upload_url("rg", "registry1")
    with BlobClient.from_blob_url(address.upload_url) as blob:
        blob.upload_blob(archive({"Dockerfile": dockerfile, "main.py": "print(1)\n"}), overwrite=True)
    request = {"sourceLocation": address.relative_path, "platform": {"os": "Linux", "architecture": "amd64"}}
    if not more:
        more = {"type": "DockerBuildRequest", "dockerFilePath": "Dockerfile", "imageNames": ["app:1"]}
    request |= more
    run = tasks.registries.schedule_run("rg", "registry1", request)
    return tasks.runs.get("rg", "registry1", run.name)


def test_runs_are_scheduled_listed_and_their_log_is_read(
    registries: Any, tasks: ContainerRegistryTasksMgmtClient
) -> None:
    registries.begin_create("rg", "registry1", BODY).result()

    run = _schedule(tasks, "FROM python:3.11-slim\nCOPY main.py .\nCMD python main.py\n")
    link = tasks.runs.get_log_sas_url("rg", "registry1", run.name).log_link

    assert (run.properties.status, run.properties.platform.os) == ("Succeeded", "Linux")
    assert [item.name for item in tasks.runs.list("rg", "registry1")] == [run.name]
    with BlobClient.from_blob_url(link) as blob:
        assert b"Step 1/3 : FROM python:3.11-slim" in blob.download_blob().readall()
        assert blob.get_blob_properties().metadata["Complete"] == "successful"


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("FROM alpine\nRUN --mount=type=cache,target=/x true\n", "the --mount option requires BuildKit"),
        ("FROM alpine\nCOPY --link main.py /\n", "dockerfile parse error line 2: Unknown flag: link"),
        ("FROM alpine\nCOPY --parents main.py /\n", "dockerfile parse error line 2: Unknown flag: parents"),
        ("FROM alpine\nCOPY --chmod=755 main.py /\n", "the --chmod option requires BuildKit"),
        ("FROM alpine\nRUN <<EOF\necho a\nEOF\n", "dockerfile parse error line 3: unknown instruction: ECHO"),
        ("FROM --platform=$BUILDPLATFORM alpine\n", 'failed to parse platform : "" is an invalid component of ""'),
    ],
)
def test_a_quick_build_has_no_buildkit(
    registries: Any, tasks: ContainerRegistryTasksMgmtClient, dockerfile: str, words: str
) -> None:
    registries.begin_create("rg", "registry1", BODY).result()

    run = _schedule(tasks, dockerfile)
    with BlobClient.from_blob_url(tasks.runs.get_log_sas_url("rg", "registry1", run.name).log_link) as blob:
        log = blob.download_blob().readall().decode()

    assert run.properties.status == "Failed"
    assert words.lower() in log.lower()


@pytest.mark.parametrize(
    ("version", "tag", "status"),
    [("v1.1.0", "$Registry/app:$ID", "Succeeded"), ("v1.0.0", "{{.Run.Registry}}/app:{{.Run.ID}}", "Succeeded"),
     ("v1.1.0", "$mine/app:$$ID", "Failed"), ("v1.0.0", "$Registry/app:2", "Failed")],
)  # fmt: skip
def test_a_task_of_the_newer_version_alone_has_aliases(
    registries: Any, tasks: ContainerRegistryTasksMgmtClient, version: str, tag: str, status: str
) -> None:
    """learn.microsoft.com/azure/container-registry/container-registry-tasks-reference-yaml; Azure/acr-builder,
    graph/preprocessor.go: `$$` is a dollar sign."""
    registries.begin_create("rg", "registry1", BODY).result()
    alias = "alias:\n  values:\n    mine: $Registry\n"
    text = f"version: {version}\n{alias}steps:\n  - build: -t {tag} .\n  - push: [{tag!r}]\n"
    content = base64.b64encode(text.encode()).decode()

    run = _schedule(tasks, "FROM alpine\n", type="EncodedTaskRunRequest", encodedTaskContent=content)

    assert run.properties.status == status
    if status == "Succeeded":
        assert run.properties.output_images[0].tag == run.name


STEPS = """\
version: v1.1.0
steps:
  - build: -t $Registry/app:2 -f Dockerfile .
    env: ["DOCKER_BUILDKIT=%s"]
  - push: ["$Registry/app:2"]
"""


@pytest.mark.parametrize(("buildkit", "status"), [("1", "Succeeded"), ("0", "Failed")])
def test_a_task_whose_step_turns_buildkit_on_builds_its_syntax(
    registries: Any, tasks: ContainerRegistryTasksMgmtClient, buildkit: str, status: str
) -> None:
    registries.begin_create("rg", "registry1", BODY).result()
    content = base64.b64encode((STEPS % buildkit).encode()).decode()

    run = _schedule(
        tasks,
        "FROM alpine\nRUN --mount=type=cache,target=/x true\n",
        type="EncodedTaskRunRequest",
        encodedTaskContent=content,
    )

    assert run.properties.status == status
    if status == "Succeeded":
        assert [(item.repository, item.tag) for item in run.properties.output_images] == [("app", "2")]


def test_a_run_is_canceled_and_a_named_run_deleted(
    registries: Any, tasks: ContainerRegistryTasksMgmtClient, azure: AzureClient
) -> None:
    registries.begin_create("rg", "registry1", BODY).result()
    azure.attached.control("POST", "/control/settings", {"scale": 1.0})
    run = _schedule(tasks, "FROM alpine\nCMD true\n")
    azure.attached.control("POST", "/control/settings", {"scale": 0})

    tasks.runs.cancel("rg", "registry1", run.name)

    assert tasks.runs.get("rg", "registry1", run.name).properties.status == "Canceled"


def test_a_task_is_made_read_changed_run_and_deleted(registries: Any, tasks: ContainerRegistryTasksMgmtClient) -> None:
    registries.begin_create("rg", "registry1", BODY).result()
    address = tasks.registries.get_build_source_upload_url("rg", "registry1")
    with BlobClient.from_blob_url(address.upload_url) as blob:
        blob.upload_blob(archive({"Dockerfile": "FROM alpine\nCMD true\n"}), overwrite=True)
    step = {
        "type": "Docker",
        "contextPath": address.relative_path,
        "dockerFilePath": "Dockerfile",
        "imageNames": ["app:{{.Run.ID}}"],
    }
    body = {"location": "eastus2", "properties": {"platform": {"os": "Linux"}, "step": step, "status": "Enabled"}}

    made = tasks.tasks.create("rg", "registry1", "build-app", body)
    changed = tasks.tasks.update("rg", "registry1", "build-app", {"properties": {"timeout": 1200}})
    request = {"type": "TaskRunRequest", "taskId": made.id}
    run = tasks.registries.schedule_run("rg", "registry1", request)

    assert (made.properties.timeout, changed.properties.timeout) == (3600, 1200)
    assert [item.name for item in tasks.tasks.list("rg", "registry1")] == ["build-app"]
    ended = tasks.runs.get("rg", "registry1", run.name).properties
    assert (ended.status, ended.task, [item.tag for item in ended.output_images]) == ("Succeeded", "build-app", ["ch1"])
    tasks.tasks.delete("rg", "registry1", "build-app")
    assert list(tasks.tasks.list("rg", "registry1")) == []


# The registry's own address


@pytest.fixture
def content(registries: Any, credential: DefaultAzureCredential) -> Iterator[ContainerRegistryClient]:
    registries.begin_create("rg", "registry1", BODY).result()
    with ContainerRegistryClient("https://registry1.azurecr.io", credential) as client:
        yield client


def _push(client: ContainerRegistryClient, tag: str, layer: bytes = b"layer") -> str:
    config, config_size = client.upload_blob("app", io.BytesIO(b"{}"))
    digest, size = client.upload_blob("app", io.BytesIO(layer))
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size}],
    }
    return client.set_manifest("app", manifest, tag=tag)


def test_an_image_is_pushed_read_tagged_locked_and_deleted(content: ContainerRegistryClient) -> None:
    layer = b"x" * (5 * 1024 * 1024)  # more than one chunk
    digest = _push(content, "1", layer)

    assert list(content.list_repository_names()) == ["app"]
    read = content.get_manifest("app", "1")
    assert (read.digest, read.manifest["schemaVersion"]) == (digest, 2)
    blob = content.download_blob("app", read.manifest["layers"][0]["digest"])
    assert hashlib.sha256(b"".join(blob)).digest() == hashlib.sha256(layer).digest()
    shown = content.get_manifest_properties("app", "1")
    assert (shown.digest, shown.tags) == (digest, ["1"])
    locked = content.update_tag_properties("app", "1", ArtifactTagProperties(can_delete=False))
    assert locked.can_delete is False
    with pytest.raises(HttpResponseError) as refused:
        content.delete_tag("app", "1")
    assert refused.value.status_code in (405, 409)
    content.update_tag_properties("app", "1", can_delete=True)
    _push(content, "2", b"other")
    assert [item.name for item in content.list_tag_properties("app")] == ["1", "2"]
    assert len(list(content.list_manifest_properties("app"))) == 2
    content.delete_tag("app", "1")
    assert [item.name for item in content.list_tag_properties("app")] == ["2"]
    content.delete_manifest("app", digest)
    with pytest.raises(ResourceNotFoundError):
        content.get_manifest("app", digest)
    content.delete_repository("app")
    assert list(content.list_repository_names()) == []


def test_a_manifest_whose_layers_were_not_pushed_is_refused(content: ContainerRegistryClient) -> None:
    missing = {"digest": f"sha256:{'0' * 64}", "size": 1, "mediaType": "application/octet-stream"}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": missing,
        "layers": [],
    }

    with pytest.raises(HttpResponseError) as refused:
        content.set_manifest("app", manifest, tag="1")

    assert refused.value.status_code in (400, 404)
    assert "BLOB_UNKNOWN" in str(refused.value) or "MANIFEST" in str(refused.value)
