"""Screens in a real tmux, under a real shell: recorded runs at several widths, resizing, Ctrl-Z, and the command."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from project import Project
from screens import BAR, EVENTS, GOLDEN, REPLAY, STOPS, WIDTHS, environment
from tmux import Tmux

pytestmark = pytest.mark.slow


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Tmux]:
    """A shell in a window of tmux."""
    with Tmux(tmp_path, environment()) as tmux:
        yield tmux


def replay(window: Tmux, events: Path, *stops: str) -> None:
    """Begin to draw a recorded run."""
    window.run([sys.executable, REPLAY, str(events), *stops])


def stopped(window: Tmux, seconds: str) -> str:
    """Wait until the replay has stopped there; the screen."""
    return window.wait_for_title(f"stopped at {seconds}")


@pytest.mark.parametrize("columns", WIDTHS)
def test_screens_of_recorded_runs_are_those_of_the_golden_files(window: Tmux, columns: int) -> None:
    """The files that tests/cli/test_terminal.py holds; here a real terminal draws them."""
    for name, stops in STOPS.items():
        window.resize(columns)
        replay(window, EVENTS / f"{name}.jsonl", *stops)
        screens = []
        for seconds in stops:
            screens.append(f"--- after {seconds} s\n{stopped(window, seconds)}\n")
            window.press("Space")
        screens.append(f"--- at the end\n{window.wait_for_prompt()}\n")

        assert "".join(screens) == (GOLDEN / f"terminal-{name}-{columns}.txt").read_text(encoding="utf-8")


def test_display_follows_the_window_and_leaves_nothing_behind(window: Tmux) -> None:
    """Narrower, wider, and wide again while nothing else happens: one display, in the form of each width."""
    window.resize(120)
    replay(window, EVENTS / "first.jsonl", "120", "300")
    stopped(window, "120")
    for columns in (60, 200, 40, 400, 120):
        window.resize(columns)
        text = window.wait_for(lambda shown, columns=columns: is_drawn_for(columns, shown))  # type: ignore[misc]

        assert len(BAR.findall(text)) == 1, text
        assert text.count("create_databases") == 1, text
        assert all(len(line) <= columns for line in text.split("\n"))
    window.press("Space")
    stopped(window, "300")
    window.press("Space")
    text = window.wait_for_prompt()

    assert text == screen_at_the_end("first", 120)


def is_drawn_for(columns: int, shown: str) -> bool:
    """Tell whether the display has the form of a width; tmux takes a moment to tell the program of another size."""
    form = re.compile(r"create_databases +\d:\d\d" + ("  usually .*" if columns > 72 else "$"))
    return bool(form.search(shown.split("\n")[-2])) and has_bar_for(columns, shown)


def has_bar_for(columns: int, shown: str) -> bool:
    """Tell whether the last line is the bar as long as a width has it: what is drawn last."""
    return len(shown.split("\n")[-1].split(" ")[0]) == max(6, min(40, (columns - 1) // 5))


def screen_at_the_end(name: str, columns: int) -> str:
    """The last screen of a golden file."""
    text = (GOLDEN / f"terminal-{name}-{columns}.txt").read_text(encoding="utf-8")
    return text.rpartition("--- at the end\n")[2].removesuffix("\n")


def test_ctrl_z_and_fg_leave_the_lines_of_the_shell_alone(window: Tmux) -> None:
    replay(window, EVENTS / "first.jsonl", "120", "300")
    stopped(window, "120")
    window.press("C-z")
    window.wait_for("Stopped")
    window.type("echo in''between; fg")
    window.press("Enter")
    window.wait_for_title("continued at 120")
    text = window.wait_for(lambda shown: len(BAR.findall(shown)) == 2)

    assert text.index("Stopped") < text.index("\ninbetween") < text.rindex("create_databases")
    window.press("Space")
    stopped(window, "300")
    window.press("Space")
    text = window.wait_for_prompt()
    assert "Stopped" in text
    assert "\ninbetween" in text
    assert len(BAR.findall(text)) == 1  # the one that stood there when it was stopped


def test_in_the_background_nothing_is_drawn(window: Tmux) -> None:
    """After `bg` the screen is the shell's; after `fg` the display is there again, once."""
    replay(window, EVENTS / "first.jsonl", "120")
    stopped(window, "120")
    window.press("C-z")
    window.wait_for("Stopped")
    window.type("bg")
    window.press("Enter")
    window.type("sleep 1.5; echo still''here")  # longer than a clock stands
    window.press("Enter")
    text = window.wait_for("\nstillhere")

    assert len(BAR.findall(text)) == 1
    window.type("fg")
    window.press("Enter")
    window.wait_for_title("continued at 120")
    window.wait_for(lambda shown: len(BAR.findall(shown)) == 2)
    window.press("Space")
    assert len(BAR.findall(window.wait_for_prompt())) == 1


def test_wide_characters_take_two_columns(window: Tmux, tmp_path: Path) -> None:
    """Text of others with wide and combining characters: no line is longer than the window, nothing is left behind."""
    wide = "データベース 🚀 e\u0301te\u0301 서버 " * 6
    lines = (EVENTS / "first.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    for event in events:
        if event["type"] == "step_waits":
            event["operations"] = [wide]
        elif event["type"] == "step_done":
            event["message"] = f"1 s: {wide}"
    path = tmp_path / "wide.jsonl"
    path.write_text("\n".join(map(json.dumps, events)), encoding="utf-8")
    for columns in (40, 80, 81, 120):
        window.resize(columns)
        replay(window, path, "300")
        text = stopped(window, "300")

        assert len(BAR.findall(text)) == 1, text
        assert text.count("create_databases") == 1, text
        assert text.split("\n")[-2].startswith(("create_databases", " 6/14 create_databases"))
        window.resize(columns - 7)
        narrow = window.wait_for(lambda shown, columns=columns - 7: has_bar_for(columns, shown))  # type: ignore[misc]
        assert len(BAR.findall(narrow)) == 1, narrow
        assert narrow.count("create_databases") == 1, narrow
        window.press("Space")
        text = window.wait_for_prompt()
        assert text.count("create_databases done") == 1
        assert not BAR.findall(text)


# ------------------------------------------------------------------------------------------------ the command itself

MASKS = (
    (re.compile(r"\b(\d+ h )?(\d+ min )?\d+(\.\d)? s\b"), "TIME"),
    (re.compile(r"[a-z]+-[0-9a-f]{8}\.eastus2"), "NAME.eastus2"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "GUID"),
    (re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\dZ?)?"), "DATE"),
    (re.compile(r"/[^\s']*/test_[^\s'/]*"), "DIRECTORY"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "ID"),
    (re.compile(r"sha256:[0-9a-f]{12}"), "sha256:DIGEST"),
    (re.compile(r"(?<=speaker-service-)[0-9a-f]{8}\b"), "HASH"),
    (re.compile(r"serial \d+"), "serial NUMBER"),
    (re.compile(r"(?<=TIME  )(\S+ )?\S+@\S+$", re.MULTILINE), "WHO"),
    (re.compile(r" {2,}(?=TIME)"), "  "),
)


def masked(text: str) -> str:
    """A screen without times and what else differs from run to run."""
    for pattern, name in MASKS:
        text = pattern.sub(name, text)
    return text


def test_screens_of_the_command_are_those_of_the_golden_files(project: Project) -> None:
    """First deployment, status, no-op, plan, change, failure, interrupt, history, destroy: one after the other."""
    fault = {"method": "PATCH", "path": "*/flexibleServers/*", "status": 400, "code": "SkuNotAvailable"}
    with Tmux(project.directory, shell_of(project), columns=400, rows=100) as window:  # what is masked breaks no line
        shown = {"first": command(window, project, "--auto-approve"), "noop": command(window, project)}
        shown["status"] = command(window, project, "--status")
        project.change("postgresql.sku", "Standard_D2ds_v5")
        project.change("services.rag_service.environment.LOG_LEVEL", "debug")
        shown["plan"] = command(window, project, "--dry-run")
        shown["failure"] = command(window, project, *project.faults(fault))
        shown["change"] = command(window, project)
        project.change("azure.emulator", {"scale": 0.1})
        project.change("postgresql.storage_size", 128)
        project.change("services.rag_service.environment.LOG_LEVEL", "info")
        window.run(project.command("--parallelism", "1"))
        window.wait_for(lambda text: bool(BAR.search(text)) and "flexibleServers" in str(project.state()["operations"]))
        window.press("C-c")
        shown["interrupt"] = window.wait_for_prompt()
        project.change("azure.emulator", {"scale": 0})
        shown["resumed"] = command(window, project)
        shown["history"] = command(window, project, "--history")
        window.run(project.command("--destroy"))
        window.wait_for("[y/N]")
        window.type("n")
        window.press("Enter")
        shown["destroy"] = window.wait_for_prompt()
    different = {name: text for name, text in shown.items() if not is_golden(f"command-{name}.txt", masked(text))}

    assert different == {}


def shell_of(project: Project) -> dict[str, str]:
    """The variables of a person's shell: nothing says that this is a CI system."""
    return {key: value for key, value in project.env().items() if key not in ("CI", "NO_COLOR", "TERM", "COLUMNS")}


def command(window: Tmux, project: Project, *arguments: str) -> str:
    """The screen after the command has ended; steps in their order, so that it is the same each time."""
    window.run(project.command("--parallelism", "1", *arguments))
    return window.wait_for_prompt()


def is_golden(name: str, text: str) -> bool:
    """Tell whether a text is that of a golden file, which is written where it is missing."""
    path = GOLDEN / name
    if not path.exists():
        path.write_text(f"{text}\n", encoding="utf-8")
        return False
    return path.read_text(encoding="utf-8") == f"{text}\n"
