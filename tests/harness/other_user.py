"""Another local user of the machine: `nobody`, in a child process that gave up being root."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can become another user"
)


def as_nobody(action: Callable[[], object]) -> None:
    """Call a function as `nobody`; its exceptions are raised here."""
    user = pwd.getpwnam("nobody")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            os.umask(0)
            action()
            code = 0
        except Exception:  # noqa: BLE001 - the parent fails for it
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@contextmanager
def shared_directory() -> Iterator[Path]:
    """A world-writable directory, like the one for temporary files."""
    directory = Path(tempfile.mkdtemp(prefix="draftgenie-test-"))
    directory.chmod(0o1777)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)
