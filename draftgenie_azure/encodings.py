"""Find a text embedded in another one in encoded form (JSON, URL, HTML, quoted-printable, base64, base32, bytes)."""

from __future__ import annotations

import binascii
import re
import unicodedata
from bisect import bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST_CHAIN = 3  # JSON in a URL in JSON; no deeper nesting is known
MOST_VIEWS = 24  # per text; only a crafted text has more
# Each is undone separately: a secret may contain what looks like an escape of another kind.
_UNICODE = r"\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\u\{[0-9A-Fa-f]{1,6}\}"
_ESCAPES = (
    re.compile(_UNICODE + r"|\\x[0-9A-Fa-f]{2}|\\[^ux]"),
    # As a program shows bytes: b'\xc3\xa4' in Python, \303\244 in C and PostgreSQL.
    re.compile(_UNICODE + r"|(?:\\x[0-9A-Fa-f]{2})+|(?:\\[0-3][0-7]{2})+|\\[^ux]"),
    re.compile(r"(?:%[0-9A-Fa-f]{2})+"),
    re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});"),
)
_BYTES = _ESCAPES[1]
# Quoted-printable of mail and of some loggers; not the beginning of an API version.
_QUOTED = re.compile(r"(?:=(?:[0-9A-Fa-f]{2}(?!\d\d-)|\r?\n))+")
# Bytes as dumps and debuggers show them, at least as many as the shortest value that is searched for in them: 68:75:6e,
# 0x68, 0x75; pairs of bytes as `xxd` has them; decimal as in Node's {"type":"Buffer","data":[104,117]} and in Go.
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_HEX_BYTES = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"(?:0[xX])?[0-9A-Fa-f]{2}(?:[ :,;_-]{1,2}(?:0[xX])?[0-9A-Fa-f]{2}){5,}"
    r"|[0-9A-Fa-f]{4}(?: [0-9A-Fa-f]{4}){2,}(?: [0-9A-Fa-f]{2})?"
    r")(?![0-9A-Za-z])"
)
_DECIMAL_BYTES = re.compile(rf"(?<![0-9A-Za-z]){_BYTE}(?:,? |,){_BYTE}(?:(?:,? |,){_BYTE}){{4,}}(?![0-9A-Za-z])")
# What colours or hides a part of a word, as `grep --color` does.
_INVISIBLE = re.compile("\x1b\\[[0-9;?]*[ -/]*[@-~]|[\u00ad\u200b-\u200f\u2060\ufeff]")
_NUMBERS = re.compile(r"(?:\b(?:0[xX])?[0-9A-Fa-f]{1,3}[ :,;_-]{1,2}){5}|(?:\b[0-9A-Fa-f]{4} ){3}")
_BETWEEN_NUMBERS = " :,;_-"
# What each of these begins with, and `_WRAP`.
_SPECIAL = re.compile("[\\\\%&=\n\x1b\u00ad\u200b-\u200f\u2060\ufeff]")
_LONGEST_DUMP = 100_000  # characters; a longer text is no lines of a log, and its numbers would take seconds
# Tools wrap base64 after 64 or 76 characters; our own margin may precede the next line.
_WRAP = re.compile(r"(?<=[A-Za-z0-9+/_-])\r?\n[ \t|]*(?=[A-Za-z0-9+/_=-])")
_AFTER_BACKSLASH = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_IN_JSON = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
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
        """Return a view with every escape of a kind decoded once."""
        return self._rewritten(escape, _MEANINGS.get(escape, _meaning))

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
    if not _may_be_encoded(text):  # as most of a state: each further search would cost as much as this one
        yield View(text), False
        return
    level, seen = [View(text)], {text}
    for _ in range(LONGEST_CHAIN + 1):
        following: list[View] = []
        for view in level:
            yield view, False
            if "\n" in view.text and _WRAP.search(view.text):
                yield view.unwrapped(), True
            for escape in _escapes_in(view.text):
                if len(seen) < MOST_VIEWS and escape.search(view.text):
                    further = view.decoded(escape)
                    if further.text not in seen:
                        seen.add(further.text)
                        following.append(further)
        level = following


def _may_be_encoded(text: str) -> bool:
    """Return whether a text has a character that begins an escape or wraps a line, or enough numbers for a dump."""
    return bool(_SPECIAL.search(text)) or (sum(map(text.count, _BETWEEN_NUMBERS)) >= 3 and bool(_NUMBERS.search(text)))


def _escapes_in(text: str) -> Iterator[re.Pattern[str]]:
    """Yield the kinds of escapes that may occur in a text."""
    yield from _ESCAPES
    if len(text) <= _LONGEST_DUMP:
        yield from (_QUOTED, _INVISIBLE)
        if _NUMBERS.search(text):
            yield from (_HEX_BYTES, _DECIMAL_BYTES)


def _as_bytes(escape: str) -> Iterator[tuple[str, int]]:
    """Like `_meaning`, for escapes of bytes instead of characters."""
    if escape[1] == "x":
        yield from _of_bytes(bytes.fromhex(escape.replace("\\x", "")), 4)
    elif len(escape) > 3 and escape[1].isdigit():
        yield from _of_bytes(bytes(int(octal, 8) for octal in escape.split("\\")[1:]), 4)
    else:
        yield from _meaning(escape)


def _of_bytes(data: bytes, length: int) -> Iterator[tuple[str, int]]:
    for character in data.decode("utf-8", "surrogateescape"):
        yield character, length * len(character.encode("utf-8", "surrogateescape"))


def _of_parts(parts: Iterable[tuple[bytes, int]]) -> Iterator[tuple[str, int]]:
    """Yield the characters of bytes, each with the length of its parts; a part may have no byte."""
    data, lengths, before = b"", [], 0
    for byte, length in parts:
        before += length
        if byte:
            data += byte
            lengths.append(before)
            before = 0
    position = 0
    for character in data.decode("utf-8", "surrogateescape"):
        end = position + len(character.encode("utf-8", "surrogateescape"))
        yield character, sum(lengths[position:end])
        position = end
    yield "", before


def _quoted_printable(escape: str) -> Iterator[tuple[str, int]]:
    found = re.findall(r"=([0-9A-Fa-f]{2}|\r?\n)", escape)
    return _of_parts((bytes.fromhex(part) if part.isalnum() else b"", len(part) + 1) for part in found)


def _dump(escape: str, number: re.Pattern[str], base: int) -> Iterator[tuple[str, int]]:
    """Yield the characters of bytes shown as numbers."""
    found = list(number.finditer(escape))
    ends = [match.start() for match in found[1:]] + [len(escape)]
    parts = zip(found, ends, strict=True)
    return _of_parts((bytes([int(match[1], base)]), end - match.start()) for match, end in parts)


def _hex_dump(escape: str) -> Iterator[tuple[str, int]]:
    return _dump(escape, re.compile(r"(?:0[xX])?([0-9A-Fa-f]{2})"), 16)


def _decimal_dump(escape: str) -> Iterator[tuple[str, int]]:
    return _dump(escape, re.compile(r"(\d+)"), 10)


def _nothing(escape: str) -> Iterator[tuple[str, int]]:
    yield "", len(escape)


_MEANINGS = {
    _BYTES: _as_bytes, _QUOTED: _quoted_printable, _HEX_BYTES: _hex_dump, _DECIMAL_BYTES: _decimal_dump,
    _INVISIBLE: _nothing,
}  # fmt: skip


def _meaning(escape: str) -> Iterator[tuple[str, int]]:
    """Yield the characters of an escape, each with the length of its part."""
    if escape[0] == "%":
        yield from _of_bytes(bytes.fromhex(escape.replace("%", "")), 3)
    elif escape[0] == "&":
        yield from _entity(escape)
    elif escape[1] in "ux" and len(escape) > 2:
        units = [int(unit.strip("{}"), 16) for unit in re.split(r"\\[ux]", escape)[1:]]
        if len(units) == 2:
            units = [0x10000 + ((units[0] - 0xD800) << 10) + units[1] - 0xDC00]
        yield _character(units[0]), len(escape)
    else:
        yield _AFTER_BACKSLASH.get(escape[1], escape[1]), 2


def _entity(escape: str) -> Iterator[tuple[str, int]]:
    name = escape[1:-1]
    if name[0] == "#":
        yield _character(int(name[2:], 16) if name[1] in "xX" else int(name[1:])), len(escape)
        return
    text = _ENTITIES.get(name) or _named(name)
    if text is None:  # no entity: the letters as they are
        yield from ((letter, 1) for letter in escape)
    else:
        yield text, len(escape)


def _named(name: str) -> str | None:
    from html.entities import html5  # two thousand names; few texts have any but those five

    return html5.get(f"{name};")


def _character(number: int) -> str:
    return chr(number) if number < 0x110000 else "\ufffd"


def literal_forms(value: str) -> set[str]:
    """Return a value unchanged, in hex, form-encoded, quoted for a shell or SQL, or in a wrong character set.

    Other encodings are found by decoding the text instead.
    """
    data = _bytes(value)
    found = {value, data.hex(), data.hex().upper(), value.replace(" ", "+")}
    found.add("\0".join(value))  # UTF-16 read as UTF-8
    found |= {value.replace("'", quote) for quote in ("'\\''", "'\"'\"'", "''")}
    found |= {value.replace('"', quote) for quote in ('""', '`"')}
    if not value.isascii():
        single = value.encode("latin-1", "replace")
        found |= {single.decode("utf-8", "replace"), single.decode("utf-8", "surrogateescape")}
        found |= {value.encode("ascii", "replace").decode(), data.decode("latin-1"), data.decode("cp1252", "replace")}
    return found


def spellings(value: str) -> set[str]:
    """A value with letters and accents joined and apart: file systems and terminals change one to the other."""
    return {value} if value.isascii() else {value, *(unicodedata.normalize(form, value) for form in ("NFC", "NFD"))}


def base32_forms(value: str) -> Iterator[tuple[str, int, int]]:
    """A value within base32 text, at each of the five alignments, in capital and small letters; see `base64_forms`."""
    data = _bytes(value)
    for before in range(5):
        bits = 8 * (before + len(data))
        first, end = -(-8 * before // 5), bits // 5
        number = int.from_bytes(bytes(before) + data, "big") >> bits % 5
        text = "".join(_BASE32[number >> 5 * place & 31] for place in reversed(range(end - first)))
        partial = (int(before > 0), int(bits % 5 > 0))
        yield text, *partial
        yield text.lower(), *partial


def base64_forms(value: str) -> Iterator[tuple[str, int, int]]:
    """Yield a value within base64 text, at each alignment and in both alphabets.

    The encoded text may be the value itself, the value in JSON or a URL, in UTF-16, or in base64.

    Yields:
        the characters determined by the value alone, and how many before and after are partly determined.
    """
    for data in _inner_forms(value):
        for before in range(3):
            bits = 8 * (before + len(data))
            first = -(-8 * before // 6)  # the first character without bits of the preceding text
            text = binascii.b2a_base64(bytes(before) + data, newline=False).decode()[first : bits // 6]
            partial = (int(before > 0), int(bits % 6 > 0))
            yield text, *partial
            yield text.translate({43: "-", 47: "_"}), *partial


def base64_of(value: str) -> str:
    """Return a value encoded alone in base64, without padding."""
    return binascii.b2a_base64(_bytes(value), newline=False).decode().rstrip("=")


def _inner_forms(value: str) -> set[bytes]:
    data = _bytes(value)
    json_text = value.translate(_IN_JSON)
    units = memoryview(json_text.encode("utf-16-le", "surrogatepass")).cast("H")
    ascii_json = "".join(chr(unit) if unit < 0x80 else f"\\u{unit:04x}" for unit in units)
    return {
        data, _bytes(json_text), ascii_json.encode(),
        value.encode("utf-16-le", "surrogatepass").removesuffix(b"\0"), value.encode("utf-16-be", "surrogatepass"),
        percent_encoded(data).encode(), percent_encoded(data, safe=b"/").encode(), base64_of(value).encode(),
    }  # fmt: skip


def percent_encoded(data: bytes, *, safe: bytes = b"") -> str:
    """Encode everything but RFC 3986's unreserved characters.

    Like `urllib.parse.quote`, whose import would cost as much as a whole run without changes.
    """
    return "".join(chr(byte) if byte in _UNRESERVED or byte in safe else f"%{byte:02X}" for byte in data)


def _bytes(value: str) -> bytes:
    try:
        return value.encode("utf-8", "surrogateescape")  # as received from the environment
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")
