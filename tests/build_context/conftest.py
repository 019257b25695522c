"""Fixtures of the tests in this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from context_trees import (
    make,
)

# Changes: what sets off a run, and what does not


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make(tmp_path, {"src/a.py": "one", "src/b.py": "two", ".dockerignore": "*.log", "x.log": "log"})
