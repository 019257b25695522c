"""Escape external text: nothing in it moves the cursor, imitates our lines, or commands a CI system.

GitHub's runner and the agent of Azure Pipelines search a job's output for commands: `::name::` at the start
of a line, `##[name]` and `##vso[area.action]` anywhere in it. Both use .NET's culture-sensitive comparison, which
ignores zero-width characters; so these are escaped too.
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MARGIN = "| "
LONGEST_LINE = 2000  # characters; longer lines are cut
# C0 and C1 without tab, and zero-width or bidirectional characters: Unicode's Default_Ignorable_Code_Point,
# line and paragraph separator, bidirectional controls, lone surrogates.
_ESCAPED = (
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_SELECTORS = "[\ufe00-\ufe0f]"  # variation selectors, dropped without loss
_COMMAND = re.compile(r"##(?=\w*\[)")
_SHORT = {"\n": "\\n", "\r": "\\r"}


def escaped(text: str) -> str:
    """Return a text as one line that terminals and CI systems show without interpreting it."""
    text = text.replace("\t", "    ")
    if not (text.isascii() and text.isprintable()):  # most texts are; compiling the pattern is slow
        text = re.sub(_ESCAPED, _escape, re.sub(_SELECTORS, "", text))
    return _COMMAND.sub("# #", text)


def lines(text: str) -> list[str]:
    """Return the lines of a text, with a margin from the second on, so that none is taken for ours."""
    first, *rest = text.split("\n")
    shown = [_shortened(escaped(first))]
    if shown[0].lstrip().startswith("::"):
        shown[0] = MARGIN + shown[0]
    return shown + [with_margin(_shortened(escaped(part))) for part in rest]


def with_margin(line: str) -> str:
    """Return a line with exactly one margin."""
    return line if line.startswith(MARGIN) else MARGIN + line


def without_commands(shown: Sequence[str]) -> list[str]:
    """Wrap lines so that GitHub's runner ignores commands in them until an unguessable token.

    Source: docs.github.com, workflow commands, "Stopping and starting workflow commands".
    """
    token = os.urandom(16).hex()
    return [f"::stop-commands::{token}", *shown, f"::{token}::"]


def json_line(dumped: str) -> str:
    """Escape a line of ASCII JSON so that no CI system finds a command in it; the values are unchanged."""
    return dumped.replace("##", "#\\u0023").replace("::", ":\\u003a").replace("\x7f", "\\u007f")


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as in names and variables of the system
        code -= 0xDC00
    if code < 0x100:
        return _SHORT.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _shortened(line: str) -> str:
    over = len(line) - LONGEST_LINE
    return line if over <= 0 else f"{line[:LONGEST_LINE]}... ({over} more characters)"


def image_name(reference: str) -> str:
    """Return an image for display, with its digest shortened; `--output json` has all of it."""
    return re.sub("(@sha256:[0-9a-f]{12})[0-9a-f]{52}", "\\1…", reference)


def listed(names: Sequence[str], most: int = 10) -> str:
    """Return names as one text: the first ones, and how many others there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def duration(seconds: float) -> str:
    """Format seconds: `0.4 s`, `12 s`, `3 min 20 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
