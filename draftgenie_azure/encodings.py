"""Find a text embedded in another one in encoded form (JSON, URL, HTML, base64, hex)."""

from __future__ import annotations

import binascii
import re
from bisect import bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_CHAIN = 3  # JSON in a URL in JSON; nobody was seen to go deeper
MOST_VIEWS = 16  # of one text; only a text made for it has more
# Each is undone by itself: a secret may hold what looks like an escape of another kind.
_ESCAPES = (
    re.compile(
        r"\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\[^ux]"
    ),
    re.compile(r"(?:%[0-9A-Fa-f]{2})+"),
    re.compile(r"&(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});"),
)
# Tools wrap base64 after 64 or 76 characters; a margin of ours may stand before the next line.
_WRAP = re.compile(r"(?<=[A-Za-z0-9+/_-])\r?\n[ \t|]*(?=[A-Za-z0-9+/_=-])")
_AFTER_BACKSLASH = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


class View:
    """A decoded text, with a mapping of positions to the text it was decoded from.

    Attributes:
        text: the decoded text.
    """

    __slots__ = ("_lengths", "_places", "_starts", "_under", "text")

    def __init__(self, text: str, under: View | None = None) -> None:
        self.text = text
        self._under = under
        self._starts: list[int] = []  # start of each piece in this text,
        self._places: list[int] = []  # positions in the underlying text,
        self._lengths: list[int | None] = []  # and lengths there; None for text copied unchanged

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Map a range of this text to the original text."""
        if self._under is None:
            return start, end
        return self._under.origin(self._below(start)[0], self._below(end - 1)[1])

    def _below(self, position: int) -> tuple[int, int]:
        """Return start and end, in the underlying text, of the source of the character at a position."""
        piece = bisect_right(self._starts, position) - 1
        length = self._lengths[piece]
        if length is None:
            place = self._places[piece] + position - self._starts[piece]
            return place, place + 1
        return self._places[piece], self._places[piece] + length

    def decoded(self, escape: re.Pattern[str]) -> View:
        """The text with every escape of a kind read once."""
        return self._rewritten(escape, _meaning)

    def unwrapped(self) -> View:
        """Return a view with wrapped lines joined."""
        return self._rewritten(_WRAP, lambda escape: iter(()))

    def _rewritten(self, pattern: re.Pattern[str], meaning: _Meaning) -> View:
        view = View("", self)
        parts: list[str] = []
        length = copied = 0

        def take(text: str, place: int, size: int | None) -> None:
            nonlocal length
            if text:
                parts.append(text)
                view._starts.append(length)
                view._places.append(place)
                view._lengths.append(size)
                length += len(text)

        for match in pattern.finditer(self.text):
            take(self.text[copied : match.start()], copied, None)
            place = match.start()
            for character, size in meaning(match[0]):
                take(character, place, size)
                place += size
            copied = match.end()
        take(self.text[copied:], copied, None)
        view.text = "".join(parts)
        return view


if TYPE_CHECKING:
    from collections.abc import Callable

    _Meaning = Callable[[str], Iterator[tuple[str, int]]]


def views(text: str) -> Iterator[tuple[View, bool]]:
    """Yield the text and its decoded views, each with whether lines were joined."""
    level, seen = [View(text)], {text}
    for _ in range(LONGEST_CHAIN + 1):
        following: list[View] = []
        for view in level:
            yield view, False
            if "\n" in view.text and _WRAP.search(view.text):
                yield view.unwrapped(), True
            for escape in _ESCAPES:
                if len(seen) < MOST_VIEWS and escape.search(view.text):
                    further = view.decoded(escape)
                    if further.text not in seen:
                        seen.add(further.text)
                        following.append(further)
        level = following


def _meaning(escape: str) -> Iterator[tuple[str, int]]:
    """The characters that an escape stands for, each with the length of its part of the escape."""
    if escape[0] == "%":
        for character in bytes.fromhex(escape.replace("%", "")).decode("utf-8", "surrogateescape"):
            yield character, 3 * len(character.encode("utf-8", "surrogateescape"))
    elif escape[0] == "&":
        yield _entity(escape[1:-1]), len(escape)
    elif escape[1] in "ux" and len(escape) > 2:
        units = [int(unit, 16) for unit in re.split(r"\\[ux]", escape)[1:]]
        if len(units) == 2:
            units = [0x10000 + ((units[0] - 0xD800) << 10) + units[1] - 0xDC00]
        yield chr(units[0]), len(escape)
    else:
        yield _AFTER_BACKSLASH.get(escape[1], escape[1]), 2


def _entity(name: str) -> str:
    if name[0] != "#":
        return _ENTITIES[name]
    number = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
    return chr(number) if number < 0x110000 else "\ufffd"


def literal_forms(value: str) -> set[str]:
    """A value as it is, in hex, and as a form has it; what else there is is found by reading the text back."""
    data = _bytes(value)
    found = {value, data.hex(), data.hex().upper()}
    return found | {value.replace(" ", "+")} if " " in value else found


def base64_forms(value: str) -> Iterator[tuple[str, int, int]]:
    """A value within base64 text, at each of the three alignments and in both alphabets.

    Yields:
        the characters that the value alone decides, and how many more before and after it decides in part.
    """
    for data in {_bytes(value), _bytes(_json(value)), value.encode("utf-16-le", "surrogatepass")}:
        for before in range(3):
            bits = 8 * (before + len(data))
            first = -(-8 * before // 6)  # the first character without bits of the preceding text
            text = binascii.b2a_base64(bytes(before) + data, newline=False).decode()[first : bits // 6]
            partial = (int(before > 0), int(bits % 6 > 0))
            yield text, *partial
            yield text.translate({43: "-", 47: "_"}), *partial


def _bytes(value: str) -> bytes:
    try:
        return value.encode("utf-8", "surrogateescape")  # as the environment brought it
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")


def _json(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
