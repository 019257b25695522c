"""A file of environment variables: its syntax, and the messages for its faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from draftgenie_azure.config.env_file import read
from draftgenie_azure.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}), ("# note\n\n  # more\n", {}), ("A=1", {"A": "1"}), ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("export A=1\nexport\tB = 2\n", {"A": "1", "B": "2"}), ("A=\nB=''\n", {"A": "", "B": ""}),
        ("A= a b  # note\n", {"A": "a b"}), ("A=a#b\n", {"A": "a#b"}), ("A=a=b==\n", {"A": "a=b=="}),
        ("A='a # b' # note\n", {"A": "a # b"}), ("A=' a '\n", {"A": " a "}), ("A='a\\nb'\n", {"A": "a\\nb"}),
        ('A="a\\nb\\t\\"c\\"\\\\"\n', {"A": 'a\nb\t"c"\\'}), ('A="a\nb"\nC=1', {"A": "a\nb", "C": "1"}),
        ("A='-----BEGIN\nx\n-----END'\n", {"A": "-----BEGIN\nx\n-----END"}),
        ("A=$B ${C} {{ d.e }}", {"A": "$B ${C} {{ d.e }}"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}), ("\ufeffA=1", {"A": "1"}), ("  A=1\n", {"A": "1"}),
        ('A="$B \\$C"\n', {"A": "$B $C"}), ("A=it's\n", {"A": "it's"}), ('A="x\\q"', {"A": "x\\q"}),
    ],
)  # fmt: skip
def test_variables_are_read_from_the_file(tmp_path: Path, text: str, variables: dict[str, str]) -> None:
    path = tmp_path / "v.env"
    path.write_bytes(text.encode())

    assert read(str(path)) == variables


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("A=1\ncanary\n", 2, "expected NAME=value"),
        ("=canary\n", 1, "expected NAME=value"),
        ("1A=canary\n", 1, "does not begin with a digit"),
        ("A-B=canary\n", 1, "letters, digits and `_` only"),
        ("B=1\n\nA='canary\nC=1", 3, "the quotes around the value of A are not closed"),
        ('A="canary\\"\n', 1, "are not closed"),
        ("A='b' canary\n", 1, "text behind the quotes"),
        ("A=1\nA=canary\n", 2, "duplicate variable (first on line 1)"),
        ("A B=canary\n", 1, "expected NAME=value"),
    ],
)
def test_faults_name_file_and_line_and_show_no_value(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = tmp_path / "v.env"
    path.write_text(text)

    with pytest.raises(ConfigError) as caught:
        read(str(path))

    (fault,) = caught.value.faults
    assert (fault.file, fault.line) == (str(path), line)
    assert words in fault.message
    assert "canary" not in str(caught.value)


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "v.env"
    path.write_text("a\nB=1\nc\n")

    with pytest.raises(ConfigError) as caught:
        read(str(path))

    assert [fault.line for fault in caught.value.faults] == [1, 3]


def test_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.env"
    path.write_bytes(b"A=\xff\n")

    for name, words in [(path, "is not UTF-8"), (tmp_path, "is a directory"), (tmp_path / "none", "no such file")]:
        with pytest.raises(ConfigError, match=words):
            read(str(name))
