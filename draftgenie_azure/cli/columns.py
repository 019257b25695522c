"""Text in terminal columns: its width, and wrapping without breaking words or URLs."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PAINT = re.compile(r"\x1b\[[0-9;]*m")  # our own colours; those in external text are escaped
_WORD = re.compile(r"\s*\S+")
_NO_WIDTH = ("Mn", "Me", "Cf")


def unpainted(text: str) -> str:
    """Return a text without the colours."""
    return _PAINT.sub("", text)


def width_of(text: str) -> int:
    """Return the columns of a text: two for wide characters, none for combining ones and colours."""
    text = _PAINT.sub("", text)
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


@lru_cache(maxsize=1024)  # a display is drawn each second, from the same few characters
def _width(character: str) -> int:
    if unicodedata.category(character) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def fitted(text: str, columns: int, *, more: str = "…") -> str:
    """Return as many whole words as fit, with a sign if there are more; empty if not even that fits."""
    if width_of(text) <= columns:
        return text
    shown = ""
    for match in _WORD.finditer(text):
        if width_of(shown + match[0]) + width_of(more) + 1 > columns:
            break
        shown += match[0]
    return f"{shown} {more}" if shown.strip() else more if width_of(more) <= columns else ""


def wrapped(line: str, columns: int) -> Iterator[str]:
    """Yield the lines of a text, wrapped between words; continuation lines are indented.

    A word longer than a line is kept whole, so that copying it from the terminal yields one word.
    """
    if width_of(line) <= columns:
        yield line
        return
    lead = len(line) - len(line.lstrip())
    indent = " " * min(lead + 4, columns // 4)
    shown = ""
    for match in _WORD.finditer(line):
        word = match[0]
        if shown.strip() and width_of(shown + word) > columns:
            yield shown
            shown, word = indent, word.lstrip()
        shown += word
    yield shown
