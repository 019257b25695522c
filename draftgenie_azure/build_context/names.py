"""How paths of a build context are written, whatever machine and locale they come from.

Names in hashes are paths with three things escaped, so that every name is one line of valid UTF-8 and no two files
share one: a backslash is `\\\\`, and a control character or a byte that is not UTF-8 is `\\x` and two hexadecimal
digits.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# Names of files are bytes, taken for UTF-8 whatever the locale says, so that every machine hashes and packs the same.
UTF_8 = sys.getfilesystemencoding() == "utf-8"


def escape(path: str) -> str:
    """A path as it stands in names of dependencies; the module's docstring tells how it is written.

    Args:
        path: UTF-8, other bytes escaped as Python does.

    Returns:
        One line that can be encoded as UTF-8; another one for every other path.
    """
    if "\\" not in path and path.isprintable():
        return path
    parts = []
    for character in path:
        code = ord(character)
        if character == "\\":
            parts.append("\\\\")
        elif code < 0x20 or code == 0x7F:
            parts.append(f"\\x{code:02x}")
        elif 0xDC80 <= code <= 0xDCFF:
            parts.append(f"\\x{code - 0xDC00:02x}")
        elif 0xD800 <= code <= 0xDFFF:  # Windows lets half a pair stand in a name
            parts.append(f"\\u{code:04x}")
        else:
            parts.append(character)
    return "".join(parts)


def as_utf_8(name: str) -> str:
    """A name that this system spells, as UTF-8 spells it."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    """The bytes of a name."""
    return os.fsencode(text) if UTF_8 else text.encode("utf-8", "surrogateescape")


def relative(absolute: str, root: str) -> str:
    """A path relative to the root, with slashes; on Windows one on another drive is its bare name outside."""
    try:
        return os.path.relpath(absolute, root).replace(os.sep, "/")
    except ValueError:  # Windows: on another drive
        return "../" + os.path.basename(absolute)


def places(paths: Iterable[str], root: str) -> set[str]:
    """Where absolute paths are in the tree, as they are given and with the links above them resolved."""
    found = set()
    for path in paths:
        absolute = os.path.abspath(path)
        real = os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))
        found |= {relative(absolute, root), relative(real, os.path.realpath(root))}
    return found


def _has_link(root: str, parts: Iterable[str]) -> bool:
    """Tell whether one of the parts of a path below a folder is, or may be, a symbolic link."""
    path = root
    for part in parts:
        path = os.path.join(path, part)
        if part == ".." or os.path.islink(path):
            return True
    return False


def leads_out(path: str, root: str) -> bool:
    """Tell whether a path below a folder is, by way of a symbolic link, a file outside of it."""
    inside = path.removeprefix(os.path.join(root, ""))
    if inside != path and os.name != "nt" and not _has_link(root, inside.split(os.sep)):
        return False  # which is cheaper to see than both real paths; Windows has junctions, which are no links
    real, real_root = os.path.realpath(path), os.path.realpath(root)
    try:
        return os.path.commonpath((real, real_root)) != real_root
    except ValueError:  # another drive
        return True
