"""Packages of npm's that tests need, each set installed once into the user's cache, in the pinned versions.

`python tests/harness/npm_packages.py` installs them all, so that no test's time goes into it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path


def install(package: Path) -> Path:
    """Install what a `package.json` names where it is not yet; the folder that has `node_modules`."""
    content = package.read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache / f"draftgenie-{package.parent.name}" / hashlib.sha256(content).hexdigest()[:16]
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes begin at once
        if not (directory / "complete").exists():
            (directory / "package.json").write_bytes(content)
            command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL, timeout=300)
            (directory / "complete").touch()
    return directory


if __name__ == "__main__":
    for found in sorted(Path(__file__).resolve().parent.glob("*/package.json")):
        install(found)
