"""Secrets that this run's environment does not give, that live in the vault alone, or that others changed there."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from project import COMMAND, Project, Result, contents

VERSION = "2026-02-01"
FIRST, SECOND = "first-key-0123", "second-key-4567"


def on_disk(project: Project) -> str:
    """All that the project's directory holds besides the vault."""
    files = [content for path, content in contents(project.directory) if path.name != "vault.json"]
    return "\n".join(content.decode(errors="replace") for content in files)


def put(project: Project, name: str, value: str) -> None:
    """Set a secret in the vault, as a person would."""
    vault = project.state()["resources"]["key_vault"]["id"]
    with project.azure() as azure:
        azure.send("PUT", f"{vault}/secrets/{name}", VERSION, {"properties": {"value": value}})


def live(project: Project, name: str) -> str:
    """The value of a secret in the version that is current in the vault."""
    vault = project.state()["resources"]["key_vault"]["id"]
    with project.azure() as azure:
        secret = azure.send("GET", f"{vault}/secrets/{name}", VERSION).json()
    version = secret["properties"]["secretUriWithVersion"].rsplit("/", 1)[1]
    document = json.loads((project.directory / ".azure-emulator" / "vault.json").read_text(encoding="utf-8"))
    (secrets,) = document.values()
    return str(secrets[name][version])


def secret_writes(project: Project, since: int) -> list[str]:
    return [write.rsplit("/", 1)[1] for write in project.writes(since) if "/secrets/" in write]


@pytest.fixture
def keyed(project: Project) -> Project:
    """Deployed with every key given."""
    project.environment |= {"GEMINI_API_KEY": FIRST, "INSTANOTE_API_KEY": FIRST, "JWT_SECRET": "jwt-of-the-pipeline-1"}
    project.deploy()
    return project


def without_keys(project: Project) -> None:
    for name in ("GEMINI_API_KEY", "INSTANOTE_API_KEY", "JWT_SECRET"):
        project.environment.pop(name, None)


@pytest.mark.parametrize("empty", [False, True], ids=["unset", "empty"])
def test_a_colleague_without_the_keys_has_nothing_to_do(keyed: Project, empty: bool) -> None:
    without_keys(keyed)
    if empty:
        keyed.environment |= {"GEMINI_API_KEY": "", "JWT_SECRET": ""}
    before = keyed.state_file.read_bytes()

    result = keyed.deploy()

    assert result.ran() == {}
    assert keyed.run("--dry-run", "--detailed-exitcode").code == 0
    assert keyed.state_file.read_bytes() == before


def test_a_colleague_with_nothing_to_do_validates_nothing(keyed: Project) -> None:
    """Validation takes longer than all the rest of such a run."""
    without_keys(keyed)

    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(COMMAND)],
        cwd=keyed.directory, env=keyed.env(), capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert "draftgenie_azure.config.raw" in done.stderr
    assert "pydantic" not in done.stderr


def test_a_colleague_scales_without_touching_a_secret(keyed: Project) -> None:
    without_keys(keyed)
    keyed.change("services.rag_service.max_replicas", 5)
    since = len(keyed.requests())

    ran = keyed.deploy().ran()

    assert "deploy_application_services" in ran
    assert "store_secrets" not in ran
    assert secret_writes(keyed, since) == []
    assert keyed.secret("gemini-api-key") == FIRST
    keyed.environment |= {"GEMINI_API_KEY": FIRST, "INSTANOTE_API_KEY": FIRST, "JWT_SECRET": "jwt-of-the-pipeline-1"}
    assert keyed.deploy().ran() == {}


def test_a_forced_step_keeps_what_is_not_given(keyed: Project) -> None:
    without_keys(keyed)
    since = len(keyed.requests())

    keyed.deploy("--force-step", "store_secrets")

    assert secret_writes(keyed, since) == []
    assert keyed.secret("gemini-api-key") == FIRST


def test_a_variable_without_default_that_is_not_set_is_kept_too(keyed: Project) -> None:
    """`${GEMINI_API_KEY}`, and a literal under a service's secrets that is made from one."""
    keyed.change("secrets.gemini_api_key", "${GEMINI_API_KEY}")
    keyed.change("services.qdrant.secrets", {"API_KEY": "prefix-${GEMINI_API_KEY}"})
    keyed.deploy()
    assert keyed.secret("qdrant-api-key") == f"prefix-{FIRST}"
    without_keys(keyed)

    assert keyed.deploy().ran() == {}
    keyed.change("services.qdrant.max_replicas", 2)
    keyed.deploy("--force-step", "store_secrets")
    assert keyed.secret("qdrant-api-key") == f"prefix-{FIRST}"


@pytest.mark.slow
def test_a_new_key_replaces_the_one_in_the_vault(keyed: Project) -> None:
    without_keys(keyed)
    keyed.change("tags.Environment", "test")
    keyed.deploy()
    keyed.environment["GEMINI_API_KEY"] = SECOND

    ran = keyed.deploy().ran()

    assert any("gemini_api_key" in reason for reason in ran["store_secrets"])
    assert keyed.secret("gemini-api-key") == SECOND
    assert SECOND not in on_disk(keyed)


def test_what_is_recorded_nowhere_is_a_fault_that_names_the_variable(project: Project) -> None:
    """On Azure, where there is no dummy value."""
    values = project.config()
    values["azure"]["cloud"] = "AzureCloud"
    values["secrets"]["gemini_api_key"] = "${GEMINI_API_KEY}"
    project.write(values)

    result = project.run("--dry-run")

    assert result.code == 1
    assert "secrets.gemini_api_key: needs a value" in result.err
    assert "export GEMINI_API_KEY" in result.err
    assert result.err.count("GEMINI_API_KEY") == 1


def existing(project: Project) -> None:
    project.change("secrets.gemini_api_key", {"existing": True})


def test_an_existing_secret_is_never_written_and_its_new_version_is_used(keyed: Project) -> None:
    existing(keyed)
    since = len(keyed.requests())
    keyed.deploy()
    assert secret_writes(keyed, since) == []
    put(keyed, "gemini-api-key", SECOND)
    keyed.change("services.rag_service.max_replicas", 5)
    since = len(keyed.requests())

    result = keyed.deploy()

    assert "the secret gemini-api-key was changed in the vault" in result.ran()["store_secrets"]
    assert secret_writes(keyed, since) == []
    assert live(keyed, "gemini-api-key") == SECOND
    assert "by someone else" not in result.text
    outputs = keyed.state()["steps"]["store_secrets"]["outputs"]["secrets"]
    assert outputs["gemini-api-key"]["version"] == keyed.state()["secrets"]["gemini-api-key"]["version"]


@pytest.mark.slow
def test_an_existing_secret_that_is_not_there_names_the_command_that_puts_it(project: Project) -> None:
    existing(project)

    result = project.run()

    assert result.code == 1
    assert "the secret gemini-api-key is not in the vault draftgenie-kv" in result.err
    assert "az keyvault secret set --vault-name draftgenie-kv --name gemini-api-key" in result.err
    put(project, "gemini-api-key", SECOND)
    project.deploy()
    assert project.secret("gemini-api-key") == SECOND
    assert project.deploy().ran() == {}


@pytest.mark.parametrize("given", [{"existing": True, "generate": True}, {"existing": "perhaps"}, {"exists": True}])
def test_a_source_must_make_sense(project: Project, given: dict[str, object]) -> None:
    project.change("secrets.gemini_api_key", given)

    result = project.run("--dry-run")

    assert result.code == 1
    assert result.err.count("secrets.gemini_api_key") == 1


def run_that_looks(project: Project) -> Result:
    """A run in which something runs, so that the vault is looked at."""
    project.change("tags.Environment", f"{len(project.requests())}")
    return project.deploy()


def test_a_given_secret_that_someone_changed_is_kept_and_reported(keyed: Project) -> None:
    put(keyed, "gemini-api-key", "rotated-by-hand-89")
    since = len(keyed.requests())

    result = run_that_looks(keyed)

    assert secret_writes(keyed, since) == []
    assert live(keyed, "gemini-api-key") == "rotated-by-hand-89"
    assert "the secret gemini-api-key was changed in the vault by someone else" in result.text
    assert "rotated-by-hand-89" not in result.text + on_disk(keyed)
    assert keyed.deploy().ran() == {}
    forced = keyed.deploy("--force-step", "store_secrets")
    assert live(keyed, "gemini-api-key") == "rotated-by-hand-89"
    assert "by someone else" in forced.text


def test_a_value_that_changed_in_the_configuration_too_replaces_it(keyed: Project) -> None:
    put(keyed, "gemini-api-key", "rotated-by-hand-89")
    run_that_looks(keyed)
    keyed.environment["GEMINI_API_KEY"] = SECOND

    result = keyed.deploy()

    assert live(keyed, "gemini-api-key") == keyed.secret("gemini-api-key") == SECOND
    assert "by someone else" not in result.text


@pytest.mark.slow
def test_urls_follow_a_password_that_was_rotated_in_the_vault(keyed: Project) -> None:
    """Although the configuration gives another one: its value is not what the vault has."""
    keyed.environment["RABBITMQ_PASSWORD"] = "givenbytheconfig1"
    keyed.deploy()
    put(keyed, "rabbitmq-password", "rotatedbyhand89")

    result = run_that_looks(keyed)

    assert "rotatedbyhand89" in live(keyed, "rabbitmq-url")
    assert "configure_environment_variables" in result.ran()
    assert "rotatedbyhand89" not in result.text + on_disk(keyed)
    assert keyed.deploy().ran() == {}


@pytest.mark.slow
def test_a_colleague_keeps_what_was_rotated_in_the_vault(keyed: Project) -> None:
    without_keys(keyed)
    put(keyed, "gemini-api-key", "rotated-by-hand-89")

    result = run_that_looks(keyed)

    assert live(keyed, "gemini-api-key") == "rotated-by-hand-89"
    assert "by someone else" in result.text
    keyed.environment |= {"GEMINI_API_KEY": FIRST, "INSTANOTE_API_KEY": FIRST, "JWT_SECRET": "jwt-of-the-pipeline-1"}
    keyed.deploy("--force-step", "store_secrets")
    assert live(keyed, "gemini-api-key") == "rotated-by-hand-89"
