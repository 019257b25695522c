"""The target is named before anything is made, and a first deployment to it asks on a terminal."""

from __future__ import annotations

import pytest
from project import STATE, Project
from terminal import Terminal


def answer(project: Project, arguments: list[str], said: bytes | None) -> tuple[int, str]:
    """Run the command on a terminal, and answer its question where there is to be one; exit code and what was shown."""
    with Terminal(project.command(*arguments), project.directory, project.env(), columns=200) as terminal:
        if said is not None:
            terminal.wait_for("[y/N]")
            terminal.send(said)
        return terminal.end(), terminal.text()


def test_every_run_names_its_target_first(project: Project) -> None:
    """Cloud, subscription by name, group and state; a run without changes knows them from the state."""
    state = str(project.directory / STATE)

    for arguments in ((), (), ("--dry-run",), ("--force-step", "verify_deployment")):
        result = project.deploy(*arguments)
        events = result.events()
        (named,) = [event for event in events if event["type"] == "target"]
        first = next(event for event in events if event["type"].startswith("step_"))
        assert events.index(named) < events.index(first)
        assert named["resource_group"] == "draftgenie-rg"
        assert named["cloud"] == "emulator"
        assert named["subscription_id"] == project.state()["target"]["subscription_id"]
        assert named["subscription"]
        assert named["state"] == state
        assert named["subscription"] in named["message"] and named["resource_group"] in named["message"]


def test_target_is_a_line_for_people(deployed: Project) -> None:
    """And stays one where nothing is asked."""
    assert "target: emulator, subscription " in deployed.run().err
    deployed.change("services.rag_service.max_replicas", 7)
    assert "resource group draftgenie-rg, state " in deployed.run("--dry-run").err


def test_overlays_in_the_wrong_order_are_seen_in_the_first_line(project: Project) -> None:
    """Whoever deploys development by mistake reads it before anything is made."""
    project.overlay("dev.yaml", {"azure": {"resource_group": "dev-rg"}})

    result = project.run("--config", "config.yaml", "--config", "dev.yaml", "--dry-run")

    assert result.code == 0, result.text
    assert "resource group dev-rg" in result.err


def test_destroying_commands_name_their_target(deployed: Project) -> None:
    """Above the plan and the question."""
    ended, shown = answer(deployed, ["--destroy"], b"n\n")

    assert ended == 1, shown
    assert shown.index("target: emulator, subscription ") < shown.index("delete container_app/api_gateway")


@pytest.mark.parametrize(("said", "code"), [(b"y\n", 0), (b"n\n", 1), (b"\x03", 130)], ids=["yes", "no", "ctrl-c"])
def test_first_deployment_on_a_terminal_asks(project: Project, said: bytes, code: int) -> None:
    """The plan is shown above the question; without a yes nothing is made, not even a state."""
    ended, shown = answer(project, [], said)

    assert ended == code, shown
    assert shown.index("create_databases") < shown.index("[y/N]")
    assert "resource group draftgenie-rg" in shown
    assert (project.directory / STATE).exists() == (code == 0)
    assert (project.directory / ".azure-emulator").exists() == (code == 0)


def test_second_deployment_on_a_terminal_asks_nothing(deployed: Project) -> None:
    """Its target was seen."""
    deployed.change("services.rag_service.max_replicas", 7)

    ended, shown = answer(deployed, [], None)

    assert ended == 0, shown
    assert "[y/N]" not in shown


@pytest.mark.parametrize("by_key", [False, True])
def test_auto_approve_answers_the_question(project: Project, by_key: bool) -> None:
    """By flag or by the configuration."""
    if by_key:
        project.change("deployment.auto_approve", True)

    ended, shown = answer(project, [] if by_key else ["--auto-approve"], None)

    assert ended == 0, shown
    assert "[y/N]" not in shown


def test_dry_run_on_a_terminal_asks_nothing(project: Project) -> None:
    """It makes nothing."""
    ended, shown = answer(project, ["--dry-run"], None)

    assert ended == 0, shown
    assert "[y/N]" not in shown
