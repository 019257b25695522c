"""The client for Azure Resource Manager, where Azure answers as the emulator never does."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scripted_azure import APP, GROUP, MISSING, SERVER, Answer, Request, scripted_azure

from draftgenie_azure.arm import operations as arms
from draftgenie_azure.arm.client import Resource
from draftgenie_azure.errors import AzureError, DeploymentError, OperationFailedError

VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv"
STEP = "create_databases"
PG = Resource("postgresql_server", SERVER, {"location": "eastus2"})


def app(name: str = "api", **more: Any) -> Resource:
    """A container app as it is wanted."""
    return Resource(f"container_app/{name}", APP.replace("/api", f"/{name}"), {"location": "eastus2"}, **more)


def there(state: str = "Succeeded", **more: Any) -> Answer:
    """A live resource."""
    return Answer(body={"location": "eastus2", "properties": {"provisioningState": state}, **more})


def refused(code: str, message: str = "no", status: int = 409) -> Answer:
    """An answer in ARM's envelope."""
    return Answer(status, {"error": {"code": code, "message": message}})


class Puts:
    """A script for one resource: what the first PUTs are answered, then it is there; what else is asked."""

    def __init__(self, *first: Answer, otherwise: Callable[[Request], Answer] = lambda request: MISSING) -> None:
        self.first = list(first)
        self.made = False
        self._otherwise = otherwise

    def __call__(self, request: Request) -> Answer:
        if request.method in ("PUT", "PATCH"):
            answer = self.first.pop(0) if self.first else there()
            self.made = self.made or answer.status < 300
            return answer
        return there() if self.made and "/op" not in request.path else self._otherwise(request)


# --- operations ---


def test_operation_that_cannot_be_polled_stays_recorded(tmp_path: Path) -> None:
    """The next run resumes it; it is dropped only once its outcome is known."""

    def script(request: Request) -> Answer:
        if "/op" in request.path:
            return Answer(503)
        return Answer(202, headers={"Azure-AsyncOperation": f"{azure.url}/op"}) if request.method == "PUT" else MISSING

    with scripted_azure(tmp_path, script, budget=1) as azure:
        with pytest.raises(AzureError, match="503"):
            azure.arm.ensure([PG], step=STEP)

        assert azure.records.operations[SERVER]["url"] == f"{azure.url}/op"
        with pytest.raises(AzureError, match="503"):
            azure.arm.resume(SERVER)
        assert SERVER in azure.records.operations


def test_operation_that_does_not_end_in_time_stays_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Retry-After beyond the longest wait, and beyond what a test may take, does not make the wait longer."""
    monkeypatch.setitem(arms._LONGEST_WAIT, "Microsoft.DBforPostgreSQL/flexibleServers", 1)

    def script(request: Request) -> Answer:
        if "/op" in request.path:
            return Answer(body={"status": "InProgress"}, headers={"Retry-After": "600"})
        return Answer(202, headers={"Azure-AsyncOperation": f"{azure.url}/op"}) if request.method == "PUT" else MISSING

    with scripted_azure(tmp_path, script) as azure:
        with pytest.raises(AzureError, match="still not done") as failure:
            azure.arm.ensure([PG], step=STEP)

        assert "resumed" in str(failure.value.hint)
        assert SERVER in azure.records.operations


def test_operation_that_failed_is_forgotten(tmp_path: Path) -> None:
    """Its address is of no more use."""

    def script(request: Request) -> Answer:
        if "/op" in request.path:
            return Answer(body={"status": "Failed", "error": {"code": "ServerGone", "message": "so it is"}})
        return Answer(202, headers={"Azure-AsyncOperation": f"{azure.url}/op"}) if request.method == "PUT" else MISSING

    with scripted_azure(tmp_path, script) as azure:
        with pytest.raises(OperationFailedError, match="ServerGone: so it is"):
            azure.arm.ensure([PG], step=STEP)

        assert azure.records.operations == {}


@pytest.mark.parametrize("more", [{}, {"deploymentErrors": None}, {"deploymentErrors": "timed out"}])
def test_operation_that_expired_is_for_the_last_step_to_judge(tmp_path: Path, more: dict[str, Any]) -> None:
    """Regardless of the app's own state."""
    expired = {"code": "ContainerAppOperationError", "message": "Operation expired."}

    def script(request: Request) -> Answer:
        if "/op" in request.path:
            return Answer(body={"status": "Failed", "error": expired})
        if request.method == "PUT":
            return Answer(201, {}, {"Azure-AsyncOperation": f"{azure.url}/op"})
        failed = {"location": "eastus2", "properties": {"provisioningState": "Failed", **more}}
        return Answer(body=failed) if azure.sent("PUT") else MISSING

    with scripted_azure(tmp_path, script) as azure:
        (live,) = azure.arm.ensure([app(tolerate_expiry=True)], step=STEP)

        assert live["properties"]["provisioningState"] == "Failed"


# --- what is tried again ---


def test_vault_that_was_written_at_the_same_time_is_written_again(tmp_path: Path) -> None:
    """ConflictError has two meanings; this one passes."""
    script = Puts(refused("ConflictError", "The vault has been changed from the point where it was read."))

    with scripted_azure(tmp_path, script) as azure:
        azure.arm.ensure([Resource("key_vault", VAULT, {"location": "eastus2"})], step=STEP)

        assert len(azure.sent("PUT")) == 2


def test_vault_whose_name_a_deleted_one_holds_is_not_waited_for(tmp_path: Path) -> None:
    """The other meaning."""
    script = Puts(refused("ConflictError", "A vault of this name already exists in deleted state."))

    with scripted_azure(tmp_path, script) as azure:
        with pytest.raises(AzureError) as failure:
            azure.arm.ensure([Resource("key_vault", VAULT, {"location": "eastus2"})], step=STEP)

        assert "Recover or purge" in str(failure.value.hint)
        assert len(azure.sent("PUT")) == 1


def test_waiting_for_another_operation_does_not_use_the_retry_budget(tmp_path: Path) -> None:
    """The budget is for failures: one that comes after a long wait is tried again like any other."""
    began = time.monotonic()

    def changing(request: Request) -> Answer:
        return there("Updating" if time.monotonic() - began < 2.5 else "Succeeded")

    script = Puts(Answer(503), otherwise=changing)
    with scripted_azure(tmp_path, script, budget=2) as azure:
        azure.arm.ensure([Resource("container_app/api", APP, {"location": "eastus2", "tags": {"a": "b"}})], step=STEP)

        assert len(azure.sent("PATCH")) == 2


def test_write_after_a_role_took_effect_is_retried_like_any_other(tmp_path: Path) -> None:
    """The first operation fails for want of a young role; the second PUT meets a 503."""
    role = f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/r"
    pull = {"code": "ContainerAppOperationError", "message": "pulling the image: UNAUTHORIZED"}

    def script(request: Request) -> Answer:
        puts = len(azure.sent("PUT"))
        if request.path == role:
            return Answer(body={"properties": {"createdOn": datetime.now(UTC).isoformat()}})
        if "/op" in request.path:
            return Answer(body={"status": "Failed", "error": pull} if puts < 3 else {"status": "Succeeded"})
        if request.method == "PUT":
            return Answer(503) if puts == 2 else Answer(201, {}, {"Azure-AsyncOperation": f"{azure.url}/op"})
        return MISSING if not puts else there("Failed" if puts < 3 else "Succeeded")

    with scripted_azure(tmp_path, script) as azure:
        azure.arm.ensure([app(roles=(role,))], step=STEP)

        assert len(azure.sent("PUT")) == 3


@pytest.mark.parametrize(("minutes", "young"), [(29, True), (31, False)])
def test_age_of_a_role_is_by_azures_clock(tmp_path: Path, minutes: int, young: bool) -> None:
    """Ours is a day behind."""
    day = timedelta(days=1)
    made = (datetime.now(UTC) + day - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.1234567Z")
    script = Answer(body={"properties": {"createdOn": made}})

    with scripted_azure(tmp_path, lambda request: script, ahead=day.total_seconds()) as azure:
        assert azure.arm.any_young([f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/r"]) is young


def test_azures_clock_is_that_of_resource_manager_alone(tmp_path: Path) -> None:
    """The status of an app may be polled at any time."""
    day = timedelta(days=1).total_seconds()
    with scripted_azure(tmp_path, lambda request: there(), ahead=day) as azure:
        azure.transport.other("GET", f"{azure.url}/health", scope=None)
        assert abs(azure.transport.now() - time.time()) < day / 2

        azure.arm.read(GROUP)

        assert abs(azure.transport.now() - time.time() - day) < day / 2


# --- several at once ---


def test_every_refusal_of_a_group_is_reported_and_the_others_are_finished(tmp_path: Path) -> None:
    """Two of three are refused: both are in the error, the third one is in the state."""

    def script(request: Request) -> Answer:
        if "/op" in request.path:
            return Answer(body={"status": "Succeeded"})
        if request.method == "GET":
            return there() if any(put.path == request.path for put in azure.sent("PUT")) else MISSING
        if request.path.endswith("/fine"):
            return Answer(201, {}, {"Azure-AsyncOperation": f"{azure.url}/op"})
        return refused("ContainerAppInvalidName", request.path[-1], status=400)

    with scripted_azure(tmp_path, script) as azure:
        with pytest.raises(DeploymentError) as failure:
            azure.arm.ensure([app("a"), app("fine"), app("c")], step=STEP)

        assert [error.message[-1] for error in failure.value.errors] == ["a", "c"]
        assert "sent" in azure.records.resources["container_app/fine"]


@pytest.mark.parametrize("width", [1, 2])
def test_number_of_resources_in_flight_is_limited(tmp_path: Path, width: int) -> None:
    """From the PUT to its end, however it is reported."""
    going: set[str] = set()
    most = 0

    def script(request: Request) -> Answer:
        nonlocal most
        name = request.path.rsplit("/", 1)[-1]
        if request.method == "PUT":
            going.add(name)
            most = max(most, len(going))
            return Answer(201, {}, {"Azure-AsyncOperation": f"{azure.url}/op/{name}"})
        made = [{"id": put.path, **there().body} for put in azure.sent("PUT")]
        going.clear()
        if name == "containerApps":
            return Answer(body={"value": made})
        return next(Answer(body=one) for one in made if one["id"] == request.path)

    with scripted_azure(tmp_path, script, parallelism=width) as azure:
        azure.arm.ensure([app(f"app-{number}") for number in range(6)], step=STEP)

        assert most == width


# --- reading and deleting ---


def test_next_page_on_another_host_is_not_requested(tmp_path: Path) -> None:
    """The token would go along."""
    with (
        scripted_azure(tmp_path, lambda request: Answer(body={"value": [], "nextLink": elsewhere})) as azure,
        pytest.raises(AzureError, match="another host"),
    ):
        elsewhere = azure.url.replace("localhost", "127.0.0.1") + "/more"
        list(azure.arm.listing("/subscriptions", api_version="1"))


@pytest.mark.parametrize("value", [None, "text", ["text"], {"a": 1}])
def test_invalid_listing_is_a_failure(tmp_path: Path, value: Any) -> None:
    """It is not taken as empty, which would delete everything."""
    with (
        scripted_azure(tmp_path, lambda request: Answer(body={"value": value})) as azure,
        pytest.raises(AzureError, match="not a list"),
    ):
        list(azure.arm.listing("/subscriptions", api_version="1"))


@pytest.mark.parametrize("location", ["{url}/op", "https://elsewhere.example/op", None])
def test_delete_ends_when_the_resource_is_gone(tmp_path: Path, location: str | None) -> None:
    """An address that cannot be read, or none, does not say so."""
    looks = 0

    def script(request: Request) -> Answer:
        nonlocal looks
        if request.method == "DELETE":
            return Answer(202, headers={"Location": location.format(url=azure.url)} if location else {})
        if "/op" in request.path:
            return refused("ManagedEnvironmentHasContainerApps", status=400)
        looks += 1
        return there("Deleting") if looks < 3 else MISSING

    with scripted_azure(tmp_path, script) as azure:
        azure.arm.delete(APP)

        assert looks == 3


@pytest.mark.parametrize("state", ["Failed", "Succeeded"])
def test_deletion_that_failed_is_not_waited_for_like_one_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """The resource rests again; one that is still on its way is waited for."""
    monkeypatch.setattr(arms, "_STILL_SHOWN", 0.0)
    for states, fails in (([state], True), (["ScheduledForDelete", "Deleting"], False)):
        left = list(states)

        def script(request: Request, left: list[str] = left) -> Answer:
            if request.method == "DELETE":
                return Answer(202)
            return there(left.pop(0)) if left else MISSING

        with scripted_azure(tmp_path, script) as azure:
            if fails:
                with pytest.raises(AzureError, match=rf"still exists \({state.lower()}\)"):
                    azure.arm.delete(APP)
            else:
                azure.arm.delete(APP)
        assert left == []


def test_deletion_that_is_refused_later_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The resource may show for hours that it is being deleted (microsoft/azure-container-apps#1241)."""
    monkeypatch.setattr(arms, "_STILL_SHOWN", 0.0)

    def script(request: Request) -> Answer:
        if request.method == "DELETE":
            return Answer(202, headers={"Location": f"{azure.url}/op"})
        return refused("InternalServerError", "in use", status=400) if "/op" in request.path else there("Deleting")

    with (
        scripted_azure(tmp_path, script) as azure,
        pytest.raises(AzureError, match=r"still exists \(deleting\): InternalServerError: in use"),
    ):
        azure.arm.delete(APP)


def test_delete_that_leaves_the_resource_there_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the longest plausible time."""
    monkeypatch.setitem(arms._LONGEST_WAIT, "Microsoft.App/containerApps", 1)

    with (
        scripted_azure(tmp_path, lambda request: Answer(202) if request.method == "DELETE" else there()) as azure,
        pytest.raises(AzureError, match="still exists"),
    ):
        azure.arm.delete(APP)
