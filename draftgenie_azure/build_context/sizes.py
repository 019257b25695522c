"""What makes a build context large, and the lines of an ignore file that leave it out."""

from __future__ import annotations

import re

from draftgenie_azure.build_context.dockerignore import SPACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_SPECIAL = re.compile(r"[\\*?\[\]]")


def heaviest(sizes: Mapping[str, int], count: int = 10) -> list[tuple[str, int]]:
    """The largest paths, each with its bytes: directories end with a slash, and none lies in another one.

    A directory is named for itself, unless more than half of it is one of the things in it.

    Args:
        sizes: of all files, by path with slashes.
        count: how many at most.
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
    """What is directly in each directory, with the bytes in it; the root is the empty name."""
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
    """The line of an ignore file that leaves out this path of the context, and nothing else outside of it."""
    line = _SPECIAL.sub(r"\\\g<0>", path)
    if line.startswith("!"):  # the slash before it goes, and it would be an exception
        line = "\\" + line
    kept = line.strip(SPACE)  # blanks at either end would go as well
    before, _, after = line.partition(kept)
    return f"/{_in_brackets(before)}{kept}{_in_brackets(after)}"


def _in_brackets(blanks: str) -> str:
    return "".join(f"[{blank}]" for blank in blanks)
