"""Programs of the system that some tests need: at a desk such a test is skipped without it, on a CI system it fails.

`.ci/run` installs them. A test names them: `@pytest.mark.program("node", "npm")`, or asks for one by `program("tmux")`.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

_INSTALLED = {  # by what, where the Debian package has another name, or there is none
    "node": "apt-get install nodejs npm",
    "npm": "apt-get install nodejs npm",
    "unshare": "apt-get install util-linux",
    "az": "pip install azure-cli in an environment of its own, and set AZ_PROGRAM to its az",
}


def program(*names: str) -> str:
    """The path of the first of these programs that is installed; `<NAME>_PROGRAM` wins."""
    for name in names:
        if found := os.environ.get(f"{name.upper().replace('-', '_')}_PROGRAM") or shutil.which(name):
            return found
    return missing(f"needs {' or '.join(names)}: {_INSTALLED.get(names[0], f'apt-get install {names[0]}')}")


def missing(reason: str) -> NoReturn:
    """Skip a test for what this machine does not have; fail where `CI` is `true`, which has everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
