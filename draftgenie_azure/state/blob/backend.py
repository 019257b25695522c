"""State in an Azure blob: the blob's lease is the lock. Imported only for blob storage.

Every write carries the lease and the last ETag, so that neither a run that lost its lock nor one that never had it can
write. Timeouts and retries are set here: the client's own defaults last longer than a
lease.
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
from azure.storage.blob import BlobLeaseClient, ContentSettings

from draftgenie_azure.arm import causes
from draftgenie_azure.arm.refusals import TRANSIENT
from draftgenie_azure.errors import LockLostError, StateConflictError, StateError
from draftgenie_azure.state.lock import awake_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient

    from draftgenie_azure.state.backend import Lock
    from draftgenie_azure.state.lock import Waiting

    T = TypeVar("T")

# Seconds. A request takes at most 15 and is retried for 25, so the last one ends within 40 of the first: sooner than a
# lease that was renewed when it began.
LEASE = 60
RENEW = 15.0
OVERDUE = 40.0
CONNECT, READ, BUDGET = 5, 15, 25.0
POLL = 1.0
# The latest that Azurite 3.35 supports; nothing here needs a later one.
API_VERSION = "2025-11-05"
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
        container: created on the first write if missing.
        name: name of the blob; `<name>.lock` describes the lock's holder, `<name>.history/` has earlier states.
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
        """The blob's URL, without a signature."""
        return self._where

    # --- bytes ---

    def load(self) -> bytes | None:
        """Return the blob's bytes, or None if it does not exist."""
        found = self._read(self._blob)
        self._etag = None if found is None else found[1]
        return None if found is None else found[0]

    def _read(self, blob: BlobClient) -> tuple[bytes, str] | None:
        def read() -> tuple[bytes, str]:
            stream = blob.download_blob()
            data: bytes = stream.readall()
            return data, str(stream.properties.etag)

        try:
            return self._with_retries("read", read)
        except ResourceNotFoundError:
            return None
        except HttpResponseError as error:
            raise self._failure("read", error) from error

    def save(self, data: bytes) -> None:
        """Replace the blob.

        Raises:
            StateConflictError: it is not the version last loaded or saved.
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
            # Perhaps by this run: the write took effect, its reply was lost, and the retry is refused.
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
            return self._with_retries("saved", write)
        except ResourceNotFoundError as error:
            if _code(error) != "ContainerNotFound":
                raise
            self._make_container()
            return self._with_retries("saved", write)

    def _make_container(self) -> None:
        try:
            self._with_retries("saved", self._container.create_container)
        except HttpResponseError as error:
            if _code(error) != "ContainerAlreadyExists":
                raise self._failure("saved", error) from error

    def delete(self) -> None:
        """Delete the blob, and its lease with it.

        Raises:
            StateConflictError: it is not the version last loaded or saved.
            LockLostError: the lease is not ours any more.
        """
        conditions: dict[str, Any] = {}
        if self._etag is not None:
            conditions = {"etag": self._etag, "match_condition": MatchConditions.IfNotModified}
        if self._lease is not None:
            conditions["lease"] = self._lease
        try:
            self._with_retries("deleted", lambda: self._blob.delete_blob(**conditions))
        except ResourceNotFoundError:
            pass  # by this run, before a reply that was lost
        except HttpResponseError as error:
            raise self._refused("deleted", error) from error
        self._etag = None

    def aside(self, suffix: str, data: bytes) -> str:
        """Write a blob `<name>.<suffix>`; return its URL."""
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
        """Store a copy in `<name>.history/`."""
        try:
            self._write(self._container.get_blob_client(f"{self._name}.history/{name}"), data, overwrite=True)
            for old in self.copies()[count:]:
                self._with_retries("kept", self._container.get_blob_client(old).delete_blob)
        except ResourceNotFoundError:
            pass  # the last one was deleted by this run, before a reply that was lost
        except HttpResponseError as error:
            raise self._failure("kept", error) from error

    def copies(self) -> list[str]:
        """Return their names in the container, latest first."""
        prefix = f"{self._name}.history/"

        def names() -> list[str]:
            return [str(blob.name) for blob in self._container.list_blobs(name_starts_with=prefix)]

        try:
            return sorted(self._with_retries("listed", names), reverse=True)
        except ResourceNotFoundError:
            return []
        except HttpResponseError as error:
            raise self._failure("listed", error) from error

    def load_copy(self, name: str) -> bytes | None:
        """Return the bytes of another blob of the container, by name or URL."""
        name = name.removeprefix(self._where.removesuffix(self._name))
        found = self._read(self._container.get_blob_client(name))
        return None if found is None else found[0]

    # --- documents beside the state ---

    def read_companion(self, name: str) -> bytes | None:
        """Return the bytes of the blob `<name of the state>.<name>`, or None if it does not exist."""
        found = self._read(self._container.get_blob_client(f"{self._name}.{name}"))
        return None if found is None else found[0]

    def write_companion(self, name: str, data: bytes | None) -> None:
        """Replace that blob; None deletes it. The state's lease keeps other runs from writing it."""
        blob = self._container.get_blob_client(f"{self._name}.{name}")
        try:
            if data is not None:
                self._write(blob, data, overwrite=True)
            else:
                self._with_retries("deleted", blob.delete_blob)
        except ResourceNotFoundError:
            pass  # already deleted, or never created
        except HttpResponseError as error:
            raise self._failure("saved", error) from error

    # --- lock ---

    def lock(self, holder: bytes, *, waiting: Waiting, first: Callable[[], bytes]) -> Lock:
        """Acquire the blob's lease; a missing blob is created first, since only an existing one can be leased."""
        lease = str(uuid.uuid4())
        while True:
            began = awake_clock()
            try:
                self._with_retries("locked", lambda: self._acquire(lease))
                break
            except ResourceNotFoundError:
                self._create(first())
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
            if _code(error) not in (*CONDITION_CODES, *LEASE_CODES):  # otherwise another run was faster
                raise self._failure("saved", error) from error

    def _says(self) -> bytes:
        """Return the description that the lock's current or last holder wrote."""
        found = self._read(self._container.get_blob_client(f"{self._name}.lock"))
        return b"" if found is None else found[0]

    def holder(self) -> bytes | None:
        """Return the current holder's description; None if the lock is free."""
        try:
            properties = self._with_retries("read", self._blob.get_blob_properties)
        except ResourceNotFoundError:
            return None
        except HttpResponseError as error:
            raise self._failure("read", error) from error
        return self._says() if properties.lease.state in ("leased", "breaking") else None

    def break_lock(self, shown: bytes | None = None) -> None:
        """Break the lease at once. Its holder notices at its next write or renewal, and stops.

        If the description has the lease's id, only that lease is broken, whatever happens meanwhile.

        Raises:
            StateError: another run holds it by now.
        """
        if shown is not None and self._says() != shown:
            raise self._another_holder()
        lease_id = None if shown is None else _lease_of(shown)
        lease = BlobLeaseClient(self._blob, lease_id=lease_id)
        end = partial(lease.break_lease, lease_break_period=0) if lease_id is None else lease.release
        try:
            self._with_retries("unlocked", end)
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
            hint="Try again: --force-unlock shows the current holder.",
        )

    def released(self) -> None:
        """Note that the lease is released; later writes carry none."""
        self._lease = None

    # --- failures ---

    def _with_retries(self, what: str, call: Callable[[], T]) -> T:
        """Call a function, retrying transient errors for as long as a lease allows.

        Raises:
            StateError: no reply, or only transient errors, for that time.
            HttpResponseError: any other error.
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
                if error.status_code is not None and error.status_code >= 300 and error.status_code not in TRANSIENT:
                    raise
                delay = max(delay, _retry_after(error))
                failure: SdkError = error
            except SdkError as error:  # no connection, or a broken one
                failure = error
            if awake_clock() + delay > deadline or causes.is_lasting(failure):
                raise self._failure(what, failure) from failure
            time.sleep(delay)

    def _failure(self, what: str, error: SdkError) -> StateError:
        """Return the error for users, without signed URLs or strings to sign."""
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
                "AZURE_STORAGE_CONNECTION_STRING with the permissions read, write, delete, list and create."
            )
            if is_sign_in:
                text = f"no token: {causes.innermost(error)}"
        return StateError(f"the state {self.where} cannot be {what}: {text}", hint=hint)

    def _refused(self, what: str, error: HttpResponseError) -> StateError:
        """Return the error for a refused write: the lease is missing, or another reason."""
        if _code(error) not in LEASE_CODES:
            return self._failure(what, error)
        if self._lease is None:
            return StateConflictError(f"the state {self.where} is locked by another run")
        return LockLostError(f"the lock on the state {self.where} is lost: another run may have taken it")


class BlobLock:
    """A lease of 60 s renewed by a thread; if renewal keeps failing, it counts as lost before it expires.

    Args:
        began: when the acquiring request was sent, by a clock that includes sleep.
    """

    def __init__(self, backend: BlobBackend, blob: BlobClient, lease: str, began: float) -> None:
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
                "the lock on the state cannot be renewed: the system refuses another thread",
                hint="Raise the process limit (ulimit -u) or stop other processes, then run again.",
            ) from error

    def held(self) -> bool:
        """Return whether the lease is certainly still held: renewed within 40 s, and never refused."""
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
                # Counted from the request: the reply may have been delayed.
                self._renewed = began
                pause = RENEW

    def release(self) -> None:
        """Release the lease; if that fails, it expires within a minute."""
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
    """Return the storage service's error code; the SDK provides some as enumeration members."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))


def _with_lease(holder: bytes, lease: str) -> bytes:
    """Return a holder's description with its lease's id added, so that exactly this lease can be broken."""
    try:
        words = json.loads(holder)
    except (ValueError, RecursionError):
        return holder
    return json.dumps({**words, "lease": lease}, indent=2).encode() + b"\n" if isinstance(words, dict) else holder


def _lease_of(says: bytes) -> str | None:
    """Return the lease's id in a description, or None."""
    try:
        return str(uuid.UUID(json.loads(says)["lease"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _retry_after(error: HttpResponseError) -> float:
    """Return the seconds that the service asks to wait."""
    headers = getattr(error.response, "headers", None) or {}
    try:
        return max(0.0, float(headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0
