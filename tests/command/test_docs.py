"""The documents say what the code does."""

from __future__ import annotations

import importlib
import re

from project import ROOT
from readme import filled

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_of_the_readme_are_current() -> None:
    """Steps, flags and configuration keys come from the code: run `python tests/harness/readme.py`."""
    assert filled(README) == README


def test_exit_codes_of_the_readme_are_those_of_the_command() -> None:
    """Every code that the command knows, and no other."""
    command = importlib.import_module("deploy-azure_v1")
    section = README.split("## Exit codes")[1].split("##")[0]

    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}

    assert codes == {command.SUCCESS, command.FAILURE, command.CHANGES_PENDING, command.INTERRUPTED}


def test_files_that_the_readme_names_exist() -> None:
    """The map leads somewhere."""
    section = README.split("## Files")[1].split("##")[0]
    names = re.findall(r"`([\w./-]+(?:\.py|\.yaml|/))`", section)

    missing = [name for name in names if not ((ROOT / name).exists() or (ROOT / "draftgenie_azure" / name).exists())]

    assert names
    assert not missing
