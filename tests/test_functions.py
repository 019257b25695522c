"""Modules and functions are short, and functions take few arguments; those that are not say why."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import rooms

LINES, PARAMETERS = 40, 6
MODULE, TESTS = 500, 600  # lines
LARGE = {
    "deploy-azure_v1.py": "the command in one file: state, decorator, deployer, commands, main",
    "draftgenie_azure/arm/ensure.py": "one class: from the comparison of a resource to its record",
}
LONG = {
    ("draftgenie_azure/arm/diff.py", "compare"): "whose change a difference is: a branch for each row of one table",
    ("draftgenie_azure/build_context/dockerignore.py", "_units"): "moby's own loop, in its order, so that it compares",
}
WIDE = {
    ("azure_emulator/core/errors.py", "__init__"): "the fields of Azure's error envelopes",
    ("azure_emulator/core/lifecycle.py", "begin"): "a request, its work, and what of it differs from the work's row",
    ("deploy-azure_v1.py", "__init__"): "the signature that callers know, with the events' reporter and the decider",
    ("draftgenie_azure/cli/summary.py", "__init__"): "the facts of a run, of which a caller knows some",
    ("draftgenie_azure/errors.py", "__init__"): "what Azure says about a refusal",
    ("draftgenie_azure/provision/teardown.py", "__init__"): "what the flags of prune and destroy ask for",
    ("draftgenie_azure/steps.py", "__init__"): "the columns of the table of steps",
}


def functions() -> Iterator[tuple[tuple[str, str], ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of the product, with its file and name."""
    for path in rooms.files():
        source = path.relative_to(rooms.ROOT).as_posix()
        for node in ast.walk(rooms.tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield (source, node.name), node


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of arguments of a function, without `self` or `cls`."""
    given = node.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg) if one]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def test_functions_are_short() -> None:
    """Docstrings included."""
    found = {place for place, node in functions() if (node.end_lineno or 0) - node.lineno >= LINES}

    assert found == set(LONG)


def test_functions_take_few_arguments() -> None:
    """Related arguments are one object."""
    assert {place for place, node in functions() if parameters(node) > PARAMETERS} == set(WIDE)


def test_modules_are_short() -> None:
    """One subject each, which fits the memory of a reader."""
    sizes = {path.relative_to(rooms.ROOT).as_posix(): len(path.read_bytes().splitlines()) for path in rooms.files()}
    tests = {path.name: len(path.read_bytes().splitlines()) for path in (rooms.ROOT / "tests").rglob("*.py")}

    assert {name for name, size in sizes.items() if size > MODULE} == set(LARGE)
    assert [name for name, size in tests.items() if size > TESTS] == []
