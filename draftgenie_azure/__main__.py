"""The installed command `draftgenie-deploy`: the script, whose name cannot be imported by a statement."""

from __future__ import annotations

import importlib
import sys


def main() -> int:
    """Run the command with the arguments of the process; returns the exit code."""
    code: int = importlib.import_module("deploy-azure_v1").main()
    return code


if __name__ == "__main__":
    sys.exit(main())
