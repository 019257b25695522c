"""Determine which paths of its build context a Dockerfile can reach.

Reads only as much of the instructions (`instructions.py`) as that question needs. What cannot be decided makes
the result "everything": more is hashed and shipped than needed, and nothing is missed.
"""

from __future__ import annotations

import re

from draftgenie_azure.build_context.automaton import Automaton
from draftgenie_azure.build_context.dockerignore import Matcher, clean, literal_start, well_formed
from draftgenie_azure.build_context.instructions import BLANKS, Undecidable, cut, flags, json_words, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from draftgenie_azure.build_context.automaton import Unit

_SHELL = frozenset("$\"'`\\")  # characters that only a shell can interpret


class Reach:
    """The files that a Dockerfile can copy: everything, or the paths that its sources match.

    Args:
        sources: patterns of paths relative to the context, without leading slash; wildcards as in Go's
            `filepath.Match`. None means everything.
        trees: patterns as in an ignore file (`COPY --parents`), which support `**`.
        why: the reason for everything; empty otherwise.
    """

    def __init__(self, sources: Sequence[str] | None, trees: Sequence[str] = (), *, why: str = "") -> None:
        self.everything = sources is None
        self.why = why
        self.patterns: list[str] = sorted({*(sources or ()), *trees})
        self._paths: list[str] = []
        self._globs: list[tuple[Automaton, str, int]] = []
        for source in sorted(set(sources or ())):
            if literal_start(source) == source:
                self._paths.append(source)
            else:
                # A range in brackets can match a slash, so the number of parts is known only without one.
                depth = source.count("/") if "[" not in source else 1_000_000
                self._globs.append((Automaton([_units(source)]), literal_start(source), depth))
        self._trees = [(Matcher([tree]), literal_start(tree)) for tree in sorted(set(trees))]

    def covers(self, path: str) -> bool:
        """Return whether a source matches `path` or a directory above it."""
        if self.everything:
            return True
        for source in self._paths:
            if path.startswith(source) and path[len(source) : len(source) + 1] in ("", "/"):
                return True
        if any(glob.matches_above(path) for glob, _, _ in self._globs):
            return True
        return any(matcher.ignored(path) for matcher, _ in self._trees)

    def enters(self, directory: str) -> bool:
        """Return whether anything below `directory` may be covered, so that it must be read."""
        return self.passes(directory) or self.covers(directory)

    def passes(self, path: str) -> bool:
        """Return whether a source may name `path` itself or something below it through it.

        `COPY` follows a symbolic link there, but not one inside a copied directory.
        """
        if self.everything:
            return False
        below = path + "/"
        if any(source.startswith(below) or source == path for source in self._paths):
            return True
        depth = below.count("/")
        for glob, literal, slashes in self._globs:
            if glob.matches(path):
                return True
            begins_alike = literal.startswith(below) or below.startswith(literal)
            if begins_alike and depth <= slashes and not glob.matches_above(path):
                return True
        return any(literal.startswith(below) or below.startswith(literal) for _, literal in self._trees)


class _Stage:
    """One build stage: its name, the stages it builds on, and what its instructions reach.

    Attributes:
        named: line and path of each source that is not a pattern.
        line: line of the current instruction; 0 if it runs in another build.
    """

    __slots__ = ("line", "name", "named", "needs", "sources", "trees", "undecided")

    def __init__(self, name: str) -> None:
        self.name = name
        self.needs: list[str] = []
        self.sources: list[str] = []
        self.trees: list[str] = []
        self.undecided = ""
        self.named: list[tuple[int, str]] = []
        self.line = 0


def missing_stage(text: str, target: str | None) -> str | None:
    """Return why a Dockerfile cannot be built; None if it can, or if that cannot be determined."""
    try:
        stages = _read(text)
    except Undecidable:
        return None
    if not stages:
        return "there is no FROM in it, so nothing can be built from it"
    if target is not None and _stage_index(stages, target) is None:
        named = ", ".join(f"`{stage.name}`" for stage in stages if stage.name)
        return f"there is no stage `{target}` in it, which `target` names" + (f"; there is {named}" if named else "")
    return None


def named_sources(text: str, *, target: str | None = None, every_stage: bool = False) -> list[tuple[int, str]]:
    """Return line and path of what `COPY`, `ADD` and bind mounts name literally; without it the build fails.

    The arguments are those of `reachable`. What cannot be parsed with certainty is left out.
    """
    try:
        stages = _read(text)
        wanted = _wanted(stages, target)
    except Undecidable:
        return []
    chosen = stages[: wanted + 1] if every_stage else _needed(stages, wanted)
    return [found for stage in chosen for found in stage.named]


def reachable(text: str, *, target: str | None = None, every_stage: bool = False) -> Reach:
    """Return what the `COPY`, `ADD` and bind mounts of a Dockerfile can take from its context.

    Args:
        text: the Dockerfile.
        target: the target stage; the last by default.
        every_stage: count all stages before the target, since the classic builder (used by Azure Container
            Registry's quick builds) builds them all.

    Returns:
        The paths, or everything if they cannot be determined.
    """
    try:
        stages = _read(text)
        wanted = _wanted(stages, target)
        chosen = stages[: wanted + 1]
        if not every_stage:
            chosen = _needed(stages, wanted)
        for stage in chosen:
            if stage.undecided:
                raise Undecidable(stage.undecided)
    except Undecidable as reason:
        return Reach(None, why=str(reason))
    return Reach(
        [source for stage in chosen for source in stage.sources], [tree for stage in chosen for tree in stage.trees]
    )


def _wanted(stages: list[_Stage], target: str | None) -> int:
    if not stages:
        raise Undecidable("there is no FROM")
    if target is None:
        return len(stages) - 1
    index = _stage_index(stages, target)
    if index is None:
        raise Undecidable(f"there is no stage {target!r}")
    return index


def _stage_index(stages: Sequence[_Stage], name: str) -> int | None:
    for index in range(len(stages) - 1, -1, -1):
        if stages[index].name == name.lower():
            return index
    return int(name) if name.isdecimal() and int(name) < len(stages) else None


def _needed(stages: list[_Stage], wanted: int) -> list[_Stage]:
    """Return the target stage and those it builds on; all up to it if a variable hides one."""
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
            if earlier is not None:  # otherwise an image
                todo.append(earlier)
    return [stages[index] for index in sorted(found)]


def _read(text: str) -> list[_Stage]:
    stages: list[_Stage] = []
    for instruction in read(text):
        if instruction.word == "FROM":
            stages.append(_from(instruction.rest))
        elif stages:
            try:
                stages[-1].line = instruction.line
                _collect(stages[-1], instruction.word, instruction.rest, instruction.heredocs)
            except Undecidable as reason:
                stages[-1].undecided = stages[-1].undecided or str(reason)
    return stages


def _from(rest: str) -> _Stage:
    words = BLANKS.split(flags(rest)[1])
    stage = _Stage(words[2].lower() if len(words) == 3 and words[1].upper() == "AS" else "")
    if not words[0]:
        stage.undecided = "a FROM names nothing"
        return stage
    image = words[0]
    plain = re.sub(r"\$\{[^}]*\}|\$\w+", "", image)
    if not any(mark in plain for mark in ":/@"):  # otherwise an image, whatever its variables expand to
        stage.needs.append(image)
    if "onbuild" in image.lower():
        stage.undecided = f"the base image {image} may copy by ONBUILD"
    return stage


def _collect(stage: _Stage, word: str, rest: str, heredocs: list[str]) -> None:
    """Add what one instruction reaches to its stage."""
    if word == "ONBUILD":  # counted here although it runs in the stages built on this one
        word, rest = cut(rest)
        stage.line = 0
        _collect(stage, word.upper(), rest, heredocs)
    elif word in ("COPY", "ADD"):
        _collect_copy(stage, word, rest, heredocs)
    elif word == "RUN":
        for name, value in flags(rest)[0]:
            if name == "mount":
                _collect_mount(stage, value)


def _collect_copy(stage: _Stage, word: str, rest: str, heredocs: list[str]) -> None:
    given, rest = flags(rest)
    for name, value in given:
        if name == "from":
            stage.needs.append(value)
            return
    words = json_words(rest) or BLANKS.split(rest)
    for source in words[:-1]:
        if source in heredocs:
            continue
        if word == "ADD" and ("://" in source.partition("$")[0] or source.startswith("git@")):
            continue
        _add(stage, source, parents=any(name == "parents" for name, _ in given))


def _collect_mount(stage: _Stage, value: str) -> None:
    if '"' in value or "'" in value:
        raise Undecidable(f"the mount {value} is quoted")
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
        raise Undecidable(f"the source {source} has a variable or a quote")
    path = clean("/" + source)[1:]  # `..` does not lead out of the context
    if not path:
        raise Undecidable(f"the source {source} is the whole context")
    if not well_formed(path):
        raise Undecidable(f"the source {source} is malformed")
    if stage.line and literal_start(path) == path:
        stage.named.append((stage.line, path))
    stage.sources.append(path)
    if "**" in path or (parents and literal_start(path) != path):
        if path.startswith("!") or path != path.strip():  # as a line of an ignore file it would mean something else
            raise Undecidable(f"the source {source} is malformed")
        stage.trees.append(path)


def _units(pattern: str) -> list[Unit]:
    """Translate a well-formed pattern as Go's `filepath.Match` reads it, character by character."""
    units: list[Unit] = []
    index = 0
    while index < len(pattern):
        character = pattern[index]
        index += 1
        if character in "*?":
            units.append(("many" if character == "*" else "one", "[^/]"))
        elif character == "[":
            start = index + (pattern[index : index + 1] == "^")
            index = pattern.index("]", start + 1)
            inside = re.sub(r"[\\\[\]&~|^]", r"\\\g<0>", pattern[start:index])
            units.append(("one", ("[^" if pattern[start - 1] == "^" else "[") + inside + "]"))
            index += 1
        else:
            units.append(("one", re.escape(character)))
    return units
