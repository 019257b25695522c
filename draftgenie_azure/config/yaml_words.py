"""Explain YAML errors: libyaml's own messages rarely name the cause."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    import yaml

# Characters that look like a space or are invisible, and that YAML treats as letters.
_NAMES = {
    "\xa0": "a no-break space", "\u202f": "a narrow no-break space", "\u3000": "an ideographic space",
    "\u200b": "a zero-width space", "\u200c": "a zero-width non-joiner", "\u200d": "a zero-width joiner",
    "\u2060": "a word joiner", "\ufeff": "a byte order mark", "\xad": "a soft hyphen",
    **dict.fromkeys(map(chr, range(0x2000, 0x200B)), "a typographic space"),
}  # fmt: skip
# Patterns are compiled by `re` when they are first used: most files need none of them.
_ANY = f"[{''.join(_NAMES)}]"
# Positions in a plain value where one was meant as a space: at either end, after a leading `-`, after a colon.
_MISREAD = f"^-?{_ANY}|{_ANY}$|:{_ANY}"
_LINE_ENDS = "\r\n|[\r\n\x85\u2028\u2029]"  # the line breaks of YAML 1.1, which libyaml counts


def invisible(text: str, *, key: bool = False) -> str | None:
    """Return the name of a stray invisible character in a key or a plain value, or None."""
    if text.isascii():
        return None
    match = re.search(_ANY if key else _MISREAD, text)
    return _named(re.findall(_ANY, match[0])[0]) if match else None


def explain(error: yaml.YAMLError, source: str) -> tuple[str, int | None]:
    """Return the message and the line.

    Args:
        error: as PyYAML raised it.
        source: the text of the file.
    """
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    if mark is None:
        return f"not valid YAML: {problem}", None
    lines = re.split(_LINE_ENDS, source)
    text = lines[mark.line] if mark.line < len(lines) else ""
    for number in (mark.line, mark.line - 1):
        if 0 <= number < len(lines) and (match := re.search(_ANY, lines[number])):
            return f"not valid YAML: {_named(match[0])} is used as a space; replace it", number + 1
    if "tab" in problem or text[mark.column : mark.column + 1] == "\t":
        return "not valid YAML: the line is indented with a tab; use spaces", mark.line + 1
    words = "not valid YAML: " + " ".join(part for part in (getattr(error, "context", None), problem) if part)
    if "{{" in text or "${" in text:
        words += "; put quotes around a value with `{{ … }}` or `${…}`"
    elif "cannot start any token" in problem:
        words += f"; put quotes around a value that begins with `{text[mark.column : mark.column + 1]}`"
    return words, mark.line + 1


def _named(character: str) -> str:
    return f"{_NAMES[character]} (U+{ord(character):04X})"
