"""Killed at any request, the emulator comes back with a consistent store; two clients at once see no torn state."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError
from emulator_client import SECRETS_OFFICER, AzureClient, Json

from azure_emulator.attach import Attached, attach
from azure_emulator.core.store import Store

ROUNDS = 6
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"


def _start(directory: Path) -> Attached:
    attached = attach(directory)
    assert attached is not None
    return attached


class Writer:
    """Writes until stopped or until the emulator is gone; records what was acknowledged."""

    def __init__(self, attached: Attached, number: int, turn: int, value: str | None) -> None:
        self.azure = AzureClient(attached)
        self.name = f"writer{number}-{turn}"
        self.secret = f"Microsoft.KeyVault/vaults/writer{number}/secrets/one"
        # The value that was acknowledged last, and one that may have been taken since.
        self.possible = {value}
        self.made: set[str] = set()
        self.gone: set[str] = set()
        self.doubtful: set[str] = set()

    def run(self) -> None:
        step = 0
        try:
            while True:
                self._one(f"{self.name}-{step}", step)
                step += 1
        except AzureError:
            pass  # the emulator was killed

    def _one(self, name: str, step: int) -> None:
        identity = f"{self.azure.group}/providers/{IDENTITIES}/{name}"
        self.azure.ok(self.azure.call("PUT", identity, {"location": "eastus2", "tags": {"step": str(step)}}))
        self.made.add(identity)
        value = f"{name}-value"
        self.possible.add(value)
        self.azure.ok(self.azure.call("PUT", self.secret, {"properties": {"value": value}}))
        self.possible = {value}
        if step % 3 == 2:
            self.doubtful.add(identity)
            self.azure.ok(self.azure.call("DELETE", identity))
            self.gone.add(identity)


def _inconsistencies(directory: Path) -> list[str]:
    """Return inconsistencies in a closed store: children without parents, secrets without values."""
    store = Store(directory / "store", read_only=True)
    kept = directory / "vault.json"  # not there where the kill came before the first secret
    values = json.loads(kept.read_text()) if kept.exists() else {}
    found = []
    for resource in store.all():
        head = resource.id.rpartition("/providers/")[0]
        if "/resourcegroups/" in resource.key and store.get("/".join(resource.id.split("/")[:5])) is None:
            found.append(f"{resource.id}: its group is gone")
        if resource.type.count("/") > 1 and store.get(resource.id.rsplit("/", 2)[0]) is None:
            found.append(f"{resource.id}: its parent is gone")
        if "/providers/" in head.lower() and store.get(head) is None:
            found.append(f"{resource.id}: its scope is gone")
        if resource.type == "Microsoft.KeyVault/vaults/secrets":
            vault, _, name = resource.key.rpartition("/secrets/")
            known = values.get(vault, {}).get(name, {})
            missing = [item["version"] for item in resource.private["versions"] if item["version"] not in known]
            found += [f"{resource.id}: version {version} has no value" for version in missing]
    found += [
        f"operation {key}: its resource {record['resource']} is gone"
        for key, record in store.records("operation")
        if "/runs/" not in record["resource"] and store.get(record["resource"]) is None
    ]
    return found


@pytest.mark.timeout(60)
def test_killed_at_any_request_under_load_it_comes_back_with_all_that_it_acknowledged(tmp_path: Path) -> None:
    directory, chance = tmp_path / ".azure-emulator", random.Random(7)
    attached = _start(directory)
    azure = AzureClient(attached)
    azure.make_group()
    for number in range(3):
        vault = azure.make_vault(f"writer{number}")
        azure.assign(vault["id"], SECRETS_OFFICER, attached.object_id)
    acknowledged = 0
    current: list[str | None] = [None, None, None]
    for turn in range(ROUNDS):
        writers = [Writer(attached, number, turn, current[number]) for number in range(3)]
        with ThreadPoolExecutor(3) as pool:
            running = [pool.submit(writer.run) for writer in writers]
            while not any(writer.made for writer in writers) and not any(item.done() for item in running):
                time.sleep(0.001)
            time.sleep(chance.uniform(0.0, 0.25))
            os.kill(attached.process_id, signal.SIGKILL)
            for item in running:
                item.result(30)
        attached.close()

        assert _inconsistencies(directory) == []
        attached = _start(directory)
        azure = AzureClient(attached)
        listed = {item["id"].lower() for item in azure.get(f"{azure.group}/resources", "2025-04-01")["value"]}
        for writer in writers:
            missing = {item for item in writer.made - writer.doubtful if _as_listed(item) not in listed}
            back = {item for item in writer.gone if _as_listed(item) in listed}
            assert not missing
            assert not back
            acknowledged += len(writer.made)
        current = [_value(azure, writer.secret) for writer in writers]
        assert all(value in writer.possible for value, writer in zip(current, writers, strict=True))
    attached.close()
    assert acknowledged


def _as_listed(identifier: str) -> str:
    return identifier.lower()


def _value(azure: AzureClient, secret: str) -> str | None:
    """Return the contents of the vault; None if it never had any."""
    name = secret.split("/")[2]
    token = azure.token("https://vault.azure.net")
    url = f"https://{name}.vault.azure.net/secrets/one?api-version=7.4"
    answer = azure.http("GET", url, Authorization=f"Bearer {token}")
    return None if answer.status == 404 else str(answer.json()["value"])


@pytest.mark.timeout(60)
def test_two_clients_at_once_see_no_torn_state(azure: AzureClient, emulator: Attached) -> None:
    stop, torn, looks = threading.Event(), [], [0, 0]
    path = f"{azure.group}/providers/{IDENTITIES}/shared"
    azure.put(path, {"location": "eastus2", "tags": {"one": "0", "two": "0"}})

    def read(reader: int, look: Callable[[AzureClient], list[Json]]) -> None:
        client = AzureClient(emulator)
        while not stop.is_set():
            torn.extend(item for item in look(client) if item["tags"]["one"] != item["tags"]["two"])
            looks[reader] += 1

    def listed(client: AzureClient) -> list[Json]:
        rows: list[Json] = client.get(f"{client.group}/resources", "2025-04-01")["value"]
        return rows

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read, 0, lambda client: [client.get(path)]), pool.submit(read, 1, listed)]
        number = 0
        while (number < 150 or min(looks) <= 20) and not any(reader.done() for reader in readers):
            number += 1
            tags = {"one": str(number), "two": str(number)}
            answer = azure.ok(azure.call("PUT", path, {"location": "eastus2", "tags": tags})).json()
            assert answer["tags"] == tags
        stop.set()
        for reader in readers:
            reader.result(20)

    assert torn == []


def test_two_clients_that_make_the_same_resource_make_one(azure: AzureClient, emulator: Attached) -> None:
    clients = [AzureClient(emulator) for _ in range(8)]
    path = f"{azure.group}/providers/{IDENTITIES}/shared"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda client: client.call("PUT", path, {"location": "eastus2"}), clients))

    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["properties"]["principalId"] for answer in answers}) == 1
