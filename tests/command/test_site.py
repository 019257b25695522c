"""The documents as a site."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from project import ROOT


@pytest.mark.slow
def test_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "troubleshooting.html").exists()


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]

    pages = {page for entry in navigation for page in entry.values()}
    assert pages == {path.name for path in (ROOT / "docs").glob("*.md")}
