"""The command line: flags, exit codes, what is shown where, and what bad input gets."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from project import COMMAND, ROOT, Project

from draftgenie_azure.steps import STEP_NAMES


def test_help_describes_every_flag(project: Project) -> None:
    """No flag without a word about it."""
    command = importlib.import_module("deploy-azure_v1")

    assert all(action.help for action in command.build_parser(command.__doc__)._actions)
    assert project.run("--help").code == 0


def test_version_is_printed(project: Project) -> None:
    """For bug reports."""
    result = project.run("--version")

    assert result.code == 0
    assert re.fullmatch(r"deploy-azure_v1\.py \d+\.\d+\.\d+\n", result.out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nonsense"], "unknown flag --nonsense"),
        (["--rotate-secrt", "jwt_secret"], "unknown flag --rotate-secrt; did you mean --rotate-secret?"),
        (["--dryrun"], "unknown flag --dryrun; did you mean --dry-run?"),
        (["--log_file=x"], "unknown flag --log_file; did you mean --log-file?"),
        (["\u2014dry-run"], "unknown flag \u2014dry-run; did you mean --dry-run?"),
        (["dry-run"], "unknown flag dry-run; did you mean --dry-run?"),
        (["-config", "a", "--forse-all"], "unknown flag -config; did you mean --config?; unknown flag --forse-all"),
        (["production"], "unknown argument production"),
        (["--force-step", "create_database"], "did you mean create_databases?"),
        (["--config", "missing.yaml"], "missing.yaml"),
        (["--output", "xml"], "invalid choice"),
        (["--config", "."], "directory"),
        (["--lock-timeout", "4" * 400], "expected a duration such as"),
        (["--expect-plan", ""], "--expect-plan: expected a value, got an empty one"),
        (["--forget="], "--forget: expected a value"),
        (["--config", ""], "--config: expected a value"),
        (["--env-file="], "--env-file: expected a value"),
        (["--log-file", ""], "--log-file: expected a value"),
        (["--logs", " "], "--logs: expected a value"),
        (["--rotate-secret", ""], "--rotate-secret: expected a value"),
        (["--restore-state", ""], "--restore-state: expected a value"),
        (["--include-data", "--purge"], "--include-data is only for --prune or --destroy"),
        (["--purge"], "--purge is only for --destroy or --prune"),
        (["--follow"], "--follow is only for --logs"),
        (["--accept-newer-schema"], "--accept-newer-schema is only for --rollback"),
        (["--rotate-secret", "a", "--reset-state"], "--rotate-secret and --reset-state are different commands"),
        (["--history", "--rollback", "1"], "--history and --rollback are different commands"),
        (["--rollback", "off", "--destroy"], "--destroy and --rollback are different commands"),
        (["--destroy", "--expect-plan", "z", "--auto-approve"], "--expect-plan is for a deployment: --destroy has no"),
    ],
)
def test_bad_usage_is_exit_1_with_a_hint(project: Project, arguments: list[str], words: str) -> None:
    """Never argparse's 2, which means "changes pending" here; never a traceback."""
    result = project.run(*arguments)

    assert result.code == 1
    assert words in result.err
    assert "Traceback" not in result.err


def test_dry_run_writes_nothing_and_shows_why(project: Project) -> None:
    """It creates no file: no state, no emulator."""
    before = sorted(project.directory.rglob("*"))

    result = project.run("--dry-run")

    assert result.code == 0
    assert "Dry run: 14 to run" in result.out
    assert result.out.count("never ran") == 14
    assert sorted(project.directory.rglob("*")) == before


def test_dry_run_shows_what_runs_and_writes_nothing(deployed: Project) -> None:
    """The steps themselves make the plan: a change with the same outputs triggers no other step."""
    deployed.change("postgresql.sku", "Standard_D2ds_v5")
    before = {path: path.read_bytes() for path in deployed.directory.rglob("*") if path.is_file()}

    result = deployed.run("--dry-run", "--output", "json", "--detailed-exitcode")

    assert result.code == 2
    steps = result.events()[-1]["steps"]
    reasons = ["postgresql.sku Standard_B1ms → Standard_D2ds_v5"]
    assert steps["create_databases"] == {"verdict": "run", "reasons": reasons}
    assert {name for name, step in steps.items() if step["verdict"] != "skip"} == {"create_databases"}
    assert {path: path.read_bytes() for path in deployed.directory.rglob("*") if path.is_file()} == before
    assert set(deployed.deploy().ran()) == {"create_databases"}


def test_dry_run_shows_what_may_run_by_outputs_that_only_a_run_makes_known(deployed: Project) -> None:
    """A step that needs such an output is shown as such, with the step that publishes it."""
    deployed.environment["GEMINI_API_KEY"] = "another-key"

    steps = deployed.run("--dry-run", "--output", "json").events()[-1]["steps"]

    assert steps["store_secrets"]["verdict"] == "run"
    may_run = {"verdict": "may run", "reasons": ["known after store_secrets"]}
    assert steps["configure_environment_variables"] == may_run
    assert steps["create_databases"]["verdict"] == "skip"


def test_detailed_exitcode_is_0_when_nothing_would_run(deployed: Project) -> None:
    """2 is for changes alone."""
    assert deployed.run("--dry-run", "--detailed-exitcode").code == 0


def test_forced_step_runs_and_its_dependants_do_not(deployed: Project) -> None:
    """Forcing does not limit, and equal outputs trigger no other step."""
    assert deployed.deploy("--force-step", "create_monitoring").ran() == {"create_monitoring": ["forced"]}


def test_force_all_runs_every_step_and_writes_no_unchanged_resource(deployed: Project) -> None:
    """Forced builds and migrations start again; everything else is compared and left."""
    seen = len(deployed.requests())

    ran = deployed.deploy("--force-all").ran()

    assert ran == {name: ["forced (all)"] for name in STEP_NAMES}
    kinds = {write.split("/")[-1] for write in deployed.writes(seen)}
    assert {"scheduleRun", "start"} <= kinds


def test_status_shows_every_step_and_works_with_a_faulty_configuration(deployed: Project) -> None:
    """People look at the status when something is on fire."""
    (deployed.directory / "config.yaml").write_text("azure: [", encoding="utf-8")

    result = deployed.run("--status")

    assert result.code == 0
    assert all(name in result.out for name in STEP_NAMES)
    assert "/ draftgenie-rg" in result.out


def test_status_as_json_has_the_outputs_for_scripts(deployed: Project) -> None:
    """`jq` finds the address of the registry."""
    document = json.loads(deployed.run("--status", "--output", "json").out)

    assert document["steps"]["create_container_registry"]["outputs"]["login_server"] == "draftgenieacr.azurecr.io"


def test_status_without_state_says_so(project: Project) -> None:
    """No deployment is not a failure."""
    result = project.run("--status")

    assert result.code == 0
    assert result.out == "Nothing is deployed yet.\n"


@pytest.mark.slow
def test_reset_puts_the_state_aside_and_the_next_run_changes_nothing_in_azure(deployed: Project) -> None:
    """The lineage stays, so the group is still ours: everything is looked at, nothing made again."""
    before = deployed.state()

    result = deployed.run("--reset-state")

    assert result.code == 0
    (aside,) = deployed.directory.glob("*.reset-*")
    assert json.loads(aside.read_text(encoding="utf-8")) == before
    after = deployed.state()
    assert after["steps"] == {}
    assert (after["lineage"], after["salt"]) == (before["lineage"], before["salt"])
    seen = len(deployed.requests())
    again = deployed.deploy()
    assert set(again.ran()) == set(STEP_NAMES)
    assert again.events()[-1]["orphaned"] == []
    # Secrets and the server's password are sent once more, since nothing says any longer that they are the same; to
    # compose secrets with generated ones, the command takes the role that reads them.
    doubtful = ("/secrets/", "/flexibleServers/", "/vaults/draftgenie-kv/providers/Microsoft.Authorization/")
    assert [write for write in deployed.writes(seen) if not any(part in write for part in doubtful)] == []


def test_disabled_build_hands_on_the_recorded_images(deployed: Project) -> None:
    """skip_build: the step does not run, regardless of changes."""
    source = deployed.directory / "examples/draftgenie/services/draft-service/app/main.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    deployed.change("deployment.skip_build", True)

    result = deployed.deploy("--force-step", "deploy_application_services")

    assert "build_and_push_images" not in result.ran()
    assert any(event["event"] == "step_disabled" for event in result.events())


def test_disabled_build_without_any_image_is_a_fault(project: Project) -> None:
    """There are no outputs to reuse; this is reported before anything is written."""
    project.change("deployment.skip_build", True)

    result = project.run()

    assert result.code == 1
    assert "deployment.skip_build: no image was built yet: set it to false for the first run" in result.err
    assert project.writes() == []
    assert not project.state_file.exists()


@pytest.mark.slow
def test_dev_and_prod_coexist_by_an_overlay_each(deployed: Project) -> None:
    """An overlay with its own group, names and state file; the first deployment is not touched."""
    before = deployed.state_file.read_bytes()
    names = {
        "azure": {"resource_group": "draftgenie-prod"},
        "container_registry": {"name": "draftgenieprodacr"},
        "key_vault": {"name": "draftgenie-prod-kv"},
        "postgresql": {"server_name": "draftgenie-prod-pg"},
        "redis": {"name": "draftgenie-prod-redis"},
        "advanced": {"state_file": "prod-state.json"},
    }
    overlay = deployed.overlay("prod.yaml", names)

    result = deployed.deploy("--config", "config.yaml", "--config", overlay)

    assert len(result.ran()) == 14
    assert (deployed.directory / "prod-state.json").exists()
    assert deployed.state_file.read_bytes() == before
    assert deployed.deploy().ran() == {}


def test_state_of_another_target_is_refused_with_the_remedy(deployed: Project) -> None:
    """The same state file for another group: nothing is done."""
    deployed.change("azure.resource_group", "another-rg")

    result = deployed.run()

    assert result.code == 1
    assert "was recorded for resource_group draftgenie-rg, the configuration targets another-rg" in result.err
    assert "--reset-state" in result.err


def test_group_of_another_state_is_refused(deployed: Project) -> None:
    """Two states never manage one group."""
    deployed.state_file.unlink()

    result = deployed.run()

    assert result.code == 1
    assert "is managed by another state" in result.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "step"),
    [
        ("postgresql.server_name", "draftgenie-pg2", "create_databases"),
        ("redis", None, "create_databases"),
        ("key_vault.name", "draftgenie-kv2", "create_key_vault"),
    ],
)
def test_resource_with_data_is_not_abandoned_silently(
    deployed: Project, key: str, value: str | None, step: str
) -> None:
    """A new name would make a new, empty server; that takes a --force-step, and the old one is then named."""
    deployed.change(key, value)

    refused = deployed.run()

    assert refused.code == 1
    assert f"--force-step {step}" in refused.err

    result = deployed.deploy("--force-step", step)

    assert result.events()[-1]["orphaned"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ('{"version": "1.0", "lineage":', "is not valid JSON"),
        ("[1, 2]", "is not a state of this command"),
        ('{"version": "9.9", "lineage": "x"}', "has version '9.9'"),
        ('{"version": "1.0", "lineage": "x", "steps": []}', "steps has an unexpected value or type"),
    ],
    ids=["empty", "torn", "foreign", "newer", "wrong inside"],
)
def test_state_that_cannot_be_used_is_an_error_and_never_a_first_deployment(
    deployed: Project, content: str, words: str
) -> None:
    """The file is kept unchanged until --reset-state moves it."""
    deployed.state_file.write_text(content, encoding="utf-8")
    seen = len(deployed.requests())

    result = deployed.run()

    assert result.code == 1
    assert words in result.err
    assert "Traceback" not in result.err
    assert deployed.state_file.read_text(encoding="utf-8") == content
    assert len(deployed.requests()) == seen
    assert deployed.run("--reset-state").code == 0
    assert content in [path.read_text(encoding="utf-8") for path in deployed.directory.glob("*.bad-*")]


def test_state_that_cannot_be_written_stops_the_run(deployed: Project) -> None:
    """A state file in a directory that is a file: said before anything is written to Azure."""
    deployed.change("advanced.state_file", "config.yaml/state.json")

    result = deployed.run()

    assert result.code == 1
    assert "cannot be read" in result.err
    assert "Traceback" not in result.err


@pytest.mark.slow
def test_log_has_a_request_id_for_every_request_and_no_token(project: Project) -> None:
    """The ids that support asks for; no line contains a bearer token."""
    assert project.run("--log-file", "run.log").code == 0

    log = (project.directory / "run.log").read_text(encoding="utf-8")
    assert len(re.findall(r"request [0-9a-f-]{36} correlation [0-9a-f-]{36}", log)) > 50
    assert "Bearer" not in log
    assert "eyJ" not in log


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device here that is always full")
def test_log_that_becomes_unwritable_is_given_up_with_one_warning(deployed: Project) -> None:
    """A full disk: the deployment matters more."""
    result = deployed.run("--log-file", "/dev/full", "--force-step", "create_monitoring")

    assert result.code == 0
    warnings = [line for line in result.err.splitlines() if line.startswith("warning: ")]
    assert warnings == [
        "warning: the log /dev/full cannot be written: No space left on device; continuing without it"
    ]
    assert "Logging error" not in result.err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_stream_is_not_a_failure(deployed: Project, closed: str) -> None:
    """A daemon's child has none at all; what is said there is lost, nothing else."""
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh"]
    command = [*shell, *deployed.command("--verbose", "--force-step", "create_monitoring")]
    done = subprocess.run(
        command, cwd=deployed.directory, env=deployed.env(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert deployed.deploy().ran() == {}


def test_header_for_uv_and_pipx_lists_what_requirements_txt_lists() -> None:
    """PEP 723: `uv run deploy-azure_v1.py` and `pipx run` install the same."""
    header = re.search(r"^# /// script\n(.*?)^# ///", COMMAND.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert header is not None
    script = tomllib.loads(re.sub(r"^# ?", "", header.group(1), flags=re.MULTILINE))
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()

    assert script["dependencies"] == [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]
    assert script["requires-python"] == ">=3.11"


def test_command_works_from_any_directory_and_through_a_link(tmp_path: Path) -> None:
    """Its modules are found beside the file itself."""
    link = tmp_path / "deploy"
    link.symlink_to(COMMAND)

    done = subprocess.run([sys.executable, str(link), "--version"], cwd=tmp_path, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr


def test_invalid_emulator_fault_is_reported(project: Project) -> None:
    """A declaration with a key that no fault has."""
    result = project.run(*project.faults({"method": "PUT", "path": "*", "status": 99}))

    assert result.code == 1
    assert "Traceback" not in result.err
    assert "status" in result.err


def test_command_is_importable_and_keeps_its_names() -> None:
    """Other programs import the hyphenated file by importlib, and rely on these names."""
    command = importlib.import_module("deploy-azure_v1")

    manager = {
        "_determine_storage_type", "_load_state", "_load_state_from_file", "_load_state_from_blob",
        "_save_state_to_file", "_save_state_to_blob", "_create_empty_state", "save", "reset", "is_step_completed",
        "mark_step_completed", "mark_step_failed", "get_step_hash", "store_resource", "get_resource",
    }
    assert manager <= set(dir(command.StateManager))
    assert issubclass(command.IdempotentDraftGenieDeployer, command.DraftGenieDeployer)
    assert callable(command.idempotent_step("create_key_vault"))
    assert {f"_step_{name}" for name in STEP_NAMES} <= set(dir(command.IdempotentDraftGenieDeployer))
    assert callable(command.main)


@pytest.mark.slow
def test_deployer_can_be_driven_by_another_program(project: Project) -> None:
    """Configuration in, deployment out; `force_steps` takes a mapping or names."""
    program = (
        "import importlib, logging, os, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "command = importlib.import_module('deploy-azure_v1')\n"
        "from draftgenie_azure.config.raw import load\n"
        "config, logger = load(['config.yaml']), logging.getLogger('mine')\n"
        "assert command.IdempotentDraftGenieDeployer(config, logger, dry_run=True).deploy() is False\n"
        "assert command.IdempotentDraftGenieDeployer(config, logger).deploy() is True\n"
        "assert command.IdempotentDraftGenieDeployer(config, logger, dry_run=True).deploy() is True\n"
        "forced = command.IdempotentDraftGenieDeployer(config, logger, force_steps={'create_monitoring': True})\n"
        "assert forced.deploy() is True\n"
        "print(sorted(forced.ran))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project.directory, env=project.env(), capture_output=True, text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "['create_monitoring']\n"


@pytest.mark.slow
def test_notes_on_the_configuration_are_in_the_summary_and_the_last_event(project: Project) -> None:
    """Messages from the start of a long run are repeated at its end."""
    project.change("docker.registry", "old.example.com")
    note = "without effect in the configuration: docker.registry"

    plain = project.run("--output", "plain")
    planned = project.run("--output", "json", "--dry-run", "--force-all")

    assert plain.code == 0
    assert f"  note    {note}" in plain.out.splitlines()
    assert note in planned.events()[-1]["notes"]
