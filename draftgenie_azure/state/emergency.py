"""Emergency state files: written if the state cannot be saved, and restored before the next run."""

from __future__ import annotations

from draftgenie_azure.errors import LockLostError, StateConflictError, StateError
from draftgenie_azure.state import document as state_document
from draftgenie_azure.state import emergency_file
from draftgenie_azure.state.document import SECTIONS
from draftgenie_azure.state.files import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.state.store import StateStore


def save_emergency_file(state: StateStore, data: bytes, error: StateError) -> None:
    """Write the document to an emergency file, and add its path to the error."""
    if not _is_worth_saving(state):
        return
    places = emergency_file.places(state.state_file, make=True)
    path = emergency_file.write(data, state.state_file, state.emergency_suffix, places)
    if path is None:
        error.message += f"\nit could not be saved anywhere else either (tried {', '.join(places)})"
        error.hint = "Free space in one of these directories, then run again: what was done is checked again."
        return
    error.message += f"\nwhat this run did is in {path} (serial {state.state['serial']})"
    newer = _newer_state(state) if isinstance(error, LockLostError | StateConflictError) else None
    if newer is not None:
        error.message += f"; another run has written the state since, {newer}"
        error.hint = f"Run again: it continues from the current state. Keep {path} until that has succeeded."
        return
    error.hint = f"When that is fixed, restore it: {state.command('--restore-state', path)}"


def _newer_state(state: StateStore) -> str | None:
    """Describe the stored state if this run's must not replace it, else None."""
    try:
        there = state_document.parse(state.backend.load() or b"", state.where)
    except StateError:
        return None
    if there["lineage"] != state.state["lineage"]:
        return f"of another lineage ({there['lineage']})"
    return f"with serial {there['serial']}" if there["serial"] >= state.state["serial"] else None


def _is_worth_saving(state: StateStore) -> bool:
    """Return whether the document has more content than the stored one."""
    try:
        stored = state_document.parse(state.stored or b"", "")
    except StateError:
        stored = state_document.empty()
    return any(state.state.get(section) != stored.get(section) for section in SECTIONS)


def check_emergency_files(state: StateStore) -> None:
    """Refuse to continue while an emergency state file is newer than the state.

    Raises:
        StateError: with the command that restores it.
    """
    for path in emergency_file.found(state.state_file):
        try:
            document = state_document.parse(read_file(path) or b"", path)
        except StateError:
            continue
        said = f"what it did is in {path} (serial {document['serial']}"
        if not state.found and not state.earlier:
            raise StateError(
                f"there is no state {state.where}, but an earlier run could not save one: {said}, lineage "
                f"{document['lineage']})",
                hint=f"Restore it: {state.command('--restore-state', path)} (or delete that file).",
            )
        if document["lineage"] == state.state["lineage"] and document["serial"] > state.state["serial"]:
            raise StateError(
                f"an earlier run could not save the state; {said}, the state has {state.state['serial']})",
                hint=f"Restore it: {state.command('--restore-state', path)} (or delete that file).",
            )
