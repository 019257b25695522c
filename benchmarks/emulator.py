"""Measure the emulator's start and response times, and its use of memory and disk.

    python benchmarks/emulator.py [--seconds 2]

Requests go over one kept connection each, through the proxy and TLS, as clients send them, by `http.client`, so that
little but the emulator is measured.
"""

from __future__ import annotations

import argparse
import http.client
import json
import ssl
import statistics
import sys
import tempfile
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from azure_emulator.attach import Attached, attach  # noqa: E402

ARM, LOGIN = "management.azure.com", "login.microsoftonline.com"
ROUNDS = 300
SIZES = (20, 200, 2000)
STARTS = 3
GRACE = 2.6
"""How long an emulator outlives its last client, and a bit."""


class Client:
    """One connection to one host of the emulator's."""

    def __init__(self, attached: Attached, host: str = ARM, token: str = "") -> None:
        proxy = urllib.parse.urlsplit(attached.proxy_url)
        context = ssl.create_default_context(cafile=str(attached.ca_file))
        self.connection = http.client.HTTPSConnection(str(proxy.hostname), proxy.port, context=context, timeout=30)
        self.connection.set_tunnel(host, 443)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def send(self, method: str, path: str, body: object = None, kind: str = "application/json") -> bytes:
        content = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        self.connection.request(method, path, content, {**self.headers, "Content-Type": kind})
        response = self.connection.getresponse()
        answer = response.read()
        assert response.status < 300, f"{method} {path}: {response.status} {answer!r}"
        return answer


def log_in(attached: Attached) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": attached.client_id,
        "client_secret": attached.client_secret,
        "scope": f"https://{ARM}/.default",
    }
    path = f"/{attached.tenant_id}/oauth2/v2.0/token"
    content = urllib.parse.urlencode(form).encode()
    answer = Client(attached, LOGIN).send("POST", path, content, "application/x-www-form-urlencoded")
    return str(json.loads(answer)["access_token"])


def start(directory: Path) -> Attached:
    attached = attach(directory)
    assert attached is not None
    return attached


def milliseconds(client: Client, method: str, path: str, body: object = None) -> float:
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        client.send(method, path, body)
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def start_up(folder: Path) -> tuple[float, float]:
    """Seconds from nothing to an answer: in a new directory, and in one that is there."""
    fresh, known = [], []
    for number in range(STARTS):
        directory = folder / f"start{number}" / ".azure-emulator"
        for times in (fresh, known):
            begin = time.perf_counter()
            attached = start(directory)
            times.append(time.perf_counter() - begin)
            attached.close()
            time.sleep(GRACE)
    return statistics.median(fresh), statistics.median(known)


def resident(process_id: int) -> float:
    """Return megabytes in memory, if the kernel reports them."""
    status = Path(f"/proc/{process_id}/status")
    if not status.exists():
        return float("nan")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def per_second(attached: Attached, token: str, path: str, threads: int, seconds: float) -> float:
    end = time.perf_counter() + seconds

    def work(_: int) -> int:
        client, count = Client(attached, token=token), 0
        while time.perf_counter() < end:
            client.send("GET", path)
            count += 1
        return count

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(work, range(threads))) / seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long requests per second are counted")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fresh, known = start_up(folder)
        print(f"start-up, new directory    {fresh * 1000:7.0f} ms")
        print(f"start-up, known directory  {known * 1000:7.0f} ms")
        measure(folder / ".azure-emulator", options.seconds)
    return 0


def measure(directory: Path, seconds: float) -> None:
    attached = start(directory)
    token = log_in(attached)
    client = Client(attached, token=token)
    subscription = f"/subscriptions/{attached.subscription_id}"
    group = f"{subscription}/resourceGroups/rg"
    identities = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    version, place = "?api-version=2024-11-30", {"location": "eastus2"}
    client.send("POST", f"{subscription}/providers/Microsoft.ManagedIdentity/register?api-version=2025-04-01")
    client.send("PUT", f"{group}?api-version=2025-04-01", place)
    made = 0
    for size in SIZES:
        while made < size:
            client.send("PUT", f"{identities}/name-{made}{version}", place)
            made += 1
        one = f"{identities}/name-0{version}"
        print(
            f"{size:5} resources: GET {milliseconds(client, 'GET', one):5.2f} ms, "
            f"PUT {milliseconds(client, 'PUT', one, place):5.2f} ms, "
            f"list {milliseconds(client, 'GET', f'{group}/resources?api-version=2025-04-01'):6.2f} ms, "
            f"a page of the type {milliseconds(client, 'GET', f'{identities}{version}'):5.2f} ms, "
            f"{resident(attached.process_id):5.1f} MB in memory, "
            f"{sum(file.stat().st_size for file in directory.glob('store*')) / 1024:6.0f} KB of store"
        )
    for threads in (1, 4, 10):
        print(f"GET by {threads:2} clients: {per_second(attached, token, one, threads, seconds):6.0f} a second")
    attached.close()


if __name__ == "__main__":
    sys.exit(main())
