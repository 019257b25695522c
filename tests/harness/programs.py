"""Programs of the system that some tests need: without one, a test is skipped. `.ci/run` installs them where it can."""

from __future__ import annotations

import shutil

import pytest


def program(*names: str) -> str:
    """The path of the first of these programs that is installed."""
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"needs {' or '.join(names)}, as Debian has it: apt-get install {names[0]}")
