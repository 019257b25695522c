"""What becomes of a state that could not be saved: it is in an emergency state file, which the next run asks for."""

from __future__ import annotations

from draftgenie_azure.errors import LockLostError, StateConflictError, StateError
from draftgenie_azure.state import document as state_document
from draftgenie_azure.state import emergency_file
from draftgenie_azure.state.document import SECTIONS
from draftgenie_azure.state.local_file import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from draftgenie_azure.state.store import StateStore


def rescue(state: StateStore, data: bytes, error: StateError) -> None:
    """Have the document in some file, and the error say where."""
    if not _is_worth_rescuing(state):
        return
    places = emergency_file.places(state.state_file, make=True)
    path = emergency_file.write(data, state.state_file, state.rescue_suffix, places)
    if path is None:
        error.message += f"\nit could be saved nowhere else either (tried {', '.join(places)})"
        error.hint = "Make room in one of these directories, then run again: what was done is looked at again."
        return
    error.message += f"\nwhat this run did is in {path} (serial {state.state['serial']})"
    newer = _newer_state(state) if isinstance(error, LockLostError | StateConflictError) else None
    if newer is not None:
        error.message += f"; the state is another run's by now, {newer}"
        error.hint = f"Run again: it continues from the state as it is now. Keep {path} until that has succeeded."
        return
    error.hint = f"When that is fixed, put it back: {state.command('--restore-state', path)}"


def _newer_state(state: StateStore) -> str | None:
    """What is stored now, in words, where that must not be replaced by what this run has; None elsewhere."""
    try:
        there = state_document.parse(state.backend.load() or b"", state.where)
    except StateError:
        return None
    if there["lineage"] != state.state["lineage"]:
        return f"of another lineage ({there['lineage']})"
    return f"with serial {there['serial']}" if there["serial"] >= state.state["serial"] else None


def _is_worth_rescuing(state: StateStore) -> bool:
    """Tell whether the document says more than what is stored."""
    try:
        stored = state_document.parse(state.stored or b"", "")
    except StateError:
        stored = state_document.empty()
    return any(state.state.get(section) != stored.get(section) for section in SECTIONS)


def check_rescued(state: StateStore) -> None:
    """Refuse to go on while an emergency state file says more than the state.

    Raises:
        StateError: with the command that puts it back.
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
                hint=f"Put it back: {state.command('--restore-state', path)} (or delete that file).",
            )
        if document["lineage"] == state.state["lineage"] and document["serial"] > state.state["serial"]:
            raise StateError(
                f"an earlier run could not save the state; {said}, the state has {state.state['serial']})",
                hint=f"Put it back: {state.command('--restore-state', path)} (or delete that file).",
            )
