"""Recorded exchanges to which the emulator deliberately answers otherwise, each with the reason.

The name is the recording's file and the exchange's place in it. Everything else has to agree.
"""

from __future__ import annotations

DIFFERENCES = {
    "container-apps#2": "recorded in May 2024: since then the answer carries Azure-AsyncOperation, too (210 of 239)",
    "resource-groups#6": "a nextLink to an empty page, three times in 2023; no page more is promised than there is",
    "resource-groups#9": "the empty page that the nextLink of resource-groups#6 leads to",
    "workspaces#0": "recorded in January 2026: since February a forced deletion is an operation",
}
