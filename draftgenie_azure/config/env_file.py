"""Read a file of environment variables (`--env-file`).

One `NAME=value` per line, optionally preceded by `export`; empty lines and lines that start with `#` are ignored. A
value in single quotes is literal; in double quotes `\\n`, `\\t`, `\\"`, `\\\\` and `\\$` are escapes. Quoted values may
span lines. An unquoted value ends at the end of the line or before ` #` and is stripped. Nothing is
expanded.
"""

from __future__ import annotations

import re

from draftgenie_azure.config import sources
from draftgenie_azure.errors import ConfigError, Fault

_LINE = re.compile(r"[ \t]*(?:export[ \t]+)?([^=\s#'\"]+)[ \t]*=[ \t]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = {"'": re.compile(r"'([^']*)'"), '"': re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)}
_REST = re.compile(r"[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$"}


def read(path: str) -> dict[str, str]:
    """Return the variables of a file by name.

    Raises:
        ConfigError: lists every fault by file and line, without showing values.
    """
    text = sources.decode(path, sources.read_source(path)).replace("\r\n", "\n")
    variables: dict[str, str] = {}
    lines: dict[str, int] = {}
    faults: list[Fault] = []
    position = 0
    while position < len(text):
        end = text.find("\n", position)
        end = len(text) if end == -1 else end
        line = text.count("\n", 0, position) + 1
        content = text[position:end].strip()
        if not content or content.startswith("#"):
            position = end + 1
            continue
        name, value, position = _assignment(text, position, end)
        if value is None:
            faults.append(Fault(name, file=path, line=line))
        elif name in variables:
            faults.append(Fault(f"duplicate variable (first on line {lines[name]})", key=name, file=path, line=line))
        else:
            variables[name], lines[name] = value, line
    if faults:
        raise ConfigError(faults)
    return variables


def _assignment(text: str, position: int, end: int) -> tuple[str, str | None, int]:
    """Parse one assignment: its name, value and the next line's offset; on a fault the message and None instead."""
    match = _LINE.match(text, position, end)
    if match is None:
        return "expected NAME=value", None, end + 1
    name = match[1]
    if not _NAME.fullmatch(name):
        return "a variable's name has letters, digits and `_` only, and does not begin with a digit", None, end + 1
    quote = text[match.end() : match.end() + 1]
    if quote not in _QUOTED or not quote:
        return name, text[match.end() : end].partition(" #")[0].partition("\t#")[0].strip(), end + 1
    quoted = _QUOTED[quote].match(text, match.end())
    if quoted is None:
        return f"the quotes around the value of {name} are not closed", None, len(text)
    rest = _REST.match(text, quoted.end())
    if rest is None:
        return f"there is text behind the quotes around the value of {name}", None, end + 1
    value = quoted[1]
    if quote == '"':
        value = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), value, flags=re.DOTALL)
    return name, value, rest.end() + 1
