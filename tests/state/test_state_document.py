"""The document's format: any file gives a message and never a traceback; valid content is preserved."""

from __future__ import annotations

import copy
import importlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from project import ROOT, STATE

from draftgenie_azure.changes.decision import Decider
from draftgenie_azure.cli.status import page
from draftgenie_azure.cli.summary import Summary
from draftgenie_azure.config import raw as configuration
from draftgenie_azure.errors import StateError
from draftgenie_azure.masking import MASK
from draftgenie_azure.state import document as state_document
from draftgenie_azure.steps import STEP_NAMES, STEPS


def _document() -> dict[str, Any]:
    """A state as a run leaves it: a completed, a failed and a running step, resources, secrets, an operation."""
    success = {"timestamp": "2026-11-24T10:30:00Z", "dependency_hash": "0" * 64, "duration_seconds": 1.5,
               "hash_format": 2,
               "dependencies": {"config:postgresql.sku": "1" * 64}, "outputs": {"host": "h", "port": 5432}}
    return state_document.empty(lineage="a" * 32, salt="b" * 32, serial=41) | {
        "last_updated": "2026-11-24T10:30:00Z",
        "target": {"cloud": "emulator", "resource_group": "draftgenie-rg"},
        "steps": {
            "create_databases": {**success, "status": "completed", "started_at": "x",
                                 "metadata": {"reasons": ["forced"]}},
            "deploy_application_services": {**success, "status": "completed", "metadata": {},
                                            "outputs": {"api_gateway": {"url": "https://x", "hash": "2"}}},
            "build_and_push_images": {"status": "failed", "timestamp": "x", "error": "no", "metadata": {},
                                      "last_completed": success},
            "run_migrations": {"status": "running", "started_at": "x", "metadata": {"reasons": [], "forced": True}},
        },
        "resources": {"key_vault": {"id": "/s", "name": "kv", "api_version": "1", "step": "create_key_vault",
                                    "created": True, "body": "3"}},
        "secrets": {"jwt-secret": {"digest": "4", "version": "5", "generated": True}},
        "operations": {"/s": {"kind": "status", "url": "https://x", "started_at": "x"}},
    }


DOCUMENT = _document()
BYTES = state_document.dump(DOCUMENT)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["completed", "running", "1.0", "", "\ud800", 10**400, -1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _paths(item, (*path, key))


def _without_formats(value: Any) -> Any:
    """Without the formats of hashes, which loading notes where an older version did not."""
    if isinstance(value, dict):
        return {key: _without_formats(item) for key, item in value.items() if key != "hash_format"}
    return value


PATHS = list(_paths(DOCUMENT))


@st.composite
def mutated(draw: Any) -> bytes:
    """The state after an accident: some values replaced, taken out or added, or bytes lost, changed and doubled."""
    if draw(st.booleans()):
        document: Any = copy.deepcopy(DOCUMENT)
        for _ in range(draw(st.integers(1, 3))):
            document = _changed(draw, document)
        return json.dumps(document, indent=2).encode("utf-8", "surrogatepass")
    data = bytearray(BYTES)
    begin = draw(st.integers(0, len(data) - 1))
    end = draw(st.integers(begin, min(len(data), begin + 40)))
    how = draw(st.sampled_from(["cut", "take out", "put in", "double", "zero"]))
    if how == "cut":
        del data[begin:]
    elif how == "take out":
        del data[begin:end]
    elif how == "put in":
        data[begin:end] = draw(st.binary(max_size=12))
    elif how == "double":
        data[begin:begin] = data[begin:end]
    else:
        data[begin:end] = bytes(end - begin)
    return bytes(data)


def _changed(draw: Any, document: Any) -> Any:
    path = draw(st.sampled_from(PATHS))
    if not path:
        return draw(ANYTHING)
    place = document
    for key in path[:-1]:
        try:
            place = place[key]
        except (KeyError, IndexError, TypeError):
            return document
    if not isinstance(place, dict):
        return document
    if draw(st.booleans()):
        place[path[-1]] = draw(ANYTHING)
    elif draw(st.booleans()):
        place.pop(path[-1], None)
    else:
        place[draw(st.text(max_size=8))] = draw(ANYTHING)
    return document


RAW = configuration.read([str(ROOT / "config.yaml")], {})


class _Records:
    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self.state_file = STATE

    record = importlib.import_module("deploy-azure_v1").StateManager.record
    last_success = importlib.import_module("deploy-azure_v1").StateManager.last_success


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
@example(b"")
@example(b" \n")
@example(b"\x00" * 100)
@example(b"[" * 100_000)
@example(b'{"a":' * 50_000)
@example(BYTES.replace(b'"serial": 41', b'"serial": 1e999'))
@example(BYTES.replace(b'"serial": 41', b'"serial": NaN'))
@example(BYTES.replace(b'"serial": 41', b'"serial": ' + b"9" * 5000))
@example(BYTES.replace(b"1.5", b"1e999"))
@pytest.mark.timeout(300)
def test_mutated_state_is_an_error_with_words_or_a_document_that_every_reader_can_use(data: bytes) -> None:
    """10,000 of them: no traceback, no silent reset; what loads saves, shows and decides."""
    try:
        document = state_document.parse(data, "state.json")
    except StateError as error:
        assert "state.json" in error.message
        assert "\n" not in error.message.strip()
        return
    said = json.loads(data)
    assert document["lineage"] == said["lineage"]
    assert document["serial"] == said["serial"]
    assert _without_formats(document["steps"]) == _without_formats(said.get("steps", {}))
    again = state_document.dump(document)
    assert state_document.dump(state_document.parse(again, "again")) == again
    assert state_document.copy_for_keeping(document)
    assert Summary(document, {}, 1.0, asked=False, skipped=0).lines()
    assert page(document, STEP_NAMES, "state.json", None)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
@example(BYTES.replace(b'"host": "h"', b'"host": "\\ud800"'))
@example(BYTES.replace(b'"host": "h"', b'"host": "\xed\xa0\x80"'))
@example(BYTES.replace(b'"host": "h"', b'"host": "\\udce9"'))
@pytest.mark.timeout(300)
def test_decisions_work_with_any_mutated_state_that_loads(data: bytes) -> None:
    """The plan of a run over it; slower, since every file of the application is hashed."""
    try:
        document = state_document.parse(data, "state.json")
    except StateError:
        return
    plan = Decider(STEPS, RAW, _Records(document)).plan()
    assert list(plan) == list(STEP_NAMES)


def test_valid_document_loads_and_saves_to_the_same_bytes() -> None:
    """Unknown keys of a known version among them."""
    document = copy.deepcopy(DOCUMENT) | {"later": [1, {"x": None}], "ünïcode": "naïve"}
    document["steps"]["create_databases"]["later"] = 1
    data = state_document.dump(document)

    assert state_document.dump(state_document.parse(data, "x")) == data


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(st.dictionaries(st.text().map("x-{}".format), JSON, max_size=4), JSON)  # no text is the name of a known key
def test_any_valid_document_loads_and_saves_to_the_same_bytes(extra: dict[str, Any], output: Any) -> None:
    """For any content of outputs and of unknown keys."""
    document = extra | copy.deepcopy(DOCUMENT)
    document["steps"]["create_databases"]["outputs"] = {"any": output}
    data = state_document.dump(document)

    assert state_document.dump(state_document.parse(data, "x")) == data


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["steps", "resources", "later"]), st.text(), JSON), max_size=6))
def test_document_changed_between_saves_is_stored_as_if_rendered_anew(changes: list[tuple[str, str, Any]]) -> None:
    """A save renders only the entries that changed."""
    document: dict[str, Any] = {"later": None, "resources": {}, "steps": {"a": 1, "b": [1, {"c": 2}]}}
    for section, name, value in changes:
        if not isinstance(document[section], dict) or name == "":
            document[section] = value
        elif name in document[section]:
            del document[section][name]
        else:
            document[section][name] = value
        plain = json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False)

        assert state_document.dump(document).decode() == f"{plain}\n"


@pytest.fixture
def no_secrets() -> Iterator[None]:
    """Secrets of the test do not outlast it."""
    yield
    MASK.forget()


@pytest.mark.usefixtures("no_secrets")
def test_secret_added_later_is_hidden_in_an_entry_that_was_saved_before() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["steps"]["create_databases"]["outputs"] = {"host": "before-Xk82hd72Kq1"}
    assert b"Xk82hd72Kq1" in state_document.dump(document)

    MASK.add("before-Xk82hd72Kq1")

    assert b"Xk82hd72Kq1" not in state_document.dump(document)


def test_name_that_is_not_unicode_survives() -> None:
    """A path with bytes that are not UTF-8 may appear in an error."""
    document = copy.deepcopy(DOCUMENT)
    document["steps"]["build_and_push_images"]["error"] = os.fsdecode(b"caf\xe9")
    data = state_document.dump(document)

    assert state_document.parse(data, "x") == document
    assert state_document.dump(state_document.parse(data, "x")) == data


@pytest.mark.parametrize("content", [b"", b"{", BYTES[:-200], b"[1]"])
def test_unusable_state_is_never_replaced_by_an_empty_one(tmp_path: Path, content: bytes) -> None:
    """The file is as it was, and nothing was put beside it."""
    path = tmp_path / "state.json"
    path.write_bytes(content)
    manager = importlib.import_module("deploy-azure_v1").StateManager

    with pytest.raises(StateError):
        manager({"advanced": {"state_file": str(path)}})

    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]
