"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import document_session
import pytest
from document_tables import COMMAND, CONFIGURATION, EMULATOR, filled
from project import ROOT

from draftgenie_azure import constants
from draftgenie_azure.config.validated.service_sections import Service

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("document", [COMMAND, CONFIGURATION, EMULATOR], ids=lambda path: path.stem)
def test_tables_are_current(document: Path) -> None:
    """Steps, flags and configuration keys come from the code: run `python tests/harness/document_tables.py`."""
    text = document.read_text(encoding="utf-8")

    assert filled(text) == text


def test_configuration_reference_has_every_key_of_a_service() -> None:
    """And with it the other sections whose keys are names, which the table once passed over."""
    rows = CONFIGURATION.read_text(encoding="utf-8").split("## `services`")[1].split("\n## ")[0]

    assert set(Service.model_fields) - set(re.findall(r"^\| `(\w+)`", rows, re.MULTILINE)) == set()


def test_exit_codes_of_the_documents_are_those_of_the_command() -> None:
    """Every code that the command knows, and no other."""
    section = COMMAND.read_text(encoding="utf-8").split("## Exit codes")[1].split("##")[0]

    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}

    assert codes == {constants.SUCCESS, constants.FAILURE, constants.CHANGES_PENDING, constants.INTERRUPTED}


def test_files_that_the_readme_names_exist() -> None:
    """The map leads somewhere."""
    section = README.split("## Files")[1].split("##")[0]
    names = re.findall(r"`([\w./-]+(?:\.py|\.yaml|/))`", section)

    missing = [name for name in names if not ((ROOT / name).exists() or (ROOT / "draftgenie_azure" / name).exists())]

    assert names
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_resolve(document: Path) -> None:
    """Files and headings that a document points to are there."""
    text = document.read_text(encoding="utf-8")
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(target)

    assert not broken


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_document_is_in_the_readme() -> None:
    """Nobody finds a page that nothing leads to."""
    linked = set(re.findall(r"\(docs/([\w-]+\.md)\)", README))

    assert {path.name for path in (ROOT / "docs").glob("*.md")} == linked


def test_picture_of_a_first_deployment_is_current() -> None:
    """Made again from the recorded events it is the same: run `python tests/harness/document_session.py`."""
    assert document_session.PICTURE.read_text(encoding="utf-8") == document_session.made()
