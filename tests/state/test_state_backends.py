"""The contract of every state backend: atomic writes, one lock, nothing overwritten unseen."""

from __future__ import annotations

import itertools
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from azurite import Azurite
from memory_backend import Memory, MemoryBackend

from draftgenie_azure.constants import HISTORY_DIRECTORY as HISTORY
from draftgenie_azure.errors import LockLostError, StateConflictError, StateError, StateLockedError
from draftgenie_azure.state.blob import backend as blob_backend
from draftgenie_azure.state.blob.backend import BlobBackend
from draftgenie_azure.state.blob.location import open_blob
from draftgenie_azure.state.local_file import LocalBackend
from draftgenie_azure.state.lock import Holder, Waiting

KINDS = ("memory", "local", "blob")
_numbers = itertools.count()
Open = Callable[[], Any]


def blob_of(azurite: Azurite, name: str, endpoint: str | None = None) -> BlobBackend:
    """A backend on a blob of its own container."""
    values = {"advanced": {"state_blob_container": f"state-{name}", "state_blob_endpoint": endpoint}}
    return open_blob(values, {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string})


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of backend."""
    return str(request.param)


@pytest.fixture
def opened(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Open:
    """Opens the same place again, as another process would."""
    if kind == "memory":
        place = Memory()
        return lambda: MemoryBackend(place)
    if kind == "local":
        return lambda: LocalBackend(str(tmp_path / "state.json"))
    azurite = request.getfixturevalue("azurite")
    name = f"contract-{os.getpid()}-{next(_numbers)}"
    return lambda: blob_of(azurite, name)


def _lock(backend: Any, timeout: float = 0.0, tell: Callable[[str], None] = lambda text: None) -> Any:
    return backend.lock(Holder.this_process().dump(), waiting=Waiting(timeout, tell), first=lambda: b"first")


def test_missing_state_is_none_and_not_empty(opened: Open) -> None:
    """No state yet is the one thing that means a first deployment."""
    assert opened().load() is None
    assert opened().copies() == []


def test_saved_bytes_are_loaded_unchanged(opened: Open) -> None:
    """Byte for byte, by another process."""
    data = os.urandom(100_000)

    opened().save(data)

    assert opened().load() == data


def test_second_writer_does_not_overwrite_what_it_has_not_seen(opened: Open) -> None:
    """Two runs that read the same state: the second one's update is refused, and the first one's stays."""
    first, second = opened(), opened()
    first.save(b"one")
    second.load()
    first.save(b"two")

    with pytest.raises(StateConflictError):
        second.save(b"three")

    assert opened().load() == b"two"
    second.load()
    second.save(b"four")
    assert opened().load() == b"four"


def test_first_writer_does_not_overwrite_a_state_that_appeared_meanwhile(opened: Open) -> None:
    """Create only if nothing is there."""
    first, second = opened(), opened()
    assert first.load() is None
    second.save(b"theirs")

    with pytest.raises(StateConflictError):
        first.save(b"ours")

    assert opened().load() == b"theirs"


def test_lock_is_exclusive_and_names_its_holder(opened: Open) -> None:
    """Terraform's TestRemoteLocks: A locks, B is refused and names A, A unlocks, B locks."""
    a, b = opened(), opened()
    lock_a = _lock(a)
    assert lock_a.held()

    with pytest.raises(StateLockedError, match=rf"process {os.getpid()}"):
        _lock(b)

    lock_a.release()
    assert not lock_a.held()
    lock_b = _lock(b)
    assert lock_b.held()
    lock_b.release()
    lock_b.release()  # twice does no harm


def test_waiting_for_a_lock_names_the_holder_and_then_acquires_it(opened: Open) -> None:
    """One line, not one per look."""
    holder = _lock(opened())
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        threading.Timer(0.3, holder.release).start()

    lock = _lock(opened(), timeout=60, tell=tell)

    assert lock.held()
    assert len(told) == 1
    assert f"process {os.getpid()}" in told[0]
    lock.release()


def test_reading_needs_no_lock(opened: Open) -> None:
    """`--status` and `--dry-run` look while another run works."""
    backend = opened()
    lock = _lock(backend)
    backend.load()
    backend.save(b"data")

    assert opened().load() == b"data"
    assert opened().holder() is not None

    lock.release()
    assert opened().holder() is None


def test_only_the_last_copies_are_kept(opened: Open) -> None:
    """By name, which begins with the serial."""
    backend = opened()
    for number in range(13):
        backend.keep(f"{number:08d}.20260101T000000Z.json", str(number).encode(), 10)

    copies = opened().copies()

    assert len(copies) == 10
    assert [opened().load_copy(name) for name in copies] == [str(number).encode() for number in range(12, 2, -1)]
    assert opened().load_copy("no-such-copy") is None


def test_documents_beside_the_state_are_replaced_read_and_removed(opened: Open) -> None:
    """History and baseline lie in the same storage; without one there is None."""
    one, other = opened(), opened()

    assert one.read_companion("history") is None
    one.write_companion("history", b"1")
    one.write_companion("history", b"2")
    assert other.read_companion("history") == b"2"
    assert other.read_companion("baseline") is None
    one.write_companion("history", None)
    one.write_companion("history", None)
    assert other.read_companion("history") is None


def test_putting_aside_overwrites_nothing(opened: Open) -> None:
    """Two resets within a second have two files."""
    backend = opened()
    backend.save(b"state")

    places = [backend.aside("reset-20260101T000000Z", text) for text in (b"1", b"2", b"3")]

    assert len(set(places)) == 3
    assert [opened().load_copy(place) for place in places] == [b"1", b"2", b"3"]
    backend.delete()
    assert opened().load() is None


@pytest.mark.parametrize("kind", ["memory", "blob"], indirect=True)
def test_broken_lock_is_noticed_at_the_next_write(opened: Open) -> None:
    """Consul's TestConsul_lostLock: a run that lost its lock writes nothing more."""
    backend = opened()
    lock = _lock(backend)
    backend.load()
    backend.save(b"before")

    opened().break_lock()

    with pytest.raises(LockLostError):
        backend.save(b"after")
    assert opened().load() == b"before"
    other = _lock(opened())
    assert other.held()
    other.release()
    lock.release()


# --- local only ---


def test_local_state_is_for_its_owner_alone_and_a_link_to_it_stays_one(tmp_path: Path) -> None:
    """Mode 0600 for any umask; the target of a symbolic link is replaced, not the link."""
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "real.json", tmp_path / "state.json"
    target.write_bytes(b"old")
    link.symlink_to(target)
    backend = LocalBackend(str(link))
    backend.load()

    backend.save(b"new")

    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_local_lock_of_a_live_process_is_not_broken_but_its_process_named(tmp_path: Path) -> None:
    """--force-unlock on a file: there is nothing to break that the kernel would not give back."""
    backend = LocalBackend(str(tmp_path / "state.json"))
    lock = _lock(backend)

    with pytest.raises(StateError, match=f"process {os.getpid()}") as caught:
        LocalBackend(backend.path).break_lock()

    assert caught.value.hint is not None
    assert f"kill {os.getpid()}" in caught.value.hint
    assert lock.held()
    lock.release()


def test_local_lock_that_someone_deleted_counts_as_lost(tmp_path: Path) -> None:
    """s3's TestBackend_LockDeletedOutOfBand: a second run could take the new file, so the first one stops."""
    backend = LocalBackend(str(tmp_path / "state.json"))
    lock = _lock(backend)
    for path in tmp_path.glob("*.lock"):
        path.unlink()

    assert not lock.held()


def test_file_system_without_locks_is_reported_and_no_other_kind_of_lock_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that is only a file would outlive its holder."""
    import errno
    import fcntl

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)

    with pytest.raises(StateError, match="network file systems") as caught:
        _lock(LocalBackend(str(tmp_path / "state.json")))

    assert "--move-state blob" in str(caught.value.hint)


@pytest.mark.parametrize("word", [b"", b"{", b"[1]", b'{"who": 5, "process_id": "x", "started": "never"}', b"\xff"])
def test_lock_information_in_any_state_is_reported_without_a_traceback(tmp_path: Path, word: bytes) -> None:
    """Terraform's force-unlock fails where the lock's metadata is missing."""
    path = tmp_path / "state.json"
    lock = _lock(LocalBackend(str(path)))
    for says in tmp_path.glob("*.lock.json"):
        says.write_bytes(word)

    with pytest.raises(StateLockedError, match="is locked by"):
        _lock(LocalBackend(str(path)))
    with pytest.raises(StateError):
        LocalBackend(str(path)).break_lock()
    lock.release()


def test_leftovers_of_killed_runs_are_swept_by_the_next_that_locks(tmp_path: Path) -> None:
    """Temporary files, of the state and of its copies; nothing else."""
    path = tmp_path / "prod.json"
    backend = LocalBackend(str(path))
    backend.save(b"state")
    backend.keep("00000001.x.json", b"copy", 10)
    left = [tmp_path / ".azure-deployment-state.prod.json.4242.tmp"]
    left.append(tmp_path / HISTORY / ".azure-deployment-state.prod.json.00000001.x.json.4242.tmp")
    other = tmp_path / ".azure-deployment-state.dev.json.4242.tmp"
    for file in (*left, other):
        file.write_bytes(b"half")

    _lock(backend).release()

    assert not any(file.exists() for file in left)
    assert other.exists()
    assert backend.load() == b"state"
    assert len(backend.copies()) == 1


# --- blob only ---


@pytest.fixture
def service(azurite: Azurite) -> Iterator[BlobServiceClient]:
    """A client beside the one under test."""
    options = {"api_version": blob_backend.API_VERSION}
    with BlobServiceClient.from_connection_string(azurite.connection_string, **options) as client:
        yield client


@pytest.mark.parametrize("word", [None, b"", b"{", b"\xff\x00", b'{"process_id": []}'])
def test_force_unlock_needs_no_lock_information(
    azurite: Azurite, service: BlobServiceClient, word: bytes | None
) -> None:
    """Terraform's TestBackendStateForceUnlock, with any description of the lock, or none."""
    name = f"unlock-{os.getpid()}-{next(_numbers)}"
    lock = _lock(blob_of(azurite, name))
    says = service.get_blob_client(f"state-{name}", "azure-deployment-state.json.lock")
    if word is None:
        says.delete_blob()
    else:
        says.upload_blob(word, overwrite=True)
    other = blob_of(azurite, name)
    assert other.holder() is not None
    with pytest.raises(StateLockedError, match="an unidentified run"):
        _lock(other)

    other.break_lock()

    again = _lock(other)
    assert again.held()
    again.release()
    lock.release()


def test_sas_address_of_account_or_container_works_and_is_never_shown(
    azurite: Azurite, service: BlobServiceClient
) -> None:
    """With only what the SAS allows; its signature is in no message."""
    from datetime import UTC, datetime, timedelta

    from azure.storage.blob import generate_account_sas, generate_container_sas
    from azurite import ACCOUNT, KEY

    until = datetime.now(UTC) + timedelta(hours=1)
    account = generate_account_sas(ACCOUNT, KEY, "sco", "rwdlac", until)
    service.create_container("state-sas")
    container = generate_container_sas(ACCOUNT, "state-sas", KEY, permission="rwdlc", expiry=until)
    for endpoint in (f"{azurite.endpoint}?{account}", f"{azurite.endpoint}/state-sas?{container}"):
        backend = open_blob({"advanced": {"state_blob_container": "state-sas", "state_blob_endpoint": endpoint}}, {})
        backend.load()
        lock = _lock(backend)
        backend.load()
        backend.save(endpoint.encode())
        lock.release()
        assert backend.load() == endpoint.encode()
        assert "sig=" not in backend.where
    bad = container.replace("sig=", "sig=A")
    backend = open_blob(
        {"advanced": {"state_blob_container": "state-sas", "state_blob_endpoint": f"{azurite.endpoint}?{bad}"}}, {}
    )
    with pytest.raises(StateError) as caught:
        backend.load()
    assert "403" in caught.value.message
    assert "sig" not in caught.value.message + str(caught.value.hint)


def test_dead_endpoint_is_given_up_before_a_lease_ends(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own defaults take 87 s."""
    monkeypatch.setattr(blob_backend, "BUDGET", 3.0)
    values = {"advanced": {"state_blob_endpoint": "http://127.0.0.1:9/devstoreaccount1?sv=1&sig=Secret"}}
    began = time.monotonic()

    with pytest.raises(StateError, match="no answer") as caught:
        open_blob(values, {}).load()

    assert time.monotonic() - began < 25
    assert "Secret" not in caught.value.message + str(caught.value.hint)


def test_account_of_the_connection_string_must_be_the_configured_one(azurite: Azurite) -> None:
    """Two different values are an error, since it is unclear which is meant."""
    values = {"advanced": {"state_blob_account": "another"}}

    with pytest.raises(StateError, match="is for the account devstoreaccount1"):
        open_blob(values, {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string})


def test_missing_storage_account_is_reported() -> None:
    """Before anything is sent."""
    with pytest.raises(StateError, match="needs a storage account"):
        open_blob({}, {})


def test_sign_in_by_default_azure_credential_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite
) -> None:
    """Neither a connection string nor a SAS: a token, over https, as on Azure."""
    import trustme

    from azure_emulator.attach import attach

    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "server.key")
    options = ("--cert", str(tmp_path / "server.pem"), "--key", str(tmp_path / "server.key"), "--oauth", "basic")
    storage = Azurite(tmp_path / "azurite", *options, scheme="https")
    azure = attach(tmp_path / ".azure-emulator")
    assert azure is not None
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes() + azure.ca_file.read_bytes())
    monkeypatch.setenv("HTTPS_PROXY", azure.proxy_url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("AZURE_TENANT_ID", azure.tenant_id)
    monkeypatch.setenv("AZURE_CLIENT_ID", azure.client_id)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", azure.client_secret)
    try:
        backend = open_blob({"advanced": {"state_blob_endpoint": storage.endpoint}}, {})
        backend.load()
        lock = _lock(backend)
        backend.load()
        backend.save(b"with a token")
        lock.release()

        assert open_blob({"advanced": {"state_blob_endpoint": storage.endpoint}}, {}).load() == b"with a token"
        monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
        with pytest.raises(StateError) as caught:
            open_blob({"advanced": {"state_blob_endpoint": storage.endpoint}}, {}).load()
        assert "no token from" in str(caught.value)
        assert "the client secret is wrong" in str(caught.value)
        assert "AZURE_CLIENT_SECRET" in str(caught.value.hint)
    finally:
        azure.close()
        storage.stop()


def test_token_never_travels_over_plain_http() -> None:
    """Said before anything is sent."""
    with pytest.raises(StateError, match="only over https"):
        open_blob({"advanced": {"state_blob_endpoint": "http://127.0.0.1:9/devstoreaccount1"}}, {})
