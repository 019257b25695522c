"""Faults of the connection between the state and its blob: the run knows what is stored, or it stops."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azurite import Azurite, connection_string
from fault_proxy import Fault, FaultProxy

from draftgenie_azure.errors import LockLostError, StateConflictError, StateError
from draftgenie_azure.run.control import RunControl
from draftgenie_azure.state import emergency, replacing
from draftgenie_azure.state import lock as locks
from draftgenie_azure.state.blob import backend as blob_backend

BLOB = r"azure-deployment-state\.json(\?|$)"
_numbers = itertools.count()


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[FaultProxy]:
    """A proxy that the state goes through."""
    running = FaultProxy(azurite.port)
    yield running
    running.close()


@pytest.fixture
def values(
    azurite: Azurite, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """A configuration whose state is in a blob, through the proxy."""
    endpoint = azurite.endpoint.replace(f":{azurite.port}", f":{proxy.port}")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection_string(endpoint))
    monkeypatch.setenv("AZURE_STATE_STORAGE", "blob")
    monkeypatch.chdir(tmp_path)
    return {"advanced": {"state_blob_container": f"wire-{os.getpid()}-{next(_numbers)}"}}


def opened(values: dict[str, Any]) -> Any:
    """The command's StateManager."""
    return importlib.import_module("deploy-azure_v1").StateManager(values)


def stored(values: dict[str, Any], azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The document in the blob, read without the proxy."""
    with monkeypatch.context() as patched:
        patched.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
        state: dict[str, Any] = opened(values).state
    return state


FAULTS = {
    "429 with Retry-After": Fault("PUT", BLOB, status=429, code="ServerBusy", headers={"Retry-After": "1"}),
    "500": Fault("PUT", BLOB, status=500, code="InternalError", times=2),
    "503": Fault("PUT", BLOB, status=503, code="ServerBusy", times=2),
    "reset before the write": Fault("PUT", BLOB, drop="before", times=2),
    "reset after the write": Fault("PUT", BLOB, drop="after"),
    "reset after the write, then 503": Fault("PUT", BLOB, drop="after"),
    "reply after the time-out": Fault("PUT", BLOB, late=4.0),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_transient_error_of_a_save_is_retried_and_saves_once(
    values: dict[str, Any], proxy: FaultProxy, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Also where the write took effect and only its reply was lost: its repetition is then refused, and recognised."""
    monkeypatch.setattr("draftgenie_azure.state.blob.location.READ", 2)
    state = opened(values)
    state.lock()
    fault = Fault(**{**vars(FAULTS[name]), "hit": 0})
    proxy.faults = [fault]
    if name.endswith("then 503"):
        proxy.faults.append(Fault("PUT", BLOB, status=503, code="ServerBusy"))
    began = time.monotonic()

    state.mark_step_completed("create_key_vault", "0" * 64)

    if "Retry-After" in name:
        assert time.monotonic() - began >= 1
    assert fault.hit == fault.times
    assert stored(values, azurite, monkeypatch) == state.state
    state.mark_step_completed("create_databases", "1" * 64)  # the ETag is known, and so is the lease
    assert stored(values, azurite, monkeypatch)["serial"] == state.state["serial"]
    state.unlock()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT", "comp=lease", drop="after"),
        Fault("PUT", "comp=lease", status=503, code="ServerBusy"),
        Fault("PUT", "restype=container", drop="after"),
        Fault("PUT", r"state\.json$", drop="after"),
        Fault("PUT", r"state\.json\.lock", drop="after"),
        Fault("GET", BLOB, drop="before"),
        Fault("GET", BLOB, status=500, code="InternalError"),
    ],
    ids=["lease taken, reply lost", "503 for the lease", "container made, reply lost", "first document, reply lost",
         "lock information, reply lost", "no answer to the read", "500 to the read"],
)
def test_transient_error_of_acquiring_the_lock_is_retried(
    values: dict[str, Any], proxy: FaultProxy, fault: Fault
) -> None:
    """A lease whose reply was lost is still ours: it is asked for by a name of our own."""
    state = opened(values)
    proxy.faults = [Fault(**{**vars(fault), "hit": 0})]

    state.lock()

    assert proxy.faults[0].hit == 1
    assert state.lock_held()
    state.save()
    state.unlock()
    again = opened(values)
    again.lock()
    again.unlock()


@pytest.mark.parametrize(("status", "code"), [(412, "ConditionNotMet"), (409, "BlobAlreadyExists")])
def test_refused_condition_with_other_bytes_stored_is_a_conflict_and_goes_to_the_emergency_file(
    values: dict[str, Any], proxy: FaultProxy, tmp_path: Path, status: int, code: str
) -> None:
    """It belongs to another run: never overwritten, never lost."""
    state = opened(values)
    state.lock()
    proxy.faults = [Fault("PUT", BLOB, status=status, code=code)]

    with pytest.raises(StateConflictError) as caught:
        state.mark_step_completed("create_key_vault", "0" * 64)

    (rescued,) = tmp_path.glob("*.rescue-*")
    assert json.loads(rescued.read_text()) == state.state
    assert "--restore-state" in str(caught.value.hint)
    state.unlock()


@pytest.mark.parametrize(
    ("status", "code"), [(409, "ContainerBeingDeleted"), (403, "AuthorizationFailure"), (413, "RequestBodyTooLarge")]
)
def test_other_refusal_is_reported_with_its_code(
    values: dict[str, Any], proxy: FaultProxy, tmp_path: Path, status: int, code: str
) -> None:
    """At once, without repeating; the state is in the emergency state file."""
    state = opened(values)
    state.lock()
    proxy.faults = [Fault("PUT", BLOB, status=status, code=code)]

    with pytest.raises(StateError, match=f"{status} {code}"):
        state.mark_step_completed("create_key_vault", "0" * 64)

    assert len(list(tmp_path.glob("*.rescue-*"))) == 1
    state.unlock()


def test_permanent_503_is_given_up_before_the_lease_ends_and_nothing_is_lost(
    values: dict[str, Any], proxy: FaultProxy, azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emergency state file has it all, grows with what still ends, and comes back by --restore-state."""
    monkeypatch.setattr(blob_backend, "BUDGET", 2.0)
    state = opened(values)
    state.lock()
    state.mark_step_running("create_key_vault", {})
    proxy.faults = [Fault("PUT", BLOB, status=503, code="ServerBusy", times=1000)]
    with pytest.raises(StateError, match="503 ServerBusy"):
        state.mark_step_completed("create_key_vault", "0" * 64)
    proxy.faults = []

    with pytest.raises(StateError, match="could not be saved before"):
        state.mark_step_completed("create_databases", "1" * 64)

    state.unlock()
    (rescued,) = tmp_path.glob("*.rescue-*")
    again = opened(values)
    assert not again.is_step_completed("create_key_vault")
    with pytest.raises(StateError, match="could not save the state"):
        emergency.check_emergency_files(again)
    again.lock()
    replacing.restore(again, replacing.read_copy(again, str(rescued)))
    again.unlock()
    after = stored(values, azurite, monkeypatch)
    assert {name for name, record in after["steps"].items() if record["status"] == "completed"} == {
        "create_key_vault",
        "create_databases",
    }
    emergency.check_emergency_files(again)


def test_reply_that_comes_after_the_lease_was_lost_does_not_let_the_run_go_on(
    values: dict[str, Any], proxy: FaultProxy, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write took effect; until its reply came another run took the lock and wrote."""
    state = opened(values)
    state.lock()
    control = RunControl()
    control.lock_held = state.lock_held

    def another_run() -> None:
        with monkeypatch.context() as patched:
            patched.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
            other = opened(values)
            other.break_lock()
            other.lock()
            other.mark_step_failed("create_databases", "by the other run")
            other.unlock()

    proxy.faults = [Fault("PUT", BLOB, meanwhile=another_run)]
    state.mark_step_completed("create_key_vault", "0" * 64)

    with pytest.raises((LockLostError, StateConflictError)):
        state.mark_step_completed("create_databases", "0" * 64)

    after = stored(values, azurite, monkeypatch)
    assert after["steps"]["create_databases"]["status"] == "failed"
    assert after["steps"]["create_key_vault"]["status"] == "completed"
    state.unlock()


def test_lock_whose_renewal_is_refused_is_lost_at_once(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`arm` asks before each write, so no further one is sent."""
    monkeypatch.setattr(blob_backend, "RENEW", 0.2)
    state = opened(values)
    state.lock()
    control = RunControl()
    control.lock_held = state.lock_held
    control.check()

    opened(values).break_lock()

    deadline = time.monotonic() + 10
    while state.lock_held():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(StateError, match="lost"):
        control.check()
    state.unlock()


@pytest.mark.slow
def test_lock_counts_as_lost_when_its_renewal_is_overdue_and_never_comes_back(
    values: dict[str, Any], proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is gone for longer than the lease may go without renewal; that it returns does not help."""
    monkeypatch.setattr(blob_backend, "RENEW", 0.2)
    monkeypatch.setattr(blob_backend, "OVERDUE", 6.0)
    state = opened(values)
    state.lock()
    time.sleep(1.0)
    assert state.lock_held()
    proxy.severed.set()
    began = time.monotonic()
    while state.lock_held():
        assert time.monotonic() - began < 30
        time.sleep(0.02)
    assert time.monotonic() - began > 1.0
    proxy.severed.clear()
    state._lock._thread.join(timeout=5)  # if it went on, it would renew within 2 s

    assert not state.lock_held()
    with pytest.raises(LockLostError):
        state.mark_step_completed("create_key_vault", "0" * 64)
    state.unlock()


def test_time_asleep_counts_for_the_lease(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that slept for a minute has lost its lock when it wakes up, before any renewal says so."""
    state = opened(values)
    state.lock()
    assert state.lock_held()
    awake = locks.awake_clock
    monkeypatch.setattr(blob_backend, "awake_clock", lambda: awake() + 60)

    assert not state.lock_held()

    monkeypatch.setattr(blob_backend, "awake_clock", awake)
    assert not state.lock_held()
    state.unlock()


def test_short_outage_is_survived(values: dict[str, Any], proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The renewals go on, and so does the save that was under way."""
    monkeypatch.setattr(blob_backend, "RENEW", 0.2)
    state = opened(values)
    state.lock()
    proxy.severed.set()
    threading.Timer(1.5, proxy.severed.clear).start()

    state.mark_step_completed("create_key_vault", "0" * 64)

    assert state.lock_held()
    state.unlock()


def test_lease_is_renewed_while_the_run_lives(values: dict[str, Any], proxy: FaultProxy, monkeypatch: Any) -> None:
    """And no longer: after the end it is not renewed."""
    monkeypatch.setattr(blob_backend, "RENEW", 0.1)
    state = opened(values)
    state.lock()
    thread = state._lock._thread

    def requests() -> int:
        return len([line for line in proxy.seen if "comp=lease" in line])

    deadline = time.monotonic() + 30
    while requests() < 6:  # the first one took it
        assert time.monotonic() < deadline
        time.sleep(0.02)
    state.unlock()
    thread.join(timeout=30)
    count = requests()

    time.sleep(0.5)

    assert requests() == count


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_lease_of_a_dead_holder_expires(values: dict[str, Any]) -> None:
    """60 s after it was last renewed, waited for with --lock-timeout."""
    state = opened(values)
    state.lock()
    state._lock._over.set()  # its thread is gone as if the process were; nothing gives the lease back
    began = time.monotonic()

    other = opened(values)
    other.lock(timeout=100)

    assert 30 < time.monotonic() - began < 95
    other.unlock()
