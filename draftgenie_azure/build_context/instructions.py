"""The instructions of a Dockerfile, as BuildKit reads them.

docs.docker.com/reference/dockerfile, and for the fine print github.com/moby/buildkit, `frontend/dockerfile/parser`.
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
    """The Dockerfile does not say for certain what it means."""


class Instruction:
    """One instruction.

    Attributes:
        line: where it begins, from 1.
        word: its name, in capitals.
        rest: what follows on its logical line.
        heredocs: the words in it that begin a here-document.
    """

    __slots__ = ("heredocs", "line", "rest", "word")

    def __init__(self, line: int, word: str, rest: str, heredocs: list[str]) -> None:
        self.line = line
        self.word = word
        self.rest = rest
        self.heredocs = heredocs


def read(text: str) -> Iterator[Instruction]:
    """Every instruction, in order.

    Raises:
        Undecidable: from there on it cannot be told what is an instruction.
    """
    lines = text.removeprefix("\ufeff").split("\n")
    known, _ = _directives(lines)
    syntax = known.get("syntax", "")
    if syntax and not OFFICIAL_SYNTAX.match(syntax):
        raise Undecidable(f"its syntax is that of {syntax}")
    yield from _instructions(lines, known.get("escape", "\\"))


def directives(text: str) -> dict[str, tuple[str, int]]:
    """The parser directives at the top: name in lower case -> value, and the line from 1."""
    known, places = _directives(text.removeprefix("\ufeff").split("\n"))
    return {name: (value, places[name]) for name, value in known.items()}


def _directives(lines: list[str]) -> tuple[dict[str, str], dict[str, int]]:
    """The parser directives at the top, and the lines that they stand on."""
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
    # An escape after another one ends no line, as in BuildKit; the builder before it saw that differently.
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
    """A line with those that continue it; empty lines and comments among them do not end it."""
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
    """The words that begin here-documents, whose lines are passed over."""
    found = []
    if "<<" in rest and _may_have_heredoc(word, rest):
        for candidate in _WORD.findall(rest):
            heredoc = _HEREDOC.fullmatch(candidate)
            if heredoc is not None:
                found.append(candidate)
                _skip_heredoc(source, heredoc[2].strip("\"'"), chomp=bool(heredoc[1]))
    return found


def cut(text: str) -> tuple[str, str]:
    """The first word, and what follows it."""
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
    """The words of the JSON form, or None where it is not one."""
    if not rest.startswith("["):
        return None
    try:
        words = json.loads(rest)
    except ValueError:
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def flags(rest: str) -> tuple[list[tuple[str, str]], str]:
    """The flags at the beginning, as names and values, and what follows them."""
    found = []
    while rest.startswith("--"):
        flag, rest = cut(rest)
        if flag == "--":
            break
        name, _, value = flag[2:].partition("=")
        found.append((name.lower(), value))
    return found, rest


