"""A shell in a real tmux, on a server of its own: what stands on the screen, keys, and other sizes of the window."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from programs import program

PROMPT = "ready>"


class Tmux:
    """A server with one window, in which bash runs with job control.

    Args:
        directory: where the shell is.
        environment: all variables of the shell but TERM, which is tmux's.
        columns, rows: the size of the window.
    """

    def __init__(
        self, directory: Path, environment: Mapping[str, str], *, columns: int = 80, rows: int = 60
    ) -> None:
        self._directory = directory
        self._typed: str | None = None  # the line that the screen begins below
        self._count = 0
        self._command = [program("tmux"), "-L", f"draftgenie-{os.getpid()}-{os.urandom(4).hex()}", "-f", os.devnull]
        variables = [f"{name}={value}" for name, value in environment.items() if name not in ("TERM", "PS1")]
        shell = ["env", "-i", *variables, f"PS1={PROMPT} ", "TERM=screen-256color", "HISTFILE=",
                 program("bash"), "--norc", "--noprofile", "-i"]  # fmt: skip
        self._tmux("start-server", ";", "set-option", "-g", "history-limit", "10000", ";", "set-option", "-g", "status",
                   "off", ";", "new-session", "-d", "-x", str(columns), "-y", str(rows), "-c", str(directory),
                   shlex.join(shell))  # fmt: skip
        self.wait_for(PROMPT)

    def __enter__(self) -> Tmux:
        return self

    def __exit__(self, *problem: object) -> None:
        self._tmux("kill-server")

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._command, *arguments], capture_output=True, encoding="utf-8", check=True,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        return done.stdout

    def type(self, text: str) -> None:
        """Type a text, as it is."""
        self._tmux("send-keys", "-l", text)

    def press(self, key: str) -> None:
        """Press a key by the name that tmux has for it: `Enter`, `C-z`."""
        self._tmux("send-keys", key)

    def run(self, command: Sequence[str]) -> None:
        """Start a command; from now on the screen is what stands below it."""
        self._count += 1
        name = f".command-{self._count}"  # what is typed is one short line at any width
        (self._directory / name).write_text(shlex.join(command), encoding="utf-8")
        self._tmux("select-pane", "-T", "")  # the title that the command before has set
        self._typed = f". ./{name}\n"
        self.type(f". ./{name}")
        self.press("Enter")

    def resize(self, columns: int, rows: int = 60) -> None:
        """Give the window another size; the program in the foreground gets SIGWINCH.

        tmux passes a size on to the pane's terminal a moment later (it waits when sizes follow each other closely), so
        this returns when the terminal has it: what starts now finds it, and the next size is a change.
        """
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))
        terminal = os.open(self._tmux("display-message", "-p", "#{pane_tty}").rstrip("\n"), os.O_RDWR | os.O_NOCTTY)
        try:
            deadline = time.monotonic() + 60
            while (size := os.get_terminal_size(terminal)) != (columns, rows):
                assert time.monotonic() < deadline, f"the terminal keeps {size} instead of {columns} by {rows}"
                time.sleep(0.02)
        finally:
            os.close(terminal)

    def lines(self) -> list[str]:
        """Return scrollback and screen since the last command, without trailing empty lines."""
        shown = self._tmux("capture-pane", "-p", "-S", "-")
        if self._typed is None:
            return shown.rstrip("\n").split("\n")
        _, typed, below = shown.rpartition(self._typed)
        return below.rstrip("\n").split("\n") if typed else []

    def text(self) -> str:
        """The same as one text."""
        return "\n".join(line.rstrip() for line in self.lines())

    @property
    def title(self) -> str:
        """The title of the window."""
        return self._tmux("display-message", "-p", "#{pane_title}").rstrip("\n")

    def wait_for(self, condition: str | Callable[[str], bool], *, timeout: float = 60) -> str:
        """Look until a text is on the screen, or a condition holds for it; returns the screen.

        Raises:
            AssertionError: it never came.
        """
        holds = (lambda shown: condition in shown) if isinstance(condition, str) else condition
        deadline = time.monotonic() + timeout
        while not holds(text := self.text()):
            assert time.monotonic() < deadline, f"{condition!r} never came:\n{text}"
            time.sleep(0.05)
        return text

    def wait_for_title(self, title: str, *, timeout: float = 60) -> str:
        """Look until the window has a title; returns the screen."""
        self.wait_for(lambda text: self.title == title, timeout=timeout)
        return self.text()  # as it is since then

    def wait_for_prompt(self, *, timeout: float = 100) -> str:
        """Wait until the command has ended; the screen without the line of the prompt."""
        text = self.wait_for(lambda shown: shown.endswith(f"\n{PROMPT}"), timeout=timeout)
        return text.removesuffix(f"\n{PROMPT}")
