"""Messages about a state that could not be saved or is missing; and breaking locks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from azurite import Azurite
from project import STATE, Project

from draftgenie_azure.errors import LockLostError, StateConflictError, StateError
from draftgenie_azure.state import document as state_document
from draftgenie_azure.state import replacing
from draftgenie_azure.state.blob.backend import BlobBackend
from draftgenie_azure.state.blob.location import open_blob
from draftgenie_azure.state.files import beside, write_whole
from draftgenie_azure.state.local_file import LocalBackend
from draftgenie_azure.state.lock import Waiting
from draftgenie_azure.state.store import StateStore


class Store(StateStore):
    """A store over a local file, as the command has it."""

    def __init__(self, path: Path) -> None:
        super().__init__(LocalBackend(str(path)), str(path))
        self.state = self.loaded(self.backend.load())

    def save(self) -> None:
        """One serial further."""
        self.state["serial"] += 1
        self.store()


def stored(path: Path, **changes: object) -> dict[str, object]:
    """Have a state of some serial stored."""
    document = {**state_document.empty(lineage="a" * 32, salt="b" * 32), **changes}
    write_whole(str(path), state_document.dump(document))
    return document


def lost(path: Path, winner: dict[str, object]) -> StateError:
    """The failure of a run in whose place another one wrote the state meanwhile."""
    store = Store(path)
    store.lock()
    write_whole(str(path), state_document.dump(winner))
    store.state["steps"]["create_monitoring"] = {"status": "running", "metadata": {}}
    with pytest.raises((LockLostError, StateConflictError)) as failure:
        store.save()
    store.unlock()
    return failure.value


def test_run_that_lost_to_a_newer_state_is_not_advised_to_restore_its_own(tmp_path: Path) -> None:
    """The hint is made from the state as it is now."""
    path = tmp_path / STATE
    document = stored(path, serial=8)

    failure = lost(path, {**document, "serial": 149, "steps": {"x": {"status": "running"}}})

    assert "what this run did is in" in failure.message
    assert "(serial 9)" in failure.message
    assert "with serial 149" in failure.message
    assert "--restore-state" not in str(failure.hint)
    assert "Run again" in str(failure.hint)


def test_run_that_lost_to_another_lineage_is_not_advised_to_restore_its_own(tmp_path: Path) -> None:
    """That state manages something else."""
    path = tmp_path / STATE
    document = stored(path, serial=8)

    failure = lost(path, {**document, "lineage": "c" * 32, "serial": 1})

    assert f"of another lineage ({'c' * 32})" in failure.message
    assert "--restore-state" not in str(failure.hint)


def test_run_that_lost_to_an_older_state_is_advised_to_restore_its_own(tmp_path: Path) -> None:
    """The stored state has less content than this run's."""
    path = tmp_path / STATE
    document = stored(path, serial=8)

    failure = lost(path, {**document, "serial": 3, "forced": ["create_monitoring"]})

    assert "--restore-state" in str(failure.hint)


@pytest.mark.parametrize("adopt", [True, False])
@pytest.mark.parametrize("answer", [True, False])
def test_newer_state_is_replaced_only_after_a_yes_or_with_adopt(adopt: bool, answer: bool, tmp_path: Path) -> None:
    """A lower serial never replaces a higher one without confirmation."""
    path = tmp_path / STATE
    newer = stored(path, serial=149, steps={"create_monitoring": {"status": "running"}})
    store = Store(path)
    store.lock()
    asked: list[str] = []

    def agreed(question: str) -> bool:
        asked.append(question)
        return answer

    older = {**newer, "serial": 9, "steps": {}}
    if adopt or answer:
        replacing.restore(store, older, adopt=adopt, agreed=agreed)
        assert json.loads(path.read_text())["steps"] == {}
        assert json.loads(path.read_text())["serial"] == 150
    else:
        with pytest.raises(StateError, match="is newer than what would replace it"):
            replacing.restore(store, older, adopt=adopt, agreed=agreed)
        assert json.loads(path.read_text())["serial"] == 149
    store.unlock()
    assert len(asked) == (0 if adopt else 1)


def test_missing_state_names_the_emergency_file_of_its_lineage(deployed: Project) -> None:
    """It is not taken for a first deployment, and put back nothing is left to do."""
    document = {**deployed.state(), "serial": deployed.state()["serial"] + 1}
    rescue = Path(beside(str(deployed.state_file), "rescue-20260101T000000Z-1.json"))
    write_whole(str(rescue), state_document.dump(document))
    deployed.state_file.unlink()

    refused = deployed.run()
    restored = deployed.run("--restore-state", str(rescue))

    assert refused.code == 1
    assert "there is no state" in refused.err
    assert str(rescue) in refused.err
    assert document["lineage"] in refused.err
    assert restored.code == 0, restored.text
    assert deployed.deploy().ran() == {}


def test_lock_that_changed_its_holder_is_not_broken(azurite: Azurite, tmp_path: Path) -> None:
    """A person said yes to the one that was shown; where it is still that one, it is broken."""
    values = {"advanced": {"state_blob_container": f"unlock-{os.getpid()}"}}

    def backend() -> BlobBackend:
        return open_blob(values, {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string})

    one, two, store = backend(), backend(), StateStore(backend(), str(tmp_path / STATE))
    first = one.lock(b'{"who": "one", "process_id": 1}', waiting=Waiting(), first=lambda: b"{}")
    assert "one on" in str(store.holder())
    first.release()
    second = two.lock(b'{"who": "two", "process_id": 2}', waiting=Waiting(), first=lambda: b"{}")
    two.load()

    with pytest.raises(StateError, match="another run than the one that was shown"):
        store.break_lock()
    two.save(b"still its own")

    assert second.held()
    assert "two on" in str(store.holder())
    store.break_lock()
    assert store.holder() is None
    with pytest.raises(StateError):
        two.save(b"not any more")
    second.release()
