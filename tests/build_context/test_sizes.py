"""The largest parts of a context, and the lines that exclude them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftgenie_azure.build_context.dockerignore import Matcher, read_ignore_file
from draftgenie_azure.build_context.sizes import heaviest, ignore_line

NAMES = st.text(st.sampled_from("ab*?[]!#\\ é.-"), min_size=1, max_size=4).filter(lambda name: name.strip(". "))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({}, []),
        ({"a": 1, "b": 3, "c": 2}, [("b", 3), ("c", 2), ("a", 1)]),
        ({"data/dump.sql": 90, "data/readme": 1}, [("data/dump.sql", 90), ("data/readme", 1)]),
        ({f"node_modules/m{number}/x": 10 for number in range(9)}, [("node_modules/", 90)]),
        (
            {"a/node_modules/x": 5, "a/node_modules/y": 5, "a/src": 1, "b": 2},
            [("a/node_modules/", 10), ("b", 2), ("a/src", 1)],
        ),
        ({"a/b/c/d": 7}, [("a/b/c/d", 7)]),
        ({f"{number:02}": 1 for number in range(99)}, [(f"{number:02}", 1) for number in range(10)]),
    ],
)
def test_largest_paths_are_found(sizes: dict[str, int], expected: list[tuple[str, int]]) -> None:
    assert heaviest(sizes) == expected


@given(st.dictionaries(PATHS, st.integers(1, 100), max_size=20))
def test_largest_paths_cover_everything_without_overlap(sizes: dict[str, int]) -> None:
    files = {path: size for path, size in sizes.items() if not any(other.startswith(path + "/") for other in sizes)}

    found = heaviest(files, 1000)

    assert sum(size for _, size in found) == sum(files.values())
    assert not any(one != two and two.startswith(one) and one.endswith("/") for one, _ in found for two, _ in found)


@given(PATHS, PATHS)
def test_line_leaves_out_the_path_and_what_is_below_it_alone(path: str, other: str) -> None:
    matcher = Matcher(read_ignore_file((ignore_line(path) + "\n").encode()))

    assert matcher.ignored(path)
    assert matcher.ignored(f"{path}/below")
    assert matcher.ignored(other) == (other == path or other.startswith(path + "/"))
