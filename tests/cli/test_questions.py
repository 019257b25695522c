"""Questions on a real terminal: yes, no and Ctrl-C."""

from __future__ import annotations

import os
import pty
import subprocess
import time

import pytest
from project import Project


def _answer(project: Project, arguments: list[str], answer: bytes) -> tuple[int, str]:
    """Run the command on a terminal of its own and answer its question; exit code and what was shown."""
    terminal, child = pty.openpty()
    with subprocess.Popen(
        project.command(*arguments), cwd=project.directory, env=project.env() | {"TERM": "xterm"},
        stdin=child, stdout=child, stderr=child, start_new_session=True,
        preexec_fn=lambda: os.login_tty(os.dup(0)) if hasattr(os, "login_tty") else _take_terminal(),
    ) as process:  # fmt: skip
        os.close(child)
        shown, answered, deadline = b"", False, time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # the other end is closed: the command ended
                break
            if not part:
                break
            shown += part
            if not answered and b"[y/N] " in shown:
                os.write(terminal, answer)
                answered = True
        code = process.wait(timeout=60)
    os.close(terminal)
    assert answered, shown.decode(errors="replace")
    return code, shown.decode(errors="replace")


def _take_terminal() -> None:
    """Make standard input the controlling terminal, so that Ctrl-C is a signal."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize(("answer", "code", "gone"), [(b"y\n", 0, True), (b"n\n", 1, False), (b"\x03", 130, False)])
def test_destroy_asks_and_does_what_is_answered(deployed: Project, answer: bytes, code: int, gone: bool) -> None:
    """The plan stands above the question."""
    ended, shown = _answer(deployed, ["--destroy"], answer)

    assert ended == code, shown
    assert shown.index("delete container_app/api_gateway") < shown.index("[y/N]")
    assert ("container_app/api_gateway" not in deployed.state()["resources"]) == gone
