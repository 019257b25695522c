"""A program on a terminal of its own, and the screen that a person would see: bytes drawn by pyte."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyte


class Terminal:
    """A running program and its screen.

    Args:
        command: the program and its arguments.
        directory: where it runs.
        environment: its variables; TERM is xterm-256color unless given.
        columns, rows: the size of the screen.
    """

    def __init__(
        self, command: Sequence[str], directory: Path, environment: Mapping[str, str], *, columns: int = 80,
        rows: int = 60,
    ) -> None:  # fmt: skip
        self._screen = pyte.HistoryScreen(columns, rows, history=10_000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self.bytes = b""
        self._unread = b""
        self._master, child = pty.openpty()
        self._set_size(columns, rows)
        self.process = subprocess.Popen(
            command, cwd=directory, env={"TERM": "xterm-256color", **environment},
            stdin=child, stdout=child, stderr=child, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C and Ctrl-Z are signals
        )  # fmt: skip
        os.close(child)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *problem: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def send(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def resize(self, columns: int, rows: int = 60) -> None:
        """Change the size; the program in the foreground gets SIGWINCH."""
        self._set_size(columns, rows)
        self._screen.resize(rows, columns)

    def lines(self) -> list[str]:
        """Return the scrollback and the screen, without trailing empty lines."""
        above = ["".join(line[x].data for x in range(self._screen.columns)) for line in self._screen.history.top]
        shown = [line.rstrip() for line in (*above, *self._screen.display)]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    def cells(self) -> list[list[Any]]:
        """The screen, cell by cell, with colours."""
        return [[self._screen.buffer[y][x] for x in range(self._screen.columns)] for y in range(self._screen.lines)]

    @property
    def title(self) -> str:
        """The title of the window."""
        return str(self._screen.title)

    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.lines())

    def wait_for(self, condition: str | Callable[[str], bool], *, timeout: float = 60) -> str:
        """Read until a text is on the screen, or a condition holds for it; returns the screen.

        Raises:
            AssertionError: it never came.
        """
        holds = (lambda shown: condition in shown) if isinstance(condition, str) else condition
        return self._read_until(lambda: holds(self.text()), str(condition), timeout)

    def wait_for_title(self, title: str) -> str:
        """Read until the window has a title; returns the screen."""
        return self._read_until(lambda: self.title == title, f"the title {title!r}", 60)

    def _read_until(self, holds: Callable[[], bool], what: str, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while not holds():
            assert time.monotonic() < deadline, f"{what} never came:\n{self.text()}"
            if not self._read() and self.process.poll() is not None and not self._read():
                raise AssertionError(f"ended with {self.process.returncode} before {what}:\n{self.text()}")
        return self.text()

    def end(self, *, timeout: float = 100) -> int:
        """Read until the program has ended; its exit code."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:  # an emulator that goes on may hold the terminal open
            assert time.monotonic() < deadline, f"it never ended:\n{self.text()}"
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def suspend_and_continue(self) -> None:
        """Do what Ctrl-Z and `fg` do: the process stops, and goes on."""
        os.kill(self.process.pid, signal.SIGSTOP)  # Ctrl-Z does not stop a process without a parent shell
        os.waitpid(self.process.pid, os.WUNTRACED)
        os.kill(self.process.pid, signal.SIGCONT)

    def _read(self) -> bool:
        """Draw the next line; whether there was one. Line by line, what is erased again at once is seen, too."""
        if not self._unread:
            if not select.select([self._master], [], [], 0.05)[0]:
                return False
            try:
                self._unread = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                return False
            self.bytes += self._unread
        line, end, self._unread = self._unread.partition(b"\n")
        self._stream.feed(line + end)
        return bool(line + end)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
