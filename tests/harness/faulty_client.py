"""Runs the command with a fault on this side of the network at one of its requests.

    python tests/harness/faulty_client.py '{"method": "PUT", "address": "…", "skip": 0, "kind": "time-out"}' ARGUMENT…

`address` is a shell pattern for host and path. `time-out` waits for the answer for next to no time, so that the request
is sent and done and its answer comes too late; `no-name` closes the connections and has the next name not be found.
"""

from __future__ import annotations

import fnmatch
import json
import runpy
import socket
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from draftgenie_azure.arm import sessions  # noqa: E402 - found by the line above


class FaultyAdapter(sessions._Adapter):
    """Sends as the command does, but for one request."""

    fault: dict[str, Any] = json.loads(sys.argv[1])
    counting = threading.Lock()
    here = threading.local()

    def send(self, request: Any, **options: Any) -> Any:
        """Send, with the fault where this is the request that is meant."""
        if not self._is_meant(request):
            return super().send(request, **options)
        print("the fault was met", file=sys.stderr)
        if self.fault["kind"] == "time-out":
            return super().send(request, **{**options, "timeout": (sessions.CONNECT_TIMEOUT, 1e-5)})
        self.close()
        self.here.nameless = True
        try:
            return super().send(request, **options)
        finally:
            self.here.nameless = False

    def _is_meant(self, request: Any) -> bool:
        address = urlsplit(request.url)
        if request.method != self.fault["method"]:
            return False
        if not fnmatch.fnmatchcase(f"{address.hostname}{address.path}".lower(), self.fault["address"].lower()):
            return False
        with self.counting:
            self.fault["skip"] -= 1
            return bool(self.fault["skip"] == -1)


def name_not_found(*arguments: Any, look_up: Any = socket.getaddrinfo, **options: Any) -> Any:
    """The system's name resolution, which fails on request."""
    if getattr(FaultyAdapter.here, "nameless", False):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return look_up(*arguments, **options)


if __name__ == "__main__":
    sessions._Adapter = FaultyAdapter  # type: ignore[misc]
    socket.getaddrinfo = name_not_found
    sys.argv = [str(ROOT / "deploy-azure_v1.py"), *sys.argv[2:]]
    runpy.run_path(sys.argv[0], run_name="__main__")
