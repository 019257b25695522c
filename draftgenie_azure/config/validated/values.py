"""The types of single values, and the base class of all sections."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from draftgenie_azure.config import placeholders
from draftgenie_azure.config.validated import naming


def _text(value: Any) -> Any:
    """Accept a number as text: the reader keeps any spelling that a number would lose."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def scalar(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else _text(value)


def flag(value: Any) -> Any:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool):
        return value
    raise ValueError("must be true or false")


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def _command(value: Any) -> Any:
    """Split a command given as one text as a shell would, without running one."""
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {error}") from None


class _Rule(AfterValidator):
    """Azure's rule for a kind of name: a message for users, a pattern for the JSON Schema."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {**handler(schema), "pattern": naming.pattern(getattr(self.func, "keywords", {})["kind"])}


def _checked(name: str, kind: str) -> str:
    if fault := naming.name_fault(kind, name):
        raise ValueError(fault)
    return name


def rule(kind: str) -> _Rule:
    return _Rule(partial(_checked, kind=kind))


def filled(description: str) -> Any:
    """Return a field whose default depends on other keys; `with_defaults` fills it in, so it is never None."""
    return Field(default=None, description=description)


def _template(value: str) -> str:
    placeholders.parse(value)
    return value


def branch(tag: str) -> Callable[[Any], str]:
    """Prefix union tags with `<`, which no key starts with, so that faults can omit them from the key shown."""
    return lambda value: f"<{tag}>" if isinstance(value, (dict, BaseModel)) else "<text>"


Text = Annotated[str, BeforeValidator(_text)]
Flag = Annotated[bool, BeforeValidator(flag)]
Whole = Annotated[int, BeforeValidator(_number)]
Decimal = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Port = Annotated[Whole, Field(ge=1, le=65535)]
Words = Annotated[
    list[Text],
    BeforeValidator(_command),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Value = Annotated[
    str,
    BeforeValidator(scalar),
    AfterValidator(_template),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
VariableName = Annotated[Text, rule("variable")]
ServiceKey = Annotated[Text, rule("service_key")]
Location = Annotated[Text, rule("location")]
DatabaseName = Annotated[Text, rule("postgres_database")]


class Section(BaseModel):
    """Base of all sections: no unknown keys, frozen, no input in error messages."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=False,
        defer_build=True,  # a section is only validated as part of the whole
    )
