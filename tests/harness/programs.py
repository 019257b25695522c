"""Programs of the system that some tests need: without one, a test is skipped, except in CI."""

from __future__ import annotations

import os
import shutil

import pytest


def program(*names: str) -> str:
    """The path of the first of these programs that is installed."""
    for name in names:
        if found := shutil.which(name):
            return found
    text = f"needs {' or '.join(names)}, as Debian has it: apt-get install {names[0]}"
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)
