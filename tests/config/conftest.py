"""Fixtures of the tests in this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from configurations import GOOD


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A small configuration without a fault, with the Dockerfile that it names."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path
