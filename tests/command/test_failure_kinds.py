"""Every kind of failure that people meet says what failed, why, what to do next and where the log is, once."""

from __future__ import annotations

import re
from collections.abc import Callable

import failures_before_azure  # noqa: F401 - each adds its kinds to the list
import failures_of_applications  # noqa: F401
import failures_of_azure  # noqa: F401
import failures_of_state
import pytest
from failure_kinds import KINDS, MOST_LINES, PARAGRAPHS, PARTS, WALLS, Kind, failures
from project import Project

NEEDS_MOUNTS = ("directory of the state read-only", "disk full")


def test_every_kind_of_failure_has_a_name_of_its_own() -> None:
    """Seventy and more, each under a name of its own."""
    assert len(KINDS) >= 70
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_failure_shows_cause_reason_remedy_and_log_once(
    kind: Kind, request: pytest.FixtureRequest, say: Callable[[str], None]
) -> None:
    """Cause, reason and remedy match this kind; so do the log, Azure's request id and the troubleshooting paragraph."""
    if kind.name in NEEDS_MOUNTS and not failures_of_state.can_mount():
        pytest.skip("no file system can be mounted here")
    project: Project = request.getfixturevalue("deployed" if kind.deployed else "project")

    result = kind.provoke(project)

    assert result.code == 1, result.text
    found = failures(result.err)
    assert len(found) == 1, result.err
    (lines,) = found
    assert kind.rated(lines) == (2, 2, 2), "\n".join(lines)
    told = [line for line in lines if not line.startswith("| ")]
    assert len(told) <= MOST_LINES
    assert not WALLS.search("\n".join(told))
    _look_at_parts(kind, project, lines)
    say(f"{kind.name}: what 2, why 2, next 2; {len(told)} lines")


def _look_at_parts(kind: Kind, project: Project, lines: list[str]) -> None:
    """Each part at most once, in order; the log that is named is there, and so is the paragraph."""
    order = [part for line in lines for part in PARTS if line.startswith(part)]
    assert order == [part for part in PARTS if part in order]
    assert PARTS[0] in order
    text = "\n".join(lines)
    assert (re.search(r"^  id:   request [\w-]+", text, re.MULTILINE) is not None) == kind.has_id, text
    log = re.search(r"^  log:  (.+)$", text, re.MULTILINE)
    assert not kind.has_id or log or "--destroy" in text or not project.state_file.exists(), text
    if log is not None and kind.name not in NEEDS_MOUNTS:  # what was mounted is gone
        assert (project.directory / log[1]).stat().st_mode & 0o777 == 0o600
    paragraph = re.search(r"^  help: docs/troubleshooting\.md#(\S+)$", text, re.MULTILINE)
    assert paragraph is not None and paragraph[1] in PARAGRAPHS
