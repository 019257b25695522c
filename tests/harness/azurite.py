"""Azurite, Microsoft's storage emulator, for tests and benchmarks: installed once from npm, started on a free port.

It needs Node and npm. `python tests/harness/azurite.py` installs it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import npm_packages

PACKAGE = Path(__file__).resolve().parent / "azurite" / "package.json"
ACCOUNT = "devstoreaccount1"
# The key that every Azurite has, as its documentation gives it; it protects nothing.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def install() -> Path:
    """Install the pinned version if missing; return its entry point."""
    return npm_packages.install(PACKAGE) / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


class Azurite:
    """A running Azurite.

    Args:
        directory: where it keeps its data.
        options: further arguments, such as a certificate.
    """

    def __init__(self, directory: Path, *options: str, scheme: str = "http") -> None:
        main = install()
        directory.mkdir(parents=True, exist_ok=True)
        command = ["node", str(main), "--blobHost", "127.0.0.1", "--blobPort", "0", "--silent",
                   "--location", str(directory), "--disableTelemetry", *options]
        log = directory / "azurite.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        self.port = self._port(log)
        self.endpoint = f"{scheme}://127.0.0.1:{self.port}/{ACCOUNT}"

    def _port(self, log: Path) -> int:
        """The port that it says it listens on: of its own choice, so that no other program can be there."""
        deadline = time.monotonic() + 60
        while True:
            ended = self._process.poll() is not None or time.monotonic() > deadline
            said = log.read_text(encoding="utf-8")
            listens = re.search(r"successfully listens on \S+:(\d+)\s", said)
            if listens is not None:
                return int(listens[1])
            if ended:
                self.stop()
                raise RuntimeError(f"Azurite did not start: {said}")
            time.sleep(0.05)

    @property
    def connection_string(self) -> str:
        """The value for AZURE_STORAGE_CONNECTION_STRING."""
        return connection_string(self.endpoint)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=20)


def connection_string(endpoint: str) -> str:
    """For an endpoint, which may be that of a proxy in between: what is signed does not name the host."""
    scheme = endpoint.split(":", 1)[0]
    return f"DefaultEndpointsProtocol={scheme};AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"


if __name__ == "__main__":
    sys.stdout.write(f"{install()}\n")
