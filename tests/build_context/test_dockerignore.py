"""The ignore file is read as Docker reads it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draftgenie_azure.build_context.dockerignore import SPACE, Matcher, clean, read_ignore_file, well_formed
from draftgenie_azure.errors import BuildError


def ignored(text: str | bytes, *paths: str) -> list[str]:
    """Those of `paths` that an ignore file with this text ignores."""
    matcher = Matcher(read_ignore_file(text if isinstance(text, bytes) else text.encode()))
    return [path for path in paths if matcher.ignored(path)]


# Name, ignore file, ignored paths, kept paths: what Docker does, as github.com/moby/patternmatcher decides it.
CASES: list[tuple[str, str | bytes, list[str], list[str]]] = [
    ("comments", "# note\n#x\na", ["a"], ["# note", "#x", "x"]),
    ("question mark without slash matches at the root only", "temp?", ["tempa", "tempa/x"], ["temp", "d/tempa"]),
    ("star without slash matches at the root only", "*.log", ["a.log"], ["d/a.log"]),
    ("name without slash matches at the root only", "node_modules", ["node_modules/a"], ["d/node_modules"]),
    ("star slash star", "*/temp*", ["a/temp", "a/temporary.txt"], ["temp", "a/b/temp"]),
    ("two levels of stars", "*/*/temp*", ["a/b/temp.txt"], ["a/temp", "a/b/c/temp"]),
    ("double star at the beginning", "**/*.go", ["a.go", "d/a.go", "d/e/a.go"], ["a.gox"]),
    ("exception after a star", "*.md\n!README.md", ["a.md"], ["README.md", "d/a.md"]),
    ("exceptions in any order", "*.md\n!README*.md\nREADME-secret.md", ["a.md", "README-secret.md"], ["README-x.md"]),
    ("exception before what ignores it has no effect", "!README.md\n*.md", ["README.md"], ["a.txt"]),
    ("all but one directory", "*\n!src", ["a", "d/src/x", "d"], ["src", "src/x", "src/d/x"]),
    ("directory but one file", "dir\n!dir/keep", ["dir", "dir/a"], ["dir/keep"]),
    ("children but one directory", "dir/*\n!dir/a", ["dir/b/x", "dir/b"], ["dir", "dir/a", "dir/a/x"]),
    ("star ignores what is below a match", "*", [".git/config", "a", "a/b"], []),
    ("trailing slash also fits a file", "build/", ["build", "build/x"], ["d/build"]),
    ("leading slash", "/foo", ["foo", "foo/x"], ["d/foo"]),
    ("blanks and tabs around a line", " \t foo \t", ["foo"], [" foo"]),
    ("blank after the exclamation mark", "*\n! keep", ["a"], ["keep"]),
    ("comment mark after a blank is a pattern", " #x", ["#x"], ["x"]),
    ("byte order mark", b"\xef\xbb\xbffoo\nbar", ["foo", "bar"], ["\ufefffoo"]),
    ("CRLF", "foo\r\n!bar\r\n*.x\r\n", ["foo", "a.x"], ["bar"]),
    ("paths are cleaned", "./a/../b\na//c", ["b", "a/c"], ["a", "a/b"]),
    ("slash alone", "/", [], ["a", "a/b"]),
    ("dot alone", ".", [], ["a", "a/b"]),
    ("exclamation mark in brackets is one of the set", "[!y].rst", ["!.rst", "y.rst"], ["x.rst"]),
    ("caret in brackets negates", "[^x].rst", ["y.rst"], ["x.rst"]),
    ("range in brackets", "a[b-d]e", ["ace"], ["ae", "aee"]),
    ("backslash escapes a star", "\\*.txt", ["*.txt"], ["a.txt"]),
    ("backslash escapes a comment mark", "\\#a", ["#a"], ["a"]),
    ("backslash escapes an exclamation mark", "\\!b", ["!b"], ["b"]),
    ("parent matches after a double star", "**/a/b", ["x/y/a/b/z", "a/b", "a/b/z"], ["a", "a/c"]),
    ("double star glued to a name at the beginning", "**foo", ["foo", "xfoo", "d/xfoo"], ["foox"]),
    ("double star glued in the middle", "a**b", ["ab", "a/b", "a/x/b"], ["axb"]),
    ("double star glued at the end", "foo**", ["foo", "foobar", "foo/x"], ["d/foo", "fo"]),
    ("case counts", "Foo", ["Foo"], ["foo"]),
    ("double star at the end", "a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
    ("double star in the middle", "a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a", "ab"]),
    ("all but one extension at any depth", "**\n!**/*.py", ["a", "d/a"], ["a.py", "d/e/a.py"]),
    ("characters of regular expressions", "a.b+(c)|{d}$", ["a.b+(c)|{d}$"], ["axb+(c)|{d}$", "a.bb(c)|{d}$"]),
    ("question mark is no slash, and star stops at one", "a?b\na*/c", ["axb", "ax/c"], ["a/b", "a/x/c"]),
    ("ignored again after an exception", "a\n!a/b\na/b/c", ["a/x", "a/b/c"], ["a/b", "a/b/d"]),
    ("empty lines", "\n\n  \na\n\n", ["a"], ["b"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "gone", "kept"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_patterns_match_as_in_docker(text: str | bytes, gone: list[str], kept: list[str]) -> None:
    assert ignored(text, *gone, *kept) == gone


def test_both_phases_of_reading_matter() -> None:
    """Cases in which only one of the phases makes a difference."""
    assert ignored("/ a", "a", " a") == ["a"]
    assert ignored("*\n/!a", "a", "b") == ["b"]


@pytest.mark.parametrize(
    "text", ["!", "a\n! ", "[", "a[", "[]a]", "[-x]", "[x-]", "[a-b-c]", "[^bc", "a\\\\\\", "[z-a]"]
)
def test_malformed_patterns_are_refused(text: str) -> None:
    """So does Docker; the message names the line."""
    with pytest.raises(BuildError, match="malformed"):
        ignored(text, "a")


def test_bytes_that_are_not_utf_8_match_the_names_they_represent() -> None:
    assert ignored(b"caf\xe9*", "caf\udce9", "caf\udce9s", "cafe") == ["caf\udce9", "caf\udce9s"]


def test_a_newline_in_a_name_is_an_ordinary_character() -> None:
    assert ignored("*.log", "a\nb.log", "a.log\n") == ["a\nb.log"]


# Go's own examples for filepath.Match, as far as moby answers alike.
@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("a*/b", "abc/b", True), ("a*/b", "a/c/b", False), ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
        ("a*b?c*x", "abxbbxdbxebxczzx", True), ("a*b?c*x", "abxbbxdbxebxczzy", False), ("ab[^b-d]", "abc", False),
        ("a?b", "a☺b", True), ("a[^a]b", "a☺b", True), ("a???b", "a☺b", False), ("[a-ζ]*", "α", True),
        ("*[a-ζ]", "A", False), ("[\\]a]", "]", True), ("[x\\-]", "-", True), ("[x\\-]", "z", False),
        ("**/dir2/**", "dir/dir2/dir3/file", True), ("**/**/*.txt", "file.txt", True),
        ("a/*.txt**", "a/file.txt", True), ("[*]", "*", False),
        ("abc/**", "abc", False), ("**/.foo", "bar.foo", False), ("a.|)$(}+{bc", "a.|)$(}+{bc", True),
    ],
)  # fmt: skip
def test_examples_of_go_match(pattern: str, path: str, expected: bool) -> None:
    assert Matcher([pattern]).ignored(path) is expected


@pytest.mark.parametrize(
    ("text", "directory", "skip"),
    [
        ("node_modules", "node_modules", True),
        ("node_modules", "src", False),
        ("*\n!src", "docs", True),
        ("*\n!src", "src", False),
        ("*\n!src/a/b", "src", False),
        ("*\n!src/a/b", "src/c", True),
        ("a\n!**/keep", "a", False),
        ("a\nb\n!b/**/keep", "a", True),
        ("a\n!*.md", "a", True),
        ("a\n!*/x", "a", False),
        ("a\n!b*/x", "a", True),
        ("a\n!a/[x]", "a", False),
    ],
)
def test_a_directory_is_skipped_only_if_nothing_below_can_be_kept(text: str, directory: str, skip: bool) -> None:
    assert Matcher(read_ignore_file(text.encode())).can_skip_directory(directory) is skip


PARTS = st.one_of(
    st.sampled_from(["a", "b", "ab", "a.b", "foo", "*", "?", "**", "*a", "a*", "a?"]),
    st.sampled_from(["**a", "a**", "a**b", "[ab]", "[^a]", "\\a*"]),
)
PATTERN = st.builds(
    lambda bang, parts: bang + "/".join(parts),
    st.sampled_from(["", "", "", "!"]),
    st.lists(PARTS, min_size=1, max_size=4),
)
PATH = st.lists(st.sampled_from(["a", "b", "ab", "a.b", "foo", "xa", "axb"]), min_size=1, max_size=5).map("/".join)


def slowly(patterns: list[str], path: str) -> bool:
    """moby's loop, one pattern and one parent after another."""
    result = False
    parts = path.split("/")
    for line in patterns:
        pattern = clean(line.strip(SPACE))
        exception = pattern.startswith("!")
        pattern = pattern.removeprefix("!")
        if exception is result and any(slowly_one(pattern, "/".join(parts[:end])) for end in range(1, len(parts) + 1)):
            result = not exception
    return result


def slowly_one(pattern: str, path: str) -> bool:
    expression, kind, index, token = "", "exact", 0, 0
    while index < len(pattern):
        character = pattern[index]
        index += 1
        if character == "*" and pattern[index : index + 1] == "*":
            index += 1
            index += pattern[index : index + 1] == "/"
            if index == len(pattern):
                if kind == "exact":
                    kind = "prefix"
                else:
                    kind = "regexp"
                    expression += ".*"
            else:
                kind = "regexp"
                expression += "(.*/)?"
            if token == 0:
                kind = "suffix"
        elif character in "*?":
            expression += "[^/]" + "*" * (character == "*")
            kind = "regexp"
        elif character == "\\":
            expression += "\\" + pattern[index]
            index += 1
            kind = "regexp"
        elif character in "[]":
            expression += character
            kind = "regexp"
        else:
            expression += "\\" + character if character in ".+()|{}$" else character
        token += 1
    if kind == "exact":
        return path == pattern
    if kind == "prefix":
        return path.startswith(pattern[:-2])
    if kind == "suffix":
        return path.endswith(pattern[2:]) or (pattern[2:3] == "/" and path == pattern[3:])
    return re.compile(expression, re.ASCII).fullmatch(path) is not None


@settings(max_examples=400, deadline=None)
@given(st.lists(PATTERN, min_size=1, max_size=6), st.lists(PATH, min_size=1, max_size=8))
def test_matcher_equals_mobys_loop(patterns: list[str], paths: list[str]) -> None:
    matcher = Matcher(patterns)

    for path in paths:
        assert matcher.ignored(path) is slowly(patterns, path), path


@settings(max_examples=400, deadline=None)
@given(st.lists(PATTERN, min_size=1, max_size=6), PATH, st.lists(PATH, min_size=1, max_size=20))
def test_nothing_below_a_skipped_directory_is_kept(patterns: list[str], directory: str, names: list[str]) -> None:
    matcher = Matcher(patterns)

    if matcher.can_skip_directory(directory):
        assert all(matcher.ignored(f"{directory}/{name}") for name in names)


@given(st.lists(PATTERN, max_size=6))
def test_reading_twice_changes_nothing(patterns: list[str]) -> None:
    once = read_ignore_file("\n".join(patterns).encode())

    assert read_ignore_file("\n".join(once).encode()) == once


@given(st.text("a*?[]^-\\/!", max_size=8))
def test_any_text_is_accepted_or_refused_with_a_reason(pattern: str) -> None:
    if well_formed(pattern):
        try:
            Matcher([pattern]).ignored("a/b")
        except BuildError as error:
            assert "malformed" in error.message


# Patterns and names that a matcher which tries one way after another never comes to an end with.
ENDLESS = [
    ("*" + "a*" * 40 + "b", "a" * 200),
    ("**/" + "*a" * 30 + "b", "a" * 100 + "/" + "a" * 100),
    ("**/" * 25 + "b", "a/" * 120 + "a"),
    ("a**" * 25 + "b", "a" * 150),
    ("?*" * 30 + "x", "a" * 200),
    ("[a-b]*" * 30 + "x", "ab" * 100),
    ("**/*" * 20 + "/x", "a/" * 100),
    ("\\a*" * 30 + "b", "a" * 200),
    ("[^x]*" * 25 + "y/**/z", "a/" * 60),
    ("*a" * 2000 + "b", "a" * 3000),
]


@pytest.mark.parametrize(("pattern", "path"), ENDLESS, ids=[pattern[:12] for pattern, _ in ENDLESS])
def test_a_pattern_takes_time_in_proportion_to_its_length(pattern: str, path: str) -> None:
    """It does not take exponential time."""
    assert not Matcher(["!" + pattern, pattern]).ignored(path)
    assert not Matcher([f"kept\n!{pattern}"]).can_skip_directory(path)


@settings(max_examples=400, deadline=None)
@given(st.text("ab*?/!.", max_size=10), st.text("ab/.!", max_size=8))
def test_matcher_equals_mobys_regular_expression(pattern: str, path: str) -> None:
    """The rule of moby, as in the slow loop of these tests."""
    try:
        matcher = Matcher([pattern])
        expected = slowly([pattern], path) if path else None
    except (BuildError, re.error, IndexError):
        return
    if path and clean(path) == path and pattern.strip(SPACE):
        assert matcher.ignored(path) is expected
