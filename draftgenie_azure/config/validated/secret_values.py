"""Check the values of secrets for unreplaced references and stray whitespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from draftgenie_azure.config import placeholders
from draftgenie_azure.config.keys import Key, is_secret_key, is_template_key
from draftgenie_azure.config.validated.leftovers import leftover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from draftgenie_azure.config.raw_config import RawConfig

# As jq, JavaScript, Python and Go print a value that is not there.
_NOTHING = frozenset({"null", "undefined", "none", "nil", "<nil>"})
_UNSEEN = "\ufeff\u200b\u200c\u200d\u2060"  # byte order mark, as PowerShell pipes one; of no width


def faults(raw: RawConfig) -> Iterator[tuple[Key, str]]:
    """Yield the key and message of each fault; messages do not show values."""
    secrets = raw.get("secrets")
    for name, given in secrets.items() if isinstance(secrets, dict) else ():
        if isinstance(given, dict) and len([value for value in given.values() if str(value).lower() == "true"]) > 1:
            yield ("secrets", name), "is either generated or existing: keep one"
    for key, value in _secrets(raw):
        text = _literal(key, value)
        if text is None:
            continue
        if text and not text.strip():
            yield key, "contains only whitespace"
        elif (word := text.strip()).lower() in _NOTHING or (word and not word.strip("*•")):
            yield key, f"{_whose(raw, key)} is what programs print for a missing or masked value; {_remedy(raw, key)}"
        elif style := leftover(text):
            yield key, f"{_whose(raw, key)} is a reference that was not replaced (as `{style}`); {_remedy(raw, key)}"


def notices(raw: RawConfig) -> Iterator[str]:
    """Yield warnings about values that are valid but rarely intended."""
    for key, value in _secrets(raw):
        inner = value.strip().strip(_UNSEEN).strip()
        around = _around(value, inner)
        if inner and around and not set(inner) & set("\r\n"):
            dotted = ".".join(map(str, key))
            yield f"{dotted}: {_whose(raw, key)} has {around} around it, which becomes part of the secret"


def _around(value: str, inner: str) -> str | None:
    """Return a description of characters around a secret that are rarely intended, or None."""
    if inner != value:
        if set(value) & set("\r\n"):
            return "a line end"
        return "an invisible character" if set(value) & set(_UNSEEN) else "a blank"
    return "quotes" if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else None


def _secrets(raw: RawConfig) -> Iterator[tuple[Key, str]]:
    for key, value in _leaves(raw.values, ()):
        if isinstance(value, str) and is_secret_key(".".join(map(str, key))):
            yield key, value


def _leaves(value: Any, key: Key) -> Iterator[tuple[Key, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*key, name))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _leaves(inner, (*key, position))
    else:
        yield key, value


def _literal(key: Key, value: str) -> str | None:
    """Return the literal text of a value; None if it has placeholders or a fault."""
    if not is_template_key(key):
        return value
    try:
        template = placeholders.parse(value)
    except ValueError:
        return None
    return None if template.names else "".join(map(str, template.parts))


def _whose(raw: RawConfig, key: Key) -> str:
    names = raw.from_environment.get(key)
    return f"the value of {' and '.join(names)}" if names else "the value"


def _remedy(raw: RawConfig, key: Key) -> str:
    names = raw.from_environment.get(key)
    if names:
        return f"define {' and '.join(names)} in the environment of the run, or unset it"
    return "for an environment variable write `${NAME}`"
