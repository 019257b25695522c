"""Patterns matched in parallel are equivalent to a regular expression."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from draftgenie_azure.build_context.automaton import Automaton

UNITS = st.sampled_from(
    [
        ("one", "a"), ("one", "[^/]"), ("one", "/"), ("one", r"\d"), ("many", "[^/]"), ("many", "."), ("many", "[ab]"),
        ("directories", ""), ("at", "^"), ("at", r"\b"), ("at", r"\B"), ("at", r"\Z"), ("at", r"\A"),
    ]
)  # fmt: skip
PATTERNS = st.lists(st.lists(UNITS, max_size=6), min_size=1, max_size=3)
PATHS = st.text("ab/1.\n", max_size=8)


def expression(units: list[tuple[str, str]]) -> str:
    return "".join(
        "(?:.*/)?" if kind == "directories" else f"(?:{text})*" if kind == "many" else text for kind, text in units
    )


@given(PATTERNS, PATHS)
def test_a_whole_path_matches_as_by_a_regular_expression(patterns: list[list[tuple[str, str]]], path: str) -> None:
    together = re.compile("|".join(f"(?:{expression(units)})" for units in patterns), re.ASCII)

    assert Automaton(patterns).matches(path) is (together.fullmatch(path) is not None)


@given(PATTERNS, PATHS)
def test_a_match_of_a_parent_directory_counts(patterns: list[list[tuple[str, str]]], path: str) -> None:
    """Without assertions, which look at what comes after."""
    plain = [[unit for unit in units if unit[0] != "at"] for units in patterns]
    automaton = Automaton(plain)
    above = [path[:index] for index, character in enumerate(path) if character == "/"]

    assert automaton.matches_above(path) is any(map(automaton.matches, [*above, path]))


def test_number_of_cached_states_is_bounded() -> None:
    automaton = Automaton([[("many", "."), ("one", "a"), *[("one", ".")] * 14, ("one", "b")]])
    path = "".join("ab"[n * n % 7 % 2] for n in range(30_000))

    assert automaton.matches(path) is (path[-1] == "b" and path[-16] == "a")
    assert automaton.matches("a" + "." * 14 + "b")
