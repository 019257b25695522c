"""Turn pydantic's errors of types and values into messages for users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from draftgenie_azure.config.keys import Key
from draftgenie_azure.config.raw_config import RawConfig
from draftgenie_azure.config.validated.azure_section import LOCATION_KINDS
from draftgenie_azure.config.validated.defaults import with_defaults
from draftgenie_azure.config.validated.found import did_you_mean
from draftgenie_azure.config.validated.resource_sections import REDIS_SKUS
from draftgenie_azure.config.validated.schema import Config
from draftgenie_azure.nearest import nearest

# The keys of the same section that a default is derived from.
_DERIVED = {"exposed_port": "port", "identity_name": "project_name", "name": "service"}
MOST_FAULTS = 200  # more do not help, and searching for the nearest name takes time


def parse(values: dict[str, Any], raw: RawConfig, report: Any, damaged: set[Key]) -> Config | None:
    """Validate the values; report faults, remove the faulty values, and validate the rest for further faults."""
    for attempt in range(12):
        try:
            values = with_defaults(values, raw.from_environment)
            return Config.model_validate(values)
        except ValidationError as error:
            errors = error.errors(include_input=False, include_url=False)[:MOST_FAULTS]
            for key, item in _independent(errors, raw):
                if attempt == 0:
                    report(*_explain(key, item, raw))
                damaged.add(key)
                if item["type"] == "extra_forbidden" and (meant := nearest(str(key[-1]), known_keys(key[:-1]))):
                    damaged.add((*key[:-1], meant))
                _take_out(values, key[:-1] if item["type"] == "missing" else key)
                for derived in [(*key[:-1], name) for name, source in _DERIVED.items() if source == key[-1]]:
                    if raw.at(derived) is None:
                        _take_out(values, derived)
                if key == ("azure", "project_name") and raw.get("postgresql.admin_user") is None:
                    _take_out(values, ("postgresql", "admin_user"))
            azure = values.setdefault("azure", {})
            for name in ("resource_group", "location"):  # the section is kept for its cloud
                azure.setdefault(name, "unknown")
    return None


def _independent(errors: list[Any], raw: RawConfig) -> Iterator[tuple[Key, Any]]:
    """Yield the errors with their keys, without those that only follow from another one."""
    found: list[tuple[Key, Any]] = [
        (tuple(part for part in item["loc"] if not (isinstance(part, str) and part[:1] in "<[")), item)
        for item in errors
    ]
    bad_names = {key for key, item in found if item["loc"][-1] == "[key]"}
    meant = {
        (*key[:-1], near)
        for key, item in found
        if item["type"] == "extra_forbidden" and (near := nearest(str(key[-1]), known_keys(key[:-1])))
    }
    wrong = {key for key, _ in found}
    for key, item in found:
        follows = any(key[: len(name)] == name for name in bad_names) and item["loc"][-1] != "[key]"
        source = _DERIVED.get(str(key[-1]), "") if key else ""
        follows = follows or ((*key[:-1], source) in wrong and raw.at(key) is None)
        follows = follows or (key[:1] == ("services",) and key[2:] == ("dockerfile",) and raw.at(key) is None)
        if not follows and not (item["type"] == "missing" and key in meant):
            yield key, item


def _take_out(values: dict[str, Any], key: Key) -> None:
    if not key:
        return
    inner: Any = values
    for part in key[:-1]:
        try:
            inner = inner[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(inner, dict):
        inner.pop(key[-1], None)
    elif isinstance(inner, list) and len(key) > 1:
        # Removing one item would shift the positions that the next round's faults refer to.
        _take_out(values, key[:-1])


_PATTERN_WORDS = {
    r"^/": "must begin with /",
    r"^https?://": "must begin with http:// or https://",
    r"^1[1-8]$": "must be 11 to 18",
    r"^[A-Za-z0-9.-]+(:[0-9]+)?$": "must be a host, such as ghcr.io, without https:// and path",
    r"^[cCpP][0-6]$": "must be c0–c6, or p1–p5 for Premium",
    r"^[a-z]([a-z0-9-]{0,62}[a-z0-9])?$": (
        "must be lower case letters, digits, `-`, begin with a letter and end with no `-`; at most 64 characters"
    ),
    r"^[a-z0-9][a-z0-9-]*$": "must be lower case letters, digits, `-`",
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$": "must be lower case letters, digits, `-`, no `-` at either end",
    r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$": "must be a server parameter's name: lower case letters, `_`, digits",
}


def _words(kind: str, context: Mapping[str, Any]) -> str | None:
    """Return the message for a kind of pydantic error about a value; None if pydantic's own is good enough."""
    return {
        "string_type": "must be text",
        "int_type": "must be an integer",
        "int_parsing": "must be an integer",
        "int_parsing_size": "must be an integer of reasonable size",
        "int_from_float": "must be an integer",
        "float_type": "must be a number",
        "float_parsing": "must be a number",
        "finite_number": "must be a finite number",
        "model_type": "must be a mapping of keys",
        "model_attributes_type": "must be a mapping of keys",
        "dict_type": "must be a mapping of keys",
        "list_type": "must be a list",
        "greater_than_equal": f"must be at least {context.get('ge')}",
        "greater_than": f"must be more than {context.get('gt')}",
        "less_than_equal": f"must be at most {context.get('le')}",
        "string_pattern_mismatch": _PATTERN_WORDS.get(
            context.get("pattern", ""), f"must match {context.get('pattern')}"
        ),
        "too_long": f"must have at most {context.get('max_length')} entries",
        "too_short": "must not be empty",
        "value_error": str(context.get("error", "is not valid")),
    }.get(kind)


def _explain(key: Key, item: Any, raw: RawConfig) -> tuple[Key, str]:
    """Return the key to show and the message for one of pydantic's errors."""
    kind = item["type"]
    context = item.get("ctx", {})
    found = _shown(key, raw, shape=kind in ("model_type", "model_attributes_type", "dict_type", "list_type"))
    if kind == "missing":
        return key, "is required"
    if kind == "extra_forbidden":
        return key, "is not a known key" + did_you_mean(str(key[-1]), known_keys(key[:-1]))
    if kind == "literal_error" and key[:1] == ("locations",) and item["loc"][-1] == "[key]":
        return key, "is not a known kind of resource" + did_you_mean(str(key[-1]), ["default", *LOCATION_KINDS])
    if kind in ("literal_error", "enum"):
        return key, _literal_words(key, context, found, raw)
    words = _words(kind, context) or item["msg"]
    if kind == "value_error" and item["loc"][-1] == "[key]":
        return key, f"the name {words}"
    return key, words + found


def _literal_words(key: Key, context: Any, found: str, raw: RawConfig) -> str:
    allowed = [word.strip().strip("'") for part in str(context["expected"]).split(" or ") for word in part.split(",")]
    words = f"must be one of {', '.join(allowed)}" if len(allowed) <= 12 else "is not offered by Azure"
    if key == ("redis", "sku"):
        words = f"must be one of {', '.join(REDIS_SKUS)} (the older product) or of Managed Redis: Balanced_B0, …"
        if str(raw.get("redis.sku")).startswith("Enterprise"):
            return f"{words}; Azure makes no new Enterprise caches since April 2026"
    value = raw.get(".".join(map(str, key)))
    near = did_you_mean(value, allowed) if isinstance(value, str) and not raw.hides(key) else ""
    return words + found + near


def _shown(key: Key, raw: RawConfig, *, shape: bool) -> str:
    """Quote the value found unless it is a secret or comes from the environment; `shape`: name only its kind."""
    value: Any = raw.values
    for part in key:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return ""
    if isinstance(value, dict):
        return "; found a mapping"
    if isinstance(value, list):
        return "; found a list"
    if shape:
        return "; found a single value"
    if raw.hides(key) or set(key) & {"environment", "secrets", "build_args", "metadata"}:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"; found `{text if len(text) <= 60 else text[:57] + '…'}`"


def known_keys(key: Key) -> list[str]:
    """Return the known keys of the section at a key."""
    model: type[BaseModel] = Config
    position = 0
    while position < len(key):
        field = model.model_fields.get(str(key[position]))
        inner = list(_models(field.annotation)) if field else []
        if field is None or not inner:
            return []
        model = inner[0]
        position += 2 if _is_container(field.annotation) else 1
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _is_container(annotation: Any) -> bool:
    return get_origin(annotation) in (dict, list)
