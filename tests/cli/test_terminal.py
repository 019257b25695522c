"""The display on a terminal: recorded runs on real pseudo-terminals, as a person sees them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from project import Project
from screens import BAR, EVENTS, GOLDEN, REPLAY, STOPS, WIDTHS, environment
from terminal import Terminal


def replayed(name: str, directory: Path, *stops: str, columns: int = 80, **options: Any) -> Terminal:
    """A recorded run on a terminal of its own."""
    command = [sys.executable, REPLAY, str(EVENTS / f"{name}.jsonl"), *stops]
    return Terminal(command, directory, options.pop("environ", environment()), columns=columns, **options)


def stopped(terminal: Terminal, seconds: str) -> str:
    """Read until the replay has stopped there; the screen."""
    return terminal.wait_for_title(f"stopped at {seconds}")


def go_on(terminal: Terminal) -> None:
    """Press a key."""
    terminal.send(b" ")


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", list(STOPS))
def test_screen_of_a_recorded_run_is_as_it_was(tmp_path: Path, name: str, columns: int) -> None:
    """Golden files in tests/cli/golden: the screen at each stop and at the end; written where one is missing."""
    screens = []
    with replayed(name, tmp_path, *STOPS[name], columns=columns) as terminal:
        for seconds in STOPS[name]:
            screens.append(f"--- after {seconds} s\n{stopped(terminal, seconds)}\n")
            go_on(terminal)
        assert terminal.end() == 0
        screens.append(f"--- at the end\n{terminal.text()}\n")
    text, path = "".join(screens), GOLDEN / f"terminal-{name}-{columns}.txt"
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} was missing and is written: read it")

    assert text == path.read_text(encoding="utf-8")
    assert all(len(line) <= columns for line in text.splitlines())


def test_words_and_addresses_are_whole_at_every_width(tmp_path: Path) -> None:
    """From 40 to 400 columns: each word of the widest screen is on each narrower one; an address is one piece."""
    words = {}
    for columns in (40, 53, 80, 100, 400):
        with replayed("first", tmp_path, columns=columns, rows=200) as terminal:
            assert terminal.end() == 0
            words[columns] = terminal.text().split()
    address = next(word for word in words[400] if word.startswith("https://"))
    assert words[100] == words[400]
    for columns in (40, 53, 80):
        short = {word for word in words[400] if len(word) <= columns - 10}  # beside the indent
        assert short <= set(words[columns])
    assert address in "".join(words[40])  # longer than the screen is wide: the terminal itself breaks it


def test_wider_screen_in_mid_run_is_used_and_nothing_is_left_of_the_narrow_one(tmp_path: Path) -> None:
    with replayed("first", tmp_path, "120", "300", columns=60) as terminal:
        narrow = stopped(terminal, "120")
        terminal.resize(120)
        go_on(terminal)
        wide = stopped(terminal, "300")
        go_on(terminal)
        terminal.end()

    assert "usually" not in narrow
    assert re.search(r"create_databases +\d:\d\d  usually", wide)
    assert len(BAR.findall(wide)) == 1
    assert not BAR.findall(terminal.text())


def test_display_after_ctrl_z_and_fg_leaves_the_lines_of_the_shell_alone(tmp_path: Path) -> None:
    with replayed("first", tmp_path, "120", "300") as terminal:
        stopped(terminal, "120")
        terminal.suspend_and_continue()
        go_on(terminal)
        text = stopped(terminal, "300")
        go_on(terminal)
        assert terminal.end() == 0

    assert len(BAR.findall(text)) == 2  # the display when it was stopped, and the one drawn since


def test_without_colour_nothing_is_painted_and_lines_are_drawn_all_the_same(tmp_path: Path) -> None:
    with replayed("first", tmp_path, "120", environ=environment(NO_COLOR="1")) as terminal:
        text = stopped(terminal, "120")
        go_on(terminal)
        terminal.end()

    assert BAR.search(text)
    assert not re.search(rb"\x1b\[[0-9;]*m", terminal.bytes)


def test_encoding_without_such_characters_gets_others(tmp_path: Path) -> None:
    variables = environment(PYTHONIOENCODING="ascii", LC_ALL="C") | {"PYTHONUTF8": "0"}
    with replayed("first", tmp_path, "120", columns=120, environ=variables) as terminal:
        text = stopped(terminal, "120")
        go_on(terminal)
        terminal.end()

    assert terminal.bytes.isascii()
    assert "\\u" not in "".join(line for line in text.splitlines() if BAR.match(line) or "usually" in line)


# ------------------------------------------------------------------------------------------------ the command itself


def on_terminal(project: Project, *arguments: str, **options: Any) -> Terminal:
    """The command on a terminal of its own."""
    kept = {key: value for key, value in project.env().items() if key not in ("CI", "NO_COLOR", "TERM")}
    return Terminal(project.command(*arguments), project.directory, kept | options.pop("environ", {}), **options)


def test_run_shows_what_runs_and_ends_in_the_summary_alone(deployed: Project) -> None:
    """A change: the display while it runs; afterwards done lines and the summary; then nothing to do is one line."""
    deployed.change("azure.emulator", {"scale": 0.01})
    deployed.change("postgresql.sku", "Standard_D2ds_v5")
    with on_terminal(deployed, columns=120) as terminal:
        terminal.wait_for(lambda text: "create_databases" in text and bool(BAR.search(text)))
        assert terminal.end() == 0
        text = terminal.text()
    with on_terminal(deployed) as again:
        assert again.end() == 0

    assert not BAR.search(text)
    assert re.search(r"^ 6/14 create_databases done ", text, re.MULTILINE)
    assert "13 of 14 up to date" in text
    assert text.count("Deployment summary") == 1
    assert again.lines() == ["Up to date according to the state; Azure was not queried (--refresh queries it)."]


def test_interrupt_leaves_no_display_behind(project: Project) -> None:
    project.change("azure.emulator", {"scale": 0.05})
    with on_terminal(project, "--auto-approve", columns=100) as terminal:
        terminal.wait_for(lambda text: "create_databases" in text and bool(BAR.search(text)), timeout=90)
        terminal.send(b"\x03")
        assert terminal.end() == 130
        text = terminal.text()

    assert not BAR.search(text)
    assert "The next run continues from here." in text.replace("\n    ", " ")


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [({"TERM": "dumb"}, ()), ({"TERM": ""}, ()), ({"CI": "true"}, ()), ({}, ("--output", "plain"))],
    ids=["dumb", "unknown", "CI", "plain"],
)
def test_lines_alone_where_nothing_can_be_drawn_again(
    deployed: Project, variables: dict[str, str], arguments: tuple[str, ...]
) -> None:
    with on_terminal(deployed, "--force-step", "create_monitoring", *arguments, environ=variables) as terminal:
        assert terminal.end() == 0

    assert b"\x1b[J" not in terminal.bytes
    assert "create_monitoring               run" in terminal.text()
    assert (b"\x1b[" in terminal.bytes) is ("TERM" not in variables)


def test_colour_is_forced_where_there_is_no_terminal(deployed: Project) -> None:
    deployed.environment["FORCE_COLOR"] = "1"
    painted = deployed.run("--force-step", "create_monitoring", "--output", "plain")
    deployed.environment["NO_COLOR"] = "1"
    plain = deployed.run("--force-step", "create_monitoring", "--output", "plain")

    assert "\x1b[32mdone" in painted.err
    assert "\x1b" not in plain.err


@pytest.mark.slow
def test_result_in_a_file_is_whole_and_without_colours(project: Project) -> None:
    """The terminal folds what repeats and paints; a file that standard output is sent to has every step, as text."""
    command = ["sh", "-c", 'exec "$@" > plan.txt', "sh", *project.command("--dry-run")]
    kept = {key: value for key, value in project.env().items() if key not in ("CI", "NO_COLOR", "TERM")}
    with Terminal(command, project.directory, kept, columns=120) as terminal:
        assert terminal.end() == 0
        shown = terminal.text()
    plan = (project.directory / "plan.txt").read_text(encoding="utf-8")

    assert "target: emulator" in shown
    assert "\x1b" not in plan
    assert len(re.findall(r"^ ?\d+/14 \w+ +run +never ran$", plan, re.MULTILINE)) == 14
