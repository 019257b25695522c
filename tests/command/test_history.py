"""`--history`: one entry for each run that did something."""

from __future__ import annotations

import json
import signal

import pytest
from project import STATE, Project, hold_at_server, let_time_pass


def _runs(project: Project) -> list[dict[str, object]]:
    (document,) = project.run("--history", "--output", "json").events()
    runs: list[dict[str, object]] = document["runs"]
    return runs


@pytest.mark.slow
def test_run_that_did_something_is_in_the_history_and_a_no_op_is_not(project: Project) -> None:
    """With its steps, their reasons and the images."""
    assert "No run" in project.run("--history").text
    project.deploy()
    project.deploy()
    project.change("services.rag_service.max_replicas", 5)
    project.deploy()

    first, second = _runs(project)

    assert (first["run"], first["kind"], first["result"]) == (1, "deploy", "succeeded")
    assert second["run"] == 2
    assert "deploy_application_services" in second["steps"]
    assert first["services"]["api_gateway"]["image"].startswith("draftgenieacr.azurecr.io/api-gateway@sha256:")
    assert first["migrations"] == project.state()["steps"]["run_migrations"]["outputs"]["jobs"]


def test_failed_run_is_in_the_history(deployed: Project) -> None:
    """With the step that failed."""
    deployed.change("postgresql.sku", "Standard_D2ds_v5")
    fault = {"method": "PATCH", "path": "*/flexibleServers/*", "status": 400, "code": "InvalidParameterValue"}
    assert deployed.run(*deployed.faults(fault)).code == 1

    last = _runs(deployed)[-1]

    assert last["result"] == "failed"
    assert last["steps"]["create_databases"]["verdict"] == "failed"


@pytest.mark.slow
def test_killed_run_counts_as_interrupted_for_the_next(project: Project) -> None:
    """It could not say so itself."""
    with project.start(*project.faults(scale=0.02)) as process:
        hold_at_server(project, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    let_time_pass(project)
    project.deploy()

    assert [run["result"] for run in _runs(project)] == ["interrupted", "succeeded"]


def test_one_run_is_shown_whole_and_a_missing_one_names_those_that_there_are(deployed: Project) -> None:
    """By its number."""
    shown = deployed.run("--history", "1")
    missing = deployed.run("--history", "7")

    assert shown.code == 0
    assert "verify_deployment" in shown.out
    assert missing.code == 1
    assert "1 to 1" in missing.text


def test_damaged_line_of_the_history_is_left_out(deployed: Project) -> None:
    """The others are still there, and the next run adds its own."""
    path = deployed.directory / f"{STATE}.history"
    path.write_bytes(b"{not json\n\xff\n" + path.read_bytes())
    deployed.change("services.rag_service.max_replicas", 5)
    deployed.deploy()

    assert [run["run"] for run in _runs(deployed)] == [1, 2]


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": None}, {"started_at": 5}, {"seconds": "x"}, {"steps": []}, {"steps": {"a": 5}}, {"services": []},
        {"services": {"api_gateway": 5}}, {"migrations": 5}, {"deleted": [[]]}, {"steps": {"a": {"reasons": 5}}},
        {"seconds": float("nan")}, {"seconds": float("inf")}, {"seconds": -1}, {"steps": {"a": {"verdict": None}}},
        {"steps": {"a": {"verdict": "ran", "seconds": float("inf")}}},
    ],
    ids=str,
)  # fmt: skip
def test_entry_of_another_form_is_left_out(project: Project, facts: dict[str, object]) -> None:
    """Whoever wrote it: no reader of the history stumbles over it."""
    entries = [{"run": 1, "kind": "deploy", "result": "succeeded"} | more for more in (facts, {"run": 2})]
    lines = "".join(f"{json.dumps(entry)}\n" for entry in entries)
    (project.directory / f"{STATE}.history").write_text(lines, encoding="utf-8")

    result = project.run("--history", "--output", "json")

    assert result.code == 0, result.text
    assert [run["run"] for run in result.events()[-1]["runs"]] == [2]


@pytest.mark.slow
def test_entry_of_another_form_stays_as_it_is(deployed: Project) -> None:
    """A newer version of the command wrote it: its number is taken, and a rollback to it says why it is refused."""
    path = deployed.directory / f"{STATE}.history"
    newer = {"run": 2, "kind": "deploy", "result": "succeeded", "services": [{"key": "api_gateway"}]}
    path.write_text(path.read_text(encoding="utf-8") + f"{json.dumps(newer)}\n", encoding="utf-8")
    deployed.change("services.rag_service.max_replicas", 5)
    deployed.deploy()

    assert [run["run"] for run in _runs(deployed)] == [1, 3]
    assert newer in [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for arguments in (("--history", "2"), ("--rollback", "2", "--auto-approve")):
        result = deployed.run(*arguments)
        assert result.code == 1
        assert "run 2 is recorded in a form that this command cannot read" in result.text


def test_number_that_no_run_can_have_is_bad_usage(project: Project) -> None:
    """However long it is."""
    for number in ("9" * 5000, "²", "0", "-1"):
        for flag in ("--history", "--rollback"):
            result = project.run(flag, number)
            assert result.code == 1
            assert f"argument {flag}: expected the number of a run" in result.text


def test_only_the_last_hundred_runs_are_kept(deployed: Project) -> None:
    """The oldest go."""
    path = deployed.directory / f"{STATE}.history"
    (entry,) = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps(entry | {"run": number}) for number in range(1, 101)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    deployed.change("services.rag_service.max_replicas", 5)
    deployed.deploy()

    runs = _runs(deployed)

    assert len(runs) == 100
    assert (runs[0]["run"], runs[-1]["run"]) == (2, 101)
