"""The `$filter` expressions of Microsoft Graph that clients send: `eq`, `in`, `startswith`, `any`, `and`, `or`, `not`.

learn.microsoft.com/graph/filter-query-parameter. Unsupported expressions are refused: an ignored filter would
return all objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Test = Callable[[Json], bool]

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|[A-Za-z_][\w./]*|[(),:])")


class BadFilter(ValueError):
    """An unsupported expression."""


def parse(text: str) -> Test:
    """Compile an expression to a predicate on an object."""
    reader = _Reader(_tokens(text))
    test = reader.either()
    if reader.peek() is not None:
        raise BadFilter(f"'{reader.peek()}' was not expected")
    return test


def _tokens(text: str) -> list[str]:
    found, position = [], 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None:
            raise BadFilter(f"syntax error at position {position}")
        found.append(match[1])
        position = match.end()
    return found


def _literal(token: str) -> str | bool | None:
    if token.startswith("'"):
        return token[1:-1].replace("''", "'")
    words: dict[str, bool | None] = {"true": True, "false": False, "null": None}
    if token.lower() not in words:
        raise BadFilter(f"'{token}' is no value")
    return words[token.lower()]


def _same(value: Any, wanted: Any) -> bool:
    """Compare text case-insensitively, as in the directory."""
    if isinstance(value, str) and isinstance(wanted, str):
        return value.lower() == wanted.lower()
    return bool(value == wanted)


class _Reader:
    """Reads tokens by the precedence of OData: not, and, or."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0

    def peek(self, ahead: int = 0) -> str | None:
        place = self._place + ahead
        return self._tokens[place] if place < len(self._tokens) else None

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if token is None or (wanted and token.lower() != wanted):
            raise BadFilter(f"'{wanted or 'a word'}' was expected, found '{token or 'the end'}'")
        self._place += 1
        return token

    def _next_is(self, word: str) -> bool:
        return (self.peek() or "").lower() == word

    def either(self) -> Test:
        left = self._both()
        while self._next_is("or"):
            self.take()
            left = _any_of(left, self._both())
        return left

    def _both(self) -> Test:
        left = self._one()
        while self._next_is("and"):
            self.take()
            left = _all_of(left, self._one())
        return left

    def _one(self) -> Test:
        if self._next_is("not"):
            self.take()
            inner = self._one()
            return lambda item: not inner(item)
        if self._next_is("("):
            self.take()
            inner = self.either()
            self.take(")")
            return inner
        if self._next_is("startswith"):
            return self._starts_with()
        name = self.take()
        if name.lower().endswith("/any"):
            return self._any(name[: -len("/any")])
        return self._compared(_field(name))

    def _starts_with(self) -> Test:
        self.take()
        self.take("(")
        field = _field(self.take())
        self.take(",")
        start = str(_literal(self.take()))
        self.take(")")
        return lambda item: str(field(item) or "").lower().startswith(start.lower())

    def _any(self, name: str) -> Test:
        """`names/any(n:n eq 'x')`."""
        field = _field(name)
        self.take("(")
        variable = self.take()
        self.take(":")
        self.take(variable.lower())
        self.take("eq")
        wanted = _literal(self.take())
        self.take(")")
        return lambda item: any(_same(value, wanted) for value in field(item) or [])

    def _compared(self, field: Callable[[Json], Any]) -> Test:
        word = self.take().lower()
        if word in ("eq", "ne"):
            wanted = _literal(self.take())
            return lambda item: _same(field(item), wanted) == (word == "eq")
        if word == "in":
            choices = self._list()
            return lambda item: any(_same(field(item), wanted) for wanted in choices)
        raise BadFilter(f"the operator '{word}' is not supported")

    def _list(self) -> list[Any]:
        self.take("(")
        choices = [_literal(self.take())]
        while self._next_is(","):
            self.take()
            choices.append(_literal(self.take()))
        self.take(")")
        return choices


def _any_of(left: Test, right: Test) -> Test:
    return lambda item: left(item) or right(item)


def _all_of(left: Test, right: Test) -> Test:
    return lambda item: left(item) and right(item)


_FIELDS = {
    name.lower(): name
    for name in (
        "id",
        "appId",
        "displayName",
        "servicePrincipalNames",
        "servicePrincipalType",
        "accountEnabled",
        "alternativeNames",
        "userPrincipalName",
        "mail",
        "mailNickname",
        "identifierUris",
    )
}


def _field(name: str) -> Callable[[Json], Any]:
    known = _FIELDS.get(name.lower())
    if known is None:
        raise BadFilter(f"Could not find a property named '{name}'")
    return lambda item: item.get(known)
