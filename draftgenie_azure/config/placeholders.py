"""Parse and render `{{ name }}` placeholders in configuration values.

`{{ a.b }}` is replaced by a value, `{{ a.b | urlencode }}` by that value percent-encoded, so that it is safe in any
part of a URL. There is no logic and no other filter. `{{{{` is an escape for the characters `{{`; `}}` needs no escape.
Of three opening braces the first is text: `{{{ a.b }}}` is the value in single braces.
"""

from __future__ import annotations

import re

from draftgenie_azure.encodings import percent_encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOKEN = re.compile(r"\{\{\{\{|\{\{(?!\{)(.*?)\}\}|\{\{(?!\{)", re.DOTALL)
_INSIDE = re.compile(r"\s*([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)\s*(?:\|\s*([A-Za-z_]+)\s*)?")


class Name:
    """One placeholder: its name, and whether the value is percent-encoded."""

    __slots__ = ("name", "urlencode")

    def __init__(self, name: str, urlencode: bool = False) -> None:
        self.name = name
        self.urlencode = urlencode

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and (self.name, self.urlencode) == (other.name, other.urlencode)

    def __hash__(self) -> int:
        return hash((self.name, self.urlencode))

    def __repr__(self) -> str:
        return f"Name({self.name!r}, urlencode={self.urlencode})"

    def __str__(self) -> str:
        return f"{{{{ {self.name} | urlencode }}}}" if self.urlencode else f"{{{{ {self.name} }}}}"


class Template:
    """A parsed text: alternating literal parts and names. `str()` returns a text that parses to the same parts."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[str | Name, ...]) -> None:
        joined: list[str | Name] = []
        for part in parts:
            if isinstance(part, str) and joined and isinstance(joined[-1], str):
                joined[-1] += part
            elif part != "":
                joined.append(part)
        self.parts = tuple(joined)

    @property
    def names(self) -> set[str]:
        """The set of names that the template uses."""
        return {part.name for part in self.parts if isinstance(part, Name)}

    @property
    def sole(self) -> str | None:
        """The name if the text is exactly one placeholder without a filter, else None."""
        if len(self.parts) == 1 and isinstance(part := self.parts[0], Name) and not part.urlencode:
            return part.name
        return None

    def expand(self, replace: Callable[[str], Template | None]) -> Template:
        """Return the template with names replaced by templates; a name for which `replace` returns None is kept.

        Raises:
            ValueError: `| urlencode` is applied to a text with an encoded part.
        """
        parts: list[str | Name] = []
        for part in self.parts:
            inner = replace(part.name) if isinstance(part, Name) else None
            if not isinstance(part, Name) or inner is None:
                parts.append(part)
                continue
            for piece in inner.parts:
                if not part.urlencode:
                    parts.append(piece)
                elif isinstance(piece, str):
                    parts.append(urlencode(piece))
                elif piece.urlencode:
                    raise ValueError(f"`{part.name}` is already encoded: remove `| urlencode`")
                else:
                    parts.append(Name(piece.name, True))
        return Template(tuple(parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def __str__(self) -> str:
        return "".join(escape(part) if isinstance(part, str) else str(part) for part in self.parts)


def parse(text: str) -> Template:
    """Parse a text into a template.

    Raises:
        ValueError: a placeholder is not closed, or is neither `{{ a.b }}` nor `{{ a.b | urlencode }}`. The message
            does not quote the text, which may hold a secret.
    """
    parts: list[str | Name] = []
    end = 0
    for match in _TOKEN.finditer(text):
        parts.append(text[end : match.start()])
        end = match.end()
        if match[0] == "{{{{":
            parts.append("{{")
            continue
        if match[1] is None:
            raise ValueError("a placeholder `{{` is not closed by `}}`; `{{{{` stands for `{{`")
        inside = _INSIDE.fullmatch(match[1])
        if inside is None:
            raise ValueError("a placeholder must be `{{ section.name }}` or `{{ section.name | urlencode }}`")
        if inside[2] not in (None, "urlencode"):
            raise ValueError(f"unknown filter `{inside[2]}`; the only one is `urlencode`")
        parts.append(Name(inside[1], inside[2] is not None))
    parts.append(text[end:])
    return Template(tuple(parts))


def names(text: str) -> set[str]:
    """Return the names used in a text. Raises ValueError as `parse` does."""
    return parse(text).names if "{{" in text else set()


def is_reference(text: str) -> bool:
    """Return whether a text is nothing but placeholders, so that it contains no value of its own."""
    try:
        parts = parse(text).parts
    except ValueError:
        return False
    return bool(parts) and all(isinstance(part, Name) for part in parts)


def render(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its placeholders replaced by values.

    Raises:
        ValueError: as `parse` does.
        KeyError: a name has no value; its argument is the name.
    """
    if "{{" not in text:
        return text
    rendered = []
    for part in parse(text).parts:
        if isinstance(part, str):
            rendered.append(part)
        else:
            value = values[part.name]
            rendered.append(urlencode(value) if part.urlencode else value)
    return "".join(rendered)


def escape(text: str) -> str:
    """Escape a text so that `parse` takes all of it literally."""
    return text.replace("{{", "{{{{")


def urlencode(value: str) -> str:
    """Percent-encode a value, so that it is safe in any part of a URL."""
    return percent_encoded(value.encode())


# Names whose value is a secret: a text that uses one is stored in the vault.
SECRET_NAMES = frozenset(
    {
        *("postgresql.password", "postgresql.url", "postgresql.asyncpg_url"),
        *("redis.password", "redis.url", "rabbitmq.password", "rabbitmq.url"),
        *("monitoring.connection_string", "mongodb.connection_url"),
    }
)


def is_secret_name(name: str) -> bool:
    """Return whether the value of a name is a secret."""
    return name in SECRET_NAMES or name.startswith("secrets.")
