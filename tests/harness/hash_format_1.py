"""Test data of the last version with hash format 1: a state, its emulator and its application.

Made by `python tests/harness/hash_format_1.py CHECKOUT`, where CHECKOUT is a checkout of that version (commit 63b7330).
"""

from __future__ import annotations

import gzip
import io
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from project import ROOT, STATE, Project

ARCHIVE = ROOT / "tests/data/hash_format_1.tar.gz"
KEPT = ("config.yaml", STATE, ".azure-emulator/emulator.json", ".azure-emulator/store", ".azure-emulator/vault.json")


def unpacked(directory: Path) -> Project:
    """The project as that version left it."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(directory, filter="data")
    return Project(directory)


def make(checkout: Path) -> None:
    """Deploy with that version's command, and pack the results."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        shutil.copy(checkout / "config.yaml", directory)
        shutil.copytree(checkout / "examples", directory / "examples")
        subprocess.run([sys.executable, str(checkout / "deploy-azure_v1.py")], cwd=directory, check=True)
        _compact(directory / ".azure-emulator/store")
        files = [directory / kept for kept in KEPT] + sorted(
            path for path in (directory / "examples").rglob("*") if path.is_file() and "__pycache__" not in path.parts
        )
        ARCHIVE.parent.mkdir(exist_ok=True)
        ARCHIVE.write_bytes(_packed(directory, files))


def _compact(store: Path) -> None:
    """Have everything in the one file, once its emulator has ended."""
    while store.with_name("store-wal").exists():
        time.sleep(0.1)
    with sqlite3.connect(store) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("VACUUM")


def _packed(directory: Path, files: list[Path]) -> bytes:
    """Return an archive that is reproducible for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in files:
            entry = archive.gettarinfo(path, path.relative_to(directory).as_posix())
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            with path.open("rb") as file:
                archive.addfile(entry, file)
    return gzip.compress(buffer.getvalue(), mtime=0)


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve())
