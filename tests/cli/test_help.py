"""The page of `--help` at every width of a terminal."""

from __future__ import annotations

import importlib
import re

import pytest
from project import Project
from terminal import Terminal

COMMAND = importlib.import_module("deploy-azure_v1")
WIDTHS = (24, 40, 41, 53, 60, 72, 80, 100, 110, 120, 160, 200, 400)


def words(text: str) -> list[str]:
    """Return the words of a page, ignoring line breaks."""
    return text.split()


@pytest.mark.parametrize("columns", WIDTHS)
def test_page_is_as_wide_as_the_terminal_and_breaks_no_word(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Every page has the words of the widest one, and no line longer than the terminal or a single word."""
    parser = COMMAND.build_parser(COMMAND.__doc__)
    monkeypatch.setenv("COLUMNS", "400")
    whole = words(parser.format_help())
    monkeypatch.setenv("COLUMNS", str(columns))

    page = parser.format_help()

    long = [line for line in page.splitlines() if len(line) > min(columns, 200)]
    assert words(page) == whole
    assert [line for line in long if len(words(re.sub(r"^ *(--\S+ )?", "", line))) > 1] == []
    assert long == [] or columns < 60


def test_page_uses_the_width_of_a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = COMMAND.build_parser(COMMAND.__doc__)
    heights = []
    for columns in (40, 80, 120, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        heights.append(len(parser.format_help().splitlines()))

    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == len(heights)


def test_examples_are_lines_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what they do beside them where there is room, else below."""
    parser = COMMAND.build_parser(COMMAND.__doc__)
    monkeypatch.setenv("COLUMNS", "120")
    wide = parser.format_help()
    monkeypatch.setenv("COLUMNS", "80")
    narrow = parser.format_help()

    assert re.search(r"^ +deploy-azure_v1\.py --config config\.yaml --dry-run +which steps would run", wide, re.M)
    assert "\n  deploy-azure_v1.py --config config.yaml --dry-run\n      which steps would run, and why\n" in narrow


def test_page_on_a_terminal_follows_its_width(project: Project) -> None:
    environment = {key: value for key, value in project.env().items() if key not in ("COLUMNS", "LINES")}
    with Terminal(project.command("--help"), project.directory, environment, columns=60, rows=300) as terminal:
        assert terminal.end() == 0
        lines = terminal.lines()

    assert 50 < max(map(len, lines)) <= 60


def test_page_without_a_terminal_is_80_columns_wide(project: Project) -> None:
    project.environment.pop("COLUMNS", None)
    page = project.run("--help").out
    project.environment["COLUMNS"] = "50"
    narrow = project.run("--help").out

    assert 70 < max(map(len, page.splitlines())) <= 80
    assert 40 < max(map(len, narrow.splitlines())) <= 50
