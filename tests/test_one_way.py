"""There is one way to do one thing: what several modules need is in one of them, and the others call it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import rooms

from draftgenie_azure import constants
from draftgenie_azure.config.keys import GENERATED
from draftgenie_azure.config.placeholders import SECRET_NAMES
from draftgenie_azure.config.validated.postgresql_rules import EXTENSIONS
from draftgenie_azure.config.validated.vault_secrets import FIXED, PLAIN, POSTGRESQL_PASSWORD

OURS = [path for path in rooms.files() if "azure_emulator" not in path.parts]
# What is imported or called -> the modules that alone may do so.
ONLY_IN = {
    "difflib": {"draftgenie_azure/nearest.py"},
    "hashlib.scrypt": {"draftgenie_azure/digests.py"},
    "filelock": {"draftgenie_azure/state/lock.py"},
    "os.replace": {"draftgenie_azure/state/files.py"},
    "azure.identity": {"draftgenie_azure/arm/credentials.py"},
}
# Functions that pause, and why not by `run.poll`, which looks until something is so.
PAUSES = {
    ("arm/credentials.py", "github_assertion"): "between tries of GitHub, where there may be no run to stop",
    ("arm/ensure.py", "_begin"): "between tries of a write, before which the resource is read again",
    ("arm/operations.py", "wait_for_role"): "between tries of a write, until a role is effective",
    ("arm/outcome.py", "of"): "once, for as long as the reply asks",
    ("arm/transport.py", "_take_turn"): "until a limit of ARM leaves room",
    ("arm/transport.py", "_wait"): "between tries of a request",
    ("cli/live.py", "_wait"): "so that several events are drawn at once",
    ("provision/log_stream.py", "_pump"): "before a stream is opened again",
    ("run/control.py", "wait"): "the pause itself, which a stop ends",
    ("run/poll.py", "poll"): "the one loop",
    ("state/blob/backend.py", "_renew_for_ever"): "between renewals, in a thread that ends with the lock",
    ("state/blob/backend.py", "_with_retries"): "between tries of the storage, where there may be no run to stop",
    ("state/lock.py", "pause"): "between tries for another run's lock",
}  # fmt: skip


@cache
def names_in(path: Path) -> frozenset[str]:
    """Dotted names that a module imports or calls."""
    return frozenset(_names(rooms.tree_of(path)))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize("name", ONLY_IN)
def test_one_module_alone_uses(name: str) -> None:
    """The others call that module."""
    users = {path.relative_to(rooms.ROOT).as_posix() for path in OURS if name in names_in(path)}

    assert users == ONLY_IN[name]


def pausing() -> Iterator[tuple[str, str]]:
    """Functions of the package that sleep, or wait for a stop with a time."""
    for path in OURS:
        for function in ast.walk(rooms.tree_of(path)):
            if isinstance(function, ast.FunctionDef):
                calls = [ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)]
                if any(call.endswith(("time.sleep", "control.wait", "_stop.wait", "_over.wait")) for call in calls):
                    yield path.relative_to(rooms.ROOT / rooms.PACKAGE).as_posix(), function.name


def test_waiting_for_something_is_poll() -> None:
    """A loop of its own would forget the stop, the limit, or the last look."""
    assert set(pausing()) == set(PAUSES)


@cache
def plain_texts(path: Path) -> tuple[str, ...]:
    """Texts in a module, without docstrings."""
    tree = rooms.tree_of(path)
    docstrings = {
        id(first.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        for first in node.body[:1]
        if isinstance(first, ast.Expr)
    }
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings]
    return tuple(node.value for node in found if isinstance(node.value, str))


def test_pattern_for_placeholders_is_in_one_module() -> None:
    """Hashing, validation and composing read them alike; `leftovers.py` recognises those of other programs."""
    found = {path.name for path in OURS for text in plain_texts(path) if r"\{\{" in text}

    assert found == {"placeholders.py", "leftovers.py"}


def test_api_versions_are_in_one_table() -> None:
    """`versions` has the older ones that a cloud may need; that of the state's blob is storage's own."""
    found = {
        path.relative_to(rooms.ROOT / rooms.PACKAGE).as_posix()
        for path in OURS
        for text in plain_texts(path)
        if re.fullmatch(r"20\d\d-\d\d-\d\d(-preview)?", text)
    }

    assert found == {"arm/ids.py", "arm/versions.py", "state/blob/backend.py"}


SHARED_NAMES = ("STATE_PREFIX", "HISTORY_DIRECTORY", "EMULATOR_DIRECTORY", "STATE_BLOB", "STATE_CONTAINER")


@pytest.mark.parametrize("name", SHARED_NAMES)
def test_name_that_must_agree_is_written_once(name: str) -> None:
    """In `constants.py`; a docstring may repeat it."""
    value = getattr(constants, name)
    found = {path.name for path in OURS for text in plain_texts(path) if text.startswith(value)}

    assert found == {"constants.py"}


@pytest.mark.parametrize("name", [POSTGRESQL_PASSWORD, GENERATED[0], EXTENSIONS])
def test_name_of_a_secret_or_parameter_is_written_once(name: str) -> None:
    """Validation and the steps must mean the same one."""
    found = [path.name for path in OURS for text in plain_texts(path) if text == name]

    assert len(found) == 1


def test_names_with_a_vault_secret_are_secret_and_plain_ones_are_not() -> None:
    """`is_secret_name` is the one answer, for hashing without validation as for validation."""
    assert FIXED.keys() <= SECRET_NAMES
    assert not PLAIN & SECRET_NAMES
