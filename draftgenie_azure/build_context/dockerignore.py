"""Determine which paths a `.dockerignore` excludes from a build context.

Follows the semantics of github.com/moby/patternmatcher (Copyright The Moby Authors, licensed under the Apache License,
Version 2.0, http://www.apache.org/licenses/LICENSE-2.0), in its two stages: the reader of lines (`ignorefile.ReadAll`)
and the matcher (`PatternMatcher.MatchesOrParentMatches`). They are kept separate because it matters: through both,
`/ a` is `a`, and `/!a` is an exception.
"""

from __future__ import annotations

import posixpath
import re

from draftgenie_azure.build_context.automaton import Automaton
from draftgenie_azure.errors import BuildError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from draftgenie_azure.build_context.automaton import Unit

# The characters of Go's `unicode.IsSpace`; plain `str.strip()` removes four more control characters.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_SPECIAL = frozenset("*?[]\\")
# A character after a backslash is passed to the regular expression as is, so `\d` is a digit, as in moby. Go's `\z` is
# Python's `\Z`; other letters and digits are an error in Go.
_ASSERTIONS = frozenset(("\\A", "\\b", "\\B", "\\Z"))
_ESCAPED = {letter: "\\" + letter for letter in "abBdDfnrsStvwWA"} | {"z": "\\Z"}


def clean(path: str) -> str:
    """Return the shortest equivalent path, `.` for the empty one, as Go's `filepath.Clean`."""
    path = posixpath.normpath(path)
    return path[1:] if path.startswith("//") else path  # POSIX keeps two leading slashes, Go does not


def read_ignore_file(data: bytes) -> list[str]:
    """Return the patterns of an ignore file, cleaned, in order.

    Args:
        data: the file's bytes; bytes that are not UTF-8 are kept as `os.fsdecode` keeps them in file names.

    Returns:
        Patterns for `Matcher`; exceptions begin with `!`.
    """
    patterns = []
    for line in data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n"):
        if line.startswith("#"):
            continue
        pattern = line.strip(SPACE)
        if not pattern:
            continue
        exception = pattern[0] == "!"
        if exception:
            pattern = pattern[1:].strip(SPACE)
        if pattern:
            pattern = clean(pattern)
            if len(pattern) > 1 and pattern[0] == "/":
                pattern = pattern[1:]
        patterns.append("!" + pattern if exception else pattern)
    return patterns


class Matcher:
    """Match paths against a list of patterns; the last one that matches a path or one of its parents decides.

    Args:
        lines: patterns, as `read_ignore_file` returns them.

    Raises:
        BuildError: a pattern is malformed, or just `!`; Docker rejects it too.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._runs: list[_Run] = []
        self._exceptions: list[str] = []
        for line in lines:
            text = line.strip(SPACE)
            if not text:
                continue
            text = clean(text)
            exception = text[0] == "!"
            if exception:
                text = text[1:]
                self._exceptions.append(text)
            if not text or not well_formed(text):
                raise BuildError(f"the ignore file has a malformed pattern: {line!r}")
            if not self._runs or self._runs[-1].exception is not exception:
                self._runs.append(_Run(exception))
            self._runs[-1].add(text)
        for run in self._runs:
            run.compile()

    def ignored(self, path: str) -> bool:
        """Return whether `path` is excluded from the context.

        Args:
            path: relative to the context's root, with slashes.
        """
        state = self.top
        for parent in parents(path):
            state = self.below(parent, state)
        return self.ignored_in(path, state)

    def can_skip_directory(self, path: str) -> bool:
        """Return whether a directory and everything below it is ignored, so that it need not be read.

        Args:
            path: of a directory, relative to the context's root, with slashes.
        """
        # A pattern that ignores a directory ignores all below it, unless an exception matches there.
        return self.ignored(path) and not any(_may_match_below(pattern, path) for pattern in self._exceptions)

    @property
    def top(self) -> tuple[bool, ...]:
        """Return the state of the root for `below` and `ignored_in`, so that a walk need not check parents."""
        return (False,) * len(self._runs)

    def below(self, directory: str, state: tuple[bool, ...]) -> tuple[bool, ...]:
        """Return the state inside a directory: which runs of patterns match it or one of its parents.

        Args:
            directory: relative to the context's root, with slashes.
            state: state of its parent directory.
        """
        return tuple(hit or run.matches(directory) for hit, run in zip(state, self._runs, strict=True))

    def ignored_in(self, path: str, state: tuple[bool, ...]) -> bool:
        """Like `ignored`, given the state of the directory that contains `path`."""
        ignored = False
        for hit, run in zip(state, self._runs, strict=True):
            if run.exception is ignored and (hit or run.matches(path)):
                ignored = not ignored
        return ignored


class _Run:
    """Consecutive patterns that all ignore, or all except, so that their order is irrelevant.

    As in moby, a pattern without special characters is compared as a whole, `x**` as a prefix and `**x` as a suffix;
    any other one is translated as moby does.
    """

    __slots__ = ("_automaton", "_beginnings", "_ends", "_patterns", "_whole", "exception")

    def __init__(self, exception: bool) -> None:
        self.exception = exception
        self._whole: set[str] = set()
        self._beginnings: tuple[str, ...] = ()
        self._ends: tuple[str, ...] = ()
        self._patterns: list[list[Unit]] = []
        self._automaton: Automaton | None = None

    def add(self, text: str) -> None:
        if text.startswith("**") and _SPECIAL.isdisjoint(text[2:]):
            self._ends += (text[2:],)
            if text[2:3] == "/":  # `**/foo` is also `foo`
                self._whole.add(text[3:])
        elif text.endswith("**") and _SPECIAL.isdisjoint(text[:-2]):
            self._beginnings += (text[:-2],)
        elif _SPECIAL.isdisjoint(text):
            self._whole.add(text)
        else:
            self._patterns.append(_units(text))

    def compile(self) -> None:
        if self._patterns:
            self._automaton = Automaton(self._patterns)

    def matches(self, path: str) -> bool:
        return (
            path in self._whole
            or path.endswith(self._ends)
            or path.startswith(self._beginnings)
            or (self._automaton is not None and self._automaton.matches(path))
        )


def _may_match_below(pattern: str, directory: str) -> bool:
    below = directory + "/"
    literal = literal_start(pattern)
    if literal == pattern:
        return literal.startswith(below)
    if not (literal.startswith(below) or below.startswith(literal)):
        return False
    if "**" in pattern or "[" in pattern or "\\" in pattern:
        return True
    # Neither `*` nor `?` matches a slash, so the first parts of the pattern must match those of the directory.
    parts = pattern.split("/")
    depth = below.count("/")
    return len(parts) > depth and Automaton([_units("/".join(parts[:depth]))]).matches(directory)


def parents(path: str) -> list[str]:
    """Return the directories above a relative path, outermost first."""
    result = []
    end = path.find("/")
    while end != -1:
        result.append(path[:end])
        end = path.find("/", end + 1)
    return result


def literal_start(pattern: str) -> str:
    """Return the literal prefix of a pattern."""
    for index, character in enumerate(pattern):
        if character in "*?[\\":
            return pattern[:index]
    return pattern


def well_formed(pattern: str) -> bool:
    """Return whether `filepath.Match` accepts a pattern: no open or empty bracket, half range or final backslash."""
    index, end = 0, len(pattern)

    def member() -> bool:  # one character of a range
        nonlocal index
        if index >= end or pattern[index] in "-]":
            return False
        index += 2 if pattern[index] == "\\" else 1
        return index < end

    while index < end:
        character = pattern[index]
        index += 1
        if character == "\\":
            if index == end:
                return False
            index += 1
        elif character == "[":
            if index < end and pattern[index] == "^":
                index += 1
            first = True
            while first or index >= end or pattern[index] != "]":
                first = False
                if not member():
                    return False
                if pattern[index] == "-":
                    index += 1
                    if not member():
                        return False
            index += 1
    return True


def _units(pattern: str) -> list[Unit]:
    """Translate a pattern to regular expressions as moby does, brackets included, unit by unit."""
    units: list[Unit] = []
    index, end = 0, len(pattern)
    bracket: str | None = None  # the open bracket expression so far
    while index < end:
        character = pattern[index]
        index += 1
        if character == "*" and pattern[index : index + 1] == "*":
            index += 1
            if pattern[index : index + 1] == "/":
                index += 1
            if bracket is not None:
                bracket += ".*" if index == end else "(?:.*/)?"
            else:
                units.append(("many", ".") if index == end else ("directories", ""))
        elif character in "*?":
            # moby translates a star even in brackets, which closes them.
            expression = "[^/]" if bracket is None else bracket + "\\[^/]"
            units.append(("many" if character == "*" else "one", expression))
            bracket = None
        elif character == "\\" and index < end:
            expression = _escaped(pattern[index], pattern)
            index += 1
            if bracket is not None:
                bracket += expression
            else:
                units.append(("at" if expression in _ASSERTIONS else "one", expression))
        elif character == "[" and bracket is None:
            bracket = "["
            if pattern[index : index + 1] == "^":
                index += 1
                bracket += "^"
        elif character == "]" and bracket is not None:
            units.append(("one", bracket + "]"))
            bracket = None
        elif bracket is not None:
            bracket += character if character in "-^" else re.escape(character)
        else:
            units.append(("at", "^") if character == "^" else ("one", re.escape(character)))
    if bracket is not None:
        raise BuildError(f"the ignore file has a malformed pattern: {pattern!r}")
    try:
        for _, expression in units:
            re.compile(expression, re.ASCII)
    except re.error as error:
        raise BuildError(f"the ignore file has a malformed pattern: {pattern!r} ({error})") from error
    return units


def _escaped(character: str, pattern: str) -> str:
    if not (character.isascii() and character.isalnum()):
        return re.escape(character)
    try:
        return _ESCAPED[character]
    except KeyError:
        raise BuildError(f"the ignore file has a malformed pattern: {pattern!r}") from None
