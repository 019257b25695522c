"""The report of a run as Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from draftgenie_azure import printable
from draftgenie_azure.cli import step_summary
from draftgenie_azure.cli.report.facts import by_whom, kind_of
from draftgenie_azure.printable import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from draftgenie_azure.cli.report.facts import Facts

LONGEST = 60_000  # characters; a GitHub comment may have 65,536


def markdown(facts: Facts) -> str:
    """Return the page: result, failures, addresses, timeline, changes."""
    document, cell = facts.document(), step_summary.cell
    title = "what a deployment would do" if document["plan"] else document["result"]
    blocks = [f"# DraftGenie: {title}", f"{document['time']}, {duration(document['seconds'] or 0)}"]
    blocks += [_verbatim(document["plan"])] if document["plan"] else []
    blocks += [f"> **failed** {cell(error['message'])}" for error in document["errors"]]
    blocks += [f"> next: {cell(error['hint'])}" for error in document["errors"] if error["hint"]]
    blocks += [f"> **{message['level']}** {cell(message['message'])}" for message in document["messages"]]
    rows: list[tuple[str, ...]] = [
        (one["service"], one["url"], one["image"], one["portal"]) for one in document["services"]
    ]
    blocks.append(step_summary.table(("service", "address", "image", "portal"), rows))
    steps: list[tuple[str, ...]] = []
    for step in document["steps"]:
        if document["plan"] and step.get("what") == "skip":
            continue
        took = duration(step["ended"] - step["began"]) if "ended" in step else ""
        why = "; ".join(step["why"])
        critical = "yes" if step["on_critical_path"] else ""
        steps.append((step["step"], step.get("what", ""), took, step["waited_for"] or "", critical, why))
    blocks.append(step_summary.table(("step", "", "took", "waited for", "critical path", "why"), steps))
    runs: list[tuple[str, ...]] = [
        (str(run["run"]), kind_of(run), run["result"], run.get("started_at", ""), duration(run.get("seconds", 0)),
         by_whom(run), ", ".join(run["ran"])) for run in document["history"]
    ]  # fmt: skip
    blocks.append(step_summary.table(("run", "kind", "result", "began", "took", "by", "steps"), runs))
    return _within(list(filter(None, blocks)))


def _verbatim(lines: Sequence[str]) -> str:
    """Return lines in a fence longer than any in them; if there are too many, the middle is cut."""
    shown = [printable.escaped(line) for line in lines]
    while len(shown) > 2 and sum(map(len, shown)) + len(shown) > LONGEST // 2:
        del shown[len(shown) // 2 : len(shown) // 2 + max(1, len(shown) // 10)]
    if len(shown) < len(lines):
        shown.insert(len(shown) // 2, f"... {len(lines) - len(shown)} more lines ...")
    text = "\n".join(shown)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _within(blocks: Sequence[str]) -> str:
    """Return as many blocks, most important first, as fit into a comment."""
    text = ""
    for block in blocks:
        if len(text) + len(block) > LONGEST:
            return f"{text}(The rest is left out: it is too long for a comment.)\n"
        text += f"{block}\n\n"
    return text.rstrip("\n") + "\n"
