"""Find what in a Dockerfile requires BuildKit, because the classic builder cannot build it.

Sources: github.com/moby/moby, `builder/dockerfile/dispatchers.go` (what the classic builder rejects), and the reference
of the Dockerfile format, docs.docker.com/reference/dockerfile (which options and variables came with BuildKit).
"""

from __future__ import annotations

import re

from draftgenie_azure.build_context.instructions import (
    OFFICIAL_SYNTAX,
    Instruction,
    Undecidable,
    cut,
    directives,
    flags,
    json_words,
    read,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# Options that the classic builder accepts; it rejects all others as unknown or as requiring BuildKit.
_CLASSIC_OPTIONS = {
    "ADD": frozenset({"chown"}),
    "COPY": frozenset({"chown", "from"}),
    "FROM": frozenset({"platform"}),
    "HEALTHCHECK": frozenset({"interval", "retries", "start-period", "timeout"}),
    "RUN": frozenset(),
}
# Options that it parses and rejects only when it builds the stage; others fail at once, wherever they are.
_READ_OPTIONS = {"ADD": ("chmod",), "COPY": ("chmod",), "RUN": ("mount", "network", "security")}
# Variables that only BuildKit predefines.
_AUTOMATIC = frozenset(side + part for side in ("BUILD", "TARGET") for part in ("PLATFORM", "OS", "ARCH", "VARIANT"))
# Instructions in which the builder, not a shell, expands variables.
_EXPANDED = frozenset(
    {"ADD", "ARG", "COPY", "ENV", "EXPOSE", "FROM", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)
_VARIABLE = re.compile(r"(?<!\\)\$(?:\{(\w+)([^}]*)\}|(\w+))")
_ASSIGNMENT = re.compile(r"""(\w+)(=?)(?:"[^"]*"|'[^']*'|[^\s"'])*""")
_GIT = re.compile(r"git@|(?:https?|ssh|git)://\S+\.git(?:#\S*)?$|git://")


class Need:
    """A construct that needs BuildKit.

    Attributes:
        line: its line, counted from 1.
        what: the construct as written, such as `RUN --mount`.
    """

    __slots__ = ("line", "what")

    def __init__(self, line: int, what: str) -> None:
        self.line = line
        self.what = what

    def __repr__(self) -> str:
        return f"Need({self.line}, {self.what!r})"


def needs(text: str, *, target: str | None = None, arguments: Collection[str] = ()) -> list[Need]:
    """Return everything in a Dockerfile that needs BuildKit, in the order of its lines.

    Neither builder builds what follows the target stage; there, only what the classic builder cannot parse counts.
    `# syntax=` with Docker's own syntax never counts: the classic builder takes it for a comment.

    Args:
        text: the Dockerfile.
        target: the target stage; the last by default.
        arguments: names of the build arguments that are passed.
    """
    syntax, line = directives(text).get("syntax", ("", 0))
    if syntax and not OFFICIAL_SYNTAX.match(syntax):
        return [Need(line, f"# syntax={syntax}")]
    stages = _Stages(target, arguments)
    found: list[Need] = []
    try:
        for instruction in read(text):
            is_built = not stages.past(instruction)
            found += (Need(instruction.line, what) for what, reads in _of(instruction, stages) if is_built or not reads)
    except Undecidable:
        pass  # an invalid Dockerfile: either builder reports it better than we could
    return found


class _Stages:
    """The current stage while reading a Dockerfile, and the variables declared in it."""

    def __init__(self, target: str | None, arguments: Collection[str]) -> None:
        self._target = (target or "").lower()
        self._count = 0
        self._in_target = False
        self._behind = False
        self.given = frozenset(arguments)
        self._global: set[str] = set()
        self._local: set[str] = set()

    def past(self, instruction: Instruction) -> bool:
        """Track an instruction; return whether it is in a stage after the target."""
        if instruction.word != "FROM" or self._behind:
            return self._behind
        if self._in_target:
            self._behind = True
            return True
        words = flags(instruction.rest)[1].split()
        name = words[2].lower() if len(words) == 3 and words[1].upper() == "AS" else ""
        self._in_target = self._target != "" and self._target in (name, str(self._count))
        self._count += 1
        self._local = set()
        return False

    @property
    def in_stage(self) -> bool:
        """Return whether the first stage has begun."""
        return self._count > 0

    def declare(self, name: str) -> None:
        """Declare a variable: before the first stage for the FROM lines, else in its stage."""
        (self._local if self.in_stage else self._global).add(name)

    def is_missing(self, name: str) -> bool:
        """Return whether a variable has a value only with BuildKit."""
        return name in _AUTOMATIC and name not in self._global | self._local


def _of(instruction: Instruction, stages: _Stages) -> Iterator[tuple[str, bool]]:
    """Yield what in an instruction needs BuildKit, and whether the classic builder can at least parse it."""
    word, rest = instruction.word, instruction.rest
    while word == "ONBUILD":
        word, rest = cut(rest)
        word = word.upper()
    given, arguments = flags(rest)
    if word in _CLASSIC_OPTIONS:
        for name, _ in given:
            if name not in _CLASSIC_OPTIONS[word]:
                yield f"{word} --{name}", name in _READ_OPTIONS.get(word, ())
    if instruction.heredocs:
        yield f"{word} {instruction.heredocs[0]} (a here-document)", False
    if word == "ADD" and any(_GIT.match(source) for source in (json_words(arguments) or arguments.split())[:-1]):
        yield "ADD of a Git repository", True
    if word in _EXPANDED:
        yield from ((what, True) for what in _of_variables(word, rest, stages))
    if word == "ARG":
        yield from ((what, True) for what in _of_declarations(arguments, stages))


def _of_variables(word: str, rest: str, stages: _Stages) -> Iterator[str]:
    for name, operation, bare in _VARIABLE.findall(rest):
        if operation[:1] in ("#", "%", "/"):
            yield f"{word} ${{{name}{operation}}}"
        elif word == "FROM" and not operation and stages.is_missing(name or bare):
            yield f"FROM with ${name or bare}"


def _of_declarations(arguments: str, stages: _Stages) -> Iterator[str]:
    for name, assigned in _ASSIGNMENT.findall(arguments):
        if assigned or name in stages.given:
            stages.declare(name)
        elif stages.in_stage and stages.is_missing(name):
            yield f"ARG {name}"
