"""Buildah, where this system has it: an independent builder that needs neither a daemon nor rights of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class Buildah:
    """Buildah with a storage of its own."""

    def __init__(self, directory: Path) -> None:
        self._storage = ["--root", str(directory / "root"), "--runroot", str(directory / "run")]
        # It treats an empty helper in docker's configuration, which means none, as the name of one.
        own = {name: value for name, value in os.environ.items() if name != "DOCKER_CONFIG"}
        self._environment = {**own, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}

    def run(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run it, with a text on its standard input; not an error where it fails."""
        return subprocess.run(
            ["buildah", *self._storage, *arguments],
            env=self._environment,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )

    def built(self, folder: Path, dockerfile: str, archive: Path) -> bool:
        """Build a folder and export the image's layers; whether that went well."""
        name = f"localhost/{archive.stem}"
        command = ["bud", "--layers=false", "--timestamp", "0", "--file", str(folder / dockerfile), "--tag", name]
        done = self.run(*command, str(folder))
        return done.returncode == 0 and self.run("push", name, f"dir:{archive}").returncode == 0
