"""Azurite, Microsoft's storage emulator, for tests and benchmarks: installed once from npm, started on a free port.

It needs Node and npm. Where they are missing, what needs it is skipped with a reason; with CI set in the environment,
their absence is a failure. `python tests/azurite.py` installs it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent / "azurite" / "package.json"
ACCOUNT = "devstoreaccount1"
# The key that every Azurite has, as its documentation gives it; it protects nothing.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Missing(Exception):
    """Node or npm is not there."""


def install() -> Path:
    """Install the pinned version where it is not yet; its entry point.

    Raises:
        Missing: there is no Node or npm.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("Azurite needs node and npm on the PATH")
    content = PACKAGE.read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache / "draftgenie-azurite" / hashlib.sha256(content).hexdigest()[:16]
    directory.mkdir(parents=True, exist_ok=True)
    main = directory / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes begin at once
        if not (directory / "complete").exists():
            (directory / "package.json").write_bytes(content)
            command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL, timeout=300)
            (directory / "complete").touch()
    return main


class Azurite:
    """A running Azurite.

    Args:
        directory: where it keeps its data.
        options: further arguments, such as a certificate.
    """

    def __init__(self, directory: Path, *options: str, scheme: str = "http") -> None:
        main = install()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        directory.mkdir(parents=True, exist_ok=True)
        self.endpoint = f"{scheme}://127.0.0.1:{self.port}/{ACCOUNT}"
        command = ["node", str(main), "--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--silent",
                   "--location", str(directory), "--disableTelemetry", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError("Azurite did not start") from None
                time.sleep(0.05)

    @property
    def connection_string(self) -> str:
        """What AZURE_STORAGE_CONNECTION_STRING is set to."""
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
