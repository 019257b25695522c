"""Format the page of `--help` to the width of the terminal, without breaking words."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LEAST, _MOST = 24, 200  # columns; longer lines are hard to read
_ALIGNED = 32  # column of the flags' texts, if there is room
_COMMENT = re.compile(r" {2,}")  # separates an example from its explanation


class HelpPage(argparse.HelpFormatter):
    """Formats the flags, and the examples of the description line by line.

    Without a terminal, the page is 80 columns wide, or as many as COLUMNS says, which also applies on a terminal.
    """

    def __init__(self, prog: str) -> None:
        width = min(max(shutil.get_terminal_size().columns, _LEAST), _MOST)
        super().__init__(prog, width=width, max_help_position=min(_ALIGNED, width // 3))

    def _format_usage(self, usage: str | None, actions: object, groups: object, prefix: str | None) -> str:
        first, *others = _filled(f"usage: {usage}" % {"prog": self._prog}, self._width)
        return "\n".join([first, *(f"  {line}" for line in others)]) + "\n\n"

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _filled(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        blocks = [_block(block, width) for block in text.strip().split("\n\n")]
        return "\n\n".join("\n".join(indent + line for line in block) for block in blocks)


def _filled(text: str, width: int, indent: str = "") -> list[str]:
    """Wrap a paragraph; flags and names with hyphens count as words."""
    return textwrap.wrap(
        text, width, break_long_words=False, break_on_hyphens=False, initial_indent=indent, subsequent_indent=indent
    )


def _block(block: str, width: int) -> Iterable[str]:
    """Format a paragraph, or examples, which are indented."""
    if not block.startswith(" "):
        return _filled(block, width)
    examples = block.split("\n")
    if max(map(len, examples)) <= width:
        return examples
    return [line for example in examples for line in _example(example, width)]


def _example(line: str, width: int) -> Iterator[str]:
    """Yield an example, and its explanation below it."""
    command, *comment = _COMMENT.split(line.strip(), maxsplit=1)
    yield from _filled(command, width, "  ")
    for text in comment:
        yield from _filled(text, width, "      ")
