"""Every kind of failure has a paragraph in the documents, to which its message leads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from failure_kinds import PARAGRAPHS
from project import Project

from draftgenie_azure import errors
from draftgenie_azure.state import document  # noqa: F401 - has a kind of its own


def kinds(above: type[errors.DeployerError] = errors.DeployerError) -> Iterator[type[errors.DeployerError]]:
    """Every class of the tree."""
    yield above
    for kind in above.__subclasses__():
        yield from kinds(kind)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_kind_of_failure_has_a_paragraph(kind: type[errors.DeployerError]) -> None:
    assert len(PARAGRAPHS[kind.paragraph].split()) > 20


def test_every_paragraph_is_about_a_kind_of_failure() -> None:
    assert set(PARAGRAPHS) == {kind.paragraph for kind in kinds()}


def test_message_names_its_paragraph(deployed: Project) -> None:
    name = deployed.overlay("prod.yaml", {"redis": {"sku": "Tiny"}})

    faulty = deployed.run("--config", "config.yaml", "--config", name)
    usage = deployed.run("--output", "json", "--nonsense")

    assert faulty.err.splitlines()[-1] == "  help: docs/troubleshooting.md#the-configuration-has-faults"
    assert usage.events()[-2]["help"] == "docs/troubleshooting.md#the-command-line-cannot-be-used"
