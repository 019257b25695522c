"""A value, secret or service changes: which steps run, and for which reasons."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from plans import APP, BUILD, dependencies, lines_of, plan
from project import Project, new_project

# Other variables are another output, which is known before anything runs.
AFTER_VARIABLES = {
    step: ["output:configure_environment_variables changed"] for step in ("run_migrations", "verify_deployment")
}


# ------------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (1, "1", False),
        (1, True, False),
        (1, 1.0, False),
        ("1", "true", False),
        ("true", True, False),
        (None, "", False),
        ("a", "b", False),
        ("x", "x", True),
    ],
)
def test_values_of_different_types_are_different_values(project: Project, before: Any, after: Any, same: bool) -> None:
    """1, "1", true and 1.0 are four values, however an app would read them."""
    hashes = []
    for value in (before, after):
        values = project.config()
        values["services"]["rag_service"]["environment"]["PROBE"] = value
        project.write(values)
        hashes.append(dependencies(project)["configure_environment_variables"])

    assert (hashes[0] == hashes[1]) is same


def test_null_is_the_same_as_absent_and_an_empty_variable_of_the_environment_is_not(project: Project) -> None:
    """A null removes the value of an earlier file; `${NAME:-}` sets an empty variable."""
    step = "configure_environment_variables"
    absent = dependencies(project)[step]
    project.change("services.rag_service.environment.PROBE", "${PROBE:-}")
    empty = dependencies(project)[step]
    text = (project.directory / "config.yaml").read_text(encoding="utf-8")
    (project.directory / "config.yaml").write_text(text.replace("${PROBE:-}", "null"), encoding="utf-8")

    assert dependencies(project)[step] == absent
    assert empty.keys() - absent.keys() == {"config:services.rag_service.environment.PROBE"}


def test_two_swapped_values_run_the_step_and_both_are_reasons(prepared: Project) -> None:
    """A hash over values alone would be the same."""
    values = prepared.config()
    environment = values["services"]["draft_service"]["environment"]
    one, other = "POSTGRES_POOL_SIZE", "QDRANT_VECTOR_SIZE"
    environment[one], environment[other] = environment[other], environment[one]
    prepared.write(values)

    prefix = "config:services.draft_service.environment."
    assert plan(prepared) == {
        "configure_environment_variables": [f"{prefix}{one} changed", f"{prefix}{other} changed"],
        **AFTER_VARIABLES,
    }


def test_list_that_is_reordered_is_another_list(project: Project) -> None:
    """The order of a command's words matters, so lists are compared as a whole."""
    project.change("services.rag_service.args", ["a", "b"])
    before = dependencies(project)["deploy_application_services"]
    project.change("services.rag_service.args", ["b", "a"])
    after = dependencies(project)["deploy_application_services"]

    assert {name for name in after if after[name] != before[name]} == {"config:services.rag_service.args"}


def test_order_of_keys_comments_and_anchors_do_not_matter(prepared: Project) -> None:
    """The same values in another spelling: keys sorted, aliases resolved, comments removed."""
    values = prepared.config()
    prepared.write({key: values[key] for key in sorted(values, reverse=True)})

    assert plan(prepared) == {}


def test_removed_key_runs_its_step_with_that_reason(prepared: Project) -> None:
    """Absent is not "as before"."""
    prepared.change("services.draft_service.health_path", None)
    values = prepared.config()
    del values["services"]["rag_service"]["environment"]["DEBUG"]
    prepared.write(values)

    ran = plan(prepared)

    assert ran["deploy_application_services"] == ["config:services.draft_service.health_path is gone"]
    assert "config:services.rag_service.environment.DEBUG is gone" in ran["configure_environment_variables"]


def test_secret_that_changes_and_changes_back_is_seen_and_never_shown(prepared: Project) -> None:
    """By its key alone; with the old value nothing runs, since nothing was deployed meanwhile."""
    prepared.environment["GEMINI_API_KEY"] = "Canary5ecret"

    result = prepared.run("--dry-run", "--output", "json")

    assert lines_of(result) == {"store_secrets": ["secret:secrets.gemini_api_key is new"]}
    assert "Canary5ecret" not in result.text
    del prepared.environment["GEMINI_API_KEY"]
    assert plan(prepared) == {}


def test_variable_of_the_environment_that_changes_is_a_change_of_its_value(prepared: Project) -> None:
    """The value after `${}` counts, not the text before it."""
    prepared.environment["INSTANOTE_API_URL"] = "https://notes.example"

    assert plan(prepared) == {
        "configure_environment_variables": ["config:services.draft_service.environment.INSTANOTE_API_URL changed"],
        **AFTER_VARIABLES,
    }


def test_a_to_b_to_a_deploys_three_times(deployed: Project) -> None:
    """Files and values: the comparison is with what was deployed last, not with all that was ever seen."""
    source = deployed.directory / "examples/draftgenie" / APP / "main.py"
    first = source.read_text(encoding="utf-8")
    for text, level in ((first + "# b\n", "DEBUG"), (first, "INFO")):
        source.write_text(text, encoding="utf-8")
        deployed.change("services.rag_service.environment.LOG_LEVEL", level)

        ran = lines_of(deployed.deploy())

        assert ran[BUILD] == [f"file:{APP}/main.py changed"]
        assert "config:services.rag_service.environment.LOG_LEVEL changed" in ran["configure_environment_variables"]


# ------------------------------------------------------------------------------------------------------------- reasons


@pytest.mark.slow
def test_reasons_are_whole_in_json_and_log_and_short_on_the_terminal(deployed: Project) -> None:
    """The first few and a count in the message; all in the document."""
    app = deployed.directory / "examples/draftgenie" / APP
    for number in range(20):
        (app / f"new{number:02}.py").write_text("", encoding="utf-8")

    short = deployed.run("--dry-run").out
    whole = plan(deployed)[BUILD]

    assert len(whole) == 40
    assert "image of draft_service: 20 files changed" in short
    assert deployed.run("--log-file", "run.log").code == 0
    log = (deployed.directory / "run.log").read_text(encoding="utf-8")
    assert all(reason in log for reason in whole)
    assert deployed.state()["steps"][BUILD]["metadata"]["reasons"] == ["image of draft_service: 20 files changed"]


def test_status_shows_since_when_how_long_and_why_each_step_last_ran(deployed: Project) -> None:
    """Without asking Azure, and without running anything."""
    deployed.change("postgresql.sku", "Standard_D2ds_v5")
    deployed.deploy()

    lines = deployed.run("--status").out.splitlines()
    document = deployed.run("--status", "--output", "json").events()[-1]["steps"]["create_databases"]

    record = deployed.state()["steps"]["create_databases"]
    (line,) = [line for line in lines if line.split()[:1] == ["create_databases"]]
    assert record["timestamp"] in line
    assert " s " in line
    assert line.endswith("postgresql.sku Standard_B1ms → Standard_D2ds_v5")
    assert document["reasons"] == ["postgresql.sku Standard_B1ms → Standard_D2ds_v5"]
    assert (document["since"], document["seconds"]) == (record["timestamp"], record["duration_seconds"])


def test_only_changed_outputs_are_a_reason_for_dependants(deployed: Project) -> None:
    """Early cutoff: a tag is in no output; a service's name is."""
    deployed.change("monitoring.retention_days", 31)
    assert set(deployed.deploy().ran()) == {"create_monitoring"}

    deployed.change("services.draft_service.cpu", 0.25)
    deployed.change("services.draft_service.memory", "0.5Gi")
    ran = deployed.deploy().ran()

    assert ran["configure_environment_variables"] == ["outputs of deploy_application_services changed"]


@pytest.mark.slow
def test_recorded_hash_that_does_not_match_its_lines_is_a_reason(deployed: Project) -> None:
    """The state was edited by hand: nothing uncertain is skipped."""
    state = deployed.state()
    state["steps"]["create_monitoring"]["dependency_hash"] = "0" * 64
    write_state(deployed, state)

    reasons = {"create_monitoring": ["the recorded hash is not that of its lines"]}
    assert deployed.run("--dry-run", "--output", "json").ran() == reasons
    assert deployed.deploy().ran() == reasons
    assert deployed.deploy().ran() == {}


@pytest.mark.parametrize("how", ["emptied", "without"])
def test_missing_output_is_a_reason_to_run_its_step(deployed: Project, how: str) -> None:
    """It is never published as present; its readers find it unchanged and have no reason to run."""
    state = deployed.state()
    published = state["steps"]["create_container_registry"]["outputs"]
    if how == "emptied":
        state["steps"]["create_container_registry"]["outputs"] = {}
        reason = "its recorded id is missing or not a resource id"
    else:
        del state["steps"]["create_container_registry"]
        reason = "never ran"
    write_state(deployed, state)

    expected = {"create_container_registry": [reason]}
    assert deployed.run("--dry-run", "--output", "json").ran() == expected
    assert deployed.deploy().ran() == expected
    assert deployed.state()["steps"]["create_container_registry"]["outputs"] == published
    assert deployed.deploy().ran() == {}


def test_changed_output_is_a_reason_to_run_its_readers(deployed: Project) -> None:
    """The state was edited by hand: each step that reads the output runs, with that reason."""
    state = deployed.state()
    state["steps"]["create_container_registry"]["outputs"]["edited"] = "by hand"
    write_state(deployed, state)

    assert plan(deployed)[BUILD] == ["output:create_container_registry changed"]


def write_state(project: Project, state: dict[str, Any]) -> None:
    """Replace the state document."""

    project.state_file.write_text(json.dumps(state, sort_keys=True, indent=2) + "\n", encoding="utf-8")
    project.state_file.chmod(stat.S_IRUSR | stat.S_IWUSR)


# ---------------------------------------------------------------------------------------------------------- per service


@pytest.mark.slow
def test_one_service_among_fifty_means_one_build_and_one_app(tmp_path: Path) -> None:
    """And the run says so, by the file."""
    project = new_project(tmp_path)
    values = project.config()
    root = tmp_path / "examples/draftgenie"
    like = values["services"]["api_gateway"]
    for number in range(43):
        key = f"extra_{number:02}"
        (root / f"services/{key}").mkdir()
        (root / f"services/{key}/main.js").write_text(f"// {number}\n", encoding="utf-8")
        (root / f"docker/Dockerfile.{key}").write_text(
            f"FROM node:20-alpine\nCOPY services/{key}/ .\nCMD [\"node\", \"main.js\"]\n", encoding="utf-8"
        )
        values["services"][key] = {
            "port": 3000, "ingress": "internal", "health_path": like["health_path"], "min_replicas": 0,
            "dockerfile": f"docker/Dockerfile.{key}",
        }
    project.write(values)
    project.deploy()
    seen = len(project.requests())
    (root / "services/extra_07/main.js").write_text("// edited\n", encoding="utf-8")

    result = project.deploy()

    assert result.ran()[BUILD] == ["image of extra_07: services/extra_07/main.js changed"]
    done = {event["step"]: event["written"] for event in result.events() if event["event"] == "step_done"}
    assert (done[BUILD], done["deploy_application_services"]) == (["image/extra_07"], ["container_app/extra_07"])
    assert done["configure_environment_variables"] == []
    writes = project.writes(seen)
    assert sum("scheduleRun" in write for write in writes) == 1
    assert [write.rsplit("/", 1)[1] for write in writes if "/containerApps/" in write] == ["extra-07"]
