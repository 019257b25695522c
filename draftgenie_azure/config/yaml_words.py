"""Say in a person's words what is wrong with a YAML file: libyaml's own words seldom name the cause."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    import yaml

# Characters that look like a space, or like nothing, and that YAML takes for letters.
_NAMES = {
    "\xa0": "a no-break space", "\u202f": "a narrow no-break space", "\u3000": "an ideographic space",
    "\u200b": "a zero-width space", "\u200c": "a zero-width non-joiner", "\u200d": "a zero-width joiner",
    "\u2060": "a word joiner", "\ufeff": "a byte order mark", "\xad": "a soft hyphen",
    **dict.fromkeys(map(chr, range(0x2000, 0x200B)), "a typographic space"),
}  # fmt: skip
_INVISIBLE = "".join(_NAMES)
_ANY = re.compile(f"[{_INVISIBLE}]")
# Where a plain value has one that was meant as YAML's space: at either end, after its first `-`, after a colon.
_MISREAD = re.compile(f"^-?[{_INVISIBLE}]|[{_INVISIBLE}]$|:[{_INVISIBLE}]")
_LINE_ENDS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # those of YAML 1.1, by which libyaml counts


def invisible(text: str, *, key: bool = False) -> str | None:
    """Name the invisible character that a key, or a plain value, was not meant to have; None where there is none."""
    if text.isascii():
        return None
    match = (_ANY if key else _MISREAD).search(text)
    return _named(_ANY.findall(match[0])[0]) if match else None


def explain(error: yaml.YAMLError, source: str) -> tuple[str, int | None]:
    """Return what is wrong, and the line.

    Args:
        error: as PyYAML raised it.
        source: the text of the file.
    """
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    if mark is None:
        return f"not valid YAML: {problem}", None
    lines = _LINE_ENDS.split(source)
    text = lines[mark.line] if mark.line < len(lines) else ""
    for number in (mark.line, mark.line - 1):
        if 0 <= number < len(lines) and (match := _ANY.search(lines[number])):
            return f"not valid YAML: {_named(match[0])} stands where a space should; replace it", number + 1
    if "tab" in problem or text[mark.column : mark.column + 1] == "\t":
        return "not valid YAML: the line is indented with a tab; use spaces", mark.line + 1
    if "undefined alias" in problem:
        name = re.match(r"\*[^\s,\]}]*", text[mark.column :])
        return f"`{name[0] if name else '*'}` is not an anchor of this file; anchors do not reach other files", (
            mark.line + 1
        )
    words = "not valid YAML: " + " ".join(part for part in (getattr(error, "context", None), problem) if part)
    if "{{" in text or "${" in text:
        words += "; put quotes around a value with `{{ … }}` or `${…}`"
    elif "cannot start any token" in problem:
        words += f"; put quotes around a value that begins with `{text[mark.column : mark.column + 1]}`"
    return words, mark.line + 1


def _named(character: str) -> str:
    return f"{_NAMES[character]} (U+{ord(character):04X})"
