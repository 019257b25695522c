"""Images of private registries of others: by an identity, by user and secret; proved before anything is deployed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import requests
from by_hand import put_by_hand, settle
from plain_project import APPS, PLAIN, check_types
from project import Project

from azure_emulator.attach import attach

pytestmark = pytest.mark.slow
REGISTRIES, ROLES, IDENTITIES = "2025-11-01", "2022-04-01", "2024-11-30"
HOST = "otherdemo.azurecr.io"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"


def pushed(project: Project, credentials: tuple[str, str]) -> None:
    """An image `app:1` in the other registry."""
    with attach(project.directory / ".azure-emulator") as emulator, requests.Session() as http:
        assert emulator is not None
        http.trust_env = False
        http.proxies, http.verify, http.auth = {"https": emulator.proxy_url}, str(emulator.ca_file), credentials
        blobs = {"config": b"{}", "layer": b"layer"}
        parts = {}
        for name, data in blobs.items():
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            place = http.post(f"https://{HOST}/v2/app/blobs/uploads/").headers["Location"]
            where = place if place.startswith("https:") else f"https://{HOST}{place}"
            done = http.put(where, params={"digest": digest}, data=data)
            assert done.status_code == 201, done.text
            parts[name] = {"mediaType": f"application/vnd.oci.image.{name}.v1", "digest": digest, "size": len(data)}
        kind = "application/vnd.oci.image.manifest.v1+json"
        body = {"schemaVersion": 2, "mediaType": kind, "config": parts["config"], "layers": [parts["layer"]]}
        sent = http.put(f"https://{HOST}/v2/app/manifests/1", data=json.dumps(body), headers={"Content-Type": kind})
        assert sent.status_code == 201, sent.text


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A deployed project, and an external registry with one image."""
    made = Project(tmp_path)
    made.write(PLAIN)
    made.deploy()
    with made.azure() as azure:
        group = made.state()["resources"]["resource_group"]["id"]
        other = f"{group}/providers/Microsoft.ContainerRegistry/registries/otherdemo"
        body = {"location": "eastus2", "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": True}}
        settle(azure, azure.send("PUT", other, REGISTRIES, body), REGISTRIES)
        found = azure.send("POST", f"{other}/listCredentials", REGISTRIES).json()
    made.environment["OTHER_PASSWORD"] = found["passwords"][0]["value"]
    pushed(made, ("otherdemo", made.environment["OTHER_PASSWORD"]))
    return made


def use(project: Project, registry: dict[str, Any] | None, image: str = f"{HOST}/app:1") -> None:
    values = project.config()
    values["services"]["web"]["image"] = image
    values["secrets"]["other_password"] = "${OTHER_PASSWORD}"
    values.pop("registries", None)
    if registry is not None:
        values["registries"] = [{"server": HOST, **registry}]
    project.write(values)


def web(project: Project) -> dict[str, Any]:
    with project.azure() as azure:
        body: dict[str, Any] = azure.send("GET", project.state()["resources"]["container_app/web"]["id"], APPS).json()
    return body


def entries(body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body["properties"]["configuration"]["registries"] or []
    return found


CREDENTIALS = {"username": "otherdemo", "secret": "other_password"}


def test_password_reaches_the_app_through_the_vault_and_is_removed_with_the_entry(project: Project) -> None:
    use(project, CREDENTIALS)

    project.deploy()

    check_types(project)
    (entry,) = entries(web(project))
    assert (entry["server"], entry["username"], entry["passwordSecretRef"]) == (HOST, "otherdemo", "other-password")
    (secret,) = web(project)["properties"]["configuration"]["secrets"]
    assert secret["keyVaultUrl"].endswith("/secrets/other-password")
    since = len(project.requests())
    assert project.deploy().ran() == {}
    assert project.writes(since) == []

    use(project, None, image="nginx")
    project.deploy()
    assert entries(web(project)) == []
    assert not web(project)["properties"]["configuration"]["secrets"]


def test_separate_identity_signs_in_and_is_assigned_to_the_app(project: Project) -> None:
    with project.azure() as azure:
        group = project.state()["resources"]["resource_group"]["id"]
        identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/puller"
        made = azure.send("PUT", identity, IDENTITIES, {"location": "eastus2"}).json()
        registry = f"{group}/providers/Microsoft.ContainerRegistry/registries/otherdemo"
        role = f"{registry}/providers/Microsoft.Authorization/roleAssignments/0a7c3b1e-0000-4000-8000-000000000001"
        subscription = "/".join(group.split("/")[:3])
        properties = {
            "roleDefinitionId": f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{ACR_PULL}",
            "principalId": made["properties"]["principalId"],
            "principalType": "ServicePrincipal",
        }
        azure.send("PUT", role, ROLES, {"properties": properties})
    use(project, {"identity": identity})

    project.deploy()

    (entry,) = entries(web(project))
    assert (entry["server"], entry["identity"].lower()) == (HOST, identity.lower())
    assert identity.lower() in {name.lower() for name in web(project)["identity"]["userAssignedIdentities"]}
    assert project.deploy().ran() == {}


@pytest.mark.parametrize(
    ("registry", "image", "words"),
    [
        (None, f"{HOST}/app:1", f"add {HOST} to `registries`"),
        (CREDENTIALS, f"{HOST}/app:2", f"does not exist in {HOST}"),
        ({"username": "otherdemo", "secret": "token"}, f"{HOST}/app:1", "to the user and the secret under"),
        ({"identity": "app"}, f"{HOST}/app:2", f"does not exist in {HOST}"),
    ],
)
def test_image_that_cannot_be_pulled_stops_the_run_before_it_writes(
    project: Project, registry: dict[str, Any] | None, image: str, words: str
) -> None:
    use(project, registry, image)
    since = len(project.requests())

    done = project.run()

    assert done.code == 1
    assert words in " ".join(done.text.split())
    assert not any("/containerApps/" in write for write in project.writes(since))
    assert project.environment["OTHER_PASSWORD"] not in done.text


def test_registry_added_by_others_is_kept(project: Project) -> None:
    with project.azure() as azure:
        app = project.state()["resources"]["container_app/web"]["id"]
        changes = {
            "secrets": [{"name": "by-hand", "value": "one-by-hand"}],
            "registries": [{"server": "ghcr.io", "username": "bot", "passwordSecretRef": "by-hand"}],
        }
        put_by_hand(azure, app, APPS, {"properties": {"configuration": changes}})
    use(project, CREDENTIALS)

    project.deploy()

    assert {entry["server"] for entry in entries(web(project))} == {"ghcr.io", HOST}
