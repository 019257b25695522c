"""`{{ name }}` in values."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftgenie_azure.config.placeholders import Name, Template, escape, names, parse, render, urlencode


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("plain", ("plain",)),
        ("{{ a.b }}", (Name("a.b"),)),
        ("{{a.b}}", (Name("a.b"),)),
        ("x{{ a.b | urlencode }}y", ("x", Name("a.b", True), "y")),
        ("{{ a.b|urlencode }}{{ services.my-app.url }}", (Name("a.b", True), Name("services.my-app.url"))),
        ("{{{{ a.b }}", ("{{ a.b }}",)),
        ("{{{ a.b }}}", ("{", Name("a.b"), "}")),
        ("{{{{{{ a.b }}", ("{{", Name("a.b"))),
        ('{"a":{"b":1}}', ('{"a":{"b":1}}',)),
        ("}}", ("}}",)),
        ("{{\n a.b \n}}", (Name("a.b"),)),
    ],
)
def test_text_is_split_into_parts(text: str, parts: tuple[str | Name, ...]) -> None:
    assert parse(text).parts == parts
    assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{", "not closed"),
        ("a {{ b.c } d", "not closed"),
        ("{{ }}", "must be"),
        ("{{ a }}", "must be"),
        ("{{ a.b c }}", "must be"),
        ("{{ a.b + 1 }}", "must be"),
        ("{{ a.b | upper }}", "unknown filter `upper`"),
        ("{{ a.b | urlencode | urlencode }}", "must be"),
        ("{{ a..b }}", "must be"),
        ("{{ .a }}", "must be"),
    ],
)
def test_bad_syntax_says_what_is_allowed(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


def test_a_fault_shows_nothing_of_the_text() -> None:
    with pytest.raises(ValueError) as caught:
        parse("canary {{ canary")

    assert "canary" not in str(caught.value)


def test_values_are_inserted_and_encoded_on_request() -> None:
    text = "amqp://{{ a.user }}:{{ a.password | urlencode }}@host {{{{ x"

    assert names(text) == {"a.user", "a.password"}
    assert render(text, {"a.user": "u", "a.password": "p@/ß"}) == "amqp://u:p%40%2F%C3%9F@host {{ x"


def test_a_value_is_never_parsed_again() -> None:
    assert render("{{ a.b }}", {"a.b": "{{ c.d }}"}) == "{{ c.d }}"


def test_a_missing_value_is_named() -> None:
    with pytest.raises(KeyError, match=r"a\.b"):
        render("{{ a.b }}", {})


def test_a_sole_name_is_distinguished_from_one_with_a_filter_or_text() -> None:
    assert parse("{{ a.b }}").sole == "a.b"
    assert parse("{{ a.b | urlencode }}").sole is None
    assert parse(" {{ a.b }}").sole is None
    assert parse("").sole is None


def test_templates_are_expanded_by_templates() -> None:
    inner = {"x.url": parse("http://{{ y.host }}/a b")}

    assert str(parse("[{{ x.url }}]").expand(inner.get)) == "[http://{{ y.host }}/a b]"
    assert str(parse("{{ x.url | urlencode }}").expand(inner.get)) == "http%3A%2F%2F{{ y.host | urlencode }}%2Fa%20b"
    twice = {"x.url": parse("{{ y.password | urlencode }}")}
    with pytest.raises(ValueError, match="already encoded"):
        parse("{{ x.url | urlencode }}").expand(twice.get)


@given(st.text())
def test_encoding_equals_the_standard_librarys(text: str) -> None:
    assert urlencode(text) == quote(text, safe="")


@given(st.text(alphabet="{} |a.b"))
def test_an_escaped_text_is_literal(text: str) -> None:
    assert render(escape(text), {}) == text
    assert render(escape(text) + "{{ a.b }}", {"a.b": "!"}) == text + "!"


@given(st.lists(st.text(alphabet="{}a") | st.builds(Name, st.sampled_from(["a.b", "c.d"]), st.booleans())))
def test_parts_survive_being_written_and_parsed(parts: list[str | Name]) -> None:
    template = Template(tuple(parts))

    assert parse(str(template)) == template


@given(st.text(alphabet="{}| a.burlencode", max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        template = parse(text)
    except ValueError:
        return
    assert parse(str(template)) == template
