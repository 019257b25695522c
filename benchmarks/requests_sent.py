"""Count the requests of a first deployment and of later runs, on the emulator, and times them.

    .venv/bin/python benchmarks/requests_sent.py [--services 7,50,200] [--scale 0] [--kinds]

In turn: a first deployment, nothing changed (with and without `--dry-run`), `--dry-run --refresh`, one variable of one
service, `--force-all` with nothing different. Every service has a public image, so no build is counted. The emulator is
up before the first run and stays, as Azure does. `--kinds` lists what was asked, by method and type.

The fewest possible requests are counted from the emulator's own log, see `fewest`. Counts are exact on any machine; so,
nearly, is the time of the processor, which is the command's own, without the emulator's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from azure_emulator.attach import attach  # noqa: E402 - the path to it is set above

COMMAND = ROOT / "deploy-azure_v1.py"
WRITES = ("PUT", "PATCH", "DELETE")
# Types whose PUT goes on after its answer (recorded traffic of Azure/azure-cli and Azure/azure-dev).
GOES_ON = frozenset(
    {
        "microsoft.app/containerapps", "microsoft.app/jobs", "microsoft.app/managedenvironments",
        "microsoft.cache/redis", "microsoft.cache/redisenterprise", "microsoft.cache/redisenterprise/databases",
        "microsoft.containerregistry/registries", "microsoft.dbforpostgresql/flexibleservers",
        "microsoft.dbforpostgresql/flexibleservers/configurations",
        "microsoft.dbforpostgresql/flexibleservers/databases",
        "microsoft.dbforpostgresql/flexibleservers/firewallrules",
        "microsoft.keyvault/vaults", "microsoft.operationalinsights/workspaces",
    }
)  # fmt: skip
APPS = "microsoft.app/containerapps"
PAGE = 1000  # resources that one page of a listing has at most
SIGN_IN = 2  # requests: where to sign in, and the token


@dataclass
class Run:
    """The measurements of one run."""

    requests: list[dict[str, Any]]
    seconds: float
    processor: float
    memory: float
    first_write: float | None


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


def change_one_variable(directory: Path) -> None:
    """A variable of the gateway."""
    values = yaml.safe_load((directory / "config.yaml").read_text(encoding="utf-8"))
    values["services"]["api_gateway"]["environment"]["ONE_MORE"] = "1"
    (directory / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def log(directory: Path) -> list[dict[str, Any]]:
    """Return the emulator's requests so far."""
    found: list[dict[str, Any]] = []
    for name in ("requests.1.jsonl", "requests.jsonl"):
        path = directory / ".azure-emulator" / name
        if path.exists():
            found += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return found


def kind(path: str) -> str:
    """The type at the end of an id, in small letters: `microsoft.app/containerapps`."""
    below = path.lower().rpartition("/providers/")[2].split("/")
    return "/".join([below[0], *below[1::2]])


def is_registration(request: dict[str, Any]) -> bool:
    """Return whether it registers a resource provider."""
    return request["method"] == "POST" and request["path"].endswith("/register")


def fewest(requests: list[dict[str, Any]]) -> int:
    """Return the minimum number of requests for a run.

    The sign-in; each write once, registrations among them; a look at each write that Azure is still at work on when it
    has answered, of which a page of a listing tells of all apps; and for each app that was written one look at whether
    it runs, since no listing has that.
    """
    paths = {request["path"].lower() for request in requests if request["method"] in WRITES}
    registrations = sum(map(is_registration, requests))
    kinds = Counter(kind(path) for path in paths)
    apps = kinds[APPS]
    looks = sum(count for name, count in kinds.items() if name in GOES_ON and name != APPS)
    return SIGN_IN + len(paths) + registrations + looks + -(-apps // PAGE) + apps


def moment(request: dict[str, Any]) -> float:
    """Return the time of a request, as a Unix time."""
    return datetime.fromisoformat(request["time"].replace("Z", "+00:00")).timestamp()


def run(directory: Path, *arguments: str) -> Run:
    """Run the command once."""
    before, began, start = len(log(directory)), time.monotonic(), time.time()
    output = directory / "output"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AZURE_", "ARM_"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every module is compiled at every run
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, str(COMMAND), *arguments],
            cwd=directory,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(output.read_text(encoding="utf-8")[-4000:])
    requests = log(directory)[before:]
    writes = [moment(request) for request in requests if request["method"] in WRITES]
    memory = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
    first = min(writes) - start if writes else None
    return Run(requests, seconds, usage.ru_utime + usage.ru_stime, memory, first)


def kinds_of(requests: list[dict[str, Any]]) -> list[str]:
    """Lines with a count for each method and type, the many first."""
    names = Counter(
        f"{request['method']:6} {re.sub('[0-9a-f-]{36}', '<guid>', kind(request['path']))}" for request in requests
    )
    return [f"      {count:5} {name}" for name, count in names.most_common()]


def measure(services: int, scale: float, *, kinds: bool) -> None:
    """Print what each run took."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        project(directory, services, scale)
        held = attach(directory / ".azure-emulator", scale=scale)
        assert held is not None
        with held:
            rows = {"first deployment": run(directory)}
            run(directory)  # byte code is written now
            idle = [(run(directory), run(directory, "--dry-run")) for _ in range(5)]
            rows["nothing changed"] = idle[0][0]
            rows["--dry-run"] = idle[0][1]
            rows["--dry-run --refresh"] = run(directory, "--dry-run", "--refresh")
            change_one_variable(directory)
            rows["one variable"] = run(directory)
            rows["--force-all"] = run(directory, "--force-all")
    print(f"{services} services, scale {scale}")
    for title, row in rows.items():
        least = fewest(row.requests)
        asked = sum(request["path"].lower().endswith("/validateresources") for request in row.requests)
        count, wrote = len(row.requests) - asked, row.first_write is not None
        words = f"{least:5} at least ({count / least:4.2f})" if wrote else " " * 23
        first = f"  first write after {row.first_write:.2f} s" if wrote else ""
        print(
            f"   {title:20} {count:5} requests, {asked:3} bodies asked about before {words} {row.seconds:6.1f} s "
            f"{row.processor:5.1f} s of the processor {row.memory:4.0f} MB{first}",
            flush=True,
        )
        if kinds and row.requests:
            print("\n".join(kinds_of(row.requests)))
    ratio = statistics.median(dry.processor / plain.processor for plain, dry in idle)
    print(f"   --dry-run takes {ratio:.2f} times the processor's time of a run in which nothing changed", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", default="7,50,200")
    parser.add_argument("--scale", type=float, default=0.0)
    parser.add_argument("--kinds", action="store_true")
    options = parser.parse_args()
    for services in map(int, options.services.split(",")):
        measure(services, options.scale, kinds=options.kinds)


if __name__ == "__main__":
    main()
