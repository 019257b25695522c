"""Measure the time of a first deployment on the emulator with Azure's durations scaled down by 100.

    .venv/bin/python benchmarks/wall_time.py [--services 7,50,200] [--scale 0.01] [--az PROGRAM]

For each number of services: wall time side by side and one after another (`--parallelism 1`), the critical path through
the steps by the durations that the run recorded, the number of requests, how many of them differ (the fewest that could
do: the rest are polls and looks after a write), and the peak memory of the command's process.
With `--az`, the resources of the smallest deployment are made once more, in a new emulator, by one `az resource create`
each; without builds and migrations, so that comparison favours az. It asks every 30 s whether an operation has ended
where Azure does not say when: that is scaled, too, which takes an az that was installed with pip. What does not scale,
its own start-up, is what the same commands take at scale 0.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from noop import COMMAND, ROOT, run

sys.path.insert(0, str(ROOT))

from draftgenie_azure.steps import STEPS


def project(directory: Path, services: int, scale: float) -> None:
    """The shipped configuration, with so many services in all."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    values["azure"]["emulator"] = {"scale": scale}
    for number in range(services - len(values["services"])):
        values["services"][f"extra_{number}"] = {
            "image": "ghcr.io/example/echo:1",
            "transport": "auto",
            "port": 8080,
            "environment": {"NUMBER": number},
            "secrets": {"KEY": "{{ secrets.jwt_secret }}"},
        }
    (directory / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    shutil.copytree(ROOT / "examples", directory / "examples")


def longest_road(directory: Path) -> float:
    """Seconds of the longest chain of steps that need one another, as recorded."""
    state = json.loads((directory / ".azure-deployment-state-v1.json").read_text(encoding="utf-8"))
    road: dict[str, float] = {}
    for step in STEPS:
        before = max((road[need] for need in step.needs), default=0.0)
        road[step.name] = before + state["steps"][step.name]["duration_seconds"]
    return max(road.values())


# For a `sitecustomize.py` beside the Azure CLI: its pause between polls at the scale of the durations.
SCALED_POLLS = """
from azure.mgmt.core.polling import arm_polling

begin = arm_polling.ARMPolling.__init__


def scaled(self, timeout=30, *arguments, **options):
    begin(self, timeout * SCALE, *arguments, **options)


arm_polling.ARMPolling.__init__ = scaled
"""
NAMESPACES = (
    "Microsoft.App", "Microsoft.Cache", "Microsoft.ContainerRegistry", "Microsoft.DBforPostgreSQL",
    "Microsoft.Insights", "Microsoft.KeyVault", "Microsoft.ManagedIdentity", "Microsoft.OperationalInsights",
)  # fmt: skip


def creations(directory: Path) -> list[dict[str, Any]]:
    """The PUTs to Azure Resource Manager of a deployment, as bodies that can be sent once more."""
    lines = (directory / ".azure-emulator" / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    found = []
    for request in map(json.loads, lines):
        if request["method"] != "PUT" or request["host"] != "management.azure.com" or "/jobs/" in request["path"]:
            continue
        properties = request["body"].get("properties", {})
        if "administratorLoginPassword" in properties:  # the log hides it
            properties["administratorLoginPassword"] = "Benchmark9Password9"
        for container in properties.get("template", {}).get("containers", []):
            container["image"] = "ghcr.io/example/echo:1"  # nothing is built
        found.append(request)
    return found


def by_azure_cli(az: str, wanted: list[dict[str, Any]], scale: float) -> tuple[float, int]:
    """Seconds that the Azure CLI takes for the same resources, and in how many commands."""
    from azure_emulator.attach import attach

    with tempfile.TemporaryDirectory() as name, attach(Path(name) / "emulator", scale=scale) as emulator:
        (Path(name) / "sitecustomize.py").write_text(SCALED_POLLS.replace("SCALE", str(scale)), encoding="utf-8")
        commands = 0
        environment = os.environ | {
            "PYTHONPATH": name,
            "HTTPS_PROXY": emulator.proxy_url,
            "REQUESTS_CA_BUNDLE": str(emulator.ca_file),
            "AZURE_CONFIG_DIR": name,
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
        }

        def call(*arguments: str, may_fail: bool = False) -> Any:
            nonlocal commands
            commands += 1
            command = [az, *arguments, "--output", "json"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode and not may_fail:
                sys.exit(f"az {' '.join(arguments)[:300]}: {done.stderr[-800:]}")
            return json.loads(done.stdout) if done.stdout.strip() and not done.returncode else {}

        def put(url: str, body: str) -> Any:
            """For what has no location, which `az resource create` insists on: put it, and ask until it is there."""
            call("rest", "--method", "put", "--url", url, "--body", body)
            while True:
                live = call("rest", "--method", "get", "--url", url, may_fail=True)
                if live.get("properties", {}).get("provisioningState", "Succeeded") == "Succeeded" and live:
                    return live

        tenant, secret = emulator.tenant_id, emulator.client_secret
        password = f"--password={secret}"  # in one word: one secret of many begins with a hyphen
        call("login", "--service-principal", "-u", emulator.client_id, password, "--tenant", tenant)
        for namespace in NAMESPACES:
            call("provider", "register", "--namespace", namespace)
        time.sleep(60 * scale + 1)
        began, principal, commands = time.monotonic(), "", 0
        for request in wanted:
            path = request["path"]
            properties = request["body"].get("properties", {})
            properties |= {"tenantId": tenant} if "tenantId" in properties else {}
            properties |= {"principalId": principal} if "principalId" in properties else {}
            text = json.dumps(request["body"]).replace(path.split("/")[2], emulator.subscription_id)
            path = path.replace(path.split("/")[2], emulator.subscription_id)
            url = f"{path}?api-version={request['api_version']}"
            if "/providers/" not in path:
                call("group", "create", "-n", path.split("/")[-1], "-l", json.loads(text)["location"])
            elif "/userAssignedIdentities/" in path:  # az trips over the Location of its answer, which has no host
                principal = put(url, text)["properties"]["principalId"]
            elif "location" in request["body"]:
                what = ("--id", path, "--api-version", request["api_version"], "--is-full-object", "--properties", text)
                call("resource", "create", *what)
            else:
                put(url, text)
        return time.monotonic() - began, commands


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", default="7,50,200")
    parser.add_argument("--scale", type=float, default=0.01)
    parser.add_argument("--az", help="the Azure CLI's program")
    options = parser.parse_args()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AZURE_", "ARM_"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}, {os.cpu_count()} cores, scale {options.scale}")
    print("services  side by side  critical path  one by one  requests  differ  memory")
    bodies: list[dict[str, Any]] = []
    for count in map(int, options.services.split(",")):
        seconds = {}
        road = requests = distinct = memory = 0.0
        for parallelism in ("10", "1"):
            with tempfile.TemporaryDirectory() as name:
                directory = Path(name)
                project(directory, count, options.scale)
                seconds[parallelism], _, peak = run([*COMMAND, "--parallelism", parallelism], directory, environment)
                if parallelism == "10":
                    log = directory / ".azure-emulator" / "requests.jsonl"
                    road, memory = longest_road(directory), peak
                    sent = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
                    requests = len(sent)
                    distinct = len({(one["method"], one["host"], one["path"]) for one in sent})
                    bodies = bodies or creations(directory)
        print(
            f"{count:8} {seconds['10']:11.1f} s {road:11.1f} s {seconds['1']:9.1f} s "
            f"{requests:9.0f} {distinct:7.0f} {memory:5.0f} MB",
            flush=True,
        )
    if options.az:
        took, commands = by_azure_cli(options.az, bodies, options.scale)
        idle, _ = by_azure_cli(options.az, bodies, 0.0)
        print(
            f"{len(bodies)} resources by {commands} az commands, one after another: {took:.1f} s; "
            f"{idle:.1f} s at scale 0, so that {took - idle:.1f} s are waits"
        )


if __name__ == "__main__":
    main()
