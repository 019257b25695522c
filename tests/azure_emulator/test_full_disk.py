"""The disk is full, seen from outside: nothing is half done, every request is answered, and it goes on with space."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from emulator_client import AzureClient

from azure_emulator.attach import Attached, EmulatorError, attach

IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="another process's limits are set on Linux alone")


def allow(attached: Attached, size: int | None) -> None:
    """Let no file of the emulator grow beyond a size: a write then fails, as it does on a full disk."""
    import resource

    limit = resource.RLIM_INFINITY if size is None else size
    resource.prlimit(attached.process_id, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


@pytest.mark.parametrize("size", [0, 5000, 200_000], ids=["no byte", "a part of a line", "the store alone"])
def test_a_full_disk_refuses_writes_answers_reads_and_loses_nothing(tmp_path: Path, size: int) -> None:
    attached = attach(tmp_path / ".azure-emulator")
    assert attached is not None
    with attached:
        azure = AzureClient(attached)
        azure.make_group()
        azure.make_identity("before")
        azure.make_vault()
        written = {"before"}
        secret = "Microsoft.KeyVault/vaults/vault-1/secrets/one"

        allow(attached, size)
        for number in range(12):
            answer = azure.call("PUT", f"{IDENTITIES}/full-{number}", {"location": "eastus2", "tags": {"a": "x" * 200}})
            assert answer.status_code in (201, 500), answer.text()
            if answer.status_code == 201:
                written.add(f"full-{number}")
            there = azure.call("GET", f"{IDENTITIES}/full-{number}").status_code
            assert there == (200 if answer.status_code == 201 else 404)
        assert {item["name"] for item in azure.get(IDENTITIES)["value"]} == written
        if size == 0:
            assert written == {"before"}
            assert azure.call("PUT", secret, {"properties": {"value": "lost"}}).status_code == 500
            assert azure.call("GET", secret).status_code == 404
            with pytest.raises(EmulatorError, match="space"):
                attached.control("POST", "/control/clock", {"advance": 60})
            assert attached.control("GET", "/control/clock")["offset"] == 0

        allow(attached, None)
        azure.make_identity("after")
        azure.ok(azure.call("PUT", secret, {"properties": {"value": "kept"}}))
        os.kill(attached.process_id, signal.SIGKILL)

    again = attach(tmp_path / ".azure-emulator")
    assert again is not None
    with again:
        names = {item["name"] for item in AzureClient(again).get(IDENTITIES)["value"]}
    assert names == {*written, "after"}
    lines = (tmp_path / ".azure-emulator" / "requests.jsonl").read_text().splitlines()
    assert sum(line.endswith("}") for line in lines) > 5
