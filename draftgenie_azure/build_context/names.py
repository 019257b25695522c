"""Spell paths of a build context independently of machine and locale.

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

# File names are bytes, read as UTF-8 regardless of the locale, so that every machine hashes and packs alike.
UTF_8 = sys.getfilesystemencoding() == "utf-8"


def escape(path: str) -> str:
    """Return a path as used in names of dependencies; see the module's docstring for the escapes.

    Args:
        path: UTF-8, other bytes escaped as Python does.

    Returns:
        One line of valid UTF-8, unique for each path.
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
        elif 0xD800 <= code <= 0xDFFF:  # Windows allows an unpaired surrogate in a name
            parts.append(f"\\u{code:04x}")
        else:
            parts.append(character)
    return "".join(parts)


def as_utf_8(name: str) -> str:
    """Return a name in the system's encoding as UTF-8."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    """Return the bytes of a name."""
    return os.fsencode(text) if UTF_8 else text.encode("utf-8", "surrogateescape")


def relative(absolute: str, root: str) -> str:
    """Return a path relative to the root, with slashes; on Windows a bare name for one on another drive."""
    try:
        return os.path.relpath(absolute, root).replace(os.sep, "/")
    except ValueError:  # Windows: on another drive
        return "../" + os.path.basename(absolute)


def places(paths: Iterable[str], root: str) -> set[str]:
    """Return absolute paths relative to the tree, both as given and with links in their parents resolved."""
    found = set()
    for path in paths:
        absolute = os.path.abspath(path)
        real = os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))
        found |= {relative(absolute, root), relative(real, os.path.realpath(root))}
    return found


def _has_link(root: str, parts: Iterable[str]) -> bool:
    """Return whether a part of a path below a directory is, or may be, a symbolic link."""
    path = root
    for part in parts:
        path = os.path.join(path, part)
        if part == ".." or os.path.islink(path):
            return True
    return False


def leads_out(path: str, root: str) -> bool:
    """Return whether a path below a directory leads, through a symbolic link, to a file outside of it."""
    inside = path.removeprefix(os.path.join(root, ""))
    if inside != path and os.name != "nt" and not _has_link(root, inside.split(os.sep)):
        return False  # cheaper than resolving both paths; on Windows junctions are not reported as links
    real, real_root = os.path.realpath(path), os.path.realpath(root)
    try:
        return os.path.commonpath((real, real_root)) != real_root
    except ValueError:  # another drive
        return True
