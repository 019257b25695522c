"""A state, a copy or an emergency state file says another host: nothing is sent there, and the deployment goes on."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from project import new_project
from recording_proxy import RecordingProxy

from azure_emulator.attach import attach

HISTORY = ".azure-deployment-history"
EVIL = "evil.test"
NAMED = re.compile(
    r"management\.azure\.com|login\.microsoftonline\.com|draftgenie[a-z0-9-]*\.(vault\.azure\.net|azurecr\.io)"
    r"|[a-z0-9]+\.blob\.core\.windows\.net|[a-z0-9-]+\.azurecontainerapps\.dev|[a-z0-9.-]+\.azurecontainerapps\.io"
    r"|(registry-1|auth)\.docker\.io"  # the images that the configuration names
)
Path_ = tuple[str | int, ...]


class Deployment:
    """Everything deployed as on Azure, by proxy and CA file alone, with a record of the hosts that a run reaches."""

    def __init__(self, directory: Path) -> None:
        self.project = new_project(directory)
        (directory / "home").mkdir()
        (directory / "home" / ".netrc").write_text("default login somebody password else\n", encoding="utf-8")
        (directory / "home" / ".netrc").chmod(0o600)
        self.emulator = attach(directory / "azure")
        assert self.emulator is not None
        self.proxy = RecordingProxy(self.emulator.proxy_url)
        self.project.environment = {
            "HTTPS_PROXY": self.proxy.url, "NO_PROXY": "", "no_proxy": "", "https_proxy": self.proxy.url,
            "REQUESTS_CA_BUNDLE": str(self.emulator.ca_file), "CURL_CA_BUNDLE": "", "HOME": str(directory / "home"),
            "AZURE_TENANT_ID": self.emulator.tenant_id, "AZURE_CLIENT_ID": self.emulator.client_id,
            "AZURE_CLIENT_SECRET": self.emulator.client_secret, "GEMINI_API_KEY": "key-of-gemini-1",
            "INSTANOTE_API_KEY": "key-of-instanote-1", "INSTANOTE_API_URL": "https://instanote.example",
        }  # fmt: skip
        self.project.change("azure.cloud", "AzureCloud")
        self.project.deploy()
        self.state = self.project.state()

    def close(self) -> None:
        """Let go of it."""
        self.proxy.close()
        assert self.emulator is not None
        self.emulator.close()

    def put(self, document: dict[str, Any]) -> None:
        """Have a state in the place of the deployment's."""
        self.project.state_file.write_text(json.dumps(document), encoding="utf-8")
        self.proxy.hosts.clear()

    def foreign(self) -> set[str]:
        """Return hosts that a run tried to reach and that are not configured."""
        return {host for host in self.proxy.hosts if not NAMED.fullmatch(host)}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One for all tests of this file."""
    made = Deployment(tmp_path_factory.mktemp("hostile"))
    yield made
    made.close()


def strings(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the paths of texts in a document."""
    if isinstance(value, str):
        yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from strings(item, (*path, key))


def with_text(document: dict[str, Any], path: Path_, text: str) -> dict[str, Any]:
    """A copy of the document in which one text is another."""
    changed = copy.deepcopy(document)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = text
    return changed


def hostile(text: str) -> str:
    """A text of the same form at another host."""
    if text.startswith("https://"):
        return f"https://{EVIL}/{text.split('/', 3)[-1]}"
    if text.startswith("/subscriptions/"):
        return f"https://{EVIL}{text}"
    return EVIL


def texts_of_outputs(state: dict[str, Any]) -> list[Path_]:
    """Yield the paths of texts in outputs."""
    return [path for path in strings(state["steps"]) if "outputs" in path]


FORCED = ("--force-step", "store_secrets", "--force-step", "build_and_push_images", "--force-step", "verify_deployment")


def check(deployment: Deployment, document: dict[str, Any], *arguments: str) -> str:
    """Run with a state; what is printed holds no traceback, and no foreign host was wanted."""
    deployment.put(document)
    result = deployment.project.run("--output", "json", *arguments)

    assert "Traceback" not in result.text, result.text
    assert deployment.foreign() == set()
    return result.text


def test_netrc_and_its_default_entry_are_not_read(deployment: Deployment) -> None:
    """Neither for tokens nor for Resource Manager or data planes: everything was deployed with it in place."""
    assert {record["status"] for record in deployment.state["steps"].values()} == {"completed"}
    assert any(host.endswith(".vault.azure.net") or host.endswith(".azurecr.io") for host in deployment.proxy.hosts)


@pytest.mark.parametrize(
    ("step", "key"),
    [
        ("create_container_registry", "login_server"), ("create_container_registry", "id"),
        ("create_key_vault", "vault_uri"), ("create_key_vault", "id"), ("create_monitoring", "app_insights_id"),
        ("create_container_apps_env", "default_domain"), ("create_container_apps_env", "id"),
        ("create_resource_group", "identity_id"),
    ],
)  # fmt: skip
def test_output_with_another_host_is_replaced(step: str, key: str, deployment: Deployment) -> None:
    """With a reason; its content does not appear afterwards."""
    path = ("steps", step, "outputs", key)
    deployment.put(with_text(deployment.state, path, hostile(deployment.state["steps"][step]["outputs"][key])))

    result = deployment.project.run("--output", "json", *FORCED)

    assert result.code == 0, result.text
    assert "recorded" in " ".join(result.ran()[step])
    assert deployment.foreign() == set()
    assert EVIL not in deployment.project.state_file.read_text(encoding="utf-8")
    assert deployment.project.state()["steps"][step]["outputs"] == deployment.state["steps"][step]["outputs"]


def test_nested_outputs_with_another_host_are_replaced(deployment: Deployment) -> None:
    """Secrets' addresses, images, hosts of databases: all at once."""
    document = copy.deepcopy(deployment.state)
    for path in texts_of_outputs(document):
        if path[-1] in ("uri", "host", "keys_of", "reference"):
            value: Any = document["steps"]
            for key in path:
                value = value[key]
            document = with_text(document, ("steps", *path), hostile(value))

    deployment.put(document)
    result = deployment.project.run("--output", "json", *FORCED)

    assert result.code == 0, result.text
    assert deployment.foreign() == set()
    assert EVIL not in deployment.project.state_file.read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [FORCED, ("--force-all",), ("--dry-run",), ("--status",)], ids=" ".join)
def test_state_with_foreign_addresses_reaches_no_other_host(arguments: tuple[str, ...], deployment: Deployment) -> None:
    """Ids, hosts, operations and secrets: the run ends with or without a message, and reaches no other host."""
    document = copy.deepcopy(deployment.state)
    document["operations"] = {
        record["id"]: {"kind": "status", "url": f"https://{EVIL}{record['id']}", "started_at": "2026-11-24T10:30:00Z"}
        for record in document["resources"].values()
    }
    for section in ("steps", "resources", "operations"):
        for path in strings(document[section]):
            if "outputs" in path or path[-1] in ("id", "url"):
                value: Any = document[section]
                for key in path:
                    value = value[key]
                document = with_text(document, (section, *path), hostile(value))

    check(deployment, document, *arguments)


@pytest.mark.parametrize("place", ["copy", "rescue"])
def test_copied_state_with_foreign_addresses_reaches_no_other_host(place: str, deployment: Deployment) -> None:
    """Restored as the command suggests; the next run reaches no other host."""
    document = {**copy.deepcopy(deployment.state), "serial": deployment.state["serial"] + 100}
    for path in texts_of_outputs(document):
        document = with_text(document, ("steps", *path), f"https://{EVIL}/subscriptions/x")
    directory = deployment.project.directory
    name = deployment.project.state_file.name
    file = directory / f"{name}.rescue-20260101T000000Z-1.json"
    if place == "copy":
        (directory / HISTORY).mkdir(mode=0o700, exist_ok=True)
        file = directory / HISTORY / f"{name}.99999999.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    file.chmod(0o600)
    deployment.put(deployment.state)

    assert deployment.project.run("--restore-state", str(file)).code == 0
    result = deployment.project.run("--output", "json")
    file.unlink()

    assert "Traceback" not in result.text
    assert deployment.foreign() == set()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_single_text_of_the_state_reaches_another_host(deployment: Deployment) -> None:
    """One at a time, as a hostile host; runs that go wrong say so. HOSTILE_EVERY=1 tries each, which takes hours."""
    tried = 0
    for number, path in enumerate(strings(deployment.state)):
        if "dependencies" in path or path[-1] in ("timestamp", "dependency_hash", "started_at"):
            continue
        if number % int(os.environ.get("HOSTILE_EVERY", "25")):
            continue
        value: Any = deployment.state
        for key in path:
            value = value[key]
        check(deployment, with_text(deployment.state, path, hostile(value)), *FORCED)
        tried += 1

    assert tried > 10
    assert os.path.exists(deployment.project.state_file)
