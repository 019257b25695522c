"""The Azure CLI at the emulator: found on PATH or named by AZ_PROGRAM, with a proxy and a CA file and nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from client_environment import variables
from programs import program

from azure_emulator.attach import Attached


class AzureCli:
    """Azure CLI, logged in as a service principal, with a configuration of its own."""

    def __init__(self, attached: Attached, directory: Path) -> None:
        self.environment = {
            **{name: value for name, value in variables(attached).items() if not name.startswith("AZURE_")},
            "AZURE_CONFIG_DIR": str(directory / "az"),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
        }
        password = f"--password={attached.client_secret}"  # in one word: one secret of many begins with a hyphen
        self("login", "--service-principal", "--username", attached.client_id, password, "--tenant", attached.tenant_id)

    def __call__(self, *words: str) -> Any:
        """Return the command's output, parsed if it is JSON; it must succeed."""
        done = self.run(*words)
        assert done.returncode == 0, f"az {' '.join(words)}: {done.stderr[-1500:]}"
        try:
            return json.loads(done.stdout) if done.stdout.strip() else None
        except ValueError:
            return done.stdout

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [program("az"), *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=110)
