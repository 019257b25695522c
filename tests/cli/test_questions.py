"""Questions on a real terminal: yes, no and Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import termios
import time

import pytest
from project import Project


def _answer(project: Project, arguments: list[str], answer: bytes) -> tuple[int, str]:
    """Run the command on a terminal of its own and answer its question; exit code and what was shown."""
    terminal, child = pty.openpty()
    with subprocess.Popen(
        project.command(*arguments), cwd=project.directory, env=project.env() | {"TERM": "xterm"},
        stdin=child, stdout=child, stderr=child, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C is a signal
    ) as process:  # fmt: skip
        os.close(child)
        shown, answered, deadline = b"", False, time.monotonic() + 60
        # An emulator that goes on may hold the terminal open: the command's own end counts.
        while process.poll() is None and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    shown += os.read(terminal, 65536)
                except OSError:  # the command has just ended
                    break
            if not answered and b"[y/N] " in shown:
                os.write(terminal, answer)
                answered = True
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        while select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:  # nobody has the other end any more
                break
    os.close(terminal)
    assert answered, shown.decode(errors="replace")
    return process.returncode, shown.decode(errors="replace")


@pytest.mark.parametrize(("answer", "code", "gone"), [(b"y\n", 0, True), (b"n\n", 1, False), (b"\x03", 130, False)])
def test_destroy_asks_and_does_what_is_answered(deployed: Project, answer: bytes, code: int, gone: bool) -> None:
    """The plan stands above the question."""
    ended, shown = _answer(deployed, ["--destroy"], answer)

    assert ended == code, shown
    assert shown.index("delete container_app/api_gateway") < shown.index("[y/N]")
    assert ("container_app/api_gateway" not in deployed.state()["resources"]) == gone
