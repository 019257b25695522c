"""The emulator as a process: attaching, sharing, being killed, faults, and what it leaves on disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError
from emulator_client import AzureClient, environment_body, server_body

from azure_emulator.attach import Attached, EmulatorError, attach, read_identity

GROUP = {"location": "eastus2"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / ".azure-emulator"


@pytest.fixture
def start(directory: Path) -> Iterator[Callable[..., Attached]]:
    """Attaches as often as asked for, and lets go of all at the end."""
    opened: list[Attached] = []

    def attached(**settings: object) -> Attached:
        found = attach(directory, **settings)  # type: ignore[arg-type]
        assert found is not None
        opened.append(found)
        return found

    yield attached
    for item in opened:
        item.close()


def is_alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it may end while it is being looked at
        return False


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_clients_of_one_directory_share_one_emulator_that_ends_with_the_last(
    start: Callable[..., Attached], directory: Path
) -> None:
    with ThreadPoolExecutor(4) as pool:
        attached = list(pool.map(lambda _: start(), range(4)))

    assert len({item.process_id for item in attached}) == 1
    process_id = attached[0].process_id
    for item in attached[1:]:
        item.close()
    time.sleep(2.3)
    assert is_alive(process_id)
    attached[0].close()
    wait_until(lambda: not is_alive(process_id))
    assert attach(directory, start=False) is None


def test_the_identity_is_made_once_and_readable_without_a_process(
    start: Callable[..., Attached], directory: Path
) -> None:
    assert read_identity(directory) is None

    attached = start()

    expected = {
        "id": attached.emulator_id,
        "tenant_id": attached.tenant_id,
        "subscription_id": attached.subscription_id,
    }
    assert read_identity(directory) == expected
    assert (directory / "emulator.json").stat().st_mode & 0o777 == 0o600


def test_an_emulator_that_cannot_start_says_why(directory: Path) -> None:
    directory.mkdir()
    (directory / "emulator.json").write_text("{")

    with pytest.raises(EmulatorError, match="did not start: emulator: Expecting property name"):
        attach(directory)


def test_work_survives_a_kill_and_operations_go_on_by_the_clock(start: Callable[..., Attached]) -> None:
    first = start(scale=1)
    azure = AzureClient(first)
    azure.make_group()
    created = azure.call("PUT", "Microsoft.App/managedEnvironments/env", environment_body())
    os.kill(first.process_id, signal.SIGKILL)
    wait_until(lambda: not is_alive(first.process_id))

    second = start(scale=1)
    azure = AzureClient(second)

    assert second.subscription_id == first.subscription_id
    assert azure.operation(created)["status"] == "InProgress"
    second.control("POST", "/control/clock", {"advance": 150})
    assert azure.operation(created)["status"] == "Succeeded"
    assert azure.get("Microsoft.App/managedEnvironments/env")["properties"]["provisioningState"] == "Succeeded"


def test_a_read_only_emulator_knows_everything_and_writes_no_file(
    start: Callable[..., Attached], directory: Path
) -> None:
    assert attach(directory, read_only=True) is None
    assert not directory.exists()
    writer = start()
    AzureClient(writer).make_group()
    writer.close()
    wait_until(lambda: not is_alive(writer.process_id))
    before = {path: path.stat().st_mtime_ns for path in sorted(directory.rglob("*"))}

    reader = start(read_only=True)
    azure = AzureClient(reader)

    assert reader.read_only
    assert azure.get(azure.group)["name"] == "rg"
    assert {path: path.stat().st_mtime_ns for path in sorted(directory.rglob("*"))} == before


def test_a_declared_fault_hits_as_often_as_said_and_not_again_in_the_next_run(
    start: Callable[..., Attached], directory: Path
) -> None:
    fault = {
        "method": "PUT",
        "path": "*/RESOURCEGROUPS/*",
        "status": 409,
        "code": "Busy",
        "skip": 1,
        "times": 2,
        "retry_after": 1,
    }
    azure = AzureClient(start(faults=[fault]))

    answers = [azure.call("PUT", azure.group, GROUP) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [201, 409, 409, 200]
    assert (azure.error(answers[1]), answers[1].headers["Retry-After"]) == ("Busy", "1")
    start(faults=[fault])
    assert [azure.call("PUT", azure.group, GROUP).status_code for _ in range(3)] == [200, 200, 200]
    assert json.loads((directory / "faults.json").read_text())


def test_a_dropped_reply_leaves_the_work_done_or_undone(start: Callable[..., Attached]) -> None:
    for moment, status in (("after", 204), ("before", 404)):
        group = f"rg-{moment}"
        azure = AzureClient(start(faults=[{"method": "PUT", "path": f"*/{group}", "drop": moment}]))
        path = f"{azure.subscription}/resourceGroups/{group}"

        with pytest.raises(AzureError):
            azure.call("PUT", path, GROUP)

        assert azure.call("HEAD", path).status_code == status


def test_an_operation_may_be_declared_to_fail(start: Callable[..., Attached]) -> None:
    attached = start(faults=[{"method": "PUT", "path": "*/managedEnvironments/*", "fail": "InternalServerError"}])
    azure = AzureClient(attached)
    azure.make_group()

    status = azure.operation(azure.call("PUT", "Microsoft.App/managedEnvironments/env", environment_body()))

    assert (status["status"], status["error"]["code"]) == ("Failed", "InternalServerError")
    assert azure.get("Microsoft.App/managedEnvironments/env")["properties"]["provisioningState"] == "Failed"


def test_any_write_has_a_failed_environment_made_again(start: Callable[..., Attached]) -> None:
    """github.com/microsoft/azure-container-apps issue 1113."""
    path = "Microsoft.App/managedEnvironments/env"
    azure = AzureClient(start(faults=[{"method": "PUT", "path": "*/managedEnvironments/*", "fail": "Some"}]))
    azure.make_group()
    assert azure.operation(azure.call("PUT", path, environment_body()))["status"] == "Failed"

    status = azure.operation(azure.call("PUT", path, environment_body()))

    assert status["status"] == "Succeeded"
    assert azure.get(path)["properties"]["provisioningState"] == "Succeeded"


def test_a_fault_may_set_retry_after_to_a_date(start: Callable[..., Attached]) -> None:
    date = "Wed, 21 Oct 2026 07:28:00 GMT"
    fault = {"method": "PUT", "path": "*", "status": 503, "retry_after": date}
    azure = AzureClient(start(faults=[fault]))

    assert azure.call("PUT", azure.group, GROUP).headers["Retry-After"] == date


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"path": "*"}, "exactly one of status, drop and fail"),
        ({"status": 200}, "no error status"),
        ({"status": 500, "tims": 1}, "unknown key 'tims'"),
        ({"drop": "later"}, "drop is"),
    ],
)
def test_a_bad_fault_is_reported_at_start(
    start: Callable[..., Attached], directory: Path, fault: object, text: str
) -> None:
    file = directory.with_name("faults.json")
    file.write_text(json.dumps([fault]))
    command = [sys.executable, "-m", "azure_emulator", "--directory", str(directory), "--faults", str(file)]

    alone = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert alone.returncode == 1
    assert text in alone.stderr
    with pytest.raises(EmulatorError, match=text):
        start(faults=[fault])


def test_a_bad_declaration_of_images_is_reported(start: Callable[..., Attached]) -> None:
    with pytest.raises(EmulatorError, match="unknown key 'ports'"):
        start(images={"app": {"ports": 1}})


def test_alone_it_prints_the_variables_that_a_client_needs(directory: Path) -> None:
    command = [sys.executable, "-m", "azure_emulator", "--directory", str(directory), "--env", "dotenv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(6)]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0

    values = dict(line.split("=", 1) for line in lines)
    assert values["HTTPS_PROXY"].startswith("http://127.0.0.1:")
    assert Path(values["REQUESTS_CA_BUNDLE"]).exists()
    assert {"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_SUBSCRIPTION_ID"} < set(values)


def test_secret_values_are_in_one_file_only(start: Callable[..., Attached], directory: Path) -> None:
    azure = AzureClient(start())
    azure.make_group()
    azure.make_vault()
    azure.ok(azure.call("PUT", "Microsoft.KeyVault/vaults/vault-1/secrets/s", {"properties": {"value": "VaultValue1"}}))
    server = server_body(administratorLoginPassword="ServerPassw0rd")
    azure.put("Microsoft.DBforPostgreSQL/flexibleServers/pg-1", server)
    environment = azure.make_environment()
    file = {"accountName": "a", "accountKey": "AccountKey1", "shareName": "s", "accessMode": "ReadOnly"}
    azure.ok(azure.call("PUT", f"{environment['id']}/storages/s", {"properties": {"azureFile": file}}))
    azure.make_registry()
    run = {
        "type": "DockerBuildRequest",
        "sourceLocation": "x",
        "dockerFilePath": "Dockerfile",
        "platform": {"os": "Linux"},
        "arguments": [{"name": "A", "value": "BuildSecret1", "isSecret": True}],
    }
    registry = "Microsoft.ContainerRegistry/registries/registry1"
    azure.ok(azure.call("POST", f"{registry}/scheduleRun", run, "2025-03-01-preview"))
    azure.make_workspace()
    keys = azure.call("POST", "Microsoft.OperationalInsights/workspaces/logs/sharedKeys").json()

    secrets = ["VaultValue1", "ServerPassw0rd", "AccountKey1", "BuildSecret1", keys["primarySharedKey"]]
    holding = {
        (path.name, secret)
        for path in directory.rglob("*")
        if path.is_file()
        for secret in [*secrets, azure.attached.client_secret]
        if secret.encode() in path.read_bytes()
    }

    assert holding == {("vault.json", "VaultValue1"), ("emulator.json", azure.attached.client_secret)}
    assert (directory / "vault.json").stat().st_mode & 0o777 == 0o600


def test_the_request_log_distinguishes_reads_from_writes(start: Callable[..., Attached], directory: Path) -> None:
    azure = AzureClient(start())
    azure.make_group()
    azure.call("GET", azure.group)

    lines = [json.loads(line) for line in (directory / "requests.jsonl").read_text().splitlines()]

    last = lines[-1]
    assert set(last) == {"time", "method", "host", "path", "api_version", "status", "client_request_id", "body"}
    assert (last["method"], last["host"], last["status"]) == ("GET", "management.azure.com", 200)
    assert (last["path"], last["api_version"]) == (azure.group, "2025-04-01")
    put = next(line for line in lines if line["method"] == "PUT")
    assert put["body"] == GROUP


def test_a_resource_may_be_made_to_vanish(start: Callable[..., Attached]) -> None:
    attached = start()
    azure = AzureClient(attached)
    azure.make_group()
    identity = azure.make_identity()

    assert attached.control("POST", "/control/delete", {"id": identity["id"]}) == {"deleted": True}

    assert azure.call("GET", identity["id"]).status_code == 404


def test_many_clients_at_once_get_each_their_own_answer(start: Callable[..., Attached]) -> None:
    azure = AzureClient(start())
    azure.make_group()
    azure.call("GET", azure.group)

    def make(number: int) -> str:
        path = f"Microsoft.ManagedIdentity/userAssignedIdentities/app-{number}"
        azure.ok(azure.call("PUT", path, {"location": "eastus2"}))
        return str(azure.get(path)["name"])

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(make, range(60))) == [f"app-{number}" for number in range(60)]
