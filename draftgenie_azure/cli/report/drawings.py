"""The timeline and the graph of a run, as SVG."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from draftgenie_azure.cli.step_summary import direct_needs
from draftgenie_azure.printable import duration
from draftgenie_azure.steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROW, _NAMES, _WIDTH = 24, 250, 1000
_BOX, _HIGH, _ACROSS, _DOWN = 220, 28, 260, 44


def timeline(steps: Sequence[Mapping[str, Any]], path: Sequence[str]) -> str:
    """Return the timeline: one row per step that ran."""
    whole = max((step["ended"] for step in steps), default=0.0) or 1.0
    scale = (_WIDTH - _NAMES - 90) / whole
    height = _ROW * (len(steps) + 1)
    parts = [_opening(_WIDTH, height, f"Timeline of {len(steps)} steps, {duration(whole)} in all")]
    for quarter in range(5):
        x = _NAMES + whole * scale * quarter / 4
        parts.append(f'<path class="grid" d="M{x:.0f} 0V{height - _ROW}"/>')
        parts.append(f'<text x="{x:.0f}" y="{height - 8}">{duration(whole * quarter / 4)}</text>')
    for row, step in enumerate(steps):
        began, took = step["began"], step["ended"] - step["began"]
        words = f"{step['step']}: {duration(took)}, from {duration(began)} on"
        crit = " crit" if step["step"] in path else ""
        y = row * _ROW
        end = _NAMES + step["ended"] * scale
        parts.append(
            f'<g><title>{escape(words)}</title><text x="0" y="{y + 16}">{escape(step["step"])}</text>'
            f'<rect class="bar {escape(step["what"])}{crit}" x="{_NAMES + began * scale:.1f}" y="{y + 4}" '
            f'width="{max(2.0, took * scale):.1f}" height="{_ROW - 8}"/>'
            f'<text x="{end + 6:.1f}" y="{y + 16}">{duration(took)}</text></g>'
        )
    return "".join([*parts, "</svg>"])


def graph(steps: Mapping[str, Mapping[str, Any]], path: Sequence[str]) -> str:
    """Return the graph of the steps' needs, from left to right."""
    level: dict[str, int] = {}
    for step in STEPS:
        level[step.name] = max((level[need] + 1 for need in step.needs), default=0)
    known = [step for step in STEPS if step.name in steps]
    rows: dict[int, int] = {}
    place: dict[str, tuple[int, int]] = {}
    for step in known:
        row = rows.get(level[step.name], 0)
        rows[level[step.name]] = row + 1
        place[step.name] = (level[step.name] * _ACROSS + 4, row * _DOWN + 4)
    width = (max(rows, default=0) + 1) * _ACROSS
    parts = [_opening(width, max(rows.values(), default=1) * _DOWN + 8, "Graph of the steps by what they need")]
    for step in known:
        for need in direct_needs(step.needs):
            if need in place:
                (x1, y1), (x2, y2) = place[need], place[step.name]
                crit = " crit" if need in path and step.name in path else ""
                begin, end = x1 + _BOX, x2
                bend = (begin + end) / 2
                parts.append(
                    f'<path class="edge{crit}" d="M{begin} {y1 + _HIGH / 2:.0f}C{bend:.0f} {y1 + _HIGH / 2:.0f} '
                    f'{bend:.0f} {y2 + _HIGH / 2:.0f} {end} {y2 + _HIGH / 2:.0f}"/>'
                )
    for name, (x, y) in place.items():
        what = str(steps[name].get("what", ""))
        parts.append(
            f'<g><title>{escape(f"{name}: {what}")}</title><rect class="node{" crit" if name in path else ""}" '
            f'x="{x}" y="{y}" width="{_BOX}" height="{_HIGH}" rx="5"/>'
            f'<text x="{x + 8}" y="{y + 18}">{escape(name)}</text></g>'
        )
    return "".join([*parts, "</svg>"])


def _opening(width: int, height: int, label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(label)}">'
    )
