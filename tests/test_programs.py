"""Programs that tests need: what happens to a test without its own."""

from __future__ import annotations

import re
import sys

import pytest
from programs import program
from project import ROOT


def test_test_without_its_program_is_skipped_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs no-such-program: apt-get install no-such-program"):
        program("no-such-program")


def test_test_without_its_program_fails_on_a_ci_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("NODE_PROGRAM", raising=False)
    with pytest.raises(pytest.fail.Exception, match="needs node: apt-get install nodejs npm"):
        program("node")


def test_program_is_found_by_its_variable_or_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZ_PROGRAM", sys.executable)

    assert program("az") == sys.executable
    assert program("no-such-program", "sh").endswith("/sh")


def test_ci_installs_every_program_that_tests_name() -> None:
    """And none is looked for in another way."""
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")}
    marked = re.findall(r'(?:mark\.|[\s\[(])program\(("[^)]*")\)', "\n".join(texts.values()))
    named = {name for arguments in marked for name in re.findall(r'"([a-z-]+)"', arguments)}
    (installed,) = re.findall("^for name in (.*); do$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    of_every_debian = {"sh", "bash", "tar", "unshare"}

    assert {"tmux", "buildah", "chromium", "node", "npm", "fish"} <= named
    assert named - of_every_debian - {"az", "no-such-program", "chromium-browser"} <= set(installed.split())
    assert [str(path) for path, text in texts.items() if re.search(r"skipif\(.*which\(", text)] == []
