"""Which paths of its build context a Dockerfile can reach.

Reads as much of a Dockerfile as that question needs: docs.docker.com/reference/dockerfile, and for the fine print
github.com/moby/buildkit, `frontend/dockerfile`. What cannot be decided for certain makes the answer "everything": then
more is hashed and shipped than needed, and nothing is missed.
"""

from __future__ import annotations

import json
import re

from draftgenie_azure.build_context.dockerignore import Matcher, clean, literal_start, well_formed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
_OFFICIAL_SYNTAX = re.compile(r"(docker\.io/)?docker/dockerfile(-upstream)?(:|@|$)")
_SHELL = frozenset("$\"'`\\")  # what only a shell's eye can read
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")
_BLANKS = re.compile(r"[\t\v\f\r ]+")  # other spaces are part of names
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'])+""")


class _Undecidable(Exception):
    """The Dockerfile does not say for certain what it reaches."""


class Reach:
    """What a Dockerfile reaches: everything, or what its sources match.

    Args:
        sources: patterns of paths relative to the context, without leading slash; wildcards as in Go's
            `filepath.Match`. None stands for everything.
        trees: patterns as in an ignore file (`COPY --parents`), which know `**`.
        why: what made it everything, in words; empty where it is not.
    """

    def __init__(self, sources: Sequence[str] | None, trees: Sequence[str] = (), *, why: str = "") -> None:
        self.everything = sources is None
        self.why = why
        self.patterns: list[str] = sorted({*(sources or ()), *trees})
        self._paths: list[str] = []
        self._globs: list[tuple[re.Pattern[str], str, int]] = []
        for source in sorted(set(sources or ())):
            if literal_start(source) == source:
                self._paths.append(source)
            else:
                # A range in brackets can match a slash, so the number of parts is known only without one.
                depth = source.count("/") if "[" not in source else 1_000_000
                self._globs.append((re.compile(_translate(source), re.DOTALL), literal_start(source), depth))
        self._trees = [(Matcher([tree]), literal_start(tree)) for tree in sorted(set(trees))]

    def covers(self, path: str) -> bool:
        """Whether `path`, or a directory above it, is what a source matches."""
        if self.everything:
            return True
        for source in self._paths:
            if path.startswith(source) and path[len(source) : len(source) + 1] in ("", "/"):
                return True
        if any(glob.match(path) for glob, _, _ in self._globs):
            return True
        return any(matcher.ignored(path) for matcher, _ in self._trees)

    def enters(self, directory: str) -> bool:
        """Whether anything below `directory` may be covered, so that it must be read."""
        return self.passes(directory) or self.covers(directory)

    def passes(self, path: str) -> bool:
        """Whether a source names, or may name, `path` itself or something below it by way of it.

        A symbolic link there is followed by `COPY`; one that only lies in a copied directory is not.
        """
        if self.everything:
            return False
        below = path + "/"
        if any(source.startswith(below) or source == path for source in self._paths):
            return True
        depth = below.count("/")
        for glob, literal, slashes in self._globs:
            match = glob.match(path)
            if match is not None:
                if match.end() == len(path):
                    return True
            elif depth <= slashes and (literal.startswith(below) or below.startswith(literal)):
                return True
        return any(literal.startswith(below) or below.startswith(literal) for _, literal in self._trees)


class _Stage:
    """One build stage: its name, the stages it builds on, and what its instructions reach."""

    __slots__ = ("name", "needs", "sources", "trees", "undecided")

    def __init__(self, name: str) -> None:
        self.name = name
        self.needs: list[str] = []
        self.sources: list[str] = []
        self.trees: list[str] = []
        self.undecided = ""


def reachable(text: str, *, target: str | None = None, every_stage: bool = False) -> Reach:
    """What the `COPY`, `ADD` and bind mounts of a Dockerfile can take out of its context.

    Args:
        text: the Dockerfile.
        target: the stage that is wanted; the last by default.
        every_stage: whether all stages before the wanted one count, as they do for Docker's builder of before BuildKit
            (the one behind Azure Container Registry's quick builds), which builds them all.

    Returns:
        The paths, or everything where they cannot be decided.
    """
    try:
        stages = _read(text)
        wanted = _wanted(stages, target)
        chosen = stages[: wanted + 1]
        if not every_stage:
            chosen = _needed(stages, wanted)
        for stage in chosen:
            if stage.undecided:
                raise _Undecidable(stage.undecided)
    except _Undecidable as reason:
        return Reach(None, why=str(reason))
    return Reach(
        [source for stage in chosen for source in stage.sources], [tree for stage in chosen for tree in stage.trees]
    )


def _wanted(stages: list[_Stage], target: str | None) -> int:
    if not stages:
        raise _Undecidable("there is no FROM")
    if target is None:
        return len(stages) - 1
    index = _stage_index(stages, target)
    if index is None:
        raise _Undecidable(f"there is no stage {target!r}")
    return index


def _stage_index(stages: Sequence[_Stage], name: str) -> int | None:
    for index in range(len(stages) - 1, -1, -1):
        if stages[index].name == name.lower():
            return index
    return int(name) if name.isdecimal() and int(name) < len(stages) else None


def _needed(stages: list[_Stage], wanted: int) -> list[_Stage]:
    """The wanted stage and those that it builds on; all up to it where a variable hides one."""
    found: set[int] = set()
    todo = [wanted]
    while todo:
        index = todo.pop()
        if index in found:
            continue
        found.add(index)
        for name in stages[index].needs:
            if not _SHELL.isdisjoint(name):
                return stages[: wanted + 1]
            earlier = _stage_index(stages[:index], name)
            if earlier is not None:  # else an image
                todo.append(earlier)
    return [stages[index] for index in sorted(found)]


def _read(text: str) -> list[_Stage]:
    lines = text.removeprefix("\ufeff").split("\n")
    escape = _directives(lines)
    stages: list[_Stage] = []
    for word, rest, heredocs in _instructions(lines, escape):
        if word == "FROM":
            stages.append(_from(rest))
        elif stages:
            try:
                _collect(stages[-1], word, rest, heredocs)
            except _Undecidable as reason:
                stages[-1].undecided = stages[-1].undecided or str(reason)
    return stages


def _directives(lines: list[str]) -> str:
    """The escape character that the parser directives at the top set."""
    escape = "\\"
    for index, line in enumerate(lines):
        if index == 0 and line.startswith("#!"):
            continue
        directive = re.match(r"\s*(?:#|//)\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$", line)
        if directive is None:
            break
        name, value = directive[1].lower(), directive[2]
        if name == "syntax" and not _OFFICIAL_SYNTAX.match(value):
            raise _Undecidable(f"its syntax is that of {value}")
        if name == "escape":
            escape = value
        elif name not in ("syntax", "check"):
            break
    return escape


def _instructions(lines: list[str], escape: str) -> Iterator[tuple[str, str, list[str]]]:
    """Every instruction as its name in capitals, the rest of its logical line, and the words of its here-documents."""
    # An escape after another one ends no line, as in BuildKit; the builder before it saw that differently.
    continued = re.compile(rf"(?:^|[^{re.escape(escape)}]){re.escape(escape)}[ \t]*$")
    source = iter(lines)
    for line in source:
        text = line.rstrip("\r").lstrip()
        if not text or text.startswith("#"):
            continue
        while continued.search(text):
            text = text.rstrip(" \t")[:-1]
            for more in source:
                following = more.rstrip("\r")
                if following.strip() and not following.lstrip().startswith("#"):
                    text += following
                    break
            else:
                break
        word, rest = _cut(text)
        word = word.upper()
        if word not in _INSTRUCTIONS:
            raise _Undecidable(f"it has an unknown instruction {word}")
        heredocs = []
        if "<<" in rest and _may_have_heredoc(word, rest):
            for candidate in _WORD.findall(rest):
                heredoc = _HEREDOC.fullmatch(candidate)
                if heredoc is not None:
                    heredocs.append(candidate)
                    _skip_heredoc(source, heredoc[2].strip("\"'"), chomp=bool(heredoc[1]))
        yield word, rest, heredocs


def _cut(text: str) -> tuple[str, str]:
    """The first word, and what follows it."""
    words = _BLANKS.split(text.strip(), maxsplit=1)
    return words[0], words[1] if len(words) == 2 else ""


def _may_have_heredoc(word: str, rest: str) -> bool:
    while word == "ONBUILD":
        word, rest = _cut(rest)
        word = word.upper()
    return word in ("ADD", "COPY", "RUN")


def _skip_heredoc(source: Iterator[str], end: str, *, chomp: bool) -> None:
    for line in source:
        body = line.rstrip("\r")
        if (body.lstrip("\t") if chomp else body) == end:
            return
    raise _Undecidable(f"the here-document {end} has no end")


def _json_words(rest: str) -> list[str] | None:
    """The words of the JSON form, or None where it is not one."""
    if not rest.startswith("["):
        return None
    try:
        words = json.loads(rest)
    except ValueError:
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _flags(rest: str) -> tuple[list[tuple[str, str]], str]:
    """The flags at the beginning, as names and values, and what follows them."""
    flags = []
    while rest.startswith("--"):
        flag, rest = _cut(rest)
        if flag == "--":
            break
        name, _, value = flag[2:].partition("=")
        flags.append((name.lower(), value))
    return flags, rest


def _from(rest: str) -> _Stage:
    words = _BLANKS.split(_flags(rest)[1])
    stage = _Stage(words[2].lower() if len(words) == 3 and words[1].upper() == "AS" else "")
    if not words[0]:
        stage.undecided = "a FROM names nothing"
        return stage
    image = words[0]
    plain = re.sub(r"\$\{[^}]*\}|\$\w+", "", image)
    if not any(mark in plain for mark in ":/@"):  # else an image, whatever its variables are
        stage.needs.append(image)
    if "onbuild" in image.lower():
        stage.undecided = f"the base image {image} may copy by ONBUILD"
    return stage


def _collect(stage: _Stage, word: str, rest: str, heredocs: list[str]) -> None:
    """Add to a stage what one of its instructions reaches."""
    if word == "ONBUILD":  # counted where it stands: it runs in the stages built on this one
        word, rest = _cut(rest)
        _collect(stage, word.upper(), rest, heredocs)
    elif word in ("COPY", "ADD"):
        _collect_copy(stage, word, rest, heredocs)
    elif word == "RUN":
        for name, value in _flags(rest)[0]:
            if name == "mount":
                _collect_mount(stage, value)


def _collect_copy(stage: _Stage, word: str, rest: str, heredocs: list[str]) -> None:
    flags, rest = _flags(rest)
    for name, value in flags:
        if name == "from":
            stage.needs.append(value)
            return
    words = _json_words(rest) or _BLANKS.split(rest)
    for source in words[:-1]:
        if source in heredocs:
            continue
        if word == "ADD" and ("://" in source.partition("$")[0] or source.startswith("git@")):
            continue
        _add(stage, source, parents=any(name == "parents" for name, _ in flags))


def _collect_mount(stage: _Stage, value: str) -> None:
    if '"' in value or "'" in value:
        raise _Undecidable(f"the mount {value} is quoted")
    fields = {}
    for field in value.split(","):
        key, _, text = field.partition("=")
        fields[key.lower()] = text
    if fields.get("from"):
        stage.needs.append(fields["from"])
    elif fields.get("type", "bind").lower() == "bind" or "$" in fields["type"]:
        _add(stage, fields.get("source") or fields.get("src") or ".", parents=False)


def _add(stage: _Stage, source: str, *, parents: bool) -> None:
    if not _SHELL.isdisjoint(source):
        raise _Undecidable(f"the source {source} has a variable or a quote")
    path = clean("/" + source)[1:]  # `..` does not lead out of the context
    if not path:
        raise _Undecidable(f"the source {source} is the whole context")
    if not well_formed(path):
        raise _Undecidable(f"the source {source} is malformed")
    stage.sources.append(path)
    if "**" in path or (parents and literal_start(path) != path):
        if path.startswith("!") or path != path.strip():  # an ignore file's line would say something else
            raise _Undecidable(f"the source {source} is malformed")
        stage.trees.append(path)


def _translate(pattern: str) -> str:
    """A regular expression for what Go's `filepath.Match` matches with a well-formed pattern, and all that is below."""
    parts = []
    index = 0
    while index < len(pattern):
        character = pattern[index]
        index += 1
        if character == "*":
            parts.append("[^/]*")
        elif character == "?":
            parts.append("[^/]")
        elif character == "[":
            start = index + (pattern[index : index + 1] == "^")
            index = pattern.index("]", start + 1)
            inside = re.sub(r"[\\\[\]&~|^]", r"\\\g<0>", pattern[start:index])
            parts.append(("[^" if pattern[start - 1] == "^" else "[") + inside + "]")
            index += 1
        else:
            parts.append(re.escape(character))
    return "".join(parts) + r"(?=/|\Z)"
