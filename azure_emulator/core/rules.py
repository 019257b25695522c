"""Checks of request bodies: unknown, missing and wrongly typed properties, and values out of range.

A rule is written as a dict: `"name!"` is required, `"name"` optional; the value is one of the classes below, a nested
dict, or a list holding the rule of the items. `clean` returns the body in Azure's spelling, with what the service
sets itself left out. Property names are case-insensitive, as in Azure's services (a recorded body of
Azure/azure-cli says `"Name": "Consumption"`), and null counts as not given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure_emulator.core.errors import Refusal

Rule = Any
Json = dict[str, Any]


@dataclass(frozen=True)
class Text:
    """A string, its length and pattern."""

    least: int = 0
    most: int | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class Whole:
    """An integer and its bounds."""

    least: int | None = None
    most: int | None = None


@dataclass(frozen=True)
class Number:
    """A double: 1, 1.0 and "1.0" are one value."""


@dataclass(frozen=True)
class Flag:
    """true or false."""


class OneOf:
    """One of some words, case-insensitive; normalised to the spelling given here."""

    def __init__(self, *words: str) -> None:
        self.words = {word.lower(): word for word in words}


@dataclass(frozen=True)
class Map:
    """An object with free keys."""

    value: Rule


@dataclass(frozen=True)
class Anything:
    """Any value."""


@dataclass(frozen=True)
class Nothing:
    """Not supported: no value is valid. For items of a list: the list must be empty."""


@dataclass(frozen=True)
class ReadOnly:
    """Set by the service: ignored in requests, for new and existing resources (azd sends back a full GET;
    recorded traffic of Azure/azure-cli has `name`, `source` and the like in new ones)."""


def read_only(*names: str) -> Json:
    """Return a rule for each name: set by the service."""
    return dict.fromkeys(names, ReadOnly())


TEXT, FLAG, NUMBER, WHOLE, ANY = Text(), Flag(), Number(), Whole(), Anything()
TEXTS = [TEXT]
OBJECT = Map(ANY)
TAGS = Map(Text(most=256))
IDENTITY = {
    "type!": OneOf(
        "None", "SystemAssigned", "UserAssigned", "SystemAssigned,UserAssigned", "SystemAssigned, UserAssigned"
    ),
    "userAssignedIdentities": Map(Anything()),
    "principalId": ReadOnly(),
    "tenantId": ReadOnly(),
}
READ_ONLY = ReadOnly()
ENVELOPE: Json = {"id": READ_ONLY, "name": READ_ONLY, "type": READ_ONLY, "systemData": READ_ONLY}
TRACKED: Json = {**ENVELOPE, "location!": Text(), "tags": TAGS}


class _Problem(Exception):
    def __init__(self, path: str, text: str) -> None:
        super().__init__(text)
        self.path = path
        self.text = text


_PARTIAL = 2  # of `patch`: also in lists


def clean(
    body: Json, rule: Rule, *, patch: bool = False, partial: bool = False, code: str = "InvalidRequestContent"
) -> Json:
    """Return the body in canonical form. Raises a Refusal that names the property.

    `patch`: nothing is required, and nulls are kept, since they delete. `partial`: also in the items of lists.
    """
    try:
        result: Json = _check(body, rule, "", _PARTIAL if partial else patch)
    except _Problem as problem:
        where = problem.path or "$"
        raise Refusal(
            400,
            code,
            f"The request content was invalid and could not be deserialized: '{problem.text} Path '{where}'.'.",
            target=problem.path or None,
        ) from problem
    return result


def _check(value: Any, rule: Rule, path: str, patch: int) -> Any:
    if isinstance(rule, Mapping):
        return _object(value, rule, path, patch)
    if isinstance(rule, list):
        if not isinstance(value, list):
            raise _Problem(path, "An array was expected.")
        inside = patch if patch == _PARTIAL else False  # merge-patch replaces lists as a whole
        return [_check(item, rule[0], f"{path}[{index}]", inside) for index, item in enumerate(value)]
    if isinstance(rule, Map):
        if not isinstance(value, dict):
            raise _Problem(path, "An object was expected.")
        return {
            key: None if item is None else _check(item, rule.value, f"{path}.{key}", patch)
            for key, item in value.items()
        }
    return _scalar(value, rule, path)


def _scalar(value: Any, rule: Rule, path: str) -> Any:
    if isinstance(rule, Nothing):
        raise _Problem(path, "This is not served here.")
    if isinstance(rule, Text):
        return _text(value, rule, path)
    if isinstance(rule, OneOf):
        if not isinstance(value, str) or value.lower() not in rule.words:
            raise _Problem(path, f"Error converting value {value!r}; allowed are {', '.join(rule.words.values())}.")
        return rule.words[value.lower()]
    if isinstance(rule, Flag):
        if not isinstance(value, bool):
            raise _Problem(path, f"Could not convert {value!r} to boolean.")
    elif isinstance(rule, Whole):
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value):
            value = int(value)  # as the services' JSON reader does (recorded: "maximumCount": "3", "weight": "50")
        if isinstance(value, bool) or not isinstance(value, int):
            raise _Problem(path, f"Could not convert {value!r} to integer.")
        if (rule.least is not None and value < rule.least) or (rule.most is not None and value > rule.most):
            raise _Problem(path, f"The value {value} is not between {rule.least} and {rule.most}.")
    elif isinstance(rule, Number):
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", value):
            value = float(value)  # recorded: "cpu": "0.5"
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _Problem(path, f"Could not convert {value!r} to number.")
        return float(value)
    return value


def _text(value: Any, rule: Text, path: str) -> str:
    if not isinstance(value, str):
        raise _Problem(path, f"Error reading string. Unexpected value {value!r}.")
    if len(value) < rule.least or (rule.most is not None and len(value) > rule.most):
        raise _Problem(path, f"The length of the value must be between {rule.least} and {rule.most}.")
    if rule.pattern is not None and not re.fullmatch(rule.pattern, value):
        raise _Problem(path, f"The value {value!r} does not match the pattern {rule.pattern}.")
    return value


def _object(value: Any, rule: Mapping[str, Rule], path: str, patch: int) -> Json:
    if not isinstance(value, dict):
        raise _Problem(path, "An object was expected.")
    known = {name.rstrip("!").lower(): (name.rstrip("!"), name.endswith("!"), inner) for name, inner in rule.items()}
    result: Json = {}
    for key, item in value.items():
        at = f"{path}.{key}" if path else key
        if key.lower() not in known:
            raise _Problem(at, f"Could not find member '{key}' on object.")
        name, _, inner = known[key.lower()]
        if isinstance(inner, ReadOnly):
            continue
        if item is None:
            if patch and at not in ("properties", "location"):
                result[name] = None
            continue
        result[name] = _check(item, inner, at, patch)
    if not patch:
        for name, required, _ in known.values():
            if required and name not in result:
                raise _Problem(f"{path}.{name}" if path else name, f"Required property '{name}' not found in JSON.")
    return result


def merge(current: Any, patch: Any) -> Any:
    """JSON merge-patch (RFC 7396): objects merge, lists are replaced, null deletes."""
    if not isinstance(patch, dict) or not isinstance(current, dict):
        return patch
    result = dict(current)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value) if isinstance(value, dict) else value
    return result


def update(current: Any, patch: Any) -> Any:
    """Like `merge`, for services that fill in every property: null keeps the existing value."""
    if not isinstance(patch, dict) or not isinstance(current, dict):
        return patch
    result = dict(current)
    for key, value in patch.items():
        if value is not None:
            result[key] = update(result.get(key), value) if isinstance(value, dict) else value
    return result


def check_tags(tags: Any) -> None:
    """50 tags, names up to 512 characters (learn.microsoft.com/…/management/tag-resources)."""
    if not isinstance(tags, dict):
        return
    if len(tags) > 50:
        raise Refusal(
            400, "InvalidTagsCount", f"The number of tags ({len(tags)}) exceeds the limit of 50.", gateway=True
        )
    for name, value in tags.items():
        if len(name) > 512 or any(character in "<>%&\\?/" for character in name):
            raise Refusal(
                400,
                "InvalidTagNameCharacters" if len(name) <= 512 else "InvalidTagNameLength",
                f"The tag name '{name}' has reserved characters '<,>,%,&,\\,?,/' or is too long.",
                gateway=True,
            )
        if isinstance(value, str) and len(value) > 256:
            raise Refusal(
                400, "InvalidTagValueLength", f"The value of the tag '{name}' exceeds 256 characters.", gateway=True
            )
