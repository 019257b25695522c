"""Runs the command and kills it at one of its requests, or only notes them.

    python tests/harness/killed_client.py '{"log": "sent.txt", "number": 7, "when": "after"}' ARGUMENT…

`before` kills instead of sending, so that what was saved last is what Azure knows; `after` kills when the reply has
come, so that Azure knows more than was saved. Without `number` nothing is killed. The log has a line for each request.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from draftgenie_azure.arm import sessions  # noqa: E402 - found by the line above


class KillingAdapter(sessions._Adapter):
    """Sends as the command does, up to one request."""

    order: dict[str, Any] = json.loads(sys.argv[1])
    counting = threading.Lock()
    count = 0

    def send(self, request: Any, **options: Any) -> Any:
        """Send, and end the process where this is the request that is meant."""
        with self.counting:
            KillingAdapter.count += 1
            number = KillingAdapter.count
            address = urlsplit(request.url)
            with Path(self.order["log"]).open("a", encoding="utf-8") as log:
                log.write(f"{request.method} {address.hostname}{address.path}\n")
        meant = number == self.order.get("number")
        if meant and self.order["when"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        reply = super().send(request, **options)
        if meant:
            os.kill(os.getpid(), signal.SIGKILL)
        return reply


if __name__ == "__main__":
    sessions._Adapter = KillingAdapter  # type: ignore[misc]
    sys.argv = [str(ROOT / "deploy-azure_v1.py"), *sys.argv[2:]]
    runpy.run_path(sys.argv[0], run_name="__main__")
