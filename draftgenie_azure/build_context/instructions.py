"""Parse the instructions of a Dockerfile as BuildKit does.

Sources: docs.docker.com/reference/dockerfile, and for details github.com/moby/buildkit, `frontend/dockerfile/parser`.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_INSTRUCTIONS = frozenset(
    {
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    }
)
OFFICIAL_SYNTAX = re.compile(r"(docker\.io/)?docker/dockerfile(-upstream)?(:|@|$)")
_DIRECTIVE = re.compile(r"\s*(?:#|//)\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")
BLANKS = re.compile(r"[\t\v\f\r ]+")  # other spaces are part of names
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'])+""")


class Undecidable(Exception):
    """The meaning of the Dockerfile cannot be determined."""


class Instruction:
    """One instruction of a Dockerfile.

    Attributes:
        line: line of its start, counted from 1.
        word: its name, in upper case.
        rest: the remainder of its logical line.
        heredocs: the delimiters of its here-documents.
    """

    __slots__ = ("heredocs", "line", "rest", "word")

    def __init__(self, line: int, word: str, rest: str, heredocs: list[str]) -> None:
        self.line = line
        self.word = word
        self.rest = rest
        self.heredocs = heredocs


def read(text: str) -> Iterator[Instruction]:
    """Yield every instruction, in order.

    Raises:
        Undecidable: what follows cannot be parsed into instructions.
    """
    lines = text.removeprefix("\ufeff").split("\n")
    known, _ = _directives(lines)
    syntax = known.get("syntax", "")
    if syntax and not OFFICIAL_SYNTAX.match(syntax):
        raise Undecidable(f"its syntax is that of {syntax}")
    yield from _instructions(lines, known.get("escape", "\\"))


def directives(text: str) -> dict[str, tuple[str, int]]:
    """Return the parser directives at the top: lower-case name -> value and line, counted from 1."""
    known, places = _directives(text.removeprefix("\ufeff").split("\n"))
    return {name: (value, places[name]) for name, value in known.items()}


def _directives(lines: list[str]) -> tuple[dict[str, str], dict[str, int]]:
    """Return the parser directives at the top, and their lines."""
    found: dict[str, str] = {}
    places: dict[str, int] = {}
    for index, line in enumerate(lines):
        if index == 0 and line.startswith("#!"):
            continue
        directive = _DIRECTIVE.match(line)
        if directive is None or directive[1].lower() not in ("syntax", "escape", "check"):
            break
        found[directive[1].lower()] = directive[2]
        places[directive[1].lower()] = index + 1
    return found, places


def _instructions(lines: list[str], escape: str) -> Iterator[Instruction]:
    # As in BuildKit, a doubled escape does not continue a line; the classic builder differs.
    continued = re.compile(rf"(?:^|[^{re.escape(escape)}]){re.escape(escape)}[ \t]*$")
    source = enumerate(lines, start=1)
    for number, line in source:
        text = line.rstrip("\r").lstrip()
        if not text or text.startswith("#"):
            continue
        word, rest = cut(_logical_line(text, source, continued))
        word = word.upper()
        if word not in _INSTRUCTIONS:
            raise Undecidable(f"it has an unknown instruction {word}")
        yield Instruction(number, word, rest, _heredocs(word, rest, source))


def _logical_line(text: str, source: Iterator[tuple[int, str]], continued: re.Pattern[str]) -> str:
    """Return a line joined with its continuations; empty lines and comments in between do not end it."""
    parts = []
    while continued.search(text):
        parts.append(text.rstrip(" \t")[:-1])
        text = ""
        for _, more in source:
            following = more.rstrip("\r")
            if following.strip() and not following.lstrip().startswith("#"):
                text = following
                break
    return "".join((*parts, text))


def _heredocs(word: str, rest: str, source: Iterator[tuple[int, str]]) -> list[str]:
    """Return the delimiters of here-documents, after skipping their lines."""
    found = []
    if "<<" in rest and _may_have_heredoc(word, rest):
        for candidate in _WORD.findall(rest):
            heredoc = _HEREDOC.fullmatch(candidate)
            if heredoc is not None:
                found.append(candidate)
                _skip_heredoc(source, heredoc[2].strip("\"'"), chomp=bool(heredoc[1]))
    return found


def cut(text: str) -> tuple[str, str]:
    """Split a text into its first word and the rest."""
    words = BLANKS.split(text.strip(), maxsplit=1)
    return words[0], words[1] if len(words) == 2 else ""


def _may_have_heredoc(word: str, rest: str) -> bool:
    while word == "ONBUILD":
        word, rest = cut(rest)
        word = word.upper()
    return word in ("ADD", "COPY", "RUN")


def _skip_heredoc(source: Iterator[tuple[int, str]], end: str, *, chomp: bool) -> None:
    for _, line in source:
        body = line.rstrip("\r")
        if (body.lstrip("\t") if chomp else body) == end:
            return
    raise Undecidable(f"the here-document {end} has no end")


def json_words(rest: str) -> list[str] | None:
    """Return the words of the JSON form, or None if it is not one."""
    if not rest.startswith("["):
        return None
    try:
        words = json.loads(rest)
    except (ValueError, RecursionError):
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def flags(rest: str) -> tuple[list[tuple[str, str]], str]:
    """Split off the leading flags: (name, value) pairs, and the rest."""
    found = []
    while rest.startswith("--"):
        flag, rest = cut(rest)
        if flag == "--":
            break
        name, _, value = flag[2:].partition("=")
        found.append((name.lower(), value))
    return found, rest


