"""Kinds of failure that people meet, each provoked through the command, and how the message of one is judged."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from project import ROOT, Project, Result

PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
PARAGRAPHS = {
    re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-"): text.strip()
    for title, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
MOST_LINES = 12  # of one failure, without what a container or build printed
WALLS = re.compile(r"Traceback|object at 0x|Error\(|azure\.core|<class|urllib3|requests\.exceptions|\{\"error\"")
PARTS = ("  next: ", "  id:   ", "  log:  ", "  help: ")
Provoke = Callable[[Project], Result]


@dataclass(frozen=True)
class Kind:
    """One kind of failure.

    Attributes:
        name: for people.
        provoke: has the command fail; what it printed.
        what: words of the first line: what failed.
        why: words that give the cause, before the advice.
        next: words of the advice.
        deployed: whether it happens to a project in which everything is deployed.
        has_id: whether Azure answered, so that the message has the id of the request.
    """

    name: str
    provoke: Provoke
    what: str
    why: str
    next: str
    deployed: bool = False
    has_id: bool = False

    def rated(self, lines: list[str]) -> tuple[int, int, int]:
        """Rate what, why and what next: 2 where the words of this kind are there, 1 where there are others, else 0."""
        advice = [line for line in lines if line.startswith(PARTS[0])]
        place = lines.index(advice[0]) if advice else len(lines)
        before = "\n".join(line for line in lines[:place])
        following = "\n".join(line for line in lines[place:] if not line.startswith(PARTS[1:]))
        return _points(self.what, "".join(lines[:1])), _points(self.why, before), _points(self.next, following)


def _points(words: str, text: str) -> int:
    return 2 if re.search(words, text, re.MULTILINE) else int(bool(text))


KINDS: list[Kind] = []


def kind(name: str, *, what: str, why: str, next: str, **more: bool) -> Callable[[Provoke], Provoke]:
    """Add a kind of failure to the list; the words are regular expressions."""

    def add(provoke: Provoke) -> Provoke:
        KINDS.append(Kind(name, provoke, what, why, next, **more))
        return provoke

    return add


def failures(err: str) -> list[list[str]]:
    """The lines of each failure on standard error, from `failed:` to its last part."""
    found: list[list[str]] = []
    is_open = False
    for line in err.splitlines():
        if line.startswith("failed: "):
            found.append([])
            is_open = True
        if is_open:
            found[-1].append(line)
            is_open = not line.startswith("  help: ")
    return found
