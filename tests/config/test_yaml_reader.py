"""The reader of YAML files: what it makes of values, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draftgenie_azure.config import sources
from draftgenie_azure.config.placeholders import render
from draftgenie_azure.config.yaml_reader import Document, read_document
from draftgenie_azure.errors import ConfigError


def document(text: str, **environ: str) -> Document:
    return read_document("c.yaml", environ, text.encode())


def values(text: str, **environ: str) -> object:
    return document(text, **environ).values


ENOUGH = 30  # seconds of the processor, of which these need less than one; what is not linear takes hours


def fault(text: str | bytes, **environ: str) -> str:
    start = time.process_time()
    with pytest.raises(ConfigError) as caught:
        read_document("c.yaml", environ, text.encode() if isinstance(text, str) else text)
    assert time.process_time() - start < ENOUGH
    assert len(caught.value.faults) == 1
    return str(caught.value.faults[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("True", True), ("FALSE", False),
        ("~", None), ("null", None), ("", None),
        ("0", 0), ("-12", -12), ("3000", 3000),
        ("0.5", 0.5), ("-1.25", -1.25),
        # Text, as in YAML 1.2, or because a number would lose the spelling
        ("1:30", "1:30"), ("1:30.5", "1:30.5"), ("2026-11-24", "2026-11-24"), ("2026-99-99", "2026-99-99"),
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"), ("1e3", "1e3"), ("16.10", "16.10"), ("+5", "+5"),
        ("-0", "-0"), ("1" * 5000, "1" * 5000), (".inf", ".inf"), (".nan", ".nan"), ("0o17", "0o17"), ("=", "="),
        ("y", "y"), ("n", "n"), ("None", "None"), ("1.2.3", "1.2.3"), ("<<", "<<"), (".5", ".5"), ("1_0.5", "1_0.5"),
        # Quotes and tags decide
        ("'yes'", "yes"), ('"012"', "012"), ("!!str 5", "5"), ("!!int '5'", 5), ("!!bool 'true'", True),
        ("'${X}'", "1"), ("!!str ${X}", "1"),
    ],
)  # fmt: skip
def test_scalars_have_their_types(text: str, value: object) -> None:
    got = values(f"a: {text}", X="1")

    assert got == {"a": value}
    assert type(got["a"]) is type(value)  # type: ignore[index]


@pytest.mark.parametrize("text", ["yes", "No", "on", "OFF", "Yes"])
def test_ambiguous_booleans_are_refused(text: str) -> None:
    assert fault(f"\na: {text}").startswith(f"c.yaml:2: a: `{text}` may be text or a truth value: write true or false")


@pytest.mark.parametrize("text", ["012", "0x1F", "0b11", "1_000", "-017", "0_1"])
def test_ambiguous_numbers_are_refused(text: str) -> None:
    assert "ambiguous" in fault(f"a: {text}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: !!int x", "tagged as a number"),
        ("a: !!float ''", "tagged as a number"),
        ("a: !!null x", "tagged as null"),
        ("a: !!map [b]", "cannot have the tag"),
        ("a: !!seq {b: c}", "cannot have the tag"),
        ("a: !!python/object:os.system x", "`!!python/object:os.system` is not supported"),
        ("a: !!binary x", "`!!binary` is not supported"),
        ("a: !!timestamp 2026-99-99", "not supported"),
        ("a: !!set {b}", "not supported"),
        ("a: !mine x", "`!mine` is not supported"),
        ("a: ! x", "`!` is not supported"),
    ],
)
def test_tags_beyond_the_core_are_refused(text: str, words: str) -> None:
    assert fault(text).startswith("c.yaml:1:")
    assert words in fault(text)


def test_keys_are_text_as_they_are_written() -> None:
    assert values("on: 1\n012: 2\n1: 3\n~: 4\n${X}: 5\n'a b': 6") == {
        "on": 1, "012": 2, "1": 3, "~": 4, "${X}": 5, "a b": 6,
    }  # fmt: skip


def test_lines_count_from_one_and_are_those_of_keys_and_items() -> None:
    lines = document("a:\n  b: 1\n  c:\n  - x\n  - y: 1\nd: {e: [1,\n 2]}\n").lines

    assert lines == {
        ("a",): 1, ("a", "b"): 2, ("a", "c"): 3, ("a", "c", 0): 4, ("a", "c", 1): 5, ("a", "c", 1, "y"): 5,
        ("d",): 6, ("d", "e"): 6, ("d", "e", 0): 6, ("d", "e", 1): 7,
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------------ duplicates


def test_a_key_given_twice_names_both_lines() -> None:
    assert fault("a: 1\nb: 2\n\na: 3\n") == "c.yaml:4: a: duplicate key (first on line 1); keep one"
    assert fault("s:\n  x: {k: 1, k: 2}\n").startswith("c.yaml:2: s.x.k: duplicate key (first on line 2)")
    assert "duplicate key" in fault("a: 1\n'a': 2\n")


def test_all_faults_of_a_file_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        document("a: yes\nb: 1\nb: 2\nc: ${GONE}\nd: 012\n")

    assert sorted(fault.line or 0 for fault in caught.value.faults) == [1, 3, 4, 5]


# ------------------------------------------------------------------------------------------------- aliases, merging


def test_aliases_and_merge_keys_are_resolved() -> None:
    text = "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: &z {<<: [{b: 4, c: 5}, *x]}\nw: {d: 6, <<: *z}\nv: *x"

    assert values(text) == {
        "x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}, "z": {"a": 1, "b": 4, "c": 5},
        "w": {"a": 1, "b": 4, "c": 5, "d": 6}, "v": {"a": 1, "b": 2},
    }  # fmt: skip


def test_a_merged_value_keeps_its_line() -> None:
    lines = document("x: &x\n  a: 1\ny:\n  <<: *x\n").lines

    assert lines[("y", "a")] == 2


def test_a_shared_value_is_not_shared_in_the_result() -> None:
    got = document("x: &x {a: []}\ny: *x\n").values

    got["x"]["a"].append(1)
    assert got["y"] == {"a": []}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: *b", "`*b` is not an anchor of this file; anchors do not apply across files"),
        ("a: &a [*a]", "a value that contains it"),
        ("a: &a {b: *a}", "a value that contains it"),
        ("a: &a {<<: *a}", "a value that contains it"),
        ("a: &a {b: {<<: *a}}", "a value that contains it"),
        ("a: {<<: 1}", "takes a mapping"),
        ("a: {<<: [1]}", "takes a mapping"),
        ("a: {<<: {b: 1}, <<: {c: 1}}", "duplicate merge key `<<` (first on line 1)"),
    ],
)
def test_invalid_aliases_and_merge_keys_are_reported(text: str, words: str) -> None:
    assert words in fault(text)


# ----------------------------------------------------------------------------------------------------------- bombs


def bombs() -> dict[str, str | bytes]:
    nine = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 13)
    )
    merges = (
        "a0: &a0 {"
        + ",".join(f"k{n}: v" for n in range(100))
        + "}\n"
        + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1},*a{n - 1},*a{n - 1},*a{n - 1}]}}\n" for n in range(1, 300))
    )
    chain = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000))
    merge_chain = "a0: &a0 {k0: 1}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}, k{n}: 1}}\n" for n in range(1, 3000))
    big = "b: &b [" + "x," * 5000 + "]\n" + "".join(f"c{n}: *b\n" for n in range(100))
    return {
        "nested lists": "a: " + "[" * 30_000,
        "nested mappings": "{a: " * 30_000,
        "nested blocks": "".join(" " * n + "a:\n" for n in range(1400)),
        "compact blocks": "- " * 400_000,
        "question marks": "? " * 400_000,
        "nine of nine": nine,
        "merges of merges": merges,
        "chain of aliases": chain,
        "chain of merges": merge_chain,
        "many uses of a large one": big,
        "many values": "a: [" + "x," * 400_000 + "]",
        "many keys": "".join(f"k{n}: v\n" for n in range(80_000)),
        "tag directives": "".join(f"%TAG !a{n}! tag:x\n" for n in range(40_000)) + "--- {a: 1}",
        "anchors": "a: [" + ",".join(f"&a{n} x" for n in range(80_000)) + "]",
        "ten megabytes": "a: " + "x" * 10_000_000,
        "open quotes": "a: '" * 200_000,
        "keys without end": "a: {" + "x: " * 300_000,
        "colons": ":" * 900_000,
        "commas": "[" + "," * 900_000,
        "NUL bytes": b"\0" * 900_000,
        "rubbish": bytes(range(256)) * 3000,
        "documents": "--- a\n" * 150_000,
    }


BOMBS = bombs()


@pytest.mark.parametrize("name", BOMBS)
def test_an_alias_bomb_is_refused(name: str) -> None:
    assert fault(BOMBS[name]).startswith("c.yaml")


@pytest.mark.parametrize(
    "text", ["a: '" + "x" * 900_000 + "'", "a: |\n" + " x\n" * 300_000, "# " + "x" * 900_000 + "\na: 1"]
)
def test_a_long_but_harmless_file_is_read_in_time(text: str) -> None:
    start = time.process_time()

    assert document(text).values
    assert time.process_time() - start < ENOUGH


def test_variables_cannot_swell_a_file_without_bound() -> None:
    assert "adds more than" in fault("a: [" + "'${X}${X}${X}'," * 1000 + "]", X="x" * 100_000)


# ----------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"- a\n", "must be a mapping"),
        (b"text\n", "must be a mapping"),
        (b"'': \n", "a key is empty"),
        (b"a: \xff\n", "c.yaml:1: is not UTF-8"),
        (b"\n\na: \xe4\n", "c.yaml:3: is not UTF-8"),
        ("a: 1\n".encode("utf-16"), "is not UTF-8"),
        (b"a: 1\n\0", "NUL byte"),
        (b"a: \x07\n", "not valid YAML"),
        (b"a: 1\n---\nb: 1\n", "more than one document"),
        (b"%YAML 1.1\n---\na: 1\n", "directives"),
        (b"a: [1\n", "c.yaml:2: not valid YAML"),
        (b"a:\n\tb: 1\n", "c.yaml:2: not valid YAML: the line is indented with a tab"),
        (b"a: 1\n\tb: 1\n", "c.yaml:2: not valid YAML: the line is indented with a tab"),
        ("a: 1\nb:\u00a0c\nd: 2\n".encode(), "c.yaml:2: not valid YAML: a no-break space (U+00A0) is used as a space"),
        ("a:\n\u00a0 b: 1\n".encode(), "c.yaml:2: a no-break space (U+00A0)"),
        ("a:\n- b\n-\u00a0c\n".encode(), "c.yaml:3: not valid YAML: a no-break space"),
        ("a:\n  b:\u200bc\n".encode(), "c.yaml:2: a: a zero-width space (U+200B)"),
        ("a: \u00a0b\n".encode(), "c.yaml:1: a: a no-break space"),
        ("a:\u00a0b\n".encode(), "c.yaml:1: must be a mapping of sections; a no-break space"),
        ("a: {b:\u202f1}\n".encode(), "a narrow no-break space (U+202F)"),
        (b"a: @b\n", "put quotes around a value that begins with `@`"),
        (b"a: b: c\n", "mapping values are not allowed"),
        (b"? [a]\n: 1\n", "a key must be text"),
        (b"a: {{ b.c }}\n", "needs quotes"),
        (b"a: {b: ${X}}\n", "put quotes around"),
    ],
)
def test_unusable_content_is_reported(text: bytes, words: str) -> None:
    assert words in fault(text)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    assert read_document("c.yaml", {}, b"\xef\xbb\xbfa: 1\r\nb: x\r\n").values == {"a": 1, "b": "x"}


def test_missing_files_directories_and_pipes_are_distinguished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "WRITER_LIMIT", 10)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    for path, words in [
        (tmp_path / "none.yaml", "no such file"),
        (tmp_path, "is a directory"),
        (pipe, "is a pipe without a writer"),
        (Path("/dev/zero"), "is a device"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ]:
        with pytest.raises(ConfigError, match=words) as caught:
            read_document(str(path), {})
        assert caught.value.faults[0].file == str(path)


def test_a_name_with_a_zero_byte_is_a_fault_too() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_document("a\0b", {})


# ------------------------------------------------------------------------------------------------------- variables


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${N}", 8080), ("'${N}'", "8080"), ("${N}0", 80800), ("x${N}y", "x8080y"), ("${T}", True), ("${E}", None),
        ("'${E}'", ""), ("${E:-d}", "d"), ("${U:-d}", "d"), ("${U:-}", None), ("${U:-8}", 8), ("${N:-d}", 8080),
        ("$${N}", "${N}"), ("$N", "$N"), ("$$", "$$"), ("$$${N}", "$${N}"), ("${D}", "a: b\n# c"), ("${A}", "*x"),
        ("${U:-a:-b}", "a:-b"), ("${B}", "${N}"), ("'${U:-d}}'", "d}"),
    ],
)  # fmt: skip
def test_variables_are_replaced_in_values(text: str, value: object) -> None:
    environ = {"N": "8080", "T": "true", "E": "", "D": "a: b\n# c", "A": "*x", "B": "${N}"}

    assert values(f"a: {text}", **environ) == {"a": value}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_a_file_may_be_empty(text: str) -> None:
    """For example an overlay with everything commented out."""
    assert values(text) == {}


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", f"(echo 'a: 1'; echo 'b: 2') > {pipe}"]):
        assert read_document(str(pipe), {}).values == {"a": 1, "b": 2}


VARIABLE = "services:\n s:\n  environment:\n   V: %s"


def variable(text: str, **environ: str) -> object:
    got: dict[str, Any] = document(VARIABLE % text, **environ).values
    return got["services"]["s"]["environment"]["V"]


def test_braces_from_the_environment_are_never_placeholders() -> None:
    assert variable("'x{{ a.b }}${X}'", X="{{ c.d }}") == "x{{ a.b }}{{{{ c.d }}"
    assert render(str(variable("${X}", X="a{{{{{ b.c }}")), {}) == "a{{{{{ b.c }}"
    assert values("secrets: {k: '${X}'}", X="{{ c.d }}") == {"secrets": {"k": "{{ c.d }}"}}


TEXTS = (
    VARIABLE,
    "secrets:\n k: %s",
    "tags:\n Owner: %s",
    "services:\n s:\n  args:\n  - %s",
    "services:\n s:\n  command: %s",
)


@pytest.mark.parametrize("place", TEXTS)
@pytest.mark.parametrize("value", ["null", "~", "Null", "True", "FALSE", "yes", "No", "0123", "1_000", "0x1F", "="])
def test_variable_in_a_text_field_stays_text(place: str, value: str) -> None:
    """No null, truth value in another spelling, or number that YAML finds ambiguous: a key may be any of them."""
    got: Any = values(place % "${X}", X=value)
    while not isinstance(got, str):
        assert got is not None
        (got,) = got.values() if isinstance(got, dict) else got
    assert got == value


def test_variable_in_a_number_or_boolean_field_is_converted() -> None:
    text = "deployment:\n parallelism: ${N}\n skip_build: ${T}\n refresh: ${Z}"

    assert values(text, N="8", T="True", Z="null") == {
        "deployment": {"parallelism": 8, "skip_build": True, "refresh": None}
    }


@pytest.mark.parametrize("place", TEXTS)
def test_variable_that_is_sent_to_azure_must_be_utf_8(place: str) -> None:
    found = fault(place % "${X}", X="\udce4\udcff")

    assert "the value of X is not UTF-8 text" in found
    assert "\udce4" not in found


def test_a_path_from_a_variable_may_have_any_bytes() -> None:
    assert values("docker: {build_context: '${X}'}", X="/a\udcff") == {"docker": {"build_context": "/a\udcff"}}


@pytest.mark.parametrize("text", ["{${X}", "${Y}{ a.b }}", "${Y}${X}", "{{{${X}"])
def test_braces_of_file_and_environment_never_make_a_placeholder_together(text: str) -> None:
    assert "would form a placeholder" in fault(VARIABLE % f"'{text}'", X="{ a.b }}", Y="{")


def test_a_secret_that_is_not_set_is_empty() -> None:
    """The vault may have it; whether it does is not for the reader to say."""
    got = document("secrets: {k: '${GONE}', l: 'a${GONE}b'}\npostgresql: {admin_password: '${GONE}'}")

    assert got.values == {"secrets": {"k": "", "l": ""}, "postgresql": {"admin_password": ""}}
    assert got.from_environment[("secrets", "k")] == ("GONE",)
    assert "GONE is not set" in fault("services: {s: {volume: {account_key: '${GONE}'}}}")


def test_variables_are_replaced_in_block_scalars() -> None:
    assert values("a: |\n  x ${N}\n  y\n", N="1") == {"a": "x 1\ny\n"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${GONE}", "the environment variable GONE is not set"),
        ("${}", "must be `${NAME}`"),
        ("${1A}", "must be `${NAME}`"),
        ("${A-b}", "must be `${NAME}`"),
        ("${A:?b}", "must be `${NAME}`"),
        ("'${A'", "must be `${NAME}`"),
        ("'${A:-${B}}'", "without nesting"),
        ("'${A:-{{ postgresql.host }}}'", "cannot contain a brace; set A instead"),
        ("'${A:-{\"b\": 1}}'", "the default of `${A:-…}` ends at its first `}`"),
        ("${CANARY}", "the value is not true or false"),
    ],
)
def test_invalid_variables_are_reported(text: str, words: str) -> None:
    found = fault(f"\na: {text}", CANARY="yes")

    assert found.startswith("c.yaml:2: a: ")
    assert words in found


@pytest.mark.parametrize("text", ["1_2345_6789", "yes", "Off"])
def test_a_fault_about_the_spelling_of_a_secret_does_not_show_it(text: str) -> None:
    """A number that begins with a zero, a word that may be a truth value."""
    found = fault(f"\nsecrets:\n  pin: {text}\n")

    assert text not in found


def test_a_value_from_the_environment_is_marked_and_never_shown() -> None:
    got = document("a: {b: '${X}', c: ['${Y:-z}', w]}\nd: $${X}", X="1")

    assert got.from_environment == {("a", "b"): ("X",), ("a", "c", 0): ("Y",)}
    assert got.variables == {"X": "1", "Y": None}
    assert "0123" not in fault("a: ${X}", X="0123")


def test_a_name_from_the_environment_is_never_a_key_or_structure() -> None:
    assert values("a: ${X}", X="{b: [1, 2]}") == {"a": "{b: [1, 2]}"}


# ---------------------------------------------------------------------------------------------------------- the rest


def test_the_reader_imports_nothing_that_the_shortest_run_cannot_afford() -> None:
    root = str(Path(__file__).resolve().parents[2])
    program = (
        f"import sys; sys.path.insert(0, {root!r}); from draftgenie_azure.config.yaml_reader import read_document;"
        "read_document('c', {}, b'a: [1, {b: c}]');"
        "print(*(set(sys.modules) & {'pydantic', 'logging', 'pathlib', 'dataclasses', 'typing', 'json'}))"
    )

    assert (
        subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True).stdout == "\n"
    )


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="ab:-[]{}&*!<'\"\n #|>%@`?,01.~${}", max_size=80).map(str.encode))
def test_any_bytes_are_a_document_or_a_fault(text: bytes) -> None:
    try:
        got = read_document("c.yaml", {"a": "b"}, text)
    except ConfigError as error:
        assert error.faults
    else:
        assert isinstance(got.values, dict)
