"""The fixtures that the tests share, and the lines that they add to the end of a run."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from azurite import Azurite
from hypothesis import HealthCheck, settings
from programs import program
from project import Project, new_project, wait_for_end

# The same examples each time, however slow the machine is.
settings.register_profile(
    "suite", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

# Under `nohup` a hang-up is ignored, and so would every run be started that a test hangs up on. A handler is not handed
# on, and this one does the same.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look for the programs that a test needs."""
    for mark in item.iter_markers("program"):
        for name in mark.args:
            program(name)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in which nothing is deployed."""
    return new_project(tmp_path)


@pytest.fixture(scope="session")
def _deployed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One deployment, copied by each test that begins with it: what is on disk is all there is."""
    project = new_project(tmp_path_factory.mktemp("deployed"))
    project.deploy()
    wait_for_end(project)
    return project.directory


@pytest.fixture
def deployed(_deployed_once: Path, tmp_path: Path) -> Project:
    """A project in which everything is deployed."""
    shutil.copytree(_deployed_once, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """A running Azurite, which Node runs."""
    for name in ("node", "npm"):
        program(name)
    running = Azurite(tmp_path_factory.mktemp("azurite"))
    yield running
    running.stop()


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Report a message that is repeated at the end of the test session, even with parallel tests."""
    return lambda text: record_property("said", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests said."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "said":
                terminalreporter.write_line(str(text))
