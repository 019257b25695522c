"""Match many patterns at once, in time proportional to their length times that of the path.

Python's regular expressions backtrack, which takes exponential time for `*a*a*a*b`; Go's, which Docker uses, do not.
All possible positions in the patterns are tracked at once, and the transition of such a set on a character is
cached, as in re2.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    # Kind, and the regular expression of one character or of an assertion.
    #   one: a character   many: any number of them   at: an assertion   directories: nothing, or all up to a slash
    Unit = tuple[str, str]

_MOST_STATES = 2000  # cached at a time
_ANY = "."  # no line end, as in Go and Python alike


class _State:
    """A set of positions and the kind of the preceding character."""

    __slots__ = ("accepts", "before", "following", "positions")

    def __init__(self, positions: int, before: str) -> None:
        self.positions = positions
        self.before = before
        self.accepts: bool | None = None
        self.following: dict[str, _State] = {}


class Automaton:
    """An automaton over patterns given as lists of units.

    Args:
        patterns: the units of each pattern.

    Raises:
        re.error: the expression of a unit is invalid.
    """

    def __init__(self, patterns: Iterable[Sequence[Unit]]) -> None:
        self._kinds: list[str] = []
        self._tests: list[Callable[[str], object]] = []
        start = 0
        for units in patterns:
            start |= 1 << len(self._kinds)
            for kind, expression in units:
                self._add(kind, expression)
            self._add("end", "")
        self._states: dict[tuple[int, str], _State] = {}
        self._start = start

    def matches(self, path: str) -> bool:
        """Return whether a pattern matches a whole path."""
        state = self._state(self._start, "")
        for character in path:
            following = state.following.get(character)
            state = self._step(state, character) if following is None else following
        return self._accepts(state)

    def matches_above(self, path: str) -> bool:
        """Return whether a pattern matches a path or a directory above it."""
        state = self._state(self._start, "")
        for character in path:
            if character == "/" and self._accepts(state):
                return True
            following = state.following.get(character)
            state = self._step(state, character) if following is None else following
        return self._accepts(state)

    def _add(self, kind: str, expression: str) -> None:
        if kind == "directories":  # one position that may end at once, one that is left only by a slash
            self._kinds += ["enter", "inside"]
            self._tests += [_test(_ANY)] * 2
        else:
            self._kinds.append(kind)
            self._tests.append(_test(expression))

    def _state(self, positions: int, before: str) -> _State:
        key = (positions, before)
        state = self._states.get(key)
        if state is None:
            if len(self._states) >= _MOST_STATES:
                self._states.clear()
            state = self._states[key] = _State(positions, before)
        return state

    def _step(self, state: _State, character: str) -> _State:
        """Return the state after one more character."""
        positions = 0
        for index in self._reached(state, character):
            kind = self._kinds[index]
            if kind == "inside":
                if self._tests[index](character):
                    positions |= 1 << index
                if character == "/":
                    positions |= 1 << (index + 1)
            elif kind in ("one", "many") and self._tests[index](character):
                positions |= 1 << (index if kind == "many" else index + 1)
        following = self._state(positions, "a" if _is_word(character) else ".")
        state.following[character] = following
        return following

    def _accepts(self, state: _State) -> bool:
        if state.accepts is None:
            state.accepts = any(self._kinds[index] == "end" for index in self._reached(state, ""))
        return state.accepts

    def _reached(self, state: _State, after: str) -> list[int]:
        """Return the positions of a state and those reachable without consuming a character."""
        todo = state.positions
        seen = 0
        reached = []
        while todo:
            bit = todo & -todo
            todo ^= bit
            seen |= bit
            index = bit.bit_length() - 1
            reached.append(index)
            kind = self._kinds[index]
            if kind == "many" or (kind == "at" and _holds(self._tests[index], state.before, after)):
                todo |= (bit << 1) & ~seen
            elif kind == "enter":
                todo |= (bit << 1 | bit << 2) & ~seen
        return reached


_TESTS: dict[str, Callable[[str], object]] = {}


def _test(expression: str) -> Callable[[str], object]:
    if expression not in _TESTS:
        _TESTS[expression] = re.compile(expression, re.ASCII).search
    return _TESTS[expression]


def _is_word(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "_")


def _holds(test: Callable[[str], object], before: str, after: str) -> bool:
    """Return whether an assertion holds between two characters, which are empty at the ends of the path."""
    text = before + after
    return any(match.start() == len(before) for match in test.__self__.finditer(text))  # type: ignore[attr-defined]
