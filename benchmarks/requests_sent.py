"""Counts the requests of a first deployment, of one changed variable and of a look at everything, on the emulator.

    .venv/bin/python benchmarks/requests_sent.py [--services 7,50,200] [--scale 0]

Every service has a public image, so no build is counted. The fewest possible are counted from the emulator's own log: a
write for each that differs, and one look at each operation that Azure says goes on after the answer.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ROOT / "deploy-azure_v1.py"
# Types whose PUT goes on after its answer (recorded traffic of Azure/azure-cli and Azure/azure-dev).
GOES_ON = (
    "/containerapps/", "/jobs/", "/managedenvironments/", "/flexibleservers/", "/redisenterprise/", "/redis/",
    "/registries/", "/workspaces/", "/vaults/",
)  # fmt: skip
WRITES = ("PUT", "PATCH", "DELETE")


def project(directory: Path, services: int, scale: float) -> None:
    """The shipped configuration with public images, and so many services in all."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    values["azure"]["emulator"] = {"scale": scale}
    for service in values["services"].values():
        service.pop("dockerfile", None)
        service.setdefault("image", "ghcr.io/example/echo:1")
        service["kind"] = "infrastructure"
    for number in range(services - len(values["services"])):
        values["services"][f"extra_{number}"] = {
            "image": "ghcr.io/example/echo:1",
            "transport": "auto",
            "port": 8080,
            "environment": {"NUMBER": str(number)},
        }
    values["migrations"] = []
    (directory / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    shutil.copytree(ROOT / "examples", directory / "examples")


def log(directory: Path) -> list[dict[str, Any]]:
    """What the emulator was asked so far."""
    path = directory / ".azure-emulator" / "requests.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def fewest(requests: list[dict[str, Any]]) -> int:
    """A write each, and one look at each that goes on."""
    writes = {request["path"].lower() for request in requests if request["method"] in WRITES}
    going = {
        path
        for path in writes
        if any(kind in path for kind in GOES_ON) and "/secrets/" not in path and "/providers/microsoft.auth" not in path
    }
    return len(writes) + len(going)


def run(directory: Path, *arguments: str) -> tuple[float, list[dict[str, Any]], str]:
    """Seconds, requests and output of one run."""
    before, began = len(log(directory)), time.monotonic()
    done = subprocess.run(
        [sys.executable, str(COMMAND), *arguments], cwd=directory, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return seconds, log(directory)[before:], done.stdout


def change_one_variable(directory: Path) -> None:
    """A variable of the gateway."""
    values = yaml.safe_load((directory / "config.yaml").read_text(encoding="utf-8"))
    values["services"]["api_gateway"]["environment"]["ONE_MORE"] = "1"
    (directory / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", default="7,50,200")
    parser.add_argument("--scale", type=float, default=0.0)
    options = parser.parse_args()
    for services in map(int, options.services.split(",")):
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            project(directory, services, options.scale)
            seconds, requests, _ = run(directory)
            least = fewest(requests)
            words = f"{len(requests):5} requests, {least:4} at least ({len(requests) / least:.2f})"
            print(f"{services:4} services: {words}, {seconds:.1f} s")
            seconds, requests, _ = run(directory, "--dry-run", "--refresh")
            print(f"     --refresh: {len(requests):5} requests, {seconds:.1f} s")
            change_one_variable(directory)
            seconds, requests, _ = run(directory)
            print(f"     variable:  {len(requests):5} requests, {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
