"""Images that the configuration names are proved to exist, by the registry's own answer, with no token of ours."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml
from project import ROOT, Project
from scripted_azure import Answer, Request, ScriptedAzure, scripted_azure

from draftgenie_azure.config import raw as configuration
from draftgenie_azure.provision import existing_images
from draftgenie_azure.provision.image_reference import Reference


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("rabbitmq", ("docker.io", "library/rabbitmq", "latest")),
        ("rabbitmq:3-management", ("docker.io", "library/rabbitmq", "3-management")),
        ("qdrant/qdrant:v1.12", ("docker.io", "qdrant/qdrant", "v1.12")),
        ("docker.io/rabbitmq", ("docker.io", "library/rabbitmq", "latest")),
        ("docker.io/library/rabbitmq:3", ("docker.io", "library/rabbitmq", "3")),
        ("index.docker.io/a/b", ("index.docker.io", "a/b", "latest")),
        ("mcr.microsoft.com/a/b/c:1", ("mcr.microsoft.com", "a/b/c", "1")),
        ("ghcr.io/a/b@sha256:00", ("ghcr.io", "a/b", "sha256:00")),
        ("ghcr.io/a/b:1@sha256:00", ("ghcr.io", "a/b", "sha256:00")),
        ("localhost:5000/a", ("localhost:5000", "a", "latest")),
        ("localhost/a:1", ("localhost", "a", "1")),
        ("Quay.IO/a/b", ("quay.io", "a/b", "latest")),
    ],
)
def test_name_of_an_image_is_taken_apart_as_docker_does(image: str, expected: tuple[str, str, str]) -> None:
    reference = Reference(image)

    assert (reference.host, reference.repository, reference.reference) == expected


class Registry:
    """A registry that requires a token issued to anyone.

    Attributes:
        manifest: its reply with the token.
        token: the reply of the token service.
    """

    def __init__(self) -> None:
        self.url = ""
        self.realm = ""
        self.manifest = Answer()
        self.token = Answer(body={"token": "for-anybody"})

    def __call__(self, request: Request) -> Answer:
        if request.path == "/token":
            return self.token
        if request.token != "for-anybody":
            challenge = f'Bearer realm="{self.realm or self.url + "/token"}",service="registry"'
            return Answer(401, headers={"WWW-Authenticate": challenge})
        return self.manifest


def problems(azure: ScriptedAzure, directory: Path, image: str) -> tuple[list[str], list[str]]:
    """Return the problem with this image of RabbitMQ, and other messages."""
    values = {"services": {key: {"image": image} for key in ("rabbitmq", "qdrant")}}
    overlay = directory / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(values), encoding="utf-8")
    config = configuration.load([str(ROOT / "config.yaml"), str(overlay)], {})
    warnings: list[str] = []
    session = dataclasses.replace(azure.session, config=config, on_warning=warnings.append)
    return list(existing_images.problems(session)), warnings


def asked(directory: Path, registry: Registry, path: str = "a/b:1") -> tuple[list[str], list[str], list[Request]]:
    with scripted_azure(directory, registry, budget=1.0) as azure:
        registry.url = azure.url
        found, warnings = problems(azure, directory, f"{azure.url.removeprefix('https://')}/{path}")
        return found, warnings, azure.requests


def test_existing_image_is_accepted(tmp_path: Path) -> None:
    found, warnings, requests = asked(tmp_path, Registry())

    assert (found, warnings) == ([], [])
    assert [(request.method, request.path) for request in requests] == [
        ("HEAD", "/v2/a/b/manifests/1"), ("GET", "/token"), ("HEAD", "/v2/a/b/manifests/1")
    ], "one image is asked for once, whoever uses it"  # fmt: skip
    assert {request.token for request in requests} == {"", "for-anybody"}, "no token of ours"


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (Answer(404), "does not exist in localhost:"),
        (Answer(401), "is not public in localhost:"),
        (Answer(403), "it is private or misspelt"),
    ],
)
def test_image_that_cannot_be_pulled_is_reported(tmp_path: Path, manifest: Answer, words: str) -> None:
    registry = Registry()
    registry.manifest = manifest

    (found,), warnings, _ = asked(tmp_path, registry)

    assert found.startswith("rabbitmq, qdrant: the image localhost:")
    assert words in found
    assert warnings == []


@pytest.mark.parametrize("manifest", [Answer(500), Answer(429), Answer(503)])
def test_registry_that_does_not_answer_is_a_notice(tmp_path: Path, manifest: Answer) -> None:
    registry = Registry()
    registry.manifest = manifest

    found, (warning,), _ = asked(tmp_path, registry)

    assert found == []
    assert "it is unknown whether the image" in warning


@pytest.mark.parametrize("realm", ["http://localhost/token", "file:///etc/passwd", "/token", " "])
def test_token_service_that_is_not_reached_over_tls_is_not_asked(tmp_path: Path, realm: str) -> None:
    registry = Registry()
    registry.realm = realm

    (found,), _, requests = asked(tmp_path, registry)

    assert "is not public in" in found
    assert [request.method for request in requests] == ["HEAD"]


@pytest.mark.parametrize("token", [Answer(401), Answer(body={}), Answer(body="<html>"), Answer(body=[])])
def test_refused_anonymous_token_means_a_private_image(tmp_path: Path, token: Answer) -> None:
    registry = Registry()
    registry.token = token

    (found,), _, _ = asked(tmp_path, registry)

    assert "is not public in" in found


# --- our own registry ---


def test_image_of_the_own_registry_is_pulled_by_the_identity(deployed: Project) -> None:
    built = deployed.state()["steps"]["build_and_push_images"]["outputs"]["draft_service"]
    host = built["reference"].partition("/")[0]
    deployed.change("services.qdrant.image", f"{host}/draft-service:{built['tag']}")

    deployed.run()  # what the container does is of no interest here

    puts = [
        request["body"]
        for request in deployed.requests()
        if request["method"] in ("PUT", "PATCH") and request["path"].endswith("/containerApps/qdrant")
    ]
    (registry,) = puts[-1]["properties"]["configuration"]["registries"]
    assert registry["server"] == host
    assert "/userAssignedIdentities/" in registry["identity"]


def test_image_that_is_not_in_the_own_registry_stops_the_run_before_it_writes(deployed: Project) -> None:
    built = deployed.state()["steps"]["build_and_push_images"]["outputs"]["draft_service"]
    host = built["reference"].partition("/")[0]
    deployed.change("services.qdrant.image", f"{host}/draft-service:misspelt")
    seen = len(deployed.requests())

    failed = deployed.run()

    assert failed.code == 1
    assert f"qdrant: the image {host}/draft-service:misspelt is not in the registry" in failed.err
    assert not [write for write in deployed.writes(seen) if "/containerApps/" in write]


def test_image_of_a_registry_that_does_not_exist_yet_stops_the_run(project: Project) -> None:
    name = project.config()["container_registry"]["name"]
    project.change("services.qdrant.image", f"{name}.azurecr.io/qdrant:1")

    failed = project.run()

    assert failed.code == 1
    assert "does not exist yet" in failed.err
    assert not [write for write in project.writes() if write.startswith("PUT")]
