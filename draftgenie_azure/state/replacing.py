"""Replace the state by another document: an empty one, an earlier copy, or the one in the other storage."""

from __future__ import annotations

import os

from draftgenie_azure.errors import StateError
from draftgenie_azure.state import document as state_document
from draftgenie_azure.state import private_files
from draftgenie_azure.state.document import SECTIONS
from draftgenie_azure.state.files import read_file
from draftgenie_azure.state.target import kept_after_reset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from draftgenie_azure.state.store import StateStore

COMPANIONS = ("baseline", "history")  # documents beside the state, which are moved with it


def reset(state: StateStore, target: Mapping[str, Any] | None = None) -> str | None:
    """Replace the state by an empty document, keeping a copy; lineage and salt are preserved.

    Args:
        target: the configured deployment target; the recorded one is kept as far as it agrees.

    Returns:
        The location of the old state's copy, or None if there was none.
    """
    aside = state.put_aside("reset" if state.fault is None else "bad")
    kept = {key: state.state[key] for key in ("lineage", "salt", "serial")}
    recorded = state.state["target"]
    state.state = state_document.empty() | kept
    state.state["target"] = recorded if target is None else kept_after_reset(recorded, target)
    state.save()
    return aside


def read_copy(state: StateStore, name: str) -> dict[str, Any]:
    """Return the document in a file, or in a copy of an earlier state.

    Raises:
        StateError: it does not exist or is unusable.
    """
    try:
        foreign = private_files.why_foreign(name) if os.path.lexists(name) else None
    except OSError as error:
        raise StateError(f"{name} cannot be inspected: {error.strerror}") from error
    if foreign is not None:
        raise StateError(
            f"{name} may be another user's work: {foreign}",
            hint="If it is right, copy it to a directory that only you may write to, and restore that copy.",
        )
    data = read_file(name) if os.path.lexists(name) else state.backend.load_copy(name)
    if data is None:
        copies = state.backend.copies()
        known = "\n        ".join(["Copies of earlier states:", *copies]) if copies else None
        raise StateError(f"there is no {name}", hint=known)
    try:
        return state_document.parse(data, name)
    except StateError as error:
        error.hint = error.hint or "Nothing was changed. Name a copy of a state or an emergency state file."
        raise


def restore(
    state: StateStore,
    document: dict[str, Any],
    *,
    adopt: bool = False,
    agreed: Callable[[str], bool] = lambda question: False,
) -> str | None:
    """Replace the stored state by an earlier document; needs the lock.

    Args:
        adopt: also replace a state of another lineage, or one that is as new.
        agreed: asks the user whether to replace a state that is as new or newer.

    Returns:
        The location of an unusable stored state; otherwise None, as it is among the copies.

    Raises:
        StateError: the stored state has another lineage, or is newer and the user did not agree.
    """
    if state.found and state.state["lineage"] != document["lineage"] and not _is_bare(state) and not adopt:
        raise StateError(
            f"the state {state.where} has another lineage ({state.state['lineage']}) than the copy "
            f"({document['lineage']}): it manages something else",
            hint="Inspect both with --status. To replace it anyway, add --adopt.",
        )
    if _is_newer_than(state, document) and not adopt:
        question = (
            f"the state {state.where} (serial {state.state['serial']}, {state.state.get('last_updated')}) is newer "
            f"than what would replace it (serial {document['serial']}, {document.get('last_updated')})"
        )
        if not agreed(f"{question}.\nReplace it? The next run checks again what was done since then."):
            raise StateError(question, hint="To replace it anyway, add --adopt, or confirm on a terminal.")
    aside = state.put_aside("bad") if state.fault is not None or state.earlier else None
    serial = max(state.state["serial"], document["serial"])
    state.state = document | {"serial": serial}
    state.save()
    return aside


def move(source: StateStore, state: StateStore) -> str | None:
    """Move a document, and those beside it, from one store to another; both are locked.

    Returns:
        The location of the source's copy.

    Raises:
        StateError: the destination has a state of another lineage, or a newer one.
    """
    if state.found and state.state["lineage"] != source.state["lineage"] and not _is_bare(state):
        raise StateError(
            f"there is another state already in {state.where}: its lineage is {state.state['lineage']}, that of "
            f"{source.where} {source.state['lineage']}",
            hint="Give one of them another name (advanced.state_file, advanced.state_blob_name).",
        )
    same = state.found and state.state["lineage"] == source.state["lineage"]
    if same and state.state["serial"] > source.state["serial"]:
        raise StateError(
            f"the state in {state.where} is newer (serial {state.state['serial']}) than {source.where} "
            f"(serial {source.state['serial']})",
            hint=f"Use it as it is (AZURE_STATE_STORAGE); {source.where} is out of date.",
        )
    # Companion documents first: wherever this is interrupted, the state shows which storage is current, and the next
    # move writes them again.
    for name in COMPANIONS:
        beside = source.backend.read_companion(name)
        if beside is not None:
            state.backend.write_companion(name, beside)
    state.state = source.state
    data = state_document.dump(source.state)
    if data != state.stored:
        state.keep_copy()
        state.backend.save(data)
        state.stored = data
    aside = source.put_aside("moved")
    source.backend.delete()
    for name in COMPANIONS:
        source.backend.write_companion(name, None)
    return aside


def _is_newer_than(state: StateStore, document: dict[str, Any]) -> bool:
    """Return whether a stored state with content is as new as the document or newer."""
    if not state.found or _is_bare(state) or state.state["serial"] < document["serial"]:
        return False
    return any(state.state.get(section) != document.get(section) for section in SECTIONS)


def _is_bare(state: StateStore) -> bool:
    """Return whether the document has no content that could be lost."""
    return not any(state.state.get(section) for section in SECTIONS)
