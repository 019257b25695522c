"""The format of the state document: parse, check and serialise it. Independent of storage and configuration."""

from __future__ import annotations

import json
import os

from draftgenie_azure.digests import HASH_FORMAT
from draftgenie_azure.errors import StateError
from draftgenie_azure.masking import MASK
from draftgenie_azure.state.rendering import Renderer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Document = dict[str, Any]

STATE_VERSION = "1.0"
STATUSES = ("running", "completed", "failed")
# Types of the optional keys of each kind of record; keys not listed may have any type.
_TEXT, _NUMBER, _OBJECT, _LIST = (str,), (int, float), (dict,), (list,)
_OPTIONAL_TEXT, _OPTIONAL_OBJECT, _OPTIONAL_LIST = (str, type(None)), (dict, type(None)), (list, type(None))
_DOCUMENT: Mapping[str, tuple[type, ...]] = {
    "version": _TEXT, "lineage": _TEXT, "serial": (int,), "salt": _TEXT, "hash_format": (int,), "last_updated": _TEXT,
    "target": _OBJECT, "steps": _OBJECT, "resources": _OBJECT, "secrets": _OBJECT, "operations": _OBJECT,
    "secrets_digest": _OPTIONAL_TEXT, "validated": _OPTIONAL_TEXT, "validated_values": _OPTIONAL_TEXT,
    "forced": _LIST, "asked": _OBJECT, "api_versions": _OBJECT,
    "pin": _OPTIONAL_OBJECT, "rotating": _OBJECT, "migrated": _OBJECT, "deleted_vaults": _OBJECT,
    "databases_created": _OBJECT,
}
_STEP: Mapping[str, tuple[type, ...]] = {
    "status": _TEXT, "timestamp": _TEXT, "started_at": _TEXT, "duration_seconds": _NUMBER, "dependency_hash": _TEXT,
    "dependencies": _OBJECT, "values": _OBJECT, "hash_format": (int,), "outputs": _OBJECT, "metadata": _OBJECT,
    "error": _TEXT, "last_completed": _OBJECT,
}
_RESOURCE: Mapping[str, tuple[type, ...]] = {
    "id": _TEXT, "name": _TEXT, "api_version": _TEXT, "step": _TEXT, "created": (bool,), "orphaned": (bool,),
    "body": _TEXT, "sent": _TEXT, "creation_id": _TEXT, "service_id": _TEXT, "found_as": _TEXT, "created_at": _TEXT,
    "domains": _OBJECT, "pinned": _OPTIONAL_OBJECT, "traffic": _OPTIONAL_LIST,
}
_PIN: Mapping[str, tuple[type, ...]] = {
    "run": (int,), "since": _TEXT, "images": _OBJECT, "jobs": _LIST, "pending": (bool,), "ends": (bool,),
}
_IMAGE: Mapping[str, tuple[type, ...]] = {"reference": _TEXT, "tag": _TEXT}
_SECRET: Mapping[str, tuple[type, ...]] = {"digest": _OPTIONAL_TEXT, "version": _TEXT, "generated": (bool,)}
_OPERATION: Mapping[str, tuple[type, ...]] = {"kind": _TEXT, "url": _TEXT, "started_at": _TEXT}
# Required keys of records.
_NEEDED = {"document": ("version", "lineage", "serial", "salt"), "resource": ("id", "name", "api_version", "step"),
           "pin": ("run", "images"), "image": ("reference", "tag"),
           "operation": ("kind", "url")}

_RENDERER = Renderer()

# The content of a state; the other keys are about the document itself.
SECTIONS = ("steps", "resources", "secrets", "operations")


class EarlierStateError(StateError):
    """The document is one of the earlier deployment script, with passwords in it."""


def empty(*, lineage: str | None = None, salt: str | None = None, serial: int = 0) -> Document:
    """Return a document of an empty deployment.

    Args:
        lineage: that of the state it replaces; new by default. The same for `salt` and `serial`.
    """
    return {
        "version": STATE_VERSION,
        "lineage": lineage or os.urandom(16).hex(),
        "serial": serial,
        "salt": salt or os.urandom(16).hex(),
        "hash_format": HASH_FORMAT,
        "target": {},
        "steps": {},
        "resources": {},
        "secrets": {},
        "secrets_digest": None,
        "validated": None,
        "operations": {},
        "forced": [],
    }


def dump(document: Mapping[str, Any]) -> bytes:
    """Serialise a document for storage: without secrets, sorted keys, indented by two spaces, final newline."""
    try:
        return _RENDERER.text(document).encode() + b"\n"
    except UnicodeEncodeError:
        # A path that is not UTF-8 has lone surrogates, which can only be written as escapes.
        return json.dumps(MASK.document(document), sort_keys=True, indent=2, allow_nan=False).encode() + b"\n"


def copy_for_keeping(document: Mapping[str, Any]) -> bytes:
    """Serialise a document as a copy of earlier states: without operations, whose URLs are signed."""
    return dump({**document, "operations": {}})


def parse(data: bytes, where: str) -> Document:
    """The document in the bytes, complete and with the right types inside.

    Args:
        where: the place of the bytes, for messages.

    Raises:
        EarlierStateError: it is a state of the earlier script.
        StateError: it is empty, truncated, foreign, of another version, or invalid.
    """
    state = _json(data, where)
    if not isinstance(state, dict):
        raise StateError(f"{where} is not a state of this command")
    if "lineage" not in state:
        if "completed_steps" in state or ("version" in state and "steps" in state):
            raise EarlierStateError(f"{where} is the state of the earlier script, with passwords in it")
        raise StateError(f"{where} is not a state of this command")
    version = state.get("version")
    if version != STATE_VERSION:
        raise StateError(f"the state {where} has version {version!r:.40}, this command knows {STATE_VERSION!r}")
    fault = _fault(state)
    if fault:
        raise StateError(f"the state {where}: {json.dumps(fault)[1:-1]} has an unexpected value or type")
    _mark_hash_formats(state)
    return empty(lineage=state["lineage"], salt=state["salt"]) | state


def last_success(document: Mapping[str, Any], step: str) -> dict[str, Any] | None:
    """Return the record of a step's last completed run, whatever happened since; None if it never completed."""
    record: dict[str, Any] = document["steps"].get(step, {})
    return record if record.get("status") == "completed" else record.get("last_completed")


def last_outputs(document: Mapping[str, Any], step: str) -> dict[str, Any]:
    """Return the outputs of that run; empty without one, or if they are not a mapping."""
    outputs = (last_success(document, step) or {}).get("outputs")
    return outputs if isinstance(outputs, dict) else {}


def _mark_hash_formats(state: Document) -> None:
    """Set the hash format in each record; earlier documents have a single one for all.

    So an interrupted run does not mistake the hashes of steps that it did not reach for its own.
    """
    for record in state.get("steps", {}).values():
        for success in (record, record.get("last_completed") or {}):
            if "dependency_hash" in success:
                success.setdefault("hash_format", state.get("hash_format", 1))
    state["hash_format"] = HASH_FORMAT


def _json(data: bytes, where: str) -> Any:
    if not data.strip():
        raise StateError(f"the state {where} is empty")
    try:
        found = json.loads(data, parse_constant=_refuse, parse_float=_finite)
        if b"\xed" in data or b"\\ud" in data.lower():
            # Lone surrogates: only those that stand for a byte of a file name can be written and hashed again.
            json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogateescape")
        return found
    except RecursionError:
        raise StateError(f"the state {where} is not valid JSON: nested too deeply") from None
    except ValueError as error:
        raise StateError(f"the state {where} is not valid JSON: {error}") from error


def salvage(data: bytes | None) -> dict[str, Any]:
    """Return lineage, salt and serial of a possibly damaged document, as far as they can be read."""
    try:
        state = _json(data or b"", "")
    except StateError:
        return {}
    if not isinstance(state, dict):
        return {}
    found = {}
    if isinstance(state.get("lineage"), str) and state["lineage"]:
        found["lineage"] = state["lineage"]
    if _is_salt(state.get("salt")):
        found["salt"] = state["salt"]
    if type(state.get("serial")) is int and state["serial"] >= 0:
        found["serial"] = state["serial"]
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not valid JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text} is too large")
    return number


def _is_salt(value: object) -> bool:
    if not isinstance(value, str) or len(value) < 16 or not value.isascii():
        return False
    try:
        return len(bytes.fromhex(value)) * 2 == len(value)
    except ValueError:
        return False


def _fault(state: Document) -> str | None:
    """Return the path of the first invalid value, or None."""
    wrong = _wrong(state, _DOCUMENT, _NEEDED["document"])
    if wrong:
        return wrong
    if not state["lineage"]:
        return "lineage"
    if state["serial"] < 0:
        return "serial"
    if not _is_salt(state["salt"]):
        return "salt"
    for key, value in state.get("target", {}).items():
        if not isinstance(value, str):
            return f"target.{key}"
    for key, count in state.get("databases_created", {}).items():
        if type(count) is not int:
            return f"databases_created.{key}"
    for name, record in state.get("steps", {}).items():
        wrong = _wrong_step(record)
        if wrong is not None:
            return f"steps.{name}.{wrong}".rstrip(".")
    wrong = _wrong_pin(state.get("pin"))
    if wrong is not None:
        return f"pin.{wrong}".rstrip(".")
    kinds = (
        ("resources", _RESOURCE, "resource"), ("deleted_vaults", _RESOURCE, "resource"), ("secrets", _SECRET, ""),
        ("operations", _OPERATION, "operation"),
    )  # fmt: skip
    for section, types, kind in kinds:
        for name, record in state.get(section, {}).items():
            wrong = _wrong(record, types, _NEEDED.get(kind, ()))
            if wrong is not None:
                return f"{section}.{name}.{wrong}".rstrip(".")
    return None


def _wrong(record: Any, types: Mapping[str, tuple[type, ...]], needed: tuple[str, ...] = ()) -> str | None:
    """Return the first missing or mistyped key, an empty string if the record itself is invalid, else None."""
    if type(record) is not dict:
        return ""
    for key, kinds in types.items():
        if key in record and type(record[key]) not in kinds:
            return key
    return next((key for key in needed if key not in record), None)


def _wrong_pin(pin: Any) -> str | None:
    if not pin:
        return None
    wrong = _wrong(pin, _PIN, _NEEDED["pin"])
    if wrong is not None:
        return wrong
    broken = (key for key, image in pin["images"].items() if _wrong(image, _IMAGE, _NEEDED["image"]) is not None)
    return next((f"images.{key}" for key in broken), None)


def _wrong_step(record: Any) -> str | None:
    wrong = _wrong(record, _STEP, ("status",))
    if wrong is not None:
        return wrong
    if record["status"] not in STATUSES:
        return "status"
    for success in (record, record.get("last_completed")):
        if success is None:
            continue
        wrong = _wrong(success, _STEP)
        if wrong is not None:
            return wrong
        if "dependency_hash" not in success and (success is not record or record["status"] == "completed"):
            return "dependency_hash"
        if not all(type(line) is str for line in success.get("dependencies", {}).values()):
            return "dependencies"
    reasons = record.get("metadata", {}).get("reasons", [])
    if type(reasons) is not list or not all(type(reason) is str for reason in reasons):
        return "metadata.reasons"
    return None
