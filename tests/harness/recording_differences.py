"""Recorded exchanges to which the emulator deliberately answers otherwise, each with the reason.

The name is the recording's file and the exchange's place in it. Everything else has to agree.
"""

from __future__ import annotations

DIFFERENCES = {
    "container-app-revisions#1": "a failure of the service itself (500); here 500 is declared as a fault",
    "container-app-updates#24": "412 without a body: what it was that failed is not in the recording",
    "container-app-updates#29": "the image's pull failed by a cause that is not in the recording (a public image)",
    "container-apps#2": "recorded in May 2024: since then the answer carries Azure-AsyncOperation, too (210 of 239)",
    "ingress#2": "503 once against 504 in 28 recordings of an app that is not ready",
    "postgresql-servers#23": "a time-out of the service itself (504); here it is declared as a fault",
    "resource-groups#6": "a nextLink to an empty page, three times in 2023; no page more is promised than there is",
    "resource-groups#9": "the empty page that the nextLink of resource-groups#6 leads to",
    "workspaces#0": "recorded in January 2026: since February a forced deletion is an operation",
}
