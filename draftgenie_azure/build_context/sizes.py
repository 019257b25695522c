"""Find what makes a build context large, and the ignore file lines that exclude it."""

from __future__ import annotations

import re

from draftgenie_azure.build_context.dockerignore import SPACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_SPECIAL = re.compile(r"[\\*?\[\]]")


def heaviest(sizes: Mapping[str, int], count: int = 10) -> list[tuple[str, int]]:
    """Return the largest paths with their bytes: directories end with a slash, and none is inside another.

    A directory is listed itself unless a single entry makes up more than half of it.

    Args:
        sizes: sizes of all files, by path with slashes.
        count: the maximum number of paths.
    """
    inside = _directories(sizes)
    found: list[tuple[str, int]] = []
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        for path, size in inside[directory].items():
            if path.endswith("/") and max(inside[path].values()) * 2 > size:
                waiting.append(path)
            else:
                found.append((path, size))
    return sorted(found, key=lambda item: (-item[1], item[0]))[:count]


def _directories(sizes: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return the direct entries of each directory with their bytes; the root is the empty name."""
    inside: dict[str, dict[str, int]] = {"": {}}
    for path, size in sizes.items():
        child = path
        while child:
            parent = child.rstrip("/")
            parent = parent[: parent.rfind("/") + 1]
            entries = inside.setdefault(parent, {})
            entries[child] = entries.get(child, 0) + size
            child = parent
    return inside


def ignore_line(path: str) -> str:
    """Return the ignore file line that excludes exactly this path of the context."""
    line = _SPECIAL.sub(r"\\\g<0>", path)
    if line.startswith("!"):  # the leading slash is dropped, and it would be an exception
        line = "\\" + line
    kept = line.strip(SPACE)  # whitespace at either end would be dropped too
    before, _, after = line.partition(kept)
    return f"/{_in_brackets(before)}{kept}{_in_brackets(after)}"


def _in_brackets(blanks: str) -> str:
    return "".join(f"[{blank}]" for blank in blanks)
