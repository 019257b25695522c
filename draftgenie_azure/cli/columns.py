"""Text in the columns of a terminal: how wide it is, and where its lines end. No word and no address is broken."""

from __future__ import annotations

import re
import unicodedata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PAINT = re.compile(r"\x1b\[[0-9;]*m")  # colours of ours; those of other people's texts are escaped
_WORD = re.compile(r"\s*\S+")
_NO_WIDTH = ("Mn", "Me", "Cf")


def width_of(text: str) -> int:
    """The columns that a text takes: two for wide characters, none for combining ones and for colours."""
    text = _PAINT.sub("", text)
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.category(character) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def fitted(text: str, columns: int, *, more: str = "…") -> str:
    """As many whole words of a text as fit, with a sign where there are more; nothing where not even that fits."""
    if width_of(text) <= columns:
        return text
    shown = ""
    for match in _WORD.finditer(text):
        if width_of(shown + match[0]) + width_of(more) + 1 > columns:
            break
        shown += match[0]
    return f"{shown} {more}" if shown.strip() else more if width_of(more) <= columns else ""


def wrapped(line: str, columns: int) -> Iterator[str]:
    """The lines of a text, broken between words; what follows the first is indented.

    A word that is longer than a line is left whole: the terminal shows it on several, and a copy of it is one.
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
