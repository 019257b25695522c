"""The picture of a first deployment on a terminal: `python tests/harness/document_session.py` writes it to docs/.

A recorded event file is drawn by the command's own view on a real pseudo-terminal; what stands on the screen at a few
moments becomes the frames of an animated SVG. It loads nothing, and who prefers less motion gets the last frame alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import pyte.graphics
from screens import EVENTS, REPLAY, ROOT, environment
from terminal import Terminal

PICTURE = ROOT / "docs/first-deployment.svg"
COLUMNS = 100
STOPS = ("10", "20", "45", "75", "100", "140", "200", "300", "400", "470", "495", "530", "570")
SECONDS, LAST = 1.5, 9.0  # how long a frame stands, and the last one
_LINE, _LETTER, _EDGE = 19, 8.4, 16  # pixels
_DIM = "+italics"  # pyte knows no faint text; the display has none in italics
_STYLE = """
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;fill:#c9d1d9;white-space:pre}
.cyan{fill:#56d4dd}.green{fill:#56d364}.red{fill:#ff7b72}.brown{fill:#e3b341}.dim{fill:#8b949e}.bold{font-weight:700}
.frame{opacity:0}.last{opacity:1}
@media(prefers-reduced-motion:no-preference){.frame{animation:WHOLEs step-end infinite}FRAMES}
"""

Line = list[tuple[str, str, int]]  # texts, their classes, and the columns in which they begin


def frames() -> Iterator[list[Line]]:
    """The screen at each moment, and at the end."""
    command = [sys.executable, REPLAY, str(EVENTS / "first.jsonl"), *STOPS]
    with Terminal(command, ROOT, environment(), columns=COLUMNS) as terminal:
        for seconds in STOPS:
            terminal.wait_for(lambda _, seconds=seconds: terminal.title == f"stopped at {seconds}")  # type: ignore[misc]
            yield lines_of(terminal)
            terminal.send(b" ")
        assert terminal.end() == 0
        yield lines_of(terminal)


def lines_of(terminal: Terminal) -> list[Line]:
    """The screen, in pieces of one style each."""
    shown = []
    for row in terminal.cells():
        pieces, column = [], 0
        for style, cells in groupby(row, key=_style):
            text = "".join(cell.data for cell in cells)
            if text.strip():
                pieces.append((text.rstrip(), style, column))
            column += len(text)
        shown.append(pieces)
    while shown and not shown[-1]:
        shown.pop()
    return shown


def _style(cell: Any) -> str:
    names = [cell.fg] if cell.fg != "default" else ["dim"] if cell.italics else []
    return " ".join(names + ["bold"] * cell.bold)


def picture(screens: list[list[Line]]) -> str:
    """The SVG of all frames."""
    height = max(map(len, screens)) * _LINE + 2 * _EDGE
    width = round(COLUMNS * _LETTER + 2 * _EDGE)
    whole = SECONDS * (len(screens) - 1) + LAST
    rules, drawn = [], []
    for number, screen in enumerate(screens):
        begin, end = (100 * SECONDS * at / whole for at in (number, number + 1))
        end = 100.0 if number == len(screens) - 1 else end
        before = "" if number == 0 else "0%{opacity:0}"
        rules.append(f".f{number}{{animation-name:k{number}}}@keyframes k{number}{{{before}{begin:.2f}%{{opacity:1}}"
                     + (f"{end:.2f}%{{opacity:0}}" if end < 100 else "") + "}")  # fmt: skip
        last = " last" if number == len(screens) - 1 else ""
        drawn.append(f'<g class="frame f{number}{last}">{"".join(_texts(screen))}</g>')
    style = _STYLE.strip().replace("WHOLE", f"{whole:g}").replace("FRAMES", "".join(rules))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-labelledby="t d"><title id="t">A first deployment on a terminal</title>'
        f'<desc id="d">{escape(_description(screens[-1]))}</desc><style>{style}</style>'
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _texts(screen: list[Line]) -> Iterator[str]:
    for row, line in enumerate(screen):
        for text, style, column in line:
            place = f'x="{_EDGE + column * _LETTER:g}" y="{_EDGE + (row + 1) * _LINE - 5}"'
            length = f'textLength="{len(text) * _LETTER:g}" lengthAdjust="spacingAndGlyphs"'
            kind = f' class="{style}"' if style else ""
            yield f"<text {place} {length}{kind}>{escape(text, quote=False)}</text>"


def _description(screen: list[Line]) -> str:
    """The last screen as text, for who does not see it."""
    return "; ".join(" ".join(text.strip() for text, _, _ in line) for line in screen if line)


def made() -> str:
    """The picture, made again."""
    graphics: Any = pyte.graphics
    graphics.TEXT = {**graphics.TEXT, 2: _DIM}
    return picture(list(frames()))


if __name__ == "__main__":
    Path(PICTURE).write_text(made(), encoding="utf-8")
