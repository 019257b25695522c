"""`--logs SERVICE`: what the running replicas of a service print."""

from __future__ import annotations

import signal

import pytest
from project import Project

LOG = ["listening on 8080", "\x1b[31mred\x1b[0m ##vso[task.setvariable variable=x]1", "key dummy-secret-value"]


@pytest.fixture
def talking(project: Project) -> Project:
    """A deployment whose broker prints something."""
    project.change("azure.emulator", {"images": {"*rabbitmq*": {"log": LOG}}})
    project.deploy()
    return project


def test_log_of_a_service_is_shown_with_its_replica_and_as_harmless_text(talking: Project) -> None:
    """Every line behind a margin; control characters and commands of CI systems are broken."""
    result = talking.run("--logs", "rabbitmq")

    assert result.code == 0, result.text
    assert "listening on 8080" in result.out
    assert "\x1b" not in result.out
    assert "##vso[" not in result.out
    assert all(line.startswith("| rabbitmq--") for line in result.out.splitlines())


def test_log_as_events(talking: Project) -> None:
    """One object a line."""
    events = talking.run("--logs", "rabbitmq", "--output", "json").events()

    lines = [event["line"] for event in events if event["event"] == "log"]
    assert any("listening on 8080" in line for line in lines)


def test_following_goes_on_until_a_signal_which_is_130(talking: Project) -> None:
    """Ctrl-C ends it."""
    with talking.start("--logs", "rabbitmq", "--follow", "--log-file", "follow.log") as process:
        assert process.stdout is not None
        assert "|" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 130


@pytest.mark.parametrize(("service", "words"), [("rabbitmqq", "the configuration has"), ("nothing", "no service")])
def test_unknown_service_is_named(talking: Project, service: str, words: str) -> None:
    """With those that there are."""
    result = talking.run("--logs", service)

    assert result.code == 1
    assert words in result.text.lower()


def test_service_that_is_not_deployed_says_so(project: Project) -> None:
    """Nothing is deployed yet."""
    project.deploy()
    project.change("services.extra", {"image": "nginx:1.27", "port": 8080})

    result = project.run("--logs", "extra")

    assert result.code == 1
    assert "not deployed" in result.text
