"""State in an Azure blob: the blob's lease is the lock. Imported only where AZURE_STATE_STORAGE or the config say blob.

Every write carries the lease and the ETag that was last seen, so that neither a run that lost its lock nor one that
never had it can write. How long a request may take and how often it is repeated is decided here: the client's own
defaults go on for longer than a lease lasts.
"""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from functools import partial

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError as SdkError,
)
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.storage.blob import ContentSettings

from draftgenie_azure.arm import causes
from draftgenie_azure.errors import LockLostError, StateConflictError, StateError
from draftgenie_azure.state.lock import awake_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient

    from draftgenie_azure.state.local_file import Lock
    from draftgenie_azure.state.lock import Waiting

    T = TypeVar("T")

# Seconds. A request takes 15 at most and is repeated for 25, so the last of them is over 40 after the first: sooner
# than a lease ends that was renewed when it began.
LEASE = 60
RENEW = 15.0
OVERDUE = 40.0
CONNECT, READ, BUDGET = 5, 15, 25.0
POLL = 1.0
# Azurite 3.35 knows no later one; nothing here needs one.
API_VERSION = "2025-11-05"
PASSING = (408, 429, 500, 502, 503, 504)
LEASE_CODES = (
    "LeaseIdMissing", "LeaseIdMismatchWithBlobOperation", "LeaseNotPresentWithBlobOperation", "LeaseLost",
    "LeaseIdMismatchWithLeaseOperation", "LeaseIsBrokenAndCannotBeRenewed", "LeaseNotPresentWithLeaseOperation",
)
CONDITION_CODES = ("ConditionNotMet", "BlobAlreadyExists", "TargetConditionNotMet")
JSON = ContentSettings(content_type="application/json; charset=utf-8")


class BlobBackend:
    """A block blob, written under its lease and ETag.

    Args:
        service: the storage account's client.
        container: made when it is missing and something is written.
        name: of the blob; `<name>.lock` beside it says who holds the lock, `<name>.history/` has earlier states.
    """

    breakable = True

    def __init__(self, service: BlobServiceClient, container: str, name: str) -> None:
        self._service = service
        self._container: ContainerClient = service.get_container_client(container)
        self._name = name
        self._blob: BlobClient = self._container.get_blob_client(name)
        self._etag: str | None = None
        self._lease: str | None = None
        self._where = f"{self._blob.primary_endpoint.split('?')[0].rstrip('/')}"

    @property
    def where(self) -> str:
        """The blob's address, without a signature."""
        return self._where

    # --- bytes ---

    def load(self) -> bytes | None:
        """The blob's bytes, or None where there is no blob."""
        found = self._read(self._blob)
        self._etag = None if found is None else found[1]
        return None if found is None else found[0]

    def _read(self, blob: BlobClient) -> tuple[bytes, str] | None:
        def read() -> tuple[bytes, str]:
            stream = blob.download_blob()
            data: bytes = stream.readall()
            return data, str(stream.properties.etag)

        try:
            return self._patiently("read", read)
        except ResourceNotFoundError:
            return None
        except HttpResponseError as error:
            raise self._failure("read", error) from error

    def save(self, data: bytes) -> None:
        """Replace the blob.

        Raises:
            StateConflictError: it is not what was last loaded or saved.
            LockLostError: the lease is not ours any more.
            StateError: it cannot be written.
        """
        conditions: dict[str, Any] = {}
        if self._etag is not None:
            conditions = {"overwrite": True, "etag": self._etag, "match_condition": MatchConditions.IfNotModified}
        if self._lease is not None:
            conditions["lease"] = self._lease
        try:
            self._etag = self._write(self._blob, data, **conditions)
        except HttpResponseError as error:
            if _code(error) not in CONDITION_CODES:
                raise self._refused("saved", error) from error
            # Perhaps by ourselves: the write took effect, its reply was lost, and the repetition is refused.
            found = self._read(self._blob)
            if found is None or found[0] != data:
                raise StateConflictError(
                    f"the state {self.where} was changed by another run in the meantime"
                ) from error
            self._etag = found[1]

    def _write(self, blob: BlobClient, data: bytes, **conditions: Any) -> str:
        def write() -> str:
            return str(blob.upload_blob(data, content_settings=JSON, **conditions)["etag"])

        try:
            return self._patiently("saved", write)
        except ResourceNotFoundError as error:
            if _code(error) != "ContainerNotFound":
                raise
            self._make_container()
            return self._patiently("saved", write)

    def _make_container(self) -> None:
        try:
            self._patiently("saved", self._container.create_container)
        except HttpResponseError as error:
            if _code(error) != "ContainerAlreadyExists":
                raise self._failure("saved", error) from error

    def delete(self) -> None:
        """Remove the blob, and its lease with it.

        Raises:
            StateConflictError: it is not what was last loaded or saved.
            LockLostError: the lease is not ours any more.
        """
        conditions: dict[str, Any] = {}
        if self._etag is not None:
            conditions = {"etag": self._etag, "match_condition": MatchConditions.IfNotModified}
        if self._lease is not None:
            conditions["lease"] = self._lease
        try:
            self._patiently("deleted", lambda: self._blob.delete_blob(**conditions))
        except ResourceNotFoundError:
            pass  # by ourselves, before a reply that was lost
        except HttpResponseError as error:
            raise self._refused("deleted", error) from error
        self._etag = None

    def aside(self, suffix: str, data: bytes) -> str:
        """Write a blob `<name>.<suffix>`; its address."""
        name, count = f"{self._name}.{suffix}", 0
        while True:
            try:
                self._write(self._container.get_blob_client(name), data)
            except HttpResponseError as error:
                if _code(error) not in CONDITION_CODES:
                    raise self._failure("put aside", error) from error
                count += 1
                name = f"{self._name}.{suffix}-{count}"
            else:
                return f"{self._where.removesuffix(self._name)}{name}"

    # --- earlier states ---

    def keep(self, name: str, data: bytes, count: int) -> None:
        """Keep a copy in `<name>.history/`."""
        try:
            self._write(self._container.get_blob_client(f"{self._name}.history/{name}"), data, overwrite=True)
            for old in self.copies()[count:]:
                self._patiently("kept", self._container.get_blob_client(old).delete_blob)
        except ResourceNotFoundError:
            pass  # the last one was deleted by ourselves, before a reply that was lost
        except HttpResponseError as error:
            raise self._failure("kept", error) from error

    def copies(self) -> list[str]:
        """Their names in the container, the last one first."""
        prefix = f"{self._name}.history/"

        def names() -> list[str]:
            return [str(blob.name) for blob in self._container.list_blobs(name_starts_with=prefix)]

        try:
            return sorted(self._patiently("listed", names), reverse=True)
        except ResourceNotFoundError:
            return []
        except HttpResponseError as error:
            raise self._failure("listed", error) from error

    def load_copy(self, name: str) -> bytes | None:
        """The bytes of another blob of the container, by its name or address."""
        name = name.removeprefix(self._where.removesuffix(self._name))
        found = self._read(self._container.get_blob_client(name))
        return None if found is None else found[0]

    # --- documents beside the state ---

    def read_companion(self, name: str) -> bytes | None:
        """The bytes of the blob `<name of the state>.<name>`, or None where there is none."""
        found = self._read(self._container.get_blob_client(f"{self._name}.{name}"))
        return None if found is None else found[0]

    def write_companion(self, name: str, data: bytes | None) -> None:
        """Replace that blob; None removes it. The state's lease keeps other runs from writing it."""
        blob = self._container.get_blob_client(f"{self._name}.{name}")
        try:
            if data is not None:
                self._write(blob, data, overwrite=True)
            else:
                self._patiently("deleted", blob.delete_blob)
        except ResourceNotFoundError:
            pass  # it is gone, or was never there
        except HttpResponseError as error:
            raise self._failure("saved", error) from error

    # --- lock ---

    def lock(self, holder: bytes, *, waiting: Waiting, first: bytes) -> Lock:
        """Take the blob's lease; a blob that is not there yet is made first, since only what is there can be leased."""
        lease = str(uuid.uuid4())
        while True:
            began = awake_clock()
            try:
                self._patiently("locked", lambda: self._acquire(lease))
                break
            except ResourceNotFoundError:
                self._create(first)
            except HttpResponseError as error:
                if _code(error) not in ("LeaseAlreadyPresent", "LeaseIsBreakingAndCannotBeAcquired"):
                    raise self._failure("locked", error) from error
                waiting.pause(self.where, self._says(), POLL * random.uniform(0.7, 1.3))
        self._lease = lease
        lock = BlobLock(self, self._blob, lease, began)
        try:
            says = _with_lease(holder, lease)
            self._write(self._container.get_blob_client(f"{self._name}.lock"), says, overwrite=True)
        except (StateError, HttpResponseError) as error:
            lock.release()
            raise error if isinstance(error, StateError) else self._failure("locked", error) from error
        return lock

    def _acquire(self, lease: str) -> None:
        self._blob.acquire_lease(lease_duration=LEASE, lease_id=lease)

    def _create(self, first: bytes) -> None:
        try:
            self._write(self._blob, first)
        except HttpResponseError as error:
            if _code(error) not in (*CONDITION_CODES, *LEASE_CODES):  # else another run was faster
                raise self._failure("saved", error) from error

    def _says(self) -> bytes:
        """What the lock's holder, or a former one, said of itself."""
        found = self._read(self._container.get_blob_client(f"{self._name}.lock"))
        return b"" if found is None else found[0]

    def holder(self) -> bytes | None:
        """What the present holder said of itself; None where nobody holds the lock."""
        try:
            properties = self._patiently("read", self._blob.get_blob_properties)
        except ResourceNotFoundError:
            return None
        except HttpResponseError as error:
            raise self._failure("read", error) from error
        return self._says() if properties.lease.state in ("leased", "breaking") else None

    def break_lock(self, shown: bytes | None = None) -> None:
        """End the lease at once. Its holder finds out at its next write or renewal, and stops.

        Where the description has the lease's id, that lease alone is ended, whatever happens meanwhile.

        Raises:
            StateError: it is another run's by now.
        """
        from azure.storage.blob import BlobLeaseClient

        if shown is not None and self._says() != shown:
            raise self._another_holder()
        lease_id = None if shown is None else _lease_of(shown)
        lease = BlobLeaseClient(self._blob, lease_id=lease_id)
        end = partial(lease.break_lease, lease_break_period=0) if lease_id is None else lease.release
        try:
            self._patiently("unlocked", end)
        except ResourceNotFoundError:
            return
        except HttpResponseError as error:
            if _code(error) == "LeaseIdMismatchWithLeaseOperation" and self.holder() is not None:
                raise self._another_holder() from error
            if _code(error) not in ("LeaseNotPresentWithLeaseOperation", "LeaseIdMismatchWithLeaseOperation"):
                raise self._failure("unlocked", error) from error

    def _another_holder(self) -> StateError:
        return StateError(
            f"the lock on the state {self.where} is held by another run than the one that was shown; it was not broken",
            hint="Look again: --force-unlock shows who holds it now.",
        )

    def released(self) -> None:
        """The lease is over; what is written from now on carries none."""
        self._lease = None

    # --- failures ---

    def _patiently(self, what: str, call: Callable[[], T]) -> T:
        """Repeat what may pass, within the time that a lease leaves.

        Raises:
            StateError: no answer, or none but passing errors, for as long.
            HttpResponseError: any other refusal.
        """
        deadline = awake_clock() + BUDGET
        attempt = 0
        while True:
            attempt += 1
            delay = min(4.0, 0.25 * 2.0**attempt) * random.uniform(0.5, 1.0)
            try:
                return call()
            except ClientAuthenticationError as error:
                raise self._failure(what, error) from error
            except HttpResponseError as error:
                if error.status_code is not None and error.status_code >= 300 and error.status_code not in PASSING:
                    raise
                delay = max(delay, _retry_after(error))
                failure: SdkError = error
            except SdkError as error:  # no connection, or one that broke
                failure = error
            if awake_clock() + delay > deadline or causes.is_lasting(failure):
                raise self._failure(what, failure) from failure
            time.sleep(delay)

    def _failure(self, what: str, error: SdkError) -> StateError:
        """The error for people: no address with a signature, no string to sign."""
        status = getattr(error, "status_code", None)
        is_sign_in = isinstance(error, ClientAuthenticationError) and not _code(error)  # the token service's refusal
        if isinstance(error, HttpResponseError) and status and not is_sign_in:
            text = f"{status} {_code(error)}".strip()
        else:
            text = f"no answer ({type(getattr(error, 'inner_exception', None) or error).__name__})"
        hint = "Check the network, then run again."
        cause = causes.of(error) if status is None or is_sign_in else None
        if cause is not None:
            text = f"{'no token' if is_sign_in else 'no answer'} from {causes.host(error) or 'its host'}: {cause.text}"
            return StateError(f"the state {self.where} cannot be {what}: {text}", hint=cause.hint)
        if isinstance(error, ClientAuthenticationError) or status in (401, 403):
            hint = (
                "Sign in (az login) with the role 'Storage Blob Data Contributor' on the account, or give a SAS or "
                "AZURE_STORAGE_CONNECTION_STRING that may read, write, delete, list and create."
            )
            if is_sign_in:
                text = f"no token: {causes.innermost(error)}"
        return StateError(f"the state {self.where} cannot be {what}: {text}", hint=hint)

    def _refused(self, what: str, error: HttpResponseError) -> StateError:
        """The error where a write was refused: for want of the lease, or for another reason."""
        if _code(error) not in LEASE_CODES:
            return self._failure(what, error)
        if self._lease is None:
            return StateConflictError(f"the state {self.where} is locked by another run")
        return LockLostError(f"the lock on the state {self.where} is lost: another run may have taken it")


class BlobLock:
    """A lease of 60 s that a thread renews; where that fails for long, it counts as lost before it really is.

    Args:
        began: when the request was sent that took it, by the clock that counts sleep.
    """

    def __init__(self, backend: BlobBackend, blob: BlobClient, lease: str, began: float) -> None:
        from azure.storage.blob import BlobLeaseClient

        self._backend = backend
        self._lease = BlobLeaseClient(blob, lease_id=lease)
        self._renewed = began
        self._lost = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew_for_ever, name="lease", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            self.release()
            raise StateError(
                "the lock on the state cannot be renewed: the system allows no further thread",
                hint="Raise the limit of processes (ulimit -u), or end others, then run again.",
            ) from error

    def held(self) -> bool:
        """Tell whether the lease is surely still ours: renewed within 40 s, and never refused."""
        if awake_clock() - self._renewed > OVERDUE:
            self._lost = True
        return not self._lost and not self._over.is_set()

    def _renew_for_ever(self) -> None:
        pause = RENEW
        while not self._over.wait(pause) and not self._lost:
            began = awake_clock()
            try:
                self._lease.renew()
            except HttpResponseError as error:
                if _code(error) in LEASE_CODES or error.status_code == 404:
                    self._lost = True
                pause = 2.0
            except SdkError:
                pause = 2.0
            else:
                # From when it was asked for: the answer may have been long on its way.
                self._renewed = began
                pause = RENEW

    def release(self) -> None:
        """Give the lease back; what cannot be given back ends by itself within a minute."""
        if self._over.is_set():
            return
        self._over.set()
        self._backend.released()
        if not self._lost:
            try:
                self._lease.release()
            except SdkError:
                self._lost = True


def _code(error: HttpResponseError) -> str:
    """The storage service's error code; its SDK gives some as members of an enumeration."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))


def _with_lease(holder: bytes, lease: str) -> bytes:
    """What a holder says of itself, with its lease's id: so that who breaks the lock breaks this one."""
    try:
        words = json.loads(holder)
    except ValueError:
        return holder
    return json.dumps({**words, "lease": lease}, indent=2).encode() + b"\n" if isinstance(words, dict) else holder


def _lease_of(says: bytes) -> str | None:
    """The lease's id in a description, where there is one."""
    try:
        return str(uuid.UUID(json.loads(says)["lease"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _retry_after(error: HttpResponseError) -> float:
    """Seconds that the service asks to wait."""
    headers = getattr(error.response, "headers", None) or {}
    try:
        return max(0.0, float(headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0
